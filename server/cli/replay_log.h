// Recordings as one log that can go on for ever: a sequence of units (a transaction, a schema
// change, a heartbeat), repeated in laps whose times and transaction numbers continue; or one that
// grows with its last recording. Immutable but for grow(): then one strand, otherwise any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "server/cli/record_shift.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::cli {

struct ReplayExtent {
    bool loop = false;
    std::optional<uint64_t> rows = {};  // the log ends with the transaction that reaches so many
    // The last recording is being written: it may be empty yet, or end within a transaction.
    // Neither `loop` nor `rows` then.
    bool follow = false;
};

class ReplayLog {
 public:
    // The recordings one after the other. A recording whose times do not follow on is moved behind
    // the one before it, unless it is followed. `remarks`: what a reader of the log should know.
    static Result<ReplayLog> load(
        const std::vector<std::string>& files,
        ReplayExtent extent,
        std::vector<std::string>& remarks
    );
    ReplayLog(ReplayLog&&) noexcept;
    ~ReplayLog();

    // Takes in what the last recording has got since: whole units. False: nothing. An error says
    // that it is no longer the file that it was, or holds what is no record.
    // REQUIRES: loaded with `follow`
    Result<bool> grow();
    bool follows() const { return loader_ != nullptr; }

    // -- records, counted over all laps
    static constexpr uint64_t kEndless = UINT64_MAX;
    uint64_t end() const { return end_; }
    // Where a stream from this commit time on begins: nothing before it was committed later.
    uint64_t find(int64_t since_us) const;
    // REQUIRES: record < end()
    void append(uint64_t record, std::string& to) const;
    size_t size_of(uint64_t record) const;
    // Everything up to this time precedes the record's transaction.
    int64_t checkpoint_us(uint64_t record) const;
    // The first record behind the unit that `record` belongs to, and its rows.
    uint64_t unit_end(uint64_t record) const;
    uint64_t unit_rows(uint64_t record) const;

    // -- packets: runs of records that are sent together, in every lap the same
    void cut_packets(size_t records, size_t bytes);
    uint64_t packet_of(uint64_t record) const;
    uint64_t packet_begin(uint64_t packet) const;

    uint64_t records_per_lap() const { return records_.size(); }
    // The latest time in the first lap, or of what is there yet.
    int64_t last_us() const { return last_us_; }

 private:
    struct Record {
        uint64_t at;
        uint32_t size;
        ShiftPlan plan;
    };

    struct Unit {
        uint64_t first_record;
        uint64_t rows;
        int64_t latest_us;  // the highest commit time up to here
    };

    class Loader;

    ReplayLog();
    Result<void> limit(ReplayExtent extent);
    void note_last();
    Bytes bytes_of(const Record& record) const;
    const Unit& unit_of(uint64_t record) const;
    RecordShift shift_of(uint64_t record) const;

    std::string bytes_;
    std::vector<Record> records_;
    std::vector<Unit> units_;
    std::vector<uint64_t> packets_;  // first record of each
    uint64_t rows_ = 0;
    int64_t last_us_ = 0;
    int64_t lap_seconds_ = 0;
    uint64_t lap_numbers_ = 0;
    uint64_t end_ = 0;
    size_t packet_records_ = SIZE_MAX;  // as cut_packets() was told
    size_t packet_bytes_ = SIZE_MAX;
    std::unique_ptr<Loader> loader_;  // of a log that grows
};

}  // namespace obcanal::cli

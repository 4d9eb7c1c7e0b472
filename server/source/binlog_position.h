// Positions of a binlog source: between Canal's cursor and the point where a stream goes on, and
// the GTIDs that were executed up to there. Plain values, but for BinlogTracker (instance strand)
// and SettledPosition (any thread).
#pragma once

#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/canal/position.h"
#include "protocol/mysql/gtid.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace obcanal::source {

inline constexpr uint64_t kFirstLogOffset = 4;  // behind a log's magic number

// Where a stream goes on: with the event at the offset, unless that one is done; the first events
// of a group that begins there may be done as well.
struct BinlogPoint {
    std::string file;  // empty: only the GTIDs are known
    uint64_t offset = kFirstLogOffset;
    bool done = false;
    uint64_t events = 0;
    std::string gtid{};      // of the group that `events` belong to
    std::string executed{};  // GTID set of what was consumed; empty: not known

    std::string text() const;
    bool operator==(const BinlogPoint&) const = default;
};

BinlogPoint point_of(const canal::LogPosition& position);

// The GTIDs of a stream of either make.
class ExecutedGtids {
 public:
    static Result<ExecutedGtids> parse(std::string_view text, bool mariadb);

    void add(const mysql::Gtid& gtid);
    void add(const mysql::MariadbGtid& gtid);
    std::string text() const;
    const mysql::GtidSet* mysql() const { return std::get_if<mysql::GtidSet>(&set_); }

 private:
    std::variant<mysql::GtidSet, mysql::MariadbGtidSet> set_;
};

// Up to where a source has read, with nothing under way, at its last sign of life.
class SettledPosition {
 public:
    // `beat`: the number of its heartbeat.
    void set(int64_t beat, canal::LogPosition at);
    // Nothing: another one has replaced it.
    std::optional<canal::LogPosition> at(int64_t beat) const;

 private:
    mutable std::mutex mutex_;
    int64_t beat_ = 0;
    canal::LogPosition position_;
};

class BinlogTracker : public PositionTracker {
 public:
    // `servers`: as TxnMark::server counts them.
    BinlogTracker(
        std::vector<Endpoint> servers,
        std::shared_ptr<const SettledPosition> settled,
        const std::optional<canal::LogPosition>& from
    );

    void consumed(const Consumed& entry) override;
    void checkpoint(int64_t beat) override;
    canal::LogPosition position() const override { return position_; }

 private:
    std::vector<Endpoint> servers_;
    std::shared_ptr<const SettledPosition> settled_;
    canal::LogPosition position_;
    std::string executed_;  // of the last transaction that was consumed whole
};

}  // namespace obcanal::source

// One connection with the target and the thread that blocks on it. Writes what a batch has for it
// in transactions: by many-row statements first, and row by row in the order of the source when
// one of them is refused, so that the row at fault is known. A writer owns its lanes; their
// coroutines run on its strand, one at a time for each lane; interrupt() from any thread.
#pragma once

#include "adapter/core/writer.h"
#include "adapter/rdb/lane_parts.h"
#include "protocol/base/log.h"
#include "protocol/net/runtime.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace obcanal::adapter::rdb {

struct LaneOptions {
    bool skip_duplicates = true;
    bool reinsert = false;  // an UPDATE that finds no row inserts it, where all of it is known
    core::DeadLetters* dead_letters = nullptr;
};

// Counted for metrics; written by lanes, read by any thread.
struct LaneCounts {
    std::atomic<uint64_t> rows{0};
    std::atomic<uint64_t> duplicates_skipped{0};
    std::atomic<uint64_t> unmatched{0};
    std::atomic<uint64_t> reinserted{0};
    std::atomic<uint64_t> parked{0};
    std::atomic<uint64_t> row_by_row{0};  // batches
    std::atomic<uint64_t> tried_again{0};
    std::atomic<uint64_t> ahead{0};  // batches; the writer's
};

class Lane {
 public:
    Lane(size_t number, OpenSession open, LaneOptions options, LaneCounts& counts);
    ~Lane();

    // One part after the other, until there are no more. `replaying`: the changes may have been
    // written before. `also`: a statement of each transaction, for the position. REQUIRES: `parts`
    // outlives it.
    Awaitable<Result<void>> write(LaneParts& parts, bool replaying, std::string also);
    // Whatever else is done on the connection, which is opened when there is none.
    using Call = std::function<Outcome(TargetSession&)>;
    Awaitable<Result<void>> run(Call call, std::string what);

    Awaitable<void> close();
    void interrupt();

 private:
    // All of these on the lane's thread.
    Result<void> ensure_session();
    Result<void> write_parts(LaneParts& parts, bool replaying, const std::string& also);
    Result<void> write_here(const LaneWork& work, bool replaying, const std::string& also);
    Outcome write_units(const LaneWork& work, bool replaying, const std::string& also, bool& fits);
    Result<void> write_rows(const LaneWork& work, bool replaying, const std::string& also);
    Outcome write_row(const Op& op, bool replaying);
    Outcome insert_row(const Op& op, bool replaying);
    Outcome update_row(const Op& op, bool replaying);
    Outcome move_row(const Op& op, bool replaying);
    bool passes_over(const Op& op, const Failure& failed, bool replaying);
    Outcome settle_duplicate(const Op& op, const Failure& failed, bool replaying);
    Outcome run_one(
        const Op& op, OpKind kind, const Shape& shape, const core::DmlRow& row, uint64_t& matched
    );
    bool parks(const LaneWork& work, const Op& op) const;
    bool must_park(const LaneWork& work, const Op& op) const;
    Result<void> park(const Op& op, const std::string& cause);
    Result<void> lost(const std::string& what, const Failure& failed);
    void drop_session();

    const size_t number_;
    const OpenSession open_;
    const LaneOptions options_;
    LaneCounts& counts_;
    Logger log_{"rdb"};
    LogGate gate_;
    std::mutex session_mutex_;  // the pointer, for interrupt()
    std::unique_ptr<TargetSession> session_;
    bool stopped_ = false;
    bool after_load_ = false;  // of the work in hand
    BlockingLane thread_;      // last: ends before what it uses
};

// "task: INSERT into db.t, id=5: cause".
std::string describe_op(const Op& op, std::string_view cause);

}  // namespace obcanal::adapter::rdb

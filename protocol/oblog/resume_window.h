// What of an oblogproxy stream was consumed already. A proxy can only be asked for everything since
// a checkpoint and sends again what was committed since; this tells which of it to leave out. Used
// twice: by the feed for what it has put into the ring, and by whoever follows the acks for what
// clients have consumed. In doubt it says "not consumed": repeating is allowed, losing is not. One
// owner, one thread. Calls are per transaction or per batch; nothing is allocated per row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::oblog {

// The window as plain values: what a cursor stores (canal::OblogResume and the checkpoint).
struct ResumeState {
    int64_t checkpoint_us = 0;
    int64_t commit_us = 0;  // highest commit time consumed
    // True: everything committed before commit_us was consumed and `consumed` lists what was at
    // that very microsecond. False: `consumed` lists all that may come again.
    bool ordered = false;
    std::vector<std::string> consumed;  // in the order of consumption; an id may repeat
    std::string open;                   // a transaction consumed up to open_rows; empty: none
    uint64_t open_rows = 0;

    bool operator==(const ResumeState&) const = default;
};

class ResumeWindow {
 public:
    // A proxy may send what was committed this long before the checkpoint: some know only whole
    // seconds, and the log library may start a little early.
    static constexpr int64_t kSlackUs = 2'000'000;
    // Ids kept; beyond it the oldest are forgotten, so their transactions may be repeated.
    static constexpr size_t kMaxIds = 10'000;

    explicit ResumeWindow(size_t max_ids = kMaxIds) : max_ids_(max_ids) {}
    // Ready for the first stream after a restart of the process.
    explicit ResumeWindow(const ResumeState& state, size_t max_ids = kMaxIds);

    // -- once per stream: what was consumed so far may come again from here on.
    void restart();

    // -- once per transaction or DDL that comes in.
    // Whether transactions come in the order of commit time (OceanBase 4). Takes effect when
    // nothing that was consumed in another order can come again.
    void set_ordered(bool ordered);
    // True: leave this one out. Asking takes one occurrence of the id off, so ask once for each.
    bool was_consumed(int64_t commit_us, std::string_view id);
    // Rows at the front of this transaction that were consumed; nothing: not even its begin. Ask
    // once, after was_consumed() said false.
    std::optional<uint64_t> rows_to_skip(int64_t commit_us, std::string_view id);

    // -- once per transaction or batch that was consumed.
    // Everything committed up to `us` was delivered and consumed. Never goes back.
    void checkpoint(int64_t us);
    void consumed(int64_t commit_us, std::string_view id);
    // `rows`: from the start of the transaction, those that were skipped included.
    void consumed_rows(int64_t commit_us, std::string_view id, uint64_t rows);

    ResumeState state() const;
    int64_t checkpoint_us() const { return checkpoint_us_; }
    // Ids forgotten because there were too many.
    uint64_t forgotten() const { return forgotten_; }
    // Transactions that came before an earlier one although the source is said to be ordered.
    uint64_t out_of_order() const { return out_of_order_; }

 private:
    static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

    struct Consumed {
        int64_t commit_us;
        std::string id;
    };

    // What was consumed when the stream began, less what has come again since.
    struct Repeats {
        int64_t commit_us = kNever;
        bool ordered = false;
        std::map<std::string, uint32_t, std::less<>> ids;
        std::string open;
        uint64_t open_rows = 0;
    };

    void note_order(int64_t commit_us);
    void try_ordered();

    size_t max_ids_;
    int64_t checkpoint_us_ = 0;
    int64_t commit_us_ = kNever;
    bool ordered_ = false;
    // Set while ordered_ waits: everything up to here was consumed in another order.
    std::optional<int64_t> ordered_behind_;
    std::deque<Consumed> consumed_;
    std::string open_;
    uint64_t open_rows_ = 0;
    Repeats repeats_;
    uint64_t forgotten_ = 0;
    uint64_t out_of_order_ = 0;
};

}  // namespace obcanal::oblog

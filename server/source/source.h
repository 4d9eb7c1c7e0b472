// What an instance reads from: a source turns an upstream log into Changes and can start again from
// a position. A new kind of source adds files here and one line in registry.cpp, nothing else.
#pragma once

#include "protocol/base/result.h"
#include "protocol/canal/change.h"
#include "protocol/canal/position.h"
#include "protocol/net/awaitable.h"
#include "server/filter/table_filter.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace obcanal::source {

// Receives changes in order. Feed strand.
class ChangeSink {
 public:
    virtual ~ChangeSink() = default;

    // Returns when the changes are stored; that it waits while the ring is full is the
    // back-pressure. The views in `changes` must stay valid until then.
    virtual Awaitable<Result<void>> emit(std::span<const canal::Change> changes) = 0;
    // As emit() when nothing has to be waited for, which spares a coroutine per event. False: the
    // next call has to be emit() with the same changes, and does what is left of them.
    virtual Result<bool> try_emit(std::span<const canal::Change> changes) {
        static_cast<void>(changes);
        return false;
    }

    // Rows (TxnBegin and RowsChange::rows_done) of the transaction under way that clients can
    // already see, because it is larger than the transaction buffer. Nothing: none of it is
    // visible.
    virtual std::optional<uint64_t> open_rows() const = 0;
};

// Follows which entries were consumed and knows the position to resume from behind them.
class PositionTracker {
 public:
    virtual ~PositionTracker() = default;

    // An entry, the last one of its transaction or the last one so far.
    struct Consumed {
        const canal::TxnMark& txn;
        uint64_t rows_done;
        bool complete;  // it was the last one of the transaction
        int64_t offset;
        int64_t execute_ms;
    };

    virtual void consumed(const Consumed& entry) = 0;
    // All that was published when the heartbeat of this order came was consumed.
    virtual void checkpoint(int64_t order) = 0;
    virtual canal::LogPosition position() const = 0;
};

// The table filter in force: the instance's own until a client subscribes with another one. Any
// thread; the feed looks at version() once per packet and drops what it had decided when that has
// moved.
class LiveFilter {
 public:
    explicit LiveFilter(std::shared_ptr<const filter::TableFilter> first)
        : current_(std::move(first)) {}

    uint64_t version() const { return version_.load(std::memory_order_acquire); }

    std::shared_ptr<const filter::TableFilter> current() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }

    void replace(std::shared_ptr<const filter::TableFilter> next) {
        const std::lock_guard lock(mutex_);
        current_ = std::move(next);
        version_.fetch_add(1, std::memory_order_release);
    }

 private:
    mutable std::mutex mutex_;
    std::shared_ptr<const filter::TableFilter> current_;
    std::atomic<uint64_t> version_{0};
};

// What a source tells others while it runs. Any thread.
struct SourceState {
    std::atomic<uint64_t> bytes{0};
    std::atomic<uint64_t> records{0};
    std::atomic<uint64_t> rows{0};
    std::atomic<uint64_t> connections{0};
    std::atomic<uint64_t> repeated_transactions{0};  // sent again after a reconnect and left out
    std::atomic<uint64_t> unnamed_tables{0};         // whose columns nobody could name
    std::atomic<bool> connected{false};

    // In words, for people.
    struct Place {
        std::string server;
        std::string position;
        std::string gap;  // what was lost on the way: from, to, why
    };

    Place place() const {
        const std::lock_guard lock(mutex_);
        return place_;
    }

    void set_place(std::string server, std::string position) {
        const std::lock_guard lock(mutex_);
        place_.server = std::move(server);
        place_.position = std::move(position);
    }

    void set_gap(std::string gap) {
        const std::lock_guard lock(mutex_);
        place_.gap = std::move(gap);
    }

    // Where the first stream has begun; nothing before that.
    std::optional<canal::LogPosition> began() const {
        const std::lock_guard lock(mutex_);
        return began_;
    }

    // The first one counts.
    void set_began(const canal::LogPosition& at) {
        const std::lock_guard lock(mutex_);
        if (!began_) began_ = at;
    }

 private:
    mutable std::mutex mutex_;
    Place place_;
    std::optional<canal::LogPosition> began_;
};

class Source {
 public:
    virtual ~Source() = default;

    // Streams until stop() or failure and cleans up itself; always returns an Error that says
    // whether to try again. The first call starts from `from` (nothing: as configured); later calls
    // go on behind what was emitted. Feed strand.
    virtual Awaitable<Error> run(std::optional<canal::LogPosition> from, ChangeSink& out) = 0;
    virtual void stop() = 0;  // feed strand

    // A tracker for consumers that start at `from`.
    virtual std::unique_ptr<PositionTracker> tracker(std::optional<canal::LogPosition> from
    ) const = 0;
    virtual const SourceState& state() const = 0;
    // Until the log that a cursor stands in may be purged by its age, at the earliest; nothing: it
    // is kept, or nobody knows. Any thread.
    virtual std::optional<double> hours_left(const canal::LogPosition& cursor, int64_t now_ms)
        const {
        static_cast<void>(cursor);
        static_cast<void>(now_ms);
        return std::nullopt;
    }
};

}  // namespace obcanal::source

// The way of changes into the ring: encode once, buffer until the transaction is whole, publish.
// Feed strand, except checkpoint() and its kin.
#pragma once

#include "protocol/canal/entry_encoder.h"
#include "server/source/source.h"
#include "server/store/event_ring.h"
#include "server/store/txn_buffer.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

namespace obcanal::instance {

// The latest heartbeat, and the last entry that was published before it.
struct Checkpoint {
    int64_t us = 0;
    int64_t order = 0;  // of heartbeats, see canal::Heartbeat
    canal::Sequence after;
};

class Feed : public source::ChangeSink {
 public:
    Feed(
        store::EventRing& ring,
        std::shared_ptr<ChunkPool> pool,
        store::TxnBufferOptions options,
        std::string_view logfile_name
    );

    Awaitable<Result<void>> emit(std::span<const canal::Change> changes) override;
    Result<bool> try_emit(std::span<const canal::Change> changes) override;
    std::optional<uint64_t> open_rows() const override { return open_rows_; }

    // The connection is gone: what was not published is void.
    void drop_open();

    // Any thread.
    Checkpoint checkpoint() const;
    // executeTime of the newest entry, 0 before the first. Any thread.
    int64_t newest_execute_ms() const { return newest_execute_ms_.load(std::memory_order_relaxed); }
    uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

 private:
    // What a change asks for beyond appending its entry.
    struct Step {
        Bytes record;
        store::EntryFacts facts;
    };

    // What has to have room before a change that is encoded is stored.
    enum class Waits : uint8_t { No, BufferFull, RingFull };

    void begin(const canal::TxnMark& txn);
    Result<Waits> store(const canal::Change& change);
    Waits settle();
    void complete();
    Awaitable<Result<void>> finish_change();
    void forget_waiting();
    // False: the change has no entry.
    bool encode(const canal::Change& change, Step& step);
    void note_heartbeat(const canal::Heartbeat& beat);

    store::EventRing& ring_;
    canal::EntryEncoder encoder_;
    store::TxnBuffer buffer_;
    uint64_t rows_done_ = 0;  // of the open transaction, appended
    // Of the changes that try_emit() could not store without waiting: how many are stored, and what
    // the next one, that of step_, waits for.
    size_t stored_ = 0;
    Waits waits_ = Waits::No;
    Step step_;
    std::optional<uint64_t> open_rows_;
    mutable std::mutex mutex_;
    Checkpoint checkpoint_;
    std::atomic<int64_t> newest_execute_ms_{0};
    std::atomic<uint64_t> transactions_{0};
};

}  // namespace obcanal::instance

// The bounded store between one feed and the clients of a destination: slots that point into
// chunks, running totals in each slot, so that a batch is found by arithmetic and sent as a few
// slices however many entries it has. One producer (feed strand), one consumer (instance strand);
// `published` and `acked` are the only shared numbers. Invariant: acked <= published <= acked +
// slots. Semantics: Canal's MemoryEventStoreWithBuffer.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/chunk.h"
#include "protocol/base/result.h"
#include "protocol/canal/change.h"
#include "protocol/canal/ids.h"
#include "protocol/net/notifier.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace obcanal::store {

using canal::Sequence;

enum class EntryKind : uint8_t {
    Begin,
    Row,
    Statement,  // a QUERY: not isolated
    Ddl,        // returned alone when DDL isolation is on
    End,
};

// Trivial, so that an idle ring's memory is never touched.
struct Slot {
    const std::byte* data;  // record := 0x12 varint(len) Entry
    Chunk* chunk;           // where data and txn live
    const canal::TxnMark* txn;
    int64_t offset;      // the entry's logfileOffset
    int64_t execute_ms;  // the entry's executeTime
    int64_t put_ns;      // steady clock, when it was published
    int64_t end_bytes;   // total of record bytes up to and with this entry
    int64_t end_rows;
    uint64_t rows_done;  // of the transaction up to and with this entry, see RowsChange
    uint32_t size;
    uint32_t rows;
    uint32_t end_ddls;  // wraps; only differences are used
    EntryKind kind;
    bool completes;   // the last entry of its transaction
    bool owns_chunk;  // first slot of its chunk: holds the ring's reference
};

struct RingLimits {
    size_t slots = 16384;  // a power of two
    size_t bytes = size_t{16384} * 1024;
    bool ddl_isolation = false;
};

// How much a client asks for. MEMSIZE: `bytes`; ITEMSIZE: `entries`.
struct BatchLimit {
    int64_t entries;
    int64_t bytes;
};

// Entries first..last. The slices stay valid as long as the batch lives.
struct Batch {
    Sequence first;
    Sequence last;
    int64_t bytes = 0;
    int64_t rows = 0;
    std::vector<Bytes> slices;
    std::vector<ChunkRef> chunks;

    int64_t entries() const { return last.value - first.value + 1; }
};

class EventRing {
 public:
    EventRing(RingLimits limits, Executor feed_strand, Executor instance_strand);
    ~EventRing();

    EventRing(const EventRing&) = delete;
    EventRing& operator=(const EventRing&) = delete;

    // -- feed strand
    // Publishes entries in order, waiting for room; an entry larger than the budget goes in when
    // the ring is empty. Takes over the references of the slots that own one. Fails only with
    // Errc::Stopped.
    Awaitable<Result<void>> put(std::span<Slot> entries);
    // As put(), but only if there is room now; false otherwise.
    bool try_put(std::span<Slot> entries);

    // -- any thread
    void stop();
    Sequence published() const { return {published_.load(std::memory_order_acquire)}; }
    Sequence acked() const { return {acked_.load(std::memory_order_acquire)}; }
    int64_t used_bytes() const { return put_bytes_.load() - acked_bytes_.load(); }
    int64_t put_bytes() const { return put_bytes_.load(); }
    int64_t put_rows() const { return put_rows_.load(std::memory_order_relaxed); }
    // Nanoseconds that put() has waited for room.
    int64_t blocked_ns() const { return blocked_ns_.load(std::memory_order_relaxed); }
    const RingLimits& limits() const { return limits_; }

    // -- instance strand
    // REQUIRES for all: acked() < from <= published(), limits >= 0.
    Batch get(Sequence from, BatchLimit limit) const;
    // Whether as much as the limit asks for has gathered, or more cannot come before an ack.
    bool is_full(Sequence from, BatchLimit limit) const;
    const Slot& slot(Sequence at) const { return slots_[index(at.value)]; }
    // Frees everything up to `upto`; `visit` sees each entry once, in order. REQUIRES: upto <=
    // published().
    void ack(Sequence upto, const std::function<void(const Slot&)>& visit);
    // The first of these totals that is reached ends a wait for readable(): entries as a sequence,
    // bytes as put_bytes(). A client that waits for a large batch is not woken by each transaction.
    // Set after readable().arm() and before published() is looked at.
    void wake_readers_at(Sequence entry, int64_t bytes);
    Notifier& readable() { return readable_; }

 private:
    size_t index(int64_t sequence) const { return static_cast<size_t>(sequence) & mask_; }
    bool has_room(size_t entries, int64_t bytes) const;
    int64_t last_by_limit(int64_t from, int64_t end, BatchLimit limit) const;
    int64_t last_by_isolation(int64_t from, int64_t last) const;

    struct FreeSlots {
        void operator()(Slot* slots) const;
    };

    RingLimits limits_;
    size_t mask_;
    std::unique_ptr<Slot[], FreeSlots> slots_;
    Notifier room_;          // feed waits
    Notifier readable_;      // clients wait
    ChunkRef held_;          // chunk of the last acked entry; instance strand
    int64_t end_rows_ = 0;   // feed strand
    uint32_t end_ddls_ = 0;  // feed strand
    std::atomic<bool> stopped_{false};
    std::atomic<bool> blocked_{false};  // put() waits for room
    alignas(64) std::atomic<int64_t> published_{-1};
    std::atomic<int64_t> put_bytes_{0};
    std::atomic<int64_t> put_rows_{0};
    std::atomic<int64_t> wake_at_entry_{0};
    std::atomic<int64_t> wake_at_bytes_{0};
    std::atomic<int64_t> blocked_ns_{0};
    alignas(64) std::atomic<int64_t> acked_{-1};
    std::atomic<int64_t> acked_bytes_{0};
};

}  // namespace obcanal::store

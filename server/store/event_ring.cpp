#include "server/store/event_ring.h"

#include "protocol/base/assert.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>

namespace obcanal::store {
namespace {

// A frame's length is a signed 32-bit number; an entry that crosses the limit still fits.
constexpr int64_t kLargestBatch = int64_t{512} << 20;

int64_t steady_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_now().time_since_epoch())
        .count();
}

// The largest x in [low, high] for which `holds` is true; it is true up to some point and false
// behind, and at low.
template <class Predicate>
int64_t last_where(int64_t low, int64_t high, Predicate holds) {
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2;
        if (holds(middle)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

}  // namespace

void EventRing::FreeSlots::operator()(Slot* slots) const { std::free(slots); }

EventRing::EventRing(RingLimits limits, Executor feed_strand, Executor instance_strand)
    : limits_(limits),
      mask_(limits.slots - 1),
      // calloc: pages of an idle ring are never touched.
      slots_(static_cast<Slot*>(std::calloc(limits.slots, sizeof(Slot)))),
      room_(std::move(feed_strand)),
      readable_(std::move(instance_strand)) {
    OBC_ASSERT(limits.slots > 0 && (limits.slots & mask_) == 0);
    if (!slots_) throw std::bad_alloc();
}

EventRing::~EventRing() {
    for (int64_t at = acked_.load() + 1; at <= published_.load(); ++at) {
        const Slot& slot = slots_[index(at)];
        if (slot.owns_chunk) static_cast<void>(ChunkRef::adopt(slot.chunk));
    }
}

bool EventRing::has_room(size_t entries, int64_t bytes) const {
    const int64_t acked = acked_.load(std::memory_order_acquire);
    const int64_t published = published_.load(std::memory_order_relaxed);
    const int64_t waiting = published - acked;
    if (waiting == 0) return true;
    if (waiting + static_cast<int64_t>(entries) > static_cast<int64_t>(limits_.slots)) return false;
    return used_bytes() + bytes <= static_cast<int64_t>(limits_.bytes);
}

bool EventRing::try_put(std::span<Slot> entries) {
    OBC_ASSERT(entries.size() <= limits_.slots);
    int64_t bytes = 0;
    for (const Slot& entry : entries) bytes += entry.size;
    if (!has_room(entries.size(), bytes)) return false;

    const int64_t now = steady_ns();
    int64_t at = published_.load(std::memory_order_relaxed);
    int64_t total = put_bytes_.load(std::memory_order_relaxed);
    for (Slot& entry : entries) {
        total += entry.size;
        end_rows_ += entry.rows;
        end_ddls_ += entry.kind == EntryKind::Ddl ? 1 : 0;
        entry.end_bytes = total;
        entry.end_rows = end_rows_;
        entry.end_ddls = end_ddls_;
        entry.put_ns = now;
        slots_[index(++at)] = entry;
        entry.owns_chunk = false;
    }
    put_bytes_.store(total);
    put_rows_.store(end_rows_, std::memory_order_relaxed);
    published_.store(at, std::memory_order_release);
    // Against wake_readers_at(): either this sees what a reader waits for, or the reader sees what
    // was published.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool wanted = at >= wake_at_entry_.load(std::memory_order_relaxed) ||
                        total >= wake_at_bytes_.load(std::memory_order_relaxed);
    if (wanted) readable_.notify();
    return true;
}

Awaitable<Result<void>> EventRing::put(std::span<Slot> entries) {
    while (!entries.empty()) {
        const std::span<Slot> part = entries.first(std::min(entries.size(), limits_.slots));
        int64_t waiting_since = 0;
        for (;;) {
            room_.arm();
            if (stopped_.load()) co_return Error{Errc::Stopped, Retry::Never, "event ring stopped"};
            if (try_put(part)) break;
            if (waiting_since == 0) {
                waiting_since = steady_ns();
                // Nothing more comes before an ack: a client must not wait for it.
                blocked_.store(true);
                readable_.notify();
            }
            co_await room_.wait(SteadyTime::max());
        }
        blocked_.store(false);
        if (waiting_since != 0)
            blocked_ns_.fetch_add(steady_ns() - waiting_since, std::memory_order_relaxed);
        entries = entries.subspan(part.size());
    }
    co_return Result<void>{};
}

void EventRing::stop() {
    stopped_.store(true);
    room_.notify();
    readable_.notify();
}

int64_t EventRing::last_by_limit(int64_t from, int64_t end, BatchLimit limit) const {
    int64_t bytes = kLargestBatch;
    if (limit.bytes < 0) {
        end = std::min(end, from + std::clamp<int64_t>(limit.entries, 1, end - from + 1) - 1);
    } else {
        bytes = std::min(limit.bytes, kLargestBatch);
    }
    const Slot& first = slots_[index(from)];
    const int64_t before = first.end_bytes - first.size;
    // An entry is taken while what lies before it is within the limit, so the last one may cross
    // it.
    return last_where(from, end, [this, before, bytes](int64_t at) {
        const Slot& slot = slots_[index(at)];
        return slot.end_bytes - slot.size - before <= bytes;
    });
}

int64_t EventRing::last_by_isolation(int64_t from, int64_t last) const {
    const Slot& first = slots_[index(from)];
    if (first.kind == EntryKind::Ddl) return from;
    return last_where(from, last, [this, &first](int64_t at) {
        return slots_[index(at)].end_ddls == first.end_ddls;
    });
}

Batch EventRing::get(Sequence from, BatchLimit limit) const {
    int64_t last = last_by_limit(from.value, published_.load(std::memory_order_acquire), limit);
    if (limits_.ddl_isolation) last = last_by_isolation(from.value, last);

    Batch batch;
    batch.first = from;
    batch.last = {last};
    const Slot& first = slots_[index(from.value)];
    batch.bytes = slots_[index(last)].end_bytes - first.end_bytes + first.size;
    batch.rows = slots_[index(last)].end_rows - first.end_rows + first.rows;
    for (int64_t at = from.value; at <= last;) {
        const Slot& begin = slots_[index(at)];
        const int64_t end = last_where(at, last, [this, &begin](int64_t other) {
            return slots_[index(other)].chunk == begin.chunk;
        });
        // Records of one chunk lie back to back.
        const auto size =
            static_cast<size_t>(slots_[index(end)].end_bytes - begin.end_bytes) + begin.size;
        batch.slices.emplace_back(begin.data, size);
        batch.chunks.emplace_back(begin.chunk);
        at = end + 1;
    }
    return batch;
}

void EventRing::wake_readers_at(Sequence entry, int64_t bytes) {
    wake_at_entry_.store(entry.value, std::memory_order_relaxed);
    wake_at_bytes_.store(bytes, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool EventRing::is_full(Sequence from, BatchLimit limit) const {
    const int64_t end = published_.load(std::memory_order_acquire);
    if (from.value > end) return false;
    if (blocked_.load()) return true;
    if (limit.bytes < 0) return end - from.value + 1 >= limit.entries;
    const Slot& first = slots_[index(from.value)];
    const int64_t waiting = slots_[index(end)].end_bytes - first.end_bytes + first.size;
    return waiting >= limit.bytes || used_bytes() >= static_cast<int64_t>(limits_.bytes);
}

void EventRing::ack(Sequence upto, const std::function<void(const Slot&)>& visit) {
    OBC_ASSERT(upto.value <= published_.load(std::memory_order_acquire));
    int64_t at = acked_.load(std::memory_order_relaxed);
    if (upto.value <= at) return;
    while (at < upto.value) {
        const Slot& slot = slots_[index(++at)];
        visit(slot);
        if (slot.owns_chunk) held_ = ChunkRef::adopt(slot.chunk);
    }
    acked_bytes_.store(slots_[index(at)].end_bytes);
    acked_.store(at, std::memory_order_release);
    room_.notify();
}

}  // namespace obcanal::store

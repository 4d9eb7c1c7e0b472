#include "server/store/txn_buffer.h"

#include "protocol/base/assert.h"
#include "protocol/net/asio.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace obcanal::store {
namespace {

// Thresholds of Canal's EntryEventSink: empty transactions and filtered boundaries are let through
// once in a while, so that the clients' cursors move on.
constexpr int64_t kQuietMs = 5000;
constexpr int64_t kQuietCount = 8192;

}  // namespace

TxnBuffer::TxnBuffer(EventRing& ring, std::shared_ptr<ChunkPool> pool, TxnBufferOptions options)
    : ring_(ring), pool_(std::move(pool)), options_(options) {}

TxnBuffer::~TxnBuffer() { drop(); }

void TxnBuffer::begin(const canal::TxnMark& mark) {
    drop();
    txn_ = mark;
    texts_.assign(mark.id).append(mark.log).append(mark.gtid);
    placed_mark_ = nullptr;
    has_rows_ = false;
}

void TxnBuffer::take_chunk(size_t bytes) {
    chunk_ = pool_->take(bytes);
    chunk_owned_ = false;
    published_used_ = 0;
    placed_mark_ = nullptr;
}

void TxnBuffer::place_mark() {
    std::byte* texts = chunk_->append_back(texts_.size(), 1);
    std::memcpy(texts, texts_.data(), texts_.size());
    std::byte* place = chunk_->append_back(sizeof(canal::TxnMark), alignof(canal::TxnMark));
    auto* mark = new (place) canal::TxnMark(txn_);
    const std::string_view kept = as_text({texts, texts_.size()});
    mark->id = kept.substr(0, txn_.id.size());
    mark->log = kept.substr(txn_.id.size(), txn_.log.size());
    mark->gtid = kept.substr(txn_.id.size() + txn_.log.size());
    placed_mark_ = mark;
}

bool TxnBuffer::append(Bytes record, const EntryFacts& facts) {
    const bool boundary = facts.kind == EntryKind::Begin || facts.kind == EntryKind::End;
    if (boundary && options_.drop_boundaries) {
        const bool quiet = std::abs(facts.execute_ms - last_boundary_ms_) <= kQuietMs;
        if (quiet && ++boundary_count_ <= kQuietCount) return true;
        if (facts.kind == EntryKind::End) {
            last_boundary_ms_ = facts.execute_ms;
            boundary_count_ = 0;
        }
    }
    const size_t bytes_limit = ring_.limits().bytes / 4;
    if (pending_.size() >= options_.transaction_size) return false;
    if (!pending_.empty() && pending_bytes_ + record.size() > bytes_limit) return false;

    const size_t mark_room = sizeof(canal::TxnMark) + 2 * alignof(canal::TxnMark) + texts_.size();
    if (!chunk_ || chunk_->room() < record.size() + mark_room)
        take_chunk(record.size() + mark_room);
    if (placed_mark_ == nullptr) place_mark();

    std::byte* place = chunk_->append(record.size());
    std::memcpy(place, record.data(), record.size());
    Slot& slot = pending_.emplace_back();
    slot.data = place;
    slot.chunk = chunk_.get();
    slot.txn = placed_mark_;
    slot.offset = facts.offset;
    slot.execute_ms = facts.execute_ms;
    slot.size = static_cast<uint32_t>(record.size());
    slot.rows = facts.rows;
    slot.rows_done = facts.rows_done;
    slot.kind = facts.kind;
    slot.completes = facts.completes;
    if (!chunk_owned_) {
        slot.chunk = ChunkRef(chunk_).detach();
        slot.owns_chunk = true;
        chunk_owned_ = true;
    }
    pending_bytes_ += record.size();
    has_rows_ = has_rows_ || !boundary;
    return true;
}

bool TxnBuffer::keep(bool complete) {
    if (has_rows_ || !complete || pending_.empty()) return true;
    const int64_t time = pending_.front().execute_ms;
    if (std::abs(time - last_empty_ms_) <= kQuietMs && ++empty_count_ <= kQuietCount) return false;
    last_empty_ms_ = time;
    empty_count_ = 0;
    return true;
}

bool TxnBuffer::try_flush(bool complete) {
    if (!keep(complete)) {
        drop();
        return true;
    }
    if (pending_.empty()) return true;
    if (pending_.size() > ring_.limits().slots || !ring_.try_put(pending_)) return false;
    published();
    return true;
}

Awaitable<Result<void>> TxnBuffer::flush(bool complete) {
    if (try_flush(complete)) co_return Result<void>{};
    Result<void> put = co_await ring_.put(pending_);
    if (put) published();
    co_return put;
}

void TxnBuffer::published() {
    pending_.clear();
    pending_bytes_ = 0;
    published_used_ = chunk_->used();
}

void TxnBuffer::drop() {
    for (const Slot& slot : pending_) {
        if (!slot.owns_chunk) continue;
        if (slot.chunk == chunk_.get()) chunk_owned_ = false;
        static_cast<void>(ChunkRef::adopt(slot.chunk));
    }
    pending_.clear();
    pending_bytes_ = 0;
    if (chunk_) chunk_->rewind(published_used_);
}

}  // namespace obcanal::store

#include "protocol/base/chunk.h"

#include <algorithm>

namespace obcanal {

void ChunkRef::release() {
    if (chunk_ == nullptr) return;
    if (chunk_->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const std::shared_ptr<ChunkPool> pool = std::move(chunk_->pool_);
    pool->give_back(chunk_);
}

ChunkRef ChunkPool::take(size_t bytes) {
    const size_t capacity = std::max(bytes, kChunkBytes);
    std::unique_ptr<std::byte[]> memory;
    if (capacity == kChunkBytes) {
        const std::lock_guard lock(mutex_);
        if (!spare_.empty()) {
            memory = std::move(spare_.back());
            spare_.pop_back();
        }
    }
    if (!memory) memory.reset(new std::byte[capacity]);
    const ChunkRef chunk(new Chunk(shared_from_this(), std::move(memory), capacity));
    in_use_.fetch_add(capacity, std::memory_order_relaxed);
    return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
    const std::unique_ptr<Chunk> owner(chunk);
    in_use_.fetch_sub(chunk->capacity_, std::memory_order_relaxed);
    if (chunk->capacity_ != kChunkBytes) return;
    const std::lock_guard lock(mutex_);
    if (spare_.size() < kKeep) spare_.push_back(std::move(chunk->memory_));
}

}  // namespace obcanal

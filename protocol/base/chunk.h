// Slabs that finished entries live in: entries from the front, what describes them from the back. A
// chunk is append-only: bytes that were published to another thread never change again. Whoever
// still needs bytes of a chunk (ring slots, a batch being written to a socket) holds a reference;
// the last one to go gives the memory back to the pool, on any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace obcanal {

class ChunkPool;

class Chunk {
 public:
    std::byte* data() { return memory_.get(); }
    const std::byte* data() const { return memory_.get(); }
    size_t capacity() const { return capacity_; }
    size_t used() const { return used_; }
    size_t room() const { return back_ - used_; }

    // REQUIRES: count <= room(). Feed strand only.
    std::byte* append(size_t count) {
        std::byte* at = memory_.get() + used_;
        used_ += count;
        return at;
    }

    // REQUIRES: count + alignment <= room(). Feed strand only.
    std::byte* append_back(size_t count, size_t alignment) {
        back_ = (back_ - count) / alignment * alignment;
        return memory_.get() + back_;
    }

    // Forgets entries that were never published. Feed strand only.
    void rewind(size_t used) { used_ = used; }

 private:
    friend class ChunkRef;
    friend class ChunkPool;

    Chunk(std::shared_ptr<ChunkPool> pool, std::unique_ptr<std::byte[]> memory, size_t capacity)
        : memory_(std::move(memory)),
          capacity_(capacity),
          back_(capacity),
          pool_(std::move(pool)) {}

    std::unique_ptr<std::byte[]> memory_;
    size_t capacity_;
    size_t used_ = 0;
    size_t back_;
    std::shared_ptr<ChunkPool> pool_;
    std::atomic<uint32_t> references_{0};
};

// Shared ownership of a chunk.
class ChunkRef {
 public:
    ChunkRef() = default;
    explicit ChunkRef(Chunk* chunk) : chunk_(chunk) { acquire(); }
    ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) { acquire(); }
    ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}

    ChunkRef& operator=(ChunkRef other) noexcept {
        std::swap(chunk_, other.chunk_);
        return *this;
    }

    ~ChunkRef() { release(); }

    // Hands the reference over as a plain pointer, and takes it back: for slots that must stay
    // trivial.
    Chunk* detach() { return std::exchange(chunk_, nullptr); }

    static ChunkRef adopt(Chunk* chunk) {
        ChunkRef ref;
        ref.chunk_ = chunk;
        return ref;
    }

    Chunk* get() const { return chunk_; }
    Chunk* operator->() const { return chunk_; }
    explicit operator bool() const { return chunk_ != nullptr; }

 private:
    void acquire() {
        if (chunk_ != nullptr) chunk_->references_.fetch_add(1, std::memory_order_relaxed);
    }

    void release();

    Chunk* chunk_ = nullptr;
};

// Keeps a few standard chunks for reuse, counts the bytes of all that live. Thread-safe.
class ChunkPool : public std::enable_shared_from_this<ChunkPool> {
 public:
    static constexpr size_t kChunkBytes = 256 * 1024;

    static std::shared_ptr<ChunkPool> make() { return std::shared_ptr<ChunkPool>(new ChunkPool()); }

    // A chunk with room for at least `bytes`; larger than the standard size only where it must be.
    ChunkRef take(size_t bytes);

    // Bytes of all chunks in use. Any thread.
    size_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
    friend class ChunkRef;
    static constexpr size_t kKeep = 4;

    ChunkPool() = default;
    void give_back(Chunk* chunk);

    std::mutex mutex_;
    std::vector<std::unique_ptr<std::byte[]>> spare_;
    std::atomic<size_t> in_use_{0};
};

}  // namespace obcanal

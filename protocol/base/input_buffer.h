// Bytes as they come from a socket: filled at the end, consumed at the front, one contiguous piece.
// Grows only as bytes really arrive, so that a claimed length costs nothing. One owner, one strand.
#pragma once

#include "protocol/base/bytes.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

namespace obcanal {

class InputBuffer {
 public:
    explicit InputBuffer(size_t initial = 4096) : initial_(initial) {}

    // Received and not consumed yet.
    Bytes pending() const { return {memory_.get() + begin_, end_ - begin_}; }

    // Room to receive into, at least `least` bytes; moves or grows what is pending where it must.
    std::span<std::byte> room(size_t least) {
        if (capacity_ - end_ < least) make_room(least);
        return {memory_.get() + end_, capacity_ - end_};
    }

    void received(size_t count) { end_ += count; }

    // REQUIRES: count <= pending().size(). Earlier views stay readable until the next room().
    void consume(size_t count) {
        begin_ += count;
        if (begin_ == end_) begin_ = end_ = 0;
    }

    // Gives memory back after an unusually large message. REQUIRES: nothing pending.
    void shrink() {
        if (capacity_ <= initial_ || begin_ != end_) return;
        memory_.reset();
        capacity_ = begin_ = end_ = 0;
    }

    size_t capacity() const { return capacity_; }

 private:
    void make_room(size_t least) {
        const size_t used = end_ - begin_;
        if (capacity_ - used >= least && used <= capacity_ / 2) {
            std::memmove(memory_.get(), memory_.get() + begin_, used);
        } else {
            const size_t capacity = std::max({initial_, capacity_ * 2, used + least});
            std::unique_ptr<std::byte[]> larger(new std::byte[capacity]);
            if (used > 0) std::memcpy(larger.get(), memory_.get() + begin_, used);
            memory_ = std::move(larger);
            capacity_ = capacity;
        }
        begin_ = 0;
        end_ = used;
    }

    size_t initial_;
    std::unique_ptr<std::byte[]> memory_;
    size_t capacity_ = 0;
    size_t begin_ = 0;
    size_t end_ = 0;
};

}  // namespace obcanal

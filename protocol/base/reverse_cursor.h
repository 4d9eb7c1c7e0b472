// The unchecked writing of a ReverseWriter with the position in a local variable: a member would be
// read and written again for each byte, as bytes may alias anything. Its functions are inlined so
// that it stays a variable. Room is reserved in the writer before; store() hands over what was
// written.
#pragma once

#include "protocol/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace obcanal {

class ReverseCursor {
 public:
    // Copies of short values may write so many bytes in front of the value: reserve them, too.
    static constexpr size_t kSlack = 32;

    explicit ReverseCursor(ReverseWriter& writer) { load(writer); }

    // After others wrote or reserved through the writer.
    void load(ReverseWriter& writer) {
        at_ = writer.claim(0);
        end_ = at_ + writer.size();
    }

    void store(ReverseWriter& writer) const {
        writer.claim(static_cast<size_t>(writer.claim(0) - at_));
    }

    size_t size() const { return static_cast<size_t>(end_ - at_); }
    // The byte that was written when size() was `size`.
    std::byte* at_size(size_t size) const { return end_ - size; }

    [[gnu::always_inline]] void byte(uint8_t value) { *--at_ = std::byte{value}; }

    [[gnu::always_inline]] void copy(const void* from, size_t count) {
        if (count == 0) return;  // an empty view may have no address
        at_ -= count;
        std::memcpy(at_, from, count);
    }

    void copy(std::string_view text) { copy(text.data(), text.size()); }

    // The `count` bytes that end at `from_end`. REQUIRES: 16 readable bytes in front of them.
    [[gnu::always_inline]] void copy_padded(const std::byte* from_end, size_t count) {
        constexpr size_t kMove = 16;
        std::byte* const to_end = at_;
        at_ -= count;
        if (count <= kMove) {
            std::memcpy(to_end - kMove, from_end - kMove, kMove);
        } else if (count <= 2 * kMove) {
            std::memcpy(to_end - kMove, from_end - kMove, kMove);
            std::memcpy(at_, from_end - count, kMove);
        } else {
            std::memcpy(at_, from_end - count, count);
        }
    }

    [[gnu::always_inline]] void varint(uint64_t value) {
        if (value < 0x80) {
            byte(static_cast<uint8_t>(value));
            return;
        }
        at_ = put_long_varint(at_, value);
    }

 private:
    static std::byte* put_long_varint(std::byte* at, uint64_t value) {
        at -= varint_size(value);
        write_varint(at, value);
        return at;
    }

    std::byte* at_;
    std::byte* end_;
};

}  // namespace obcanal

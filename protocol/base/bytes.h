// Bounds-checked reading of foreign bytes, and backwards writing of protobuf.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace obcanal {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Integer>
Integer load_le(const std::byte* from) {
    Integer value;
    std::memcpy(&value, from, sizeof value);
    static_assert(std::endian::native == std::endian::little);
    return value;
}

template <class Integer>
Integer load_be(const std::byte* from) {
    Integer value = load_le<Integer>(from);
    if constexpr (sizeof value == 2)
        return static_cast<Integer>(__builtin_bswap16(static_cast<uint16_t>(value)));
    if constexpr (sizeof value == 4)
        return static_cast<Integer>(__builtin_bswap32(static_cast<uint32_t>(value)));
    if constexpr (sizeof value == 8)
        return static_cast<Integer>(__builtin_bswap64(static_cast<uint64_t>(value)));
    return value;
}

// Reads from the front. The first overrun sticks: from then on every getter yields zeros or empty
// views, so that a decoder may check ok() once per packet.
class ByteReader {
 public:
    explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

    bool ok() const { return ok_; }
    size_t position() const { return at_; }
    size_t remaining() const { return bytes_.size() - at_; }
    bool empty() const { return remaining() == 0; }

    uint8_t u8() { return get<uint8_t, load_le<uint8_t>>(); }
    uint16_t u16_be() { return get<uint16_t, load_be<uint16_t>>(); }
    uint32_t u32_be() { return get<uint32_t, load_be<uint32_t>>(); }
    uint64_t u64_be() { return get<uint64_t, load_be<uint64_t>>(); }
    uint16_t u16_le() { return get<uint16_t, load_le<uint16_t>>(); }
    uint32_t u32_le() { return get<uint32_t, load_le<uint32_t>>(); }
    uint64_t u64_le() { return get<uint64_t, load_le<uint64_t>>(); }

    // Protobuf varint, at most ten bytes.
    uint64_t varint() {
        uint64_t value = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            if (empty()) break;
            const auto byte = std::to_integer<uint64_t>(bytes_[at_++]);
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        fail();
        return 0;
    }

    Bytes take(size_t count) {
        if (!ok_ || count > remaining()) {
            fail();
            return {};
        }
        const Bytes part = bytes_.subspan(at_, count);
        at_ += count;
        return part;
    }

    std::string_view text(size_t count) { return as_text(take(count)); }
    void skip(size_t count) { static_cast<void>(take(count)); }

    void fail() {
        ok_ = false;
        at_ = bytes_.size();
    }

 private:
    template <class Integer, Integer (*Load)(const std::byte*)>
    Integer get() {
        const Bytes part = take(sizeof(Integer));
        return ok_ ? Load(part.data()) : Integer{0};
    }

    Bytes bytes_;
    size_t at_ = 0;
    bool ok_ = true;
};

constexpr size_t varint_size(uint64_t value) {
    return static_cast<size_t>((std::bit_width(value | 1) + 6) / 7);
}

// Writes at `to`, returns the byte behind.
inline std::byte* write_varint(std::byte* to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = static_cast<std::byte>(value | 0x80);
        value >>= 7;
    }
    *to++ = static_cast<std::byte>(value);
    return to;
}

// Fills a buffer from its end towards its front: when a length prefix is written, its content is
// already there, so nested protobuf messages need one pass. Grows by moving what is written to a
// larger buffer. One owner, one thread.
class ReverseWriter {
 public:
    explicit ReverseWriter(size_t capacity = 64 * 1024)
        : buffer_(new std::byte[capacity]), capacity_(capacity), front_(capacity) {}

    void clear() { front_ = capacity_; }
    size_t size() const { return capacity_ - front_; }
    Bytes bytes() const { return {buffer_.get() + front_, size()}; }

    // Makes room, so that the next `count` bytes can be written with the unchecked calls below.
    void reserve(size_t count) {
        if (count > front_) grow(count);
    }

    // Gives memory back after an unusually large message. REQUIRES: nothing written that is still
    // needed.
    void shrink(size_t capacity);

    // Forgets what was written since size() was `size`.
    void rewind(size_t size) { front_ = capacity_ - size; }

    // -- unchecked: REQUIRES a reserve() that covers them
    void byte(uint8_t value) { buffer_[--front_] = std::byte{value}; }

    void copy(const void* from, size_t count) {
        if (count == 0) return;  // an empty view may have no address
        front_ -= count;
        std::memcpy(buffer_.get() + front_, from, count);
    }

    void copy(std::string_view text) { copy(text.data(), text.size()); }

    void varint(uint64_t value) {
        if (value < 0x80) {
            byte(static_cast<uint8_t>(value));
            return;
        }
        front_ -= varint_size(value);
        write_varint(buffer_.get() + front_, value);
    }

    // Room for `count` bytes that the caller fills itself.
    std::byte* claim(size_t count) {
        front_ -= count;
        return buffer_.get() + front_;
    }

    // The byte that was written when size() was `size`, valid until the next reserve().
    const std::byte* at_size(size_t size) const { return buffer_.get() + capacity_ - size; }

 private:
    void grow(size_t count);

    std::unique_ptr<std::byte[]> buffer_;
    size_t capacity_;
    size_t front_;
};

}  // namespace obcanal

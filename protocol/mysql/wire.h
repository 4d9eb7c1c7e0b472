// Integers and strings as MySQL's protocol and binary log write them, on top of ByteReader.
#pragma once

#include "protocol/base/bytes.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace obcanal::mysql {

// Little-endian integer of one to eight bytes.
inline uint64_t load_le_bytes(const std::byte* from, size_t count) {
    uint64_t value = 0;
    std::memcpy(&value, from, count);
    return value;
}

// Big-endian integer of zero to eight bytes.
inline uint64_t load_be_bytes(const std::byte* from, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | std::to_integer<uint64_t>(from[i]);
    return value;
}

inline uint64_t read_le(ByteReader& in, size_t count) {
    const Bytes part = in.take(count);
    return part.empty() ? 0 : load_le_bytes(part.data(), part.size());
}

// Length-encoded integer. 0xFB (NULL) and 0xFF are no lengths and fail.
inline uint64_t read_length(ByteReader& in) {
    const uint8_t first = in.u8();
    if (first < 0xFB) return first;
    switch (first) {
        case 0xFC: return in.u16_le();
        case 0xFD: return read_le(in, 3);
        case 0xFE: return in.u64_le();
        default: in.fail(); return 0;
    }
}

inline Bytes read_length_bytes(ByteReader& in) {
    const uint64_t size = read_length(in);
    return in.take(size);
}

inline std::string_view read_length_text(ByteReader& in) { return as_text(read_length_bytes(in)); }

// Up to the next NUL, which is consumed.
inline std::string_view read_nul_text(ByteReader& in, Bytes all) {
    const Bytes rest = all.subspan(in.position(), in.remaining());
    const std::string_view text = as_text(rest);
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) {
        in.fail();
        return {};
    }
    in.skip(end + 1);
    return text.substr(0, end);
}

inline void append_le(std::string& to, uint64_t value, size_t count) {
    for (size_t i = 0; i < count; ++i) to += static_cast<char>(value >> (8 * i) & 0xFF);
}

inline void append_length(std::string& to, uint64_t value) {
    if (value < 0xFB) {
        append_le(to, value, 1);
    } else if (value <= 0xFFFF) {
        to += '\xFC';
        append_le(to, value, 2);
    } else if (value <= 0xFFFFFF) {
        to += '\xFD';
        append_le(to, value, 3);
    } else {
        to += '\xFE';
        append_le(to, value, 8);
    }
}

inline void append_length_text(std::string& to, std::string_view text) {
    append_length(to, text.size());
    to += text;
}

}  // namespace obcanal::mysql

// Walks the fields of one protobuf message in foreign bytes, without copying or allocating. What
// protobuf-java refuses is refused here: field number 0, unknown wire types, a group that does not
// end. Groups are passed over whole.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal {

class WireReader {
 public:
    explicit WireReader(Bytes message) : reader_(message) {}

    // The next field; false at the end and at the first fault: check ok() then.
    bool next() {
        while (reader_.ok() && !reader_.empty()) {
            const uint64_t tag = reader_.varint();
            number_ = static_cast<uint32_t>(tag >> 3);
            type_ = static_cast<uint8_t>(tag & 7);
            if (tag > UINT32_MAX || number_ == 0) {
                reader_.fail();
                return false;
            }
            if (type_ != kGroup) return read_value();
            skip_group();
        }
        return false;
    }

    bool ok() const { return reader_.ok(); }

    // What is wrong, with the name of the message. Another attempt may get good bytes.
    Error error(std::string_view message) const {
        return {
            Errc::BadPacket,
            Retry::Backoff,
            std::string(message) + ": truncated or malformed protobuf"
        };
    }

    // A field of another wire type than the schema's is an unknown field, as protobuf has it.
    bool is_varint(uint32_t number) const { return number_ == number && type_ == kVarint; }
    bool is_bytes(uint32_t number) const { return number_ == number && type_ == kBytes; }

    uint64_t varint() const { return varint_; }
    int64_t int64() const { return static_cast<int64_t>(varint_); }
    int32_t int32() const { return static_cast<int32_t>(varint_); }
    bool boolean() const { return varint_ != 0; }
    Bytes bytes() const { return bytes_; }
    std::string_view text() const { return as_text(bytes_); }

 private:
    static constexpr uint8_t kVarint = 0, kFixed64 = 1, kBytes = 2, kGroup = 3, kGroupEnd = 4,
                             kFixed32 = 5;

    bool read_value() {
        switch (type_) {
            case kVarint: varint_ = reader_.varint(); break;
            case kBytes: bytes_ = take_bytes(); break;
            case kFixed64: reader_.skip(8); break;
            case kFixed32: reader_.skip(4); break;
            default: reader_.fail();
        }
        return reader_.ok();
    }

    Bytes take_bytes() {
        const uint64_t size = reader_.varint();
        return reader_.take(size);
    }

    // Stands behind the start of a group. No message of Canal has one, so a shallow stack will do.
    void skip_group() {
        std::array<uint32_t, 16> open;
        size_t depth = 0;
        open[depth++] = number_;
        while (depth > 0) {
            const uint64_t tag = reader_.varint();
            number_ = static_cast<uint32_t>(tag >> 3);
            type_ = static_cast<uint8_t>(tag & 7);
            if (!reader_.ok() || tag > UINT32_MAX || number_ == 0) return reader_.fail();
            if (type_ == kGroup) {
                if (depth == open.size()) return reader_.fail();
                open[depth++] = number_;
            } else if (type_ == kGroupEnd) {
                if (open[--depth] != number_) return reader_.fail();
            } else if (!read_value()) {
                return;
            }
        }
    }

    ByteReader reader_;
    uint32_t number_ = 0;
    uint8_t type_ = 0;
    uint64_t varint_ = 0;
    Bytes bytes_;
};

}  // namespace obcanal

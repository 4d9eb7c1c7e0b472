// What Canal's packets, client and admin, have in common with every proto3 message: strings that
// must be UTF-8, and fields that are left out when they are zero or empty.
#pragma once

#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/base/wire_reader.h"
#include "protocol/canal/wire_fields.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::canal {

// Collects what is wrong with a message's strings: proto3 strings are UTF-8, or the message is
// refused.
class TextFields {
 public:
    void set(std::string& to, const WireReader& field) {
        if (!is_utf8(field.bytes())) utf8_ = false;
        to = field.text();
    }

    Result<void> verdict(const WireReader& fields, std::string_view message) const {
        if (!fields.ok()) return fields.error(message);
        if (!utf8_)
            return Error{
                Errc::BadPacket, Retry::Never, std::string(message) + ": a string is not UTF-8"
            };
        return {};
    }

 private:
    bool utf8_ = true;
};

// Fields as proto3 writes them: a zero or empty value without presence is left out.
inline void append_text(std::string& to, uint32_t field, std::string_view value) {
    if (!value.empty()) append_bytes_field(to, field, value);
}

inline void append_number(std::string& to, uint32_t field, int64_t value) {
    if (value != 0) append_varint_field(to, field, signed_varint(value));
}

}  // namespace obcanal::canal

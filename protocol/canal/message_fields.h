// A message of Canal's packets, client or admin, as a table of its fields: number and member. One
// table reads and writes it, as proto3 does both: strings are UTF-8 or the message is refused, the
// last of several values counts, and what is zero or empty is left out, unless its presence is kept
// in an optional. For the packets' sources only.
#pragma once

#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/base/wire_reader.h"
#include "protocol/canal/frame.h"
#include "protocol/canal/wire_fields.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace obcanal::canal {

enum class TextKind : uint8_t {
    Utf8,
    AnyBytes,  // a field of type bytes, or one that is taken as it comes
};

template <class Message, class Member>
struct Field {
    uint32_t number;
    Member Message::*member;
    TextKind kind = TextKind::Utf8;  // of strings
    bool always = false;             // numbers: written even when zero
};

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
T number_from(const WireReader& field) {
    if constexpr (std::same_as<T, bool>) {
        return field.boolean();
    } else if constexpr (std::same_as<T, int64_t>) {
        return field.int64();
    } else {
        static_assert(sizeof(T) == sizeof(int32_t));
        return static_cast<T>(field.int32());
    }
}

template <class Message, class Member>
void read_field(
    Message& message, const WireReader& from, const Field<Message, Member>& field, bool& utf8
) {
    Member& to = message.*field.member;
    if constexpr (std::same_as<Member, std::string>) {
        if (!from.is_bytes(field.number)) return;
        if (field.kind == TextKind::Utf8 && !is_utf8(from.bytes())) utf8 = false;
        to = from.text();
    } else if constexpr (std::same_as<Member, Bytes>) {
        if (from.is_bytes(field.number)) to = from.bytes();
    } else if constexpr (is_optional<Member>) {
        if (from.is_varint(field.number)) to = number_from<typename Member::value_type>(from);
    } else {
        if (from.is_varint(field.number)) to = number_from<Member>(from);
    }
}

template <class Message, class Member>
void write_field(std::string& to, const Message& message, const Field<Message, Member>& field) {
    const Member& value = message.*field.member;
    if constexpr (std::same_as<Member, std::string>) {
        if (!value.empty()) append_bytes_field(to, field.number, value);
    } else if constexpr (is_optional<Member>) {
        if (value) append_varint_field(to, field.number, signed_varint(*value));
    } else {
        if (value != 0 || field.always) append_varint_field(to, field.number, signed_varint(value));
    }
}

}  // namespace detail

// `name`: of the message, for the error.
template <class Message, class... Members>
Result<Message> read_message(
    Bytes body, std::string_view name, const std::tuple<Field<Message, Members>...>& fields
) {
    Message message;
    bool utf8 = true;
    WireReader from(body);
    while (from.next())
        std::apply(
            [&](const auto&... field) { (detail::read_field(message, from, field, utf8), ...); },
            fields
        );
    if (!from.ok()) return from.error(name);
    if (!utf8)
        return Error{Errc::BadPacket, Retry::Never, std::string(name) + ": a string is not UTF-8"};
    return message;
}

template <class Message, class... Members>
std::string write_message(
    const Message& message, const std::tuple<Field<Message, Members>...>& fields
) {
    std::string body;
    std::apply(
        [&](const auto&... field) { (detail::write_field(body, message, field), ...); }, fields
    );
    return body;
}

// The Packet around a body: the two protocols differ in the number of the body's field only.
// Servers write the version, clients do not.
enum class PacketFrom : uint8_t { Server, Client };

inline std::string packet_frame(
    PacketFrom from, int32_t packet_type, uint32_t body_field, std::string_view body
) {
    constexpr uint32_t kVersionField = 2, kTypeField = 3;
    constexpr uint64_t kProtocolVersion = 1;
    std::string packet;
    if (from == PacketFrom::Server) append_varint_field(packet, kVersionField, kProtocolVersion);
    append_varint_field(packet, kTypeField, signed_varint(packet_type));
    if (!body.empty()) append_bytes_field(packet, body_field, body);
    std::string frame;
    frame.reserve(kFrameHeaderBytes + packet.size());
    append_frame_header(frame, packet.size());
    frame += packet;
    return frame;
}

}  // namespace obcanal::canal

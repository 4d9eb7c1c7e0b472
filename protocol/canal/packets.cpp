#include "protocol/canal/packets.h"

#include "protocol/base/text.h"
#include "protocol/base/wire_reader.h"
#include "protocol/canal/frame.h"
#include "protocol/canal/text_fields.h"
#include "protocol/canal/wire_fields.h"

#include <array>

namespace obcanal::canal {
namespace {

namespace packet_field {
constexpr uint32_t kVersion = 2, kType = 3, kCompression = 4, kBody = 5;
}

namespace auth_field {
constexpr uint32_t kUsername = 1, kPassword = 2, kNetReadTimeout = 3, kNetWriteTimeout = 4,
                   kDestination = 5, kClientId = 6, kFilter = 7;
}

namespace request_field {  // Sub, Unsub, Get, ClientAck, ClientRollback
constexpr uint32_t kDestination = 1, kClientId = 2, kFilter = 7;
constexpr uint32_t kFetchSize = 3, kTimeout = 4, kUnit = 5, kAutoAck = 6;
constexpr uint32_t kBatchId = 3;
}  // namespace request_field

namespace ack_field {
constexpr uint32_t kErrorCode = 1, kErrorMessage = 2;
}

constexpr uint32_t kHandshakeSeeds = 2;
constexpr uint64_t kProtocolVersion = 1;

std::string make_frame(std::optional<uint64_t> version, PacketType type, std::string_view body) {
    std::string packet;
    if (version) append_varint_field(packet, packet_field::kVersion, *version);
    append_varint_field(packet, packet_field::kType, static_cast<uint64_t>(type));
    append_text(packet, packet_field::kBody, body);
    std::string frame;
    frame.reserve(kFrameHeaderBytes + packet.size());
    append_frame_header(frame, packet.size());
    frame += packet;
    return frame;
}

std::string server_frame(PacketType type, std::string_view body) {
    return make_frame(kProtocolVersion, type, body);
}

std::string client_frame(PacketType type, std::string_view body) {
    return make_frame(std::nullopt, type, body);
}

std::string sub_body(const Sub& sub) {
    std::string body;
    append_text(body, request_field::kDestination, sub.destination);
    append_text(body, request_field::kClientId, sub.client_id);
    append_text(body, request_field::kFilter, sub.filter);
    return body;
}

std::string batch_body(const ClientAck& request) {
    std::string body;
    append_text(body, request_field::kDestination, request.destination);
    append_text(body, request_field::kClientId, request.client_id);
    append_number(body, request_field::kBatchId, request.batch_id);
    return body;
}

Result<Sub> parse_subscription(Bytes body, std::string_view message) {
    Sub sub;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(request_field::kDestination)) texts.set(sub.destination, field);
        if (field.is_bytes(request_field::kClientId)) texts.set(sub.client_id, field);
        if (field.is_bytes(request_field::kFilter)) texts.set(sub.filter, field);
    }
    if (Result<void> good = texts.verdict(field, message); !good) return std::move(good).error();
    return sub;
}

Result<ClientAck> parse_batch_request(Bytes body, std::string_view message) {
    ClientAck ack;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(request_field::kDestination)) texts.set(ack.destination, field);
        if (field.is_bytes(request_field::kClientId)) texts.set(ack.client_id, field);
        if (field.is_varint(request_field::kBatchId)) ack.batch_id = field.int64();
    }
    if (Result<void> good = texts.verdict(field, message); !good) return std::move(good).error();
    return ack;
}

// As protobuf-java's TextFormat escapes strings: octal for what is not printable ASCII.
void print_text(std::string& to, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    constexpr std::string_view kPlainEscapes = "\a\b\f\n\r\t\v\\'\"";
    constexpr std::string_view kEscapeLetters = "abfnrtv\\'\"";
    to.append(name).append(": \"");
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (const size_t known = kPlainEscapes.find(c); known != std::string_view::npos) {
            to += {'\\', kEscapeLetters[known]};
        } else if (byte >= 0x20 && byte < 0x7f) {
            to += c;
        } else {
            const auto octal = [byte](int shift) {
                return static_cast<char>('0' + (byte >> shift & 7));
            };
            to += {'\\', octal(6), octal(3), octal(0)};
        }
    }
    to += "\"\n";
}

void print_value(std::string& to, std::string_view name, std::string_view value) {
    to.append(name).append(": ").append(value).append("\n");
}

void print_number(std::string& to, std::string_view name, int64_t value) {
    if (value != 0) print_value(to, name, std::to_string(value));
}

}  // namespace

std::string_view packet_type_name(PacketType type) {
    constexpr std::array<std::string_view, 13> kNames{
        "PACKAGETYPECOMPATIBLEPROTO2",
        "HANDSHAKE",
        "CLIENTAUTHENTICATION",
        "ACK",
        "SUBSCRIPTION",
        "UNSUBSCRIPTION",
        "GET",
        "MESSAGES",
        "CLIENTACK",
        "SHUTDOWN",
        "DUMP",
        "HEARTBEAT",
        "CLIENTROLLBACK",
    };
    const auto number = static_cast<uint32_t>(type);
    return number < kNames.size() ? kNames[number] : "UNRECOGNIZED";
}

Result<Packet> parse_packet(Bytes frame_body) {
    Packet packet;
    WireReader field(frame_body);
    while (field.next()) {
        if (field.is_varint(packet_field::kVersion)) packet.version = field.int32();
        if (field.is_varint(packet_field::kType))
            packet.type = static_cast<PacketType>(field.int32());
        if (field.is_varint(packet_field::kCompression)) packet.compression = field.int32();
        if (field.is_bytes(packet_field::kBody)) packet.body = field.bytes();
    }
    if (!field.ok()) return field.error("Packet");
    return packet;
}

Result<ClientAuth> parse_client_auth(Bytes body) {
    ClientAuth auth;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(auth_field::kUsername)) texts.set(auth.username, field);
        if (field.is_bytes(auth_field::kPassword)) auth.password = field.text();  // any bytes
        if (field.is_varint(auth_field::kNetReadTimeout)) auth.net_read_timeout = field.int32();
        if (field.is_varint(auth_field::kNetWriteTimeout)) auth.net_write_timeout = field.int32();
        if (field.is_bytes(auth_field::kDestination)) texts.set(auth.destination, field);
        if (field.is_bytes(auth_field::kClientId)) texts.set(auth.client_id, field);
        if (field.is_bytes(auth_field::kFilter)) texts.set(auth.filter, field);
    }
    if (Result<void> good = texts.verdict(field, "ClientAuth"); !good)
        return std::move(good).error();
    return auth;
}

Result<Sub> parse_sub(Bytes body) { return parse_subscription(body, "Sub"); }

Result<Unsub> parse_unsub(Bytes body) { return parse_subscription(body, "Unsub"); }

Result<Get> parse_get(Bytes body) {
    Get get;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(request_field::kDestination)) texts.set(get.destination, field);
        if (field.is_bytes(request_field::kClientId)) texts.set(get.client_id, field);
        if (field.is_varint(request_field::kFetchSize)) get.fetch_size = field.int32();
        if (field.is_varint(request_field::kTimeout)) get.timeout = field.int64();
        if (field.is_varint(request_field::kUnit)) get.unit = field.int32();
        if (field.is_varint(request_field::kAutoAck)) get.auto_ack = field.boolean();
    }
    if (Result<void> good = texts.verdict(field, "Get"); !good) return std::move(good).error();
    return get;
}

Result<ClientAck> parse_client_ack(Bytes body) { return parse_batch_request(body, "ClientAck"); }

Result<ClientRollback> parse_client_rollback(Bytes body) {
    return parse_batch_request(body, "ClientRollback");
}

Result<Handshake> parse_handshake(Bytes body) {
    Handshake handshake;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(kHandshakeSeeds)) handshake.seed = field.text();
    }
    if (!field.ok()) return field.error("Handshake");
    return handshake;
}

Result<Ack> parse_ack(Bytes body) {
    Ack ack;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(ack_field::kErrorCode)) ack.error_code = field.int32();
        if (field.is_bytes(ack_field::kErrorMessage)) ack.error_message = field.text();
    }
    if (!field.ok()) return field.error("Ack");
    return ack;
}

Result<Messages> parse_messages(Bytes body) {
    Messages messages;
    messages.fields = body;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(messages_field::kBatchId)) messages.batch_id = field.int64();
    }
    if (!field.ok()) return field.error("Messages");
    return messages;
}

std::optional<Bytes> EntryCursor::next() {
    while (fields_.next()) {
        if (fields_.is_bytes(messages_field::kMessages)) return fields_.bytes();
    }
    return std::nullopt;
}

std::string encode_handshake(Bytes seed) {
    std::string body;
    append_bytes_field(body, kHandshakeSeeds, as_text(seed));
    return server_frame(PacketType::Handshake, body);
}

std::string encode_ack_ok() { return server_frame(PacketType::Ack, {}); }

std::string encode_ack_error(int32_t code, std::string_view text) {
    std::string body;
    append_varint_field(body, ack_field::kErrorCode, signed_varint(code));
    append_bytes_field(body, ack_field::kErrorMessage, text);
    return server_frame(PacketType::Ack, body);
}

std::string encode_empty_messages() {
    std::string body;
    append_varint_field(body, messages_field::kBatchId, signed_varint(-1));
    return server_frame(PacketType::Messages, body);
}

std::string encode_messages_head(int64_t batch_id, size_t entries_bytes) {
    std::string id;
    append_varint_field(id, messages_field::kBatchId, signed_varint(batch_id));
    const size_t body_bytes = id.size() + entries_bytes;
    std::string packet;
    append_varint_field(packet, packet_field::kType, static_cast<uint64_t>(PacketType::Messages));
    packet.push_back(static_cast<char>(bytes_tag(packet_field::kBody)));
    append_varint(packet, body_bytes);
    std::string frame;
    append_frame_header(frame, packet.size() + body_bytes);
    return frame + packet + id;
}

std::string encode_auth(const ClientAuth& auth) {
    std::string body;
    append_text(body, auth_field::kUsername, auth.username);
    append_text(body, auth_field::kPassword, auth.password);
    append_number(body, auth_field::kNetReadTimeout, auth.net_read_timeout);
    append_number(body, auth_field::kNetWriteTimeout, auth.net_write_timeout);
    append_text(body, auth_field::kDestination, auth.destination);
    append_text(body, auth_field::kClientId, auth.client_id);
    append_text(body, auth_field::kFilter, auth.filter);
    return client_frame(PacketType::ClientAuthentication, body);
}

std::string encode_subscribe(const Sub& sub) {
    return client_frame(PacketType::Subscription, sub_body(sub));
}

std::string encode_unsubscribe(const Unsub& unsub) {
    return client_frame(PacketType::Unsubscription, sub_body(unsub));
}

std::string encode_get(const Get& get) {
    std::string body;
    append_text(body, request_field::kDestination, get.destination);
    append_text(body, request_field::kClientId, get.client_id);
    append_number(body, request_field::kFetchSize, get.fetch_size);
    if (get.timeout)
        append_varint_field(body, request_field::kTimeout, signed_varint(*get.timeout));
    append_varint_field(body, request_field::kUnit, signed_varint(get.unit));
    if (get.auto_ack) append_varint_field(body, request_field::kAutoAck, *get.auto_ack ? 1 : 0);
    return client_frame(PacketType::Get, body);
}

std::string encode_client_ack(const ClientAck& ack) {
    return client_frame(PacketType::ClientAck, batch_body(ack));
}

std::string encode_rollback(const ClientRollback& rollback) {
    return client_frame(PacketType::ClientRollback, batch_body(rollback));
}

std::string text_format(const Sub& request) {
    std::string text;
    print_text(text, "destination", request.destination);
    print_text(text, "client_id", request.client_id);
    print_text(text, "filter", request.filter);
    return text;
}

std::string text_format(const Get& request) {
    std::string text;
    print_text(text, "destination", request.destination);
    print_text(text, "client_id", request.client_id);
    print_number(text, "fetch_size", request.fetch_size);
    if (request.timeout) print_value(text, "timeout", std::to_string(*request.timeout));
    print_number(text, "unit", request.unit);
    if (request.auto_ack) print_value(text, "auto_ack", *request.auto_ack ? "true" : "false");
    return text;
}

std::string text_format(const ClientAck& request) {
    std::string text;
    print_text(text, "destination", request.destination);
    print_text(text, "client_id", request.client_id);
    print_number(text, "batch_id", request.batch_id);
    return text;
}

}  // namespace obcanal::canal

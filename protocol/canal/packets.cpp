#include "protocol/canal/packets.h"

#include "protocol/base/wire_reader.h"
#include "protocol/canal/frame.h"
#include "protocol/canal/message_fields.h"
#include "protocol/canal/wire_fields.h"

#include <array>

namespace obcanal::canal {
namespace {

constexpr uint32_t kPacketBody = 5, kPacketType = 3;
constexpr uint32_t kHandshakeSeeds = 2;
constexpr uint32_t kAckErrorCode = 1, kAckErrorMessage = 2;

constexpr std::tuple kPacketFields{
    Field{2, &Packet::version},
    Field{kPacketType, &Packet::type},
    Field{4, &Packet::compression},
    Field{kPacketBody, &Packet::body},
};
constexpr std::tuple kHandshakeFields{
    Field{kHandshakeSeeds, &Handshake::seed, TextKind::AnyBytes},
};
constexpr std::tuple kAuthFields{
    Field{1, &ClientAuth::username},
    Field{2, &ClientAuth::password, TextKind::AnyBytes},
    Field{3, &ClientAuth::net_read_timeout},
    Field{4, &ClientAuth::net_write_timeout},
    Field{5, &ClientAuth::destination},
    Field{6, &ClientAuth::client_id},
    Field{7, &ClientAuth::filter},
};
constexpr std::tuple kSubFields{
    Field{1, &Sub::destination},
    Field{2, &Sub::client_id},
    Field{7, &Sub::filter},
};
constexpr std::tuple kGetFields{
    Field{1, &Get::destination},
    Field{2, &Get::client_id},
    Field{3, &Get::fetch_size},
    Field{4, &Get::timeout},
    Field{5, &Get::unit, TextKind::Utf8, true},  // Java's client writes a 0, too
    Field{6, &Get::auto_ack},
};
constexpr std::tuple kBatchFields{
    Field{1, &ClientAck::destination},
    Field{2, &ClientAck::client_id},
    Field{3, &ClientAck::batch_id},
};
constexpr std::tuple kAckFields{
    Field{kAckErrorCode, &Ack::error_code},
    Field{kAckErrorMessage, &Ack::error_message, TextKind::AnyBytes},
};

std::string server_frame(PacketType type, std::string_view body) {
    return packet_frame(PacketFrom::Server, static_cast<int32_t>(type), kPacketBody, body);
}

std::string client_frame(PacketType type, std::string_view body) {
    return packet_frame(PacketFrom::Client, static_cast<int32_t>(type), kPacketBody, body);
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
    return read_message(frame_body, "Packet", kPacketFields);
}

Result<ClientAuth> parse_client_auth(Bytes body) {
    return read_message(body, "ClientAuth", kAuthFields);
}

Result<Sub> parse_sub(Bytes body) { return read_message(body, "Sub", kSubFields); }

Result<Unsub> parse_unsub(Bytes body) { return read_message(body, "Unsub", kSubFields); }

Result<Get> parse_get(Bytes body) { return read_message(body, "Get", kGetFields); }

Result<ClientAck> parse_client_ack(Bytes body) {
    return read_message(body, "ClientAck", kBatchFields);
}

Result<ClientRollback> parse_client_rollback(Bytes body) {
    return read_message(body, "ClientRollback", kBatchFields);
}

Result<Handshake> parse_handshake(Bytes body) {
    return read_message(body, "Handshake", kHandshakeFields);
}

Result<Ack> parse_ack(Bytes body) { return read_message(body, "Ack", kAckFields); }

Result<Messages> parse_messages(Bytes body) {
    Messages messages;
    messages.fields = body;
    WireReader field(body);
    bool has_id = false;
    while (field.next()) {
        if (field.is_varint(messages_field::kBatchId)) {
            messages.batch_id = field.int64();
            has_id = true;
        } else if (has_id) {
            return messages;
        }
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

Result<void> EntryCursor::end() const {
    if (!fields_.ok()) return fields_.error("Messages");
    return {};
}

std::string encode_handshake(Bytes seed) {
    std::string body;
    append_bytes_field(body, kHandshakeSeeds, as_text(seed));
    return server_frame(PacketType::Handshake, body);
}

std::string encode_ack_ok() { return server_frame(PacketType::Ack, {}); }

std::string encode_ack_error(int32_t code, std::string_view text) {
    std::string body;
    append_varint_field(body, kAckErrorCode, signed_varint(code));
    append_bytes_field(body, kAckErrorMessage, text);
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
    append_varint_field(packet, kPacketType, static_cast<uint64_t>(PacketType::Messages));
    packet.push_back(static_cast<char>(bytes_tag(kPacketBody)));
    append_varint(packet, body_bytes);
    std::string frame;
    append_frame_header(frame, packet.size() + body_bytes);
    return frame + packet + id;
}

std::string encode_auth(const ClientAuth& auth) {
    return client_frame(PacketType::ClientAuthentication, write_message(auth, kAuthFields));
}

std::string encode_subscribe(const Sub& sub) {
    return client_frame(PacketType::Subscription, write_message(sub, kSubFields));
}

std::string encode_unsubscribe(const Unsub& unsub) {
    return client_frame(PacketType::Unsubscription, write_message(unsub, kSubFields));
}

std::string encode_get(const Get& get) {
    return client_frame(PacketType::Get, write_message(get, kGetFields));
}

std::string encode_client_ack(const ClientAck& ack) {
    return client_frame(PacketType::ClientAck, write_message(ack, kBatchFields));
}

std::string encode_rollback(const ClientRollback& rollback) {
    return client_frame(PacketType::ClientRollback, write_message(rollback, kBatchFields));
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

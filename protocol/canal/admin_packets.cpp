#include "protocol/canal/admin_packets.h"

#include "protocol/canal/frame.h"
#include "protocol/canal/text_fields.h"

#include <array>

namespace obcanal::canal::admin {
namespace {

namespace packet_field {
constexpr uint32_t kVersion = 2, kType = 3, kBody = 4;
}

namespace auth_field {
constexpr uint32_t kUsername = 1, kPassword = 2, kNetReadTimeout = 3, kNetWriteTimeout = 4;
}

namespace instance_field {
constexpr uint32_t kDestination = 1, kAction = 2;
}

namespace log_field {
constexpr uint32_t kType = 1, kAction = 2, kDestination = 3, kFile = 4, kCount = 5;
}

constexpr uint32_t kHandshakeSeeds = 2;
constexpr uint32_t kAckCode = 1, kAckMessage = 2;
constexpr uint32_t kServerAction = 1;
constexpr uint64_t kProtocolVersion = 1;

std::string make_frame(bool versioned, PacketType type, std::string_view body) {
    std::string packet;
    if (versioned) append_varint_field(packet, packet_field::kVersion, kProtocolVersion);
    append_varint_field(packet, packet_field::kType, static_cast<uint64_t>(type));
    append_text(packet, packet_field::kBody, body);
    std::string frame;
    frame.reserve(kFrameHeaderBytes + packet.size());
    append_frame_header(frame, packet.size());
    frame += packet;
    return frame;
}

}  // namespace

std::string_view packet_type_name(PacketType type) {
    constexpr std::array<std::string_view, 7> kNames{
        "PACKAGETYPECOMPATIBLEPROTO2",
        "HANDSHAKE",
        "CLIENTAUTHENTICATION",
        "ACK",
        "SERVER",
        "INSTANCE",
        "LOG",
    };
    const auto number = static_cast<uint32_t>(type);
    return number < kNames.size() ? kNames[number] : "UNRECOGNIZED";
}

Result<Packet> parse_packet(Bytes frame_body) {
    Packet packet;
    WireReader field(frame_body);
    while (field.next()) {
        if (field.is_varint(packet_field::kType))
            packet.type = static_cast<PacketType>(field.int32());
        if (field.is_bytes(packet_field::kBody)) packet.body = field.bytes();
    }
    if (!field.ok()) return field.error("Packet");
    return packet;
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

Result<ClientAuth> parse_client_auth(Bytes body) {
    ClientAuth auth;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(auth_field::kUsername)) texts.set(auth.username, field);
        if (field.is_bytes(auth_field::kPassword)) auth.password = field.text();  // any bytes
        if (field.is_varint(auth_field::kNetReadTimeout)) auth.net_read_timeout = field.int32();
        if (field.is_varint(auth_field::kNetWriteTimeout)) auth.net_write_timeout = field.int32();
    }
    if (Result<void> good = texts.verdict(field, "ClientAuth"); !good)
        return std::move(good).error();
    return auth;
}

Result<Ack> parse_ack(Bytes body) {
    Ack ack;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(kAckCode)) ack.code = field.int32();
        if (field.is_bytes(kAckMessage)) texts.set(ack.message, field);
    }
    if (Result<void> good = texts.verdict(field, "Ack"); !good) return std::move(good).error();
    return ack;
}

Result<ServerAdmin> parse_server_admin(Bytes body) {
    ServerAdmin request;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(kServerAction)) texts.set(request.action, field);
    }
    if (Result<void> good = texts.verdict(field, "ServerAdmin"); !good)
        return std::move(good).error();
    return request;
}

Result<InstanceAdmin> parse_instance_admin(Bytes body) {
    InstanceAdmin request;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(instance_field::kDestination)) texts.set(request.destination, field);
        if (field.is_bytes(instance_field::kAction)) texts.set(request.action, field);
    }
    if (Result<void> good = texts.verdict(field, "InstanceAdmin"); !good)
        return std::move(good).error();
    return request;
}

Result<LogAdmin> parse_log_admin(Bytes body) {
    LogAdmin request;
    TextFields texts;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(log_field::kType)) texts.set(request.type, field);
        if (field.is_bytes(log_field::kAction)) texts.set(request.action, field);
        if (field.is_bytes(log_field::kDestination)) texts.set(request.destination, field);
        if (field.is_bytes(log_field::kFile)) texts.set(request.file, field);
        if (field.is_varint(log_field::kCount)) request.count = field.int32();
    }
    if (Result<void> good = texts.verdict(field, "LogAdmin"); !good) return std::move(good).error();
    return request;
}

std::string encode_handshake(Bytes seed) {
    std::string body;
    append_bytes_field(body, kHandshakeSeeds, as_text(seed));
    return make_frame(true, PacketType::Handshake, body);
}

std::string encode_ack(int32_t code, std::string_view message) {
    std::string body;
    append_varint_field(body, kAckCode, signed_varint(code));
    append_text(body, kAckMessage, message);
    return make_frame(true, PacketType::Ack, body);
}

std::string encode_auth(const ClientAuth& auth) {
    std::string body;
    append_text(body, auth_field::kUsername, auth.username);
    append_text(body, auth_field::kPassword, auth.password);
    append_number(body, auth_field::kNetReadTimeout, auth.net_read_timeout);
    append_number(body, auth_field::kNetWriteTimeout, auth.net_write_timeout);
    return make_frame(false, PacketType::ClientAuthentication, body);
}

std::string encode_server_admin(const ServerAdmin& request) {
    std::string body;
    append_text(body, kServerAction, request.action);
    return make_frame(false, PacketType::Server, body);
}

std::string encode_instance_admin(const InstanceAdmin& request) {
    std::string body;
    append_text(body, instance_field::kDestination, request.destination);
    append_text(body, instance_field::kAction, request.action);
    return make_frame(false, PacketType::Instance, body);
}

std::string encode_log_admin(const LogAdmin& request) {
    std::string body;
    append_text(body, log_field::kType, request.type);
    append_text(body, log_field::kAction, request.action);
    append_text(body, log_field::kDestination, request.destination);
    append_text(body, log_field::kFile, request.file);
    if (request.count) append_varint_field(body, log_field::kCount, signed_varint(*request.count));
    return make_frame(false, PacketType::Log, body);
}

}  // namespace obcanal::canal::admin

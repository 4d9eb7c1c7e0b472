#include "protocol/canal/admin_packets.h"

#include "protocol/canal/message_fields.h"

#include <array>

namespace obcanal::canal::admin {
namespace {

constexpr uint32_t kPacketBody = 4;
constexpr uint32_t kHandshakeSeeds = 2;
constexpr uint32_t kAckCode = 1, kAckMessage = 2;

constexpr std::tuple kPacketFields{
    Field{3, &Packet::type},
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
};
constexpr std::tuple kAckFields{
    Field{kAckCode, &Ack::code},
    Field{kAckMessage, &Ack::message},
};
constexpr std::tuple kServerFields{
    Field{1, &ServerAdmin::action},
};
constexpr std::tuple kInstanceFields{
    Field{1, &InstanceAdmin::destination},
    Field{2, &InstanceAdmin::action},
};
constexpr std::tuple kLogFields{
    Field{1, &LogAdmin::type},
    Field{2, &LogAdmin::action},
    Field{3, &LogAdmin::destination},
    Field{4, &LogAdmin::file},
    Field{5, &LogAdmin::count},
};

std::string server_frame(PacketType type, std::string_view body) {
    return packet_frame(PacketFrom::Server, static_cast<int32_t>(type), kPacketBody, body);
}

std::string client_frame(PacketType type, std::string_view body) {
    return packet_frame(PacketFrom::Client, static_cast<int32_t>(type), kPacketBody, body);
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
    return read_message(frame_body, "Packet", kPacketFields);
}

Result<Handshake> parse_handshake(Bytes body) {
    return read_message(body, "Handshake", kHandshakeFields);
}

Result<ClientAuth> parse_client_auth(Bytes body) {
    return read_message(body, "ClientAuth", kAuthFields);
}

Result<Ack> parse_ack(Bytes body) { return read_message(body, "Ack", kAckFields); }

Result<ServerAdmin> parse_server_admin(Bytes body) {
    return read_message(body, "ServerAdmin", kServerFields);
}

Result<InstanceAdmin> parse_instance_admin(Bytes body) {
    return read_message(body, "InstanceAdmin", kInstanceFields);
}

Result<LogAdmin> parse_log_admin(Bytes body) { return read_message(body, "LogAdmin", kLogFields); }

std::string encode_handshake(Bytes seed) {
    std::string body;
    append_bytes_field(body, kHandshakeSeeds, as_text(seed));
    return server_frame(PacketType::Handshake, body);
}

std::string encode_ack(int32_t code, std::string_view message) {
    std::string body;
    append_varint_field(body, kAckCode, signed_varint(code));
    if (!message.empty()) append_bytes_field(body, kAckMessage, message);
    return server_frame(PacketType::Ack, body);
}

std::string encode_auth(const ClientAuth& auth) {
    return client_frame(PacketType::ClientAuthentication, write_message(auth, kAuthFields));
}

std::string encode_server_admin(const ServerAdmin& request) {
    return client_frame(PacketType::Server, write_message(request, kServerFields));
}

std::string encode_instance_admin(const InstanceAdmin& request) {
    return client_frame(PacketType::Instance, write_message(request, kInstanceFields));
}

std::string encode_log_admin(const LogAdmin& request) {
    return client_frame(PacketType::Log, write_message(request, kLogFields));
}

}  // namespace obcanal::canal::admin

// The packets of Canal's admin port as plain structs: parsing and encoding for both ends, byte for
// byte as the Java server and canal-admin write them (Canal AdminProtocol, AdminNettyUtils). The
// framing is that of the client port; the messages are not. Every encode_* gives whole frames.
// Pure functions, any thread; views point into the bytes that were parsed.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::canal::admin {

enum class PacketType : int32_t {
    CompatibleProto2 = 0,
    Handshake = 1,
    ClientAuthentication = 2,
    Ack = 3,
    Server = 4,
    Instance = 5,
    Log = 6,
};

// The name of the protocol's enum; numbers outside it are UNRECOGNIZED, as Java prints them.
std::string_view packet_type_name(PacketType type);

struct Packet {
    PacketType type = PacketType::CompatibleProto2;
    Bytes body;
};

struct Handshake {
    std::string seed;
};

struct ClientAuth {
    std::string username;
    std::string password;  // hex of the scramble411 token
    int32_t net_read_timeout = 0;
    int32_t net_write_timeout = 0;
};

struct Ack {
    int32_t code = 0;  // above 0: failed
    std::string message;
};

struct ServerAdmin {
    std::string action;
};

struct InstanceAdmin {
    std::string destination;
    std::string action;
};

struct LogAdmin {
    std::string type;  // "server" or "instance"
    std::string action;
    std::string destination;
    std::string file;
    std::optional<int32_t> count;
};

// -- parsing
Result<Packet> parse_packet(Bytes frame_body);
Result<Handshake> parse_handshake(Bytes body);
Result<ClientAuth> parse_client_auth(Bytes body);
Result<Ack> parse_ack(Bytes body);
Result<ServerAdmin> parse_server_admin(Bytes body);
Result<InstanceAdmin> parse_instance_admin(Bytes body);
Result<LogAdmin> parse_log_admin(Bytes body);

// -- what a server sends. The code is written even when it is 0.
std::string encode_handshake(Bytes seed);
std::string encode_ack(int32_t code, std::string_view message);

// -- what canal-admin sends
std::string encode_auth(const ClientAuth& auth);
std::string encode_server_admin(const ServerAdmin& request);
std::string encode_instance_admin(const InstanceAdmin& request);
std::string encode_log_admin(const LogAdmin& request);

}  // namespace obcanal::canal::admin

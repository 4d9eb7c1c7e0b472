// Canal's packets as plain structs: parsing for server and client, encoding byte for byte as the
// Java server and client do (Canal CanalProtocol, SessionHandler, SimpleCanalConnector). Every
// encode_* gives whole frames, length included. Pure functions, any thread; views point into the
// bytes that were parsed.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/wire_reader.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::canal {

enum class PacketType : int32_t {
    CompatibleProto2 = 0,
    Handshake = 1,
    ClientAuthentication = 2,
    Ack = 3,
    Subscription = 4,
    Unsubscription = 5,
    Get = 6,
    Messages = 7,
    ClientAck = 8,
    Shutdown = 9,
    Dump = 10,
    HeartBeat = 11,
    ClientRollback = 12,
};

// The name of the protocol's enum; numbers outside it are UNRECOGNIZED, as Java prints them.
std::string_view packet_type_name(PacketType type);

struct Packet {
    std::optional<int32_t> version;
    PacketType type = PacketType::CompatibleProto2;
    int32_t compression = 0;  // 0 and 1: none
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
    std::string destination;
    std::string client_id;
    std::string filter;
};

struct Sub {
    std::string destination;
    std::string client_id;
    std::string filter;

    bool operator==(const Sub&) const = default;
};

using Unsub = Sub;

struct Get {
    std::string destination;
    std::string client_id;
    int32_t fetch_size = 0;
    // Presence is kept: an absent timeout reads as 0, yet is not printed into error texts.
    std::optional<int64_t> timeout;
    int32_t unit = 0;  // ordinal of java.util.concurrent.TimeUnit; absent: 0
    std::optional<bool> auto_ack;

    bool operator==(const Get&) const = default;
};

struct ClientAck {
    std::string destination;
    std::string client_id;
    int64_t batch_id = 0;

    bool operator==(const ClientAck&) const = default;
};

using ClientRollback = ClientAck;  // batch 0: all

struct Ack {
    int32_t error_code = 0;
    std::string error_message;
};

struct Messages {
    int64_t batch_id = 0;  // -1: nothing there
    Bytes fields;          // the Messages body, for EntryCursor
};

// -- parsing
Result<Packet> parse_packet(Bytes frame_body);
Result<ClientAuth> parse_client_auth(Bytes body);
Result<Sub> parse_sub(Bytes body);
Result<Unsub> parse_unsub(Bytes body);
Result<Get> parse_get(Bytes body);
Result<ClientAck> parse_client_ack(Bytes body);
Result<ClientRollback> parse_client_rollback(Bytes body);
Result<Handshake> parse_handshake(Bytes body);
Result<Ack> parse_ack(Bytes body);
// As far as the batch's id, which servers write before the entries: an EntryCursor reads those,
// once, and has the faults in them.
Result<Messages> parse_messages(Bytes body);

// Walks the serialised entries of a Messages body.
class EntryCursor {
 public:
    explicit EntryCursor(const Messages& messages) : fields_(messages.fields) {}

    // Nothing: there are no more, or end() says what is wrong.
    std::optional<Bytes> next();
    Result<void> end() const;

 private:
    WireReader fields_;
};

// -- what a server sends
std::string encode_handshake(Bytes seed);
std::string encode_ack_ok();
std::string encode_ack_error(int32_t code, std::string_view text);
std::string encode_empty_messages();
// Length and packet head, at most 32 bytes, of a Messages packet whose entries follow as records
// `0x12 varint(len) Entry` of `entries_bytes` in all. No version field: the Java server's fast path
// leaves it out. REQUIRES: entries_bytes below 2 GiB by 64 bytes.
std::string encode_messages_head(int64_t batch_id, size_t entries_bytes);

// -- what a client sends; the Java client's bytes
std::string encode_auth(const ClientAuth& auth);
std::string encode_subscribe(const Sub& sub);
std::string encode_unsubscribe(const Unsub& unsub);
std::string encode_get(const Get& get);
std::string encode_client_ack(const ClientAck& ack);
std::string encode_rollback(const ClientRollback& rollback);

// -- protobuf's text format, as Java's toString() prints it into error texts: one `name: value` per
// line
std::string text_format(const Sub& request);
std::string text_format(const Get& request);
std::string text_format(const ClientAck& request);

}  // namespace obcanal::canal

// MySQL's packets: `u24 length  u8 sequence  payload`, a payload of 16 MiB - 1 goes on in the next
// packet. Sans-I/O: bytes as they came in, whole payloads out, and the other way round. One owner.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::mysql {

inline constexpr size_t kPacketHeader = 4;
inline constexpr size_t kFullPacket = 0xFFFFFF;

struct Packet {
    Bytes payload;
    uint8_t sequence = 0;  // of the last part
};

class PacketReader {
 public:
    // Largest payload that is accepted: that of MySQL's largest max_allowed_packet, with an event
    // header.
    static constexpr size_t kLargestPayload = (size_t{1} << 30) + 64 * 1024;

    explicit PacketReader(size_t largest_payload = kLargestPayload) : largest_(largest_payload) {}

    // The next payload that is complete in `in`, consumed from there and valid until `in` makes
    // room or the next call. Nothing when more bytes are needed. A payload of several packets is
    // gathered as its parts come in.
    Result<std::optional<Packet>> next(InputBuffer& in);

    // A new command starts the numbers from 0. REQUIRES: no payload is half received.
    void expect_sequence(uint8_t sequence) { sequence_ = sequence; }

 private:
    size_t largest_;
    uint8_t sequence_ = 0;
    std::string gathered_;
    bool gathering_ = false;
};

// Appends a payload in as many packets as it takes; `sequence` becomes the next one's.
void append_packet(std::string& to, std::string_view payload, uint8_t& sequence);

// First byte of a server's packet.
inline constexpr uint8_t kOkHead = 0x00;
inline constexpr uint8_t kMoreHead = 0x01;
inline constexpr uint8_t kEofHead = 0xFE;
inline constexpr uint8_t kErrorHead = 0xFF;

inline uint8_t packet_head(Bytes payload) {
    return payload.empty() ? kOkHead : std::to_integer<uint8_t>(payload[0]);
}

inline bool is_error(Bytes payload) {
    return !payload.empty() && packet_head(payload) == kErrorHead;
}

// The short form that ends lists and streams.
inline bool is_eof(Bytes payload) {
    return !payload.empty() && packet_head(payload) == kEofHead && payload.size() < 9;
}

struct ServerError {
    uint16_t number = 0;
    std::string_view sql_state;
    std::string_view message;
};

// REQUIRES: is_error(payload)
ServerError parse_error(Bytes payload);

// What the server's error means for us: wrong password, missing privilege, purged position, ...
Error server_error(Bytes payload, std::string_view doing);

}  // namespace obcanal::mysql

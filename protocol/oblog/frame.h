// oblogproxy's framing in both roles (oblogproxy CDC protocol, versions 0, 1 and 2). Sans-I/O:
// bytes in, views out. All numbers of the framing are big-endian.
//
//   request  := magic[7] u16 version  v2: i8 type=1  u32 len  ClientHandshakeRequest
//                                     v1: u32 len  PbPacket{type=1, payload=ClientHandShake}
//                                     v0: u32 type=1  u8 log_type  4 x (u32 len, text)
//   reply v2 := u16 2  i8 type  u32 len  protobuf[len]
//   reply v0 := u16 0  u32 type  body          (also to v1 clients; v1 knows a status packet u16 1,
//   u32 len, PbPacket)
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace obcanal::oblog {

inline constexpr std::string_view kClientMagic = "xi53g]q";
inline constexpr uint16_t kNewestVersion = 2;

// Codes of ErrorResponse.
namespace error_code {
inline constexpr int32_t kInner = 1, kNoAuth = 502;
}

enum class Compression : uint8_t { None = 0, Lz4 = 1 };

struct HandshakeRequest {
    uint16_t version = kNewestVersion;
    int32_t log_type = 0;  // OceanBase
    std::string ip;
    std::string id;
    std::string client_version;
    bool enable_monitor = false;
    std::string configuration;

    bool operator==(const HandshakeRequest&) const = default;
};

struct HandshakeResponse {
    int32_t code = 0;
    std::string ip;
    std::string version;
};

struct ErrorResponse {
    int32_t code = 0;
    std::string message;
};

struct RuntimeStatus {
    std::string ip;
    int32_t port = 0;
    int32_t stream_count = 0;
    int32_t worker_count = 0;
};

// Records of one data packet, decompressed. Views into the packet, or into the reader's buffer
// until its next packet. Lengths and count were checked when the packet was read.
struct DataPacket {
    Bytes records;
    std::optional<uint32_t> count;  // version 2 says how many there are
    bool numbered = false;          // legacy: u32 sequence, u32 length in front of each
};

using ServerMessage = std::variant<HandshakeResponse, ErrorResponse, RuntimeStatus, DataPacket>;

// The client's side. One per connection.
class PacketReader {
 public:
    struct Read {
        ServerMessage message;
        size_t size = 0;  // of the packet: what to consume
    };

    // `limit`: the largest packet accepted, before and after decompression.
    PacketReader(uint16_t version, size_t limit) : version_(version), limit_(limit) {}

    // The packet at the front, or nothing when more bytes are needed. After an Error the stream
    // can't be read on.
    Result<std::optional<Read>> next(Bytes pending);
    // Bytes that are missing for the packet that next() could not give yet; 0 when its length is
    // not known.
    size_t missing() const { return missing_; }

 private:
    Result<std::optional<Read>> next_v2(Bytes pending);
    Result<std::optional<Read>> next_legacy(Bytes pending);
    Result<std::optional<Read>> next_v1_status(Bytes pending);
    Result<DataPacket> read_record_data(Bytes body);
    Result<Bytes> decompress(Bytes block, uint64_t raw_size);
    std::optional<Read> wait_for(Bytes pending, size_t size);

    // Bytes in front of what is decompressed: values in it may be read backwards, see
    // canal::kCellPadding.
    static constexpr size_t kPadding = 32;

    uint16_t version_;
    size_t limit_;
    size_t missing_ = 0;
    std::unique_ptr<std::byte[]> raw_;
    size_t raw_capacity_ = 0;
};

// Walks the LogMessages of a packet.
class RecordCursor {
 public:
    explicit RecordCursor(const DataPacket& packet)
        : rest_(packet.records), numbered_(packet.numbered) {}

    bool empty() const { return rest_.empty(); }
    // REQUIRES: !empty()
    Bytes next();

 private:
    Bytes rest_;
    bool numbered_;
};

// -- what a client sends
std::string encode_handshake_request(const HandshakeRequest& request);

// -- the server's side
struct RequestRead {
    HandshakeRequest request;
    size_t size = 0;
};

// The request at the front, or nothing when more bytes are needed. Errors: wrong magic, version,
// type, length, content.
Result<std::optional<RequestRead>> read_handshake_request(Bytes pending, size_t limit);

// `version`: what the client asked with; legacy clients are answered in version 0.
std::string encode_handshake_response(uint16_t version, const HandshakeResponse& response);
std::string encode_error(uint16_t version, const ErrorResponse& error);
std::string encode_status(uint16_t version, const RuntimeStatus& status);
// `first_sequence`: number of the first record, legacy only.
std::string encode_data(
    uint16_t version,
    std::span<const Bytes> records,
    Compression compression,
    uint32_t first_sequence
);

}  // namespace obcanal::oblog

#include "protocol/oblog/frame.h"

#include "protocol/base/wire_reader.h"
#include "protocol/oblog/log_record.h"

#include <lz4.h>

#include <algorithm>

namespace obcanal::oblog {
namespace {

enum MessageType : int32_t {
    kError = -1,
    kHandshakeRequest = 1,
    kHandshakeResponse = 2,
    kData = 6,
    kStatus = 7,
};

// Field numbers of the messages in package oceanbase.logproxy.
namespace request_field {
constexpr uint32_t kLogType = 1, kIp = 2, kId = 3, kVersion = 4, kMonitor = 5, kConfiguration = 6;
}

namespace response_field {
constexpr uint32_t kCode = 1, kIp = 2, kVersion = 3;
}

namespace error_field {
constexpr uint32_t kCode = 1, kMessage = 2;
}

namespace status_field {
constexpr uint32_t kIp = 1, kPort = 2, kStreams = 3, kWorkers = 4;
}

namespace data_field {
constexpr uint32_t kCompression = 1, kRawSize = 2, kCompressedSize = 3, kCount = 4, kRecords = 100;
}

namespace legacy_field {  // PbPacket
constexpr uint32_t kType = 1, kPayload = 100;
}

constexpr size_t kV2Header = 7;
constexpr size_t kLegacyHeader = 6;
constexpr size_t kRecordPrefix = 8;  // legacy: sequence and length
// No LZ4 block expands more than this, so a larger claim is none.
constexpr uint64_t kMaxExpansion = 255;

Error bad(std::string what) {
    return {Errc::BadPacket, Retry::Backoff, "oblogproxy packet: " + std::move(what)};
}

Error too_large(std::string_view what, uint64_t size, size_t limit) {
    return bad(
        std::string(what) + " of " + std::to_string(size) + " bytes is above the limit of " +
        std::to_string(limit)
    );
}

void put_u16(std::string& to, uint32_t value) {
    to.push_back(static_cast<char>(value >> 8));
    to.push_back(static_cast<char>(value));
}

void put_u32(std::string& to, uint32_t value) {
    put_u16(to, value >> 16);
    put_u16(to, value & 0xFFFF);
}

void put_varint(std::string& to, uint64_t value) {
    std::byte buffer[10];
    const std::byte* end = write_varint(buffer, value);
    to.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

// Fields as proto3 writes them: zero and empty ones are left out.
void put_number(std::string& to, uint32_t field, int64_t value) {
    if (value == 0) return;
    put_varint(to, uint64_t{field} << 3);
    put_varint(to, static_cast<uint64_t>(value));
}

void put_text(std::string& to, uint32_t field, std::string_view value) {
    if (value.empty()) return;
    put_varint(to, uint64_t{field} << 3 | 2);
    put_varint(to, value.size());
    to.append(value);
}

std::string v2_packet(int32_t type, std::string_view body) {
    std::string packet;
    packet.reserve(kV2Header + body.size());
    put_u16(packet, 2);
    packet.push_back(static_cast<char>(type));
    put_u32(packet, static_cast<uint32_t>(body.size()));
    packet.append(body);
    return packet;
}

std::string legacy_packet(int32_t type) {
    std::string packet;
    put_u16(packet, 0);
    put_u32(packet, static_cast<uint32_t>(type));
    return packet;
}

Result<HandshakeResponse> read_response(Bytes body) {
    HandshakeResponse response;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(response_field::kCode)) response.code = field.int32();
        if (field.is_bytes(response_field::kIp)) response.ip = field.text();
        if (field.is_bytes(response_field::kVersion)) response.version = field.text();
    }
    if (!field.ok()) return field.error("ClientHandshakeResponse");
    return response;
}

Result<ErrorResponse> read_error(Bytes body) {
    ErrorResponse error;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(error_field::kCode)) error.code = field.int32();
        if (field.is_bytes(error_field::kMessage)) error.message = field.text();
    }
    if (!field.ok()) return field.error("ErrorResponse");
    return error;
}

Result<RuntimeStatus> read_status(Bytes body) {
    RuntimeStatus status;
    WireReader field(body);
    while (field.next()) {
        if (field.is_bytes(status_field::kIp)) status.ip = field.text();
        if (field.is_varint(status_field::kPort)) status.port = field.int32();
        if (field.is_varint(status_field::kStreams)) status.stream_count = field.int32();
        if (field.is_varint(status_field::kWorkers)) status.worker_count = field.int32();
    }
    if (!field.ok()) return field.error("RuntimeStatus");
    return status;
}

Result<HandshakeRequest> read_request(Bytes body) {
    HandshakeRequest request;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(request_field::kLogType)) request.log_type = field.int32();
        if (field.is_bytes(request_field::kIp)) request.ip = field.text();
        if (field.is_bytes(request_field::kId)) request.id = field.text();
        if (field.is_bytes(request_field::kVersion)) request.client_version = field.text();
        if (field.is_varint(request_field::kMonitor)) request.enable_monitor = field.boolean();
        if (field.is_bytes(request_field::kConfiguration)) request.configuration = field.text();
    }
    if (!field.ok()) return field.error("ClientHandshakeRequest");
    return request;
}

std::string request_body(const HandshakeRequest& request) {
    std::string body;
    put_number(body, request_field::kLogType, request.log_type);
    put_text(body, request_field::kIp, request.ip);
    put_text(body, request_field::kId, request.id);
    put_text(body, request_field::kVersion, request.client_version);
    put_number(body, request_field::kMonitor, request.enable_monitor ? 1 : 0);
    put_text(body, request_field::kConfiguration, request.configuration);
    return body;
}

std::string status_body(const RuntimeStatus& status) {
    std::string body;
    put_text(body, status_field::kIp, status.ip);
    put_number(body, status_field::kPort, status.port);
    put_number(body, status_field::kStreams, status.stream_count);
    put_number(body, status_field::kWorkers, status.worker_count);
    return body;
}

// Type and payload of a PbPacket.
struct LegacyPacket {
    int32_t type = 0;
    Bytes payload;
};

Result<LegacyPacket> read_pb_packet(Bytes body) {
    LegacyPacket packet;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(legacy_field::kType)) packet.type = field.int32();
        if (field.is_bytes(legacy_field::kPayload)) packet.payload = field.bytes();
    }
    if (!field.ok()) return field.error("PbPacket");
    return packet;
}

std::string pb_packet(int32_t type, std::string_view payload) {
    std::string body;
    put_number(body, legacy_field::kType, type);
    put_text(body, legacy_field::kPayload, payload);
    return body;
}

}  // namespace

std::optional<PacketReader::Read> PacketReader::wait_for(Bytes pending, size_t size) {
    missing_ = size - pending.size();
    return std::nullopt;
}

Result<std::optional<PacketReader::Read>> PacketReader::next(Bytes pending) {
    missing_ = 0;
    if (pending.size() < kLegacyHeader) return std::optional<Read>();
    const auto version = load_be<uint16_t>(pending.data());
    if (version_ == 2 && version == 2) return next_v2(pending);
    if (version_ < 2 && version == 0) return next_legacy(pending);
    if (version_ == 1 && version == 1) return next_v1_status(pending);
    return bad(
        "version " + std::to_string(version) + " in answer to version " + std::to_string(version_)
    );
}

Result<std::optional<PacketReader::Read>> PacketReader::next_v2(Bytes pending) {
    if (pending.size() < kV2Header) return std::optional<Read>();
    const auto type = static_cast<int8_t>(pending[2]);
    const auto length = load_be<uint32_t>(pending.data() + 3);
    // Known before the body is here: a stream that is no oblogproxy's ends at once.
    if (type != kError && type != kHandshakeResponse && type != kData && type != kStatus) {
        return bad("type " + std::to_string(type) + " from a server");
    }
    if (length > limit_) return too_large("a packet", length, limit_);
    const size_t size = kV2Header + length;
    if (pending.size() < size) return wait_for(pending, size);
    const Bytes body = pending.subspan(kV2Header, length);
    const auto wrap = [size](auto message) -> Result<std::optional<Read>> {
        if (!message) return std::move(message).error().in("oblogproxy packet");
        return std::optional<Read>(Read{std::move(message).value(), size});
    };
    switch (type) {
        case kError: return wrap(read_error(body));
        case kHandshakeResponse: return wrap(read_response(body));
        case kStatus: return wrap(read_status(body));
        default: return wrap(read_record_data(body));
    }
}

Result<DataPacket> PacketReader::read_record_data(Bytes body) {
    int32_t compression = 0;
    int32_t raw_size = 0;
    int32_t compressed_size = 0;
    int32_t count = 0;
    Bytes records;
    WireReader field(body);
    while (field.next()) {
        if (field.is_varint(data_field::kCompression)) compression = field.int32();
        if (field.is_varint(data_field::kRawSize)) raw_size = field.int32();
        if (field.is_varint(data_field::kCompressedSize)) compressed_size = field.int32();
        if (field.is_varint(data_field::kCount)) count = field.int32();
        if (field.is_bytes(data_field::kRecords)) records = field.bytes();
    }
    if (!field.ok()) return field.error("RecordData");
    if (raw_size < 0 || compressed_size < 0 || count < 0) {
        return bad("RecordData with a negative size or count");
    }
    if (records.size() != static_cast<size_t>(compressed_size)) {
        return bad(
            "RecordData says " + std::to_string(compressed_size) + " bytes and holds " +
            std::to_string(records.size())
        );
    }
    DataPacket packet;
    packet.count = static_cast<uint32_t>(count);
    switch (compression) {
        case static_cast<int>(Compression::None):
            if (raw_size != compressed_size) return bad("plain RecordData whose two sizes differ");
            packet.records = records;
            return packet;
        case static_cast<int>(Compression::Lz4): {
            Result<Bytes> raw = decompress(records, static_cast<uint64_t>(raw_size));
            if (!raw) return std::move(raw).error();
            packet.records = *raw;
            return packet;
        }
        default: return bad("compression " + std::to_string(compression) + " is not known");
    }
}

Result<Bytes> PacketReader::decompress(Bytes block, uint64_t raw_size) {
    if (raw_size > limit_ || raw_size > LZ4_MAX_INPUT_SIZE) {
        return too_large("decompressed data", raw_size, limit_);
    }
    if (raw_size > block.size() * kMaxExpansion) {
        return bad(
            std::to_string(block.size()) + " compressed bytes can't become " +
            std::to_string(raw_size)
        );
    }
    constexpr size_t kUsual = size_t{4} << 20;
    const size_t wanted = kPadding + raw_size;
    // An unusually large packet's memory is not kept.
    if (raw_capacity_ < wanted || (raw_capacity_ > kUsual && wanted < kUsual / 4)) {
        raw_.reset();
        raw_capacity_ = std::max<size_t>(wanted, 64 * 1024);
        raw_.reset(new std::byte[raw_capacity_]);
        std::fill_n(raw_.get(), kPadding, std::byte{0});
    }
    std::byte* to = raw_.get() + kPadding;
    const int done = LZ4_decompress_safe(
        as_text(block).data(),
        reinterpret_cast<char*>(to),
        static_cast<int>(block.size()),
        static_cast<int>(raw_size)
    );
    if (done < 0) return bad("the LZ4 block is damaged");
    if (static_cast<uint64_t>(done) != raw_size) {
        return bad(
            "the LZ4 block holds " + std::to_string(done) + " bytes instead of " +
            std::to_string(raw_size)
        );
    }
    return Bytes{to, raw_size};
}

Result<std::optional<PacketReader::Read>> PacketReader::next_legacy(Bytes pending) {
    const auto type = static_cast<int32_t>(load_be<uint32_t>(pending.data() + 2));
    ByteReader reader(pending.subspan(kLegacyHeader));
    const auto done = [&reader](ServerMessage message) {
        return std::optional<Read>(Read{std::move(message), kLegacyHeader + reader.position()});
    };
    switch (type) {
        case kHandshakeResponse: {
            HandshakeResponse response;
            response.code = static_cast<int32_t>(reader.u32_be());
            response.ip = reader.text(reader.u8());
            response.version = reader.text(reader.u8());
            if (!reader.ok()) return std::optional<Read>();
            return done(std::move(response));
        }
        case kError: {
            constexpr uint32_t kMessageLimit = 1 << 20;
            ErrorResponse error;
            error.code = static_cast<int32_t>(reader.u32_be());
            const uint32_t length = reader.u32_be();
            if (length > kMessageLimit) return too_large("an error message", length, kMessageLimit);
            error.message = reader.text(length);
            if (!reader.ok()) return std::optional<Read>();
            return done(std::move(error));
        }
        case kStatus: return done(RuntimeStatus{});
        case kData: break;
        default: return bad("type " + std::to_string(type) + " from a server");
    }
    constexpr uint32_t kDataHeader = 9;
    const uint32_t packet_size = reader.u32_be();
    const uint8_t compression = reader.u8();
    const uint32_t raw_size = reader.u32_be();
    const uint32_t size = reader.u32_be();
    if (!reader.ok()) return std::optional<Read>();
    if (size > limit_) return too_large("a packet", size, limit_);
    if (packet_size != uint64_t{size} + kDataHeader) {
        return bad(
            "data of " + std::to_string(size) + " bytes in a packet of " +
            std::to_string(packet_size)
        );
    }
    const size_t whole = kLegacyHeader + 4 + packet_size;
    if (pending.size() < whole) return wait_for(pending, whole);
    DataPacket packet;
    packet.numbered = true;
    packet.records = reader.take(size);
    if (compression == static_cast<uint8_t>(Compression::Lz4)) {
        Result<Bytes> raw = decompress(packet.records, raw_size);
        if (!raw) return std::move(raw).error();
        packet.records = *raw;
    } else if (compression != static_cast<uint8_t>(Compression::None)) {
        return bad("compression " + std::to_string(compression) + " is not known");
    } else if (raw_size != size) {
        return bad("plain data whose two sizes differ");
    }
    return done(packet);
}

Result<std::optional<PacketReader::Read>> PacketReader::next_v1_status(Bytes pending) {
    const auto length = load_be<uint32_t>(pending.data() + 2);
    if (length > limit_) return too_large("a packet", length, limit_);
    const size_t size = kLegacyHeader + length;
    if (pending.size() < size) return wait_for(pending, size);
    Result<LegacyPacket> packet = read_pb_packet(pending.subspan(kLegacyHeader, length));
    if (!packet) return std::move(packet).error();
    if (packet->type != kStatus)
        return bad("type " + std::to_string(packet->type) + " from a server");
    Result<RuntimeStatus> status = read_status(packet->payload);
    if (!status) return std::move(status).error();
    return std::optional<Read>(Read{std::move(status).value(), size});
}

Result<std::optional<Bytes>> RecordCursor::next() {
    if (rest_.empty()) {
        if (packet_.count && *packet_.count != seen_) {
            return bad(
                "a packet of " + std::to_string(*packet_.count) + " records holds " +
                std::to_string(seen_)
            );
        }
        return std::optional<Bytes>();
    }
    size_t size = 0;
    if (packet_.numbered) {
        if (rest_.size() < kRecordPrefix) return bad("a record's prefix is cut");
        size = load_be<uint32_t>(rest_.data() + 4);
        rest_ = rest_.subspan(kRecordPrefix);
        if (size == 0) return bad("a record of no bytes");
    } else {
        size = LogRecord::length_of(rest_);
        if (size == 0) return bad("a record's header is cut");
    }
    if (size > rest_.size()) {
        return bad(
            "record " + std::to_string(seen_) + " of " + std::to_string(size) + " bytes, where " +
            std::to_string(rest_.size()) + " are left"
        );
    }
    const Bytes record = rest_.first(size);
    rest_ = rest_.subspan(size);
    ++seen_;
    return std::optional<Bytes>(record);
}

std::string encode_handshake_request(const HandshakeRequest& request) {
    std::string out(kClientMagic);
    if (request.version == 2) return out + v2_packet(kHandshakeRequest, request_body(request));
    put_u16(out, request.version);
    if (request.version == 1) {
        const std::string body = pb_packet(kHandshakeRequest, request_body(request));
        put_u32(out, static_cast<uint32_t>(body.size()));
        return out + body;
    }
    put_u32(out, kHandshakeRequest);
    out.push_back(static_cast<char>(request.log_type));
    for (const std::string* text :
         {&request.ip, &request.id, &request.client_version, &request.configuration}) {
        put_u32(out, static_cast<uint32_t>(text->size()));
        out.append(*text);
    }
    return out;
}

namespace {

Result<std::optional<RequestRead>> read_v0_request(Bytes pending, size_t limit) {
    ByteReader reader(pending);
    const uint32_t type = reader.u32_be();
    HandshakeRequest request;
    request.version = 0;
    request.log_type = reader.u8();
    if (!reader.ok()) return std::optional<RequestRead>();
    if (type != kHandshakeRequest)
        return bad("type " + std::to_string(type) + " instead of a handshake");
    for (std::string* text :
         {&request.ip, &request.id, &request.client_version, &request.configuration}) {
        const uint32_t length = reader.u32_be();
        if (length > limit) return too_large("a handshake field", length, limit);
        *text = reader.text(length);
        if (!reader.ok()) return std::optional<RequestRead>();
    }
    return std::optional<RequestRead>(RequestRead{std::move(request), reader.position()});
}

Result<std::optional<RequestRead>> read_v1_request(Bytes pending, size_t limit) {
    ByteReader reader(pending);
    const uint32_t length = reader.u32_be();
    if (length > limit) return too_large("a handshake", length, limit);
    const Bytes body = reader.take(length);
    if (!reader.ok()) return std::optional<RequestRead>();
    Result<LegacyPacket> packet = read_pb_packet(body);
    if (!packet) return std::move(packet).error();
    if (packet->type != kHandshakeRequest) {
        return bad("type " + std::to_string(packet->type) + " instead of a handshake");
    }
    Result<HandshakeRequest> request = read_request(packet->payload);
    if (!request) return std::move(request).error();
    request->version = 1;
    return std::optional<RequestRead>(RequestRead{std::move(request).value(), reader.position()});
}

Result<std::optional<RequestRead>> read_v2_request(Bytes pending, size_t limit) {
    ByteReader reader(pending);
    const auto type = static_cast<int8_t>(reader.u8());
    const uint32_t length = reader.u32_be();
    if (!reader.ok()) return std::optional<RequestRead>();
    if (type != kHandshakeRequest)
        return bad("type " + std::to_string(type) + " instead of a handshake");
    if (length > limit) return too_large("a handshake", length, limit);
    const Bytes body = reader.take(length);
    if (!reader.ok()) return std::optional<RequestRead>();
    Result<HandshakeRequest> request = read_request(body);
    if (!request) return std::move(request).error();
    return std::optional<RequestRead>(RequestRead{std::move(request).value(), reader.position()});
}

}  // namespace

Result<std::optional<RequestRead>> read_handshake_request(Bytes pending, size_t limit) {
    const size_t seen = std::min(pending.size(), kClientMagic.size());
    if (as_text(pending.first(seen)) != kClientMagic.substr(0, seen)) return bad("wrong magic");
    constexpr size_t kPrefix = kClientMagic.size() + 2;
    if (pending.size() < kPrefix) return std::optional<RequestRead>();
    const auto version = load_be<uint16_t>(pending.data() + kClientMagic.size());
    const Bytes rest = pending.subspan(kPrefix);
    Result<std::optional<RequestRead>> read = std::optional<RequestRead>();
    switch (version) {
        case 0: read = read_v0_request(rest, limit); break;
        case 1: read = read_v1_request(rest, limit); break;
        case 2: read = read_v2_request(rest, limit); break;
        default: return bad("version " + std::to_string(version) + " is not known");
    }
    if (read && *read) (*read)->size += kPrefix;
    return read;
}

std::string encode_handshake_response(uint16_t version, const HandshakeResponse& response) {
    if (version == 2) {
        std::string body;
        put_number(body, response_field::kCode, response.code);
        put_text(body, response_field::kIp, response.ip);
        put_text(body, response_field::kVersion, response.version);
        return v2_packet(kHandshakeResponse, body);
    }
    std::string packet = legacy_packet(kHandshakeResponse);
    put_u32(packet, static_cast<uint32_t>(response.code));
    for (const std::string* text : {&response.ip, &response.version}) {
        const std::string_view cut = std::string_view(*text).substr(0, UINT8_MAX);
        packet.push_back(static_cast<char>(cut.size()));
        packet.append(cut);
    }
    return packet;
}

std::string encode_error(uint16_t version, const ErrorResponse& error) {
    if (version == 2) {
        std::string body;
        put_number(body, error_field::kCode, error.code);
        put_text(body, error_field::kMessage, error.message);
        return v2_packet(kError, body);
    }
    std::string packet = legacy_packet(kError);
    put_u32(packet, static_cast<uint32_t>(error.code));
    put_u32(packet, static_cast<uint32_t>(error.message.size()));
    return packet + error.message;
}

std::string encode_status(uint16_t version, const RuntimeStatus& status) {
    if (version == 2) return v2_packet(kStatus, status_body(status));
    if (version == 0) return legacy_packet(kStatus);
    const std::string body = pb_packet(kStatus, status_body(status));
    std::string packet;
    put_u16(packet, 1);
    put_u32(packet, static_cast<uint32_t>(body.size()));
    return packet + body;
}

std::string encode_data(
    uint16_t version,
    std::span<const Bytes> records,
    Compression compression,
    uint32_t first_sequence
) {
    std::string raw;
    for (const Bytes record : records) {
        if (version < 2) {
            put_u32(raw, first_sequence++);
            put_u32(raw, static_cast<uint32_t>(record.size()));
        }
        raw.append(as_text(record));
    }
    std::string packed;
    if (compression == Compression::Lz4) {
        packed.resize(static_cast<size_t>(LZ4_compressBound(static_cast<int>(raw.size()))));
        const int size = LZ4_compress_default(
            raw.data(), packed.data(), static_cast<int>(raw.size()), static_cast<int>(packed.size())
        );
        packed.resize(static_cast<size_t>(size));
    }
    const std::string& content = compression == Compression::Lz4 ? packed : raw;
    if (version == 2) {
        std::string body;
        put_number(body, data_field::kCompression, static_cast<int>(compression));
        put_number(body, data_field::kRawSize, static_cast<int64_t>(raw.size()));
        put_number(body, data_field::kCompressedSize, static_cast<int64_t>(content.size()));
        put_number(body, data_field::kCount, static_cast<int64_t>(records.size()));
        put_text(body, data_field::kRecords, content);
        return v2_packet(kData, body);
    }
    constexpr size_t kDataHeader = 9;
    std::string packet = legacy_packet(kData);
    put_u32(packet, static_cast<uint32_t>(content.size() + kDataHeader));
    packet.push_back(static_cast<char>(compression));
    put_u32(packet, static_cast<uint32_t>(raw.size()));
    put_u32(packet, static_cast<uint32_t>(content.size()));
    return packet + content;
}

}  // namespace obcanal::oblog

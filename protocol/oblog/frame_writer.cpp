#include "protocol/oblog/frame.h"
#include "protocol/oblog/frame_fields.h"

#include <lz4.h>

namespace obcanal::oblog {
namespace {

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

std::string pb_packet(int32_t type, std::string_view payload) {
    std::string body;
    put_number(body, legacy_field::kType, type);
    put_text(body, legacy_field::kPayload, payload);
    return body;
}

}  // namespace

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

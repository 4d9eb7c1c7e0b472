#include "protocol/oblog/frame.h"

#include "protocol/base/wire_reader.h"
#include "protocol/oblog/frame_fields.h"
#include "protocol/oblog/log_record.h"

#include <lz4.h>

#include <algorithm>

namespace obcanal::oblog {
namespace {

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

// Every record lies within the packet, nothing is left behind the last one, and there are as many
// as the packet says.
Result<void> check_records(const DataPacket& packet) {
    Bytes rest = packet.records;
    uint32_t seen = 0;
    for (; !rest.empty(); ++seen) {
        const size_t prefix = packet.numbered ? kRecordPrefix : 0;
        const size_t room = rest.size() - std::min(rest.size(), prefix);
        const size_t size = LogRecord::length_of(rest.last(room));
        const bool own_size =
            !packet.numbered || room == 0 || load_be<uint32_t>(rest.data() + prefix - 4) == size;
        if (size < LogRecord::kSmallest || size > room || !own_size) {
            return bad(
                "record " + std::to_string(seen) + " at byte " +
                std::to_string(packet.records.size() - rest.size()) + " of " +
                std::to_string(packet.records.size()) + ": a length of " + std::to_string(size) +
                (own_size ? " does not fit" : " is not what stands in front of it")
            );
        }
        rest = rest.subspan(prefix + size);
    }
    if (packet.count && *packet.count != seen) {
        return bad(
            "a packet of " + std::to_string(*packet.count) + " records holds " +
            std::to_string(seen)
        );
    }
    return {};
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
            break;
        case static_cast<int>(Compression::Lz4): {
            Result<Bytes> raw = decompress(records, static_cast<uint64_t>(raw_size));
            if (!raw) return std::move(raw).error();
            packet.records = *raw;
            break;
        }
        default: return bad("compression " + std::to_string(compression) + " is not known");
    }
    if (Result<void> sound = check_records(packet); !sound) return std::move(sound).error();
    return packet;
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
    if (Result<void> sound = check_records(packet); !sound) return std::move(sound).error();
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

Bytes RecordCursor::next() {
    if (numbered_) rest_ = rest_.subspan(kRecordPrefix);
    const size_t size = LogRecord::length_of(rest_);
    const Bytes record = rest_.first(size);
    rest_ = rest_.subspan(size);
    return record;
}

namespace {

Result<std::optional<RequestRead>> read_v0_request(Bytes pending, size_t limit) {
    ByteReader reader(pending);
    const uint32_t type = reader.u32_be();
    if (!reader.ok()) return std::optional<RequestRead>();
    if (type != kHandshakeRequest)
        return bad("type " + std::to_string(type) + " instead of a handshake");
    HandshakeRequest request;
    request.version = 0;
    request.log_type = reader.u8();
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

}  // namespace obcanal::oblog

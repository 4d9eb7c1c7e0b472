#include "protocol/mysql/binlog_event.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "protocol/mysql/compression.h"
#include "protocol/mysql/wire.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace obcanal::mysql {
namespace {

constexpr size_t kChecksumSize = 4;
constexpr size_t kFlagsAt = 17;
constexpr size_t kServerVersionSize = 50;
constexpr size_t kFormatFixedPart = 2 + kServerVersionSize + 4 + 1;
constexpr uint8_t kChecksumCrc32 = 1;

struct TypeName {
    EventType type;
    std::string_view name;
};

constexpr std::array kTypeNames = std::to_array<TypeName>({
    {EventType::StartV3, "START_V3"},
    {EventType::Query, "QUERY"},
    {EventType::Stop, "STOP"},
    {EventType::Rotate, "ROTATE"},
    {EventType::IntVar, "INTVAR"},
    {EventType::Load, "LOAD"},
    {EventType::CreateFile, "CREATE_FILE"},
    {EventType::AppendBlock, "APPEND_BLOCK"},
    {EventType::ExecLoad, "EXEC_LOAD"},
    {EventType::DeleteFile, "DELETE_FILE"},
    {EventType::NewLoad, "NEW_LOAD"},
    {EventType::Rand, "RAND"},
    {EventType::UserVar, "USER_VAR"},
    {EventType::FormatDescription, "FORMAT_DESCRIPTION"},
    {EventType::Xid, "XID"},
    {EventType::BeginLoadQuery, "BEGIN_LOAD_QUERY"},
    {EventType::ExecuteLoadQuery, "EXECUTE_LOAD_QUERY"},
    {EventType::TableMap, "TABLE_MAP"},
    {EventType::WriteRowsV1, "WRITE_ROWS_V1"},
    {EventType::UpdateRowsV1, "UPDATE_ROWS_V1"},
    {EventType::DeleteRowsV1, "DELETE_ROWS_V1"},
    {EventType::Incident, "INCIDENT"},
    {EventType::Heartbeat, "HEARTBEAT"},
    {EventType::Ignorable, "IGNORABLE"},
    {EventType::RowsQuery, "ROWS_QUERY"},
    {EventType::WriteRows, "WRITE_ROWS"},
    {EventType::UpdateRows, "UPDATE_ROWS"},
    {EventType::DeleteRows, "DELETE_ROWS"},
    {EventType::Gtid, "GTID"},
    {EventType::AnonymousGtid, "ANONYMOUS_GTID"},
    {EventType::PreviousGtids, "PREVIOUS_GTIDS"},
    {EventType::TransactionContext, "TRANSACTION_CONTEXT"},
    {EventType::ViewChange, "VIEW_CHANGE"},
    {EventType::XaPrepare, "XA_PREPARE"},
    {EventType::PartialUpdateRows, "PARTIAL_UPDATE_ROWS"},
    {EventType::TransactionPayload, "TRANSACTION_PAYLOAD"},
    {EventType::HeartbeatV2, "HEARTBEAT_V2"},
    {EventType::TaggedGtid, "GTID_TAGGED"},
    {EventType::AnnotateRows, "ANNOTATE_ROWS"},
    {EventType::BinlogCheckpoint, "BINLOG_CHECKPOINT"},
    {EventType::MariadbGtid, "MARIADB_GTID"},
    {EventType::MariadbGtidList, "MARIADB_GTID_LIST"},
    {EventType::StartEncryption, "START_ENCRYPTION"},
    {EventType::QueryCompressed, "QUERY_COMPRESSED"},
    {EventType::WriteRowsCompressedV1, "WRITE_ROWS_COMPRESSED_V1"},
    {EventType::UpdateRowsCompressedV1, "UPDATE_ROWS_COMPRESSED_V1"},
    {EventType::DeleteRowsCompressedV1, "DELETE_ROWS_COMPRESSED_V1"},
    {EventType::WriteRowsCompressed, "WRITE_ROWS_COMPRESSED"},
    {EventType::UpdateRowsCompressed, "UPDATE_ROWS_COMPRESSED"},
    {EventType::DeleteRowsCompressed, "DELETE_ROWS_COMPRESSED"},
});

Error bad_header(const EventHeader& header, const char* what) {
    return bad_event(Event{header, {}}, what);
}

// MySQL 5.6.1 and later and MariaDB 5.3 and later write the kind of checksum into the format.
bool knows_checksums(std::string_view version, bool mariadb) {
    std::array<uint64_t, 3> number{};
    size_t part = 0;
    for (const char c : version) {
        if (c >= '0' && c <= '9') {
            number[part] =
                std::min<uint64_t>(number[part] * 10 + static_cast<uint64_t>(c - '0'), 1000);
        } else if (c == '.' && part + 1 < number.size()) {
            ++part;
        } else {
            break;
        }
    }
    constexpr std::array<uint64_t, 3> kMysql{5, 6, 1};
    constexpr std::array<uint64_t, 3> kMariadb{5, 3, 0};
    return number >= (mariadb ? kMariadb : kMysql);
}

bool sum_matches(Bytes event) {
    const size_t size = event.size() - kChecksumSize;
    return crc32(event.first(size)) == load_le<uint32_t>(event.data() + size);
}

// The in-use flag is set and cleared without touching the sum.
bool format_sum_matches(Bytes event) {
    std::string copy(as_text(event));
    copy[kFlagsAt] = static_cast<char>(copy[kFlagsAt] & ~event_flag::kInUse);
    return sum_matches(as_bytes(copy));
}

// Status variables of a query event, up to the first one of an unknown kind.
void read_status(Bytes bytes, QueryEvent& query) {
    ByteReader in(bytes);
    while (in.ok() && !in.empty()) {
        switch (in.u8()) {
            case 0: in.skip(4); break;                    // option flags
            case 1: query.sql_mode = in.u64_le(); break;  // SQL mode
            case 2: in.skip(size_t{in.u8()} + 1); break;  // catalog with NUL
            case 3: in.skip(4); break;                    // auto increment
            case 4:                                       // character sets
                query.client_collation = in.u16_le();
                in.skip(4);
                break;
            case 5: in.skip(in.u8()); break;  // time zone
            case 6: in.skip(in.u8()); break;  // catalog
            case 7: in.skip(2); break;        // names of months and days
            case 8: in.skip(2); break;        // database's character set
            case 9: in.skip(8); break;        // tables of a multi-table update
            case 10: in.skip(4); break;       // size in the relay log
            case 11:                          // invoker: user and host
                in.skip(in.u8());
                in.skip(in.u8());
                break;
            default: return;
        }
    }
}

std::string hex_literal(Bytes bytes) { return "X'" + to_hex(bytes) + "'"; }

std::string xa_text(Bytes gtrid, Bytes bqual, uint32_t format) {
    return hex_literal(gtrid) + "," + hex_literal(bqual) + "," + std::to_string(format);
}

// Seven bytes of microseconds, the highest bit of which says that another one follows.
uint64_t read_commit_time(ByteReader& in) {
    constexpr uint64_t kAnotherFollows = uint64_t{1} << 55;
    return read_le(in, 7) & ~kAnotherFollows;
}

// Integers of the format that came with tagged GTIDs: as many low one bits as bytes follow.
uint64_t read_packed(ByteReader& in) {
    const uint8_t first = in.u8();
    const auto more = static_cast<size_t>(std::countr_one(first));
    const uint64_t rest = read_le(in, more);
    if (more == 8) return rest;
    return (rest << 8 | first) >> (more + 1);
}

int64_t read_packed_signed(ByteReader& in) {
    const uint64_t value = read_packed(in);
    const auto magnitude = static_cast<int64_t>(value >> 1);
    return (value & 1) != 0 ? -1 - magnitude : magnitude;
}

// A byte of a fixed-size field: one above 0x7f takes two.
std::byte read_packed_byte(ByteReader& in) { return static_cast<std::byte>(read_packed(in)); }

Result<GtidEvent> parse_tagged_gtid(const Event& event) {
    // message := version size last_needed (field value)*, all numbers packed; fields ascend.
    ByteReader in(event.body);
    GtidEvent gtid;
    for (int i = 0; i < 3; ++i) read_packed(in);
    bool has_uuid = false;
    bool has_number = false;
    while (in.ok() && !in.empty()) {
        switch (read_packed(in)) {
            case 0: read_packed_byte(in); break;  // flags
            case 1:
                for (std::byte& b : gtid.gtid.source) b = read_packed_byte(in);
                has_uuid = true;
                break;
            case 2:
                gtid.gtid.number = read_packed_signed(in);
                has_number = true;
                break;
            case 3: gtid.gtid.tag = std::string(in.text(read_packed(in))); break;
            case 4: gtid.last_committed = read_packed_signed(in); break;
            case 5: gtid.sequence_number = read_packed_signed(in); break;
            case 6: gtid.commit_us = read_packed(in); break;
            default: read_packed(in); break;  // original time, length, versions, ticket
        }
    }
    if (!in.ok() || !has_uuid || !has_number) return bad_event(event, "truncated");
    return gtid;
}

}  // namespace

std::string event_type_name(EventType type) {
    for (const TypeName& known : kTypeNames) {
        if (known.type == type) return std::string(known.name);
    }
    return "event type " + std::to_string(static_cast<unsigned>(type));
}

EventHeader EventHeader::read(const std::byte* bytes) {
    EventHeader header;
    header.timestamp = load_le<uint32_t>(bytes);
    header.type = static_cast<EventType>(bytes[4]);
    header.server_id = load_le<uint32_t>(bytes + 5);
    header.length = load_le<uint32_t>(bytes + 9);
    header.end_position = load_le<uint32_t>(bytes + 13);
    header.flags = load_le<uint16_t>(bytes + kFlagsAt);
    return header;
}

std::string Event::text() const {
    return event_type_name(header.type) + " ending at " + std::to_string(header.end_position);
}

Error bad_event(const Event& event, std::string_view what) {
    return Error{Errc::BadPacket, Retry::Backoff, event.text() + ": " + std::string(what)};
}

Result<Event> EventReader::read(Bytes bytes) {
    if (bytes.size() < EventHeader::kSize)
        return Error{Errc::BadPacket, Retry::Backoff, "event shorter than its header"};
    const EventHeader header = EventHeader::read(bytes.data());
    if (header.length != bytes.size()) return bad_header(header, "length differs from its header");
    if (header.type == EventType::FormatDescription) return read_format(bytes, header);

    const bool has_room = bytes.size() >= EventHeader::kSize + kChecksumSize;
    // The rotate event that starts a stream comes before the format is known, and whether it has a
    // sum depends on what the server made of @master_binlog_checksum.
    const bool announced = header.type == EventType::Rotate && header.artificial();
    const bool checksummed = announced ? has_room && sum_matches(bytes) : format_.checksums;
    if (!checksummed) return Event{header, bytes.subspan(EventHeader::kSize)};
    if (!has_room) return bad_header(header, "too short for its checksum");
    if (verify_ && !announced && !sum_matches(bytes)) return bad_header(header, "checksum differs");
    return Event{
        header, bytes.subspan(EventHeader::kSize, bytes.size() - EventHeader::kSize - kChecksumSize)
    };
}

Result<Event> EventReader::read_inner(Bytes bytes) const {
    if (bytes.size() < EventHeader::kSize)
        return Error{Errc::BadPacket, Retry::Backoff, "event shorter than its header"};
    const EventHeader header = EventHeader::read(bytes.data());
    if (header.length != bytes.size()) return bad_header(header, "length differs from its header");
    return Event{header, bytes.subspan(EventHeader::kSize)};
}

Result<Event> EventReader::read_format(Bytes bytes, const EventHeader& header) {
    Bytes body = bytes.subspan(EventHeader::kSize);
    ByteReader in(body);
    const uint16_t version = in.u16_le();
    const std::string_view server = in.text(kServerVersionSize);
    in.skip(4);
    const uint8_t header_size = in.u8();
    if (!in.ok()) return bad_header(header, "truncated");
    if (version != 4) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "binary log version " + std::to_string(version) + " (MySQL before 5.0)"
        };
    }
    if (header_size != EventHeader::kSize)
        return bad_header(header, "event headers of another size");

    BinlogFormat format;
    format.server_version = std::string(server.substr(0, server.find('\0')));
    format.mariadb = to_lower(format.server_version).find("mariadb") != std::string::npos;
    if (knows_checksums(format.server_version, format.mariadb)) {
        if (in.remaining() < 1 + kChecksumSize) return bad_header(header, "truncated");
        body = body.first(body.size() - kChecksumSize);
        const auto algorithm = std::to_integer<uint8_t>(body.back());
        if (algorithm > kChecksumCrc32) {
            return Error{
                Errc::Unsupported,
                Retry::Never,
                "binary log with checksums of kind " + std::to_string(algorithm)
            };
        }
        format.checksums = algorithm == kChecksumCrc32;
        if (format.checksums && verify_ && !format_sum_matches(bytes))
            return bad_header(header, "checksum differs");
        body = body.first(body.size() - 1);
    }
    const Bytes sizes = body.subspan(kFormatFixedPart);
    for (size_t i = 0; i < std::min(sizes.size(), format.post_header_size.size()); ++i)
        format.post_header_size[i] = std::to_integer<uint8_t>(sizes[i]);
    format_ = std::move(format);
    return Event{header, body};
}

Result<RotateEvent> parse_rotate(const Event& event) {
    ByteReader in(event.body);
    RotateEvent rotate;
    rotate.position = in.u64_le();
    rotate.file = in.text(in.remaining());
    if (!in.ok() || rotate.file.empty()) return bad_event(event, "truncated");
    return rotate;
}

Result<QueryEvent> parse_query(const Event& event, const BinlogFormat& format, std::string& text) {
    constexpr size_t kUsualPostHeader = 13;
    ByteReader in(event.body);
    QueryEvent query;
    query.thread_id = in.u32_le();
    in.skip(4);
    const uint8_t schema_size = in.u8();
    query.error_code = in.u16_le();
    const uint16_t status_size = in.u16_le();
    const size_t post_header = format.post_header(event.header.type);
    if (post_header > kUsualPostHeader) in.skip(post_header - kUsualPostHeader);
    const Bytes status = in.take(status_size);
    query.schema = in.text(schema_size);
    in.skip(1);
    if (!in.ok()) return bad_event(event, "truncated");
    read_status(status, query);
    if (event.header.type == EventType::QueryCompressed) {
        const auto inflated = inflate_event_part(in.take(in.remaining()), {}, text);
        if (!inflated) return bad_event(event, inflated.error().detail);
        query.sql = text;
    } else {
        query.sql = in.text(in.remaining());
    }
    return query;
}

Result<uint64_t> parse_xid(const Event& event) {
    ByteReader in(event.body);
    const uint64_t xid = in.u64_le();
    if (!in.ok()) return bad_event(event, "truncated");
    return xid;
}

Result<GtidEvent> parse_gtid(const Event& event) {
    if (event.header.type == EventType::TaggedGtid) return parse_tagged_gtid(event);
    constexpr uint8_t kLogicalClock = 2;
    ByteReader in(event.body);
    GtidEvent gtid;
    gtid.anonymous = event.header.type == EventType::AnonymousGtid;
    in.skip(1);
    const Bytes source = in.take(gtid.gtid.source.size());
    gtid.gtid.number = static_cast<int64_t>(in.u64_le());
    if (!in.ok()) return bad_event(event, "truncated");
    std::memcpy(gtid.gtid.source.data(), source.data(), source.size());
    if (in.remaining() < 17 || in.u8() != kLogicalClock) return gtid;
    gtid.last_committed = static_cast<int64_t>(in.u64_le());
    gtid.sequence_number = static_cast<int64_t>(in.u64_le());
    if (in.remaining() >= 7) gtid.commit_us = read_commit_time(in);
    return gtid;
}

Result<MariadbGtidEvent> parse_mariadb_gtid(const Event& event) {
    constexpr uint8_t kGroupCommitId = 2;
    ByteReader in(event.body);
    MariadbGtidEvent gtid;
    gtid.gtid.sequence = in.u64_le();
    gtid.gtid.domain = in.u32_le();
    gtid.gtid.server = event.header.server_id;
    gtid.flags = in.u8();
    if (!in.ok()) return bad_event(event, "truncated");
    if ((gtid.flags & kGroupCommitId) != 0) in.skip(8);
    if ((gtid.flags & (MariadbGtidEvent::kPreparedXa | MariadbGtidEvent::kCompletedXa)) != 0) {
        const uint32_t format = in.u32_le();
        const uint8_t gtrid_size = in.u8();
        const uint8_t bqual_size = in.u8();
        const Bytes gtrid = in.take(gtrid_size);
        gtid.xa_id = xa_text(gtrid, in.take(bqual_size), format);
    }
    if (!in.ok()) return bad_event(event, "truncated");
    return gtid;
}

Result<GtidSet> parse_previous_gtids(const Event& event) {
    auto set = GtidSet::decode(event.body);
    if (!set) return bad_event(event, set.error().detail);
    return set;
}

Result<MariadbGtidSet> parse_mariadb_gtid_list(const Event& event) {
    constexpr uint32_t kCountMask = (1U << 28) - 1;
    ByteReader in(event.body);
    MariadbGtidSet set;
    for (uint32_t left = in.u32_le() & kCountMask; left > 0 && in.ok(); --left) {
        MariadbGtid gtid;
        gtid.domain = in.u32_le();
        gtid.server = in.u32_le();
        gtid.sequence = in.u64_le();
        // Of one domain the newest comes last.
        if (in.ok()) set.update(gtid);
    }
    if (!in.ok()) return bad_event(event, "truncated");
    return set;
}

Result<XaPrepareEvent> parse_xa_prepare(const Event& event) {
    ByteReader in(event.body);
    XaPrepareEvent prepare;
    prepare.one_phase = in.u8() != 0;
    const uint32_t format = in.u32_le();
    const uint32_t gtrid_size = in.u32_le();
    const uint32_t bqual_size = in.u32_le();
    const Bytes gtrid = in.take(gtrid_size);
    prepare.xa_id = xa_text(gtrid, in.take(bqual_size), format);
    if (!in.ok()) return bad_event(event, "truncated");
    return prepare;
}

Result<std::string_view> parse_rows_query(const Event& event) {
    ByteReader in(event.body);
    // MySQL's one-byte length is too short for its purpose and stands for nothing.
    if (event.header.type == EventType::RowsQuery) in.skip(1);
    if (!in.ok()) return bad_event(event, "truncated");
    return in.text(in.remaining());
}

Result<HeartbeatEvent> parse_heartbeat(const Event& event) {
    HeartbeatEvent heartbeat;
    if (event.header.type == EventType::Heartbeat) {
        heartbeat.file = as_text(event.body);
        heartbeat.position = event.header.end_position;
        return heartbeat;
    }
    constexpr uint64_t kEnd = 0;
    constexpr uint64_t kFile = 1;
    constexpr uint64_t kPosition = 2;
    ByteReader in(event.body);
    while (in.ok() && !in.empty()) {
        const uint64_t field = read_length(in);
        if (field == kEnd) break;
        const Bytes value = read_length_bytes(in);
        if (field == kFile) heartbeat.file = as_text(value);
        if (field == kPosition) {
            ByteReader number(value);
            heartbeat.position = read_length(number);
            if (!number.ok()) in.fail();
        }
    }
    if (!in.ok()) return bad_event(event, "truncated");
    return heartbeat;
}

Result<IncidentEvent> parse_incident(const Event& event) {
    ByteReader in(event.body);
    IncidentEvent incident;
    incident.number = in.u16_le();
    if (!in.empty()) incident.message = in.text(in.u8());
    if (!in.ok()) return bad_event(event, "truncated");
    return incident;
}

}  // namespace obcanal::mysql

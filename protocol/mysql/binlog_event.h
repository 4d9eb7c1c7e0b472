// Binary log events read in place: views into the packet, valid as long as its bytes. Covers MySQL
// 5.0 to 9.x, MariaDB and OceanBase's Binlog Service. Sans-I/O; one EventReader per stream.
//
//   event  := header(19) body [checksum(4)]
//   header := u32 timestamp  u8 type  u32 server_id  u32 length  u32 end_position  u16 flags
//
// EventReader frames an event and checks its sum; a parse_... function reads the body of one type.
// Rows are in row_cells.h, table maps in table_map.h.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/mysql/gtid.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::mysql {

enum class EventType : uint8_t {
    Unknown = 0,
    StartV3 = 1,
    Query = 2,
    Stop = 3,
    Rotate = 4,
    IntVar = 5,
    Load = 6,
    CreateFile = 8,
    AppendBlock = 9,
    ExecLoad = 10,
    DeleteFile = 11,
    NewLoad = 12,
    Rand = 13,
    UserVar = 14,
    FormatDescription = 15,
    Xid = 16,
    BeginLoadQuery = 17,
    ExecuteLoadQuery = 18,
    TableMap = 19,
    WriteRowsV1 = 23,
    UpdateRowsV1 = 24,
    DeleteRowsV1 = 25,
    Incident = 26,
    Heartbeat = 27,
    Ignorable = 28,
    RowsQuery = 29,
    WriteRows = 30,
    UpdateRows = 31,
    DeleteRows = 32,
    Gtid = 33,
    AnonymousGtid = 34,
    PreviousGtids = 35,
    TransactionContext = 36,
    ViewChange = 37,
    XaPrepare = 38,
    PartialUpdateRows = 39,
    TransactionPayload = 40,
    HeartbeatV2 = 41,
    TaggedGtid = 42,
    // MariaDB
    AnnotateRows = 160,
    BinlogCheckpoint = 161,
    MariadbGtid = 162,
    MariadbGtidList = 163,
    StartEncryption = 164,
    QueryCompressed = 165,
    WriteRowsCompressedV1 = 166,
    UpdateRowsCompressedV1 = 167,
    DeleteRowsCompressedV1 = 168,
    WriteRowsCompressed = 169,
    UpdateRowsCompressed = 170,
    DeleteRowsCompressed = 171,
};

std::string event_type_name(EventType type);  // "WRITE_ROWS", of an unknown one its number

namespace event_flag {
inline constexpr uint16_t kInUse = 0x1;        // format description of a log being written
inline constexpr uint16_t kArtificial = 0x20;  // made by the server for this client
inline constexpr uint16_t kIgnorable = 0x80;   // whoever does not know the type may skip it
}  // namespace event_flag

struct EventHeader {
    static constexpr size_t kSize = 19;

    uint32_t timestamp = 0;  // seconds since the epoch
    EventType type = EventType::Unknown;
    uint32_t server_id = 0;
    uint32_t length = 0;        // of the whole event
    uint32_t end_position = 0;  // where the next one starts, modulo 2^32; 0: not in the log
    uint16_t flags = 0;

    static EventHeader read(const std::byte* bytes);
    bool ignorable() const { return (flags & event_flag::kIgnorable) != 0; }
    bool artificial() const { return (flags & event_flag::kArtificial) != 0; }
};

struct Event {
    EventHeader header;
    Bytes body;  // between header and checksum

    std::string text() const;  // type and end position, for messages
};

// What a format description says.
struct BinlogFormat {
    std::string server_version;
    bool mariadb = false;
    bool checksums = false;  // CRC-32 behind every event
    // Of each type, at index type - 1.
    std::array<uint8_t, 255> post_header_size{};

    uint8_t post_header(EventType type) const {
        return type == EventType::Unknown ? 0 : post_header_size[static_cast<uint8_t>(type) - 1];
    }
};

class EventReader {
 public:
    // `bytes`: exactly one event. A format description is taken in, and counts from the next one
    // on. Fails on a wrong length or sum; the reader may go on with the next event.
    Result<Event> read(Bytes bytes);

    // Events inside a transaction payload have no checksum.
    Result<Event> read_inner(Bytes bytes) const;

    const BinlogFormat& format() const { return format_; }
    // Whether sums are compared: off saves the time where the transport has sums of its own.
    void verify_checksums(bool on) { verify_ = on; }

 private:
    Result<Event> read_format(Bytes bytes, const EventHeader& header);

    BinlogFormat format_;
    bool verify_ = true;
};

struct RotateEvent {
    uint64_t position = 0;
    std::string_view file;
};
Result<RotateEvent> parse_rotate(const Event& event);

struct QueryEvent {
    uint32_t thread_id = 0;
    uint16_t error_code = 0;
    std::string_view schema;
    std::string_view sql;  // in the client's character set
    uint64_t sql_mode = 0;
    uint16_t client_collation = 0;  // 0: not logged
};
// `text`: keeps the text of a compressed query.
Result<QueryEvent> parse_query(const Event& event, const BinlogFormat& format, std::string& text);

Result<uint64_t> parse_xid(const Event& event);

struct GtidEvent {
    Gtid gtid;
    bool anonymous = false;
    int64_t last_committed = 0;  // both 0 where the server does not log them
    int64_t sequence_number = 0;
    uint64_t commit_us = 0;  // immediate commit timestamp, 0 before MySQL 8.0.1
};
// Gtid, AnonymousGtid and TaggedGtid.
Result<GtidEvent> parse_gtid(const Event& event);

struct MariadbGtidEvent {
    static constexpr uint8_t kStandalone = 1;  // no COMMIT or XID ends the group
    static constexpr uint8_t kDdl = 32;
    static constexpr uint8_t kPreparedXa = 64;
    static constexpr uint8_t kCompletedXa = 128;

    MariadbGtid gtid;
    uint8_t flags = 0;
    std::string xa_id;  // of XA transactions, as XA statements write it
};
Result<MariadbGtidEvent> parse_mariadb_gtid(const Event& event);

Result<GtidSet> parse_previous_gtids(const Event& event);
Result<MariadbGtidSet> parse_mariadb_gtid_list(const Event& event);

struct XaPrepareEvent {
    bool one_phase = false;
    std::string xa_id;  // X'gtrid',X'bqual',format
};
Result<XaPrepareEvent> parse_xa_prepare(const Event& event);

// Statement of RowsQuery and AnnotateRows.
Result<std::string_view> parse_rows_query(const Event& event);

struct HeartbeatEvent {
    std::string_view file;
    uint64_t position = 0;
};
// Heartbeat and HeartbeatV2.
Result<HeartbeatEvent> parse_heartbeat(const Event& event);

struct IncidentEvent {
    uint16_t number = 0;
    std::string_view message;
};
Result<IncidentEvent> parse_incident(const Event& event);

// The SET statement that Canal makes of IntVar, Rand and UserVar.
Result<std::string> variable_statement(const Event& event);

// Why an event cannot be read, naming it.
Error bad_event(const Event& event, std::string_view what);

}  // namespace obcanal::mysql

// TABLE_MAP events: which table a row event's number stands for, its columns' types, and what the
// server logs on top (binlog_row_metadata). Plain values; a source keeps one per table id and
// parses again only when the event's body differs.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/mysql/binlog_event.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::mysql {

// Type codes of the protocol.
enum class ColumnType : uint8_t {
    Decimal = 0,  // before MySQL 5.0
    Tiny = 1,
    Short = 2,
    Long = 3,
    Float = 4,
    Double = 5,
    Null = 6,
    Timestamp = 7,
    LongLong = 8,
    Int24 = 9,
    Date = 10,
    Time = 11,
    Datetime = 12,
    Year = 13,
    NewDate = 14,
    VarChar = 15,
    Bit = 16,
    Timestamp2 = 17,
    Datetime2 = 18,
    Time2 = 19,
    TypedArray = 20,
    BlobCompressed = 140,     // MariaDB
    VarCharCompressed = 141,  // MariaDB
    Vector = 242,
    Json = 245,
    NewDecimal = 246,
    Enum = 247,
    Set = 248,
    TinyBlob = 249,
    MediumBlob = 250,
    LongBlob = 251,
    Blob = 252,
    VarString = 253,
    String = 254,
    Geometry = 255,
};

std::string column_type_name(ColumnType type);

struct MappedColumn {
    ColumnType type = ColumnType::Null;  // the real one: Enum and Set where String stands for them
    // Decimal: precision and scale; temporal types: fraction digits in `scale`; strings and bits:
    // largest length in bytes (bits); blobs and the like: bytes of their length; Enum, Set and
    // floating point: bytes of the value.
    uint32_t length = 0;
    uint8_t precision = 0;
    uint8_t scale = 0;
    bool nullable = false;

    // Logged with binlog_row_metadata=MINIMAL and above
    bool is_unsigned = false;
    uint32_t collation = 0;  // 0: not logged
    uint8_t geometry_type = 0;
    // Logged with binlog_row_metadata=FULL
    std::string name;
    std::vector<std::string> members;  // of Enum and Set, in the column's character set
    bool primary_key = false;
    bool visible = true;
};

struct TableMap {
    uint64_t id = 0;
    std::string schema;
    std::string table;
    std::vector<MappedColumn> columns;
    bool has_signedness = false;
    bool has_names = false;
    bool has_primary_key = false;
};

// Number of the table, without reading the rest.
Result<uint64_t> table_map_id(const Event& event, const BinlogFormat& format);
Result<TableMap> parse_table_map(const Event& event, const BinlogFormat& format);

// Character set of a collation, by MySQL's name ("utf8mb4", "binary"); empty when unknown.
std::string_view charset_of_collation(uint32_t collation);

}  // namespace obcanal::mysql

#include "server/source/oblog_columns.h"

#include "protocol/base/text.h"

#include <array>
#include <limits>
#include <string>

namespace obcanal::source {
namespace {

// java.sql.Types
namespace sql {
constexpr int32_t kBit = -7, kTinyint = -6, kBigint = -5, kChar = 1, kDecimal = 3, kInteger = 4,
                  kSmallint = 5, kReal = 7, kDouble = 8, kVarchar = 12, kDate = 91, kTime = 92,
                  kTimestamp = 93, kOther = 1111, kBlob = 2004, kClob = 2005;
}

enum class Family : uint8_t {
    Integer,
    Decimal,
    Float,
    Temporal,   // with fractional digits
    Timestamp,  // as Temporal, perhaps as seconds since the epoch
    Bit,
    Plain,  // the name says all
    Text,   // CHAR family: (n), and binary by encoding
    Lob,    // TEXT family: binary by encoding
    Bytes,  // always binary
};

struct TypeRow {
    uint8_t code;
    Family family;
    std::string_view name;         // of text for Text and Lob
    std::string_view binary_name;  // Text and Lob with binary encoding
    int32_t sql_type;
    uint64_t promote_above;  // Integer
    int32_t promoted;
};

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

constexpr std::array kTypes = std::to_array<TypeRow>({
    {0, Family::Decimal, "decimal", "", sql::kDecimal, kNever, 0},
    {1, Family::Integer, "tinyint", "", sql::kTinyint, 127, sql::kSmallint},
    {2, Family::Integer, "smallint", "", sql::kSmallint, 32767, sql::kInteger},
    {3, Family::Integer, "int", "", sql::kInteger, 2147483647, sql::kBigint},
    {4, Family::Float, "float", "", sql::kReal, kNever, 0},
    {5, Family::Float, "double", "", sql::kDouble, kNever, 0},
    {7, Family::Timestamp, "timestamp", "", sql::kTimestamp, kNever, 0},
    {8, Family::Integer, "bigint", "", sql::kBigint, 9223372036854775807, sql::kDecimal},
    {9, Family::Integer, "mediumint", "", sql::kInteger, 8388607, sql::kInteger},
    {10, Family::Plain, "date", "", sql::kDate, kNever, 0},
    {11, Family::Temporal, "time", "", sql::kTime, kNever, 0},
    {12, Family::Temporal, "datetime", "", sql::kTimestamp, kNever, 0},
    {13, Family::Plain, "year", "", sql::kVarchar, kNever, 0},
    {14, Family::Plain, "date", "", sql::kDate, kNever, 0},
    {15, Family::Text, "varchar", "varbinary", sql::kVarchar, kNever, 0},
    {16, Family::Bit, "bit", "", sql::kBit, kNever, 0},
    // Oracle tenants: text with zone and up to nine digits
    {200, Family::Plain, "timestamp", "", sql::kTimestamp, kNever, 0},
    {201, Family::Plain, "timestamp", "", sql::kTimestamp, kNever, 0},
    {202, Family::Plain, "timestamp", "", sql::kTimestamp, kNever, 0},
    {203, Family::Plain, "raw", "", sql::kVarchar, kNever, 0},
    {204, Family::Plain, "interval year to month", "", sql::kVarchar, kNever, 0},
    {205, Family::Plain, "interval day to second", "", sql::kVarchar, kNever, 0},
    {206, Family::Plain, "float", "", sql::kReal, kNever, 0},
    {207, Family::Text, "varchar", "varbinary", sql::kVarchar, kNever, 0},
    {208, Family::Text, "char", "binary", sql::kChar, kNever, 0},
    {209, Family::Plain, "varchar", "", sql::kVarchar, kNever, 0},
    {210, Family::Bytes, "blob", "", sql::kBlob, kNever, 0},
    {211, Family::Lob, "clob", "blob", sql::kClob, kNever, 0},
    {212, Family::Plain, "float", "", sql::kReal, kNever, 0},
    {213, Family::Plain, "double", "", sql::kDouble, kNever, 0},
    {214, Family::Lob, "xmltype", "xmltype", sql::kClob, kNever, 0},
    {215, Family::Bytes, "roaringbitmap", "", sql::kBlob, kNever, 0},
    {245, Family::Plain, "json", "", sql::kVarchar, kNever, 0},
    {246, Family::Decimal, "decimal", "", sql::kDecimal, kNever, 0},
    {247, Family::Plain, "enum", "", sql::kChar, kNever, 0},
    {248, Family::Plain, "set", "", sql::kChar, kNever, 0},
    {249, Family::Lob, "tinytext", "tinyblob", sql::kClob, kNever, 0},
    {250, Family::Lob, "mediumtext", "mediumblob", sql::kClob, kNever, 0},
    {251, Family::Lob, "longtext", "longblob", sql::kClob, kNever, 0},
    {252, Family::Lob, "text", "blob", sql::kClob, kNever, 0},
    {253, Family::Text, "varchar", "varbinary", sql::kVarchar, kNever, 0},
    {254, Family::Text, "char", "binary", sql::kChar, kNever, 0},
    {255, Family::Plain, "geometry", "", sql::kVarchar, kNever, 0},
});

// A type nobody knows goes out as it came, marked by java.sql.Types.OTHER and an empty mysqlType.
constexpr TypeRow kUnknownType{0, Family::Plain, "", "", sql::kOther, kNever, 0};

const TypeRow& row_of(uint8_t code) {
    for (const TypeRow& row : kTypes) {
        if (row.code == code) return row;
    }
    return kUnknownType;
}

bool is_binary(std::string_view encoding) {
    return encoding.empty() || equals_ignore_case(encoding, "binary");
}

bool is_utf8_encoding(std::string_view encoding) {
    return equals_ignore_case(encoding, "utf8mb4") || equals_ignore_case(encoding, "utf8") ||
           equals_ignore_case(encoding, "utf8mb3");
}

std::string with_number(std::string name, int64_t number) {
    return number > 0 ? std::move(name) + "(" + std::to_string(number) + ")" : name;
}

std::string decimal_name(const OblogColumn& column) {
    std::string name = "decimal";
    if (column.precision > 0) {
        name += "(" + std::to_string(column.precision) + "," +
                std::to_string(column.scale > 0 ? column.scale : 0) + ")";
    }
    return name;
}

std::string mysql_type(const TypeRow& row, const OblogColumn& column, bool binary) {
    const std::string sign = column.is_signed ? "" : " unsigned";
    switch (row.family) {
        case Family::Integer:
        case Family::Float: return std::string(row.name) + sign;
        case Family::Decimal: return decimal_name(column) + sign;
        case Family::Temporal:
        case Family::Timestamp: return with_number(std::string(row.name), column.scale);
        case Family::Bit: return with_number(std::string(row.name), column.precision);
        case Family::Text:
            return with_number(std::string(binary ? row.binary_name : row.name), column.length);
        case Family::Lob: return std::string(binary ? row.binary_name : row.name);
        case Family::Plain:
        case Family::Bytes: return std::string(row.name);
    }
    return {};
}

}  // namespace

canal::ColumnSpec oblog_column(
    const OblogColumn& column, bool unix_timestamps, int32_t zone_offset_seconds
) {
    const TypeRow& row = row_of(column.type);
    const bool by_encoding = row.family == Family::Text || row.family == Family::Lob;
    const bool binary = row.family == Family::Bytes || (by_encoding && is_binary(column.encoding));

    canal::ColumnSpec spec;
    spec.name = is_utf8(as_bytes(column.name)) ? std::string(column.name)
                                               : repair_utf8(as_bytes(column.name));
    spec.mysql_type = mysql_type(row, column, binary);
    spec.sql_type = binary ? sql::kBlob : row.sql_type;
    spec.null_sql_type = spec.sql_type;
    if (row.family == Family::Integer && !column.is_signed) {
        spec.promote_above = row.promote_above;
        spec.promoted_sql_type = row.promoted;
    }
    if (binary) {
        spec.kind = canal::ValueKind::Latin1;
    } else if (row.family == Family::Timestamp && unix_timestamps) {
        spec.kind = canal::ValueKind::UnixTimestamp;
        spec.fraction_digits = column.scale > 0 ? static_cast<int32_t>(column.scale) : 0;
        spec.zone_offset_seconds = zone_offset_seconds;
    } else if (!is_binary(column.encoding) && !is_utf8_encoding(column.encoding)) {
        spec.kind = canal::ValueKind::Charset;
        spec.charset = std::string(column.encoding);
    }
    return spec;
}

}  // namespace obcanal::source

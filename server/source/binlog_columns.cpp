#include "server/source/binlog_columns.h"

#include "protocol/base/text.h"
#include "protocol/mysql/cell_text.h"

#include <limits>

namespace obcanal::source {
namespace {

using mysql::ColumnType;

// java.sql.Types
namespace sql_type {
constexpr int32_t kBit = -7, kTinyInt = -6, kBigInt = -5, kChar = 1, kDecimal = 3, kInteger = 4,
                  kSmallInt = 5, kReal = 7, kDouble = 8, kVarchar = 12, kDate = 91, kTime = 92,
                  kTimestamp = 93, kOther = 1111, kBlob = 2004, kClob = 2005;
}

struct SqlTypes {
    int32_t value;
    int32_t promoted;  // of unsigned values beyond the signed range
    int32_t null;
};

SqlTypes same(int32_t type) { return {type, type, type}; }

bool is_utf8_name(std::string_view charset) {
    return charset.empty() || charset == "ascii" || to_lower(charset).starts_with("utf8");
}

// "TEXT(100)" -> "text"
std::string base_type(std::string_view mysql_type) {
    return to_lower(mysql_type.substr(0, mysql_type.find_first_of(" (")));
}

// Types that the log calls BLOB and that hold text. JSON is MariaDB's, a LONGTEXT by another name.
bool is_text_type(const std::string& base) {
    return base == "tinytext" || base == "text" || base == "mediumtext" || base == "longtext" ||
           base == "json" || base == "long";
}

bool is_binary(const std::string& base, const std::string& charset) {
    return base.find("binary") != std::string::npos || charset == "binary";
}

SqlTypes sql_types(ColumnType type, const std::string& base, bool binary) {
    switch (type) {
        case ColumnType::Tiny: return {sql_type::kTinyInt, sql_type::kSmallInt, sql_type::kTinyInt};
        case ColumnType::Short:
            return {sql_type::kSmallInt, sql_type::kInteger, sql_type::kSmallInt};
        case ColumnType::Int24: return same(sql_type::kInteger);
        case ColumnType::Long: return {sql_type::kInteger, sql_type::kBigInt, sql_type::kInteger};
        case ColumnType::LongLong:
            return {sql_type::kBigInt, sql_type::kDecimal, sql_type::kBigInt};
        case ColumnType::Decimal:
        case ColumnType::NewDecimal: return same(sql_type::kDecimal);
        case ColumnType::Float: return same(sql_type::kReal);
        case ColumnType::Double: return same(sql_type::kDouble);
        case ColumnType::Bit: return same(sql_type::kBit);
        case ColumnType::Timestamp:
        case ColumnType::Timestamp2:
        case ColumnType::Datetime:
        case ColumnType::Datetime2: return same(sql_type::kTimestamp);
        case ColumnType::Date:
        case ColumnType::NewDate: return same(sql_type::kDate);
        case ColumnType::Time:
        case ColumnType::Time2: return same(sql_type::kTime);
        case ColumnType::Year: return same(sql_type::kVarchar);
        case ColumnType::Enum: return same(sql_type::kInteger);
        case ColumnType::Set: return {sql_type::kBit, sql_type::kBit, sql_type::kBlob};
        case ColumnType::String: return same(binary ? sql_type::kBlob : sql_type::kChar);
        case ColumnType::VarChar:
        case ColumnType::VarCharCompressed:
        case ColumnType::VarString: return same(binary ? sql_type::kBlob : sql_type::kVarchar);
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::BlobCompressed:
            return same(is_text_type(base) && !binary ? sql_type::kClob : sql_type::kBlob);
        case ColumnType::Json: return {sql_type::kVarchar, sql_type::kVarchar, sql_type::kOther};
        case ColumnType::Vector:
        case ColumnType::Geometry: return same(sql_type::kBlob);
        case ColumnType::Null:
        case ColumnType::TypedArray: return same(sql_type::kOther);
    }
    return same(sql_type::kOther);
}

bool is_old_temporal(ColumnType type) {
    return type == ColumnType::Time || type == ColumnType::Datetime ||
           type == ColumnType::Timestamp;
}

}  // namespace

uint8_t fraction_digits(std::string_view mysql_type) {
    const size_t open = mysql_type.find('(');
    const size_t close = mysql_type.find(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return 0;
    const auto digits = parse_uint(trim(mysql_type.substr(open + 1, close - open - 1)));
    return digits && *digits <= 6 ? static_cast<uint8_t>(*digits) : uint8_t{0};
}

canal::ColumnSpec binlog_column(
    const mysql::MappedColumn& mapped,
    const schema::ColumnDefinition& definition,
    const BinlogColumnOptions& options
) {
    // The log's own word counts; the definition may be one from before or after the row.
    std::string charset(mysql::charset_of_collation(mapped.collation));
    if (charset.empty()) charset = definition.charset;
    const std::string base = base_type(definition.type);
    const bool binary = is_binary(base, charset);
    if (charset.empty()) charset = options.charset;
    const SqlTypes types = sql_types(mapped.type, base, binary);

    canal::ColumnSpec spec;
    spec.name = definition.name;
    spec.mysql_type = definition.type;
    spec.sql_type = types.value;
    spec.promoted_sql_type = types.promoted;
    spec.null_sql_type = types.null;
    spec.is_key = definition.is_key;

    mysql::TextFormat format;
    format.type = mapped.type;
    format.is_unsigned = definition.is_unsigned || mapped.is_unsigned;
    format.precision = mapped.precision;
    format.scale = is_old_temporal(mapped.type) ? fraction_digits(definition.type) : mapped.scale;
    format.zone = options.zone;
    format.name = definition.name;
    format.binary = types.value == sql_type::kBlob;
    format.charset = charset;
    spec.text = mysql::make_cell_text(format);
    if (spec.text != nullptr) return spec;
    if (types.value == sql_type::kBlob) {
        spec.kind = canal::ValueKind::Latin1;
    } else if (is_utf8_name(charset)) {
        spec.kind = canal::ValueKind::Utf8;
    } else {
        spec.kind = canal::ValueKind::Charset;
        spec.charset = charset;
    }
    return spec;
}

}  // namespace obcanal::source

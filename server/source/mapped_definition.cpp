#include "server/source/mapped_definition.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

namespace obcanal::source {
namespace {

using mysql::ColumnType;
using mysql::MappedColumn;
using mysql::TableMap;

enum class Family : uint8_t {
    Other,  // types of plugins and of other servers: may be logged as anything
    Tiny,
    Short,
    Int24,
    Long,
    LongLong,
    Decimal,
    Float,
    Bit,
    Date,
    Time,
    Datetime,
    Timestamp,
    Year,
    Text,  // and bytes
    Json,
    Enum,
    Set,
    Geometry,
};

struct TypeName {
    std::string_view name;
    Family family;
};

// By the first word of the type.
constexpr TypeName kTypeNames[] = {
    {"tinyint", Family::Tiny},
    {"bool", Family::Tiny},
    {"boolean", Family::Tiny},
    {"int1", Family::Tiny},
    {"smallint", Family::Short},
    {"int2", Family::Short},
    {"mediumint", Family::Int24},
    {"middleint", Family::Int24},
    {"int3", Family::Int24},
    {"int", Family::Long},
    {"integer", Family::Long},
    {"int4", Family::Long},
    {"bigint", Family::LongLong},
    {"int8", Family::LongLong},
    {"serial", Family::LongLong},
    {"decimal", Family::Decimal},
    {"dec", Family::Decimal},
    {"numeric", Family::Decimal},
    {"fixed", Family::Decimal},
    {"float", Family::Float},
    {"float4", Family::Float},
    {"float8", Family::Float},
    {"double", Family::Float},
    {"real", Family::Float},
    {"bit", Family::Bit},
    {"date", Family::Date},
    {"time", Family::Time},
    {"datetime", Family::Datetime},
    {"timestamp", Family::Timestamp},
    {"year", Family::Year},
    {"char", Family::Text},
    {"character", Family::Text},
    {"varchar", Family::Text},
    {"varcharacter", Family::Text},
    {"national", Family::Text},
    {"nchar", Family::Text},
    {"nvarchar", Family::Text},
    {"binary", Family::Text},
    {"varbinary", Family::Text},
    {"tinytext", Family::Text},
    {"text", Family::Text},
    {"mediumtext", Family::Text},
    {"longtext", Family::Text},
    {"long", Family::Text},
    {"tinyblob", Family::Text},
    {"blob", Family::Text},
    {"mediumblob", Family::Text},
    {"longblob", Family::Text},
    {"json", Family::Json},
    {"enum", Family::Enum},
    {"set", Family::Set},
    {"geometry", Family::Geometry},
    {"point", Family::Geometry},
    {"linestring", Family::Geometry},
    {"polygon", Family::Geometry},
    {"multipoint", Family::Geometry},
    {"multilinestring", Family::Geometry},
    {"multipolygon", Family::Geometry},
    {"geometrycollection", Family::Geometry},
    {"geomcollection", Family::Geometry},
};

Family family_of(std::string_view type) {
    const std::string base = to_lower(type.substr(0, type.find_first_of(" (")));
    for (const TypeName& one : kTypeNames) {
        if (one.name == base) return one.family;
    }
    return Family::Other;
}

bool is_one_of(ColumnType type, std::initializer_list<ColumnType> types) {
    return std::ranges::find(types, type) != types.end();
}

bool is_blob(ColumnType type) {
    return is_one_of(
        type,
        {ColumnType::TinyBlob,
         ColumnType::Blob,
         ColumnType::MediumBlob,
         ColumnType::LongBlob,
         ColumnType::BlobCompressed}
    );
}

bool may_be_logged_as(Family family, ColumnType type) {
    switch (family) {
        case Family::Other: return true;
        case Family::Tiny: return type == ColumnType::Tiny;
        case Family::Short: return type == ColumnType::Short;
        case Family::Int24: return type == ColumnType::Int24;
        case Family::Long: return type == ColumnType::Long;
        case Family::LongLong: return type == ColumnType::LongLong;
        case Family::Decimal: return is_one_of(type, {ColumnType::NewDecimal, ColumnType::Decimal});
        case Family::Float: return is_one_of(type, {ColumnType::Float, ColumnType::Double});
        case Family::Bit: return type == ColumnType::Bit;
        // In MariaDB's Oracle mode a DATE is a DATETIME.
        case Family::Date:
            return is_one_of(
                type,
                {ColumnType::Date, ColumnType::NewDate, ColumnType::Datetime, ColumnType::Datetime2}
            );
        case Family::Time: return is_one_of(type, {ColumnType::Time, ColumnType::Time2});
        case Family::Datetime:
            return is_one_of(type, {ColumnType::Datetime, ColumnType::Datetime2});
        case Family::Timestamp:
            return is_one_of(type, {ColumnType::Timestamp, ColumnType::Timestamp2});
        case Family::Year: return type == ColumnType::Year;
        // A VARCHAR that is too long becomes a TEXT.
        case Family::Text:
            return is_blob(type) || is_one_of(
                                        type,
                                        {ColumnType::String,
                                         ColumnType::VarString,
                                         ColumnType::VarChar,
                                         ColumnType::VarCharCompressed}
                                    );
        case Family::Json: return type == ColumnType::Json || is_blob(type);
        case Family::Enum: return type == ColumnType::Enum;
        case Family::Set: return type == ColumnType::Set;
        case Family::Geometry: return type == ColumnType::Geometry || is_blob(type);
    }
    return true;
}

std::string with_length(std::string_view name, uint64_t length) {
    return std::string(name) + "(" + std::to_string(length) + ")";
}

std::string with_fraction(std::string_view name, uint8_t digits) {
    return digits == 0 ? std::string(name) : with_length(name, digits);
}

std::string blob_name(const MappedColumn& column, bool text) {
    constexpr std::array<std::string_view, 4> kBlobs = {
        "tinyblob", "blob", "mediumblob", "longblob"
    };
    constexpr std::array<std::string_view, 4> kTexts = {
        "tinytext", "text", "mediumtext", "longtext"
    };
    const size_t size = std::clamp<size_t>(column.length, 1, 4) - 1;
    return std::string(text ? kTexts[size] : kBlobs[size]);
}

std::string list_name(std::string_view name, const MappedColumn& column) {
    std::string out = std::string(name) + "(";
    for (const std::string& member : column.members) {
        if (out.back() != '(') out += ",";
        out += "'";
        for (const char c : member) out += c == '\'' ? std::string("''") : std::string(1, c);
        out += "'";
    }
    return out + ")";
}

std::string number_name(std::string_view name, const MappedColumn& column) {
    return std::string(name) + (column.is_unsigned ? " unsigned" : "");
}

std::string type_name(const MappedColumn& column, std::string_view charset) {
    const bool text = !charset.empty() && charset != "binary";
    switch (column.type) {
        case ColumnType::Tiny: return number_name("tinyint", column);
        case ColumnType::Short: return number_name("smallint", column);
        case ColumnType::Int24: return number_name("mediumint", column);
        case ColumnType::Long: return number_name("int", column);
        case ColumnType::LongLong: return number_name("bigint", column);
        case ColumnType::Float: return number_name("float", column);
        case ColumnType::Double: return number_name("double", column);
        case ColumnType::Decimal:
        case ColumnType::NewDecimal: {
            std::string name = "decimal(" + std::to_string(column.precision) + "," +
                               std::to_string(column.scale) + ")";
            return number_name(name, column);
        }
        case ColumnType::Bit: return with_length("bit", column.length);
        case ColumnType::Date:
        case ColumnType::NewDate: return "date";
        case ColumnType::Time:
        case ColumnType::Time2: return with_fraction("time", column.scale);
        case ColumnType::Datetime:
        case ColumnType::Datetime2: return with_fraction("datetime", column.scale);
        case ColumnType::Timestamp:
        case ColumnType::Timestamp2: return with_fraction("timestamp", column.scale);
        case ColumnType::Year: return "year";
        case ColumnType::VarChar:
        case ColumnType::VarCharCompressed:
        case ColumnType::VarString:
            return with_length(charset == "binary" ? "varbinary" : "varchar", column.length);
        case ColumnType::String:
            return with_length(charset == "binary" ? "binary" : "char", column.length);
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::BlobCompressed: return blob_name(column, text);
        case ColumnType::Json: return "json";
        case ColumnType::Enum: return list_name("enum", column);
        case ColumnType::Set: return list_name("set", column);
        case ColumnType::Geometry: return "geometry";
        case ColumnType::Vector: return "vector";
        case ColumnType::TypedArray:
        case ColumnType::Null: break;
    }
    return "unknown";
}

}  // namespace

bool fits(const TableMap& map, const schema::TableDefinition& definition) {
    if (map.columns.size() > definition.columns.size()) return false;
    for (size_t i = 0; i < map.columns.size(); ++i) {
        if (!may_be_logged_as(family_of(definition.columns[i].type), map.columns[i].type))
            return false;
    }
    return true;
}

schema::TableDefinition mapped_definition(const TableMap& map) {
    schema::TableDefinition table;
    table.schema = map.schema;
    table.table = map.table;
    for (const MappedColumn& mapped : map.columns) {
        schema::ColumnDefinition& column = table.columns.emplace_back();
        const std::string_view charset = mysql::charset_of_collation(mapped.collation);
        column.name = map.has_names ? mapped.name : "@" + std::to_string(table.columns.size());
        column.type = type_name(mapped, charset);
        column.charset = charset;
        column.members = mapped.members;
        column.is_unsigned = mapped.is_unsigned;
        column.nullable = mapped.nullable;
        column.is_key = mapped.primary_key;
    }
    return table;
}

bool is_old_temporal(const MappedColumn& column) {
    return is_one_of(column.type, {ColumnType::Time, ColumnType::Datetime, ColumnType::Timestamp});
}

}  // namespace obcanal::source

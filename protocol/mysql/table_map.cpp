#include "protocol/mysql/table_map.h"

#include "protocol/base/text.h"
#include "protocol/mysql/wire.h"

#include <algorithm>
#include <array>

namespace obcanal::mysql {
namespace {

constexpr size_t kMostColumns = 4096;  // MySQL's limit of a table

// Kinds of optional metadata.
enum class Metadata : uint8_t {
    Signedness = 1,
    DefaultCharset = 2,
    ColumnCharset = 3,
    ColumnName = 4,
    SetMembers = 5,
    EnumMembers = 6,
    GeometryType = 7,
    PrimaryKey = 8,
    PrimaryKeyWithPrefix = 9,
    EnumSetDefaultCharset = 10,
    EnumSetColumnCharset = 11,
    Visibility = 12,
};

using Columns = std::vector<MappedColumn>;

struct TypeName {
    ColumnType type;
    std::string_view name;
};

constexpr std::array kTypeNames = std::to_array<TypeName>({
    {ColumnType::Decimal, "DECIMAL (old)"},
    {ColumnType::Tiny, "TINYINT"},
    {ColumnType::Short, "SMALLINT"},
    {ColumnType::Long, "INT"},
    {ColumnType::Float, "FLOAT"},
    {ColumnType::Double, "DOUBLE"},
    {ColumnType::Null, "NULL"},
    {ColumnType::Timestamp, "TIMESTAMP (old)"},
    {ColumnType::LongLong, "BIGINT"},
    {ColumnType::Int24, "MEDIUMINT"},
    {ColumnType::Date, "DATE"},
    {ColumnType::Time, "TIME (old)"},
    {ColumnType::Datetime, "DATETIME (old)"},
    {ColumnType::Year, "YEAR"},
    {ColumnType::NewDate, "DATE"},
    {ColumnType::VarChar, "VARCHAR"},
    {ColumnType::Bit, "BIT"},
    {ColumnType::Timestamp2, "TIMESTAMP"},
    {ColumnType::Datetime2, "DATETIME"},
    {ColumnType::Time2, "TIME"},
    {ColumnType::TypedArray, "typed array"},
    {ColumnType::BlobCompressed, "BLOB COMPRESSED"},
    {ColumnType::VarCharCompressed, "VARCHAR COMPRESSED"},
    {ColumnType::Vector, "VECTOR"},
    {ColumnType::Json, "JSON"},
    {ColumnType::NewDecimal, "DECIMAL"},
    {ColumnType::Enum, "ENUM"},
    {ColumnType::Set, "SET"},
    {ColumnType::TinyBlob, "TINYBLOB"},
    {ColumnType::MediumBlob, "MEDIUMBLOB"},
    {ColumnType::LongBlob, "LONGBLOB"},
    {ColumnType::Blob, "BLOB"},
    {ColumnType::VarString, "VARCHAR"},
    {ColumnType::String, "CHAR"},
    {ColumnType::Geometry, "GEOMETRY"},
});

bool is_number(const MappedColumn& column) {
    switch (column.type) {
        case ColumnType::Tiny:
        case ColumnType::Short:
        case ColumnType::Int24:
        case ColumnType::Long:
        case ColumnType::LongLong:
        case ColumnType::Float:
        case ColumnType::Double:
        case ColumnType::Decimal:
        case ColumnType::NewDecimal: return true;
        default: return false;
    }
}

// Columns that the list of character sets counts.
bool is_text(const MappedColumn& column) {
    switch (column.type) {
        case ColumnType::VarChar:
        case ColumnType::VarCharCompressed:
        case ColumnType::VarString:
        case ColumnType::String:
        case ColumnType::BlobCompressed:
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob: return true;
        default: return false;
    }
}

bool is_enum_or_set(const MappedColumn& column) {
    return column.type == ColumnType::Enum || column.type == ColumnType::Set;
}

bool bit_at(Bytes bits, size_t i) {
    return (std::to_integer<unsigned>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

// Of the bits that start with the highest one of each byte.
bool high_bit_at(Bytes bits, size_t i) {
    return (std::to_integer<unsigned>(bits[i / 8]) << (i % 8) & 0x80) != 0;
}

// CHAR, ENUM and SET share a code; the length's two highest bits hide in the type.
void read_string_type(ByteReader& in, MappedColumn& column) {
    const uint8_t first = in.u8();
    const uint8_t second = in.u8();
    if ((first & 0x30) != 0x30) {
        column.type = static_cast<ColumnType>(first | 0x30);
        column.length = second | ((first & 0x30U) ^ 0x30U) << 4;
    } else {
        column.type = static_cast<ColumnType>(first);
        column.length = second;
    }
}

// Takes the metadata bytes of one column.
bool read_type(ByteReader& in, MappedColumn& column) {
    switch (column.type) {
        case ColumnType::Float:
        case ColumnType::Double:
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::BlobCompressed:
        case ColumnType::Json:
        case ColumnType::Vector:
        case ColumnType::Geometry: column.length = in.u8(); break;
        case ColumnType::Timestamp2:
        case ColumnType::Datetime2:
        case ColumnType::Time2: column.scale = in.u8(); break;
        case ColumnType::VarChar:
        case ColumnType::VarCharCompressed:
        case ColumnType::VarString: column.length = in.u16_le(); break;
        case ColumnType::Bit: {
            const uint8_t bits = in.u8();
            column.length = in.u8() * 8U + bits;
            break;
        }
        case ColumnType::NewDecimal:
            column.precision = in.u8();
            column.scale = in.u8();
            break;
        case ColumnType::Enum:
        case ColumnType::Set:
        case ColumnType::String: read_string_type(in, column); break;
        case ColumnType::Tiny:
        case ColumnType::Short:
        case ColumnType::Long:
        case ColumnType::LongLong:
        case ColumnType::Int24:
        case ColumnType::Timestamp:
        case ColumnType::Date:
        case ColumnType::NewDate:
        case ColumnType::Time:
        case ColumnType::Datetime:
        case ColumnType::Year:
        case ColumnType::Null: break;
        case ColumnType::TypedArray:
        case ColumnType::Decimal:
        default: return false;
    }
    return true;
}

const char* bad_type(const MappedColumn& column) {
    constexpr uint8_t kMostDigits = 65;
    switch (column.type) {
        case ColumnType::NewDecimal:
            if (column.precision == 0 || column.precision > kMostDigits ||
                column.scale > column.precision)
                return "bad precision";
            break;
        case ColumnType::Timestamp2:
        case ColumnType::Datetime2:
        case ColumnType::Time2:
            if (column.scale > 6) return "bad fraction";
            break;
        case ColumnType::Bit:
            if (column.length == 0 || column.length > 64) return "bad width";
            break;
        case ColumnType::Enum:
            if (column.length != 1 && column.length != 2) return "bad width";
            break;
        case ColumnType::Set:
            if (column.length == 0 || column.length > 8) return "bad width";
            break;
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::BlobCompressed:
        case ColumnType::Json:
        case ColumnType::Vector:
        case ColumnType::Geometry:
            if (column.length == 0 || column.length > 4) return "bad length size";
            break;
        default: break;
    }
    return nullptr;
}

// -- optional metadata; each function takes one field's bytes

void read_signedness(Bytes bits, Columns& columns) {
    size_t i = 0;
    for (MappedColumn& column : columns) {
        if (!is_number(column)) continue;
        if (i / 8 < bits.size()) column.is_unsigned = high_bit_at(bits, i);
        ++i;
    }
}

using Selects = bool (*)(const MappedColumn&);

// default collation, then pairs of index and collation of the columns that differ
void read_default_charset(ByteReader& in, Columns& columns, Selects selects) {
    std::vector<MappedColumn*> selected;
    for (MappedColumn& column : columns) {
        if (selects(column)) selected.push_back(&column);
    }
    const auto usual = static_cast<uint32_t>(read_length(in));
    for (MappedColumn* column : selected) column->collation = usual;
    while (in.ok() && !in.empty()) {
        const uint64_t index = read_length(in);
        const auto collation = static_cast<uint32_t>(read_length(in));
        if (index < selected.size()) selected[index]->collation = collation;
    }
}

void read_column_charsets(ByteReader& in, Columns& columns, Selects selects) {
    for (MappedColumn& column : columns) {
        if (selects(column) && !in.empty())
            column.collation = static_cast<uint32_t>(read_length(in));
    }
}

void read_names(ByteReader& in, Columns& columns) {
    for (MappedColumn& column : columns) column.name = std::string(read_length_text(in));
}

void read_members(ByteReader& in, Columns& columns, ColumnType type) {
    for (MappedColumn& column : columns) {
        if (column.type != type || in.empty()) continue;
        column.members.clear();
        for (uint64_t left = read_length(in); left > 0 && in.ok() && !in.empty(); --left)
            column.members.emplace_back(read_length_text(in));
    }
}

void read_geometry_types(ByteReader& in, Columns& columns) {
    for (MappedColumn& column : columns) {
        if (column.type == ColumnType::Geometry && !in.empty())
            column.geometry_type = static_cast<uint8_t>(read_length(in));
    }
}

void read_primary_key(ByteReader& in, Columns& columns, bool with_prefix) {
    while (in.ok() && !in.empty()) {
        const uint64_t index = read_length(in);
        if (with_prefix) read_length(in);
        if (index < columns.size()) columns[index].primary_key = true;
    }
}

void read_visibility(Bytes bits, Columns& columns) {
    for (size_t i = 0; i < columns.size() && i / 8 < bits.size(); ++i)
        columns[i].visible = high_bit_at(bits, i);
}

bool read_metadata(ByteReader& in, TableMap& table) {
    Columns& columns = table.columns;
    while (in.ok() && !in.empty()) {
        const auto kind = static_cast<Metadata>(in.u8());
        const Bytes bytes = read_length_bytes(in);
        ByteReader field(bytes);
        switch (kind) {
            case Metadata::Signedness:
                read_signedness(bytes, columns);
                table.has_signedness = true;
                break;
            case Metadata::DefaultCharset: read_default_charset(field, columns, is_text); break;
            case Metadata::ColumnCharset: read_column_charsets(field, columns, is_text); break;
            case Metadata::ColumnName:
                read_names(field, columns);
                table.has_names = true;
                break;
            case Metadata::SetMembers: read_members(field, columns, ColumnType::Set); break;
            case Metadata::EnumMembers: read_members(field, columns, ColumnType::Enum); break;
            case Metadata::GeometryType: read_geometry_types(field, columns); break;
            case Metadata::PrimaryKey:
                read_primary_key(field, columns, false);
                table.has_primary_key = true;
                break;
            case Metadata::PrimaryKeyWithPrefix:
                read_primary_key(field, columns, true);
                table.has_primary_key = true;
                break;
            case Metadata::EnumSetDefaultCharset:
                read_default_charset(field, columns, is_enum_or_set);
                break;
            case Metadata::EnumSetColumnCharset:
                read_column_charsets(field, columns, is_enum_or_set);
                break;
            case Metadata::Visibility: read_visibility(bytes, columns); break;
            default: break;  // later additions describe, they do not change the rows
        }
        if (!field.ok()) return false;
    }
    return in.ok();
}

uint64_t read_table_id(ByteReader& in, const Event& event, const BinlogFormat& format) {
    constexpr size_t kOldPostHeader = 6;
    return read_le(in, format.post_header(event.header.type) == kOldPostHeader ? 4 : 6);
}

}  // namespace

std::string column_type_name(ColumnType type) {
    for (const TypeName& known : kTypeNames) {
        if (known.type == type) return std::string(known.name);
    }
    return "type " + std::to_string(static_cast<unsigned>(type));
}

Result<uint64_t> table_map_id(const Event& event, const BinlogFormat& format) {
    ByteReader in(event.body);
    const uint64_t id = read_table_id(in, event, format);
    if (!in.ok()) return bad_event(event, "truncated");
    return id;
}

Result<TableMap> parse_table_map(const Event& event, const BinlogFormat& format) {
    ByteReader in(event.body);
    TableMap table;
    table.id = read_table_id(in, event, format);
    in.skip(2);  // flags
    table.schema = std::string(in.text(in.u8()));
    in.skip(1);
    table.table = std::string(in.text(in.u8()));
    in.skip(1);
    const uint64_t count = read_length(in);
    if (!in.ok()) return bad_event(event, "truncated");
    const std::string name = table.schema + "." + table.table;
    if (count > kMostColumns)
        return bad_event(event, name + ": " + std::to_string(count) + " columns");
    const Bytes types = in.take(count);
    ByteReader details(read_length_bytes(in));
    if (!in.ok()) return bad_event(event, name + ": truncated");

    table.columns.resize(count);
    for (size_t i = 0; i < count; ++i) {
        MappedColumn& column = table.columns[i];
        column.type = static_cast<ColumnType>(types[i]);
        const auto where = [&] {
            return name + ": column " + std::to_string(i + 1) + " (" +
                   column_type_name(column.type) + ")";
        };
        if (!read_type(details, column)) {
            return Error{
                Errc::Unsupported, Retry::Never, event.text() + ": " + where() + ": unknown type"
            };
        }
        if (const char* what = bad_type(column)) return bad_event(event, where() + ": " + what);
    }
    if (!details.ok()) return bad_event(event, name + ": column metadata truncated");
    const Bytes nullable = in.take((count + 7) / 8);
    if (!in.ok()) return bad_event(event, name + ": truncated");
    for (size_t i = 0; i < count; ++i) table.columns[i].nullable = bit_at(nullable, i);
    if (!read_metadata(in, table)) return bad_event(event, name + ": optional metadata truncated");
    return table;
}

}  // namespace obcanal::mysql

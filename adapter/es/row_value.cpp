#include "adapter/es/row_value.h"

#include "adapter/core/column_type.h"
#include "adapter/core/key_table.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace obcanal::adapter::es {
namespace {

using client::SqlType;

constexpr int32_t kTypesInteger = 4;  // java.sql.Types: an enum's index
constexpr int32_t kTypesBit = -7;     // a set's mask

struct Named {
    std::string_view name;
    ValueKind kind;
};

constexpr auto kKinds = std::to_array<Named>({
    {"tinyint", ValueKind::Integer},
    {"smallint", ValueKind::Integer},
    {"mediumint", ValueKind::Integer},
    {"int", ValueKind::Integer},
    {"integer", ValueKind::Integer},
    {"bigint", ValueKind::Integer},
    {"year", ValueKind::Integer},
    {"bit", ValueKind::Integer},
    {"decimal", ValueKind::Decimal},
    {"numeric", ValueKind::Decimal},
    {"float", ValueKind::Float},
    {"double", ValueKind::Float},
    {"real", ValueKind::Float},
    {"json", ValueKind::Json},
    {"date", ValueKind::Date},
    {"time", ValueKind::Time},
    {"datetime", ValueKind::DateTime},
    {"timestamp", ValueKind::DateTime},
    {"binary", ValueKind::Bytes},
    {"varbinary", ValueKind::Bytes},
    {"tinyblob", ValueKind::Bytes},
    {"blob", ValueKind::Bytes},
    {"mediumblob", ValueKind::Bytes},
    {"longblob", ValueKind::Bytes},
    {"geometry", ValueKind::Bytes},
    {"point", ValueKind::Bytes},
    {"linestring", ValueKind::Bytes},
    {"polygon", ValueKind::Bytes},
    {"multipoint", ValueKind::Bytes},
    {"multilinestring", ValueKind::Bytes},
    {"multipolygon", ValueKind::Bytes},
    {"geometrycollection", ValueKind::Bytes},
    {"geomcollection", ValueKind::Bytes},
});

// Without the zeros in front that ZEROFILL and YEAR have.
std::string plain_number(std::string_view text) {
    const bool minus = text.starts_with('-');
    std::string_view digits = text.substr(minus ? 1 : 0);
    if (!digits.starts_with('0')) return std::string(text);
    while (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') {
        digits.remove_prefix(1);
    }
    return (minus ? "-" : "") + std::string(digits);
}

// The shortest text that is the same number again.
template <class Number>
std::string shortest(std::string_view text) {
    double number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || end != text.data() + text.size()) return std::string(text);
    std::array<char, 64> room;
    const auto written =
        std::to_chars(room.data(), room.data() + room.size(), static_cast<Number>(number));
    return std::string(room.data(), written.ptr);
}

// Without blanks between its parts.
std::string compact_json(std::string_view text) {
    std::string compact;
    compact.reserve(text.size());
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\' && i + 1 < text.size()) {
            compact += c;
            compact += text[++i];
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (quoted || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) compact += c;
    }
    return compact;
}

// The number of a BIT in big-endian bytes.
std::string bit_number(std::string_view bytes) {
    uint64_t number = 0;
    for (const char c : bytes) number = number << 8U | static_cast<uint8_t>(c);
    return std::to_string(number);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos &&
           text.find_first_of("0123456789") != std::string_view::npos;
}

}  // namespace

EventColumn::EventColumn(std::string_view mysql_type) {
    const std::string base = core::base_type(mysql_type);
    const auto* found = std::ranges::find(kKinds, std::string_view(base), &Named::name);
    if (found != kKinds.end()) kind_ = found->kind;
    switch (kind_) {
        case ValueKind::Integer:
        case ValueKind::Decimal: decode_ = Decode::Number; break;
        case ValueKind::Float: decode_ = base == "float" ? Decode::Float : Decode::Double; break;
        case ValueKind::Json: decode_ = Decode::Json; break;
        case ValueKind::Bytes:
            decode_ = Decode::Bytes;
            if (base == "binary") width_ = core::type_width(mysql_type).value_or(1);
            break;
        default: break;
    }
    if (base == "enum" || base == "set") {
        decode_ = base == "enum" ? Decode::Enum : Decode::Set;
        members_ = core::type_members(mysql_type);
    }
}

FieldValue EventColumn::read(const core::DmlValue& value) const {
    if (value.state != core::ValueState::Value) return {};
    FieldValue read{kind_, {}};
    switch (decode_) {
        case Decode::None: read.text = value.text; break;
        case Decode::Number: read.text = plain_number(value.text); break;
        case Decode::Float: read.text = shortest<float>(value.text); break;
        case Decode::Double: read.text = shortest<double>(value.text); break;
        case Decode::Json: read.text = compact_json(value.text); break;
        case Decode::Bytes:
            read.text = core::latin1_bytes(value.text);
            if (read.text.size() < width_) read.text.resize(width_);
            break;
        case Decode::Enum:
            read.text = value.text;
            if (value.sql_type == kTypesInteger) {
                if (const auto label = core::enum_label(value.text, members_)) read.text = *label;
            }
            break;
        case Decode::Set:
            read.text = value.text;
            if (value.sql_type == kTypesBit && !members_.empty()) {
                if (auto labels = core::set_labels(value.text, members_)) {
                    read.text = std::move(*labels);
                }
            }
            break;
    }
    return read;
}

FieldValue read_cell(SqlType type, std::optional<std::string_view> cell, bool exact_float) {
    if (!cell) return {};
    switch (type) {
        case SqlType::Integer: return {ValueKind::Integer, plain_number(*cell)};
        case SqlType::Decimal: return {ValueKind::Decimal, plain_number(*cell)};
        case SqlType::Float: return {ValueKind::Float, shortest<float>(*cell)};
        case SqlType::Double:
            if (exact_float) return {ValueKind::Float, shortest<float>(*cell)};
            return {ValueKind::Float, shortest<double>(*cell)};
        case SqlType::Bit: return {ValueKind::Integer, bit_number(*cell)};
        case SqlType::Date: return {ValueKind::Date, std::string(*cell)};
        case SqlType::Time: return {ValueKind::Time, std::string(*cell)};
        case SqlType::DateTime: return {ValueKind::DateTime, std::string(*cell)};
        case SqlType::Json: return {ValueKind::Json, compact_json(*cell)};
        case SqlType::Bytes: return {ValueKind::Bytes, std::string(*cell)};
        case SqlType::Text: break;
    }
    return {ValueKind::Text, std::string(*cell)};
}

FieldValue literal_value(const SqlExpression& expression) {
    switch (expression.kind) {
        case SqlExpression::Kind::Text: return {ValueKind::Text, expression.literal};
        case SqlExpression::Kind::Number: {
            const bool whole = expression.literal.find_first_of(".eE") == std::string::npos;
            const bool real = expression.literal.find_first_of("eE") != std::string::npos;
            if (whole) return {ValueKind::Integer, plain_number(expression.literal)};
            if (real) return {ValueKind::Float, shortest<double>(expression.literal)};
            // MySQL prints ".5" as "0.5".
            std::string text = expression.literal;
            const size_t point = text.find('.');
            if (point == 0 || text[point - 1] == '-') text.insert(point, 1, '0');
            return {ValueKind::Decimal, plain_number(text)};
        }
        default: return {};
    }
}

void append_literal(std::string& sql, const FieldValue& value) {
    switch (value.kind) {
        case ValueKind::Null: sql += "NULL"; return;
        case ValueKind::Integer:
        case ValueKind::Decimal:
        case ValueKind::Float:
            if (is_number(value.text)) {
                sql += value.text;
                return;
            }
            break;
        case ValueKind::Bytes: sql += "X'" + to_hex(as_bytes(value.text)) + "'"; return;
        default: break;
    }
    sql += "_utf8mb4 X'" + to_hex(as_bytes(value.text)) + "'";
}

bool same_key(std::span<const FieldValue> a, std::span<const FieldValue> b) {
    return std::ranges::equal(a, b, [](const FieldValue& one, const FieldValue& other) {
        return one.is_null() == other.is_null() && one.text == other.text;
    });
}

size_t hash_key(std::span<const FieldValue> key) {
    size_t sum = 0;
    for (const FieldValue& value : key) sum = sum * 31 + core::hash_text(value.text);
    return sum;
}

}  // namespace obcanal::adapter::es

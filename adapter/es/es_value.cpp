#include "adapter/es/es_value.h"

#include "adapter/core/json_text.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

namespace obcanal::adapter::es {

namespace {

using core::append_json_string;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "-0012.50" and "+1" are numbers in SQL and not in JSON. "1E999" is one in JSON, and no parser of
// JSON takes it: beyond a double it goes on as text, which the server names in its refusal.
std::optional<std::string_view> json_number(std::string_view text) {
    if (!core::is_json_number(text)) return std::nullopt;
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    return read.ec == std::errc() ? std::optional(text) : std::nullopt;
}

void append_number(std::string& to, std::string_view text) {
    const std::string_view trimmed = trim(text);
    if (const auto number = json_number(trimmed)) {
        to += *number;
    } else {
        append_json_string(to, text);
    }
}

bool is_number_kind(ValueKind kind) {
    return kind == ValueKind::Integer || kind == ValueKind::Decimal || kind == ValueKind::Float;
}

void append_boolean(std::string& to, const FieldValue& value) {
    const std::string_view text = trim(value.text);
    double number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code == std::errc() && end == text.data() + text.size()) {
        to += number != 0 ? "true" : "false";
        return;
    }
    to += equals_ignore_case(text, "true") ? "true" : "false";
}

// -- dates

struct DateParts {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    std::string_view fraction;  // digits
    bool has_time = false;
};

// Two digits and more at `at`.
std::optional<int> digits(std::string_view text, size_t at, size_t count) {
    if (at + count > text.size()) return std::nullopt;
    int number = 0;
    for (size_t i = at; i < at + count; ++i) {
        if (!is_digit(text[i])) return std::nullopt;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

// "2024-01-02", "2024-01-02 03:04:05", also with "T" and with a fraction.
std::optional<DateParts> read_date(std::string_view text) {
    DateParts parts;
    const auto year = digits(text, 0, 4);
    const auto month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2);
    if (!year || !month || !day || text[4] != text[7] || (text[4] != '-' && text[4] != '/'))
        return std::nullopt;
    parts.year = *year;
    parts.month = static_cast<unsigned>(*month);
    parts.day = static_cast<unsigned>(*day);
    if (text.size() == 10) return parts;
    const auto hour = digits(text, 11, 2);
    const auto minute = digits(text, 14, 2);
    const auto second = digits(text, 17, 2);
    if (!hour || !minute || !second || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' ||
        text[16] != ':')
        return std::nullopt;
    parts.hour = *hour;
    parts.minute = *minute;
    parts.second = *second;
    parts.has_time = true;
    if (text.size() == 19) return parts;
    if (text[19] != '.' || text.size() == 20) return std::nullopt;
    parts.fraction = text.substr(20);
    for (const char c : parts.fraction) {
        if (!is_digit(c)) return std::nullopt;
    }
    return parts;
}

// Milliseconds, or as many digits as it takes: ".123", ".123456"; nothing for zero.
void append_fraction(std::string& to, std::string_view fraction) {
    while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
    if (fraction.empty()) return;
    to.push_back('.');
    to += fraction;
    const size_t width = fraction.size() <= 3 ? 3 : fraction.size() <= 6 ? 6 : 9;
    to.append(width > fraction.size() ? width - fraction.size() : 0, '0');
}

// `before`, then a number below 100 in two digits.
void append_digits(std::string& to, char before, int number) {
    to.push_back(before);
    to.push_back(static_cast<char>('0' + number / 10));
    to.push_back(static_cast<char>('0' + number % 10));
}

void append_offset(std::string& to, const DateParts& parts, const TimeZone& zone) {
    const std::chrono::year_month_day date{
        std::chrono::year(parts.year), std::chrono::month(parts.month), std::chrono::day(parts.day)
    };
    const int64_t local = std::chrono::sys_days(date).time_since_epoch().count() * 86'400 +
                          parts.hour * 3'600 + parts.minute * 60 + parts.second;
    // The offset belongs to UTC: one step further in settles it but for the hour of a change.
    const int32_t guess = zone.offset_at(local);
    const int32_t offset = zone.offset_at(local - guess);
    const int32_t size = std::abs(offset) / 60;
    append_digits(to, offset < 0 ? '-' : '+', size / 60);
    append_digits(to, ':', size % 60);
}

bool is_zero_date(const DateParts& parts) { return parts.month == 0 || parts.day == 0; }

void append_date(std::string& to, const DateParts& parts, const TimeZone& zone) {
    if (is_zero_date(parts)) {
        to += "null";
        return;
    }
    append_digits(to, '"', parts.year / 100);
    to.push_back(static_cast<char>('0' + parts.year / 10 % 10));
    to.push_back(static_cast<char>('0' + parts.year % 10));
    append_digits(to, '-', static_cast<int>(parts.month));
    append_digits(to, '-', static_cast<int>(parts.day));
    if (parts.has_time) {
        append_digits(to, 'T', parts.hour);
        append_digits(to, ':', parts.minute);
        append_digits(to, ':', parts.second);
        append_fraction(to, parts.fraction);
        append_offset(to, parts, zone);
    }
    to.push_back('"');
}

// "03:04:05.500000" -> "03:04:05.500".
void append_time(std::string& to, std::string_view text) {
    if (text.find_first_not_of("0123456789:.-") != std::string_view::npos)
        return append_json_string(to, text);
    const size_t point = text.find('.');
    to.push_back('"');
    to += text.substr(0, point);
    if (point != std::string_view::npos) append_fraction(to, text.substr(point + 1));
    to.push_back('"');
}

void append_es_date(std::string& to, const FieldValue& value, const TimeZone& zone) {
    switch (value.kind) {
        case ValueKind::Integer:
        case ValueKind::Decimal:
        case ValueKind::Float: append_number(to, value.text); return;
        case ValueKind::Time: append_time(to, value.text); return;
        default: break;
    }
    const std::string_view text = trim(value.text);
    if (text.empty()) {
        to += "null";
    } else if (const auto parts = read_date(text)) {
        append_date(to, *parts, zone);
    } else {
        append_json_string(to, value.text);
    }
}

// -- others

// Bytes of a text whose characters all are below 256; otherwise the text's own bytes.
std::string latin1_bytes(const std::string& text) {
    bool good = true;
    std::string bytes = core::narrow_latin1(text, good);
    return good ? bytes : text;
}

// {"lat": .., "lon": ..} of "lat,lon".
void append_geo_point(std::string& to, const FieldValue& value) {
    const size_t comma = value.text.find(',');
    if (comma != std::string::npos) {
        const auto lat = json_number(trim(std::string_view(value.text).substr(0, comma)));
        const auto lon = json_number(trim(std::string_view(value.text).substr(comma + 1)));
        if (lat && lon) {
            to += R"({"lat":)";
            to += *lat;
            to += R"(,"lon":)";
            to += *lon;
            to.push_back('}');
            return;
        }
    }
    append_json_string(to, value.text);
}

// The JSON text as it is, on one line; false when it is none.
bool append_raw_json(std::string& to, std::string_view text) {
    if (!parse_json(text)) return false;
    // Line ends stand between tokens only: inside of strings JSON has them escaped.
    for (const char c : text) to.push_back(c == '\n' || c == '\r' ? ' ' : c);
    return true;
}

void append_object(std::string& to, const FieldValue& value) {
    if (trim(value.text).empty()) {
        to += "{}";
    } else if (!append_raw_json(to, value.text)) {
        append_json_string(to, value.text);
    }
}

// Of a field that the index does not know, the value's own form.
void append_natural(std::string& to, const FieldValue& value, const TimeZone& zone) {
    switch (value.kind) {
        case ValueKind::Integer:
        case ValueKind::Decimal:
        case ValueKind::Float: append_number(to, value.text); return;
        case ValueKind::Bytes: core::append_base64(to, value.text); return;
        case ValueKind::Date:
        case ValueKind::Time:
        case ValueKind::DateTime: append_es_date(to, value, zone); return;
        default: append_json_string(to, value.text);
    }
}

void append_text(std::string& to, const FieldValue& value) {
    if (value.kind == ValueKind::Bytes && !is_utf8(as_bytes(value.text))) {
        core::append_base64(to, value.text);
    } else {
        append_json_string(to, value.text);
    }
}

}  // namespace

EsType es_type(std::string_view name) {
    constexpr std::array<std::string_view, 9> kNumbers{
        "integer",
        "long",
        "short",
        "byte",
        "unsigned_long",
        "double",
        "float",
        "half_float",
        "scaled_float",
    };
    for (const std::string_view number : kNumbers) {
        if (name == number) return EsType::Number;
    }
    if (name.empty() || name == "object" || name == "nested" || name == "flattened" ||
        name == "flat_object")
        return EsType::Object;
    if (name == "boolean") return EsType::Boolean;
    if (name == "date") return EsType::Date;
    if (name == "date_nanos") return EsType::DateNanos;
    if (name == "binary") return EsType::Binary;
    if (name == "geo_point") return EsType::GeoPoint;
    return EsType::Text;
}

void append_es_value(std::string& to, EsType type, const FieldValue& value, const TimeZone& zone) {
    if (value.kind == ValueKind::Null) {
        to += "null";
        return;
    }
    switch (type) {
        case EsType::Number: append_number(to, value.text); return;
        case EsType::Boolean: append_boolean(to, value); return;
        case EsType::Date:
        case EsType::DateNanos: append_es_date(to, value, zone); return;
        case EsType::Binary:
            if (value.kind == ValueKind::Bytes || is_number_kind(value.kind)) {
                core::append_base64(to, value.text);
            } else {
                core::append_base64(to, latin1_bytes(value.text));
            }
            return;
        case EsType::GeoPoint: append_geo_point(to, value); return;
        case EsType::Object: append_object(to, value); return;
        case EsType::Text: append_text(to, value); return;
        case EsType::Unknown: append_natural(to, value, zone); return;
    }
}

ObjectField read_object_field(std::string_view spec) {
    ObjectField field;
    spec = trim(spec);
    if (spec.starts_with("array:")) {
        field.kind = ObjectField::Kind::Array;
        // The reference's is a regular expression: "\\|" of it is a pipe here, too.
        const std::string_view separator = trim(spec.substr(6));
        for (size_t i = 0; i < separator.size(); ++i) {
            if (separator[i] == '\\' && i + 1 < separator.size()) ++i;
            field.separator.push_back(separator[i]);
        }
    } else if (spec.starts_with("object")) {
        field.kind = ObjectField::Kind::Json;
    }
    return field;
}

namespace {

std::vector<std::string_view> items_of(const ObjectField& field, std::string_view text) {
    std::vector<std::string_view> items;
    if (field.separator.empty()) {
        for (size_t at = 0; at < text.size();) {
            size_t next = at + 1;
            while (next < text.size() && (static_cast<uint8_t>(text[next]) & 0xc0) == 0x80) ++next;
            items.push_back(text.substr(at, next - at));
            at = next;
        }
    } else {
        for (size_t at = 0;;) {
            const size_t next = text.find(field.separator, at);
            if (next == std::string_view::npos) {
                items.push_back(text.substr(at));
                break;
            }
            items.push_back(text.substr(at, next - at));
            at = next + field.separator.size();
        }
    }
    if (text.empty()) return {std::string_view()};
    while (!items.empty() && items.back().empty()) items.pop_back();
    return items;
}

}  // namespace

void append_object_field(std::string& to, const ObjectField& field, const FieldValue& value) {
    if (value.kind == ValueKind::Null || field.kind == ObjectField::Kind::Null) {
        to += "null";
        return;
    }
    if (field.kind == ObjectField::Kind::Json) {
        if (!append_raw_json(to, value.text)) append_json_string(to, value.text);
        return;
    }
    to.push_back('[');
    bool first = true;
    for (const std::string_view item : items_of(field, value.text)) {
        if (!first) to.push_back(',');
        first = false;
        append_json_string(to, item);
    }
    to.push_back(']');
}

}  // namespace obcanal::adapter::es

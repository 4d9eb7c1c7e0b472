#include "adapter/rdb/value.h"

#include "adapter/rdb/geometry.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

namespace {

constexpr int32_t kTypesInteger = 4;
constexpr int32_t kTypesBit = -7;

enum class Kind : uint8_t { Integer, Number, Bit, Text, Bytes, Date, Geometry, Enum, Set };

struct Named {
    std::string_view name;
    Kind kind;
};

constexpr std::array kKinds = std::to_array<Named>({
    {"tinyint", Kind::Integer},
    {"smallint", Kind::Integer},
    {"mediumint", Kind::Integer},
    {"int", Kind::Integer},
    {"integer", Kind::Integer},
    {"bigint", Kind::Integer},
    {"int2", Kind::Integer},
    {"int4", Kind::Integer},
    {"int8", Kind::Integer},
    {"year", Kind::Integer},
    {"decimal", Kind::Number},
    {"numeric", Kind::Number},
    {"float", Kind::Number},
    {"double", Kind::Number},
    {"real", Kind::Number},
    {"bit", Kind::Bit},
    {"date", Kind::Date},
    {"datetime", Kind::Date},
    {"timestamp", Kind::Date},
    {"timestamptz", Kind::Date},
    {"binary", Kind::Bytes},
    {"varbinary", Kind::Bytes},
    {"tinyblob", Kind::Bytes},
    {"blob", Kind::Bytes},
    {"mediumblob", Kind::Bytes},
    {"longblob", Kind::Bytes},
    {"bytea", Kind::Bytes},
    {"geometry", Kind::Geometry},
    {"point", Kind::Geometry},
    {"linestring", Kind::Geometry},
    {"polygon", Kind::Geometry},
    {"multipoint", Kind::Geometry},
    {"multilinestring", Kind::Geometry},
    {"multipolygon", Kind::Geometry},
    {"geometrycollection", Kind::Geometry},
    {"geomcollection", Kind::Geometry},
    {"enum", Kind::Enum},
    {"set", Kind::Set},
});

Kind kind_of(std::string_view base) {
    const auto* found = std::ranges::find(kKinds, base, &Named::name);
    return found == kKinds.end() ? Kind::Text : found->kind;
}

bool is_zero_date(std::string_view text) { return text.starts_with("0000-00-00"); }

bool is_ascii(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<uint8_t>(c) >= 0x80; });
}

ValueRule::Decode text_decode(Kind source) {
    switch (source) {
        case Kind::Enum: return ValueRule::Decode::Enum;
        case Kind::Set: return ValueRule::Decode::Set;
        default: return ValueRule::Decode::None;
    }
}

ValueRule mysql_rule(std::string_view source_type, Kind source, const TargetColumn& target) {
    ValueRule rule;
    const Kind kind = kind_of(target.type);
    if (source == Kind::Bytes || source == Kind::Geometry) {
        rule.bind = target.wkb && source == Kind::Geometry ? BindAs::Wkb : BindAs::Bytes;
        rule.decode =
            source == Kind::Geometry ? ValueRule::Decode::Geometry : ValueRule::Decode::Bytes;
        return rule;
    }
    const bool number = source == Kind::Integer || source == Kind::Bit || source == Kind::Number;
    if (source == Kind::Bit) {
        // As an integer into every type: text would be taken for the bits themselves.
        rule.bind = BindAs::Unsigned;
    } else if (number && (kind == Kind::Integer || kind == Kind::Bit)) {
        if (source == Kind::Integer) {
            rule.bind = is_unsigned_type(source_type) ? BindAs::Unsigned : BindAs::Signed;
        } else {
            rule.bind = BindAs::Number;
        }
    } else if (number && kind == Kind::Number) {
        rule.bind = BindAs::Number;
    } else {
        rule.decode = text_decode(source);
    }
    return rule;
}

ValueRule postgres_rule(std::string_view source_type, Kind source, const TargetColumn& target) {
    using Decode = ValueRule::Decode;
    ValueRule rule;  // literals of no type: the server gives them the column's
    if (target.type == "bytea") {
        rule.bind = BindAs::Bytes;
        rule.decode = source == Kind::Bytes ? Decode::Bytes : text_decode(source);
        rule.decode = source == Kind::Geometry ? Decode::Geometry : rule.decode;
    } else if (source == Kind::Geometry) {
        rule.decode = Decode::Ewkb;
    } else if (source == Kind::Bytes) {
        rule.decode = Decode::Bytes;
    } else if (target.type == "bit" || target.type == "varbit") {
        const bool number = source == Kind::Bit || source == Kind::Integer;
        rule.decode = number ? Decode::BitString : Decode::None;
        rule.width = core::type_width(source == Kind::Bit ? source_type : "")
                         .value_or(core::type_width(target.full_type).value_or(1));
    } else if (target.type == "bool" && (source == Kind::Integer || source == Kind::Bit)) {
        rule.decode = Decode::Boolean;
    } else if (source == Kind::Date) {
        rule.decode = Decode::Date;
    } else {
        rule.decode = text_decode(source);
    }
    return rule;
}

std::string bit_string(uint64_t value, uint32_t width) {
    std::string text(width, '0');
    for (size_t i = 0; i < width && i < 64; i++) {
        if ((value >> i & 1U) != 0) {
            text[width - 1 - i] = '1';
        }
    }
    return text;
}

Arg kept(std::string text, Arena& arena) { return {arena.emplace_back(std::move(text)), false}; }

// The log has BINARY columns without the zeros at their end.
Arg bytes_arg(const ValueRule& rule, std::string_view text, Arena& arena) {
    const bool ascii = is_ascii(text);
    if (ascii && text.size() >= rule.width) {
        return {text, false};
    }
    std::string bytes = ascii ? std::string(text) : core::latin1_bytes(text);
    bytes.resize(std::max<size_t>(bytes.size(), rule.width));
    return kept(std::move(bytes), arena);
}

// From a binary log bytes, from an OceanBase log text.
std::string geometry_bytes(std::string_view text) {
    auto bytes = geometry_of_text(text);
    return bytes ? std::move(*bytes) : core::latin1_bytes(text);
}

Arg zero_date(const ValueRule& rule, std::string_view text) {
    switch (rule.zero_date) {
        case ZeroDate::Null: return {{}, true};
        case ZeroDate::Epoch: return {"1970-01-01 00:00:00", false};
        case ZeroDate::Refuse: return {text, false};
    }
    return {text, false};
}

}  // namespace

ValueRule make_rule(
    std::string_view source_type, const TargetColumn& target, SqlFamily family, ZeroDate zero_date
) {
    const Kind source = kind_of(base_type(source_type));
    ValueRule rule = family == SqlFamily::Mysql ? mysql_rule(source_type, source, target)
                                                : postgres_rule(source_type, source, target);
    rule.zero_date = zero_date;
    if (family == SqlFamily::Mysql && kind_of(target.type) == Kind::Enum) {
        // An empty one is a member like others.
        const auto members = type_members(target.full_type);
        const bool empty = std::ranges::find(members, "") != members.end();
        rule.enum_member = members.empty() || empty ? "" : members.front();
    }
    if (rule.decode == ValueRule::Decode::Bytes && base_type(source_type) == "binary") {
        rule.width = core::type_width(source_type).value_or(0);
    }
    if (rule.decode == ValueRule::Decode::Enum || rule.decode == ValueRule::Decode::Set) {
        rule.labels = type_members(source_type);
    }
    return rule;
}

Arg read_value(const ValueRule& rule, const core::DmlValue& value, Arena& arena) {
    using Decode = ValueRule::Decode;
    if (value.state != core::ValueState::Value) {
        return {{}, true};
    }
    switch (rule.decode) {
        case Decode::None: return {value.text, false};
        case Decode::Bytes: return bytes_arg(rule, value.text, arena);
        case Decode::RawEwkb: return kept(geometry_ewkb(value.text), arena);
        case Decode::Geometry: return kept(geometry_bytes(value.text), arena);
        case Decode::Ewkb: return kept(geometry_ewkb(geometry_bytes(value.text)), arena);
        case Decode::Date:
            return is_zero_date(value.text) ? zero_date(rule, value.text) : Arg{value.text, false};
        case Decode::Boolean: return {value.text == "0" ? "false" : "true", false};
        default: break;
    }
    const auto number = parse_uint(value.text);
    if (!number) {
        return {value.text, false};
    }
    if (rule.decode == Decode::BitString) {
        return kept(bit_string(*number, rule.width), arena);
    }
    if (rule.decode == Decode::Set) {
        const bool mask = value.sql_type == kTypesBit && !rule.labels.empty();
        return mask ? kept(core::set_labels(value.text, rule.labels).value_or(""), arena)
                    : Arg{value.text, false};
    }
    const auto label = core::enum_label(value.text, rule.labels);
    if (value.sql_type != kTypesInteger || !label) {
        return {value.text, false};
    }
    return {*label, false};
}

}  // namespace obcanal::adapter::rdb

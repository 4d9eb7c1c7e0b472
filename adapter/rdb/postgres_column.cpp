#include "adapter/rdb/postgres_column.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

namespace {

using Kind = PostgresColumn::Kind;

struct TypeRow {
    std::string_view mysql;
    Kind kind;
    std::string_view type;       // PostgreSQL's
    std::string_view type_name;  // of pg_type
    std::string_view unsigned_type;
    std::string_view unsigned_name;
    bool length = false;  // takes over what stands in the parenthesis
};

// Wider where the source's range is not PostgreSQL's. TIME holds more than a day: interval. JSON
// keeps its text: json, not jsonb. CHAR does not keep blanks at its end: varchar.
constexpr std::array kTypes = std::to_array<TypeRow>({
    {"bool", Kind::Number, "smallint", "int2", "", ""},
    {"boolean", Kind::Number, "smallint", "int2", "", ""},
    {"tinyint", Kind::Number, "smallint", "int2", "smallint", "int2"},
    {"int1", Kind::Number, "smallint", "int2", "smallint", "int2"},
    {"smallint", Kind::Number, "smallint", "int2", "integer", "int4"},
    {"int2", Kind::Number, "smallint", "int2", "integer", "int4"},
    {"mediumint", Kind::Number, "integer", "int4", "integer", "int4"},
    {"int3", Kind::Number, "integer", "int4", "integer", "int4"},
    {"int", Kind::Number, "integer", "int4", "bigint", "int8"},
    {"integer", Kind::Number, "integer", "int4", "bigint", "int8"},
    {"int4", Kind::Number, "integer", "int4", "bigint", "int8"},
    {"bigint", Kind::Number, "bigint", "int8", "numeric(20)", "numeric"},
    {"int8", Kind::Number, "bigint", "int8", "numeric(20)", "numeric"},
    {"year", Kind::Number, "smallint", "int2", "smallint", "int2"},
    {"decimal", Kind::Number, "numeric", "numeric", "numeric", "numeric", true},
    {"dec", Kind::Number, "numeric", "numeric", "numeric", "numeric", true},
    {"numeric", Kind::Number, "numeric", "numeric", "numeric", "numeric", true},
    {"fixed", Kind::Number, "numeric", "numeric", "numeric", "numeric", true},
    {"float", Kind::Real, "real", "float4", "real", "float4"},
    {"float4", Kind::Real, "real", "float4", "real", "float4"},
    {"float8", Kind::Real, "double precision", "float8", "double precision", "float8"},
    {"double", Kind::Real, "double precision", "float8", "double precision", "float8"},
    {"real", Kind::Real, "double precision", "float8", "double precision", "float8"},
    {"bit", Kind::Bit, "bit", "bit", "", "", true},
    {"date", Kind::Date, "date", "date", "", ""},
    {"datetime", Kind::Timestamp, "timestamp", "timestamp", "", "", true},
    {"timestamp", Kind::Timestamp, "timestamp", "timestamp", "", "", true},
    {"time", Kind::Time, "interval", "interval", "", "", true},
    {"char", Kind::Text, "varchar", "varchar", "", "", true},
    {"nchar", Kind::Text, "varchar", "varchar", "", "", true},
    {"varchar", Kind::Text, "varchar", "varchar", "", "", true},
    {"nvarchar", Kind::Text, "varchar", "varchar", "", "", true},
    {"tinytext", Kind::Text, "text", "text", "", ""},
    {"text", Kind::Text, "text", "text", "", ""},
    {"mediumtext", Kind::Text, "text", "text", "", ""},
    {"longtext", Kind::Text, "text", "text", "", ""},
    {"enum", Kind::Text, "text", "text", "", ""},
    {"set", Kind::Text, "text", "text", "", ""},
    {"uuid", Kind::Text, "text", "text", "", ""},
    {"inet4", Kind::Text, "text", "text", "", ""},
    {"inet6", Kind::Text, "text", "text", "", ""},
    {"json", Kind::Json, "json", "json", "", ""},
    {"binary", Kind::Bytes, "bytea", "bytea", "", ""},
    {"varbinary", Kind::Bytes, "bytea", "bytea", "", ""},
    {"tinyblob", Kind::Bytes, "bytea", "bytea", "", ""},
    {"blob", Kind::Bytes, "bytea", "bytea", "", ""},
    {"mediumblob", Kind::Bytes, "bytea", "bytea", "", ""},
    {"longblob", Kind::Bytes, "bytea", "bytea", "", ""},
    {"geometry", Kind::Bytes, "bytea", "bytea", "", ""},
    {"point", Kind::Bytes, "bytea", "bytea", "", ""},
    {"linestring", Kind::Bytes, "bytea", "bytea", "", ""},
    {"polygon", Kind::Bytes, "bytea", "bytea", "", ""},
    {"multipoint", Kind::Bytes, "bytea", "bytea", "", ""},
    {"multilinestring", Kind::Bytes, "bytea", "bytea", "", ""},
    {"multipolygon", Kind::Bytes, "bytea", "bytea", "", ""},
    {"geometrycollection", Kind::Bytes, "bytea", "bytea", "", ""},
});

constexpr uint64_t kFloatDigits = 24;  // FLOAT(p) with more is a DOUBLE

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string postgres_text(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c;
        if (c == '\'') {
            out += c;
        }
    }
    return out + "'";
}

std::string postgres_name(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c;
        if (c == '"') {
            out += c;
        }
    }
    return out + "\"";
}

std::optional<std::string> PostgresColumn::implicit_default() const {
    switch (kind) {
        case Kind::Number:
        case Kind::Real: return "0";
        case Kind::Text: return postgres_text(first_member);
        case Kind::Bytes: return "'\\x'";
        case Kind::Bit: return "B'" + std::string(bits, '0') + "'";
        case Kind::Time: return "'00:00:00'";
        default: return std::nullopt;  // zero dates, JSON's null
    }
}

Error PostgresColumnReader::refused(const PostgresColumn& column, std::string what) {
    return {Errc::Unsupported, Retry::Backoff, "column " + column.name + ": " + std::move(what)};
}

Result<void> PostgresColumnReader::read(PostgresColumn& column) {
    if (auto type = read_type(column); !type) {
        return type;
    }
    return read_attributes(column);
}

// Of "(10,2)"; of an enum's members nothing.
std::vector<std::string> PostgresColumnReader::numbers() {
    std::vector<std::string> found;
    if (!tokens_.take('(')) {
        return found;
    }
    while (!tokens_.at_end() && !tokens_.peek().is(')')) {
        const mysql::Token token = tokens_.next();
        if (token.kind == mysql::TokenKind::Text || is_number(token.text)) {
            found.push_back(token.value());
        }
    }
    tokens_.take(')');
    return found;
}

Result<void> PostgresColumnReader::read_type(PostgresColumn& column) {
    std::string word = to_lower(tokens_.next().text);
    if (word == "serial") {
        column.type = "numeric(20)";
        column.type_name = "numeric";
        column.kind = Kind::Number;
        column.not_null = true;
        column.unique = true;
        return {};
    }
    if (word == "national" || word == "character") {
        word = word == "character" ? "char" : to_lower(tokens_.next().text);
        word = tokens_.take("VARYING") ? "varchar" : word == "character" ? "char" : word;
    } else if (word == "char" && tokens_.take("BYTE")) {
        word = "binary";
    } else if (word == "long") {
        const bool bytes = tokens_.take("VARBINARY");
        static_cast<void>(tokens_.take("VARCHAR"));
        word = bytes ? "mediumblob" : "mediumtext";
    }
    const auto* row = std::ranges::find(kTypes, word, &TypeRow::mysql);
    if (row == kTypes.end()) {
        return refused(column, "type " + word + " is not known to PostgreSQL or to us");
    }
    static_cast<void>(tokens_.take("PRECISION"));
    const std::vector<std::string> lengths = numbers();
    bool is_unsigned = false;
    while (true) {
        if (tokens_.take("UNSIGNED") || tokens_.take("ZEROFILL")) {
            is_unsigned = true;
        } else if (!tokens_.take("SIGNED") && !tokens_.take("BINARY")) {
            break;
        }
    }
    const bool wide = is_unsigned && !row->unsigned_type.empty();
    column.kind = row->kind;
    column.type = wide ? row->unsigned_type : row->type;
    column.type_name = wide ? row->unsigned_name : row->type_name;
    if (word == "enum" && !lengths.empty()) {
        column.first_member = lengths.front();
    }
    if (word == "float" && lengths.size() == 1 &&
        parse_uint(lengths[0]).value_or(0) > kFloatDigits) {
        column.type = "double precision";
        column.type_name = "float8";
    }
    if (!row->length) {
        return {};
    }
    std::string length = lengths.empty() ? "" : lengths[0];
    if (row->type == "numeric") {
        length = (length.empty() || length == "0" ? "10" : length) + "," +
                 (lengths.size() > 1 ? lengths[1] : "0");
    } else if (length.empty()) {
        const bool fraction = column.kind == Kind::Timestamp || column.kind == Kind::Time;
        length = fraction ? "0" : "1";
    }
    column.bits = static_cast<uint32_t>(parse_uint(length).value_or(1));
    if (row->type == "varchar" && length == "0") {
        length = "1";
    }
    column.type += "(" + length + ")";
    return {};
}

Result<void> PostgresColumnReader::read_attributes(PostgresColumn& column) {
    using mysql::TokenKind;
    while (!tokens_.at_statement_end() && !tokens_.peek().is(',') && !tokens_.peek().is(')') &&
           !tokens_.peek().is_word("FIRST") && !tokens_.peek().is_word("AFTER")) {
        if (tokens_.take("NOT", "NULL")) {
            column.not_null = true;
        } else if (tokens_.take("DEFAULT")) {
            if (auto done = read_default(column); !done) {
                return done;
            }
        } else if (tokens_.take("PRIMARY", "KEY") || tokens_.take("KEY")) {
            column.primary = true;
            column.not_null = true;
        } else if (tokens_.take("UNIQUE")) {
            column.unique = true;
            static_cast<void>(tokens_.take("KEY"));
        } else if (tokens_.take("ON", "UPDATE")) {
            static_cast<void>(tokens_.next());
            static_cast<void>(numbers());
        } else if (tokens_.take("COMMENT") || tokens_.take("COLLATE") ||
                   tokens_.take("CHARACTER", "SET") || tokens_.take("CHARSET") ||
                   tokens_.take("COLUMN_FORMAT") || tokens_.take("STORAGE") ||
                   tokens_.take("SRID")) {
            static_cast<void>(tokens_.take('='));
            static_cast<void>(tokens_.next());
        } else if (tokens_.take("CHECK")) {
            notes_.push_back("CHECK of " + column.name);
            tokens_.skip_parenthesis();
        } else if (tokens_.take("CONSTRAINT")) {
            if (!tokens_.peek().is_word("CHECK")) {
                static_cast<void>(tokens_.next());
            }
        } else if (tokens_.peek().is_word("GENERATED") || tokens_.peek().is_word("AS")) {
            return refused(column, "generated columns are not translated");
        } else if (tokens_.peek().is_word("REFERENCES")) {
            return refused(column, "REFERENCES of a column is not translated");
        } else if (!tokens_.take("NULL") && !tokens_.take("AUTO_INCREMENT") &&
                   !tokens_.take("VISIBLE") && !tokens_.take("INVISIBLE") &&
                   !tokens_.take("COMPRESSED") && !tokens_.take("BINARY") &&
                   !tokens_.take("ASCII") && !tokens_.take("UNICODE") && !tokens_.take("ENABLE") &&
                   !tokens_.take("DISABLE")) {
            return refused(column, printable(tokens_.peek().text) + " is not translated");
        }
    }
    return {};
}

Result<void> PostgresColumnReader::read_default(PostgresColumn& column) {
    using mysql::TokenKind;
    column.initial.reset();
    if (tokens_.take("NULL")) {
        return {};
    }
    if (tokens_.peek().is('(')) {
        tokens_.skip_parenthesis();
        column.computed = true;
        return {};
    }
    const bool minus = tokens_.peek().is('-');
    if (minus || tokens_.peek().is('+')) {
        static_cast<void>(tokens_.next());
    }
    const mysql::Token token = tokens_.next();
    const std::string lower = to_lower(token.text);
    if (token.kind == TokenKind::Text || token.kind == TokenKind::DoubleText) {
        return set_default(column, token.value(), true);
    }
    const bool letter = lower == "b" || lower == "x" || lower == "n";
    if (letter && tokens_.peek().kind == TokenKind::Text) {
        const std::string text = tokens_.next().value();
        if (lower == "b" && column.kind == Kind::Bit && text.size() <= column.bits) {
            column.initial = "B'" + std::string(column.bits - text.size(), '0') + text + "'";
            return {};
        }
        if (lower == "x" && column.kind == Kind::Bytes) {
            column.initial = "'\\x" + text + "'";
            return {};
        }
        if (lower == "n") {
            return set_default(column, text, true);
        }
        return refused(column, "DEFAULT " + std::string(token.text) + "'" + text + "'");
    }
    if (lower == "true" || lower == "false") {
        return set_default(column, lower == "true" ? "1" : "0", false);
    }
    if (is_number(token.text) || token.is('.') || (lower[0] >= '0' && lower[0] <= '9')) {
        std::string number(minus ? "-" : "");
        number += token.text;
        size_t end = token.end();
        // "1.5", "1e-3": the parts follow each other without a blank.
        while (tokens_.peek().begin == end && !tokens_.at_statement_end() &&
               !tokens_.peek().is(',') && !tokens_.peek().is(')')) {
            number += tokens_.peek().text;
            end = tokens_.peek().end();
            static_cast<void>(tokens_.next());
        }
        return set_default(column, number, false);
    }
    static_cast<void>(numbers());
    if (lower == "current_timestamp" || lower == "now" || lower == "localtime" ||
        lower == "localtimestamp") {
        column.now = true;
    } else {
        column.computed = true;
    }
    return {};
}

Result<void> PostgresColumnReader::set_default(
    PostgresColumn& column, std::string text, bool is_text
) {
    if (text.find('\0') != std::string::npos) {
        return refused(column, "DEFAULT holds a zero byte");
    }
    if (column.kind == Kind::Bytes) {
        column.initial = "'\\x" + to_hex(as_bytes(text)) + "'";
    } else if (column.kind == Kind::Bit) {
        const auto number = is_text ? std::nullopt : parse_uint(text);
        if (!number) {
            return refused(column, "DEFAULT '" + printable(text) + "' of a BIT");
        }
        std::string bits;
        for (uint32_t i = column.bits; i-- > 0;) {
            bits += i < 64 && (*number >> i & 1U) != 0 ? '1' : '0';
        }
        column.initial = "B'" + bits + "'";
    } else if (text.starts_with("0000-00-00") || text.starts_with("0000-00-00 ")) {
        column.computed = true;  // no date that PostgreSQL has
    } else {
        column.initial = postgres_text(text);
    }
    return {};
}

}  // namespace obcanal::adapter::rdb

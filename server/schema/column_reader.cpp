#include "server/schema/column_reader.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <span>

namespace obcanal::schema {
namespace {

// Words that begin a constraint when they stand bare, where a column could stand.
constexpr std::array<std::string_view, 9> kConstraints = {
    "CHECK", "CONSTRAINT", "FOREIGN", "FULLTEXT", "INDEX", "KEY", "PRIMARY", "SPATIAL", "UNIQUE"
};
// The same, but they name columns as well: what follows tells.
constexpr std::array<std::string_view, 3> kPerhapsConstraints = {"CLUSTERING", "PERIOD", "VECTOR"};

constexpr std::array<std::string_view, 16> kTextTypes = {
    "CHAR",
    "CHARACTER",
    "CLOB",
    "ENUM",
    "LONG",
    "LONGTEXT",
    "MEDIUMTEXT",
    "NATIONAL",
    "NCHAR",
    "NVARCHAR",
    "NVARCHAR2",
    "SET",
    "TEXT",
    "TINYTEXT",
    "VARCHAR",
    "VARCHAR2",
};

bool is_one_of(const Token& token, std::span<const std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) { return token.is_word(word); });
}

bool at_item_end(const TokenReader& tokens) {
    return tokens.at_statement_end() || tokens.peek().is(',') || tokens.peek().is(')');
}

// 'a' as Canal spells it: quotes doubled, backslashes too.
std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += c;
        out += c;
    }
    return out + "'";
}

// ('a','b'), (10,2), (10 CHAR): without blanks that separate nothing.
bool take_arguments(TokenReader& tokens, ColumnDefinition& column) {
    if (!tokens.take('(')) return true;
    column.type += '(';
    bool after_word = false;
    while (!tokens.at_end() && !tokens.peek().is(')')) {
        const Token token = tokens.next();
        if (token.kind == TokenKind::Text || token.kind == TokenKind::DoubleText) {
            column.members.push_back(token.value());
            column.type += quoted(column.members.back());
            continue;
        }
        if (token.is('(') || token.is(';')) return false;
        const bool word = token.kind == TokenKind::Word;
        if (word && after_word) column.type += ' ';
        column.type += token.text;
        after_word = word;
    }
    column.type += ')';
    return tokens.take(')');
}

void take_type_word(TokenReader& tokens, ColumnDefinition& column, std::string_view word) {
    if (!tokens.peek().is_word(word)) return;
    column.type += ' ';
    column.type += tokens.next().text;
}

// Java Canal's rule: FLOAT(p) beyond single precision is shown as double(p).
void widen_float(ColumnDefinition& column) {
    constexpr std::string_view kFloat = "FLOAT(";
    if (!equals_ignore_case(std::string_view(column.type).substr(0, kFloat.size()), kFloat)) return;
    const std::string_view argument =
        std::string_view(column.type).substr(kFloat.size(), column.type.size() - kFloat.size() - 1);
    const std::optional<uint64_t> precision = parse_uint(argument);
    if (precision && *precision > 24) column.type.replace(0, 5, "double");
}

bool take_type(TokenReader& tokens, ColumnDefinition& column) {
    if (tokens.peek().kind != TokenKind::Word) return false;
    const Token base = tokens.next();
    column.type = base.text;
    if (tokens.take('.')) column.type = tokens.next().text;  // MariaDB: mariadb_schema.date
    for (const std::string_view word : {"CHAR", "CHARACTER", "VARCHAR", "VARCHAR2", "VARBINARY"}) {
        const bool two = base.is_word("NATIONAL") || base.is_word("LONG") || base.is_word("NCHAR");
        if (two) take_type_word(tokens, column, word);
    }
    if (base.is_word("DOUBLE")) take_type_word(tokens, column, "PRECISION");
    if (is_text_type(column.type)) take_type_word(tokens, column, "VARYING");
    if (!take_arguments(tokens, column)) return false;
    if (!base.is_word("ENUM") && !base.is_word("SET")) column.members.clear();
    if (base.is_word("JSON")) column.charset = "utf8mb4";  // MariaDB: a LONGTEXT
    if (base.is_word("NATIONAL") || base.is_word("NCHAR") || base.is_word("NVARCHAR")) {
        column.charset = "utf8mb3";
    }
    if (base.is_word("SERIAL")) {  // BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE
        column.is_unsigned = true;
        column.nullable = false;
    }
    widen_float(column);
    return true;
}

// One value, which may be an expression in parentheses, a call, or a literal with its introducer.
void skip_value(TokenReader& tokens) {
    while (tokens.take('-') || tokens.take('+')) {
    }
    if (at_item_end(tokens)) return;
    if (!tokens.peek().is('(')) {
        const Token first = tokens.next();
        const bool introducer =
            first.kind == TokenKind::Word && tokens.peek().kind == TokenKind::Text;
        if (introducer) tokens.next();
        while (tokens.take('.')) tokens.next();  // 1.5, or a qualified function
    }
    if (tokens.peek().is('(')) tokens.skip_parenthesis();
}

void take_not(TokenReader& tokens, ColumnDefinition& column) {
    if (tokens.take("NULL")) column.nullable = false;
}

// One attribute of a column; what is unknown is one token less.
void take_attribute(TokenReader& tokens, PlacedColumn& placed, bool& zerofill) {
    ColumnDefinition& column = placed.column;
    if (std::optional<std::string> charset = take_charset(tokens)) {
        if (!charset->empty()) column.charset = std::move(*charset);
        return;
    }
    if (tokens.peek().is('(')) return tokens.skip_parenthesis();
    const Token word = tokens.next();
    if (word.is_word("UNSIGNED")) {
        column.is_unsigned = true;
    } else if (word.is_word("ZEROFILL")) {
        zerofill = column.is_unsigned = true;
    } else if (word.is_word("NOT")) {
        take_not(tokens, column);
    } else if (word.is_word("NULL")) {
        column.nullable = true;
    } else if (word.is_word("PRIMARY") || word.is_word("KEY")) {
        tokens.take("KEY");
        column.is_key = true;
    } else if (word.is_word("UNIQUE")) {
        tokens.take("KEY");
    } else if (word.is_word("BYTE")) {
        column.charset = "binary";
    } else if (word.is_word("ASCII")) {
        column.charset = "latin1";
    } else if (word.is_word("UNICODE")) {
        column.charset = "ucs2";
    } else if (word.is_word("DEFAULT") || word.is_word("COMMENT")) {
        skip_value(tokens);
    } else if (word.is_word("ON")) {  // UPDATE now(), DELETE SET NULL
        const bool update = tokens.take("UPDATE");
        if (update)
            skip_value(tokens);
        else if (tokens.take("DELETE") && tokens.take("SET"))
            tokens.next();
    } else if (word.is_word("FIRST")) {
        placed.placement.kind = Placement::Kind::First;
    } else if (word.is_word("AFTER") && tokens.peek().is_name()) {
        placed.placement = {Placement::Kind::After, tokens.next().value()};
    }
}

}  // namespace

std::optional<PlacedColumn> take_column(TokenReader& tokens) {
    if (!tokens.peek().is_name()) return std::nullopt;
    PlacedColumn placed;
    ColumnDefinition& column = placed.column;
    column.name = tokens.next().value();
    if (!take_type(tokens, column)) return std::nullopt;
    bool zerofill = false;
    while (!at_item_end(tokens)) take_attribute(tokens, placed, zerofill);
    if (column.is_unsigned && !equals_ignore_case(column.type, "SERIAL"))
        column.type += " unsigned";
    if (zerofill) column.type += " zerofill";
    if (column.is_key) column.nullable = false;
    if (!is_text_type(column.type) && !equals_ignore_case(column.type, "JSON"))
        column.charset.clear();
    return placed;
}

bool at_constraint(const TokenReader& tokens) {
    if (is_one_of(tokens.peek(), kConstraints)) return true;
    if (!is_one_of(tokens.peek(), kPerhapsConstraints)) return false;
    TokenReader ahead = tokens;
    ahead.next();
    return ahead.peek().is_word("KEY") || ahead.peek().is_word("INDEX") ||
           ahead.peek().is_word("FOR");
}

std::vector<std::string> take_constraint(TokenReader& tokens) {
    std::vector<std::string> columns;
    if (tokens.take("CONSTRAINT")) {
        if (!at_constraint(tokens) && tokens.peek().is_name()) tokens.next();
    }
    const bool primary = tokens.peek().is_word("PRIMARY");
    while (!at_item_end(tokens) && !(primary && tokens.peek().is('('))) {
        if (tokens.peek().is('('))
            tokens.skip_parenthesis();
        else
            tokens.next();
    }
    if (!primary || !tokens.take('(')) return columns;
    while (tokens.peek().is_name()) {
        columns.push_back(tokens.next().value());
        tokens.skip_item();  // length, ASC, DESC
        if (!tokens.take(',')) break;
    }
    tokens.take(')');
    tokens.skip_item();
    return columns;
}

std::optional<std::vector<PlacedColumn>> take_column_list(TokenReader& tokens) {
    if (!tokens.take('(')) return std::nullopt;
    std::vector<PlacedColumn> placed;
    std::vector<std::string> key;
    do {
        if (at_constraint(tokens)) {
            const std::vector<std::string> columns = take_constraint(tokens);
            key.insert(key.end(), columns.begin(), columns.end());
        } else {
            std::optional<PlacedColumn> column = take_column(tokens);
            if (!column || placed.size() == kMostColumns) return std::nullopt;
            placed.push_back(std::move(*column));
        }
    } while (tokens.take(','));
    if (!tokens.take(')')) return std::nullopt;
    for (const std::string& name : key) {
        const auto found = std::ranges::find_if(placed, [&](const PlacedColumn& one) {
            return equals_ignore_case(one.column.name, name);
        });
        if (found == placed.end()) return std::nullopt;
        found->column.is_key = true;
        found->column.nullable = false;
    }
    return placed;
}

std::optional<std::string> take_charset(TokenReader& tokens) {
    TokenReader ahead = tokens;
    ahead.take("DEFAULT");
    const bool collation = ahead.take("COLLATE");
    if (!collation && !ahead.take("CHARSET") && !ahead.take("CHARACTER", "SET") &&
        !ahead.take("CHAR", "SET")) {
        return std::nullopt;
    }
    ahead.take('=');
    if (ahead.at_statement_end()) return std::nullopt;
    std::string name = to_lower(ahead.next().value());
    if (collation) {
        // MariaDB's uca1400_... fits every character set.
        if (name.starts_with("uca1400")) name.clear();
        name.resize(std::min(name.size(), name.find('_')));
    }
    tokens = ahead;
    return name;
}

bool is_text_type(std::string_view type) {
    const std::string_view base = type.substr(0, type.find_first_of("( "));
    if (equals_ignore_case(type.substr(0, 14), "LONG VARBINARY")) return false;
    return std::ranges::any_of(kTextTypes, [&](std::string_view text) {
        return equals_ignore_case(base, text);
    });
}

void inherit_charset(ColumnDefinition& column, std::string_view table_charset) {
    if (column.charset.empty() && is_text_type(column.type)) column.charset = table_charset;
}

}  // namespace obcanal::schema

#include "adapter/es/expression_reader.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::es {
namespace {

constexpr int kDepth = 60;

constexpr auto kReserved = std::to_array<std::string_view>({
    "AND",   "AS",        "ASC",      "BETWEEN", "BY",    "CASE",   "COLLATE", "CROSS",
    "DESC",  "DISTINCT",  "DIV",      "ELSE",    "END",   "EXCEPT", "EXISTS",  "FALSE",
    "FOR",   "FORCE",     "FROM",     "FULL",    "GROUP", "HAVING", "IGNORE",  "IN",
    "INNER", "INTERSECT", "INTERVAL", "INTO",    "IS",    "JOIN",   "LEFT",    "LIKE",
    "LIMIT", "LOCK",      "MOD",      "NATURAL", "NOT",   "NULL",   "ON",      "OR",
    "ORDER", "OUTER",     "OVER",     "REGEXP",  "RIGHT", "RLIKE",  "SELECT",  "SET",
    "THEN",  "TRUE",      "UNION",    "USE",     "USING", "WHEN",   "WHERE",   "WINDOW",
    "XOR",
});

constexpr auto kAggregates = std::to_array<std::string_view>({
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "COUNT",
    "GROUP_CONCAT",
    "MAX",
    "MIN",
    "JSON_ARRAYAGG",
    "STD",
    "STDDEV",
    "JSON_OBJECTAGG",
    "SUM",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
});

// Functions that need no parentheses.
constexpr auto kBare = std::to_array<std::string_view>({
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIMESTAMP",
});

constexpr auto kComparisons =
    std::to_array<std::string_view>({"=", "<=>", "<>", "!=", "<", ">", "<=", ">="});
constexpr auto kOperators = std::to_array<std::string_view>(
    {"+", "-", "*", "/", "%", "|", "&", "^", "<<", ">>", "->", "->>"}
);

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, const SqlToken& token) {
    return std::ranges::any_of(words, [&](std::string_view word) { return token.is_word(word); });
}

template <size_t N>
bool is_symbol_of(const std::array<std::string_view, N>& symbols, const SqlToken& token) {
    return std::ranges::any_of(symbols, [&](std::string_view s) { return token.is(s); });
}

}  // namespace

bool SqlCursor::take(std::string_view symbol) {
    if (!peek().is(symbol)) return false;
    next();
    return true;
}

bool SqlCursor::take_word(std::string_view upper) {
    if (!peek().is_word(upper)) return false;
    next();
    return true;
}

bool SqlCursor::expect(std::string_view symbol) {
    return take(symbol) || fail_here("'" + std::string(symbol) + "'");
}

bool SqlCursor::expect_word(std::string_view upper) { return take_word(upper) || fail_here(upper); }

bool SqlCursor::fail(const SqlToken& token, std::string what) {
    fault_ = {token.range.begin, std::move(what)};
    return false;
}

bool SqlCursor::fail_here(std::string_view wanted) {
    const SqlToken& token = peek();
    std::string what = token.kind == SqlTokenKind::End
                           ? std::string("the text ends here")
                           : "'" + printable(token.text, 40) + "' is not understood here";
    if (!wanted.empty()) what += ", " + std::string(wanted) + " is missing";
    return fail(token, std::move(what));
}

bool SqlCursor::enter() {
    if (++depth_ <= kDepth) return true;
    return fail(peek(), "parentheses and conditions are nested too deep");
}

bool is_reserved(const SqlToken& token) {
    return token.kind == SqlTokenKind::Word && is_one_of(kReserved, token);
}

std::optional<SqlExpression> ExpressionReader::read() {
    columns_.clear();
    aggregate_ = false;
    SqlExpression expression;
    expression.range.begin = cursor_.peek().range.begin;
    Part whole;
    if (!all(whole)) return std::nullopt;
    expression.range.end = cursor_.last_end();
    expression.kind = whole.kind;
    expression.literal = std::move(whole.literal);
    expression.equal = std::move(whole.equal);
    expression.columns = std::move(columns_);
    expression.aggregate = aggregate_;
    return expression;
}

bool ExpressionReader::all(Part& part) {
    if (!cursor_.enter()) return false;
    if (!every(part)) return false;
    while (cursor_.peek().is_word("OR") || cursor_.peek().is_word("XOR") || cursor_.peek().is("||")
    ) {
        cursor_.next();
        part = {};
        Part other;
        if (!every(other)) return false;
    }
    cursor_.leave();
    return true;
}

bool ExpressionReader::any() {
    Part ignored;
    return all(ignored);
}

bool ExpressionReader::every(Part& part) {
    if (!one(part)) return false;
    while (cursor_.peek().is_word("AND") || cursor_.peek().is("&&")) {
        cursor_.next();
        Part other;
        if (!one(other)) return false;
        Equal both = std::move(part.equal);
        both.insert(both.end(), other.equal.begin(), other.equal.end());
        part = {};
        part.equal = std::move(both);
    }
    return true;
}

bool ExpressionReader::one(Part& part) {
    if (cursor_.peek().is_word("NOT")) {
        cursor_.next();
        if (!cursor_.enter()) return false;
        if (!one(part)) return false;
        cursor_.leave();
        part = {};
        return true;
    }
    if (!sum(part)) return false;
    for (;;) {
        if (is_symbol_of(kComparisons, cursor_.peek())) {
            const bool equals = cursor_.next().is("=");
            if (cursor_.peek().is_word("ALL") || cursor_.peek().is_word("ANY")) {
                return cursor_.fail_here();
            }
            Part other;
            if (!sum(other)) return false;
            const bool columns = part.kind == Kind::Column && other.kind == Kind::Column;
            const auto pair = std::pair(part.column, other.column);
            part = {};
            if (equals && columns) part.equal.push_back(pair);
            continue;
        }
        bool more = false;
        if (!predicate(more)) return false;
        if (!more) return true;
        part = {};
    }
}

// IS NULL, IN (...), BETWEEN, LIKE behind what they judge.
bool ExpressionReader::predicate(bool& more) {
    more = true;
    if (cursor_.take_word("IS")) {
        cursor_.take_word("NOT");
        for (const std::string_view word : {"NULL", "TRUE", "FALSE", "UNKNOWN"}) {
            if (cursor_.take_word(word)) return true;
        }
        return cursor_.fail_here("NULL");
    }
    const bool negated = cursor_.peek().is_word("NOT");
    const SqlToken& word = cursor_.peek(negated ? 1 : 0);
    const auto begins = [&](std::string_view with) {
        if (!word.is_word(with)) return false;
        if (negated) cursor_.next();
        cursor_.next();
        return true;
    };
    Part other;
    if (begins("IN")) return cursor_.expect("(") && list();
    if (begins("BETWEEN")) {
        return sum(other) && cursor_.expect_word("AND") && sum(other);
    }
    if (begins("LIKE")) {
        return sum(other) && (!cursor_.take_word("ESCAPE") || sum(other));
    }
    if (begins("REGEXP") || begins("RLIKE")) return sum(other);
    more = false;
    return !negated || cursor_.fail_here();
}

bool ExpressionReader::sum(Part& result) {
    if (!part(result)) return false;
    for (;;) {
        const SqlToken& token = cursor_.peek();
        if (!is_symbol_of(kOperators, token) && !token.is_word("DIV") && !token.is_word("MOD")) {
            return true;
        }
        cursor_.next();
        result = {};
        Part other;
        if (!part(other)) return false;
    }
}

bool ExpressionReader::part(Part& result) {
    bool alone = true;
    while (cursor_.peek().is("-") || cursor_.peek().is("+") || cursor_.peek().is("~") ||
           cursor_.peek().is("!") || cursor_.peek().is_word("BINARY")) {
        const bool minus = cursor_.next().is("-");
        const SqlToken& after = cursor_.peek();
        if (minus && alone && result.literal.empty() && after.kind == SqlTokenKind::Number) {
            result.literal = "-";
            continue;
        }
        alone = false;
    }
    if (!primary(result)) return false;
    while (cursor_.take_word("COLLATE")) {
        alone = false;
        if (!cursor_.peek().is_name()) return cursor_.fail_here("a collation");
        cursor_.next();
    }
    if (!alone) result = {};
    return true;
}

bool ExpressionReader::primary(Part& result) {
    const SqlToken& token = cursor_.peek();
    if (token.kind == SqlTokenKind::Number) {
        result.kind = Kind::Number;
        result.literal += cursor_.next().text;
        return true;
    }
    if (token.kind == SqlTokenKind::String) return text(result);
    if (token.is("(")) return parenthesis(result);
    if (token.is_word("NULL")) {
        result.kind = Kind::Null;
        cursor_.next();
        return true;
    }
    if (token.is_word("TRUE") || token.is_word("FALSE")) {
        result.kind = Kind::Number;
        result.literal = cursor_.next().is_word("TRUE") ? "1" : "0";
        return true;
    }
    if (token.is_word("CASE")) return case_of();
    if (token.is_word("INTERVAL") && !cursor_.peek(1).is("(")) return interval();
    if (token.is_name()) return name(result);
    return cursor_.fail_here();
}

bool ExpressionReader::parenthesis(Part& result) {
    cursor_.next();
    if (cursor_.peek().is_word("SELECT")) {
        return cursor_.fail(
            cursor_.peek(),
            "a sub-query inside of an expression is not understood: join it as a derived table"
        );
    }
    if (!all(result)) return false;
    if (cursor_.peek().is(",")) {
        result = {};
        while (cursor_.take(",")) {
            if (!any()) return false;
        }
    }
    return cursor_.expect(")");
}

// Behind "(", with the ")".
bool ExpressionReader::list() {
    if (cursor_.take(")")) return true;
    do {
        if (cursor_.peek().is_word("SELECT")) {
            return cursor_.fail(
                cursor_.peek(),
                "a sub-query inside of an expression is not understood: join it as a derived table"
            );
        }
        if (!any()) return false;
    } while (cursor_.take(","));
    return cursor_.expect(")");
}

bool ExpressionReader::text(Part& result) {
    const SqlToken& token = cursor_.next();
    const bool plain = token.text.front() == '\'' || token.text.front() == '"';
    if (cursor_.peek().kind == SqlTokenKind::String) {  // 'a' 'b' are one text
        while (cursor_.peek().kind == SqlTokenKind::String) cursor_.next();
        return true;
    }
    if (plain) {
        result.kind = Kind::Text;
        result.literal = token.value();
    }
    return true;
}

bool ExpressionReader::name(Part& result) {
    const SqlToken& token = cursor_.next();
    const SqlToken& after = cursor_.peek();
    if (token.kind == SqlTokenKind::Word && after.is("(")) return function(token);
    if (token.kind == SqlTokenKind::Word && after.kind == SqlTokenKind::String) {
        // _utf8mb4'text', DATE '2024-01-01'
        const bool known = token.text.front() == '_' || token.is_word("DATE") ||
                           token.is_word("TIME") || token.is_word("TIMESTAMP");
        if (known) {
            cursor_.next();
            return true;
        }
    }
    if (is_one_of(kBare, token)) return true;
    if (is_reserved(token) || token.text.front() == '@') {
        return cursor_.fail(token, "'" + printable(token.text, 40) + "' is not understood here");
    }
    ColumnUse use;
    use.range = token.range;
    std::vector<std::string> names{token.value()};
    while (cursor_.peek().is(".")) {
        cursor_.next();
        if (!cursor_.peek().is_name()) return cursor_.fail_here("the name of a column");
        use.range.end = cursor_.peek().range.end;
        names.push_back(cursor_.next().value());
    }
    if (names.size() > 3) return cursor_.fail(token, "a column has a name of three parts at most");
    use.column = names.back();
    if (names.size() > 1) use.qualifier = names[names.size() - 2];
    result.kind = Kind::Column;
    result.column = static_cast<uint32_t>(columns_.size());
    columns_.push_back(std::move(use));
    return true;
}

bool ExpressionReader::function(const SqlToken& name) {
    if (is_one_of(kAggregates, name)) aggregate_ = true;
    if (name.is_word("EXISTS") || name.is_word("JSON_TABLE")) {
        return cursor_.fail(name, "'" + printable(name.text, 40) + "' is not understood");
    }
    cursor_.next();
    if (!arguments(name)) return false;
    if (cursor_.peek().is_word("OVER")) {
        return cursor_.fail(cursor_.peek(), "window functions are not understood");
    }
    return true;
}

bool ExpressionReader::arguments(const SqlToken& name) {
    if (name.is_word("GROUP_CONCAT")) return group_concat();
    if (name.is_word("TRIM")) return trim_arguments();
    if (name.is_word("COUNT") && cursor_.take("*")) return cursor_.expect(")");
    if (name.is_word("EXTRACT")) {  // EXTRACT(YEAR FROM d)
        if (!cursor_.peek().is_name()) return cursor_.fail_here("a unit");
        cursor_.next();
        return cursor_.expect_word("FROM") && any() && cursor_.expect(")");
    }
    const bool unit_first =
        name.is_word("TIMESTAMPADD") || name.is_word("TIMESTAMPDIFF") || name.is_word("GET_FORMAT");
    if (unit_first) {
        if (!cursor_.peek().is_name()) return cursor_.fail_here("a unit");
        cursor_.next();
        if (!cursor_.expect(",")) return false;
    }
    cursor_.take_word("DISTINCT");
    if (cursor_.take(")")) return true;
    const bool converts = name.is_word("CONVERT");
    for (bool first = true;; first = false) {
        if (cursor_.peek().is_word("SELECT")) return list();
        if (!first && converts) return cast_type() && cursor_.expect(")");
        if (!any()) return false;
        if (name.is_word("CAST") && cursor_.take_word("AS")) {
            return cast_type() && cursor_.expect(")");
        }
        if (cursor_.take_word("USING")) {  // CONVERT(x USING utf8mb4), CHAR(65 USING utf8mb4)
            if (!cursor_.peek().is_name()) return cursor_.fail_here("a character set");
            cursor_.next();
            return cursor_.expect(")");
        }
        // SUBSTRING(x FROM 1 FOR 2), POSITION reads its IN as a condition
        if (cursor_.take_word("FROM") && !any()) return false;
        if (cursor_.take_word("FOR") && !any()) return false;
        if (!cursor_.take(",")) return cursor_.expect(")");
    }
}

bool ExpressionReader::group_concat() {
    cursor_.take_word("DISTINCT");
    do {
        if (!any()) return false;
    } while (cursor_.take(","));
    if (cursor_.take_word("ORDER")) {
        if (!cursor_.expect_word("BY")) return false;
        do {
            if (!any()) return false;
            if (!cursor_.take_word("ASC")) cursor_.take_word("DESC");
        } while (cursor_.take(","));
    }
    if (cursor_.take_word("SEPARATOR")) {
        if (cursor_.peek().kind != SqlTokenKind::String) return cursor_.fail_here("a text");
        cursor_.next();
    }
    return cursor_.expect(")");
}

bool ExpressionReader::trim_arguments() {
    const bool side =
        cursor_.take_word("BOTH") || cursor_.take_word("LEADING") || cursor_.take_word("TRAILING");
    if (!(side && cursor_.peek().is_word("FROM")) && !any()) return false;
    if (cursor_.take_word("FROM") && !any()) return false;
    return cursor_.expect(")");
}

// "CHAR(10) CHARACTER SET utf8mb4", "DECIMAL(10,2)", "SIGNED INTEGER".
bool ExpressionReader::cast_type() {
    if (!cursor_.peek().is_name()) return cursor_.fail_here("a type");
    while (cursor_.peek().is_name()) cursor_.next();
    if (!cursor_.take("(")) return true;
    do {
        if (cursor_.peek().kind != SqlTokenKind::Number) return cursor_.fail_here("a number");
        cursor_.next();
    } while (cursor_.take(","));
    if (!cursor_.expect(")")) return false;
    while (cursor_.peek().is_name()) cursor_.next();
    return true;
}

bool ExpressionReader::interval() {
    cursor_.next();
    Part amount;
    if (!sum(amount)) return false;
    if (cursor_.peek().kind != SqlTokenKind::Word) return cursor_.fail_here("a unit");
    cursor_.next();
    return true;
}

bool ExpressionReader::case_of() {
    cursor_.next();
    if (!cursor_.peek().is_word("WHEN") && !any()) return false;
    if (!cursor_.peek().is_word("WHEN")) return cursor_.fail_here("WHEN");
    while (cursor_.take_word("WHEN")) {
        if (!any() || !cursor_.expect_word("THEN") || !any()) return false;
    }
    if (cursor_.take_word("ELSE") && !any()) return false;
    return cursor_.expect_word("END");
}

}  // namespace obcanal::adapter::es

// SQL of a mapping file in tokens, as MySQL and MariaDB write it: names, numbers, strings, symbols.
// Comments are passed over, those that are executed (/*! */) refused. Views into the text; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

struct SqlRange {
    uint32_t begin = 0;
    uint32_t end = 0;

    bool empty() const { return begin == end; }
    std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};

// What can't be read or isn't understood, and where.
struct SqlFault {
    uint32_t at = 0;
    std::string what;
};

enum class SqlTokenKind : uint8_t {
    End,
    Word,    // keyword, bare name, @variable
    Quoted,  // `name`
    Number,
    String,  // 'text' and "text"
    Symbol,  // of up to three characters: "<=>", "||", "->>"
};

struct SqlToken {
    SqlTokenKind kind = SqlTokenKind::End;
    SqlRange range;
    std::string_view text;  // with its quotes

    bool is(std::string_view symbol) const {
        return kind == SqlTokenKind::Symbol && text == symbol;
    }
    bool is_word(std::string_view upper) const;  // in any case, without quotes
    bool is_name() const { return kind == SqlTokenKind::Word || kind == SqlTokenKind::Quoted; }
    // Without quotes; doubled quotes once, backslash escapes resolved in strings.
    std::string value() const;
};

// The last token is End. False: `fault` says why.
bool tokenize(std::string_view sql, std::vector<SqlToken>& tokens, SqlFault& fault);

}  // namespace obcanal::adapter::es

#include "adapter/es/sql_lexer.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::es {
namespace {

constexpr std::array<std::string_view, 12> kLongSymbols{
    "<=>", "->>", "->", "<=", ">=", "<>", "!=", "||", "&&", "<<", ">>", ":="
};

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Letters, and every byte of a character outside of ASCII.
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '@' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
    Lexer(std::string_view sql, std::vector<SqlToken>& tokens, SqlFault& fault)
        : sql_(sql), tokens_(tokens), fault_(fault) {}

    bool run() {
        for (;;) {
            if (!skip_ignored()) return false;
            const size_t begin = at_;
            if (at_ == sql_.size()) {
                add(SqlTokenKind::End, begin);
                return true;
            }
            if (!take()) return false;
        }
    }

 private:
    char peek(size_t ahead = 0) const {
        return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
    }

    bool fail(size_t at, std::string what) {
        fault_ = {static_cast<uint32_t>(at), std::move(what)};
        return false;
    }

    void add(SqlTokenKind kind, size_t begin) {
        tokens_.push_back(
            {kind,
             {static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)},
             sql_.substr(begin, at_ - begin)}
        );
    }

    void skip_line() {
        while (at_ < sql_.size() && sql_[at_] != '\n') ++at_;
    }

    bool skip_ignored() {
        for (;;) {
            if (is_space(peek()) && at_ < sql_.size()) {
                ++at_;
            } else if (peek() == '#' || (peek() == '-' && peek(1) == '-' &&
                                         (is_space(peek(2)) || at_ + 2 >= sql_.size()))) {
                skip_line();
            } else if (peek() == '/' && peek(1) == '*') {
                if (peek(2) == '!' || (peek(2) == 'M' && peek(3) == '!'))
                    return fail(at_, "a comment that is executed is not understood");
                const size_t end = sql_.find("*/", at_ + 2);
                if (end == std::string_view::npos) return fail(at_, "the comment has no end");
                at_ = end + 2;
            } else {
                return true;
            }
        }
    }

    bool take() {
        const size_t begin = at_;
        const char c = peek();
        if (c == '`') return quoted(begin, SqlTokenKind::Quoted, "the name has no end");
        if (c == '\'' || c == '"')
            return quoted(begin, SqlTokenKind::String, "the text has no end");
        const bool marked = peek(1) == '\'';  // n'text', x'ff', b'01'
        if (marked && std::string_view("nNxXbB").find(c) != std::string_view::npos) {
            ++at_;
            return quoted(begin, SqlTokenKind::String, "the text has no end");
        }
        if (is_digit(c) || (c == '.' && is_digit(peek(1)) && !after_name())) return number(begin);
        if (is_name_start(c)) {
            while (at_ < sql_.size() && is_name_part(sql_[at_])) ++at_;
            add(SqlTokenKind::Word, begin);
            return true;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            return fail(begin, "a control character is not understood");
        for (const std::string_view symbol : kLongSymbols) {
            if (sql_.substr(at_).starts_with(symbol)) {
                at_ += symbol.size();
                add(SqlTokenKind::Symbol, begin);
                return true;
            }
        }
        ++at_;
        add(SqlTokenKind::Symbol, begin);
        return true;
    }

    // "a.1x" names a column.
    bool after_name() const {
        return !tokens_.empty() && tokens_.back().is_name() && tokens_.back().range.end == at_;
    }

    bool quoted(size_t begin, SqlTokenKind kind, const char* unfinished) {
        const char quote = sql_[at_++];
        while (at_ < sql_.size()) {
            const char c = sql_[at_++];
            if (c == '\\' && kind == SqlTokenKind::String) {
                if (at_ < sql_.size()) ++at_;
            } else if (c == quote) {
                if (peek() != quote || at_ == sql_.size()) {
                    add(kind, begin);
                    return true;
                }
                ++at_;
            }
        }
        return fail(begin, unfinished);
    }

    bool number(size_t begin) {
        if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'b')) {
            at_ += 2;
            while (is_name_part(peek())) ++at_;
            add(SqlTokenKind::String, begin);
            return true;
        }
        while (is_digit(peek())) ++at_;
        if (peek() == '.') {
            ++at_;
            while (is_digit(peek())) ++at_;
        }
        if (peek() == 'e' || peek() == 'E') {
            const size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
            if (is_digit(peek(sign))) {
                at_ += sign;
                while (is_digit(peek())) ++at_;
            }
        }
        if (is_name_start(peek()))
            return fail(begin, "a name that begins with a digit needs `quotes`");
        add(SqlTokenKind::Number, begin);
        return true;
    }

    std::string_view sql_;
    std::vector<SqlToken>& tokens_;
    SqlFault& fault_;
    size_t at_ = 0;
};

char unescaped(char c) {
    switch (c) {
        case '0': return '\0';
        case 'b': return '\b';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'Z': return '\x1A';
        default: return c;
    }
}

}  // namespace

bool SqlToken::is_word(std::string_view upper) const {
    return kind == SqlTokenKind::Word && equals_ignore_case(text, upper);
}

std::string SqlToken::value() const {
    if (kind != SqlTokenKind::Quoted && kind != SqlTokenKind::String) return std::string(text);
    std::string plain;
    const char quote = text.empty() ? '\0' : text.front();
    for (size_t i = 1; i + 1 < text.size(); ++i) {
        char c = text[i];
        if (c == '\\' && kind == SqlTokenKind::String) {
            c = text[++i];
            // LIKE's own escapes keep their backslash.
            if (c == '%' || c == '_') plain += '\\';
            c = unescaped(c);
        } else if (c == quote) {
            ++i;
        }
        plain += c;
    }
    return plain;
}

bool tokenize(std::string_view sql, std::vector<SqlToken>& tokens, SqlFault& fault) {
    return Lexer(sql, tokens, fault).run();
}

}  // namespace obcanal::adapter::es

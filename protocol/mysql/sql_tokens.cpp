#include "protocol/mysql/sql_tokens.h"

#include "protocol/base/text.h"

#include <utility>

namespace obcanal::mysql {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Letters of bare names; everything above ASCII is one.
bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

char unescaped(char c) {
    switch (c) {
        case '0': return '\0';
        case 'b': return '\b';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'Z': return 26;
        default: return c;
    }
}

}  // namespace

bool Token::is_word(std::string_view upper) const {
    return kind == TokenKind::Word && equals_ignore_case(text, upper);
}

std::string Token::value() const {
    if (kind != TokenKind::Name && kind != TokenKind::Text && kind != TokenKind::DoubleText) {
        return std::string(text);
    }
    const char quote = text[0];
    std::string out;
    for (size_t i = 1; i < text.size(); ++i) {
        const char c = text[i];
        if (c == quote) {
            if (i + 1 < text.size() && text[i + 1] == quote)
                ++i;
            else
                break;
        } else if (c == '\\' && quote != '`' && i + 1 < text.size()) {
            out += unescaped(text[++i]);
            continue;
        }
        out += c;
    }
    return out;
}

Token TokenReader::next() {
    Token taken = token_;
    advance();
    return taken;
}

bool TokenReader::take(std::string_view upper_word) {
    if (!token_.is_word(upper_word)) return false;
    advance();
    return true;
}

bool TokenReader::take(char symbol) {
    if (!token_.is(symbol)) return false;
    advance();
    return true;
}

bool TokenReader::take(std::string_view first, std::string_view second) {
    if (!token_.is_word(first)) return false;
    TokenReader ahead = *this;
    ahead.advance();
    if (!ahead.take(second)) return false;
    *this = ahead;
    return true;
}

void TokenReader::skip_item() {
    while (!at_statement_end() && !token_.is(',') && !token_.is(')')) {
        if (token_.is('('))
            skip_parenthesis();
        else
            advance();
    }
}

void TokenReader::skip_parenthesis() {
    size_t open = 0;
    do {
        if (token_.is('(')) ++open;
        if (token_.is(')')) --open;
        advance();
    } while (open > 0 && !at_end());
}

void TokenReader::skip_statement() {
    while (!at_statement_end()) advance();
}

void TokenReader::skip_ignored() {
    const auto starts = [&](std::string_view what) { return sql_.substr(at_).starts_with(what); };
    while (at_ < sql_.size()) {
        if (is_blank(sql_[at_])) {
            ++at_;
        } else if (starts("/*!") || starts("/*M!")) {
            at_ += starts("/*!") ? 3 : 4;
            while (at_ < sql_.size() && is_digit(sql_[at_])) ++at_;
            ++hints_open_;
        } else if (hints_open_ > 0 && starts("*/")) {
            at_ += 2;
            --hints_open_;
        } else if (starts("/*")) {
            const size_t end = sql_.find("*/", at_ + 2);
            at_ = end == std::string_view::npos ? sql_.size() : end + 2;
        } else if (sql_[at_] == '#' ||
                   (starts("--") && (at_ + 2 == sql_.size() || is_blank(sql_[at_ + 2])))) {
            const size_t end = sql_.find('\n', at_);
            at_ = end == std::string_view::npos ? sql_.size() : end + 1;
        } else {
            return;
        }
    }
}

size_t TokenReader::quoted_end(size_t from) const {
    const char quote = sql_[from];
    for (size_t i = from + 1; i < sql_.size(); ++i) {
        if (sql_[i] == '\\' && quote != '`') {
            ++i;
        } else if (sql_[i] == quote) {
            if (i + 1 == sql_.size() || sql_[i + 1] != quote) return i + 1;
            ++i;
        }
    }
    return sql_.size();
}

void TokenReader::advance() {
    skip_ignored();
    const size_t begin = at_;
    TokenKind kind = TokenKind::End;
    if (at_ < sql_.size()) {
        const char c = sql_[at_];
        if (c == '`' || c == '\'' || c == '"') {
            kind = c == '`' ? TokenKind::Name : c == '"' ? TokenKind::DoubleText : TokenKind::Text;
            at_ = quoted_end(at_);
        } else if (is_word_char(c)) {
            kind = TokenKind::Word;
            while (at_ < sql_.size() && is_word_char(sql_[at_])) ++at_;
        } else {
            kind = TokenKind::Symbol;
            ++at_;
        }
    }
    token_ = Token{kind, sql_.substr(begin, at_ - begin), begin};
}

}  // namespace obcanal::mysql

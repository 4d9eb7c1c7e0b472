// SQL text in words, names, strings and symbols, as MySQL, MariaDB and OceanBase write it.
// Tolerant: every text has tokens, what is cut off ends with the text. The insides of /*!50000 ...
// */ and
// /*M! ... */ are part of the statement, other comments and optimizer hints are not. Views into the
// text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::mysql {

enum class TokenKind : uint8_t {
    End,
    Word,        // keyword, bare name or number
    Name,        // `quoted`
    DoubleText,  // "quoted": a name under ANSI_QUOTES, a string otherwise
    Text,        // 'quoted'
    Symbol,      // one character
};

struct Token {
    TokenKind kind = TokenKind::End;
    std::string_view text;  // with its quotes
    size_t begin = 0;       // in the statement

    bool is(char symbol) const { return kind == TokenKind::Symbol && text[0] == symbol; }
    bool is_word(std::string_view upper) const;  // a bare word, in any case
    bool is_name() const {
        return kind == TokenKind::Word || kind == TokenKind::Name || kind == TokenKind::DoubleText;
    }
    size_t end() const { return begin + text.size(); }

    // Without quotes, doubled quotes once. Strings: backslash escapes resolved.
    std::string value() const;
};

class TokenReader {
 public:
    explicit TokenReader(std::string_view sql) : sql_(sql) { advance(); }

    const Token& peek() const { return token_; }
    Token next();
    bool at_end() const { return token_.kind == TokenKind::End; }
    // End of the text or of the statement.
    bool at_statement_end() const { return at_end() || token_.is(';'); }

    // Takes the word if it stands here.
    bool take(std::string_view upper_word);
    bool take(char symbol);
    // Both words, or nothing is taken.
    bool take(std::string_view first, std::string_view second);

    // To the next comma, or to the closing parenthesis of the level we are in, or to the end of the
    // statement; none of them is taken.
    void skip_item();
    // Over the parenthesis that opens here.
    void skip_parenthesis();
    void skip_statement();

    std::string_view text() const { return sql_; }

 private:
    void advance();
    void skip_ignored();
    size_t quoted_end(size_t from) const;

    std::string_view sql_;
    size_t at_ = 0;
    int hints_open_ = 0;
    Token token_;
};

}  // namespace obcanal::mysql

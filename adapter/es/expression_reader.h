// Expressions of a mapping's SQL: which columns they name, and where they end. Grammar, loosely (no
// tree is needed, so operators of one kind have one level):
//   all   := every ((OR | XOR | "||") every)*
//   every := one ((AND | "&&") one)*
//   one   := [NOT] sum (comparison sum | IS ... | [NOT] IN (...) | [NOT] BETWEEN sum AND sum
//            | [NOT] LIKE sum [ESCAPE sum])*
//   sum   := part (operator part)*
//   part  := sign* (literal | name | function(...) | CASE ... END | (all, ...) | INTERVAL ...)
// Pure; lives while one text is read.
#pragma once

#include "adapter/es/mapping_sql.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

// A walk over tokens that remembers the first fault.
class SqlCursor {
 public:
    SqlCursor(std::string_view sql, std::span<const SqlToken> tokens, SqlFault& fault)
        : sql_(sql), tokens_(tokens), fault_(fault) {}

    const SqlToken& peek(size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    const SqlToken& next() {
        const SqlToken& token = peek();
        if (at_ + 1 < tokens_.size()) ++at_;
        return token;
    }
    bool take(std::string_view symbol);
    bool take_word(std::string_view upper);
    bool expect(std::string_view symbol);
    bool expect_word(std::string_view upper);
    bool fail(const SqlToken& token, std::string what);
    // "x is not understood here".
    bool fail_here(std::string_view wanted = {});
    // End of the token before this one.
    uint32_t last_end() const { return at_ == 0 ? 0 : tokens_[at_ - 1].range.end; }
    // False: too deep, and that is the fault.
    bool enter();
    void leave() { --depth_; }

 private:
    std::string_view sql_;
    std::span<const SqlToken> tokens_;
    SqlFault& fault_;
    size_t at_ = 0;
    int depth_ = 0;
};

// A word that can't be a name unless it is quoted.
bool is_reserved(const SqlToken& token);

class ExpressionReader {
 public:
    explicit ExpressionReader(SqlCursor& cursor) : cursor_(cursor) {}

    // One expression; nothing: the cursor's fault says why.
    std::optional<SqlExpression> read();

 private:
    using Kind = SqlExpression::Kind;
    using Equal = std::vector<std::pair<uint32_t, uint32_t>>;

    // What is known of a part: a column by itself is its index in columns_.
    struct Part {
        Kind kind = Kind::Other;
        std::string literal;
        uint32_t column = 0;
        Equal equal;
    };

    bool all(Part& part);
    bool every(Part& part);
    bool one(Part& part);
    bool predicate(bool& more);
    bool sum(Part& part);
    bool part(Part& part);
    bool primary(Part& part);
    bool parenthesis(Part& part);
    bool list();
    bool text(Part& part);
    bool name(Part& part);
    bool function(const SqlToken& name);
    bool arguments(const SqlToken& name);
    bool group_concat();
    bool trim_arguments();
    bool cast_type();
    bool interval();
    bool case_of();
    bool any();

    SqlCursor& cursor_;
    std::vector<ColumnUse> columns_;
    bool aggregate_ = false;
};

}  // namespace obcanal::adapter::es

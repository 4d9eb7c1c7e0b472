// A column's definition in the MySQL family's DDL as PostgreSQL has it (client-adapter, 2.7): its
// type, which holds every value of the source's, and its default. Pure.
#pragma once

#include "protocol/base/result.h"
#include "protocol/mysql/sql_tokens.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::rdb {

struct PostgresColumn {
    enum class Kind : uint8_t { Number, Real, Text, Bytes, Bit, Date, Timestamp, Time, Json };

    std::string name;
    std::string type;
    std::string type_name;  // of pg_type
    Kind kind = Kind::Text;
    uint32_t bits = 0;
    bool not_null = false;
    bool primary = false;
    bool unique = false;
    bool now = false;                    // DEFAULT CURRENT_TIMESTAMP
    bool computed = false;               // a default that is an expression
    std::optional<std::string> initial;  // the default, as a literal
    std::string first_member;            // of an enum: what NOT NULL without a default means

    // What rows that are there get when the column is added; nothing: NULL, or it can't be said.
    std::optional<std::string> implicit_default() const;
};

// "text" as PostgreSQL's literal and "name" in its quotes.
std::string postgres_text(std::string_view text);
std::string postgres_name(std::string_view name);

class PostgresColumnReader {
 public:
    // `notes` gets what is left out because no row depends on it.
    PostgresColumnReader(mysql::TokenReader& tokens, std::vector<std::string>& notes)
        : tokens_(tokens), notes_(notes) {}

    // Behind the column's name, up to "," or ")" or the end, or FIRST or AFTER. An Error names what
    // PostgreSQL has not.
    Result<void> read(PostgresColumn& column);
    // What stands behind DEFAULT.
    Result<void> read_default(PostgresColumn& column);

 private:
    Result<void> read_type(PostgresColumn& column);
    Result<void> read_attributes(PostgresColumn& column);
    std::vector<std::string> numbers();
    Result<void> set_default(PostgresColumn& column, std::string text, bool is_text);
    static Error refused(const PostgresColumn& column, std::string what);

    mysql::TokenReader& tokens_;
    std::vector<std::string>& notes_;
};

}  // namespace obcanal::adapter::rdb

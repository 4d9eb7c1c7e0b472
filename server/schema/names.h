// Names of tables as statements write them, for the readers of this folder.
#pragma once

#include "protocol/mysql/sql_tokens.h"

#include <optional>
#include <string>
#include <string_view>

namespace obcanal::schema {

using mysql::TokenReader;

struct TableName {
    std::string schema;
    std::string table;

    auto operator<=>(const TableName&) const = default;
};

// a, b.c, and in the worst case one.more.dot, of which the last two count. What was taken when
// there is none is lost.
std::optional<TableName> take_table_name(TokenReader& tokens, std::string_view default_schema);

// IF [NOT] EXISTS; true: it stood there.
bool take_if_exists(TokenReader& tokens);

// MariaDB: ALTER TABLE t WAIT 5 ..., NOWAIT
void take_wait(TokenReader& tokens);

}  // namespace obcanal::schema

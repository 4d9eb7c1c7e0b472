// The insides of CREATE TABLE (...) and of ALTER TABLE's ADD, MODIFY and CHANGE: columns and keys.
// Pure functions over a TokenReader, any thread.
#pragma once

#include "protocol/mysql/sql_tokens.h"
#include "server/schema/table_definition.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

using mysql::Token;
using mysql::TokenKind;
using mysql::TokenReader;

// No server has tables with more.
inline constexpr size_t kMostColumns = 4096;

// Where ADD, MODIFY or CHANGE puts a column.
struct Placement {
    enum class Kind : uint8_t { AsIs, First, After };

    Kind kind = Kind::AsIs;
    std::string after;
};

struct PlacedColumn {
    ColumnDefinition column;
    Placement placement;
};

// Up to the comma or parenthesis behind it. Nothing: no name, or no type.
std::optional<PlacedColumn> take_column(TokenReader& tokens);

// A key or another constraint stands here, not a column.
bool at_constraint(const TokenReader& tokens);

// Over that constraint; the columns of a primary key, of others nothing.
std::vector<std::string> take_constraint(TokenReader& tokens);

// Columns and primary key of a list in parentheses, which is taken whole. Nothing: not understood,
// or too many.
std::optional<std::vector<PlacedColumn>> take_column_list(TokenReader& tokens);

// [DEFAULT] CHARACTER SET [=] x, CHARSET [=] x, COLLATE [=] x_y: the character set, in lower case.
// Nothing: something else stands here, and nothing was taken.
std::optional<std::string> take_charset(TokenReader& tokens);

// CHAR, VARCHAR, TEXT, ENUM, SET and their relatives: columns whose bytes are characters.
bool is_text_type(std::string_view type);

// Gives a text column that says no character set the one of its table.
void inherit_charset(ColumnDefinition& column, std::string_view table_charset);

}  // namespace obcanal::schema

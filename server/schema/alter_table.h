// ALTER TABLE's items upon a table's columns. Pure functions over a TokenReader, any thread.
#pragma once

#include "protocol/mysql/sql_tokens.h"
#include "server/schema/names.h"
#include "server/schema/table_definition.h"

#include <optional>
#include <string>
#include <string_view>

namespace obcanal::schema {

using mysql::TokenReader;

struct AlterOutcome {
    std::optional<TableName> renamed_to;
    // False: an item fits the columns in no way; the table must be read from its source.
    bool understood = true;
};

// What the word DEFAULT means for a character set; empty: not known.
struct AlterDefaults {
    std::string option{};   // CHARACTER SET DEFAULT
    std::string convert{};  // CONVERT TO CHARACTER SET DEFAULT
};

// All items up to the end of the statement. Items name columns as they were before the statement,
// except behind FIRST and AFTER.
AlterOutcome alter_table(
    TokenReader& tokens,
    TableDefinition& table,
    std::string_view default_schema,
    const AlterDefaults& defaults = {}
);

}  // namespace obcanal::schema

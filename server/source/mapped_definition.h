// What a table map alone says of its table, and whether a definition can be meant by it. Pure
// functions, any thread.
#pragma once

#include "protocol/mysql/table_map.h"
#include "server/schema/table_definition.h"

namespace obcanal::source {

// The columns in the log are the definition's first ones, and of their types; the rest was added
// later, at the end.
bool fits(const mysql::TableMap& map, const schema::TableDefinition& definition);

// With binlog_row_metadata=FULL all that counts. Otherwise columns are called @1, @2, ..., as
// mysqlbinlog has it, and what the log does not say is taken for signed, no key, and bytes.
schema::TableDefinition mapped_definition(const mysql::TableMap& map);

// TIME, DATETIME and TIMESTAMP as before MySQL 5.6.
bool is_old_temporal(const mysql::MappedColumn& column);

}  // namespace obcanal::source

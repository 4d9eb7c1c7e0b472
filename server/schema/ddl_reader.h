// What a DDL statement does, as far as Canal's entries say it: event type, schema and table
// (entry-format, 5.1). Tolerant: any text gives an answer, what is not understood is a QUERY. Pure
// functions, any thread.
#pragma once

#include "protocol/canal/change.h"

#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

struct DdlEffect {
    canal::EventType type = canal::EventType::Query;
    std::string schema;           // without quotes; empty: none
    std::string table;            // RENAME: the new name; empty: none
    std::string original_schema;  // RENAME: what it was
    std::string original_table;
};

// All effects in the order of the statement; empty: the statement has no result in Canal (GRANT,
// views, ...). `default_schema`: for names that have none.
std::vector<DdlEffect> read_ddl(std::string_view sql, std::string_view default_schema);

}  // namespace obcanal::schema

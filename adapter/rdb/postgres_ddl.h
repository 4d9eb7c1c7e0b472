// DDL of the MySQL family as statements of PostgreSQL, for mirrored databases (client-adapter,
// 2.7): tables with their types, keys and defaults. What has no counterpart is refused by name,
// whole; what no row depends on (CHECK, FULLTEXT, partitions, views, users, ...) is left out and
// noted. Pure.
#pragma once

#include "protocol/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::rdb {

struct PostgresDdl {
    std::vector<std::string> statements;  // for one transaction; none: nothing to do
    std::vector<std::string> notes;       // what was left out
};

// `schema`: that of names without one.
Result<PostgresDdl> to_postgres_ddl(std::string_view sql, const std::string& schema);

}  // namespace obcanal::adapter::rdb

// What the source's server says about its tables now, for what the log itself does not tell: tables
// that were there before the history begins, and those that a statement left Unknown. Implemented
// by a source over a connection of its own; feed strand.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "server/schema/log_point.h"
#include "server/schema/names.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

// An answer holds for some point of the log that nobody knows, but it lies between these two: where
// the log ended (SHOW MASTER STATUS) right before and right after the server was asked.
struct AskedBetween {
    LogPoint before;
    LogPoint after;

    bool operator==(const AskedBetween&) const = default;
};

struct TableAnswer {
    TableName name;
    std::string create_sql;  // what SHOW CREATE TABLE says; empty: there is no such table
};

struct FetchedTable {
    TableAnswer table;
    AskedBetween asked;
};

struct DatabaseAnswer {
    std::string name;
    std::string charset;  // its default

    bool operator==(const DatabaseAnswer&) const = default;
};

struct FetchedSchema {
    std::vector<DatabaseAnswer> databases;
    std::vector<TableAnswer> tables;
    AskedBetween asked;
};

class DefinitionSource {
 public:
    // Whether a table's definition is of interest.
    using Wanted = std::function<bool(std::string_view schema, std::string_view table)>;

    virtual ~DefinitionSource() = default;

    // That the table is not there is an answer, not an Error; a view is no table.
    virtual Awaitable<Result<FetchedTable>> fetch(const TableName& name) = 0;
    // All databases, and the tables (no views) that are wanted.
    virtual Awaitable<Result<FetchedSchema>> fetch_all(const Wanted& wanted) = 0;
};

}  // namespace obcanal::schema

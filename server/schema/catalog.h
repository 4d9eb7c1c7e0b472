// The tables of a source as its DDL statements leave them. What a statement does is applied when it
// is understood; otherwise the table is Unknown, and whoever needs it must read it from the source
// and put() it. No statement, however broken, stops the catalog. Feed strand.
#pragma once

#include "server/schema/names.h"
#include "server/schema/sql_tokens.h"
#include "server/schema/table_definition.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

struct TableChange {
    enum class State : uint8_t { Known, Unknown, Gone };

    TableName name;
    State state = State::Known;
};

struct CatalogOptions {
    bool names_ignore_case = false;  // the source's lower_case_table_names is not 0
    std::string charset;             // the source's default; empty: not known
};

class Catalog {
 public:
    explicit Catalog(CatalogOptions options = {}) : options_(std::move(options)) {}

    // Every statement of the log, in order; what is no DDL changes nothing. The tables it touched.
    std::vector<TableChange> apply(std::string_view sql, std::string_view default_schema);

    // Nothing: Unknown, or never heard of. Valid until the next apply() or put().
    const TableDefinition* find(std::string_view schema, std::string_view table) const;
    // As read from the source, e.g. by apply() of what SHOW CREATE TABLE says.
    void put(TableDefinition table);
    void forget(std::string_view schema, std::string_view table);

    // All tables that are known, ordered by name.
    std::vector<const TableDefinition*> tables() const;

 private:
    class Statement;

    TableName key(TableName name) const;
    // The character set of a new table that says none.
    const std::string& charset_of(const std::string& schema) const;

    CatalogOptions options_;
    std::map<TableName, std::optional<TableDefinition>> tables_;  // nothing: Unknown
    std::map<std::string, std::string, std::less<>> database_charsets_;
};

// A CREATE TABLE statement that gives the same definition back: how snapshots keep a table.
std::string create_statement(const TableDefinition& table);

}  // namespace obcanal::schema

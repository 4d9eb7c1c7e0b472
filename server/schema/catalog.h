// The tables of a source as its DDL statements leave them. What a statement does is applied when it
// is understood; otherwise the table is Unknown, and whoever needs it must read it from the source
// and put() it. No statement, however broken, stops the catalog. Feed strand.
#pragma once

#include "protocol/mysql/sql_tokens.h"
#include "server/schema/definition_source.h"
#include "server/schema/log_point.h"
#include "server/schema/names.h"
#include "server/schema/table_definition.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

struct TableChange {
    enum class State : uint8_t { Known, Unknown, Gone };

    TableName name;  // without a table: the database itself
    State state = State::Known;
    // What is known of it is what the source said after the statement: rows before it may have had
    // other columns.
    bool late = false;
};

struct CatalogOptions {
    bool names_ignore_case = false;  // the source's lower_case_table_names is not 0
    std::string charset;             // the source's default; empty: not known
    bool mariadb = false;            // CONVERT TO ... DEFAULT means another database than in MySQL
};

class Catalog {
 public:
    explicit Catalog(CatalogOptions options = {}) : options_(std::move(options)) {}

    // Every statement of the log, in order; what is no DDL changes nothing. The tables that it
    // names, changed or not; of others nothing. `at`: where the statement stands; what the source
    // said later than that about a table has the statement's work in it already.
    std::vector<TableChange> apply(
        std::string_view sql, std::string_view default_schema, const LogPoint& at = {}
    );

    // Nothing: Unknown, or never heard of. Valid until the next apply() or put().
    const TableDefinition* find(std::string_view schema, std::string_view table) const;
    // As the source has it, at a point between the two of `asked`; nothing: where the log is now.
    void put(TableDefinition table, std::optional<AskedBetween> asked = std::nullopt);
    void set_unknown(const TableName& name);
    void forget(std::string_view schema, std::string_view table);
    void put_database(std::string_view name, std::string_view charset);

    struct Entry {
        std::optional<TableDefinition> definition;  // nothing: Unknown
        std::optional<AskedBetween> asked;
    };

    // All tables that are known, ordered by name.
    std::vector<const TableDefinition*> tables() const;
    // The Unknown ones as well.
    const std::map<TableName, Entry>& entries() const { return tables_; }
    const std::map<std::string, std::string, std::less<>>& databases() const {
        return database_charsets_;
    }
    const CatalogOptions& options() const { return options_; }

 private:
    class Statement;

    TableName key(TableName name) const;
    // The character set of a new table that says none.
    const std::string& charset_of(const std::string& schema) const;

    CatalogOptions options_;
    std::map<TableName, Entry> tables_;
    std::map<std::string, std::string, std::less<>> database_charsets_;
};

// What SHOW CREATE TABLE says of a table; nothing: not understood.
std::optional<TableDefinition> read_definition(std::string_view create_sql, const TableName& name);

// A CREATE TABLE statement that gives the same definition back: how snapshots keep a table.
std::string create_statement(const TableDefinition& table);

}  // namespace obcanal::schema

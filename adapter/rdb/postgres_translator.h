// How a statement of the MySQL family becomes PostgreSQL's: see postgres_ddl.h. One object for each
// text, of that call.
#pragma once

#include "adapter/rdb/postgres_column.h"
#include "adapter/rdb/postgres_ddl.h"
#include "protocol/base/text.h"
#include "protocol/mysql/sql_tokens.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::adapter::rdb {

class PostgresTranslator {
 public:
    PostgresTranslator(std::string_view sql, const std::string& schema)
        : tokens_(sql), schema_(schema) {}

    Result<PostgresDdl> run();

 private:
    struct TableName {
        std::string schema;
        std::string name;

        std::string quoted() const { return postgres_name(schema) + "." + postgres_name(name); }
    };

    struct KeyPart {
        std::string column;
        std::string length;  // of a part of it
    };

    struct Key {
        std::string name;
        std::vector<KeyPart> parts;
    };

    // Names of indexes are the schema's there, the table's here.
    static std::string index_name(const std::string& table, const std::string& index);

    static Error refused(std::string what) {
        return {Errc::Unsupported, Retry::Backoff, "not translated for PostgreSQL: " + what};
    }

    void add(std::string sql) { out_.statements.push_back(std::move(sql)); }

    void note(std::string what) { out_.notes.push_back(std::move(what)); }

    std::string here() const { return printable(tokens_.peek().text, 40); }

    std::string name() { return tokens_.next().value(); }

    TableName table_name() {
        TableName table{schema_, name()};
        if (tokens_.take('.')) {
            table.schema = std::exchange(table.name, name());
        }
        return table;
    }

    bool if_exists() { return tokens_.take("IF", "EXISTS"); }

    bool if_not_exists() {
        if (!tokens_.take("IF", "NOT")) {
            return false;
        }
        static_cast<void>(tokens_.take("EXISTS"));
        return true;
    }

    bool at_end_of_item() const {
        return tokens_.at_statement_end() || tokens_.peek().is(',') || tokens_.peek().is(')');
    }

    // -- statements
    Result<void> statement();

    Result<void> leave_out(const std::string& what);

    Result<void> rest_nothing(const std::string& of);

    Result<void> create();

    Result<void> create_index(bool unique);

    void add_index(const TableName& table, const Key& key, bool unique, bool careful = false);

    void index_type();

    // "(a, b(10) DESC)"
    Result<void> key_parts(Key& key);

    Result<void> create_table(bool replace);

    Result<void> table_options();

    Key unnamed(Key key);

    // A column, key or constraint of CREATE TABLE.
    Result<void> table_item(const TableName& table);

    static std::string definition(const PostgresColumn& column);

    void add_primary(const TableName& table, const std::vector<KeyPart>& parts);

    static std::string primary(const TableName& table, const std::vector<KeyPart>& parts);

    static std::string columns_of(const std::vector<KeyPart>& parts);

    // `found`: it is no column. Puts what it makes into items_ (of the table) and later_ (indexes).
    Result<void> key_item(const TableName& table, bool& found);

    Result<void> foreign_key(const TableName& table, std::string constraint);

    Result<void> drop();

    void drop_index(const TableName& table, const std::string& index, bool careful);

    Result<void> rename_tables();

    // With its indexes, whose names begin with the table's.
    void rename(const TableName& from, const TableName& to);

    // -- ALTER
    Result<void> alter();

    void change(const TableName& table, const std::string& what);

    Result<void> alter_item(const TableName& table, std::optional<TableName>& renamed);

    // Options of the table: no row depends on them. Work on partitions may remove rows.
    Result<void> other_item();

    Result<void> add_item(const TableName& table);

    void skip_place();

    // Rows that are there get what they got at the source.
    Result<void> add_column(const TableName& table, bool careful);

    Result<void> modify(const TableName& table, const std::string& column_name);

    Result<void> drop_item(const TableName& table);

    Result<void> alter_default(const TableName& table);

    Result<void> rename_item(const TableName& table, std::optional<TableName>& renamed);

    mysql::TokenReader tokens_;
    const std::string schema_;
    PostgresDdl out_;
    std::vector<std::string> items_;           // of the CREATE TABLE at hand
    std::vector<std::pair<Key, bool>> later_;  // indexes; unique
    size_t foreign_keys_ = 0;
};

}  // namespace obcanal::adapter::rdb

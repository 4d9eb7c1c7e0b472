// ALTER TABLE, and what changes the names of tables and indexes.
#include "adapter/rdb/postgres_translator.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

namespace {

// A statement for one table in a block: PostgreSQL looks at its catalogue first.
std::string block(std::string_view declare, std::string_view body) {
    return "DO $obcanal$ DECLARE " + std::string(declare) + " BEGIN " + std::string(body) +
           " END $obcanal$";
}

// Which types' values become one of a type as MySQL converts them.
std::string_view convertible_from(const PostgresColumn& column) {
    using Kind = PostgresColumn::Kind;
    switch (column.kind) {
        case Kind::Number: return "'int2','int4','int8','numeric'";
        case Kind::Real: return "'int2','int4','int8','numeric','float4','float8'";
        case Kind::Text: return "'varchar','text','int2','int4','int8','numeric'";
        case Kind::Timestamp: return "'timestamp','date'";
        default: return "";
    }
}

}  // namespace

void PostgresTranslator::drop_index(
    const TableName& table, const std::string& index, bool careful
) {
    if (equals_ignore_case(index, "PRIMARY")) {
        add("ALTER TABLE " + table.quoted() + " DROP CONSTRAINT " +
            postgres_name(index_name(table.name, "pkey")));
        return;
    }
    add(std::string("DROP INDEX ") + (careful ? "IF EXISTS " : "") + postgres_name(table.schema) +
        "." + postgres_name(index_name(table.name, index)));
}

Result<void> PostgresTranslator::rename_tables() {
    if (!tokens_.take("TABLE") && !tokens_.take("TABLES")) return leave_out("RENAME");
    do {
        static_cast<void>(if_exists());
        const TableName from = table_name();
        if (!tokens_.take("TO")) return refused("RENAME TABLE without TO");
        rename(from, table_name());
    } while (tokens_.take(','));
    return rest_nothing("RENAME TABLE");
}

void PostgresTranslator::rename(const TableName& from, const TableName& to) {
    TableName at = from;
    if (from.schema != to.schema) {
        add("ALTER TABLE " + at.quoted() + " SET SCHEMA " + postgres_name(to.schema));
        at.schema = to.schema;
    }
    if (from.name == to.name) return;
    add("ALTER TABLE " + at.quoted() + " RENAME TO " + postgres_name(to.name));
    const std::string old = from.name + "_";
    add(block(
        "i text;",
        "FOR i IN SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid=x.indexrelid"
        " WHERE x.indrelid=" +
            postgres_text(to.quoted()) + "::regclass AND starts_with(c.relname::text," +
            postgres_text(old) + ") LOOP EXECUTE format('ALTER INDEX %I.%I RENAME TO %I'," +
            postgres_text(to.schema) + ",i," + postgres_text(to.name + "_") +
            "||substr(i,char_length(" + postgres_text(old) + ")+1)); END LOOP;"
    ));
}

Result<void> PostgresTranslator::alter() {
    static_cast<void>(tokens_.take("ONLINE") || tokens_.take("OFFLINE"));
    static_cast<void>(tokens_.take("IGNORE"));
    if (!tokens_.take("TABLE")) {
        if (tokens_.peek().is_word("SEQUENCE")) return refused("ALTER SEQUENCE");
        return leave_out("ALTER");
    }
    const bool careful = if_exists();
    static_cast<void>(careful);
    TableName table = table_name();
    std::optional<TableName> renamed;
    later_.clear();
    while (!tokens_.at_statement_end()) {
        if (tokens_.take(',')) continue;
        if (auto done = alter_item(table, renamed); !done) return done;
    }
    if (renamed) rename(table, *renamed);
    return {};
}

void PostgresTranslator::change(const TableName& table, const std::string& what) {
    add("ALTER TABLE " + table.quoted() + " " + what);
}

Result<void> PostgresTranslator::alter_item(
    const TableName& table, std::optional<TableName>& renamed
) {
    if (tokens_.take("ADD")) return add_item(table);
    if (tokens_.take("DROP")) return drop_item(table);
    if (tokens_.take("MODIFY")) {
        static_cast<void>(tokens_.take("COLUMN"));
        static_cast<void>(if_exists());
        return modify(table, name());
    }
    if (tokens_.take("CHANGE")) {
        static_cast<void>(tokens_.take("COLUMN"));
        static_cast<void>(if_exists());
        const std::string from = name();
        const std::string to = name();
        if (from != to) {
            change(table, "RENAME COLUMN " + postgres_name(from) + " TO " + postgres_name(to));
        }
        return modify(table, to);
    }
    if (tokens_.take("ALTER")) return alter_default(table);
    if (tokens_.take("RENAME")) return rename_item(table, renamed);
    return other_item();
}

Result<void> PostgresTranslator::other_item() {
    constexpr std::array<std::string_view, 5> kRows{
        "TRUNCATE", "EXCHANGE", "DISCARD", "IMPORT", "CONVERT_PARTITION"
    };
    const std::string word = to_upper(tokens_.peek().text);
    if (std::ranges::find(kRows, word) != kRows.end()) {
        return refused("ALTER TABLE with " + word);
    }
    note("ALTER TABLE " + word);
    // ENGINE=InnoDB COMMENT='x': options may follow each other without commas.
    do {
        static_cast<void>(tokens_.next());
        while (!tokens_.at_statement_end() && !tokens_.peek().is(',')) {
            if (tokens_.peek().is('(')) {
                tokens_.skip_parenthesis();
            } else {
                static_cast<void>(tokens_.next());
            }
        }
    } while (false);
    return {};
}

Result<void> PostgresTranslator::add_item(const TableName& table) {
    if (tokens_.peek().is_word("PARTITION")) return leave_out("ADD");
    if (tokens_.peek().is_word("SYSTEM") || tokens_.peek().is_word("PERIOD")) {
        return refused("ALTER TABLE ADD " + here());
    }
    items_.clear();
    later_.clear();
    bool is_key = false;
    if (auto done = key_item(table, is_key); !done) return done;
    if (is_key) {
        for (const std::string& item : items_) change(table, "ADD " + item);
        for (const auto& [key, unique] : later_) add_index(table, key, unique);
        return {};
    }
    static_cast<void>(tokens_.take("COLUMN"));
    const bool careful = if_not_exists();
    if (!tokens_.take('(')) return add_column(table, careful);
    while (!tokens_.at_statement_end() && !tokens_.take(')')) {
        if (tokens_.take(',')) continue;
        if (auto done = add_column(table, careful); !done) return done;
    }
    return {};
}

void PostgresTranslator::skip_place() {
    if (tokens_.take("AFTER")) {
        static_cast<void>(name());
    } else {
        static_cast<void>(tokens_.take("FIRST"));
    }
}

Result<void> PostgresTranslator::add_column(const TableName& table, bool careful) {
    PostgresColumn column;
    column.name = name();
    PostgresColumnReader reader(tokens_, out_.notes);
    if (auto done = reader.read(column); !done) return refused(done.error().detail);
    skip_place();
    if (column.now || column.computed) {
        return refused(
            "column " + column.name +
            ": rows that are there would get another default than "
            "at the source"
        );
    }
    const bool implicit = column.not_null && !column.initial;
    if (implicit) {
        column.initial = column.implicit_default();
        if (!column.initial) {
            return refused("column " + column.name + ": NOT NULL without a default");
        }
    }
    change(
        table, std::string("ADD COLUMN ") + (careful ? "IF NOT EXISTS " : "") + definition(column)
    );
    if (implicit) {
        change(table, "ALTER COLUMN " + postgres_name(column.name) + " DROP DEFAULT");
    }
    if (column.primary) change(table, "ADD " + primary(table, {{column.name, ""}}));
    if (column.unique) add_index(table, {column.name, {{column.name, ""}}}, true);
    return {};
}

Result<void> PostgresTranslator::modify(const TableName& table, const std::string& column_name) {
    PostgresColumn column;
    column.name = column_name;
    PostgresColumnReader reader(tokens_, out_.notes);
    if (auto done = reader.read(column); !done) return refused(done.error().detail);
    skip_place();
    const std::string quoted = postgres_name(column.name);
    const bool same_bits = column.kind == PostgresColumn::Kind::Bit;
    const std::string_view allowed = convertible_from(column);
    // What a column was is known there only.
    add(block(
        "was text; form text;",
        "SELECT t.typname,format_type(a.atttypid,a.atttypmod) INTO STRICT was,form"
        " FROM pg_attribute a JOIN pg_type t ON t.oid=a.atttypid WHERE a.attrelid=" +
            postgres_text(table.quoted()) + "::regclass AND a.attname=" +
            postgres_text(column.name) + " AND NOT a.attisdropped; IF " +
            (same_bits ? "form<>" + postgres_text(column.type)
                       : "was<>" + postgres_text(column.type_name)) +
            (allowed.empty() ? "" : " AND was NOT IN (" + std::string(allowed) + ")") +
            " THEN RAISE EXCEPTION 'column %: % does not become % as MySQL converts it'," +
            postgres_text(column.name) + ",form," + postgres_text(column.type) + "; END IF;"
    ));
    const std::string alter = "ALTER COLUMN " + quoted;
    change(
        table,
        alter + " DROP DEFAULT," + alter + " TYPE " + column.type + " USING " + quoted + "::" +
            column.type + "," + alter + (column.not_null ? " SET NOT NULL" : " DROP NOT NULL")
    );
    if (column.now) {
        change(table, alter + " SET DEFAULT CURRENT_TIMESTAMP");
    } else if (column.initial) {
        change(table, alter + " SET DEFAULT " + *column.initial);
    } else if (column.computed) {
        note("DEFAULT of " + column.name);
    }
    if (column.primary) change(table, "ADD " + primary(table, {{column.name, ""}}));
    if (column.unique) add_index(table, {column.name, {{column.name, ""}}}, true);
    return {};
}

Result<void> PostgresTranslator::drop_item(const TableName& table) {
    if (tokens_.take("PRIMARY", "KEY")) {
        drop_index(table, "PRIMARY", false);
        return {};
    }
    if (tokens_.take("KEY") || tokens_.take("INDEX")) {
        const bool careful = if_exists();
        drop_index(table, name(), careful);
        return {};
    }
    if (tokens_.take("FOREIGN", "KEY") || tokens_.take("CONSTRAINT")) {
        static_cast<void>(if_exists());
        change(table, "DROP CONSTRAINT IF EXISTS " + postgres_name(name()));
        return {};
    }
    if (tokens_.take("CHECK")) {
        note("DROP CHECK " + name());
        return {};
    }
    for (const std::string_view word : {"PARTITION", "SYSTEM", "PERIOD"}) {
        if (tokens_.peek().is_word(word)) return refused("ALTER TABLE DROP " + here());
    }
    static_cast<void>(tokens_.take("COLUMN"));
    const bool careful = if_exists();
    change(
        table, std::string("DROP COLUMN ") + (careful ? "IF EXISTS " : "") + postgres_name(name())
    );
    static_cast<void>(tokens_.take("RESTRICT") || tokens_.take("CASCADE"));
    return {};
}

Result<void> PostgresTranslator::alter_default(const TableName& table) {
    if (tokens_.take("INDEX") || tokens_.take("CHECK") || tokens_.take("CONSTRAINT")) {
        note("ALTER " + here());
        tokens_.skip_item();
        return {};
    }
    static_cast<void>(tokens_.take("COLUMN"));
    const std::string column = name();
    if (tokens_.take("DROP", "DEFAULT")) {
        change(table, "ALTER COLUMN " + postgres_name(column) + " DROP DEFAULT");
        return {};
    }
    // Its type isn't said, on which the literal depends; no row does.
    note("ALTER COLUMN " + column + " SET");
    tokens_.skip_item();
    return {};
}

Result<void> PostgresTranslator::rename_item(
    const TableName& table, std::optional<TableName>& renamed
) {
    if (tokens_.take("COLUMN")) {
        static_cast<void>(if_exists());
        const std::string from = name();
        if (!tokens_.take("TO")) return refused("RENAME COLUMN without TO");
        change(table, "RENAME COLUMN " + postgres_name(from) + " TO " + postgres_name(name()));
        return {};
    }
    if (tokens_.take("INDEX") || tokens_.take("KEY")) {
        const std::string from = index_name(table.name, name());
        if (!tokens_.take("TO")) return refused("RENAME INDEX without TO");
        add("ALTER INDEX " + postgres_name(table.schema) + "." + postgres_name(from) +
            " RENAME TO " + postgres_name(index_name(table.name, name())));
        return {};
    }
    static_cast<void>(tokens_.take("TO") || tokens_.take("AS") || tokens_.take('='));
    renamed = table_name();
    return {};
}

}  // namespace obcanal::adapter::rdb

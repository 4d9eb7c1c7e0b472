#include "server/schema/catalog.h"

#include "protocol/base/text.h"
#include "server/schema/alter_table.h"
#include "server/schema/column_reader.h"

#include <array>
#include <utility>

namespace obcanal::schema {
namespace {

using State = TableChange::State;

struct SequenceColumn {
    const char* name;
    const char* type;
    bool is_unsigned;
};

// MariaDB's sequences are tables, and their steps are rows in the log.
constexpr std::array<SequenceColumn, 8> kSequenceColumns{{
    {"next_not_cached_value", "bigint(21)", false},
    {"minimum_value", "bigint(21)", false},
    {"maximum_value", "bigint(21)", false},
    {"start_value", "bigint(21)", false},
    {"increment", "bigint(21)", false},
    {"cache_size", "bigint(21) unsigned", true},
    {"cycle_option", "tinyint(1) unsigned", true},
    {"cycle_count", "bigint(21)", false},
}};

std::string backquoted(std::string_view name) {
    std::string out = "`";
    for (const char c : name) {
        if (c == '`') out += c;
        out += c;
    }
    return out + "`";
}

}  // namespace

class Catalog::Statement {
 public:
    Statement(
        Catalog& catalog, std::string_view sql, std::string_view default_schema, const LogPoint& at
    )
        : catalog_(catalog), tokens_(sql), default_schema_(default_schema), at_(at) {}

    std::vector<TableChange> run() {
        while (!tokens_.at_end()) {
            if (tokens_.take(';')) continue;
            if (!statement()) break;
            tokens_.skip_statement();
        }
        return std::move(changes_);
    }

 private:
    // False: what follows is the body of a routine.
    bool statement() {
        const Token verb = tokens_.next();
        if (verb.is_word("USE")) {
            if (tokens_.peek().is_name()) default_schema_ = tokens_.next().value();
        } else if (verb.is_word("CREATE")) {
            return create();
        } else if (verb.is_word("ALTER")) {
            alter();
        } else if (verb.is_word("DROP")) {
            drop();
        } else if (verb.is_word("RENAME")) {
            rename();
        }
        return true;
    }

    std::optional<TableName> table_name() { return take_table_name(tokens_, default_schema_); }

    void note(const TableName& name, State state) { changes_.push_back({name, state}); }

    void note_kept(const TableName& name) {
        note(name, catalog_.find(name.schema, name.table) ? State::Known : State::Unknown);
    }

    // The source was asked after this statement, so what it said is newer.
    bool is_later(const Entry& entry) const { return entry.asked && at_ < entry.asked->before; }

    Entry* find(const TableName& name) {
        const auto found = catalog_.tables_.find(catalog_.key(name));
        return found == catalog_.tables_.end() ? nullptr : &found->second;
    }

    // What the table is right before this statement; null: nobody knows for sure.
    TableDefinition* current(const TableName& name) {
        Entry* entry = find(name);
        if (entry == nullptr || !entry->definition) return nullptr;
        if (entry->asked && at_ < entry->asked->after) return nullptr;
        return &*entry->definition;
    }

    void set(const TableName& name, std::optional<TableDefinition> definition) {
        Entry& entry = catalog_.tables_[catalog_.key(name)];
        if (!definition && is_later(entry)) {
            note(name, entry.definition ? State::Known : State::Unknown);
            changes_.back().late = entry.definition.has_value();
            return;
        }
        note(name, definition ? State::Known : State::Unknown);
        if (definition) {
            definition->schema = name.schema;
            definition->table = name.table;
        }
        entry = {std::move(definition), std::nullopt};
    }

    void erase(const TableName& name) {
        note(name, State::Gone);
        catalog_.tables_.erase(catalog_.key(name));
    }

    // -- CREATE
    bool create() {
        const bool replace = tokens_.take("OR", "REPLACE");
        if (tokens_.take("TABLE") || tokens_.take("EXTERNAL", "TABLE")) {
            create_table(replace);
        } else if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) {
            database();
        } else if (tokens_.take("SEQUENCE")) {
            create_sequence(replace);
        } else if (tokens_.peek().is_word("TEMPORARY") || tokens_.peek().is_word("INDEX") ||
                   tokens_.peek().is_word("UNIQUE")) {
            return true;  // of one session, or without columns
        } else {
            return false;
        }
        return true;
    }

    void create_table(bool replace) {
        const bool tolerant = take_if_exists(tokens_);
        const std::optional<TableName> name = table_name();
        if (!name) return;
        if (tolerant && !replace && find(*name) != nullptr) return note_kept(*name);
        set(*name, definition(*name));
    }

    std::optional<TableDefinition> definition(const TableName& name) {
        TableDefinition table;
        if (tokens_.take("LIKE")) return like();
        if (tokens_.peek().is('(')) {
            TokenReader inside = tokens_;
            inside.next();
            if (inside.take("LIKE")) {
                tokens_ = inside;
                return like();
            }
            if (inside.peek().is_word("SELECT") || inside.peek().is('(')) return std::nullopt;
            std::optional<std::vector<PlacedColumn>> columns = take_column_list(tokens_);
            if (!columns) return std::nullopt;
            for (PlacedColumn& placed : *columns) table.columns.push_back(std::move(placed.column));
        }
        table.charset = catalog_.charset_of(name.schema);
        if (!table_options(table) || table.columns.empty()) return std::nullopt;
        for (ColumnDefinition& column : table.columns) inherit_charset(column, table.charset);
        return table;
    }

    std::optional<TableDefinition> like() {
        const std::optional<TableName> model = table_name();
        if (!model) return std::nullopt;
        const TableDefinition* found = current(*model);
        return found == nullptr ? std::nullopt : std::optional(*found);
    }

    // False: a SELECT adds columns that only the source knows.
    bool table_options(TableDefinition& table) {
        bool versioned = false;
        while (!tokens_.at_statement_end()) {
            if (const std::optional<std::string> charset = take_charset(tokens_)) {
                if (!charset->empty() && *charset != "default") table.charset = *charset;
            } else if (tokens_.peek().is('(')) {
                TokenReader inside = tokens_;
                inside.next();
                if (inside.peek().is_word("SELECT")) return false;
                tokens_.skip_parenthesis();
            } else if (tokens_.take("WITH", "SYSTEM")) {
                versioned = true;
            } else {
                const Token word = tokens_.next();
                for (const char* query : {"AS", "SELECT", "TABLE", "VALUES"}) {
                    if (word.is_word(query)) return false;
                }
                // Ranges of partitions stand behind VALUES, but in parentheses; options have
                // values.
                if (tokens_.take('=') && !tokens_.peek().is('(')) tokens_.next();
            }
        }
        if (versioned) add_versions(table);
        return true;
    }

    static void add_versions(TableDefinition& table) {
        for (const ColumnDefinition& column : table.columns) {
            if (equals_ignore_case(column.name, "row_start")) return;
        }
        for (const char* name : {"row_start", "row_end"}) {
            table.columns.push_back({name, "timestamp(6)", {}, {}, false, false, false});
        }
    }

    void create_sequence(bool replace) {
        const bool tolerant = take_if_exists(tokens_);
        const std::optional<TableName> name = table_name();
        if (!name) return;
        if (tolerant && !replace && find(*name) != nullptr) return note_kept(*name);
        TableDefinition table;
        for (const SequenceColumn& column : kSequenceColumns) {
            table.columns.push_back(
                {column.name, column.type, {}, {}, column.is_unsigned, false, false}
            );
        }
        set(*name, std::move(table));
    }

    void database() {
        take_if_exists(tokens_);
        if (!tokens_.peek().is_name()) return;
        const std::string name = tokens_.next().value();
        note({name, {}}, State::Known);
        while (!tokens_.at_statement_end()) {
            if (const std::optional<std::string> charset = take_charset(tokens_)) {
                if (charset->empty()) continue;
                const bool server = *charset == "default";
                catalog_.database_charsets_[name] = server ? catalog_.options_.charset : *charset;
            } else {
                tokens_.next();
            }
        }
    }

    // -- ALTER
    void alter() {
        while (tokens_.take("ONLINE") || tokens_.take("OFFLINE") || tokens_.take("IGNORE")) {
        }
        if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) return database();
        if (!tokens_.take("TABLE")) return;
        take_if_exists(tokens_);
        const std::optional<TableName> name = table_name();
        if (!name) return;
        take_wait(tokens_);
        const TableDefinition* before = current(*name);
        const bool known = before != nullptr;
        TableDefinition table = known ? *before : TableDefinition{};
        // MySQL: the database of the session, not the table's.
        const std::string& converts_to = catalog_.options_.mariadb ? name->schema : default_schema_;
        const AlterDefaults defaults{
            catalog_.charset_of(name->schema), catalog_.charset_of(converts_to)
        };
        const AlterOutcome outcome = alter_table(tokens_, table, default_schema_, defaults);
        if (outcome.renamed_to) erase(*name);
        const TableName& now = outcome.renamed_to ? *outcome.renamed_to : *name;
        std::optional<TableDefinition> result;
        if (known && outcome.understood) result = std::move(table);
        set(now, std::move(result));
    }

    // -- DROP, RENAME
    void drop() {
        if (tokens_.take("TEMPORARY")) return;
        if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) return drop_database();
        if (tokens_.take("INDEX")) return drop_index();
        if (!tokens_.take("TABLE") && !tokens_.take("TABLES") && !tokens_.take("SEQUENCE")) return;
        take_if_exists(tokens_);
        do {
            const std::optional<TableName> name = table_name();
            if (!name) return;
            erase(*name);
        } while (tokens_.take(','));
    }

    void drop_database() {
        take_if_exists(tokens_);
        if (!tokens_.peek().is_name()) return;
        const std::string schema = tokens_.next().value();
        catalog_.database_charsets_.erase(schema);
        note({schema, {}}, State::Gone);
        const std::string folded = catalog_.key({schema, {}}).schema;
        std::erase_if(catalog_.tables_, [&](const auto& entry) {
            if (entry.first.schema != folded) return false;
            const std::optional<TableDefinition>& known = entry.second.definition;
            note(known ? TableName{known->schema, known->table} : entry.first, State::Gone);
            return true;
        });
    }

    // DROP INDEX `PRIMARY` ON t is the only one that concerns columns.
    void drop_index() {
        take_if_exists(tokens_);
        const bool primary = equals_ignore_case(tokens_.next().value(), "PRIMARY");
        if (!tokens_.take("ON")) return;
        const std::optional<TableName> name = table_name();
        if (!primary || !name) return;
        const TableDefinition* before = current(*name);
        if (before == nullptr) return set(*name, std::nullopt);
        TableDefinition table = *before;
        for (ColumnDefinition& column : table.columns) column.is_key = false;
        set(*name, std::move(table));
    }

    void rename() {
        if (!tokens_.take("TABLE") && !tokens_.take("TABLES")) return;
        take_if_exists(tokens_);
        do {
            const std::optional<TableName> from = table_name();
            take_wait(tokens_);
            if (!from || !tokens_.take("TO")) return;
            const std::optional<TableName> to = table_name();
            if (!to) return;
            std::optional<TableDefinition> moved;
            if (TableDefinition* table = current(*from)) moved = std::move(*table);
            erase(*from);
            set(*to, std::move(moved));
        } while (tokens_.take(','));
    }

    Catalog& catalog_;
    TokenReader tokens_;
    std::string default_schema_;
    const LogPoint& at_;
    std::vector<TableChange> changes_;
};

std::vector<TableChange> Catalog::apply(
    std::string_view sql, std::string_view default_schema, const LogPoint& at
) {
    return Statement(*this, sql, default_schema, at).run();
}

const TableDefinition* Catalog::find(std::string_view schema, std::string_view table) const {
    const auto found = tables_.find(key({std::string(schema), std::string(table)}));
    if (found == tables_.end() || !found->second.definition) return nullptr;
    return &*found->second.definition;
}

void Catalog::put(TableDefinition table, std::optional<AskedBetween> asked) {
    const TableName name = key({table.schema, table.table});
    tables_[name] = {std::move(table), std::move(asked)};
}

void Catalog::set_unknown(const TableName& name) { tables_[key(name)] = {}; }

void Catalog::put_database(std::string_view name, std::string_view charset) {
    database_charsets_.insert_or_assign(std::string(name), std::string(charset));
}

void Catalog::forget(std::string_view schema, std::string_view table) {
    tables_.erase(key({std::string(schema), std::string(table)}));
}

std::vector<const TableDefinition*> Catalog::tables() const {
    std::vector<const TableDefinition*> known;
    for (const auto& [name, entry] : tables_) {
        if (entry.definition) known.push_back(&*entry.definition);
    }
    return known;
}

TableName Catalog::key(TableName name) const {
    if (!options_.names_ignore_case) return name;
    return {to_lower(name.schema), to_lower(name.table)};
}

const std::string& Catalog::charset_of(const std::string& schema) const {
    const auto found = database_charsets_.find(schema);
    return found == database_charsets_.end() ? options_.charset : found->second;
}

std::optional<TableDefinition> read_definition(std::string_view create_sql, const TableName& name) {
    Catalog scratch;
    const std::vector<TableChange> changes = scratch.apply(create_sql, name.schema);
    if (changes.size() != 1) return std::nullopt;
    const TableName& made = changes.front().name;
    const TableDefinition* found = scratch.find(made.schema, made.table);
    if (found == nullptr) return std::nullopt;
    TableDefinition table = *found;
    table.schema = name.schema;
    table.table = name.table;
    return table;
}

std::string create_statement(const TableDefinition& table) {
    std::string sql =
        "CREATE TABLE " + backquoted(table.schema) + "." + backquoted(table.table) + " (";
    std::string key;
    for (const ColumnDefinition& column : table.columns) {
        if (sql.back() != '(') sql += ", ";
        sql += backquoted(column.name) + " " + column.type;
        if (!column.charset.empty() && is_text_type(column.type)) {
            sql += " CHARACTER SET " + column.charset;
        }
        if (!column.nullable) sql += " NOT NULL";
        if (column.is_key) key += (key.empty() ? "" : ", ") + backquoted(column.name);
    }
    if (!key.empty()) sql += ", PRIMARY KEY (" + key + ")";
    sql += ")";
    if (!table.charset.empty()) sql += " CHARSET=" + table.charset;
    return sql;
}

}  // namespace obcanal::schema

#include "server/schema/ddl_reader.h"

#include "protocol/base/text.h"
#include "protocol/mysql/sql_tokens.h"
#include "server/schema/names.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace obcanal::schema {

using mysql::Token;
using mysql::TokenKind;
namespace {

using canal::EventType;

// Statements that Canal has no entry for. What is neither here nor read below is a QUERY.
constexpr std::array<std::string_view, 40> kSilent = {
    "ANALYZE",    "BEGIN",   "CALL",     "CHANGE", "CHECK",     "CHECKSUM", "COMMENT",   "COMMIT",
    "DEALLOCATE", "DESC",    "DESCRIBE", "DO",     "EXECUTE",   "EXPLAIN",  "FLASHBACK", "FLUSH",
    "GRANT",      "HANDLER", "INSTALL",  "KILL",   "LOAD",      "LOCK",     "OPTIMIZE",  "PREPARE",
    "PURGE",      "RELEASE", "REPLACE",  "RESET",  "REVOKE",    "ROLLBACK", "SAVEPOINT", "SELECT",
    "SET",        "SHOW",    "START",    "STOP",   "UNINSTALL", "UNLOCK",   "WITH",      "XA"
};
// The same for CREATE, ALTER and DROP of ...
constexpr std::array<std::string_view, 12> kSilentObjects = {
    "EVENT",
    "FUNCTION",
    "LOGFILE",
    "PACKAGE",
    "PROCEDURE",
    "ROLE",
    "SEQUENCE",
    "SERVER",
    "TABLEGROUP",
    "TABLESPACE",
    "TRIGGER",
    "USER"
};
// Their bodies are statements of their own.
constexpr std::array<std::string_view, 5> kObjectsWithBody = {
    "EVENT", "FUNCTION", "PACKAGE", "PROCEDURE", "TRIGGER"
};
constexpr std::array<std::string_view, 10> kIndexKinds = {
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "VECTOR",
    "GLOBAL",
    "LOCAL",
    "ONLINE",
    "OFFLINE",
    "CLUSTERING",
    "BITMAP"
};
// Items of ALTER TABLE that are no table option, apart from those that are read one by one.
constexpr std::array<std::string_view, 20> kPlainItems = {
    "ALTER",   "ALGORITHM", "ANALYZE", "CHANGE",     "CHECK",  "COALESCE", "CONVERT",
    "DISABLE", "DISCARD",   "ENABLE",  "EXCHANGE",   "FORCE",  "IMPORT",   "LOCK",
    "MODIFY",  "OPTIMIZE",  "REBUILD", "REORGANIZE", "REPAIR", "TRUNCATE"
};

bool is_one_of(const Token& token, std::span<const std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) { return token.is_word(word); });
}

class Reader {
 public:
    Reader(std::string_view sql, std::string_view default_schema)
        : tokens_(sql), default_schema_(default_schema) {}

    std::vector<DdlEffect> run() {
        while (!tokens_.at_end()) {
            if (tokens_.take(';')) continue;
            statement();
            tokens_.skip_statement();
        }
        return std::move(effects_);
    }

 private:
    void statement() {
        const Token verb = tokens_.next();
        if (verb.is_word("USE")) {
            if (tokens_.peek().is_name()) default_schema_ = tokens_.next().value();
        } else if (verb.is_word("CREATE")) {
            create();
        } else if (verb.is_word("ALTER")) {
            alter();
        } else if (verb.is_word("DROP")) {
            drop();
        } else if (verb.is_word("TRUNCATE")) {
            tokens_.take("TABLE");
            tables(EventType::Truncate);
        } else if (verb.is_word("RENAME")) {
            rename();
        } else if (verb.is_word("INSERT")) {
            dml(EventType::Insert);
        } else if (verb.is_word("UPDATE")) {
            dml(EventType::Update);
        } else if (verb.is_word("DELETE")) {
            dml(EventType::Delete);
        } else if (!verb.is('(') && !is_one_of(verb, kSilent)) {
            query();
        }
    }

    void add(EventType type, TableName name) {
        effects_.push_back({type, std::move(name.schema), std::move(name.table), {}, {}});
    }

    void query() { effects_.emplace_back(); }

    std::optional<TableName> table_name() { return take_table_name(tokens_, default_schema_); }

    // One effect for each name of a list.
    void tables(EventType type) {
        take_if_exists(tokens_);
        do {
            std::optional<TableName> name = table_name();
            if (!name) return query();
            add(type, std::move(*name));
        } while (tokens_.take(','));
    }

    void database() {
        take_if_exists(tokens_);
        if (!tokens_.peek().is_name()) return query();
        add(EventType::Query, {tokens_.next().value(), {}});
    }

    void create() {
        tokens_.take("OR", "REPLACE");
        while (tokens_.take("GLOBAL") || tokens_.take("LOCAL") || tokens_.take("PRIVATE") ||
               tokens_.take("TEMPORARY") || tokens_.take("EXTERNAL")) {
        }
        if (tokens_.take("TABLE")) {
            take_if_exists(tokens_);
            std::optional<TableName> name = table_name();
            return name ? add(EventType::Create, std::move(*name)) : query();
        }
        if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) return database();
        while (is_one_of(tokens_.peek(), kIndexKinds)) tokens_.next();
        if (tokens_.take("INDEX")) {
            take_if_exists(tokens_);
            return index(EventType::CIndex);
        }
        other_object(true);
    }

    // ... [name] [USING BTREE] ON table
    void index(EventType type) {
        while (!tokens_.at_statement_end() && !tokens_.peek().is_word("ON") &&
               !tokens_.peek().is('(')) {
            tokens_.next();
        }
        std::optional<TableName> name;
        if (tokens_.take("ON")) name = table_name();
        return name ? add(type, std::move(*name)) : query();
    }

    // [ALGORITHM = ...] [DEFINER = user@host] [SQL SECURITY ...] [AGGREGATE] VIEW | EVENT | ...
    void other_object(bool silent_view) {
        while (!tokens_.at_statement_end() && !tokens_.peek().is('(')) {
            const Token word = tokens_.next();
            if (is_one_of(word, kObjectsWithBody)) return tokens_to_end();
            if (is_one_of(word, kSilentObjects)) return;
            if (word.is_word("VIEW")) return silent_view ? void() : query();
            if (word.is('='))
                definer();
            else if (!may_precede_object(word))
                break;
        }
        query();
    }

    static bool may_precede_object(const Token& word) {
        static constexpr std::array<std::string_view, 12> kWords = {
            "ALGORITHM",
            "DEFINER",
            "SQL",
            "SECURITY",
            "INVOKER",
            "AGGREGATE",
            "EDITIONABLE",
            "NONEDITIONABLE",
            "FORCE",
            "NO",
            "MATERIALIZED",
            "BODY"
        };
        return is_one_of(word, kWords);
    }

    // The value behind DEFINER = or ALGORITHM =.
    void definer() {
        tokens_.next();
        if (tokens_.take('@')) tokens_.next();
        if (tokens_.peek().is('(')) tokens_.skip_parenthesis();
    }

    void tokens_to_end() {
        while (!tokens_.at_end()) tokens_.next();
    }

    void drop() {
        tokens_.take("TEMPORARY");
        if (tokens_.take("TABLE") || tokens_.take("TABLES")) return tables(EventType::Erase);
        if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) return database();
        while (tokens_.take("ONLINE") || tokens_.take("OFFLINE")) {
        }
        if (tokens_.take("INDEX")) return index(EventType::DIndex);
        if (tokens_.peek().is_word("VIEW") || is_one_of(tokens_.peek(), kSilentObjects)) return;
        query();
    }

    void rename() {
        if (tokens_.take("USER")) return;
        if (!tokens_.take("TABLE") && !tokens_.take("TABLES")) return query();
        take_if_exists(tokens_);
        do {
            std::optional<TableName> from = table_name();
            take_wait(tokens_);
            if (!from || !tokens_.take("TO")) return query();
            std::optional<TableName> to = table_name();
            if (!to) return query();
            add_rename(*from, std::move(*to));
        } while (tokens_.take(','));
    }

    void add_rename(const TableName& from, TableName to) {
        effects_.push_back(
            {EventType::Rename, std::move(to.schema), std::move(to.table), from.schema, from.table}
        );
    }

    void alter() {
        while (tokens_.take("ONLINE") || tokens_.take("OFFLINE") || tokens_.take("IGNORE")) {
        }
        if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) return;
        if (!tokens_.take("TABLE")) return other_object(false);
        take_if_exists(tokens_);
        const std::optional<TableName> name = table_name();
        if (!name) return query();
        take_wait(tokens_);
        const size_t first = effects_.size();
        bool options = false;
        while (!tokens_.at_statement_end()) {
            options = !alter_item(*name) || options;
            tokens_.skip_item();
            while (tokens_.take(')')) tokens_.skip_item();  // closes nothing
            tokens_.take(',');
        }
        // Canal's parser collects the options in front of all other items.
        if (options) {
            effects_.insert(
                effects_.begin() + static_cast<ptrdiff_t>(first),
                {EventType::Alter, name->schema, name->table, {}, {}}
            );
        }
    }

    // False: a table option.
    bool alter_item(const TableName& table) {
        if (tokens_.take("ADD")) {
            add_item(table);
        } else if (tokens_.take("DROP")) {
            drop_item(table);
        } else if (tokens_.take("RENAME")) {
            rename_item(table);
        } else if (tokens_.take("ORDER")) {
            add(EventType::Alter, table);
            tokens_.skip_statement();  // its columns are separated like items
        } else if (is_one_of(tokens_.peek(), kPlainItems)) {
            add(EventType::Alter, table);
        } else if (tokens_.peek().is_word("PARTITION") || tokens_.peek().is_word("REMOVE")) {
            tokens_.skip_statement();  // how rows are spread: Canal has no result for it
        } else {
            return false;
        }
        return true;
    }

    void add_item(const TableName& table) {
        static constexpr std::array<std::string_view, 8> kKeys = {
            "INDEX", "KEY", "UNIQUE", "PRIMARY", "FULLTEXT", "SPATIAL", "VECTOR", "CLUSTERING"
        };
        const bool constraint = tokens_.take("CONSTRAINT");
        if (constraint) {
            take_if_exists(tokens_);
            const bool named = tokens_.peek().is_name() && !is_one_of(tokens_.peek(), kKeys) &&
                               !tokens_.peek().is_word("FOREIGN") &&
                               !tokens_.peek().is_word("CHECK");
            if (named) tokens_.next();
        }
        if (is_one_of(tokens_.peek(), kKeys)) {
            add(EventType::CIndex, table);
        } else if (tokens_.peek().is_word("FOREIGN") || tokens_.peek().is_word("CHECK")) {
            return;  // Canal has no result for them
        } else {
            add(EventType::Alter, table);
        }
    }

    void drop_item(const TableName& table) {
        const Token& what = tokens_.peek();
        const bool key = what.is_word("INDEX") || what.is_word("KEY") ||
                         what.is_word("CONSTRAINT") || what.is_word("FOREIGN");
        add(key ? EventType::DIndex : EventType::Alter, table);
    }

    void rename_item(const TableName& table) {
        const Token& what = tokens_.peek();
        if (what.is_word("COLUMN") || what.is_word("INDEX") || what.is_word("KEY") ||
            what.is_word("PARTITION") || what.is_word("CONSTRAINT")) {
            return add(EventType::Alter, table);
        }
        if (!tokens_.take("TO") && !tokens_.take("AS")) tokens_.take('=');
        std::optional<TableName> to = table_name();
        return to ? add_rename(table, std::move(*to)) : add(EventType::Alter, table);
    }

    // Statement-format events. Of several tables Canal names the first, for a DELETE of rows of
    // several tables none.
    void dml(EventType type) {
        while (tokens_.take("LOW_PRIORITY") || tokens_.take("DELAYED") ||
               tokens_.take("HIGH_PRIORITY") || tokens_.take("QUICK") || tokens_.take("IGNORE")) {
        }
        tokens_.take("INTO");
        tokens_.take("FROM");
        std::optional<TableName> name = table_name();
        if (!name) return query();
        if (type == EventType::Delete && tokens_.peek().is(',')) *name = {default_schema_, {}};
        add(type, std::move(*name));
    }

    TokenReader tokens_;
    std::string default_schema_;
    std::vector<DdlEffect> effects_;
};

}  // namespace

std::vector<DdlEffect> read_ddl(std::string_view sql, std::string_view default_schema) {
    return Reader(sql, default_schema).run();
}

}  // namespace obcanal::schema

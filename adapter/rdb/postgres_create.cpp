// CREATE TABLE, CREATE INDEX, and the keys that ALTER TABLE adds.
#include "adapter/rdb/postgres_translator.h"
#include "protocol/base/crypto.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

namespace {

constexpr size_t kNameLimit = 63;  // bytes of PostgreSQL's names

}  // namespace

std::string PostgresTranslator::index_name(const std::string& table, const std::string& index) {
    std::string name = table + "_" + index;
    if (name.size() > kNameLimit) {
        const Sha1 digest = sha1(as_bytes(name));
        name = name.substr(0, kNameLimit - 9) + "_" + to_hex(Bytes(digest).first(4));
    }
    return name;
}

Result<void> PostgresTranslator::create() {
    const bool replace = tokens_.take("OR", "REPLACE");
    static_cast<void>(tokens_.take("ONLINE") || tokens_.take("OFFLINE"));
    if (tokens_.take("TEMPORARY")) return leave_out("CREATE TEMPORARY");
    if (tokens_.take("TABLE")) return create_table(replace);
    if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) {
        static_cast<void>(if_not_exists());
        add("CREATE SCHEMA IF NOT EXISTS " + postgres_name(name()));
        tokens_.skip_statement();
        return {};
    }
    const bool unique = tokens_.take("UNIQUE");
    if (tokens_.take("INDEX")) return create_index(unique);
    if (tokens_.peek().is_word("FULLTEXT") || tokens_.peek().is_word("SPATIAL")) {
        return leave_out("CREATE");
    }
    if (tokens_.peek().is_word("SEQUENCE")) return refused("CREATE SEQUENCE");
    return leave_out("CREATE");
}

Result<void> PostgresTranslator::create_index(bool unique) {
    const bool careful = if_not_exists();
    Key key;
    key.name = name();
    index_type();
    if (!tokens_.take("ON")) return refused("CREATE INDEX without ON");
    const TableName table = table_name();
    if (auto parts = key_parts(key); !parts) return parts;
    tokens_.skip_statement();
    add_index(table, key, unique, careful);
    return {};
}

void PostgresTranslator::add_index(
    const TableName& table, const Key& key, bool unique, bool careful
) {
    std::string sql = unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ";
    sql += careful ? "IF NOT EXISTS " : "";
    sql += postgres_name(index_name(table.name, key.name)) + " ON " + table.quoted() + " (";
    for (size_t i = 0; i < key.parts.size(); i++) {
        const KeyPart& part = key.parts[i];
        const std::string column = postgres_name(part.column);
        sql += i > 0 ? "," : "";
        // substring() knows texts and bytes.
        sql += part.length.empty() ? column
                                   : "substring(" + column + " from 1 for " + part.length + ")";
    }
    add(sql + ")");
}

void PostgresTranslator::index_type() {
    if (tokens_.take("USING") || tokens_.take("TYPE")) {
        static_cast<void>(tokens_.next());
    }
}

Result<void> PostgresTranslator::key_parts(Key& key) {
    if (!tokens_.take('(')) return refused("a key without columns at " + here());
    while (!tokens_.at_statement_end() && !tokens_.take(')')) {
        if (tokens_.take(',')) continue;
        if (tokens_.peek().is('(')) return refused("a key over an expression");
        KeyPart part;
        part.column = name();
        if (tokens_.take('(')) {
            part.length = std::string(tokens_.next().text);
            static_cast<void>(tokens_.take(')'));
        }
        static_cast<void>(tokens_.take("ASC") || tokens_.take("DESC"));
        key.parts.push_back(std::move(part));
    }
    return key.parts.empty() ? refused("a key without columns") : Result<void>();
}

Result<void> PostgresTranslator::create_table(bool replace) {
    const bool careful = if_not_exists();
    const TableName table = table_name();
    if (replace) add("DROP TABLE IF EXISTS " + table.quoted());
    const std::string head =
        std::string("CREATE TABLE ") + (careful ? "IF NOT EXISTS " : "") + table.quoted();
    bool like = tokens_.take("LIKE");
    const bool open = !like && tokens_.take('(');
    like = like || (open && tokens_.take("LIKE"));
    if (like) {
        add(head + " (LIKE " + table_name().quoted() + " INCLUDING ALL)");
        tokens_.skip_statement();
        return {};
    }
    if (!open) return refused("CREATE TABLE without columns");
    items_.clear();
    later_.clear();
    foreign_keys_ = 0;
    while (!tokens_.at_statement_end() && !tokens_.take(')')) {
        if (tokens_.take(',')) continue;
        if (auto done = table_item(table); !done) return done;
    }
    if (items_.empty()) return refused("CREATE TABLE without columns");
    if (auto done = table_options(); !done) return done;
    std::string sql = head + " (";
    for (size_t i = 0; i < items_.size(); i++) {
        sql += (i > 0 ? "," : "") + items_[i];
    }
    add(sql + ")");
    for (const auto& [key, unique] : later_) {
        add_index(table, key, unique, careful);
    }
    return {};
}

Result<void> PostgresTranslator::table_options() {
    while (!tokens_.at_statement_end()) {
        const mysql::Token token = tokens_.next();
        if (token.is_word("SELECT") || token.is_word("AS")) {
            return refused("CREATE TABLE with a SELECT");
        }
        if (token.is_word("SYSTEM")) return refused("system versioning");
        if (token.is_word("PARTITION")) note("PARTITION");
        if (token.is('(')) {
            while (!tokens_.at_statement_end() && !tokens_.peek().is(')')) {
                if (tokens_.peek().is('(')) {
                    tokens_.skip_parenthesis();
                } else {
                    static_cast<void>(tokens_.next());
                }
            }
        }
    }
    return {};
}

PostgresTranslator::Key PostgresTranslator::unnamed(Key key) {
    if (key.name.empty()) {
        key.name = key.parts.front().column;
        const auto taken = [this](const std::string& wanted) {
            return std::ranges::any_of(later_, [&wanted](const auto& other) {
                return other.first.name == wanted;
            });
        };
        for (int i = 2; taken(key.name); i++) {
            key.name = key.parts.front().column + "_" + std::to_string(i);
        }
    }
    return key;
}

Result<void> PostgresTranslator::table_item(const TableName& table) {
    bool is_key = false;
    if (auto done = key_item(table, is_key); !done || is_key) return done;
    PostgresColumn column;
    column.name = name();
    PostgresColumnReader reader(tokens_, out_.notes);
    if (auto done = reader.read(column); !done) return refused(done.error().detail);
    if (column.computed) note("DEFAULT of " + column.name);
    items_.push_back(definition(column));
    if (column.primary) add_primary(table, {{column.name, ""}});
    if (column.unique) later_.emplace_back(unnamed({"", {{column.name, ""}}}), true);
    return {};
}

std::string PostgresTranslator::definition(const PostgresColumn& column) {
    std::string sql = postgres_name(column.name) + " " + column.type;
    sql += column.not_null ? " NOT NULL" : "";
    if (column.now) {
        sql += " DEFAULT CURRENT_TIMESTAMP";
    } else if (column.initial) {
        sql += " DEFAULT " + *column.initial;
    }
    return sql;
}

void PostgresTranslator::add_primary(const TableName& table, const std::vector<KeyPart>& parts) {
    items_.push_back(primary(table, parts));
}

std::string PostgresTranslator::primary(const TableName& table, const std::vector<KeyPart>& parts) {
    return "CONSTRAINT " + postgres_name(index_name(table.name, "pkey")) + " PRIMARY KEY (" +
           columns_of(parts) + ")";
}

std::string PostgresTranslator::columns_of(const std::vector<KeyPart>& parts) {
    std::string sql;
    for (const KeyPart& part : parts) {
        sql += (sql.empty() ? "" : ",") + postgres_name(part.column);
    }
    return sql;
}

Result<void> PostgresTranslator::key_item(const TableName& table, bool& found) {
    found = true;
    std::string constraint;
    if (tokens_.take("CONSTRAINT")) {
        const bool named = !tokens_.peek().is_word("PRIMARY") &&
                           !tokens_.peek().is_word("UNIQUE") &&
                           !tokens_.peek().is_word("FOREIGN") && !tokens_.peek().is_word("CHECK");
        constraint = named ? name() : "";
    }
    Key key;
    if (tokens_.take("PRIMARY", "KEY")) {
        index_type();
        if (!tokens_.peek().is('(')) static_cast<void>(name());
        if (auto parts = key_parts(key); !parts) return parts;
        for (const KeyPart& part : key.parts) {
            if (!part.length.empty()) return refused("a primary key over part of a column");
        }
        add_primary(table, key.parts);
        tokens_.skip_item();
        return {};
    }
    if (tokens_.take("FOREIGN", "KEY")) return foreign_key(table, constraint);
    if (tokens_.take("CHECK")) {
        note("CHECK");
        tokens_.skip_item();
        return {};
    }
    if (tokens_.peek().is_word("FULLTEXT") || tokens_.peek().is_word("SPATIAL")) {
        note(here() + " key");
        tokens_.skip_item();
        return {};
    }
    if (tokens_.peek().is_word("PERIOD")) return refused("PERIOD");
    const bool unique = tokens_.take("UNIQUE");
    const bool plain = tokens_.take("KEY") || tokens_.take("INDEX");
    if (!unique && !plain) {
        found = !constraint.empty();
        return found ? refused("CONSTRAINT " + constraint) : Result<void>();
    }
    const bool careful = if_not_exists();
    static_cast<void>(careful);
    if (!tokens_.peek().is('(') && !tokens_.peek().is_word("USING")) key.name = name();
    if (key.name.empty()) key.name = constraint;
    index_type();
    if (auto parts = key_parts(key); !parts) return parts;
    later_.emplace_back(unnamed(std::move(key)), unique);
    tokens_.skip_item();
    return {};
}

Result<void> PostgresTranslator::foreign_key(const TableName& table, std::string constraint) {
    Key key;
    static_cast<void>(if_not_exists());
    if (!tokens_.peek().is('(')) {
        const std::string index = name();
        constraint = constraint.empty() ? index : constraint;
    }
    if (auto parts = key_parts(key); !parts) return parts;
    if (!tokens_.take("REFERENCES")) return refused("FOREIGN KEY without REFERENCES");
    const TableName other = table_name();
    Key referred;
    if (auto parts = key_parts(referred); !parts) return parts;
    foreign_keys_++;
    if (constraint.empty()) {
        constraint = table.name + "_ibfk_" + std::to_string(foreign_keys_);
    }
    std::string sql = "CONSTRAINT " + postgres_name(constraint) + " FOREIGN KEY (" +
                      columns_of(key.parts) + ") REFERENCES " + other.quoted() + " (" +
                      columns_of(referred.parts) + ")";
    while (!at_end_of_item()) {
        const mysql::Token token = tokens_.next();
        constexpr std::array<std::string_view, 9> kActions{
            "ON", "DELETE", "UPDATE", "CASCADE", "SET", "NULL", "NO", "ACTION", "RESTRICT"
        };
        const std::string word = to_upper(token.text);
        if (std::ranges::find(kActions, word) == kActions.end()) {
            return refused("FOREIGN KEY with " + word);
        }
        sql += " " + word;
    }
    items_.push_back(std::move(sql));
    return {};
}

}  // namespace obcanal::adapter::rdb

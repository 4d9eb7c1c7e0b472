#include "adapter/rdb/postgres_ddl.h"

#include "adapter/rdb/postgres_translator.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

using mysql::TokenKind;

Result<PostgresDdl> PostgresTranslator::run() {
    while (!tokens_.at_end()) {
        if (tokens_.take(';')) {
            continue;
        }
        if (auto done = statement(); !done) {
            return done.error();
        }
    }
    return std::move(out_);
}

Result<void> PostgresTranslator::statement() {
    const std::string first = to_upper(tokens_.peek().text);
    if (tokens_.take("CREATE")) return create();
    if (tokens_.take("ALTER")) return alter();
    if (tokens_.take("DROP")) return drop();
    if (tokens_.take("RENAME")) return rename_tables();
    if (tokens_.take("TRUNCATE")) {
        static_cast<void>(tokens_.take("TABLE"));
        add("TRUNCATE TABLE " + table_name().quoted());
        return rest_nothing("TRUNCATE");
    }
    constexpr std::array<std::string_view, 13> kNoRows{
        "GRANT",
        "REVOKE",
        "SET",
        "ANALYZE",
        "OPTIMIZE",
        "REPAIR",
        "CHECK",
        "FLUSH",
        "USE",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT",
        "CHECKSUM"
    };
    if (std::ranges::find(kNoRows, first) == kNoRows.end()) {
        return refused("a statement that begins with " + here());
    }
    static_cast<void>(tokens_.next());
    return leave_out(first);
}

Result<void> PostgresTranslator::leave_out(const std::string& what) {
    note(what + " " + here());
    tokens_.skip_statement();
    return {};
}

Result<void> PostgresTranslator::rest_nothing(const std::string& of) {
    while (tokens_.take("WAIT") || tokens_.take("NOWAIT") || tokens_.take("RESTRICT") ||
           tokens_.take("CASCADE") ||
           (tokens_.peek().kind == TokenKind::Word && tokens_.peek().text[0] >= '0' &&
            tokens_.peek().text[0] <= '9')) {
        if (!tokens_.at_statement_end() && tokens_.peek().text[0] >= '0' &&
            tokens_.peek().text[0] <= '9') {
            static_cast<void>(tokens_.next());
        }
    }
    return tokens_.at_statement_end() ? Result<void>() : refused(of + " with " + here());
}

Result<void> PostgresTranslator::drop() {
    const bool temporary = tokens_.take("TEMPORARY");
    if (temporary) return leave_out("DROP TEMPORARY");
    if (tokens_.take("DATABASE") || tokens_.take("SCHEMA")) {
        static_cast<void>(if_exists());
        add("DROP SCHEMA IF EXISTS " + postgres_name(name()) + " CASCADE");
        return {};
    }
    if (tokens_.take("TABLE") || tokens_.take("TABLES")) {
        std::string sql = if_exists() ? "DROP TABLE IF EXISTS " : "DROP TABLE ";
        sql += table_name().quoted();
        while (tokens_.take(',')) {
            sql += "," + table_name().quoted();
        }
        add(std::move(sql));
        return rest_nothing("DROP TABLE");
    }
    static_cast<void>(tokens_.take("ONLINE") || tokens_.take("OFFLINE"));
    if (tokens_.take("INDEX")) {
        const bool careful = if_exists();
        const std::string index = name();
        if (!tokens_.take("ON")) return refused("DROP INDEX without ON");
        const TableName table = table_name();
        tokens_.skip_statement();
        drop_index(table, index, careful);
        return {};
    }
    if (tokens_.peek().is_word("SEQUENCE")) return refused("DROP SEQUENCE");
    return leave_out("DROP");
}

Result<PostgresDdl> to_postgres_ddl(std::string_view sql, const std::string& schema) {
    return PostgresTranslator(sql, schema).run();
}

}  // namespace obcanal::adapter::rdb

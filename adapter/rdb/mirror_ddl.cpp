#include "adapter/rdb/mirror_ddl.h"

#include "adapter/rdb/postgres_ddl.h"

namespace obcanal::adapter::rdb {

Result<MirrorStatement> mirror_statement(const core::Dml& dml, config::SqlFamily family) {
    MirrorStatement statement;
    statement.database = dml.ddl_schema.empty() ? dml.database : dml.ddl_schema;
    if (family == config::SqlFamily::Mysql) {
        statement.sql = dml.sql;
        return statement;
    }
    auto translated = to_postgres_ddl(dml.sql, statement.database);
    if (!translated) {
        return translated.error();
    }
    for (const std::string& one : translated->statements) {
        statement.sql += (statement.sql.empty() ? "" : ";") + one;
    }
    statement.notes = std::move(translated->notes);
    return statement;
}

}  // namespace obcanal::adapter::rdb

// Databases that rows are read from (srcDataSources): sessions with them, what their catalogue says
// of a table, and how values get into the statements they are asked with. Full loads and read-backs
// use it. Blocks, but for what makes text; one thread at a time.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/config/jdbc_url.h"
#include "protocol/base/result.h"
#include "protocol/client/mysql_session.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// TLS of the url's parameters: sslMode, useSSL, requireSSL, verifyServerCertificate, serverSslCert.
Result<client::MysqlSessionOptions> mysql_options(
    const config::JdbcUrl& url, std::string user, std::string password
);

// srcDataSources.{key}. An Error names what asks for it.
Result<config::DataSourceConfig> find_source(
    const config::AdapterConfig& config, const std::string& key, const std::string& asked_by
);

// Tries the url's servers one after the other. Its sql_mode lets everything be read; then
// sessionVariables of the url.
Result<std::unique_ptr<client::MysqlSession>> open_source(const config::DataSourceConfig& source);

Error source_error(const std::string& what, const client::SqlFailure& failed);

struct SourceColumn {
    std::string name;
    std::string mysql_type;  // "int(11) unsigned"
    std::string base;        // "int"
    bool primary = false;
};

struct SourceTable {
    std::string database;
    std::string name;
    std::vector<SourceColumn> columns;
    // Columns of the primary key, or of the first unique key, by whose order rows can be read in
    // parts: never NULL, compared as they are ordered. The front part of a key where the rest is
    // none of these. Indexes of `columns`; empty: there are none.
    std::vector<size_t> paging_key;
    uint64_t row_estimate = 0;

    std::string quoted() const;
};

// Without columns: there is no such table.
Result<SourceTable> describe_source(
    client::MysqlSession& session, const std::string& database, const std::string& table
);
// Names of the base tables of a database.
Result<std::vector<std::string>> source_tables(
    client::MysqlSession& session, const std::string& database
);

std::string quote_source_name(std::string_view name);
// A value as a hexadecimal literal of text: nothing in it can end it.
void append_sql_value(std::string& sql, std::string_view value);
// "where c>={}" with its parameters, as text in order; empty without parameters, as in the
// reference. An Error when their number is another than that of the {}.
Result<std::string> fill_condition(
    std::string_view condition, const std::vector<std::string>& params
);

}  // namespace obcanal::adapter::core

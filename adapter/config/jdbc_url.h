// jdbc: URLs as mapping files and application.yml hold them: which family of database, where, and
// the parameters behind the "?". Plain data.
#pragma once

#include "adapter/config/adapter_config.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"

#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

enum class SqlFamily : uint8_t {
    Mysql,     // MySQL, MariaDB, OceanBase in MySQL mode
    Postgres,  // PostgreSQL
};

struct JdbcUrl {
    SqlFamily family = SqlFamily::Mysql;
    std::vector<Endpoint> servers;  // tried in this order; never empty
    std::string database;           // may be empty
    Properties parameters;

    // Without user, password and parameters: for messages.
    std::string text() const;
};

// jdbc:mysql://host[:port][,host[:port]]/[database][?name=value&...], the same of mariadb and
// oceanbase (also with ":replication", ":loadbalance", ":failover", whose hosts are tried one after
// the other), and jdbc:postgresql:[//host[:port]/]database. Names and values may be %-encoded.
Result<JdbcUrl> parse_jdbc_url(std::string_view url);

// The value of a parameter, whose name is compared ignoring case; empty when there is none.
std::string_view parameter(const JdbcUrl& url, std::string_view name);

}  // namespace obcanal::adapter::config

#include "adapter/core/source_session.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::core {
namespace {

// A chunk's first row may be a long way into an index.
constexpr std::chrono::seconds kReadTimeout{1'800};

// What ORDER BY and comparisons agree upon, and what text names exactly: no enum, whose order is
// that of its members; no float; no timestamp, whose text is not in order when summer time ends.
constexpr std::array<std::string_view, 17> kPaged{
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "decimal",
    "date",
    "datetime",
    "time",
    "year",
    "char",
    "varchar",
    "binary",
    "varbinary",
    "bit",
    "inet6",
    "uuid"
};

std::string cell(const std::optional<std::string>& value) { return value.value_or(""); }

struct Index {
    std::string name;
    std::vector<size_t> columns;  // those in front that rows can be paged by
    bool ended = false;
};

}  // namespace

Result<client::MysqlSessionOptions> mysql_options(
    const config::JdbcUrl& url, std::string user, std::string password
) {
    using Tls = client::MysqlSessionOptions::Tls;
    client::MysqlSessionOptions options;
    options.user = std::move(user);
    options.password = std::move(password);
    options.database = url.database;
    const std::string mode = to_lower(config::parameter(url, "sslMode"));
    const auto is_true = [&url](std::string_view name) {
        return equals_ignore_case(config::parameter(url, name), "true");
    };
    if (mode == "disabled" || mode == "disable") {
        options.tls = Tls::Off;
    } else if (mode == "preferred") {
        options.tls = Tls::Preferred;
    } else if (mode == "required" || mode == "trust") {
        options.tls = Tls::Required;
    } else if (mode.starts_with("verify")) {
        options.tls = Tls::Verified;
    } else if (!mode.empty()) {
        return Error{Errc::BadConfig, Retry::Never, "sslMode=" + mode + " is not known"};
    } else if (is_true("useSSL")) {
        const bool verified = is_true("verifyServerCertificate");
        options.tls = is_true("requireSSL") ? Tls::Required : Tls::Preferred;
        options.tls = verified ? Tls::Verified : options.tls;
    }
    options.ca_file = config::parameter(url, "serverSslCert");
    return options;
}

Result<config::DataSourceConfig> find_source(
    const config::AdapterConfig& config, const std::string& key, const std::string& asked_by
) {
    for (const config::DataSourceConfig& source : config.data_sources) {
        if (source.key == key) return source;
    }
    return Error{
        Errc::BadConfig,
        Retry::Never,
        asked_by + ": dataSourceKey '" + key + "' is no key of canal.conf.srcDataSources"
    };
}

Error source_error(const std::string& what, const client::SqlFailure& failed) {
    return {failed.lost ? Errc::Closed : Errc::Refused, Retry::Backoff, what + ": " + failed.text};
}

Result<std::unique_ptr<client::MysqlSession>> open_source(const config::DataSourceConfig& source) {
    const std::string name = "srcDataSources." + source.key;
    auto url = config::parse_jdbc_url(source.url);
    if (!url) return std::move(url).error().in(name);
    if (url->family != config::SqlFamily::Mysql) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            name + ": rows are read from MySQL, MariaDB and OceanBase only"
        };
    }
    auto options = mysql_options(*url, source.user, source.password);
    if (!options) return std::move(options).error().in(name);
    options->io_timeout = kReadTimeout;
    Error last;
    for (const Endpoint& server : url->servers) {
        options->server = server;
        auto session = client::MysqlSession::open(*options);
        if (!session) {
            last = std::move(session).error();
            continue;
        }
        // A reader that writes what it has read meanwhile takes its time.
        std::string sql = "SET SESSION sql_mode='',net_write_timeout=3600";
        const std::string_view variables = config::parameter(*url, "sessionVariables");
        if (!variables.empty()) sql += "," + std::string(variables);
        if (const auto failed = (*session)->execute(sql)) {
            last = source_error(server.text(), *failed);
            continue;
        }
        return std::move(session).value();
    }
    return std::move(last).in(name);
}

std::string quote_source_name(std::string_view name) {
    std::string out = "`";
    for (const char c : name) {
        out += c;
        if (c == '`') out += c;
    }
    return out + "`";
}

std::string SourceTable::quoted() const {
    return quote_source_name(database) + "." + quote_source_name(name);
}

void append_sql_value(std::string& sql, std::string_view value) {
    sql += "_utf8mb4 X'";
    sql += to_hex(as_bytes(value));
    sql += '\'';
}

Result<std::string> fill_condition(
    std::string_view condition, const std::vector<std::string>& params
) {
    std::string filled;
    condition = trim(condition);
    if (condition.empty() || params.empty()) return filled;
    size_t used = 0;
    for (size_t at = 0; at < condition.size();) {
        if (condition.substr(at, 2) != "{}") {
            filled += condition[at++];
            continue;
        }
        if (used < params.size()) append_sql_value(filled, params[used]);
        ++used;
        at += 2;
    }
    if (used != params.size()) {
        return Error{
            Errc::BadConfig,
            Retry::Never,
            "etlCondition \"" + printable(condition) + "\" takes " + std::to_string(used) +
                " parameters, " + std::to_string(params.size()) + " are given"
        };
    }
    return filled;
}

Result<SourceTable> describe_source(
    client::MysqlSession& session, const std::string& database, const std::string& table
) {
    SourceTable described;
    described.database = database;
    described.name = table;
    std::string place = " WHERE TABLE_SCHEMA=";
    append_sql_value(place, database);
    place += " AND TABLE_NAME=";
    append_sql_value(place, table);
    const std::string what = "table " + database + "." + table + " of the source";

    client::SqlRows rows;
    if (const auto failed = session.query(
            "SELECT COLUMN_NAME,COLUMN_TYPE,DATA_TYPE,IS_NULLABLE,COLUMN_KEY FROM"
            " information_schema.COLUMNS" +
                place + " ORDER BY ORDINAL_POSITION",
            rows
        ))
        return source_error(what, *failed);
    std::vector<bool> nullable;
    for (const auto& row : rows.rows) {
        SourceColumn& column = described.columns.emplace_back();
        column.name = cell(row[0]);
        column.mysql_type = cell(row[1]);
        column.base = to_lower(cell(row[2]));
        nullable.push_back(!equals_ignore_case(cell(row[3]), "NO"));
        column.primary = cell(row[4]) == "PRI";
    }
    if (described.columns.empty()) return described;

    // Of an expression, an index has no column's name; of a prefix, its length.
    if (const auto failed = session.query(
            "SELECT INDEX_NAME,COLUMN_NAME,SUB_PART FROM information_schema.STATISTICS" + place +
                " AND NON_UNIQUE=0 ORDER BY INDEX_NAME,SEQ_IN_INDEX",
            rows
        ))
        return source_error(what, *failed);
    std::vector<Index> indexes;
    for (const auto& row : rows.rows) {
        if (indexes.empty() || indexes.back().name != cell(row[0])) {
            indexes.emplace_back().name = cell(row[0]);
        }
        Index& index = indexes.back();
        const auto found = std::find_if(
            described.columns.begin(),
            described.columns.end(),
            [&row](const SourceColumn& column) { return column.name == cell(row[1]); }
        );
        const auto at = static_cast<size_t>(found - described.columns.begin());
        if (found == described.columns.end() || row[2] || nullable[at] ||
            std::ranges::find(kPaged, found->base) == kPaged.end()) {
            index.ended = true;
        }
        if (!index.ended) index.columns.push_back(at);
    }
    for (const Index& index : indexes) {
        const bool better = described.paging_key.empty() || index.name == "PRIMARY";
        if (!index.columns.empty() && better) described.paging_key = index.columns;
    }

    if (const auto failed =
            session.query("SELECT TABLE_ROWS FROM information_schema.TABLES" + place, rows))
        return source_error(what, *failed);
    if (!rows.rows.empty()) described.row_estimate = parse_uint(cell(rows.rows[0][0])).value_or(0);
    return described;
}

Result<std::vector<std::string>> source_tables(
    client::MysqlSession& session, const std::string& database
) {
    std::string sql =
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND "
        "TABLE_SCHEMA=";
    append_sql_value(sql, database);
    client::SqlRows rows;
    if (const auto failed = session.query(sql + " ORDER BY TABLE_NAME", rows))
        return source_error("tables of " + database, *failed);
    std::vector<std::string> names;
    for (const auto& row : rows.rows) names.push_back(cell(row[0]));
    return names;
}

}  // namespace obcanal::adapter::core

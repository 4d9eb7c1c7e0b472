#include "server/source/binlog_definitions.h"

#include <utility>

namespace obcanal::source {

using schema::FetchedSchema;
using schema::FetchedTable;
using schema::LogPoint;
using schema::TableName;

void BinlogDefinitions::stop() {
    if (opening_) opening_->close();
}

Awaitable<Result<void>> BinlogDefinitions::connect() {
    if (connection_) co_return Result<void>{};
    Result<client::MysqlOptions> options = options_();
    if (!options) co_return std::move(options).error();
    options->opening = [this](const Stream& stream) { opening_ = stream; };
    Result<std::unique_ptr<MysqlConnection>> opened =
        co_await MysqlConnection::open(std::move(options).value());
    if (!opened) co_return std::move(opened).error();
    connection_ = std::move(opened).value();
    co_return Result<void>{};
}

Awaitable<Result<LogPoint>> BinlogDefinitions::log_end() {
    Result<BinlogPoint> end = co_await current_end(*connection_);
    if (!end) co_return std::move(end).error();
    co_return LogPoint{end->file, end->offset};
}

Awaitable<Result<std::string>> BinlogDefinitions::create_sql(TableName name) {
    std::string sql = "SHOW CREATE TABLE " + client::quoted_name(name.schema) + "." +
                      client::quoted_name(name.table);
    Result<mysql::QueryResult> result = co_await connection_->query(std::move(sql));
    if (result && result->columns().empty()) {
        co_return Error{
            Errc::NotFound,
            Retry::Backoff,
            "the server does not answer SHOW CREATE TABLE. OceanBase's Binlog Service itself does "
            "not: connect to the ODP in front of it (canal.instance.master.address), which asks "
            "the tenant"
        };
    }
    if (result) co_return result->value("Create Table").value_or("");
    if (result.error().code == Errc::NotFound) co_return std::string();
    co_return std::move(result).error();
}

Awaitable<Result<FetchedTable>> BinlogDefinitions::ask(TableName name) {
    Result<void> connected = co_await connect();
    if (!connected) co_return std::move(connected).error();
    FetchedTable answer;
    answer.table.name = name;
    Result<LogPoint> before = co_await log_end();
    if (!before) co_return std::move(before).error();
    answer.asked.before = std::move(*before);
    Result<std::string> sql = co_await create_sql(name);
    if (!sql) co_return std::move(sql).error();
    answer.table.create_sql = std::move(*sql);
    Result<LogPoint> after = co_await log_end();
    if (!after) co_return std::move(after).error();
    answer.asked.after = std::move(*after);
    co_return answer;
}

Awaitable<Result<FetchedTable>> BinlogDefinitions::fetch(const TableName& name) {
    const bool fresh = connection_ == nullptr;
    Result<FetchedTable> answer = co_await ask(name);
    // A connection that was kept may have ended meanwhile.
    if (!answer && !fresh) {
        connection_.reset();
        answer = co_await ask(name);
    }
    if (!answer) connection_.reset();
    co_return answer;
}

Awaitable<Result<FetchedSchema>> BinlogDefinitions::ask_all(Wanted wanted) {
    Result<void> connected = co_await connect();
    if (!connected) co_return std::move(connected).error();
    FetchedSchema answer;
    Result<LogPoint> before = co_await log_end();
    if (!before) co_return std::move(before).error();
    answer.asked.before = std::move(*before);
    Result<mysql::QueryResult> databases = co_await connection_->query(
        "SELECT schema_name, default_character_set_name FROM information_schema.schemata"
    );
    if (!databases) co_return std::move(databases).error();
    for (const mysql::QueryResult::Row& row : databases->rows()) {
        if (row.size() < 2 || !row[0]) continue;
        answer.databases.push_back({*row[0], row[1].value_or("")});
    }
    Result<mysql::QueryResult> tables = co_await connection_->query(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type NOT IN "
        "('VIEW', 'SYSTEM VIEW', 'SEQUENCE') AND table_schema NOT IN "
        "('information_schema', 'performance_schema', 'sys')"
    );
    if (!tables) co_return std::move(tables).error();
    for (const mysql::QueryResult::Row& row : tables->rows()) {
        if (row.size() < 2 || !row[0] || !row[1] || !wanted(*row[0], *row[1])) continue;
        const TableName name{*row[0], *row[1]};
        Result<std::string> sql = co_await create_sql(name);
        if (!sql) co_return std::move(sql).error();
        if (!sql->empty()) answer.tables.push_back({name, std::move(*sql)});
    }
    Result<LogPoint> after = co_await log_end();
    if (!after) co_return std::move(after).error();
    answer.asked.after = std::move(*after);
    co_return answer;
}

Awaitable<Result<FetchedSchema>> BinlogDefinitions::fetch_all(const Wanted& wanted) {
    connection_.reset();
    Result<FetchedSchema> answer = co_await ask_all(wanted);
    if (!answer) connection_.reset();
    co_return answer;
}

}  // namespace obcanal::source

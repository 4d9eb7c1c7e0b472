// What a MySQL-compatible server says about its tables, over a connection that is opened when it is
// needed and kept. Feed strand.
#pragma once

#include "server/schema/definition_source.h"
#include "server/source/binlog_server.h"

#include <functional>
#include <memory>
#include <optional>

namespace obcanal::source {

class BinlogDefinitions : public schema::DefinitionSource {
 public:
    // How to reach the server that the log comes from now.
    using Options = std::function<Result<client::MysqlOptions>()>;

    explicit BinlogDefinitions(Options options) : options_(std::move(options)) {}

    Awaitable<Result<schema::FetchedTable>> fetch(const schema::TableName& name) override;
    Awaitable<Result<schema::FetchedSchema>> fetch_all(const Wanted& wanted) override;
    // Ends what is awaited.
    void stop();
    // The next question connects anew. REQUIRES: nothing is awaited.
    void close() { connection_.reset(); }

 private:
    Awaitable<Result<void>> connect();
    Awaitable<Result<schema::LogPoint>> log_end();
    Awaitable<Result<std::string>> create_sql(schema::TableName name);
    Awaitable<Result<schema::FetchedTable>> ask(schema::TableName name);
    Awaitable<Result<schema::FetchedSchema>> ask_all(Wanted wanted);

    Options options_;
    std::unique_ptr<MysqlConnection> connection_;
    std::optional<Stream> opening_;
};

}  // namespace obcanal::source

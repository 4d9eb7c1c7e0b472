// The logs of a MySQL-compatible server, over connections to it. Feed strand.
#pragma once

#include "server/source/binlog_start.h"

#include <functional>
#include <utility>

namespace obcanal::source {

class MysqlServerLogs : public ServerLogs {
 public:
    // How to connect once more: a log that is sent has a connection of its own.
    using Connect = std::function<Awaitable<Result<std::unique_ptr<MysqlConnection>>>()>;

    // `connection` outlives this.
    MysqlServerLogs(MysqlConnection& connection, Connect connect)
        : connection_(connection), connect_(std::move(connect)) {}

    Awaitable<Result<std::unique_ptr<SentLog>>> open_log(BinlogPoint at) override;
    Awaitable<Result<std::vector<LogFile>>> list() override;
    Awaitable<Result<BinlogPoint>> end() override;

 private:
    MysqlConnection& connection_;
    Connect connect_;
};

}  // namespace obcanal::source

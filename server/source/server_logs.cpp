#include "server/source/server_logs.h"

namespace obcanal::source {
namespace {

class SentByServer : public SentLog {
 public:
    explicit SentByServer(std::unique_ptr<MysqlConnection> connection)
        : connection_(std::move(connection)) {}

    Awaitable<Result<std::optional<Bytes>>> next() override {
        Result<Bytes> packet = co_await connection_->receive();
        if (!packet) co_return std::move(packet).error();
        co_return log_event(*packet);
    }

 private:
    std::unique_ptr<MysqlConnection> connection_;
};

}  // namespace

Awaitable<Result<std::unique_ptr<SentLog>>> MysqlServerLogs::open_log(BinlogPoint at) {
    Result<std::unique_ptr<MysqlConnection>> opened = co_await connect_();
    if (!opened) co_return std::move(opened).error();
    DumpRequest request;
    request.from = std::move(at);
    request.wait = false;
    MysqlConnection& connection = **opened;
    const bool mariadb = connection.greeting().mariadb;
    Result<void> asked = co_await request_log(connection, mariadb, std::move(request));
    if (!asked) co_return std::move(asked).error();
    std::unique_ptr<SentLog> log = std::make_unique<SentByServer>(std::move(opened).value());
    co_return log;
}

Awaitable<Result<std::vector<LogFile>>> MysqlServerLogs::list() {
    Result<std::vector<LogFile>> files = co_await list_logs(connection_);
    co_return files;
}

Awaitable<Result<BinlogPoint>> MysqlServerLogs::end() {
    Result<BinlogPoint> end = co_await current_end(connection_);
    co_return end;
}

}  // namespace obcanal::source

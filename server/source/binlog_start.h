// Where a binlog source begins to read: behind a cursor, as configured, or at a time that is looked
// for in the logs (canal-server, 4.6). Coroutines on the feed strand.
#pragma once

#include "server/source/binlog_position.h"
#include "server/source/binlog_server.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace obcanal::source {

// How a start was found, for the log.
struct BinlogStart {
    BinlogPoint point;
    bool by_gtid = false;
    std::string why;
};

// Connections of the same server for looking into its logs.
class LogOpener {
 public:
    virtual ~LogOpener() = default;
    // A connection on which the log is sent from `at` on, without waiting at its end.
    virtual Awaitable<Result<std::unique_ptr<MysqlConnection>>> open_log(BinlogPoint at) = 0;
};

struct StartQuestion {
    // Nothing: as configured.
    std::optional<canal::LogPosition> from;
    const config::MysqlServer* server = nullptr;
    bool gtid_on = false;
    bool same_server = true;  // `from` is of this server
    int64_t fallback_ms = 0;  // goes back by so much where only the time is known
};

Awaitable<Result<BinlogStart>> choose_start(
    MysqlConnection& connection, LogOpener& logs, StartQuestion question
);

// Where the first transaction begins that has an event of `ms` or later; the end of the log if
// there is none. PositionPurged: the logs do not reach back that far.
Awaitable<Result<BinlogPoint>> find_time(
    MysqlConnection& connection, LogOpener& logs, int64_t ms, std::string only_file
);

// Where the transaction begins that the event at `at` belongs to; `at` itself when it is between
// two. `at.executed` of the answer: the GTIDs before it, where the log says them.
Awaitable<Result<BinlogPoint>> find_group(LogOpener& logs, BinlogPoint at);

}  // namespace obcanal::source

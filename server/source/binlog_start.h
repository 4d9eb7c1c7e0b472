// Where a binlog source begins to read: behind a cursor, as configured, or at a time that is looked
// for in the logs (canal-server, 4.6). Coroutines on the feed strand.
#pragma once

#include "server/source/binlog_position.h"
#include "server/source/binlog_server.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::source {

// How a start was found, for the log.
struct BinlogStart {
    BinlogPoint point;
    bool by_gtid = false;
    std::string why;
};

// A log that is being sent.
class SentLog {
 public:
    virtual ~SentLog() = default;
    // The next event, valid until the next call; nothing: the log ends.
    virtual Awaitable<Result<std::optional<Bytes>>> next() = 0;
};

// The logs of one server.
class ServerLogs {
 public:
    virtual ~ServerLogs() = default;
    // From `at` on, without waiting at its end.
    virtual Awaitable<Result<std::unique_ptr<SentLog>>> open_log(BinlogPoint at) = 0;
    // The oldest first.
    virtual Awaitable<Result<std::vector<LogFile>>> list() = 0;
    // Where the newest one ends now.
    virtual Awaitable<Result<BinlogPoint>> end() = 0;
};

struct StartQuestion {
    // Nothing: as configured.
    std::optional<canal::LogPosition> from;
    const config::MysqlServer* server = nullptr;
    bool gtid_on = false;
    bool same_server = true;  // `from` is of this server
    int64_t fallback_ms = 0;  // goes back by so much where only the time is known
};

Awaitable<Result<BinlogStart>> choose_start(ServerLogs& logs, StartQuestion question);

// By their addresses where the names differ: Java servers write the name that an address has into
// their cursors, even where only the address is configured (127.0.0.1 becomes localhost).
Awaitable<bool> is_same_server(Endpoint one, Endpoint other);

// Where the first transaction begins that has an event of `ms` or later; the end of the log if
// there is none. PositionPurged: the logs do not reach back that far.
Awaitable<Result<BinlogPoint>> find_time(ServerLogs& logs, int64_t ms, std::string only_file);

// Where the transaction begins that the event at `at` belongs to; `at` itself when it is between
// two. `at.executed` of the answer: the GTIDs before it, where the log says them.
Awaitable<Result<BinlogPoint>> find_group(ServerLogs& logs, BinlogPoint at);

}  // namespace obcanal::source

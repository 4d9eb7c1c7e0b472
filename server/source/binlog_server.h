// What a binlog source asks its server over SQL, and how it is told to send its log: each a
// coroutine on a connection that is logged in. MySQL 5.5 to 9.x, MariaDB, OceanBase's Binlog
// Service (which answers OK where it does not know a statement). Feed strand.
#pragma once

#include "protocol/client/mysql_connection.h"
#include "server/config/binlog_config.h"
#include "server/source/binlog_position.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::source {

using client::MysqlConnection;

struct ServerFacts {
    std::string version;
    bool mariadb = false;
    uint32_t server_id = 0;
    std::string uuid;
    bool names_ignore_case = false;
    std::string charset;           // of databases that say none
    std::string binlog_format;     // upper case; empty: the server does not say
    std::string binlog_row_image;  // upper case; empty: the server does not say
    bool log_bin = true;
    uint64_t retention_s = 0;  // that a closed log is kept; 0: not purged by its age
};

struct LogFile {
    std::string name;
    uint64_t size = 0;
};

// BadConfig: what cannot be used for a connection.
Result<client::MysqlOptions> mysql_options(
    const config::BinlogConfig& config, const config::MysqlServer& server
);

// Of binlog_expire_logs_seconds and expire_logs_days; empty: the server has no such variable.
uint64_t retention_seconds(std::string_view seconds, std::string_view days);

Awaitable<Result<ServerFacts>> read_facts(MysqlConnection& connection);
// A server variable; nothing when the server does not know it.
Awaitable<Result<std::optional<std::string>>> read_variable(
    MysqlConnection& connection, std::string name
);
// Where the log ends, with the GTIDs in it.
Awaitable<Result<BinlogPoint>> current_end(MysqlConnection& connection);
// GTIDs executed before a point of the log.
Awaitable<Result<std::string>> gtids_before(MysqlConnection& connection, BinlogPoint point);
// The oldest first.
Awaitable<Result<std::vector<LogFile>>> list_logs(MysqlConnection& connection);

// The id of a destination that configures none, as the reference makes it: the destination's hash
// and our address.
uint32_t derived_replica_id(std::string_view destination, std::string_view local);

struct Replica {
    uint32_t server_id = 0;
    std::string host;
};

// Who is registered; empty where we may not ask.
Awaitable<Result<std::vector<Replica>>> list_replicas(MysqlConnection& connection);

struct DumpRequest {
    BinlogPoint from;
    bool by_gtid = false;
    // Registers as a replica and waits at the end for what is still to be written; otherwise as
    // mysqlbinlog does: no other replica is disturbed, and the log ends.
    bool wait = true;
    uint32_t server_id = 0;
    std::string replica_uuid;
    std::string replica_host;
    int64_t heartbeat_ms = 0;
};

// Prepares the session, registers, and asks for the log; what comes then are events.
Awaitable<Result<void>> request_log(MysqlConnection& connection, bool mariadb, DumpRequest request);

// Why the server does not send its log: purged, our id used by another replica, ...
Error log_refused(Bytes packet);

// The event in a packet of the log. An Error is what the server says instead of one; nothing: the
// log ends, which only happens when it was not to wait.
Result<std::optional<Bytes>> log_event(Bytes packet);

}  // namespace obcanal::source

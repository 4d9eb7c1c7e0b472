#include "server/source/binlog_server.h"

#include "protocol/base/text.h"
#include "protocol/mysql/packet.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace obcanal::source {
namespace {

using mysql::QueryResult;

// What the connection, and not the statement, failed with.
bool is_lost(const Error& error) {
    return error.code == Errc::Closed || error.code == Errc::Timeout || error.code == Errc::Io ||
           error.code == Errc::BadPacket;
}

// A server that does not know the statement answers with an error or with OK: an empty result.
Awaitable<Result<QueryResult>> try_query(MysqlConnection& connection, std::string sql) {
    Result<QueryResult> result = co_await connection.query(sql);
    if (!result && is_lost(result.error())) co_return std::move(result).error();
    if (!result) co_return QueryResult(std::move(sql));
    co_return result;
}

// The first statement that the server answers with rows, or the last one's error.
Awaitable<Result<QueryResult>> first_known(
    MysqlConnection& connection, std::vector<std::string> statements
) {
    Result<QueryResult> result = QueryResult("");
    for (const std::string& sql : statements) {
        result = co_await connection.query(sql);
        if (result && !result->rows().empty()) break;
        if (!result && is_lost(result.error())) break;
    }
    co_return result;
}

// Servers say of a replica without the privilege that its password is wrong.
Error with_privilege(Error error) {
    if (error.code == Errc::Auth)
        error.detail += "; the user needs the privilege REPLICATION SLAVE";
    return error;
}

// How a Java store becomes a PEM file.
std::string conversion(std::string_view type, std::string_view path, bool trusted) {
    std::string store(path.empty() ? std::string_view("STORE") : path);
    std::string commands;
    if (!equals_ignore_case(type, "PKCS12")) {
        commands = "keytool -importkeystore -srckeystore " + store + " -destkeystore " + store +
                   ".p12 -deststoretype PKCS12 && ";
        store += ".p12";
    }
    return commands + "openssl pkcs12 -in " + store + (trusted ? " -nokeys" : " -nodes") +
           " -out " + store + ".pem";
}

// A store of certificates by Canal's URL, as the path of a PEM file. `what`: the key's beginning.
Result<std::string> pem_path(
    const std::string& what, std::string type, std::string_view url, bool trusted
) {
    constexpr std::string_view kScheme = "file:";
    if (url.starts_with(kScheme)) url.remove_prefix(kScheme.size());
    if (url.starts_with("//")) url.remove_prefix(2);
    const std::string name = to_lower(url);
    if (type.empty() && name.ends_with(".jks")) type = "JKS";
    if (type.empty() && (name.ends_with(".p12") || name.ends_with(".pfx"))) type = "PKCS12";
    if (type.empty() || equals_ignore_case(type, "PEM")) return std::string(url);
    return Error{
        Errc::BadConfig,
        Retry::Never,
        "canal.instance.*." + what + "Type: stores of the type " + printable(type) +
            " cannot be read, PEM files can. Convert it: " +
            conversion(type, printable(url, 300), trusted) + "; then set " + what +
            "Type = PEM and " + what + "Url = file: and that file"
    };
}

}  // namespace

Result<client::MysqlOptions> mysql_options(
    const config::BinlogConfig& config, const config::MysqlServer& server
) {
    using Tls = client::MysqlOptions::Tls;
    using config::SslMode;
    client::MysqlOptions options;
    options.server = *server.address;
    options.user = config.username;
    options.password = config.password;
    options.database = config.default_database;
    options.read_timeout = std::chrono::seconds(config.read_timeout_s);
    options.connect_timeout = std::min(options.connect_timeout, options.read_timeout);
    // A small one, as the reference's configuration files have it, cuts the log into small reads:
    // twice the processor time.
    constexpr size_t kSystemGrowsTo = size_t{1} << 20;
    if (config.receive_buffer_bytes > kSystemGrowsTo)
        options.receive_buffer = static_cast<int>(config.receive_buffer_bytes);
    switch (server.ssl_mode) {
        case SslMode::Disabled: options.tls_wanted = Tls::Off; break;
        case SslMode::Preferred: options.tls_wanted = Tls::Offered; break;
        default: options.tls_wanted = Tls::Required; break;
    }
    options.tls.verify_chain =
        server.ssl_mode == SslMode::VerifyCa || server.ssl_mode == SslMode::VerifyIdentity;
    options.tls.verify_host = server.ssl_mode == SslMode::VerifyIdentity;
    auto trusted =
        pem_path("trustCertificateKeyStore", server.trust_store_type, server.trust_store_url, true);
    if (!trusted) return std::move(trusted).error();
    if (options.tls.verify_chain) options.tls.ca_file = std::move(*trusted);
    auto own = pem_path(
        "clientCertificateKeyStore", server.client_store_type, server.client_store_url, false
    );
    if (!own) return std::move(own).error();
    options.tls.cert_file = *own;
    options.tls.key_file = std::move(*own);
    return options;
}

Awaitable<Result<std::optional<std::string>>> read_variable(
    MysqlConnection& connection, std::string name
) {
    // LIKE without wildcards is what every server understands.
    std::string sql = "SHOW GLOBAL VARIABLES LIKE " + client::quoted(name);
    Result<QueryResult> result = co_await try_query(connection, std::move(sql));
    if (!result) co_return std::move(result).error();
    co_return result->value("Value");
}

uint64_t retention_seconds(std::string_view seconds, std::string_view days) {
    constexpr uint64_t kDay = 86'400;
    constexpr uint64_t kMostDays = 36'500;
    const uint64_t told = parse_uint(seconds).value_or(0);
    if (told != 0) return std::min(told, kMostDays * kDay);
    // MariaDB has a fraction of so many digits there, of versions that have no seconds none.
    const uint64_t whole = parse_uint(days.substr(0, days.find('.'))).value_or(0);
    return std::min(whole, kMostDays) * kDay;
}

Awaitable<Result<ServerFacts>> read_facts(MysqlConnection& connection) {
    ServerFacts facts;
    facts.version = connection.greeting().server_version;
    facts.mariadb = connection.greeting().mariadb;
    struct Fact {
        const char* name;
        std::string value;
    };
    std::array<Fact, 10> known{
        {{"server_id", ""},
         {"server_uuid", ""},
         {"lower_case_table_names", ""},
         {"character_set_server", ""},
         {"binlog_format", ""},
         {"binlog_row_image", ""},
         {"log_bin", ""},
         {"binlog_expire_logs_seconds", ""},
         {"expire_logs_days", ""},
         {"binlog_expire_logs_auto_purge", ""}}
    };
    for (Fact& fact : known) {
        Result<std::optional<std::string>> value = co_await read_variable(connection, fact.name);
        if (!value) co_return std::move(value).error();
        fact.value = (*value).value_or("");
    }
    constexpr uint64_t kMostId = std::numeric_limits<uint32_t>::max();
    facts.server_id =
        static_cast<uint32_t>(std::min(parse_uint(known[0].value).value_or(0), kMostId));
    facts.uuid = known[1].value;
    facts.names_ignore_case = !known[2].value.empty() && known[2].value != "0";
    facts.charset = to_lower(known[3].value);
    facts.binlog_format = to_upper(known[4].value);
    facts.binlog_row_image = to_upper(known[5].value);
    facts.log_bin = !equals_ignore_case(known[6].value, "OFF");
    facts.retention_s = retention_seconds(known[7].value, known[8].value);
    if (equals_ignore_case(known[9].value, "OFF")) facts.retention_s = 0;
    co_return facts;
}

Awaitable<Result<BinlogPoint>> current_end(MysqlConnection& connection) {
    std::vector<std::string> statements{"SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"};
    Result<QueryResult> result = co_await first_known(connection, std::move(statements));
    if (!result) co_return std::move(result).error();
    const std::optional<std::string> file = result->value("File");
    const std::optional<std::string> position = result->value("Position");
    const std::optional<uint64_t> offset = parse_uint(position.value_or(""));
    if (!file || file->empty() || !offset) {
        co_return Error{
            Errc::Refused,
            Retry::Backoff,
            "the server writes no binary log: SHOW MASTER STATUS is empty (log_bin)"
        };
    }
    BinlogPoint end;
    end.file = *file;
    end.offset = *offset;
    if (connection.greeting().mariadb) {
        Result<std::string> gtids = co_await gtids_before(connection, end);
        if (!gtids) co_return std::move(gtids).error();
        end.executed = std::move(*gtids);
    } else {
        end.executed = result->value("Executed_Gtid_Set").value_or("");
        std::erase(end.executed, '\n');
    }
    co_return end;
}

Awaitable<Result<std::string>> gtids_before(MysqlConnection& connection, BinlogPoint point) {
    std::string sql = "SELECT BINLOG_GTID_POS(" + client::quoted(point.file) + ", " +
                      std::to_string(point.offset) + ") AS gtids";
    Result<QueryResult> result = co_await try_query(connection, std::move(sql));
    if (!result) co_return std::move(result).error();
    co_return result->value("gtids").value_or("");
}

Awaitable<Result<std::vector<LogFile>>> list_logs(MysqlConnection& connection) {
    Result<QueryResult> result = co_await connection.query("SHOW BINARY LOGS");
    if (!result) co_return std::move(result).error();
    std::vector<LogFile> files;
    for (const QueryResult::Row& row : result->rows()) {
        if (row.size() < 2 || !row[0] || row[0]->empty()) continue;
        files.push_back({*row[0], parse_uint(row[1].value_or("")).value_or(0)});
    }
    co_return files;
}

uint32_t derived_replica_id(std::string_view destination, std::string_view local) {
    uint32_t hash = 0;
    for (const char c : destination) hash = hash * 31 + static_cast<unsigned char>(c);
    uint32_t address = 0;
    const std::string_view host = local.substr(0, local.find_last_of(':'));
    for (const std::string_view part : split(host, '.'))
        address = address << 8 | static_cast<uint32_t>(parse_uint(part).value_or(0) & 0xFF);
    return (hash & 0x7F) << 24 | (address & 0xFFFFFF);
}

Awaitable<Result<std::vector<Replica>>> list_replicas(MysqlConnection& connection) {
    std::vector<Replica> replicas;
    for (const char* sql : {"SHOW SLAVE HOSTS", "SHOW REPLICAS"}) {
        std::string text = sql;
        Result<QueryResult> result = co_await try_query(connection, std::move(text));
        if (!result) co_return std::move(result).error();
        for (const QueryResult::Row& row : result->rows()) {
            if (row.size() < 2) continue;
            const uint64_t id = parse_uint(row[0].value_or("")).value_or(0);
            replicas.push_back({static_cast<uint32_t>(id), row[1].value_or("")});
        }
        if (!replicas.empty()) break;
    }
    co_return replicas;
}

namespace {

Awaitable<Result<void>> run_each(MysqlConnection& connection, std::vector<std::string> statements) {
    for (std::string& sql : statements) {
        Result<QueryResult> result = co_await try_query(connection, std::move(sql));
        if (!result) co_return std::move(result).error();
    }
    co_return Result<void>{};
}

std::vector<std::string> session_statements(bool mariadb, const DumpRequest& request) {
    const std::string period = std::to_string(request.heartbeat_ms * 1'000'000);
    std::vector<std::string> all{
        "SET NAMES 'binary'",
        "SET wait_timeout=9999999",
        "SET net_write_timeout=7200",
        "SET net_read_timeout=7200",
        "SET @master_binlog_checksum=@@global.binlog_checksum",
        "SET @source_binlog_checksum=@@global.binlog_checksum",
        "SET @master_heartbeat_period=" + period,
        "SET @source_heartbeat_period=" + period,
        "SET @slave_uuid=" + client::quoted(request.replica_uuid),
        "SET @replica_uuid=" + client::quoted(request.replica_uuid),
    };
    if (!mariadb) return all;
    // 4: knows GTID events and events that only MariaDB has.
    all.emplace_back("SET @mariadb_slave_capability=4");
    if (!request.by_gtid) return all;
    all.push_back("SET @slave_connect_state=" + client::quoted(request.from.executed));
    all.emplace_back("SET @slave_gtid_strict_mode=0");
    all.emplace_back("SET @slave_gtid_ignore_duplicates=0");
    return all;
}

Result<std::string> dump_command(bool mariadb, const DumpRequest& request) {
    uint16_t flags = mariadb ? mysql::dump_flag::kAnnotateRows : 0;
    if (!request.wait) flags |= mysql::dump_flag::kDoNotWait;
    if (request.by_gtid && mariadb)
        return mysql::binlog_dump_command(request.server_id, "", 0, flags);
    if (request.by_gtid) {
        auto gtids = mysql::GtidSet::parse(request.from.executed);
        if (!gtids) return std::move(gtids).error();
        return mysql::binlog_dump_gtid_command(request.server_id, *gtids);
    }
    if (request.from.offset > std::numeric_limits<uint32_t>::max()) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "position " + request.from.text() +
                ": the protocol cannot ask for one behind 4 GiB; GTIDs can (canal.instance.gtidon)"
        };
    }
    const auto offset = static_cast<uint32_t>(request.from.offset);
    return mysql::binlog_dump_command(request.server_id, request.from.file, offset, flags);
}

Awaitable<Result<void>> register_replica(MysqlConnection& connection, DumpRequest request) {
    mysql::ReplicaIdentity self;
    self.server_id = request.server_id;
    self.host = request.replica_host;
    Result<void> sent = co_await connection.send(mysql::register_replica_command(self));
    if (!sent) co_return sent;
    Result<Bytes> answer = co_await connection.receive();
    if (!answer) co_return std::move(answer).error().in("COM_REGISTER_SLAVE");
    if (mysql::is_error(*answer))
        co_return with_privilege(mysql::server_error(*answer, "COM_REGISTER_SLAVE"));
    co_return Result<void>{};
}

}  // namespace

Awaitable<Result<void>> request_log(
    MysqlConnection& connection, bool mariadb, DumpRequest request
) {
    Result<std::string> command = dump_command(mariadb, request);
    if (!command) co_return std::move(command).error();
    Result<void> set = co_await run_each(connection, session_statements(mariadb, request));
    if (!set) co_return set;
    if (request.wait) {
        Result<void> known = co_await register_replica(connection, request);
        if (!known) co_return known;
    }
    Result<void> sent = co_await connection.send(std::move(*command));
    co_return sent;
}

Error log_refused(Bytes packet) {
    Error error = mysql::server_error(packet, "reading the log");
    const std::string text = to_lower(mysql::parse_error(packet).message);
    const auto says = [&text](std::string_view part) { return text.find(part) != text.npos; };
    if (says("same server_uuid") || says("same server_id") || says("same server id")) {
        error.code = Errc::Refused;
        error.retry = Retry::Backoff;
        error.detail +=
            "; another replica uses our server id: give each its own canal.instance.mysql.slaveId";
        return error;
    }
    // 1236 stands for everything else that can go wrong while a log is read.
    constexpr uint16_t kLogUnreadable = 1236;
    if (mysql::parse_error(packet).number != kLogUnreadable)
        return with_privilege(std::move(error));
    // From "failed to open" on they are OceanBase's Binlog Service's, where the position is none
    // any more, or never was one.
    const bool gone = says("purged") || says("could not find first log") ||
                      says("could not find next log") || says("could not open log") ||
                      says("not in the master's binlog") || says("impossible position") ||
                      says("> file size") || says("failed to find") || says("no longer contain") ||
                      says("have been lost") || says("failed to open binlog file") ||
                      says("no longer exists") || says("current subscription is illegal") ||
                      says("event crc32 verification failed") || says("from position < 4");
    if (gone) return error;
    error.code = Errc::Refused;
    error.retry = Retry::Backoff;
    return error;
}

Result<std::optional<Bytes>> log_event(Bytes packet) {
    if (mysql::is_error(packet)) return log_refused(packet);
    if (mysql::is_eof(packet)) return std::optional<Bytes>();
    if (mysql::packet_head(packet) != mysql::kOkHead || packet.size() < 2)
        return Error{Errc::BadPacket, Retry::Backoff, "a packet of the log that holds no event"};
    return std::optional<Bytes>(packet.subspan(1));
}

}  // namespace obcanal::source

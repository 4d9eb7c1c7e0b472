#include "server/source/binlog_preflight.h"

#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "server/filter/table_filter.h"
#include "server/schema/names.h"
#include "server/source/binlog_server.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace obcanal::source {
namespace {

using mysql::QueryResult;

enum class Make : uint8_t { Mysql, Mariadb, OceanBase, BinlogService };

constexpr std::string_view kPrivileges = "SELECT, REPLICATION SLAVE, REPLICATION CLIENT";

bool contains(std::string_view text, std::string_view part) {
    return to_lower(text).find(part) != std::string::npos;
}

std::string size_text(uint64_t bytes) {
    constexpr uint64_t kMib = uint64_t{1} << 20;
    return bytes < kMib ? std::to_string(bytes) + " bytes" : std::to_string(bytes / kMib) + " MiB";
}

std::string hours_text(uint64_t seconds) {
    constexpr uint64_t kHour = 3600;
    constexpr uint64_t kDay = 24 * kHour;
    if (seconds % kDay == 0) return std::to_string(seconds / kDay) + " days";
    return std::to_string(seconds / kHour) + " hours";
}

class Questions {
 public:
    Questions(const config::InstanceConfig& config, MysqlConnection& connection, Preflight& to)
        : config_(config), connection_(connection), to_(to) {}

    // The first connection that is lost ends it.
    Awaitable<Result<void>> ask(const std::optional<canal::LogPosition>& saved) {
        Result<void> asked = co_await ask_make();
        if (asked) asked = co_await ask_settings();
        if (asked) asked = co_await ask_privileges();
        if (asked) asked = co_await ask_logs();
        if (asked) co_await ask_position(saved);
        if (asked) asked = co_await ask_clock();
        if (asked) asked = co_await ask_replicas();
        if (asked) asked = co_await ask_tables();
        co_return asked;
    }

 private:
    // Empty: not known, or not for us.
    Awaitable<Result<std::string>> variable(std::string name) {
        Result<std::optional<std::string>> value =
            co_await read_variable(connection_, std::move(name));
        if (!value) co_return std::move(value).error();
        co_return (*value).value_or("");
    }

    Awaitable<Result<void>> ask_make() {
        const std::string& greeting = connection_.greeting().server_version;
        Result<std::string> version = co_await variable("version");
        if (!version) co_return std::move(version).error();
        Result<std::string> comment = co_await variable("version_comment");
        if (!comment) co_return std::move(comment).error();
        if (connection_.greeting().mariadb) make_ = Make::Mariadb;
        if (contains(*version, "oceanbase") || contains(*comment, "oceanbase"))
            make_ = Make::OceanBase;
        if (greeting.ends_with("-obs")) make_ = Make::BinlogService;
        const std::string tls = connection_.encrypted() ? ", with TLS" : ", without TLS";
        switch (make_) {
            case Make::Mariadb: to_.fact("MariaDB " + greeting + tls); break;
            case Make::Mysql: {
                const std::string text = version->empty() ? greeting : *version;
                to_.fact("MySQL " + text + " (" + *comment + ")" + tls);
                break;
            }
            case Make::OceanBase:
                to_.fact(
                    "OceanBase behind ODP, its log from the Binlog Service: " + *comment + tls
                );
                break;
            case Make::BinlogService:
                to_.fact("OceanBase Binlog Service itself: " + greeting + tls);
                to_.warning(
                    "it does not tell what its tables are: rows stop the destination unless the "
                    "log has the CREATE TABLE since the start",
                    "let canal.instance.master.address be the ODP in front of it"
                );
                break;
        }
        co_return Result<void>{};
    }

    Awaitable<Result<void>> ask_settings() {
        Result<ServerFacts> facts = co_await read_facts(connection_);
        if (!facts) co_return std::move(facts).error();
        facts_ = std::move(*facts);
        // The Binlog Service answers with what it copied from another server.
        if (make_ == Make::BinlogService) co_return Result<void>{};
        if (!facts_.log_bin) {
            to_.problem(
                "the server writes no binary log (log_bin is OFF)",
                make_ == Make::OceanBase ? "CREATE BINLOG FOR TENANT, at the Binlog Service"
                                         : "set log_bin and a server_id in its configuration, and "
                                           "restart it"
            );
        }
        if (!facts_.binlog_format.empty() && facts_.binlog_format != "ROW") {
            to_.problem(
                "binlog_format is " + facts_.binlog_format +
                    ": what statements changed arrives as their text, without rows",
                "SET GLOBAL binlog_format = 'ROW', and the same in the server's configuration; "
                "sessions that are open keep the old one"
            );
        }
        if (!facts_.binlog_row_image.empty() && facts_.binlog_row_image != "FULL") {
            to_.warning(
                "binlog_row_image is " + facts_.binlog_row_image +
                    ": entries have the columns that the log has, not all",
                "SET GLOBAL binlog_row_image = 'FULL' if clients need whole rows"
            );
        }
        Result<void> asked = co_await ask_details();
        co_return asked;
    }

    Awaitable<Result<void>> ask_details() {
        std::string text;
        for (const char* name :
             {"binlog_format",
              "binlog_row_image",
              "binlog_checksum",
              "binlog_row_metadata",
              "binlog_rows_query_log_events",
              "binlog_annotate_row_events",
              "binlog_row_value_options",
              "binlog_transaction_compression",
              "log_bin_compress",
              "gtid_mode",
              "gtid_domain_id"}) {
            Result<std::string> value = co_await variable(name);
            if (!value) co_return std::move(value).error();
            if (value->empty()) continue;
            text += (text.empty() ? "" : ", ") + std::string(name) + " " + *value;
            if (name == std::string_view("gtid_mode")) gtid_mode_ = to_upper(*value);
        }
        if (!text.empty()) to_.fact("its log: " + text);
        if (config_.binlog.gtid_on && make_ == Make::Mysql && gtid_mode_ != "ON") {
            to_.problem(
                "canal.instance.gtidon is true, and the server's gtid_mode is " +
                    (gtid_mode_.empty() ? std::string("not known") : gtid_mode_),
                "set gtid_mode = ON and enforce_gtid_consistency = ON at the server, or "
                "canal.instance.gtidon = false"
            );
        }
        note_retention();
        co_return Result<void>{};
    }

    void note_retention() {
        constexpr uint64_t kDay = 24 * 3600;
        const uint64_t kept = facts_.retention_s;
        if (kept == 0) {
            if (make_ != Make::OceanBase) to_.fact("logs are kept until somebody purges them");
        } else if (kept < kDay) {
            to_.warning(
                "logs are kept for " + hours_text(kept) +
                    " only: who stops longer finds a gap when it comes back",
                "SET GLOBAL binlog_expire_logs_seconds to some days"
            );
        } else {
            to_.fact("logs are kept for " + hours_text(kept));
        }
    }

    Awaitable<Result<void>> ask_privileges() {
        if (make_ == Make::BinlogService) co_return Result<void>{};
        Result<QueryResult> grants = co_await connection_.query("SHOW GRANTS");
        if (!grants && grants.error().code == Errc::Closed) co_return std::move(grants).error();
        if (!grants || grants->rows().empty()) {
            to_.warning("the server does not tell what our user may", "");
            co_return Result<void>{};
        }
        std::string global;
        bool roles = false;
        bool selects = false;
        for (const QueryResult::Row& row : grants->rows()) {
            const std::string line = to_upper(row[0].value_or(""));
            const size_t on = line.find(" ON ");
            roles = roles || on == std::string::npos;
            if (on == std::string::npos) continue;
            const bool everywhere = line.substr(on).starts_with(" ON *.*");
            const std::string what = line.substr(0, on);
            selects = selects || what.find("SELECT") != std::string::npos ||
                      what.find("ALL PRIVILEGES") != std::string::npos;
            if (everywhere) global += what + ",";
        }
        note_privileges(global, selects, roles, user_of(*grants));
        co_return Result<void>{};
    }

    // As the grants spell it, for a statement that gives more.
    std::string user_of(const QueryResult& grants) const {
        const std::string line = grants.rows().front()[0].value_or("");
        const size_t to = to_upper(line).find(" TO ");
        if (to == std::string::npos) return client::quoted(config_.binlog.username);
        const std::string rest = line.substr(to + 4);
        return rest.substr(0, rest.find(' '));
    }

    void note_privileges(
        const std::string& global, bool selects, bool roles, const std::string& user
    ) {
        const auto has = [&global](std::string_view one) {
            return global.find(one) != std::string::npos;
        };
        if (has("ALL PRIVILEGES")) {
            to_.fact("our user has all privileges");
            return;
        }
        std::string missing;
        const auto miss = [&missing](std::string_view one) {
            missing += (missing.empty() ? "" : ", ") + std::string(one);
        };
        if (!selects) miss("SELECT");
        if (!has("REPLICATION SLAVE,") && !has("REPLICATION SLAVE ") &&
            !global.ends_with("REPLICATION SLAVE") && make_ != Make::OceanBase)
            miss("REPLICATION SLAVE");
        // MariaDB's other name for it.
        if (!has("REPLICATION CLIENT") && !has("BINLOG MONITOR") && make_ != Make::OceanBase)
            miss("REPLICATION CLIENT");
        if (missing.empty()) {
            to_.fact("our user has " + std::string(kPrivileges));
            return;
        }
        const std::string remedy = "GRANT " + missing + " ON *.* TO " + user;
        if (roles) {
            to_.warning(
                "our user has not " + missing + ", unless one of its roles has, and is active",
                remedy
            );
        } else {
            to_.problem("our user has not " + missing, remedy);
        }
    }

    Awaitable<Result<void>> ask_logs() {
        Result<std::vector<LogFile>> files = co_await list_logs(connection_);
        if (!files) {
            to_.problem("its logs: " + files.error().detail, "");
            co_return Result<void>{};
        }
        files_ = std::move(*files);
        Result<BinlogPoint> end = co_await current_end(connection_);
        if (!end) {
            to_.problem(end.error().detail, "");
            co_return Result<void>{};
        }
        end_ = std::move(*end);
        uint64_t bytes = 0;
        for (const LogFile& file : files_) bytes += file.size;
        std::string text = std::to_string(files_.size()) + " logs, " + size_text(bytes);
        if (!files_.empty()) text += ", from " + files_.front().name;
        text += " to " + end_.file + ":" + std::to_string(end_.offset);
        if (!end_.executed.empty()) text += ", GTIDs " + end_.executed;
        to_.fact(text);
        co_return Result<void>{};
    }

    // Where the destination would begin.
    Awaitable<void> ask_position(const std::optional<canal::LogPosition>& saved) {
        const config::MysqlServer& server = config_.binlog.master;
        if (saved) {
            const BinlogPoint point = point_of(*saved);
            const std::string what = "the saved cursor, " + point.text() + ",";
            const LogAddress& from = saved->identity;
            if (!from.host.empty() && Endpoint{from.host, from.port} != *server.address) {
                to_.warning(
                    what + " is of " + from.host + ":" + std::to_string(from.port) +
                        ": the start is looked for by its time",
                    "none if the source has moved; otherwise check canal.instance.master.address"
                );
                co_return;
            }
            if (config_.binlog.gtid_on && !saved->gtid.empty()) {
                co_await judge_gtids(what, saved->gtid);
            } else if (!point.file.empty()) {
                judge_place(what, point.file, point.offset);
            }
            co_return;
        }
        if (config_.binlog.gtid_on && !server.gtid.empty()) {
            co_await judge_gtids("the configured start, GTIDs " + server.gtid + ",", server.gtid);
        } else if (!server.journal_name.empty()) {
            const auto offset = static_cast<uint64_t>(std::max<int64_t>(server.position, 0));
            const std::string place = server.journal_name + ":" + std::to_string(offset);
            judge_place("the configured start, " + place + ",", server.journal_name, offset);
        } else if (server.timestamp_ms == 0) {
            to_.fact("no cursor is saved and no start configured: it begins at the end of the log");
        }
    }

    void judge_place(const std::string& what, const std::string& file, uint64_t offset) {
        if (files_.empty()) return;
        const auto found = std::ranges::find(files_, file, &LogFile::name);
        if (found == files_.end()) {
            to_.problem(
                what + " is in none of the server's logs; its oldest is " + files_.front().name,
                "copy the tables anew and begin at the present end, or go on with a gap: "
                "canal.instance.purged.position = latest"
            );
        } else if (offset > found->size) {
            to_.problem(
                what + " lies behind the end of that log, " + std::to_string(found->size),
                "is it another server, or was it set up anew? Begin at a position of this one"
            );
        } else {
            to_.fact(what + " is in the server's logs");
        }
    }

    Awaitable<void> judge_gtids(std::string what, std::string gtids) {
        if (make_ != Make::Mysql) {
            to_.fact(what + " is looked for by the server when it streams");
            co_return;
        }
        Result<QueryResult> inside = co_await connection_.query(
            "SELECT GTID_SUBSET(@@GLOBAL.gtid_purged, " + client::quoted(gtids) + ") AS kept"
        );
        if (!inside) {
            to_.problem(what + " is no set of GTIDs: " + inside.error().detail, "");
        } else if (inside->value("kept").value_or("1") == "1") {
            to_.fact(what + " is in the server's logs");
        } else {
            to_.problem(
                what + " comes before transactions that the server has purged (gtid_purged)",
                "copy the tables anew and begin at the present end, or go on with a gap: "
                "canal.instance.purged.position = latest"
            );
        }
    }

    Awaitable<Result<void>> ask_clock() {
        if (make_ == Make::BinlogService) co_return Result<void>{};
        constexpr int64_t kTolerated = 2'000;
        const int64_t before = wall_ms();
        Result<QueryResult> asked =
            co_await connection_.query("SELECT UNIX_TIMESTAMP(NOW(3)) AS seconds");
        const int64_t passed = wall_ms() - before;
        if (!asked) co_return Result<void>{};
        const std::string text = asked->value("seconds").value_or("");
        if (text.empty()) co_return Result<void>{};
        const auto theirs = static_cast<int64_t>(std::strtod(text.c_str(), nullptr) * 1000);
        const int64_t ahead = theirs - (before + passed / 2);
        if (std::abs(ahead) <= kTolerated + passed) {
            to_.fact("its clock and ours agree");
            co_return Result<void>{};
        }
        to_.warning(
            "its clock is " + std::to_string(std::abs(ahead)) + " ms " +
                (ahead > 0 ? "ahead of" : "behind") + " ours: delays are wrong by as much",
            "let both machines keep the time by NTP"
        );
        co_return Result<void>{};
    }

    Awaitable<Result<void>> ask_replicas() {
        uint32_t own = config_.binlog.slave_id;
        if (own == 0) own = derived_replica_id(config_.destination, connection_.local());
        const std::string id = "server id " + std::to_string(own);
        const bool copied = make_ == Make::BinlogService;
        if (!copied && facts_.server_id == 0) {
            to_.problem(
                "the server's own server_id is 0: it refuses every replica",
                "set server_id in its configuration"
            );
        }
        if (!copied && own == facts_.server_id) {
            to_.problem(
                "our " + id + " is the server's own",
                "set canal.instance.mysql.slaveId to a free one"
            );
        }
        Result<std::vector<Replica>> replicas = co_await list_replicas(connection_);
        if (!replicas) co_return std::move(replicas).error();
        for (const Replica& replica : *replicas) {
            if (replica.server_id != own) continue;
            to_.warning(
                "our " + id + " is in use by replica " + printable(replica.host),
                "if that is not this destination at work: two replicas of one id throw each other "
                "out, set canal.instance.mysql.slaveId to a free one"
            );
            co_return Result<void>{};
        }
        if (replicas->empty()) {
            Result<QueryResult> old_name = co_await connection_.query("SHOW SLAVE HOSTS");
            Result<QueryResult> new_name = co_await connection_.query("SHOW REPLICAS");
            if (!old_name && !new_name) {
                to_.fact("our " + id + "; whether another replica has it we may not ask");
                co_return Result<void>{};
            }
        }
        to_.fact("our " + id + " is free" + (config_.binlog.slave_id == 0 ? " (derived)" : ""));
        co_return Result<void>{};
    }

    Awaitable<Result<void>> ask_tables() {
        if (make_ == Make::BinlogService) co_return Result<void>{};
        Result<filter::TableFilter> filter =
            filter::TableFilter::compile(config_.filter_regex, config_.filter_black_regex);
        if (!filter) co_return Result<void>{};  // is said where it streams
        Result<QueryResult> tables = co_await connection_.query(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type NOT "
            "IN "
            "('VIEW', 'SYSTEM VIEW', 'SEQUENCE') AND table_schema NOT IN "
            "('information_schema', 'performance_schema', 'sys', 'mysql', 'oceanbase')"
        );
        if (!tables) {
            to_.problem("its tables: " + tables.error().detail, "");
            co_return Result<void>{};
        }
        std::optional<schema::TableName> first;
        size_t count = 0;
        for (const QueryResult::Row& row : tables->rows()) {
            if (row.size() < 2 || !row[0] || !row[1] || !filter->passes(*row[0], *row[1])) continue;
            ++count;
            if (!first) first = schema::TableName{*row[0], *row[1]};
        }
        if (!first) {
            to_.warning(
                "none of the tables that our user may see passes the filter",
                "check canal.instance.filter.regex, or GRANT SELECT on them"
            );
            co_return Result<void>{};
        }
        const std::string name =
            client::quoted_name(first->schema) + "." + client::quoted_name(first->table);
        Result<QueryResult> described = co_await connection_.query("SHOW CREATE TABLE " + name);
        if (described) {
            to_.fact(std::to_string(count) + " tables pass the filter, and can be described");
        } else {
            to_.problem(
                "cannot read how " + name + " is made: " + described.error().detail,
                "GRANT SELECT on the tables to follow"
            );
        }
        co_return Result<void>{};
    }

    using LogAddress = canal::LogIdentity;

    const config::InstanceConfig& config_;
    MysqlConnection& connection_;
    Preflight& to_;
    Make make_ = Make::Mysql;
    ServerFacts facts_;
    std::string gtid_mode_;
    std::vector<LogFile> files_;
    BinlogPoint end_;
};

}  // namespace

Awaitable<void> ask_binlog_server(
    const config::InstanceConfig& config,
    const std::optional<canal::LogPosition>& saved,
    std::chrono::milliseconds limit,
    Preflight& to
) {
    if (!config.binlog.master.address) co_return;
    Result<client::MysqlOptions> options = mysql_options(config.binlog, config.binlog.master);
    if (!options) co_return;
    options->connect_timeout = std::min(options->connect_timeout, limit);
    options->read_timeout = std::min(options->read_timeout, limit);
    Result<std::unique_ptr<MysqlConnection>> opened =
        co_await MysqlConnection::open(std::move(options).value());
    if (!opened) co_return;
    Questions questions(config, **opened, to);
    Result<void> asked = co_await questions.ask(saved);
    if (!asked) to.problem("the server ended the conversation: " + asked.error().detail, "");
}

}  // namespace obcanal::source

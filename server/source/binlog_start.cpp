#include "server/source/binlog_start.h"

#include "protocol/base/text.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {
namespace {

using mysql::Event;
using LogEvent = mysql::EventType;

bool is_query(LogEvent type) {
    return type == LogEvent::Query || type == LogEvent::QueryCompressed;
}

// Follows the groups of one log file by their events, without looking at rows.
class GroupScan {
 public:
    explicit GroupScan(BinlogPoint from) : file_(std::move(from.file)), end_(from.offset) {}

    // False: the event is of the next file.
    Result<bool> take(Bytes bytes) {
        auto event = reader_.read(bytes);
        if (!event) return std::move(event).error();
        const mysql::EventHeader& header = event->header;
        if (header.type == LogEvent::Rotate) {
            const auto rotate = mysql::parse_rotate(*event);
            if (!rotate) return rotate.error();
            return rotate->file == file_;
        }
        const bool beats =
            header.type == LogEvent::Heartbeat || header.type == LogEvent::HeartbeatV2;
        if (header.artificial() || header.end_position == 0 || beats) return true;
        if (!group_open_) executed_before_ = executed_;
        begin_ = group_open_ ? begin_ : header.end_position - header.length;
        end_ = header.end_position;
        seconds_ = header.timestamp;
        auto followed = follow(*event);
        if (!followed) return std::move(followed).error();
        return true;
    }

    bool group_open() const { return group_open_; }
    // Of the group under way, or the last one; events between groups are groups of their own.
    uint64_t begin() const { return begin_; }
    uint64_t end() const { return end_; }
    uint32_t seconds() const { return seconds_; }
    // GTIDs before begin() and before end(); empty when the log names none.
    std::string executed_before() const { return executed_before_ ? executed_before_->text() : ""; }
    std::string executed() const { return executed_ ? executed_->text() : ""; }

 private:
    Result<void> follow(const Event& event) {
        const LogEvent type = event.header.type;
        if (type == LogEvent::PreviousGtids || type == LogEvent::MariadbGtidList)
            return begin_gtids(event);
        if (type == LogEvent::MariadbGtid) {
            const auto gtid = mysql::parse_mariadb_gtid(event);
            if (!gtid) return gtid.error();
            if (executed_) executed_->add(gtid->gtid);
            lone_ = (gtid->flags & mysql::MariadbGtidEvent::kStandalone) != 0;
            group_open_ = true;
        } else if (type == LogEvent::Gtid || type == LogEvent::TaggedGtid ||
                   type == LogEvent::AnonymousGtid) {
            const auto gtid = mysql::parse_gtid(event);
            if (!gtid) return gtid.error();
            if (executed_ && !gtid->anonymous) executed_->add(gtid->gtid);
            lone_ = true;  // until a BEGIN says otherwise
            group_open_ = true;
        } else if (type == LogEvent::Xid || type == LogEvent::XaPrepare ||
                   type == LogEvent::TransactionPayload) {
            group_open_ = false;
        } else if (is_query(type)) {
            return follow_query(event);
        }
        return {};
    }

    Result<void> begin_gtids(const Event& event) {
        if (event.header.type == LogEvent::MariadbGtidList) {
            const auto set = mysql::parse_mariadb_gtid_list(event);
            if (!set) return set.error();
            return keep(ExecutedGtids::parse(set->text(), true));
        }
        const auto set = mysql::parse_previous_gtids(event);
        if (!set) return set.error();
        return keep(ExecutedGtids::parse(set->text(), false));
    }

    Result<void> keep(Result<ExecutedGtids> gtids) {
        if (!gtids) return std::move(gtids).error();
        executed_ = std::move(*gtids);
        return {};
    }

    Result<void> follow_query(const Event& event) {
        const auto query = mysql::parse_query(event, reader_.format(), text_);
        if (!query) return query.error();
        const std::string sql = to_upper(trim(query->sql.substr(0, 32)));
        if (sql.starts_with("BEGIN") || sql.starts_with("XA START")) {
            lone_ = false;
            group_open_ = true;
        } else if (sql == "COMMIT" || sql == "ROLLBACK" || lone_) {
            group_open_ = false;
        }
        return {};
    }

    std::string file_;
    mysql::EventReader reader_;
    std::string text_;
    bool group_open_ = false;
    bool lone_ = false;
    uint64_t begin_ = 0;
    uint64_t end_;
    uint32_t seconds_ = 0;
    std::optional<ExecutedGtids> executed_;
    std::optional<ExecutedGtids> executed_before_;
};

Awaitable<std::vector<std::string>> addresses_of(Endpoint server) {
    const Executor executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    auto [code, found] =
        co_await resolver.async_resolve(server.host, std::to_string(server.port), kNoThrow);
    std::vector<std::string> addresses;
    if (code) co_return addresses;
    for (const auto& one : found) addresses.push_back(one.endpoint().address().to_string());
    co_return addresses;
}

Awaitable<Result<uint32_t>> first_seconds(ServerLogs& logs, std::string file) {
    BinlogPoint at;
    at.file = file;
    Result<std::unique_ptr<SentLog>> log = co_await logs.open_log(at);
    if (!log) co_return std::move(log).error();
    mysql::EventReader reader;
    for (;;) {
        Result<std::optional<Bytes>> bytes = co_await (*log)->next();
        if (!bytes) co_return std::move(bytes).error();
        if (!*bytes) co_return uint32_t{0};
        Result<Event> event = reader.read(**bytes);
        if (!event) co_return std::move(event).error();
        if (!event->header.artificial() && event->header.timestamp != 0)
            co_return event->header.timestamp;
    }
}

// The first group of a file with an event of `ms` or later; nothing when it has none.
Awaitable<Result<std::optional<BinlogPoint>>> find_in_file(
    ServerLogs& logs, std::string file, int64_t ms
) {
    BinlogPoint at;
    at.file = file;
    Result<std::unique_ptr<SentLog>> log = co_await logs.open_log(at);
    if (!log) co_return std::move(log).error();
    GroupScan scan(at);
    for (;;) {
        Result<std::optional<Bytes>> bytes = co_await (*log)->next();
        if (!bytes) co_return std::move(bytes).error();
        if (!*bytes) break;
        Result<bool> same_file = scan.take(**bytes);
        if (!same_file) co_return std::move(same_file).error().in(file);
        if (!*same_file) break;
        if (int64_t{scan.seconds()} * 1000 < ms || scan.begin() == 0) continue;
        at.offset = std::max(scan.begin(), kFirstLogOffset);
        at.executed = scan.executed_before();
        co_return std::optional<BinlogPoint>(at);
    }
    co_return std::optional<BinlogPoint>();
}

uint64_t number_of(std::string_view file) {
    return parse_uint(file.substr(file.find_last_of('.') + 1)).value_or(0);
}

}  // namespace

Awaitable<bool> is_same_server(Endpoint one, Endpoint other) {
    if (one == other) co_return true;
    if (one.port != other.port) co_return false;
    const std::vector<std::string> ours = co_await addresses_of(std::move(one));
    const std::vector<std::string> theirs = co_await addresses_of(std::move(other));
    co_return std::ranges::find_first_of(ours, theirs) != ours.end();
}

Awaitable<Result<BinlogPoint>> find_time(ServerLogs& logs, int64_t ms, std::string only_file) {
    Result<std::vector<LogFile>> files = co_await logs.list();
    if (!files) co_return std::move(files).error();
    if (!only_file.empty())
        std::erase_if(*files, [&](const LogFile& file) { return file.name != only_file; });
    if (files->empty()) {
        co_return Error{
            Errc::PositionPurged,
            Retry::Never,
            "the server has no binary log" + (only_file.empty() ? "" : " " + only_file)
        };
    }
    // The last file that begins before the time; what is older cannot hold it.
    size_t low = 0;
    size_t high = files->size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        Result<uint32_t> seconds = co_await first_seconds(logs, (*files)[middle].name);
        if (!seconds) co_return std::move(seconds).error();
        if (int64_t{*seconds} * 1000 < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 && number_of(files->front().name) > 1 && only_file.empty()) {
        co_return Error{
            Errc::PositionPurged,
            Retry::Never,
            "the server has purged the logs of the start time; its oldest is " + files->front().name
        };
    }
    for (size_t i = low == 0 ? 0 : low - 1; i < files->size(); ++i) {
        Result<std::optional<BinlogPoint>> found =
            co_await find_in_file(logs, (*files)[i].name, ms);
        if (!found) co_return std::move(found).error();
        if (*found) co_return **found;
    }
    Result<BinlogPoint> end = co_await logs.end();
    co_return end;
}

Awaitable<Result<BinlogPoint>> find_group(ServerLogs& logs, BinlogPoint at) {
    BinlogPoint from;
    from.file = at.file;
    Result<std::unique_ptr<SentLog>> log = co_await logs.open_log(from);
    if (!log) co_return std::move(log).error();
    GroupScan scan(from);
    for (;;) {
        if (scan.end() >= at.offset && !scan.group_open()) break;
        Result<std::optional<Bytes>> bytes = co_await (*log)->next();
        if (!bytes) co_return std::move(bytes).error();
        if (!*bytes) break;
        Result<bool> same_file = scan.take(**bytes);
        if (!same_file) co_return std::move(same_file).error().in(at.file);
        if (!*same_file) break;
        if (scan.end() > at.offset) break;
    }
    const bool inside = scan.end() > at.offset && scan.begin() < at.offset;
    at.executed = scan.end() > at.offset ? scan.executed_before() : scan.executed();
    if (inside) {
        at.offset = scan.begin();
        at.done = false;
        at.events = 0;
    }
    co_return at;
}

namespace {

Awaitable<Result<BinlogStart>> start_at_time(ServerLogs& logs, int64_t ms, std::string file) {
    Result<BinlogPoint> found = co_await find_time(logs, ms, std::move(file));
    if (!found) co_return std::move(found).error();
    BinlogStart start;
    start.point = std::move(*found);
    start.why = "by time";
    co_return start;
}

Awaitable<Result<BinlogStart>> start_as_configured(ServerLogs& logs, StartQuestion question) {
    const config::MysqlServer& server = *question.server;
    BinlogStart start;
    start.why = "as configured";
    if (question.gtid_on && !server.gtid.empty()) {
        start.point.executed = server.gtid;
        start.by_gtid = true;
        co_return start;
    }
    start.point.file = server.journal_name;
    if (!server.journal_name.empty() && server.position > 0) {
        start.point.offset = std::max(static_cast<uint64_t>(server.position), kFirstLogOffset);
        co_return start;
    }
    if (server.timestamp_ms > 0) {
        Result<BinlogStart> found =
            co_await start_at_time(logs, server.timestamp_ms, server.journal_name);
        co_return found;
    }
    if (!server.journal_name.empty()) co_return start;
    Result<BinlogPoint> end = co_await logs.end();
    if (!end) co_return std::move(end).error();
    start.point = std::move(*end);
    start.why = "at the current end";
    co_return start;
}

}  // namespace

Awaitable<Result<BinlogStart>> choose_start(ServerLogs& logs, StartQuestion question) {
    if (!question.from) {
        Result<BinlogStart> start = co_await start_as_configured(logs, question);
        co_return start;
    }
    const canal::LogPosition& from = *question.from;
    BinlogStart start;
    start.point = point_of(from);
    // Another server may have cut the transaction into other events.
    if (!question.same_server) start.point.events = 0;
    if (question.gtid_on && !from.gtid.empty()) {
        start.by_gtid = true;
        start.why = "behind the cursor's GTIDs";
        co_return start;
    }
    const bool placed = !from.journal_name.empty() && from.position > 0;
    if (placed && question.same_server) {
        start.why = "behind the cursor";
        co_return start;
    }
    if (from.timestamp_ms <= 0) {
        co_return Error{
            Errc::BadConfig,
            Retry::Never,
            "the cursor has neither a place in a log nor a time: " + canal::to_json(from, false)
        };
    }
    Result<BinlogStart> found =
        co_await start_at_time(logs, from.timestamp_ms - question.fallback_ms, std::string());
    if (found && !question.same_server) found->why = "by time, the cursor is of another server";
    co_return found;
}

}  // namespace obcanal::source

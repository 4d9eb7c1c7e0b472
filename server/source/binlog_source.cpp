#include "server/source/binlog_source.h"

#include "protocol/base/clock.h"
#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"
#include "server/schema/file_schema_store.h"
#include "server/source/server_logs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace obcanal::source {
namespace {

using mysql::EventHeader;
using LogEvent = mysql::EventType;

// Java Canal's heartbeat; a third of the read timeout where that is shorter.
constexpr int64_t kHeartbeatMs = 15'000;
// Cursors of a destination whose log holds nothing for its clients move so often.
constexpr std::chrono::seconds kTellPeriod{10};

// The same for every connection of a destination, so that the server ends one that hangs.
std::string replica_uuid(std::string_view destination, std::string_view host, uint32_t id) {
    const std::string text =
        "obcanal " + std::string(destination) + " " + std::string(host) + " " + std::to_string(id);
    const Sha1 digest = sha1(as_bytes(text));
    mysql::Uuid uuid;
    std::copy_n(digest.begin(), uuid.size(), uuid.begin());
    return mysql::uuid_text(uuid);
}

// How we are listed among the replicas: tells processes apart.
std::string own_replica_name() {
    constexpr size_t kLongestHost = 40;  // servers keep 60 bytes of the name
    std::array<char, kLongestHost + 1> host{};
    if (::gethostname(host.data(), kLongestHost) != 0) host[0] = '\0';
    return "obcanal-" + std::to_string(::getpid()) + "@" + host.data();
}

// A server's refusal may be mended on its side: we come again.
Error mended_by_waiting(Error error) {
    const bool may_be = error.code == Errc::Auth || error.code == Errc::Refused ||
                        error.code == Errc::NotFound || error.code == Errc::Io;
    if (may_be) error.retry = Retry::Backoff;
    return error;
}

bool accepts(const std::vector<std::string>& accepted, const std::string& value) {
    return accepted.empty() || value.empty() ||
           std::find(accepted.begin(), accepted.end(), value) != accepted.end();
}

// Beside the cursors; lost with them where they are kept in memory only.
std::unique_ptr<schema::SchemaStore> schema_store(const config::InstanceConfig& config) {
    if (config.meta == config::MetaKind::Memory)
        return std::make_unique<schema::MemorySchemaStore>();
    return std::make_unique<schema::FileSchemaStore>(config.file_data_dir, config.destination);
}

}  // namespace

Result<std::unique_ptr<Source>> BinlogSource::make(
    const config::InstanceConfig& config,
    std::shared_ptr<const LiveFilter> filter,
    BlockingLane& lane,
    std::unique_ptr<schema::SchemaStore> history
) {
    if (!config.binlog.master.address) {
        return Error{
            Errc::BadConfig, Retry::Never, "canal.instance.master.address names no server"
        };
    }
    std::unique_ptr<BinlogSource> source(
        new BinlogSource(config, std::move(filter), lane, std::move(history))
    );
    auto columns = filter::ColumnFilter::parse(config.filter_field, config.filter_black_field);
    if (!columns) return std::move(columns).error();
    for (const config::MysqlServer& server : source->servers_) {
        auto options = mysql_options(config.binlog, server);
        if (!options) return std::move(options).error();
    }
    return std::unique_ptr<Source>(std::move(source));
}

BinlogSource::BinlogSource(
    const config::InstanceConfig& config,
    std::shared_ptr<const LiveFilter> filter,
    BlockingLane& lane,
    std::unique_ptr<schema::SchemaStore> history
)
    : config_(config),
      log_(config.destination),
      filter_(std::move(filter)),
      replica_host_(own_replica_name()),
      told_(std::make_shared<SettledPosition>()),
      lane_(lane),
      schemas_({}, history ? std::move(history) : schema_store(config)),
      definitions_([this] { return connection_options(); }) {
    servers_.push_back(config.binlog.master);
    if (config.binlog.standby.address) servers_.push_back(config.binlog.standby);
}

BinlogSource::~BinlogSource() = default;

std::unique_ptr<PositionTracker> BinlogSource::tracker(std::optional<canal::LogPosition> from
) const {
    std::vector<Endpoint> addresses;
    for (const config::MysqlServer& server : servers_) addresses.push_back(*server.address);
    return std::make_unique<BinlogTracker>(std::move(addresses), told_, from);
}

void BinlogSource::stop() {
    stopped_ = true;
    for (Stream& stream : open_streams_) stream.close();
    definitions_.stop();
    if (detecting_) detecting_->notify();
}

Result<client::MysqlOptions> BinlogSource::connection_options() {
    return mysql_options(config_.binlog, server());
}

Awaitable<Result<std::unique_ptr<MysqlConnection>>> BinlogSource::open_connection() {
    Result<client::MysqlOptions> options = connection_options();
    if (!options) co_return std::move(options).error();
    options->opening = [this](Stream stream) {
        if (stopped_) stream.close();
        std::erase_if(open_streams_, [](const Stream& one) { return !one.is_open(); });
        open_streams_.push_back(std::move(stream));
    };
    Result<std::unique_ptr<MysqlConnection>> opened =
        co_await MysqlConnection::open(std::move(options).value());
    co_return opened;
}

Awaitable<Result<void>> BinlogSource::check_server(MysqlConnection& connection) {
    Result<ServerFacts> facts = co_await read_facts(connection);
    if (!facts) co_return std::move(facts).error();
    facts_ = std::move(*facts);
    if (!accepts(config_.binlog.binlog_formats, facts_.binlog_format)) {
        co_return Error{
            Errc::Refused,
            Retry::Backoff,
            "the server's binlog_format is " + facts_.binlog_format +
                ", which canal.instance.binlog.format does not list"
        };
    }
    if (!accepts(config_.binlog.binlog_images, facts_.binlog_row_image)) {
        co_return Error{
            Errc::Refused,
            Retry::Backoff,
            "the server's binlog_row_image is " + facts_.binlog_row_image +
                ", which canal.instance.binlog.image does not list"
        };
    }
    replica_id_ = config_.binlog.slave_id;
    if (replica_id_ == 0) replica_id_ = derived_replica_id(config_.destination, connection.local());
    if (replica_id_ == facts_.server_id) {
        co_return Error{
            Errc::Refused,
            Retry::Backoff,
            "our server id " + std::to_string(replica_id_) +
                " is the server's own; set canal.instance.mysql.slaveId to a free one"
        };
    }
    replica_uuid_ = replica_uuid(config_.destination, replica_host_, replica_id_);
    Result<void> looked = co_await look_for_twin(connection);
    if (!looked) co_return looked;
    schemas_.describe_server({facts_.names_ignore_case, facts_.charset, facts_.mariadb});
    if (translator_) co_return Result<void>{};
    BinlogColumnOptions columns;
    Result<std::shared_ptr<const TimeZone>> zone = TimeZone::open("");
    if (!zone) co_return std::move(zone).error();
    columns.zone = std::move(*zone);
    if (!equals_ignore_case(config_.binlog.charset, "UTF-8"))
        columns.charset = to_lower(config_.binlog.charset);
    auto made = BinlogTranslator::make(config_, schemas_, *filter_, std::move(columns), state_);
    if (!made) co_return std::move(made).error();
    translator_ = std::move(*made);
    co_return Result<void>{};
}

Awaitable<Result<void>> BinlogSource::look_for_twin(MysqlConnection& connection) {
    twin_.clear();
    Result<std::vector<Replica>> replicas = co_await list_replicas(connection);
    if (!replicas) co_return std::move(replicas).error();
    for (const Replica& replica : *replicas) {
        if (replica.server_id != replica_id_ || replica.host == replica_host_) continue;
        twin_ = "server id " + std::to_string(replica_id_) + " is also used by replica " +
                printable(replica.host) + ": give each its own canal.instance.mysql.slaveId";
        log_.warn("two replicas with one server id", {{"cause", twin_}});
    }
    co_return Result<void>{};
}

Awaitable<Error> BinlogSource::answer_purged(Error error) {
    const BinlogPoint lost = resume_ ? point_of(*resume_) : BinlogPoint();
    const std::string from = resume_ ? lost.text() : "the configured start";
    error.detail = "the server no longer has " + from + ": " + error.detail;
    Result<std::unique_ptr<MysqlConnection>> opened = co_await open_connection();
    if (opened) {
        Result<std::vector<LogFile>> files = co_await list_logs(**opened);
        if (files && !files->empty()) error.detail += "; its oldest log is " + files->front().name;
    }
    const bool go_on = config_.binlog.purged_to_latest || config_.binlog.reset_to_latest_position;
    if (!go_on) {
        error.detail += "; canal.instance.purged.position=latest would go on with a gap";
        co_return error;
    }
    to_latest_ = true;
    error.retry = Retry::Now;
    co_return error;
}

Awaitable<Result<BinlogStart>> BinlogSource::find_start(MysqlConnection& connection) {
    if (to_latest_) {
        Result<BinlogPoint> end = co_await current_end(connection);
        if (!end) co_return std::move(end).error();
        const std::string from = resume_ ? point_of(*resume_).text() : "the configured start";
        const std::string gap = "lost, because the server had purged it: from " + from + " to " +
                                end->text() + " on " + server().address->text();
        log_.error("a gap in the stream (canal.instance.purged.position)", {{"gap", gap}});
        state_.set_gap(gap);
        BinlogStart start;
        start.point = std::move(*end);
        start.why = "at the latest position, with a gap";
        co_return start;
    }
    StartQuestion question;
    question.from = resume_;
    question.server = &server();
    question.gtid_on = config_.binlog.gtid_on;
    question.fallback_ms = config_.binlog.fallback_interval_s * 1000;
    if (resume_ && !resume_->identity.host.empty()) {
        const Endpoint known{resume_->identity.host, resume_->identity.port};
        question.same_server = co_await is_same_server(*server().address, known);
    }
    MysqlServerLogs logs(connection, [this] { return open_connection(); });
    Result<BinlogStart> start = co_await choose_start(logs, question);
    if (!start) co_return start;
    if (inside_ && !start->by_gtid) {
        Result<BinlogPoint> group = co_await find_group(logs, start->point);
        if (!group) co_return std::move(group).error();
        start->point = std::move(*group);
        start->why += ", at the beginning of its transaction";
    }
    const bool gtids_wanted = question.gtid_on && !start->by_gtid && start->point.executed.empty();
    if (!gtids_wanted) co_return start;
    if (facts_.mariadb) {
        Result<std::string> gtids = co_await gtids_before(connection, start->point);
        if (!gtids) co_return std::move(gtids).error();
        start->point.executed = std::move(*gtids);
    } else {
        Result<BinlogPoint> point = co_await find_group(logs, start->point);
        if (!point) co_return std::move(point).error();
        start->point = std::move(*point);
    }
    co_return start;
}

// The tables as they were where the log goes on.
Awaitable<Result<void>> BinlogSource::restore_schemas(const BinlogStart& start) {
    schema::LogMoment moment{{start.point.file, start.point.offset}, 0};
    // What that event did to the tables is behind us.
    if (start.point.done) ++moment.point.offset;
    if (resume_) moment.time_ms = resume_->timestamp_ms;
    // A cursor that a Java server has written: of what it has read, our history may lack the part
    // behind its end.
    const bool continues = resume_ && resume_->binlog && !to_latest_;
    const auto kind = continues ? schema::StartKind::Continues : schema::StartKind::Chosen;
    const std::string origin = server().address->text();
    Result<bool> known = false;
    const auto restore = [&] { known = schemas_.restore(moment, origin, kind); };
    co_await lane_.run(restore);
    if (!known) co_return std::move(known).error();
    if (!*known) {
        Result<void> taken = co_await take_snapshot(std::move(moment));
        if (!taken) co_return taken;
    }
    Result<void> saved = co_await save_schemas();
    co_return saved;
}

Awaitable<Result<void>> BinlogSource::save_schemas() {
    Result<void> saved;
    if (!schemas_.unsaved()) co_return saved;
    const auto save = [&] { saved = schemas_.save(); };
    co_await lane_.run(save);
    co_return saved;
}

Awaitable<Result<void>> BinlogSource::take_snapshot(schema::LogMoment start) {
    const std::shared_ptr<const filter::TableFilter> filter = filter_->current();
    const schema::DefinitionSource::Wanted wanted =
        [filter](std::string_view schema, std::string_view table) {
            return filter->passes(schema, table);
        };
    Result<schema::FetchedSchema> fetched = co_await definitions_.fetch_all(wanted);
    if (!fetched) co_return std::move(fetched).error().in("definitions of the tables");
    schemas_.begin_with(*fetched, start);
    // Every server that answers has databases of its own.
    if (fetched->databases.empty()) {
        log_.warn(
            "the server does not tell its tables: only those are known whose CREATE TABLE the log "
            "has from here on",
            {{"server", server().address->text()}, {"version", facts_.version}}
        );
        co_return Result<void>{};
    }
    log_.info("definitions of the tables read", {{"tables", fetched->tables.size()}});
    co_return Result<void>{};
}

Awaitable<Result<void>> BinlogSource::describe_table(schema::TableName name) {
    const std::string text = name.schema + "." + name.table;
    Result<schema::FetchedTable> fetched = co_await definitions_.fetch(name);
    if (fetched) {
        schemas_.define(*fetched, translator_->moment());
        const char* found = fetched->table.create_sql.empty() ? "is gone" : "read again";
        // Statements that follow in the log may be in it already.
        const bool later = translator_->moment().point < fetched->asked.before;
        log_.info(
            "definition of a table", {{"table", text}, {"source", found}, {"may_be_later", later}}
        );
        co_return Result<void>{};
    }
    const bool denied =
        fetched.error().code == Errc::Auth || fetched.error().code == Errc::NotFound;
    if (!denied || !config_.binlog.filter_table_error)
        co_return std::move(fetched).error().in("definition of " + text);
    log_.warn(
        "rows of a table are left out (canal.instance.filter.table.error)",
        {{"table", text}, {"cause", fetched.error().detail}}
    );
    co_return Result<void>{};
}

Awaitable<Result<void>> BinlogSource::begin_log(MysqlConnection& connection) {
    Result<BinlogStart> start = co_await find_start(connection);
    if (!start) co_return std::move(start).error();
    Result<void> restored = co_await restore_schemas(*start);
    if (!restored) co_return restored;
    std::optional<ExecutedGtids> executed;
    if (config_.binlog.gtid_on) {
        auto parsed = ExecutedGtids::parse(start->point.executed, facts_.mariadb);
        if (!parsed) co_return std::move(parsed).error().in("GTIDs to start behind");
        executed = std::move(*parsed);
    } else {
        start->point.executed.clear();
    }
    DumpRequest request;
    request.from = start->point;
    request.by_gtid = start->by_gtid;
    request.server_id = replica_id_;
    request.replica_uuid = replica_uuid_;
    request.replica_host = replica_host_;
    request.heartbeat_ms = std::min(kHeartbeatMs, config_.binlog.read_timeout_s * 1000 / 3);
    Result<void> asked = co_await request_log(connection, facts_.mariadb, std::move(request));
    if (!asked) co_return asked;
    const auto server_number = static_cast<uint8_t>(server_index_);
    translator_->begin_stream(start->point, std::move(executed), start->by_gtid, server_number);
    retention_.begin(server().address->text(), facts_.retention_s);
    state_.connections.fetch_add(1);
    state_.set_began(position_of(start->point));
    state_.connected.store(true);
    to_latest_ = false;
    inside_ = false;
    log_.info(
        "streaming",
        {{"server", connection.peer()},
         {"version", facts_.version},
         {"tls", connection.encrypted()},
         {"from", start->point.text()},
         {"found", start->why},
         {"server_id", replica_id_}}
    );
    co_return Result<void>{};
}

canal::LogPosition BinlogSource::position_of(const BinlogPoint& point) const {
    canal::LogPosition position;
    position.identity.host = server().address->host;
    position.identity.port = server().address->port;
    position.journal_name = point.file;
    position.position = static_cast<int64_t>(point.offset);
    position.timestamp_ms = translator_->event_ms();
    if (position.timestamp_ms == 0)
        position.timestamp_ms = resume_ ? resume_->timestamp_ms : wall_ms();
    position.gtid = point.executed;
    position.binlog = canal::BinlogResume{point.done, point.events, point.gtid};
    return position;
}

Awaitable<Result<void>> BinlogSource::tell_settled(ChangeSink& out) {
    canal::Heartbeat beat;
    beat.checkpoint_us = wall_ms() * 1000;
    beat.number = ++beats_;
    told_->set(beat.number, position_of(translator_->settled()));
    state_.set_place(server().address->text(), translator_->settled().text());
    const std::array<canal::Change, 1> changes{beat};
    Result<void> emitted = co_await out.emit(changes);
    co_return emitted;
}

Result<BinlogSource::Waits> BinlogSource::take_received(
    MysqlConnection& connection, ChangeSink& out
) {
    for (;;) {
        if (!inside_event_) {
            Result<std::optional<Bytes>> packet = connection.received();
            if (!packet) return std::move(packet).error();
            if (!*packet) return Waits::Bytes;
            Result<std::optional<Bytes>> event = log_event(**packet);
            if (!event) return std::move(event).error();
            if (!*event) {
                return Error{
                    Errc::Closed, Retry::Backoff, "the server ended the stream of its log"
                };
            }
            Result<void> begun = translator_->begin(**event);
            if (!begun) return std::move(begun).error();
        }
        Result<bool> more = translator_->next();
        if (!more) return std::move(more).error();
        inside_event_ = *more;
        note_log_signs();
        if (translator_->missing_table() || schemas_.unsaved()) return Waits::Schemas;
        if (!*more) continue;
        Result<bool> emitted = out.try_emit(translator_->changes());
        if (!emitted) return std::move(emitted).error();
        if (!*emitted) return Waits::Room;
    }
}

void BinlogSource::note_log_signs() {
    const BinlogTranslator::LogSigns& signs = translator_->log_signs();
    if (signs.begun != begun_logs_) retention_.entered(translator_->file(), signs.made_ms);
    if (signs.nothing_to_send != nothing_to_send_) retention_.at_end(wall_ms());
    begun_logs_ = signs.begun;
    nothing_to_send_ = signs.nothing_to_send;
}

Awaitable<Result<void>> BinlogSource::finish_step(Waits waits, ChangeSink& out) {
    if (waits == Waits::Schemas) {
        if (translator_->missing_table()) {
            const schema::TableName name = *translator_->missing_table();
            Result<void> described = co_await describe_table(name);
            if (!described) co_return described;
        }
        // Durable before a cursor can come behind it.
        Result<void> saved = co_await save_schemas();
        if (!saved) co_return saved;
    }
    Result<void> emitted = co_await out.emit(translator_->changes());
    co_return emitted;
}

Awaitable<Error> BinlogSource::stream_from(MysqlConnection& connection, ChangeSink& out) {
    const Executor strand = co_await asio::this_coro::executor;
    SteadyTime told{};
    inside_event_ = false;
    for (;;) {
        Result<Waits> waits = take_received(connection, out);
        if (!waits) co_return std::move(waits).error();
        if (*waits != Waits::Bytes) {
            Result<void> finished = co_await finish_step(*waits, out);
            if (!finished) co_return std::move(finished).error();
            continue;
        }
        if (translator_->idle() && steady_now() - told >= kTellPeriod) {
            Result<void> said = co_await tell_settled(out);
            if (!said) co_return std::move(said).error();
            told = steady_now();
            failures_ = 0;
        }
        // Other destinations share this thread.
        co_await asio::post(strand, asio::use_awaitable);
        const uint64_t before = connection.bytes();
        Result<void> read = co_await connection.read_more();
        if (!read) co_return std::move(read).error();
        state_.bytes.fetch_add(connection.bytes() - before, std::memory_order_relaxed);
    }
}

Awaitable<Error> BinlogSource::stream(ChangeSink& out) {
    Result<std::unique_ptr<MysqlConnection>> opened = co_await open_connection();
    if (!opened) co_return mended_by_waiting(std::move(opened).error());
    MysqlConnection& connection = **opened;
    Result<void> checked = co_await check_server(connection);
    if (!checked) co_return mended_by_waiting(std::move(checked).error());
    Result<void> begun = co_await begin_log(connection);
    if (!begun) co_return mended_by_waiting(std::move(begun).error());
    if (config_.binlog.detecting_enable) tasks_->spawn(strand_, detect(connection.stream()));
    Error error = co_await stream_from(connection, out);
    state_.connected.store(false);
    connection.close();
    if (!detected_.empty()) error.detail = detected_;
    if (detected_.empty() && error.code == Errc::Closed && !twin_.empty())
        error.detail += "; " + twin_;
    inside_ = translator_->started_inside();
    resume_ = position_of(translator_->resume_point(out.open_rows()));
    co_return error;
}

Awaitable<void> BinlogSource::detect(Stream watched) {
    const std::chrono::seconds interval(config_.binlog.detecting_interval_s);
    const int64_t tolerated = config_.binlog.detecting_retry_threshold;
    std::unique_ptr<MysqlConnection> connection;
    int64_t failed = 0;
    while (watched.is_open() && !stopped_) {
        detecting_->arm();
        co_await detecting_->wait(steady_now() + interval);
        if (!watched.is_open() || stopped_) break;
        Error error;
        if (!connection) {
            Result<std::unique_ptr<MysqlConnection>> opened = co_await open_connection();
            if (opened) connection = std::move(opened).value();
            if (!opened) error = std::move(opened).error();
        }
        if (connection) {
            Result<mysql::QueryResult> result =
                co_await connection->query(config_.binlog.detecting_sql);
            if (result) {
                failed = 0;
                continue;
            }
            error = std::move(result).error();
            connection.reset();
        }
        if (!watched.is_open() || stopped_) break;
        log_.warn(
            "the detecting statement failed", {{"cause", error.detail}, {"failed", ++failed}}
        );
        if (failed <= tolerated || !config_.binlog.detecting_switch) continue;
        detected_ =
            "the detecting statement failed " + std::to_string(failed) + " times: " + error.detail;
        failures_ = failed - 1;
        watched.close();
    }
}

// With heartbeatHaEnable, a server that fails too often makes way for the other one.
void BinlogSource::note_failure(const std::string& cause) {
    if (!config_.binlog.detecting_enable || !config_.binlog.detecting_switch) return;
    if (++failures_ <= config_.binlog.detecting_retry_threshold || servers_.size() < 2) return;
    failures_ = 0;
    const std::string from = server().address->text();
    server_index_ = (server_index_ + 1) % servers_.size();
    log_.warn(
        "changing over to the other server",
        {{"from", from}, {"to", server().address->text()}, {"cause", cause}}
    );
}

Awaitable<Error> BinlogSource::run(std::optional<canal::LogPosition> from, ChangeSink& out) {
    if (!started_) resume_ = std::move(from);
    started_ = true;
    strand_ = co_await asio::this_coro::executor;
    if (!tasks_) tasks_ = std::make_unique<TaskGroup>(strand_);
    if (!detecting_) detecting_ = std::make_unique<Notifier>(strand_);
    detected_.clear();
    Error error = co_await stream(out);
    if (error.code == Errc::PositionPurged && !stopped_)
        error = co_await answer_purged(std::move(error));
    for (Stream& stream : open_streams_) stream.close();
    detecting_->notify();
    co_await tasks_->wait_for_all();
    open_streams_.clear();
    definitions_.close();
    if (stopped_) co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    error = std::move(error).in("server " + server().address->text());
    note_failure(error.detail);
    co_return error;
}

}  // namespace obcanal::source

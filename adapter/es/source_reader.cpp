#include "adapter/es/source_reader.h"

#include "adapter/config/jdbc_url.h"
#include "adapter/core/source_session.h"
#include "adapter/es/mapping_plan.h"
#include "adapter/es/row_value.h"

namespace obcanal::adapter::es {
namespace {

// Whoever holds the lock of a row for longer than this is no commit that is about to be seen.
constexpr uint32_t kLockSeconds = 10;
constexpr uint32_t kLockTimeout = 1205;
constexpr uint32_t kDeadlock = 1213;
constexpr uint32_t kGoneAway = 2006;
constexpr uint32_t kLostInQuery = 2013;

size_t index_of(int which) { return static_cast<size_t>(which); }

}  // namespace

SourceReader::SourceReader(config::DataSourceConfig source) : source_(std::move(source)) {}

SourceReader::~SourceReader() = default;

Result<std::string> SourceReader::schema() {
    auto url = config::parse_jdbc_url(source_.url);
    if (!url) return std::move(url).error().in("srcDataSources." + source_.key);
    return url->database;
}

Result<void> SourceReader::set_up(client::MysqlSession& session) {
    // Locks are of rows, and none stays behind a statement.
    const std::string sql = "SET SESSION innodb_lock_wait_timeout=" + std::to_string(kLockSeconds);
    const auto refused = [&](const client::SqlFailure& failed) {
        return core::source_error("srcDataSources." + source_.key, failed);
    };
    if (const auto failed =
            session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        return refused(*failed);
    client::SqlRows rows;
    if (const auto failed = session.query("SELECT @@version_comment", rows))
        return refused(*failed);
    const std::string make = rows.rows.empty() ? "" : rows.rows[0][0].value_or("");
    // Their logs are of what is committed.
    commits_late_ =
        make.find("OceanBase") == std::string::npos && make.find("seekdb") == std::string::npos;
    if (!commits_late_) return {};
    if (const auto failed = session.execute(sql)) return refused(*failed);
    return {};
}

Result<client::MysqlSession*> SourceReader::session(Session which) {
    const size_t at = index_of(static_cast<int>(which));
    if (sessions_[at]) return sessions_[at].get();
    auto opened = core::open_source(source_);
    if (!opened) return std::move(opened).error();
    Result<void> ready = set_up(**opened);
    if (!ready) return std::move(ready).error();
    const std::lock_guard lock(mutex_);
    if (interrupted_) return Error{Errc::Stopped, Retry::Never, "stopped"};
    sessions_[at] = std::move(*opened);
    return sessions_[at].get();
}

void SourceReader::drop(Session which) {
    const std::lock_guard lock(mutex_);
    sessions_[index_of(static_cast<int>(which))].reset();
}

void SourceReader::interrupt() {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    for (const auto& session : sessions_) {
        if (session) session->interrupt();
    }
}

void SourceReader::resume() {
    const std::lock_guard lock(mutex_);
    if (!interrupted_) return;
    interrupted_ = false;
    for (auto& session : sessions_) session.reset();
}

// Once more, with a new session, where an old one has ended meanwhile and nothing came of it.
SourceReader::Failure SourceReader::run(
    Session which, const std::function<Failure(client::MysqlSession&)>& call, Error& error
) {
    for (;;) {
        const bool fresh = sessions_[index_of(static_cast<int>(which))] == nullptr;
        Result<client::MysqlSession*> opened = session(which);
        if (!opened) {
            error = std::move(opened).error();
            return client::SqlFailure();
        }
        const Failure failed = call(**opened);
        if (!failed) return {};
        if (failed->lost) drop(which);
        error = core::source_error("srcDataSources." + source_.key, *failed);
        const bool over = failed->code == kGoneAway || failed->code == kLostInQuery;
        if (!over || fresh || touched_) return failed;
    }
}

Result<void> SourceReader::read(
    const std::string& sql, const RowFunction& row, const std::string& what, Session which
) {
    std::vector<client::SqlColumn> columns;
    touched_ = false;
    const auto each = [&](Row cells) {
        touched_ = true;
        return row(columns, cells);
    };
    Error error;
    const auto call = [&](client::MysqlSession& session) {
        return session.stream_typed(sql, each, columns);
    };
    if (run(which, call, error)) return std::move(error).in(what);
    return {};
}

Result<void> SourceReader::describe_result(
    const std::string& sql, std::vector<client::SqlColumn>& columns, const std::string& what
) {
    touched_ = false;
    Error error;
    const auto call = [&](client::MysqlSession& session) {
        return session.stream_typed(sql, [](Row) { return true; }, columns);
    };
    if (run(Session::Main, call, error)) return std::move(error).in(what);
    return {};
}

Result<core::SourceTable> SourceReader::describe(
    const std::string& database, const std::string& table
) {
    Result<std::string> of = database.empty() ? schema() : Result<std::string>(database);
    if (!of) return std::move(of).error();
    core::SourceTable described;
    touched_ = false;
    Error error;
    const auto call = [&](client::MysqlSession& session) -> Failure {
        Result<core::SourceTable> found = core::describe_source(session, *of, table);
        if (found) {
            described = std::move(*found);
            return {};
        }
        client::SqlFailure failed;
        failed.lost = found.error().code == Errc::Closed;
        failed.code = failed.lost ? kGoneAway : 0;
        failed.text = found.error().detail;
        return failed;
    };
    if (run(Session::Main, call, error)) return error;
    return described;
}

Result<void> SourceReader::await_visible(const core::Dml& dml, const core::DmlRow& row) {
    std::string key;
    for (size_t i = 0; i < dml.columns.size(); ++i) {
        if (!dml.columns[i].key) continue;
        const bool after = !row.after.empty() && row.after[i].state == core::ValueState::Value;
        if (!after && row.before.empty()) return {};
        const core::DmlValue& value = after ? row.after[i] : row.before[i];
        if (value.state != core::ValueState::Value) return {};
        key += (key.empty() ? "" : " AND ") + quote_name(dml.columns[i].name) + "=";
        append_literal(key, EventColumn(dml.columns[i].mysql_type).read(value));
    }
    if (key.empty()) return {};  // no key, no lock of this row alone
    // The commit holds the row's lock until it can be seen.
    const std::string sql = "SELECT 1 FROM " + quote_name(dml.database) + "." +
                            quote_name(dml.table) + " WHERE " + key + " LOCK IN SHARE MODE";
    touched_ = false;
    client::SqlRows rows;
    Error error;
    const auto call = [&](client::MysqlSession& session) -> Failure {
        if (!commits_late_) return {};
        return session.query(sql, rows);
    };
    const Failure failed = run(Session::Main, call, error);
    if (!failed) return {};
    if (failed->lost || failed->code == 0) return error;
    // Held for so long by one that came after it.
    if (failed->code == kLockTimeout || failed->code == kDeadlock) return {};
    if (gate_.pass() >= 0) {
        log_.warn(
            "the source does not say whether a change can be seen: what is read back may be too "
            "old",
            {{"source", source_.key}, {"cause", failed->text}}
        );
    }
    return {};
}

}  // namespace obcanal::adapter::es

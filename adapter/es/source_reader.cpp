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
    interrupted_ = false;
}

Result<void> SourceReader::read(
    const std::string& sql, const RowFunction& row, const std::string& what, Session which
) {
    Result<client::MysqlSession*> opened = session(which);
    if (!opened) return std::move(opened).error().in(what);
    std::vector<client::SqlColumn> columns;
    const auto each = [&](Row cells) { return row(columns, cells); };
    const auto failed = (*opened)->stream_typed(sql, each, columns);
    if (!failed) return {};
    if (failed->lost) drop(which);
    return core::source_error(what, *failed);
}

Result<void> SourceReader::describe_result(
    const std::string& sql, std::vector<client::SqlColumn>& columns, const std::string& what
) {
    Result<client::MysqlSession*> opened = session(Session::Main);
    if (!opened) return std::move(opened).error().in(what);
    const auto failed = (*opened)->stream_typed(sql, [](Row) { return true; }, columns);
    if (!failed) return {};
    if (failed->lost) drop(Session::Main);
    return core::source_error(what, *failed);
}

Result<core::SourceTable> SourceReader::describe(
    const std::string& database, const std::string& table
) {
    Result<std::string> of = database.empty() ? schema() : Result<std::string>(database);
    if (!of) return std::move(of).error();
    Result<client::MysqlSession*> opened = session(Session::Main);
    if (!opened) return std::move(opened).error();
    Result<core::SourceTable> described = core::describe_source(**opened, *of, table);
    if (!described && described.error().code == Errc::Closed) drop(Session::Main);
    return described;
}

Result<void> SourceReader::await_visible(const core::Dml& dml, const core::DmlRow& row) {
    Result<client::MysqlSession*> opened = session(Session::Main);
    if (!opened) return std::move(opened).error();
    if (!commits_late_) return {};
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
    client::SqlRows rows;
    const auto failed = (*opened)->query(
        "SELECT 1 FROM " + quote_name(dml.database) + "." + quote_name(dml.table) + " WHERE " +
            key + " LOCK IN SHARE MODE",
        rows
    );
    if (!failed) return {};
    if (failed->lost) {
        drop(Session::Main);
        return core::source_error("srcDataSources." + source_.key, *failed);
    }
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

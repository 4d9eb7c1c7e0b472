#include "adapter/rdb/table_load.h"

#include "adapter/rdb/position.h"
#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

using core::DmlRow;

constexpr size_t kPieceRows = 10'000;  // in memory, and in one transaction
constexpr size_t kPieceBytes = size_t{8} << 20;
constexpr uint64_t kCountedRows = 1'000'000;  // more are estimated
constexpr std::chrono::milliseconds kSavePeriod{500};
constexpr std::chrono::milliseconds kLogPeriod{10'000};
// What a crash can leave between the rows and the state that speaks of them.
constexpr int64_t kUnsavedMs = 60'000;
constexpr std::string_view kBegun = "begun";  // instead of a key: rows of a table without one

std::optional<std::string> variable(client::MysqlSession& session, const std::string& sql) {
    client::SqlRows rows;
    if (session.query(sql, rows) || rows.rows.empty() || rows.rows[0].empty()) {
        return std::nullopt;
    }
    return rows.rows[0].back();
}

}  // namespace

TableLoad::TableLoad(
    const LoadContext& context,
    OpenSessions& sessions,
    const config::RdbMapping& mapping,
    core::LoadState& state,
    std::string database,
    std::string table
)
    : context_(context), sessions_(sessions), mapping_(mapping), state_(state) {
    table_.database = std::move(database);
    table_.name = std::move(table);
}

Result<void> TableLoad::prepare() {
    auto source = sessions_.open_source(context_);
    if (!source) {
        return source.error();
    }
    auto target = sessions_.open_target(context_);
    Result<void> done = target ? Result<void>() : target.error();
    if (done) {
        done = look_at_source(**source);
    }
    if (done) {
        done = look_at_target(**source, **target);
    }
    if (done) {
        done = count(**source);
    }
    if (target) {
        sessions_.close(std::move(*target));
    }
    sessions_.close(std::move(*source));
    return done;
}

Result<void> TableLoad::look_at_source(client::MysqlSession& session) {
    auto described = core::describe_source(session, table_.database, table_.name);
    if (!described) {
        return described.error();
    }
    table_ = std::move(*described);
    if (table_.columns.empty()) {
        return Error{Errc::NotFound, Retry::Backoff, name() + ": the source has no such table"};
    }
    auto filled = core::fill_condition(mapping_.etl_condition, state_.request.params);
    if (!filled) {
        return std::move(filled).error().in(mapping_.task);
    }
    auto condition = core::condition_in_brackets(*filled);
    if (!condition) {
        return std::move(condition).error().in(mapping_.task);
    }
    condition_ = *condition;
    const auto now = variable(session, "SELECT CAST(UNIX_TIMESTAMP(NOW(3))*1000 AS SIGNED)");
    if (now) {
        clock_offset_ms_ = parse_int(*now).value_or(wall_ms()) - wall_ms();
    }
    // Without full images, a key change says not enough of a row that no piece has brought.
    const auto image = variable(session, "SELECT @@binlog_row_image");
    snapshot_ = table_.paging_key.empty() || (image && !equals_ignore_case(*image, "FULL"));
    return {};
}

Result<void> TableLoad::look_at_target(client::MysqlSession& source, TargetSession& target) {
    dml_ = LoadRows::make_dml(table_);
    const auto [database, table] = target_of(mapping_, dml_);
    TargetTable described;
    Outcome failed = target.describe(database, table, described);
    if (!failed && described.columns.empty() && mapping_.mirror_db &&
        context_.family == SqlFamily::Mysql) {
        if (auto made = create_target(source, target); !made) {
            return made;
        }
        failed = target.describe(database, table, described);
    }
    if (!failed) {
        failed = target.rollback();
    }
    if (failed) {
        return to_load_error(name() + ": table " + table + " of the target", *failed);
    }
    if (described.columns.empty()) {
        return Error{Errc::NotFound, Retry::Backoff, name() + ": the target has no table " + table};
    }
    PlanOptions options;
    options.family = context_.family;
    options.zero_date = context_.zero_date;
    auto plan = make_plan(mapping_, dml_, described, options);
    if (!plan) {
        return plan.error();
    }
    plan_ = std::move(*plan);
    LoadRows::take_raw_bytes(*plan_);
    std::vector<uint16_t> all;
    for (size_t i = 0; i < plan_->columns.size(); i++) {
        all.push_back(static_cast<uint16_t>(i));
    }
    const uint32_t shape = plan_->shape_with(std::move(all));
    for (const OpKind kind : {OpKind::Insert, OpKind::Update, OpKind::Delete}) {
        shape_ = plan_->ready_shape(shape, kind);
    }
    if (plan_->key.empty()) {
        mode_ = Mode::Append;
        snapshot_ = true;
    } else {
        plan_->ready_upsert(shape_);
        if (!plan_->enforced) {
            mode_ = Mode::Replace;
        } else if (!plan_->unique.empty()) {
            mode_ = Mode::Careful;
        }
    }
    return empty_target(target);
}

// A mirror's table that the stream has not brought: it was there before it.
Result<void> TableLoad::create_target(client::MysqlSession& source, TargetSession& target) {
    const auto sql = variable(source, "SHOW CREATE TABLE " + table_.quoted());
    if (!sql) {
        return Error{
            Errc::Refused, Retry::Backoff, name() + ": its definition can't be read at the source"
        };
    }
    log_.info("CREATE TABLE", {{"task", mapping_.task}, {"sql", printable(*sql)}});
    const Outcome failed = target.execute_ddl(table_.database, *sql);
    if (failed && failed->cause != Cause::Applied) {
        return to_load_error(name() + ": CREATE TABLE at the target", *failed);
    }
    return {};
}

Result<void> TableLoad::empty_target(TargetSession& target) {
    core::LoadPart& part = state_.parts[table_.name];
    if (snapshot_ || part.after_key.size() != table_.paging_key.size()) {
        const bool ours = part.after_key == std::vector<std::string>{std::string(kBegun)};
        part = {};
        if (ours) {
            part.after_key.emplace_back(kBegun);
        }
    }
    const bool begins = part.after_key.empty() || snapshot_;
    const bool ours = mode_ == Mode::Append && !part.after_key.empty();
    std::vector<SqlRow> some;
    if ((state_.request.truncate && begins) || ours) {
        log_.info("TRUNCATE before a full load", {{"table", plan_->table}});
        Outcome failed = target.execute_ddl("", "TRUNCATE TABLE " + plan_->table);
        if (failed && failed->cause != Cause::Lost) {
            // Referred to by a foreign key, or not allowed.
            failed = target.begin();
            failed = failed ? failed : target.execute("DELETE FROM " + plan_->table);
            failed = failed ? failed : target.commit();
        }
        if (failed) {
            return to_load_error(name() + ": TRUNCATE of " + plan_->table, *failed);
        }
    }
    Outcome failed = target.query("SELECT 1 FROM " + plan_->table + " LIMIT 1", some);
    failed = failed ? failed : target.rollback();
    if (failed) {
        return to_load_error(name() + ": " + plan_->table, *failed);
    }
    target_is_empty_ = some.empty();
    if (mode_ != Mode::Append) {
        return {};
    }
    if (!target_is_empty_) {
        return Error{
            Errc::Conflict,
            Retry::Never,
            name() + ": rows of a table without key can't be told from those that " +
                plan_->table_name + " holds already: truncate=true removes them first"
        };
    }
    part.after_key = {std::string(kBegun)};
    return context_.store->save(state_);
}

Result<void> TableLoad::count(client::MysqlSession& session) {
    core::LoadPart& part = state_.parts[table_.name];
    uint64_t total = table_.row_estimate;
    if (total < kCountedRows || !condition_.empty()) {
        const std::string where = condition_.empty() ? "" : " WHERE " + condition_;
        client::SqlRows rows;
        if (const auto failed =
                session.query("SELECT COUNT(*) FROM " + table_.quoted() + where, rows)) {
            return core::source_error(name(), *failed);
        }
        total = parse_uint(rows.rows[0][0].value_or("")).value_or(0);
    }
    rows_before_ = snapshot_ ? 0 : part.rows;
    context_.progress->begin(mapping_.task, plan_->table_name, rows_before_, total);
    if (!snapshot_) {
        const size_t piece = std::clamp<size_t>(mapping_.commit_batch, 1, kPieceRows);
        ranges_ = std::make_unique<core::KeyRanges>(table_, condition_, piece, part.after_key);
    }
    log_.info(
        "full load",
        {
            {"task", mapping_.task},
            {"table", plan_->table_name},
            {"rows", total},
            {"before", rows_before_},
            {"workers", workers()},
            {"by", snapshot_ ? "one snapshot" : "pieces of the key"},
        }
    );
    return {};
}

Result<void> TableLoad::work() {
    auto source = sessions_.open_source(context_);
    if (!source) {
        return source.error();
    }
    auto target = sessions_.open_target(context_);
    if (!target) {
        sessions_.close(std::move(*source));
        return target.error();
    }
    Result<void> done = read(**source, **target);
    // Others may wait for locks for long.
    if (const Result<void> kept = keep_state(true); done && !kept) {
        done = kept;
    }
    sessions_.close(std::move(*target));
    sessions_.close(std::move(*source));
    if (!done) {
        failed_ = true;
        if (sessions_.stopped()) {
            return Error{Errc::Stopped, Retry::Never, "stopped"};
        }
    }
    return done;
}

Result<void> TableLoad::read(client::MysqlSession& source, TargetSession& target) {
    if (context_.family == SqlFamily::Mysql && plan_->constrained) {
        // Rows of the tables come in any order; together they are what the source allowed.
        if (const Outcome failed = target.execute("SET SESSION foreign_key_checks=0")) {
            return to_load_error(name(), *failed);
        }
    }
    if (snapshot_) {
        if (mode_ == Mode::Append) {
            if (auto begun = begin_snapshot(source); !begun) {
                return begun;
            }
        }
        auto copied = copy(source, target, condition_.empty() ? "" : " WHERE " + condition_);
        return copied ? Result<void>() : copied.error();
    }
    while (!failed_ && !sessions_.stopped()) {
        auto range = ranges_->next(source);
        if (!range) {
            return range.error();
        }
        if (!*range) {
            return {};
        }
        auto copied = copy(source, target, ranges_->where(**range));
        if (!copied) {
            return copied.error();
        }
        ranges_->done(**range, *copied);
        if (auto kept = keep_state(false); !kept) {
            return kept;
        }
    }
    return Error{Errc::Stopped, Retry::Never, "stopped"};
}

// One state of the table whose place in the log is known.
Result<void> TableLoad::begin_snapshot(client::MysqlSession& session) {
    const std::string what = name() + ": a snapshot with its place in the log";
    const auto failed = [&what](const client::SqlFailure& failure) {
        return core::source_error(what, failure);
    };
    const bool mariadb = session.version().find("MariaDB") != std::string::npos;
    if (!mariadb) {
        if (const auto refused = session.execute("FLUSH TABLES WITH READ LOCK")) {
            return failed(*refused);
        }
    }
    if (const auto refused = session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")) {
        return failed(*refused);
    }
    client::SqlRows rows;
    std::string file;
    std::string offset;
    if (mariadb) {
        if (const auto refused = session.query("SHOW STATUS LIKE 'binlog_snapshot_%'", rows)) {
            return failed(*refused);
        }
        for (const auto& row : rows.rows) {
            const std::string variable_name = to_lower(row[0].value_or(""));
            std::string& to = variable_name.ends_with("file") ? file : offset;
            if (variable_name.ends_with("file") || variable_name.ends_with("position")) {
                to = row[1].value_or("");
            }
        }
    } else {
        auto refused = session.query("SHOW MASTER STATUS", rows);
        if (refused && !refused->lost) {
            refused = session.query("SHOW BINARY LOG STATUS", rows);
        }
        if (!refused) {
            refused = session.execute("UNLOCK TABLES");
        }
        if (refused) {
            return failed(*refused);
        }
        if (!rows.rows.empty()) {
            file = rows.rows[0][0].value_or("");
            offset = rows.rows[0][1].value_or("");
        }
    }
    if (file.empty()) {
        return Error{Errc::Unsupported, Retry::Never, what + ": the source writes no binary log"};
    }
    if (!context_.stream_log.empty() && !same_log(context_.stream_log, file)) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            what + ": the stream comes from another log (" + context_.stream_log +
                ", the source's is " + file +
                "), so that changes which the rows hold can't be told from later ones"
        };
    }
    core::LoadPart& part = state_.parts[table_.name];
    part.log_file = file;
    part.log_offset = parse_int(offset).value_or(0);
    return context_.store->save(state_);
}

Result<uint64_t> TableLoad::copy(
    client::MysqlSession& source, TargetSession& target, const std::string& where
) {
    LoadRows piece(table_);
    uint64_t count = 0;
    Result<void> written;
    const auto flush = [&] {
        if (piece.size() > 0 && written) {
            written = write(target, piece.rows());
            count += piece.size();
            if (written && snapshot_) {
                written = keep_state(false);
            }
        }
        piece.clear();
        return written.ok() && !sessions_.stopped() && !failed_;
    };
    const std::function<bool(client::MysqlSession::Row)> take = [&](client::MysqlSession::Row row) {
        piece.add(row);
        if (piece.size() < kPieceRows && piece.bytes() < kPieceBytes) {
            return true;
        }
        const bool goes_on = flush();
        if (!goes_on) {
            source.interrupt();  // what is left of the answer is not wanted
        }
        return goes_on;
    };
    const std::string sql =
        "SELECT " + LoadRows::select_list(table_) + " FROM " + table_.quoted() + where;
    const auto failed = source.stream(sql, take, nullptr);
    if (!written) {
        return written.error();
    }
    if (sessions_.stopped() || failed_) {
        return Error{Errc::Stopped, Retry::Never, "stopped"};
    }
    if (failed) {
        return core::source_error(name() + ": reading", *failed);
    }
    flush();
    if (!written) {
        return written.error();
    }
    return count;
}

int64_t TableLoad::source_ms() const { return wall_ms() + clock_offset_ms_; }

Result<void> TableLoad::keep_state(bool now) {
    const std::lock_guard lock(state_mutex_);
    const SteadyTime time = steady_now();
    if (time >= next_log_ && !now) {
        const auto figures = context_.progress->figures();
        if (figures && next_log_ != SteadyTime()) {
            log_.info("full load", {{"progress", figures->text()}});
        }
        next_log_ = time + kLogPeriod;
    }
    if (time < next_save_ && !now) {
        return {};
    }
    next_save_ = time + kSavePeriod;
    core::LoadPart& part = state_.parts[table_.name];
    if (ranges_) {
        const core::KeyRanges::Frontier frontier = ranges_->frontier();
        part.after_key = frontier.after;
        part.rows = rows_before_ + frontier.rows;
    }
    state_.replayed_until_ms = std::max(state_.replayed_until_ms, source_ms() + kUnsavedMs);
    return context_.store->save(state_);
}

Result<void> TableLoad::finish() {
    core::LoadPart& part = state_.parts[table_.name];
    part.done = true;
    part.rows = rows_before_ + rows_;
    return keep_state(true);
}

}  // namespace obcanal::adapter::rdb

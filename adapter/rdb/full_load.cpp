#include "adapter/rdb/full_load.h"

#include "protocol/base/clock.h"
#include "protocol/net/task_group.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

// The source's clock is read in whole seconds by its log, and moments before the end.
constexpr int64_t kClockMs = 2'000;

bool goes_on_by_itself(const Error& error) {
    return error.code == Errc::Stopped || error.code == Errc::Closed || error.code == Errc::Io ||
           error.code == Errc::Timeout;
}

Error stopped_error() { return {Errc::Stopped, Retry::Never, "stopped"}; }

}  // namespace

Result<std::unique_ptr<client::MysqlSession>> OpenSessions::open_source(const LoadContext& context
) {
    if (stopped_) {
        return stopped_error();
    }
    auto session = core::open_source(context.source);
    if (!session) {
        return session;
    }
    const std::lock_guard lock(mutex_);
    if (stopped_) {
        return stopped_error();
    }
    sources_.insert(session->get());
    return session;
}

Result<std::unique_ptr<TargetSession>> OpenSessions::open_target(const LoadContext& context) {
    if (stopped_) {
        return stopped_error();
    }
    auto session = context.open_target();
    if (!session) {
        return session;
    }
    // Tables come one after the other, and rows that others refer to may have come or gone at the
    // source meanwhile: the stream brings these.
    if (context.family == SqlFamily::Mysql) {
        if (const Outcome failed = (*session)->execute("SET SESSION foreign_key_checks=0")) {
            return Error{Errc::Refused, Retry::Backoff, failed->text};
        }
    }
    const std::lock_guard lock(mutex_);
    if (stopped_) {
        return stopped_error();
    }
    targets_.insert(session->get());
    return session;
}

void OpenSessions::close(std::unique_ptr<client::MysqlSession> session) {
    const std::lock_guard lock(mutex_);
    sources_.erase(session.get());
}

void OpenSessions::close(std::unique_ptr<TargetSession> session) {
    const std::lock_guard lock(mutex_);
    targets_.erase(session.get());
}

void OpenSessions::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (client::MysqlSession* session : sources_) {
        session->interrupt();
    }
    for (TargetSession* session : targets_) {
        session->interrupt();
    }
}

FullLoad::FullLoad(LoadContext context, config::RdbMapping mapping, Executor strand)
    : context_(std::move(context)), mapping_(std::move(mapping)), strand_(std::move(strand)) {
    for (size_t i = 0; i < context_.workers; i++) {
        threads_.push_back(std::make_unique<BlockingLane>());
    }
}

FullLoad::~FullLoad() = default;

Awaitable<Result<std::vector<std::string>>> FullLoad::tables() {
    Result<std::vector<std::string>> names = std::vector<std::string>{mapping_.table};
    if (mapping_.mirror_db) {
        const std::function<void()> look = [&] {
            auto session = sessions_.open_source(context_);
            if (!session) {
                names = session.error();
                return;
            }
            names = core::source_tables(**session, mapping_.database);
            sessions_.close(std::move(*session));
        };
        co_await threads_.front()->run(look);
    }
    co_return names;
}

Awaitable<void> FullLoad::work(size_t number, TableLoad& load, Result<void>& result) {
    const std::function<void()> call = [&load, &result] { result = load.work(); };
    co_await threads_[number]->run(call);
}

Awaitable<Result<void>> FullLoad::load_table(
    core::LoadState& state, std::string table, uint64_t& rows
) {
    TableLoad load(context_, sessions_, mapping_, state, mapping_.database, std::move(table));
    Result<void> done;
    const std::function<void()> prepare = [&] { done = load.prepare(); };
    co_await threads_.front()->run(prepare);
    if (!done) {
        co_return done;
    }
    std::vector<Result<void>> results(load.workers());
    TaskGroup running(strand_);
    for (size_t i = 0; i < results.size(); i++) {
        running.spawn(strand_, work(i, load, results[i]));
    }
    co_await running.wait_for_all();
    // Of several, not that they were told to stop because of one.
    for (Result<void>& result : results) {
        if (!result && (done || done.error().code == Errc::Stopped)) {
            done = std::move(result);
        }
    }
    if (!done) {
        co_return done;
    }
    rows += load.rows();
    const std::function<void()> finish = [&] { done = load.finish(); };
    co_await threads_.front()->run(finish);
    co_return done;
}

Awaitable<Result<core::FullLoadOutcome>> FullLoad::run(core::LoadState& state) {
    core::FullLoadOutcome outcome;
    Result<void> done;
    Result<std::vector<std::string>> names = co_await tables();
    if (!names) {
        done = names.error();
    }
    for (size_t i = 0; done && i < names->size(); i++) {
        const std::string& table = (*names)[i];
        outcome.rows += state.parts[table].rows;
        if (state.parts[table].done) {
            continue;
        }
        done = co_await load_table(state, table, outcome.rows);
    }
    Result<void> ended = co_await end(state, done);
    if (!ended) {
        co_return ended.error();
    }
    outcome.message = mapping_.task + ": " + std::to_string(outcome.rows) + " rows loaded";
    co_return outcome;
}

Awaitable<Result<void>> FullLoad::end(core::LoadState& state, Result<void> done) {
    using Phase = core::LoadState::Phase;
    state.phase = Phase::Done;
    if (!done) {
        state.phase = goes_on_by_itself(done.error()) ? Phase::Running : Phase::Failed;
    }
    const std::function<void()> save = [&] {
        int64_t now = wall_ms();
        if (auto session = sessions_.open_source(context_)) {
            client::SqlRows rows;
            if (!(*session)->query("SELECT CAST(UNIX_TIMESTAMP(NOW(3))*1000 AS SIGNED)", rows)) {
                now = parse_int(rows.rows[0][0].value_or("")).value_or(now);
                // Exact: what was written with less certainty meanwhile is worth no more.
                state.replayed_until_ms = 0;
            }
            sessions_.close(std::move(*session));
        }
        state.replayed_until_ms = std::max(state.replayed_until_ms, now + kClockMs);
        const Result<void> saved = context_.store->save(state);
        if (done && !saved) {
            done = saved;
        }
    };
    co_await threads_.front()->run(save);
    if (done) {
        context_.progress->end("done", "");
    } else {
        const bool stopped = done.error().code == Errc::Stopped;
        context_.progress->end(stopped ? "stopped" : "failed", done.error().detail);
    }
    co_return done;
}

}  // namespace obcanal::adapter::rdb

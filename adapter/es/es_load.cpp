// Full loads of EsWriter, and indexes that are built anew beside the one in use.
#include "adapter/core/source_session.h"
#include "adapter/es/es_writer.h"
#include "adapter/es/rebuild.h"
#include "protocol/base/clock.h"
#include "protocol/base/json.h"
#include "protocol/net/asio.h"
#include "protocol/net/task_group.h"

#include <algorithm>
#include <functional>

namespace obcanal::adapter::es {

using core::FullLoadOutcome;
using core::FullLoadRequest;
using core::LoadState;

namespace {

// A part of the state that is no task: its after_key is the name of the index that is built.
constexpr const char* kIndexPart = "index:";

std::string condition_text(std::string condition) {
    return condition.empty() ? condition : " " + condition;
}

bool all_loaded(const LoadState& state) {
    return std::ranges::all_of(state.parts, [](const auto& part) { return part.second.done; });
}

}  // namespace

Awaitable<Result<void>> EsWriter::on_disk(std::function<Result<void>()> work) {
    Result<void> done;
    const std::function<void()> call = [&] { done = work(); };
    co_await letters_lane_.run(call);
    co_return done;
}

Awaitable<Result<FullLoadOutcome>> EsWriter::full_load(FullLoadRequest request) {
    if (mappings_.find(request.task) == nullptr) {
        co_return Error{Errc::NotFound, Retry::Never, "no mapping " + request.task};
    }
    const std::string index = mappings_.find(request.task)->index;
    LoadState state;
    const std::function<Result<void>()> begin = [&]() -> Result<void> {
        Result<LoadState> begun = loads_.begin(request);
        if (!begun) return begun.error();
        state = std::move(*begun);
        return {};
    };
    Result<void> done = co_await on_disk(begin);
    if (!done) co_return done.error();
    only_task_.clear();
    fresh_ = false;
    indexes_.clear();
    forget_targets();
    uint64_t before = 0;
    for (const auto& [name, part] : state.parts) before += part.rows;
    progress_.begin(request.task, index, before, 0);
    done = co_await load_index(&state, index);
    co_return co_await end_load(std::move(state), index, done);
}

Awaitable<Result<FullLoadOutcome>> EsWriter::end_load(
    LoadState state, std::string index, Result<void> done
) {
    indexes_.clear();
    forget_targets();
    FullLoadOutcome outcome;
    for (const auto& [name, part] : state.parts) outcome.rows += part.rows;
    const bool rebuild = state.request.rebuild;
    if (!done && stopped_) {
        progress_.end("stopped", {});
        co_return Error{Errc::Stopped, Retry::Never, "stopped; the next start goes on with it"};
    }
    if (!done) {
        progress_.end("failed", done.error().detail);
        if (rebuild) co_await drop_rebuild(&state, index);
        state.phase = LoadState::Phase::Failed;
    } else if (!rebuild) {
        state.phase = LoadState::Phase::Done;
    }
    const std::function<Result<void>()> note = [&]() -> Result<void> {
        const bool over = state.phase == LoadState::Phase::Done ||
                          (state.phase == LoadState::Phase::Failed && rebuild);
        return over ? loads_.forget(state.request.task) : loads_.save(state);
    };
    const Result<void> noted = co_await on_disk(note);
    if (!done) co_return done.error();
    progress_.end("done", {});
    if (!noted) co_return noted.error();
    outcome.message = std::to_string(outcome.rows) + " documents into " + index;
    if (rebuild) {
        outcome.message = std::to_string(outcome.rows) + " documents into " + overrides_[index] +
                          ", which becomes " + index + " once the stream has caught up";
        pending_[index] = {std::move(state), wall_ms()};
    }
    co_return outcome;
}

// All that goes into the index: of a rebuild, other tasks' documents too.
Awaitable<Result<void>> EsWriter::load_index(LoadState* state, std::string index) {
    const FullLoadRequest request = state->request;
    std::vector<std::string> tasks{request.task};
    for (const EsTask* const task : mappings_.mappings()) {
        const bool other = request.rebuild && task->index == index && task->task != request.task;
        if (other) tasks.push_back(task->task);
    }
    for (const std::string& task : tasks) state->parts.try_emplace(task);
    if (request.rebuild) {
        Result<void> made = co_await begin_rebuild(state, index);
        if (!made) co_return made;
    }
    for (const std::string& task : tasks) {
        if (state->parts[task].done) continue;
        std::string condition;
        if (task == request.task) {
            Result<std::string> filled =
                core::fill_condition(mappings_.find(task)->etl_condition, request.params);
            if (!filled) co_return filled.error();
            condition = condition_text(std::move(*filled));
        }
        Result<void> loaded = co_await load_task(state, task, condition);
        if (!loaded) co_return loaded;
    }
    co_return Result<void>();
}

// While documents are written, the next ones are read.
Awaitable<Result<void>> EsWriter::load_task(
    LoadState* state, std::string task, std::string condition
) {
    const size_t limit =
        std::max<size_t>(mappings_.find(task)->commit_batch, 100) * options_.http.connections;
    core::LoadPart& part = state->parts[task];
    Result<LoadedDocuments> ahead = co_await planner_.load(task, condition, part.after_key, limit);
    if (ahead && state->request.truncate && part.after_key.empty() && !ahead->documents.empty()) {
        const MappingPlan* const plan = ahead->documents.front().plan;
        const Result<const DocumentTarget*> target = co_await target_of(plan);
        if (!target) co_return target.error();
        Result<void> emptied = co_await truncate(*target);
        if (!emptied) co_return emptied;
    }
    for (;;) {
        if (!ahead) co_return ahead.error();
        const LoadedDocuments now = std::move(*ahead);
        Result<void> written;
        if (now.end) {
            written = co_await write_changes(&now.documents);
        } else {
            TaskGroup reading(strand_);
            reading.spawn(strand_, read_ahead(task, condition, now.after_key, limit, &ahead));
            written = co_await write_changes(&now.documents);
            co_await reading.wait_for_all();
        }
        if (!written) co_return written;
        part.after_key = now.after_key;
        part.rows += now.documents.size();
        part.done = now.end;
        progress_.add(now.documents.size());
        const std::function<Result<void>()> save = [&] { return loads_.save(*state); };
        Result<void> saved = co_await on_disk(save);
        if (!saved || now.end) co_return saved;
    }
}

Awaitable<void> EsWriter::read_ahead(
    std::string task,
    std::string condition,
    std::vector<std::string> after_key,
    size_t limit,
    Result<LoadedDocuments>* to
) {
    *to =
        co_await planner_.load(std::move(task), std::move(condition), std::move(after_key), limit);
}

// -- rebuild

// The index that is built, made like the one in use; the stream goes into it from here on.
Awaitable<Result<void>> EsWriter::begin_rebuild(LoadState* state, std::string index) {
    core::LoadPart& part = state->parts[kIndexPart];
    if (part.done) {
        overrides_[index] = part.after_key.at(0);
        co_return Result<void>();
    }
    if (pending_.contains(index)) {
        co_return Error{
            Errc::Conflict, Retry::Backoff, "an earlier rebuild of " + index + " is not over yet"
        };
    }
    const std::string next = rebuilt_name(index, wall_ms() / 1'000);
    const Result<boost::json::value> old =
        co_await client_->ask("GET", "/" + url_encoded(index), {});
    if (old) {
        Result<std::string> body = new_index_body(to_json_text(*old));
        if (!body) co_return body.error();
        const Result<boost::json::value> made =
            co_await client_->ask("PUT", "/" + url_encoded(next), *body);
        if (!made) co_return made.error();
    } else if (old.error().code != Errc::NotFound) {
        co_return old.error();
    }
    part.after_key = {next};
    part.done = true;
    overrides_[index] = next;
    const std::function<Result<void>()> save = [&] { return loads_.save(*state); };
    co_return co_await on_disk(save);
}

Awaitable<void> EsWriter::drop_rebuild(LoadState* state, std::string index) {
    overrides_.erase(index);
    const core::LoadPart& part = state->parts[kIndexPart];
    if (!part.done) co_return;
    const std::string& left = part.after_key.at(0);
    const Result<boost::json::value> dropped =
        co_await client_->ask("DELETE", "/" + url_encoded(left), {});
    if (!dropped) {
        log_.warn(
            "an index of an earlier rebuild is left",
            {{"index", left}, {"cause", dropped.error().detail}}
        );
    }
}

// Rebuilds that a process has not ended.
Awaitable<Result<void>> EsWriter::take_up_rebuilds() {
    std::vector<LoadState> states;
    const std::function<Result<void>()> read = [&]() -> Result<void> {
        Result<std::vector<LoadState>> all = loads_.all();
        if (!all) return all.error();
        states = std::move(*all);
        return {};
    };
    Result<void> done = co_await on_disk(read);
    if (!done) co_return done;
    for (LoadState& state : states) {
        const EsTask* const task = mappings_.find(state.request.task);
        const auto part = state.parts.find(kIndexPart);
        if (task == nullptr || state.phase != LoadState::Phase::Running ||
            part == state.parts.end() || !part->second.done)
            continue;
        overrides_[task->index] = part->second.after_key.at(0);
        if (all_loaded(state)) {
            const std::string index = task->index;
            pending_[index] = {std::move(state), wall_ms()};
        }
    }
    co_return done;
}

// Between batches: the stream has caught up when it brought something from after the load, or
// nothing at all since the last look.
Awaitable<void> EsWriter::switch_rebuilt() {
    const bool idle = !std::exchange(wrote_, false);
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        const std::string index = entry->first;
        if (!idle && last_execute_ms_ < entry->second.until_ms) {
            ++entry;
            continue;
        }
        const Result<void> switched = co_await switch_alias(index);
        if (!switched) {
            log_.warn(
                "a rebuilt index can't take its place yet",
                {{"index", index}, {"cause", switched.error().detail}}
            );
            ++entry;
            continue;
        }
        const std::string task = entry->second.state.request.task;
        entry = pending_.erase(entry);
        const std::function<Result<void>()> forget = [&] { return loads_.forget(task); };
        const Result<void> forgotten = co_await on_disk(forget);
        if (!forgotten) log_.error("state of a load", {{"cause", forgotten.error().detail}});
    }
}

Awaitable<Result<void>> EsWriter::switch_alias(std::string index) {
    const std::string next = overrides_.at(index);
    const Result<IndexMapping> old = co_await client_->mapping(index, {});
    if (!old && old.error().code != Errc::NotFound) co_return old.error();
    std::vector<std::string> indexes;
    if (old) indexes = old->indexes;
    const std::string body = switch_body(index, indexes, next);
    const Result<boost::json::value> done = co_await client_->ask("POST", "/_aliases", body);
    if (!done) co_return done.error();
    overrides_.erase(index);
    indexes_.clear();
    forget_targets();
    log_.info("a rebuilt index has taken its place", {{"name", index}, {"index", next}});
    co_return Result<void>();
}

Result<void> EsWriter::announce_loads(const std::vector<FullLoadRequest>& requests) {
    for (const FullLoadRequest& request : requests) {
        const Result<LoadState> begun = loads_.begin(request);
        if (!begun) return begun.error();
    }
    return {};
}

std::vector<FullLoadRequest> EsWriter::unfinished_loads() const {
    std::vector<FullLoadRequest> requests;
    const Result<std::vector<LoadState>> all = loads_.all();
    if (!all) return requests;
    for (const LoadState& state : *all) {
        const bool loaded = !state.parts.empty() && all_loaded(state);
        if (state.phase == LoadState::Phase::Running && !loaded) {
            requests.push_back(state.request);
        }
    }
    return requests;
}

}  // namespace obcanal::adapter::es

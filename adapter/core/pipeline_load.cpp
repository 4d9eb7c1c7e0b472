// Full loads and counts: what a pipeline does when it is asked to.
#include "adapter/core/pipeline_target.h"

#include <algorithm>

namespace obcanal::adapter::core {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds kLookPause = 500ms;
// How long a full load waits for a batch that some writer has in hand, here or elsewhere.
constexpr std::chrono::milliseconds kParkPatience = 60s;

}  // namespace

// Full loads within which an earlier process ended, or which a lost connection has ended.
Awaitable<void> Pipeline::go_on_loading() {
    if (loads_ > 0 || steady_now() < next_load_) co_return;
    for (const std::unique_ptr<Target>& target : targets_) {
        if (!target->opened || stopping_) continue;
        const std::vector<FullLoadRequest> unfinished = target->writer->unfinished_loads();
        if (unfinished.empty()) continue;
        log_.info(
            "goes on with a full load", {{"key", target->adapter.key}, {"task", unfinished[0].task}}
        );
        const Result<FullLoadOutcome> outcome =
            co_await full_loads(target->adapter.name, target->adapter.key, unfinished);
        if (outcome) {
            load_pause_ = {};
            log_.info("the full load is complete", {{"outcome", outcome->message}});
        } else if (!stopping_) {
            load_pause_ = doubled(load_pause_);
            next_load_ = steady_now() + load_pause_;
            log_.warn("the full load does not go on", {{"cause", outcome.error().detail}});
        }
    }
}

Pipeline::Target* Pipeline::find_target(
    const std::string& type, const std::string& key, const std::string& task
) const {
    for (const std::unique_ptr<Target>& target : targets_) {
        if (target->adapter.name != type) continue;
        if (!key.empty() && target->adapter.key != key) continue;
        if (target->writer->has_task(task)) return target.get();
    }
    return nullptr;
}

Awaitable<bool> Pipeline::has_task(std::string type, std::string key, std::string task) {
    co_return find_target(type, key, task) != nullptr;
}

Awaitable<std::vector<std::string>> Pipeline::tasks(std::string type, std::string key) {
    std::vector<std::string> all;
    for (const std::unique_ptr<Target>& target : targets_) {
        if (target->adapter.name != type) continue;
        if (!key.empty() && target->adapter.key != key) continue;
        for (std::string& task : target->writer->tasks()) all.push_back(std::move(task));
    }
    co_return all;
}

// They stop when they see that somebody loads; a batch may be in hand.
Awaitable<Result<void>> Pipeline::wait_for_others() {
    const SteadyTime give_up = steady_now() + kParkPatience;
    for (;;) {
        Result<bool> writing = false;
        const std::function<void()> look = [&] {
            writing = context_.sync_switch.others_write(name());
        };
        co_await context_.lane.run(look);
        if (!writing) co_return writing.error();
        if (!*writing || stopping_) co_return Result<void>{};
        if (steady_now() > give_up) {
            co_return Error{
                Errc::Timeout,
                Retry::Backoff,
                "another adapter is still writing a batch of " + name()
            };
        }
        co_await pause(kLookPause);
    }
}

Awaitable<Result<FullLoadOutcome>> Pipeline::full_loads(
    std::string type, std::string key, std::vector<FullLoadRequest> requests
) {
    ++callers_;
    Result<std::unique_ptr<SyncSwitch::EtlLock>> lock = std::unique_ptr<SyncSwitch::EtlLock>();
    const std::function<void()> lost = [this] {
        log_.error("the lock of the full load is lost, the load goes on with another one");
        for (const std::unique_ptr<Target>& target : targets_) target->writer->stop_load();
    };
    const std::function<void()> take = [&] {
        lock = context_.sync_switch.lock_etl(type, name(), lost);
    };
    co_await context_.lane.run(take);
    FullLoadOutcome all;
    Result<void> done;
    if (!lock) {
        done = lock.error();
    } else if (*lock == nullptr) {
        done = Error{Errc::Conflict, Retry::Backoff, "a full load of " + name() + " runs already"};
    }
    if (done) done = co_await wait_for_others();
    for (const std::unique_ptr<Target>& target : targets_) {
        std::vector<FullLoadRequest> its;
        for (const FullLoadRequest& request : requests) {
            if (find_target(type, key, request.task) == target.get()) its.push_back(request);
        }
        if (done && !its.empty()) done = target->writer->announce_loads(its);
    }
    for (FullLoadRequest& request : requests) {
        if (!done) break;
        request.restart = false;
        Result<FullLoadOutcome> outcome = co_await full_load(type, key, std::move(request));
        if (!outcome) {
            done = std::move(outcome).error();
            break;
        }
        all.rows += outcome->rows;
        all.message += (all.message.empty() ? "" : "; ") + outcome->message;
    }
    const std::function<void()> release = [&lock] {
        if (lock) *lock = nullptr;
    };
    co_await context_.lane.run(release);
    --callers_;
    wake_.notify();
    if (!done) co_return std::move(done).error();
    co_return all;
}

Awaitable<Result<FullLoadOutcome>> Pipeline::full_load(
    std::string type, std::string key, FullLoadRequest request
) {
    ++loads_;
    ++callers_;
    const SteadyTime give_up = steady_now() + kParkPatience;
    while (busy_ && !stopping_ && steady_now() < give_up) {
        wake_.arm();
        if (!busy_ || stopping_) break;
        co_await wake_.wait(give_up);
    }
    Target* const target = find_target(type, key, request.task);
    Result<FullLoadOutcome> outcome =
        Error{Errc::NotFound, Retry::Never, "no mapping " + request.task + " of " + type};
    if (busy_) {
        outcome = Error{
            Errc::Timeout,
            Retry::Backoff,
            "a batch of the destination is not written yet: " + stats_.error()
        };
    } else if (stopping_) {
        outcome = Error{Errc::Stopped, Retry::Never, "the adapter is stopping"};
    } else if (target != nullptr) {
        co_await drop_ahead();
        Result<void> opened;
        if (!target->opened) opened = co_await target->writer->open();
        if (opened) {
            target->opened = true;
            outcome = co_await target->writer->full_load(std::move(request));
        } else {
            outcome = std::move(opened).error();
        }
    }
    --loads_;
    --callers_;
    wake_.notify();
    co_return outcome;
}

Awaitable<Result<TaskCount>> Pipeline::count(std::string type, std::string key, std::string task) {
    Target* const target = find_target(type, key, task);
    if (target == nullptr) {
        co_return Error{Errc::NotFound, Retry::Never, "no mapping " + task + " of " + type};
    }
    if (stopping_) co_return Error{Errc::Stopped, Retry::Never, "the adapter is stopping"};
    if (!target->opened)
        co_return Error{Errc::Io, Retry::Backoff, target->adapter.key + ": the target is not open"};
    ++callers_;
    Result<TaskCount> counted = co_await target->writer->count(std::move(task));
    --callers_;
    wake_.notify();
    co_return counted;
}

std::vector<std::pair<std::string, LoadFigures>> Pipeline::load_figures() const {
    std::vector<std::pair<std::string, LoadFigures>> all;
    for (const std::unique_ptr<Target>& target : targets_) {
        std::optional<LoadFigures> figures = target->writer->load_figures();
        if (figures) all.emplace_back(target->adapter.key, std::move(*figures));
    }
    return all;
}

std::vector<std::pair<std::string, std::vector<WriterCounter>>> Pipeline::writer_counters() const {
    std::vector<std::pair<std::string, std::vector<WriterCounter>>> all;
    for (const std::unique_ptr<Target>& target : targets_) {
        all.emplace_back(target->adapter.key, target->writer->counters());
    }
    return all;
}

}  // namespace obcanal::adapter::core

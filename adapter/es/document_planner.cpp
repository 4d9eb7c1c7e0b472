#include "adapter/es/document_planner.h"

#include "adapter/core/key_ranges.h"
#include "adapter/es/batch_work.h"
#include "adapter/es/document_reader.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace obcanal::adapter::es {
namespace {

constexpr size_t kReadyBlocks = 2;  // ahead of who takes them
constexpr std::chrono::hours kLong{24};

Error stopped() { return {Errc::Stopped, Retry::Never, "stopped"}; }

}  // namespace

struct DocumentPlanner::State {
    State(const config::AdapterConfig& config, Executor on)
        : strand(std::move(on)),
          wake(strand),
          running(strand),
          batch_reader(config),
          reader(config) {}

    // On the batch's thread, all of these.
    void produce();
    Result<void> make_plans();
    Result<void> run_batch();
    Result<void> put(std::vector<DocumentChange> block);

    // On the other thread.
    Result<void> make_whole_here(std::vector<DocumentChange>& changes);
    Result<LoadedDocuments> load_here(
        const std::string& task,
        const std::string& condition,
        const std::vector<std::string>& after,
        size_t limit
    );

    Awaitable<void> run_producer();

    const Executor strand;
    Notifier wake;
    TaskGroup running;
    std::vector<const EsTask*> tasks;
    const core::DmlBatch* batch = nullptr;
    std::set<std::string> replaced;  // tasks whose documents are always written whole
    bool started = false;
    std::atomic<bool> stopping{false};

    // Made on one of the threads while the other one does nothing.
    std::vector<std::unique_ptr<MappingPlan>> plans;
    bool planned = false;
    BatchWork work;
    DocumentReader batch_reader;
    DocumentReader reader;  // of make_whole() and load()

    std::mutex mutex;
    std::condition_variable room;
    std::deque<std::vector<DocumentChange>> ready;
    bool ended = false;      // nothing is put any more
    bool abandoned = false;  // nobody takes any more
    Result<void> outcome;

    // Last: end before what they use.
    BlockingLane batch_lane;
    BlockingLane lane;
};

Result<void> DocumentPlanner::State::make_plans() {
    if (planned) return {};
    plans.clear();
    work.set_plans({});
    batch_reader.forget_plans();
    reader.forget_plans();
    std::vector<const MappingPlan*> followed;
    for (const EsTask* task : tasks) {
        Result<std::unique_ptr<MappingPlan>> plan = batch_reader.plan(*task);
        if (!plan) return std::move(plan).error();
        plans.push_back(std::move(*plan));
        if (!task->sync_by_timestamp) followed.push_back(plans.back().get());
    }
    work.set_plans(followed);
    planned = true;
    return {};
}

Result<void> DocumentPlanner::State::put(std::vector<DocumentChange> block) {
    {
        std::unique_lock lock(mutex);
        room.wait(lock, [this] { return ready.size() < kReadyBlocks || abandoned || stopping; });
        if (abandoned || stopping) return stopped();
        ready.push_back(std::move(block));
    }
    wake.notify();
    return {};
}

Result<void> DocumentPlanner::State::run_batch() {
    Result<void> planned_now = make_plans();
    if (!planned_now) return planned_now;
    work.clear(replaced);
    Result<void> collected = work.collect(*batch);
    if (!collected) return collected;
    BlockBuilder block([this](std::vector<DocumentChange> changes) {
        return put(std::move(changes));
    });
    for (const PlanWork& one : work.works()) {
        if (one.empty()) continue;
        Result<void> done = batch_reader.run(one, block);
        if (!done) return done;
    }
    return {};
}

void DocumentPlanner::State::produce() {
    Result<void> done = run_batch();
    work.clear();
    const std::lock_guard lock(mutex);
    outcome = std::move(done);
    ended = true;
}

Awaitable<void> DocumentPlanner::State::run_producer() {
    std::function<void()> call = [this] { produce(); };
    co_await batch_lane.run(std::move(call));
    wake.notify();
}

Result<void> DocumentPlanner::State::make_whole_here(std::vector<DocumentChange>& changes) {
    std::map<const MappingPlan*, std::vector<KeyWork>> wanted;
    std::vector<DocumentChange> made;
    for (DocumentChange& change : changes) {
        if (whole_from_image(change)) {
            made.push_back(std::move(change));
            continue;
        }
        KeyWork& key = wanted[change.plan].emplace_back();
        key.key = std::move(change.key);
        key.read = true;
        key.whole = true;
        key.cause = {change.cause, change.row};
    }
    BlockBuilder block([&made](std::vector<DocumentChange> some) {
        for (DocumentChange& one : some) made.push_back(std::move(one));
        return Result<void>();
    });
    for (const auto& [plan, keys] : wanted) {
        PlanWork work_of;
        work_of.plan = plan;
        work_of.keys = keys;
        work_of.latest_read = keys.back().cause;
        Result<void> done = reader.run(work_of, block);
        if (!done) return done;
    }
    changes = std::move(made);
    return {};
}

Result<LoadedDocuments> DocumentPlanner::State::load_here(
    const std::string& task,
    const std::string& condition,
    const std::vector<std::string>& after,
    size_t limit
) {
    Result<void> planned_now = make_plans();
    if (!planned_now) return std::move(planned_now).error();
    Result<std::string> filter = core::condition_in_brackets(condition);
    if (!filter) return std::move(filter).error().in(task);
    for (const auto& plan : plans) {
        if (plan->task->task == task) return reader.load_part(*plan, *filter, after, limit);
    }
    return Error{Errc::NotFound, Retry::Never, "no mapping " + task};
}

DocumentPlanner::DocumentPlanner(const config::AdapterConfig& config, Executor strand)
    : state_(std::make_unique<State>(config, std::move(strand))) {}

DocumentPlanner::~DocumentPlanner() = default;

void DocumentPlanner::set_tasks(const std::vector<const EsTask*>& tasks) {
    state_->tasks = tasks;
    state_->planned = false;
}

Awaitable<Result<void>> DocumentPlanner::open() {
    State& state = *state_;
    Result<void> done;
    std::function<void()> call = [&state, &done] {
        done = state.make_plans();
        for (size_t i = 0; done && i < state.plans.size(); ++i) {
            if (!state.plans[i]->local) done = state.batch_reader.probe(*state.plans[i]);
        }
    };
    co_await state.batch_lane.run(std::move(call));
    if (state.stopping) done = stopped();
    co_return done;
}

void DocumentPlanner::begin(const core::DmlBatch& batch, std::set<std::string> replaced) {
    State& state = *state_;
    OBC_ASSERT(!state.started);
    state.batch = &batch;
    state.replaced = std::move(replaced);
    state.ready.clear();
    state.ended = false;
    state.abandoned = false;
    state.outcome = {};
}

Awaitable<Result<bool>> DocumentPlanner::next(std::vector<DocumentChange>& to) {
    State& state = *state_;
    if (!state.started) {
        state.started = true;
        Awaitable<void> producing = state.run_producer();
        state.running.spawn(state.strand, std::move(producing));
    }
    for (;;) {
        if (state.stopping) co_return stopped();
        state.wake.arm();
        {
            const std::lock_guard lock(state.mutex);
            if (state.abandoned) co_return stopped();
            if (!state.ready.empty()) {
                to = std::move(state.ready.front());
                state.ready.pop_front();
                state.room.notify_one();
                co_return true;
            }
            if (state.ended) {
                if (!state.outcome) co_return state.outcome.error();
                co_return false;
            }
        }
        const SteadyTime until = steady_now() + kLong;
        co_await state.wake.wait(until);
    }
}

void DocumentPlanner::give_up() {
    State& state = *state_;
    if (!state.started) return;
    {
        const std::lock_guard lock(state.mutex);
        if (state.ended) return;
        state.abandoned = true;
        state.room.notify_all();
    }
    state.batch_reader.interrupt();
    state.wake.notify();
}

Awaitable<void> DocumentPlanner::end() {
    State& state = *state_;
    if (!state.started) co_return;
    bool under_way = false;
    {
        const std::lock_guard lock(state.mutex);
        state.abandoned = true;
        under_way = !state.ended;
        state.room.notify_all();
    }
    // What is being read is of no use to anybody.
    if (under_way) state.batch_reader.interrupt();
    co_await state.running.wait_for_all();
    if (!state.stopping) state.batch_reader.resume();
    state.ready.clear();
    state.batch = nullptr;
    state.started = false;
}

Awaitable<Result<void>> DocumentPlanner::make_whole(std::vector<DocumentChange>& changes) {
    State& state = *state_;
    Result<void> done;
    std::function<void()> call = [&state, &changes, &done] {
        done = state.make_whole_here(changes);
    };
    co_await state.lane.run(std::move(call));
    if (state.stopping) done = stopped();
    co_return done;
}

Awaitable<Result<LoadedDocuments>> DocumentPlanner::load(
    std::string task, std::string condition, std::vector<std::string> after_key, size_t limit
) {
    State& state = *state_;
    Result<LoadedDocuments> loaded = LoadedDocuments();
    std::function<void()> call = [&] {
        loaded = state.load_here(task, condition, after_key, limit);
    };
    co_await state.lane.run(std::move(call));
    if (state.stopping) loaded = stopped();
    co_return loaded;
}

const MappingPlan* DocumentPlanner::plan_of(const std::string& task) const {
    for (const auto& plan : state_->plans) {
        if (plan->task->task == task) return plan.get();
    }
    return nullptr;
}

void DocumentPlanner::stop() {
    State& state = *state_;
    state.stopping = true;
    {
        const std::lock_guard lock(state.mutex);
        state.room.notify_all();
    }
    state.batch_reader.interrupt();
    state.reader.interrupt();
    state.wake.notify();
}

}  // namespace obcanal::adapter::es

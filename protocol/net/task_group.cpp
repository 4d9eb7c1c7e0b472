#include "protocol/net/task_group.h"

#include "protocol/net/asio.h"

#include <atomic>

namespace obcanal {

struct TaskGroup::State {
    explicit State(Executor executor)
        : strand(std::move(executor)), idle(strand, SteadyTime::max()) {}

    using SteadyTime = asio::steady_timer::time_point;

    Executor strand;
    asio::steady_timer idle;  // cancelled when the count falls to zero
    std::atomic<size_t> running{0};
};

TaskGroup::TaskGroup(Executor strand) : state_(std::make_shared<State>(std::move(strand))) {}

void TaskGroup::spawn(Executor where, Awaitable<void> task) {
    state_->running.fetch_add(1);
    asio::co_spawn(std::move(where), std::move(task), [state = state_](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
        if (state->running.fetch_sub(1) != 1) return;
        asio::post(state->strand, [state] { state->idle.cancel(); });
    });
}

size_t TaskGroup::running() const { return state_->running.load(); }

Awaitable<void> TaskGroup::wait_for_all() {
    const std::shared_ptr<State> state = state_;
    while (state->running.load() > 0) {
        state->idle.expires_at(State::SteadyTime::max());
        co_await state->idle.async_wait(kNoThrow);
    }
}

}  // namespace obcanal

#include "protocol/net/runtime.h"

#include "protocol/net/asio.h"

#include <csignal>
#include <cstdlib>
#include <thread>

namespace obcanal {

struct Runtime::State {
    explicit State(size_t count)
        : context(static_cast<int>(count)),
          work(asio::make_work_guard(context)),
          threads_wanted(count) {}

    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    size_t threads_wanted;
    std::vector<std::thread> threads;
};

Runtime::Runtime(size_t threads) : state_(std::make_unique<State>(threads)) {}

Runtime::~Runtime() { join(); }

Executor Runtime::executor() { return state_->context.get_executor(); }

Executor Runtime::make_strand() { return asio::make_strand(state_->context); }

void Runtime::stop() {
    state_->work.reset();
    state_->context.stop();
}

void Runtime::join() {
    stop();
    for (std::thread& thread : state_->threads) thread.join();
    state_->threads.clear();
}

void Runtime::start() {
    for (size_t i = 0; i < state_->threads_wanted; ++i) {
        state_->threads.emplace_back([this] { state_->context.run(); });
    }
}

void Runtime::run() { state_->context.run(); }

struct BlockingLane::State {
    asio::thread_pool pool{1};
};

BlockingLane::BlockingLane() : state_(std::make_unique<State>()) {}

BlockingLane::~BlockingLane() { state_->pool.join(); }

namespace {

Awaitable<void> call(std::function<void()> work) {
    work();
    co_return;
}

}  // namespace

Awaitable<void> BlockingLane::run(std::function<void()> work) {
    co_await asio::co_spawn(
        state_->pool.get_executor(), call(std::move(work)), asio::use_awaitable
    );
}

struct StopSignal::State {
    explicit State(const Executor& executor) : signals(executor, SIGINT, SIGTERM) {}

    asio::signal_set signals;
};

StopSignal::StopSignal(const Executor& executor) : state_(std::make_unique<State>(executor)) {}

StopSignal::~StopSignal() = default;

Awaitable<int> StopSignal::wait() {
    auto [code, number] = co_await state_->signals.async_wait(kNoThrow);
    if (code) co_return 0;
    // From here on a second signal must not wait for anything of ours.
    std::signal(SIGINT, [](int) { std::_Exit(1); });
    std::signal(SIGTERM, [](int) { std::_Exit(1); });
    co_return number;
}

}  // namespace obcanal

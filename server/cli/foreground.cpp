#include "server/cli/foreground.h"

#include "protocol/net/asio.h"

#include <exception>
#include <utility>

namespace obcanal::cli {

void Foreground::stop() {
    if (stopping_.exchange(true)) return;
    asio::post(executor(), [this] {
        if (on_stop_) on_stop_();
    });
}

Awaitable<void> Foreground::wait_for_signal() {
    const int signal = co_await stop_signal_.wait();
    if (signal != 0) stop();
}

int Foreground::run(Awaitable<int> verb, std::function<void()> on_stop) {
    on_stop_ = std::move(on_stop);
    asio::co_spawn(executor(), std::move(verb), [this](std::exception_ptr failure, int status) {
        if (failure) std::rethrow_exception(failure);
        quit(status);
    });
    asio::co_spawn(signals_.executor(), wait_for_signal(), asio::detached);
    signals_.start();
    loop_.run();
    return status_;
}

void Foreground::quit(int status) {
    status_ = status;
    on_stop_ = nullptr;
    loop_.stop();
}

struct Pause::State {
    explicit State(const Executor& executor) : timer(executor) {}

    asio::steady_timer timer;
    bool ended = false;
};

Pause::Pause(const Executor& executor) : state_(std::make_unique<State>(executor)) {}

Pause::~Pause() = default;

Awaitable<void> Pause::wait_until(std::chrono::steady_clock::time_point until) {
    if (state_->ended) co_return;
    state_->timer.expires_at(until);
    co_await state_->timer.async_wait(kNoThrow);
}

void Pause::end() {
    state_->ended = true;
    state_->timer.cancel();
}

void Pause::wake() { state_->timer.cancel(); }

}  // namespace obcanal::cli

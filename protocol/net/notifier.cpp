#include "protocol/net/notifier.h"

#include "protocol/net/asio.h"

#include <list>

namespace obcanal {

struct Notifier::Waiters {
    explicit Waiters(Executor executor) : strand(std::move(executor)) {}

    void wake() {
        for (asio::steady_timer& timer : timers) timer.cancel();
    }

    Executor strand;
    std::list<asio::steady_timer> timers;
};

Notifier::Notifier(Executor strand)
    : armed_(std::make_shared<std::atomic<bool>>(false)),
      waiters_(std::make_shared<Waiters>(std::move(strand))) {}

Notifier::~Notifier() = default;

void Notifier::notify() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!armed_->load(std::memory_order_relaxed)) return;
    if (!armed_->exchange(false, std::memory_order_seq_cst)) return;
    asio::post(waiters_->strand, [waiters = waiters_] { waiters->wake(); });
}

Awaitable<void> Notifier::wait(SteadyTime until) {
    const std::shared_ptr<Waiters> waiters = waiters_;
    waiters->timers.emplace_back(waiters->strand, until);
    const auto mine = std::prev(waiters->timers.end());
    co_await mine->async_wait(kNoThrow);
    waiters->timers.erase(mine);
}

}  // namespace obcanal

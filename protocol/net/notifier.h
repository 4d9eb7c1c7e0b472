// A coalesced wake-up from any thread for coroutines that wait on one strand; one of the three
// bridges between strands. A waiter checks its condition after arming and before waiting, so no
// wake-up is lost; notify() posts at most once until somebody waits again.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/net/awaitable.h"

#include <atomic>
#include <chrono>
#include <memory>

namespace obcanal {

class Notifier {
 public:
    // `strand`: where waiters run.
    explicit Notifier(Executor strand);
    ~Notifier();

    // Any thread. All waiters return.
    void notify();

    // Strand. Call before checking the condition that notify() announces.
    void arm() { armed_->store(true, std::memory_order_seq_cst); }

    // Strand. REQUIRES: arm() and the check, without waiting in between. Returns at a notify() or
    // at `until`.
    Awaitable<void> wait(SteadyTime until);

 private:
    struct Waiters;

    std::shared_ptr<std::atomic<bool>> armed_;
    std::shared_ptr<Waiters> waiters_;
};

}  // namespace obcanal

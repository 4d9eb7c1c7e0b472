// The process of a verb: its coroutines run in the main thread, signals arrive in another, so that
// a second one ends the process even when the first thread hangs in a write to a pipe.
#pragma once

#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

namespace obcanal::cli {

class Foreground {
 public:
    // Before the signals go: their thread may not even have begun to wait for one.
    ~Foreground() { signals_.join(); }

    // Where the verb runs; one thread, hence a strand.
    Executor executor() { return loop_.executor(); }

    // Any thread: a signal asked us to end.
    bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
    // Any thread; as a signal does.
    void stop();

    // Runs `verb` to its end and returns its value. `on_stop` is called on executor() at the first
    // signal, while the verb runs.
    int run(Awaitable<int> verb, std::function<void()> on_stop);

    // Executor. Ends run() now, wherever the verb waits.
    void quit(int status);

 private:
    Awaitable<void> wait_for_signal();

    Runtime loop_{1};
    Runtime signals_{1};
    StopSignal stop_signal_{signals_.executor()};
    std::atomic<bool> stopping_{false};
    std::function<void()> on_stop_;
    int status_ = 0;
};

// A wait that can be ended early. One strand.
class Pause {
 public:
    explicit Pause(const Executor& executor);
    ~Pause();

    // REQUIRES: nobody else waits.
    Awaitable<void> wait_until(std::chrono::steady_clock::time_point until);
    // This wait and all later ones.
    void end();
    // This wait only, if there is one.
    void wake();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obcanal::cli

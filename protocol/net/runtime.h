// Threads that run coroutines, the lane for calls that block, and the process's signals.
#pragma once

#include "protocol/net/awaitable.h"

#include <functional>
#include <memory>
#include <vector>

namespace obcanal {

// An io_context and its threads.
class Runtime {
 public:
    explicit Runtime(size_t threads);
    ~Runtime();  // stops and joins, as join() does

    Executor executor();
    Executor make_strand();
    // Returns from run() and lets the threads end.
    void stop();
    // stop(), and returns when the threads have ended: nothing of theirs runs any more. From none
    // of them.
    void join();
    // Starts the threads; they run until stop().
    void start();
    // Runs in the calling thread too, until stop().
    void run();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

// One thread for calls that block: SQL, fsync. Await hop(): what follows runs on the lane; hop back
// by awaiting the strand again, or spawn a coroutine here and await it.
class BlockingLane {
 public:
    BlockingLane();
    ~BlockingLane();

    // Runs `work` on the lane and returns to the caller's executor. Awaiting coroutine must outlive
    // it.
    Awaitable<void> run(std::function<void()> work);

 private:
    struct State;
    std::unique_ptr<State> state_;
};

// SIGINT and SIGTERM: from its construction on they are kept for wait() instead of ending the
// process.
class StopSignal {
 public:
    explicit StopSignal(const Executor& executor);
    ~StopSignal();

    // On the executor. The number of the first one, 0 when this is destroyed before it comes; a
    // second one ends the process at once with status 1.
    Awaitable<int> wait();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obcanal

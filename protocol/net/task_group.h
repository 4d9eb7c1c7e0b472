// Counts coroutines that were spawned together, so that their end can be awaited. One strand.
#pragma once

#include "protocol/net/awaitable.h"

#include <memory>

namespace obcanal {

class TaskGroup {
 public:
    explicit TaskGroup(Executor strand);

    // Starts the coroutine on `where`. An exception that leaves it ends the process: top frames
    // catch what they expect.
    void spawn(Executor where, Awaitable<void> task);
    size_t running() const;
    // Strand. Returns when none is running any more.
    Awaitable<void> wait_for_all();

 private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace obcanal

// Slows down who guesses passwords. Every address may fail a number of times at once and then at a
// fixed pace; what comes faster waits its turn, and what would wait too long is refused. A login
// that succeeds costs nothing, so honest clients reconnect as often as they like. Bounded memory,
// any thread.
#pragma once

#include "protocol/base/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace obcanal::access {

class LoginLimiter {
 public:
    // So many failures a minute; as many may come at once. 0: no limit.
    explicit LoginLimiter(int64_t failures_per_minute);

    // To be called before a password is checked: how long to wait first. Nothing: the login must be
    // refused unchecked. Whoever got a time calls accepted() or leaves the failure standing.
    std::optional<std::chrono::milliseconds> reserve(const std::string& address, SteadyTime now);
    // Gives back what reserve() took.
    void accepted(const std::string& address, SteadyTime now);

    size_t addresses() const;

    // No login waits longer than this.
    static constexpr std::chrono::milliseconds kLongestWait{5000};
    // Beyond so many addresses with failures the newcomers share one allowance.
    static constexpr size_t kMaxAddresses = 10'000;

 private:
    using Key = std::string;

    Key key_of(const std::string& address) const;
    void forget_settled(SteadyTime now);

    std::chrono::nanoseconds pace_{0};       // between two failures
    std::chrono::nanoseconds allowance_{0};  // what may come at once, in time
    mutable std::mutex mutex_;
    // When all failures so far would have come at the pace; below now - allowance_: none counts.
    std::unordered_map<Key, SteadyTime> due_;
    SteadyTime shared_due_{};
    SteadyTime next_sweep_{};
};

}  // namespace obcanal::access

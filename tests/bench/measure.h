// Time per call, the best of several rounds: what the machine can do, not what else ran on it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace obcanal::bench {

// Keeps the compiler from dropping the work that made `value`.
template <class Value>
void keep(const Value& value) {
    asm volatile("" : : "r,m"(value) : "memory");
}

template <class Work>
double ns_per_call(Work work) {
    using Clock = std::chrono::steady_clock;
    constexpr int kRounds = 7;
    constexpr auto kRound = std::chrono::milliseconds(150);
    double best = 1e18;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = Clock::now();
        int64_t calls = 0;
        auto end = begin;
        while (end - begin < kRound) {
            for (int i = 0; i < 64; ++i) work();
            calls += 64;
            end = Clock::now();
        }
        const double ns = std::chrono::duration<double, std::nano>(end - begin).count();
        best = std::min(best, ns / static_cast<double>(calls));
    }
    return best;
}

// For work that takes long enough to be timed by itself.
template <class Work>
double ns_per_pass(Work work) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kAll = std::chrono::milliseconds(1000);
    double best = 1e18;
    const auto begin = Clock::now();
    while (Clock::now() - begin < kAll) {
        const auto from = Clock::now();
        work();
        const double ns = std::chrono::duration<double, std::nano>(Clock::now() - from).count();
        best = std::min(best, ns);
    }
    return best;
}

inline void report(const char* what, double ours_ns, double reference_ns) {
    std::printf(
        "%-48s %10.1f ns   protobuf %10.1f ns   ratio %5.1fx\n",
        what,
        ours_ns,
        reference_ns,
        reference_ns / ours_ns
    );
}

}  // namespace obcanal::bench

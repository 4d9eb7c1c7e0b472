// Figures of one destination: written on its strand, read by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace obcanal::adapter::core {

struct PipelineStats {
    static constexpr std::array<double, 12> kBatchSeconds{
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30
    };

    std::atomic<uint64_t> inserts{0};
    std::atomic<uint64_t> updates{0};
    std::atomic<uint64_t> deletes{0};
    std::atomic<uint64_t> ddls{0};
    std::atomic<uint64_t> others{0};
    std::atomic<uint64_t> batches{0};
    std::atomic<uint64_t> retries{0};
    std::atomic<uint64_t> connects{0};
    std::atomic<int64_t> last_execute_ms{0};  // of the last change that was applied
    std::atomic<int64_t> lag_ms{0};           // what it was when it was applied
    std::atomic<int64_t> last_batch{0};
    std::atomic<bool> connected{false};
    std::atomic<bool> standby{false};  // another client of our id consumes
    std::atomic<bool> failing{false};  // a writer refuses the batch in hand
    std::array<std::atomic<int64_t>, kBatchSeconds.size() + 1> batch_counts{};
    std::atomic<uint64_t> batch_us{0};

    void batch_took(uint64_t microseconds) {
        size_t bucket = 0;
        while (bucket < kBatchSeconds.size() &&
               static_cast<double>(microseconds) / 1e6 > kBatchSeconds[bucket])
            ++bucket;
        batch_counts[bucket].fetch_add(1, std::memory_order_relaxed);
        batch_us.fetch_add(microseconds, std::memory_order_relaxed);
    }

    void set_error(std::string text) {
        const std::lock_guard lock(mutex_);
        error_ = std::move(text);
    }

    // Why it stands still; empty when it doesn't.
    std::string error() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }

 private:
    mutable std::mutex mutex_;
    std::string error_;
};

}  // namespace obcanal::adapter::core

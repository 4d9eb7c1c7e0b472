// What clients ask of one destination, counted per request: canal_instance_client_* of the metrics
// page. Relaxed atomics, any thread.
#pragma once

#include "protocol/base/clock.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace obcanal::instance {

class ClientCounters {
 public:
    static constexpr size_t kPacketTypes = 13;
    // Upper bounds in microseconds; a last bucket has no bound.
    static constexpr std::array<int64_t, 4> kLatencyBoundsUs{2'500, 10'000, 25'000, 100'000};
    static constexpr std::array<int32_t, 3> kErrorCodes{400, 401, 402};

    template <class PacketType>
    void add_packet(PacketType type) {
        const auto number = static_cast<size_t>(type);
        if (number < kPacketTypes) add(packets_[number], 1);
    }

    void add_bytes(size_t count) { add(bytes_, static_cast<int64_t>(count)); }
    void add_empty_batch() { add(empty_batches_, 1); }

    void add_error(int32_t code) {
        for (size_t i = 0; i < kErrorCodes.size(); ++i) {
            if (kErrorCodes[i] == code) add(errors_[i], 1);
        }
    }

    void add_latency(SteadyTime::duration took) {
        const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
        size_t bucket = 0;
        while (bucket < kLatencyBoundsUs.size() && us > kLatencyBoundsUs[bucket]) ++bucket;
        add(latency_[bucket], 1);
        add(latency_us_, us);
    }

    struct Values {
        std::array<int64_t, kPacketTypes> packets{};  // by number of the packet type
        int64_t bytes = 0;
        int64_t empty_batches = 0;
        std::array<int64_t, kErrorCodes.size()> errors{};
        std::array<int64_t, kLatencyBoundsUs.size() + 1> latency{};  // per bucket, not summed up
        int64_t latency_us = 0;
    };

    Values values() const {
        Values now;
        for (size_t i = 0; i < packets_.size(); ++i) now.packets[i] = get(packets_[i]);
        for (size_t i = 0; i < errors_.size(); ++i) now.errors[i] = get(errors_[i]);
        for (size_t i = 0; i < latency_.size(); ++i) now.latency[i] = get(latency_[i]);
        now.bytes = get(bytes_);
        now.empty_batches = get(empty_batches_);
        now.latency_us = get(latency_us_);
        return now;
    }

 private:
    using Counter = std::atomic<int64_t>;

    static void add(Counter& to, int64_t count) { to.fetch_add(count, std::memory_order_relaxed); }
    static int64_t get(const Counter& from) { return from.load(std::memory_order_relaxed); }

    std::array<Counter, kPacketTypes> packets_{};
    Counter bytes_{0};
    Counter empty_batches_{0};
    std::array<Counter, kErrorCodes.size()> errors_{};
    std::array<Counter, kLatencyBoundsUs.size() + 1> latency_{};
    Counter latency_us_{0};
};

}  // namespace obcanal::instance

// How much clients have taken of late: whether a get does well to wait for a fuller batch. One
// strand.
#pragma once

#include "protocol/base/clock.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace obcanal::instance {

class FillRate {
 public:
    explicit FillRate(std::chrono::nanoseconds period)
        : period_(std::max(period, std::chrono::nanoseconds(1))) {}

    // What was taken until `now`, in all. REQUIRES: neither goes back.
    void note(SteadyTime now, int64_t total) {
        if (const int64_t periods = (now - begin_) / period_; periods > 0) {
            before_ = (total - begin_total_) / periods;
            begin_ = now;
            begin_total_ = total;
        }
        total_ = total;
    }

    // How much it is in a period: in those before this one, or in this one so far.
    int64_t recent() const { return std::max(before_, total_ - begin_total_); }

 private:
    std::chrono::nanoseconds period_;
    SteadyTime begin_{};  // of this period
    int64_t begin_total_ = 0;
    int64_t total_ = 0;
    int64_t before_ = 0;
};

}  // namespace obcanal::instance

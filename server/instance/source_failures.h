// Which attempts to reach a source are worth a line in the log: each cause once, then a summary now
// and then, until the source gets on. Feed strand.
#pragma once

#include "protocol/base/clock.h"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

namespace obcanal::instance {

class SourceFailures {
 public:
    enum class Say : uint8_t { Nothing, Cause, Summary };

    static constexpr std::chrono::minutes kSummaryPeriod{5};
    // A source that fails for ever new reasons is summed up as well.
    static constexpr size_t kMostCauses = 8;

    Say add(const std::string& cause, SteadyTime now) {
        if (attempts_++ == 0) next_summary_ = now + kSummaryPeriod;
        if (causes_.size() < kMostCauses && causes_.insert(cause).second) return Say::Cause;
        if (now < next_summary_) return Say::Nothing;
        next_summary_ = now + kSummaryPeriod;
        return Say::Summary;
    }

    // The source got on: what follows is news again.
    void forget() {
        causes_.clear();
        attempts_ = 0;
    }

    uint64_t attempts() const { return attempts_; }
    size_t causes() const { return causes_.size(); }

 private:
    std::set<std::string> causes_;
    uint64_t attempts_ = 0;
    SteadyTime next_summary_{};
};

}  // namespace obcanal::instance

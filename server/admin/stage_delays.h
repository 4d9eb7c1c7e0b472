// How far behind the source a destination's stages are. Pure.
#pragma once

#include "server/instance/status.h"

#include <algorithm>
#include <cstdint>

namespace obcanal::admin {

// Milliseconds, never below 0; 0 before the first entry. A stage that has all of the one before it
// is as late as that one.
struct StageDelays {
    int64_t put = 0;
    int64_t got = 0;
    int64_t acked = 0;
};

inline StageDelays stage_delays(const instance::InstanceStatus& status, int64_t now_ms) {
    // Clocks differ a little; what is farther in the future was said by one that has been set back
    // since, or by SET TIMESTAMP.
    constexpr int64_t kSkewMs = 60'000;
    const auto known = [now_ms](int64_t at) { return at <= now_ms + kSkewMs ? at : 0; };
    // A heartbeat says that nothing older is missing: an idle source is no late one.
    const int64_t read_up_to =
        std::max(known(status.put.execute_ms), known(status.checkpoint_us / 1000));
    const auto late = [now_ms](int64_t at) {
        return at > 0 ? std::max<int64_t>(now_ms - at, 0) : 0;
    };
    StageDelays delays;
    delays.put = late(read_up_to);
    const bool all_got = status.got.sequence >= status.put.sequence;
    delays.got = all_got ? delays.put : std::max(delays.put, late(status.got.execute_ms));
    const bool all_acked = status.acked.sequence >= status.got.sequence;
    delays.acked = all_acked ? delays.got : std::max(delays.got, late(status.acked.execute_ms));
    return delays;
}

}  // namespace obcanal::admin

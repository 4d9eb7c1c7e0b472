// How far local time is from UTC at a moment: a fixed offset, a zone of the system's time zone
// database, or the zone of the process. Immutable but for a cache; any thread.
#pragma once

#include "protocol/base/result.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace obcanal {

class TimeZone {
 public:
    // "+08:00", "-3:30", "UTC", "Asia/Shanghai"; empty: the zone of the process.
    static Result<std::shared_ptr<const TimeZone>> open(std::string_view name);
    static std::shared_ptr<const TimeZone> utc();

    // Seconds east of Greenwich.
    int32_t offset_at(int64_t unix_seconds) const {
        if (kind_ == Kind::Fixed) return fixed_;
        // Offsets change at full quarters of an hour only.
        const auto quarter = static_cast<uint32_t>(unix_seconds / kQuarter);
        const uint64_t cached = cache_.load(std::memory_order_relaxed);
        if (cached >> 32 == quarter) return static_cast<int32_t>(static_cast<uint32_t>(cached));
        const int32_t offset = look_up(unix_seconds);
        cache_.store(
            uint64_t{quarter} << 32 | static_cast<uint32_t>(offset), std::memory_order_relaxed
        );
        return offset;
    }

 private:
    enum class Kind : uint8_t { Fixed, Process, Database };

    static constexpr int64_t kQuarter = 900;

    struct Transition {
        int64_t at;  // seconds since the epoch
        int32_t offset;
    };

    TimeZone(Kind kind, int32_t fixed) : kind_(kind), fixed_(fixed) {}

    static Result<std::vector<Transition>> read_database(std::string_view name);
    int32_t look_up(int64_t unix_seconds) const;

    Kind kind_;
    int32_t fixed_;
    std::vector<Transition> transitions_;  // ascending; the first one counts from the beginning
    mutable std::atomic<uint64_t> cache_{~uint64_t{0}};  // quarter, offset
};

}  // namespace obcanal

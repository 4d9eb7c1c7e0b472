// Where in a binary log something stands. Plain values, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace obcanal::schema {

// Points of one server follow each other; of two servers only their times can be compared.
struct LogPoint {
    std::string file;
    uint64_t offset = 0;

    bool operator==(const LogPoint&) const = default;
    // File numbers count as numbers: mysql-bin.1000000 comes behind mysql-bin.999999.
    std::strong_ordering operator<=>(const LogPoint& other) const;

    std::string text() const { return file + ":" + std::to_string(offset); }
};

// An event's place and its time.
struct LogMoment {
    LogPoint point;
    int64_t time_ms = 0;  // 0: not known

    bool operator==(const LogMoment&) const = default;
};

}  // namespace obcanal::schema

// Until when a source keeps the log that a cursor stands in, as far as its stream tells: how long
// it keeps closed logs, when each began, and when it said that there was nothing to send. Every
// answer is the earliest time. One per source; any thread.
#pragma once

#include "protocol/canal/position.h"

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::source {

class LogRetention {
 public:
    // A connection to `server` begins, which keeps a closed log for so many seconds; 0: until
    // somebody purges it. Another server's logs are other ones.
    void begin(std::string_view server, uint64_t seconds);
    // The stream has come to a log that was begun at this time: the one before it was closed then.
    void entered(std::string_view file, int64_t began_ms);
    // The server had nothing behind what it had sent: the log that is read is not closed.
    void at_end(int64_t now_ms);

    // Nothing: it is not purged by its age, or nobody knows.
    std::optional<double> hours_left(const canal::LogPosition& cursor, int64_t now_ms) const;

 private:
    struct Log {
        std::string file;
        int64_t open_until_ms;  // it was not closed before
    };

    mutable std::mutex mutex_;
    std::string server_;
    uint64_t seconds_ = 0;
    std::deque<Log> logs_;  // those that were read last, the oldest first
};

}  // namespace obcanal::source

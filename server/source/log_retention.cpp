#include "server/source/log_retention.h"

#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::source {
namespace {

// Cursors are behind the stream by what a ring holds, which is rarely more than one log.
constexpr size_t kMostLogs = 256;
constexpr double kMsPerHour = 3'600'000;

}  // namespace

void LogRetention::begin(std::string_view server, uint64_t seconds) {
    const std::lock_guard lock(mutex_);
    seconds_ = seconds;
    if (server_ == server) return;
    server_ = server;
    logs_.clear();
}

void LogRetention::entered(std::string_view file, int64_t began_ms) {
    const std::lock_guard lock(mutex_);
    if (!logs_.empty() && logs_.back().file == file) return;
    // A stream that goes back reads logs again that it knew.
    std::erase_if(logs_, [file](const Log& log) { return log.file == file; });
    if (!logs_.empty()) logs_.back().open_until_ms = std::max(logs_.back().open_until_ms, began_ms);
    logs_.push_back({std::string(file), began_ms});
    if (logs_.size() > kMostLogs) logs_.pop_front();
}

void LogRetention::at_end(int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    if (!logs_.empty()) logs_.back().open_until_ms = now_ms;
}

std::optional<double> LogRetention::hours_left(const canal::LogPosition& cursor, int64_t now_ms)
    const {
    const std::lock_guard lock(mutex_);
    if (seconds_ == 0) return std::nullopt;
    const Endpoint server{cursor.identity.host, cursor.identity.port};
    if (server.text() != server_) return std::nullopt;
    int64_t open_until_ms = cursor.timestamp_ms;  // of an event in it
    for (const Log& log : logs_) {
        if (log.file == cursor.journal_name)
            open_until_ms = std::max(open_until_ms, log.open_until_ms);
    }
    if (open_until_ms <= 0) return std::nullopt;
    // An event from the future, or a clock that was set back.
    open_until_ms = std::min(open_until_ms, now_ms);
    const double left_ms =
        static_cast<double>(open_until_ms - now_ms) + static_cast<double>(seconds_) * 1000;
    return std::max(left_ms, 0.0) / kMsPerHour;
}

}  // namespace obcanal::source

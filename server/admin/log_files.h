// The log files that the admin port shows: names and last lines, never anything outside the log
// directory. Calls block on files; for a BlockingLane.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <string>

namespace obcanal::admin {

class LogFiles {
 public:
    // `server_file`: the server's own log; empty: it goes to standard error. `directory`: of
    // {destination}/ below it, as Canal lays it out; empty: none.
    LogFiles(std::string server_file, std::string directory)
        : server_file_(std::move(server_file)), directory_(std::move(directory)) {}

    // Names, separated by commas.
    Result<std::string> list_server() const;
    Result<std::string> list_destination(const std::string& destination) const;
    // The last `lines` lines, of at most kTailBytes.
    Result<std::string> tail_server(int32_t lines) const;
    // Without `file` the destination's own log; where it has none, its lines in the server's.
    Result<std::string> tail_destination(
        const std::string& destination, const std::string& file, int32_t lines
    ) const;

    static constexpr size_t kTailBytes = size_t{4} << 20;
    static constexpr size_t kMaxNames = 10'000;

 private:
    Result<std::string> directory_of(const std::string& destination) const;

    std::string server_file_;
    std::string directory_;
};

}  // namespace obcanal::admin

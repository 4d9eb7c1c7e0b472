// Standard output of a verb, written in pieces that can't block for good: a stop is noticed while a
// pager holds the pipe. One thread.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <functional>
#include <string_view>

namespace obcanal::cli {

class Output {
 public:
    // `stopping`: asked while the reader of a pipe takes nothing.
    Output(int fd, std::function<bool()> stopping);

    // Everything, or an error: Errc::Closed when nobody reads any more, Errc::Stopped.
    Result<void> write(std::string_view text);

    bool is_terminal() const { return terminal_; }
    // Columns of the terminal; 0 when it is none.
    size_t width() const;

 private:
    int fd_;
    std::function<bool()> stopping_;
    bool terminal_;
    size_t piece_;
};

}  // namespace obcanal::cli

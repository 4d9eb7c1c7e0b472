// SIGHUP of a program with a log file: somebody has moved the file away, it is opened again.
// Owned by the program; lives on the executor of its signals.
#pragma once

#include "protocol/net/asio.h"

namespace obcanal {

class LogHangup {
 public:
    explicit LogHangup(const Executor& signals);
    LogHangup(const LogHangup&) = delete;
    LogHangup& operator=(const LogHangup&) = delete;

 private:
    Awaitable<void> follow();

    asio::signal_set hangup_;
};

}  // namespace obcanal

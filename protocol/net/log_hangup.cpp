#include "protocol/net/log_hangup.h"

#include "protocol/base/log.h"
#include "protocol/base/log_file.h"

#include <csignal>

namespace obcanal {

LogHangup::LogHangup(const Executor& signals) : hangup_(signals, SIGHUP) {
    asio::co_spawn(signals, follow(), asio::detached);
}

Awaitable<void> LogHangup::follow() {
    const Logger log("log");
    for (;;) {
        const auto [code, number] = co_await hangup_.async_wait(kNoThrow);
        if (code) co_return;
        reopen_log();
        log.info("the log file was opened again", {{"signal", number}});
    }
}

}  // namespace obcanal

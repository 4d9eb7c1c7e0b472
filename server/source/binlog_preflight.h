// What `obcanal check` asks a MySQL-compatible server before it streams from it: what the server
// is, how it writes its log, what our user may, and whether the log still has the place to go on
// at. Coroutine on any one strand; nothing is changed at the server.
#pragma once

#include "protocol/canal/position.h"
#include "server/source/preflight.h"

#include <chrono>
#include <optional>

namespace obcanal::source {

// `saved`: the earliest cursor of the destination's clients. Silent about what ends every stream,
// too: no connection, files that cannot be used.
Awaitable<void> ask_binlog_server(
    const config::InstanceConfig& config,
    const std::optional<canal::LogPosition>& saved,
    std::chrono::milliseconds limit,
    Preflight& to
);

}  // namespace obcanal::source

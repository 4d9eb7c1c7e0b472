// What the server is doing, as JSON: for `obcanal status` by the admin port and for GET /status.
// Any thread.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/net/awaitable.h"
#include "server/admin/server_control.h"
#include "server/instance/status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace obcanal::admin {

struct ServerFacts {
    bool serving = false;
    int64_t uptime_ms = 0;
    size_t client_connections = 0;
    std::vector<instance::InstanceStatus> destinations;
};

// One document, as `obcanal status --json` prints it.
std::string status_json(const ServerFacts& facts, int64_t now_ms);

class StatusReport {
 public:
    // `server` outlives the report.
    explicit StatusReport(ServerControl& server);

    Awaitable<ServerFacts> facts() const;
    Awaitable<std::string> json() const;

 private:
    ServerControl& server_;
    SteadyTime started_;
};

}  // namespace obcanal::admin

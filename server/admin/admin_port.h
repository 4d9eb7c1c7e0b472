// The admin port: accepts connections and serves each as a session on a strand of its own.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"
#include "server/admin/log_files.h"
#include "server/admin/server_control.h"
#include "server/admin/status_report.h"
#include "server/config/server_config.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace obcanal::admin {

class AdminPort {
 public:
    // `server`, `report` and `front` outlive the port.
    static Result<std::unique_ptr<AdminPort>> open(
        const config::ServerConfig& config,
        LogFiles logs,
        ServerControl& server,
        StatusReport& report,
        Runtime& front
    );
    ~AdminPort();

    uint16_t port() const;
    size_t connections() const;  // any thread
    Executor strand() const;     // the port's own

    // Accepts from here on until close().
    void start();

    // -- strand()
    // Returns when accepting and the sessions have ended.
    Awaitable<void> close();

    static constexpr size_t kMaxConnections = 64;

 private:
    struct State;
    explicit AdminPort(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace obcanal::admin

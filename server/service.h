// What the server serves: the destinations and the client port, as one thing that main starts and
// stops, and the admin port too. Coroutines on strand(), one after the other.
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "server/admin/server_control.h"
#include "server/config/instance_config.h"
#include "server/config/server_config.h"
#include "server/session/listener.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace obcanal {

class Service : public admin::ServerControl {
 public:
    // `config` and the runtimes outlive the service.
    Service(
        const config::ServerConfig& config,
        std::vector<config::InstanceConfig> destinations,
        Runtime& front,
        Runtime& feed
    );

    std::shared_ptr<instance::InstanceSet> instances() const override;
    size_t client_connections() const override;
    // Of the client port; 0 while it is closed.
    uint16_t client_port() const;
    Executor strand() const override { return strand_; }

    Awaitable<Result<bool>> start() override;
    Awaitable<bool> stop() override;

 private:
    // Waits until no other start or stop is under way.
    Awaitable<void> take_turn();
    void end_turn();

    Logger log_{"server"};
    const config::ServerConfig& config_;
    std::vector<config::InstanceConfig> destinations_;
    Runtime& front_;
    Runtime& feed_;
    Executor strand_;
    Notifier idle_;
    bool busy_ = false;
    mutable std::mutex mutex_;  // what follows
    std::shared_ptr<instance::InstanceSet> instances_;
    std::shared_ptr<session::ClientPort> clients_;
};

}  // namespace obcanal

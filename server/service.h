// What the server serves: the destinations and the client port, as one thing that main starts and
// stops, and the admin port too. Coroutines on strand(), one after the other.
#pragma once

#include "ha/zookeeper_client.h"
#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "server/admin/server_control.h"
#include "server/auto_scan.h"
#include "server/config/load.h"
#include "server/config/server_config.h"
#include "server/session/listener.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal {

// Where the configuration was read from, to read it again.
struct ConfigPlace {
    std::string dir;
    std::vector<std::string> defines;
};

// The ensemble that the configuration names.
ha::ZookeeperPlace ensemble_of(const config::ServerConfig& config);

class Service : public admin::ServerControl {
 public:
    // `config` and the runtimes outlive the service. `loaded`: what the first start serves; later
    // ones read the files again.
    Service(
        const config::ServerConfig& config,
        ConfigPlace place,
        config::LoadedConfig loaded,
        ha::ZookeeperPlace ensemble,
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
    Awaitable<Result<void>> start_serving();
    Awaitable<Result<config::LoadedConfig>> destinations();
    // A lane's thread.
    Result<config::InstanceConfig> read_destination(const std::string& name) const;
    instance::InstanceSet::Means means();

    Logger log_{"server"};
    const config::ServerConfig& config_;
    ConfigPlace place_;
    std::optional<config::LoadedConfig> loaded_;  // until the first start
    const instance::InstanceSet::Cluster cluster_;
    Runtime& front_;
    Runtime& feed_;
    Executor strand_;
    BlockingLane lane_;
    Notifier idle_;
    bool busy_ = false;
    std::unique_ptr<AutoScan> scan_;
    mutable std::mutex mutex_;  // what follows
    std::shared_ptr<instance::InstanceSet> instances_;
    std::shared_ptr<session::ClientPort> clients_;
};

}  // namespace obcanal

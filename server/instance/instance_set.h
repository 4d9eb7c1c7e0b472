// All destinations of this server. One that fails to start is kept with its reason and harms no
// other. find() from any thread; the rest on the strand that starts and stops the server.
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"
#include "server/config/instance_config.h"
#include "server/config/server_config.h"
#include "server/instance/instance.h"

#include <memory>
#include <string_view>
#include <vector>

namespace obcanal::instance {

class InstanceSet {
 public:
    // `front`: client requests; `feed`: upstream streams. Both outlive the set.
    InstanceSet(const config::ServerConfig& server, Runtime& front, Runtime& feed);

    Awaitable<void> start(std::vector<config::InstanceConfig> instances);
    Awaitable<void> stop();

    // Nothing for a name that is not configured.
    std::shared_ptr<Instance> find(std::string_view destination) const;
    size_t size() const { return instances_.size(); }

 private:
    Logger log_{"instances"};
    std::string data_dir_;
    std::chrono::milliseconds flush_period_;
    Runtime& front_;
    Runtime& feed_;
    BlockingLane lane_;
    std::vector<std::shared_ptr<Instance>> instances_;
};

}  // namespace obcanal::instance

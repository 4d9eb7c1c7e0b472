// The adapter as a whole: the pipelines of all destinations, the switch, and what follows the
// files: application.yml is applied anew when it was edited, as one step, and only if it is right.
// One strand, its own, except what says otherwise.
#pragma once

#include "adapter/config/load.h"
#include "adapter/core/pipeline.h"
#include "adapter/core/sync_switch.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

// One state of the configuration and the pipelines that were made of it.
struct Generation {
    config::LoadedAdapter loaded;
    std::shared_ptr<ha::ZookeeperClient> zookeeper;  // of the Canal servers
    std::vector<std::shared_ptr<Pipeline>> pipelines;

    std::shared_ptr<Pipeline> find(const std::string& destination) const;
};

// What of the configuration names an adapter that no writer exists for.
void check_writers(config::LoadedAdapter& loaded, const WriterTable& writers);

class Service {
 public:
    // `defines`: -D, read again with the files.
    Service(
        config::LoadedAdapter loaded,
        std::vector<std::string> defines,
        const WriterTable& writers,
        Runtime& runtime
    );

    // Makes the pipelines and starts them.
    Result<void> start();
    // Returns when they have ended.
    Awaitable<void> stop();
    const Executor& strand() const { return strand_; }

    // -- any thread
    std::shared_ptr<const Generation> generation() const;
    SyncSwitch& sync_switch() { return switch_; }
    BlockingLane& lane() { return lane_; }

 private:
    Result<std::shared_ptr<Generation>> make(config::LoadedAdapter loaded);
    void run_pipelines();
    Awaitable<void> end_pipelines();
    Awaitable<void> follow();
    Awaitable<void> reload();

    Logger log_{"adapter"};
    const std::string conf_dir_;
    const std::vector<std::string> defines_;
    const WriterTable& writers_;
    Runtime& runtime_;
    Executor strand_;
    BlockingLane lane_;
    SyncSwitch switch_;
    config::LoadedAdapter first_;
    mutable std::mutex mutex_;
    std::shared_ptr<Generation> generation_;
    std::string stamp_;
    TaskGroup running_;
    TaskGroup following_;
    Notifier wake_;
    bool stopping_ = false;
};

}  // namespace obcanal::adapter::core

// All destinations of this server, each with a life of its own: start, stop and restart of one
// never touches another, and one that fails to start, or whose files are wrong, keeps its reason.
// find() from any thread; everything that waits runs on control(). In a cluster it contends for
// each (instance_set_cluster.cpp).
#pragma once

#include "ha/balance.h"
#include "ha/leadership.h"
#include "ha/zookeeper_client.h"
#include "protocol/base/log.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"
#include "server/config/instance_config.h"
#include "server/config/load.h"
#include "server/instance/instance.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::instance {

// What a destination's files say now; the error names file, line and key. Called on a lane.
using ReadConfig = std::function<Result<config::InstanceConfig>(const std::string& destination)>;

class InstanceSet {
 public:
    // For destinations whose cursors are in ZooKeeper.
    struct Cluster {
        std::shared_ptr<ha::ZookeeperClient> zookeeper;
        std::string address;  // under which clients find this server
        std::chrono::milliseconds flush_period{1000};
        bool durable_acks = true;  // see meta::MetaStore
    };

    struct Means {
        ReadConfig read_config;
        SourceFactory make_source;
        Cluster cluster;
    };

    // `front`: client requests; `feed`: upstream streams. Both outlive the set.
    InstanceSet(Runtime& front, Runtime& feed, Means means);
    ~InstanceSet();

    using Leader = std::shared_ptr<ha::Leadership>;

    // -- any thread
    // The destination if it is started, else nothing.
    std::shared_ptr<Instance> find(std::string_view destination) const;
    bool knows(std::string_view destination) const { return known(destination) != nullptr; }
    // Every name that is configured, in alphabetical order.
    std::vector<std::string> names() const;
    Executor control() const { return control_; }

    // -- control strand
    // Starts all but the lazy ones; what fails is logged and tried again later. `refused` are known
    // as failed, with their reason.
    Awaitable<void> start(
        std::vector<config::InstanceConfig> instances, std::vector<config::RefusedInstance> refused
    );
    // Stops all at once, and whatever start is under way.
    Awaitable<void> stop();

    // One destination. NotFound: no such name. Starting reads its files again; a restart with wrong
    // ones is refused and changes nothing.
    Awaitable<Result<void>> start_one(std::string destination);
    Awaitable<Result<void>> stop_one(std::string destination);
    Awaitable<Result<void>> restart_one(std::string destination);
    // A destination whose files are new or have changed: read, then stopped and started unless it
    // is lazy. When they are wrong, what runs goes on with the configuration that it has, and the
    // status says so.
    Awaitable<void> reload(std::string destination);
    // Stops and forgets it.
    Awaitable<void> remove(std::string destination);
    // For SUBSCRIPTION: starts a lazy destination that nobody asked for before.
    Awaitable<Result<std::shared_ptr<Instance>>> find_or_start(std::string destination);

    // What every destination is doing, also those that are not started.
    Awaitable<std::vector<InstanceStatus>> status();

 private:
    struct Destination;
    class Turn;

    Awaitable<Turn> take_turn(std::shared_ptr<Destination> one);
    std::shared_ptr<Destination> known_or_new(const std::string& destination);
    Awaitable<void> put(config::InstanceConfig config);
    // Takes what its files say now. REQUIRES: the destination's turn.
    Awaitable<Result<void>> take_files(std::shared_ptr<Destination> one);
    void refuse(Destination& one, std::string reason);
    Awaitable<Result<void>> launch(std::shared_ptr<Destination> one);
    // Pause: it is started again at once.
    Awaitable<void> halt(std::shared_ptr<Destination> one, ha::Leadership::Parting how);
    Awaitable<void> end_instance(std::shared_ptr<Destination> one);
    Awaitable<void> stop_for_good(std::shared_ptr<Destination> one);
    Awaitable<void> retry_failed();

    void enter_cluster(std::shared_ptr<Destination> one);
    Awaitable<void> keep_session();
    Awaitable<void> contend(std::shared_ptr<Destination> one);
    Awaitable<SteadyTime> look_after(std::shared_ptr<Destination> one);
    Awaitable<SteadyTime> look_after_running(std::shared_ptr<Destination> one);
    Awaitable<SteadyTime> take_if_free(std::shared_ptr<Destination> one);
    Awaitable<Result<ha::Standing>> look(std::shared_ptr<Destination> one);
    Awaitable<void> resign(
        std::shared_ptr<Destination> one, ha::Leadership::Parting how, std::string next
    );
    Awaitable<void> end_lost(std::shared_ptr<Destination> one, std::string why);
    Awaitable<void> give_up(std::shared_ptr<Destination> one, Error why);
    Awaitable<void> hand_over(std::shared_ptr<Destination> one, std::string to);
    Awaitable<void> leave_cluster();
    ha::Balance balance() const;
    static std::optional<ClusterStatus> cluster_status(const Destination& one);
    void stand_by(Destination& one, Phase phase, std::string why);
    std::shared_ptr<Destination> known(std::string_view destination) const;

    Logger log_{"instances"};
    Runtime& front_;
    Runtime& feed_;
    Means means_;
    Executor control_;
    BlockingLane lane_;
    BlockingLane cluster_lane_;  // ZooKeeper may keep it waiting
    Notifier changed_;           // a turn ended, or stop() was called
    Notifier keeping_;           // keep_session() waits
    TaskGroup tasks_;
    bool stopping_ = false;
    bool keeping_session_ = false;
    mutable std::mutex mutex_;  // destinations_, and `running` in each
    std::map<std::string, std::shared_ptr<Destination>, std::less<>> destinations_;
};

}  // namespace obcanal::instance

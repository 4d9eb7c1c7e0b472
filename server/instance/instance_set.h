// All destinations of this server, each with a life of its own: start, stop and restart of one
// never touches another, and one that fails to start keeps its reason. find() from any thread;
// everything that waits runs on control().
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"
#include "server/config/instance_config.h"
#include "server/instance/instance.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::instance {

class InstanceSet {
 public:
    // `front`: client requests; `feed`: upstream streams. Both outlive the set.
    InstanceSet(Runtime& front, Runtime& feed);
    ~InstanceSet();

    // -- any thread
    // The destination if it is started, else nothing.
    std::shared_ptr<Instance> find(std::string_view destination) const;
    bool knows(std::string_view destination) const { return known(destination) != nullptr; }
    // Every name that is configured, in alphabetical order.
    std::vector<std::string> names() const;
    Executor control() const { return control_; }

    // -- control strand
    // Starts all but the lazy ones; what fails is logged and tried again later.
    Awaitable<void> start(std::vector<config::InstanceConfig> instances);
    // Stops all at once, and whatever start is under way.
    Awaitable<void> stop();

    // One destination. NotFound: no such name.
    Awaitable<Result<void>> start_one(std::string destination);
    Awaitable<Result<void>> stop_one(std::string destination);
    Awaitable<Result<void>> restart_one(std::string destination);
    // A new destination, or a changed one: stopped, then started with this configuration unless it
    // is lazy.
    Awaitable<void> put(config::InstanceConfig config);
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
    Awaitable<Result<void>> launch(std::shared_ptr<Destination> one);
    Awaitable<void> halt(std::shared_ptr<Destination> one);
    Awaitable<void> stop_for_good(std::shared_ptr<Destination> one);
    Awaitable<void> retry_failed();
    std::shared_ptr<Destination> known(std::string_view destination) const;

    Logger log_{"instances"};
    Runtime& front_;
    Runtime& feed_;
    Executor control_;
    BlockingLane lane_;
    Notifier changed_;  // a turn ended, or stop() was called
    TaskGroup tasks_;
    bool stopping_ = false;
    mutable std::mutex mutex_;  // destinations_, and `running` in each
    std::map<std::string, std::shared_ptr<Destination>, std::less<>> destinations_;
};

}  // namespace obcanal::instance

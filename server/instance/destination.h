// What the instance set knows about one destination; for its sources only. Control strand, but
// `running`, which is read under the set's mutex.
#pragma once

#include "ha/leadership.h"
#include "protocol/net/notifier.h"
#include "server/instance/instance_set.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace obcanal::instance {

// That there is something to look at; counted, as it may come while nobody waits. add() from any
// thread.
struct News {
    explicit News(Executor strand) : notifier(std::move(strand)) {}

    void add() {
        count.fetch_add(1);
        notifier.notify();
    }

    std::atomic<uint64_t> count{0};
    Notifier notifier;
};

struct InstanceSet::Destination {
    std::string name;
    config::InstanceConfig config;      // meaningless before the first one that could be read
    std::shared_ptr<Instance> running;  // mutex_
    Phase phase = Phase::Idle;
    std::string failure;
    std::string refused;  // why what its files say now is not in use; empty: it is
    bool configured = false;
    bool retry = false;  // the failure may mend itself
    bool busy = false;   // somebody starts or stops it
    bool removed = false;

    // In a cluster.
    std::shared_ptr<ha::Leadership> leadership;  // once it is known to be in one
    std::shared_ptr<News> news;                  // with `leadership`
    ha::Standing standing;                       // as last seen
    SteadyTime not_before{};                     // a start has failed: when to try again
    SteadyTime left_until{};                     // free, and left to a server that leads fewer

    bool clustered() const { return leadership && config.meta == config::MetaKind::ZooKeeper; }
};

// Starting and stopping of one destination happen one after the other.
class InstanceSet::Turn {
 public:
    Turn(std::shared_ptr<Destination> one, Notifier& changed)
        : one_(std::move(one)), changed_(&changed) {
        one_->busy = true;
    }

    Turn(Turn&& other) noexcept : one_(std::move(other.one_)), changed_(other.changed_) {}
    Turn& operator=(Turn&&) = delete;

    ~Turn() {
        if (!one_) return;
        one_->busy = false;
        changed_->notify();
    }

 private:
    std::shared_ptr<Destination> one_;
    Notifier* changed_;
};

}  // namespace obcanal::instance

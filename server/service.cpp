#include "server/service.h"

#include "protocol/net/run_on.h"

#include <chrono>
#include <utility>

namespace obcanal {
namespace {

constexpr std::chrono::milliseconds kSessionGrace{2000};

}  // namespace

Service::Service(
    const config::ServerConfig& config,
    std::vector<config::InstanceConfig> destinations,
    Runtime& front,
    Runtime& feed
)
    : config_(config),
      destinations_(std::move(destinations)),
      front_(front),
      feed_(feed),
      strand_(front.make_strand()),
      idle_(strand_) {}

std::shared_ptr<instance::InstanceSet> Service::instances() const {
    const std::lock_guard lock(mutex_);
    return instances_;
}

size_t Service::client_connections() const {
    const std::lock_guard lock(mutex_);
    return clients_ ? clients_->connections() : 0;
}

uint16_t Service::client_port() const {
    const std::lock_guard lock(mutex_);
    return clients_ ? clients_->port() : 0;
}

Awaitable<void> Service::take_turn() {
    for (;;) {
        idle_.arm();
        if (!busy_) break;
        co_await idle_.wait(SteadyTime::max());
    }
    busy_ = true;
}

void Service::end_turn() {
    busy_ = false;
    idle_.notify();
}

Awaitable<Result<bool>> Service::start() {
    co_await take_turn();
    if (instances()) {
        end_turn();
        co_return false;
    }
    auto set = std::make_shared<instance::InstanceSet>(front_, feed_);
    // The port before the destinations: a server that can't serve must not touch the source.
    Result<std::unique_ptr<session::ClientPort>> opened =
        session::ClientPort::open(config_, *set, front_);
    if (!opened) {
        end_turn();
        co_return std::move(opened).error();
    }
    std::shared_ptr<session::ClientPort> clients = std::move(opened).value();
    co_await run_on(set->control(), set->start(destinations_));
    clients->start();
    {
        const std::lock_guard lock(mutex_);
        instances_ = std::move(set);
        clients_ = std::move(clients);
    }
    end_turn();
    co_return true;
}

Awaitable<bool> Service::stop() {
    co_await take_turn();
    std::shared_ptr<instance::InstanceSet> set;
    std::shared_ptr<session::ClientPort> clients;
    {
        const std::lock_guard lock(mutex_);
        set = std::exchange(instances_, nullptr);
        clients = std::exchange(clients_, nullptr);
    }
    if (set) {
        co_await run_on(clients->strand(), clients->close(kSessionGrace));
        co_await run_on(set->control(), set->stop());
    }
    end_turn();
    co_return set != nullptr;
}

}  // namespace obcanal

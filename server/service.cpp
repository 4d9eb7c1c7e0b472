#include "server/service.h"

#include "ha/canal_tree.h"
#include "protocol/net/run_on.h"
#include "server/source/registry.h"

#include <chrono>
#include <utility>

namespace obcanal {
namespace {

constexpr std::chrono::milliseconds kSessionGrace{2000};
// Another server waits to take over.
constexpr std::chrono::milliseconds kClusterGrace{500};

instance::InstanceSet::Cluster cluster_of(
    const config::ServerConfig& config, ha::ZookeeperPlace ensemble
) {
    return {
        std::make_shared<ha::ZookeeperClient>(std::move(ensemble)),
        ha::register_address(config.register_ip, config.bind_ip, config.port),
        std::chrono::milliseconds(config.zk_flush_period_ms),
        config.zk_ack_durable
    };
}

}  // namespace

ha::ZookeeperPlace ensemble_of(const config::ServerConfig& config) {
    ha::ZookeeperPlace place;
    place.servers = config.zk_servers;
    place.digest = config.zk_digest;
    place.session_timeout = std::chrono::milliseconds(config.zk_session_timeout_ms);
    return place;
}

Service::Service(
    const config::ServerConfig& config,
    ConfigPlace place,
    config::LoadedConfig loaded,
    ha::ZookeeperPlace ensemble,
    Runtime& front,
    Runtime& feed
)
    : config_(config),
      place_(std::move(place)),
      loaded_(std::move(loaded)),
      cluster_(cluster_of(config, std::move(ensemble))),
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

Result<config::InstanceConfig> Service::read_destination(const std::string& name) const {
    config::LoadedConfig loaded = config::load_instance(place_.dir, place_.defines, name);
    std::string wrong;
    for (const Finding& finding : loaded.findings) {
        const bool error = finding.severity == Finding::Severity::Error;
        if (error && finding.scope.empty()) {
            wrong += (wrong.empty() ? "" : "; ") + finding_text(finding);
        } else if (!error && finding.scope == name) {
            log_.warn("configuration", {{"destination", name}, {"finding", finding_text(finding)}});
        }
    }
    if (!loaded.refused.empty())
        wrong = loaded.refused.front().reason + (wrong.empty() ? "" : "; ") + wrong;
    if (wrong.empty() && loaded.server.conf_dir != config_.conf_dir)
        wrong = "canal.conf.dir has changed since the server was started: restart the server";
    if (!wrong.empty()) return Error{Errc::BadConfig, Retry::Never, std::move(wrong)};
    return std::move(loaded.instances.front());
}

instance::InstanceSet::Means Service::means() {
    const auto read = [this](const std::string& name) { return read_destination(name); };
    return {read, source::make_source, cluster_};
}

// What is to be served: at first what main has read, later what the files say then.
Awaitable<Result<config::LoadedConfig>> Service::destinations() {
    if (loaded_) {
        config::LoadedConfig first = std::move(*loaded_);
        loaded_.reset();
        co_return first;
    }
    config::LoadedConfig loaded;
    const std::function<void()> load = [this, &loaded] {
        loaded = config::load(place_.dir, place_.defines);
    };
    co_await lane_.run(load);
    for (const Finding& finding : loaded.findings) {
        if (finding.severity == Finding::Severity::Error && finding.scope.empty())
            co_return Error{Errc::BadConfig, Retry::Never, finding_text(finding)};
    }
    co_return loaded;
}

Awaitable<Result<void>> Service::start_serving() {
    auto set = std::make_shared<instance::InstanceSet>(front_, feed_, means());
    // The port before the destinations: a server that can't serve must not touch the source.
    Result<std::unique_ptr<session::ClientPort>> opened =
        session::ClientPort::open(config_, *set, front_);
    if (!opened) co_return std::move(opened).error();
    std::shared_ptr<session::ClientPort> clients = std::move(opened).value();
    Result<config::LoadedConfig> loaded = co_await destinations();
    if (!loaded) {
        co_await run_on(clients->strand(), clients->close(kSessionGrace));
        co_return std::move(loaded).error();
    }
    const Executor control = set->control();
    co_await run_on(control, set->start(std::move(loaded->instances), std::move(loaded->refused)));
    clients->start();
    if (config_.auto_scan) {
        scan_ = std::make_unique<AutoScan>(
            strand_,
            config_.conf_dir,
            std::chrono::seconds(config_.auto_scan_interval_s),
            loaded->listing,
            *set,
            lane_
        );
        scan_->start();
    }
    const std::lock_guard lock(mutex_);
    instances_ = std::move(set);
    clients_ = std::move(clients);
    co_return Result<void>{};
}

Awaitable<Result<bool>> Service::start() {
    co_await take_turn();
    Result<bool> started = false;
    if (!instances()) {
        Result<void> serving = co_await start_serving();
        started = serving ? Result<bool>(true) : Result<bool>(std::move(serving).error());
    }
    end_turn();
    co_return started;
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
    if (scan_) co_await scan_->stop();
    scan_.reset();
    if (set) {
        const std::chrono::milliseconds grace = config_.in_cluster ? kClusterGrace : kSessionGrace;
        co_await run_on(clients->strand(), clients->close(grace));
        co_await run_on(set->control(), set->stop());
    }
    end_turn();
    co_return set != nullptr;
}

}  // namespace obcanal

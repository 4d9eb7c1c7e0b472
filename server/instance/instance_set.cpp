#include "server/instance/instance_set.h"

#include "protocol/net/run_on.h"
#include "server/instance/destination.h"
#include "server/meta/file_meta_store.h"
#include "server/meta/memory_meta_store.h"
#include "server/meta/zookeeper_meta_store.h"

#include <utility>

namespace obcanal::instance {
namespace {

constexpr std::chrono::seconds kRetryPeriod{10};
constexpr size_t kLongReason = 4'000;

std::unique_ptr<meta::MetaStore> make_store(
    const config::InstanceConfig& config, InstanceSet::Leader leadership, bool durable_acks
) {
    switch (config.meta) {
        case config::MetaKind::Memory: return std::make_unique<meta::MemoryMetaStore>();
        case config::MetaKind::File: break;
        case config::MetaKind::ZooKeeper:
            return std::make_unique<meta::ZookeeperMetaStore>(
                std::move(leadership), config.destination, durable_acks
            );
    }
    return std::make_unique<meta::FileMetaStore>(config.file_data_dir, config.destination);
}

Error should_start_first(std::string_view destination) {
    return {
        Errc::NotFound,
        Retry::Never,
        "destination:" + printable(destination) + " should start first"
    };
}

}  // namespace

std::string_view phase_name(Phase phase) {
    switch (phase) {
        case Phase::Idle: return "idle";
        case Phase::Running: return "running";
        case Phase::Failed: return "failed";
        case Phase::Stopped: return "stopped";
        case Phase::Standby: return "standby";
    }
    return "unknown";
}

InstanceSet::InstanceSet(Runtime& front, Runtime& feed, Means means)
    : front_(front),
      feed_(feed),
      means_(std::move(means)),
      control_(front.make_strand()),
      changed_(control_),
      keeping_(control_),
      tasks_(control_) {}

InstanceSet::~InstanceSet() = default;

Awaitable<InstanceSet::Turn> InstanceSet::take_turn(std::shared_ptr<Destination> one) {
    for (;;) {
        changed_.arm();
        if (!one->busy) break;
        co_await changed_.wait(SteadyTime::max());
    }
    co_return Turn(std::move(one), changed_);
}

std::shared_ptr<InstanceSet::Destination> InstanceSet::known(std::string_view destination) const {
    const std::lock_guard lock(mutex_);
    const auto found = destinations_.find(destination);
    return found == destinations_.end() ? nullptr : found->second;
}

std::shared_ptr<Instance> InstanceSet::find(std::string_view destination) const {
    const std::lock_guard lock(mutex_);
    const auto found = destinations_.find(destination);
    return found == destinations_.end() ? nullptr : found->second->running;
}

std::vector<std::string> InstanceSet::names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    names.reserve(destinations_.size());
    for (const auto& [name, one] : destinations_) names.push_back(name);
    return names;
}

// REQUIRES: the destination's turn.
Awaitable<Result<void>> InstanceSet::launch(std::shared_ptr<Destination> one) {
    if (one->running) co_return Result<void>{};
    if (stopping_ || one->removed) co_return should_start_first(one->name);
    const std::string destination = one->name;
    if (!one->configured)
        co_return Error{Errc::BadConfig, Retry::Never, printable(one->refused, kLongReason)};
    const bool in_cluster = one->config.meta == config::MetaKind::ZooKeeper;
    Instance::Parts parts;
    parts.config = one->config;
    parts.make_source = means_.make_source;
    parts.meta = make_store(one->config, one->leadership, means_.cluster.durable_acks);
    parts.instance_strand = front_.make_strand();
    parts.feed_strand = feed_.make_strand();
    parts.lane = &lane_;
    if (in_cluster) parts.meta_lane = &cluster_lane_;
    parts.flush_period = in_cluster ? means_.cluster.flush_period
                                    : std::chrono::milliseconds(one->config.file_flush_period_ms);
    auto instance = std::make_shared<Instance>(std::move(parts));
    Result<void> started = co_await run_on(instance->strand(), instance->start());
    if (started) {
        const std::lock_guard lock(mutex_);
        one->running = std::move(instance);
    }
    const bool news =
        started || one->phase != Phase::Failed || one->failure != started.error().detail;
    one->phase = started ? Phase::Running : Phase::Failed;
    one->failure = started ? std::string() : started.error().detail;
    one->retry = !started && started.error().retry != Retry::Never;
    if (started) {
        log_.info("start successful", {{"destination", destination}});
    } else if (in_cluster && started.error().code == Errc::Conflict) {
        co_await give_up(one, started.error());
    } else {
        if (news) {
            log_.error(
                "start failed",
                {{"destination", destination}, {"cause", one->failure}, {"tried_again", one->retry}}
            );
        }
        if (in_cluster) co_await give_up(one, started.error());
    }
    if (in_cluster) one->news->add();
    co_return started;
}

// REQUIRES: the destination's turn.
Awaitable<void> InstanceSet::end_instance(std::shared_ptr<Destination> one) {
    std::shared_ptr<Instance> running;
    {
        const std::lock_guard lock(mutex_);
        running = std::exchange(one->running, nullptr);
    }
    one->failure.clear();
    one->retry = false;
    if (!running) co_return;
    co_await run_on(running->strand(), running->stop());
}

// REQUIRES: the destination's turn.
Awaitable<void> InstanceSet::halt(std::shared_ptr<Destination> one, ha::Leadership::Parting how) {
    one->phase = Phase::Stopped;
    co_await end_instance(one);
    one->not_before = {};
    if (one->leadership) co_await resign(one, how, {});
}

// REQUIRES: the destination's turn, or nobody else knows it yet.
void InstanceSet::refuse(Destination& one, std::string reason) {
    const bool runs = one.running != nullptr;
    log_.error(
        runs ? "the changed configuration is refused, the one before stays in use"
             : "start failed, the configuration is refused",
        {{"destination", one.name}, {"cause", reason}}
    );
    one.refused = std::move(reason);
    if (runs || one.phase == Phase::Stopped) return;
    one.phase = Phase::Failed;
    one.failure.clear();
    one.retry = false;
}

Awaitable<Result<void>> InstanceSet::take_files(std::shared_ptr<Destination> one) {
    Result<config::InstanceConfig> read = config::InstanceConfig{};
    const std::function<void()> work = [this, &one, &read] {
        read = means_.read_config(one->name);
    };
    co_await lane_.run(work);
    if (!read) {
        refuse(*one, read.error().detail);
        co_return std::move(read).error();
    }
    one->refused.clear();
    one->configured = true;
    one->config = std::move(read).value();
    co_return Result<void>{};
}

Awaitable<void> InstanceSet::start(
    std::vector<config::InstanceConfig> instances, std::vector<config::RefusedInstance> refused
) {
    for (config::RefusedInstance& one : refused)
        refuse(*known_or_new(one.destination), std::move(one.reason));
    for (config::InstanceConfig& config : instances) co_await put(std::move(config));
    tasks_.spawn(control_, retry_failed());
}

Awaitable<void> InstanceSet::stop_for_good(std::shared_ptr<Destination> one) {
    const Turn turn = co_await take_turn(one);
    co_await halt(one, ha::Leadership::Parting::Leave);
}

Awaitable<void> InstanceSet::stop() {
    stopping_ = true;
    changed_.notify();
    keeping_.notify();
    for (const std::string& name : names()) {
        const std::shared_ptr<Destination> one = known(name);
        if (!one) continue;
        if (one->news) one->news->add();
        tasks_.spawn(control_, stop_for_good(one));
    }
    co_await tasks_.wait_for_all();
    co_await leave_cluster();
}

Awaitable<Result<void>> InstanceSet::start_one(std::string destination) {
    const std::shared_ptr<Destination> one = known(destination);
    if (!one) co_return should_start_first(destination);
    const Turn turn = co_await take_turn(one);
    if (one->running) co_return Result<void>{};
    Result<void> read = co_await take_files(one);
    if (!read) co_return read;
    enter_cluster(one);
    one->not_before = {};
    Result<void> started = co_await launch(one);
    co_return started;
}

Awaitable<Result<void>> InstanceSet::stop_one(std::string destination) {
    const std::shared_ptr<Destination> one = known(destination);
    if (!one) co_return should_start_first(destination);
    const Turn turn = co_await take_turn(one);
    co_await halt(one, ha::Leadership::Parting::Leave);
    co_return Result<void>{};
}

Awaitable<Result<void>> InstanceSet::restart_one(std::string destination) {
    const std::shared_ptr<Destination> one = known(destination);
    if (!one) co_return should_start_first(destination);
    const Turn turn = co_await take_turn(one);
    Result<void> read = co_await take_files(one);
    if (!read) co_return read;
    co_await halt(one, ha::Leadership::Parting::Pause);
    enter_cluster(one);
    Result<void> started = co_await launch(one);
    co_return started;
}

std::shared_ptr<InstanceSet::Destination> InstanceSet::known_or_new(const std::string& destination
) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Destination>& place = destinations_[destination];
    if (!place) {
        place = std::make_shared<Destination>();
        place->name = destination;
    }
    return place;
}

Awaitable<void> InstanceSet::put(config::InstanceConfig config) {
    const std::shared_ptr<Destination> one = known_or_new(config.destination);
    const Turn turn = co_await take_turn(one);
    one->config = std::move(config);
    one->configured = true;
    enter_cluster(one);
    // In a cluster it is taken when nobody else has it.
    if (one->config.lazy || one->clustered()) co_return;
    // Its failure is logged and kept.
    const Result<void> started = co_await launch(one);
    static_cast<void>(started);
}

Awaitable<void> InstanceSet::reload(std::string destination) {
    const std::shared_ptr<Destination> one = known_or_new(destination);
    const Turn turn = co_await take_turn(one);
    if (one->removed || stopping_) co_return;
    const Result<void> read = co_await take_files(one);
    if (!read) co_return;
    co_await halt(one, ha::Leadership::Parting::Pause);
    enter_cluster(one);
    one->phase = Phase::Idle;
    if (one->config.lazy) co_return;
    const Result<void> started = co_await launch(one);
    static_cast<void>(started);
}

Awaitable<void> InstanceSet::remove(std::string destination) {
    const std::shared_ptr<Destination> one = known(destination);
    if (!one) co_return;
    one->removed = true;
    if (one->news) one->news->add();
    const Turn turn = co_await take_turn(one);
    co_await halt(one, ha::Leadership::Parting::Leave);
    const std::lock_guard lock(mutex_);
    destinations_.erase(destination);
}

Awaitable<Result<std::shared_ptr<Instance>>> InstanceSet::find_or_start(std::string destination) {
    const std::shared_ptr<Destination> one = known(destination);
    if (!one) co_return should_start_first(destination);
    // Who stands by says so at once, even while it waits for ZooKeeper. Who has just taken over is
    // a moment from serving, and clients come as soon as they see its address in `running`.
    const bool stands_by = one->phase == Phase::Standby || one->phase == Phase::Failed;
    const bool taken = one->clustered() && one->busy && one->leadership->term();
    if (stands_by && !taken && (one->clustered() || one->phase == Phase::Standby))
        co_return should_start_first(destination);
    const Turn turn = co_await take_turn(one);
    if (one->phase == Phase::Idle && one->config.lazy) {
        const Result<void> started = co_await launch(one);
        if (!started) co_return started.error();
    }
    if (!one->running) co_return should_start_first(destination);
    co_return one->running;
}

Awaitable<void> InstanceSet::retry_failed() {
    while (!stopping_) {
        changed_.arm();
        const SteadyTime until = steady_now() + kRetryPeriod;
        while (!stopping_ && steady_now() < until) {
            co_await changed_.wait(until);
            changed_.arm();
        }
        for (const std::string& name : names()) {
            const std::shared_ptr<Destination> one = known(name);
            if (stopping_ || !one || one->busy || !one->retry || one->clustered()) continue;
            const Turn turn = co_await take_turn(one);
            const Result<void> started = co_await launch(one);
            static_cast<void>(started);
        }
    }
}

Awaitable<std::vector<InstanceStatus>> InstanceSet::status() {
    std::vector<InstanceStatus> all;
    for (const std::string& name : names()) {
        const std::shared_ptr<Destination> one = known(name);
        if (!one) continue;
        if (const std::shared_ptr<Instance> running = find(name)) {
            InstanceStatus status = co_await run_on(running->strand(), running->status());
            status.refused_config = one->refused;
            status.cluster = cluster_status(*one);
            all.push_back(std::move(status));
            continue;
        }
        InstanceStatus status;
        status.destination = name;
        status.phase = one->phase;
        status.failure = one->failure;
        status.refused_config = one->refused;
        status.configured = one->configured;
        status.source = one->config.source;
        status.cluster = cluster_status(*one);
        status.ring_slots = one->config.memory_buffer_size;
        status.ring_bytes = one->config.memory_buffer_size * one->config.memory_buffer_memunit;
        status.batch_mode = one->config.batch_mode;
        all.push_back(std::move(status));
    }
    co_return all;
}

}  // namespace obcanal::instance

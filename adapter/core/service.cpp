#include "adapter/core/service.h"

#include "protocol/base/clock.h"
#include "protocol/net/asio.h"
#include "protocol/net/run_on.h"

namespace obcanal::adapter::core {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds kLookPeriod = 1s;
// After which another adapter takes over from one that is gone.
constexpr std::chrono::milliseconds kClientSession = 10s;

std::vector<std::string> names_of(const config::AdapterConfig& config) {
    std::vector<std::string> names;
    for (const config::DestinationConfig& destination : config.destinations) {
        names.push_back(destination.name);
    }
    return names;
}

Awaitable<void> stop_pipeline(std::shared_ptr<Pipeline> pipeline) {
    pipeline->stop();
    co_return;
}

// `generation`: what the pipeline refers to stays until it has ended.
Awaitable<void> run_pipeline(
    std::shared_ptr<Generation> /*generation*/, std::shared_ptr<Pipeline> pipeline
) {
    co_await pipeline->run();
}

}  // namespace

std::shared_ptr<Pipeline> Generation::find(const std::string& destination) const {
    for (const std::shared_ptr<Pipeline>& pipeline : pipelines) {
        if (pipeline->name() == destination) return pipeline;
    }
    return nullptr;
}

void check_writers(config::LoadedAdapter& loaded, const WriterTable& writers) {
    std::string known;
    for (const auto& [name, factory] : writers) known += (known.empty() ? "" : ", ") + name;
    for (const config::DestinationConfig& destination : loaded.config.destinations) {
        for (const config::GroupConfig& group : destination.groups) {
            for (const config::OuterAdapterConfig& adapter : group.adapters) {
                if (adapter.name.empty() || writers.contains(adapter.name)) continue;
                loaded.findings.push_back(
                    {Finding::Severity::Error,
                     adapter.place,
                     "name",
                     "'" + adapter.name + "' is no adapter of this version; there are: " + known,
                     {}}
                );
            }
        }
    }
}

Service::Service(
    config::LoadedAdapter loaded,
    std::vector<std::string> defines,
    const WriterTable& writers,
    Runtime& runtime
)
    : conf_dir_(loaded.config.conf_dir),
      defines_(std::move(defines)),
      writers_(writers),
      runtime_(runtime),
      strand_(runtime.make_strand()),
      switch_(loaded.config.zookeeper, names_of(loaded.config)),
      first_(std::move(loaded)),
      stamp_(config::application_stamp(conf_dir_)),
      running_(strand_),
      following_(strand_),
      wake_(strand_) {}

std::shared_ptr<const Generation> Service::generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
}

Result<std::shared_ptr<Generation>> Service::make(config::LoadedAdapter loaded) {
    auto generation = std::make_shared<Generation>();
    generation->loaded = std::move(loaded);
    const config::AdapterConfig& config = generation->loaded.config;
    if (config.canal.server.empty()) {
        ha::ZookeeperPlace place;
        place.servers = config.canal.zookeeper;
        place.session_timeout = kClientSession;
        generation->zookeeper = std::make_shared<ha::ZookeeperClient>(std::move(place));
    }
    for (const config::DestinationConfig& destination : config.destinations) {
        Result<std::unique_ptr<Pipeline>> pipeline = Pipeline::make(
            {config,
             destination,
             generation->loaded.placeholders,
             writers_,
             switch_,
             lane_,
             generation->zookeeper,
             runtime_.make_strand()}
        );
        if (!pipeline) return std::move(pipeline).error();
        generation->pipelines.push_back(std::move(pipeline).value());
    }
    return generation;
}

Result<void> Service::start() {
    Result<std::shared_ptr<Generation>> made = make(std::move(first_));
    if (!made) return std::move(made).error();
    {
        const std::lock_guard lock(mutex_);
        generation_ = std::move(made).value();
    }
    run_pipelines();
    following_.spawn(strand_, follow());
    return {};
}

void Service::run_pipelines() {
    for (const std::shared_ptr<Pipeline>& pipeline : generation_->pipelines) {
        running_.spawn(pipeline->strand(), run_pipeline(generation_, pipeline));
    }
}

Awaitable<void> Service::end_pipelines() {
    const std::shared_ptr<Generation> generation = generation_;
    for (const std::shared_ptr<Pipeline>& pipeline : generation->pipelines) {
        co_await run_on(pipeline->strand(), stop_pipeline(pipeline));
    }
    co_await running_.wait_for_all();
}

Awaitable<void> Service::stop() {
    stopping_ = true;
    wake_.notify();
    co_await following_.wait_for_all();
    if (generation_) co_await end_pipelines();
}

// The switch's words and the files.
Awaitable<void> Service::follow() {
    while (!stopping_) {
        if (switch_.shared()) {
            const std::function<void()> look = [this] { switch_.refresh(); };
            co_await lane_.run(look);
        }
        const std::string stamp = config::application_stamp(conf_dir_);
        if (stamp != stamp_ && !stopping_) {
            stamp_ = stamp;
            co_await reload();
        }
        wake_.arm();
        if (stopping_) co_return;
        co_await wake_.wait(steady_now() + kLookPeriod);
    }
}

Awaitable<void> Service::reload() {
    config::LoadedAdapter loaded = config::load(conf_dir_, defines_, config::process_environment());
    check_writers(loaded, writers_);
    for (const Finding& finding : loaded.findings) {
        if (finding.severity == Finding::Severity::Error) {
            log_.error("configuration", {{"finding", finding_text(finding)}});
        } else {
            log_.warn("configuration", {{"finding", finding_text(finding)}});
        }
    }
    if (!loaded.valid()) {
        log_.error("the edited configuration is not applied, the one before stays in force");
        co_return;
    }
    const config::AdapterConfig& before = generation_->loaded.config;
    const config::AdapterConfig& after = loaded.config;
    if (before.zookeeper != after.zookeeper || before.rest_port != after.rest_port ||
        before.rest_host != after.rest_host || before.rest_token != after.rest_token) {
        log_.warn("server.*, the token and zookeeperHosts are applied at the next start");
    }
    switch_.follow(names_of(after));
    Result<std::shared_ptr<Generation>> made = make(std::move(loaded));
    if (!made) {
        log_.error(
            "the edited configuration can't be applied, the one before stays in force",
            {{"cause", made.error().detail}}
        );
        co_return;
    }
    co_await end_pipelines();
    {
        const std::lock_guard lock(mutex_);
        generation_ = std::move(made).value();
    }
    if (!stopping_) run_pipelines();
    log_.info("the edited configuration is applied");
}

}  // namespace obcanal::adapter::core

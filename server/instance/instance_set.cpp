#include "server/instance/instance_set.h"

#include "protocol/net/run_on.h"
#include "server/meta/file_meta_store.h"
#include "server/meta/memory_meta_store.h"
#include "server/source/registry.h"

#include <utility>

namespace obcanal::instance {
namespace {

Result<std::unique_ptr<meta::MetaStore>> make_store(
    const config::InstanceConfig& config, const std::string& data_dir
) {
    switch (config.meta) {
        case config::MetaKind::Memory:
            return std::unique_ptr<meta::MetaStore>(std::make_unique<meta::MemoryMetaStore>());
        case config::MetaKind::File:
            return std::unique_ptr<meta::MetaStore>(
                std::make_unique<meta::FileMetaStore>(data_dir, config.destination)
            );
        case config::MetaKind::ZooKeeper: break;
    }
    return Error{
        Errc::Unsupported,
        Retry::Never,
        "cursors in ZooKeeper (default-instance.xml) are not available in this version; use "
        "file-instance.xml"
    };
}

}  // namespace

InstanceSet::InstanceSet(const config::ServerConfig& server, Runtime& front, Runtime& feed)
    : data_dir_(server.file_data_dir),
      flush_period_(server.file_flush_period_ms),
      front_(front),
      feed_(feed) {}

Awaitable<void> InstanceSet::start(std::vector<config::InstanceConfig> instances) {
    for (config::InstanceConfig& config : instances) {
        const std::string destination = config.destination;
        Result<std::unique_ptr<meta::MetaStore>> store = make_store(config, data_dir_);
        if (!store) {
            log_.error(
                "start failed", {{"destination", destination}, {"cause", store.error().detail}}
            );
            continue;
        }
        Instance::Parts parts;
        parts.config = std::move(config);
        parts.make_source = source::make_source;
        parts.meta = std::move(store).value();
        parts.instance_strand = front_.make_strand();
        parts.feed_strand = feed_.make_strand();
        parts.lane = &lane_;
        parts.flush_period = flush_period_;
        auto instance = std::make_shared<Instance>(std::move(parts));
        instances_.push_back(instance);
        const Executor strand = instance->strand();
        Result<void> started = co_await run_on(strand, instance->start());
        if (started) {
            log_.info("start successful", {{"destination", destination}});
        } else {
            log_.error(
                "start failed", {{"destination", destination}, {"cause", started.error().detail}}
            );
        }
    }
}

Awaitable<void> InstanceSet::stop() {
    for (const std::shared_ptr<Instance>& instance : instances_) {
        const Executor strand = instance->strand();
        co_await run_on(strand, instance->stop());
    }
}

std::shared_ptr<Instance> InstanceSet::find(std::string_view destination) const {
    for (const std::shared_ptr<Instance>& instance : instances_) {
        if (instance->destination() == destination) return instance;
    }
    return nullptr;
}

}  // namespace obcanal::instance

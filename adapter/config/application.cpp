#include "adapter/config/application.h"

#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::config {
namespace {

constexpr uint64_t kMaxPort = 65'535;
constexpr uint64_t kMaxWaitMs = 3'600'000;

constexpr std::string_view kPositionKey = "canal.adapter.position";

// Bound by the reference, never used by it.
constexpr std::string_view kLegacy[] = {
    "vhost",
    "resourceOwnerId",
    "enableMessageTrace",
    "accessChannel",
    "customizedTraceTopic",
    "namespace",
    "mqServers",
};
// Of the reference's README only: bound by nothing.
constexpr std::string_view kNeverBound[] = {
    "canalInstances", "mqTopics", "adapterGroups", "outAdapters", "bootstrapServers"
};

std::string trimmed(const std::string& text) { return std::string(trim(text)); }

void read_server(const Section& root, AdapterConfig& config) {
    const Section server = root.section("server");
    config.rest_host = trimmed(server.text("address"));
    config.rest_port = static_cast<uint16_t>(server.number("port", config.rest_port, 0, kMaxPort));
    // Of the reference's framework: dates of its replies, log levels, its own pages.
    root.ignore("spring");
    root.ignore("logging");
    root.ignore("management");
}

// Keys of our own.
void read_own(const Section& root, AdapterConfig& config) {
    const Section own = root.section("canal.adapter");
    config.rest_token = own.section("rest").text("token");
    config.metrics_port = static_cast<uint16_t>(
        own.section("metrics").number("port", config.metrics_port, 0, kMaxPort)
    );
    config.data_dir = trimmed(own.section("data").text("dir"));
    config.canal.client_id =
        static_cast<uint16_t>(own.section("client").number("id", config.canal.client_id, 1, 32'767)
        );
}

void read_canal_source(const Section& conf, const Properties& consumer, AdapterConfig& config) {
    CanalSourceConfig& canal = config.canal;
    const auto get = [&consumer](std::string_view key) {
        return trimmed(std::string(property(consumer, key)));
    };
    canal.server = get("canal.tcp.server.host");
    const std::string legacy_server = trimmed(conf.text("canalServerHost"));
    if (canal.server.empty()) canal.server = legacy_server;
    canal.zookeeper = get("canal.tcp.zookeeper.hosts");
    canal.user = get("canal.tcp.username");
    const std::string legacy_user = conf.text("username");
    if (canal.user.empty()) canal.user = legacy_user;
    canal.password = property(consumer, "canal.tcp.password");
    const std::string legacy_password = conf.text("password");
    if (canal.password.empty()) canal.password = legacy_password;
    const std::string size = get("canal.tcp.batch.size");
    const uint64_t legacy = conf.number("batchSize", canal.batch_size, 1, 1'000'000);
    const std::optional<uint64_t> number = parse_uint(size);
    if (!size.empty() && (!number || *number == 0 || *number > 1'000'000)) {
        conf.error(
            "consumerProperties",
            "canal.tcp.batch.size: '" + printable(size) + "' must be a number from 1 to 1000000"
        );
    }
    canal.batch_size = static_cast<uint32_t>(number.value_or(legacy));

    for (const auto& [key, value] : consumer) {
        const std::string name = canonical_name(key);
        const bool queue = name.starts_with("kafka.") || name.starts_with("rocketmq.") ||
                           name.starts_with("rabbitmq.") || name.starts_with("pulsarmq.") ||
                           name.starts_with("canal.mq.");
        const bool ours = name == "canal.tcp.server.host" || name == "canal.tcp.zookeeper.hosts" ||
                          name == "canal.tcp.batch.size" || name == "canal.tcp.username" ||
                          name == "canal.tcp.password";
        if (!queue && !ours) {
            conf.warning("consumerProperties", key + " is no key that is known here; ignored");
        }
    }
    if (config.mode != "tcp") return;
    if (canal.server.empty() && canal.zookeeper.empty()) {
        conf.error(
            "consumerProperties",
            "canal.tcp.server.host or canal.tcp.zookeeper.hosts must say where the Canal server is"
        );
    } else if (!canal.server.empty() && !parse_endpoint(canal.server)) {
        conf.error(
            "consumerProperties",
            "canal.tcp.server.host: '" + printable(canal.server) + "' must be host:port"
        );
    }
}

void read_sources(const Section& conf, AdapterConfig& config) {
    for (const auto& [key, section] : conf.children("srcDataSources")) {
        DataSourceConfig source;
        source.key = key;
        source.url = trimmed(section.text("url"));
        source.user = section.text("username");
        source.password = section.text("password");
        source.max_active =
            static_cast<uint32_t>(section.number("maxActive", source.max_active, 1, 1'000));
        for (const std::string_view unused : {"driver", "type", "database"}) section.ignore(unused);
        if (!source.url.starts_with("jdbc:")) {
            section.error("url", "'" + masked("url", source.url) + "' must begin with jdbc:");
        }
        config.data_sources.push_back(std::move(source));
    }
}

OuterAdapterConfig read_outer(
    const Section& section,
    const std::string& destination,
    const std::string& group,
    size_t index,
    const std::string& position
) {
    OuterAdapterConfig outer;
    outer.place = section.place();
    outer.name = trimmed(section.text("name"));
    outer.key = trimmed(section.text("key"));
    outer.hosts = trimmed(section.text("hosts"));
    section.ignore("zkHosts");
    outer.properties = section.properties("properties");
    if (outer.name.empty()) section.error("name", "must be given");
    if (outer.key.empty()) {
        outer.generated_key = true;
        outer.key = "AUTO_GENERATED_-" + destination + "-" + group + "-" + std::to_string(index);
    }
    const std::string own(property(outer.properties, kPositionKey));
    if (own.empty() && !position.empty()) {
        outer.properties.emplace_back(std::string(kPositionKey), position);
    } else if (!own.empty() && own != "target" && own != "none") {
        section.error("properties", std::string(kPositionKey) + " must be target or none");
    }
    return outer;
}

void read_group(
    const Section& section, const std::string& position, DestinationConfig& destination
) {
    GroupConfig group;
    const std::string id = trimmed(section.text("groupId"));
    if (!id.empty()) group.id = id;
    const std::vector<Section> outers = section.items("outerAdapters");
    for (size_t i = 0; i < outers.size(); ++i) {
        OuterAdapterConfig outer = read_outer(outers[i], destination.name, group.id, i, position);
        for (const OuterAdapterConfig& other : group.adapters) {
            if (other.name != outer.name || !equals_ignore_case(other.key, outer.key)) continue;
            outers[i].error("key", "'" + outer.key + "' stands in this group twice");
        }
        group.adapters.push_back(std::move(outer));
    }
    if (group.adapters.empty()) section.error("outerAdapters", "must name at least one adapter");
    for (const GroupConfig& other : destination.groups) {
        if (other.id != group.id) continue;
        section.error(
            "groupId", "'" + group.id + "' stands in the instance " + destination.name + " twice"
        );
        return;
    }
    destination.groups.push_back(std::move(group));
}

void read_adapters(const Section& conf, const std::string& position, AdapterConfig& config) {
    const std::vector<Section> instances = conf.items("canalAdapters");
    for (const Section& instance : instances) {
        const std::string name = trimmed(instance.text("instance"));
        if (name.empty() || name.find('/') != std::string::npos) {
            instance.error("instance", "must name a destination");
            continue;
        }
        // Entries of one instance are one destination with the groups of all.
        auto found = std::find_if(
            config.destinations.begin(),
            config.destinations.end(),
            [&name](const DestinationConfig& other) { return other.name == name; }
        );
        if (found == config.destinations.end()) {
            config.destinations.push_back({name, {}});
            found = config.destinations.end() - 1;
        }
        const std::vector<Section> groups = instance.items("groups");
        for (const Section& group : groups) read_group(group, position, *found);
        if (groups.empty()) instance.error("groups", "must name at least one group");
    }
    if (instances.empty()) conf.error("canalAdapters", "must name at least one instance");
}

// What the reference does after its last attempt, and we never do: acknowledge what is not written.
void explain_retries(const Section& conf, AdapterConfig& config) {
    const std::string retries = trimmed(conf.text("retries", "-1"));
    if (!retries.empty() && !parse_int(retries)) {
        conf.error("retries", "'" + printable(retries) + "' must be a number");
    } else if (!retries.empty() && retries != "-1") {
        conf.warning(
            "retries",
            "a batch that fails is tried again until it is written, and never acknowledged before; "
            "see onError: park of the mapping files for rows that can't be written"
        );
    }
    config.terminate_on_exception = conf.boolean("terminateOnException", false);
    if (config.terminate_on_exception) {
        conf.warning(
            "terminateOnException",
            "has no effect: the destination waits and tries again, with its position kept"
        );
    }
}

void read_conf(const Section& conf, const std::string& position, AdapterConfig& config) {
    config.mode = to_lower(trim(conf.text("mode", "tcp")));
    if (config.mode.empty()) config.mode = "tcp";
    if (config.mode != "tcp") {
        conf.error("mode", "'" + printable(config.mode) + "': only tcp is supported");
    }
    conf.boolean("flatMessage", true);  // of message queues
    config.zookeeper = trimmed(conf.text("zookeeperHosts"));
    config.sync_batch_size =
        static_cast<uint32_t>(conf.number("syncBatchSize", config.sync_batch_size, 1, 10'000'000));
    config.timeout = std::chrono::milliseconds(
        conf.number("timeout", static_cast<uint64_t>(config.timeout.count()), 0, kMaxWaitMs)
    );
    explain_retries(conf, config);
    for (const std::string_view key : {"accessKey", "secretKey"}) conf.ignore(key);
    read_canal_source(conf, conf.properties("consumerProperties"), config);
    read_sources(conf, config);
    read_adapters(conf, position, config);
    for (const std::string_view key : kLegacy) {
        if (conf.has(key)) conf.warning(key, "belongs to message queues; no effect in mode tcp");
    }
    for (const std::string_view key : kNeverBound) {
        if (!conf.has(key)) continue;
        conf.ignore(key);
        conf.warning(key, "is a key of old documentation, read by no version; see canalAdapters");
    }
}

}  // namespace

std::string_view property(const Properties& properties, std::string_view key) {
    const std::string name = canonical_name(key);
    for (const auto& [other, value] : properties) {
        if (canonical_name(other) == name) return value;
    }
    return {};
}

AdapterConfig read_application(const Section& root) {
    AdapterConfig config;
    read_server(root, config);
    read_own(root, config);
    const Section own = root.section("canal.adapter");
    const std::string position = to_lower(trim(own.text("position")));
    if (!position.empty() && position != "target" && position != "none") {
        own.error("position", "'" + printable(position) + "' must be target or none");
    }
    read_conf(root.section("canal.conf"), position, config);
    root.report_unknown();
    return config;
}

}  // namespace obcanal::adapter::config

// conf/application.yml as the adapter means it (client-adapter, 1.3 to 1.5). Plain data, finished
// before anything starts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::adapter::config {

using Properties = std::vector<std::pair<std::string, std::string>>;

// The value of a key, empty when there is none; compared as the binder does.
std::string_view property(const Properties& properties, std::string_view key);

// srcDataSources.{key}: where rows are read back and full loads come from.
struct DataSourceConfig {
    std::string key;
    std::string url;  // jdbc:...
    std::string user;
    std::string password;
    uint32_t max_active = 3;
};

struct OuterAdapterConfig {
    std::string name;  // logger, rdb, es7, ...
    std::string key;   // the file's, or the generated one
    bool generated_key = false;
    std::string hosts;
    Properties properties;
    std::string place;  // file:line, for messages
};

struct GroupConfig {
    std::string id = "default";
    std::vector<OuterAdapterConfig> adapters;
};

struct DestinationConfig {
    std::string name;  // canalAdapters[].instance
    std::vector<GroupConfig> groups;
};

// canal.tcp.* of consumerProperties.
struct CanalSourceConfig {
    std::string server;     // host:port; wins over ZooKeeper
    std::string zookeeper;  // hosts
    uint32_t batch_size = 500;
    std::string user;
    std::string password;
    uint16_t client_id = 1001;  // canal.adapter.client.id
};

struct AdapterConfig {
    std::string conf_dir;
    std::string data_dir;   // canal.adapter.data.dir: dead letters
    std::string rest_host;  // server.address; empty: all interfaces
    uint16_t rest_port = 8081;
    std::string rest_token;
    uint16_t metrics_port = 11'113;  // canal.adapter.metrics.port; 0: none of its own
    std::string mode = "tcp";
    std::string zookeeper;  // zookeeperHosts: the switch and the lock of full loads
    uint32_t sync_batch_size = 1000;
    std::chrono::milliseconds timeout{500};
    bool terminate_on_exception = false;
    CanalSourceConfig canal;
    std::vector<DataSourceConfig> data_sources;
    std::vector<DestinationConfig> destinations;
};

}  // namespace obcanal::adapter::config

// canal.instance.oceanbase.*: the log proxy that a destination reads and what it is told.
#pragma once

#include "protocol/base/text.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::config {

struct OblogConfig {
    std::vector<Endpoint> addresses;  // logproxy.address; several are tried in turn
    std::string rs_list;              // "ip:rpcPort:sqlPort;..."
    std::string cluster_url;
    std::string username;
    std::string password;  // in clear; hashed for the wire unless `hash_password` is false
    bool hash_password = true;
    std::string sys_username;
    std::string sys_password;
    std::string tenant;
    std::string timezone = "+08:00";
    std::string working_mode = "memory";
    int64_t start_timestamp_s = 0;   // 0: now
    int64_t start_timestamp_us = 0;  // above 0: wins over seconds
    std::string client_id;           // empty: generated
    // obcdc.extraConfigs, ours first: handed to libobcdc as they are.
    std::vector<std::pair<std::string, std::string>> extra_configs;

    bool tls = false;
    std::string ca_file;
    std::string cert_file;
    std::string key_file;

    int64_t connect_timeout_ms = 10'000;
    int64_t read_timeout_ms = 30'000;           // without a byte: the connection is dead
    size_t max_packet_bytes = size_t{1} << 30;  // before and after decompression
};

}  // namespace obcanal::config

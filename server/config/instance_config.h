// What instance.properties (over canal.properties) says about one destination, as plain values.
#pragma once

#include "protocol/base/text.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::config {

enum class SourceKind : uint8_t { Oblogproxy, Binlog };

// The Spring file's name decides where cursors live (canal-server, 6.7).
enum class MetaKind : uint8_t { Memory, File, ZooKeeper };

// canal.instance.memory.batch.mode: what a client's fetch size counts.
enum class BatchMode : uint8_t { MemSize, ItemSize };

// canal.instance.oceanbase.*
struct OblogConfig {
    std::vector<Endpoint> addresses;  // logproxy.address; several are tried in turn
    std::string rs_list;              // "ip:rpcPort:sqlPort;..."
    std::string cluster_url;
    std::string username;
    std::string password;  // in clear; hashed for the wire unless `password_hashed` is false
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

struct InstanceConfig {
    std::string destination;
    SourceKind source = SourceKind::Oblogproxy;
    MetaKind meta = MetaKind::File;
    bool lazy = false;  // started by the first SUBSCRIPTION
    OblogConfig oblog;

    std::string filter_regex = ".*\\..*";
    std::string filter_black_regex;
    std::string filter_field;
    std::string filter_black_field;
    bool filter_query_dcl = false;
    bool filter_query_dml = false;
    bool filter_query_ddl = false;
    bool filter_rows = false;
    bool filter_dml_insert = false;
    bool filter_dml_update = false;
    bool filter_dml_delete = false;
    bool filter_transaction_entry = false;

    size_t transaction_size = 1024;  // entries; a power of two
    size_t memory_buffer_size = 16384;
    size_t memory_buffer_memunit = 1024;
    BatchMode batch_mode = BatchMode::MemSize;
    bool ddl_isolation = false;
    int64_t get_linger_ms = 20;  // -1: timed gets wait as the reference's do

    int64_t retry_min_ms = 1'000;  // back-off between attempts to reach the source
    int64_t retry_max_ms = 60'000;
};

}  // namespace obcanal::config

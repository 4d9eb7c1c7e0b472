// What instance.properties (over canal.properties) says about one destination, as plain values.
#pragma once

#include "server/config/binlog_config.h"
#include "server/config/oblog_config.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace obcanal::config {

enum class SourceKind : uint8_t { Oblogproxy, Binlog };

// The Spring file's name decides where cursors live (canal-server, 6.7).
enum class MetaKind : uint8_t { Memory, File, ZooKeeper };

// canal.instance.memory.batch.mode: what a client's fetch size counts.
enum class BatchMode : uint8_t { MemSize, ItemSize };

struct InstanceConfig {
    std::string destination;
    bool lazy = false;  // starts with the first subscription
    SourceKind source = SourceKind::Oblogproxy;
    MetaKind meta = MetaKind::File;
    std::string file_data_dir;  // of {destination}/meta.dat
    int64_t file_flush_period_ms = 1000;
    OblogConfig oblog;
    BinlogConfig binlog;

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
    int64_t get_hold_ms = 2;     // gets without timeout; 0: they don't wait, as the reference's

    int64_t retry_min_ms = 1'000;  // back-off between attempts to reach the source
    int64_t retry_max_ms = 60'000;
};

}  // namespace obcanal::config

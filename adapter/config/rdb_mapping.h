// A mapping file of the relational adapter, conf/rdb/{task}.yml (client-adapter, 2.2). Plain data,
// read once; order of columns as in the file.
#pragma once

#include "adapter/config/mapping_files.h"
#include "adapter/config/placeholders.h"
#include "protocol/base/finding.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::adapter::config {

struct RdbMapping {
    std::string task;  // file name with suffix
    std::string file;  // path, for messages
    std::string data_source_key;
    std::string destination;
    std::optional<std::string> group_id;
    std::optional<std::string> outer_adapter_key;
    bool concurrent = false;
    OnError on_error = OnError::Block;

    bool mirror_db = false;
    std::string database;
    std::string table;
    std::string target_db;
    std::string target_table;
    std::vector<std::pair<std::string, std::string>> target_pk;  // target column -> source column
    bool map_all = false;
    std::vector<std::pair<std::string, std::string>> target_columns;  // target -> source
    bool case_insensitive = false;
    std::string etl_condition;
    uint32_t commit_batch = 5000;
    bool apply_truncate = true;  // table mode; the reference drops it
};

// Nothing when an error was found.
std::optional<RdbMapping> read_rdb_mapping(
    const MappingFile& file, const Placeholders& placeholders, FindingList& findings
);

}  // namespace obcanal::adapter::config

// A mapping file of an Elasticsearch adapter, conf/{es6,es7,es8,es}/{task}.yml (client-adapter,
// 3.2). Plain data, read once; its SQL is read by adapter/es.
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

// A field of the join datatype.
struct EsRelation {
    std::string field;
    std::string name;
    std::string parent;  // a field of the select list; empty: it is a parent itself
};

struct EsMapping {
    std::string task;  // file name with suffix
    std::string file;  // path, for messages
    std::string data_source_key;
    std::string destination;
    std::optional<std::string> group_id;
    std::optional<std::string> outer_adapter_key;
    OnError on_error = OnError::Block;

    std::string index;
    std::string type;  // of es6
    std::string id;    // a field of the select list; empty: documents are found by `pk`
    std::string pk;
    std::string sql;
    std::string sql_place;  // file:line
    bool upsert = false;
    std::vector<std::pair<std::string, std::string>> obj_fields;  // field -> "array:;", "object"
    std::vector<std::string> skips;
    std::vector<EsRelation> relations;
    std::string etl_condition;
    uint32_t commit_batch = 1000;
    bool sync_by_timestamp = false;  // changes are not followed
    bool apply_truncate = false;     // the reference leaves the documents
};

// Nothing when an error was found.
std::optional<EsMapping> read_es_mapping(
    const MappingFile& file, const Placeholders& placeholders, FindingList& findings
);

}  // namespace obcanal::adapter::config

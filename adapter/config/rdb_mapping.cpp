#include "adapter/config/rdb_mapping.h"

#include "adapter/config/config_node.h"
#include "adapter/config/section.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::config {
namespace {

constexpr uint64_t kMaxBatch = 10'000'000;
// Below these, keys are names of columns.
constexpr std::string_view kColumnMaps[] = {"targetpk", "targetcolumns"};

std::optional<std::string> trimmed(std::optional<std::string> text) {
    if (text) text = std::string(trim(*text));
    if (text && text->empty()) text.reset();
    return text;
}

void read_on_error(const Section& section, RdbMapping& mapping) {
    if (!section.has("onError")) return;
    const std::string policy = to_lower(trim(section.text("onError")));
    if (policy == "park") {
        mapping.on_error = OnError::Park;
    } else if (policy != "block" && !policy.empty()) {
        section.error("onError", "'" + printable(policy) + "' must be block or park");
    }
}

// Two target columns of one name would be written twice in one statement.
void check_columns(
    const Section& section,
    std::string_view name,
    const std::vector<std::pair<std::string, std::string>>& columns
) {
    for (size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].first.empty()) section.error(name, "a column has no name");
        for (size_t k = 0; k < i; ++k) {
            if (columns[k].first == columns[i].first)
                section.error(name, "'" + columns[i].first + "' stands here twice");
        }
    }
}

void read_table(const Section& section, RdbMapping& mapping) {
    mapping.mirror_db = section.boolean("mirrorDb", false);
    mapping.database = std::string(trim(section.text("database")));
    mapping.table = std::string(trim(section.text("table")));
    mapping.target_db = std::string(trim(section.text("targetDb")));
    mapping.target_table = std::string(trim(section.text("targetTable")));
    mapping.target_pk = section.pairs("targetPk");
    mapping.map_all = section.boolean("mapAll", false);
    mapping.target_columns = section.pairs("targetColumns");
    mapping.case_insensitive = section.boolean("caseInsensitive", false);
    mapping.etl_condition = section.text("etlCondition");
    mapping.commit_batch =
        static_cast<uint32_t>(section.number("commitBatch", mapping.commit_batch, 1, kMaxBatch));
    section.ignore("readBatch");  // never read by the reference either
    mapping.apply_truncate = section.boolean("applyTruncate", true);
    read_on_error(section, mapping);
    check_columns(section, "targetPk", mapping.target_pk);
    check_columns(section, "targetColumns", mapping.target_columns);

    if (mapping.database.empty()) section.error("database", "must name the source's database");
    if (mapping.mirror_db) return;
    if (mapping.table.empty()) section.error("table", "must name the source's table");
    if (mapping.target_table.empty()) section.error("targetTable", "must name the target's table");
    if (!mapping.map_all && mapping.target_columns.empty()) {
        section.error("targetColumns", "must name the columns, or mapAll must be true");
    }
}

}  // namespace

std::optional<RdbMapping> read_rdb_mapping(
    const MappingFile& file, const Placeholders& placeholders, FindingList& findings
) {
    FindingList own;
    RdbMapping mapping;
    mapping.task = file.task;
    mapping.file = file.path;
    if (const std::optional<ConfigNode> document = parse_yaml(file.path, file.text, own)) {
        const ConfigNode tree = nest_keys(*document, kColumnMaps, own);
        Reading reading;
        reading.placeholders = placeholders;
        reading.strict = false;
        reading.findings = &own;
        const Section root(reading, &tree, "");
        mapping.data_source_key = std::string(trim(root.text("dataSourceKey")));
        mapping.destination = std::string(trim(root.text("destination")));
        mapping.group_id = trimmed(root.optional_text("groupId"));
        mapping.outer_adapter_key = trimmed(root.optional_text("outerAdapterKey"));
        mapping.concurrent = root.boolean("concurrent", false);
        read_on_error(root, mapping);
        if (mapping.destination.empty()) root.error("destination", "must be given");
        const Section table = root.section("dbMapping");
        if (table.exists()) {
            read_table(table, mapping);
        } else {
            root.error("dbMapping", "must be given");
        }
        root.report_unknown();
    }
    bool good = true;
    for (const Finding& finding : own.take()) {
        const bool error = finding.severity == Finding::Severity::Error;
        good = good && !error;
        if (error) {
            findings.error(finding.where, finding.key, finding.what);
        } else {
            findings.warning(finding.where, finding.key, finding.what);
        }
    }
    if (!good) return std::nullopt;
    return mapping;
}

}  // namespace obcanal::adapter::config

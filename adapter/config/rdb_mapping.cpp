#include "adapter/config/rdb_mapping.h"

#include "adapter/config/mapping_reading.h"
#include "protocol/base/text.h"

namespace obcanal::adapter::config {
namespace {

constexpr uint64_t kMaxBatch = 10'000'000;
// Below these, keys are names of columns.
constexpr std::string_view kColumnMaps[] = {"targetpk", "targetcolumns"};

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
    read_on_error(section, mapping.on_error);
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

void read_root(const Section& root, RdbMapping& mapping) {
    mapping.concurrent = root.boolean("concurrent", false);
    const Section table = root.section("dbMapping");
    if (table.exists()) {
        read_table(table, mapping);
    } else {
        root.error("dbMapping", "must be given");
    }
}

}  // namespace

std::optional<RdbMapping> read_rdb_mapping(
    const MappingFile& file, const Placeholders& placeholders, FindingList& findings
) {
    return read_mapping<RdbMapping>(file, placeholders, kColumnMaps, findings, read_root);
}

}  // namespace obcanal::adapter::config

#include "adapter/config/es_mapping.h"

#include "adapter/config/mapping_reading.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::config {
namespace {

constexpr uint64_t kMaxBatch = 10'000'000;
// Below these, keys are names of fields.
constexpr std::string_view kFieldMaps[] = {"objfields", "relations"};

std::string trimmed_text(const Section& section, std::string_view name) {
    return std::string(trim(section.text(name)));
}

void read_relations(const Section& section, EsMapping& mapping) {
    for (const auto& [field, relation] : section.children("relations")) {
        EsRelation one;
        one.field = field;
        one.name = trimmed_text(relation, "name");
        one.parent = trimmed_text(relation, "parent");
        if (one.name.empty()) relation.error("name", "must name the kind of document");
        mapping.relations.push_back(std::move(one));
    }
    const auto parents = std::count_if(
        mapping.relations.begin(),
        mapping.relations.end(),
        [](const EsRelation& relation) { return !relation.parent.empty(); }
    );
    if (parents > 1) section.error("relations", "a document can have one parent only");
}

void read_index(const Section& section, EsMapping& mapping) {
    mapping.index = trimmed_text(section, "_index");
    mapping.type = trimmed_text(section, "_type");
    mapping.id = trimmed_text(section, "_id");
    mapping.pk = trimmed_text(section, "pk");
    mapping.sql = section.text("sql");
    mapping.sql_place = section.section("sql").place();
    mapping.upsert = section.boolean("upsert", false);
    mapping.obj_fields = section.pairs("objFields");
    for (std::string& field : section.list("skips")) {
        if (!trim(field).empty()) mapping.skips.emplace_back(trim(field));
    }
    read_relations(section, mapping);
    mapping.etl_condition = section.text("etlCondition");
    mapping.commit_batch =
        static_cast<uint32_t>(section.number("commitBatch", mapping.commit_batch, 1, kMaxBatch));
    mapping.sync_by_timestamp = section.boolean("syncByTimestamp", false);
    section.ignore("syncInterval");  // never read by the reference either
    mapping.apply_truncate = section.boolean("applyTruncate", false);
    read_on_error(section, mapping.on_error);

    if (mapping.index.empty()) section.error("_index", "must name the index or alias");
    if (mapping.id.empty() && mapping.pk.empty()) {
        section.error("_id", "must name the field that is the document's id, or pk must be given");
    }
    if (trim(mapping.sql).empty()) section.error("sql", "must be given");
}

void read_root(const Section& root, EsMapping& mapping) {
    if (mapping.data_source_key.empty()) {
        root.error("dataSourceKey", "must name one of canal.conf.srcDataSources");
    }
    const Section index = root.section("esMapping");
    if (index.exists()) {
        read_index(index, mapping);
    } else {
        root.error("esMapping", "must be given");
    }
}

}  // namespace

std::optional<EsMapping> read_es_mapping(
    const MappingFile& file, const Placeholders& placeholders, FindingList& findings
) {
    return read_mapping<EsMapping>(file, placeholders, kFieldMaps, findings, read_root);
}

}  // namespace obcanal::adapter::config

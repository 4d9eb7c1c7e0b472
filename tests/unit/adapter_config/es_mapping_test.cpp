// Mapping files of Elasticsearch adapters.
#include "adapter/config/es_mapping.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct Read {
    std::optional<EsMapping> mapping;
    std::string findings;
};

Read read(const std::string& text) {
    FindingList list;
    Read result;
    result.mapping = read_es_mapping({"t.yml", "es7/t.yml", text, {}}, {}, list);
    for (const Finding& finding : list.take()) result.findings += finding_text(finding) + "\n";
    return result;
}

const std::string kHead = "dataSourceKey: ds\ndestination: example\nesMapping:\n";
const std::string kGood = kHead + "  _index: i\n  _id: _id\n  sql: select a.id as _id from t a\n";

TEST(EsMappingTest, SamplesOfTheReferenceLoadUnedited) {
    for (const std::string kind : {"es7", "es8"}) {
        FindingList findings;
        MappingDirectory directory(std::string(OBCANAL_FIXTURES) + "/adapter-conf/" + kind);
        const MappingChanges changes = directory.scan();
        ASSERT_EQ(changes.changed.size(), 3U);
        std::vector<EsMapping> mappings;
        for (const MappingFile& file : changes.changed) {
            auto mapping = read_es_mapping(file, {}, findings);
            ASSERT_TRUE(mapping) << file.path;
            mappings.push_back(std::move(*mapping));
        }
        for (const Finding& finding : findings.take()) ADD_FAILURE() << finding_text(finding);
        const EsMapping& order = mappings[0];
        EXPECT_EQ(order.task, "biz_order.yml");
        EXPECT_EQ(order.data_source_key, "defaultDS");
        EXPECT_EQ(order.group_id, "g1");
        EXPECT_EQ(order.index, "customer");
        EXPECT_EQ(order.id, "_id");
        EXPECT_THAT(order.skips, ElementsAre("customer_id"));
        ASSERT_EQ(order.relations.size(), 1U);
        EXPECT_EQ(order.relations[0].field, "customer_order");
        EXPECT_EQ(order.relations[0].name, "order");
        EXPECT_EQ(order.relations[0].parent, "customer_id");
        EXPECT_EQ(order.etl_condition, "where t.c_time>={}");
        EXPECT_EQ(order.commit_batch, 3000U);
        EXPECT_FALSE(order.upsert);
        EXPECT_THAT(order.sql, HasSubstr("select concat('oid_', t.id) as _id,"));
        EXPECT_THAT(order.sql_place, HasSubstr("biz_order.yml:"));
        EXPECT_EQ(mappings[1].id, "id");
        EXPECT_EQ(mappings[1].relations[0].parent, "");
        EXPECT_THAT(mappings[2].sql, HasSubstr("left join role b on b.id=a.role_id"));
    }
}

TEST(EsMappingTest, EveryKeyIsRead) {
    const Read result = read(
        kHead +
        "  index: i\n  type: t\n  pk: id\n  sql: |\n    select a.id\n    from t a\n"
        "  upsert: true\n  objFields: {labels: 'array:;', Doc.A: object}\n  skips: a, b\n"
        "  commit-batch: 7\n  sync_by_timestamp: true\n  syncInterval: 5\n  applyTruncate: true\n"
        "  onError: park\nouterAdapterKey: k\n"
    );
    EXPECT_EQ(result.findings, "");
    ASSERT_TRUE(result.mapping);
    const EsMapping& mapping = *result.mapping;
    EXPECT_EQ(mapping.index, "i");
    EXPECT_EQ(mapping.type, "t");
    EXPECT_EQ(mapping.id, "");
    EXPECT_EQ(mapping.pk, "id");
    EXPECT_EQ(mapping.sql, "select a.id\nfrom t a\n");
    EXPECT_TRUE(mapping.upsert);
    EXPECT_THAT(
        mapping.obj_fields, ElementsAre(Pair("labels", "array:;"), Pair("Doc.A", "object"))
    );
    EXPECT_THAT(mapping.skips, ElementsAre("a", "b"));
    EXPECT_EQ(mapping.commit_batch, 7U);
    EXPECT_TRUE(mapping.sync_by_timestamp);
    EXPECT_TRUE(mapping.apply_truncate);
    EXPECT_EQ(mapping.on_error, OnError::Park);
    EXPECT_EQ(mapping.outer_adapter_key, "k");
}

TEST(EsMappingTest, FaultsNameFileLineAndKey) {
    EXPECT_THAT(read("destination: d\nesMapping: {}\n").findings, HasSubstr("dataSourceKey: must"));
    EXPECT_THAT(read(kHead + "  _id: x\n  sql: s\n").findings, HasSubstr("esMapping._index: must"));
    EXPECT_THAT(read(kHead + "  _index: x\n  sql: s\n").findings, HasSubstr("esMapping._id: must"));
    EXPECT_THAT(read(kHead + "  _index: x\n  _id: y\n").findings, HasSubstr("esMapping.sql: must"));
    EXPECT_THAT(read("dataSourceKey: a\ndestination: d\n").findings, HasSubstr("esMapping: must"));
    EXPECT_THAT(
        read(kGood + "  relations: {a: {name: n, parent: p}, b: {name: n, parent: q}}\n").findings,
        HasSubstr("es7/t.yml:7: esMapping.relations: a document can have one parent only")
    );
    EXPECT_THAT(
        read(kGood + "  relations:\n    a: {parent: p}\n").findings,
        HasSubstr("es7/t.yml:8: esMapping.relations.a.name: must name")
    );
    const Read unknown = read(kGood + "  _routing: x\n");
    EXPECT_THAT(unknown.findings, HasSubstr("es7/t.yml:7: esMapping._routing: warning: "));
    EXPECT_TRUE(unknown.mapping);
}

}  // namespace
}  // namespace obcanal::adapter::config

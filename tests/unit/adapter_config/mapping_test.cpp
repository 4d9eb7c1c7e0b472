// Mapping files: reading, whose they are, and following their changes.
#include "adapter/config/owned_mappings.h"
#include "adapter/config/rdb_mapping.h"
#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace obcanal::adapter::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct Read {
    std::optional<RdbMapping> mapping;
    std::string findings;
};

Read read(const std::string& text, const Placeholders& placeholders = {}) {
    FindingList list;
    Read result;
    result.mapping = read_rdb_mapping({"t.yml", "rdb/t.yml", text, {}}, placeholders, list);
    for (const Finding& finding : list.take()) result.findings += finding_text(finding) + "\n";
    return result;
}

const std::string kTable = R"(destination: example
dbMapping:
  database: mytest
  table: user
  targetTable: user
  mapAll: true
)";

TEST(RdbMappingTest, SampleOfTheReferenceLoadsUnedited) {
    FindingList findings;
    MappingDirectory directory(std::string(OBCANAL_FIXTURES) + "/adapter-conf/rdb");
    const MappingChanges changes = directory.scan();
    ASSERT_EQ(changes.changed.size(), 1U);
    const auto mapping = read_rdb_mapping(changes.changed[0], {}, findings);
    EXPECT_TRUE(findings.take().empty());
    ASSERT_TRUE(mapping);
    EXPECT_EQ(mapping->task, "mytest_user.yml");
    EXPECT_EQ(mapping->outer_adapter_key, "mysql1");
    EXPECT_EQ(mapping->group_id, "g1");
    EXPECT_TRUE(mapping->concurrent);
    EXPECT_EQ(mapping->target_table, "mytest2.user");
    EXPECT_THAT(mapping->target_pk, ElementsAre(Pair("id", "id")));
    EXPECT_THAT(
        mapping->target_columns,
        ElementsAre(
            Pair("id", ""),
            Pair("name", ""),
            Pair("role_id", ""),
            Pair("c_time", ""),
            Pair("test1", "")
        )
    );
    EXPECT_EQ(mapping->etl_condition, "where c_time>={}");
    EXPECT_EQ(mapping->commit_batch, 3000U);
    EXPECT_EQ(mapping->on_error, OnError::Block);
}

TEST(RdbMappingTest, ColumnNamesAndTextsStayAsTheyStand) {
    const Read result = read(R"(destination: 0123
on-error: park
db-mapping:
  database: on
  table: 1e3
  target_table: t
  targetPk: {"[a.b]": "", Ünicode-Key: a_B}
  targetColumns:
    z.y: yes
    A_b-C: ~
    "": x
---
destination: second document
)");
    EXPECT_THAT(
        result.findings, HasSubstr("rdb/t.yml:9: dbMapping.targetColumns: a column has no")
    );
    const Read good = read(R"(destination: 0123
on-error: park
db-mapping:
  database: on
  table: 1e3
  target_table: t
  targetPk: {"[a.b]": "", Ünicode-Key: a_B}
  targetColumns:
    z.y: yes
    A_b-C: ~
---
destination: second document
)");
    EXPECT_EQ(good.findings, "");
    ASSERT_TRUE(good.mapping);
    EXPECT_EQ(good.mapping->destination, "0123");
    EXPECT_EQ(good.mapping->database, "on");
    EXPECT_EQ(good.mapping->table, "1e3");
    EXPECT_EQ(good.mapping->on_error, OnError::Park);
    EXPECT_THAT(good.mapping->target_pk, ElementsAre(Pair("a.b", ""), Pair("Ünicode-Key", "a_B")));
    EXPECT_THAT(good.mapping->target_columns, ElementsAre(Pair("z.y", "yes"), Pair("A_b-C", "")));
}

TEST(RdbMappingTest, PlaceholdersOfTheApplicationAreKnown) {
    const Placeholders placeholders(Overrides({}, {{"DB", "mytest"}}), {});
    const Read result = read(
        "destination: example\ndbMapping: {database: '${DB}', mirrorDb: true, etlCondition: "
        "'${no}'}\n",
        placeholders
    );
    ASSERT_TRUE(result.mapping) << result.findings;
    EXPECT_EQ(result.mapping->database, "mytest");
    EXPECT_EQ(result.mapping->etl_condition, "${no}");
    EXPECT_TRUE(result.mapping->mirror_db);
}

TEST(RdbMappingTest, FaultsNameFileLineAndKey) {
    EXPECT_THAT(
        read("destination: d\ndbMapping:\n  database: a\n  targetTable: b\n  mapAll: true\n")
            .findings,
        HasSubstr("rdb/t.yml:3: dbMapping.table: must name the source's table")
    );
    EXPECT_THAT(
        read("destination: d\ndbMapping: {database: a, table: t, targetTable: b}\n").findings,
        HasSubstr("dbMapping.targetColumns: must name the columns, or mapAll must be true")
    );
    EXPECT_THAT(read(kTable + "  commitBatch: many\n").findings, HasSubstr("rdb/t.yml:7: "));
    EXPECT_THAT(read(kTable + "onError: skip\n").findings, HasSubstr("must be block or park"));
    EXPECT_THAT(read(kTable + "destination: e\n").findings, HasSubstr("stands here twice"));
    EXPECT_THAT(read("destination: d\n").findings, HasSubstr("dbMapping: must be given"));
    EXPECT_THAT(read("a: b: c\n").findings, HasSubstr("rdb/t.yml:1: YAML: "));
    const Read unknown = read(kTable + "  commitBach: 5\n");
    EXPECT_THAT(unknown.findings, HasSubstr("rdb/t.yml:7: dbMapping.commitBach: warning: "));
    EXPECT_TRUE(unknown.mapping);
}

TEST(MappingOwnerTest, WholeSegmentsAreCompared) {
    MappingOwner generated{{}, "example", "g1"};
    generated.adapter.key = "AUTO_GENERATED_-example-g1-0";
    generated.adapter.generated_key = true;
    EXPECT_TRUE(generated.owns("example", "g1", std::nullopt));
    EXPECT_TRUE(generated.owns("example", std::nullopt, std::nullopt));
    EXPECT_FALSE(generated.owns("example", "g", std::nullopt));
    EXPECT_FALSE(generated.owns("exam", std::nullopt, std::nullopt));
    EXPECT_FALSE(generated.owns("example", "g1", "mysql1"));
    MappingOwner ten = generated;
    ten.group = "g10";
    EXPECT_FALSE(ten.owns("example", "g1", std::nullopt));

    MappingOwner named{{}, "example", "g1"};
    named.adapter.key = "mysql1";
    EXPECT_TRUE(named.owns("example", "g1", "MySQL1"));
    EXPECT_FALSE(named.owns("example", "g1", std::nullopt));
    EXPECT_FALSE(named.owns("other", "g1", "mysql1"));
}

class OwnedMappingsTest : public testing::Test {
 protected:
    OwnedMappingsTest() {
        std::filesystem::create_directories(dir_ + "/below.yml");
        MappingOwner owner{{}, "example", "g1"};
        owner.adapter.generated_key = true;
        mappings_.emplace(dir_, owner, Placeholders(), read_rdb_mapping);
    }

    void write(const std::string& name, const std::string& text) {
        std::ofstream(dir_ + "/" + name) << text;
    }

    // What changed, and what was found.
    std::pair<bool, std::string> refresh() {
        auto result = mappings_->refresh();
        std::string text;
        for (const Finding& finding : result.findings) text += finding_text(finding) + "\n";
        return {result.changed, text};
    }

    const ScratchDir scratch_;
    const std::string dir_ = scratch_.path() + "/owned_mappings";
    std::optional<OwnedMappings<RdbMapping>> mappings_;
};

TEST_F(OwnedMappingsTest, FilesAreFollowed) {
    write("a.yml", kTable);
    write("b.yaml", kTable);
    write("other.yml", "destination: other\ndbMapping: {mirrorDb: true, database: x}\n");
    write("broken.yml", "destination: [\n");
    auto [changed, text] = refresh();
    EXPECT_TRUE(changed);
    EXPECT_THAT(text, HasSubstr("broken.yml: the task is not taken over; the task stands still"));
    ASSERT_EQ(mappings_->mappings().size(), 1U);
    EXPECT_EQ(mappings_->mappings()[0]->task, "a.yml");
    EXPECT_EQ(refresh(), std::make_pair(false, std::string()));

    // A file that was broken at first is taken over once it is right.
    write("broken.yml", kTable + "  targetDb: t2\n");
    EXPECT_EQ(refresh(), std::make_pair(true, std::string()));
    ASSERT_NE(mappings_->find("broken.yml"), nullptr);
    EXPECT_EQ(mappings_->find("broken.yml")->target_db, "t2");

    // A right one that is broken keeps what it was.
    write("a.yml", "destination: example\n");
    std::tie(changed, text) = refresh();
    EXPECT_FALSE(changed);
    EXPECT_THAT(text, HasSubstr("a.yml: the task is not taken over; the mapping that it had"));
    ASSERT_NE(mappings_->find("a.yml"), nullptr);

    // Another's now, and one that is gone.
    write("broken.yml", "destination: other\ndbMapping: {mirrorDb: true, database: x}\n");
    std::filesystem::remove(dir_ + "/a.yml");
    EXPECT_TRUE(refresh().first);
    EXPECT_TRUE(mappings_->mappings().empty());
}

}  // namespace
}  // namespace obcanal::adapter::config

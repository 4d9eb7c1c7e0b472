#include "adapter/es/bulk.h"

#include "adapter/es/bulk_reply.h"
#include "tests/unit/adapter_es/made.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::es {
namespace {

// A mapping with fields _id, name, n, parent, and its target.
struct Made {
    explicit Made(bool upsert = false) {
        task.task = "t.yml";
        task.upsert = upsert;
        plan.task = &task;
        plan.fields = {{"_id", false}, {"name", true}, {"n", true}, {"customer_id", false}};
        target.plan = &plan;
        target.index = "i";
    }

    void render(const IndexMapping& mapping) {
        target.text = std::make_unique<DocumentText>(plan, mapping, TimeZone::utc());
    }

    DocumentChange change(ChangeKind kind, std::string id, std::vector<DocumentField> fields = {}) {
        DocumentChange made;
        made.plan = &plan;
        made.kind = kind;
        made.id = std::move(id);
        made.fields = std::move(fields);
        return made;
    }

    EsTask task;
    MappingPlan plan;
    DocumentTarget target;
};

DocumentField text(uint32_t field, std::string value) {
    return {field, {ValueKind::Text, std::move(value)}};
}

std::string body(const Made& made, const BulkOp& op) {
    std::string to;
    const bool whole = op.action == BulkAction::Index || op.action == BulkAction::Upsert;
    made.target.text->append_fields(to, std::span(op.changes).subspan(op.from), whole);
    return to;
}

TEST(BulkWave, ChangesOfADocumentBecomeOne) {
    Made made;
    made.render({});
    const DocumentChange insert =
        made.change(ChangeKind::Whole, "1", {text(0, "1"), text(1, "a"), text(2, "x")});
    const DocumentChange update = made.change(ChangeKind::Update, "1", {text(1, "b")});
    const DocumentChange other = made.change(ChangeKind::Update, "2", {text(1, "c")});
    const DocumentChange gone = made.change(ChangeKind::Delete, "1");
    BulkWave wave;
    EXPECT_TRUE(wave.add(made.target, insert));
    EXPECT_TRUE(wave.add(made.target, update));
    EXPECT_TRUE(wave.add(made.target, other));
    ASSERT_EQ(wave.ops().size(), 2u);
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Index);
    EXPECT_EQ(body(made, wave.ops()[0]), R"({"name":"b","n":"x"})");
    EXPECT_EQ(wave.ops()[1].action, BulkAction::Update);
    EXPECT_TRUE(wave.add(made.target, gone));
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Delete);
    // Fields can't be put into a document that this wave deletes.
    EXPECT_FALSE(wave.add(made.target, update));
    EXPECT_TRUE(wave.add(made.target, insert));
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Index);
    EXPECT_EQ(body(made, wave.ops()[0]), R"({"name":"a","n":"x"})");
}

TEST(BulkWave, UpsertKeepsWhatOthersWroteUnlessDeleted) {
    Made made(true);
    const DocumentChange insert = made.change(ChangeKind::Whole, "1", {text(1, "a")});
    const DocumentChange update = made.change(ChangeKind::Update, "1", {text(1, "b")});
    const DocumentChange gone = made.change(ChangeKind::Delete, "1");
    BulkWave wave;
    EXPECT_TRUE(wave.add(made.target, update));
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Update);
    EXPECT_TRUE(wave.add(made.target, insert));
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Upsert);
    EXPECT_TRUE(wave.add(made.target, gone));
    EXPECT_TRUE(wave.add(made.target, insert));
    EXPECT_EQ(wave.ops()[0].action, BulkAction::Index);
}

TEST(BulkWave, OtherRoutingAndOtherMappingsComeAfterIt) {
    Made made;
    Made second;
    DocumentChange here = made.change(ChangeKind::Delete, "1");
    DocumentChange there = made.change(ChangeKind::Whole, "1");
    there.routing = "7";
    const DocumentChange of_another = second.change(ChangeKind::Update, "1");
    BulkWave wave;
    EXPECT_TRUE(wave.add(made.target, here));
    EXPECT_FALSE(wave.add(made.target, there));
    EXPECT_EQ(wave.ops().size(), 1u);
    EXPECT_FALSE(wave.add(second.target, of_another));
}

TEST(BulkWave, WhatHasLeftTakesNothingMore) {
    Made made;
    const DocumentChange first = made.change(ChangeKind::Whole, "1");
    const DocumentChange second = made.change(ChangeKind::Whole, "2");
    BulkWave wave;
    EXPECT_TRUE(wave.add(made.target, first));
    EXPECT_TRUE(wave.add(made.target, second));
    EXPECT_EQ(wave.take()->id(), "1");
    EXPECT_EQ(wave.waiting(), 1u);
    EXPECT_FALSE(wave.add(made.target, first));
    EXPECT_TRUE(wave.add(made.target, second));
    EXPECT_EQ(wave.ops().size(), 2u);
    wave.clear();
    EXPECT_EQ(wave.waiting(), 0u);
    EXPECT_TRUE(wave.add(made.target, first));
}

TEST(BulkWave, KeepsTheChangesThatAreBeingAdded) {
    Made made;
    BulkWave wave;
    wave.keep({made.change(ChangeKind::Whole, "1")});
    const std::vector<DocumentChange>& kept = wave.keep({made.change(ChangeKind::Whole, "2")});
    wave.clear();
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].id, "2");
}

TEST(BulkWave, HasADocumentWhateverItsMappingAndRoutingUntilItIsDone) {
    Made made;
    Made others;
    DocumentChange change = made.change(ChangeKind::Update, "1");
    BulkWave wave;
    EXPECT_FALSE(wave.has(made.target, change));
    EXPECT_TRUE(wave.add(made.target, change));
    wave.take();
    EXPECT_TRUE(wave.has(made.target, change));
    change.routing = "7";
    EXPECT_TRUE(wave.has(others.target, change));
    EXPECT_FALSE(wave.has(made.target, made.change(ChangeKind::Update, "2")));
    others.target.index = "other";
    EXPECT_FALSE(wave.has(others.target, change));
    wave.clear();
    EXPECT_FALSE(wave.has(made.target, change));
}

TEST(BulkWave, DocumentsOfOneHashAreTwo) {
    Made made;
    const auto [first, second] = two_of_one_hash();
    const DocumentChange one = made.change(ChangeKind::Whole, first);
    const DocumentChange other = made.change(ChangeKind::Delete, second);
    BulkWave wave;
    EXPECT_TRUE(wave.add(made.target, one));
    EXPECT_FALSE(wave.has(made.target, other));
    EXPECT_TRUE(wave.add(made.target, other));
    ASSERT_EQ(wave.ops().size(), 2u);
    EXPECT_EQ(wave.ops()[0].id(), first);
    EXPECT_EQ(wave.ops()[1].id(), second);
}

TEST(DocumentText, DocumentsAreOwnedWhereTheIndexHasNoOtherFields) {
    Made made;
    IndexMapping index;
    EXPECT_TRUE(owns_documents(made.plan, index));
    index.types = {{"name", EsType::Text}, {"n", EsType::Text}};
    EXPECT_TRUE(owns_documents(made.plan, index));
    index.hides_fields = true;
    EXPECT_FALSE(owns_documents(made.plan, index));
    index.hides_fields = false;
    // One of `skips` may be somebody else's as well.
    index.types.emplace("customer_id", EsType::Text);
    EXPECT_FALSE(owns_documents(made.plan, index));
    made.task.relations = {{"customer_id", "order", ""}};
    EXPECT_TRUE(owns_documents(made.plan, index));
    index.types.emplace("tags", EsType::Text);
    EXPECT_FALSE(owns_documents(made.plan, index));
    index.types.erase("tags");
    made.task.upsert = true;
    EXPECT_FALSE(owns_documents(made.plan, index));
}

TEST(DocumentText, RelationsStandInWholeDocumentsOnly) {
    Made made;
    made.task.relations = {{"customer_order", "order", "customer_id"}};
    made.render({});
    const DocumentChange insert =
        made.change(ChangeKind::Whole, "1", {text(0, "1"), text(1, "a"), text(3, "7")});
    BulkWave wave;
    ASSERT_TRUE(wave.add(made.target, insert));
    EXPECT_EQ(
        body(made, wave.ops()[0]), R"({"name":"a","customer_order":{"name":"order","parent":"7"}})"
    );
    const DocumentChange update = made.change(ChangeKind::Update, "2", {text(1, "b")});
    wave.clear();
    ASSERT_TRUE(wave.add(made.target, update));
    EXPECT_EQ(body(made, wave.ops()[0]), R"({"name":"b"})");
}

TEST(DocumentText, ActionLines) {
    std::string line;
    append_action(line, {BulkAction::Index, "i", "", "a\"1", "7", 5, {}});
    EXPECT_EQ(
        line,
        R"({"index":{"_index":"i","_id":"a\"1","routing":"7","version":5,"version_type":"external_gte"}})"
        "\n"
    );
    line.clear();
    const DocumentState before{true, 12, 2, 34, {}};
    append_action(line, {BulkAction::Update, "i", "_doc", "1", "", 5, before});
    append_action(line, {BulkAction::Update, "i", "", "1", "", 5, before});
    append_action(line, {BulkAction::Upsert, "i", "", "1", "", 5, {}});
    append_action(line, {BulkAction::Delete, "i", "", "1", "", 5, {}});
    append_action(line, {BulkAction::Delete, "i", "", "1", "", 5, before});
    EXPECT_EQ(
        line,
        R"({"update":{"_index":"i","_type":"_doc","_id":"1","version":34}})"
        "\n"
        R"({"update":{"_index":"i","_id":"1","if_seq_no":12,"if_primary_term":2}})"
        "\n"
        R"({"create":{"_index":"i","_id":"1"}})"
        "\n"
        R"({"delete":{"_index":"i","_id":"1","version":5,"version_type":"external_gte"}})"
        "\n"
        R"({"delete":{"_index":"i","_id":"1","if_seq_no":12,"if_primary_term":2}})"
        "\n"
    );
    line.clear();
    append_document(line, {BulkAction::Update, "i", "", "1", "7", 0, {}});
    EXPECT_EQ(line, R"({"_index":"i","_id":"1","routing":"7"})");
}

TEST(BulkReply, EveryItemIsRead) {
    const auto items = read_bulk_reply(
        R"({"took":3,"errors":true,"items":[{"index":{"_id":"1","status":201}},)"
        R"({"update":{"status":404,"error":{"type":"document_missing_exception","reason":"[1]: document missing"}}},)"
        R"({"delete":{"status":404}},)"
        R"({"index":{"status":409,"error":{"type":"version_conflict_engine_exception",)"
        R"("reason":"[1]: version conflict, current version [12] is higher than the one provided [7]"}}},)"
        R"({"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},)"
        R"({"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"read-only"}}},)"
        R"({"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed",)"
        R"("caused_by":{"type":"illegal_argument_exception","reason":"For input string"}}}},)"
        R"({"index":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index"}}},)"
        R"({"index":{"status":500,"error":"odd"}}]})",
        9
    );
    ASSERT_TRUE(items.ok()) << items.error().detail;
    const std::vector<ItemOutcome> expected{
        ItemOutcome::Done,
        ItemOutcome::Missing,
        ItemOutcome::Done,
        ItemOutcome::Stale,
        ItemOutcome::Again,
        ItemOutcome::Again,
        ItemOutcome::Refused,
        ItemOutcome::Blocked,
        ItemOutcome::Again,
    };
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(outcome_of((*items)[i]), expected[i]) << i;
    EXPECT_EQ(current_version((*items)[3].reason), 12u);
    EXPECT_EQ((*items)[6].reason, "failed: For input string");
}

TEST(BulkReply, WhereAllWentWell) {
    constexpr std::string_view kReply =
        R"({"errors":false,"items":[{"index":{"status":201}},{"delete":{"status":404}}]})";
    const auto items = read_bulk_reply(kReply, 2);
    ASSERT_TRUE(items.ok()) << items.error().detail;
    ASSERT_EQ(items->size(), 2u);
    EXPECT_EQ((*items)[0].status, 201);
    EXPECT_EQ((*items)[1].status, 404);
    EXPECT_EQ(outcome_of((*items)[1]), ItemOutcome::Done);
    EXPECT_FALSE(read_bulk_reply(kReply, 1).ok());
    EXPECT_FALSE(read_bulk_reply(kReply, 3).ok());
    EXPECT_FALSE(read_bulk_reply(kReply.substr(0, kReply.size() - 1), 2).ok());
    EXPECT_FALSE(read_bulk_reply(std::string(kReply) + "}", 2).ok());
    // Something that is not known is read all the same.
    const auto more =
        read_bulk_reply(R"({"errors":false,"items":[{"index":{"status":200,"x":[1]}}],"y":2})", 1);
    ASSERT_TRUE(more.ok()) << more.error().detail;
    EXPECT_EQ((*more)[0].status, 200);
}

TEST(BulkReply, StatesOfDocuments) {
    const auto states = read_states(
        R"({"docs":[{"_index":"i","_id":"1","_version":7,"_seq_no":3,"_primary_term":2,"found":true},)"
        R"({"_index":"i","_id":"2","found":false},)"
        R"({"_index":"x","_id":"3","error":{"type":"index_not_found_exception","reason":"no such index"}},)"
        R"({"_index":"i","_id":"4","error":{"type":"no_shard_available_action_exception","reason":"[i][0]"}},)"
        R"({"_index":"i","_type":"_doc","_id":"5","_version":9,"found":true}]})",
        5
    );
    ASSERT_TRUE(states.ok()) << states.error().detail;
    EXPECT_TRUE((*states)[0].found);
    EXPECT_EQ((*states)[0].version, 7);
    EXPECT_EQ((*states)[0].seq_no, 3);
    EXPECT_EQ((*states)[0].primary_term, 2);
    EXPECT_FALSE((*states)[1].found);
    EXPECT_FALSE((*states)[2].found);
    EXPECT_EQ((*states)[2].error.type, "");
    EXPECT_EQ(outcome_of((*states)[3].error), ItemOutcome::Again);
    EXPECT_EQ((*states)[4].version, 9);
    EXPECT_FALSE(read_states("", 0));
    EXPECT_FALSE(read_states("{}", 0));
    EXPECT_FALSE(read_states(R"({"docs":[{}]})", 1));
    EXPECT_FALSE(read_states(R"({"docs":[{"found":true,"_version":"x"}]})", 1));
    EXPECT_FALSE(read_states(R"({"docs":[{"found":false}]})", 2));
}

TEST(BulkReply, WhatIsNoReplyIsAnError) {
    EXPECT_FALSE(read_bulk_reply("", 0));
    EXPECT_FALSE(read_bulk_reply("{}", 0));
    EXPECT_FALSE(read_bulk_reply(R"({"items":[{"index":{}}]})", 1));
    EXPECT_FALSE(read_bulk_reply(R"({"items":[{}]})", 1));
    EXPECT_FALSE(read_bulk_reply(R"({"items":[{"index":{"status":200}}]})", 2));
    EXPECT_EQ(current_version("current version [99999999999999999999999]"), 0u);
}

TEST(BulkSize, LessWhenTooMuchMoreWhenFast) {
    BulkSize size;
    EXPECT_EQ(size.actions(), 1'000u);
    size.rejected();
    EXPECT_EQ(size.actions(), 500u);
    size.answered(500, std::chrono::milliseconds(10));
    EXPECT_EQ(size.actions(), 625u);
    size.answered(100, std::chrono::milliseconds(10));
    EXPECT_EQ(size.actions(), 625u);
    size.answered(625, std::chrono::seconds(10));
    EXPECT_EQ(size.actions(), 312u);
    while (size.too_large()) {
    }
    EXPECT_GE(size.bytes(), 8u << 10);
}

}  // namespace
}  // namespace obcanal::adapter::es

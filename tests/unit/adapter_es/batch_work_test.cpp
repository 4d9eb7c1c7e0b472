// Which documents a batch touches, and which of them the images of rows tell (golden scenarios 41
// to 62 of client-adapter, as far as no source is asked).
#include "adapter/es/batch_work.h"

#include "tests/unit/adapter_es/made.h"

namespace obcanal::adapter::es {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BatchWorkTest : public testing::Test {
 protected:
    BatchWorkTest() {
        rows_.table("user", {{"id", "int(11)"}, {"name", "varchar(20)"}, {"role_id", "int(11)"}});
        rows_.table("role", {{"id", "int(11)"}, {"role_name", "varchar(20)"}, {"rank", "int(11)"}});
        rows_.table("label", {{"id", "int(11)"}, {"user_id", "int(11)"}, {"label", "varchar(9)"}});
    }

    // What is done at once, and what is read back: "read 1 (name)", "role 2 (role_name)".
    std::vector<std::string> collect(MadePlan& made, const std::set<std::string>& replaced = {}) {
        BatchWork work;
        work.set_plans({&made.plan()});
        work.clear(replaced);
        const Result<void> done = work.collect(rows_.batch());
        std::vector<std::string> all;
        if (!done) all.push_back(done.error().detail);
        const PlanWork& one = work.works().front();
        if (one.truncate) all.emplace_back("truncate");
        for (const KeyWork& key : one.keys) {
            if (!key.read) {
                all.push_back(text_of(direct_change(one, key)));
                continue;
            }
            std::string text = key.whole ? "read whole" : "read";
            for (const FieldValue& value : key.key) text += " " + value.text;
            all.push_back(text + (key.whole ? "" : names(made.plan(), key.changed)));
        }
        for (const auto& [use, parents] : one.parents) {
            for (const ParentWork& parent : parents) {
                std::string text = made.plan().uses[use].table;
                for (const FieldValue& value : parent.values) text += " " + value.text;
                if (parent.select) text += " comes or goes";
                all.push_back(text + names(made.plan(), parent.changed));
            }
        }
        return all;
    }

    static std::string names(const MappingPlan& plan, const FieldSet& fields) {
        std::string text;
        for (size_t i = 0; i < plan.fields.size(); ++i) {
            if (fields[i]) text += (text.empty() ? "" : " ") + plan.fields[i].name;
        }
        return " (" + text + ")";
    }

    MadeRows rows_;
    MadePlan single_{"select a.id as _id, a.name, 1 as kind, 'x' as src from user a"};
    MadePlan join_{
        "select a.id as _id, a.name, a.role_id, b.role_name from user a left join role b on "
        "b.id=a.role_id"
    };
    MadePlan labels_{
        "select a.id as _id, a.name, c.labels from user a left join (select user_id, "
        "group_concat(label order by id desc separator ';') as labels from label where label <> '' "
        "group by user_id) c on c.user_id=a.id"
    };
};

TEST_F(BatchWorkTest, KeysOfOneHashAreTwo) {
    MadePlan made("select a.id as _id, a.name from user a");
    const auto [first, second] = two_of_one_hash();
    rows_.insert("user", {first.c_str(), "a", "1"});
    rows_.insert("user", {second.c_str(), "b", "1"});
    rows_.update("user", {first.c_str(), "a", "1"}, {first.c_str(), "c", "1"});
    EXPECT_THAT(
        collect(made),
        ElementsAre(
            "Whole " + first + " _id=" + first + " name=c",
            "Whole " + second + " _id=" + second + " name=b"
        )
    );
}

TEST_F(BatchWorkTest, OneTableNeedsNoReading) {
    rows_.insert("user", {"1", "a", "2"});
    rows_.update("user", {"2", "a", "2"}, {"2", "b", "2"});
    rows_.update("user", {"3", "a", "2"}, {"3", "a", "9"});
    rows_.remove("user", {"4", "a", nullptr});
    rows_.update("user", {"5", "a", "1"}, {"6", "a", "1"});
    EXPECT_THAT(
        collect(single_),
        ElementsAre(
            "Whole 1 _id=1 name=a kind=1 src=x",
            "Update 2 name=b",
            "Delete 4",
            "Delete 5",
            "Whole 6 _id=6 name=a kind=1 src=x"
        )
    );
}

TEST_F(BatchWorkTest, DocumentsThatNobodyElseWritesAreAlwaysWhole) {
    rows_.update("user", {"2", "a", "2"}, {"2", "b", "2"});
    rows_.update("user", {"3", "a", "2"}, {"3", "a", "9"});
    EXPECT_THAT(collect(single_, {"t.yml"}), ElementsAre("Whole 2 _id=2 name=b kind=1 src=x"));
    EXPECT_THAT(collect(join_, {"t.yml"}), ElementsAre("read whole 2", "read whole 3"));
    EXPECT_THAT(collect(single_, {"other.yml"}), ElementsAre("Update 2 name=b"));
    rows_.add(canal::EventType::Truncate, "user").is_ddl = true;
    single_.task().apply_truncate = true;
    rows_.update("user", {"4", "a", "2"}, {"4", "b", "2"});
    EXPECT_THAT(
        collect(single_, {"t.yml"}), ElementsAre("truncate", "Whole 4 _id=4 name=b kind=1 src=x")
    );
}

TEST_F(BatchWorkTest, ChangesOfOneDocumentAreOne) {
    rows_.insert("user", {"1", "a", "2"});
    rows_.update("user", {"1", "a", "2"}, {"1", "b", "2"});
    rows_.update("user", {"2", "a", "2"}, {"2", nullptr, "2"});
    rows_.update("user", {"2", nullptr, "2"}, {"2", "c", "2"});
    rows_.insert("user", {"3", "a", "2"});
    rows_.remove("user", {"3", "a", "2"});
    rows_.remove("user", {"4", "a", "2"});
    rows_.insert("user", {"4", "z", "2"});
    EXPECT_THAT(
        collect(single_),
        ElementsAre(
            "Whole 1 _id=1 name=b kind=1 src=x",
            "Update 2 name=c",
            "Delete 3",
            "Whole 4 _id=4 name=z kind=1 src=x"
        )
    );
}

TEST_F(BatchWorkTest, AliasesQuotesAndCaseDoNotMatter) {
    MadePlan plain("select id as _id, `Name` from `user`");
    MadePlan quoted("select u.`id` as `_id`, u.NAME as name from t.`USER` u");
    rows_.insert("user", {"1", "a", "2"});
    EXPECT_THAT(collect(plain), ElementsAre("Whole 1 _id=1 Name=a"));
    EXPECT_THAT(collect(quoted), ElementsAre("Whole 1 _id=1 name=a"));
}

TEST_F(BatchWorkTest, RowsThatMayShareADocumentAreReadBack) {
    MadePlan by_role("select a.role_id as _id, a.name from user a");
    rows_.insert("user", {"1", "a", "2"});
    rows_.remove("user", {"2", "a", "3"});
    rows_.insert("user", {"3", "a", nullptr});
    EXPECT_THAT(collect(by_role), ElementsAre("read whole 2", "read whole 3"));
}

TEST_F(BatchWorkTest, MainRowsOfJoins) {
    rows_.insert("user", {"1", "a", "2"});
    rows_.update("user", {"2", "a", "2"}, {"2", "b", "2"});
    rows_.update("user", {"3", "a", "2"}, {"3", "a", "3"});
    rows_.update("user", {"4", "a", "2"}, {"4", "b", "3"});
    rows_.remove("user", {"5", "a", "2"});
    EXPECT_THAT(
        collect(join_),
        ElementsAre(
            "read whole 1",
            "Update 2 name=b",
            "read 3 (role_id role_name)",
            "read 4 (name role_id role_name)",
            "Delete 5"
        )
    );
}

TEST_F(BatchWorkTest, JoinedRowsTouchBothSides) {
    rows_.insert("role", {"1", "x", "0"});
    rows_.update("role", {"2", "x", "0"}, {"2", "y", "0"});
    rows_.update("role", {"3", "x", "0"}, {"3", "x", "9"});
    rows_.update("role", {"4", "x", "0"}, {"5", "x", "0"});
    rows_.remove("role", {"6", "x", "0"});
    EXPECT_THAT(
        collect(join_),
        ElementsAre(
            "role 1 (role_name)",
            "role 2 (role_name)",
            "role 5 (role_name)",
            "role 4 (role_name)",
            "role 6 (role_name)"
        )
    );
}

TEST_F(BatchWorkTest, TheForeignKeyNeedNotBeSelected) {
    MadePlan made(
        "select a.id as _id, b.id as rid, b.role_name from user a left join role b on "
        "b.id=a.role_id"
    );
    rows_.update("user", {"3", "a", "2"}, {"3", "a", "3"});
    rows_.update("user", {"4", "a", "2"}, {"4", "b", "2"});
    EXPECT_THAT(collect(made), ElementsAre("read 3 (rid role_name)"));
}

TEST_F(BatchWorkTest, DerivedTablesByTheirGroups) {
    rows_.insert("label", {"1", "7", "a"});
    rows_.update("label", {"2", "7", "a"}, {"2", "8", "a"});
    rows_.update("label", {"3", "9", "a"}, {"3", "9", "b"});
    rows_.remove("label", {"4", "10", "a"});
    rows_.remove("label", {"5", nullptr, "a"});
    EXPECT_THAT(
        collect(labels_),
        ElementsAre("label 7 (labels)", "label 8 (labels)", "label 9 (labels)", "label 10 (labels)")
    );
}

TEST_F(BatchWorkTest, ChainsReachWhatHangsOnThem) {
    MadePlan made(
        "select a.id as _id, b.role_name, c.label from user a left join role b on b.id=a.role_id "
        "left join label c on c.user_id=b.rank"
    );
    rows_.update("role", {"1", "x", "1"}, {"1", "x", "2"});
    rows_.update("role", {"2", "x", "1"}, {"2", "y", "1"});
    rows_.update("user", {"3", "a", "2"}, {"3", "a", "3"});
    EXPECT_THAT(
        collect(made),
        ElementsAre("read 3 (role_name label)", "role 1 (label)", "role 2 (role_name)")
    );
}

TEST_F(BatchWorkTest, SelfJoinsAreBoth) {
    MadePlan made(
        "select a.id as _id, a.name, p.name as parent from user a left join user p on "
        "p.id=a.role_id"
    );
    rows_.update("user", {"1", "a", "2"}, {"1", "b", "2"});
    EXPECT_THAT(collect(made), ElementsAre("Update 1 name=b", "user 1 (parent)"));
}

TEST_F(BatchWorkTest, ConditionsMakeDocumentsComeAndGo) {
    MadePlan where("select a.id as _id, a.name from user a where a.role_id > 1");
    rows_.update("user", {"1", "a", "2"}, {"1", "a", "0"});
    rows_.update("user", {"2", "a", "2"}, {"2", "b", "2"});
    EXPECT_THAT(collect(where), ElementsAre("read whole 1", "read 2 (name)"));
    MadePlan inner("select a.id as _id, b.role_name from user a join role b on b.id=a.role_id");
    rows_.clear();
    rows_.remove("role", {"6", "x", "0"});
    rows_.update("role", {"7", "x", "0"}, {"7", "y", "0"});
    EXPECT_THAT(
        collect(inner), ElementsAre("role 6 comes or goes (role_name)", "role 7 (role_name)")
    );
}

TEST_F(BatchWorkTest, GroupsAreReadWhole) {
    MadePlan made(
        "select a.role_id as _id, count(*) as n, max(b.label) as top from user a left join label b "
        "on b.user_id=a.id group by a.role_id"
    );
    rows_.update("user", {"1", "a", "2"}, {"1", "b", "3"});
    rows_.update("user", {"2", "a", "7"}, {"2", "b", "7"});
    rows_.update("label", {"5", "1", "x"}, {"5", "1", "y"});
    EXPECT_THAT(
        collect(made), ElementsAre("read whole 2", "read whole 3", "label 1 comes or goes (top)")
    );
}

TEST_F(BatchWorkTest, MadeIdsAreReadBack) {
    MadePlan made("select concat('u_', a.id) as _id, a.name from user a");
    rows_.insert("user", {"1", "a", "2"});
    rows_.update("user", {"2", "a", "2"}, {"2", "b", "2"});
    rows_.remove("user", {"3", "a", "2"});
    EXPECT_THAT(collect(made), ElementsAre("read whole 1", "read 2 (name)", "read whole 3"));
}

TEST_F(BatchWorkTest, ParentsAreRouting) {
    MadePlan made("select a.id as _id, a.name, a.role_id from user a");
    made.task().relations = {{"join", "order", "role_id"}};
    rows_.insert("user", {"1", "a", "7"});
    rows_.update("user", {"2", "a", "7"}, {"2", "b", "7"});
    rows_.update("user", {"3", "a", "7"}, {"3", "a", "8"});
    rows_.remove("user", {"4", "a", "7"});
    EXPECT_THAT(
        collect(made),
        ElementsAre(
            "Whole 1@7 _id=1 name=a role_id=7",
            "Update 2@7 name=b",
            "Delete 3@7",
            "Whole 3@8 _id=3 name=a role_id=8",
            "Delete 4@7"
        )
    );
}

TEST_F(BatchWorkTest, TruncateEmptiesWhatCameBefore) {
    rows_.insert("user", {"1", "a", "7"});
    rows_.add(canal::EventType::Truncate, "user").is_ddl = true;
    rows_.insert("user", {"2", "a", "7"});
    EXPECT_THAT(
        collect(single_),
        ElementsAre("Whole 1 _id=1 name=a kind=1 src=x", "Whole 2 _id=2 name=a kind=1 src=x")
    );
    MadePlan applied("select a.id as _id from user a");
    applied.task().apply_truncate = true;
    EXPECT_THAT(collect(applied), ElementsAre("truncate", "Whole 2 _id=2"));
}

TEST_F(BatchWorkTest, ValuesThatWereNotLoggedAreReadBackOrNamed) {
    rows_.update("user", {"1", "a", "7"}, {"1", "b", "7"});
    core::DmlBatch batch = rows_.batch();
    std::vector<core::DmlValue> before(
        batch.dmls[0].rows[0].before.begin(), batch.dmls[0].rows[0].before.end()
    );
    std::vector<core::DmlValue> after(
        batch.dmls[0].rows[0].after.begin(), batch.dmls[0].rows[0].after.end()
    );
    core::Dml minimal = batch.dmls[0];
    before[1].state = core::ValueState::Unknown;
    after[0].state = core::ValueState::Unknown;
    minimal.rows = {{before, after}};
    batch.dmls = std::span(&minimal, 1);
    BatchWork work;
    work.set_plans({&single_.plan()});
    ASSERT_TRUE(work.collect(batch));
    EXPECT_EQ(text_of(direct_change(work.works()[0], work.works()[0].keys[0])), "Update 1 name=b");
    before[0].state = core::ValueState::Unknown;
    work.clear();
    const Result<void> unknown = work.collect(batch);
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().detail, HasSubstr("binlog_row_image has to be FULL"));
}

TEST_F(BatchWorkTest, WholeDocumentsOfImages) {
    rows_.update("user", {"1", "a", "7"}, {"1", "b", "7"});
    const core::DmlBatch batch = rows_.batch();
    DocumentChange change;
    change.plan = &single_.plan();
    change.kind = ChangeKind::Update;
    change.id = "1";
    change.cause = &batch.dmls[0];
    EXPECT_TRUE(whole_from_image(change));
    EXPECT_EQ(text_of(change), "Whole 1 _id=1 name=b kind=1 src=x");
    change.plan = &join_.plan();
    EXPECT_FALSE(whole_from_image(change));
}

}  // namespace
}  // namespace obcanal::adapter::es

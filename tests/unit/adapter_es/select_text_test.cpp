// Statements that read documents back: the user's text with conditions put in.
#include "adapter/es/select_text.h"

#include "tests/unit/adapter_es/made.h"

namespace obcanal::adapter::es {
namespace {

std::vector<FieldValue> number(const char* text) { return {{ValueKind::Integer, text}}; }

TEST(SelectTextTest, KeysInBatches) {
    MadePlan made("select a.id as _id, a.name from user a -- all of them\n");
    Condition condition = key_condition(made.plan());
    condition.values = {number("1"), number("22")};
    EXPECT_EQ(
        select_documents(made.plan(), {}, condition),
        "SELECT a.id AS `_id`,a.name AS `name`,`a`.`id` AS `obcanal key 0` FROM user a WHERE "
        "`a`.`id` IN (1,22)"
    );
    condition.values = {{{ValueKind::Text, "O'Brien"}}, {FieldValue()}};
    EXPECT_EQ(condition.text(), "((`a`.`id`<=>_utf8mb4 X'4f27427269656e') OR (`a`.`id`<=>NULL))");
}

TEST(SelectTextTest, NumbersWithoutAGapAreARange) {
    MadePlan made("select a.id as _id, b.name from user a left join role b on b.id = a.role_id");
    Condition condition = key_condition(made.plan());
    for (int i = 20; i > 0; --i) condition.values.push_back(number(std::to_string(i - 9).c_str()));
    EXPECT_EQ(condition.text(), "`a`.`id` BETWEEN -8 AND 11");
    const auto list_with = [&condition](const std::vector<FieldValue>& value) {
        Condition changed = condition;
        changed.values[7] = value;
        return changed.text();
    };
    EXPECT_THAT(list_with(number("12")), testing::StartsWith("`a`.`id` IN ("));  // 4 is missing
    EXPECT_THAT(list_with(number("5")), testing::StartsWith("`a`.`id` IN ("));  // it is there twice
    EXPECT_THAT(list_with({FieldValue()}), testing::StartsWith("((`a`.`id`<=>11)"));
    EXPECT_THAT(list_with({{ValueKind::Text, "4"}}), testing::StartsWith("`a`.`id` IN ("));
    EXPECT_THAT(list_with(number("18446744073709551615")), testing::StartsWith("`a`.`id` IN ("));
    condition.values.resize(15);
    EXPECT_THAT(condition.text(), testing::StartsWith("`a`.`id` IN ("));
}

// What a joined table's rows are joined to may be of another type: '1.5' is between 1 and 2.
TEST(SelectTextTest, JoinedValuesAreAList) {
    MadePlan made("select a.id as _id, b.name from user a left join role b on b.id = a.role_id");
    Condition condition = parent_condition(made.plan().uses.at(1));
    for (int i = 0; i < 20; ++i) condition.values.push_back(number(std::to_string(i).c_str()));
    EXPECT_THAT(condition.text(), testing::StartsWith("`a`.`role_id` IN (0,1,10,"));
}

TEST(SelectTextTest, ConditionsOfTheirOwnStay) {
    MadePlan made(
        "select distinct a.id, a.f, count(*) as n from t a where a.x = 1 or a.y = 2 group by a.id, "
        "a.k order by n",
        "id"
    );
    Condition condition = key_condition(made.plan());
    condition.values = {number("1")};
    EXPECT_EQ(
        select_documents(made.plan(), {false, true, false}, condition),
        "SELECT DISTINCT a.id AS `id`,(a.f)+0E0 AS `f`,count(*) AS `n`,`a`.`id` AS `obcanal key 0` "
        "FROM t a where (a.x = 1 or a.y = 2) AND `a`.`id` IN (1) group by a.id, a.k order by n"
    );
    EXPECT_EQ(
        select_part(
            made.plan(), {}, "(a.c > 5)", {"id", "k"}, {number("1")[0], number("2")[0]}, 10
        ),
        "SELECT DISTINCT a.id AS `id`,a.f AS `f`,count(*) AS `n`,`a`.`id` AS `obcanal key 0`,"
        "`a`.`id` AS `obcanal key 1`,`a`.`k` AS `obcanal key 2` FROM t a where (a.x = 1 or a.y = "
        "2) AND (a.c > 5) AND ((`a`.`id`>1) OR (`a`.`id`=1 AND `a`.`k`>2)) group by a.id, a.k "
        "ORDER BY `a`.`id`,`a`.`k` LIMIT 10"
    );
}

const std::string kLabels =
    "select a.id as _id, c.labels from user a left join role b on b.id = a.role_id left join "
    "(select l.user_id, group_concat(l.label) labels from label l where l.x or l.y group by "
    "l.user_id) c on c.user_id = a.KEY";

std::string labels_by(const std::string& column) {
    std::string sql = kLabels;
    return sql.replace(sql.find("KEY"), 3, column);
}

TEST(SelectTextTest, DerivedTablesAreRestrictedToo) {
    MadePlan by_id(labels_by("id"));
    Condition condition = key_condition(by_id.plan());
    condition.values = {number("1"), number("2")};
    EXPECT_THAT(
        select_documents(by_id.plan(), {}, condition),
        testing::HasSubstr(
            "where (l.x or l.y) AND l.user_id IN (1,2) group by l.user_id) c on c.user_id = a.id "
            "WHERE `a`.`id` IN (1,2)"
        )
    );
    // By a column that isn't the key: whatever the documents have there.
    MadePlan by_role(labels_by("role_id"));
    condition = key_condition(by_role.plan());
    condition.values = {number("1")};
    EXPECT_THAT(
        select_documents(by_role.plan(), {}, condition),
        testing::HasSubstr(
            "where (l.x or l.y) AND l.user_id IN (SELECT `a`.`role_id` FROM user a WHERE `a`.`id` "
            "IN (1)) group by l.user_id) c on c.user_id = a.role_id WHERE `a`.`id` IN (1)"
        )
    );
    condition = parent_condition(by_role.plan().uses[1]);
    condition.values = {number("7")};
    EXPECT_THAT(
        select_documents(by_role.plan(), {}, condition),
        testing::HasSubstr("AND l.user_id IN (7) group by l.user_id) c on c.user_id = a.role_id "
                           "WHERE `a`.`role_id` IN (7)")
    );
}

TEST(SelectTextTest, KeysOfWhatIsJoined) {
    MadePlan made(
        "select a.id as _id, c.v from t a join u b on b.id = a.b_id join w c on c.x = a.x and c.y "
        "= b.y"
    );
    Condition condition = parent_condition(made.plan().uses[2]);
    condition.values = {{number("1")[0], number("2")[0]}};
    EXPECT_EQ(
        select_keys(made.plan(), condition),
        "SELECT DISTINCT `a`.`id` FROM t a join u b on b.id = a.b_id WHERE (`a`.`x`,`b`.`y`) IN "
        "((1,2))"
    );
}

TEST(SelectTextTest, IdsOfRowsThatAreGone) {
    MadePlan made("select concat(t.a, '-', t.b) as _id from db.tab t");
    const std::vector<std::vector<FieldValue>> keys{
        {{ValueKind::Text, "x"}, {ValueKind::Integer, "1"}}, {FieldValue(), {ValueKind::Bytes, "z"}}
    };
    EXPECT_EQ(
        evaluate_ids(made.plan(), keys),
        "SELECT concat(t.a, '-', t.b),NULL,`obcanal row` FROM (SELECT `a`,`b`,0 AS `obcanal row` "
        "FROM `db`.`tab` WHERE 1=0 UNION ALL SELECT _utf8mb4 X'78',1,0 UNION ALL SELECT NULL,X'7a'"
        ",1) `t`"
    );
}

TEST(SelectTextTest, TypesWithoutRows) {
    MadePlan made("select a.id as _id from t a");
    EXPECT_EQ(
        probe_types(made.plan()),
        "SELECT a.id AS `_id`,`a`.`id` AS `obcanal key 0` FROM t a WHERE 1=0 LIMIT 0"
    );
}

}  // namespace
}  // namespace obcanal::adapter::es

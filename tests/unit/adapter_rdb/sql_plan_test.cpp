#include "adapter/rdb/sql_plan.h"

#include "adapter/rdb/sql_text.h"
#include "made.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace obcanal::adapter::rdb {
namespace {

std::string statement(
    SqlPlan& plan, const core::Dml& dml, OpKind kind, SqlFamily family = SqlFamily::Mysql
) {
    const core::DmlRow& row = dml.rows.front();
    const Shape& shape = *plan.shapes[plan.shape_of(row, kind)];
    std::string sql;
    switch (kind) {
        case OpKind::Insert:
            append_insert_head(sql, plan, shape);
            append_insert_row(sql, family, plan, shape, row);
            break;
        case OpKind::Update: append_update(sql, family, plan, shape, row); break;
        case OpKind::Delete: append_delete(sql, family, plan, row); break;
    }
    return sql;
}

TEST(SqlPlan, ShapesThatHaveToBeMadeAreNotKnown) {
    MadeDmls dmls;
    const config::RdbMapping mapping = made_mapping();
    const core::Dml& insert = dmls.insert("1", "a", "2");
    const core::Dml& update = dmls.update({"1", "a", "2"}, {"1", "b", "2"});
    const core::Dml& other = dmls.update({"1", "a", "2"}, {"1", "a", "3"});
    auto plan = make_plan(mapping, insert, made_target(), {});
    ASSERT_TRUE(plan.ok()) << plan.error().detail;
    EXPECT_EQ((*plan)->known_shape(insert.rows[0], OpKind::Insert), 1U);
    // That of all columns is there, but for INSERT only.
    const size_t shapes = (*plan)->shapes.size();
    EXPECT_EQ((*plan)->known_shape(insert.rows[0], OpKind::Update), std::nullopt);
    EXPECT_EQ((*plan)->known_shape(update.rows[0], OpKind::Update), std::nullopt);
    EXPECT_EQ((*plan)->shapes.size(), shapes);
    const uint32_t made = (*plan)->shape_of(update.rows[0], OpKind::Update);
    EXPECT_EQ((*plan)->known_shape(update.rows[0], OpKind::Update), made);
    EXPECT_EQ((*plan)->known_shape(other.rows[0], OpKind::Update), std::nullopt);
    EXPECT_EQ((*plan)->known_shape(dmls.remove("1", "a", "2").rows[0], OpKind::Delete), 0U);
}

TEST(SqlPlan, RenamedColumnsAndKeys) {
    MadeDmls dmls;
    config::RdbMapping mapping = made_mapping();
    mapping.map_all = false;
    mapping.target_pk = {{"uid", "id"}};
    mapping.target_columns = {{"uid", "id"}, {"uname", "name"}, {"again", "name"}};
    TargetTable target = made_target();
    target.columns = {
        {"uid", "int", "int", false},
        {"uname", "varchar", "varchar(9)", false},
        {"again", "varchar", "varchar(9)", false}
    };
    target.unique = {{"PRIMARY", {"uid"}, true}};
    const auto& insert = dmls.insert("1", "a", "5");
    auto plan = make_plan(mapping, insert, target, {});
    ASSERT_TRUE(plan.ok()) << plan.error().detail;
    EXPECT_EQ(
        statement(**plan, insert, OpKind::Insert),
        "INSERT INTO `t2`.`user` (`uid`,`uname`,`again`) VALUES (1,'a','a')"
    );
    EXPECT_EQ(
        statement(**plan, dmls.update({"1", "a", "5"}, {"1", "b", "5"}), OpKind::Update),
        "UPDATE `t2`.`user` SET `uname`='b',`again`='b' WHERE `uid`=1"
    );
    EXPECT_EQ(
        statement(**plan, dmls.update({"1", "a", "5"}, {"9", "a", "5"}), OpKind::Update),
        "UPDATE `t2`.`user` SET `uid`=9 WHERE `uid`=1"
    );
    EXPECT_EQ(
        statement(**plan, dmls.remove("1", "a", "5"), OpKind::Delete),
        "DELETE FROM `t2`.`user` WHERE `uid`=1"
    );
    EXPECT_FALSE((*plan)->strict);
}

TEST(SqlPlan, OnlyOtherColumnsChanged) {
    MadeDmls dmls;
    config::RdbMapping mapping = made_mapping();
    mapping.map_all = false;
    mapping.target_columns = {{"id", ""}, {"name", ""}};
    const auto& update = dmls.update({"1", "a", "5"}, {"1", "a", "6"});
    auto plan = make_plan(mapping, update, made_target(), {});
    ASSERT_TRUE(plan.ok());
    EXPECT_TRUE((*plan)->shapes[(*plan)->shape_of(update.rows[0], OpKind::Update)]->columns.empty()
    );
}

TEST(SqlPlan, WithoutKeyRowsAreFoundByAllColumns) {
    MadeDmls dmls;
    config::RdbMapping mapping = made_mapping();
    mapping.target_pk.clear();
    const auto& row = dmls.remove("1", "a", "5");
    auto plan = make_plan(mapping, row, made_target(), {});
    ASSERT_TRUE(plan.ok());
    EXPECT_TRUE((*plan)->strict);
    EXPECT_EQ(
        statement(**plan, row, OpKind::Delete),
        "DELETE FROM `t2`.`user` WHERE `id`<=>1 AND `name`<=>'a' AND `n`<=>5 LIMIT 1"
    );
    PlanOptions postgres;
    postgres.family = SqlFamily::Postgres;
    auto other = make_plan(mapping, row, made_target(), postgres);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(
        statement(**other, row, OpKind::Delete, SqlFamily::Postgres),
        "DELETE FROM \"t2\".\"user\" WHERE ctid=(SELECT ctid FROM \"t2\".\"user\" WHERE \"id\" IS "
        "NOT DISTINCT "
        "FROM '1' AND \"name\" IS NOT DISTINCT FROM 'a' AND \"n\" IS NOT DISTINCT FROM '5' LIMIT 1)"
    );
}

TEST(SqlPlan, MissingColumnIsNamed) {
    MadeDmls dmls;
    TargetTable target = made_target();
    target.columns.pop_back();
    const auto plan = make_plan(made_mapping(), dmls.insert("1", "a", "5"), target, {});
    ASSERT_FALSE(plan.ok());
    EXPECT_THAT(
        plan.error().detail,
        testing::HasSubstr("user.yml: table t2.user of the target: has no column n")
    );
}

TEST(SqlPlan, DatabaseInTheTableName) {
    config::RdbMapping mapping = made_mapping();
    mapping.target_table = "mytest2.user";
    EXPECT_EQ(target_of(mapping, {}), (std::pair<std::string, std::string>("mytest2", "user")));
    mapping.target_db = "d";
    EXPECT_EQ(target_of(mapping, {}), (std::pair<std::string, std::string>("d", "mytest2.user")));
}

}  // namespace
}  // namespace obcanal::adapter::rdb

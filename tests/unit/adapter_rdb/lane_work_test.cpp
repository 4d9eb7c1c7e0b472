#include "adapter/rdb/lane_work.h"

#include "adapter/rdb/lane_parts.h"
#include "made.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace obcanal::adapter::rdb {
namespace {

using Update = std::vector<std::string_view>;

class LaneWorkTest : public testing::Test {
 protected:
    void plan_for(const TargetTable& target) {
        auto made = make_plan(mapping_, dmls_.insert("0", "", "0"), target, {});
        ASSERT_TRUE(made.ok()) << made.error().detail;
        plan_ = std::move(*made);
    }

    void SetUp() override { plan_for(made_target()); }

    void add(const core::Dml& dml) {
        Op op;
        op.plan = plan_.get();
        op.dml = &dml;
        op.kind = dml.type == canal::EventType::Insert   ? OpKind::Insert
                  : dml.type == canal::EventType::Delete ? OpKind::Delete
                                                         : OpKind::Update;
        op.moves = op.kind == OpKind::Update && plan_->moves(dml.rows[0]);
        op.shape =
            op.moves ? plan_->full_shape(dml.rows[0]) : plan_->shape_of(dml.rows[0], op.kind);
        op.place = key_place(op);
        work_.ops.push_back(op);
    }

    // The same whether places say that no key comes twice, or all keys have to be compared.
    std::string units() {
        const std::string by_places = shown_units();
        for (Op& op : work_.ops) op.place = 0;
        EXPECT_EQ(by_places, shown_units());
        return by_places;
    }

    // "I1a" inserts id 1 with name a, "U1b", "D1".
    std::string shown_units() {
        make_units(work_);
        std::string text;
        for (const Unit& unit : work_.units) {
            text += text.empty() ? "" : " ";
            for (const core::DmlRow* row : unit.rows) {
                text += unit.kind == OpKind::Insert ? "I" : unit.kind == OpKind::Update ? "U" : "D";
                const auto& image = unit.kind == OpKind::Delete ? row->before : row->after;
                text += image[0].text;
                text += unit.kind == OpKind::Delete ? "" : image[1].text;
            }
        }
        return text;
    }

    config::RdbMapping mapping_ = made_mapping();
    MadeDmls dmls_;
    std::unique_ptr<SqlPlan> plan_;
    LaneWork work_;
};

TEST_F(LaneWorkTest, SameStatementsTogether) {
    add(dmls_.insert("1", "a", "1"));
    add(dmls_.update({"7", "x", "1"}, {"7", "y", "1"}));
    add(dmls_.insert("2", "b", "1"));
    add(dmls_.remove("8", "x", "1"));
    add(dmls_.update({"9", "x", "1"}, {"9", "z", "1"}));
    EXPECT_EQ(units(), "D8 I1aI2b U7yU9z");
}

TEST_F(LaneWorkTest, KeysInOrderOfAllKinds) {
    add(dmls_.insert("-3", "a", "1"));
    add(dmls_.remove("2", "b", "1"));
    add(dmls_.update({"9", "c", "1"}, {"9", "d", "1"}));
    add(dmls_.insert("10", "e", "1"));
    EXPECT_EQ(units(), "D2 I-3aI10e U9d");
}

TEST_F(LaneWorkTest, ChangesOfOneRowBecomeOne) {
    add(dmls_.insert("1", "a", "1"));
    add(dmls_.update({"1", "a", "1"}, {"1", "b", "1"}));
    add(dmls_.update({"2", "a", "1"}, {"2", "b", "1"}));
    add(dmls_.update({"2", "b", "1"}, {"2", "b", "5"}));
    add(dmls_.remove("3", "a", "1"));
    add(dmls_.insert("3", "n", "1"));
    add(dmls_.insert("4", "a", "1"));
    add(dmls_.remove("4", "a", "1"));
    EXPECT_EQ(units(), "D3D4 I1bI3n U2b");
    EXPECT_EQ(work_.units.back().shape->columns, (std::vector<uint16_t>{1, 2}));
}

// Images that lack columns make another plan of the same table.
TEST_F(LaneWorkTest, PlansOfOneTableKeepTheOrderBetweenThem) {
    add(dmls_.insert("1", "a", "1"));
    const std::unique_ptr<SqlPlan> first = std::move(plan_);
    plan_for(made_target());
    add(dmls_.update({"1", "a", "1"}, {"1", "b", "1"}));
    add(dmls_.remove("1", "b", "1"));
    work_.ops.push_back(work_.ops.front());
    EXPECT_EQ(units(), "I1a U1b D1 I1a");
}

TEST_F(LaneWorkTest, KeysMove) {
    add(dmls_.update({"1", "a", "1"}, {"2", "a", "1"}));
    add(dmls_.insert("1", "n", "1"));
    add(dmls_.update({"2", "a", "1"}, {"2", "c", "1"}));
    EXPECT_EQ(units(), "D1 I1nI2c");
}

TEST_F(LaneWorkTest, KeysAreSwapped) {
    add(dmls_.update({"1", "a", "1"}, {"3", "a", "1"}));
    add(dmls_.update({"2", "b", "1"}, {"1", "b", "1"}));
    add(dmls_.update({"3", "a", "1"}, {"2", "a", "1"}));
    EXPECT_EQ(units(), "D1D3D2 I1bI2a");
}

TEST_F(LaneWorkTest, WhatDoesNotFollowKeepsItsOrder) {
    add(dmls_.update({"1", "a", "1"}, {"1", "b", "1"}));
    add(dmls_.insert("1", "n", "1"));
    EXPECT_EQ(units(), "U1b I1n");
}

TEST_F(LaneWorkTest, AnotherUniqueKeyKeepsTheOrder) {
    TargetTable target = made_target();
    target.unique.push_back({"u", {"n"}, false});
    plan_for(target);
    add(dmls_.remove("1", "a", "5"));
    add(dmls_.insert("2", "b", "5"));
    add(dmls_.insert("3", "c", "6"));
    add(dmls_.update({"3", "c", "6"}, {"3", "c", "7"}));
    add(dmls_.insert("4", "d", "6"));
    EXPECT_EQ(units(), "D1 I2bI3c U3c I4d");
}

TEST_F(LaneWorkTest, OtherLanesMayReadThePlanMeanwhile) {
    add(dmls_.update({"2", "a", "1"}, {"2", "b", "1"}));
    add(dmls_.update({"2", "b", "1"}, {"2", "b", "5"}));
    add(dmls_.update({"3", "a", "1"}, {"3", "b", "1"}));
    add(dmls_.update({"3", "b", "1"}, {"3", "b", "5"}));
    const size_t shapes = plan_->shapes.size();
    EXPECT_EQ(units(), "U2bU3b");
    EXPECT_EQ(plan_->shapes.size(), shapes);
    EXPECT_EQ(
        work_.units[0].shape->prepared[static_cast<size_t>(OpKind::Update)],
        "UPDATE `t2`.`user` SET `name`=?,`n`=? WHERE `id`=?"
    );
}

TEST_F(LaneWorkTest, BehindAFullLoadRowsTakeTheirPlace) {
    work_.after_load = true;
    add(dmls_.insert("1", "a", "1"));
    EXPECT_EQ(units(), "I1a");
    EXPECT_TRUE(work_.units[0].upsert);
    EXPECT_THAT(work_.units[0].shape->upsert, testing::HasSubstr("ON DUPLICATE KEY UPDATE"));
}

TEST_F(LaneWorkTest, ManyKeysThatAllMove) {
    std::deque<std::string> ids;
    for (int i = 0; i < 700; i++) {
        const std::string& from = ids.emplace_back("key " + std::to_string(i));
        const std::string& to = ids.emplace_back("key " + std::to_string(i + 10'000));
        add(dmls_.update({from, "a", "1"}, {to, "a", "1"}));
    }
    make_units(work_);
    ASSERT_EQ(work_.units.size(), 2U);
    EXPECT_EQ(work_.units[0].kind, OpKind::Delete);
    EXPECT_EQ(work_.units[0].rows.size(), 700U);
    EXPECT_EQ(work_.units[1].kind, OpKind::Insert);
    EXPECT_EQ(work_.units[1].rows.size(), 700U);
}

}  // namespace
}  // namespace obcanal::adapter::rdb

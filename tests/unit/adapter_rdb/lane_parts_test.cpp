#include "adapter/rdb/lane_parts.h"

#include "made.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace obcanal::adapter::rdb {
namespace {

class LanePartsTest : public testing::Test {
 protected:
    LanePartsTest() { mapping_.concurrent = true; }

    void plan_for(const TargetTable& target) {
        auto made = make_plan(mapping_, dmls_.insert("0", "", "0"), target, {});
        ASSERT_TRUE(made.ok()) << made.error().detail;
        plan_ = std::move(*made);
    }

    void SetUp() override { plan_for(made_target()); }

    Place place(const core::Dml& dml, bool one = false) {
        Op op;
        op.plan = plan_.get();
        op.dml = &dml;
        op.place = key_place(op);
        return places_.of(op, one);
    }

    // How many of the rows each part gets.
    static std::map<size_t, size_t> shares(const std::vector<size_t>& part_of) {
        std::map<size_t, size_t> counted;
        for (const size_t part : part_of) counted[part]++;
        return counted;
    }

    config::RdbMapping mapping_ = made_mapping();
    MadeDmls dmls_;
    std::unique_ptr<SqlPlan> plan_;
    Places places_;
};

TEST_F(LanePartsTest, PlacesAreInTheOrderOfNumbers) {
    EXPECT_LT(place(dmls_.insert("-7", "a", "1")), place(dmls_.insert("0", "a", "1")));
    EXPECT_LT(place(dmls_.insert("9", "a", "1")), place(dmls_.insert("10", "a", "1")));
    EXPECT_LT(place(dmls_.insert("0", "a", "1")), place(dmls_.insert("9", "a", "1")));
}

TEST_F(LanePartsTest, ARowIsAtThePlaceOfTheKeyThatItIsFoundBy) {
    const Place two = place(dmls_.insert("2", "a", "1"));
    EXPECT_EQ(place(dmls_.update({"2", "a", "1"}, {"2", "b", "1"})), two);
    EXPECT_EQ(place(dmls_.update({"2", "a", "1"}, {"3", "a", "1"})), two);
    EXPECT_EQ(place(dmls_.remove("2", "a", "1")), two);
    EXPECT_NE(place(dmls_.remove("3", "a", "1")), two);
}

TEST_F(LanePartsTest, RowsThatBelongTogether) {
    EXPECT_EQ(place(dmls_.insert("1", "a", "1"), true), place(dmls_.insert("2", "a", "1"), true));
    const std::unique_ptr<SqlPlan> first = std::move(plan_);
    TargetTable target = made_target();
    target.unique.push_back({"u", {"n"}, false});
    plan_for(target);
    EXPECT_EQ(place(dmls_.insert("1", "a", "1")), place(dmls_.insert("2", "a", "1")));
    const std::unique_ptr<SqlPlan> second = std::move(plan_);
    target.constrained = true;
    plan_for(target);
    EXPECT_EQ(place(dmls_.insert("1", "a", "1")), Place());
    mapping_.concurrent = false;
    plan_for(made_target());
    EXPECT_EQ(place(dmls_.insert("2", "a", "1")), Place());
}

TEST_F(LanePartsTest, TablesAreApart) {
    const Place one = place(dmls_.insert("1", "a", "1"));
    const std::unique_ptr<SqlPlan> first = std::move(plan_);
    TargetTable target = made_target();
    target.name = "other";
    plan_for(target);
    const Place other = place(dmls_.insert("1", "a", "1"));
    EXPECT_NE(one, other);
    plan_->table = first->table;
    Places places;
    Op op;
    op.dml = &dmls_.insert("1", "a", "1");
    op.plan = first.get();
    op.place = key_place(op);
    const Place before = places.of(op, false);
    op.plan = plan_.get();
    EXPECT_EQ(places.of(op, false), before);
}

TEST_F(LanePartsTest, ManyRowsAreDividedEvenlyWhateverTheirKeysAre) {
    std::vector<Place> places;
    std::vector<Place> far;
    for (uint64_t i = 0; i < 3'000; i++) {
        places.push_back({1, i * 3});
        far.push_back({1, i < 1'500 ? i : i << 40U});
    }
    for (const auto& some : {places, far}) {
        for (const auto& [part, share] : shares(divide(some, 6))) EXPECT_EQ(share, 500U) << part;
    }
}

TEST_F(LanePartsTest, ChangesOfOneRowAreInOnePart) {
    std::vector<Place> places;
    for (uint64_t i = 0; i < 1'000; i++) places.push_back({1, i % 7});
    const std::vector<size_t> part_of = divide(places, 4);
    std::map<uint64_t, std::set<size_t>> parts;
    for (size_t i = 0; i < places.size(); i++) parts[places[i].key].insert(part_of[i]);
    for (const auto& [key, of] : parts) EXPECT_EQ(of.size(), 1U) << key;
    EXPECT_GE(shares(part_of).size(), 3U);
}

TEST_F(LanePartsTest, AsManyPartsAsLanesAndTransactionsWant) {
    EXPECT_EQ(count_parts(0, 3, 1'000), 1U);
    EXPECT_EQ(count_parts(16, 3, 1'000), 1U);
    EXPECT_EQ(count_parts(30, 3, 1'000), 2U);
    EXPECT_EQ(count_parts(2'900, 3, 1'000), 3U);
    EXPECT_EQ(count_parts(4'100, 3, 1'000), 6U);
    EXPECT_EQ(count_parts(9'000, 3, 1'000), 9U);
    EXPECT_EQ(count_parts(9'000, 3, SIZE_MAX), 3U);
    EXPECT_EQ(count_parts(9'000, 1, 1'000), 1U);
}

TEST_F(LanePartsTest, LargePartsFirstUntilOneFails) {
    LaneParts parts;
    parts.reset(4);
    parts.at(1).emplace_back().ops.resize(1);
    parts.at(3).emplace_back().ops.resize(5);
    parts.at(3).emplace_back().ops.resize(5);
    parts.at(2).emplace_back().ops.resize(7);
    parts.sort();
    EXPECT_EQ(parts.count(), 3U);
    EXPECT_EQ(parts.next()->size(), 2U);
    EXPECT_EQ(parts.next()->front().ops.size(), 7U);
    parts.fail();
    EXPECT_EQ(parts.next(), nullptr);
    parts.reset(1);
    parts.at(0).emplace_back();
    parts.sort();
    EXPECT_NE(parts.next(), nullptr);
    EXPECT_EQ(parts.next(), nullptr);
}

}  // namespace
}  // namespace obcanal::adapter::rdb

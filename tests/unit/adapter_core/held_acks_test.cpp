#include "adapter/core/held_acks.h"

#include <gtest/gtest.h>

#include <array>

namespace obcanal::adapter::core {
namespace {

class HeldAcksTest : public testing::Test {
 protected:
    static std::vector<int64_t> numbers(const HeldAcks::Ids& ids) {
        std::vector<int64_t> all;
        for (const canal::BatchId id : ids) all.push_back(id.value);
        return all;
    }

    // A batch of changes at these offsets; what is acknowledged before and after it is written.
    std::vector<int64_t> batch(std::vector<int64_t> offsets, bool whole, bool counts = true) {
        std::vector<Dml> dmls(offsets.size());
        for (size_t i = 0; i < offsets.size(); ++i) {
            dmls[i].log_file = "mysql-bin.000001";
            dmls[i].log_offset = offsets[i];
        }
        DmlBatch made;
        made.id = canal::BatchId{++number_};
        made.dmls = dmls;
        made.whole = whole;
        std::vector<int64_t> all = numbers(acks_.begins(made));
        within_ = acks_.within_acknowledged();
        for (const int64_t id : numbers(acks_.written(made, counts))) all.push_back(id);
        return all;
    }

    using Numbers = std::vector<int64_t>;
    HeldAcks acks_;
    int64_t number_ = 0;
    bool within_ = false;
};

TEST_F(HeldAcksTest, WholeTransactionsAreAcknowledgedAtOnce) {
    EXPECT_EQ(batch({4, 4, 90}, true), (Numbers{1}));
    EXPECT_EQ(batch({}, true), (Numbers{2}));
    EXPECT_EQ(batch({90, 90}, false, false), (Numbers{3}));
}

TEST_F(HeldAcksTest, NothingIsAcknowledgedWithinOnePlace) {
    EXPECT_EQ(batch({4, 90, 90}, false), Numbers());
    EXPECT_EQ(batch({90, 90}, false), Numbers());
    EXPECT_EQ(batch({90, 200}, false), Numbers());
    // Another place: the batches before it end between places.
    EXPECT_EQ(batch({300}, false), (Numbers{1, 2, 3}));
    EXPECT_EQ(batch({}, true), (Numbers{4, 5}));
    EXPECT_FALSE(within_);
}

TEST_F(HeldAcksTest, AServerWithoutRoomIsGivenSome) {
    EXPECT_EQ(batch({90, 90}, false), Numbers());
    EXPECT_TRUE(acks_.shared());
    int gets = 1;
    while (!acks_.starves()) ++gets;
    EXPECT_GT(gets, 1);
    EXPECT_EQ(numbers(acks_.release()), (Numbers{1}));
    EXPECT_FALSE(acks_.starves());
    // It goes on within what is acknowledged, and this is held again.
    EXPECT_EQ(batch({90}, false), Numbers());
    EXPECT_TRUE(within_);
    EXPECT_EQ(batch({200}, true), (Numbers{2, 3}));
    EXPECT_FALSE(within_);
}

TEST_F(HeldAcksTest, AnotherSessionBringsAllAgain) {
    EXPECT_EQ(batch({90, 90}, false), Numbers());
    acks_.clear();
    EXPECT_FALSE(acks_.starves());
    EXPECT_EQ(batch({90, 90, 90, 200}, true), (Numbers{2}));
    EXPECT_FALSE(within_);
}

// Without files the places tell nothing apart.
TEST_F(HeldAcksTest, OfALogWithoutFilesEveryPlaceIsItsOwn) {
    Dml dml;
    DmlBatch made;
    made.id = canal::BatchId{1};
    made.dmls = std::span<const Dml>(&dml, 1);
    made.whole = false;
    EXPECT_TRUE(acks_.begins(made).empty());
    EXPECT_TRUE(acks_.written(made, true).empty());
    EXPECT_EQ(numbers(acks_.begins(made)), (Numbers{1}));
}

}  // namespace
}  // namespace obcanal::adapter::core

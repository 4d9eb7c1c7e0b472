// What may have been written before it comes.
#include "adapter/rdb/replay.h"

#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace obcanal::adapter::rdb {
namespace {

class ReplayTest : public testing::Test {
 protected:
    ReplayWindow started(bool by_rows = false) {
        ReplayWindow window(dir_, "g1.key", by_rows);
        EXPECT_TRUE(window.open());
        window.begin(1);
        return window;
    }

    static core::Dml at(int64_t offset, std::string_view file = "bin.000001") {
        core::Dml dml;
        dml.log_file = file;
        dml.log_offset = offset;
        return dml;
    }

    const ScratchDir scratch_;
    const std::string dir_ = scratch_.path() + "/replay/example";
};

TEST_F(ReplayTest, WhatWasHandedToTheTargetAndNothingElse) {
    {
        ReplayWindow window = started();
        EXPECT_FALSE(window.covers(at(4)));
        ASSERT_TRUE(window.note(at(100)));
        EXPECT_FALSE(window.covers(at(100)));  // while it is written for the first time
        window.begin(1);
        EXPECT_TRUE(window.covers(at(100)));
        EXPECT_FALSE(window.covers(at(101)));
        ASSERT_TRUE(window.note(at(7'000'000'000)));
        ASSERT_TRUE(window.note(at(50)));  // never back
    }
    ReplayWindow again = started();
    EXPECT_TRUE(again.covers(at(7'000'000'000)));
    EXPECT_FALSE(again.covers(at(4, "bin.000002")));
}

TEST_F(ReplayTest, WhatWasRefusedAsAWholeIsNotThere) {
    ReplayWindow window = started();
    ASSERT_TRUE(window.note(at(100)));
    ASSERT_TRUE(window.note(at(200)));
    ASSERT_TRUE(window.take_back());
    ReplayWindow again = started();
    EXPECT_TRUE(again.covers(at(100)));
    EXPECT_FALSE(again.covers(at(200)));
}

TEST_F(ReplayTest, ANoteOfAnotherBootSaysNothing) {
    ASSERT_TRUE(started().note(at(100)));
    std::ofstream(dir_ + "/g1.key") << R"({"boot":"another","file":"bin.000001","offset":100})";
    ReplayWindow window = started();
    EXPECT_TRUE(window.covers(at(5'000'000)));
    window.passed(19'999);
    EXPECT_TRUE(window.covers(at(5'000'000)));
    window.passed(1);
    EXPECT_FALSE(window.covers(at(5'000'000)));
}

TEST_F(ReplayTest, WithAStandInEverySessionBeginsInDoubt) {
    ReplayWindow window = started(true);
    EXPECT_TRUE(window.covers(at(1)));
    window.passed(30'000);
    EXPECT_FALSE(window.covers(at(1)));
    window.begin(2);
    EXPECT_TRUE(window.covers(at(1)));
}

}  // namespace
}  // namespace obcanal::adapter::rdb

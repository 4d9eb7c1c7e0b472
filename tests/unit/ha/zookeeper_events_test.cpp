#include "ha/zookeeper_events.h"

#include <gtest/gtest.h>

namespace obcanal::ha {
namespace {

TEST(ZookeeperEventsTest, TellsWhoListens) {
    ZookeeperEvents events;
    int one = 0;
    int other = 0;
    auto first = events.listen("/a", [&one] { ++one; });
    auto second = events.listen("/a", [&other] { ++other; });
    const auto third = events.listen("/b", [&other] { ++other; });
    events.changed("/a");
    EXPECT_EQ(one, 1);
    EXPECT_EQ(other, 1);
    events.changed("/c");
    events.changed("/");
    EXPECT_EQ(one, 1);
    events.session_changed();
    EXPECT_EQ(one, 2);
    EXPECT_EQ(other, 3);
    first.reset();
    events.changed("/a");
    events.session_changed();
    EXPECT_EQ(one, 2);
    EXPECT_EQ(other, 6);
}

}  // namespace
}  // namespace obcanal::ha

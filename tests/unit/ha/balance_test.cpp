#include "ha/balance.h"

#include "ha/cluster_view.h"

#include <gtest/gtest.h>

namespace obcanal::ha {
namespace {

const std::vector<std::string> kAll{"a", "b", "c"};

std::vector<Share> led(const std::string& leaders, const std::vector<std::string>& candidates) {
    std::vector<Share> shares;
    for (const char leader : leaders)
        shares.push_back({leader == '-' ? std::string() : std::string(1, leader), candidates});
    return shares;
}

TEST(BalanceTest, WhoTakesAndWhoGives) {
    const Balance one(led("aaaa", {"a"}));
    EXPECT_EQ(one.share(), 4U);
    EXPECT_FALSE(one.leaves_to_others("a", {"a"}));
    EXPECT_EQ(one.give_to("a", {"a"}), "");

    // Another server came up: all but the share and one are given.
    const Balance two(led("aaaa", {"a", "b"}));
    EXPECT_EQ(two.share(), 2U);
    EXPECT_EQ(two.give_to("a", {"a", "b"}), "b");
    EXPECT_EQ(two.give_to("a", {"a"}), "");  // it has not that destination
    EXPECT_EQ(Balance(led("aaab", {"a", "b"})).give_to("a", {"a", "b"}), "");

    const Balance free(led("aab-", {"a", "b"}));
    EXPECT_TRUE(free.leaves_to_others("a", {"a", "b"}));
    EXPECT_FALSE(free.leaves_to_others("a", {"a"}));
    EXPECT_FALSE(free.leaves_to_others("b", {"a", "b"}));
    EXPECT_FALSE(Balance(led("aabb-", {"a", "b"})).leaves_to_others("a", {"a", "b"}));

    std::vector<Share> left = led("aaab", {"a", "b"});
    left.push_back({});
    EXPECT_EQ(Balance(left).share(), 2U);

    const Balance none({});
    EXPECT_EQ(none.share(), 0U);
    EXPECT_EQ(none.led_by("a"), 0U);
}

TEST(BalanceTest, MovesWhenAsked) {
    const auto view = [](const std::string& leaders, const std::vector<std::string>& candidates) {
        ClusterView all;
        for (const char leader : leaders) {
            DestinationView one;
            one.name = "d" + std::to_string(all.destinations.size());
            if (leader != '-') one.running = Running{std::string(1, leader), true, {}};
            one.candidates = candidates;
            all.destinations.push_back(std::move(one));
        }
        return all;
    };
    EXPECT_EQ(moves_to_balance(view("aaaa", {"a"})), std::vector<Move>{});
    EXPECT_EQ(moves_to_balance(view("aabb", {"a", "b"})), std::vector<Move>{});
    EXPECT_EQ(moves_to_balance(view("aaab", {"a", "b"})), (std::vector<Move>{{"d0", "a", "b"}}));
    EXPECT_EQ(moves_to_balance(view("-aab", {"a", "b"})), std::vector<Move>{});
    const std::vector<Move> shared = moves_to_balance(view("aaaaaaa", kAll));
    EXPECT_EQ(
        shared,
        (std::vector<Move>{{"d0", "a", "b"}, {"d1", "a", "c"}, {"d2", "a", "b"}, {"d3", "a", "c"}})
    );
    // One that can't serve it gets none.
    EXPECT_EQ(moves_to_balance(view("aaa", {"a"})), std::vector<Move>{});
}

}  // namespace
}  // namespace obcanal::ha

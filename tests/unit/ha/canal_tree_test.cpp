// Payloads of the tree that Java servers share, and who may take a destination; with a ZooKeeper:
// tests/integration/zookeeper.
#include "ha/canal_tree.h"

#include <gtest/gtest.h>

namespace obcanal::ha {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(CanalTreeTest, RunningIsJavas) {
    EXPECT_EQ(destination_path("shop"), "/otter/canal/destinations/shop");
    const std::string payload = running_payload({"10.0.0.1:11111", true, {}});
    EXPECT_EQ(payload, R"({"active":true,"address":"10.0.0.1:11111"})");
    EXPECT_EQ(parse_running(payload), (Running{"10.0.0.1:11111", true, {}}));
    EXPECT_EQ(
        parse_running(R"({"address":"h:1","active":false,"cid":5})"), (Running{"h:1", false, {}})
    );
    const Running asked{"h:1", false, "h:2"};
    EXPECT_EQ(parse_running(running_payload(asked)), asked);
    for (const char* bad : {"", "null", "{}", R"({"address":7,"active":"no"})", "{", "[1]"})
        EXPECT_EQ(parse_running(bad), Running{}) << bad;
}

TEST(CanalTreeTest, Epoch) {
    for (const EpochNote& note :
         {EpochNote{}, EpochNote{"h:1", false, {}}, EpochNote{"h:1", true, "h:2"}})
        EXPECT_EQ(parse_epoch(epoch_payload(note)), note);
    for (const char* bad : {"", "null", R"({"address":7})", "x"})
        EXPECT_EQ(parse_epoch(bad), EpochNote{}) << bad;
}

TEST(CanalTreeTest, Addresses) {
    EXPECT_EQ(register_address("10.0.0.9", "10.0.0.1", 11111), "10.0.0.9:11111");
    EXPECT_EQ(register_address("", "10.0.0.1", 11111), "10.0.0.1:11111");
    EXPECT_TRUE(register_address("", "", 11111).ends_with(":11111"));
}

// canal-server, 5.3, and where we are faster.
TEST(PrecedenceTest, WhoWaits) {
    const EpochNote by_a{"a", false, {}};
    const EpochNote gone{"a", true, {}};
    const EpochNote to_b{"a", true, "b"};
    struct Case {
        const char* what;
        Vacancy vacancy;
        milliseconds wait;
    };
    const std::vector<Case> cases{
        {"a start", {"b", "", false, {}, {}}, {}},
        {"a start beside an old epoch", {"b", "", false, by_a, {"a", "b"}}, {}},
        {"it was us", {"a", "a", false, by_a, {"a", "b"}}, {}},
        {"it was us, on demand", {"a", "a", true, gone, {"a", "b"}}, seconds{5}},
        {"its owner is here still", {"b", "a", false, by_a, {"a", "b"}}, seconds{5}},
        {"its owner has left", {"b", "a", false, by_a, {"b"}}, {}},
        {"it was given up", {"b", "a", false, gone, {"a", "b"}}, {}},
        {"it was given to us", {"b", "a", false, to_b, {"a", "b", "c"}}, {}},
        {"it was given to another", {"c", "a", false, to_b, {"a", "b", "c"}}, seconds{5}},
        {"it was given to one that is gone", {"c", "a", false, to_b, {"a", "c"}}, {}},
        {"a Java server's", {"b", "j", false, by_a, {"a", "b"}}, seconds{5}},
        {"a Java server's, without an epoch", {"b", "j", false, {}, {"b"}}, seconds{5}},
    };
    for (const Case& one : cases)
        EXPECT_EQ(precedence(one.vacancy).count(), one.wait.count()) << one.what;
}

}  // namespace
}  // namespace obcanal::ha

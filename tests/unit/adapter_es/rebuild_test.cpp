#include "adapter/es/rebuild.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::es {
namespace {

TEST(Rebuild, NamesCarryTheirTime) {
    EXPECT_EQ(rebuilt_name("users", 1704164645), "users-20240102030405");
    EXPECT_EQ(rebuilt_name("users-20230102030405", 1704164645), "users-20240102030405");
    EXPECT_TRUE(is_rebuilt("users", "users-20240102030405"));
    EXPECT_FALSE(is_rebuilt("users", "users-2024010203040x"));
    EXPECT_FALSE(is_rebuilt("users", "others-20240102030405"));
    EXPECT_FALSE(is_rebuilt("users", "users"));
    EXPECT_EQ(rebuilt_name("20240102030405", 1704164645), "20240102030405-20240102030405");
}

TEST(Rebuild, TheNewIndexIsMadeAsTheOldOne) {
    const auto body = new_index_body(
        R"({"users":{"aliases":{},"mappings":{"properties":{"n":{"type":"long"}}},"settings":{"index":)"
        R"({"creation_date":"1","number_of_shards":"1","uuid":"u","version":{"created":"7"},)"
        R"("provided_name":"users","analysis":{"analyzer":{}}}}}})"
    );
    ASSERT_TRUE(body.ok());
    EXPECT_EQ(
        *body,
        R"({"mappings":{"properties":{"n":{"type":"long"}}},"settings":{"index":)"
        R"({"analysis":{"analyzer":{}},"number_of_shards":"1"}}})"
    );
    EXPECT_FALSE(new_index_body("{}").ok());
    EXPECT_FALSE(new_index_body("[").ok());
}

TEST(Rebuild, OneMomentSwitchesTheName) {
    EXPECT_EQ(
        switch_body("users", {"users"}, "users-20240102030405"),
        R"({"actions":[{"remove_index":{"index":"users"}},)"
        R"({"add":{"index":"users-20240102030405","alias":"users"}}]})"
    );
    EXPECT_EQ(
        switch_body("users", {"users-20230102030405", "mine"}, "users-20240102030405"),
        R"({"actions":[{"remove_index":{"index":"users-20230102030405"}},)"
        R"({"remove":{"index":"mine","alias":"users"}},)"
        R"({"add":{"index":"users-20240102030405","alias":"users"}}]})"
    );
    EXPECT_EQ(
        switch_body("users", {}, "n"), R"({"actions":[{"add":{"index":"n","alias":"users"}}]})"
    );
}

}  // namespace
}  // namespace obcanal::adapter::es

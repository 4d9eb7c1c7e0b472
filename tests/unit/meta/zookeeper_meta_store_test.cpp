// What stands in ZooKeeper's nodes and what it means, without a ZooKeeper; with one:
// tests/conformance/meta_exchange and tests/integration/zookeeper.
#include "server/meta/zookeeper_meta_store.h"

#include <gtest/gtest.h>

namespace obcanal::meta {
namespace {

// As a Java Canal server 1.1.7 writes it.
constexpr const char* kCursor =
    R"({"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,)"
    R"("sourceAddress":{"address":"10.1.2.3","port":3306}},"postion":{"gtid":"","included":false,)"
    R"("journalName":"mysql-bin.000012","position":4567,"serverId":1,"timestamp":1700000000000}})";

TEST(ZookeeperNodesTest, NamesOfClients) {
    EXPECT_EQ(client_of_node("1001"), canal::ClientId{1001});
    EXPECT_EQ(client_of_node("-32768"), canal::ClientId{-32768});
    for (const char* other :
         {"", "-", "cluster", "running", "1001x", "32768", "-32769", "+1", "1 "})
        EXPECT_FALSE(client_of_node(other)) << other;
}

TEST(ZookeeperNodesTest, CursorsAreJavas) {
    const Result<ClientRecord> record = client_from_nodes({1001}, "shop\\..*", kCursor);
    ASSERT_TRUE(record.ok());
    EXPECT_EQ(record->filter, "shop\\..*");
    ASSERT_TRUE(record->cursor);
    EXPECT_EQ(record->cursor->journal_name, "mysql-bin.000012");
    EXPECT_EQ(canal::to_json(*record->cursor, true), kCursor);
}

TEST(ZookeeperNodesTest, WhatIsAbsent) {
    const ClientRecord nothing{{7}, std::nullopt, std::nullopt};
    for (const std::optional<std::string>& blank :
         {std::optional<std::string>(), std::optional(std::string())}) {
        const Result<ClientRecord> record = client_from_nodes({7}, blank, blank);
        ASSERT_TRUE(record.ok());
        EXPECT_EQ(*record, nothing);
    }
    EXPECT_FALSE(client_from_nodes({7}, std::nullopt, "{").ok());
    EXPECT_FALSE(client_from_nodes({7}, std::nullopt, "{\"postion\":3}").ok());
}

// An address that is none: nothing may be taken for stored.
TEST(ZookeeperMetaStoreTest, WithoutZookeeper) {
    ha::ZookeeperPlace place;
    place.servers = "127.0.0.1:x";
    const auto client = std::make_shared<ha::ZookeeperClient>(place);
    ZookeeperMetaStore store(
        std::make_shared<ha::Leadership>(client, "shop", "127.0.0.1:2"), "shop"
    );
    const Result<ClientTable> loaded = store.load();
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().detail.find("ZooKeeper at 127.0.0.1:x"), std::string::npos);
    EXPECT_FALSE(store.held().ok());
    EXPECT_FALSE(store.subscribe({1}, std::nullopt).ok());
    EXPECT_FALSE(store.save_cursor({1}, canal::LogPosition{}).ok());
    EXPECT_FALSE(store.flush().ok());
    EXPECT_FALSE(store.close().ok());
}

}  // namespace
}  // namespace obcanal::meta

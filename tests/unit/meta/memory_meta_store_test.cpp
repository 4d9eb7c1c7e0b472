#include "server/meta/memory_meta_store.h"

#include <gtest/gtest.h>

namespace obcanal::meta {
namespace {

using canal::ClientId;
using canal::LogPosition;

LogPosition at(std::string journal, int64_t offset) {
    LogPosition position;
    position.identity = {"127.0.0.1", 3306, -1};
    position.journal_name = std::move(journal);
    position.position = offset;
    return position;
}

TEST(MemoryMetaStoreTest, KeepsCursorsOverUnsubscribeAsCanalDoes) {
    MemoryMetaStore store;
    ASSERT_TRUE(store.subscribe(ClientId{1}, "a").ok());
    EXPECT_EQ(store.cursor(ClientId{1}), std::nullopt);
    ASSERT_TRUE(store.save_cursor(ClientId{1}, at("b.000001", 4)).ok());
    ASSERT_TRUE(store.unsubscribe(ClientId{1}).ok());
    auto without = store.load();
    ASSERT_TRUE(without.ok());
    EXPECT_TRUE(without->clients.empty());
    EXPECT_EQ(store.cursor(ClientId{1}), at("b.000001", 4));
    ASSERT_TRUE(store.subscribe(ClientId{1}, std::nullopt).ok());
    auto with = store.load();
    ASSERT_TRUE(with.ok());
    const ClientTable expected{{{ClientId{1}, std::nullopt, at("b.000001", 4)}}};
    EXPECT_EQ(*with, expected);
}

TEST(MemoryMetaStoreTest, LatestSubscriberIsLast) {
    MemoryMetaStore store;
    ASSERT_TRUE(store.subscribe(ClientId{1}, "a").ok());
    ASSERT_TRUE(store.subscribe(ClientId{2}, "b").ok());
    ASSERT_TRUE(store.save_cursor(ClientId{1}, at("b.000002", 4)).ok());
    ASSERT_TRUE(store.subscribe(ClientId{1}, "c").ok());
    auto table = store.load();
    ASSERT_TRUE(table.ok());
    const ClientTable expected{
        {{ClientId{2}, "b", std::nullopt}, {ClientId{1}, "c", at("b.000002", 4)}}
    };
    EXPECT_EQ(*table, expected);
}

TEST(EarliestCursorTest, IsTheOneToRestartFrom) {
    EXPECT_EQ(earliest_cursor({}), nullptr);
    const ClientTable table{{
        {ClientId{1}, std::nullopt, at("b.000002", 4)},
        {ClientId{2}, std::nullopt, std::nullopt},
        {ClientId{3}, std::nullopt, at("b.000001", 900)},
        {ClientId{4}, std::nullopt, at("b.000001", 1000)},
    }};
    ASSERT_NE(earliest_cursor(table), nullptr);
    EXPECT_EQ(*earliest_cursor(table), at("b.000001", 900));
}

}  // namespace
}  // namespace obcanal::meta

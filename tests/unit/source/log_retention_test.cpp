// Hours until the source may purge the log of a cursor.
#include "server/source/log_retention.h"

#include "server/source/binlog_server.h"

#include <gtest/gtest.h>

namespace obcanal::source {
namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kNow = 1000 * kHour;
constexpr uint64_t kTenHours = 36'000;

canal::LogPosition cursor(const char* file, int64_t ms, const char* host = "db") {
    canal::LogPosition position;
    position.identity.host = host;
    position.identity.port = 3306;
    position.journal_name = file;
    position.timestamp_ms = ms;
    return position;
}

TEST(LogRetention, NothingIsKnownOfWhoSaysNothing) {
    LogRetention logs;
    EXPECT_FALSE(logs.hours_left(cursor("bin.1", kNow), kNow));
    logs.begin("db:3306", 0);
    EXPECT_FALSE(logs.hours_left(cursor("bin.1", kNow), kNow));
    logs.begin("db:3306", kTenHours);
    EXPECT_FALSE(logs.hours_left(cursor("bin.1", 0), kNow));
    EXPECT_FALSE(logs.hours_left(cursor("bin.1", kNow, "other"), kNow));
}

TEST(LogRetention, ALogIsOpenAtItsEventsAndUntilTheNextOneBegins) {
    LogRetention logs;
    logs.begin("db:3306", kTenHours);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 4 * kHour), kNow), 6);
    logs.entered("bin.1", kNow - 5 * kHour);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 4 * kHour), kNow), 6);
    logs.entered("bin.2", kNow - 2 * kHour);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 4 * kHour), kNow), 8);
    // One that is not known any more.
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.0", kNow - 11 * kHour), kNow), 0);
}

TEST(LogRetention, AnIdleSourceKeepsTheLogThatIsReadOpen) {
    LogRetention logs;
    logs.begin("db:3306", kTenHours);
    logs.entered("bin.1", kNow - 500 * kHour);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 400 * kHour), kNow), 0);
    logs.at_end(kNow - kHour);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 400 * kHour), kNow), 9);
    // Again after a reconnect, which says the same of its beginning.
    logs.begin("db:3306", kTenHours / 2);
    logs.entered("bin.1", kNow - 500 * kHour);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - 400 * kHour), kNow), 4);
    // The standby's log of that name is another one.
    logs.begin("standby:3306", kTenHours);
    EXPECT_FALSE(logs.hours_left(cursor("bin.1", kNow), kNow));
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow - kHour, "standby"), kNow), 9);
}

TEST(LogRetention, WhatServersSayOfIt) {
    EXPECT_EQ(retention_seconds("2592000", "0"), 2'592'000U);  // MySQL 8
    EXPECT_EQ(retention_seconds("0", "3"), 259'200U);
    EXPECT_EQ(retention_seconds("", "7"), 604'800U);                // MySQL 5.7
    EXPECT_EQ(retention_seconds("864000", "10.000000"), 864'000U);  // MariaDB
    EXPECT_EQ(retention_seconds("", ""), 0U);
    EXPECT_EQ(retention_seconds("", "99999999999999999999"), 0U);
}

TEST(LogRetention, NobodyGainsTimeByTheFuture) {
    LogRetention logs;
    logs.begin("db:3306", kTenHours);
    EXPECT_DOUBLE_EQ(*logs.hours_left(cursor("bin.1", kNow + 24 * kHour), kNow), 10);
}

}  // namespace
}  // namespace obcanal::source

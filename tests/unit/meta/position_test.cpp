#include "protocol/canal/position.h"

#include <gtest/gtest.h>

namespace obcanal::canal {
namespace {

// As Canal 1.1.9's FileMixedMetaManager wrote it.
constexpr std::string_view kJava =
    R"({"identity":{"slaveId":-1,"sourceAddress":{"address":"localhost","port":3306}},"postion":{"gtid":"",)"
    R"("included":false,"journalName":"mysql-bin.000012","position":4567,"serverId":1,"timestamp":1700000000000}})";

LogPosition java_position() {
    LogPosition position;
    position.identity = {"localhost", 3306, -1};
    position.journal_name = "mysql-bin.000012";
    position.position = 4567;
    position.timestamp_ms = 1700000000000;
    position.server_id = 1;
    return position;
}

TEST(LogPositionTest, WritesTheBytesOfJava) {
    EXPECT_EQ(to_json(java_position(), false), kJava);
    EXPECT_EQ(
        to_json(java_position(), true),
        R"({"@type":"com.alibaba.otter.canal.protocol.position.LogPosition",)" +
            std::string(kJava.substr(1))
    );
}

TEST(LogPositionTest, LeavesOutWhatIsNull) {
    LogPosition position = java_position();
    position.server_id.reset();
    EXPECT_EQ(to_json(position, false).find("serverId"), std::string::npos);
    position.identity.host.clear();
    EXPECT_EQ(to_json(position, false).find("sourceAddress"), std::string::npos);
}

TEST(LogPositionTest, ReadsWhatItWrote) {
    LogPosition position = java_position();
    position.gtid = "a\"b\\c\n\x01é";
    position.oblog = OblogResume{
        1700000001456789, true, {"1001_77", "1001_78", "1001_78"}, "1001_79", 12345678901
    };
    for (const bool with_type : {false, true}) {
        auto read = parse_log_position(to_json(position, with_type));
        ASSERT_TRUE(read.ok()) << read.error().detail;
        EXPECT_EQ(*read, position);
    }
}

TEST(LogPositionTest, PutsTheOblogMemberBehindJavasOwn) {
    LogPosition position = java_position();
    position.oblog = OblogResume{5, true, {"x"}, "", 0};
    const std::string text = to_json(position, false);
    EXPECT_NE(
        text.find(
            R"("timestamp":1700000000000,"oblog":{"commit":5,"consumed":["x"],"open":"","openRows":0,"ordered":true}}})"
        ),
        std::string::npos
    ) << text;
}

TEST(LogPositionTest, TakesWhatFastjsonTakes) {
    const std::string_view text =
        R"( {"postion":{"timestamp":1700000000000L,"position":4567L,"serverId":1L,
        "journalName":"mysql-bin.000012","future":{"a":[1,2L]},"gtid":null},
        "identity":{"sourceAddress":{"port":3306,"address":"localhost","more":1},"slaveId":-1L},
        "@type":"com.alibaba.otter.canal.protocol.position.LogPosition"} )";
    auto read = parse_log_position(text);
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_EQ(*read, java_position());
}

TEST(LogPositionTest, LeavesTypeLettersInStringsAlone) {
    LogPosition position = java_position();
    position.journal_name = R"(log1L\"2L)";
    auto read = parse_log_position(to_json(position, false));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->journal_name, position.journal_name);
}

TEST(LogPositionTest, MissingMembersHaveJavasDefaults) {
    auto read = parse_log_position(R"({"postion":{}})");
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, LogPosition{});
    EXPECT_EQ(read->identity.slave_id, -1);
}

TEST(LogPositionTest, NamesTheMemberThatIsWrong) {
    const auto detail = [](std::string_view text) {
        auto read = parse_log_position(text);
        return read.ok() ? std::string("accepted") : read.error().detail;
    };
    EXPECT_EQ(detail("{}"), "position: member postion is missing");
    EXPECT_EQ(detail("[]"), "position: not a JSON object");
    EXPECT_EQ(
        detail(R"({"postion":{"position":"x"}})"),
        "position: member position is not a number of 64 bits"
    );
    EXPECT_EQ(
        detail(R"({"postion":{},"identity":{"sourceAddress":{"address":"a","port":65536}}})"),
        "position: member port is not 0..65535"
    );
    EXPECT_EQ(
        detail(R"({"postion":{"journalName":7}})"), "position: member journalName is not a string"
    );
    EXPECT_NE(detail("").find("JSON"), std::string::npos);
    EXPECT_NE(detail(std::string(100000, '[')).find("JSON"), std::string::npos);
}

TEST(LogPositionTest, EveryCutIsAnErrorAndNeverACrash) {
    LogPosition position = java_position();
    position.oblog = OblogResume{5, true, {"x"}, "o", 3};
    const std::string text = to_json(position, true);
    for (size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(parse_log_position(std::string_view(text).substr(0, size)).ok()) << size;
}

TEST(LogPositionTest, WritesValidUtf8WhateverItHolds) {
    LogPosition position = java_position();
    position.journal_name = "a\xff";
    auto read = parse_log_position(to_json(position, false));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_EQ(read->journal_name, "a\xef\xbf\xbd");
}

TEST(ComparePositionsTest, SameLogByJournalThenOffset) {
    LogPosition a = java_position();
    LogPosition b = a;
    EXPECT_EQ(compare(a, b), 0);
    b.position += 1;
    EXPECT_LT(compare(a, b), 0);
    b.journal_name = "mysql-bin.000011";
    EXPECT_GT(compare(a, b), 0);
    // The time has no say.
    b.timestamp_ms += 1000;
    EXPECT_GT(compare(a, b), 0);
}

TEST(ComparePositionsTest, OtherLogByTime) {
    LogPosition a = java_position();
    LogPosition b = a;
    b.identity.host = "other";
    b.journal_name = "mysql-bin.000001";
    EXPECT_EQ(compare(a, b), 0);
    b.timestamp_ms += 1;
    EXPECT_LT(compare(a, b), 0);
    EXPECT_GT(compare(b, a), 0);
}

TEST(ComparePositionsTest, OblogByCheckpointThenCommitThenWhatWasConsumedThere) {
    LogPosition a;
    a.timestamp_ms = 1700000000000;
    a.position = 999999;
    a.oblog = OblogResume{1700000001000000, true, {"1"}, "", 0};
    LogPosition b = a;
    b.identity.host = "another proxy";
    EXPECT_EQ(compare(a, b), 0);
    b.oblog->open_rows = 1;
    EXPECT_LT(compare(a, b), 0);
    a.oblog->consumed.push_back("2");
    EXPECT_GT(compare(a, b), 0);
    b.oblog->commit_us += 1;
    EXPECT_LT(compare(a, b), 0);
    a.timestamp_ms = 1700000001000;
    a.position = 0;
    EXPECT_GT(compare(a, b), 0);
}

TEST(ComparePositionsTest, CursorsOfCanalForObBySecondsBeforeMicroseconds) {
    LogPosition a;
    a.journal_name = "LogProxyMessageFile";
    a.timestamp_ms = 1700000000000;
    a.position = 999999;
    LogPosition b = a;
    b.timestamp_ms = 1700000001000;
    b.position = 0;
    EXPECT_LT(compare(a, b), 0);
    b.oblog = OblogResume{};
    EXPECT_LT(compare(a, b), 0);
    EXPECT_GT(compare(b, a), 0);
}

}  // namespace
}  // namespace obcanal::canal

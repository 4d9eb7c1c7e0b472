#include "server/cli/status_table.h"

#include <gtest/gtest.h>

namespace obcanal::cli {
namespace {

TEST(StatusTable, DestinationsClientsAndFailures) {
    const Result<std::string> table = status_table(
        R"({"version":"0.1.0","pid":7,"uptimeMs":500,"serving":true,"clientConnections":2,)"
        R"("destinations":[{"destination":"shop","phase":"running","failure":"","source":)"
        R"({"kind":"oblogproxy","connected":true},"put":{"sequence":9,"rows":30,"delayMs":100},)"
        R"("got":{},"acked":{"sequence":2,"rows":10,"delayMs":7200000},"ring":{"entries":7,)"
        R"("entriesLimit":16384,"bytes":2048,"bytesLimit":16777216},"clients":[{"id":1001,)"
        R"("openBatches":2,"filter":"shop\\..*","cursor":{"postion":{"journalName":"x.1",)"
        R"("position":4,"timestamp":5}}}]},{"destination":"lost","phase":"failed",)"
        R"("failure":"no route","refusedConfiguration":"x:3: key: is wrong","source":{"kind":"binlog","connected":false},)"
        R"("put":{"sequence":-1},"clients":[]}]})"
    );
    ASSERT_TRUE(table.ok());
    EXPECT_EQ(
        *table,
        "obcanal-server 0.1.0, process 7, up 500 ms, 2 client connections\n"
        "\n"
        "DESTINATION  PHASE    SOURCE         DELAY   ACK DELAY  ROWS  ACKED  ENTRIES  BYTES\n"
        "shop         running  oblogproxy     100 ms  2 h        30    10     7/16384  2.0 "
        "KiB/16.0 "
        "MiB\n"
        "lost         failed   binlog (away)  -       -          0     0      0/0      0 B/0 B\n"
        "\n"
        "DESTINATION  CLIENT  OPEN BATCHES  FILTER    CURSOR\n"
        "shop         1001    2             shop\\..*  x.1:4 at 5\n"
        "\n"
        "lost: no route\n"
        "lost: configuration refused: x:3: key: is wrong\n"
    );
}

TEST(StatusTable, WhatIsLostIsNamed) {
    const auto table =
        status_table(R"({"serving":true,"destinations":[{"destination":"shop","source":)"
                     R"({"gap":"lost: from bin.1:4 to bin.9:154"}}]})");
    EXPECT_NE(table->find("shop: lost: from bin.1:4 to bin.9:154\n"), std::string::npos);
}

TEST(StatusTable, ALogThatIsPurgedSoonIsNamed) {
    const auto table = [](const char* hours) {
        return *status_table(
            std::string(R"({"serving":true,"destinations":[{"destination":"shop","source":)") +
            R"({"purgeHours":)" + hours + "}}]}"
        );
    };
    const std::string said = "shop: the source may purge the log of its first cursor in 3 h\n";
    EXPECT_NE(table("3.7").find(said), std::string::npos);
    EXPECT_EQ(table("24.5").find("purge"), std::string::npos);
    EXPECT_EQ(table("null").find("purge"), std::string::npos);
}

TEST(StatusTable, AStoppedServerSaysSo) {
    const auto table = status_table(R"({"serving":false,"destinations":[]})");
    ASSERT_TRUE(table.ok());
    EXPECT_NE(table->find("stopped: it serves nothing"), std::string::npos);
}

TEST(StatusTable, WhatIsNoStatusIsAnError) {
    EXPECT_FALSE(status_table("").ok());
    EXPECT_FALSE(status_table("[]").ok());
    EXPECT_FALSE(status_table(R"({"destinations":5})").ok());
    EXPECT_TRUE(status_table(R"({"destinations":[5,{"clients":5}],"serving":true})").ok());
}

}  // namespace
}  // namespace obcanal::cli

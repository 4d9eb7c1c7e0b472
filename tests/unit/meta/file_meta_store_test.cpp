#include "server/meta/file_meta_store.h"

#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace obcanal::meta {
namespace {

using canal::ClientId;
using canal::LogPosition;
using testing::HasSubstr;

constexpr ClientId kClient{1001};

// As Canal 1.1.9's FileMixedMetaManager wrote it.
constexpr std::string_view kJavaFile =
    R"({"clientDatas":[{"clientIdentity":{"clientId":1001,"destination":"example","filter":".*\\..*"},)"
    R"("cursor":{"identity":{"slaveId":-1,"sourceAddress":{"address":"localhost","port":3306}},)"
    R"("postion":{"gtid":"","included":false,"journalName":"mysql-bin.000012","position":4567,"serverId":1,)"
    R"("timestamp":1700000000000}}}],"destination":"example"})";

LogPosition at(int64_t offset) {
    LogPosition position;
    position.identity = {"localhost", 3306, -1};
    position.journal_name = "mysql-bin.000012";
    position.position = offset;
    position.timestamp_ms = 1700000000000;
    position.server_id = 1;
    return position;
}

class FileMetaStoreTest : public testing::Test {
 protected:
    std::string file() const { return dir_.path() + "/example/meta.dat"; }
    std::string journal() const { return dir_.path() + "/example/meta.journal"; }

    // What the next start finds.
    ClientTable reload() {
        FileMetaStore fresh(dir_.path(), "example");
        auto table = fresh.load();
        EXPECT_TRUE(table.ok()) << (table.ok() ? "" : table.error().detail);
        return table.ok() ? *table : ClientTable{};
    }

    std::string load_error(std::string_view content) {
        write_text(file(), content);
        FileMetaStore fresh(dir_.path(), "example");
        auto table = fresh.load();
        return table.ok() ? "accepted" : table.error().detail;
    }

    ScratchDir dir_;
};

TEST_F(FileMetaStoreTest, ReadsAndWritesTheBytesOfJava) {
    write_text(file(), kJavaFile);
    FileMetaStore store(dir_.path(), "example");
    auto table = store.load();
    ASSERT_TRUE(table.ok()) << table.error().detail;
    const ClientTable expected{{{kClient, ".*\\..*", at(4567)}}};
    EXPECT_EQ(*table, expected);

    ASSERT_TRUE(store.save_cursor(kClient, at(4568)).ok());
    ASSERT_TRUE(store.flush().ok());
    std::string moved(kJavaFile);
    moved.replace(moved.find("4567"), 4, "4568");
    EXPECT_EQ(read_text(file()), moved);
    ASSERT_TRUE(store.save_cursor(kClient, at(4567)).ok());
    ASSERT_TRUE(store.close().ok());
    EXPECT_EQ(read_text(file()), kJavaFile);
}

TEST_F(FileMetaStoreTest, WritesNothingUntilSomebodySubscribes) {
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.flush().ok());
    EXPECT_FALSE(std::filesystem::exists(file()));
    ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
    EXPECT_EQ(
        read_text(file()),
        R"({"clientDatas":[{"clientIdentity":{"clientId":1001,"destination":"example"}}],"destination":"example"})"
    );
    ASSERT_TRUE(store.subscribe(kClient, "").ok());
    EXPECT_THAT(read_text(file()), HasSubstr(R"("destination":"example","filter":""})"));
}

TEST_F(FileMetaStoreTest, TheLastUnsubscribeStays) {
    write_text(file(), kJavaFile);
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.unsubscribe(kClient).ok());
    EXPECT_EQ(read_text(file()), R"({"clientDatas":[],"destination":"example"})");
    // In this run the cursor comes back with the client.
    ASSERT_TRUE(store.subscribe(kClient, ".*\\..*").ok());
    EXPECT_EQ(read_text(file()), kJavaFile);
}

TEST_F(FileMetaStoreTest, LeavesTheFileAloneWhenNothingChanged) {
    write_text(file(), kJavaFile);
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    const auto before = std::filesystem::last_write_time(file());
    std::filesystem::last_write_time(file(), before - std::chrono::hours(1));
    EXPECT_FALSE(store.dirty());
    ASSERT_TRUE(store.flush().ok());
    ASSERT_TRUE(store.subscribe(kClient, ".*\\..*").ok());
    EXPECT_FALSE(store.dirty());
    ASSERT_TRUE(store.close().ok());
    EXPECT_EQ(std::filesystem::last_write_time(file()), before - std::chrono::hours(1));
}

TEST_F(FileMetaStoreTest, SavedCursorsNeedNoFlush) {
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
        ASSERT_TRUE(store.subscribe(ClientId{2}, std::nullopt).ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(10)).ok());
        ASSERT_TRUE(store.save_cursor(ClientId{2}, at(20)).ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(30)).ok());
        EXPECT_EQ(store.cursor(kClient), at(30));
        EXPECT_TRUE(store.dirty());
    }
    EXPECT_THAT(read_text(file()), testing::Not(HasSubstr("cursor")));
    const ClientTable expected{
        {{kClient, std::nullopt, at(30)}, {ClientId{2}, std::nullopt, at(20)}}
    };
    EXPECT_EQ(reload(), expected);
    // And what was taken over from the journal is not lost by the next save of somebody else.
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.save_cursor(ClientId{2}, at(21)).ok());
    }
    const ClientTable later{{{kClient, std::nullopt, at(30)}, {ClientId{2}, std::nullopt, at(21)}}};
    EXPECT_EQ(reload(), later);
}

TEST_F(FileMetaStoreTest, WhoRewritesTheFileWins) {
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.subscribe(kClient, ".*\\..*").ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(9999)).ok());
    }
    const std::string own = read_text(file());
    write_text(file(), kJavaFile);
    EXPECT_EQ(reload().clients.at(0).cursor, at(4567));
    // The slot is void for good, even if the old content comes back.
    write_text(file(), own);
    EXPECT_EQ(reload().clients.at(0).cursor, std::nullopt);
    std::filesystem::remove(file());
    EXPECT_TRUE(reload().clients.empty());
}

TEST_F(FileMetaStoreTest, ARestoredOlderFileIsNotOverruled) {
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
    const std::string old = read_text(file());
    ASSERT_TRUE(store.save_cursor(kClient, at(50)).ok());
    ASSERT_TRUE(store.close().ok());
    write_text(file(), old);
    EXPECT_EQ(reload().clients.at(0).cursor, std::nullopt);
}

TEST_F(FileMetaStoreTest, ATornSlotLeavesTheOneBefore) {
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(1)).ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(2)).ok());
    }
    const std::string whole = read_text(journal());
    const auto slot_of = [&whole](int64_t offset) {
        const size_t found = whole.find("\"position\":" + std::to_string(offset) + ",");
        EXPECT_NE(found, std::string::npos);
        return found / CursorJournal::kSlotBytes;
    };
    const size_t newest = slot_of(2) * CursorJournal::kSlotBytes;
    ASSERT_NE(slot_of(1), slot_of(2));
    const size_t used = CursorJournal::kHeaderBytes + whole.substr(newest + 64).find('\n') + 1;
    for (size_t byte = 0; byte < used; ++byte) {
        std::string torn = whole;
        torn[newest + byte] = static_cast<char>(torn[newest + byte] ^ 0x10);
        write_text(journal(), torn);
        ASSERT_EQ(reload().clients.at(0).cursor, at(1)) << "byte " << byte;
    }
    // Cut short.
    for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, used - 1}) {
        write_text(journal(), std::string_view(whole).substr(0, size));
        const auto cursor = reload().clients.at(0).cursor;
        EXPECT_EQ(cursor, std::nullopt) << size;
    }
    write_text(journal(), whole);
    EXPECT_EQ(reload().clients.at(0).cursor, at(2));
}

TEST_F(FileMetaStoreTest, AClaimOfAHugeSlotIsIgnored) {
    write_text(file(), kJavaFile);
    std::string claim(CursorJournal::kHeaderBytes, '\xff');
    claim.replace(0, 8, "METAJNL1");
    write_text(journal(), claim);
    EXPECT_EQ(reload().clients.at(0).cursor, at(4567));
}

TEST_F(FileMetaStoreTest, CursorsLargerThanASlotGoToTheFile) {
    LogPosition large = at(7);
    large.oblog = canal::OblogResume{};
    large.oblog->consumed.assign(30000, std::string(40, 'x'));
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(6)).ok());
        ASSERT_TRUE(store.save_cursor(kClient, large).ok());
    }
    EXPECT_EQ(reload().clients.at(0).cursor, large);
    {
        FileMetaStore store(dir_.path(), "example");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.save_cursor(kClient, at(8)).ok());
    }
    EXPECT_EQ(reload().clients.at(0).cursor, at(8));
}

TEST_F(FileMetaStoreTest, KeepsWhatItDoesNotKnow) {
    const std::string text =
        R"({"clientDatas":[{"clientIdentity":{"clientId":1001,"destination":"example"},"note":{"a":[1]}},)"
        R"({"clientIdentity":{"clientId":5,"destination":"other"},"cursor":null}],"destination":"example","version":2})";
    write_text(file(), text);
    FileMetaStore store(dir_.path(), "example");
    auto table = store.load();
    ASSERT_TRUE(table.ok()) << table.error().detail;
    EXPECT_EQ(table->clients.size(), 1U);
    ASSERT_TRUE(store.subscribe(kClient, "x").ok());
    ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
    EXPECT_EQ(read_text(file()), text);
}

TEST_F(FileMetaStoreTest, EmptyFileIsNoFile) {
    write_text(file(), "");
    EXPECT_TRUE(reload().clients.empty());
    write_text(file(), " \n");
    EXPECT_TRUE(reload().clients.empty());
}

TEST_F(FileMetaStoreTest, AFileCutAtAnyByteStopsTheStart) {
    for (size_t size = 1; size < kJavaFile.size(); ++size) {
        const std::string detail = load_error(kJavaFile.substr(0, size));
        ASSERT_THAT(detail, HasSubstr("example/meta.dat: JSON: ")) << size;
    }
}

TEST_F(FileMetaStoreTest, ErrorsSayWhereInTheFile) {
    EXPECT_THAT(load_error("[]"), HasSubstr("meta.dat: document: is not a JSON object"));
    EXPECT_THAT(load_error(R"({"clientDatas":7})"), HasSubstr("clientDatas: is not a list"));
    EXPECT_THAT(
        load_error(R"({"clientDatas":[{}]})"),
        HasSubstr("clientDatas[0]: clientIdentity: is missing")
    );
    EXPECT_THAT(
        load_error(
            R"({"clientDatas":[{"clientIdentity":{"destination":"example","clientId":32768}}]})"
        ),
        HasSubstr("clientDatas[0]: clientId: is not -32768..32767")
    );
    EXPECT_THAT(
        load_error(
            R"({"clientDatas":[{"clientIdentity":{"destination":"example","clientId":1},"cursor":{"postion":{"position":[]}}}]})"
        ),
        HasSubstr("clientDatas[0]: cursor: position: member position is not a number")
    );
    EXPECT_THAT(load_error(std::string(1000000, '[')), HasSubstr("JSON"));
    EXPECT_THAT(
        load_error(std::string(FileMetaStore::kMaxFileBytes + 1, ' ')), HasSubstr("larger than")
    );
}

TEST_F(FileMetaStoreTest, OneOwnerAtATime) {
    FileMetaStore first(dir_.path(), "example");
    ASSERT_TRUE(first.load().ok());
    {
        FileMetaStore second(dir_.path(), "example");
        auto table = second.load();
        ASSERT_FALSE(table.ok());
        EXPECT_EQ(table.error().code, Errc::Conflict);
    }
    ASSERT_TRUE(first.close().ok());
    FileMetaStore third(dir_.path(), "example");
    EXPECT_TRUE(third.load().ok());
}

TEST_F(FileMetaStoreTest, ADestinationIsOneDirectory) {
    for (const std::string name : {"", ".", "..", "../x", "a/b"}) {
        FileMetaStore store(dir_.path(), name);
        EXPECT_FALSE(store.load().ok()) << name;
    }
}

TEST_F(FileMetaStoreTest, SaysWhenTheFileCannotBeReplaced) {
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    std::filesystem::create_directories(file() + ".tmp");
    auto done = store.subscribe(kClient, std::nullopt);
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().detail, HasSubstr("meta.dat.tmp: can't create"));
    // It is tried again.
    std::filesystem::remove(file() + ".tmp");
    ASSERT_TRUE(store.flush().ok());
    EXPECT_THAT(read_text(file()), HasSubstr("1001"));
}

TEST_F(FileMetaStoreTest, RefusesAllBeforeLoadAndAfterClose) {
    FileMetaStore store(dir_.path(), "example");
    EXPECT_FALSE(store.save_cursor(kClient, at(1)).ok());
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.close().ok());
    EXPECT_FALSE(store.subscribe(kClient, std::nullopt).ok());
    EXPECT_FALSE(store.unsubscribe(kClient).ok());
    EXPECT_FALSE(store.flush().ok());
}

TEST_F(FileMetaStoreTest, FlushesWhileCursorsAreSaved) {
    FileMetaStore store(dir_.path(), "example");
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
    std::atomic<int> flushes{0};
    std::jthread flusher([&store, &flushes](std::stop_token stop) {
        while (!stop.stop_requested()) {
            EXPECT_TRUE(store.flush().ok());
            ++flushes;
        }
    });
    int64_t last = 0;
    while (last < 3000 || flushes.load() < 20) {
        ASSERT_TRUE(store.save_cursor(kClient, at(++last)).ok());
        ASSERT_EQ(store.cursor(kClient), at(last));
    }
    flusher.request_stop();
    flusher.join();
    ASSERT_TRUE(store.close().ok());
    EXPECT_EQ(reload().clients.at(0).cursor, at(last));
}

}  // namespace
}  // namespace obcanal::meta

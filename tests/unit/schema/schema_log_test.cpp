// The history of tables: restored at any point, whatever order things became known in, and whole
// after a crash at any byte.
#include "server/schema/schema_log.h"

#include "kept_records.h"
#include "server/schema/file_schema_store.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace obcanal::schema {
namespace {

constexpr const char* kServer = "db:3306";

LogMoment at(uint64_t offset, const std::string& file = "bin.000001") {
    return {{file, offset}, static_cast<int64_t>(offset) * 1000};
}

std::string columns(const TableDefinition* table) {
    if (table == nullptr) return "unknown";
    std::string out;
    for (const ColumnDefinition& column : table->columns) {
        if (!out.empty()) out += " ";
        out += column.name;
    }
    return out;
}

std::string columns(const SchemaLog& log, const std::string& table) {
    return columns(log.find("s", table));
}

class History : public testing::Test {
 protected:
    SchemaLog open(SchemaLogOptions options = {}) {
        return SchemaLog(std::move(options), std::make_unique<KeptRecords>(records_));
    }

    // A log that was restored for a start that follows what was read.
    SchemaLog restored(const LogMoment& start, const std::string& origin = kServer) {
        SchemaLog log = open();
        const auto known = log.restore(start, origin, StartKind::Continues);
        EXPECT_TRUE(known.ok()) << known.error().detail;
        EXPECT_TRUE(known.ok() && *known);
        return log;
    }

    std::vector<std::string> records_;
};

FetchedTable answer(
    const std::string& table, const std::string& sql, uint64_t before, uint64_t after
) {
    return {{{"s", table}, sql}, {at(before).point, at(after).point}};
}

TEST_F(History, NumbersOfFilesCountAsNumbers) {
    EXPECT_LT((LogPoint{"bin.999999", 9}), (LogPoint{"bin.1000000", 4}));
    EXPECT_LT((LogPoint{"bin.000009", 9}), (LogPoint{"bin.000010", 4}));
    EXPECT_LT((LogPoint{"bin.000010", 4}), (LogPoint{"bin.000010", 5}));
    EXPECT_LT((LogPoint{"a.000010", 4}), (LogPoint{"b.000001", 4}));
    EXPECT_TRUE((LogPoint{"bin.000010", 4} <=> LogPoint{"bin.000010", 4}) == 0);
    EXPECT_LT((LogPoint{}), (LogPoint{"bin.000001", 4}));
}

TEST_F(History, IsRestoredAtEveryPoint) {
    std::map<uint64_t, std::string> expected;  // right before the statement there
    const std::vector<std::string> statements = {
        "create database s charset latin1",
        "create table t (a int primary key, n varchar(9))",
        "alter table t add b int after a",
        "create table if not exists t (other int)",
        "rename table t to u",
        "create table t like u",
        "alter table t drop b, add c enum('x','y')",
        "drop table u",
    };
    SchemaLog log = open();
    auto known = log.restore(at(4), kServer, StartKind::Chosen);
    ASSERT_TRUE(known.ok());
    EXPECT_FALSE(*known);
    uint64_t offset = 10;
    for (const std::string& sql : statements) {
        expected[offset] = columns(log, "t") + "|" + columns(log, "u");
        EXPECT_FALSE(log.apply(sql, "s", at(offset)).empty());
        EXPECT_TRUE(log.unsaved());
        ASSERT_TRUE(log.save().ok());
        EXPECT_FALSE(log.unsaved());
        offset += 10;
    }
    expected[offset] = columns(log, "t") + "|" + columns(log, "u");
    const std::vector<TableDefinition> last = {*log.find("s", "t")};
    for (const auto& [point, tables] : expected) {
        SchemaLog again = restored(at(point));
        EXPECT_EQ(columns(again, "t") + "|" + columns(again, "u"), tables) << point;
        // What follows is read again, and is not kept twice.
        const size_t kept = records_.size();
        for (uint64_t next = point; next < offset; next += 10)
            again.apply(statements[next / 10 - 1], "s", at(next));
        EXPECT_FALSE(again.unsaved());
        ASSERT_TRUE(again.save().ok());
        EXPECT_EQ(records_.size(), kept);
        EXPECT_EQ(*again.find("s", "t"), last.front());
    }
    EXPECT_EQ(log.find("s", "t")->columns[1].charset, "latin1");
}

TEST_F(History, GtidsWithoutAPlaceAreFollowedByTime) {
    SchemaLog log = open();
    ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
    log.apply("create table t (a int)", "s", at(10));
    log.apply("alter table t add b int", "s", at(20));
    ASSERT_TRUE(log.save().ok());
    SchemaLog again = restored({{"", 4}, 15'000});
    EXPECT_EQ(columns(again, "t"), "a");
    again.apply("alter table t add b int", "s", at(20));
    EXPECT_EQ(columns(again, "t"), "a b");
    // Neither place nor time.
    SchemaLog unknown = open();
    const auto known = unknown.restore({{"", 4}, 0}, kServer, StartKind::Continues);
    ASSERT_TRUE(known.ok());
    EXPECT_FALSE(*known);
}

TEST_F(History, StatementsOfOthersAreNotKept) {
    SchemaLog log = open();
    ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
    ASSERT_TRUE(log.save().ok());
    for (const char* sql :
         {"insert into t values (1)",
          "grant all on *.* to u",
          "flush tables",
          "create view v as select 1",
          "analyze table t"})
        EXPECT_TRUE(log.apply(sql, "s", at(9)).empty()) << sql;
    EXPECT_FALSE(log.unsaved());
}

// Between asking and the point where rows needed the answer, statements may lie that it has in it.
TEST_F(History, AnswersHoldForThePointWhereTheyWereGiven) {
    SchemaLog log = open();
    ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
    log.define(answer("t", "create table t (a int, b int)", 50, 60), at(10));
    EXPECT_EQ(columns(log, "t"), "a b");
    log.apply("alter table t add b int", "s", at(20));  // is in the answer
    EXPECT_EQ(columns(log, "t"), "a b");
    log.apply("alter table t add c int", "s", at(60));  // is not
    EXPECT_EQ(columns(log, "t"), "a b c");

    log.define(answer("u", "create table u (a int, b int)", 150, 160), at(110));
    log.apply("alter table u add b int", "s", at(155));  // nobody can tell
    EXPECT_EQ(columns(log, "u"), "unknown");

    // A table of that name that was moved away before is another one.
    log.define(answer("v", "create table v (z int)", 250, 260), at(210));
    log.apply("rename table v to w", "s", at(220));
    EXPECT_EQ(columns(log, "w"), "unknown");
    log.define(answer("x", "create table x (z int)", 250, 260), at(221));
    log.apply("create table y like x", "s", at(222));
    EXPECT_EQ(columns(log, "y"), "unknown");
    // What the statement itself says is exact.
    log.apply("create table x (q int)", "s", at(230));
    EXPECT_EQ(columns(log, "x"), "q");
    log.apply("alter table x add r int", "s", at(231));
    EXPECT_EQ(columns(log, "x"), "q r");
}

TEST_F(History, AnswersAreKeptForALaterStartBeforeThem) {
    {
        SchemaLog log = open();
        ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
        log.apply("create table other (a int)", "s", at(10));
        log.define(answer("t", "create table t (a int)", 20, 25), at(20));
        log.apply("alter table t engine = something ( odd", "s", at(30));
        log.apply("alter table t add b int after nowhere", "s", at(40));
        EXPECT_EQ(columns(log, "t"), "unknown");
        log.define(answer("t", "create table t (b int, a int)", 50, 55), at(50));
        log.apply("drop table t", "s", at(60));
        ASSERT_TRUE(log.save().ok());
    }
    SchemaLog log = restored(at(5));
    EXPECT_EQ(columns(log, "t"), "unknown");
    EXPECT_FALSE(log.recall({"s", "other"}));
    ASSERT_TRUE(log.recall({"s", "t"}));
    EXPECT_EQ(columns(log, "t"), "a");
    log.apply("create table other (a int)", "s", at(10));
    log.apply("alter table t engine = something ( odd", "s", at(30));
    log.apply("alter table t add b int after nowhere", "s", at(40));
    EXPECT_EQ(columns(log, "t"), "unknown");
    ASSERT_TRUE(log.recall({"s", "t"}));
    EXPECT_EQ(columns(log, "t"), "b a");
    log.apply("drop table t", "s", at(60));
    EXPECT_FALSE(log.unsaved());
    EXPECT_FALSE(log.recall({"s", "t"}));

    // Behind a statement that touches the table, the answer says nothing about the time before.
    SchemaLog between = restored(at(35));
    EXPECT_EQ(columns(between, "t"), "a");
    EXPECT_FALSE(between.recall({"s", "t"}));
}

TEST_F(History, BeginsWithAllThatTheSourceKnows) {
    SchemaLog log = open();
    auto known = log.restore(at(100), kServer, StartKind::Chosen);
    ASSERT_TRUE(known.ok());
    ASSERT_FALSE(*known);
    FetchedSchema all;
    all.databases = {{"s", "gbk"}};
    all.tables = {
        {{"s", "t"}, "CREATE TABLE `t` (`a` int(11)) ENGINE=InnoDB"},
        {{"s", "bad"}, "no table at all"}
    };
    all.asked = {at(100).point, at(120).point};
    log.begin_with(all, at(100));
    ASSERT_TRUE(log.save().ok());
    log.apply("create table n (c text)", "s", at(110));
    EXPECT_EQ(log.find("s", "n")->columns[0].charset, "gbk");
    ASSERT_TRUE(log.save().ok());
    EXPECT_EQ(columns(log, "t"), "a");

    SchemaLog again = restored(at(105));
    EXPECT_EQ(columns(again, "t"), "a");
    EXPECT_EQ(columns(again, "n"), "unknown");
    again.apply("create table n (c text)", "s", at(110));
    again.apply("alter table t add b int", "s", at(115));
    EXPECT_EQ(columns(again, "t"), "unknown");
    // IF NOT EXISTS does not replace a table that is there and not understood.
    again.apply("create table if not exists bad (a int)", "s", at(116));
    EXPECT_EQ(columns(again, "bad"), "unknown");
}

TEST_F(History, AStartBeforeItTakesTheFirstCheckpointForAnAnswer) {
    {
        SchemaLog log = open();
        ASSERT_TRUE(log.restore(at(100), kServer, StartKind::Chosen).ok());
        FetchedSchema all;
        all.tables = {{{"s", "t"}, "create table t (a int, b int)"}};
        all.asked = {at(90).point, at(95).point};
        log.begin_with(all, at(100));
        log.apply("alter table t add c int", "s", at(110));
        ASSERT_TRUE(log.save().ok());
    }
    SchemaLog log = restored(at(50));
    EXPECT_EQ(columns(log, "t"), "a b");
    log.apply("alter table t add b int", "s", at(60));
    EXPECT_EQ(columns(log, "t"), "a b");
}

TEST_F(History, AChosenStartBehindItKnowsNothing) {
    {
        SchemaLog log = open();
        ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
        log.apply("create table t (a int)", "s", at(10));
        ASSERT_TRUE(log.save().ok());
    }
    SchemaLog log = open();
    auto known = log.restore(at(9000), kServer, StartKind::Chosen);
    ASSERT_TRUE(known.ok());
    EXPECT_FALSE(*known);
    EXPECT_EQ(columns(log, "t"), "unknown");
    // Until something new is saved, what there was stays.
    EXPECT_EQ(columns(restored(at(9000)), "t"), "a");
    SchemaLog inside = open();
    known = inside.restore(at(10), kServer, StartKind::Chosen);
    EXPECT_TRUE(known.ok() && *known);
}

TEST_F(History, AnotherServerIsFollowedByTime) {
    {
        SchemaLog log = open();
        ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
        log.apply("create table t (a int)", "s", at(10));
        log.apply("alter table t add b int", "s", at(20));
        log.apply("alter table t add c int", "s", at(30));
        ASSERT_TRUE(log.save().ok());
    }
    SchemaLog log = restored({{"standby.000007", 999}, 25'000}, "standby:3306");
    EXPECT_EQ(columns(log, "t"), "a b");
    ASSERT_TRUE(log.save().ok());
    log.apply("alter table t add c int", "s", at(1500, "standby.000007"));
    ASSERT_TRUE(log.save().ok());
    EXPECT_EQ(columns(restored(at(1000, "standby.000007"), "standby:3306"), "t"), "a b");
    EXPECT_EQ(columns(restored(at(1501, "standby.000007"), "standby:3306"), "t"), "a b c");

    SchemaLog chosen = open();
    auto known = chosen.restore(at(1501, "third.000001"), "third:3306", StartKind::Chosen);
    EXPECT_TRUE(known.ok() && !*known);
}

// RESET MASTER, or a server that was restored: the same names of files, another content.
TEST_F(History, AnotherLogOfTheSameServerMakesTheFutureVoid) {
    {
        SchemaLog log = open();
        ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
        log.apply("create table t (a int)", "s", at(10));
        log.apply("create table u (a int)", "s", at(30));
        ASSERT_TRUE(log.save().ok());
    }
    SchemaLog log = restored(at(10));
    log.apply("create table t (z int)", "s", at(20));
    EXPECT_TRUE(log.unsaved());
    ASSERT_TRUE(log.save().ok());
    log.apply("create table u (y int)", "s", at(40));
    ASSERT_TRUE(log.save().ok());
    EXPECT_EQ(columns(restored(at(21)), "t"), "z");
    EXPECT_EQ(columns(restored(at(41)), "u"), "y");
}

TEST_F(History, StaysSmall) {
    SchemaLogOptions options;
    options.checkpoint_bytes = 1000;
    options.keep_ms = 100'000;
    SchemaLog log = open(options);
    ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
    size_t most = 0;
    std::string expected;
    for (uint64_t i = 1; i <= 5000; ++i) {
        const std::string number = std::to_string(i % 7);
        log.apply(
            "create or replace table t" + number + " (c" + std::to_string(i) + " int)", "s", at(i)
        );
        ASSERT_TRUE(log.save().ok());
        size_t bytes = 0;
        for (const std::string& record : records_) bytes += record.size();
        most = std::max(most, bytes);
    }
    EXPECT_LT(most, 30'000U);
    // What is kept reaches back as far as was promised.
    for (uint64_t start : {4901U, 4950U, 5001U})
        EXPECT_EQ(columns(restored(at(start)), "t0"), "c" + std::to_string((start - 1) / 7 * 7));

    options.keep_ms = int64_t{1} << 40;
    SchemaLog by_size(options, std::make_unique<KeptRecords>(records_, 20'000));
    ASSERT_TRUE(by_size.restore(at(5001), kServer, StartKind::Continues).ok());
    most = 0;
    for (uint64_t i = 5001; i <= 9000; ++i) {
        by_size.apply("create or replace table t0 (c" + std::to_string(i) + " int)", "s", at(i));
        ASSERT_TRUE(by_size.save().ok());
        size_t bytes = 0;
        for (const std::string& record : records_) bytes += record.size();
        if (i > 5500) most = std::max(most, bytes);
    }
    EXPECT_LT(most, 25'000U);
    EXPECT_EQ(columns(restored(at(9001)), "t0"), "c9000");
}

// Whatever it takes: a server that takes over begins at a cursor.
TEST_F(History, WhatIsStillReadIsKept) {
    SchemaLogOptions options;
    options.checkpoint_bytes = 1000;
    auto store = std::make_unique<KeptRecords>(records_, 5'000);
    KeptRecords& kept = *store;
    SchemaLog log(options, std::move(store));
    ASSERT_TRUE(log.restore(at(4), kServer, StartKind::Chosen).ok());
    const auto bytes = [this] {
        size_t sum = 0;
        for (const std::string& record : records_) sum += record.size();
        return sum;
    };
    const auto change = [&log](uint64_t from, uint64_t to) {
        for (uint64_t i = from; i <= to; ++i) {
            log.apply("create or replace table t (c" + std::to_string(i) + " int)", "s", at(i));
            ASSERT_TRUE(log.save().ok());
        }
    };
    kept.read_by({{kServer, at(501)}, {"elsewhere:1", at(5000)}});
    change(1, 1000);
    EXPECT_GT(bytes(), 20'000U);
    EXPECT_EQ(columns(restored(at(501)), "t"), "c500");
    // What that cursor did not need is gone.
    EXPECT_LT(bytes(), 60'000U);
    kept.read_by({{kServer, at(2001)}});
    change(1001, 2000);
    EXPECT_EQ(columns(restored(at(2001)), "t"), "c2000");
    kept.read_by({{kServer, at(4001)}});
    change(2001, 4000);
    EXPECT_LT(bytes(), 12'000U);
    EXPECT_EQ(columns(restored(at(4001)), "t"), "c4000");
}

TEST_F(History, ThatIsMalformedIsNotTakenForNone) {
    records_ = {to_bytes(LoggedStatement{at(1), "s", "create table t (a int)"})};
    SchemaLog log = open();
    auto known = log.restore(at(4), kServer, StartKind::Continues);
    ASSERT_FALSE(known.ok());
    EXPECT_EQ(known.error().detail, "schema history: does not begin with a checkpoint");
    records_ = {"\x07"};
    known = log.restore(at(4), kServer, StartKind::Continues);
    ASSERT_FALSE(known.ok());
    EXPECT_EQ(
        known.error().detail,
        "schema history, record 1: schema record of kind 7, 1 bytes: malformed"
    );
}

std::vector<SchemaRecord> sample_records() {
    const AskedBetween asked{at(5).point, at(7, "bin.000002").point};
    return {
        Checkpoint{
            at(1),
            kServer,
            {{"s", "gbk"}, {"", ""}},
            {{{"s", "t"}, "create table t (a int)", asked}, {{"s", "u"}, std::nullopt, std::nullopt}
            }
        },
        LoggedStatement{at(2), "s", std::string("drop table \0 t", 14)},
        LoggedAnswer{at(3), {{"s", "v"}, std::nullopt, asked}},
    };
}

TEST(SchemaRecords, ComeBackAsTheyWere) {
    for (const SchemaRecord& record : sample_records()) {
        const std::string bytes = to_bytes(record);
        const auto read = parse_schema_record(as_bytes(bytes));
        ASSERT_TRUE(read.ok()) << read.error().detail;
        EXPECT_EQ(*read, record);
        for (size_t size = 0; size < bytes.size(); ++size)
            EXPECT_FALSE(parse_schema_record(as_bytes(bytes.substr(0, size))).ok()) << size;
        EXPECT_FALSE(parse_schema_record(as_bytes(bytes + "x")).ok());
    }
}

TEST(SchemaFile, SurvivesACrashAtEveryByte) {
    const ScratchDir folder;
    const std::string path = folder.path() + "/d/schema.log";
    const std::vector<std::string> first = {"one", std::string(40, 'x')};
    const std::vector<std::string> second = {"two", "three", std::string("\0\0", 2)};
    size_t first_size = 0;
    {
        FileSchemaStore store(folder.path(), "d");
        auto empty = store.load();
        ASSERT_TRUE(empty.ok()) << empty.error().detail;
        EXPECT_TRUE(empty->empty());
        ASSERT_TRUE(store.append(first).ok());
        first_size = read_text(path).size();
        ASSERT_TRUE(store.append(second).ok());
    }
    std::vector<std::string> all = first;
    all.insert(all.end(), second.begin(), second.end());
    const std::string whole = read_text(path);
    for (size_t size = 0; size <= whole.size(); ++size) {
        // Cut, and with blocks that the file system never filled.
        for (const std::string& torn :
             {whole.substr(0, size), whole.substr(0, size) + std::string(whole.size() - size, '\0')
             }) {
            write_text(path, torn);
            FileSchemaStore store(folder.path(), "d");
            auto read = store.load();
            if (size < 8 && torn.size() >= 8) {
                EXPECT_FALSE(read.ok()) << size;
                continue;
            }
            ASSERT_TRUE(read.ok()) << size << ": " << read.error().detail;
            std::vector<std::string> expected;
            // Bytes that were zeros anyway are not missing.
            if (size >= first_size) expected = first;
            if (torn == whole) expected = all;
            EXPECT_EQ(*read, expected) << size;
            // And goes on behind what is whole.
            ASSERT_TRUE(store.append(second).ok());
            expected.insert(expected.end(), second.begin(), second.end());
            read = store.load();
            ASSERT_TRUE(read.ok());
            EXPECT_EQ(*read, expected) << size;
        }
    }
}

TEST(SchemaFile, DamageInTheMiddleIsAnError) {
    const ScratchDir folder;
    const std::string path = folder.path() + "/d/schema.log";
    const std::vector<std::string> some = {"a record"};
    {
        FileSchemaStore store(folder.path(), "d");
        ASSERT_TRUE(store.load().ok());
        ASSERT_TRUE(store.append(some).ok());
        ASSERT_TRUE(store.append(some).ok());
    }
    std::string bytes = read_text(path);
    bytes[20] = 'X';
    write_text(path, bytes);
    FileSchemaStore store(folder.path(), "d");
    auto read = store.load();
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(
        read.error().detail,
        path +
            ": damaged at byte 8 of 42; without this file the tables are read from the source as "
            "they are now"
    );
    write_text(path, "OBCSCHM2rest");
    read = store.load();
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().detail, path + ": not a schema history");
}

TEST(SchemaFile, IsReplacedWholeAndBelongsToOne) {
    const ScratchDir folder;
    FileSchemaStore store(folder.path(), "d");
    ASSERT_TRUE(store.load().ok());
    const std::vector<std::string> old = {"old", "older"};
    const std::vector<std::string> fresh = {"fresh"};
    ASSERT_TRUE(store.append(old).ok());
    ASSERT_TRUE(store.replace(fresh).ok());
    ASSERT_TRUE(store.append(old).ok());
    FileSchemaStore other(folder.path(), "d");
    auto read = other.load();
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Errc::Conflict);
    read = store.load();
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, (std::vector<std::string>{"fresh", "old", "older"}));
}

}  // namespace
}  // namespace obcanal::schema

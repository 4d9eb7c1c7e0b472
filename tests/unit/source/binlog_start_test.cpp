// Where a stream begins: as configured, behind a cursor, at a time that is looked for in the logs;
// on this server or another one.
#include "server/source/binlog_start.h"

#include "protocol/net/asio.h"
#include "tests/unit/mysql/log_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace obcanal::source {
namespace {

using mysql::EventType;

constexpr const char* kUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
constexpr int64_t kSecond = 1000;

std::string le(uint64_t value, unsigned bytes) {
    std::string out;
    mysql::append_le(out, value, bytes);
    return out;
}

// One log file of a MySQL server: transactions of three events, or DDL of two.
struct File {
    std::string name;
    uint64_t end = kFirstLogOffset;
    std::vector<std::string> events{};
    std::vector<uint64_t> groups{};  // where each begins

    void add(EventType type, const std::string& body, uint32_t seconds, bool stands = true) {
        std::string bytes = mysql::event_bytes(type, body, false);
        if (stands) end += bytes.size();
        bytes.replace(0, 4, le(seconds, 4));
        bytes.replace(13, 4, le(end, 4));
        events.push_back(std::move(bytes));
    }

    void begin(uint32_t seconds, int64_t executed) {
        std::string format = mysql::format_bytes("8.0.33", false);
        end += format.size();
        format.replace(0, 4, le(seconds, 4));
        format.replace(13, 4, le(end, 4));
        events.push_back(std::move(format));
        add(EventType::PreviousGtids, set_of(executed).encode(), seconds);
    }

    void gtid(uint32_t seconds, int64_t number) {
        groups.push_back(end);
        std::string body = "\x01";
        const auto uuid = mysql::parse_uuid(kUuid);
        for (const std::byte b : *uuid) body += static_cast<char>(b);
        body += le(static_cast<uint64_t>(number), 8) + "\x02" + le(1, 8) + le(2, 8);
        add(EventType::Gtid, body, seconds);
    }

    void transaction(uint32_t seconds, int64_t number) {
        gtid(seconds, number);
        add(EventType::Query, query("BEGIN"), seconds);
        add(EventType::Heartbeat, name, seconds, false);  // says nothing about groups
        add(EventType::Xid, le(7, 8), seconds);
    }

    void ddl(uint32_t seconds, int64_t number) {
        gtid(seconds, number);
        add(EventType::Query, query("CREATE TABLE t (a INT)"), seconds);
    }

    static mysql::GtidSet set_of(int64_t executed) {
        if (executed == 0) return {};
        return *mysql::GtidSet::parse(std::string(kUuid) + ":1-" + std::to_string(executed));
    }

    static std::string query(const std::string& sql) {
        return le(9, 4) + le(0, 4) + le(0, 1) + le(0, 2) + le(0, 2) + std::string(1, '\0') + sql;
    }
};

class SentFile : public SentLog {
 public:
    explicit SentFile(const File& file) : file_(file) {}

    Awaitable<Result<std::optional<Bytes>>> next() override {
        if (next_ == file_.events.size()) co_return std::optional<Bytes>();
        co_return std::optional<Bytes>(as_bytes(file_.events[next_++]));
    }

 private:
    const File& file_;
    size_t next_ = 0;
};

class Logs : public ServerLogs {
 public:
    Awaitable<Result<std::unique_ptr<SentLog>>> open_log(BinlogPoint at) override {
        ++opened;
        for (const File& file : files) {
            if (file.name != at.file) continue;
            std::unique_ptr<SentLog> log = std::make_unique<SentFile>(file);
            co_return log;
        }
        co_return Error{Errc::PositionPurged, Retry::Never, "no log " + at.file};
    }

    Awaitable<Result<std::vector<LogFile>>> list() override {
        std::vector<LogFile> list;
        for (const File& file : files) list.push_back({file.name, file.end});
        co_return list;
    }

    Awaitable<Result<BinlogPoint>> end() override {
        BinlogPoint end;
        end.file = files.back().name;
        end.offset = files.back().end;
        co_return end;
    }

    std::vector<File> files;
    int opened = 0;
};

class Start : public testing::Test {
 protected:
    Start() {
        int64_t number = 0;
        for (uint32_t i = 0; i < 4; ++i) {
            File file{"bin.00000" + std::to_string(i + 1)};
            const uint32_t seconds = 1000 + 100 * i;
            file.begin(seconds, number);
            file.transaction(seconds + 10, ++number);
            file.ddl(seconds + 20, ++number);
            file.transaction(seconds + 30, ++number);
            logs.files.push_back(std::move(file));
        }
    }

    template <class T>
    static Awaitable<void> keep(Awaitable<T> asked, std::optional<T>& answer) {
        T got = co_await std::move(asked);
        answer.emplace(std::move(got));
    }

    template <class T>
    T run(Awaitable<T> asked) {
        asio::io_context context;
        std::optional<T> answer;
        asio::co_spawn(context, keep(std::move(asked), answer), asio::detached);
        context.run();
        return std::move(answer).value();
    }

    Result<BinlogStart> choose(StartQuestion question) {
        question.server = &server;
        return run(choose_start(logs, std::move(question)));
    }

    BinlogStart chosen(StartQuestion question) {
        auto start = choose(std::move(question));
        EXPECT_TRUE(start.ok()) << start.error().detail;
        return start.ok() ? *start : BinlogStart();
    }

    static canal::LogPosition cursor(const std::string& file, int64_t offset, int64_t ms) {
        canal::LogPosition position;
        position.journal_name = file;
        position.position = offset;
        position.timestamp_ms = ms;
        return position;
    }

    Logs logs;
    config::MysqlServer server;
};

TEST_F(Start, ConfiguredPlace) {
    server.journal_name = "bin.000002";
    server.position = 777;
    server.timestamp_ms = 5;  // the place counts
    EXPECT_EQ(chosen({}).point, (BinlogPoint{"bin.000002", 777}));
    server.position = 1;
    EXPECT_EQ(chosen({}).point, (BinlogPoint{"bin.000002", kFirstLogOffset}));
    server.position = 0;
    server.timestamp_ms = 0;
    EXPECT_EQ(chosen({}).point, (BinlogPoint{"bin.000002", kFirstLogOffset}));
    EXPECT_EQ(logs.opened, 0);
}

TEST_F(Start, NothingConfiguredIsTheEnd) {
    EXPECT_EQ(chosen({}).point, (BinlogPoint{"bin.000004", logs.files.back().end}));
}

TEST_F(Start, ConfiguredGtidsNameNoFile) {
    server.gtid = std::string(kUuid) + ":1-5";
    server.journal_name = "bin.000002";
    StartQuestion question;
    question.gtid_on = true;
    const BinlogStart start = chosen(question);
    EXPECT_TRUE(start.by_gtid);
    EXPECT_EQ(start.point.file, "");
    EXPECT_EQ(start.point.executed, server.gtid);
    // Without canal.instance.gtidon they do not count.
    EXPECT_FALSE(chosen({}).by_gtid);
    EXPECT_EQ(chosen({}).point.file, "bin.000002");
}

TEST_F(Start, ConfiguredTime) {
    const auto at = [this](int64_t seconds) {
        server.timestamp_ms = seconds * kSecond;
        return chosen({}).point;
    };
    const auto group = [this](size_t file, size_t which) {
        return BinlogPoint{logs.files[file].name, logs.files[file].groups[which]};
    };
    for (const auto& [seconds, file, which] :
         {std::tuple{1110, 1, 0}, {1111, 1, 1}, {1120, 1, 1}, {1130, 1, 2}, {1305, 3, 0}}) {
        BinlogPoint found = at(seconds);
        found.executed.clear();
        EXPECT_EQ(found, group(static_cast<size_t>(file), static_cast<size_t>(which))) << seconds;
    }
    // What comes first behind it may be the beginning of the next log.
    EXPECT_EQ(at(1131).file, "bin.000003");
    EXPECT_LE(at(1131).offset, logs.files[2].groups[0]);
    EXPECT_EQ(at(1120).executed, std::string(kUuid) + ":1-4");
    EXPECT_EQ(at(9999), (BinlogPoint{"bin.000004", logs.files.back().end}));
    EXPECT_EQ(at(1).file, "bin.000001");
    server.journal_name = "bin.000003";
    EXPECT_EQ(at(1).file, "bin.000003");
    server.journal_name = "bin.000009";
    EXPECT_EQ(choose({}).error().code, Errc::PositionPurged);
}

TEST_F(Start, TimeBeforeTheOldestLogIsPurged) {
    logs.files.erase(logs.files.begin());
    server.timestamp_ms = 1050 * kSecond;
    const auto start = choose({});
    ASSERT_FALSE(start.ok());
    EXPECT_EQ(start.error().code, Errc::PositionPurged);
    EXPECT_NE(start.error().detail.find("bin.000002"), std::string::npos);
}

TEST_F(Start, BehindTheCursor) {
    StartQuestion question;
    question.from = cursor("bin.000002", 300, 1110 * kSecond);
    question.from->binlog = canal::BinlogResume{false, 5, "g"};
    question.from->gtid = std::string(kUuid) + ":1-3";
    server.journal_name = "bin.000001";  // what is configured counts for the first start only
    const BinlogStart start = chosen(question);
    EXPECT_FALSE(start.by_gtid);
    EXPECT_EQ(start.point, (BinlogPoint{"bin.000002", 300, false, 5, "g", question.from->gtid}));
    question.gtid_on = true;
    EXPECT_TRUE(chosen(question).by_gtid);
    EXPECT_EQ(chosen(question).point.executed, question.from->gtid);
    EXPECT_EQ(logs.opened, 0);
}

// A cursor of a Java server with GTIDs may name no file.
TEST_F(Start, CursorOfGtidsOnly) {
    StartQuestion question;
    question.from = cursor("", 0, 1110 * kSecond);
    question.from->gtid = std::string(kUuid) + ":1-3";
    question.gtid_on = true;
    const BinlogStart start = chosen(question);
    EXPECT_TRUE(start.by_gtid);
    EXPECT_EQ(start.point.file, "");
    // With GTIDs switched off there is the time.
    question.gtid_on = false;
    EXPECT_EQ(chosen(question).point.file, "bin.000002");
    question.from->timestamp_ms = 0;
    EXPECT_EQ(choose(question).error().code, Errc::BadConfig);
}

TEST_F(Start, StandbyIsSearchedByTime) {
    StartQuestion question;
    question.from = cursor("other.000077", 300, 1125 * kSecond);
    question.from->binlog = canal::BinlogResume{false, 5, ""};
    question.same_server = false;
    question.fallback_ms = 10 * kSecond;
    const BinlogStart start = chosen(question);
    EXPECT_EQ(start.point.file, "bin.000002");
    EXPECT_EQ(start.point.offset, logs.files[1].groups[1]);
    EXPECT_EQ(start.point.events, 0U);
    // GTIDs are the same everywhere; events of a transaction are not.
    question.gtid_on = true;
    question.from->gtid = std::string(kUuid) + ":1-3";
    EXPECT_TRUE(chosen(question).by_gtid);
    EXPECT_EQ(chosen(question).point.events, 0U);
}

TEST_F(Start, BeginningOfATransaction) {
    const File& file = logs.files[1];
    const auto group_of = [&](uint64_t offset) {
        const auto found = run(find_group(logs, {file.name, offset}));
        EXPECT_TRUE(found.ok()) << found.error().detail;
        return found.ok() ? *found : BinlogPoint();
    };
    EXPECT_EQ(group_of(file.groups[0] + 70).offset, file.groups[0]);
    EXPECT_EQ(group_of(file.groups[1]).offset, file.groups[1]);
    EXPECT_EQ(group_of(file.groups[1]).executed, std::string(kUuid) + ":1-4");
    EXPECT_EQ(group_of(file.end).offset, file.end);
    EXPECT_EQ(group_of(file.end).executed, std::string(kUuid) + ":1-6");
}

}  // namespace
}  // namespace obcanal::source

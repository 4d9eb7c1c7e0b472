// A stream that goes on behind any entry that a client acknowledged, or behind a cut connection:
// what comes is what was still missing, each entry once.
#include "protocol/base/crypto.h"
#include "protocol/canal/entry_encoder.h"
#include "protocol/canal/position.h"
#include "server/source/binlog_translator.h"
#include "tests/unit/schema/kept_records.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace obcanal::source {
namespace {

constexpr size_t kMagic = 4;
constexpr const char* kLog = "log.000001";
const Endpoint kServer{"127.0.0.1", 3306};

std::string read_log(const std::string& name) {
    std::ifstream file(std::string(OBCANAL_FIXTURES) + "/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

// An entry, and what the ring keeps beside it.
struct Published {
    std::string entry;
    canal::TxnMark txn;  // of its texts only those below
    std::string id;
    std::string log;
    std::string gtid;
    uint64_t rows_done = 0;
    bool complete = false;
    int64_t offset = 0;
    int64_t execute_ms = 0;
};

// A log file, read as BinlogSource does it and published as instance::Feed does, but entry by
// entry.
class Stream {
 public:
    // `history`: the schema history's records on the disk.
    Stream(const std::string& log, bool gtids, std::vector<std::string>& history)
        : schemas_({}, std::make_unique<schema::KeptRecords>(history)),
          log_(log),
          filter_(std::make_shared<const filter::TableFilter>(
              filter::TableFilter::compile(config.filter_regex, "").value()
          )),
          translator(BinlogTranslator::make(config, schemas_, filter_, {}, state_).value()),
          gtids_(gtids) {}

    void begin(const BinlogPoint& point, schema::StartKind kind) {
        // Behind the event that is done with.
        const schema::LogPoint from{point.file, point.offset + (point.done ? 1 : 0)};
        const auto known = schemas_.restore({from, 0}, kServer.text(), kind);
        ASSERT_TRUE(known.ok()) << known.error().detail;
        ASSERT_EQ(*known, kind == schema::StartKind::Continues);
        if (!*known) schemas_.begin_with({}, {from, 0});
        ASSERT_TRUE(schemas_.save().ok());
        std::optional<ExecutedGtids> executed;
        if (gtids_) executed = ExecutedGtids::parse(point.executed, false).value();
        translator->begin_stream(point, std::move(executed), false, 0);
        at_ = point.offset;
        txn_.reset();
        if (at_ == kMagic) return;
        // The server sends the format in front.
        const uint32_t length = mysql::EventHeader::read(as_bytes(log_).data() + kMagic).length;
        std::string format = log_.substr(kMagic, length);
        format.replace(13, 4, std::string(4, '\0'));  // position 0: not where the log is now
        format[17] = static_cast<char>(format[17] & ~1);
        fix_checksum(format);
        take(as_bytes(format));
    }

    bool at_end() const { return at_ >= log_.size(); }

    // The next event of the log.
    void step() {
        const Bytes rest = as_bytes(log_).subspan(at_);
        const uint32_t length = mysql::EventHeader::read(rest.data()).length;
        at_ += length;
        take(rest.first(length));
    }

    void run(size_t entries) {
        while (!at_end() && published.size() < entries) step();
    }

    config::InstanceConfig config;
    std::vector<Published> published;

 private:
    schema::SchemaLog schemas_;
    const std::string& log_;
    LiveFilter filter_;
    SourceState state_;

 public:
    std::unique_ptr<BinlogTranslator> translator;

 private:
    static void fix_checksum(std::string& event) {
        const Bytes sized = as_bytes(event).first(event.size() - 4);
        const uint32_t sum = crc32(sized);
        for (size_t i = 0; i < 4; ++i)
            event[event.size() - 4 + i] = static_cast<char>(sum >> (8 * i));
    }

    void take(Bytes event) {
        const auto begun = translator->begin(event);
        ASSERT_TRUE(begun.ok()) << begun.error().detail;
        for (;;) {
            const auto more = translator->next();
            ASSERT_TRUE(more.ok()) << more.error().detail;
            ASSERT_FALSE(translator->missing_table().has_value());
            ASSERT_TRUE(schemas_.save().ok());
            if (!*more) return;
            for (const canal::Change& change : translator->changes()) publish(change);
        }
    }

    void publish(const canal::Change& change) {
        Published one;
        Bytes record;
        if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) {
            keep(begin->txn);
            record = encoder_.encode(*begin);
            if (begin->resumed) return;
            mark(one, begin->mark);
            rows_done_ = 0;
        } else if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
            record = encoder_.encode(*rows);
            mark(one, rows->mark);
            rows_done_ = rows->rows_done;
        } else if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) {
            one.complete = ddl->txn.has_value();
            if (ddl->txn) keep(*ddl->txn);
            record = encoder_.encode(*ddl);
            mark(one, ddl->mark);
            rows_done_ = ddl->rows_done;
        } else if (const auto* statement = std::get_if<canal::StatementChange>(&change)) {
            one.complete = statement->txn.has_value();
            if (statement->txn) keep(*statement->txn);
            record = encoder_.encode(*statement);
            mark(one, statement->mark);
            rows_done_ = statement->rows_done;
        } else if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
            record = encoder_.encode(*end);
            mark(one, end->mark);
            one.complete = true;
        }
        one.rows_done = rows_done_;
        ASSERT_TRUE(txn_.has_value());
        one.txn = txn_->txn;
        one.id = txn_->id;
        one.log = txn_->log;
        one.gtid = txn_->gtid;
        one.entry = as_text(record);
        published.push_back(std::move(one));
    }

    void keep(const canal::TxnMark& txn) {
        txn_.emplace();
        txn_->txn = txn;
        txn_->id = txn.id;
        txn_->log = txn.log;
        txn_->gtid = txn.gtid;
    }

    static void mark(Published& one, const canal::EventMark& from) {
        one.offset = from.offset;
        one.execute_ms = from.execute_ms;
    }

    bool gtids_;
    uint64_t at_ = kMagic;
    uint64_t rows_done_ = 0;
    std::optional<Published> txn_;
    canal::EntryEncoder encoder_{""};
};

struct Recording {
    const char* name;
    bool gtids;
};

class RecordedLog : public testing::TestWithParam<Recording> {
 protected:
    RecordedLog() : log(read_log(GetParam().name)), whole(log, GetParam().gtids, history) {
        whole.begin({kLog, kMagic}, schema::StartKind::Chosen);
        whole.run(SIZE_MAX);
    }

    // The entries from `index` on have to come from `point` on; how many are looked at is bounded.
    void expect_rest(const BinlogPoint& point, size_t index) {
        constexpr size_t kLookedAt = 6;
        std::vector<std::string> left_behind = history;
        Stream again(log, GetParam().gtids, left_behind);
        again.begin(point, schema::StartKind::Continues);
        again.run(kLookedAt);
        ASSERT_EQ(again.at_end(), again.published.size() < kLookedAt);
        const size_t left = whole.published.size() - index;
        ASSERT_GE(again.published.size(), std::min(kLookedAt, left));
        for (size_t i = 0; i < std::min(again.published.size(), left); ++i) {
            ASSERT_EQ(again.published[i].entry, whole.published[index + i].entry)
                << "entry " << index + i << ", " << point.text();
        }
    }

    std::string log;
    std::vector<std::string> history;
    Stream whole;
};

// The cursor as it is stored, then read by a process that begins anew.
TEST_P(RecordedLog, ARestartBehindAnyAcknowledgedEntryGoesOnThere) {
    ASSERT_GT(whole.published.size(), 20U);
    BinlogTracker tracker({kServer}, std::make_shared<SettledPosition>(), std::nullopt);
    for (size_t acked = 1; acked <= whole.published.size(); ++acked) {
        const Published& last = whole.published[acked - 1];
        canal::TxnMark txn = last.txn;
        txn.id = last.id;
        txn.log = last.log;
        txn.gtid = last.gtid;
        tracker.consumed({txn, last.rows_done, last.complete, last.offset, last.execute_ms});
        const auto read = canal::parse_log_position(canal::to_json(tracker.position(), false));
        ASSERT_TRUE(read.ok());
        EXPECT_EQ(*read, tracker.position());
        // A transaction of which only the begin came begins once more.
        const bool only_begin = !last.complete && last.rows_done == 0;
        ASSERT_NO_FATAL_FAILURE(expect_rest(point_of(*read), only_begin ? acked - 1 : acked));
    }
}

// The connection breaks behind every event, and clients see all that came or only what was whole.
TEST_P(RecordedLog, ACutBehindAnEventLosesAndRepeatsNothing) {
    for (const bool all_visible : {false, true}) {
        std::vector<std::string> own;
        Stream cut(log, GetParam().gtids, own);
        cut.begin({kLog, kMagic}, schema::StartKind::Chosen);
        size_t whole_entries = 0;  // of transactions that have ended
        size_t events = 0;
        while (!cut.at_end()) {
            cut.step();
            if (cut.translator->idle()) whole_entries = cut.published.size();
            // Not behind every event, for the time it takes.
            constexpr size_t kEvery = 7;
            if (++events % kEvery != 0) continue;
            const bool visible = all_visible && cut.published.size() > whole_entries &&
                                 cut.published.back().rows_done > 0;
            std::optional<uint64_t> open;
            if (visible) open = cut.published.back().rows_done;
            const BinlogPoint point = cut.translator->resume_point(open);
            const size_t next = visible ? cut.published.size() : whole_entries;
            if (point.file != kLog) continue;  // the file's end
            ASSERT_NO_FATAL_FAILURE(expect_rest(point, next));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    RecordedLog,
    testing::Values(
        Recording{"binlog/mysql-bin.000002", false},
        Recording{"server_logs/mysql-8.0.binlog", false},
        Recording{"server_logs/mysql-8.0.binlog", true}
    )
);

// A sign of life tells where the source was; clients may have come further meanwhile.
TEST(BinlogTracker, ASignOfLifeNeverMovesACursorBack) {
    const auto settled = std::make_shared<SettledPosition>();
    BinlogTracker tracker({kServer}, settled, std::nullopt);
    canal::LogPosition told;
    told.identity.host = kServer.host;
    told.identity.port = kServer.port;
    told.journal_name = "log.000009";
    told.position = 500;
    settled->set(1, told);
    tracker.checkpoint(1);
    EXPECT_EQ(tracker.position().position, 500);

    canal::TxnMark txn;
    txn.log = "log.000010";
    txn.log_offset = 400;
    txn.id = "set";
    tracker.consumed({txn, 3, true, 450, 7000});
    tracker.checkpoint(1);
    EXPECT_EQ(tracker.position().journal_name, "log.000010");
    EXPECT_EQ(tracker.position().position, 450);
    EXPECT_EQ(tracker.position().gtid, "set");

    told.journal_name = "log.000011";
    told.position = 4;
    settled->set(2, told);
    tracker.checkpoint(1);
    EXPECT_EQ(tracker.position().position, 450) << "another one has replaced it";
    tracker.checkpoint(2);
    EXPECT_EQ(tracker.position().journal_name, "log.000011");
}

}  // namespace
}  // namespace obcanal::source

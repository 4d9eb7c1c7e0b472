#include "server/cli/replay_log.h"

#include "tests/unit/cli/recorded.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace obcanal::cli {
namespace {

using oblog::LogRecord;
using oblog::RecordType;

struct Facts {
    RecordType type;
    int64_t commit_us;
    int64_t checkpoint_us;
    std::string id;
};

Facts facts(const std::string& bytes) {
    Result<LogRecord> record = LogRecord::parse(as_bytes(bytes));
    EXPECT_TRUE(record);
    Facts found{record->type(), record->commit_us(), record->checkpoint_us(), {}};
    found.id = record->unique_id();
    EXPECT_TRUE(record->crc_matches());
    return found;
}

ReplayLog load(const std::vector<std::string>& names, ReplayExtent extent = {}) {
    std::vector<std::string> files;
    for (const std::string& name : names) files.push_back(recording_path(name));
    std::vector<std::string> remarks;
    Result<ReplayLog> log = ReplayLog::load(files, extent, remarks);
    EXPECT_TRUE(log) << log.error().detail;
    return std::move(log).value();
}

std::string record_at(const ReplayLog& log, uint64_t record) {
    std::string bytes;
    log.append(record, bytes);
    return bytes;
}

uint64_t rows_until(const ReplayLog& log, uint64_t end) {
    uint64_t rows = 0;
    for (uint64_t record = 0; record < end; record = log.unit_end(record))
        rows += log.unit_rows(record);
    return rows;
}

TEST(ReplayLog, TheFirstLapIsTheRecording) {
    const std::vector<std::string> records = recorded(recording_path("shop"));
    const ReplayLog log = load({"shop"});
    ASSERT_EQ(log.end(), records.size());
    for (size_t i = 0; i < records.size(); ++i) ASSERT_EQ(record_at(log, i), records[i]) << i;
    EXPECT_EQ(rows_until(log, log.end()), 2585u);
}

TEST(ReplayLog, LapsGoOnInTimeWithOtherIds) {
    const ReplayLog log = load({"shop-ddl", "types-crc"}, {.loop = true});
    EXPECT_EQ(log.end(), ReplayLog::kEndless);
    std::set<std::string> seen;
    int64_t last_us = 0;
    for (uint64_t lap = 0; lap < 40; ++lap) {
        std::set<std::string> ids;
        int64_t first_checkpoint_us = INT64_MAX;
        int64_t lap_last_us = 0;
        for (uint64_t i = 0; i < log.records_per_lap(); ++i) {
            const Facts found = facts(record_at(log, lap * log.records_per_lap() + i));
            first_checkpoint_us = std::min(first_checkpoint_us, found.checkpoint_us);
            lap_last_us = std::max(lap_last_us, found.commit_us);
            if (!found.id.empty()) ids.insert(found.id);
        }
        EXPECT_GT(first_checkpoint_us, last_us) << lap;
        last_us = lap_last_us;
        for (const std::string& id : ids) EXPECT_TRUE(seen.insert(id).second) << id;
    }
}

TEST(ReplayLog, ASecondRecordingFollowsTheFirst) {
    const ReplayLog log = load({"types", "types", "shop"});
    const uint64_t one = load({"types"}).end();
    int64_t last_us = 0;
    std::map<std::string, std::set<uint64_t>> begins;
    for (uint64_t i = 0; i < log.end(); ++i) {
        const Facts found = facts(record_at(log, i));
        EXPECT_GE(found.commit_us, last_us) << i;
        last_us = found.commit_us;
        if (found.type == RecordType::Begin) begins[found.id].insert(i);
    }
    EXPECT_EQ(log.end(), 2 * one + load({"shop"}).end());
    for (const auto& [id, places] : begins) EXPECT_EQ(places.size(), 1u) << id;
}

TEST(ReplayLog, FindsTheFirstUnitCommittedSince) {
    for (const bool loop : {false, true}) {
        const ReplayLog log = load({"shop"}, {.loop = loop});
        const uint64_t records = (loop ? 3 : 1) * log.records_per_lap();
        // Every unit is found by its own time, and by any time since the one before it.
        int64_t previous_us = 0;
        uint64_t first_of_time = 0;
        for (uint64_t i = 0; i < records; i = log.unit_end(i)) {
            const int64_t us = facts(record_at(log, i)).commit_us;
            if (us > previous_us) first_of_time = i;
            ASSERT_EQ(log.find(us), first_of_time) << i;
            if (us > previous_us) {
                ASSERT_EQ(log.find(previous_us + 1), i);
            }
            previous_us = us;
        }
        EXPECT_EQ(log.find(0), 0u);
        EXPECT_EQ(log.find(-5), 0u);
        EXPECT_EQ(log.find(previous_us + 1), loop ? records : log.end());
    }
}

TEST(ReplayLog, EndsWithTheTransactionThatReachesTheRows) {
    const uint64_t lap_rows = 2585;
    for (const uint64_t rows :
         {uint64_t{1}, uint64_t{100}, lap_rows, lap_rows + 1, 3 * lap_rows + 700}) {
        const ReplayLog log = load({"shop"}, {.loop = true, .rows = rows});
        const uint64_t reached = rows_until(log, log.end());
        EXPECT_GE(reached, rows);
        EXPECT_LT(reached, rows + 10) << "a transaction has at most nine statements";
        if (rows % lap_rows == 0) continue;
        EXPECT_EQ(facts(record_at(log, log.end() - 1)).type, RecordType::Commit);
    }
    EXPECT_EQ(load({"shop"}, {.rows = 1'000'000}).end(), 4310u);
    EXPECT_EQ(load({"shop"}, {.rows = lap_rows}).end(), 4310u);
}

TEST(ReplayLog, PacketsCoverTheLog) {
    ReplayLog log = load({"shop", "types"}, {.loop = true, .rows = 6000});
    log.cut_packets(200, 100'000);
    uint64_t at = 0;
    for (uint64_t packet = 0; at < log.end(); ++packet) {
        ASSERT_EQ(log.packet_begin(packet), at);
        const uint64_t end = log.packet_begin(packet + 1);
        ASSERT_GT(end, at);
        EXPECT_LE(end - at, 200u);
        size_t bytes = 0;
        for (uint64_t record = at; record < end; ++record) {
            EXPECT_EQ(log.packet_of(record), packet);
            bytes += record_at(log, record).size();
        }
        // A record that is larger than a packet may be has one of its own.
        EXPECT_TRUE(bytes <= 110'000 || end - at == 1) << bytes;
        at = end;
    }
    EXPECT_EQ(at, log.end());
}

class TornRecording : public testing::Test {
 protected:
    std::string write(const std::vector<std::string>& records, size_t cut_bytes = 0) {
        std::string bytes;
        for (const std::string& record : records) oblog::append_recorded(bytes, as_bytes(record));
        bytes.resize(bytes.size() - cut_bytes);
        std::ofstream(path_, std::ios::binary) << bytes;
        return path_;
    }

    const ScratchDir scratch_;
    const std::string path_ = scratch_.path() + "/torn.logmsg";
    std::vector<std::string> remarks_;
};

TEST_F(TornRecording, ATransactionWithoutItsEndIsLeftOut) {
    std::vector<std::string> records = recorded(recording_path("shop"));
    ASSERT_EQ(facts(records[3]).type, RecordType::Begin);
    ASSERT_EQ(facts(records[13]).type, RecordType::Commit);
    records.resize(12);
    Result<ReplayLog> log = ReplayLog::load({write(records)}, {}, remarks_);
    ASSERT_TRUE(log);
    EXPECT_EQ(log->end(), 3u);
    ASSERT_EQ(remarks_.size(), 1u);
    EXPECT_NE(remarks_[0].find("9 records"), std::string::npos) << remarks_[0];
}

TEST_F(TornRecording, ATornRecordIsAnErrorWithItsPlace) {
    std::vector<std::string> records = recorded(recording_path("shop-ddl"));
    const std::string path = write(records, 1);
    Result<ReplayLog> log = ReplayLog::load({path}, {}, remarks_);
    ASSERT_FALSE(log);
    EXPECT_NE(log.error().detail.find(path + ": record 28"), std::string::npos)
        << log.error().detail;
}

TEST_F(TornRecording, AnEmptyRecordingIsAnError) {
    EXPECT_FALSE(ReplayLog::load({write({})}, {}, remarks_));
    EXPECT_FALSE(ReplayLog::load({path_ + ".absent"}, {}, remarks_));
}

class GrowingRecording : public TornRecording {
 protected:
    void append(std::string_view bytes) {
        std::ofstream(path_, std::ios::binary | std::ios::app) << bytes;
    }

    static std::string recorded_bytes(const std::vector<std::string>& records) {
        std::string bytes;
        for (const std::string& record : records) oblog::append_recorded(bytes, as_bytes(record));
        return bytes;
    }
};

TEST_F(GrowingRecording, GrowsByWholeUnitsWhereverItsWriterStops) {
    std::vector<std::string> records = recorded(recording_path("shop"));
    records.resize(60);
    append("");
    Result<ReplayLog> log = ReplayLog::load({path_}, {.follow = true}, remarks_);
    ASSERT_TRUE(log) << log.error().detail;
    ASSERT_TRUE(log->follows());
    EXPECT_EQ(log->end(), 0u);
    log->cut_packets(7, SIZE_MAX);
    const std::string bytes = recorded_bytes(records);
    const std::string whole_path = path_ + ".whole";
    uint64_t end = 0;
    for (size_t at = 0; at < bytes.size(); at += 331) {
        append(bytes.substr(at, 331));
        const Result<bool> grown = log->grow();
        ASSERT_TRUE(grown) << grown.error().detail;
        EXPECT_EQ(*grown, log->end() > end);
        for (; end < log->end(); ++end) ASSERT_EQ(record_at(*log, end), records[end]) << end;
        if (end > 0) {
            const RecordType last = facts(records[end - 1]).type;
            EXPECT_TRUE(
                last == RecordType::Commit || last == RecordType::Ddl ||
                last == RecordType::Heartbeat
            ) << end;
            EXPECT_EQ(log->unit_end(end - 1), end);
            EXPECT_LE(log->packet_begin(log->packet_of(end - 1)), end - 1);
        }
    }
    // The last records may be the head of a transaction.
    std::ofstream(whole_path, std::ios::binary) << bytes;
    Result<ReplayLog> whole = ReplayLog::load({whole_path}, {}, remarks_);
    std::remove(whole_path.c_str());
    ASSERT_TRUE(whole);
    EXPECT_EQ(log->end(), whole->end());
    EXPECT_FALSE(*log->grow());
}

TEST_F(GrowingRecording, ComesBehindAnotherAsItStands) {
    const std::vector<std::string> records = recorded(recording_path("types"));
    append(recorded_bytes({records.front()}));
    Result<ReplayLog> log =
        ReplayLog::load({recording_path("shop-ddl"), path_}, {.follow = true}, remarks_);
    ASSERT_TRUE(log);
    const uint64_t before = load({"shop-ddl"}).end();
    append(recorded_bytes({records.begin() + 1, records.end()}));
    ASSERT_TRUE(*log->grow());
    ASSERT_EQ(log->end(), before + records.size());
    for (size_t i = 0; i < records.size(); ++i)
        ASSERT_EQ(record_at(*log, before + i), records[i]) << i;
    EXPECT_TRUE(remarks_.empty());
}

TEST_F(GrowingRecording, SaysWhatIsWrongWithIt) {
    append(recorded_bytes(recorded(recording_path("shop-ddl"))));
    Result<ReplayLog> log = ReplayLog::load({path_}, {.follow = true}, remarks_);
    ASSERT_TRUE(log);
    const size_t end = std::filesystem::file_size(path_);
    append(std::string("\0\0\2\0", 4) + std::string(0x1ff, 'x'));
    EXPECT_FALSE(*log->grow());
    append("x");
    const Result<bool> damaged = log->grow();
    ASSERT_FALSE(damaged);
    EXPECT_NE(damaged.error().detail.find("byte " + std::to_string(end)), std::string::npos)
        << damaged.error().detail;
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << "";
    const Result<bool> shorter = log->grow();
    ASSERT_FALSE(shorter);
    EXPECT_NE(shorter.error().detail.find("has got shorter"), std::string::npos);
    std::remove(path_.c_str());
    EXPECT_FALSE(log->grow());
}

}  // namespace
}  // namespace obcanal::cli

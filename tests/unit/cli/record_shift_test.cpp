#include "server/cli/record_shift.h"

#include "protocol/base/crypto.h"
#include "tests/unit/cli/recorded.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal::cli {
namespace {

using oblog::LogRecord;
using oblog::RecordType;

LogRecord parse(const std::string& bytes) {
    Result<LogRecord> record = LogRecord::parse(as_bytes(bytes));
    EXPECT_TRUE(record) << record.error().detail;
    return std::move(record).value();
}

// Everything that a reader can see, but for what moves.
std::string fixed_parts(LogRecord& record) {
    std::string parts;
    const auto add = [&parts](auto value) { parts.append(value).append("|"); };
    add(oblog::record_type_name(record.type()));
    add(record.db_name());
    add(record.table_name());
    add(as_text(record.column_names().raw()));
    add(as_text(record.old_values().raw()));
    add(as_text(record.new_values().raw()));
    add(as_text(record.primary_key().raw()));
    add(as_text(record.new_origins().raw()));
    add(record.trace_id());
    add(record.major_version());
    add(std::to_string(record.usec()));
    add(std::to_string(record.thread_id()));
    return parts;
}

ShiftPlan plan_of(const std::string& bytes, std::string& transaction) {
    LogRecord record = parse(bytes);
    static_cast<void>(record.usec());
    if (record.type() == RecordType::Begin) transaction = last_number(record.unique_id());
    const ShiftPlan plan = plan_shift(record, transaction);
    if (record.type() == RecordType::Commit) transaction.clear();
    return plan;
}

void expect_moved(const std::string& before, const std::string& after, const RecordShift& shift) {
    LogRecord old = parse(before);
    LogRecord moved = parse(after);
    EXPECT_EQ(moved.commit_us(), old.commit_us() + shift.seconds * 1'000'000);
    EXPECT_EQ(moved.checkpoint_us(), old.checkpoint_us() + shift.seconds * 1'000'000);
    const std::string_view number = last_number(old.unique_id());
    std::string id(old.unique_id());
    if (!number.empty()) {
        const uint64_t next = std::stoull(std::string(number)) + shift.numbers;
        id.replace(id.size() - number.size(), number.size(), std::to_string(next));
    }
    EXPECT_EQ(moved.unique_id(), id);
    EXPECT_EQ(fixed_parts(moved), fixed_parts(old));
    EXPECT_TRUE(moved.ok());
    EXPECT_TRUE(moved.crc_matches());
    EXPECT_EQ(LogRecord::length_of(as_bytes(after)), after.size());
}

TEST(RecordShift, MovesTimesAndNumbersAndNothingElse) {
    for (const char* name : {"shop", "shop-ddl", "types", "types-crc"}) {
        std::string transaction;
        for (const std::string& bytes : recorded(recording_path(name))) {
            const ShiftPlan plan = plan_of(bytes, transaction);
            for (const RecordShift shift :
                 {RecordShift{}, RecordShift{400, 1000}, RecordShift{1'000'000, 10'000'000'000}}) {
                std::string moved = "in front ";
                const ShiftPlan next = append_shifted(as_bytes(bytes), plan, shift, moved);
                moved.erase(0, 9);
                expect_moved(bytes, moved, shift);
                // The plan it gives is good for the next move.
                std::string again;
                append_shifted(as_bytes(moved), next, shift, again);
                expect_moved(moved, again, shift);
            }
        }
    }
}

// OceanBase's Java client takes the last four bytes for the checksum.
TEST(RecordShift, ChecksumsStayLast) {
    std::string transaction;
    for (const std::string& bytes : recorded(recording_path("types-crc"))) {
        const ShiftPlan plan = plan_of(bytes, transaction);
        ASSERT_EQ(plan.crc_at, bytes.size() - 4);
        std::string moved;
        append_shifted(as_bytes(bytes), plan, {10, 123'456'789'012}, moved);
        const Bytes all = as_bytes(moved);
        EXPECT_EQ(load_le<uint32_t>(all.last(4).data()), crc32(all.first(all.size() - 4)));
    }
}

TEST(RecordShift, ARowsOwnNumbersStay) {
    const std::vector<std::string> records = recorded(recording_path("shop"));
    EXPECT_EQ(last_number("1002_1001_5000004"), "5000004");
    EXPECT_EQ(last_number("ddl"), "");
    EXPECT_EQ(last_number(""), "");
    EXPECT_EQ(last_number("7x"), "7");
    LogRecord row = parse(records[10]);
    static_cast<void>(row.usec());
    const std::string id(row.unique_id());
    ASSERT_EQ(id.find("1002_1001_"), 0u);
    // Where the transaction's number is a group in the middle, that one moves.
    const ShiftPlan plan = plan_shift(row, "1001");
    EXPECT_EQ(number_of(as_bytes(records[10]), plan), 1001u) << id;
    EXPECT_EQ(plan_shift(row, "77").number_digits, last_number(id).size());
}

TEST(HeartbeatRecord, EqualsTheOneOfTheLogLibrary) {
    size_t compared = 0;
    for (const std::string& bytes : recorded(recording_path("shop"))) {
        LogRecord record = parse(bytes);
        if (record.type() != RecordType::Heartbeat) continue;
        EXPECT_EQ(heartbeat_record(record.commit_us()), bytes);
        ++compared;
    }
    EXPECT_EQ(compared, 18u);
}

}  // namespace
}  // namespace obcanal::cli

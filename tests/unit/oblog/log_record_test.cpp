// Every record of the recordings against what was put into it (the .jsonl beside it), and records
// that are damaged, cut or of other sub-versions.
#include "protocol/oblog/log_record.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/oblog/column_description.h"
#include "tests/unit/oblog/fixtures.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <sstream>

namespace obcanal::oblog {
namespace {

namespace json = boost::json;

constexpr size_t kStruct = 17;

// null, {"s": text} or {"x": hex}
std::optional<std::string> value_of(const json::value& value) {
    if (value.is_null()) return std::nullopt;
    const json::object& object = value.as_object();
    if (const auto* text = object.if_contains("s")) return std::string(text->as_string());
    return from_hex(std::string_view(object.at("x").as_string()));
}

void expect_values(const char* what, const StringArray& got, const json::value* wanted) {
    if (wanted == nullptr || wanted->is_null()) {
        EXPECT_EQ(got.size(), 0U) << what;
        return;
    }
    const json::array& array = wanted->as_array();
    ASSERT_EQ(got.size(), array.size()) << what;
    for (uint32_t i = 0; i < got.size(); ++i) {
        const auto expected = value_of(array[i]);
        EXPECT_EQ(got[i].is_null, !expected.has_value()) << what << " " << i;
        if (expected) {
            EXPECT_EQ(got[i].text(), *expected) << what << " " << i;
        }
    }
}

template <class Numbers>
void expect_numbers(const char* what, const Numbers& got, const json::value* wanted) {
    const json::array none;
    const json::array& array = wanted == nullptr || wanted->is_null() ? none : wanted->as_array();
    ASSERT_EQ(got.size(), array.size()) << what;
    for (uint32_t i = 0; i < got.size(); ++i)
        EXPECT_EQ(int64_t{got[i]}, array[i].as_int64()) << what << " " << i;
}

std::string text_or_empty(const json::value& value) {
    return value.is_null() ? std::string() : std::string(value.as_string());
}

void expect_columns(LogRecord& record, const json::array& columns) {
    const StringArray names = record.column_names();
    const auto types = record.column_types();
    const StringArray encodings = record.column_encodings();
    const auto is_signed = record.is_signed();
    ASSERT_EQ(names.size(), columns.size());
    ASSERT_EQ(types.size(), columns.size());
    for (uint32_t i = 0; i < names.size(); ++i) {
        const json::object& column = columns[i].as_object();
        EXPECT_EQ(names[i].text(), column.at("name").as_string());
        EXPECT_EQ(types[i], column.at("type").as_int64());
        if (const auto* encoding = column.if_contains("encoding"); encoding != nullptr) {
            EXPECT_EQ(encodings[i].text(), text_or_empty(*encoding));
        }
        if (const auto* sign = column.if_contains("signed"); sign != nullptr) {
            EXPECT_EQ(is_signed[i] != 0, sign->as_bool());
        }
        const auto number = [&column](const char* key) -> std::optional<int64_t> {
            const auto* found = column.if_contains(key);
            if (found == nullptr || found->is_null()) return std::nullopt;
            return found->is_bool() ? int64_t{found->as_bool()} : found->as_int64();
        };
        if (const auto length = number("length")) {
            EXPECT_EQ(record.lengths()[i], *length);
        }
        if (const auto digits = number("precision")) {
            EXPECT_EQ(record.precisions()[i], *digits);
        }
        if (const auto scale = number("scale")) {
            EXPECT_EQ(record.scales()[i], *scale);
        }
        if (const auto decimals = number("decimals")) {
            EXPECT_EQ(record.decimals()[i], *decimals);
        }
        if (const auto no_null = number("not_null")) {
            EXPECT_EQ(int64_t{record.not_null()[i]}, *no_null);
        }
        if (const auto flag = number("flag")) {
            EXPECT_EQ(int64_t{record.column_flags()[i]}, *flag);
        }
    }
}

class Recordings : public ::testing::TestWithParam<const char*> {};

TEST_P(Recordings, AreReadAsTheyWereWritten) {
    const std::string name = GetParam();
    const auto records = recorded(name);
    std::istringstream lines(read_fixture(name + ".jsonl"));
    size_t at = 0;
    for (std::string line; std::getline(lines, line); ++at) {
        SCOPED_TRACE(name + " record " + std::to_string(at));
        ASSERT_LT(at, records.size());
        const auto parsed_line = parse_json(line);
        ASSERT_TRUE(parsed_line.ok());
        const json::object& wanted = parsed_line->as_object();
        auto parsed = LogRecord::parse(as_bytes(records[at]));
        ASSERT_TRUE(parsed.ok()) << parsed.error().detail;
        LogRecord& record = *parsed;

        EXPECT_EQ(record.bytes().size(), static_cast<size_t>(wanted.at("size").as_int64()));
        EXPECT_EQ(int64_t{static_cast<uint8_t>(record.type())}, wanted.at("op_code").as_int64());
        EXPECT_EQ(record_type_name(record.type()), wanted.at("op").as_string());
        EXPECT_EQ(int64_t{record.source_type()}, wanted.at("src_type").as_int64());
        EXPECT_EQ(int64_t{record.source_category()}, wanted.at("src_category").as_int64());
        EXPECT_EQ(record.db_name(), text_or_empty(wanted.at("db")));
        EXPECT_EQ(record.table_name(), text_or_empty(wanted.at("table")));
        EXPECT_EQ(record.timestamp_s(), wanted.at("timestamp").as_int64());
        EXPECT_EQ(int64_t{record.usec()}, wanted.at("usec").as_int64());
        EXPECT_EQ(
            record.commit_us(),
            wanted.at("timestamp").as_int64() * 1'000'000 + wanted.at("usec").as_int64()
        );
        EXPECT_EQ(
            record.checkpoint_us(),
            wanted.at("checkpoint_sec").as_int64() * 1'000'000 +
                wanted.at("checkpoint_usec").as_int64()
        );
        EXPECT_EQ(int64_t{record.thread_id()}, wanted.at("thread_id").as_int64());
        if (!wanted.at("id").is_null()) {
            EXPECT_EQ(static_cast<int64_t>(record.id()), wanted.at("id").as_int64());
        }
        EXPECT_EQ(record.sub_version(), 5);
        EXPECT_EQ(record.instance(), text_or_empty(wanted.at("instance")));
        EXPECT_EQ(record.record_encoding(), text_or_empty(wanted.at("record_encoding")));
        EXPECT_EQ(record.ob_trace_info(), text_or_empty(wanted.at("ob_trace_info")));
        if (!wanted.at("sql_no").is_null()) {
            EXPECT_EQ(record.sql_number(), wanted.at("sql_no").as_int64());
        }
        expect_values("filter", record.filter_values(), wanted.if_contains("filter"));
        expect_numbers("timemarks", record.time_marks(), wanted.if_contains("timemarks"));
        const bool ddl = record.type() == RecordType::Ddl;
        expect_values("old", record.old_values(), wanted.if_contains("old"));
        expect_values("new", record.new_values(), wanted.if_contains("new"));
        if (!ddl) {
            expect_numbers("pk", record.primary_key(), wanted.if_contains("pk_index_sorted"));
            expect_numbers("old origin", record.old_origins(), wanted.if_contains("old_origin"));
            expect_numbers("new origin", record.new_origins(), wanted.if_contains("new_origin"));
            expect_numbers("diff", record.new_is_diff(), wanted.if_contains("new_diff"));
        }
        if (const auto* keys = wanted.if_contains("key_info");
            keys != nullptr && keys->is_array()) {
            ASSERT_EQ(record.key_info().size(), keys->as_array().size());
            for (uint32_t i = 0; i < record.key_info().size(); ++i)
                EXPECT_EQ(record.key_info()[i].text(), keys->as_array()[i].as_string());
        }
        if (const auto* columns = wanted.if_contains("cols");
            columns != nullptr && columns->is_array())
            expect_columns(record, columns->as_array());
        EXPECT_TRUE(record.crc_matches());
        EXPECT_TRUE(record.ok()) << record.error().detail;
    }
    EXPECT_EQ(at, records.size());
}

INSTANTIATE_TEST_SUITE_P(
    All,
    Recordings,
    ::testing::Values("shop", "shop-ddl", "types", "types-crc"),
    [](const ::testing::TestParamInfo<const char*>& param) {
        std::string name = param.param;
        std::replace(name.begin(), name.end(), '-', '_');
        return name;
    }
);

// Asks for everything; what comes out is only bounded, not meaningful.
void ask_all(LogRecord& record) {
    size_t sum = record.db_name().size() + record.table_name().size() + record.instance().size() +
                 record.record_encoding().size() + record.ob_trace_info().size() +
                 record.unique_id().size() + record.trace_id().size() +
                 record.major_version().size() + record.time_marks().size() + record.usec() +
                 record.meta_version();
    for (const StringArray& array :
         {record.column_names(),
          record.key_info(),
          record.old_values(),
          record.new_values(),
          record.column_encodings(),
          record.filter_values(),
          record.defaults(),
          record.origin_types()}) {
        for (uint32_t i = 0; i < array.size(); ++i) {
            for (const char letter : array[i].text()) sum += static_cast<unsigned char>(letter);
        }
    }
    for (const auto& array :
         {record.column_types(),
          record.column_flags(),
          record.not_null(),
          record.is_signed(),
          record.old_origins(),
          record.new_origins(),
          record.new_is_diff()}) {
        for (uint32_t i = 0; i < array.size(); ++i) sum += array[i];
    }
    for (const auto& array : {record.lengths(), record.precisions(), record.scales()}) {
        for (uint32_t i = 0; i < array.size(); ++i) sum += static_cast<size_t>(array[i]);
    }
    for (const auto& array : {record.primary_key(), record.unique_keys(), record.decimals()}) {
        for (uint32_t i = 0; i < array.size(); ++i) sum += static_cast<size_t>(array[i]);
    }
    static_cast<void>(record.crc_matches());
    if (!record.ok()) {
        EXPECT_THAT(record.error().detail, ::testing::HasSubstr("LogMessage at byte"));
    }
    EXPECT_NE(sum, std::string::npos);
}

void set_u32(std::string& record, size_t at, uint32_t value) {
    std::memcpy(record.data() + at, &value, sizeof value);
}

TEST(LogRecord, CutAtEveryLengthIsAnError) {
    std::vector<std::string> some = recorded("shop-ddl");
    some.push_back(recorded("types")[2].substr(0));
    for (const std::string& whole : some) {
        if (whole.size() > 8000) continue;
        for (size_t cut = 0; cut < whole.size(); ++cut) {
            const std::string exact(whole, 0, cut);  // so that a sanitizer sees its end
            EXPECT_FALSE(LogRecord::parse(as_bytes(exact)).ok());
            if (cut < LogRecord::kSmallest) continue;
            // The same with a header that fits: what lies behind the end must be noticed.
            std::string fitting = exact;
            set_u32(fitting, 4, static_cast<uint32_t>(cut - 8));
            auto parsed = LogRecord::parse(as_bytes(fitting));
            if (!parsed.ok()) continue;
            ask_all(*parsed);
        }
    }
}

TEST(LogRecord, MutatedBytesNeverLeaveTheRecord) {
    std::minstd_rand random(11);
    std::vector<std::string> some = recorded("shop-ddl");
    some.push_back(recorded("types")[2]);
    for (const std::string& whole : some) {
        for (int round = 0; round < 400; ++round) {
            std::string wrong = whole;
            const size_t changes = 1 + random() % 4;
            for (size_t i = 0; i < changes; ++i) {
                const size_t reach = random() % 2 == 0 ? 200 : wrong.size();
                wrong[8 + random() % (std::min(reach, wrong.size()) - 8)] =
                    static_cast<char>(random());
            }
            const std::vector<std::byte> exact(as_bytes(wrong).begin(), as_bytes(wrong).end());
            auto parsed = LogRecord::parse(exact);
            if (parsed.ok()) ask_all(*parsed);
        }
    }
}

std::string with_sub_version(std::string record, uint8_t version) {
    record[kStruct + 15] = static_cast<char>(version);
    return record;
}

TEST(LogRecord, LaterFieldsFollowTheSubVersion) {
    const std::string row = recorded("types")[2];
    for (const int version : {0, 1, 2, 3, 4, 5, 6, 200}) {
        const std::string bytes = with_sub_version(row, static_cast<uint8_t>(version));
        auto record = LogRecord::parse(as_bytes(bytes));
        ASSERT_TRUE(record.ok());
        const uint32_t columns = record->column_names().size();
        ASSERT_GT(columns, 40U);
        EXPECT_EQ(record->is_signed().size(), version >= 2 ? columns : 0);
        EXPECT_EQ(record->not_null().size(), version >= 2 ? columns : 0);
        EXPECT_EQ(record->lengths().size(), version >= 3 ? columns : 0);
        EXPECT_EQ(record->precisions().size(), version >= 3 ? columns : 0);
        EXPECT_EQ(record->scales().size(), version >= 3 ? columns : 0);
        EXPECT_EQ(record->new_origins().size(), version >= 4 ? columns : 0);
        EXPECT_EQ(record->new_is_diff().size(), version >= 5 ? columns : 0);
        EXPECT_EQ(record->new_values().size(), columns);
        EXPECT_TRUE(record->ok());
    }
}

// A record whose struct ends at `struct_size` and whose values begin right behind it.
std::string with_struct_of(const std::string& whole, size_t struct_size) {
    const size_t cut = 168 - struct_size;
    std::string record = whole.substr(0, kStruct + struct_size) + whole.substr(kStruct + 168);
    set_u32(record, 4, static_cast<uint32_t>(record.size() - 8));
    constexpr size_t kPointers[] = {24,  28,  32,  36,  40,  44,  48,  52,  72,  76,
                                    80,  84,  88,  96,  100, 108, 112, 116, 120, 124,
                                    128, 136, 140, 144, 148, 152, 156, 160};
    for (const size_t at : kPointers) {
        if (at + 4 > struct_size) continue;
        const auto value = load_le<uint32_t>(as_bytes(record).data() + kStruct + at);
        if (value != UINT32_MAX) set_u32(record, kStruct + at, value - static_cast<uint32_t>(cut));
    }
    return record;
}

TEST(LogRecord, ShorterStructsAreReadAsFarAsTheyGo) {
    const std::string row = recorded("types")[2];
    auto original = LogRecord::parse(as_bytes(row));
    for (const size_t size : {104U, 112U, 136U, 152U, 160U, 168U}) {
        SCOPED_TRACE(size);
        const std::string bytes = with_struct_of(row, size);  // sub-version 5 stays: it lies
        auto record = LogRecord::parse(as_bytes(bytes));
        ASSERT_TRUE(record.ok()) << record.error().detail;
        EXPECT_EQ(record->new_values().size(), original->new_values().size());
        EXPECT_EQ(as_text(record->new_values().raw()), as_text(original->new_values().raw()));
        EXPECT_EQ(record->is_signed().size() > 0, size >= 136);
        EXPECT_EQ(record->lengths().size() > 0, size >= 152);
        EXPECT_EQ(record->new_origins().size() > 0, size >= 160);
        EXPECT_EQ(record->new_is_diff().size() > 0, size >= 168);
        EXPECT_EQ(record->usec(), original->usec());
        EXPECT_TRUE(record->ok());
    }
}

TEST(ColumnDescription, TellsWhetherTheColumnsAreTheSame) {
    const std::vector<std::string> records = recorded("types");
    const std::string& row = records[2];
    auto seen = LogRecord::parse(as_bytes(row));
    const ColumnDescription description(*seen);
    ASSERT_TRUE(seen->ok());
    EXPECT_TRUE(description.matches(*LogRecord::parse(as_bytes(row))));
    EXPECT_FALSE(ColumnDescription().matches(*seen));

    for (size_t i = 0; i < LogRecord::kDescribing; ++i) {
        SCOPED_TRACE(i);
        const uint32_t offset = seen->describing_offsets()[i];
        if (offset == LogRecord::kUnset) continue;
        // The last byte of count and the first of what follows.
        for (const size_t byte : {size_t{4}, size_t{5}}) {
            std::string other = row;
            other[12 + offset + byte] = static_cast<char>(other[12 + offset + byte] ^ 1);
            EXPECT_FALSE(description.matches(*LogRecord::parse(as_bytes(other))));
        }
    }
    EXPECT_FALSE(description.matches(*LogRecord::parse(as_bytes(with_sub_version(row, 1)))))
        << "the later arrays are missing";
}

TEST(ColumnDescription, WhatLiesBetweenTheArraysDoesNotMatter) {
    const std::string row = recorded("types")[2];
    auto seen = LogRecord::parse(as_bytes(row));
    const ColumnDescription description(*seen);
    ASSERT_GT(seen->column_flags().size(), 0U);
    const auto flags = load_le<uint32_t>(as_bytes(row).data() + kStruct + 108);
    ASSERT_GT(flags, seen->describing_offsets()[0]);
    std::string other = row;
    other[12 + flags + 5] = static_cast<char>(other[12 + flags + 5] ^ 1);
    EXPECT_TRUE(description.matches(*LogRecord::parse(as_bytes(other))));
}

TEST(ColumnDescription, OffsetsThatLeaveTheRecordDoNotMatch) {
    const std::string row = recorded("types")[2];
    auto seen = LogRecord::parse(as_bytes(row));
    const ColumnDescription description(*seen);
    const auto size = static_cast<uint32_t>(row.size());
    constexpr size_t kNames = kStruct + 44;
    for (const uint32_t offset : {size - 13, size - 12, size, UINT32_MAX - 1, UINT32_MAX}) {
        std::string other = row;
        set_u32(other, kNames, offset);
        const std::vector<std::byte> exact(as_bytes(other).begin(), as_bytes(other).end());
        EXPECT_FALSE(description.matches(*LogRecord::parse(exact)));
    }
}

TEST(LogRecord, TailsOfEightAndTwelveBytes) {
    std::string bytes = recorded("types-crc")[1];
    auto record = LogRecord::parse(as_bytes(bytes));
    ASSERT_TRUE(record.ok());
    EXPECT_TRUE(record->crc_matches());
    const uint32_t usec = record->usec();
    const auto tail = load_le<uint32_t>(as_bytes(bytes).data() + kStruct + 100);

    std::string damaged = bytes;
    damaged[kStruct + 16] = static_cast<char>(damaged[kStruct + 16] ^ 1);
    EXPECT_FALSE(LogRecord::parse(as_bytes(damaged))->crc_matches());

    bytes.resize(bytes.size() - 4);
    set_u32(bytes, 4, static_cast<uint32_t>(bytes.size() - 8));
    set_u32(bytes, 12 + tail + 1, 8);
    auto older = LogRecord::parse(as_bytes(bytes));
    ASSERT_TRUE(older.ok());
    EXPECT_EQ(older->usec(), usec);
    EXPECT_TRUE(older->crc_matches());
    EXPECT_TRUE(older->ok());
}

TEST(LogRecord, TypesThatOceanBaseDoesNotSendHaveNames) {
    EXPECT_EQ(record_type_name(RecordType::Replace), "REPLACE");
    EXPECT_EQ(record_type_name(RecordType::Put), "PUT");
    EXPECT_EQ(record_type_name(static_cast<RecordType>(128)), "INDEX_INSERT");
    EXPECT_EQ(record_type_name(static_cast<RecordType>(11)), "UNKNOWN");
}

TEST(LogRecord, OffsetOfAnEmptyRecordEncodingIsForgiven) {
    std::string bytes = recorded("types")[1];
    auto record = LogRecord::parse(as_bytes(bytes));
    const auto encoding = load_le<uint32_t>(as_bytes(bytes).data() + kStruct + 24);
    ASSERT_EQ(record->record_encoding(), "US-ASCII");
    set_u32(bytes, kStruct + 24, encoding + 12);
    auto moved = LogRecord::parse(as_bytes(bytes));
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(moved->record_encoding(), "");
    EXPECT_TRUE(moved->ok());
}

}  // namespace
}  // namespace obcanal::oblog

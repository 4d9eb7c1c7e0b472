// The golden cases of the LogMessage path (entry-format, section 8, L) and its neighbours: a record
// in, fields of the Canal entry out, read by the protobuf library.
#include "tests/unit/source/delivery.h"
#include "tests/unit/source/record_builder.h"

#include <gmock/gmock.h>

#include <limits>

namespace obcanal::source {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kCommit = 1714521601'232522;
constexpr int64_t kCheckpoint = 1714521599'997955;
constexpr uint8_t kPadding = 2;

std::string begin(const std::string& id = "1002_77") {
    MadeRecord made{RecordType::Begin, kCommit, kCheckpoint, {}, {}};
    made.ids = {"0", id, "trace", "4"};
    return RecordBuilder::build(made);
}

std::string commit() {
    return RecordBuilder::build({RecordType::Commit, kCommit, kCheckpoint, {}, {}});
}

MadeRecord row_of(RecordType type, std::vector<MadeColumn> columns) {
    MadeRecord made{type, kCommit, kCheckpoint, "tt.db1", "t1"};
    made.columns = std::move(columns);
    return made;
}

// The entry of one record within a transaction.
pb::entry::RowChange delivered(const MadeRecord& made, Delivery& delivery) {
    EXPECT_EQ(delivery.add_all({begin(), RecordBuilder::build(made), commit()}), "");
    EXPECT_EQ(delivery.published.size(), 3U);
    return delivery.rows(1);
}

pb::entry::Column inserted(const MadeColumn& column, std::optional<std::string> value) {
    Delivery delivery;
    MadeRecord made = row_of(RecordType::Insert, {column});
    made.after = {std::move(value)};
    return delivered(made, delivery).rowdatas(0).aftercolumns(0);
}

struct Case {
    int number;
    MadeColumn column;
    std::optional<std::string> value;
    std::string text;
    int32_t sql_type;
    std::string mysql_type;
};

const std::string kBig = "18446744073709551615";

TEST(GoldenRows, ValuesAndTypes) {
    const Case cases[] = {
        {75, {"c", 3, "", false}, "4294967295", "4294967295", -5, "int unsigned"},
        {75, {"c", 3, "", false}, "7", "7", 4, "int unsigned"},
        {76, {"c", 8, "", false}, kBig, kBig, 3, "bigint unsigned"},
        {0, {"c", 1, "", false}, "200", "200", 5, "tinyint unsigned"},
        {0, {"c", 2, "", false}, "65535", "65535", 4, "smallint unsigned"},
        {0, {"c", 8, "", true}, "-9223372036854775808", "-9223372036854775808", -5, "bigint"},
        {77, {"c", 246, "", true, 0, 10, 2}, "1.00", "1.00", 3, "decimal(10,2)"},
        {78, {"c", 5, "", true}, "1e20", "1e20", 8, "double"},
        {79, {"c", 247}, "b", "b", 1, "enum"},
        {80, {"c", 248}, "a,c", "a,c", 1, "set"},
        {81, {"c", 16, "", true, 0, 10}, "1023", "1023", -7, "bit(10)"},
        {82, {"c", 255, ""}, "SRID=0;POINT(1 2)", "SRID=0;POINT(1 2)", 12, "geometry"},
        {83,
         {"c", 253, "binary", true, 2},
         std::string("\0\x80", 2),
         std::string("\0\xc2\x80", 3),
         2004,
         "varbinary(2)"},
        {84, {"c", 253, "gbk", true, 5}, "\xd6\xd0", "\xe4\xb8\xad", 12, "varchar(5)"},
        {0, {"c", 253, "utf8mb4", true, 5}, "", "", 12, "varchar(5)"},
        {0, {"c", 254, "utf8mb4", true, 3}, "abc", "abc", 1, "char(3)"},
        {0, {"c", 252, "utf8mb4"}, "text", "text", 2005, "text"},
        {0, {"c", 252, "binary"}, "\xff", "\xc3\xbf", 2004, "blob"},
        {0,
         {"c", 12, "", true, 0, -1, 6},
         "2024-02-29 23:59:58.000123",
         "2024-02-29 23:59:58.000123",
         93,
         "datetime(6)"},
        {0, {"c", 13, ""}, "0000", "0000", 12, "year"},
        {0, {"c", 245, "utf8mb4"}, "{\"a\": 1}", "{\"a\": 1}", 12, "json"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE("case " + std::to_string(one.number) + " " + one.mysql_type);
        const pb::entry::Column column = inserted(one.column, one.value);
        EXPECT_EQ(column.value(), one.text);
        EXPECT_FALSE(column.isnull());
        EXPECT_TRUE(column.updated());
        EXPECT_EQ(column.sqltype(), one.sql_type);
        EXPECT_EQ(column.mysqltype(), one.mysql_type);
        EXPECT_EQ(column.name(), "c");
    }
}

TEST(GoldenRows, NullKeepsItsTypes) {  // 85
    const pb::entry::Column column = inserted({"c", 253, "utf8mb4", true, 9}, std::nullopt);
    EXPECT_TRUE(column.isnull());
    EXPECT_EQ(column.value(), "");
    EXPECT_EQ(column.sqltype(), 12);
    EXPECT_EQ(column.mysqltype(), "varchar(9)");
    EXPECT_EQ(column.props_size(), 0);
}

TEST(GoldenRows, UnixTimestampsAreShownInTheZone) {  // 87, 88
    config::InstanceConfig config;
    config.oblog.extra_configs = {{"enable_convert_timestamp_to_unix_timestamp", "1"}};
    const auto text = [&config](const std::string& value) {
        Delivery delivery(config);
        MadeRecord made = row_of(RecordType::Insert, {{"c", 7, "", true, 0, -1, 3}});
        made.after = {value};
        return delivered(made, delivery).rowdatas(0).aftercolumns(0).value();
    };
    EXPECT_EQ(text("1700000000.120000"), "2023-11-15 06:13:20.120");
    // OceanBase's zero date is the smallest number of microseconds.
    EXPECT_EQ(text("-9223372036854.775808"), "0000-00-00 00:00:00.000");
}

TEST(GoldenRows, WhatWasNotLoggedIsMarked) {  // 86, 100
    Delivery delivery;
    MadeRecord made =
        row_of(RecordType::Update, {{"id", 8, ""}, {"doc", 252, "utf8mb4"}, {"v", 3, ""}});
    made.primary_key = {0};
    made.key_info = {"(0)"};
    made.before = {"1", std::nullopt, "5"};
    made.after = {"1", std::nullopt, std::nullopt};
    made.before_origins = {0, kPadding, 0};
    made.after_origins = {0, kPadding, 0};
    const pb::entry::RowChange change = delivered(made, delivery);
    const pb::entry::RowData& data = change.rowdatas(0);
    for (const auto* side : {&data.beforecolumns(1), &data.aftercolumns(1)}) {
        EXPECT_TRUE(side->isnull());
        EXPECT_FALSE(side->updated());
        ASSERT_EQ(side->props_size(), 1);
        EXPECT_EQ(side->props(0).key(), "unknown");
        EXPECT_EQ(side->props(0).value(), "true");
    }
    // A real NULL is none of that.
    EXPECT_TRUE(data.aftercolumns(2).isnull());
    EXPECT_TRUE(data.aftercolumns(2).updated());
    EXPECT_EQ(data.aftercolumns(2).props_size(), 0);
    EXPECT_TRUE(data.aftercolumns(0).iskey());
    EXPECT_EQ(data.aftercolumns(0).value(), "1");
}

TEST(GoldenRows, HeaderOfARow) {  // 89
    Delivery delivery;
    MadeRecord made = row_of(RecordType::Insert, {{"id", 8, ""}});
    made.primary_key = {0};
    made.after = {"1"};
    const std::string bytes = RecordBuilder::build(made);
    const pb::entry::RowChange change = delivered(made, delivery);
    const pb::entry::Header header = delivery.entry(1).header();
    EXPECT_EQ(header.schemaname(), "db1");
    EXPECT_EQ(header.tablename(), "t1");
    EXPECT_EQ(header.gtid(), "1002_77");
    EXPECT_EQ(header.executetime(), kCommit / 1000);
    EXPECT_EQ(header.logfilename(), "LogProxyMessageFile");
    EXPECT_EQ(header.logfileoffset(), kCheckpoint % 1'000'000);
    EXPECT_EQ(header.eventlength(), std::ssize(bytes));
    EXPECT_EQ(header.eventtype(), pb::entry::INSERT);
    EXPECT_EQ(header.sourcetype(), pb::entry::MYSQL);
    EXPECT_EQ(change.rowdatas_size(), 1);
    EXPECT_FALSE(change.isddl());
}

TEST(GoldenRows, BoundariesOfATransaction) {  // 95
    Delivery delivery;
    ASSERT_EQ(delivery.add_all({begin(), commit()}), "");
    ASSERT_EQ(delivery.published.size(), 2U);
    pb::entry::TransactionBegin first;
    pb::entry::TransactionEnd last;
    ASSERT_TRUE(first.ParseFromString(delivery.entry(0).storevalue()));
    ASSERT_TRUE(last.ParseFromString(delivery.entry(1).storevalue()));
    EXPECT_EQ(delivery.entry(0).entrytype(), pb::entry::TRANSACTIONBEGIN);
    EXPECT_EQ(delivery.entry(1).entrytype(), pb::entry::TRANSACTIONEND);
    EXPECT_EQ(first.transactionid(), "1002_77");
    EXPECT_EQ(first.threadid(), 7);
    EXPECT_EQ(last.transactionid(), "1002_77");
}

TEST(GoldenRows, TenantIsCutFromTheDatabaseOnce) {  // 90, 91
    const auto schema = [](const std::string& db) {
        Delivery delivery;
        MadeRecord made = row_of(RecordType::Delete, {{"id", 8, ""}});
        made.db = db;
        made.before = {"1"};
        static_cast<void>(delivered(made, delivery));
        return delivery.entry(1).header().schemaname();
    };
    EXPECT_EQ(schema("tt.a.tt.b"), "a.tt.b");
    EXPECT_EQ(schema("tt.tt"), "tt");
    EXPECT_EQ(schema("tt.db1"), "db1");
}

std::string ddl(const std::string& db, const std::string& sql, const std::string& id = "1002_9") {
    MadeRecord made{RecordType::Ddl, kCommit, kCheckpoint, db, {}};
    made.after = {sql, "1700"};
    made.ids = {"0", id, ""};
    return RecordBuilder::build(made);
}

TEST(GoldenRows, Ddl) {  // 92, 93, 94
    Delivery delivery;
    ASSERT_EQ(delivery.add_all({ddl("tt", "create database x", "1")}), "");
    ASSERT_EQ(delivery.add_all({ddl("tt.db1", "alter table t add c int", "2")}), "");
    ASSERT_EQ(delivery.add_all({ddl("TT.S", "ALTER SYSTEM FROBNICATE \"T\"", "3")}), "");
    ASSERT_EQ(delivery.published.size(), 3U);
    EXPECT_EQ(delivery.entry(0).header().eventtype(), pb::entry::QUERY);
    EXPECT_EQ(delivery.entry(0).header().schemaname(), "x");
    EXPECT_EQ(delivery.entry(1).header().eventtype(), pb::entry::ALTER);
    EXPECT_EQ(delivery.entry(1).header().schemaname(), "db1");
    EXPECT_EQ(delivery.entry(1).header().tablename(), "t");
    EXPECT_EQ(delivery.entry(1).header().gtid(), "2");
    EXPECT_EQ(delivery.rows(1).sql(), "alter table t add c int");
    EXPECT_TRUE(delivery.rows(1).isddl());
    EXPECT_EQ(delivery.entry(2).header().eventtype(), pb::entry::QUERY);
    EXPECT_EQ(delivery.rows(2).sql(), "ALTER SYSTEM FROBNICATE \"T\"");
}

TEST(GoldenRows, KeysAreThePrimaryOnes) {  // 99
    const auto made_with = [](std::vector<int32_t> primary, std::vector<std::string> info) {
        MadeRecord made = row_of(RecordType::Insert, {{"a", 3, ""}, {"b", 3, ""}, {"c", 3, ""}});
        made.primary_key = std::move(primary);
        made.key_info = std::move(info);
        made.after = {"1", "2", "3"};
        return made;
    };
    Delivery with_primary;
    const auto primary = delivered(made_with({2}, {"(2)"}), with_primary).rowdatas(0);
    EXPECT_FALSE(primary.aftercolumns(0).iskey());
    EXPECT_TRUE(primary.aftercolumns(2).iskey());
    EXPECT_EQ(primary.aftercolumns(2).props_size(), 0);
    // Without one, the first unique key takes its place and says so.
    Delivery with_unique;
    const auto unique = delivered(made_with({}, {"(0,1),(2)"}), with_unique).rowdatas(0);
    EXPECT_TRUE(unique.aftercolumns(0).iskey());
    EXPECT_TRUE(unique.aftercolumns(1).iskey());
    EXPECT_FALSE(unique.aftercolumns(2).iskey());
    ASSERT_EQ(unique.aftercolumns(0).props_size(), 1);
    EXPECT_EQ(unique.aftercolumns(0).props(0).key(), "uniqueKey");
    Delivery with_none;
    const auto none = delivered(made_with({}, {}), with_none).rowdatas(0);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(none.aftercolumns(i).iskey());
}

TEST(GoldenRows, AChangedTableIsSeenAtItsFirstRow) {
    Delivery delivery;
    MadeRecord one = row_of(RecordType::Insert, {{"a", 3, ""}});
    one.after = {"1"};
    MadeRecord two = row_of(RecordType::Insert, {{"a", 3, ""}, {"b", 253, "utf8mb4", true, 4}});
    two.after = {"2", "x"};
    MadeRecord three = two;
    three.columns[1].length = 8;
    const std::vector<std::string> packet{
        begin(),
        RecordBuilder::build(one),
        RecordBuilder::build(two),
        RecordBuilder::build(three),
        RecordBuilder::build(one),
        commit()
    };
    ASSERT_EQ(delivery.add_all(packet), "");
    ASSERT_EQ(delivery.published.size(), 6U);
    EXPECT_EQ(delivery.rows(1).rowdatas(0).aftercolumns_size(), 1);
    EXPECT_EQ(delivery.rows(2).rowdatas(0).aftercolumns(1).mysqltype(), "varchar(4)");
    EXPECT_EQ(delivery.rows(3).rowdatas(0).aftercolumns(1).mysqltype(), "varchar(8)");
    EXPECT_EQ(delivery.rows(4).rowdatas(0).aftercolumns_size(), 1);
}

TEST(GoldenRows, ReplaceAndPutArriveAsInserts) {
    for (const RecordType type : {RecordType::Replace, RecordType::Put}) {
        Delivery delivery;
        MadeRecord made = row_of(type, {{"a", 3, ""}});
        made.after = {"1"};
        EXPECT_EQ(delivered(made, delivery).eventtype(), pb::entry::INSERT);
    }
}

TEST(GoldenRows, ARecordNobodyUnderstandsStopsWithItsName) {
    for (const RecordType type :
         {RecordType::Rollback,
          RecordType::Dml,
          RecordType::ConsistencyTest,
          RecordType::IndexUpdate,
          RecordType::Unknown,
          static_cast<RecordType>(77)}) {
        Delivery delivery;
        MadeRecord made = row_of(type, {{"a", 3, ""}});
        made.after = {"1"};
        const std::string first = begin();
        EXPECT_EQ(delivery.add(first), "");
        const std::string error = delivery.add(RecordBuilder::build(made));
        EXPECT_THAT(error, HasSubstr(std::string(oblog::record_type_name(type))));
        EXPECT_THAT(error, HasSubstr("tt.db1.t1"));
        EXPECT_THAT(error, HasSubstr("1002_77"));
        EXPECT_EQ(delivery.error.retry, Retry::Never);
        EXPECT_EQ(delivery.error.code, Errc::Unsupported);
    }
}

TEST(GoldenRows, ARowWithTooFewValuesIsAnError) {
    Delivery delivery;
    MadeRecord made = row_of(RecordType::Insert, {{"a", 3, ""}, {"b", 3, ""}});
    made.after = {"1"};
    const std::string first = begin();
    EXPECT_EQ(delivery.add(first), "");
    EXPECT_THAT(delivery.add(RecordBuilder::build(made)), HasSubstr("column 1 has no value"));
}

}  // namespace
}  // namespace obcanal::source

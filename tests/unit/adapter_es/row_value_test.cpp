// A value is the same by an event's image and by a result of the source.
#include "adapter/es/row_value.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::es {
namespace {

using client::SqlType;

FieldValue event(std::string_view type, std::string_view text, int32_t sql_type = 12) {
    core::DmlValue value;
    value.text = text;
    value.sql_type = sql_type;
    return EventColumn(type).read(value);
}

FieldValue cell(SqlType type, std::string_view text, bool exact = false) {
    return read_cell(type, text, exact);
}

FieldValue made(ValueKind kind, std::string text) { return {kind, std::move(text)}; }

TEST(RowValueTest, KeysAreTheSameByTheirTexts) {
    const std::vector<FieldValue> key{made(ValueKind::Integer, "7"), made(ValueKind::Text, "")};
    const std::vector<FieldValue> same{made(ValueKind::Decimal, "7"), made(ValueKind::Bytes, "")};
    EXPECT_TRUE(same_key(key, same));
    EXPECT_EQ(hash_key(key), hash_key(same));
    EXPECT_FALSE(same_key(key, std::vector{key[0], FieldValue()}));  // NULL is no text
    EXPECT_FALSE(same_key(key, std::vector{key[0], made(ValueKind::Text, "7")}));
    EXPECT_FALSE(same_key(key, std::vector{key[0]}));
    EXPECT_NE(hash_key(key), hash_key(std::vector{key[1], key[0]}));
}

TEST(RowValueTest, BothWaysAreTheSame) {
    using std::string_literals::operator""s;
    EXPECT_EQ(event("int(5) unsigned zerofill", "7"), made(ValueKind::Integer, "7"));
    EXPECT_EQ(cell(SqlType::Integer, "00007"), made(ValueKind::Integer, "7"));
    EXPECT_EQ(event("year(4)", "0000"), cell(SqlType::Integer, "0"));
    EXPECT_EQ(event("bigint(20)", "-12"), cell(SqlType::Integer, "-12"));
    EXPECT_EQ(event("bit(12)", "2565", -7), made(ValueKind::Integer, "2565"));
    EXPECT_EQ(cell(SqlType::Bit, "\x0A\x05"), made(ValueKind::Integer, "2565"));
    EXPECT_EQ(event("decimal(10,3)", "12.340"), made(ValueKind::Decimal, "12.340"));
    EXPECT_EQ(cell(SqlType::Decimal, "-012.340"), made(ValueKind::Decimal, "-12.340"));
    EXPECT_EQ(event("float", "0.1"), made(ValueKind::Float, "0.1"));
    EXPECT_EQ(cell(SqlType::Double, "0.10000000149011612", true), made(ValueKind::Float, "0.1"));
    EXPECT_EQ(event("double", "1.0E10"), cell(SqlType::Double, "10000000000"));
    EXPECT_EQ(event("enum('a','it''s')", "2", 4), made(ValueKind::Text, "it's"));
    EXPECT_EQ(event("enum('a','b')", "0", 4), made(ValueKind::Text, ""));
    EXPECT_EQ(event("enum('a','b')", "b", 12), made(ValueKind::Text, "b"));
    EXPECT_EQ(event("set('x','y','z')", "5", -7), made(ValueKind::Text, "x,z"));
    EXPECT_EQ(event("json", "{\"a\": [1, \"x y\"]}"), cell(SqlType::Json, "{\"a\":[1,\"x y\"]}"));
    EXPECT_EQ(event("json", "\"a\\\" b\""), made(ValueKind::Json, "\"a\\\" b\""));
    EXPECT_EQ(event("varbinary(9)", "\xC3\xBF\x41"), made(ValueKind::Bytes, "\xFF\x41"));
    EXPECT_EQ(event("binary(3)", "A"), made(ValueKind::Bytes, "A\0\0"s));
    EXPECT_EQ(event("date", "0000-00-00"), cell(SqlType::Date, "0000-00-00"));
    EXPECT_EQ(event("timestamp(3)", "2024-01-02 03:04:05.120").kind, ValueKind::DateTime);
    EXPECT_EQ(event("time", "-01:30:00"), cell(SqlType::Time, "-01:30:00"));
    EXPECT_EQ(event("text", " é "), cell(SqlType::Text, " é "));
    core::DmlValue null;
    null.state = core::ValueState::Null;
    EXPECT_TRUE(EventColumn("int").read(null).is_null());
    EXPECT_TRUE(read_cell(SqlType::Text, std::nullopt, false).is_null());
}

TEST(RowValueTest, LiteralsOfTheSelectList) {
    SqlFault fault;
    const auto sql = parse_mapping_sql(
        "select 'it''s' a, 07 b, -1.50 c, .5 d, 1e3 e, null f, true g from t", fault
    );
    ASSERT_TRUE(sql);
    std::vector<FieldValue> values;
    for (const SelectItem& item : sql->select.items) values.push_back(literal_value(item.value));
    EXPECT_THAT(
        values,
        testing::ElementsAre(
            made(ValueKind::Text, "it's"),
            made(ValueKind::Integer, "7"),
            made(ValueKind::Decimal, "-1.50"),
            made(ValueKind::Decimal, "0.5"),
            made(ValueKind::Float, "1000"),
            FieldValue(),
            made(ValueKind::Integer, "1")
        )
    );
}

TEST(RowValueTest, NothingInAValueEndsItsLiteral) {
    std::string sql;
    append_literal(sql, {ValueKind::Text, "'; drop table t"});
    EXPECT_EQ(sql, "_utf8mb4 X'273b2064726f70207461626c652074'");
    sql.clear();
    append_literal(sql, {ValueKind::Integer, "1 or 1=1"});
    EXPECT_EQ(sql, "_utf8mb4 X'31206f7220313d31'");
}

}  // namespace
}  // namespace obcanal::adapter::es

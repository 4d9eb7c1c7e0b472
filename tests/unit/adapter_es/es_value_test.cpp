#include "adapter/es/es_value.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::es {
namespace {

std::string shown(std::string_view type, ValueKind kind, std::string text) {
    static const std::shared_ptr<const TimeZone> zone = TimeZone::open("+08:00").value();
    std::string json;
    append_es_value(
        json, type == "?" ? EsType::Unknown : es_type(type), {kind, std::move(text)}, *zone
    );
    return json;
}

std::string object(std::string_view spec, ValueKind kind, std::string text) {
    std::string json;
    append_object_field(json, read_object_field(spec), {kind, std::move(text)});
    return json;
}

TEST(EsValue, NumbersAreExact) {
    EXPECT_EQ(shown("long", ValueKind::Integer, "18446744073709551615"), "18446744073709551615");
    EXPECT_EQ(shown("scaled_float", ValueKind::Decimal, "12.340"), "12.340");
    EXPECT_EQ(shown("double", ValueKind::Text, " 1.5 "), "1.5");
    EXPECT_EQ(shown("integer", ValueKind::Text, "007"), R"("007")");
    EXPECT_EQ(shown("long", ValueKind::Text, "abc"), R"("abc")");
    EXPECT_EQ(shown("double", ValueKind::Text, "8E308"), R"("8E308")");  // beyond a double
    EXPECT_EQ(shown("geo_point", ValueKind::Text, "1,1e999"), R"("1,1e999")");
    EXPECT_EQ(shown("long", ValueKind::Null, ""), "null");
}

TEST(EsValue, BooleansOfBothModes) {
    EXPECT_EQ(shown("boolean", ValueKind::Text, "1"), "true");
    EXPECT_EQ(shown("boolean", ValueKind::Text, "0"), "false");
    EXPECT_EQ(shown("boolean", ValueKind::Integer, "2"), "true");
    EXPECT_EQ(shown("boolean", ValueKind::Decimal, "0.0"), "false");
    EXPECT_EQ(shown("boolean", ValueKind::Text, "TRUE"), "true");
    EXPECT_EQ(shown("boolean", ValueKind::Text, "x"), "false");
}

TEST(EsValue, DatesCarryTheZoneAndTheirFraction) {
    EXPECT_EQ(shown("date", ValueKind::Date, "2024-01-02"), R"("2024-01-02")");
    EXPECT_EQ(shown("date", ValueKind::Time, "03:04:05"), R"("03:04:05")");
    EXPECT_EQ(
        shown("date", ValueKind::DateTime, "2024-01-02 03:04:05"), R"("2024-01-02T03:04:05+08:00")"
    );
    EXPECT_EQ(
        shown("date", ValueKind::DateTime, "2024-01-02 03:04:05.120"),
        R"("2024-01-02T03:04:05.120+08:00")"
    );
    EXPECT_EQ(
        shown("date_nanos", ValueKind::DateTime, "2024-01-02 03:04:05.123456"),
        R"("2024-01-02T03:04:05.123456+08:00")"
    );
    EXPECT_EQ(
        shown("date", ValueKind::DateTime, "2024-01-02 03:04:05.000000"),
        R"("2024-01-02T03:04:05+08:00")"
    );
    EXPECT_EQ(
        shown("date", ValueKind::Text, "2024-01-02 03:04:05"), R"("2024-01-02T03:04:05+08:00")"
    );
    EXPECT_EQ(shown("date", ValueKind::Integer, "1704164645000"), "1704164645000");
    EXPECT_EQ(shown("date", ValueKind::DateTime, "0000-00-00 00:00:00"), "null");
    EXPECT_EQ(shown("date", ValueKind::Text, ""), "null");
    EXPECT_EQ(shown("date", ValueKind::Text, "soon"), R"("soon")");
    EXPECT_EQ(
        shown("?", ValueKind::DateTime, "2024-01-02 03:04:05"), R"("2024-01-02T03:04:05+08:00")"
    );
}

TEST(EsValue, BytesBecomeBase64) {
    EXPECT_EQ(shown("binary", ValueKind::Bytes, std::string("\x00\xff", 2)), R"("AP8=")");
    EXPECT_EQ(shown("binary", ValueKind::Text, "\xc3\xbf"), R"("/w==")");
    EXPECT_EQ(shown("binary", ValueKind::Bytes, ""), R"("")");
    EXPECT_EQ(shown("keyword", ValueKind::Bytes, "abc"), R"("abc")");
    EXPECT_EQ(shown("keyword", ValueKind::Bytes, "\xff"), R"("/w==")");
}

TEST(EsValue, PointsObjectsAndTexts) {
    EXPECT_EQ(shown("geo_point", ValueKind::Text, "1.5, -2"), R"({"lat":1.5,"lon":-2})");
    EXPECT_EQ(shown("geo_point", ValueKind::Text, "u4pruyd"), R"("u4pruyd")");
    EXPECT_EQ(shown("object", ValueKind::Text, "{\"a\":\n1}"), R"({"a": 1})");
    EXPECT_EQ(shown("", ValueKind::Json, R"({"a":1})"), R"({"a":1})");
    EXPECT_EQ(shown("nested", ValueKind::Json, "[1]"), "[1]");
    EXPECT_EQ(shown("object", ValueKind::Text, " "), "{}");
    EXPECT_EQ(shown("object", ValueKind::Text, "{"), R"("{")");
    EXPECT_EQ(shown("keyword", ValueKind::Integer, "7"), R"("7")");
    EXPECT_EQ(shown("text", ValueKind::Text, "a\n\"b\""), R"("a\n\"b\"")");
}

TEST(EsValue, ObjectFields) {
    EXPECT_EQ(object("array:;", ValueKind::Text, "b;a"), R"(["b","a"])");
    EXPECT_EQ(object("array:|", ValueKind::Text, "a|b"), R"(["a","b"])");
    EXPECT_EQ(object("array:\\|", ValueKind::Text, "a|b"), R"(["a","b"])");
    EXPECT_EQ(object("array:;", ValueKind::Text, "a;;"), R"(["a"])");
    EXPECT_EQ(object("array:;", ValueKind::Text, ""), R"([""])");
    EXPECT_EQ(object("array:;", ValueKind::Null, ""), "null");
    EXPECT_EQ(object("object", ValueKind::Text, R"({"a":1})"), R"({"a":1})");
    EXPECT_EQ(object("object", ValueKind::Text, "[1,2]"), "[1,2]");
    EXPECT_EQ(object("object", ValueKind::Null, ""), "null");
    EXPECT_EQ(object("obj:", ValueKind::Text, "x"), "null");
}

}  // namespace
}  // namespace obcanal::adapter::es

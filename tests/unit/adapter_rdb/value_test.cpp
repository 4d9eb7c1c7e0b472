#include "adapter/rdb/value.h"

#include "adapter/rdb/geometry.h"
#include "adapter/rdb/position.h"
#include "adapter/rdb/sql_text.h"
#include "made.h"
#include "protocol/base/text.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::rdb {
namespace {

// The literal of a value on its way from a column of one type into one of another.
std::string converted(
    std::string_view source,
    std::string_view target,
    SqlFamily family,
    core::DmlValue value,
    ZeroDate zero = ZeroDate::Null
) {
    const TargetColumn column{"c", std::string(target), std::string(target), false};
    const ValueRule rule = make_rule(source, column, family, zero);
    Arena arena;
    std::string sql;
    append_literal(sql, family, rule.bind, read_value(rule, value, arena));
    return sql;
}

std::string to_mysql(
    std::string_view source, std::string_view target, std::string_view text, int32_t sql_type = 12
) {
    core::DmlValue made = value(text);
    made.sql_type = sql_type;
    return converted(source, target, SqlFamily::Mysql, made);
}

std::string to_postgres(
    std::string_view source, std::string_view target, std::string_view text, int32_t sql_type = 12
) {
    core::DmlValue made = value(text);
    made.sql_type = sql_type;
    return converted(source, target, SqlFamily::Postgres, made);
}

TEST(Value, MysqlKeepsEveryTypesValue) {
    EXPECT_EQ(
        to_mysql("bigint(20) unsigned", "bigint", "18446744073709551615"), "18446744073709551615"
    );
    EXPECT_EQ(to_mysql("tinyint(1)", "tinyint", "2"), "2");
    EXPECT_EQ(to_mysql("bit(64)", "bit", "18446744073709551615", -7), "18446744073709551615");
    EXPECT_EQ(
        to_mysql("decimal(65,30)", "decimal", "-0.000000000000000000000000000001"),
        "-0.000000000000000000000000000001"
    );
    EXPECT_EQ(to_mysql("datetime(6)", "datetime", "0000-00-00 00:00:00"), "'0000-00-00 00:00:00'");
    EXPECT_EQ(to_mysql("time(1)", "time", "-01:30:00"), "'-01:30:00'");
    EXPECT_EQ(to_mysql("enum('a','b')", "enum", "2", 4), "'b'");
    EXPECT_EQ(to_mysql("enum('a','b')", "enum", "b"), "'b'");
    EXPECT_EQ(to_mysql("enum('1','2')", "enum", "0", 4), "''");
    EXPECT_EQ(to_mysql("set('x','y','z')", "set", "5", -7), "'x,z'");
    EXPECT_EQ(to_mysql("int(11)", "varchar", "007"), "'007'");
    EXPECT_EQ(
        to_mysql("json", "json", "{\"a\": \"\\u00e4\\\\\"}"), "'{\"a\": \"\\\\u00e4\\\\\\\\\"}'"
    );
}

TEST(Value, AnEnumsMemberStandsInForItsEmptyValue) {
    const auto member = [](std::string_view full_type, SqlFamily family) {
        const TargetColumn column{"c", "enum", std::string(full_type), false};
        return make_rule("enum('x')", column, family, ZeroDate::Null).enum_member;
    };
    EXPECT_EQ(member("enum('b','a')", SqlFamily::Mysql), "b");
    // There the empty text is a member, which every session takes.
    EXPECT_EQ(member("enum('b','')", SqlFamily::Mysql), "");
    EXPECT_EQ(member("enum('b','a')", SqlFamily::Postgres), "");
    const TargetColumn text{"c", "varchar", "varchar(9)", false};
    EXPECT_EQ(make_rule("enum('x')", text, SqlFamily::Mysql, ZeroDate::Null).enum_member, "");
}

TEST(Value, BytesAreNarrowedToWhatTheyWere) {
    EXPECT_EQ(to_mysql("blob", "blob", "\xc3\xbf'\\"), std::string("_binary'\xff''\\\\'"));
    EXPECT_EQ(to_mysql("blob", "blob", ""), "_binary''");
    EXPECT_EQ(to_postgres("binary(4)", "bytea", "a"), "'\\x61000000'");
    EXPECT_EQ(to_postgres("binary(2)", "bytea", "\xc3\xbf"), "'\\xff00'");
    EXPECT_EQ(to_postgres("varbinary(4)", "bytea", "a\xc2\x80"), "'\\x6180'");
}

TEST(Value, GeometryFromBytesOrText) {
    const std::string point("\xe6\x10\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0", 25);
    EXPECT_EQ(geometry_of_text("SRID=4326;POINT(1 -2)"), point);
    EXPECT_EQ(geometry_of_text("point (1 -2)"), std::string(4, '\0') + point.substr(4));
    EXPECT_EQ(geometry_ewkb(point), "0101000020e6100000000000000000f03f00000000000000c0");
    const std::string wide =
        "\xc3\xa6\x10" + point.substr(2, 13) + "\xc3\xb0" + point.substr(16, 8) + "\xc3\x80";
    EXPECT_EQ(to_postgres("geometry", "bytea", wide), "'\\x" + to_hex(as_bytes(point)) + "'");
    EXPECT_EQ(
        to_postgres("geometry", "bytea", "SRID=4326;POINT(1 -2)"),
        "'\\x" + to_hex(as_bytes(point)) + "'"
    );
    for (const char* good :
         {"LINESTRING(0 0,1e3 .5)",
          "POLYGON((0 0,0 1,1 1,0 0),(0 0,0 1,1 1,0 0))",
          "MULTIPOINT((0 0),(1 1))",
          "MULTIPOINT(0 0,1 1)",
          "MULTILINESTRING((0 0,1 1))",
          "MULTIPOLYGON(((0 0,0 1,1 1,0 0)))",
          "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))",
          "GEOMETRYCOLLECTION EMPTY"}) {
        EXPECT_TRUE(geometry_of_text(good)) << good;
    }
    EXPECT_EQ(geometry_of_text("MULTIPOINT((0 0),(1 1))"), geometry_of_text("MULTIPOINT(0 0,1 1)"));
    for (const char* bad :
         {"", "POINT", "POINT(1)", "POINT(1 2", "POINT(1 2) x", "SRID=x;POINT(1 2)", "CIRCLE(1 2)"
         }) {
        EXPECT_FALSE(geometry_of_text(bad)) << bad;
    }
}

TEST(Value, Postgres) {
    EXPECT_EQ(to_postgres("bit(8)", "bit", "165", -7), "'10100101'");
    EXPECT_EQ(to_postgres("tinyint(1)", "bool", "2"), "'true'");
    EXPECT_EQ(to_postgres("bit(1)", "bool", "0", -7), "'false'");
    EXPECT_EQ(to_postgres("json", "jsonb", "{\"a\":1}"), "'{\"a\":1}'");
    EXPECT_EQ(to_postgres("datetime", "timestamp", "0000-00-00 00:00:00"), "NULL");
    const core::DmlValue zero = value("0000-00-00");
    EXPECT_EQ(
        converted("date", "date", SqlFamily::Postgres, zero, ZeroDate::Epoch),
        "'1970-01-01 00:00:00'"
    );
    EXPECT_EQ(
        converted("date", "date", SqlFamily::Postgres, zero, ZeroDate::Refuse), "'0000-00-00'"
    );
    EXPECT_EQ(to_postgres("varchar(9)", "varchar", "it's \\"), "'it''s \\'");
}

TEST(Value, TextThatIsNoNumberIsNeverPastedAsOne) {
    EXPECT_EQ(to_mysql("int(11)", "int", "1;DROP"), "'1;DROP'");
    EXPECT_EQ(to_mysql("double", "double", "e"), "'e'");
}

TEST(Value, Members) {
    const std::vector<std::string> expected{"a,b", "it's", ""};
    EXPECT_EQ(type_members("enum('a,b','it''s','')"), expected);
    EXPECT_TRUE(type_members("enum").empty());
}

TEST(Position, CoversWhatStandsBeforeIt) {
    SourceMark mark;
    core::Dml dml;
    const auto at = [&dml](std::string_view file, int64_t offset) -> const core::Dml& {
        dml.log_file = file;
        dml.log_offset = offset;
        return dml;
    };
    mark.move_to(at("mysql-bin.000009", 500));
    mark.move_to(at("mysql-bin.000009", 700));
    mark.move_to(at("mysql-bin.000009", 700));
    EXPECT_EQ(mark.entries, 2U);
    CoveredChanges covered(mark);
    EXPECT_TRUE(covered.covers(at("mysql-bin.000008", 900)));
    EXPECT_TRUE(covered.covers(at("mysql-bin.000009", 500)));
    EXPECT_TRUE(covered.covers(at("mysql-bin.000009", 700)));
    EXPECT_TRUE(covered.covers(at("mysql-bin.000009", 700)));
    EXPECT_FALSE(covered.covers(at("mysql-bin.000009", 700)));
    EXPECT_FALSE(covered.covers(at("mysql-bin.000010", 4)));
    EXPECT_EQ(compare_place("mysql-bin.1000000", 4, {"mysql-bin.999999", 9, 1}), 1);
}

// A batch that comes again begins where the ones before it ended.
TEST(Position, CoversBehindWhatHasComeAlready) {
    core::Dml dml;
    dml.log_file = "mysql-bin.000009";
    dml.log_offset = 700;
    SourceMark passed;
    passed.move_to(dml);
    passed.move_to(dml);
    CoveredChanges covered({"mysql-bin.000009", 700, 3}, passed);
    EXPECT_TRUE(covered.covers(dml));
    EXPECT_FALSE(covered.covers(dml));
    passed.offset = 600;
    CoveredChanges other({"mysql-bin.000009", 700, 1}, passed);
    EXPECT_TRUE(other.covers(dml));
}

// The server may go on anywhere within the place.
TEST(Position, LeavesOpenWhatCannotBeCounted) {
    core::Dml dml;
    const auto at = [&dml](int64_t offset) -> const core::Dml& {
        dml.log_file = "mysql-bin.000009";
        dml.log_offset = offset;
        return dml;
    };
    SourceMark mark{"mysql-bin.000009", 700, 0};
    mark.move_to(at(700));
    EXPECT_EQ(mark.entries, 0U);
    CoveredChanges covered(mark);
    EXPECT_TRUE(covered.covers(at(500)));
    EXPECT_FALSE(covered.leaves_open(at(500)));
    EXPECT_TRUE(covered.leaves_open(at(700)));
    EXPECT_FALSE(covered.covers(at(700)));
    EXPECT_FALSE(covered.leaves_open(at(900)));
    mark.move_to(at(900));
    EXPECT_EQ(mark.entries, 1U);
    EXPECT_FALSE(SourceMark().is_set());
    EXPECT_TRUE(mark.is_set());
}

}  // namespace
}  // namespace obcanal::adapter::rdb

// The line of the logger target.
#include "adapter/core/log_writer.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::core {
namespace {

using canal::EventType;

DmlValue value(int32_t sql_type, std::string_view text, bool updated = false) {
    return {text, sql_type, ValueState::Value, updated};
}

TEST(LogWriterTest, InsertIsTheLineOfTheReference) {
    const std::vector<DmlValue> after{value(4, "1"), value(12, "a")};
    Dml dml;
    dml.type = EventType::Insert;
    dml.database = "mytest";
    dml.table = "user";
    dml.execute_ms = 1730271518000;
    dml.columns = {{"id", "int(11)", true}, {"name", "varchar(30)", false}};
    dml.rows = {{{}, after}};
    EXPECT_EQ(
        dml_line(dml, "example", "g1", 1730273894506),
        R"(DML: {"data":[{"id":1,"name":"a"}],"database":"mytest","destination":"example",)"
        R"("es":1730271518000,"groupId":"g1","isDdl":false,"old":null,"pkNames":["id"],"sql":"",)"
        R"("table":"user","ts":1730273894506,"type":"INSERT"})"
    );
}

TEST(LogWriterTest, OldHasWhatEachRowChanged) {
    const std::vector<DmlValue> before{value(4, "1"), value(4, "5"), value(4, "6")};
    const std::vector<DmlValue> after{value(4, "1"), value(4, "5"), value(4, "7", true)};
    Dml dml;
    dml.type = EventType::Update;
    dml.columns = {{"id", "int(11)", true}, {"a", "int(11)", false}, {"b", "int(11)", false}};
    dml.rows = {{before, after}, {before, before}};
    const std::string line = dml_line(dml, "d", "g", 1);
    EXPECT_THAT(line, testing::HasSubstr(R"("data":[{"id":1,"a":5,"b":7},{"id":1,"a":5,"b":6}])"));
    EXPECT_THAT(line, testing::HasSubstr(R"("old":[{"b":6},{}])"));
    dml.type = EventType::Delete;
    dml.rows = {{before, {}}};
    EXPECT_THAT(dml_line(dml, "d", "g", 1), testing::HasSubstr(R"("data":[{"id":1,"a":5,"b":6}])"));
}

TEST(LogWriterTest, ValuesAreTypedWithoutLoss) {
    std::vector<DmlValue> after{
        value(-5, "18446744073709551615"),
        value(3, "0012.50"),
        value(8, "1.0E10"),
        value(12, "q\"\\\n\x01\xff"),
        value(2004, "\xc3\xbf\x01"),
        value(93, "2024-01-02 03:04:05.123456"),
        value(93, ""),
        value(2005, ""),
        value(16, "1"),
        value(4, "x"),
        {"", 12, ValueState::Null, false},
        {"", 12, ValueState::Unknown, false},
    };
    Dml dml;
    dml.type = EventType::Insert;
    for (size_t i = 0; i < after.size(); ++i) dml.columns.push_back({"c", "", false});
    dml.columns[7].mysql_type = "text";
    dml.rows = {{{}, after}};
    EXPECT_THAT(
        dml_line(dml, "d", "g", 1),
        testing::HasSubstr(
            R"("data":[{"c":18446744073709551615,"c":"0012.50","c":1.0E10,"c":"q\"\\\n\u0001)"
            "\xef\xbf\xbd"
            R"(","c":"/wE=","c":"2024-01-02 03:04:05.123456","c":null,"c":"","c":true,"c":"x","c":null}],)"
        )
    );
}

TEST(LogWriterTest, DdlHasNoRowsAndNoKeys) {
    Dml dml;
    dml.type = EventType::Alter;
    dml.is_ddl = true;
    dml.sql = "alter table t add c int";
    EXPECT_THAT(
        dml_line(dml, "d", "g", 1),
        testing::AllOf(
            testing::HasSubstr(R"({"data":null,)"),
            testing::HasSubstr(R"("isDdl":true,"old":null,"pkNames":null,"sql":"alter table)"),
            testing::HasSubstr(R"("type":"ALTER"})")
        )
    );
}

}  // namespace
}  // namespace obcanal::adapter::core

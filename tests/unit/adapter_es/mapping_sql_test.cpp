// The reader of mappings' SQL: what of it is understood, and how a fault is shown.
#include "adapter/es/mapping_sql.h"

#include "adapter/es/es_task.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::es {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string text_of(const MappingSql& sql, const SqlRange& range) {
    return std::string(range.of(sql.text));
}

// "source.column" of an expression's columns.
std::vector<std::string> columns(const SqlExpression& expression) {
    std::vector<std::string> all;
    for (const ColumnUse& use : expression.columns) {
        all.push_back(std::to_string(use.source) + "." + use.column);
    }
    return all;
}

std::shared_ptr<MappingSql> parse(const std::string& text) {
    SqlFault fault;
    auto sql = parse_mapping_sql(text, fault);
    EXPECT_TRUE(sql) << describe_fault(text, fault);
    return sql;
}

std::string fault_of(const std::string& text) {
    SqlFault fault;
    const auto sql = parse_mapping_sql(text, fault);
    return sql ? "understood" : describe_fault(text, fault);
}

std::vector<std::string> field_columns(const std::string& expression) {
    const auto sql = parse("select " + expression + " as f from t a left join u b on b.x = a.y");
    if (!sql) return {};
    EXPECT_EQ(text_of(*sql, sql->select.items[0].value.range), expression);
    return columns(sql->select.items[0].value);
}

TEST(MappingSqlTest, JoinOfTheReferencesSample) {
    const auto sql = parse(
        "select a.id as _id, a.name, a.role_id, b.role_name,\n a.c_time from user a\n"
        " left join role b on b.id=a.role_id"
    );
    ASSERT_TRUE(sql);
    const SqlSelect& select = sql->select;
    ASSERT_EQ(select.items.size(), 5U);
    EXPECT_EQ(select.items[0].name, "_id");
    EXPECT_EQ(select.items[3].name, "role_name");
    EXPECT_EQ(select.items[3].value.kind, SqlExpression::Kind::Column);
    EXPECT_THAT(columns(select.items[3].value), ElementsAre("1.role_name"));
    ASSERT_EQ(select.sources.size(), 2U);
    EXPECT_EQ(select.sources[0].table, "user");
    EXPECT_EQ(select.sources[1].join, SqlSource::Join::Left);
    EXPECT_EQ(text_of(*sql, select.sources[1].joined), "left join role b on b.id=a.role_id");
    ASSERT_EQ(select.sources[1].equal.size(), 1U);
    const auto& on = select.sources[1].on;
    EXPECT_EQ(on.columns[select.sources[1].equal[0].own].column, "id");
    EXPECT_EQ(on.columns[select.sources[1].equal[0].other].column, "role_id");
    EXPECT_FALSE(needs_columns(*sql));
}

TEST(MappingSqlTest, EveryPartOfASelect) {
    const auto sql = parse(
        "SELECT DISTINCT x.`na``me` AS 'the name', 1 kind, 'it''s' src, -2.5 AS n, null nothing "
        "FROM db.`user` AS x INNER JOIN (SELECT user_id, GROUP_CONCAT(DISTINCT label ORDER BY id "
        "DESC SEPARATOR ';') labels FROM label WHERE kind = 'a' GROUP BY user_id) AS c "
        "ON (c.user_id = x.id AND c.labels <> '' AND x.kind = 2) "
        "WHERE x.gone = 0 AND (x.a > 1 OR x.b) GROUP BY x.id, x.name ORDER BY x.id DESC;"
    );
    ASSERT_TRUE(sql);
    const SqlSelect& select = sql->select;
    EXPECT_TRUE(select.distinct);
    EXPECT_TRUE(select.grouped);
    EXPECT_EQ(select.items[0].name, "the name");
    EXPECT_THAT(columns(select.items[0].value), ElementsAre("0.na`me"));
    EXPECT_EQ(select.items[1].value.kind, SqlExpression::Kind::Number);
    EXPECT_EQ(select.items[2].value.kind, SqlExpression::Kind::Text);
    EXPECT_EQ(select.items[2].value.literal, "it's");
    EXPECT_EQ(select.items[3].value.literal, "-2.5");
    EXPECT_EQ(select.items[4].value.kind, SqlExpression::Kind::Null);
    EXPECT_EQ(select.sources[0].schema, "db");
    const SqlSource& c = select.sources[1];
    EXPECT_EQ(c.join, SqlSource::Join::Inner);
    ASSERT_TRUE(c.derived);
    EXPECT_TRUE(c.derived->grouped);
    EXPECT_TRUE(c.derived->items[1].value.aggregate);
    EXPECT_THAT(columns(c.derived->items[1].value), ElementsAre("0.label", "0.id"));
    EXPECT_THAT(columns(*c.derived->where), ElementsAre("0.kind"));
    ASSERT_EQ(c.equal.size(), 1U);
    EXPECT_THAT(columns(*select.where), ElementsAre("0.gone", "0.a", "0.b"));
    EXPECT_EQ(select.group_by.size(), 2U);
    EXPECT_EQ(sql->text.substr(select.conditions_end, 9), " GROUP BY");
}

TEST(MappingSqlTest, ColumnsOfExpressions) {
    EXPECT_THAT(field_columns("concat('u_', a.id, b.n)"), ElementsAre("0.id", "1.n"));
    EXPECT_THAT(
        field_columns("case a.k when 1 then b.x else concat(a.y, '') end"),
        ElementsAre("0.k", "1.x", "0.y")
    );
    EXPECT_THAT(
        field_columns("CASE WHEN a.x IS NOT NULL AND b.y IN (1, 2) THEN 'a' ELSE b.z END"),
        ElementsAre("0.x", "1.y", "1.z")
    );
    EXPECT_THAT(field_columns("cast(a.x as decimal(10, 2))"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("CONVERT(a.x USING utf8mb4)"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("convert(a.x, char(20))"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("date_format(a.d, '%Y-%m')"), ElementsAre("0.d"));
    EXPECT_THAT(field_columns("a.d + INTERVAL b.n DAY"), ElementsAre("0.d", "1.n"));
    EXPECT_THAT(field_columns("extract(year from a.d)"), ElementsAre("0.d"));
    EXPECT_THAT(field_columns("timestampdiff(day, a.d, b.d)"), ElementsAre("0.d", "1.d"));
    EXPECT_THAT(field_columns("trim(both ' ' from a.x)"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("trim(a.x)"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("a.doc->>'$.name'"), ElementsAre("0.doc"));
    EXPECT_THAT(field_columns("now()"), ElementsAre());
    EXPECT_THAT(field_columns("current_timestamp"), ElementsAre());
    EXPECT_THAT(field_columns("_utf8mb4'x'"), ElementsAre());
    EXPECT_THAT(field_columns("'a' 'b'"), ElementsAre());
    EXPECT_THAT(field_columns("not a.x between 1 and b.y"), ElementsAre("0.x", "1.y"));
    EXPECT_THAT(field_columns("a.x not like 'q%' escape '!'"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("binary a.x = b.y collate utf8mb4_bin"), ElementsAre("0.x", "1.y"));
    EXPECT_THAT(field_columns("- -a.x * +5 % b.y"), ElementsAre("0.x", "1.y"));
    EXPECT_THAT(
        field_columns("if(a.x <=> b.y, left(a.z, 3), 0x41)"), ElementsAre("0.x", "1.y", "0.z")
    );
    EXPECT_THAT(field_columns("a /* note */ . x"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("count(distinct a.x)"), ElementsAre("0.x"));
    EXPECT_THAT(field_columns("(a.x, b.y) in ((1, 2))"), ElementsAre("0.x", "1.y"));
}

TEST(MappingSqlTest, ColumnsWithoutAliasAreTheOneTables) {
    const auto sql = parse("select id as _id, name from user");
    ASSERT_TRUE(sql);
    EXPECT_THAT(columns(sql->select.items[0].value), ElementsAre("0.id"));
    EXPECT_EQ(sql->select.sources[0].alias, "user");
    EXPECT_FALSE(needs_columns(*sql));
}

class Columns : public SourceColumns {
 public:
    bool has(const SqlSource& source, const std::string& column) const override {
        return (source.table == "user" && (column == "id" || column == "role")) ||
               (source.table == "role" && (column == "id" || column == "title"));
    }
};

TEST(MappingSqlTest, ColumnsWithoutAliasOfJoinsAreAskedFor) {
    const auto sql = parse("select user.id, title from user left join role r on r.id = role");
    ASSERT_TRUE(sql);
    EXPECT_TRUE(needs_columns(*sql));
    SqlFault fault;
    EXPECT_TRUE(resolve_columns(*sql, Columns(), fault)) << fault.what;
    EXPECT_THAT(columns(sql->select.items[1].value), ElementsAre("1.title"));
    ASSERT_EQ(sql->select.sources[1].equal.size(), 1U);

    const auto both = parse("select id as _id from user left join role r on r.id = role");
    EXPECT_FALSE(resolve_columns(*both, Columns(), fault));
    EXPECT_EQ(fault.what, "more than one table has a column 'id'");
    EXPECT_EQ(fault.at, 7U);
    const auto none = parse("select user.id, x from user left join role r on r.id = role");
    EXPECT_FALSE(resolve_columns(*none, Columns(), fault));
    EXPECT_EQ(fault.what, "no table has a column 'x'");
}

TEST(MappingSqlTest, FaultsShowThePlace) {
    EXPECT_EQ(
        fault_of("select a.id\nfrom user a\nright join role b on b.id = a.role_id"),
        "'right' is not understood: LEFT JOIN and INNER JOIN with ON are (line 3 of the SQL)\n"
        "right join role b on b.id = a.role_id\n^"
    );
    const std::string on = "select a.id from t a left join u b on b.x > a.y";
    EXPECT_EQ(
        fault_of(on),
        "ON needs an equality of a column of 'b' and one of a table before it\n" + on + "\n" +
            std::string(38, ' ') + "^"
    );
    // Of a long line the part around it; characters of two bytes are one place.
    const std::string names(200, 'n');
    EXPECT_EQ(
        fault_of("select a." + names + ", a.é + from t"),
        "'from' is not understood here\n..." + std::string(41, 'n') + ", a.é + from t\n" +
            std::string(3 + 41 + 8, ' ') + "^"
    );
}

TEST(MappingSqlTest, WhatIsNotUnderstoodIsRefused) {
    const auto fault = [](const std::string& text) { return fault_of(text); };
    EXPECT_THAT(fault(""), HasSubstr("the text ends here, SELECT is missing"));
    EXPECT_THAT(fault("select * from t"), HasSubstr("'*' is not understood"));
    EXPECT_THAT(fault("select a.* from t a"), HasSubstr("'*' is not understood"));
    EXPECT_THAT(fault("select a.x from t a, u b"), HasSubstr("',' is not understood"));
    EXPECT_THAT(fault("select a.x from t a join u b using (x)"), HasSubstr("'using' is not"));
    EXPECT_THAT(fault("select a.x from t a join u b"), HasSubstr("ON is missing"));
    EXPECT_THAT(fault("select a.x from t a union select 1"), HasSubstr("'union' is not"));
    EXPECT_THAT(fault("select a.x from t a limit 5"), HasSubstr("'limit' is not"));
    EXPECT_THAT(fault("select a.x from t a having a.x"), HasSubstr("'having' is not"));
    EXPECT_THAT(fault("select concat(a.x) from t a"), HasSubstr("needs a name"));
    EXPECT_THAT(fault("select a.x, b.x from t a"), HasSubstr("the name 'x' stands here twice"));
    EXPECT_THAT(fault("select a.x, b.y from t a"), HasSubstr("no table before has the alias 'b'"));
    EXPECT_THAT(fault("select (select 1) as x from t"), HasSubstr("a sub-query inside"));
    EXPECT_THAT(fault("select a.x in (select 1) as x from t a"), HasSubstr("a sub-query inside"));
    EXPECT_THAT(fault("select exists (select 1) as x from t a"), HasSubstr("'exists' is not"));
    EXPECT_THAT(fault("select row_number() over () as x from t"), HasSubstr("window functions"));
    EXPECT_THAT(fault("select 'x as y from t"), HasSubstr("the text has no end"));
    EXPECT_THAT(fault("select `x from t"), HasSubstr("the name has no end"));
    EXPECT_THAT(fault("select x /* from t"), HasSubstr("the comment has no end"));
    EXPECT_THAT(fault("select x /*!50000 y*/ from t"), HasSubstr("a comment that is executed"));
    EXPECT_THAT(fault("select x from (select 1 as x from t)"), HasSubstr("an alias is missing"));
    EXPECT_THAT(fault("select @x as y from t"), HasSubstr("'@x' is not understood"));
    EXPECT_THAT(fault("select a.x from t a; drop table t"), HasSubstr("'drop' is not"));
    EXPECT_THAT(fault("select " + std::string(500, '(') + "1"), HasSubstr("nested too deep"));
    EXPECT_THAT(
        fault("select a.x from t a where " + std::string(300, '!') + "a.x group by"),
        HasSubstr("the text ends here")
    );
}

std::string task_faults(const std::string& mapping) {
    FindingList findings;
    const auto task = read_es_task(
        {"t.yml",
         "es7/t.yml",
         "dataSourceKey: ds\ndestination: d\nesMapping:\n  _index: i\n" + mapping,
         {}},
        {},
        findings
    );
    std::string text;
    for (const Finding& finding : findings.take()) text += finding_text(finding) + "\n";
    EXPECT_EQ(task.has_value(), text.empty());
    return text;
}

TEST(EsTaskTest, FaultsNameFileLineAndSql) {
    EXPECT_EQ(
        task_faults("  _id: _id\n  sql: select a.id as _id, from t a\n"),
        "es7/t.yml:6: esMapping.sql: 'from' is not understood here\n"
        "    select a.id as _id, from t a\n"
        "                        ^\n"
    );
    EXPECT_EQ(task_faults("  _id: _id\n  sql: select a.id as _id from t a\n"), "");
    EXPECT_THAT(
        task_faults("  _id: id\n  sql: select a.x from t a\n"),
        HasSubstr("no field has the name 'id'")
    );
    EXPECT_THAT(
        task_faults("  _id: id\n  sql: select b.id from t a left join u b on b.x = a.x\n"),
        HasSubstr("'id' has to be made of columns of the first table, 'a'")
    );
    EXPECT_THAT(
        task_faults("  _id: id\n  sql: select now() as id from t a\n"),
        HasSubstr("'id' has to be made of columns")
    );
    EXPECT_THAT(
        task_faults("  _id: id\n  sql: select a.id, count(*) as n from t a group by a.x\n"),
        HasSubstr("'id' has to be one of GROUP BY's columns")
    );
    EXPECT_THAT(
        task_faults("  _id: id\n  sql: select a.id, count(*) as n from t a\n"),
        HasSubstr("an aggregate needs a GROUP BY")
    );
    EXPECT_THAT(
        task_faults(
            "  _id: id\n  sql: select a.id, c.n from t a left join (select u.x, v.n from u left "
            "join v on v.x = u.x) c on c.x = a.x\n"
        ),
        HasSubstr("one table inside")
    );
}

void expect_understood(const std::string& path) {
    config::MappingDirectory directory(path);
    const std::vector<config::MappingFile> files = directory.scan().changed;
    EXPECT_FALSE(files.empty()) << path;
    FindingList findings;
    for (const config::MappingFile& file : files) {
        EXPECT_TRUE(read_es_task(file, {}, findings)) << file.path;
    }
    for (const Finding& finding : findings.take()) ADD_FAILURE() << finding_text(finding);
}

TEST(EsTaskTest, SamplesOfTheReferenceAreUnderstood) {
    for (const std::string kind : {"es7", "es8"}) {
        expect_understood(std::string(OBCANAL_FIXTURES) + "/adapter-conf/" + kind);
    }
}

TEST(EsTaskTest, OurSamplesAreUnderstood) {
    for (const std::string kind : {"es6", "es7", "es8"}) expect_understood("conf/adapter/" + kind);
}

}  // namespace
}  // namespace obcanal::adapter::es

#include "server/schema/catalog.h"

#include "protocol/base/text.h"
#include "tests/unit/schema/golden_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace obcanal::schema {
namespace {

// "id:INT* name:VARCHAR(20)": * is a key column.
std::string text_of(const TableDefinition* table) {
    if (table == nullptr) return "unknown";
    std::string out;
    for (const ColumnDefinition& column : table->columns) {
        if (!out.empty()) out += " ";
        out += column.name + ":" + column.type + (column.is_key ? "*" : "");
    }
    return out;
}

std::string columns_of(const boost::json::array& columns) {
    std::string out;
    for (const boost::json::value& value : columns) {
        const boost::json::object& column = value.as_object();
        if (!out.empty()) out += " ";
        out += text_member(column, "name") + ":" + text_member(column, "mysqlType") +
               (bool_member(column, "isKey") ? "*" : "");
    }
    return out;
}

// The catalog that follows the statements of the recorded log names and types each row's columns
// as the reference server did.
TEST(Catalog, FollowsTheRecordedLog) {
    // Java Canal's parser fails at this CREATE TABLE; it asked the server: int(11).
    const std::set<std::string> asked = {"t_gen"};
    Catalog catalog;
    size_t compared = 0;
    size_t statements = 0;
    for (const GoldenEntry& entry : golden_entries("binlog/entries.jsonl")) {
        const std::string sql = text_member(entry.row_change, "sql");
        if (bool_member(entry.row_change, "isDdl")) {
            catalog.apply(sql, text_member(entry.row_change, "ddlSchemaName"));
            ++statements;
            continue;
        }
        const std::string schema = text_member(entry.header, "schemaName");
        const std::string table = text_member(entry.header, "tableName");
        const boost::json::value* rows = entry.row_change.if_contains("rowDatas");
        if (rows == nullptr || !rows->is_array()) continue;
        for (const boost::json::value& row : rows->as_array()) {
            const boost::json::object& images = row.as_object();
            const boost::json::value* after = images.if_contains("afterColumns");
            const bool has_after = after != nullptr && !after->as_array().empty();
            std::string expected =
                columns_of(has_after ? after->as_array() : images.at("beforeColumns").as_array());
            std::string found = text_of(catalog.find(schema, table));
            if (asked.contains(table)) {
                EXPECT_EQ(
                    expected, "id:int(11)* a:int(11) b:int(11) v:int(11) s:int(11) n:varchar(20)"
                );
                expected = "id:INT* a:INT b:INT v:INT s:INT n:VARCHAR(20)";
            }
            ASSERT_EQ(found, expected) << schema << "." << table;
            ++compared;
        }
    }
    EXPECT_EQ(statements, 82U);
    EXPECT_GT(compared, 1000U);
    EXPECT_EQ(catalog.find("golden", "d1"), nullptr);
    EXPECT_EQ(catalog.find("golden2", "x2"), nullptr);
}

// The workload's own text gives the same tables as the log, but those made by CREATE ... SELECT.
TEST(Catalog, FollowsTheWorkloadItself) {
    Catalog from_log;
    for (const GoldenEntry& entry : golden_entries("binlog/entries.jsonl")) {
        if (!bool_member(entry.row_change, "isDdl")) continue;
        from_log.apply(
            text_member(entry.row_change, "sql"), text_member(entry.row_change, "ddlSchemaName")
        );
    }
    Catalog from_text;
    std::string statement;
    std::string schema;
    for (const std::string& line : lines_of(std::string(OBCANAL_FIXTURES) + "/binlog/schema.sql")) {
        statement += line + "\n";
        if (!line.ends_with(";")) continue;
        if (statement.find("USE ") != std::string::npos) {
            schema = statement.substr(statement.find("USE ") + 4);
            schema.resize(schema.find(';'));
        }
        from_text.apply(statement, schema);
        statement.clear();
    }
    for (const char* selected : {"t_ctas", "t_ctas2"}) {
        EXPECT_EQ(from_text.find("golden", selected), nullptr) << selected;
        EXPECT_NE(from_log.find("golden", selected), nullptr) << selected;
        from_log.forget("golden", selected);
    }
    // A sequence and what was made while the log was not looked at have no entries.
    from_text.forget("golden", "seq1");
    const auto names = [](const Catalog& catalog) {
        std::vector<std::string> out;
        for (const TableDefinition* table : catalog.tables()) {
            out.push_back(table->schema + "." + table->table + " " + text_of(table));
        }
        return out;
    };
    EXPECT_EQ(names(from_text), names(from_log));
    EXPECT_GT(names(from_text).size(), 30U);
}

// A snapshot's statement gives the same definition again.
TEST(Catalog, CreateStatementReadsBack) {
    Catalog catalog;
    size_t tables = 0;
    for (const GoldenEntry& entry : golden_entries("binlog/entries.jsonl")) {
        if (!bool_member(entry.row_change, "isDdl")) continue;
        catalog.apply(
            text_member(entry.row_change, "sql"), text_member(entry.row_change, "ddlSchemaName")
        );
    }
    catalog.apply(
        R"(CREATE TABLE `o``dd` (`a``b` ENUM('it''s','back\\slash','c,d)') CHARACTER SET gbk NOT NULL,
        n NATIONAL VARCHAR(3), j JSON, s SERIAL, z INT ZEROFILL) CHARSET latin1)",
        "s"
    );
    for (const TableDefinition* table : catalog.tables()) {
        Catalog other;
        other.apply(create_statement(*table), "elsewhere");
        const TableDefinition* again = other.find(table->schema, table->table);
        ASSERT_NE(again, nullptr) << create_statement(*table);
        EXPECT_EQ(*again, *table) << create_statement(*table);
        ++tables;
    }
    EXPECT_GT(tables, 30U);
}

struct Step {
    const char* sql;
    const char* columns;  // of s.t afterwards
};

class Altering : public testing::TestWithParam<Step> {};

TEST_P(Altering, GivesTheseColumns) {
    Catalog catalog;
    catalog.apply("create table t (id int primary key, a int, b varchar(10)) charset gbk", "s");
    catalog.apply(GetParam().sql, "s");
    EXPECT_EQ(text_of(catalog.find("s", "t")), GetParam().columns) << GetParam().sql;
}

INSTANTIATE_TEST_SUITE_P(
    Items,
    Altering,
    testing::Values(
        Step{"alter table t add c int", "id:int* a:int b:varchar(10) c:int"},
        Step{
            "alter table t add column c int first, add d int after id",
            "c:int id:int* d:int a:int b:varchar(10)"
        },
        Step{
            "alter table t add (c int, d decimal( 10 , 2 ) unsigned)",
            "id:int* a:int b:varchar(10) c:int d:decimal(10,2) unsigned"
        },
        Step{"alter table t add column if not exists a bigint", "id:int* a:int b:varchar(10)"},
        Step{"alter table t add column a bigint", "unknown"},
        Step{"alter table t drop a", "id:int* b:varchar(10)"},
        Step{"alter table t drop column a, drop b", "id:int*"},
        Step{"alter table t drop (a, b)", "id:int*"},
        Step{"alter table t drop column if exists zz", "id:int* a:int b:varchar(10)"},
        Step{"alter table t drop column zz", "unknown"},
        Step{"alter table t drop column id", "a:int b:varchar(10)"},
        Step{
            "alter table t modify A bigint unsigned not null after b",
            "id:int* b:varchar(10) A:bigint unsigned"
        },
        Step{"alter table t modify id bigint", "id:bigint* a:int b:varchar(10)"},
        Step{"alter table t modify (a bigint, b text)", "id:int* a:bigint b:text"},
        Step{"alter table t change a b int, change b a int", "id:int* b:int a:int"},
        Step{
            "alter table t change column a a2 enum('x','y') first",
            "a2:enum('x','y') id:int* b:varchar(10)"
        },
        Step{"alter table t change id key_id int", "key_id:int* a:int b:varchar(10)"},
        Step{
            "alter table t rename column a to b, rename column b to a",
            "id:int* b:int a:varchar(10)"
        },
        Step{"alter table t rename column zz to b", "unknown"},
        Step{"alter table t drop primary key", "id:int a:int b:varchar(10)"},
        Step{
            "alter table t drop primary key, add primary key (a, b(3) desc)",
            "id:int a:int* b:varchar(10)*"
        },
        Step{
            "alter table t drop primary key, add c int primary key first",
            "c:int* id:int a:int b:varchar(10)"
        },
        Step{
            "alter table t add primary key (id, c), add c int", "id:int* a:int b:varchar(10) c:int*"
        },
        Step{"alter table t drop index `PRIMARY`", "id:int a:int b:varchar(10)"},
        Step{"drop index `PRIMARY` on t", "id:int a:int b:varchar(10)"},
        Step{"drop index i on t", "id:int* a:int b:varchar(10)"},
        Step{
            "alter table t add index (a), add unique u (b), add constraint fk foreign key (a) "
            "references x (y) on delete set null, add check (a > 0)",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t drop index i, drop key k, drop foreign key fk, drop constraint c, drop "
            "check ck",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t alter a set default 3, alter column b drop default, alter index i "
            "invisible",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t engine=innodb row_format=compressed, comment 'add c int', "
            "algorithm=inplace, lock=none",
            "id:int* a:int b:varchar(10)"
        },
        Step{"alter table t order by a, b desc", "id:int* a:int b:varchar(10)"},
        Step{
            "alter table t partition by range (a) (partition p0 values less than (5), partition p1 "
            "values less than maxvalue)",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t drop partition p0, add partition (partition p2 values less than (9))",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t tablegroup = tg, locality = 'F@z1', primary_zone = 'z1'",
            "id:int* a:int b:varchar(10)"
        },
        Step{"alter table t drop tablegroup", "id:int* a:int b:varchar(10)"},
        Step{
            "alter table t add system versioning",
            "id:int* a:int b:varchar(10) row_start:timestamp(6) row_end:timestamp(6)"
        },
        Step{
            "alter table t add system versioning, drop system versioning",
            "id:int* a:int b:varchar(10)"
        },
        Step{
            "alter table t add vector index v (b), add column vector int",
            "id:int* a:int b:varchar(10) vector:int"
        },
        Step{
            "alter table t add column c varchar(10) default 'a, b' comment 'x' check (c <> ')'), "
            "add d int",
            "id:int* a:int b:varchar(10) c:varchar(10) d:int"
        },
        Step{
            "alter table t add c int default -1 not null, add d timestamp(3) not null default "
            "current_timestamp(3) on update current_timestamp(3)",
            "id:int* a:int b:varchar(10) c:int d:timestamp(3)"
        },
        Step{
            "alter table t add c int generated always as (a + (1)) virtual, add d int as (a) "
            "persistent",
            "id:int* a:int b:varchar(10) c:int d:int"
        },
        Step{"alter table t rename u", "unknown"},
        Step{"drop table t", "unknown"},
        Step{"drop temporary table t", "id:int* a:int b:varchar(10)"},
        Step{"truncate table t", "id:int* a:int b:varchar(10)"},
        Step{"create table if not exists t (x int)", "id:int* a:int b:varchar(10)"},
        Step{"create temporary table t (x int)", "id:int* a:int b:varchar(10)"},
        Step{"create or replace table t (x int)", "x:int"},
        Step{"create table t (x int)", "x:int"},
        Step{"create table t select 1 as x", "unknown"},
        Step{"create table t (x int) as select 2 as y", "unknown"},
        Step{"create table t (select 1 as x)", "unknown"},
        Step{"create table t", "unknown"},
        Step{"create table t (", "unknown"},
        Step{"create table t (x)", "unknown"},
        Step{"rename table t to t2, t2 to t", "id:int* a:int b:varchar(10)"},
        Step{"drop database s", "unknown"},
        Step{"drop database other", "id:int* a:int b:varchar(10)"},
        Step{"create procedure p() begin drop table t; end", "id:int* a:int b:varchar(10)"},
        Step{"alter table t add", "unknown"},
        Step{"alter table t modify zz int", "unknown"},
        Step{"alter table t add c int after zz", "unknown"},
        Step{"alter table t convert to character set binary", "unknown"}
    )
);

TEST(Catalog, TypesAreSpelledAsTheStatementSpellsThem) {
    Catalog catalog;
    catalog.apply(
        "create table t (a INTEGER, b DOUBLE PRECISION, c FLOAT(53), d FLOAT(24), e float(7 , 3), "
        "f NATIONAL VARCHAR(4), "
        "g LONG VARCHAR, h CHARACTER VARYING(7), i int(8) zerofill, j bigint(20) unsigned "
        "zerofill, k bool, "
        "l enum ( 'a' , 'it''s', \"q'\" ), m BIT(3), n LONG VARBINARY, o serial)",
        "s"
    );
    EXPECT_EQ(
        text_of(catalog.find("s", "t")),
        "a:INTEGER b:DOUBLE PRECISION c:double(53) d:FLOAT(24) e:float(7,3) f:NATIONAL VARCHAR(4) "
        "g:LONG VARCHAR "
        "h:CHARACTER VARYING(7) i:int(8) unsigned zerofill j:bigint(20) unsigned zerofill k:bool "
        "l:enum('a','it''s','q''') m:BIT(3) n:LONG VARBINARY o:serial"
    );
}

std::string charsets_of(const TableDefinition* table) {
    std::string out;
    for (const ColumnDefinition& column : table->columns) {
        out += (out.empty() ? "" : " ") + column.name + ":" + column.charset;
    }
    return out;
}

TEST(Catalog, CharacterSetsComeFromColumnTableDatabaseAndSource) {
    Catalog catalog({.names_ignore_case = false, .charset = "utf8mb4"});
    catalog.apply("create database s default character set = GBK", "");
    catalog.apply(
        "create table t (a int, b varchar(5), c char(1) charset latin1, d text collate "
        "utf8mb3_bin, e enum('x') character set "
        "binary, f varbinary(3), g json, h text collate uca1400_ai_ci, i char(2) byte, j nchar(3))",
        "s"
    );
    EXPECT_EQ(
        charsets_of(catalog.find("s", "t")),
        "a: b:gbk c:latin1 d:utf8mb3 e:binary f: g:utf8mb4 h:gbk i:binary j:utf8mb3"
    );
    catalog.apply(
        "create table t (b text) engine=innodb collate=big5_chinese_ci comment='charset=x'", "s"
    );
    EXPECT_EQ(charsets_of(catalog.find("s", "t")), "b:big5");
    catalog.apply("alter table t charset utf16, add c text", "s");
    EXPECT_EQ(charsets_of(catalog.find("s", "t")), "b:big5 c:utf16");
    catalog.apply("alter table t convert to character set latin2 collate latin2_bin", "s");
    EXPECT_EQ(charsets_of(catalog.find("s", "t")), "b:latin2 c:latin2");
    catalog.apply(
        "alter table t convert to charset latin1, change b b set('x') charset gbk, add d text "
        "charset gbk",
        "s"
    );
    EXPECT_EQ(charsets_of(catalog.find("s", "t")), "b:latin1 c:latin1 d:latin1");
    catalog.apply("create table t (b text)", "other");
    EXPECT_EQ(charsets_of(catalog.find("other", "t")), "b:utf8mb4");
    catalog.apply("alter database s collate cp1251_bin", "");
    catalog.apply("create table u (b text)", "s");
    EXPECT_EQ(charsets_of(catalog.find("s", "u")), "b:cp1251");
}

TEST(Catalog, MembersNullabilityAndSigns) {
    Catalog catalog;
    catalog.apply(
        R"(create table t (a enum('x','y,z','it''s','q\'q'), b set('1','2') not null, c int unsigned not null default 1,
           d serial, e int null, f int primary key, g int not null))",
        "s"
    );
    const TableDefinition* table = catalog.find("s", "t");
    ASSERT_NE(table, nullptr);
    ASSERT_EQ(table->columns.size(), 7U);
    EXPECT_THAT(table->columns[0].members, testing::ElementsAre("x", "y,z", "it's", "q'q"));
    EXPECT_EQ(table->columns[0].type, "enum('x','y,z','it''s','q''q')");
    EXPECT_THAT(table->columns[1].members, testing::ElementsAre("1", "2"));
    const std::vector<bool> nullable = {true, false, false, false, true, false, false};
    const std::vector<bool> is_unsigned = {false, false, true, true, false, false, false};
    for (size_t i = 0; i < table->columns.size(); ++i) {
        EXPECT_EQ(table->columns[i].nullable, nullable[i]) << table->columns[i].name;
        EXPECT_EQ(table->columns[i].is_unsigned, is_unsigned[i]) << table->columns[i].name;
    }
}

TEST(Catalog, ChangesNameWhatWasTouched) {
    Catalog catalog;
    const auto touched = [&](std::string_view sql) {
        std::string out;
        for (const TableChange& change : catalog.apply(sql, "s")) {
            out += change.name.schema + "." + change.name.table + "=" +
                   std::to_string(static_cast<int>(change.state)) + " ";
        }
        return out;
    };
    EXPECT_EQ(touched("create table t (a int)"), "s.t=0 ");
    EXPECT_EQ(touched("create table if not exists t (b int)"), "s.t=0 ");
    EXPECT_EQ(touched("create table x.u like t"), "x.u=0 ");
    EXPECT_EQ(touched("create table v like nowhere"), "s.v=1 ");
    EXPECT_EQ(touched("create table if not exists v (a int)"), "s.v=1 ");  // there, but not known
    EXPECT_EQ(touched("rename table t to t_old, x.u to t"), "s.t=2 s.t_old=0 x.u=2 s.t=0 ");
    EXPECT_EQ(touched("alter table t add b int, rename to x.t"), "s.t=2 x.t=0 ");
    EXPECT_EQ(touched("alter table never_seen add b int"), "s.never_seen=1 ");
    EXPECT_EQ(touched("drop table x.t, s.t_old"), "x.t=2 s.t_old=2 ");
    EXPECT_EQ(touched("create sequence q"), "s.q=0 ");
    EXPECT_EQ(catalog.find("s", "q")->columns.size(), 8U);
    EXPECT_EQ(touched("grant all on *.* to u"), "");
    EXPECT_EQ(touched("drop schema s"), "s.=2 s.never_seen=2 s.q=2 s.v=2 ");
    EXPECT_EQ(touched("create database s charset latin1"), "s.=0 ");
}

TEST(Catalog, OnlineSchemaChangeTools) {
    Catalog catalog;
    catalog.apply("create table orders (id int primary key, note text)", "shop");
    // gh-ost
    catalog.apply("create /* gh-ost */ table `shop`.`_orders_gho` like `shop`.`orders`", "shop");
    catalog.apply(
        "alter /* gh-ost */ table `shop`.`_orders_gho` add column price decimal(10,2)", "shop"
    );
    catalog.apply(
        "rename /* gh-ost */ table `shop`.`orders` to `shop`.`_orders_del`, `shop`.`_orders_gho` "
        "to `shop`.`orders`",
        "shop"
    );
    EXPECT_EQ(text_of(catalog.find("shop", "orders")), "id:int* note:text price:decimal(10,2)");
    EXPECT_EQ(text_of(catalog.find("shop", "_orders_del")), "id:int* note:text");
    // pt-online-schema-change
    catalog.apply(
        "CREATE TABLE `shop`.`_orders_new` (\n  `id` int(11) NOT NULL,\n  `note` text,\n  PRIMARY "
        "KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        "shop"
    );
    catalog.apply("ALTER TABLE `shop`.`_orders_new` modify note varchar(100)", "shop");
    catalog.apply(
        "RENAME TABLE `shop`.`orders` TO `shop`.`_orders_old`, `shop`.`_orders_new` TO "
        "`shop`.`orders`",
        "shop"
    );
    catalog.apply("DROP TABLE IF EXISTS `_orders_old` /* generated by server */", "shop");
    EXPECT_EQ(text_of(catalog.find("shop", "orders")), "id:int(11)* note:varchar(100)");
    EXPECT_EQ(catalog.find("shop", "_orders_old"), nullptr);
}

TEST(Catalog, NamesCanIgnoreCase) {
    Catalog exact;
    Catalog folding({.names_ignore_case = true, .charset = {}});
    for (Catalog* catalog : {&exact, &folding}) {
        catalog->apply("create table T (a int)", "S");
        catalog->apply("alter table t add b int", "s");
    }
    EXPECT_EQ(text_of(exact.find("S", "T")), "a:int");
    EXPECT_EQ(text_of(exact.find("s", "t")), "unknown");
    EXPECT_EQ(text_of(folding.find("s", "T")), "a:int b:int");
}

// Nothing in a statement can harm the catalog: cut at every length, and with bytes changed.
TEST(Catalog, CutAndDamagedStatementsAreSurvived) {
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same damage in each run
    size_t changes = 0;
    for (const std::string& line : lines_of("tests/unit/schema/ddl_corpus.txt")) {
        const std::string sql(split(line, '\t')[0]);
        for (size_t length = 0; length <= sql.size(); ++length) {
            Catalog catalog;
            catalog.apply("create table t (id int primary key, c int)", "dd");
            const std::string cut = sql.substr(0, length);
            changes += catalog.apply(cut, "dd").size();
        }
        std::string damaged = sql;
        Catalog catalog;
        for (int i = 0; i < 30 && !damaged.empty(); ++i) {
            damaged[random() % damaged.size()] = "'`\"()/*;,.\\x= "[random() % 14];
            changes += catalog.apply(damaged, "dd").size();
        }
    }
    EXPECT_GT(changes, 1000U);
}

// What MariaDB 10.11 makes of items that speak of each other.
TEST(Catalog, ItemsOfOneStatementSeeEachOther) {
    const auto after = [](std::string_view sql) {
        Catalog catalog;
        catalog.apply("create table t (c1 int, c2 text, c7 char(7), c6 int)", "s");
        catalog.apply(sql, "s");
        return text_of(catalog.find("s", "t"));
    };
    EXPECT_EQ(
        after("alter table t add c7 int after c4, change c7 c4 numeric(12,4) first"),
        "c4:numeric(12,4) c1:int c2:text c7:int c6:int"
    );
    EXPECT_EQ(
        after("alter table t add c7 int after c1, change c7 c4 numeric(12,4)"),
        "c1:int c7:int c2:text c4:numeric(12,4) c6:int"
    );
    EXPECT_EQ(
        after("alter table t add c9 int, change nothing c9 varchar(4)"),
        "c1:int c2:text c7:char(7) c6:int c9:varchar(4)"
    );
    EXPECT_EQ(after("alter table t change c1 c2 int"), "unknown");  // twice the same name
    EXPECT_EQ(after("alter table t drop c1, drop c2, drop c7, drop c6"), "unknown");
}

TEST(Catalog, ManyColumnsAreRefusedInTime) {
    Catalog catalog;
    std::string create = "create table t (c int";
    std::string alter = "alter table u add c int";
    for (int i = 0; i < 100'000; ++i) {
        create += ",c" + std::to_string(i) + " int";
        alter += ",add c" + std::to_string(i) + " int";
    }
    catalog.apply(create + ")", "s");
    EXPECT_EQ(catalog.find("s", "t"), nullptr);
    catalog.apply("create table u (id int)", "s");
    catalog.apply(alter, "s");
    EXPECT_EQ(catalog.find("s", "u"), nullptr);
}

TEST(Catalog, DeepNestingNeedsNoStack) {
    Catalog catalog;
    catalog.apply("create table t (a int default " + std::string(200'000, '('), "s");
    EXPECT_EQ(catalog.find("s", "t"), nullptr);
    catalog.apply("create table t (a int) " + std::string(200'000, ')'), "s");
    catalog.apply("alter table t add b int" + std::string(200'000, ')') + ", add c int", "s");
    EXPECT_EQ(text_of(catalog.find("s", "t")), "a:int b:int c:int");
}

// What a server of each make did with these statements, given databases a (latin1) and b (gbk).
TEST(Catalog, DefaultCharsets) {
    for (const bool mariadb : {false, true}) {
        Catalog catalog({false, "utf8mb4", mariadb});
        catalog.apply("CREATE DATABASE a CHARACTER SET latin1", "");
        catalog.apply("CREATE DATABASE b CHARACTER SET gbk", "");
        const auto made = [&catalog](const std::string& sql, const char* from) {
            catalog.apply("CREATE OR REPLACE TABLE a.t (v VARCHAR(9), x TEXT) CHARSET utf8", "");
            catalog.apply(sql, from);
            return charsets_of(catalog.find("a", "t"));
        };
        const std::string convert = "ALTER TABLE a.t CONVERT TO CHARACTER SET DEFAULT";
        EXPECT_EQ(made(convert, "a"), "v:latin1 x:latin1");
        EXPECT_EQ(made(convert, "b"), mariadb ? "v:latin1 x:latin1" : "v:gbk x:gbk");
        EXPECT_EQ(made(convert, ""), mariadb ? "v:latin1 x:latin1" : "v:utf8mb4 x:utf8mb4");
        EXPECT_EQ(
            made("ALTER TABLE a.t DEFAULT CHARACTER SET = DEFAULT, ADD z TEXT", "b"),
            "v:utf8 x:utf8 z:latin1"
        );
        catalog.apply("CREATE TABLE a.d (v TEXT) DEFAULT CHARSET=DEFAULT", "b");
        EXPECT_EQ(charsets_of(catalog.find("a", "d")), "v:latin1");
        catalog.apply("ALTER DATABASE a CHARACTER SET = DEFAULT", "");
        EXPECT_EQ(made(convert, "a"), "v:utf8mb4 x:utf8mb4");
    }
    // Nobody said what the default is: the table has to be asked for.
    Catalog unknown;
    unknown.apply("CREATE TABLE a.t (v VARCHAR(9)) CHARSET utf8", "");
    unknown.apply("ALTER TABLE a.t CONVERT TO CHARACTER SET DEFAULT", "a");
    EXPECT_EQ(unknown.find("a", "t"), nullptr);
}

TEST(Catalog, MarksWhatTheSourceSaidLater) {
    Catalog catalog;
    TableDefinition table{"a", "t", "", {}};
    table.columns.emplace_back().name = "id";
    table.columns.back().type = "int";
    catalog.put(table, AskedBetween{{"log.1", 500}, {"log.1", 500}});
    const auto before = catalog.apply("ALTER TABLE a.t ADD v INT", "", {"log.1", 400});
    ASSERT_EQ(before.size(), 1U);
    EXPECT_TRUE(before[0].late);
    EXPECT_EQ(text_of(catalog.find("a", "t")), "id:int");
    const auto behind = catalog.apply("ALTER TABLE a.t ADD w INT", "", {"log.1", 600});
    ASSERT_EQ(behind.size(), 1U);
    EXPECT_FALSE(behind[0].late);
    EXPECT_EQ(text_of(catalog.find("a", "t")), "id:int w:INT");
}

}  // namespace
}  // namespace obcanal::schema

// DDL of a mirrored database in the target's dialect.
#include "adapter/rdb/mirror_ddl.h"

#include "adapter/rdb/postgres_ddl.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::rdb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> translated(std::string_view sql) {
    auto ddl = to_postgres_ddl(sql, "s");
    return ddl ? ddl->statements : std::vector<std::string>{"! " + ddl.error().detail};
}

std::vector<std::string> notes(std::string_view sql) {
    auto ddl = to_postgres_ddl(sql, "s");
    return ddl ? ddl->notes : std::vector<std::string>{"! " + ddl.error().detail};
}

TEST(MirrorDdl, OfTheSameFamilyAsItStands) {
    core::Dml dml;
    dml.database = "d";
    dml.ddl_schema = "s";
    dml.sql = "ALTER TABLE `t` ADD c int";
    const auto same = mirror_statement(dml, config::SqlFamily::Mysql);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->sql, dml.sql);
    EXPECT_EQ(same->database, "s");
    const auto other = mirror_statement(dml, config::SqlFamily::Postgres);
    ASSERT_TRUE(other);
    EXPECT_EQ(other->sql, R"(ALTER TABLE "s"."t" ADD COLUMN "c" integer)");
}

TEST(MirrorDdl, TypesHoldEveryValue) {
    constexpr std::pair<const char*, const char*> kTypes[] = {
        {"tinyint(1)", "smallint"},
        {"tinyint unsigned", "smallint"},
        {"smallint unsigned", "integer"},
        {"mediumint unsigned", "integer"},
        {"int(11)", "integer"},
        {"int(10) unsigned zerofill", "bigint"},
        {"bigint", "bigint"},
        {"bigint(20) unsigned", "numeric(20)"},
        {"decimal", "numeric(10,0)"},
        {"decimal(65,30) unsigned", "numeric(65,30)"},
        {"float", "real"},
        {"float(30)", "double precision"},
        {"double(10,2)", "double precision"},
        {"double precision", "double precision"},
        {"bit(8)", "bit(8)"},
        {"bit", "bit(1)"},
        {"bool", "smallint"},
        {"date", "date"},
        {"time(3)", "interval(3)"},
        {"datetime", "timestamp(0)"},
        {"timestamp(6)", "timestamp(6)"},
        {"year(4)", "smallint"},
        {"char(10) character set latin1 collate latin1_bin", "varchar(10)"},
        {"char", "varchar(1)"},
        {"national varchar(5)", "varchar(5)"},
        {"character varying(5)", "varchar(5)"},
        {"varchar(255) binary", "varchar(255)"},
        {"mediumtext", "text"},
        {"enum('a','b''c')", "text"},
        {"set('x')", "text"},
        {"json", "json"},
        {"binary(4)", "bytea"},
        {"varbinary(40)", "bytea"},
        {"longblob", "bytea"},
        {"point", "bytea"},
    };
    for (const auto& [mysql, postgres] : kTypes) {
        EXPECT_THAT(
            translated("CREATE TABLE t (c " + std::string(mysql) + ")"),
            ElementsAre(R"(CREATE TABLE "s"."t" ("c" )" + std::string(postgres) + ")")
        ) << mysql;
    }
    EXPECT_THAT(
        translated("CREATE TABLE t (c vector(3))"),
        ElementsAre(HasSubstr("column c: type vector is not known"))
    );
}

TEST(MirrorDdl, TablesWithKeysAndDefaults) {
    EXPECT_THAT(
        translated(
            "create table if not exists `d``x`.`a\"b` (\n"
            " `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'it''s, (a) key',\n"
            " n int NOT NULL DEFAULT '-1', d decimal(5,2) default -1.50, b bit(4) default b'101',\n"
            " h binary(2) default 'a', t timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE"
            " current_timestamp(), e varchar(9) DEFAULT 'o''x\\\\', z datetime DEFAULT "
            "'0000-00-00',"
            " f float default 1e-3 /* c */, g tinyint(1) default true,\n"
            " PRIMARY KEY (`id`), UNIQUE KEY `u` (`n`,`d`), KEY (e(5) desc) USING BTREE,\n"
            " CONSTRAINT `fk` FOREIGN KEY (n) REFERENCES `o` (`id`) ON DELETE SET NULL\n"
            ") ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='x'"
        ),
        ElementsAre(
            R"(CREATE TABLE IF NOT EXISTS "d`x"."a""b" ("id" numeric(20) NOT NULL,)"
            R"("n" integer NOT NULL DEFAULT '-1',"d" numeric(5,2) DEFAULT '-1.50',)"
            R"("b" bit(4) DEFAULT B'0101',"h" bytea DEFAULT '\x61',)"
            R"("t" timestamp(0) NOT NULL DEFAULT CURRENT_TIMESTAMP,)"
            R"("e" varchar(9) DEFAULT 'o''x\',"z" timestamp(0),"f" real DEFAULT '1e-3',)"
            R"("g" smallint DEFAULT '1',)"
            R"(CONSTRAINT "a""b_pkey" PRIMARY KEY ("id"),)"
            R"(CONSTRAINT "fk" FOREIGN KEY ("n") REFERENCES "s"."o" ("id") ON DELETE SET NULL))",
            R"(CREATE UNIQUE INDEX IF NOT EXISTS "a""b_u" ON "d`x"."a""b" ("n","d"))",
            R"(CREATE INDEX IF NOT EXISTS "a""b_e" ON "d`x"."a""b" (substring("e" from 1 for 5)))"
        )
    );
    EXPECT_THAT(
        translated("CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE, KEY (a), index i (a,id))"),
        ElementsAre(
            R"(CREATE TABLE "s"."t" ("id" integer NOT NULL,CONSTRAINT "t_pkey" PRIMARY KEY ("id"),)"
            R"("a" integer))",
            R"(CREATE UNIQUE INDEX "t_a" ON "s"."t" ("a"))",
            R"(CREATE INDEX "t_a_2" ON "s"."t" ("a"))",
            R"(CREATE INDEX "t_i" ON "s"."t" ("a","id"))"
        )
    );
    EXPECT_THAT(
        translated("CREATE TABLE a LIKE b"),
        ElementsAre(R"(CREATE TABLE "s"."a" (LIKE "s"."b" INCLUDING ALL))")
    );
}

TEST(MirrorDdl, ColumnsThatAreAdded) {
    EXPECT_THAT(
        translated("ALTER TABLE t ADD COLUMN a int NOT NULL AFTER b, ADD (c text, d enum('x','y') "
                   "NOT NULL), ADD e int DEFAULT 7 FIRST"),
        ElementsAre(
            R"(ALTER TABLE "s"."t" ADD COLUMN "a" integer NOT NULL DEFAULT 0)",
            R"(ALTER TABLE "s"."t" ALTER COLUMN "a" DROP DEFAULT)",
            R"(ALTER TABLE "s"."t" ADD COLUMN "c" text)",
            R"(ALTER TABLE "s"."t" ADD COLUMN "d" text NOT NULL DEFAULT 'x')",
            R"(ALTER TABLE "s"."t" ALTER COLUMN "d" DROP DEFAULT)",
            R"(ALTER TABLE "s"."t" ADD COLUMN "e" integer DEFAULT '7')"
        )
    );
    for (const char* sql : {
             "ALTER TABLE t ADD a timestamp DEFAULT CURRENT_TIMESTAMP",
             "ALTER TABLE t ADD a varchar(36) DEFAULT (uuid())",
             "ALTER TABLE t ADD a datetime NOT NULL",
             "ALTER TABLE t ADD a date DEFAULT '0000-00-00'",
         }) {
        EXPECT_THAT(translated(sql), ElementsAre(HasSubstr("! not translated for PostgreSQL: ")))
            << sql;
    }
}

TEST(MirrorDdl, OtherChangesOfATable) {
    EXPECT_THAT(
        translated("ALTER TABLE t DROP a, DROP COLUMN IF EXISTS b, DROP INDEX i, DROP PRIMARY KEY, "
                   "ADD PRIMARY KEY (x), ADD UNIQUE u (y), RENAME COLUMN p TO q, RENAME KEY v TO w,"
                   " DROP FOREIGN KEY f, ENGINE=InnoDB"),
        ElementsAre(
            R"(ALTER TABLE "s"."t" DROP COLUMN "a")",
            R"(ALTER TABLE "s"."t" DROP COLUMN IF EXISTS "b")",
            R"(DROP INDEX "s"."t_i")",
            R"(ALTER TABLE "s"."t" DROP CONSTRAINT "t_pkey")",
            R"(ALTER TABLE "s"."t" ADD CONSTRAINT "t_pkey" PRIMARY KEY ("x"))",
            R"(CREATE UNIQUE INDEX "t_u" ON "s"."t" ("y"))",
            R"(ALTER TABLE "s"."t" RENAME COLUMN "p" TO "q")",
            R"(ALTER INDEX "s"."t_v" RENAME TO "t_w")",
            R"(ALTER TABLE "s"."t" DROP CONSTRAINT IF EXISTS "f")"
        )
    );
    EXPECT_THAT(
        translated("ALTER TABLE t CHANGE a b varchar(20) NOT NULL DEFAULT 'x'"),
        ElementsAre(
            R"(ALTER TABLE "s"."t" RENAME COLUMN "a" TO "b")",
            HasSubstr("was<>'varchar' AND was NOT IN ('varchar','text','int2','int4'"),
            R"(ALTER TABLE "s"."t" ALTER COLUMN "b" DROP DEFAULT,)"
            R"(ALTER COLUMN "b" TYPE varchar(20) USING "b"::varchar(20),)"
            R"(ALTER COLUMN "b" SET NOT NULL)",
            R"(ALTER TABLE "s"."t" ALTER COLUMN "b" SET DEFAULT 'x')"
        )
    );
    EXPECT_THAT(
        translated("RENAME TABLE a TO o.b"),
        ElementsAre(
            R"(ALTER TABLE "s"."a" SET SCHEMA "o")",
            R"(ALTER TABLE "o"."a" RENAME TO "b")",
            HasSubstr("starts_with(c.relname::text,'a_')")
        )
    );
    EXPECT_THAT(
        translated("DROP TABLE IF EXISTS a, x.b CASCADE"),
        ElementsAre(R"(DROP TABLE IF EXISTS "s"."a","x"."b")")
    );
    EXPECT_THAT(translated("TRUNCATE t"), ElementsAre(R"(TRUNCATE TABLE "s"."t")"));
    EXPECT_THAT(
        translated("CREATE DATABASE `x` CHARACTER SET utf8"),
        ElementsAre(R"(CREATE SCHEMA IF NOT EXISTS "x")")
    );
    EXPECT_THAT(
        translated("CREATE UNIQUE INDEX i ON t (a, b(3))"),
        ElementsAre(R"(CREATE UNIQUE INDEX "t_i" ON "s"."t" ("a",substring("b" from 1 for 3)))")
    );
    EXPECT_THAT(
        translated("DROP INDEX `PRIMARY` ON t"),
        ElementsAre(R"(ALTER TABLE "s"."t" DROP CONSTRAINT "t_pkey")")
    );
}

TEST(MirrorDdl, WhatHasNoCounterpartIsRefusedWhole) {
    for (const char* sql : {
             "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a+1))",
             "CREATE TABLE t (a int) AS SELECT 1",
             "CREATE TABLE t (a int, PRIMARY KEY (a(3)))",
             "CREATE TABLE t (a int, KEY ((a+1)))",
             "ALTER TABLE t ADD a int, TRUNCATE PARTITION p",
             "ALTER TABLE t DROP PARTITION p",
             "ALTER TABLE t ADD SYSTEM VERSIONING",
             "CREATE SEQUENCE s",
             "LOAD DATA INFILE 'x' INTO TABLE t",
         }) {
        EXPECT_THAT(translated(sql), ElementsAre(HasSubstr("! not translated for PostgreSQL: ")))
            << sql;
    }
}

TEST(MirrorDdl, WhatNoRowDependsOnIsLeftOutAndSaid) {
    EXPECT_THAT(
        notes("CREATE TABLE t (a int CHECK (a > 0), b text, FULLTEXT KEY f (b), CHECK (a < 9)) "
              "PARTITION BY HASH (a) PARTITIONS 4"),
        ElementsAre("CHECK of a", "FULLTEXT key", "CHECK", "PARTITION")
    );
    EXPECT_THAT(
        notes("CREATE ALGORITHM=MERGE VIEW v AS SELECT 1"), ElementsAre("CREATE ALGORITHM")
    );
    EXPECT_THAT(notes("GRANT ALL ON *.* TO x"), ElementsAre("GRANT ALL"));
    EXPECT_THAT(translated("CREATE ALGORITHM=MERGE VIEW v AS SELECT 1"), ElementsAre());
}

}  // namespace
}  // namespace obcanal::adapter::rdb

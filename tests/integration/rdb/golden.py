"""golden.py TARGET: scenarios 1 to 37, 40, 107 and 108 of the reference's relational adapter, from a real MariaDB into TARGET (mariadb,
5.7, 8.0, seekdb, postgres). 38 is of message queues, 39 stands in unit.adapter_config; the texts of 1 to 8 and 12 in unit.adapter_rdb.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "fault"))
sys.path.insert(0, HERE)
import sql_proxy  # noqa: E402
from rdb_run import Adapter, MysqlFamily, Postgres, live, obcanal  # noqa: E402

USER = "id int PRIMARY KEY, name varchar(20), role_id int, c_time datetime, extra varchar(9)"
USER_TO = "id int PRIMARY KEY, name varchar(20), role_id int, c_time datetime"
M1 = {"targetPk": {"id": "id"}, "targetColumns": {"id": "", "name": "", "role_id": "", "c_time": ""}}
ALL = {"targetPk": {"id": "id"}, "mapAll": True}
ROW = "INSERT INTO s VALUES (1,'a',2,'2024-01-02 03:04:05','x');"


class Case:
    """One scenario: `s` in the statements is its table at the source, `t` the one at the target; `there` stands at the target before.
    Types are MySQL's, `postgres` has the target's columns where PostgreSQL has others."""

    def __init__(self, number, source, target, mapping, statements, select, rows, postgres=None, there="", top=None, only=None):
        self.number, self.source, self.target, self.mapping, self.statements = number, source, target, mapping, statements
        self.select, self.rows, self.postgres, self.there, self.top, self.only = select, rows, postgres, there, top or {}, only


def value_case(number, kind, postgres, values, select="v", shown=None, postgres_select=None):
    """One column `v`, its values as literals of the source; they are shown the same at both sides, or as `shown`."""
    statements = "".join("INSERT INTO s VALUES (%d,%s);" % (i, value) for i, value in enumerate(values))
    return Case(number, "id int PRIMARY KEY, v %s" % kind, None, ALL, statements, select, shown, postgres and "id int PRIMARY KEY, v %s" % postgres,
                only=None if postgres_select or postgres else "mysql")


CASES = [
    Case(1, USER, USER_TO, M1, ROW, "id,name,role_id,c_time", [["1", "a", "2", "2024-01-02 03:04:05"]]),
    Case(2, "id int PRIMARY KEY, name varchar(9)", "uid int PRIMARY KEY, uname varchar(9)",
         {"targetPk": {"uid": "id"}, "targetColumns": {"uid": "id", "uname": "name"}},
         "INSERT INTO s VALUES (1,'a'),(2,'c'); UPDATE s SET name='b' WHERE id=1;", "uid,uname", [["1", "b"], ["2", "c"]]),
    Case(3, "id int PRIMARY KEY, a int, b varchar(9), c decimal(5,2), d date", None, ALL, "INSERT INTO s VALUES (1,2,'x',3.45,'2024-02-29');",
         "id,a,b,c,d", [["1", "2", "x", "3.45", "2024-02-29"]]),
    Case(4, "id int PRIMARY KEY, name varchar(9), n int", "id int PRIMARY KEY, nick varchar(9), n int",
         {**ALL, "targetColumns": {"nick": "name"}}, "INSERT INTO s VALUES (1,'a',5);", "id,nick,n", [["1", "a", "5"]]),
    Case(5, USER, USER_TO, M1, ROW + "UPDATE s SET extra='y'; UPDATE s SET extra='z', name='b';", "id,name", [["1", "b"]]),
    Case(6, USER, USER_TO, M1, ROW + "UPDATE s SET id=9;", "id,name", [["9", "a"]]),
    Case(7, "a int, b varchar(9), v int, PRIMARY KEY (a,b)", None, {"targetPk": {"a": "a", "b": "b"}, "mapAll": True},
         "INSERT INTO s VALUES (1,'x',1),(1,'y',2),(2,'x',3); DELETE FROM s WHERE a=1 AND b='x';", "a,b,v", [["1", "y", "2"], ["2", "x", "3"]]),
    Case(8, "id int PRIMARY KEY, name varchar(9)", "id int PRIMARY KEY, x varchar(9), y varchar(9)",
         {"targetPk": {"id": "id"}, "targetColumns": {"id": "", "x": "name", "y": "name"}},
         "INSERT INTO s VALUES (1,'a'); UPDATE s SET name='b';", "id,x,y", [["1", "b", "b"]]),
    Case(9, USER, USER_TO, M1, ROW, "id,name", [["1", "a"]], there="INSERT INTO t VALUES (1,'a',2,'2024-01-02 03:04:05');"),
    Case(11, USER, USER_TO, M1, "BEGIN;" + ROW + "INSERT INTO s VALUES (2,'b',3,NULL,'');COMMIT;", "id,name", [["1", "there"], ["2", "b"]],
         there="INSERT INTO t VALUES (1,'there',2,NULL);"),
    Case(12, USER, USER_TO, M1, ROW, "id,name", [["1", "a"]]),  # with targetDb: the schema on PostgreSQL
    Case(14, "id int PRIMARY KEY, name varchar(9)", None, ALL, "INSERT INTO s VALUES (1,NULL),(2,'');", "id,name", [["1", "NULL"], ["2", ""]]),
    value_case(15, "datetime(6)", "timestamp(6)", ["'2024-01-02 03:04:05.123456'"], shown=[["2024-01-02 03:04:05.123456"]]),
    value_case(16, "datetime NOT NULL", None, ["'0000-00-00 00:00:00'", "'2024-00-00 00:00:00'"],
               shown=[["0000-00-00 00:00:00"], ["2024-00-00 00:00:00"]]),
    value_case(17, "time(1)", "interval(1)", ["'-01:30:00'", "'100:00:00'", "'12:00:00.5'"], shown={
        "mysql": [["-01:30:00.0"], ["100:00:00.0"], ["12:00:00.5"]], "postgres": [["-01:30:00"], ["100:00:00"], ["12:00:00.5"]]}),
    value_case(18, "tinyint(1)", "smallint", ["2", "-128"], shown=[["2"], ["-128"]]),
    value_case(19, "bit(64)", "bit(64)", ["165", "1", "18446744073709551615"], "v+0", {
        "mysql": [["165"], ["1"], ["18446744073709551615"]], "postgres": [["%064d" % int(bin(165)[2:])], ["%064d" % 1], ["1" * 64]]}),
    value_case(20, "bigint unsigned", "numeric(20)", ["18446744073709551615", "4294967295", "200"],
               shown=[["18446744073709551615"], ["4294967295"], ["200"]]),
    value_case(21, "blob", "bytea", ["x'%s'" % bytes(range(256)).hex(), "''"], "HEX(v)", [[bytes(range(256)).hex().upper()], [""]]),
    value_case(22, "decimal(65,30)", "numeric(65,30)", ["-99999999999999999999999999999999999.999999999999999999999999999999"],
               shown=[["-99999999999999999999999999999999999.999999999999999999999999999999"]]),
    Case(22, "id int PRIMARY KEY, d double, f float", None, ALL, "INSERT INTO s VALUES (1,1e308,0.1),(2,-2.2250738585072014e-308,3.4e38);",
         "d,f", {"mysql": [["1e308", "0.1"], ["-2.2250738585072014e-308", "3.4e38"]],
                 "postgres": [["1e+308", "0.1"], ["-2.2250738585072014e-308", "3.4e+38"]]},
         postgres="id int PRIMARY KEY, d double precision, f real"),
    value_case(23, "json", "jsonb", ["'{\"a\":[1,null,\"ä\"]}'"], "v", "json"),
    Case(24, "id int PRIMARY KEY, e enum('a','b'), s set('x','y','z')", None, ALL, "INSERT INTO s VALUES (1,2,5),(2,'a','');", "e,s",
         [["b", "x,z"], ["a", ""]], postgres="id int PRIMARY KEY, e text, s text"),
    value_case(25, "year", "int", ["2024", "1901"], shown=[["2024"], ["1901"]]),
    Case(25, "id int PRIMARY KEY, v varchar(20)", None, ALL, "INSERT INTO s VALUES (1,'😀 ä');", "v", [["😀 ä"]]),
    Case(25, "id int PRIMARY KEY, v geometry", None, ALL, "INSERT INTO s VALUES (1,ST_GeomFromText('POINT(1 2)',4326));", "HEX(v)",
         [["E6100000" + "0101000000" + "000000000000F03F" + "0000000000000040"]], postgres="id int PRIMARY KEY, v bytea"),
    Case(26, USER, USER_TO, M1, ROW, "id,name", [["1", "a"]]),
    Case(27, "id int PRIMARY KEY, n int", None, ALL,
         "INSERT INTO s SELECT seq,0 FROM seq_1_to_1000;" + "".join("UPDATE s SET n=n+id WHERE id %% 2 = %d;" % (i % 2) for i in range(20)),
         "count(*),sum(n)", [["1000", str(10 * 1000 * 1001 // 2)]], top={"concurrent": True}),
    Case(28, "id int PRIMARY KEY, n int", None, ALL, "INSERT INTO s VALUES (1,1); UPDATE s SET id=2; INSERT INTO s VALUES (1,7);", "id,n",
         [["1", "7"], ["2", "1"]], top={"concurrent": True}),
    Case(32, "id int PRIMARY KEY, n int", None, ALL, "INSERT INTO s VALUES (1,1),(2,2); TRUNCATE TABLE s; INSERT INTO s VALUES (2,7);", "id,n",
         [["2", "7"]]),
    Case(33, "id int PRIMARY KEY, n int", "id int PRIMARY KEY, n int, late varchar(9)", ALL,
         "INSERT INTO s VALUES (1,1); ALTER TABLE s ADD COLUMN late varchar(9); INSERT INTO s VALUES (2,2,'x');"
         "ALTER TABLE s DROP COLUMN n; INSERT INTO s VALUES (3,'y');", "id,n,late",
         [["1", "1", "NULL"], ["2", "2", "x"], ["3", "NULL", "y"]]),
    Case(37, "ID int PRIMARY KEY, NAME varchar(9)", "id int PRIMARY KEY, name varchar(9)",
         {"targetPk": {"id": "id"}, "targetColumns": {"id": "", "name": ""}, "caseInsensitive": True},
         "INSERT INTO s VALUES (1,'a'); UPDATE s SET NAME='b';", "id,name", [["1", "b"]]),
    Case(107, USER, USER_TO, M1, "INSERT INTO s VALUES (1,'a',1,NULL,''),(2,'b',2,NULL,''),(3,'c',3,NULL,'');"
         "UPDATE s SET extra='y', name=IF(id=1,name,CONCAT(name,'!'));", "id,name", [["1", "a"], ["2", "b!"], ["3", "c!"]]),
]


class Golden:
    def __init__(self, scratch, make):
        self.scratch, self.make = scratch, make
        self.source = live.Database(scratch, "mariadb", name="source").start().user()
        self.target = Postgres(scratch) if make == "postgres" else MysqlFamily(scratch, make)
        self.postgres = make == "postgres"
        self.proxy = scratch.keep(sql_proxy.SqlProxy(self.target.port, self.target.family))
        self.server = live.server(scratch, self.source).start()
        live.streaming(self.server)
        url = self.target.url(self.proxy.port)
        access = {"jdbc.url": url, "jdbc.username": self.target.user, "jdbc.password": "", "threads": "4"}
        groups = {"g1": [{"name": "logger"}, {"name": "rdb", "key": "plain", "properties": access}],
                  "g2": [{"name": "rdb", "key": "strict", "properties": {**access, "skipDupException": "false"}}]}
        self.adapter = Adapter(scratch.path, groups, {"canal.tcp.server.host": "127.0.0.1:%d" % self.server.port}, password="")
        scratch.keep(self.adapter)
        for place in ("t2", "t3"):
            self.target.sql("CREATE %s %s" % ("SCHEMA" if self.postgres else "DATABASE", place))
        if self.postgres:
            self.target.sql("CREATE SCHEMA IF NOT EXISTS mirr")
        self.source.sql("CREATE DATABASE mytest; CREATE TABLE mytest.marker (id int PRIMARY KEY)")
        self.target.sql("CREATE TABLE t2.marker (id int PRIMARY KEY)")
        self.map("marker", ALL)
        self.marks = 0

    def map(self, table, mapping, top=None, place="t2", key="plain", group="g1", name=None):
        db = {"database": "mytest", "table": table, "targetDb": place, "targetTable": table, **mapping}
        self.adapter.write("rdb/%s.yml" % (name or place + "_" + table), json.dumps({
            "destination": "example", "groupId": group, "outerAdapterKey": key, **(top or {}), "dbMapping": db}))

    def types(self, columns):
        return columns.replace("datetime", "timestamp") if self.postgres else columns

    def make_tables(self, name, case, place="t2"):
        columns = (case.postgres or case.target or case.source) if self.postgres else (case.target or case.source)
        self.target.sql("CREATE TABLE %s.%s (%s)" % (place, name, self.types(columns)))
        if case.there:
            self.target.sql(case.there.replace("INTO t ", "INTO %s.%s " % (place, name)))

    def run_source(self, name, statements):
        self.source.sql("USE mytest;" + statements.replace(" s ", " %s " % name).replace(" s;", " %s;" % name))

    def wait(self, seconds=90):
        """The second mark comes when all lanes have written the first one's batch."""
        for _ in range(2):
            self.wait_mark(seconds)

    def wait_mark(self, seconds):
        self.marks += 1
        self.source.sql("INSERT INTO mytest.marker VALUES (%d)" % self.marks)
        obcanal.wait_until(lambda: self.target.sql("SELECT count(*) FROM t2.marker WHERE id=%d" % self.marks) == [["1"]],
                           lambda: "mark %d; the adapter:\n%s" % (self.marks, self.adapter.text()[-3000:]), seconds)

    def rows(self, name, select, place="t2"):
        if self.postgres:
            select = select.replace("HEX(v)", "upper(encode(v,'hex'))").replace("v+0", "v")
        found = self.target.sql("SELECT %s FROM %s.%s ORDER BY 1" % (select, place, name))
        return [row if row != [""] or "," not in select else row for row in found] if found else []

    def expect(self, number, what, got, wanted):
        if isinstance(wanted, dict):
            wanted = wanted[self.target.family]
        if wanted == "json":
            got, wanted = [json.loads(got[0][0].replace("\\\\", "\\"))], [{"a": [1, None, "ä"]}]
        if sorted(map(repr, got)) != sorted(map(repr, wanted)):
            raise RuntimeError("scenario %d, %s: %r instead of %r" % (number, what, got, wanted))

    def wait_log(self, pattern):
        live.wait_log(self.adapter, pattern, 0, 60)

    # -- all that are one table's
    def simple(self):
        cases = [case for case in CASES if not (self.postgres and case.only == "mysql") and
                 not (self.make == "seekdb" and "geometry" in case.source)]  # it comes without spatial reference systems
        names = ["s%d_%d" % (case.number, i) for i, case in enumerate(cases)]
        for name, case in zip(names, cases):
            self.make_tables(name, case)
            self.map(name, case.mapping, case.top)
            if case.number == 26:
                self.make_tables(name, case, "t3")
                self.map(name, {**M1, "targetColumns": {"id": "", "name": ""}}, place="t3")
        # 13: the database stands in the name of the table.
        self.target.sql("CREATE TABLE t3.s13 (id int PRIMARY KEY, n int)")
        self.adapter.write("rdb/s13.yml", json.dumps({"destination": "example", "groupId": "g1", "outerAdapterKey": "plain", "dbMapping": {
            "database": "mytest", "table": "s13", "targetTable": "t3.s13", **ALL}}))
        # 40: both groups receive all rows.
        self.target.sql("CREATE TABLE t2.s40 (id int PRIMARY KEY); CREATE TABLE t3.s40 (id int PRIMARY KEY)")
        self.map("s40", ALL)
        self.map("s40", ALL, place="t3", key="strict", group="g2")
        self.adapter.start()
        self.source.sql("USE mytest; SET sql_mode='ALLOW_INVALID_DATES'; CREATE TABLE s13 (id int PRIMARY KEY, n int);"
                        "CREATE TABLE s40 (id int PRIMARY KEY);" +
                        "".join("CREATE TABLE %s (%s);" % (name, case.source) for name, case in zip(names, cases)))
        for name, case in zip(names, cases):
            self.run_source(name, "SET sql_mode='ALLOW_INVALID_DATES';" + case.statements)
        self.run_source("s13", "INSERT INTO s VALUES (1,1);")
        self.run_source("s40", "INSERT INTO s SELECT seq FROM seq_1_to_500; INSERT INTO s SELECT seq+500 FROM seq_1_to_500;")
        self.wait()
        for name, case in zip(names, cases):
            wanted = case.rows
            self.expect(case.number, "rows", self.rows(name, case.select), wanted)
            if case.number == 26:
                self.expect(26, "second file", self.rows(name, "id,name", "t3"), [["1", "a"]])
        self.expect(13, "rows", self.rows("s13", "id,n", "t3"), [["1", "1"]])
        self.expect(40, "first group", self.rows("s40", "count(*)"), [["1000"]])
        obcanal.wait_until(lambda: self.rows("s40", "count(*)", "t3") == [["1000"]], "scenario 40, second group")
        return sorted({case.number for case in cases} | {13, 40})

    def blocked(self):
        """10, 29, 30: the batch waits with its cause in the log until that is gone; nothing of it is seen before."""
        for name, columns in (("s10", "id int PRIMARY KEY, n int"), ("s29", "id int PRIMARY KEY, n int NOT NULL"), ("s30", "id int PRIMARY KEY")):
            self.target.sql("CREATE TABLE t2.%s (%s)" % (name, columns))
            self.source.sql("CREATE TABLE mytest.%s (id int PRIMARY KEY, n int)" % name)
        self.target.sql("INSERT INTO t2.s10 VALUES (1,0)")
        self.map("s10", ALL, key="strict", group="g2")
        self.map("s29", ALL)
        self.map("s30", ALL)
        self.restart()
        self.run_source("s10", "INSERT INTO s VALUES (1,1);")
        self.wait_log(r"INSERT into t2\.s10, id=1: .*(1062|23505)")
        self.target.sql("DELETE FROM t2.s10")
        self.wait()
        obcanal.wait_until(lambda: self.rows("s10", "id,n") == [["1", "1"]], "scenario 10")
        self.run_source("s29", "BEGIN; INSERT INTO s VALUES (1,1); INSERT INTO s VALUES (2,2); INSERT INTO s VALUES (3,NULL); COMMIT;")
        self.wait_log(r"INSERT into t2\.s29, id=3: ")
        self.expect(29, "while it fails", self.rows("s29", "id"), [])
        self.target.sql("ALTER TABLE t2.s29 " + ("ALTER COLUMN n DROP NOT NULL" if self.postgres else "MODIFY n int"))
        self.wait()
        self.expect(29, "rows", self.rows("s29", "id,n"), [["1", "1"], ["2", "2"], ["3", "NULL"]])
        self.run_source("s30", "INSERT INTO s VALUES (1,1);")
        self.wait_log(r"table t2\.s30 of the target: has no column n")
        self.target.sql("ALTER TABLE t2.s30 ADD COLUMN n int")
        self.wait()
        self.expect(30, "rows", self.rows("s30", "id,n"), [["1", "1"]])
        # 108: the other target of the group was not asked again.
        lines = [dml for dml in self.adapter.dmls("g1") if dml["table"] in ("s29", "s30") and not dml["isDdl"]]
        self.expect(108, "lines of the logger", [dml["data"][0]["id"] for dml in lines], [1, 2, 3, 1])
        return [10, 29, 30, 108]

    def restart(self):
        self.adapter.stop()
        self.adapter.start()

    def again(self):
        """31: a commit whose answer is lost is written again."""
        self.target.sql("CREATE TABLE t2.s31 (id int PRIMARY KEY, n int)")
        self.map("s31", ALL)
        self.restart()
        self.run_source("s31", "CREATE TABLE s (id int PRIMARY KEY, n int); INSERT INTO s VALUES (1,5);")
        self.wait()
        self.proxy.arm(sql_proxy.ANSWER)
        self.run_source("s31", "BEGIN; UPDATE s SET id=2 WHERE id=1; INSERT INTO s VALUES (1,6); COMMIT;")
        obcanal.wait_until(lambda: self.proxy.came(sql_proxy.ANSWER) == 1, "the answer to be lost")
        self.wait()
        self.expect(31, "rows", self.rows("s31", "id,n"), [["1", "6"], ["2", "5"]])
        return [31]

    def mirrored(self):
        """34, 35, 36: a mirrored database."""
        self.adapter.write("rdb/mirror.yml", json.dumps({"destination": "example", "groupId": "g1", "outerAdapterKey": "plain",
                                                         "dbMapping": {"mirrorDb": True, "database": "mirr"}}))
        self.restart()
        self.source.sql("CREATE DATABASE mirr; USE mirr; CREATE TABLE a (id int PRIMARY KEY, v varchar(9)); INSERT INTO a VALUES (1,'x');"
                        "ALTER TABLE a ADD COLUMN w int NOT NULL DEFAULT 7; UPDATE a SET v='y'; CREATE TABLE b (id int); DROP TABLE b;"
                        "CREATE TABLE nokey (a int, b varchar(9)); INSERT INTO nokey VALUES (1,'x'),(1,'x'),(NULL,NULL);"
                        "UPDATE nokey SET b='z' WHERE a IS NULL; DELETE FROM nokey WHERE a=1 LIMIT 1")
        self.wait()
        self.expect(34, "rows", self.rows("a", "id,v,w", "mirr"), [["1", "y", "7"]])
        self.expect(34, "dropped", self.target.sql("SELECT count(*) FROM information_schema.tables WHERE table_schema='mirr' AND table_name='b'"),
                    [["0"]])
        self.expect(36, "rows", self.rows("nokey", "a,b", "mirr"), [["1", "x"], ["NULL", "z"]])
        self.proxy.lose_answer_of(b"late_one")
        self.source.sql("CREATE TABLE mirr.late_one (id int PRIMARY KEY); INSERT INTO mirr.late_one VALUES (1)")
        obcanal.wait_until(lambda: self.proxy.came("late_one") == 1, "the answer to the DDL to be lost")
        self.wait()
        self.expect(35, "rows", self.rows("late_one", "id", "mirr"), [["1"]])
        # Without a reason to think that it was applied before, the same answer is an error.
        self.target.sql("CREATE TABLE mirr.mine (id int PRIMARY KEY, other int)")
        self.source.sql("CREATE TABLE mirr.mine (id int PRIMARY KEY)")
        self.wait_log(r"a batch is not written.*mirr.*mine")
        self.target.sql("DROP TABLE mirr.mine")
        self.wait()
        self.expect(35, "columns", self.target.sql(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema='mirr' AND table_name='mine'"), [["1"]])
        return [34, 35, 36]


def main():
    with obcanal.Scratch("golden-" + sys.argv[1]) as scratch:
        golden = Golden(scratch, sys.argv[1])
        done = golden.simple() + golden.blocked() + golden.again() + golden.mirrored()
    missing = {*range(1, 37), 37, 40, 107, 108} - {*done} - ({16} if sys.argv[1] == "postgres" else set())
    if missing:
        raise RuntimeError("scenarios without a test: %r" % sorted(missing))
    print("golden into %s: scenarios %s" % (sys.argv[1], ", ".join(map(str, sorted(done)))))


if __name__ == "__main__":
    main()

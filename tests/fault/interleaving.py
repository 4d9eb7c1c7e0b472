"""interleaving.py STATEMENTS [SEED] [SERVER]: random DDL and rows on a real server, obcanal-server killed every 50 statements.

SERVER is mariadb (the default), 5.7 or 8.0 (MySQL).

A consumer builds a second database from the entries alone: DDL by its text, rows by the names, keys and types that the
entries say. In the end that database is the first one, byte for byte, as mariadb-dump sees it.
"""
import os
import random
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
from sql_session import SqlSession  # noqa: E402

SERVICES = os.path.join(ROOT, "tests", "support", "services")
SOURCE, REPLICA = "src", "dst"
TABLES = ["t0", "t1", "t2", "t3"]
KILL_EVERY = 50
ROW_DATA, INSERT, UPDATE, DELETE = 2, 1, 2, 3

class Database:
    def __init__(self, scratch, make):
        version = [] if make == "mariadb" else ["--version", make]
        self.script = os.path.join(SERVICES, "mysql" if version else "mariadb")
        self.port, self.data = obcanal.free_port(), os.path.join(scratch.path, "db")
        self.log = os.path.join(self.data, "error.txt")
        os.chmod(scratch.path, 0o755)
        fast = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--innodb-doublewrite=0", "--binlog-checksum=CRC32"]
        started = subprocess.run([os.path.join(self.script, "start.sh"), "--port", str(self.port), "--data", self.data] + version +
                                 ["--"] + fast, stdout=subprocess.DEVNULL)
        if started.returncode:
            print("no %s: skipped" % make)
            sys.exit(77)
        scratch.keep(self)

    def stop(self):
        subprocess.run([os.path.join(self.script, "stop.sh"), "--data", self.data, "--kill"], check=True, stdout=subprocess.DEVNULL)

    kill = stop

    def dump(self, name):
        run = subprocess.run(["mariadb-dump", "--no-defaults", "-h127.0.0.1", "-P%d" % self.port, "-uroot", "--compact",
                              "--skip-extended-insert", "--hex-blob", "--order-by-primary", "--skip-tz-utc", name],
                             check=True, capture_output=True, text=True)
        return re.sub(r" AUTO_INCREMENT=\d+", "", run.stdout)


class Session(SqlSession):
    """Rows as the texts that they are; the session goes on after an error."""

    def __init__(self, database, name):
        super().__init__("-h127.0.0.1", "-P%d" % database.port, "-uroot", "--raw")
        self.run("create database if not exists %s; use %s;" % (name, name))

    def run(self, sql):
        rows, errors = super().run(sql)
        return ["\t".join(row) for row in rows], errors


class Maker:
    """Random statements that mostly fit the tables as they are."""

    def __init__(self, rng, source):
        self.rng, self.source, self.columns, self.keys, self.next_id = rng, source, {}, {}, 1

    def look(self):
        rows, _ = self.source.run("select concat_ws('|', table_name, column_name, column_key, column_type) from "
                                  "information_schema.columns where table_schema='%s' order by table_name, ordinal_position;"
                                  % SOURCE)
        self.columns, self.keys = {}, {}
        for row in rows:
            table, column, key, kind = row.split("|", 3)
            self.columns.setdefault(table, []).append((column, kind))
            if key == "PRI":
                self.keys[table] = column

    def table(self):
        return self.rng.choice(TABLES)

    def type(self):
        return self.rng.choice([
            "int", "INT UNSIGNED", "bigint(20)", "smallint", "tinyint(1)", "mediumint unsigned", "decimal(12,3)", "double", "float",
            "varchar(30)", "varchar(40) character set latin1", "char(8)", "text", "varchar(20) charset gbk", "varbinary(16)",
            "blob", "binary(6)", "datetime(3)", "timestamp(2) null", "date", "time(1)", "year", "bit(9)",
            "enum('a','b','it''s')", "set('x','y','z')", "json", "mediumtext"])

    def name(self):
        return self.rng.choice(["c%d" % number for number in range(8)] + ["`odd name`", "`key`"])

    def known(self, table):
        names = [column for column, _ in self.columns.get(table, []) if column != self.keys.get(table)]
        return "`%s`" % self.rng.choice(names) if names else "c0"

    def place(self, table):
        return self.rng.choice(["", "", "", " first", " after " + self.known(table)])

    def ddl(self):
        rng, table = self.rng, self.table()
        kind = rng.randint(0, 19)
        if kind < 2 or table not in self.columns:
            columns = ", ".join("%s %s" % (name, self.type()) for name in sorted({self.name() for _ in range(4)}))
            return "create %stable %s%s (id int primary key, %s)%s" % (
                rng.choice(["", "", "or replace "]), "", table, columns, rng.choice(["", " engine=myisam", " charset latin1"]))
        if kind < 9:
            return "alter table %s add %s%s %s%s" % (table, rng.choice(["", "column ", "column if not exists "]), self.name(),
                                                     self.type(), self.place(table))
        if kind < 11:
            return "alter table %s drop column %s" % (table, self.known(table))
        if kind < 13:
            return "alter table %s modify %s %s%s" % (table, self.known(table), self.type(), self.place(table))
        if kind < 14:
            return "alter table %s change %s %s %s" % (table, self.known(table), self.name(), self.type())
        if kind < 15:
            return "alter table %s rename column %s to %s, add index (%s)" % (table, self.known(table), self.name(), self.known(table))
        if kind < 16:
            return rng.choice(["rename table {0} to swap, {1} to {0}, swap to {1}", "alter table {0} rename to {1}",
                               "create table if not exists {0} like {1}", "create table {0} like {1}"]).format(table, self.table())
        if kind < 17:
            return rng.choice(["drop table if exists {0}", "truncate table {0}", "drop table {0}, {1}"]).format(table, self.table())
        if kind < 18:
            return ("create table {0}_new like {0}; alter table {0}_new add {1} {2}; insert into {0}_new ({3}) select {3} from {0}; "
                    "rename table {0} to {0}_old, {0}_new to {0}; drop table {0}_old").format(
                        table, self.name(), self.type(), self.keys.get(table, "id"))
        if kind < 19:
            return "alter table %s change %s %s bigint" % (table, self.keys.get(table, "id"), rng.choice(["id", "pk", "id"]))
        return rng.choice(["alter table {0} convert to charset latin1", "alter table {0} engine=innodb, comment 'add x int'",
                           "flush binary logs", "alter table {0} add index (`{1}`)", "create table {2} as select * from {0}; alter table {2} add primary key (`{1}`)",
                           "alter table {0} comment 'c'"]).format(table, self.keys.get(table, "id"), self.table())

    def value(self, kind):
        rng = self.rng
        if rng.random() < 0.12:
            return "null"
        number = rng.choice([0, 1, -1, 7, 100, rng.randint(-120, 120)])
        if "unsigned" in kind:
            number = rng.choice([0, 1, 200, 16000000, rng.randint(0, 255)])
        base = kind.split("(")[0].split(" ")[0]
        if base in ("int", "bigint", "smallint", "tinyint", "mediumint"):
            return str(number)
        if base in ("decimal", "double", "float"):
            return rng.choice([str(number), "%d.125" % number, "1e6", "0.1"])
        if base in ("binary", "varbinary", "blob"):
            return "x'%s'" % bytes(rng.randrange(256) for _ in range(rng.randint(0, 6))).hex()
        if base == "bit":
            return str(rng.randint(0, 511))
        if base == "enum":
            return rng.choice(["'a'", "'b'", "'it''s'"])
        if base == "set":
            return rng.choice(["''", "'x'", "'x,z'"])
        if base in ("datetime", "timestamp"):
            return "'2024-0%d-1%d 1%d:2%d:33.4%d'" % tuple(rng.randint(1, 9) for _ in range(5))
        if base == "date":
            return "'20%02d-03-04'" % rng.randint(0, 99)
        if base == "time":
            return rng.choice(["'01:02:03.4'", "'-99:00:00'", "'800:59:59'"])
        if base == "year":
            return str(rng.randint(1901, 2155))
        if base == "json" or "check (json_valid" in kind:
            return "'{\"a\": %d}'" % number
        return rng.choice(["''", "'abc'", "'\u00e9\u00fc'", "'it''s \\\\ n'", "'%d'" % number, "repeat('z', 8)"])

    def row(self, table):
        columns = self.columns.get(table, [])
        chosen = [c for c in columns if c[0] != self.keys.get(table) and self.rng.random() < 0.7]
        self.next_id += 1
        key = self.keys.get(table, "id")
        ident = self.next_id if self.rng.random() < 0.8 else self.rng.randint(1, self.next_id)
        return "insert into %s (`%s`%s) values (%d%s)" % (
            table, key, "".join(", `%s`" % name for name, _ in chosen), ident,
            "".join(", " + self.value(kind) for _, kind in chosen))

    def dml(self):
        table = self.table()
        kind, key = self.rng.randint(0, 9), self.keys.get(table, "id")
        if self.columns and table not in self.columns:
            table = self.rng.choice(sorted(self.columns))
            key = self.keys.get(table, "id")
        if kind < 6 or not self.columns.get(table):
            return self.row(table)
        somewhere = "where `%s` %s %d" % (key, self.rng.choice(["=", "<", "> 5 and `%s` <" % key]), self.rng.randint(1, self.next_id))
        if kind < 9:
            column, type_text = self.rng.choice(self.columns[table])
            if column == key:
                return "update %s set `%s` = `%s` + 100000 %s limit 1" % (table, key, key, somewhere)
            return "update %s set `%s` = %s %s limit 9" % (table, column, self.value(type_text), somewhere)
        return "delete from %s %s limit 3" % (table, somewhere)

    def statement(self):
        if self.rng.random() < 0.3:
            return self.ddl(), True
        if self.rng.random() < 0.2:
            end = self.rng.choice(["commit", "commit", "rollback"])
            return "begin; " + "; ".join(self.dml() for _ in range(self.rng.randint(2, 6))) + "; " + end, False
        return self.dml(), False


def quoted(name):
    return "`%s`" % name.replace("`", "``")


def literal(column):
    """A value as SQL, by what the entry says of its column."""
    if column.get(6):
        return "null"
    text, kind, sql_type = column.get(8, b"").decode(), column[10].decode().lower(), wire.signed(column.get(2, 0))
    base = re.split(r"[ (]", kind)[0]
    if base in ("enum", "set", "bit"):
        return text
    if sql_type == 2004:
        return "x'%s'" % text.encode("latin-1").hex()
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\0", "\\0")


def image(row, side):
    return [dict(wire.fields(column)) for field, column in wire.fields(row) if field == side]


def where(columns):
    keys = [column for column in columns if column.get(4)]
    if not keys:
        raise ValueError("no key among %s" % [column[3] for column in columns])
    return " and ".join("%s = %s" % (quoted(key[3].decode()), literal(key)) for key in keys)


def statements_of(entry):
    """The SQL that does to the replica what the entry says."""
    header = wire.entry_header(entry)
    change = next(value for field, value in wire.fields(entry) if field == 3)
    rows = [value for field, value in wire.fields(change) if field == 12]
    facts = dict(wire.fields(change))
    if facts.get(10):
        yield facts[11].decode()
        return
    table = quoted(header.get(9, b"").decode())
    for row in rows:
        before, after = image(row, 1), image(row, 2)
        if facts[2] == INSERT:
            yield "insert into %s (%s) values (%s)" % (table, ", ".join(quoted(c[3].decode()) for c in after),
                                                       ", ".join(literal(c) for c in after))
        elif facts[2] == UPDATE:
            yield "update %s set %s where %s" % (table, ", ".join("%s = %s" % (quoted(c[3].decode()), literal(c)) for c in after),
                                                 where(before))
        elif facts[2] == DELETE:
            yield "delete from %s where %s" % (table, where(before))


class Consumer(threading.Thread):
    """Applies each entry once, acknowledges what is applied, comes back when the server is gone."""

    def __init__(self, port, replica):
        super().__init__(daemon=True)
        self.port, self.replica, self.stopping, self.failure = port, replica, False, None
        self.at, self.applied, self.repeated, self.rows = ("", 0), 0, 0, 0

    def run(self):
        while not self.stopping and self.failure is None:
            client = None
            try:
                client = wire.Client(self.port, password="", user="")
                client.subscribe()
                client.rollback()
                while not self.stopping:
                    batch, entries = client.get(200, timeout=100)
                    for entry in entries:
                        self.apply(entry)
                    if batch != -1:
                        client.ack(batch)
            except (wire.Closed, wire.Refused, OSError):
                time.sleep(0.02)
            except Exception as error:  # reported by the main thread
                self.failure = error
            finally:
                if client is not None:
                    client.close()

    def apply(self, entry):
        if wire.entry_kind(entry) != ROW_DATA:
            return
        header = wire.entry_header(entry)
        ddl_schema = next((v for f, v in wire.fields(next(v for f, v in wire.fields(entry) if f == 3)) if f == 14), b"")
        if SOURCE.encode() not in (header.get(8, b""), ddl_schema):
            return
        at = (header[2].decode(), header.get(3, 0))
        if at <= self.at:
            self.repeated += 1
            return
        sql = list(statements_of(entry))
        if sql:
            text = ";\n".join(sql) + ";"
            _, errors = self.replica.run(text)
            # The source logs a DROP of several tables that failed for one of them.
            errors = [error for error in errors if not (error.startswith("ERROR 1051") and sql[0].startswith("DROP TABLE"))]
            if errors:
                raise ValueError("%s:%d: %s\n%s" % (at + (errors[0], text[:3000])))
        self.at = at
        self.applied += 1
        self.rows += len(sql)


def main():
    total, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20261125
    make = sys.argv[3] if len(sys.argv) > 3 else "mariadb"
    rng = random.Random(seed)
    with obcanal.Scratch("interleaving") as scratch:
        database = Database(scratch, make)
        source, replica = Session(database, SOURCE), Session(database, REPLICA)
        source.run("create user 'canal'@'%' identified by 'canal'; "
                   "grant select, replication slave, replication client on *.* to 'canal'@'%';")
        replica.run("set session sql_log_bin = 0, unique_checks = 1;")
        # Tables that are older than the history.
        for session in (source, replica):
            session.run("create table t0 (id int primary key, c0 varchar(30), c1 int) charset utf8mb4; "
                        "create table t1 (id int primary key, c0 enum('a','b'), c2 blob) charset utf8mb4;")
        journal, position = source.run("show master status;")[0][0].split("\t")[:2]
        server = scratch.keep(obcanal.Server(scratch.path, None, password="", instance={
            # As long as nothing is acknowledged, each start is the first one.
            "canal.instance.master.journal.name": journal,
            "canal.instance.master.position": position,
            "canal.instance.master.address": "127.0.0.1:%d" % database.port,
            "canal.instance.dbUsername": "canal",
            "canal.instance.dbPassword": "canal",
            "canal.instance.filter.regex": r"%s\\..*" % SOURCE,
            "canal.instance.retry.min": 50,
            "canal.instance.retry.max": 200,
        }))
        server.start()
        server.wait_ready(lambda: " streaming " in server.text(server.offset))
        consumer = Consumer(server.port, replica)
        consumer.start()
        obcanal.wait_until(lambda: "subscri" in server.text() or consumer.is_alive(), "the consumer")
        maker = Maker(rng, source)
        maker.look()
        refused = kills = ddl = 0
        for first in range(0, total, KILL_EVERY):
            kill_at = rng.randrange(KILL_EVERY)
            for number in range(KILL_EVERY):
                statement, is_ddl = maker.statement()
                _, errors = source.run(statement + ";")
                if errors:
                    source.run("rollback;")
                refused += bool(errors)
                if is_ddl:
                    ddl += 1
                    maker.look()
                if number == kill_at:
                    server.kill()
                    kills += 1
            if consumer.failure is not None:
                break
            server.start()
        source.run("create table the_end (id int primary key); insert into the_end values (1);")
        ended = "select count(*) from information_schema.tables where table_schema='%s' and table_name='the_end';" % REPLICA
        probe = Session(database, REPLICA)
        obcanal.wait_until(lambda: consumer.failure is not None or
                           (probe.run(ended)[0] == ["1"] and probe.run("select count(*) from the_end;")[0] == ["1"]),
                           lambda: "the last row; applied up to %s\n%s" % (consumer.at, server.text()[-2000:]), 120)
        consumer.stopping = True
        consumer.join(30)
        if consumer.failure is not None:
            raise consumer.failure
        source_dump, replica_dump = database.dump(SOURCE), database.dump(REPLICA)
        for session in (source, replica, probe):
            session.stop()
        unnamed = len(re.findall(r"names are @1", server.text()))
        read_again = len(re.findall(r"definition of a table", server.text()))
        print("seed %d: %d statements (%d DDL, %d refused by the source), %d kills, %d entries applied, %d rows and DDL, %d entries "
              "came twice, %d tables read again from the source, %d without names, %d bytes of history"
              % (seed, total, ddl, refused, kills, consumer.applied, consumer.rows, consumer.repeated, read_again, unnamed,
                 os.path.getsize(os.path.join(server.data, "example", "schema.log"))))
        if source_dump != replica_dump:
            for name, text in (("source", source_dump), ("replica", replica_dump)):
                with open(os.path.join(scratch.path, name + ".sql"), "w", encoding="utf-8") as file:
                    file.write(text)
            raise SystemExit("the replica differs: diff %s/source.sql %s/replica.sql" % (scratch.path, scratch.path))
        if consumer.applied < total // 4 or kills < total // KILL_EVERY:
            raise SystemExit("too little happened for a test")
        if unnamed:
            raise SystemExit("rows without names")


main()

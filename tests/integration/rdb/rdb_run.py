"""A real MariaDB, obcanal-server on its log, obcanal-adapter with its relational target, and whether both sides hold the same."""
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "binlog"))
sys.path.insert(0, os.path.join(HERE, "..", "adapter"))
import live  # noqa: E402
import obcanal  # noqa: E402
from adapter_program import Adapter  # noqa: E402

TABLES = {
    "plain": ("id int PRIMARY KEY, n int, name varchar(40), amount decimal(12,3), happened datetime(6), data varbinary(60)",
              "id int PRIMARY KEY, n int, name varchar(40), amount numeric(12,3), happened timestamp(6), data bytea"),
    "uniq": ("id int PRIMARY KEY, u int, name varchar(40), UNIQUE KEY uu (u)", "id int PRIMARY KEY, u int UNIQUE, name varchar(40)"),
    "nokey": ("a int, b varchar(20), c int", "a int, b varchar(20), c int"),
    "pair": ("a varchar(20), b bigint unsigned, v int, PRIMARY KEY (a, b)",
             "a varchar(20), b numeric(20), v int, PRIMARY KEY (a, b)"),
    "types": ("id bigint PRIMARY KEY, t tinyint(1), b1 bit(1), b8 bit(8), b64 bit(64), bu bigint unsigned, iu int unsigned,"
              " d decimal(65,30), f float, g double, e enum('a','b','it''s'), s set('x','y','z'), y year, dt date, tm time(6),"
              " ts timestamp(3) NULL, j json, bl blob, tx longtext, bi binary(4)",
              "id bigint PRIMARY KEY, t int, b1 bool, b8 bit(8), b64 bit(64), bu numeric(20), iu bigint,"
              " d numeric(65,30), f real, g double precision, e text, s text, y int, dt date, tm interval,"
              " ts timestamp(3), j jsonb, bl bytea, tx text, bi bytea"),
}
MATRIX = r"""
INSERT INTO types VALUES
 (1, 2, b'1', 165, 18446744073709551615, 18446744073709551615, 4294967295, -12345678901234567890123456789012345.123456789012345678901234567890,
  0.1, 1e308, 'b', 'x,z', 2024, '2024-02-29', '-01:30:00.500000', '2024-01-02 03:04:05.678', '{"k": ["ä", "\\"q\\"", 1.5, null]}',
  x'000102277F80FF5C', 'emoji 😀 ''quote'' \\ back', x'00FF0102'),
 (-9223372036854775808, 0, b'0', 0, 0, 0, 0, 0, -3.4e38, -1e-300, 'it''s', '', 1901, '1000-01-01', '00:00:00', NULL, '[]', '', '', x'00000000'),
 (9223372036854775807, -128, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 1, b'1', 255, 1, 1, 1, 0.000000000000000000000000000001, 1.5, 0.1, 'a', 'y', 2155, '9999-12-31', '12:00:00.000001',
  '2037-01-01 00:00:00', '"text"', x'27275C5C', 'a\nb\tc', 'abcd');
INSERT IGNORE INTO types (id, e, s) VALUES (6, 'none of them', 'x');
UPDATE types SET e = 'a', s = 'x,y,z', b64 = 9223372036854775808, bl = x'00' WHERE id = 1;
UPDATE types SET id = 5 WHERE id = 4;
UPDATE IGNORE types SET e = 'none', tx = 'changed with it' WHERE id = 9223372036854775807;
"""
TEXT = ("char", "varchar", "text", "tinytext", "mediumtext", "longtext", "enum", "set", "binary", "varbinary", "blob", "tinyblob",
        "mediumblob", "longblob")


class SmallDisk:
    """A file system of so many bytes, where this machine lets us make one: else false."""

    def __init__(self, scratch, path, size):
        self.path, self.log = path, ""
        os.makedirs(path)
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "obcanal", path], capture_output=True).returncode == 0
        scratch.keep(self)

    def __bool__(self):
        return self.mounted

    def stop(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=True)
            self.mounted = False

    kill = stop


class MysqlFamily:
    """A target that speaks MySQL's protocol; `make` as in live.Database, or seekdb."""

    def __init__(self, scratch, make, arguments=()):
        self.make, self.family = make, "mysql"
        # Nobody reads a target's log, and on a full disk MariaDB waits a minute for room in it.
        self.database = live.Database(scratch, make, name="target", arguments=["--skip-log-bin", *arguments] if make != "seekdb" else ())
        if make == "seekdb":
            self.database.script, self.database.version = os.path.join(live.SERVICES, "seekdb"), ""
            self.database.make = "mariadb"
        self.database.start()
        self.sql("CREATE DATABASE mytest")
        self.user = "root"

    def sql(self, text, check=True):
        return self.database.sql(text, check)

    @property
    def port(self):
        return self.database.port

    @property
    def data(self):
        return self.database.data

    def alive(self):
        return obcanal.port_open(self.port)

    def session(self, statements):
        """The client program that runs them in a session of its own."""
        return subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % self.port, "-uroot", "--ssl=0", "-e", statements],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def url(self, port=None, parameters="useUnicode=true"):
        if self.make == "seekdb":
            # Its zone is +08:00; TIMESTAMP's text is the source's.
            parameters += "&sessionVariables=time_zone%3D'%2B00:00'"
        return "jdbc:mysql://127.0.0.1:%d/mytest?%s" % (port or self.port, parameters)

    def start(self):
        self.database.start()

    def stop(self, *how):
        self.database.stop(*how)

    def rows(self, table, kinds):
        return mysql_rows(self.database, table.split(".")[-1], kinds)


class Postgres:
    family, user = "postgres", "postgres"

    def __init__(self, scratch, arguments=()):
        self.port, self.data, self.log = obcanal.free_port(), os.path.join(scratch.path, "target"), ""
        self.arguments = ["--", *arguments] if arguments else []
        os.chmod(scratch.path, 0o755)
        scratch.keep(self)
        self.start()

    def start(self):
        subprocess.run([os.path.join(live.SERVICES, "postgresql", "start.sh"), "--port", str(self.port), "--data", self.data,
                        *self.arguments], check=True, stdout=subprocess.DEVNULL)

    def stop(self, *how):
        subprocess.run([os.path.join(live.SERVICES, "postgresql", "stop.sh"), "--data", self.data, *how], check=True,
                       stdout=subprocess.DEVNULL)

    def kill(self):
        self.stop("--kill")

    def sql(self, text, check=True):
        run = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-AtqX", "-F", "\t", "-P",
                              "null=NULL"], input=text, text=True, capture_output=True)
        if check and (run.returncode or run.stderr):
            raise RuntimeError("%s\n%s" % (text[:500], run.stderr))
        return [line.split("\t") for line in run.stdout.splitlines()]

    def alive(self):
        return subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def session(self, statements):
        return subprocess.Popen(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qX"] +
                                [word for one in statements.split("; ") for word in ("-c", one)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def url(self, port=None, parameters=""):
        return "jdbc:postgresql://127.0.0.1:%d/postgres%s" % (port or self.port, "?" + parameters if parameters else "")

    def rows(self, table, kinds):
        def expression(column, kind):
            name = '"%s"' % column.replace('"', '""')
            if kind in ("binary", "varbinary", "blob", "mediumblob"):
                return "upper(encode(%s,'hex'))" % name
            if kind == "json":
                return "%s::text" % name
            if kind in TEXT:
                return "upper(encode(convert_to(%s,'UTF8'),'hex'))" % name
            if kind == "bit":
                return ("%s::int::text" if column == "b1" else "%s::text") % name
            if kind in ("datetime", "timestamp"):
                return "to_char(%s,'YYYY-MM-DD HH24:MI:SS.US')" % name
            if kind == "time":
                return "round(extract(epoch from %s)*1000000)::bigint::text" % name
            return "%s::text" % name
        columns = ",".join(expression(name, kind) for name, kind in kinds)
        return normal(self.sql("SELECT %s FROM %s" % (columns, table)), kinds)


def mysql_rows(database, table, kinds, source_of_postgres=False):
    def expression(column, kind):
        name = "`%s`" % column.replace("`", "``")
        if source_of_postgres and kind == "bit":
            return "LPAD(BIN(%s),%s,'0')" % (name, {"b1": 1, "b8": 8, "b64": 64}[column])
        if source_of_postgres and kind in ("datetime", "timestamp"):
            return "DATE_FORMAT(%s,'%%Y-%%m-%%d %%H:%%i:%%s.%%f')" % name
        if source_of_postgres and kind == "time":
            return "CAST(ROUND(TIME_TO_SEC(%s)*1000000) AS SIGNED)" % name
        return "HEX(%s)" % name if kind in TEXT and kind != "json" else name + "+0" if kind == "bit" else name
    columns = ",".join(expression(name, kind) for name, kind in kinds)
    return normal(database.sql("SET time_zone='+00:00'; SELECT %s FROM mytest.%s" % (columns, table)), kinds)


def normal(rows, kinds):
    """Sorted rows; what the dialects print differently is compared as what it means."""
    def value(text, kind):
        if text == "NULL":
            return None
        if kind == "json":
            return json.dumps(json.loads(text.replace("\\\\", "\\")), sort_keys=True)
        if kind == "float":
            return "%.5g" % float(text)
        return repr(float(text)) if kind == "double" else text
    return sorted(([value(text, kind) for text, (_, kind) in zip(row, kinds)] for row in rows), key=repr)


class Workload:
    """Random statements from a seed: rows of all tables, key changes, many rows at once, TRUNCATE, DDL where it is mirrored."""

    def __init__(self, seed, ddl, keyless=True):
        self.rng, self.ddl, self.tables, self.columns = random.Random(seed), ddl, 0, 0
        self.keyless = keyless

    def key(self):
        return self.rng.randrange(300)

    def text(self):
        return "".join(self.rng.choice("abcXYZ '\\%é😀_-") for _ in range(self.rng.randrange(12))).replace("\\", "\\\\").replace("'", "''")

    def statement(self):
        r, key, other = self.rng, self.key(), self.key()
        roll = r.random()
        if roll < 0.25:
            return ("INSERT IGNORE INTO plain (id,n,name,amount,happened,data) VALUES (%d,%d,'%s',%d.%03d,'2024-01-02 03:04:05.%06d',x'%s')" %
                    (key, r.randrange(99), self.text(), r.randrange(9999), r.randrange(1000), r.randrange(10**6),
                     bytes(r.randrange(256) for _ in range(r.randrange(9))).hex()))
        if roll < 0.40:
            return r.choice(["UPDATE plain SET n=n+1 WHERE id=%d" % key, "UPDATE plain SET name='%s' WHERE id=%d" % (self.text(), key),
                             "UPDATE plain SET n=n+1, amount=NULL WHERE id %% 17 = %d" % (key % 17)])
        if roll < 0.48:
            return "UPDATE IGNORE plain SET id=%d WHERE id=%d" % (other, key)
        if roll < 0.52:
            return "UPDATE plain SET id=-1 WHERE id=%d; UPDATE plain SET id=%d WHERE id=%d; UPDATE plain SET id=%d WHERE id=-1" % (
                key, key, other, other) if key != other else "DELETE FROM plain WHERE id=-1"
        if roll < 0.60:
            return "DELETE FROM plain WHERE id=%d" % key
        if roll < 0.75:
            return r.choice(["INSERT IGNORE INTO uniq VALUES (%d,%d,'%s')" % (key, other, self.text()),
                             "UPDATE IGNORE uniq SET u=%d WHERE id=%d" % (other, key), "UPDATE uniq SET name='%s' WHERE u=%d" % (self.text(), key),
                             "UPDATE IGNORE uniq SET id=%d WHERE id=%d" % (other, key), "DELETE FROM uniq WHERE u=%d" % other])
        if roll < 0.85 and self.keyless:
            return r.choice(["INSERT INTO nokey VALUES (%d,%s,NULL)" % (key % 9, r.choice(["NULL", "'%s'" % self.text()])),
                             "UPDATE nokey SET c=IFNULL(c,0)+1 WHERE a=%d LIMIT 2" % (key % 9), "DELETE FROM nokey WHERE a=%d LIMIT 1" % (key % 9)])
        if roll < 0.985:
            return r.choice(["INSERT IGNORE INTO pair VALUES ('%s',%d,1)" % (r.choice("aAbBcé"), 2**64 - 1 - key % 40),
                             "UPDATE pair SET v=v+1 WHERE a='%s'" % r.choice("aAbBcé"),
                             "UPDATE IGNORE pair SET b=%d WHERE b=%d" % (other % 40, 2**64 - 1 - key % 40),
                             "DELETE FROM pair WHERE b=%d" % (key % 40)])
        if roll < 0.988:
            return "TRUNCATE TABLE %s" % r.choice(["plain", "pair", "uniq"])
        return self.definition() if self.ddl else "DELETE FROM plain WHERE id < %d" % (key // 8)

    def definition(self):
        self.tables += 1
        name = "t%d" % self.tables
        return self.rng.choice([
            "CREATE TABLE %s (id int PRIMARY KEY, `a``b` text COMMENT 'it''s `x`'); INSERT INTO %s VALUES (1,'a'),(2,'b')" % (name, name),
            "ALTER TABLE plain ADD COLUMN x%d int DEFAULT 7; UPDATE plain SET x%d=id WHERE id %% 3 = 0" % (self.tables, self.tables),
            "CREATE TABLE %s LIKE plain; INSERT INTO %s SELECT * FROM plain; RENAME TABLE %s TO r%s" % (name, name, name, name),
            "CREATE TABLE %s (id int PRIMARY KEY); DROP TABLE %s" % (name, name)])

    def script(self, operations, of_transaction=5):
        lines, left = ["USE mytest;"], operations
        while left > 0:
            count = self.rng.randrange(1, of_transaction + 1)
            lines += ["BEGIN;"] + [self.statement() + ";" for _ in range(count)] + ["COMMIT;"]
            left -= count
        return "\n".join(lines)


class Run:
    """`proxy(port, family)`: what stands between the adapter and the target, with a `port` of its own. `mapping`: further lines of
    each mapping file. `tables`: further tables, {name: (columns at the source, columns at a PostgreSQL target)}, with the key id."""

    def __init__(self, scratch, make, properties=None, concurrent=True, mapping="", source_arguments=(), proxy=None, tables=None,
                 target_arguments=(), small_disk=None, parameters=None, mirror=False, source="mariadb", batch=1000):
        self.small_disk = SmallDisk(scratch, os.path.join(scratch.path, "target"), small_disk) if small_disk else None
        self.scratch, self.make = scratch, make
        self.tables = {**TABLES, **(tables or {})}
        self.source = live.Database(scratch, source, name="source", arguments=source_arguments).start().user()
        self.target = Postgres(scratch, target_arguments) if make == "postgres" else MysqlFamily(scratch, make, target_arguments)
        self.proxy = scratch.keep(proxy(self.target.port, self.target.family)) if proxy else None
        self.mirror = mirror or self.target.family == "mysql"
        self.server = live.server(scratch, self.source).start()
        live.streaming(self.server)
        outer = [{"name": "rdb", "key": "target", "properties": {
            "jdbc.url": self.target.url(self.proxy and self.proxy.port, **({"parameters": parameters} if parameters else {})),
            "jdbc.username": self.target.user, "jdbc.password": "", "threads": "3", **(properties or {})}}]
        self.adapter = Adapter(scratch.path, {"g1": outer}, {"canal.tcp.server.host": "127.0.0.1:%d" % self.server.port,
                                                             "canal.tcp.batch.size": batch}, password="")
        scratch.keep(self.adapter)
        head = "destination: example\ngroupId: g1\nouterAdapterKey: target\nconcurrent: %s\n%s" % (str(concurrent).lower(), mapping)
        if self.mirror:
            self.adapter.write("rdb/mirror.yml", head + "dbMapping:\n  mirrorDb: true\n  database: mytest\n")
        tables = list(self.tables) + ["marker"]
        for table in () if self.mirror else tables:
            keys = {"nokey": [], "pair": ["a", "b"]}.get(table, ["id"])
            pk = "  targetPk:\n" + "".join("    %s: %s\n" % (key, key) for key in keys) if keys else ""
            self.adapter.write("rdb/%s.yml" % table, head + "dbMapping:\n  database: mytest\n  table: %s\n  targetTable: %s\n  mapAll: true\n%s" %
                               (table, table, pk))
            self.target.sql("CREATE TABLE %s (%s)" % (table, self.tables.get(table, ("", "id int PRIMARY KEY"))[1]))
        self.marks = 0

    @property
    def schema(self):
        """What stands before the names of the target's tables."""
        return "mytest." if self.mirror else ""

    def create_tables(self):
        self.source.sql("CREATE DATABASE mytest; USE mytest; CREATE TABLE marker (id int PRIMARY KEY);" +
                        "".join("CREATE TABLE %s (%s);" % (name, columns) for name, (columns, _) in self.tables.items()))

    def wait_written(self, seconds=120):
        """Until the target has what the source has committed by now. Lanes commit each for itself, so a mark says nothing of the
        batch that it is in; the next one comes when that batch is written."""
        self.wait_mark(seconds)
        self.wait_mark(seconds)

    def wait_mark(self, seconds, meanwhile=lambda: None):
        self.marks += 1
        self.source.sql("INSERT INTO mytest.marker VALUES (%d)" % self.marks)
        place = self.schema + "marker"

        def there():
            meanwhile()
            try:
                return self.target.sql("SELECT count(*) FROM %s WHERE id=%d" % (place, self.marks), check=False) == [["1"]]
            except RuntimeError:
                return False
        obcanal.wait_until(there, lambda: "mark %d in the target; the adapter:\n%s" % (self.marks, self.adapter.text()[-3000:]), seconds)

    def check_equal(self):
        """Every table of the source is the same in the target; how many rows that were."""
        kinds, count = {}, 0
        for table, name, kind in self.source.sql("SELECT TABLE_NAME,COLUMN_NAME,DATA_TYPE FROM information_schema.COLUMNS WHERE"
                                                 " TABLE_SCHEMA='mytest' ORDER BY TABLE_NAME,ORDINAL_POSITION"):
            kinds.setdefault(table, []).append((name, "json" if (table, name) == ("types", "j") else kind))
        for table, columns in kinds.items():
            mine = mysql_rows(self.source, table, columns, self.target.family == "postgres")
            theirs = self.target.rows(self.schema + table, columns)
            if mine != theirs:
                missing = [row for row in mine if row not in theirs][:3]
                extra = [row for row in theirs if row not in mine][:3]
                raise RuntimeError("table %s: %d rows instead of %d; missing %r, extra %r" % (table, len(theirs), len(mine), missing, extra))
            count += len(mine)
        if self.mirror:
            there = {row[0] for row in self.target.sql("SELECT table_name FROM information_schema.tables WHERE table_schema='mytest'")}
            there -= {"canal_adapter_position"}
            if there != set(kinds):
                raise RuntimeError("tables %r instead of %r" % (sorted(there), sorted(kinds)))
        return count

"""full_load.py TARGET [--rows N] [--changes N] [--seed S] [--position]: full loads of obcanal-adapter from a real MariaDB into TARGET
(mariadb, 5.7, 8.0, seekdb, postgres) while the source goes on changing: afterwards every table equals the source's. Killed or stopped within
a load, it goes on with it; two loads at once are refused; a condition takes what it says; all mappings of a destination are loaded, and a
database that is mirrored. --position: the position is kept in the target.
"""
import argparse
import glob
import json
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rdb"))
from rdb_run import MATRIX, TABLES, Adapter, MysqlFamily, Postgres, Run, live, obcanal  # noqa: E402

KEYS = {"nokey": [], "pair": ["a", "b"]}


def expect(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %.800r instead of %.800r" % (what, got, wanted))


class LoadRun(Run):
    """A source that has rows before anybody follows its log, and mappings of its tables."""

    def __init__(self, scratch, make, rows, properties=None, zookeeper=None):
        self.scratch, self.make, self.marks, self.rows, self.tables = scratch, make, 0, rows, dict(TABLES)
        self.source = live.Database(scratch, "mariadb", name="source").start().user()
        self.target = Postgres(scratch) if make == "postgres" else MysqlFamily(scratch, make)
        self.mirror = self.target.family == "mysql"
        self.create_tables()
        self.source.sql("USE mytest;" + MATRIX)
        self.source.sql(self.first_rows())
        for table in list(TABLES) + ["marker"]:
            columns = TABLES.get(table, ("id int PRIMARY KEY",) * 2)
            if self.mirror:
                self.target.sql("CREATE TABLE mytest.%s (%s)" % (table, columns[0]))
            else:
                self.target.sql("CREATE TABLE %s (%s)" % (table, columns[1]))
        self.server = live.server(scratch, self.source).start()
        live.streaming(self.server)
        self.properties, self.zookeeper = properties or {}, zookeeper
        self.adapter = self.make_adapter("adapter", self.server.port)

    def make_adapter(self, name, server_port):
        outer = [{"name": "rdb", "key": "target", "properties": {
            "jdbc.url": self.target.url(), "jdbc.username": self.target.user, "jdbc.password": "", "threads": "3", **self.properties}}]
        more = '"canal.conf.srcDataSources": {"src": {"url": "jdbc:mysql://127.0.0.1:%d/mytest", "username": "root", ' \
               '"password": "", "maxActive": 3}}' % self.source.port
        if self.zookeeper:
            more += ',\n"canal.conf.zookeeperHosts": "%s"' % self.zookeeper
        adapter = self.scratch.keep(Adapter(self.scratch.path, {"g1": outer}, {"canal.tcp.server.host": "127.0.0.1:%d" % server_port},
                                            more, name, password=""))
        for table in list(TABLES) + ["marker"]:
            self.mapping(table, table, adapter=adapter)
        return adapter

    def mapping(self, name, table, more="", adapter=None):
        keys = KEYS.get(table, ["id"])
        pk = "  targetPk:\n" + "".join("    %s: %s\n" % (key, key) for key in keys) if keys else ""
        (adapter or self.adapter).write("rdb/%s.yml" % name, "destination: example\ngroupId: g1\nouterAdapterKey: target\ndataSourceKey: src\n"
                           "concurrent: true\ndbMapping:\n  database: mytest\n  table: %s\n  targetTable: %s\n  mapAll: true\n"
                           "  commitBatch: 500\n%s%s" % (table, table, pk, more))

    def first_rows(self):
        rows = self.rows
        return """USE mytest;
            INSERT INTO plain SELECT seq, seq %% 97, CONCAT('name ', seq), seq / 8, '2024-01-02 03:04:05.678901' + INTERVAL seq SECOND,
              UNHEX(MD5(seq)) FROM seq_1_to_%d;
            INSERT INTO uniq SELECT seq, seq * 2, CONCAT('ü', seq) FROM seq_1_to_%d;
            INSERT INTO nokey SELECT seq %% 5, CONCAT('row ', seq %% 7), NULL FROM seq_1_to_%d;
            INSERT INTO pair SELECT CONCAT(CHAR(97 + seq %% 20), ''''), 18446744073709551615 - seq, seq FROM seq_1_to_%d;
            """ % (rows, rows // 4, 2000, rows // 4)

    def load(self, task, adapter=None, **parameters):
        query = "&".join("%s=%s" % pair for pair in parameters.items())
        return json.loads((adapter or self.adapter).ask("POST", "/etl/rdb/target/%s" % task, query.encode())[1])

    def loaded(self, task, **parameters):
        answer = self.load(task, **parameters)
        expect("load of %s" % task, (answer.get("succeeded"), answer.get("errorMessage")), (True, None))
        return answer["resultMessage"]

    def place(self, table):
        return ("mytest." if self.mirror else "") + table

    def count(self, table, where=""):
        return int(self.target.sql("SELECT count(*) FROM %s %s" % (self.place(table), where))[0][0])

    def changes(self, seed, count):
        """Statements all over the tables: rows come, change, go and get other keys."""
        rng = random.Random(seed)
        top, lines = self.rows, ["USE mytest;"]
        for number in range(count):
            key, other = rng.randrange(1, top + 500), rng.randrange(1, top * 2)
            lines.append("BEGIN;" if number % 3 == 0 else "")
            lines.append(rng.choice([
                "INSERT IGNORE INTO plain (id,n,name) VALUES (%d,-1,'new')" % (top + key),
                "UPDATE plain SET n=n+1, name='changed %d' WHERE id=%d" % (number, key),
                "UPDATE plain SET amount=amount+1 WHERE id BETWEEN %d AND %d" % (key, key + 20),
                "DELETE FROM plain WHERE id=%d" % key,
                "UPDATE IGNORE plain SET id=%d WHERE id=%d" % (other, key),
                "UPDATE IGNORE plain SET id=%d WHERE id=%d" % (key, other),
                "UPDATE IGNORE uniq SET u=%d WHERE id=%d" % (other, key // 4),
                "UPDATE uniq SET u=-1 WHERE id=%d; UPDATE uniq SET u=%d WHERE u=%d; DELETE FROM uniq WHERE u=-1" % (key // 4, other, key),
                "UPDATE IGNORE uniq SET id=%d WHERE u=%d" % (other, key),
                "UPDATE nokey SET c=IFNULL(c,0)+1 WHERE a=%d LIMIT 2" % (key % 5),
                "INSERT INTO nokey VALUES (%d,'again',1); DELETE FROM nokey WHERE b='row %d' LIMIT 1" % (key % 5, key % 7),
                "UPDATE pair SET v=v+1, a=CONCAT(a,'x') WHERE b=%d" % (2**64 - 1 - key // 4),
                "DELETE FROM pair WHERE b=%d" % (2**64 - 1 - key // 4)]) + ";")
            lines.append("COMMIT;" if number % 3 == 2 else "")
        return "\n".join(lines + ["COMMIT;"])

    def figures(self, adapter=None):
        return (adapter or self.adapter).get("/etl")[0]["progress"]


def beside_a_writer(run, arguments):
    """Every load while rows change, and with changes before it that the stream has not brought yet (golden 99, 100)."""
    run.adapter.ask("PUT", "/syncSwitch/example/off")
    obcanal.wait_until(lambda: run.adapter.metric("obcanal_adapter_connected") == 0, "the session to end")
    run.source.sql(run.changes(arguments.seed, arguments.changes // 4), check=False)
    script = run.changes(arguments.seed + 1, arguments.changes)
    writing = threading.Thread(target=run.source.sql, args=(script, False))
    writing.start()
    message = run.loaded("example")
    for task in ("plain.yml", "uniq.yml"):
        run.loaded(task, restart="true")
    writing.join()
    run.adapter.ask("PUT", "/syncSwitch/example/on")
    run.wait_written(300)
    print("loaded beside a writer: %s; %d rows equal" % (message, run.check_equal()), flush=True)


def ended_within(run, end):
    """What was loaded stays, the rest follows by itself; a second load at the same time is refused (golden 98). `end`: kill or stop."""
    run.source.sql(run.changes(3, 200), check=False)
    blocker = hold_last_piece(run)
    answers = []
    loading = threading.Thread(target=lambda: answers.append(attempt(run, "plain.yml")))
    loading.start()
    obcanal.wait_until(lambda: 0 < run.figures()["rows"] and run.figures()["state"] == "running", "a load to be under way")
    rows = settled(run, run.adapter)
    expect("figures", 0 < rows < run.rows and run.figures()["total"] > 0 and run.figures()["percent"] > 0, True)
    second = run.load("uniq.yml")
    expect("a second load", (second["succeeded"], "runs already" in second["errorMessage"]), (False, True))
    getattr(run.adapter, end)()
    loading.join()
    blocker.end()
    kept = run.count("plain")
    run.adapter.start()
    wait_complete(run.adapter)
    run.wait_written()
    before = [line for line in run.adapter.text(run.adapter.offset).splitlines() if "full load" in line and "before=" in line]
    expect("goes on where it was: %r" % before, any("before=0 " in line for line in before), False)
    print(end + " with %d rows in the target; %d rows equal" % (kept, run.check_equal()), flush=True)


def wait_complete(adapter):
    obcanal.wait_until(lambda: "the full load is complete" in adapter.text(adapter.offset),
                       lambda: "the load to go on\n%s" % adapter.text()[-3000:], 120)


def attempt(run, task, adapter=None):
    try:
        return run.load(task, adapter)
    except OSError as error:
        return error


def hold_last_piece(run):
    """Empties `plain` at the target; a load of it will wait until the returned transaction of somebody else's ends."""
    # Who waits for a row holds locks of gaps before it, which earlier pieces would wait for.
    held = run.rows - 1
    run.wait_written()
    run.source.sql("DELETE FROM mytest.plain WHERE id=%d; INSERT INTO mytest.plain (id,n) VALUES (%d,5)" % (held, held))
    run.wait_written()
    run.target.sql("DELETE FROM %s" % run.place("plain"))
    return Blocker(run, "BEGIN; INSERT INTO %s (id) VALUES (%d)" % (run.place("plain"), held))


def settled(run, adapter):
    """The rows of the load under way, when all are there but the piece that waits for the lock, and it is noted."""
    def noted():
        paths = glob.glob(os.path.join(adapter.data, "full-loads", "*", "*plain%2eyml*"))
        with open(paths[0], encoding="utf-8") as file:
            return json.load(file)["parts"]["plain"]["rows"] > 0
    obcanal.wait_until(lambda: run.figures(adapter)["rows"] > run.figures(adapter)["total"] - 1200 and noted(),
                       lambda: "the load to wait: %r" % run.figures(adapter), 120)
    return run.figures(adapter)["rows"]


class Blocker:
    """A transaction of somebody else's at the target, open until end()."""

    def __init__(self, run, sql):
        import subprocess
        if run.mirror:
            argv = ["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % run.target.database.port, "-uroot", "--ssl=0", "-N", "-n"]
        else:
            argv = ["psql", "-h", "127.0.0.1", "-p", str(run.target.port), "-U", "postgres", "-AtqX"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(sql + ";\nSELECT 'ready';\n")
        self.process.stdin.flush()
        expect("blocker", self.process.stdout.readline().strip(), "ready")

    def end(self):
        self.process.communicate("ROLLBACK;\n")


def by_condition(run):
    """Parameters are values, whatever they look like, and their number must be right (golden 97)."""
    run.mapping("since", "plain", '  etlCondition: "where happened >= {} and name <> {}"\n')
    obcanal.wait_until(lambda: run.load("since.yml", params="x").get("errorMessage", "").endswith("1 are given"),
                       lambda: "the mapping: %r" % run.load("since.yml", params="x"))
    run.target.sql("DELETE FROM %s" % run.place("plain"))
    since = run.source.sql("SELECT happened FROM mytest.plain WHERE id > %d AND happened IS NOT NULL ORDER BY id LIMIT 1" % (run.rows - 50))[0][0]
    run.loaded("since.yml", params="%s;%s" % (since, "x' or '1'='1"))
    wanted = run.source.sql("SELECT COUNT(*) FROM mytest.plain WHERE happened >= '%s'" % since)[0][0]
    expect("rows by condition", run.count("plain"), int(wanted))
    expect("count", run.adapter.get("/count/rdb/plain.yml")["count"], int(wanted))
    os.remove(os.path.join(run.adapter.conf, "rdb", "since.yml"))
    expect("still on", run.adapter.get("/syncSwitch/example"), {"status": "on"})
    run.target.sql("INSERT INTO %s (id,n) VALUES (%d,1)" % (run.place("plain"), run.rows * 3))
    run.loaded("plain.yml", truncate="true")
    refused = run.load("nokey.yml")
    expect("keyless into rows", (refused["succeeded"], "truncate=true" in refused["errorMessage"]), (False, True))
    run.loaded("nokey.yml", truncate="true")
    run.wait_written()
    print("by condition and with truncate: %d rows equal" % run.check_equal(), flush=True)


def mirrored(run):
    """Every table of the database, those too that have foreign keys to each other."""
    for path in glob.glob(os.path.join(run.adapter.conf, "rdb", "*.yml")):
        os.remove(path)
    run.source.sql("USE mytest; CREATE TABLE parent (id int PRIMARY KEY, n int); CREATE TABLE child (id int PRIMARY KEY, p int,"
                   "FOREIGN KEY (p) REFERENCES parent (id)); INSERT INTO parent VALUES (1,1),(2,2);"
                   "INSERT INTO child SELECT seq, 1 + seq % 2 FROM seq_1_to_500")
    run.adapter.write("rdb/mirror.yml", "destination: example\ngroupId: g1\nouterAdapterKey: target\ndataSourceKey: src\nconcurrent: true\n"
                      "dbMapping:\n  mirrorDb: true\n  database: mytest\n")
    answer = {}

    def loaded():
        answer.update(run.load("mirror.yml", truncate="true"))
        return answer["succeeded"] or "no mapping" not in answer["errorMessage"]
    obcanal.wait_until(loaded, lambda: "the mapping: %r" % answer, 60)
    expect("load of the database: %r" % answer, answer["succeeded"], True)
    run.wait_written()
    run.check_equal()
    # The stream brings, behind the load, rows whose parent is gone by then; the parent itself does not come again.
    run.source.sql("INSERT INTO mytest.parent VALUES (9,9)")
    run.wait_written()
    run.adapter.ask("PUT", "/syncSwitch/example/off")
    obcanal.wait_until(lambda: run.adapter.metric("obcanal_adapter_connected") == 0, "the session to end")
    run.source.sql("USE mytest; INSERT INTO child VALUES (900,9),(901,9),(902,9); DELETE FROM child WHERE p=9"
                   " AND id<902; UPDATE child SET p=1 WHERE id=902; DELETE FROM parent WHERE id=9; INSERT INTO child VALUES (903,2)")
    expect("load again", run.load("mirror.yml", truncate="true", restart="true")["succeeded"], True)
    run.adapter.ask("PUT", "/syncSwitch/example/on")
    run.wait_written()
    print("mirrored database: %d rows equal" % run.check_equal(), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--rows", type=int, default=26000)
    parser.add_argument("--changes", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--position", action="store_true")
    arguments = parser.parse_args()
    with obcanal.Scratch("full-load-" + arguments.target) as scratch:
        run = LoadRun(scratch, arguments.target, arguments.rows, {"canal.adapter.position": "target"} if arguments.position else {})
        run.adapter.start()
        obcanal.wait_until(lambda: run.adapter.metric("obcanal_adapter_connected") == 1, "a session")
        beside_a_writer(run, arguments)
        ended_within(run, "kill")
        ended_within(run, "stop")
        by_condition(run)
        if run.target.family == "mysql":
            mirrored(run)


if __name__ == "__main__":
    main()

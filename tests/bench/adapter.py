#!/usr/bin/env python3
"""Figures of obcanal-adapter into a real MariaDB, beside prepared multi-row statements of the same rows in the same run.

adapter.py [--rows N] [--runs N] [--batch N] [--only KIND,...] [--profile DIR]
OBCANAL_BIN, OBCANAL_FIXTURES as ctest sets them

Single-row INSERTs and UPDATEs from the log of another MariaDB by obcanal-server, and a full load; rows a second, CPU seconds of the
adapter per million rows, the ratio to bench_sql_rows with as many sessions and as many rows in a transaction. Both write into tables
of one definition in one server, one after the other and the other way round the next time; each begins with nothing to do for anybody:
no page to be written back, no undo to be purged, no log to be read. The figure is the median of the pairs' ratios, since the speed of
a machine wanders. Each phase is printed as it ends, with the CPU seconds per million rows of every process that it needs; what all of
them together leave of the machine is idle, or somebody else's. --profile: perf record of all four programs meanwhile.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration", "rdb"))
from processors import cpu_seconds, wait_idle  # noqa: E402
from rdb_run import Adapter, live, obcanal  # noqa: E402

COLUMNS = "id bigint PRIMARY KEY, name varchar(40), role_id int, price decimal(12,2), c_time datetime(6)"
SESSIONS = 3
TRANSACTION = 2000
KINDS = ("insert", "update", "full load")
# The Java adapter on a 2-core machine: rows a second, CPU seconds per million rows (client-adapter).
JAVA = {"insert": (6450, 110), "update": (7000, 73), "full load": (24000, None)}
RATE = {"insert": 70000, "update": 70000, "full load": 100000}
# One statement a row, ten in a transaction, as the log of a busy application has them; a routine spares us a client's round trips.
STATEMENTS = {
    "insert": "INSERT INTO t VALUES (i, CONCAT('name of ', i), i % 97, i DIV 8 + (i % 100) / 100, '2024-01-02 03:04:05.678901')",
    "update": "UPDATE t SET name = CONCAT('changed ', i), role_id = (i + 1) % 97 WHERE id = i"}
ROUTINE = """DELIMITER //
BEGIN NOT ATOMIC
  SET autocommit = 0;
  FOR i IN 1..%d DO
    %s;
    IF i %% 10 = 0 THEN COMMIT; END IF;
  END FOR;
  COMMIT;
END//"""


class Chain:
    """CPU seconds per million rows of processes by name, from here to of()."""

    def __init__(self, **pids):
        self.pids, self.wall = pids, time.monotonic()
        self.before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def of(self, rows):
        used = {name: (cpu_seconds(pid) - self.before[name]) * 1e6 / rows for name, pid in self.pids.items()}
        used["all"] = (time.monotonic() - self.wall) * os.cpu_count() * 1e6 / rows
        return used


class Table:
    """Prints each figure at once, beside the number to reach; remembers those that miss it."""

    def __init__(self):
        self.missed = []

    def add(self, what, value, target, reached):
        if not reached:
            self.missed.append(what)
        print("%-50s %-14s %s%s" % (what, value, target, "" if reached else "  MISSED"), flush=True)


def median_chain(runs):
    return {name: statistics.median(run[1][name] for run in runs) for name in runs[0][1]}


def spelled(chain):
    """"adapter 1.20, target 4.00: 5.20 of 6.00 that the processors have in that time"."""
    processes = {name: used for name, used in chain.items() if name != "all"}
    return "%s: %.2f of %.2f that %d processors have in that time" % (
        ", ".join("%s %.2f" % one for one in processes.items()), sum(processes.values()), chain["all"], os.cpu_count())


class Bench:
    def __init__(self, scratch, arguments):
        self.rows, self.arguments, self.scratch = arguments.rows, arguments, scratch
        more = ["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=1G"]
        self.source = live.Database(scratch, "mariadb", name="source", arguments=more).start().user()
        self.target = live.Database(scratch, "mariadb", name="target", arguments=more + ["--skip-log-bin"]).start()
        for database in (self.source, self.target):
            database.sql("CREATE DATABASE bench; USE bench; CREATE TABLE t (%s); CREATE TABLE l (%s);" % (COLUMNS, COLUMNS))
        # Not in the log that is read: these rows come by the full load alone.
        self.source.sql("USE bench; INSERT INTO l SELECT seq, CONCAT('name of ', seq), seq %% 97, seq / 8, '2024-01-02 03:04:05.678901'"
                        " FROM seq_1_to_%d" % self.rows)
        # obcanal-server must not be what is waited for: it has read all entries before, and keeps them. Of MariaDB that are two for each row, the second
        # with the statement's text (binlog_annotate_row_events), and two more for each transaction.
        slots = 1 << int(self.rows * 2.3 + 1000).bit_length()
        self.server = live.server(scratch, self.source, {"canal.instance.memory.buffer.size": slots}).start()
        live.streaming(self.server)
        outer = [{"name": "rdb", "key": "target", "properties": {
            "jdbc.url": "jdbc:mysql://127.0.0.1:%d/bench" % self.target.port, "jdbc.username": "root", "jdbc.password": "",
            "threads": str(SESSIONS)}}]
        self.adapter = scratch.keep(Adapter(
            scratch.path, {"g1": outer},
            {"canal.tcp.server.host": "127.0.0.1:%d" % self.server.port, "canal.tcp.batch.size": arguments.batch}, password="",
            extra='"canal.conf.syncBatchSize": %d, ' % TRANSACTION + '"canal.conf.srcDataSources": {"src": {"url": "jdbc:mysql://127.0.0.1:%d/bench", "username": "root", '
                  '"password": "", "maxActive": %d}}' % (self.source.port, SESSIONS)))
        for table in ("t", "l"):
            self.adapter.write("rdb/%s.yml" % table, "destination: example\ngroupId: g1\nouterAdapterKey: target\ndataSourceKey: src\n"
                               "concurrent: true\ndbMapping:\n  database: bench\n  table: %s\n  targetTable: %s\n  mapAll: true\n"
                               "  targetPk: {id: id}\n" % (table, table))
        self.adapter.start()
        self.connected(1)
        self.switch("off")

    def settle(self):
        """Until nobody has anything left to do of what was before: the server's source, and what databases put off."""
        for database in (self.source, self.target):
            database.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0")
            obcanal.wait_until(lambda: self.put_off(database) < 100, "pages to be written, undo to be purged", 120)
            database.sql("SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT")
        wait_idle((self.source_pid, self.target_pid, self.server.process.pid))

    @staticmethod
    def put_off(database):
        names = "'Innodb_buffer_pool_pages_dirty', 'Innodb_history_list_length'"
        return sum(int(row[1]) for row in database.sql("SHOW GLOBAL STATUS WHERE Variable_name IN (%s)" % names))

    @property
    def target_pid(self):
        with open(os.path.join(self.target.data, "service.pid"), encoding="ascii") as file:
            return int(file.read())

    @property
    def source_pid(self):
        with open(os.path.join(self.source.data, "service.pid"), encoding="ascii") as file:
            return int(file.read())

    def connected(self, wanted):
        obcanal.wait_until(lambda: self.adapter.metric("obcanal_adapter_connected") == wanted, "connected to be %d" % wanted)

    def switch(self, word):
        self.adapter.ask("PUT", "/syncSwitch/example/" + word)
        if word == "off":
            self.connected(0)

    def plain(self, kind):
        """(rows a second, CPU per million by process) of prepared statements."""
        if kind == "insert":
            self.target.sql("USE bench; DROP TABLE IF EXISTS p; CREATE TABLE p (%s)" % COLUMNS)
        self.settle()
        chain = Chain(target=self.target_pid)
        run = subprocess.run([os.path.join(obcanal.bin_dir(), "bench_sql_rows"), str(self.target.port), "p", kind, str(self.rows),
                              str(SESSIONS)], check=True, capture_output=True, text=True)
        rate, client = [float(word) for word in run.stdout.split()]
        used = chain.of(self.rows)
        return rate, {"client": client, **used, "all": os.cpu_count() * 1e6 / rate}

    def write_log(self, kind):
        """The statements at the source, and their rows in the server."""
        if kind == "insert":
            self.source.sql("USE bench; TRUNCATE TABLE t")
        self.source.sql("USE bench;\n" + ROUTINE % (self.rows, STATEMENTS[kind]))

    def stream(self, kind):
        """(rows a second, CPU per million by process) of the log's single-row statements."""
        self.settle()
        pid, before = self.adapter.process.pid, self.adapter.rows()
        self.switch("on")
        first = None
        chain = Chain(source=self.source_pid, server=self.server.process.pid, adapter=pid, target=self.target_pid)
        profiles = self.profile(kind)
        while True:
            rows, now = self.adapter.rows() - before, time.monotonic()
            if rows > 0 and first is None:
                first = (rows, now)
            if rows >= self.rows:
                break
            time.sleep(0.02)
        used = chain.of(self.rows)
        self.end(profiles)
        self.switch("off")
        if self.target.sql("SELECT COUNT(*), SUM(id), SUM(role_id) FROM bench.t") != self.source.sql(
                "SELECT COUNT(*), SUM(id), SUM(role_id) FROM bench.t"):
            raise RuntimeError("the tables differ")
        rate = (rows - first[0]) / (now - first[1])
        return rate, {**used, "all": os.cpu_count() * 1e6 / rate}

    def profile(self, name):
        if not self.arguments.profile:
            return []
        pids = {"adapter": self.adapter.process.pid, "server": self.server.process.pid, "target": self.target_pid,
                "source": self.source_pid}
        return [subprocess.Popen(["perf", "record", "-q", "-g", "-F", "999", "-p", str(pid), "-o",
                                  os.path.join(self.arguments.profile, "%s.%s.perf" % (name.replace(" ", "-"), who))])
                for who, pid in pids.items()]

    @staticmethod
    def end(profiles):
        for profile in profiles:
            profile.send_signal(signal.SIGINT)
            profile.wait()

    def full_load(self):
        """The same for a full load into an empty table."""
        self.target.sql("USE bench; TRUNCATE TABLE l")
        self.settle()
        chain = Chain(source=self.source_pid, adapter=self.adapter.process.pid, target=self.target_pid)
        profiles, start = self.profile("full load"), time.monotonic()
        answer = json.loads(self.adapter.ask("POST", "/etl/rdb/l.yml", b"restart=true")[1])
        seconds = time.monotonic() - start
        used = chain.of(self.rows)
        self.end(profiles)
        count = int(self.target.sql("SELECT COUNT(*) FROM bench.l")[0][0])
        if not answer.get("succeeded") or count != self.rows:
            raise RuntimeError("%r, %d rows" % (answer, count))
        return self.rows / seconds, used

    def pair(self, kind, turn):
        """(of the adapter, of prepared statements); who begins changes with the turn."""
        figures = {}
        if kind != "full load":
            self.write_log(kind)
        for who in ("ours", "plain") if turn % 2 else ("plain", "ours"):
            if who == "plain":
                figures[who] = self.plain("update" if kind == "update" else "insert")
            else:
                figures[who] = self.full_load() if kind == "full load" else self.stream(kind)
            rate, chain = figures[who]
            print("%-10s%-10s%9.0f rows/s; CPU s per million: %s" % (kind, "adapter" if who == "ours" else "prepared", rate,
                                                                    spelled(chain)), flush=True)
        print("%-10s%-10s%8.1f %%" % (kind, "ratio", figures["ours"][0] / figures["plain"][0] * 100), flush=True)
        return figures["ours"], figures["plain"]


def report(table, kind, pairs):
    ours, plain = zip(*pairs)
    rate, beside = (statistics.median(run[0] for run in runs) for runs in (ours, plain))
    ratios = [one[0] / other[0] * 100 for one, other in pairs]
    ratio = statistics.median(ratios)
    chain, bare = median_chain(ours), median_chain(plain)
    table.add("%s, rows/s" % kind, "%.0f" % rate, ">= %d (Java %d)" % (RATE[kind], JAVA[kind][0]), rate >= RATE[kind])
    table.add("%s, of prepared statements (%.0f rows/s)" % (kind, beside), "%.1f %%" % ratio,
              ">= 70 %%, pairs %s" % " ".join("%.0f" % one for one in ratios), ratio >= 70)
    table.add("%s, adapter CPU s per million" % kind, "%.2f" % chain["adapter"],
              "<= 3 (Java %s), a bare client %.2f" % (JAVA[kind][1], bare["client"]), chain["adapter"] <= 3)
    print("  CPU s per million: " + spelled(chain))
    print("  of prepared statements: " + spelled(bare), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--only", default=",".join(KINDS), help="of " + ",".join(KINDS))
    parser.add_argument("--profile", help="directory for perf's files")
    arguments = parser.parse_args()
    kinds = arguments.only.split(",")
    if not set(kinds) <= set(KINDS):
        parser.error("--only takes " + ",".join(KINDS))
    table, pairs = Table(), {kind: [] for kind in kinds}
    with obcanal.Scratch("bench-adapter") as scratch:
        bench = Bench(scratch, arguments)
        for turn in range(arguments.runs):
            if "insert" not in kinds and "update" in kinds:
                bench.pair("insert", turn)  # the rows that are changed
            for kind in kinds:
                pairs[kind].append(bench.pair(kind, turn))
        counters = [line for line in bench.adapter.ask("GET", "/metrics")[1].splitlines()
                    if line.startswith("obcanal_adapter_") and ("row_by_row" in line or "tried_again" in line or "ahead" in line or "batches_total" in line)]
    for kind in kinds:
        report(table, kind, pairs[kind])
    print("\n".join(counters))
    if table.missed:
        print("missed: " + ", ".join(table.missed))


if __name__ == "__main__":
    main()

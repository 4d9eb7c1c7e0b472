#!/usr/bin/env python3
"""Figures of obcanal-adapter into a real MariaDB, beside prepared multi-row statements of the same rows in the same run.

adapter.py [--rows N] [--runs N] [--batch N] [--profile]      OBCANAL_BIN, OBCANAL_FIXTURES as ctest sets them

Single-row INSERTs and UPDATEs from the log of another MariaDB by obcanal-server, and a full load; rows a second, CPU seconds of the
adapter per million rows, the ratio to bench_sql_rows with as many sessions and as many rows in a transaction. Two lines say where the time goes: CPU seconds per million
rows of every process of the chain, and of the two that prepared statements need; what all of them together leave of the machine is
idle, or somebody else's. --profile: perf record of the adapter meanwhile.
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
from rdb_run import Adapter, live, obcanal  # noqa: E402

COLUMNS = "id bigint PRIMARY KEY, name varchar(40), role_id int, price decimal(12,2), c_time datetime(6)"
SESSIONS = 3
TRANSACTION = 2000
# The Java adapter on a 2-core machine: rows a second, CPU seconds per million rows (client-adapter).
JAVA = {"insert": (6450, 110), "update": (7000, 73), "full load": (24000, None)}
RATE = {"insert": 70000, "update": 70000, "full load": 100000}


def cpu_seconds(pid):
    """Of all threads, those that have ended too; user and system."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
        more = ["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M"]
        self.source = live.Database(scratch, "mariadb", name="source", arguments=more).start().user()
        self.target = live.Database(scratch, "mariadb", name="target", arguments=more + ["--skip-log-bin"]).start()
        for database in (self.source, self.target):
            database.sql("CREATE DATABASE bench; USE bench; CREATE TABLE t (%s); CREATE TABLE l (%s);" % (COLUMNS, COLUMNS))
        # Not in the log that is read: these rows come by the full load alone.
        self.source.sql("USE bench; INSERT INTO l SELECT seq, CONCAT('name of ', seq), seq %% 97, seq / 8, '2024-01-02 03:04:05.678901'"
                        " FROM seq_1_to_%d" % self.rows)
        # obcanal-server must not be what is waited for: it keeps what it has read, also the two entries that each transaction adds.
        slots = 1 << int(self.rows * 1.2 + 1000).bit_length()
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

    def server_has_all(self):
        """Until its source has nothing to send any more: neither is part of the figure."""
        last = 0
        while True:
            used = cpu_seconds(self.server.process.pid)
            if used == last:
                return
            last = used
            time.sleep(0.5)

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
        chain = Chain(target=self.target_pid)
        run = subprocess.run([os.path.join(obcanal.bin_dir(), "bench_sql_rows"), str(self.target.port), "p", kind, str(self.rows),
                              str(SESSIONS)], check=True, capture_output=True, text=True)
        rate, client = [float(word) for word in run.stdout.split()]
        used = chain.of(self.rows)
        return rate, {"client": client, **used, "all": os.cpu_count() * 1e6 / rate}

    def stream(self, kind):
        """(rows a second, CPU per million by process) of single-row statements out of the source's log."""
        if kind == "insert":
            self.source.sql("USE bench; TRUNCATE TABLE t")
        lines = ["USE bench;"]
        for i in range(1, self.rows + 1):
            lines.append("BEGIN;" if i % 10 == 1 else "")
            if kind == "insert":
                lines.append("INSERT INTO t VALUES (%d,'name of %d',%d,%d.%02d,'2024-01-02 03:04:05.678901');" % (i, i, i % 97, i // 8, i % 100))
            else:
                lines.append("UPDATE t SET name='changed %d', role_id=%d WHERE id=%d;" % (i, (i + 1) % 97, i))
            lines.append("COMMIT;" if i % 10 == 0 else "")
        self.source.sql("\n".join(lines + ["COMMIT;"]))
        self.server_has_all()
        pid, before = self.adapter.process.pid, self.adapter.rows()
        self.switch("on")
        first = None
        chain = Chain(source=self.source_pid, server=self.server.process.pid, adapter=pid, target=self.target_pid)
        profile = self.profile(pid, kind)
        while True:
            rows, now = self.adapter.rows() - before, time.monotonic()
            if rows > 0 and first is None:
                first = (rows, now)
            if rows >= self.rows:
                break
            time.sleep(0.02)
        used = chain.of(self.rows)
        if profile:
            profile.send_signal(signal.SIGINT)
            profile.wait()
        self.switch("off")
        if int(self.target.sql("SELECT COUNT(*) FROM bench.t")[0][0]) != self.rows:
            raise RuntimeError("rows are missing")
        rate = (rows - first[0]) / (now - first[1])
        return rate, {**used, "all": os.cpu_count() * 1e6 / rate}

    def profile(self, pid, name):
        if not self.arguments.profile:
            return None
        return subprocess.Popen(["perf", "record", "-q", "-g", "-p", str(pid), "-o", os.path.join(self.arguments.profile, name + ".perf")])

    def full_load(self):
        """The same for a full load into an empty table."""
        self.target.sql("USE bench; TRUNCATE TABLE l")
        pid = self.adapter.process.pid
        chain, start = Chain(source=self.source_pid, adapter=pid, target=self.target_pid), time.monotonic()
        profile = self.profile(pid, "load")
        answer = json.loads(self.adapter.ask("POST", "/etl/rdb/l.yml", b"restart=true")[1])
        seconds = time.monotonic() - start
        used = chain.of(self.rows)
        if profile:
            profile.send_signal(signal.SIGINT)
            profile.wait()
        count = int(self.target.sql("SELECT COUNT(*) FROM bench.l")[0][0])
        if not answer.get("succeeded") or count != self.rows:
            raise RuntimeError("%r, %d rows" % (answer, count))
        return self.rows / seconds, used


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--profile", help="directory for perf's files")
    arguments = parser.parse_args()
    table, figures = Table(), {}
    with obcanal.Scratch("bench-adapter") as scratch:
        bench = Bench(scratch, arguments)
        for _ in range(arguments.runs):
            for kind in ("insert", "update"):
                figures.setdefault("plain " + kind, []).append(bench.plain(kind))
                figures.setdefault(kind, []).append(bench.stream(kind))
            figures.setdefault("full load", []).append(bench.full_load())
        counters = [line for line in bench.adapter.ask("GET", "/metrics")[1].splitlines()
                    if line.startswith("obcanal_adapter_") and ("row_by_row" in line or "tried_again" in line or "batches_total" in line)]
    for kind in ("insert", "update", "full load"):
        beside = "plain " + ("update" if kind == "update" else "insert")
        rate, plain = (statistics.median(run[0] for run in figures[what]) for what in (kind, beside))
        chain, bare = median_chain(figures[kind]), median_chain(figures[beside])
        table.add("%s, rows/s" % kind, "%.0f" % rate, ">= %d (Java %d)" % (RATE[kind], JAVA[kind][0]), rate >= RATE[kind])
        table.add("%s, of prepared statements (%.0f rows/s)" % (kind, plain), "%.0f %%" % (rate / plain * 100), ">= 70 %", rate >= 0.7 * plain)
        table.add("%s, adapter CPU s per million" % kind, "%.2f" % chain["adapter"],
                  "<= 3 (Java %s), a bare client %.2f" % (JAVA[kind][1], bare["client"]), chain["adapter"] <= 3)
        print("  CPU s per million: " + spelled(chain))
        print("  of prepared statements: " + spelled(bare), flush=True)
    print("\n".join(counters))
    if table.missed:
        print("missed: " + ", ".join(table.missed))


if __name__ == "__main__":
    main()

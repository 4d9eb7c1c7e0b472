#!/usr/bin/env python3
"""obcanal-server beside the real Java Canal 1.1.7 on the same MariaDB logs, in one run; prints a table.

beside_java.py [--rows N] [--multi N] [--changes N] [--seconds N] [--rounds N] [--patience MINUTES] [--only PART]
OBCANAL_BIN as ctest sets it; see run.sh

Each workload of tests/support/peers/load lies in a log file of its own. It is read from its start by a fresh server, some times for
`obcanal drain` (ours only, in turns with a stream that nobody decodes) and once for the stock Java client, which gets it from both
servers. Then rows come at a steady pace, and the stock client says how old they are when it has them, and a reader of the log how
old they are in there; in rounds, of which those count in which the host of this machine left it its processors: a hundredth of the
rows is less than what a busy host makes wait.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
sys.path.insert(0, SUPPORT)
import obcanal  # noqa: E402
from processors import Stolen, cpu_seconds  # noqa: E402

PEERS, MARIADB = os.path.join(SUPPORT, "peers"), os.path.join(SUPPORT, "services", "mariadb")
CPU_RATIO, JAVA_RATIO = 20, 5
PACE = 500  # transactions a second
WARM_UP = 3  # seconds of rows that nobody counts: clients and servers have run before
CALM = 0.25  # percent of the processors that the host may take in a round that counts
RUNS = 5  # of the raw stream and of `obcanal drain`, in turns; medians


def quiet(argv, **more):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, **more)


def peak_mib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def found(pattern, text):
    match = re.search(pattern, text)
    if not match:
        raise RuntimeError("no %s in %s" % (pattern, text[-800:]))
    return float(match.group(1))


class Source:
    def __init__(self, path):
        self.port, self.data = obcanal.free_port(), os.path.join(path, "mariadb")
        os.chmod(path, 0o755)
        quiet([os.path.join(MARIADB, "start.sh"), "--port", str(self.port), "--data", self.data])
        self.client = ["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % self.port, "-uroot", "--ssl=0", "-N", "-B"]
        self.sql("CREATE USER canal@'%' IDENTIFIED BY 'canal'; GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO canal@'%';"
                 "SET GLOBAL innodb_flush_log_at_trx_commit = 0; SET GLOBAL sync_binlog = 0")

    def sql(self, text):
        done = subprocess.run(self.client, input=text, text=True, capture_output=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def load(self, name, rows):
        """The log file that holds this workload, and its bytes."""
        maker = subprocess.Popen([sys.executable, os.path.join(PEERS, "load", "gen.py"), name, str(rows)], stdout=subprocess.PIPE)
        quiet(self.client, stdin=maker.stdout)
        if maker.wait():
            raise RuntimeError("gen.py ended with %d" % maker.returncode)
        return self.sql("SHOW BINARY LOGS")[-2][:2]

    def raw_seconds(self, file, path):
        """Of the stream of a file that nobody decodes."""
        out = os.path.join(path, "raw")
        os.mkdir(out)
        begin = time.monotonic()
        quiet(["mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--raw", "-h127.0.0.1", "-P%d" % self.port, "-uroot",
               "--ssl=0", "--result-file=" + out + "/", file])
        took = time.monotonic() - begin
        shutil.rmtree(out)
        return took

    def stop(self):
        quiet([os.path.join(MARIADB, "stop.sh"), "--data", self.data])


class Java:
    def __init__(self, source, path, file, position):
        self.data, self.port = os.path.join(path, "java"), obcanal.free_port()
        quiet([os.path.join(PEERS, "canal-server", "start.sh"), "--data", self.data, "--port", str(self.port), "--master",
               "127.0.0.1:%d" % source.port, "--journal", file, "--position", str(position), "--meta", "memory"])
        with open(os.path.join(self.data, "service.pid"), encoding="ascii") as pid:
            self.pid = int(pid.read())

    def stop(self):
        quiet([os.path.join(PEERS, "canal-server", "stop.sh"), "--data", self.data, "--purge"])


class Ours:
    def __init__(self, source, path, file, position):
        self.path = os.path.join(path, "ours")
        os.mkdir(self.path)
        self.server = obcanal.Server(self.path, None, password="", instance={
            "canal.instance.master.address": "127.0.0.1:%d" % source.port, "canal.instance.dbUsername": "canal",
            "canal.instance.dbPassword": "canal", "canal.instance.mysql.slaveId": 4711,
            "canal.instance.master.journal.name": file, "canal.instance.master.position": position})
        self.server.start()
        self.port, self.pid = self.server.port, self.server.process.pid

    def stop(self):
        self.server.stop()
        shutil.rmtree(self.path)


def java_client(port, rows):
    done = subprocess.run([obcanal.peer("canal-client-java"), "drain", str(rows), "--port", str(port), "--batch", "1000", "--idle",
                           "20000"], check=True, capture_output=True, text=True)
    return found(r"rows/s=([\d.]+)", done.stdout)


def our_client(port, rows):
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "drain", "--server", "127.0.0.1:%d" % port, "--count", str(rows),
                           "--idle-exit", "20"], check=True, capture_output=True, text=True)
    if found(r"\brows=(\d+)", done.stdout) < rows:
        raise RuntimeError("not all rows came: " + done.stdout)
    return found(r"rows/s=([\d.]+)", done.stdout)


def measured(kind, client, source, path, file, rows):
    """rows/s at the client; CPU seconds of the server per million rows; its peak of memory in MiB."""
    server = kind(source, path, file, 4)
    try:
        rate = client(server.port, rows)
        return rate, cpu_seconds(server.pid) * 1e6 / rows, peak_mib(server.pid)
    finally:
        server.stop()


def row(what, rate, cpu="", peak="", verdict=""):
    print("%-58s %12s %12s %10s  %s" % (what, rate, cpu, peak, verdict), flush=True)


def workload(source, path, name, what, rows, missed):
    file, size = source.load(name, rows)
    # A stream of a third of a second: what else the machine did in one of them must not decide.
    raws, drains = [], []
    for _ in range(RUNS):
        raws.append(source.raw_seconds(file, path))
        drains.append(measured(Ours, our_client, source, path, file, rows))
    raw = statistics.median(raws)
    row("%s: %d rows, %.0f MB of log" % (what, rows, int(size) / 1e6), "rows/s", "CPU s/M", "MiB")
    row("  mariadb-binlog --read-from-remote-server --raw", "%.0f" % (rows / raw), "", "", "%.0f MB/s" % (int(size) / 1e6 / raw))
    drained = [statistics.median(figures) for figures in zip(*drains)]
    ours = measured(Ours, java_client, source, path, file, rows)
    java = measured(Java, java_client, source, path, file, rows)
    for label, result in (("obcanal to obcanal drain", drained), ("obcanal to the stock Java client", ours),
                          ("Java Canal to the stock Java client", java)):
        row("  " + label, "%.0f" % result[0], "%.2f" % result[1], "%.0f" % result[2])
    cpu, speed, part = java[1] / drained[1], ours[0] / java[0], drained[0] * raw / rows
    for told, value, least in (("CPU of Java / CPU of obcanal (drain)", cpu, CPU_RATIO), ("rows/s at the Java client, obcanal / Java", speed, None),
                               ("obcanal drain / raw stream", part, 0.7)):
        if name == "w2" and told.startswith("rows/s"):
            least = JAVA_RATIO
        bad = least is not None and value < least
        row("  " + told, "%.2f" % value, "", "", ">= %g%s" % (least, "  MISSED" if bad else "") if least else "")
        if bad:
            missed.append("%s: %s" % (what, told))


def paced(source, seconds):
    """INSERTs at a steady pace, each with the clock just before it is sent. What the host took meanwhile, in percent."""
    writer = subprocess.Popen(source.client + ["--unbuffered", "bench"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    begin, stolen = time.monotonic(), None
    for number in range(PACE * (WARM_UP + seconds)):
        pause = begin + number / PACE - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        if number == PACE * WARM_UP:
            stolen = Stolen()
        columns = "warm_lat (warm_us, pad" if stolen is None else "lat (ts_us, pad"
        writer.stdin.write(b"INSERT INTO %s) VALUES (%d, '0123456789012345678901234567890123456789');\n" % (
            columns.encode(), time.time_ns() // 1000))
        writer.stdin.flush()
    writer.stdin.close()
    writer.wait()
    return stolen.percent()


def aged(kind, source, path, seconds, client_options):
    """(p50, p99) in ms of the rows at the stock Java client, and at a reader of the log that decodes nothing; what the host took."""
    file, position = source.sql("SHOW MASTER STATUS")[0][:2]
    rows = PACE * seconds
    server = kind(source, path, file, position)
    try:
        client = subprocess.Popen([obcanal.peer("canal-client-java"), "latency", str(rows), "--port", str(server.port), "--idle", "10000",
                                   *client_options], stdout=subprocess.PIPE, text=True)
        raw = subprocess.Popen([sys.executable, os.path.join(HERE, "raw_log.py"), str(source.port), file, position, str(rows),
                                str(PACE * WARM_UP)], stdout=subprocess.PIPE, text=True)
        time.sleep(3)  # the JVM's start is not what is measured
        stolen = paced(source, seconds)
        told = [process.communicate(timeout=120)[0] for process in (client, raw)]
    finally:
        server.stop()
    return [(found(r"p50\S*=([\d.]+)", text), found(r"p99\S*=([\d.]+)", text)) for text in told], stolen


def latency(source, path, args, missed):
    for name, clock in (("lat", "ts_us"), ("warm_lat", "warm_us")):
        source.sql("CREATE DATABASE IF NOT EXISTS bench; CREATE TABLE IF NOT EXISTS bench.%s (id BIGINT AUTO_INCREMENT PRIMARY KEY, %s BIGINT NOT NULL, pad VARCHAR(100))"
                   % (name, clock))
    waits = ("--timeout", "1000")  # getWithoutAck(batch, 1 s); else it asks, and sleeps 1 ms when there is nothing
    kinds = ((Ours, "obcanal, a client that sleeps 1 ms and asks again", ()), (Ours, "obcanal, a client that waits for what comes", waits),
             (Java, "Java Canal, a client that sleeps 1 ms and asks again", ()))
    counted, end = [[] for _ in kinds], time.monotonic() + 60 * args.patience
    row("commit to the stock Java client, %d transactions a second" % PACE, "p50 ms", "p99 ms", "")
    while min(map(len, counted)) < args.rounds and time.monotonic() < end:
        for (kind, label, options), rounds in zip(kinds, counted):
            if len(rounds) == args.rounds:
                continue
            ages, stolen = aged(kind, source, path, args.seconds, options)
            print("  %s: p50 %.2f, p99 %.2f, in the log %.2f, %.2f; the host took %.2f %%%s" % (
                label, *ages[0], *ages[1], stolen, "" if stolen <= CALM else ": not counted"), flush=True)
            if stolen <= CALM:
                rounds.append(ages)
    for (kind, label, _), rounds in zip(kinds, counted):
        if len(rounds) < args.rounds:
            missed.append("latency: %s: %d of %d rounds with a calm host" % (label, len(rounds), args.rounds))
            continue
        (half, most), raw = ([statistics.median(one[side][part] for one in rounds) for part in (0, 1)] for side in (0, 1))
        bad = kind is Ours and (half > 1 or most > 5)
        row("  " + label, "%.2f" % half, "%.2f" % most, "", ("<= 1 and 5" + ("  MISSED" if bad else "")) if kind is Ours else "")
        row("    the log meanwhile, at a reader that decodes nothing", "%.2f" % raw[0], "%.2f" % raw[1])
        if bad:
            missed.append("latency: " + label)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000, help="single-row inserts; the changes need a million")
    options.add_argument("--multi", type=int, default=3_000_000, help="rows of multi-row inserts: a million is a third of a second, with"
                         " the start of everybody in it")
    options.add_argument("--changes", type=int, default=500_000, help="updates, deletes and inserts")
    options.add_argument("--seconds", type=int, default=8, help="of rows at a steady pace, in a round")
    options.add_argument("--rounds", type=int, default=3, help="of those, whose medians count")
    options.add_argument("--patience", type=float, default=10, help="minutes in which the rounds must be had")
    options.add_argument("--only", choices=("w1", "w2", "latency"), help="this part")
    args = options.parse_args()
    missed = []
    with obcanal.Scratch("beside-java") as scratch:
        source = Source(scratch.path)
        try:
            parts = (("w1", "single-row inserts", args.rows), ("w2", "multi-row inserts", args.multi),
                     ("w3", "updates, deletes, inserts", args.changes))
            for name, what, rows in parts:
                if rows and args.only in (None, name):
                    workload(source, scratch.path, name, what, rows, missed)
            if args.only in (None, "latency"):
                latency(source, scratch.path, args, missed)
        finally:
            source.stop()
    print("missed: %s" % ("; ".join(missed) or "nothing"))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Figures of the whole server on one million rows of the recorded shop workload; prints a table beside the numbers to reach.

end_to_end.py [--rows N] [--runs N] [--no-java]      OBCANAL_BIN, OBCANAL_FIXTURES as ctest sets them; run.sh does it all
"""
import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire  # noqa: E402
import canned  # noqa: E402
import obcanal  # noqa: E402

# canal-for-ob on a 2-core machine of the same kind, one million rows, median of three (tests/fixtures/oblog, README).
CANAL_FOR_OB_CPU, CANAL_FOR_OB_ROWS = 24.9, 38600
LARGEST_HEARTBEAT = 400
JAVA_BATCH = 1000
CROWD = 500


def cpu_seconds(pid):
    """Of all threads of a process that starts them once, as the scheduler counts them, in nanoseconds."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Table:
    """Prints each figure at once, beside the number to reach; remembers those that miss it."""

    def __init__(self):
        self.missed = []

    def add(self, what, value, target="", reached=True):
        if not reached:
            self.missed.append(what.strip())
        print("%-46s %-18s %s%s" % (what, value, target, "" if reached else "  MISSED"), flush=True)


def handshake(port):
    configuration = (b"tb_white_list=*.*.* rootserver_list=127.0.0.1:2882:2881 cluster_user=u@t cluster_password=00 "
                     b"first_start_timestamp_us=0 first_start_timestamp=0 ")
    fields = b"\x12\x09127.0.0.1\x1a\x05bench\x22\x011\x32" + canal_wire.varint(len(configuration)) + configuration
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"xi53g]q" + struct.pack(">HbI", 2, 1, len(fields)) + fields)
    return sock


def stream_to_nowhere(port, rows):
    """Rows a second that the log proxy alone gives to a reader that throws everything away. Heartbeats alone are the log's end."""
    with handshake(port) as sock:
        sock.settimeout(60)
        buffer = bytearray(1 << 20)
        begin = end = None
        while end is None or time.monotonic() - end < 2:
            count = sock.recv_into(buffer)
            if count == 0:
                break
            if count > LARGEST_HEARTBEAT:
                end = time.monotonic()
                begin = begin or end
    if begin is None:
        raise RuntimeError("the log proxy sent no data")
    return rows / (end - begin)


def drain(server, rows):
    argv = [os.path.join(obcanal.bin_dir(), "obcanal"), "drain", "--server", "127.0.0.1:%d" % server.port, "--user", "canal",
            "--password", "canal", "--count", str(rows), "--idle-exit", "20"]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"(\S+)=(\S+)", output))
    if int(found["rows"]) < rows:
        raise RuntimeError("drained %s of %d rows" % (found["rows"], rows))
    return float(found["rows/s"])


def java_drain(server, rows):
    argv = [obcanal.peer("canal-client-java"), "drain", str(rows), "--port", str(server.port), "--user", "canal", "--password",
            "canal", "--batch", str(JAVA_BATCH), "--idle", "20000"]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"rows/s=([\d.]+)", output)
    if not found:
        raise RuntimeError("no figure in the Java client's output: " + output[-500:])
    return float(found.group(1))


def measured(proxy, rows, consume):
    """rows/s, server CPU seconds per million rows and peak RSS of one fresh server."""
    with obcanal.Scratch("bench") as scratch:
        server = scratch.server(proxy.port)
        rate = consume(server, rows)
        cpu = cpu_seconds(server.process.pid)
        return rate, cpu * 1e6 / rows, server.rss_kib("VmHWM") / 1024


def median_of(runs, work):
    results = [work() for _ in range(runs)]
    return [statistics.median(column) for column in zip(*results)]


def start_to_ready():
    with obcanal.Scratch("bench") as scratch:
        server = obcanal.Server(scratch.path, obcanal.free_port())
        scratch.keep(server)
        begin = time.monotonic()
        server.start()
        return ((time.monotonic() - begin) * 1000,)


def term_to_exit(proxy):
    """With a feed that streams and a client whose get waits."""
    with obcanal.Scratch("bench") as scratch:
        server = scratch.server(proxy.port)
        client = canal_wire.Client(server.port)
        client.subscribe()
        client.ack(client.get(100, 5000)[0])
        client.ask(1000000, 60000)
        time.sleep(0.5)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        took = (time.monotonic() - begin) * 1000
        client.close()
        return (took,)


def idle(proxy):
    with obcanal.Scratch("bench") as scratch:
        server = scratch.server(proxy.port)
        time.sleep(2)
        before, begin = cpu_seconds(server.process.pid), time.monotonic()
        time.sleep(10)
        share = (cpu_seconds(server.process.pid) - before) / (time.monotonic() - begin) * 100
        return share, server.rss_kib() / 1024


def crowd(proxy, count):
    """Destinations that wait at the log's end: seconds until all are connected, CPU of one core in percent, RSS."""
    with obcanal.Scratch("bench") as scratch:
        names = ["d%d" % number for number in range(count)]
        late = {"canal.instance.oceanbase.startTimestamp": 4102444800}
        server = obcanal.Server(scratch.path, proxy.port, server={"canal.destinations": ",".join(names)}, instance=late)
        with open(os.path.join(server.conf, "example", "instance.properties"), encoding="utf-8") as file:
            properties = file.read()
        for name in names:
            os.mkdir(os.path.join(server.conf, name))
            with open(os.path.join(server.conf, name, "instance.properties"), "w", encoding="utf-8") as file:
                file.write(properties)
        known = proxy.text().count("logproxy client peer=")
        scratch.keep(server)
        begin = time.monotonic()
        server.start()
        obcanal.wait_until(lambda: proxy.text().count("logproxy client peer=") >= known + count, "all destinations to connect")
        connected = time.monotonic() - begin
        time.sleep(2)
        before, begin = cpu_seconds(server.process.pid), time.monotonic()
        time.sleep(5)
        share = (cpu_seconds(server.process.pid) - before) / (time.monotonic() - begin) * 100
        return connected, share, server.rss_kib() / 1024


def profile(proxy, rows):
    """Where the server's time goes in one drain, for a figure that was missed."""
    if not shutil.which("perf"):
        print("no profile: perf (linux-perf) is not installed")
        return
    with obcanal.Scratch("bench") as scratch:
        server = scratch.server(proxy.port)
        data = os.path.join(scratch.path, "perf.data")
        recorder = subprocess.Popen(["perf", "record", "-q", "-F", "997", "-o", data, "-p", str(server.process.pid)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        drain(server, rows)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(60)
        for title, sort, least in (("by part", "dso", "0.5"), ("by function", "symbol,dso", "1.2")):
            print("-- the server's CPU time %s" % title)
            report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "--sort", sort, "--fields", "overhead," + sort,
                                     "--percent-limit", least], capture_output=True, text=True, check=False).stdout
            for line in report.splitlines():
                if line.strip() and not line.startswith("#"):
                    print("  " + " ".join(line.split()), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--no-java", action="store_true")
    options.add_argument("--profile", action="store_true", help="print where the server's time goes even when no figure is missed")
    args = options.parse_args()
    table = Table()
    shop = obcanal.fixture("oblog/shop.logmsg")
    endless = ["--loop", "--stop-after-rows", str(args.rows)]
    (ready,) = median_of(5, start_to_ready)
    table.add("start to ready", "%.0f ms" % ready, "<= 100 ms (Java 1500 ms)", ready <= 100)
    with obcanal.Scratch("bench-proxy") as scratch:
        quiet = scratch.logproxy(shop)
        share, rss = idle(quiet)
        table.add("idle, one destination: CPU of one core", "%.3f %%" % share)
        table.add("idle, one destination: RSS", "%.1f MB" % rss, "<= 20 MB + 2 MB (Java 250 MB)", rss <= 22)
        connected, share, many = crowd(quiet, CROWD)
        table.add("%d idle destinations: all connected" % CROWD, "%.1f s" % connected, "<= 5 s", connected <= 5)
        table.add("%d idle destinations: CPU of one core" % CROWD, "%.2f %%" % share, "<= 5 %", share <= 5)
        each = (many - rss) / (CROWD - 1)
        table.add("%d idle destinations: RSS" % CROWD, "%.0f MB" % many, "<= 2 MB each: %.2f" % each, each <= 2)
        (term,) = median_of(3, lambda: term_to_exit(quiet))
        table.add("SIGTERM to exit", "%.0f ms" % term, "<= 1000 ms", term <= 1000)
        live = obcanal.LogProxy(scratch.path, [shop], endless + ["--cache", "0"])
        scratch.keep(live).start()
        encoded = stream_to_nowhere(live.port, args.rows)
        live.stop()
        big = obcanal.LogProxy(scratch.path, [shop], endless)
        scratch.keep(big).start()
        stream_to_nowhere(big.port, args.rows)
        nowhere = stream_to_nowhere(big.port, args.rows)
        table.add("log proxy alone, packets made while sending", "%.0f rows/s" % encoded)
        table.add("log proxy alone, packets made before", "%.0f rows/s" % nowhere)
        before = cpu_seconds(big.process.pid)
        rate, cpu, peak = median_of(args.runs, lambda: measured(big, args.rows, drain))
        proxy_cpu = (cpu_seconds(big.process.pid) - before) * 1e6 / args.rows / args.runs
        table.add("obcanal drain", "%.0f rows/s" % rate, ">= 70 %% of a log made while sending: %.0f %%" % (100 * rate / encoded),
                  rate >= 0.7 * encoded)
        table.add("  of a log made before", "%.0f %%" % (100 * rate / nowhere))
        table.add("  the log proxy's CPU per million rows", "%.2f s" % proxy_cpu, "no bottleneck: < a tenth of the server's",
                  proxy_cpu < cpu / 10)
        table.add("server CPU per million rows", "%.2f s" % cpu,
                  ">= 20x canal-for-ob's %.1f s: %.1fx" % (CANAL_FOR_OB_CPU, CANAL_FOR_OB_CPU / cpu), cpu <= CANAL_FOR_OB_CPU / 20)
        table.add("  rows per CPU second of the server", "%.0f" % (1e6 / cpu))
        table.add("server peak RSS under load", "%.0f MB" % peak, "<= 16 MB ring + 32 MB (canal-for-ob 1170 MB)", peak <= 48)
        if not args.no_java:
            try:
                java(table, big, args)
            except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
                table.add("stock Java client", "failed", str(error)[:200], False)
        if args.profile or table.missed:
            profile(big, args.rows)
    print("missed: %s" % ("; ".join(table.missed) or "nothing"))
    return 0


def java(table, proxy, args):
    with obcanal.Scratch("bench") as scratch:
        session = canned.Session(scratch.server(proxy.port).port, JAVA_BATCH, 64)
    server = canned.Server(session)
    (most,) = median_of(args.runs, lambda: (java_drain(server, args.rows),))
    server.close()
    table.add("stock Java client 1.1.8 on canned bytes", "%.0f rows/s" % most)
    rate, cpu, _ = median_of(args.runs, lambda: measured(proxy, args.rows, java_drain))
    table.add("stock Java client 1.1.8", "%.0f rows/s" % rate, ">= 95 %% of canned bytes: %.0f %%" % (100 * rate / most),
              rate >= 0.95 * most)
    table.add("  beside canal-for-ob's %d rows/s" % CANAL_FOR_OB_ROWS, "%.1fx" % (rate / CANAL_FOR_OB_ROWS), ">= 5x",
              rate >= 5 * CANAL_FOR_OB_ROWS)
    table.add("  server CPU per million rows", "%.2f s" % cpu, ">= 20x canal-for-ob: %.1fx" % (CANAL_FOR_OB_CPU / cpu),
              cpu <= CANAL_FOR_OB_CPU / 20)


if __name__ == "__main__":
    sys.exit(main())

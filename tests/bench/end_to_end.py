#!/usr/bin/env python3
"""Figures of the whole server on one million rows of the recorded shop workload; prints a table beside the numbers to reach.

end_to_end.py [--rows N] [--runs N] [--no-java]      OBCANAL_BIN, OBCANAL_FIXTURES as ctest sets them; run.sh does it all
"""
import argparse
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import obcanal  # noqa: E402

# canal-for-ob on a 2-core machine of the same kind, one million rows, median of three (tests/fixtures/oblog, README).
CANAL_FOR_OB_CPU, CANAL_FOR_OB_ROWS = 24.9, 38600
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, target):
        self.rows.append((what, value, target))
        print("%-58s %-24s %s" % (what, value, target), flush=True)


def handshake(port):
    configuration = b"tb_white_list=*.*.* cluster_user=u@t cluster_password= first_start_timestamp_us=0 first_start_timestamp=0 "
    fields = b"\x12\x09127.0.0.1\x1a\x05bench\x22\x011\x32" + varint(len(configuration)) + configuration
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"xi53g]q" + struct.pack(">HbI", 2, 1, len(fields)) + fields)
    return sock


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def stream_to_nowhere(port, rows):
    """Rows a second that the log proxy alone gives to a reader that throws everything away. Data end with the first pause."""
    with handshake(port) as sock:
        sock.settimeout(0.5)
        buffer = bytearray(1 << 20)
        begin, end, size = None, None, 0
        while True:
            try:
                count = sock.recv_into(buffer)
            except socket.timeout:
                break
            if count == 0:
                break
            end = time.monotonic() if count > 400 else end
            begin = begin or time.monotonic()
            size += count
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
            "canal", "--batch", "1000", "--idle", "20000"]
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


def idle(proxy):
    with obcanal.Scratch("bench") as scratch:
        server = scratch.server(proxy.port)
        time.sleep(2)
        before, begin = cpu_seconds(server.process.pid), time.monotonic()
        time.sleep(10)
        share = (cpu_seconds(server.process.pid) - before) / (time.monotonic() - begin) * 100
        return share, server.rss_kib() / 1024


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--no-java", action="store_true")
    args = options.parse_args()
    table = Table()
    shop = obcanal.fixture("oblog/shop.logmsg")
    (ready,) = median_of(5, start_to_ready)
    table.add("start to ready", "%.0f ms" % ready, "<= 100 ms (Java 1500 ms)")
    with obcanal.Scratch("bench-proxy") as scratch:
        quiet = scratch.logproxy(shop)
        share, rss = idle(quiet)
        table.add("idle, one destination: CPU of one core", "%.2f %%" % share, "")
        table.add("idle, one destination: RSS", "%.1f MB" % rss, "<= 20 MB + 2 MB (Java 250 MB)")
        big = obcanal.LogProxy(scratch.path, [shop], ["--loop", "--stop-after-rows", str(args.rows)])
        scratch.keep(big).start()
        stream_to_nowhere(big.port, args.rows)  # warms its cache of packets
        nowhere = stream_to_nowhere(big.port, args.rows)
        table.add("the log alone, streamed to nowhere", "%.0f rows/s" % nowhere, "")
        rate, cpu, peak = median_of(args.runs, lambda: measured(big, args.rows, drain))
        table.add("obcanal drain", "%.0f rows/s" % rate, ">= 70 %% of the log alone: %.0f %%" % (100 * rate / nowhere))
        table.add("server CPU per million rows", "%.2f s" % cpu,
                  ">= 20x canal-for-ob's %.1f s: %.1fx" % (CANAL_FOR_OB_CPU, CANAL_FOR_OB_CPU / cpu))
        table.add("server peak RSS under load", "%.0f MB" % peak, "<= 16 MB ring + 32 MB (canal-for-ob 1170 MB)")
        if not args.no_java:
            rate, cpu, peak = median_of(args.runs, lambda: measured(big, args.rows, java_drain))
            table.add("stock Java client 1.1.8", "%.0f rows/s" % rate,
                      "from canal-for-ob: %d rows/s, %.1fx" % (CANAL_FOR_OB_ROWS, rate / CANAL_FOR_OB_ROWS))
            table.add("server CPU per million rows, Java client", "%.2f s" % cpu, "%.1fx" % (CANAL_FOR_OB_CPU / cpu))
    return 0


sys.exit(main())

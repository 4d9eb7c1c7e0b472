#!/usr/bin/env python3
"""Many destinations in one server: so many idle ones, then so many that all stream at once. Prints figures beside the limits.

destinations.py [--idle N] [--active N] [--seconds S] [--packet-records N] [--check]     OBCANAL_BIN, OBCANAL_FIXTURES as ctest sets them
--check: exit status 1 when a limit is not kept (memory and fairness; times too when the machine is otherwise quiet: --quiet).
"""
import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import obcanal  # noqa: E402
from processors import cpu_seconds  # noqa: E402

# product.md, section 7.
READY_SECONDS, IDLE_CPU_PERCENT, BASE_MIB, EACH_MIB, RATIO = 5.0, 5.0, 20.0, 2.0, 2.0
failed = []


def figure(what, value, unit, limit, timed, options):
    missed = limit is not None and value > limit
    if missed and (not timed or options.quiet):
        failed.append(what)
    print("%-62s %10.2f %-10s %s" % (what, value, unit, "" if limit is None else "<= %g%s" % (
        limit, "   MISSED" if missed else "")), flush=True)


class Many:
    """A server with destinations d1..dN, all from one log proxy."""

    def __init__(self, scratch, name, count, logproxy, start=1):
        folder = os.path.join(scratch.path, name)
        os.mkdir(folder)
        self.count, self.metrics = count, obcanal.free_port()
        self.server = obcanal.Server(folder, logproxy.port, password=None, server={
            "canal.destinations": "", "canal.destinations.expr": "d{1-%d}" % count if count else "",
            "canal.metrics.pull.port": self.metrics}, instance={"canal.instance.oceanbase.startTimestamp": start})
        with open(os.path.join(self.server.conf, "example", "instance.properties"), encoding="utf-8") as file:
            text = file.read()
        for number in range(1, count + 1):
            os.mkdir(os.path.join(self.server.conf, "d%d" % number))
            with open(os.path.join(self.server.conf, "d%d" % number, "instance.properties"), "w", encoding="utf-8") as file:
                file.write(text)
        scratch.keep(self.server)

    def start(self):
        """Seconds until all are connected to their source."""
        begin = time.monotonic()
        self.server.start()
        ready = time.monotonic() - begin
        obcanal.wait_until(lambda: sum(one["source"]["connected"] for one in self.status()) == self.count,
                           "all destinations to be connected", 120)
        return ready, time.monotonic() - begin

    def status(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/status" % self.metrics, timeout=30) as answer:
            return json.load(answer)["destinations"]


def idle(scratch, options):
    logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
    alone = Many(scratch, "none", 0, logproxy)
    alone.start()
    base = alone.server.rss_kib() / 1024
    figure("memory without destinations", base, "MiB", BASE_MIB, False, options)
    alone.server.stop()
    # Behind the end of the recording nothing comes but heartbeats.
    many = Many(scratch, "idle", options.idle, logproxy, start=4_000_000_000)
    ready, connected = many.start()
    figure("%d idle destinations: start to the line `ready`" % options.idle, ready, "s", READY_SECONDS, True, options)
    figure("%d idle destinations: start until all are connected" % options.idle, connected, "s", READY_SECONDS, True, options)
    before, begin = cpu_seconds(many.server.process.pid), time.monotonic()
    time.sleep(options.seconds)
    used = cpu_seconds(many.server.process.pid) - before
    figure("%d idle destinations: CPU" % options.idle, 100 * used / (time.monotonic() - begin), "% of core", IDLE_CPU_PERCENT, True,
           options)
    each = (many.server.rss_kib() / 1024 - base) / options.idle
    figure("%d idle destinations: memory of each" % options.idle, each, "MiB", EACH_MIB, False, options)
    with open("/proc/%d/status" % many.server.process.pid, encoding="ascii") as file:
        figure("threads", int(next(line.split()[1] for line in file if line.startswith("Threads:"))), "", None, False, options)
    many.server.stop()
    logproxy.stop()


def active(scratch, options):
    logproxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"),
                                options=("--loop", "--packet-records", str(options.packet_records)))
    many = Many(scratch, "active", options.active, logproxy)
    many.start()
    tool = os.path.join(obcanal.bin_dir(), "obcanal")
    clients = [subprocess.Popen([tool, "drain", "--server", "127.0.0.1:%d" % many.server.port, "--destination", "d%d" % number],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for number in range(1, options.active + 1)]
    try:
        def rows():
            return {one["destination"]: one["acked"]["rows"] for one in many.status()}
        obcanal.wait_until(lambda: min(rows().values()) > 0, "every client to have acknowledged", 60)
        before, begin = rows(), time.monotonic()
        time.sleep(options.seconds)
        after, passed = rows(), time.monotonic() - begin
    finally:
        for client in clients:
            client.kill()
            client.wait()
    rates = sorted((after[name] - before[name]) / passed for name in after)
    if options.verbose:
        print(" ".join("%.0f" % rate for rate in rates))
    figure("%d destinations at once: rows/s of all" % options.active, sum(rates), "rows/s", None, False, options)
    figure("%d destinations at once: rows/s of the slowest" % options.active, rates[0], "rows/s", None, False, options)
    figure("%d destinations at once: rows/s of the fastest" % options.active, rates[-1], "rows/s", None, False, options)
    figure("%d destinations at once: fastest / slowest" % options.active, rates[-1] / max(rates[0], 0.001), "", RATIO, False, options)
    figure("memory while they stream", many.server.rss_kib() / 1024, "MiB", None, False, options)
    many.server.stop()
    logproxy.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--packet-records", type=int, default=200, help="records in a packet of the log proxy")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="rows/s of every active destination")
    options = parser.parse_args()
    with obcanal.Scratch("many") as scratch:
        if options.idle:
            idle(scratch, options)
        if options.active:
            active(scratch, options)
    if options.check and failed:
        raise SystemExit("beyond its limit: " + ", ".join(failed))


main()

"""A cluster under faults: three ZooKeeper servers, two obcanal-servers, a MariaDB and the stock Java cluster client, each on a host
(network namespace) of its own.

cluster.py [--cycles N] [--seed S] [--faults a,b] [--session MS] [--clusters K] [--sanitized]

Each cycle breaks something of the server that is active, waits until the client has a row that was committed after that, mends it,
waits until all is well, and looks for rows that were lost and for the longest time without a batch (where nobody can do better
before it is mended: from the mending to the next batch). At no time may two servers serve, the cursor move back, or a batch
come again whose ack is older than the period in which cursors are written. --clusters: so many side by side, each with its own
seed. Exit status 77: this machine does not let us make network namespaces, or lacks a program.
"""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster_lab as lab  # noqa: E402
import network  # noqa: E402
import obcanal  # noqa: E402

SKIPPED = 77
CUT_SECONDS = 4.0
LONGEST = 120.0
# A cursor is written so long after the ack; looking and scheduling take their time on a loaded machine.
UNWRITTEN_SECONDS = lab.FLUSH_MS / 1000 + 1.0
# Seconds of the Java server until the stock client has a batch again (tests/support/peers/canal-server/README.md).
JAVA = {"term": lambda session: 10.7, "kill": lambda session: session + 5.8}
CHEAP = ("term", "kill", "zk-leader", "clock-forward", "clock-back", "cut-source")


class Cluster:
    def __init__(self, scratch, net, options):
        self.net, self.session = net, options.session / 1000
        self.ensemble = lab.Ensemble(scratch, net)
        self.source = lab.Source(scratch, net)
        clock = not options.sanitized and os.path.exists(lab.FAKETIME)
        self.nodes = [lab.Node(scratch, net, name, self.ensemble, self.source, options.session, clock) for name in ("one", "two")]
        self.follower = lab.Follower(scratch, net, self.ensemble)
        self.clock = clock
        self.lost = 0  # rows up to which all is accounted for

    def start(self):
        self.ensemble.start()
        self.source.start()
        for node in self.nodes:
            node.start()
        self.watch = lab.Watch(self.ensemble, self.source, self.nodes)
        self.watch.start()
        obcanal.wait_until(lambda: any(n.phase() == "running" and n.reads for n in self.nodes), "a server to stream", 60)
        self.follower.spawn()
        obcanal.wait_until(lambda: " connected" in self.follower.text(), lambda: "the client:\n" + self.follower.text()[-2000:], 120)
        self.source.writer.start()

    def active(self):
        return next((n for n in self.nodes if self.watch.running == "%s:%d" % (n.host.address, lab.PORT)), None)

    def has_row_since(self, moment):
        """When the client got a row that was committed later."""
        self.follower.update()
        for at, numbers, _ in reversed(self.follower.batches[-400:]):
            if at < moment:
                return None
            if any(n <= len(self.source.written) and self.source.written[n - 1] > moment for n in numbers):
                first = [b[0] for b in self.follower.batches if b[0] >= moment and
                         any(n <= len(self.source.written) and self.source.written[n - 1] > moment for n in b[1])]
                return first[0]
        return None

    def wait_row(self, moment):
        found = []

        def there():
            at = self.has_row_since(moment)
            if at is not None:
                found.append(at)
            return bool(found)
        wait(there, lambda: "a row since the fault; running: %s\nclient: %s" % (
            self.watch.running, self.follower.text()[-500:]), LONGEST)
        return found[0]

    def well(self):
        """One serves and the client follows it; the other one stands by."""
        active = self.active()
        if active is None or active.phase() != "running":
            return False
        other = next(n for n in self.nodes if n is not active)
        return other.alive() and other.phase() not in (None, "running") and self.has_row_since(time.time() - 2) is not None


    def longest_silence(self, since):
        """Between batches that came after that moment."""
        times = [since] + [batch[0] for batch in self.follower.batches if batch[0] > since]
        return max(after - before for before, after in zip(times, times[1:]))


def wait(condition, what, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited %g s for %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.05)


# Each fault: breaks (cluster, active server), and gives back how to mend it, and whether time counts from the mending on: nobody
# can do better while the line is cut.

def kill(cluster, active):
    active.kill()
    return active.start, False


def term(cluster, active):
    active.stop(60)
    return active.start, False


def freeze(cluster, active):
    active.frozen = True
    os.kill(active.process.pid, signal.SIGSTOP)
    time.sleep(2 * cluster.session)
    os.kill(active.process.pid, signal.SIGCONT)
    active.frozen = False
    return lambda: None, False


def cut_zookeeper(cluster, active):
    for host in cluster.ensemble.hosts:
        cluster.net.cut(active.host, host)
    wait(lambda: cluster.active() not in (None, active), "another server to take over", LONGEST)
    return cluster.net.mend, False


def cut_line(cluster, one, other):
    cluster.net.cut(one, other)
    time.sleep(CUT_SECONDS)
    cluster.net.mend()
    return lambda: None, True


def cut_source(cluster, active):
    return cut_line(cluster, active.host, cluster.source.host)


def cut_client(cluster, active):
    return cut_line(cluster, active.host, cluster.follower.host)


def zookeeper_leader(cluster, active):
    leader = cluster.ensemble.leader()
    cluster.ensemble.kill([leader])
    return lambda: cluster.ensemble.start([leader]), False


def zookeeper_all(cluster, active):
    cluster.ensemble.kill()
    cluster.ensemble.start()
    return lambda: None, True


def clock_forward(cluster, active):
    active.step_clock(3600)
    return lambda: None, False


def clock_back(cluster, active):
    active.step_clock(-3600)
    return lambda: None, False


FAULTS = {"kill": kill, "term": term, "freeze": freeze, "cut-zookeeper": cut_zookeeper, "cut-source": cut_source,
          "cut-client": cut_client, "zk-leader": zookeeper_leader, "zk-all": zookeeper_all, "clock-forward": clock_forward,
          "clock-back": clock_back}


def account(cluster, fault, started):
    """Rows that never came, and rows that came again although their ack was old enough to be written."""
    end = len(cluster.source.written)
    follower = cluster.follower
    wait(lambda: follower.has(end), "row %d" % end, LONGEST)
    lost = [n for n in range(cluster.lost + 1, end + 1) if not follower.has(n)]
    repeated, unwritten = 0, 0
    for number in range(max(1, cluster.lost - 2000), end + 1):
        batches = [follower.batches[i] for i in follower.times.get(number, [])]
        for before, after in zip(batches, batches[1:]):
            if after[0] < started:
                continue  # counted in an earlier cycle
            if before[2] is not None and before[2] < started - UNWRITTEN_SECONDS:
                repeated += 1
            else:
                unwritten += 1
    cluster.lost = end
    return {"lost": len(lost), "acked_again": repeated, "unwritten_again": unwritten, "lost_rows": lost[:10]}


def overlap(stretches, since):
    """The longest stretch of two at once, in seconds; 0: none."""
    return max([end - begin + lab.WATCH_SECONDS for begin, end, _ in stretches if end >= since] or [0.0])


def cycle(cluster, name):
    wait(cluster.well, lambda: "all to be well: running %s, phases %r\nclient: %s" % (
        cluster.watch.running, [n.phase() for n in cluster.nodes], cluster.follower.text()[-500:]), LONGEST)
    active = cluster.active()
    started = time.time()
    heal, counts_from_mending = FAULTS[name](cluster, active)
    since = time.time() if counts_from_mending else started
    back = cluster.wait_row(since)
    heal()
    wait(cluster.well, "all to be well after " + name, LONGEST)
    result = account(cluster, name, started)
    seconds = back - since if counts_from_mending else cluster.longest_silence(started)
    result.update(fault=name, seconds=seconds, moved=cluster.active() is not active,
                  serving=overlap(cluster.watch.serving, started), dumping=overlap(cluster.watch.dumping, started),
                  reading=overlap(cluster.watch.reading, started), wrong=cluster.watch.wrong[:])
    cluster.watch.wrong.clear()
    return result


def is_bad(result):
    return bool(result["lost"] or result["acked_again"] or result["serving"] or result["wrong"])


def run(options):
    chance = random.Random(options.seed)
    results = []
    with network.Network() as net, obcanal.Scratch("cluster") as scratch:
        cluster = Cluster(scratch, net, options)
        cluster.start()
        names = [n for n in options.faults.split(",") if cluster.clock or not n.startswith("clock")]
        plan = []
        while len(plan) < options.cycles:  # each as often as the others
            plan += chance.sample(names, len(names))
        for number, name in enumerate(plan[:options.cycles], 1):
            time.sleep(chance.uniform(0.2, 1.5))
            result = cycle(cluster, name)
            results.append(result)
            print("%3d %s" % (number, json.dumps(result)), flush=True)
            if options.results:
                with open(options.results, "a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
        cluster.watch.ending.set()
        cluster.watch.join()
        print("looked %d times, the slowest took %.2f s; the client lost its server %d times" % (
            cluster.watch.looks, cluster.watch.slowest, len(cluster.follower.losses)))
    return results


def run_many(options):
    """Each cluster in a process of its own: a network of its own."""
    share, more = divmod(options.cycles, options.clusters)
    children, files = [], []
    for number in range(options.clusters):
        count = share + (number < more)
        files.append("%s.%d" % (options.results or "/tmp/obcanal-cluster-%d" % os.getpid(), number))
        children.append(subprocess.Popen([sys.executable, os.path.abspath(__file__), "--cycles", str(count), "--seed",
                                          str(options.seed * 1000 + number), "--faults", options.faults, "--session",
                                          str(options.session), "--results", files[-1]] + ["--sanitized"] * options.sanitized))
    failed = [child.wait() for child in children]
    results = []
    for path in files:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results += [json.loads(line) for line in file]
    return results, failed


def table(results, session):
    """Seconds without a batch; the Java server's figure where it was measured; the longest times of two at once."""
    lines = ["%-14s %4s %6s %6s %6s %6s %5s %5s %9s %5s %7s %7s %7s" % (
        "fault", "n", "min", "median", "max", "moved", "lost", "again", "unwritten", "back", "serving", "dumping", "of Java")]
    for name in FAULTS:
        of = [r for r in results if r["fault"] == name]
        if not of:
            continue
        seconds = [r["seconds"] for r in of]
        java = JAVA.get(name)
        lines.append("%-14s %4d %6.2f %6.2f %6.2f %6d %5d %5d %9d %5d %7.2f %7.2f %7s" % (
            name, len(of), min(seconds), statistics.median(seconds), max(seconds), sum(r["moved"] for r in of),
            sum(r["lost"] for r in of), sum(r["acked_again"] for r in of), sum(r["unwritten_again"] for r in of),
            sum(len(r["wrong"]) for r in of), max(r["serving"] for r in of), max(r["dumping"] for r in of),
            "%.2f" % (statistics.median(seconds) / java(session)) if java else "-"))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--session", type=int, default=4000, help="milliseconds of a ZooKeeper session")
    parser.add_argument("--clusters", type=int, default=1)
    parser.add_argument("--results", help="a file to which a line per cycle is added")
    parser.add_argument("--sanitized", action="store_true", help="no moved clocks: libfaketime and the sanitizers exclude each other")
    options = parser.parse_args()
    options.faults = ",".join(CHEAP) if options.faults == "cheap" else options.faults
    why = lab.missing()
    if why:
        print("SKIPPED: " + why)
        return SKIPPED
    failed = []
    try:
        if options.clusters > 1:
            results, failed = run_many(options)
        else:
            results = run(options)
    except network.NotPermitted as error:
        print("SKIPPED: no network namespaces here: %s" % error)
        return SKIPPED
    print(table(results, options.session / 1000))
    bad = [r for r in results if is_bad(r)]
    print("cluster: %d cycles, %d bad%s" % (len(results), len(bad), ", clusters ended with %r" % failed if any(failed) else ""))
    return 1 if bad or any(failed) or len(results) < options.cycles else 0


sys.exit(main())

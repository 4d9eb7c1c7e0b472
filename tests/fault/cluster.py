"""A cluster under faults: three ZooKeeper servers, two obcanal-servers, a MariaDB and the stock Java cluster client, each on a host
(network namespace) of its own.

cluster.py [--cycles N] [--seed S] [--faults a,b] [--session MS] [--clusters K] [--source binlog|logproxy] [--java N] [--away S]
           [--retry-interval MS] [--sanitized]

Each cycle breaks something of the server that is active, waits until the client has a row that was committed after that, mends it,
waits until all is well, and looks for rows that were lost and for the longest time without a batch (where nobody can do better
before it is mended: from the mending to the next batch). At no time may two servers serve, the cursor move back, or a batch come
again that the client has acknowledged, if it was answered a get since: an ack has no answer of its own. --clusters: so many side
by side, each with its own seed; every fourth one reads a log proxy, the others a MariaDB. --java: as many cycles with two Java
Canal servers, for their figures. --away: ZooKeeper is away for so long, once.
--retry-interval: the stock client's own setRetryInterval, the pause before it connects again, which users set too; no cycle is tried
again. Exit status 77: this machine does not let us make network namespaces, or lacks a program.
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
# Who reads the log, as the source sees it: a server that wakes from its frozen state is still connected. It must not stay.
DUMPING_SECONDS = 2.0
JAVA_FAULTS = ("term", "kill", "freeze")
CHEAP = ("term", "kill", "zk-leader", "clock-forward", "clock-back", "cut-source")


class Cluster:
    def __init__(self, scratch, net, options):
        self.net, self.session = net, options.session / 1000
        self.ensemble = lab.Ensemble(scratch, net)
        self.source = lab.LogproxySource(scratch, net) if options.source == "logproxy" else lab.Source(scratch, net)
        clock = not options.sanitized and os.path.exists(lab.FAKETIME)
        self.java, self.away = options.servers == "java", options.away
        self.source.alters = not self.java  # of which each Java server has a history of its own
        make = lab.JavaNode if self.java else lab.Node
        self.nodes = [make(scratch, net, name, self.ensemble, self.source, options.session, clock) for name in ("one", "two")]
        self.follower = lab.Follower(scratch, net, self.ensemble, self.source, options.retry_interval)
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
        self.source.begin()

    def active(self):
        return next((n for n in self.nodes if self.watch.running == "%s:%d" % (n.host.address, lab.PORT)), None)

    def has_row_since(self, moment):
        """When the client got a row that was committed later."""
        self.follower.update()
        first = None
        for batch in reversed(self.follower.batches):
            if batch.at < moment:
                break
            if self.source.is_later(batch, moment):
                first = batch.at
        return first

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
        times = [since] + [batch.at for batch in self.follower.batches if batch.at > since]
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
    active.freeze(signal.SIGSTOP)
    time.sleep(2 * cluster.session)
    active.freeze(signal.SIGCONT)
    active.frozen = False
    return (lambda: restart(active)) if cluster.java else (lambda: None), False


def restart(java):
    """It would go on beside the one that took over."""
    time.sleep(5)
    java.kill()
    java.start()


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


def zookeeper_away(cluster, active):
    """For long: nobody serves, and says why; then all is as before."""
    cluster.ensemble.kill()
    begun = time.monotonic()
    for node in cluster.nodes:
        wait(lambda: node.phase() == "failed", "%s to end without ZooKeeper" % node.name, LONGEST)
    while time.monotonic() < begun + cluster.away:
        for node in cluster.nodes:
            one = node.destination()
            if one and (one["phase"] != "failed" or "ZooKeeper at %s does not answer" % cluster.ensemble.servers not in one["failure"]):
                cluster.watch.wrong.append("without ZooKeeper %s is %s: %s" % (node.name, one["phase"], one["failure"]))
        time.sleep(0.5)
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
          "clock-back": clock_back, "zk-away": zookeeper_away}


def account(cluster, fault, started):
    """Rows that never came, and rows that came again: of batches whose ack was confirmed (never), acknowledged, or neither."""
    follower = cluster.follower
    end = cluster.source.end(follower)
    wait(lambda: follower.has(end), "row %d" % end, LONGEST)
    lost = [n for n in range(cluster.lost + 1, end + 1) if not follower.has(n)]
    confirmed, acked, others = 0, 0, 0
    for number in range(max(1, cluster.lost - 2000), end + 1):
        batches = [follower.batches[i] for i in follower.times.get(number, [])]
        for before, after in zip(batches, batches[1:]):
            if after.at < started:
                continue  # counted in an earlier cycle
            confirmed += before.confirmed
            acked += before.acked is not None and not before.confirmed
            others += before.acked is None
    cluster.lost = end
    return {"lost": len(lost), "confirmed_again": confirmed, "acked_again": acked, "unacked_again": others, "lost_rows": lost[:10]}


def overlap(stretches, since):
    """The longest stretch of two at once, in seconds; 0: none."""
    return max([end - begin + lab.WATCH_SECONDS for begin, end, _ in stretches if end >= since] or [0.0])


def cycle(cluster, name):
    wait(cluster.well, lambda: "all to be well: running %s, phases %r\nclient: %s" % (
        cluster.watch.running, [n.phase() for n in cluster.nodes], cluster.follower.text()[-500:]), LONGEST)
    active = cluster.active()
    started = time.time()
    heal, counts_from_mending = FAULTS[name](cluster, active)
    done = time.time()
    back = cluster.wait_row(done)
    heal()
    wait(cluster.well, "all to be well after " + name, LONGEST)
    result = account(cluster, name, started)
    seconds = back - done if counts_from_mending else cluster.longest_silence(started)
    result.update(fault=name, servers="java" if cluster.java else "obcanal", source=type(cluster.source).__name__,
                  seconds=seconds, moved=cluster.active() is not active, serving=overlap(cluster.watch.serving, started),
                  dumping=overlap(cluster.watch.dumping, started), reading=overlap(cluster.watch.reading, started), wrong=cluster.watch.wrong[:])
    cluster.watch.wrong.clear()
    return result


def is_bad(result):
    return result["servers"] == "obcanal" and bool(result["lost"] or result["confirmed_again"] or result["serving"] or
                                                   result["wrong"] or result["dumping"] > DUMPING_SECONDS)


def run(options):
    chance = random.Random(options.seed)
    results = []
    with network.Network() as net, obcanal.Scratch("cluster") as scratch:
        began = time.monotonic()
        cluster = Cluster(scratch, net, options)
        cluster.start()
        names = [n for n in options.faults.split(",") if cluster.clock or not n.startswith("clock")]
        plan = []
        while len(plan) < options.cycles:  # each as often as the others
            plan += chance.sample(names, len(names))
        plan = plan[:options.cycles] + (["zk-away"] if options.away else [])
        for number, name in enumerate(plan, 1):
            time.sleep(chance.uniform(0.2, 1.5))
            result = cycle(cluster, name)
            results.append(result)
            print("%3d %4.0f s %s" % (number, time.monotonic() - began, json.dumps(result)), flush=True)
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

    def spawn(count, faults, *others):
        files.append("%s.%d" % (options.results or "/tmp/obcanal-cluster-%d" % os.getpid(), len(files)))
        children.append(subprocess.Popen([sys.executable, os.path.abspath(__file__), "--cycles", str(count), "--seed",
                                          str(options.seed * 1000 + len(files) - 1), "--faults", faults, "--session",
                                          str(options.session), "--results", files[-1], *others] + ["--sanitized"] * options.sanitized +
                                         ([] if options.retry_interval is None else ["--retry-interval", str(options.retry_interval)])))
    for number in range(options.clusters):
        spawn(share + (number < more), options.faults, "--source", "logproxy" if number % 4 == 1 else options.source)
    if options.away:
        spawn(0, options.faults, "--away", str(options.away))
    if options.java:
        spawn(options.java, ",".join(JAVA_FAULTS), "--servers", "java")
    failed = [child.wait() for child in children]
    results = []
    for path in files:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results += [json.loads(line) for line in file]
    return results, failed


def table(results):
    """Seconds without a batch; rows lost, and come again though confirmed, acknowledged, or neither; the longest times of two at once."""
    lines = ["%-8s %-14s %4s %6s %6s %6s %5s %5s %9s %6s %7s %5s %7s %7s" % (
        "servers", "fault", "n", "min", "median", "max", "moved", "lost", "confirmed", "acked", "unacked", "wrong", "serving", "dumping")]
    for servers, name in [(s, n) for s in ("obcanal", "java") for n in FAULTS]:
        of = [r for r in results if r["fault"] == name and r["servers"] == servers]
        if not of:
            continue
        seconds = [r["seconds"] for r in of]
        lines.append("%-8s %-14s %4d %6.2f %6.2f %6.2f %5d %5d %9d %6d %7d %5d %7.2f %7.2f" % (
            servers, name, len(of), min(seconds), statistics.median(seconds), max(seconds), sum(r["moved"] for r in of),
            *[sum(r[what] for r in of) for what in ("lost", "confirmed_again", "acked_again", "unacked_again")],
            sum(len(r["wrong"]) for r in of), max(r["serving"] for r in of), max(r["dumping"] for r in of)))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default=",".join(name for name in FAULTS if name != "zk-away"))
    parser.add_argument("--source", choices=("binlog", "logproxy"), default="binlog")
    parser.add_argument("--servers", choices=("obcanal", "java"), default="obcanal")
    parser.add_argument("--java", type=int, default=0, help="cycles with two Java servers beside the others")
    parser.add_argument("--away", type=float, default=0, help="seconds that ZooKeeper is away, in one more cycle")
    parser.add_argument("--session", type=int, default=4000, help="milliseconds of a ZooKeeper session")
    parser.add_argument("--retry-interval", type=int, help="milliseconds that the client sleeps after each failure; its default is 5000")
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
        if options.clusters > 1 or options.java:
            results, failed = run_many(options)
        else:
            results = run(options)
    except network.NotPermitted as error:
        print("SKIPPED: no network namespaces here: %s" % error)
        return SKIPPED
    print(table(results))
    bad = [r for r in results if is_bad(r)]
    wanted = options.cycles + options.java + (options.away > 0)
    print("cluster: %d cycles, %d bad%s" % (len(results), len(bad), ", clusters ended with %r" % failed if any(failed) else ""))
    return 1 if bad or any(failed) or len(results) < wanted else 0


sys.exit(main())

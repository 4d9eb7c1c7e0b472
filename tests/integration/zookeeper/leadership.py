"""Who serves a destination, on a real ZooKeeper: stop, kill, a frozen server, other makers' servers, operators, sharing out.

leadership.py META_TOOL [--times]: --times prints how long take-overs took, for a machine that does nothing else.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
import zookeeper as zk  # noqa: E402
from zookeeper import TREE, wait  # noqa: E402

JAVA_DELAY = 5.0
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def client_of(server):
    client = wire.Client(server.port, password=None)
    client.subscribe()
    client.rollback()
    return client


class Watch:
    """How long something took that must be `within` seconds; generous, as others use the machine."""

    def __init__(self, what, within):
        self.what, self.within, self.began = what, within, time.monotonic()

    def ends(self):
        took = time.monotonic() - self.began
        if "--times" in sys.argv:
            print("%s: %.2f s" % (self.what, took))
        expect("%s within %g s" % (self.what, self.within), (took < self.within) or took, True)


def take_over(server, client_before, tree, watch):
    """The next batch of the one that takes over; it begins where the cursor is."""
    wait(server, "running")
    client = client_of(server)
    batch, entries = client.get(1, 5000)
    watch.ends()
    expect("who runs", tree.running(), server.address)
    client_before.close()
    return client, batch, entries


def ack_one(client, tree):
    """Acknowledges a batch; the next one, once the cursor is in ZooKeeper."""
    before = tree.offset()
    batch, _ = client.get(1, 5000)
    client.ack(batch)
    obcanal.wait_until(lambda: tree.offset() not in (None, before), "the cursor to move in ZooKeeper")
    return client.get(1, 5000)[1]


def left_over(server, tree):
    """A tree without an epoch, in which somebody has made `running` by hand."""
    tree.change("set", TREE + "/running", '{"active":true,"address":"10.9.8.7:11111"}')
    server.start()
    wait(server, "standby", "running belongs to no session, so that no server may serve: remove it")
    tree.change("remove", TREE + "/running")
    wait(server, "running")
    server.stop()


def stop_and_kill(first, second, tree):
    first.start()
    wait(first, "running")
    second.start()
    wait(second, "standby", "the server %s serves" % first.address)
    expect("candidates", sorted(name.rsplit("/", 1)[1] for name in tree.nodes() if TREE + "/cluster/" in name),
           sorted([first.address, second.address]))
    client = client_of(first)
    rest = ack_one(client, tree)
    first.process.send_signal(signal.SIGTERM)
    watch = Watch("the next batch after SIGTERM", JAVA_DELAY - 1)
    client, batch, entries = take_over(second, client, tree, watch)
    expect("from the cursor on", entries, rest)
    first.stop()

    first.start()
    wait(first, "standby")
    cursor = tree.offset()
    client.ack(batch)
    obcanal.wait_until(lambda: tree.offset() != cursor, "the cursor to move in ZooKeeper")
    rest = client.get(1, 5000)[1]
    second.kill()
    watch = Watch("the next batch after SIGKILL", zk.SESSION_MS / 1000 + 3 + 2)
    client, _, entries = take_over(first, client, tree, watch)
    expect("from the cursor on", entries, rest)
    client.close()


def guards():
    """The processes that watch over servers of this machine, by the server's pid."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat:
                name, _, rest = stat.read().partition(" (")[2].rpartition(") ")
        except OSError:
            continue  # it has ended meanwhile
        if name == "obcanal-guard" and rest[0] != "Z":
            found[int(rest.split()[1])] = int(pid)
    return found


def guarded(scratch, logproxy_port, tree):
    """A long session: a killed server's guard ends it, without a guard it is waited for."""
    session = 10.0
    names = ("guarded", "unguarded", "next")
    first, second, third = (zk.new_server(scratch, name, logproxy_port, tree, session_ms=int(session * 1000), **{
        "canal.zookeeper.guard": "false" if name == "unguarded" else "true"}) for name in names)
    first.start()
    wait(first, "running")
    second.start()
    wait(second, "standby")
    guard = guards()[first.process.pid]
    expect("a guard that is switched off", second.process.pid in guards(), False)
    client = client_of(first)
    rest = ack_one(client, tree)
    os.kill(guard, signal.SIGTERM)  # as a service manager does with all processes of a service
    first.kill()
    watch = Watch("the next batch after SIGKILL, guarded, a session of %g s" % session, session / 2)
    client, _, entries = take_over(second, client, tree, watch)
    expect("from the cursor on", entries, rest)
    obcanal.wait_until(lambda: not os.path.exists("/proc/%d" % guard), "the guard to end")

    third.start()
    wait(third, "standby")
    second.kill()
    began = time.monotonic()
    wait(third, "running")
    expect("it was waited for", time.monotonic() - began > session / 2, True)
    client.close()
    guard = guards()[third.process.pid]
    third.stop()
    obcanal.wait_until(lambda: not os.path.exists("/proc/%d" % guard), "the guard to end with its server")


def restarted_after_kill(server, tree):
    """Alone, and its own last session has not ended: it has not to be waited for."""
    server.kill()
    server.start()
    wait(server, "running")
    expect("the session of the last run", "last run has not ended" in server.text(server.offset), False)
    expect("who runs", tree.running(), server.address)


def frozen(active, other, tree):
    """Wakes after its session: hands out nothing, takes no ack, writes no cursor."""
    other.start()
    wait(other, "standby")
    stale = client_of(active)
    batch, _ = stale.get(1, 5000)
    active.process.send_signal(signal.SIGSTOP)
    try:
        wait(other, "running")
        client = client_of(other)
        ack_one(client, tree)
        cursor = tree.offset()
        stale.ack(batch)
        stale.ask(1, 1000)
    finally:
        active.process.send_signal(signal.SIGCONT)
    try:
        stale.answer()
        raise RuntimeError("a stale server handed out a batch")
    except wire.Refused as refusal:
        expect("the answer", "should start first" in refusal.text, True)
    wait(active, "standby", "the server %s serves" % other.address)
    expect("the cursor", tree.offset(), cursor)
    client.close()
    stale.close()


def demoted(active, other, tree):
    """As an operator, or canal-admin, asks a Java server."""
    client = client_of(active)
    batch, _ = client.get(1, 5000)
    client.ack(batch)
    tree.change("set", TREE + "/running", json.dumps({"active": False, "address": active.address}))
    watch = Watch("the next batch after a demotion", JAVA_DELAY - 1)
    client, _, _ = take_over(other, client, tree, watch)
    client.close()
    wait(active, "standby", "the server %s serves" % other.address)


def another_takes(active, tree):
    """The only server is stopped for a moment; meanwhile a Java server has the destination."""
    client = client_of(active)
    rest = client.get(1, 5000)
    cursor = tree.offset()
    active.process.send_signal(signal.SIGSTOP)
    try:
        tree.change("remove", TREE + "/running")
        java = tree.hold(TREE + "/running", '{"active":true,"address":"10.9.8.7:11111"}')
        client.ack(rest[0])
    finally:
        active.process.send_signal(signal.SIGCONT)
    wait(active, "standby", "the server 10.9.8.7:11111 serves")
    expect("the cursor", tree.offset(), cursor)
    epoch = tree.nodes()[TREE + "/epoch"]
    zk.release(java)
    watch = Watch("after a Java server, whose own delay is 5 s", 30)
    wait(active, "running")
    watch.ends()
    expect("it was waited for", time.monotonic() - watch.began > JAVA_DELAY - 1, True)
    expect("epoch", tree.nodes()[TREE + "/epoch"], epoch)
    client.close()
    client = client_of(active)
    batch, entries = client.get(1, 5000)
    expect("again, it was not acknowledged", entries, rest[1])
    return client, batch


def epoch_moved(active, client, batch, tree):
    """A cursor is not written when the epoch is not the term's."""
    cursor = tree.offset()
    since = len(active.text())
    tree.change("set", TREE + "/epoch", tree.nodes()[TREE + "/epoch"])
    client.ack(batch)
    obcanal.wait_until(lambda: "another server has taken over" in active.text(since), "the term to end")
    wait(active, "running")
    expect("the cursor", tree.offset(), cursor)
    client.close()


def wide_server(scratch, name, logproxy_port, tree, count):
    names = ["d%d" % i for i in range(count)]
    server = zk.new_server(scratch, name, logproxy_port, tree, **{"canal.destinations": ",".join(names)})
    for one in names:
        shutil.copytree(os.path.join(server.conf, "example"), os.path.join(server.conf, one))
    shutil.rmtree(os.path.join(server.conf, "example"))
    return server


def led(server):
    return sum(one["phase"] == "running" for one in zk.status(server).values())


def cluster_status(tree, *options):
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "status", "--zookeeper", tree.place] + list(options),
                          capture_output=True, text=True, timeout=60)
    expect("obcanal status: %s" % done.stderr, done.returncode, 0)
    return done.stdout


def shared_out(scratch, logproxy_port, tree):
    first = wide_server(scratch, "wide-first", logproxy_port, tree, 6).start()
    obcanal.wait_until(lambda: led(first) == 6, lambda: "all to be led, are %d" % led(first))
    client = wire.Client(first.port, password=None, destination="d0")
    client.subscribe()
    second = wide_server(scratch, "wide-second", logproxy_port, tree, 6).start()
    obcanal.wait_until(lambda: (led(first), led(second)) == (4, 2), lambda: "4 and 2, are %d and %d" % (led(first), led(second)))
    expect("one that is consumed stays", zk.status(first)["d0"]["phase"], "running")
    status = json.loads(cluster_status(tree, "--json"))
    expect("servers", status["servers"], sorted([first.address, second.address]))
    one = next(one for one in status["destinations"] if one["destination"] == "d0")
    expect("d0", (one["leader"], one["standby"], one["clients"][0]["id"]), (first.address, [second.address], "1001"))
    expect("table", "d0" in cluster_status(tree) and first.address in cluster_status(tree), True)
    cluster_status(tree, "--rebalance")
    obcanal.wait_until(lambda: (led(first), led(second)) == (3, 3), lambda: "3 each, are %d and %d" % (led(first), led(second)))
    client.close()
    second.stop()
    obcanal.wait_until(lambda: led(first) == 6, lambda: "all to be led, are %d" % led(first))
    first.stop()


def main():
    with obcanal.Scratch("leadership") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        tree = zk.Zookeeper(scratch.path, sys.argv[1]).start()
        try:
            first = zk.new_server(scratch, "first", logproxy.port, tree)
            second = zk.new_server(scratch, "second", logproxy.port, tree)
            left_over(first, tree)
            stop_and_kill(first, second, tree)
            restarted_after_kill(first, tree)
            frozen(first, second, tree)
            demoted(second, first, tree)
            second.stop()
            client, batch = another_takes(first, tree)
            epoch_moved(first, client, batch, tree)
            first.stop()
            shared_out(scratch, logproxy.port, tree)
            guarded(scratch, logproxy.port, tree)
        finally:
            tree.stop("--kill")
    print("leadership: %d checks" % checks)


main()

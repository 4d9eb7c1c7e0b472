"""Cursors in a real ZooKeeper: away at start and later, restarts and a second server, a tree that is protected.

zookeeper.py META_TOOL: what stands in ZooKeeper is read with `meta_tool nodes`.
"""
import json
import os
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

TREE = "/otter/canal/destinations/example"
SESSION_MS = 2000
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


class Zookeeper:
    def __init__(self, scratch):
        self.scripts = os.path.join(obcanal.SUPPORT, "services", "zookeeper")
        self.port, self.data = obcanal.free_port(), os.path.join(scratch, "zookeeper")
        self.first = ["--ports", str(self.port), "--tick", "500"]

    def run(self, script, *options):
        subprocess.run([os.path.join(self.scripts, script), "--data", self.data] + list(options), check=True, timeout=120)

    def start(self):
        self.run("start.sh", *self.first)
        self.first = []

    def stop(self):
        self.run("stop.sh")

    def meta_tool(self, command, path, chroot="", digest=""):
        done = subprocess.run([sys.argv[1], command, "zk:127.0.0.1:%d%s" % (self.port, chroot), path], capture_output=True,
                              text=True, timeout=60, env=dict(os.environ, **({"ZOOKEEPER_DIGEST": digest} if digest else {})))
        return done.returncode, done.stdout, done.stderr

    def nodes(self, chroot="", digest=""):
        _, text, _ = self.meta_tool("nodes", TREE, chroot, digest)
        return dict(line.split("\t", 1) for line in text.splitlines())

    def offset(self):
        """Of the cursor of client 1001, as text: (type, position)."""
        cursor = self.nodes().get(TREE + "/1001/cursor")
        if cursor is None:
            return None
        value = json.loads(cursor)
        expect("the first member", next(iter(value)), "@type")
        return value["postion"]["journalName"], value["postion"]["position"], value["postion"]["timestamp"], cursor


def new_server(scratch, name, logproxy, zookeeper, chroot="", instance=None, **keys):
    place = os.path.join(scratch.path, name)
    os.makedirs(place)
    metrics = obcanal.free_port()
    server = scratch.keep(obcanal.Server(place, logproxy and logproxy.port, password=None, instance=instance, server=dict({
        "canal.metrics.pull.port": metrics, "canal.zkServers": "127.0.0.1:%d%s" % (zookeeper.port, chroot),
        "canal.zookeeper.session.timeout": SESSION_MS, "canal.zookeeper.flush.period": 100,
        "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml"}, **keys)))
    server.metrics = metrics
    return server


def status(server):
    with urllib.request.urlopen("http://127.0.0.1:%d/status" % server.metrics, timeout=20) as answer:
        return json.load(answer)["destinations"][0]


def wait(server, phase, cause=""):
    def there():
        one = status(server)
        return one["phase"] == phase and cause in (one.get("failure") or "")
    obcanal.wait_until(there, lambda: "phase %s with %r, is %s" % (phase, cause, status(server)))


def refused(server, cause):
    try:
        wire.Client(server.port, password=None).subscribe()
        raise RuntimeError("a destination that is not served was subscribed")
    except wire.Refused as refusal:
        expect("the answer", "destination:example should start first" in refusal.text and cause in refusal.text, True)


def client_of(server):
    client = wire.Client(server.port, password=None)
    client.subscribe()
    client.rollback()
    return client


def ack_one(client, zookeeper):
    """Acknowledges the next entries; returns those after them when the cursor is in ZooKeeper."""
    before = zookeeper.offset()
    batch, _ = client.get(1, 5000)
    client.ack(batch)
    obcanal.wait_until(lambda: zookeeper.offset() not in (None, before), "the cursor to move in ZooKeeper")
    _, entries = client.get(1, 5000)
    expect("entries behind it", len(entries) > 0, True)
    return entries


def away_at_start(server, zookeeper):
    server.start()
    wait(server, "failed", "ZooKeeper at 127.0.0.1:%d does not answer" % zookeeper.port)
    refused(server, "")
    zookeeper.start()
    wait(server, "running")
    nodes = zookeeper.nodes()
    address = "127.0.0.1:%d" % server.port
    expect("running", nodes[TREE + "/running"], '{"active":true,"address":"%s"}' % address)
    expect("the cluster", TREE + "/cluster/" + address in nodes, True)


def restart(server, zookeeper):
    rest = ack_one(client_of(server), zookeeper)
    cursor = zookeeper.offset()
    server.stop()
    nodes = zookeeper.nodes()
    expect("left", [name for name in nodes if "running" in name or TREE + "/cluster/" in name], [])
    expect("the cursor stays", zookeeper.offset(), cursor)
    server.start()
    wait(server, "running")
    client = client_of(server)
    expect("from the cursor on", client.get(1, 5000)[1], rest)
    client.close()


def away_while_serving(server, zookeeper):
    client = client_of(server)
    batch, _ = client.get(1, 5000)
    zookeeper.stop()
    wait(server, "failed", "no word from ZooKeeper for the time of a session")
    refused(server, "another server may serve by now")
    try:
        client.ack(batch)
        client.get(1, 100)
        raise RuntimeError("an ack was taken that might be lost")
    except wire.Refused as refusal:
        expect("the answer", "no word from ZooKeeper" in refusal.text, True)
    zookeeper.start()
    wait(server, "running")
    return ack_one(client_of(server), zookeeper)


def second_server(scratch, first, logproxy, zookeeper, rest):
    second = new_server(scratch, "second", logproxy, zookeeper).start()
    wait(second, "failed", "the server 127.0.0.1:%d serves this destination" % first.port)
    refused(second, "")
    expect("one is active", status(first)["phase"], "running")
    first.stop()
    wait(second, "running")
    expect("who runs", json.loads(zookeeper.nodes()[TREE + "/running"])["address"], "127.0.0.1:%d" % second.port)
    client = client_of(second)
    expect("from the cursor on", client.get(1, 5000)[1], rest)
    client.unsubscribe()
    expect("nothing left of the client", [name for name in zookeeper.nodes() if "/1001" in name], [])
    second.stop()


def protected(scratch, logproxy, zookeeper):
    expect("chroot", zookeeper.meta_tool("make", "/secret")[0], 0)
    digest = {"canal.zookeeper.digest": "canal:of-the-tree"}
    owner = new_server(scratch, "owner", logproxy, zookeeper, "/secret", **digest).start()
    wait(owner, "running")
    client_of(owner).close()
    code, text, error = zookeeper.meta_tool("nodes", TREE, "/secret")
    expect("for others", (code, text, "not authenticated" in error), (1, "", True))
    expect("for its user", TREE + "/1001" in zookeeper.nodes("/secret", "canal:of-the-tree"), True)
    other = new_server(scratch, "other", logproxy, zookeeper, "/secret").start()
    wait(other, "failed", "the node is protected; canal.zookeeper.digest names the user")
    other.stop()
    owner.stop()
    lost = new_server(scratch, "lost", logproxy, zookeeper, "/none").start()
    wait(lost, "failed", "the chroot does not exist")
    lost.stop()


def main():
    with obcanal.Scratch("zookeeper") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        zookeeper = Zookeeper(scratch.path)
        try:
            server = new_server(scratch, "first", logproxy, zookeeper)
            away_at_start(server, zookeeper)
            restart(server, zookeeper)
            rest = away_while_serving(server, zookeeper)
            second_server(scratch, server, logproxy, zookeeper, rest)
            protected(scratch, logproxy, zookeeper)
        finally:
            zookeeper.run("stop.sh", "--kill")
    print("zookeeper: %d checks" % checks)


if __name__ == "__main__":
    main()

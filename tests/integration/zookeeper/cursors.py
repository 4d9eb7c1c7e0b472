"""Cursors in a real ZooKeeper: away at start and later, restarts and a second server, a tree that is protected.

cursors.py META_TOOL
"""
import json
import os
import select
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
from zookeeper import TREE, Zookeeper, new_server, status, wait  # noqa: E402

checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def refused(server):
    try:
        wire.Client(server.port, password=None).subscribe()
        raise RuntimeError("a destination that is not served was subscribed")
    except wire.Refused as refusal:
        expect("the answer", "destination:example should start first" in refusal.text, True)


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
    refused(server)
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
    wait(server, "failed", "ZooKeeper at 127.0.0.1:%d does not answer" % zookeeper.port)
    expect("why it ended", "no word from ZooKeeper for the time of a session" in server.text(), True)
    refused(server)
    try:
        client.ack(batch)
        client.get(1, 100)
        raise RuntimeError("an ack was taken that might be lost")
    except wire.Refused as refusal:
        expect("the answer", "destination:example should start first" in refusal.text, True)
    zookeeper.start()
    wait(server, "running")
    return ack_one(client_of(server), zookeeper)


def acks(scratch, logproxy, zookeeper):
    """With the answer to the next get an ack is in ZooKeeper; while that is silent there is none. Or with the period only."""
    server = new_server(scratch, "acks", logproxy.port, zookeeper, session_ms=10_000, **{"canal.zookeeper.flush.period": 60_000}).start()
    wait(server, "running")
    client = client_of(server)
    batch, _ = client.get(1, 5000)
    for _ in range(3):
        before = zookeeper.offset()
        client.ack(batch)
        batch, _ = client.get(1, 5000)
        expect("the cursor has moved", zookeeper.offset() not in (None, before), True)
    with open(os.path.join(zookeeper.data, "node1", "service.pid"), encoding="ascii") as file:
        pid = int(file.read())
    before = zookeeper.offset()
    os.kill(pid, signal.SIGSTOP)
    try:
        client.ack(batch)
        client.ask(1, 100)
        expect("an answer while ZooKeeper is silent", select.select([client.connection.socket], [], [], 1.0)[0], [])
    finally:
        os.kill(pid, signal.SIGCONT)
    expect("the answer", len(client.answer()[1]) > 0, True)
    expect("the cursor has moved", zookeeper.offset() != before, True)
    client.close()
    server.stop()
    server = new_server(scratch, "periodic", logproxy.port, zookeeper, **{
        "canal.zookeeper.flush.period": 60_000, "canal.zookeeper.ack": "periodic"}).start()
    wait(server, "running")
    before = zookeeper.offset()
    client = client_of(server)
    batch, _ = client.get(1, 5000)
    client.ack(batch)
    client.get(1, 5000)
    expect("the cursor waits for the period", zookeeper.offset(), before)
    server.stop()
    expect("or for the end", zookeeper.offset() != before, True)
    client.close()


def second_server(scratch, first, logproxy, zookeeper, rest):
    second = new_server(scratch, "second", logproxy.port, zookeeper).start()
    wait(second, "standby", "the server 127.0.0.1:%d serves this destination" % first.port)
    refused(second)
    expect("one is active", status(first)["example"]["phase"], "running")
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
    owner = new_server(scratch, "owner", logproxy.port, zookeeper, "/secret", **digest).start()
    wait(owner, "running")
    client_of(owner).close()
    code, text, error = zookeeper.meta_tool("nodes", TREE, chroot="/secret")
    expect("for others", (code, text, "not authenticated" in error), (1, "", True))
    expect("for its user", TREE + "/1001" in zookeeper.nodes("/secret", "canal:of-the-tree"), True)
    other = new_server(scratch, "other", logproxy.port, zookeeper, "/secret").start()
    wait(other, "failed", "the node is protected; canal.zookeeper.digest names the user")
    owner.stop()
    expect("remove", zookeeper.meta_tool("remove", "/otter", chroot="/secret", digest=digest["canal.zookeeper.digest"])[0], 0)
    wait(other, "running")  # nothing is left that it may not touch
    other.stop()
    lost = new_server(scratch, "lost", logproxy.port, zookeeper, "/none").start()
    wait(lost, "failed", "the chroot does not exist")
    expect("chroot", zookeeper.meta_tool("make", "/none")[0], 0)
    wait(lost, "running")
    lost.stop()


def older_tree(scratch, logproxy, zookeeper):
    """As old servers leave it: marks of open batches, fewer members in the cursor, a cursor that nobody can read."""
    cursor = json.loads(zookeeper.offset()[3])
    for member in ("gtid", "included", "serverId", "oblog"):
        cursor["postion"].pop(member, None)
    older = json.dumps(cursor)
    mark = {"@type": "com.alibaba.otter.canal.protocol.position.PositionRange", "start": cursor, "ack": cursor, "end": cursor}
    for path, data in (("/1001/mark/0000000001", json.dumps(mark)), ("/1001/cursor", "{half a curs"), ("/parse", older)):
        zookeeper.change("set", TREE + path, data)
    for node in ("/epoch", "/start"):
        zookeeper.change("remove", TREE + node)
    server = new_server(scratch, "later", logproxy.port, zookeeper).start()
    wait(server, "failed", "ZooKeeper %s/1001/cursor: " % TREE)
    refused(server)
    zookeeper.change("set", TREE + "/1001/cursor", older)
    wait(server, "running", seconds=60)
    client = client_of(server)
    batch, entries = client.get(1, 5000)
    client.ack(batch)
    expect("entries", len(entries) > 0 and len(client.get(1, 5000)[1]) > 0, True)
    expect("the cursor goes on", zookeeper.offset()[3] != older, True)
    client.close()
    server.stop()


def main():
    with obcanal.Scratch("zookeeper") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        zookeeper = Zookeeper(scratch.path, sys.argv[1])
        try:
            server = new_server(scratch, "first", logproxy.port, zookeeper)
            away_at_start(server, zookeeper)
            restart(server, zookeeper)
            rest = away_while_serving(server, zookeeper)
            second_server(scratch, server, logproxy, zookeeper, rest)
            protected(scratch, logproxy, zookeeper)
            zookeeper.change("remove", TREE)
            shop = scratch.keep(obcanal.LogProxy(scratch.path, [obcanal.fixture("oblog/shop.logmsg")])).start()
            acks(scratch, shop, zookeeper)
            older_tree(scratch, shop, zookeeper)
        finally:
            zookeeper.stop("--kill")
    print("cursors: %d checks" % checks)


main()

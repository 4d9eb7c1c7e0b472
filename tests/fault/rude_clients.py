"""rude_clients.py: clients that keep to the bytes of the protocol and not to its manners.

One that asks and does not read for long, one that acks in the wrong order, one that dies inside of a batch, and thousands
that come and go: nothing is lost, what is given back comes again, errors have the reference's texts, memory stays bounded.
"""
import multiprocessing
import os
import re
import select
import shutil
import socket
import struct
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

GROWTH_KIB = 32 * 1024
ASKED, FETCH = 1_000, 64  # KiB each
COMERS, VISITS = 4, 1_500
CHANNEL = r"something goes wrong with channel: \[id: 0x[0-9a-f]{8}, /127\.0\.0\.1:\d+ => /127\.0\.0\.1:\d+\], exception: "
META = CHANNEL + r"com\.alibaba\.otter\.canal\.meta\.exception\.CanalMetaManagerException: "
SERVER = CHANNEL + r"com\.alibaba\.otter\.canal\.server\.exception\.CanalServerException: "


class Broken(Exception):
    pass


def expect(what, good, seen):
    if not good:
        raise Broken("%s: %r" % (what, seen))


class World:
    def __init__(self, server, slack):
        self.server, self.slack = server, slack
        self.idle = server.rss_kib()

    def check_memory(self, what):
        grown = self.server.rss_kib("VmHWM") - self.idle
        print("%s: %.1f MiB more at the peak" % (what, grown / 1024))
        expect(what + ": KiB more", grown <= GROWTH_KIB * self.slack, grown)

    def metric(self, name):
        """The value of a series, labels included."""
        port = re.search(r"metrics_port=(\d+)", self.server.text()).group(1)
        with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=20) as page:
            text = page.read().decode()
        found = re.search("^" + re.escape(name) + r" (\S+)", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def served(self, destination):
        """Gets that were answered."""
        return self.metric('canal_instance_client_packets{destination="%s",packetType="GET"}' % destination)

    def stored(self, destination):
        """Entries that came into the ring."""
        return self.metric('canal_instance_store_produce_seq{destination="%s"}' % destination)

    def acked(self, destination):
        """Entries of the ring that are acknowledged."""
        return self.metric('canal_instance_store_consume_seq{destination="%s"}' % destination)

    def client(self, client_id, destination="example"):
        client = wire.Client(self.server.port, client_id=client_id, destination=destination)
        client.subscribe()
        return client


def whole_log(world):
    client = world.client(1)
    entries = []
    while True:
        batch, more = client.get(1_000, 500)
        if not more:
            break
        entries += more
    client.rollback()
    client.unsubscribe()
    client.close()
    return entries


def refused(client, what, pattern, code=400):
    """Acks and rollbacks have no answer; an error comes unasked for."""
    kind, body = client.connection.receive()
    expect(what, kind == wire.ACK, kind)
    got, text = wire.split_ack(body)
    expect(what, got == code and re.fullmatch(pattern, text, re.S), (got, text))


def wrong_order(world, log):
    client = world.client(1001)
    first, a = client.get(1, 2000)
    second, b = client.get(1, 2000)
    expect("two batches", (first, second) == (1, 2) and a + b == log[:len(a) + len(b)], (first, second))
    client.ack(second)
    refused(client, "ack of the second", META + r"batchId:2 is not the firstly:1\n")
    client.ack(77)
    refused(client, "ack of none", SERVER + r"ack error , clientId:1001 batchId:77 is not exist , please check\n")
    client.ack(0)
    refused(client, "ack of 0", r"batchId should assign value. Ack: destination: \"example\"\nclient_id: \"1001\"\n", 402)
    client.rollback(second)
    refused(client, "rollback of the second", META + r"batchId:2 is not the firstly:1\n")
    client.rollback(77)
    refused(client, "rollback of none", SERVER + r"rollback error, clientId:1001 batchId:77 is not exist , please check\n")
    # Nothing of this has moved anything.
    client.ack(first)
    third, c = client.get(1, 2000)
    expect("what follows", third == 3 and log[len(a) + len(b):][:len(c)] == c, third)
    client.ack(second)
    client.ack(third)
    client.rollback()
    fourth, d = client.get(1, 2000)
    expect("the acks in order have counted", log[len(a) + len(b) + len(c):][:len(d)] == d, fourth)
    client.rollback()
    client.unsubscribe()
    client.close()
    return len(a) + len(b) + len(c)


def dies(connection):
    """The way a killed process ends a connection with unread bytes."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def dies_inside(world, log, at):
    """Before, inside and behind a batch's bytes: the next one gets it after its rollback, and only then."""
    size = None
    for share in (0.0, 0.5, 1.0):
        client = world.client(1001)
        client.rollback()
        client.ask(100, 2000)
        if share:
            client.connection.fill(int(share * size) if share < 1 else 4)
            if share == 1:
                client.answer()
        else:
            select.select([client.connection.socket], [], [])
        dies(client.connection)
        client = world.client(1001)
        batch, more = client.get(100, 2000)
        expect("without a rollback it goes on behind what was handed out", more and more != log[at:at + len(more)], batch)
        client.rollback()
        batch, again = client.get(100, 2000)
        expect("and with one from there", again and again == log[at:at + len(again)], batch)
        size = sum(map(len, again))
        client.rollback()
        client.close()
    # One that waits for more than there is takes nothing with it.
    client = world.client(1001)
    client.rollback()
    client.ask(1_000_000, 60_000)
    dies(client.connection)
    client = world.client(1001)
    client.rollback()
    batch, again = client.get(100, 2000)
    expect("a waiting one that dies takes nothing", again == log[at:at + len(again)], batch)
    client.rollback()
    client.close()


def sent_ahead(world, log, at):
    """Gets that a session had sent ahead when it ended, or went silent, take nothing from the one that comes after it."""
    for silent in (False, True):
        old = world.client(1001)
        while old.get(1_000, 500)[1]:
            pass
        for _ in range(3):
            old.ask(1_000, 1_000)
        if not silent:
            old.close()
        new = world.client(1001)
        new.rollback()
        taken = new.get(1, 2_000)[1]
        other = world.client(1001, "other")
        while other.get(1_000, 500)[1]:
            pass
        for _ in range(3):  # as long as the old ones would have waited
            other.get(1, 1_000)
        other.rollback()
        other.close()
        taken += new.get(1, 2_000)[1]
        expect("everything in order (silent: %s)" % silent, taken == log[at:at + len(taken)], len(taken))
        if silent:
            expect("what the silent one had asked for", [old.answer() for _ in range(3)], "no answers")
            more = old.get(1, 2_000)[1]
            expect("as in the reference, it may go on", more and more == log[at + len(taken):][:len(more)], len(more))
            old.close()
        new.rollback()
        new.close()


def acks_and_leaves(world, log, at):
    """Acknowledges behind a get that finds nothing, and is gone before that has an answer."""
    client = world.client(1001)
    client.rollback()
    batch, entries = client.get(1, 2_000)
    expect("a batch", entries == log[at:at + len(entries)], batch)
    while client.get(1_000_000, 500)[1]:
        pass
    acked = world.acked("example")
    client.ask(1_000, 60_000)
    client.ack(batch)
    client.close()
    obcanal.wait_until(lambda: world.acked("example") > acked, "the ack to count")
    client = world.client(1001)
    client.rollback()
    again = client.get(1, 2_000)[1]
    at += len(entries)
    expect("what follows the one that was acknowledged", again == log[at:at + len(again)], len(again))
    client.rollback()
    client.close()
    return at


def stops_reading(world):
    """Asks 1,000 times for more than all buffers hold and reads nothing. The server must hold one answer, not all of them."""
    client = world.client(1001)
    # So that a slow source does not make small answers.
    obcanal.wait_until(lambda: world.stored("example") > 10_000, "the ring to be filled")
    for _ in range(ASKED):
        client.ask(FETCH)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        other = world.client(1001, "other")
        expect("another destination", other.get(1, 2000)[1], "nothing")
        other.rollback()
        other.close()
        time.sleep(0.05)
    world.check_memory("a client that reads nothing for 5 s")
    # Of 1,000 answers most are in nobody's buffer yet.
    expect("it waits for the client", world.served("example") < ASKED / 2, world.served("example"))
    taken = []
    for _ in range(ASKED):
        batch, entries = client.answer()
        taken += entries
        if batch != -1:
            client.ack(batch)
    client.get(1)  # no ack was refused
    client.close()
    other, expected = world.client(1001, "other"), []
    while len(expected) < len(taken):
        batch, entries = other.get(FETCH, 2000)
        expected += entries
        other.ack(batch)
    other.close()
    expect("enough to fill the buffers", len(taken) > 5_000, len(taken))
    expect("everything once and in order", taken == expected[:len(taken)], len(taken))


def visits(port, count, results):
    begin = time.monotonic()
    for _ in range(count):
        client = wire.Client(port, client_id=1003)
        client.subscribe()
        dies(client.connection)
    results.put(time.monotonic() - begin)


def comes_and_goes(world):
    count = VISITS // world.slack
    descriptors = "/proc/%d/fd" % world.server.process.pid
    before, results = len(os.listdir(descriptors)), multiprocessing.Queue()
    begin = time.monotonic()
    comers = [multiprocessing.Process(target=visits, args=(world.server.port, count, results)) for _ in range(COMERS)]
    for comer in comers:
        comer.start()
    for comer in comers:
        comer.join()
    expect("every visit was served", [comer.exitcode for comer in comers] == [0] * COMERS, [comer.exitcode for comer in comers])
    print("reconnects: %.0f a second" % (COMERS * count / (time.monotonic() - begin)))
    obcanal.wait_until(lambda: len(os.listdir(descriptors)) <= before, "their connections to be gone", 10)
    world.check_memory("%d reconnects" % (COMERS * count))


def start(scratch, name, *options):
    """A server with the destinations example and other, and a log proxy of its own."""
    folder = os.path.join(scratch.path, name)
    os.mkdir(folder)
    logproxy = scratch.keep(obcanal.LogProxy(folder, [obcanal.fixture("oblog/shop.logmsg")], options)).start()
    server = scratch.keep(obcanal.Server(folder, logproxy.port, server={
        "canal.destinations": "example,other", "canal.metrics.pull.port": obcanal.free_port()}))
    shutil.copytree(os.path.join(server.conf, "example"), os.path.join(server.conf, "other"))
    return server.start()


def main():
    slack = 8 if "--sanitized" in sys.argv else 1
    with obcanal.Scratch("rude-clients") as scratch:
        stops_reading(World(start(scratch, "endless", "--loop"), slack))
        world = World(start(scratch, "once"), slack)
        log = whole_log(world)
        at = wrong_order(world, log)
        dies_inside(world, log, at)
        sent_ahead(world, log, at)
        at = acks_and_leaves(world, log, at)
        comes_and_goes(world)
        client = world.client(1001)
        client.rollback()
        rest = []
        while at + len(rest) < len(log):
            batch, entries = client.get(1_000, 2_000)
            expect("the rest", entries, batch)
            rest += entries
            client.ack(batch)
        expect("the rest of the log", rest == log[at:], len(rest))
        print("rude_clients: %d entries, none lost" % len(log))


main()

"""cuts.py source|client [STRIDE]: connections cut at every byte of their first 4 KiB, and at random later ones.

source: between server and log proxy, both directions; every entry must arrive once, in order.
client: between client and server; nothing may be lost, and only unacked entries may come again.
STRIDE n takes every n-th byte only (for the builds that are slow).
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
from cutting_proxy import CuttingProxy, FROM_CLIENT, FROM_SERVER  # noqa: E402
from delivery import QUICK_RETRIES, Broken, Delivery, drain, read_log  # noqa: E402

FIRST_BYTES = 4096
HANDSHAKE_BYTES = 256  # what the server sends to the log proxy is longer, so that each of these cuts comes
LATER_CUTS = 150
SEED = 20240501
ITEMS = {"canal.instance.memory.batch.mode": "ITEMSIZE"}
# A cut moves the log on by what came before it: so many rounds, each on a new server, that no round is over before its cuts.
ROUNDS = 8


def reference(scratch, folder, logproxy_port):
    """What a server delivers when nothing is cut."""
    folder = os.path.join(folder, "reference")
    os.mkdir(folder)
    whole = scratch.keep(obcanal.Server(folder, logproxy_port, instance=ITEMS)).start()
    entries = read_log(whole.port)
    whole.stop()
    return entries


def cut_source(scratch, stride):
    log = obcanal.fixture("oblog/shop.logmsg")
    later = random.Random(SEED)
    planned = reached = 0
    for compression, later_bytes in (("none", 60_000), ("lz4", 12_000)):
        folder = os.path.join(scratch.path, compression)
        os.mkdir(folder)
        logproxy = scratch.keep(obcanal.LogProxy(folder, [log], ["--compress", compression])).start()
        entries = reference(scratch, folder, logproxy.port)
        for number in range(ROUNDS):
            plan = [(FROM_SERVER, at) for at in range(number * stride, FIRST_BYTES, ROUNDS * stride)]
            plan += [(FROM_CLIENT, at) for at in range(number * stride, HANDSHAKE_BYTES, ROUNDS * stride)]
            later.shuffle(plan)
            plan += [(FROM_SERVER, later.randint(FIRST_BYTES, later_bytes)) for _ in range(LATER_CUTS // ROUNDS // stride + 1)]
            proxy = CuttingProxy(logproxy.port, plan)
            proxy.start()
            place = os.path.join(folder, str(number))
            os.mkdir(place)
            server = scratch.keep(obcanal.Server(place, proxy.port, instance={**ITEMS, **QUICK_RETRIES})).start()
            delivery = Delivery(entries)
            follow(server.port, delivery, proxy)
            server.stop()
            proxy.stop()
            planned += len(plan)
            reached += proxy.reached
        logproxy.stop()
    # The last cuts of a round may come too late, when the log is over.
    if reached < planned * 0.9:
        raise Broken("only %d of %d cuts came at their byte" % (reached, planned))
    return "connections to the log proxy cut: %d (%d planned)" % (reached, planned)


def follow(port, delivery, proxy):
    """Acks everything while the source's connection is cut; with the server alive nothing may come twice."""
    client = wire.Client(port)
    client.subscribe()
    last = time.monotonic()
    while not delivery.complete():
        if proxy.failure:
            raise proxy.failure
        batch, entries = client.get(500, 500)
        if entries:
            delivery.batch(entries)
            client.ack(batch)
            delivery.acked()
            last = time.monotonic()
        else:
            delivery.answered()
        if time.monotonic() - last > 60 and not proxy.planned():
            raise Broken("nothing for 60 s, entry %d of %d was to come" % (delivery.position, len(delivery.entries)))
    _, extra = client.get(500, 300)
    if extra:
        raise Broken("%d entries after the last one" % len(extra))
    client.close()


def session(port, delivery, choice, limit=None, send_limit=None):
    """A client that goes on until its connection is cut."""
    delivery.new_connection()
    client = wire.Client(port, limit=limit, send_limit=send_limit)
    try:
        client.rollback()
        client.subscribe()
        while True:
            batch, entries = client.get(choice.randint(1, 5))
            if not delivery.resuming:
                delivery.answered()
            if entries:
                delivery.batch(entries)
                # Few acks: the log must not be over before the cuts are.
                if choice.random() < 0.03:
                    client.ack(batch)
                    delivery.acked()
                else:
                    client.rollback(batch)
                    delivery.position -= len(entries)
    finally:
        client.close()


def cut_client(scratch, stride):
    choice = random.Random(SEED)
    logproxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
    entries = reference(scratch, scratch.path, logproxy.port)
    server = scratch.server(logproxy.port, instance=ITEMS)
    delivery = Delivery(entries)
    plan = [(at, None) for at in range(0, FIRST_BYTES, stride)] + [(None, at) for at in range(0, 1024, stride)]
    choice.shuffle(plan)
    plan += [(choice.randint(FIRST_BYTES, 60_000), None) for _ in range(LATER_CUTS // stride)]
    for limit, send_limit in plan:
        try:
            session(server.port, delivery, choice, limit, send_limit)
        except wire.Closed as closed:
            if "cut after" not in str(closed):
                raise Broken("cut planned at %s, but: %s" % ((limit, send_limit), closed)) from closed
    acked = delivery.confirmed
    drain(server.port, delivery, 1000)
    return "connections of the client cut: %d, entries=%d acked_in_between=%d" % (len(plan), len(entries), acked)


def main():
    side = sys.argv[1]
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.monotonic()
    with obcanal.Scratch("cuts") as scratch:
        told = cut_source(scratch, stride) if side == "source" else cut_client(scratch, stride)
    print("%s, %.1f s" % (told, time.monotonic() - started))


main()

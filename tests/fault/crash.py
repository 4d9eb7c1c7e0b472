"""crash.py [KILLS [SEED]]: the server is killed (SIGKILL) again and again during one replay with a client that acks.

Every row must arrive, in the log's order, and no acked batch may come again. Half of the kills come at a random time after
the start, half at a random point of the client's dialogue.
"""
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
from delivery import Delivery, drain, read_log  # noqa: E402

ITEMS = {"canal.instance.memory.batch.mode": "ITEMSIZE"}


def recorded_rows():
    with open(obcanal.fixture("oblog/shop.jsonl"), encoding="utf-8") as file:
        return sum(1 for line in file if json.loads(line)["op"] in ("INSERT", "UPDATE", "DELETE"))


def talk(port, delivery, moment, kill, batches):
    """One connection of the client; kill() at `moment` of its last batch."""
    client = wire.Client(port)
    delivery.new_connection()
    client.subscribe()
    client.rollback()
    for number in range(batches):
        last = number == batches - 1
        client.ask(moment.randint(1, 40), 2000)
        if last and moment.random() < 0.25:
            time.sleep(moment.random() * 0.002)
            kill()
        batch, entries = client.answer()
        if not delivery.resuming:
            delivery.answered()
        if not entries:
            return
        delivery.batch(entries)
        if last and moment.random() < 0.25:
            kill()
        client.ack(batch)
        delivery.acked()
        if last and moment.random() < 0.5:
            time.sleep(moment.random() * 0.003)
            kill()
    kill()


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20240501
    moment = random.Random(seed)
    with obcanal.Scratch("crash") as scratch:
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        reference = os.path.join(scratch.path, "reference")
        os.mkdir(reference)
        whole = scratch.keep(obcanal.Server(reference, proxy.port, instance=ITEMS)).start()
        entries = read_log(whole.port)
        whole.stop()
        rows = sum(1 for entry in entries if wire.entry_kind(entry) == 2) - sum(1 for e in entries if is_ddl(e))
        if rows != recorded_rows():
            raise SystemExit("%d row entries, the recording has %d rows" % (rows, recorded_rows()))

        delivery = Delivery(entries)
        server = scratch.keep(obcanal.Server(scratch.path, proxy.port, instance=ITEMS))
        killed = 0
        started = time.monotonic()
        while killed < kills and not delivery.complete():
            server.spawn()
            timer = None
            if moment.random() < 0.5:
                timer = threading.Timer(moment.random() * 0.15, server.process.kill)
                timer.start()
            try:
                server.wait_ready(lambda: obcanal.port_open(server.port))
                talk(server.port, delivery, moment, server.process.kill, moment.randint(1, 3))
            except (wire.Closed, ConnectionError, RuntimeError) as ended:
                if isinstance(ended, RuntimeError) and "ended with -9" not in str(ended):
                    raise
            server.process.kill()
            server.process.wait()
            if timer:
                timer.cancel()
            killed += 1
            server.check_log()
        seconds = time.monotonic() - started
        acked = delivery.confirmed
        server.start()
        drain(server.port, delivery, 1000)
        print("seed=%d kills=%d seconds=%.1f entries=%d rows=%d acked_before_the_last_start=%d unacked_that_came_again=%d" % (
            seed, killed, seconds, len(entries), rows, acked, delivery.repeated))
        if killed < kills:
            raise SystemExit("the log was over after %d kills" % killed)


def is_ddl(entry):
    if wire.entry_kind(entry) != 2:
        return False
    change = next(value for field, value in wire.fields(entry) if field == 3)
    return any(field == 10 and value for field, value in wire.fields(change))


main()

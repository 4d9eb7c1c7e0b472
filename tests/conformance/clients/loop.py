"""loop.py PORT ROWS: subscribe, get, ack, rollback and delivery again, with the canal-python package; runs in its environment."""
import sys
import time

from canal.client import Client
from canal.protocol import EntryProtocol_pb2 as entries_pb2

PORT, ROWS = int(sys.argv[1]), int(sys.argv[2])


def connect():
    client = Client()
    client.connect("127.0.0.1", PORT)
    client.check_valid(b"", b"")
    client.subscribe(b"1001", b"example", b".*\\..*")  # gives back what is open, then subscribes
    return client


def get(client, size):
    """The next batch; polls, because the package's get never waits."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        message = client.get_without_ack(size)
        if message["entries"]:
            return message["id"], [entry.SerializeToString() for entry in message["entries"]]
        time.sleep(0.002)
    sys.exit("nothing came for 20 s")


def expect(what, ours, expected):
    if ours != expected:
        sys.exit("%s: %r, expected %r" % (what, ours, expected))
    print("ok: %s" % what)


def rows(entry):
    parsed = entries_pb2.Entry.FromString(entry)
    if parsed.entryType != entries_pb2.EntryType.ROWDATA:
        return 0
    return len(entries_pb2.RowChange.FromString(parsed.storeValue).rowDatas)


client = connect()
first, a = get(client, 1)
second, b = get(client, 1)
expect("batch ids count from 1", (first, second), (1, 2))
client.rollback(0)
third, again = get(client, 1)
expect("a rollback gives everything open again", again[:len(a)], a)
expect("under a new id", third, 3)
client.ack(third)
fourth, after = get(client, 1)
taken = again + after
expect("what was acked does not come again", again + after == a + b or (a + b)[:len(taken)] == taken, True)
client.disconnect()

client = connect()
fifth, redelivered = get(client, 1)
expect("another connection gets what was open", redelivered[:len(after)], after)
client.rollback(fifth)
sixth, redelivered = get(client, 1)
expect("a rollback of one batch gives it again", redelivered[:len(after)], after)
seen = sum(map(rows, again))
while True:
    seen += sum(map(rows, redelivered))
    client.ack(sixth)
    if seen >= ROWS:
        break
    sixth, redelivered = get(client, 200)
expect("rows of the whole log", seen, ROWS)
client.disconnect()

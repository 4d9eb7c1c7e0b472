"""replay.py: recorded sessions of the Java, Go and Python clients with the Java server, replayed against ours.

Every frame of the client is sent as it was recorded (the login token apart, which depends on the server's seed), and every
answer must be what the Java server answered: the same packet type, the same bytes for ACK and for empty MESSAGES (addresses
and channel ids masked), the same batch id. The rows are of another source, so a batch's entries are compared with what the
server has to deliver, in order and without a gap.
"""
import math
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

# Sessions that were recorded with a wrong password: their token is sent as it is.
WRONG_PASSWORD = {"go-badpw", "java-authfail", "python-rawpw"}
SESSIONS = ("java", "java-authfail", "java-baddest", "go", "go-badpw", "python", "python-rawpw")
# The Go and Python sessions take all entries in five batches of 100 units, the Java session in slices of 5 and one of 100000.
BATCHES, FETCH = 5, 100
ADDRESSES = re.compile(r"\[id: 0x[0-9a-f]{8}, /127\.0\.0\.1:\d+ => /127\.0\.0\.1:\d+\]")


class Different(Exception):
    pass


def recorded(name, direction):
    with open(obcanal.fixture("binlog/sessions/%s.%s.bin" % (name, direction)), "rb") as file:
        return [wire.split_packet(frame) + (frame,) for frame in wire.frames(file.read())]


def answers(kind, body):
    """How many answers a request of the recorded session got."""
    destination = next((value for field, value in wire.fields(body) if field == 1), b"")
    if kind in (wire.CLIENTACK, wire.CLIENTROLLBACK):
        return 1 if destination == b"nosuch" else 0
    return 1


def masked(frame):
    kind, body = wire.split_packet(frame)
    code, text = wire.split_ack(body)
    return kind, code, ADDRESSES.sub("CHANNEL", text)


def compare(theirs, ours):
    kind = theirs[0]
    if ours[0] != kind:
        raise Different("%s instead of %s" % (wire.NAMES.get(ours[0], ours[0]), wire.NAMES[kind]))
    if kind == wire.HANDSHAKE:
        if len(ours[2]) != len(theirs[2]) or ours[2][:-8] != theirs[2][:-8]:
            raise Different("handshake %s, recorded %s" % (ours[2].hex(), theirs[2].hex()))
    elif kind == wire.ACK:
        # With an address in it the text may be longer or shorter; without one every byte is the same.
        if masked(ours[2]) != masked(theirs[2]) or (b"[id: " not in theirs[2] and ours[2] != theirs[2]):
            raise Different("%r, recorded %r" % (ours[2], theirs[2]))
    elif kind == wire.MESSAGES:
        batch, entries = wire.split_messages(ours[1])
        recorded_batch, recorded_entries = wire.split_messages(theirs[1])
        if batch != recorded_batch or bool(entries) != bool(recorded_entries):
            raise Different("batch %d with %d entries, recorded %d with %d" % (
                batch, len(entries), recorded_batch, len(recorded_entries)))
        if not entries and ours[2] != theirs[2]:
            raise Different("empty batch %s, recorded %s" % (ours[2].hex(), theirs[2].hex()))
        if entries:
            body = wire.number_field(1, batch) + b"".join(wire.bytes_field(2, entry) for entry in entries)
            if ours[2] != wire.number_field(3, wire.MESSAGES) + wire.bytes_field(5, body):
                raise Different("batch %d is not encoded as Java encodes it" % batch)
    else:
        raise Different("a recorded answer of type %d" % kind)


class Delivery:
    """What the session's gets, acks and rollbacks have to give, from a list of all entries."""

    def __init__(self, entries):
        self.entries, self.acked, self.got, self.open = entries, 0, 0, {}

    def batch(self, number, entries):
        if entries != self.entries[self.got:self.got + len(entries)]:
            raise Different("batch %d does not go on at entry %d" % (number, self.got))
        self.open[number] = (self.got, self.got + len(entries))
        self.got += len(entries)

    def ack(self, number):
        if number in self.open:
            self.acked = self.open.pop(number)[1]

    def rollback(self):
        self.got = self.acked
        self.open.clear()


def replay(name, port, delivery):
    expected = recorded(name, "s2c")
    connection = wire.Connection(port)
    started = time.monotonic()
    handshake = connection.frame()
    compare(expected.pop(0), wire.split_packet(handshake) + (handshake,))
    seed = next(value for field, value in wire.fields(wire.split_packet(handshake)[1]) if field == 2)
    requests = recorded(name, "c2s")
    for number, (kind, body, frame) in enumerate(requests):
        if kind == wire.AUTH and name not in WRONG_PASSWORD:
            token = next(value for field, value in wire.fields(body) if field == 2)
            frame = frame.replace(token, wire.scramble("canal", seed))
        connection.send(len(frame).to_bytes(4, "big") + frame)
        if kind == wire.CLIENTACK:
            delivery.ack(wire.signed(dict(wire.fields(body))[3]))
        elif kind == wire.CLIENTROLLBACK:
            delivery.rollback()
        for _ in range(min(answers(kind, body), len(expected))):
            answer = connection.frame()
            ours = wire.split_packet(answer) + (answer,)
            try:
                compare(expected.pop(0), ours)
                if ours[0] == wire.MESSAGES and len(wire.split_messages(ours[1])[1]):
                    delivery.batch(*wire.split_messages(ours[1]))
            except Different as different:
                raise Different("%s, answer to request %d (%s): %s" % (name, number, wire.NAMES[kind], different))
    if expected:
        raise Different("%s: %d recorded answers were not met" % (name, len(expected)))
    # Nothing more may come, whether the server closes by itself (a password it can't read) or after us.
    if name != "python-rawpw":
        connection.socket.shutdown(1)
    try:
        extra = connection.frame()
        raise Different("%s: unexpected %r at the end" % (name, extra[:80]))
    except wire.Closed:
        pass
    connection.close()
    print("%-14s %4d requests, same answers, %.2f s" % (name, len(requests), time.monotonic() - started))


def all_entries(port):
    """Every entry of the source, read by another client id and given back."""
    client = wire.Client(port, client_id=1002)
    client.subscribe()
    entries, idle = [], 0
    while idle < 3:
        _, batch = client.get(100_000, 200)
        entries += batch
        idle = 0 if batch else idle + 1
    client.rollback()
    client.unsubscribe()
    client.close()
    return entries


def main():
    with obcanal.Scratch("sessions") as scratch:
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        probe = scratch.server(proxy.port)
        total = sum(len(entry) for entry in all_entries(probe.port))
        probe.stop()
        # So that the source's entries make as many batches as the recorded ones made.
        unit = math.ceil(total / ((BATCHES - 0.5) * FETCH))
        for name in SESSIONS:
            folder = os.path.join(scratch.path, name)
            os.mkdir(folder)
            server = scratch.keep(obcanal.Server(folder, proxy.port, instance={
                "canal.instance.memory.buffer.memunit": unit})).start()
            entries = all_entries(server.port)
            delivery = Delivery(entries)
            replay(name, server.port, delivery)
            if name in ("java", "go", "python") and delivery.acked != len(entries):
                raise Different("%s: %d of %d entries were acked" % (name, delivery.acked, len(entries)))
            server.stop()


main()

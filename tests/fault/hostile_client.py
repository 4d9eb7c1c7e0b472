"""hostile_client.py: bytes and behaviour that no client has, at the client port.

After each group the process must live, serve a good client at once, keep its memory within a bound, and have named the
cause in its log without repeating it for every connection.
"""
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

SEED = 20240501
SILENT = 10_000
LOGIN_SECONDS = 10  # a connection without a login is ended after that
HUGE = (1 << 31, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, -1, -(1 << 31), 0)
# Beyond what the ring holds: sockets, frames in hand, the allocator's reserve.
GROWTH_KIB = 48 * 1024


class Broken(Exception):
    pass


class Target:
    """The server under attack."""

    def __init__(self, server, slack):
        self.server, self.slack, self.idle_kib = server, slack, server.rss_kib()

    def check(self, what, causes=(), most_lines=8, since=0):
        if not self.server.alive():
            raise Broken("%s: the server died:\n%s" % (what, self.server.text()[-3000:]))
        started = time.monotonic()
        client = wire.Client(self.server.port)
        client.subscribe()
        batch, entries = client.get(10, 20000)
        if not entries:
            raise Broken("%s: a good client got nothing" % what)
        client.rollback()
        client.unsubscribe()
        client.close()
        answered = time.monotonic() - started
        kib = self.server.rss_kib()
        if kib > self.idle_kib + GROWTH_KIB * self.slack:
            raise Broken("%s: %d KiB, %d KiB before" % (what, kib, self.idle_kib))
        log = self.server.text(since)
        # The audit trail has a line for each login, up to its own limit: it is not what names causes.
        lines = [line for line in log.splitlines() if (" warn" in line or " error" in line) and " audit " not in line]
        for cause in causes:
            if cause not in log:
                raise Broken("%s: the log does not say '%s':\n%s" % (what, cause, log[-3000:]))
        if len(lines) > most_lines:
            raise Broken("%s: %d lines in the log:\n%s" % (what, len(lines), "\n".join(lines[:20])))
        print("%-44s rss=%.1f MiB, a good client served in %.1f ms, log lines=%d" % (
            what, kib / 1024, answered * 1000, len(lines)), flush=True)


def shut(connection):
    """Reads until the server ends the connection; Broken when it does not."""
    connection.socket.settimeout(15)
    try:
        while True:
            connection.frame()
    except wire.Closed:
        connection.close()
    except socket.timeout:
        raise Broken("the server kept a connection whose bytes make no sense") from None


def logged_in(port, subscribed=True):
    client = wire.Client(port, client_id=1003)
    if subscribed:
        client.subscribe()
    return client


def frame_lengths(port):
    """Lengths of up to 4 GiB, before and after the login; no buffer of that size may be made."""
    for length in (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFFFF0, 64 << 20):
        for data in (struct.pack(">I", length), struct.pack(">I", length) + b"\0" * 100_000):
            connection = wire.Connection(port)
            connection.frame()
            send_all(connection, data)
            shut(connection)
            client = logged_in(port)
            send_all(client.connection, data)
            shut(client.connection)


def send_all(connection, data):
    """The server may close in the middle of what is sent to it."""
    try:
        connection.send(data)
    except wire.Closed:
        pass


def truncated_protobuf(port):
    """A Packet whose bytes end too early, or whose inner lengths point beyond them."""
    good = wire.packet(wire.SUBSCRIPTION, wire.identity("example", 1003))[4:]
    for size in range(1, len(good)):
        client = logged_in(port, False)
        send_all(client.connection, struct.pack(">I", size) + good[:size])
        client.connection.socket.shutdown(socket.SHUT_WR)
        shut(client.connection)
    for inner in (b"\x2a\xff\xff\xff\xff\x0f", b"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x2a\x80", b"\x0f", b"\xff" * 12):
        client = logged_in(port, False)
        send_all(client.connection, struct.pack(">I", len(inner)) + inner)
        client.connection.socket.shutdown(socket.SHUT_WR)
        shut(client.connection)


def bad_bodies(port):
    """A good Packet with a body that is none: answered with an error, and the connection goes on."""
    client = logged_in(port)
    for kind in (wire.SUBSCRIPTION, wire.UNSUBSCRIPTION, wire.GET, wire.CLIENTACK, wire.CLIENTROLLBACK):
        for body in (b"\x0a\x7f", b"\x0a\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0b", b""):
            client.connection.send(wire.packet(kind, body))
            answer, text = client.connection.receive()
            if answer != wire.ACK or not wire.split_ack(text)[0]:
                raise Broken("%s with body %s: answered with %s" % (wire.NAMES[kind], body.hex(), wire.NAMES.get(answer, answer)))
    batch, _ = client.get(1)
    client.rollback(batch)
    client.close()


def unknown_types(port):
    """Packet types that are for servers only, or that nobody knows."""
    client = logged_in(port)
    for kind in (0, wire.HANDSHAKE, wire.ACK, wire.MESSAGES, 9, 10, 11, 13, 99, 1 << 20, (1 << 31) - 1, 1 << 40):
        client.connection.send(wire.packet(kind, b"\x08\x01"))
        answer, body = client.connection.receive()
        code, text = wire.split_ack(body)
        if answer != wire.ACK or code != 400 or "is NOT supported" not in text:
            raise Broken("type %d: answered with %s %d '%s'" % (kind, wire.NAMES.get(answer, answer), code, text))
    client.close()


def huge_gets(port):
    """Fetch sizes and timeouts at the ends of their ranges."""
    client = logged_in(port)
    for fetch in HUGE:
        for timeout in (-1, 1):
            for unit in (2, 99, -1):
                client.ask(fetch, timeout, unit)
                kind, body = client.connection.receive()
                if kind == wire.MESSAGES:
                    client.rollback()
                elif kind != wire.ACK or wire.split_ack(body)[0] != 400:
                    raise Broken("get(%d, %d, %d) answered with %s" % (fetch, timeout, unit, kind))
    for number in HUGE:
        if number not in (-1, 0):
            client.ack(number)
            kind, body = client.connection.receive()
            if kind != wire.ACK or wire.split_ack(body)[0] != 400:
                raise Broken("ack(%d) answered with %s %r" % (number, kind, body))
    client.close()


def names_and_ids(port):
    """Names of a megabyte, client ids that are no numbers, NUL bytes and bytes that are no UTF-8."""
    for name in (b"x" * (1 << 20), b"../../etc/passwd", b"\0\0", b"\xff\xfe\xfd", b"example\n2026 error all is lost"):
        for client_id in (b"1001", b"70000", b"-40000", b"1e9", b"", b"9" * 100_000):
            client = logged_in(port, False)
            body = wire.bytes_field(1, name) + wire.bytes_field(2, client_id) + wire.bytes_field(7, b".*" * 1000)
            send_all(client.connection, wire.packet(wire.SUBSCRIPTION, body))
            kind, answer = client.connection.receive()
            if kind != wire.ACK or not wire.split_ack(answer)[0]:
                raise Broken("subscription of %r was accepted" % name[:30])
            client.close()
    for pattern in (b"(" * 50_000, b"((a+)+)+$", b"[" + b"a" * 60_000, b"(?:" + b"a|" * 30_000 + b"a)"):
        client = logged_in(port, False)
        body = wire.identity("example", 1004) + wire.bytes_field(7, pattern)
        send_all(client.connection, wire.packet(wire.SUBSCRIPTION, body))
        client.connection.receive()
        send_all(client.connection, wire.packet(wire.UNSUBSCRIPTION, wire.identity("example", 1004)))
        client.connection.receive()
        client.close()


def wrong_passwords(port):
    """Requests behind a failed login are never served, not even when they come in the same segment."""
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "tools", "login_bypass.py")
    done = subprocess.run([sys.executable, tool, str(port)], capture_output=True, text=True)
    if done.returncode:
        raise Broken("login_bypass.py: %s%s" % (done.stdout, done.stderr))
    for _ in range(200):
        try:
            wire.Client(port, password="wrong")
            raise Broken("a wrong password was accepted")
        except wire.Refused as refused:
            if refused.text != "auth failed for user:canal":
                raise Broken("refused with '%s'" % refused.text) from None


def garbage(port):
    """Recorded sessions with bytes flipped, cut out and put in; whatever comes back, the server goes on."""
    choice = random.Random(SEED)
    recorded = []
    for name in ("java", "python", "java-baddest"):
        with open(obcanal.fixture("binlog/sessions/%s.c2s.bin" % name), "rb") as file:
            recorded.append(file.read(4000))
    for _ in range(1500):
        data = bytearray(choice.choice(recorded))
        for _ in range(choice.randint(1, 6)):
            at = choice.randrange(len(data))
            kind = choice.random()
            if kind < 0.6:
                data[at] = choice.randrange(256)
            elif kind < 0.8:
                del data[at:at + choice.randint(1, 20)]
            else:
                data[at:at] = choice.randbytes(choice.randint(1, 20))
        connection = wire.Connection(port)
        try:
            seed = dict(wire.fields(wire.split_packet(connection.frame())[1]))[2]
            # Behind a good login the bytes reach the requests' handlers.
            if choice.random() < 0.7:
                connection.send(wire.packet(wire.AUTH, wire.auth_body("canal", wire.scramble("canal", seed))))
                connection.frame()
                data = data[67:]
            connection.send(bytes(data))
        except wire.Closed:
            pass
        connection.close()
    # What the garbage may have subscribed or left open.
    client = logged_in(port)
    client.rollback()
    client.unsubscribe()
    client.close()


def slow_loris(port):
    """Logins that come a byte at a time: ended when the time for a login is over."""
    connections = [wire.Connection(port) for _ in range(300)]
    login = wire.packet(wire.AUTH, wire.auth_body("canal", b"00" * 20))
    started = time.monotonic()
    ended = 0
    for byte in login:
        for connection in list(connections):
            try:
                connection.socket.send(bytes([byte]))
            except (BrokenPipeError, ConnectionResetError):
                connections.remove(connection)
                ended += 1
        if not connections:
            break
        time.sleep(0.25)
    if connections:
        raise Broken("%d of 300 are still open after %.1f s" % (len(connections), time.monotonic() - started))
    print("slow logins ended after %.1f s" % (time.monotonic() - started))


def silent(port, server, slack):
    """Connections that say nothing, twice: what the allocator keeps of the first round must do for the second."""
    first = silent_round(port, server, slack, "127.0.0.1")
    # From another address: the first one's ports may still be waiting out their last segments.
    second = silent_round(port, server, slack, "127.0.0.2")
    if second > first * 1.1:
        raise Broken("the second round took %d KiB, the first %d KiB" % (second, first))
    return second


def silent_round(port, server, slack, source):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    before = server.rss_kib()
    sockets = []
    started = time.monotonic()
    poll = select.poll()
    for _ in range(SILENT):
        sockets.append(socket.create_connection(("127.0.0.1", port), 20, (source, 0)))
        poll.register(sockets[-1], select.POLLRDHUP | select.POLLHUP)
    opened = time.monotonic() - started
    peak = server.rss_kib()
    each = (peak - before) / SILENT
    print("%d silent connections in %.1f s: %.1f KiB each" % (SILENT, opened, each), flush=True)
    if each > 16 * slack:
        raise Broken("%.1f KiB for a connection that says nothing" % each)
    client = wire.Client(port, client_id=1003)
    client.subscribe()
    client.unsubscribe()
    client.close()
    ended = set()
    while len(ended) < SILENT and time.monotonic() - started < opened + LOGIN_SECONDS + 20 * slack:
        for number, _ in poll.poll(500):
            ended.add(number)
            poll.unregister(number)
    print("%d ended by the server, the last after %.1f s" % (len(ended), time.monotonic() - started))
    for end in sockets:
        end.close()
    if len(ended) < SILENT:
        raise Broken("%d silent connections are still open" % (SILENT - len(ended)))
    return server.rss_kib("VmHWM")  # ending them takes memory too


def main():
    slack = 8 if "--sanitized" in sys.argv else 1
    with obcanal.Scratch("hostile") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        # The limit of wrong passwords has tests of its own.
        server = scratch.server(logproxy.port, server={"canal.login.failures.per.minute": 0})
        target = Target(server, slack)
        target.check("before")
        groups = (
            ("frame lengths up to 4 GiB", frame_lengths, ("connection ended",)),
            ("truncated protobuf", truncated_protobuf, ()),
            ("bodies that are none", bad_bodies, ()),
            ("packet types", unknown_types, ()),
            ("gets and acks beyond every range", huge_gets, ()),
            ("names, ids and filters", names_and_ids, ()),
            ("wrong passwords", wrong_passwords, ("login refused",)),
            ("garbage", garbage, ()),
            ("slow logins", slow_loris, ("no login within",)),
            ("silent connections", lambda port: silent(port, server, slack), ()),
        )
        for what, attack, causes in groups:
            since = os.path.getsize(server.log)
            # What an attack says that the memory may be from now on.
            target.idle_kib = max(attack(server.port) or 0, target.idle_kib)
            target.check(what, causes, since=since)


main()

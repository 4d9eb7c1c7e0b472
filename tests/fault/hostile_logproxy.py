"""hostile_logproxy.py: a log proxy that answers with bytes that no log proxy sends; then a good one, and every row arrives.

The server must live through all of it, keep its memory within a bound, say once what is wrong, and try again.
"""
import os
import random
import re
import select
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402
from delivery import QUICK_RETRIES, read_log  # noqa: E402

SEED = 20240501
GROWTH_KIB = 96 * 1024
STOPPED = "the source stopped for good"
MOST_STOPS = 20
SAME = 200


def recorded(name):
    with open(obcanal.fixture("oblog/sessions/%s.s2c.bin" % name), "rb") as file:
        return file.read()


def answers():
    """What the hostile log proxy sends, one item for each connection."""
    choice = random.Random(SEED)
    good = {name: recorded(name) for name in ("v2-lz4", "v2-none", "v2-crc-none", "v2-status", "v0-lz4")}
    for length in (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x40000001, 0):
        for version in (0, 1, 2, 3, 0xFFFF):
            yield struct.pack(">HbI", version, 1, length) + b"\0" * 64
            # The same claim for the second packet, behind a good handshake answer.
            head = good["v2-none"][:first_packet(good["v2-none"])]
            yield head + struct.pack(">HbI", version, 1, length) + b"\xff" * 64
    for kind in (0, 2, 3, 4, 5, 6, 7, 8, 99, -2):
        yield struct.pack(">HbI", 2, kind, 4) + b"\xff\xff\xff\xff"
    for name, data in good.items():
        for _ in range(60):
            bad = bytearray(data[:choice.randint(20, min(len(data), 30_000))])
            for _ in range(choice.randint(1, 5)):
                bad[choice.randrange(len(bad))] = choice.randrange(256)
            yield bytes(bad)
    for _ in range(30):
        yield choice.randbytes(choice.randint(1, 5000))


def first_packet(data):
    """Size of the first packet: u16 version, i8 type, u32 length, payload."""
    return 7 + struct.unpack_from(">I", data, 3)[0]


class HostileLogProxy(threading.Thread):
    def __init__(self, target, hostile):
        super().__init__(daemon=True)
        self.target, self.answers, self.given, self.done = target, list(hostile), 0, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            connection = self.listener.accept()[0]
            if self.given < len(self.answers):
                with connection:
                    self.insult(connection, self.answers[self.given])
                self.given += 1
            else:
                self.done.set()
                threading.Thread(target=self.relay, args=(connection,), daemon=True).start()

    @staticmethod
    def insult(connection, data):
        """Sends it behind the handshake and waits until the server has had enough, for a moment at most."""
        try:
            connection.settimeout(5)
            connection.recv(65536)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass

    def relay(self, client):
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            ways = {client: server, server: client}
            while True:
                for end in select.select([client, server], [], [])[0]:
                    try:
                        data = end.recv(65536)
                        if not data:
                            return
                        ways[end].sendall(data)
                    except ConnectionError:
                        return


def complaints(log):
    return [line for line in log.splitlines() if " warn" in line or " error" in line]


def the_same_again(scratch, port):
    """Of bytes that stay the same, the log names the cause once, however often they come."""
    answer = recorded("v2-none")
    # In front of any record, and in the middle of what was good before.
    for name, insult in (("first", struct.pack(">HbI", 2, 1, 0x7FFFFFFF)), ("later", answer[:len(answer) // 2] + b"\xff" * 64)):
        folder = os.path.join(scratch.path, "same-" + name)
        os.mkdir(folder)
        hostile = HostileLogProxy(port, [insult] * SAME)
        hostile.start()
        server = scratch.keep(obcanal.Server(folder, hostile.port, instance=QUICK_RETRIES)).start()
        obcanal.wait_until(hostile.done.is_set, lambda: "%d of %d were given:\n%s" % (
            hostile.given, SAME, server.text()[-2000:]), 120)
        lines = [line for line in complaints(server.text()) if "source" in line]
        print("the same bytes %d times, %s: %d lines" % (SAME, name, len(lines)))
        causes = {re.search(r'cause="([^"]*)"', line).group(1) for line in lines}
        # The first attempts get on by what is good of it.
        if not lines or len(lines) != len(causes) or len(lines) > 3:
            raise SystemExit("the cause is not named once:\n%s" % "\n".join(lines))
        asked = server.text().count("asking a log proxy")
        if asked > 4:
            raise SystemExit("%d lines about being asked" % asked)
        server.stop()


def main():
    slack = 8 if "--sanitized" in sys.argv else 1
    with obcanal.Scratch("hostile-logproxy") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        folder = os.path.join(scratch.path, "reference")
        os.mkdir(folder)
        whole = scratch.keep(obcanal.Server(folder, logproxy.port)).start()
        expected = read_log(whole.port)
        whole.stop()
        the_same_again(scratch, logproxy.port)
        hostile = HostileLogProxy(logproxy.port, answers())
        hostile.start()
        stops, lines, peak, idle = [], 0, 0, None
        while not hostile.done.is_set():
            folder = os.path.join(scratch.path, "insulted-%d" % len(stops))
            os.mkdir(folder)
            server = scratch.keep(obcanal.Server(folder, hostile.port, instance=QUICK_RETRIES)).start()
            idle = idle or server.rss_kib()
            client = wire.Client(server.port)
            client.subscribe()
            # Some bytes are a record that says what obcanal can't do: it stops the destination instead of skipping, and says why.
            obcanal.wait_until(lambda: hostile.done.is_set() or STOPPED in server.text(), lambda: (
                "the hostile answers: %d of %d were given:\n%s" % (hostile.given, len(hostile.answers), server.text()[-2000:])), 120)
            client.subscribe()  # it still serves
            client.close()
            peak = max(peak, server.rss_kib("VmHWM"))
            log = server.text()
            lines += len(complaints(log))
            stops += [line for line in log.splitlines() if STOPPED in line]
            server.stop()
        print("answers=%d rss_before=%.1f MiB peak=%.1f MiB log lines=%d stopped for good=%d" % (
            hostile.given, idle / 1024, peak / 1024, lines, len(stops)))
        if any('cause="' not in line for line in stops) or len(stops) > MOST_STOPS:
            raise SystemExit("stopped %d times:\n%s" % (len(stops), "\n".join(stops)))
        if peak > idle + GROWTH_KIB * slack:
            raise SystemExit("the memory grew too much")
        # One for each new cause after something good; a bad connection alone makes none.
        if not lines or lines > hostile.given / 2:
            raise SystemExit("%d lines for %d bad connections:\n%s" % (lines, hostile.given, log[-3000:]))

        # What the bad bytes left of records may have been delivered; the comparison starts from nothing.
        folder = os.path.join(scratch.path, "after")
        os.mkdir(folder)
        server = scratch.keep(obcanal.Server(folder, hostile.port, instance=QUICK_RETRIES)).start()
        if read_log(server.port) != expected:
            raise SystemExit("the log is not what it was without the hostile log proxy")


main()

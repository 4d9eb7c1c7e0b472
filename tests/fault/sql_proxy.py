"""A TCP relay between obcanal-adapter and its target that knows as much of MySQL's and PostgreSQL's packets as it takes to end a
connection at a chosen place: while it is opened, in a statement, before a COMMIT reaches the server, or before its answer comes back.
"""
import select
import socket
import struct
import threading

CONNECT, EXECUTE, COMMIT, ANSWER = "connect", "execute", "commit", "answer"


class MysqlPackets:
    """Complete packets of the client; what follows an incomplete one is kept."""

    def __init__(self):
        self.rest = b""

    def take(self, data):
        self.rest += data
        packets = []
        while len(self.rest) >= 4:
            size = 4 + int.from_bytes(self.rest[:3], "little")
            if len(self.rest) < size:
                break
            packets.append(self.rest[:size])
            self.rest = self.rest[size:]
        return packets

    @staticmethod
    def is_commit(packet):
        return packet[4:] == b"\x03COMMIT"

    @staticmethod
    def is_statement(packet):
        # COM_QUERY, COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE with some text: no login, no ping.
        return len(packet) > 30 and packet[3] == 0 and packet[4] in (0x03, 0x17, 0xfa)


class PostgresPackets:
    def __init__(self):
        self.rest, self.started = b"", False

    def take(self, data):
        self.rest += data
        packets = []
        while len(self.rest) >= 8 if not self.started else len(self.rest) >= 5:
            at = 1 if self.started else 0
            size = at + struct.unpack_from(">I", self.rest, at)[0]
            if len(self.rest) < size:
                break
            packet, self.rest = self.rest[:size], self.rest[size:]
            if not self.started:
                self.started = struct.unpack_from(">I", packet, 4)[0] == 196608  # else a request for TLS
            packets.append(packet)
        return packets

    @staticmethod
    def is_commit(packet):
        return packet == b"Q\0\0\0\x0bCOMMIT\0"

    @staticmethod
    def is_statement(packet):
        return len(packet) > 30 and packet[:1] == b"Q"


class SqlProxy:
    def __init__(self, target, family):
        self.target, self.packets = target, PostgresPackets if family == "postgres" else MysqlPackets
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.armed = {}     # fault: how many of them are still to come
        self.skip = 0       # statements that pass before an armed EXECUTE
        self.done = {}      # fault: how many came
        self.marked = None  # bytes of a statement whose answer is lost
        self.threads = []
        self.log = ""
        thread = threading.Thread(target=self.accept, daemon=True)
        thread.start()
        self.threads.append(thread)

    def arm(self, fault, count=1, skip=0):
        with self.lock:
            self.armed[fault] = self.armed.get(fault, 0) + count
            self.skip = skip

    def lose_answer_of(self, text):
        """The next statement with these bytes is executed, and nobody hears of it: came(text)."""
        with self.lock:
            self.marked = text

    def loses(self, packet):
        with self.lock:
            if self.marked is None or self.marked not in packet:
                return False
            self.done[self.marked.decode()] = 1
            self.marked = None
            return True

    def disarm(self):
        with self.lock:
            self.armed.clear()

    def came(self, fault):
        with self.lock:
            return self.done.get(fault, 0)

    def fires(self, fault):
        with self.lock:
            if self.armed.get(fault, 0) <= 0:
                return False
            if fault == EXECUTE and self.skip > 0:
                self.skip -= 1
                return False
            self.armed[fault] -= 1
            self.done[fault] = self.done.get(fault, 0) + 1
            return True

    def accept(self):
        while not self.ending.is_set():
            readable, _, _ = select.select([self.listener], [], [], 0.2)
            if not readable:
                continue
            client, _ = self.listener.accept()
            thread = threading.Thread(target=self.relay, args=(client,), daemon=True)
            thread.start()

    def relay(self, client):
        with client:
            try:
                with socket.create_connection(("127.0.0.1", self.target)) as server:
                    for end in (client, server):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if self.fires(CONNECT):
                        # In the middle of the login: the server has spoken, the client's answer never arrives.
                        select.select([server, client], [], [], 1)
                        return
                    self.pump(client, server)
            except OSError:
                return

    def pump(self, client, server):
        packets, lose_answer = self.packets(), False
        while not self.ending.is_set():
            readable, _, _ = select.select([client, server], [], [], 0.2)
            if server in readable:
                data = server.recv(65536)
                if not data or lose_answer:
                    return
                client.sendall(data)
            if client in readable:
                data = client.recv(65536)
                if not data:
                    return
                for packet in packets.take(data):
                    if packets.is_commit(packet):
                        if self.fires(COMMIT):
                            return
                        lose_answer = self.fires(ANSWER)
                    elif self.loses(packet):
                        lose_answer = True
                    elif packets.is_statement(packet) and self.fires(EXECUTE):
                        server.sendall(packet[:len(packet) // 2])
                        return
                    server.sendall(packet)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.listener.close()

    kill = stop

    def text(self):
        return ""

"""A Canal server that knows one session only: what a real server sent, over and over. It costs next to nothing, so what a client
takes from it is what that client can take."""
import itertools
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import canal_wire  # noqa: E402


class Session:
    """The packets of a real server: its handshake, its ACK, and `batches` answers to gets of `fetch_size`."""

    def __init__(self, port, fetch_size, batches, user="canal", password="canal"):
        link = canal_wire.Connection(port)
        self.hello = link.frame()
        seed = next(value for field, value in canal_wire.fields(canal_wire.split_packet(self.hello)[1]) if field == 2)
        link.send(canal_wire.packet(canal_wire.AUTH, canal_wire.auth_body(user, canal_wire.scramble(password, seed))))
        self.ok = link.frame()
        me = canal_wire.identity("example", 1001)
        link.send(canal_wire.packet(canal_wire.SUBSCRIPTION, me))
        link.frame()
        self.batches = []
        while len(self.batches) < batches:
            link.send(canal_wire.packet(canal_wire.GET, canal_wire.get_body("example", 1001, fetch_size, 1000)))
            frame = link.frame()
            batch, entries = canal_wire.split_messages(canal_wire.split_packet(frame)[1])
            if batch < 0:
                continue
            # The last ones before the log's end are shorter.
            if len(entries) >= fetch_size // 2:
                self.batches.append(frame)
            link.send(canal_wire.packet(canal_wire.CLIENTACK, me + canal_wire.number_field(3, batch)))
        link.close()


class Server:
    """Plays a session to every client, one at a time, whatever its password."""

    def __init__(self, session):
        self.session = session
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    self.play(peer)
                except OSError:
                    pass

    def play(self, peer):
        frame = lambda data: len(data).to_bytes(4, "big") + data  # noqa: E731
        batches = itertools.cycle([frame(batch) for batch in self.session.batches])
        ok = frame(self.session.ok)
        peer.sendall(frame(self.session.hello))
        buffer = bytearray()
        while True:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = peer.recv(1 << 16)
            if not data:
                return
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[:4], "big"):
                size = 4 + int.from_bytes(buffer[:4], "big")
                kind, _ = canal_wire.split_packet(bytes(buffer[4:size]))
                del buffer[:size]
                if kind == canal_wire.GET:
                    peer.sendall(next(batches))
                elif kind in (canal_wire.AUTH, canal_wire.SUBSCRIPTION, canal_wire.UNSUBSCRIPTION):
                    peer.sendall(ok)

    def close(self):
        self.listener.close()

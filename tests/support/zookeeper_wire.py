"""What stands in a ZooKeeper node, asked over one session that survives its servers: reads never go back in time."""
import socket
import struct

GET_DATA = 4


class Away(Exception):
    """No server answered."""


class Reader:
    """`servers`: (host, port) pairs."""

    def __init__(self, servers, timeout=2.0):
        self.servers, self.timeout, self.socket, self.zxid = list(servers), timeout, None, 0

    def get(self, path):
        """The node's data; None when there is no such node. Away when no server answers now."""
        for server in [None] + self.servers:
            try:
                if self.socket is None:
                    if server is None:
                        continue
                    self.connect(server)
                return self.ask(path.encode())
            except (OSError, struct.error):
                self.close()
        raise Away("no ZooKeeper of %r answers" % (self.servers,))

    def connect(self, server):
        self.socket = socket.create_connection(server, self.timeout)
        # Protocol version, the last change that was seen (a server behind it refuses us), timeout, session, password.
        self.send(struct.pack(">iqiqi16s", 0, self.zxid, 10000, 0, 16, bytes(16)))
        self.receive()

    def ask(self, path):
        self.send(struct.pack(">iii", 1, GET_DATA, len(path)) + path + b"\0")
        while True:
            reply = self.receive()
            number, zxid, error = struct.unpack_from(">iqi", reply)
            if number == 1:
                break
        self.zxid = max(self.zxid, zxid)
        if error:
            return None
        size = struct.unpack_from(">i", reply, 16)[0]
        return reply[20:20 + max(size, 0)].decode("utf-8", "replace")

    def send(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def receive(self):
        size = struct.unpack(">i", self.exactly(4))[0]
        return self.exactly(size)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

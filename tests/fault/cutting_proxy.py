"""A TCP relay that ends each connection after a planned number of bytes in one direction.

One connection at a time, as a source opens them. `plan` gives (direction, bytes) for each; when it is used up, connections
last. Every second cut is a reset (SO_LINGER 0), the others an orderly end.
"""
import select
import socket
import struct
import threading

FROM_SERVER, FROM_CLIENT = "from the log proxy", "to the log proxy"


class CuttingProxy(threading.Thread):
    def __init__(self, target, plan):
        super().__init__(daemon=True)
        self.target, self.plan, self.cuts, self.failure = target, list(plan), 0, None
        self.reached = 0  # cuts that came because the planned byte was reached, not because a side went first
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.ending = threading.Event()

    def run(self):
        try:
            while not self.ending.is_set():
                readable, _, _ = select.select([self.listener], [], [], 0.2)
                if readable:
                    self.relay(self.listener.accept()[0])
        except Exception as failure:  # noqa: BLE001 - shown by the test, which waits for it
            self.failure = failure

    def planned(self):
        return len(self.plan) - self.cuts

    def relay(self, client):
        cut = self.plan[self.cuts] if self.cuts < len(self.plan) else None
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            left = {FROM_SERVER: None, FROM_CLIENT: None}
            if cut:
                left[cut[0]] = cut[1]
            self.pump(client, server, left)
            if cut and self.cuts % 2:
                for end in (client, server):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if cut:
            self.cuts += 1

    def pump(self, client, server, left):
        ways = {client: (server, FROM_CLIENT), server: (client, FROM_SERVER)}
        if 0 in left.values():
            self.reached += 1
            return
        while not self.ending.is_set():
            readable, _, _ = select.select([client, server], [], [], 0.2)
            for end in readable:
                to, direction = ways[end]
                room = left[direction]
                try:
                    data = end.recv(65536 if room is None else min(65536, room))
                    if not data:
                        return
                    to.sendall(data)
                except ConnectionError:
                    return
                if room is not None:
                    left[direction] = room - len(data)
                    if left[direction] == 0:
                        self.reached += 1
                        return

    def stop(self):
        self.ending.set()
        self.join()
        self.listener.close()
        if self.failure:
            raise self.failure

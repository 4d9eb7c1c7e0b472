"""A relay that speaks TLS (Python's OpenSSL) to its clients and plain TCP to one port of 127.0.0.1."""
import os
import select
import socket
import ssl
import threading


class TlsRelay(threading.Thread):
    """`client_ca`: only clients with a certificate of it are let in."""

    def __init__(self, target, directory, certificate, client_ca=None):
        super().__init__(daemon=True)
        self.target = target
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(directory, certificate + ".crt"), os.path.join(directory, certificate + ".key"))
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(os.path.join(directory, client_ca + ".crt"))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.versions = []  # of the connections that got through
        self.refused = []   # the causes of the others
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            readable, _, _ = select.select([self.listener], [], [], 0.2)
            if not readable:
                continue
            plain, _ = self.listener.accept()
            plain.settimeout(10)
            try:
                with self.context.wrap_socket(plain, server_side=True) as client:
                    self.pump(client)
            except OSError as refused:
                self.refused.append(str(refused))

    def pump(self, client):
        self.versions.append(client.version())
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            while not self.ending.is_set():
                if not client.pending():
                    readable, _, _ = select.select([client, server], [], [], 0.2)
                    if server in readable:
                        data = server.recv(65536)
                        if not data:
                            return
                        client.sendall(data)
                    if client not in readable:
                        continue
                data = client.recv(65536)
                if not data:
                    return
                server.sendall(data)

    def stop(self):
        self.ending.set()
        self.join()
        self.listener.close()

"""Canal's admin protocol in plain Python: the bytes that canal-admin sends. Framing and scramble are the client port's."""
import struct

import canal_wire as wire

HANDSHAKE, AUTH, ACK, SERVER, INSTANCE, LOG = range(1, 7)


def packet(kind, body):
    data = wire.number_field(3, kind) + wire.bytes_field(4, body)
    return struct.pack(">I", len(data)) + data


def split_packet(data):
    """(type, body) of a Packet; the body is field 4 here."""
    kind, body = None, b""
    for field, value in wire.fields(data):
        if field == 3:
            kind = value
        elif field == 4:
            body = value
    return kind, body


def auth_body(user, token):
    return wire.bytes_field(1, user.encode()) + (wire.bytes_field(2, token) if token else b"")


def server_body(action):
    return wire.bytes_field(1, action.encode())


def instance_body(destination, action):
    return wire.bytes_field(1, destination.encode()) + wire.bytes_field(2, action.encode())


def log_body(kind, action, destination="", name="", count=None):
    body = wire.bytes_field(1, kind.encode()) + wire.bytes_field(2, action.encode())
    if destination:
        body += wire.bytes_field(3, destination.encode())
    if name:
        body += wire.bytes_field(4, name.encode())
    return body if count is None else body + wire.number_field(5, count)


class Admin:
    """One connection; canal-admin makes one for each command."""

    def __init__(self, port, user="admin", password="", connect=True):
        self.connection = wire.Connection(port)
        self.greeting = self.connection.frame()
        kind, body = split_packet(self.greeting)
        if kind != HANDSHAKE:
            raise ValueError("%s instead of a handshake" % kind)
        self.seed = next(value for field, value in wire.fields(body) if field == 2)
        if connect:
            token = wire.scramble(password, self.seed) if password else b""
            self.call(AUTH, auth_body(user, token))

    def call(self, kind, body):
        """The answer's text; wire.Refused when it is an error."""
        self.connection.send(packet(kind, body))
        answer, body = split_packet(self.connection.frame())
        if answer != ACK:
            raise ValueError("%s instead of an ACK" % answer)
        code, text = wire.split_ack(body)
        if code:
            raise wire.Refused(code, text)
        return text

    def server(self, action):
        return self.call(SERVER, server_body(action))

    def instance(self, destination, action):
        return self.call(INSTANCE, instance_body(destination, action))

    def close(self):
        self.connection.close()

"""Canal's client protocol in plain Python, for drivers that must see and send single bytes.

frame := u32 big-endian length, Packet. Written from the message definitions, without generated code.
"""
import hashlib
import socket
import struct

HANDSHAKE, AUTH, ACK, SUBSCRIPTION, UNSUBSCRIPTION, GET, MESSAGES, CLIENTACK = range(1, 9)
CLIENTROLLBACK = 12
NAMES = {1: "HANDSHAKE", 2: "CLIENTAUTHENTICATION", 3: "ACK", 4: "SUBSCRIPTION", 5: "UNSUBSCRIPTION", 6: "GET",
         7: "MESSAGES", 8: "CLIENTACK", 9: "SHUTDOWN", 10: "DUMP", 11: "HEARTBEAT", 12: "CLIENTROLLBACK"}
MILLISECONDS = 2


class Closed(Exception):
    """The other side ended the connection."""


class Refused(Exception):
    """The server answered with an error ACK."""

    def __init__(self, code, text):
        super().__init__("%d: %s" % (code, text))
        self.code, self.text = code, text


# -- protobuf

def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field, number):
    return varint(field << 3) + varint(number)


def bytes_field(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """(field number, value) in order; a value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            if at + size > len(data):
                raise ValueError("field %d has %d bytes, %d are there" % (tag >> 3, size, len(data) - at))
            value = data[at:at + size]
            at += size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = data[at:at + size]
            at += size
        else:
            raise ValueError("wire type %d" % kind)
        yield tag >> 3, value


def signed(number):
    return number - (1 << 64) if number >> 63 else number


# -- packets

def packet(kind, body):
    """A frame as a client sends it."""
    data = number_field(3, kind) + bytes_field(5, body)
    return struct.pack(">I", len(data)) + data


def identity(destination, client_id):
    return bytes_field(1, destination.encode()) + bytes_field(2, str(client_id).encode())


def auth_body(user, token, idle_ms=3_600_000):
    return bytes_field(1, user.encode()) + bytes_field(2, token) + number_field(3, idle_ms) + number_field(4, idle_ms)


def scramble(password, seed):
    """What a client sends instead of its password: SHA1(p) xor SHA1(seed + SHA1(SHA1(p))), in hex."""
    first = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(seed + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, mask)).hex().encode()


def get_body(destination, client_id, fetch_size, timeout=-1, unit=MILLISECONDS):
    return (identity(destination, client_id) + number_field(3, fetch_size) + number_field(4, timeout)
            + number_field(5, unit) + number_field(6, 0))


def split_packet(data):
    """(type, body) of a Packet."""
    kind, body = None, b""
    for field, value in fields(data):
        if field == 3:
            kind = value
        elif field == 5:
            body = value
    return kind, body


def split_ack(body):
    """(error code, text) of an Ack."""
    code, text = 0, ""
    for field, value in fields(body):
        if field == 1:
            code = value
        elif field == 2:
            text = value.decode()
    return code, text


def split_messages(body):
    """(batch id, entries) of a Messages body."""
    batch, entries = 0, []
    for field, value in fields(body):
        if field == 1:
            batch = signed(value)
        elif field == 2:
            entries.append(value)
    return batch, entries


def frames(data):
    """The frames of a recorded direction; what is left over is an error."""
    at = 0
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        if at + 4 + size > len(data):
            raise ValueError("a frame of %d bytes at %d goes beyond the end" % (size, at))
        yield data[at + 4:at + 4 + size]
        at += 4 + size


class Connection:
    """A socket that gives frames. `limit`: it ends after that many bytes were received, as a cut line would."""

    def __init__(self, port, host="127.0.0.1", timeout=20.0, limit=None, send_limit=None):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = self.sent = 0
        self.limit, self.send_limit = limit, send_limit
        self.buffer = bytearray()

    def send(self, data):
        if self.send_limit is not None and self.sent + len(data) > self.send_limit:
            self.socket.sendall(data[:self.send_limit - self.sent])
            self.sent = self.send_limit
            raise Closed("cut after %d bytes sent" % self.sent)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error
        self.sent += len(data)

    def fill(self, size):
        while len(self.buffer) < size:
            room = 1 << 18
            if self.limit is not None:
                room = min(room, self.limit - self.received)
                if room == 0:
                    raise Closed("cut after %d bytes received" % self.received)
            try:
                data = self.socket.recv(room)
            except ConnectionResetError as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed("after %d bytes" % self.received)
            self.received += len(data)
            self.buffer += data

    def frame(self):
        self.fill(4)
        size = struct.unpack_from(">I", self.buffer)[0]
        self.fill(4 + size)
        data = bytes(self.buffer[4:4 + size])
        del self.buffer[:4 + size]
        return data

    def receive(self):
        """(type, body) of the next packet."""
        return split_packet(self.frame())

    def close(self):
        self.socket.close()


class Client:
    """The calls of a Canal client on one connection."""

    def __init__(self, port, destination="example", client_id=1001, user="canal", password="canal", **connection):
        self.destination, self.client_id = destination, client_id
        self.connection = Connection(port, **connection)
        try:
            self.login(user, password)
        except BaseException:
            self.connection.close()
            raise

    def login(self, user, password):
        kind, body = self.connection.receive()
        if kind != HANDSHAKE:
            raise ValueError("%s instead of a handshake" % NAMES.get(kind, kind))
        seed = next(value for field, value in fields(body) if field == 2)
        token = scramble(password, seed) if password else b""
        self.connection.send(packet(AUTH, auth_body(user, token)))
        self.expect_ack()

    def expect_ack(self):
        kind, body = self.connection.receive()
        if kind != ACK:
            raise ValueError("%s instead of an ACK" % NAMES.get(kind, kind))
        code, text = split_ack(body)
        if code:
            raise Refused(code, text)

    def identity(self):
        return identity(self.destination, self.client_id)

    def subscribe(self, table_filter=""):
        extra = bytes_field(7, table_filter.encode()) if table_filter else b""
        self.connection.send(packet(SUBSCRIPTION, self.identity() + extra))
        self.expect_ack()

    def unsubscribe(self):
        self.connection.send(packet(UNSUBSCRIPTION, self.identity()))
        self.expect_ack()

    def ask(self, fetch_size, timeout=-1, unit=MILLISECONDS):
        self.connection.send(packet(GET, get_body(self.destination, self.client_id, fetch_size, timeout, unit)))

    def answer(self):
        """(batch id, entries) that the last ask() brought."""
        kind, body = self.connection.receive()
        if kind == ACK:
            raise Refused(*split_ack(body))
        if kind != MESSAGES:
            raise ValueError("%s instead of MESSAGES" % NAMES.get(kind, kind))
        return split_messages(body)

    def get(self, fetch_size, timeout=-1, unit=MILLISECONDS):
        self.ask(fetch_size, timeout, unit)
        return self.answer()

    def ack(self, batch):
        self.connection.send(packet(CLIENTACK, self.identity() + number_field(3, batch)))

    def rollback(self, batch=0):
        extra = number_field(3, batch) if batch else b""
        self.connection.send(packet(CLIENTROLLBACK, self.identity() + extra))

    def close(self):
        self.connection.close()


# -- entries

def entry_kind(entry):
    """1 begin, 2 row data, 3 end (the default, when the field is absent, is row data)."""
    return next((value for field, value in fields(entry) if field == 2), 2)


def entry_header(entry):
    header = next(value for field, value in fields(entry) if field == 1)
    return dict(fields(header))

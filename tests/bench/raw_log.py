"""A replica that decodes nothing: how old the rows of beside_java.py's latency table are when they are read from the log.

raw_log.py PORT FILE POSITION ROWS WARM_UP     prints p50_ms= and p99_ms= of the ROWS after so many others: what the source itself takes,
its commit and its dump thread
"""
import socket
import struct
import sys
import time

QUERY, DUMP, OK, ERROR = b"\x03", b"\x12", 0, 255
CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000  # long password, protocol 4.1, secure connection, plugins
REPLICA = 0x7E57
EVENT_HEADER = 20  # the packet's OK byte, then 19
WRITE_ROWS = (23, 30)  # MariaDB's v1, v2
PAD = b"0123456789012345678901234567890123456789"


class Link:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def packet(self):
        while True:
            size = 4 + int.from_bytes(self.buffer[:3], "little")
            if len(self.buffer) >= 4 and len(self.buffer) >= size:
                packet, self.buffer = self.buffer[3:size], self.buffer[size:]
                return packet[0], packet[1:]
            data = self.socket.recv(1 << 16)
            if not data:
                raise RuntimeError("the server has closed the connection")
            self.buffer += data

    def send(self, payload, number=0):
        self.socket.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)

    def expect_ok(self):
        number, answer = self.packet()
        while answer[0] not in (OK, ERROR):  # another plugin: root's password is empty for all
            self.send(b"", number + 1)
            number, answer = self.packet()
        if answer[0] == ERROR:
            raise RuntimeError("the server refuses: %r" % answer[3:])


def ages(port, file, position, rows, warm_up):
    """Microseconds between the clock in each row and now."""
    link = Link(port)
    link.packet()
    link.send(struct.pack("<IIB23x", CAPABILITIES, 1 << 24, 45) + b"root\0\0mysql_native_password\0", 1)
    link.expect_ok()
    for statement in (b"SET @master_binlog_checksum='NONE'", b"SET @mariadb_slave_capability=4"):
        link.send(QUERY + statement)
        link.expect_ok()
    link.send(DUMP + struct.pack("<IHI", position, 0, REPLICA) + file.encode())
    found = []
    while len(found) < warm_up + rows:
        _, event = link.packet()
        now = time.time_ns() // 1000
        if event[0] == ERROR:
            raise RuntimeError("the server refuses: %r" % event[3:])
        if event[5] not in WRITE_ROWS:
            continue
        text = event.find(PAD, EVENT_HEADER)
        if text < 0:
            raise RuntimeError("a row of another table")
        # BIGINT ts_us, then the length of the text in one byte or two.
        length = 1 if event[text - 1] == len(PAD) else 2
        found.append(now - int.from_bytes(event[text - length - 8:text - length], "little"))
    return sorted(found[warm_up:])


def main():
    all_ages = ages(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
    print("p50_ms=%.3f p99_ms=%.3f" % tuple(all_ages[int(len(all_ages) * part)] / 1000 for part in (0.5, 0.99)))


if __name__ == "__main__":
    main()

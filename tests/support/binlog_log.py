"""Binary logs as OceanBase's Binlog Service writes them, made of statements and rows, or of a log that MariaDB wrote.

A Log is a list of files. What distinguishes it from MySQL's: each row is an event of its own behind its own table map, a GTID's
last_committed and sequence_number are the commit's seconds and microseconds, BEGIN has the cluster's id for a thread, transaction
numbers (XID) restart, tables get a new number after each DDL, and there is nothing of MySQL's optional metadata.
"""
import collections
import re
import struct
import threading
import zlib

MAGIC = b"\xfebin"
QUERY, ROTATE, FORMAT, XID, TABLE_MAP, HEARTBEAT, WRITE, UPDATE, DELETE, GTID, PREVIOUS = 2, 4, 15, 16, 19, 27, 30, 31, 32, 33, 35
IN_USE, ARTIFICIAL = 1, 0x20
SERVER_ID, CLUSTER_ID = 1147473732, 1001
UUID = "9d7c5ba1-2b3c-11ee-8a52-00163e0a1b2c"
# Post-header lengths of the 38 types of MySQL 5.7.
HEADS = bytes([56, 13, 0, 8, 0, 18, 0, 4, 4, 4, 4, 18, 0, 0, 95, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0, 10, 10, 10, 42, 42, 0, 18, 52, 0])
# FLAGS2 0; CHARSET utf8mb4_general_ci, utf8mb4_general_ci, utf8_bin
STATUS = b"\x00\x00\x00\x00\x00\x04\x2d\x00\x2d\x00\x53\x00"


def event(kind, body, seconds, end=None, flags=IN_USE, checksum=True, at=None):
    """One event; `at`: where it stands, otherwise `end` is what its header says."""
    size = 19 + len(body) + (4 if checksum else 0)
    end = at + size if end is None else end
    head = struct.pack("<IBIIIH", seconds, kind, SERVER_ID, size, end & 0xFFFFFFFF, flags)
    data = head + body
    if not checksum:
        return data
    # The in-use flag is left out of the sum of a format description.
    summed = data if kind != FORMAT else data[:17] + struct.pack("<H", flags & ~IN_USE) + data[19:]
    return data + struct.pack("<I", zlib.crc32(summed))


def packed(number):
    if number < 251:
        return bytes([number])
    return b"\xfc" + struct.pack("<H", number) if number < 65536 else b"\xfd" + struct.pack("<I", number)[:3]


def read_packed(data, at):
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size


class Column:
    """Type code, two bytes of metadata at most, and how a Python value is stored."""

    def __init__(self, code, meta, store):
        self.code, self.meta, self.store = code, meta, store


INT = Column(3, b"", lambda value: struct.pack("<i", value))


def varchar(characters):
    size = characters * 4
    return Column(15, struct.pack("<H", size), lambda v: struct.pack("<B" if size < 256 else "<H", len(v.encode())) + v.encode())


def bitmap(flags):
    number = sum(1 << i for i, flag in enumerate(flags) if flag)
    return number.to_bytes((len(flags) + 7) // 8, "little")


class Log:
    def __init__(self, seconds=1_700_000_000):
        self.files = collections.OrderedDict()  # name: bytearray
        self.number, self.tables, self.seconds, self.xid, self.next_gtid = 0, {}, seconds, 0, 1
        self.group_starts = []  # (file, offset) of each group
        self.changed = threading.Condition()
        self.table_number = 100
        self.new_file()

    # -- files
    @property
    def name(self):
        return "mysql-bin.%06d" % self.number

    @property
    def end(self):
        return len(self.files[self.name])

    def executed(self):
        return "%s:1-%d" % (UUID, self.next_gtid - 1) if self.next_gtid > 1 else ""

    def new_file(self):
        self.number += 1
        self.files[self.name] = bytearray(MAGIC)
        self.append(FORMAT, struct.pack("<H50sIB", 4, b"5.7.38", self.seconds, 19) + HEADS + b"\x01")
        sets = struct.pack("<Q", 1) + bytes.fromhex(UUID.replace("-", ""))
        interval = struct.pack("<QQQ", 1, 1, self.next_gtid) if self.next_gtid > 1 else struct.pack("<Q", 0)
        self.append(PREVIOUS, sets + interval)

    def rotate(self):
        with self.changed:
            last = self.files[self.name]
            self.append(ROTATE, struct.pack("<Q", 4) + b"mysql-bin.%06d" % (self.number + 1))
            last[4 + 17] &= ~IN_USE
            self.new_file()
            self.xid = 0
            self.changed.notify_all()

    def append(self, kind, body):
        file = self.files[self.name]
        file += event(kind, body, self.seconds, at=len(file))

    def previous(self, name):
        """The first transaction number that is not in the GTIDs before a file."""
        body = self.files[name][123 + 19 + 8 + 16:]
        count = struct.unpack_from("<Q", body)[0]
        return struct.unpack_from("<QQ", body, 8)[1] if count else 1

    # -- groups
    def gtid(self, number=None):
        number = number or self.next_gtid
        self.next_gtid = max(self.next_gtid, number + 1)
        self.group_starts.append((self.name, self.end))
        micros = self.seconds * 1_000_000 + number % 1_000_000
        self.append(GTID, b"\x01" + bytes.fromhex(UUID.replace("-", "")) +
                    struct.pack("<qBqq", number, 2, self.seconds, micros))

    def query(self, sql, schema="", thread=0):
        name = schema.encode()
        self.append(QUERY, struct.pack("<IIBHH", thread, 0, len(name), 0, len(STATUS)) + STATUS + name + b"\0" + sql.encode())

    def ddl(self, sql, schema=""):
        with self.changed:
            self.gtid()
            self.query(sql, schema)
            self.tables.clear()
            self.changed.notify_all()

    def begin(self, number=None):
        """A transaction whose end() comes later; nobody hears of it until flush() or end()."""
        self.gtid(number)
        self.query("BEGIN", thread=CLUSTER_ID)

    def table(self, schema, name, columns):
        """Writes a table map, `columns` as (code, meta) with NULL allowed everywhere; its number."""
        key = schema, name
        if key not in self.tables:
            self.table_number += 1
            self.tables[key] = self.table_number
        number = self.tables[key]
        meta = b"".join(meta for _, meta in columns)
        body = struct.pack("<Q", number)[:6] + struct.pack("<H", 1)
        for text in (schema.encode(), name.encode()):
            body += bytes([len(text)]) + text + b"\0"
        body += packed(len(columns)) + bytes(code for code, _ in columns) + packed(len(meta)) + meta
        self.append(TABLE_MAP, body + b"\xff" * ((len(columns) + 7) // 8))
        return number

    def raw_row(self, kind, number, present, images):
        """One row event; `present`: column bitmaps, `images`: NULL bitmap and values of each image."""
        body = struct.pack("<Q", number)[:6] + struct.pack("<HH", 1, 2)
        self.append(kind, body + present + images)

    def row(self, schema, name, columns, *images, kind=WRITE):
        number = self.table(schema, name, [(c.code, c.meta) for c in columns])
        data = b""
        for image in images:
            data += bitmap([v is None for v in image])
            data += b"".join(c.store(v) for c, v in zip(columns, image) if v is not None)
        full = bitmap([True] * len(columns))
        self.raw_row(kind, number, packed(len(columns)) + full * len(images), data)

    def finish(self):
        self.xid += 1
        self.append(XID, struct.pack("<Q", self.xid))
        self.flush()

    def flush(self):
        with self.changed:
            self.changed.notify_all()

    def insert(self, schema, name, columns, rows):
        with self.changed:
            self.begin()
            for row in rows:
                self.row(schema, name, columns, row)
            self.finish()

    # -- what happens to a service
    def purge_to(self, name):
        with self.changed:
            for old in [n for n in self.files if n < name]:
                del self.files[old]

    def cut(self):
        """A crash in the middle of the last group: it is cut off, and another file begins. The group's number comes again."""
        with self.changed:
            name, offset = self.group_starts.pop()
            del self.files[name][offset:]
            self.next_gtid -= 1
            self.rotate()


# -- MariaDB's log as the service would have written it

FIXED = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 7: 4, 8: 8, 9: 3, 10: 3, 11: 3, 12: 8, 13: 1, 14: 3}
DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]


def meta_size(code):
    if code in (15, 16, 246, 247, 248, 253, 254):
        return 2
    return 1 if code in (4, 5, 17, 18, 19, 245, 249, 250, 251, 252, 255) else 0


def value_size(code, meta, data, at):
    """How many bytes a stored value takes."""
    if code == 254 and len(meta) == 2:
        real = meta[0]
        if real in (247, 248):
            return meta[1]
        length = ((meta[0] & 0x30) ^ 0x30) << 4 | meta[1]
        return 1 + data[at] if length < 256 else 2 + struct.unpack_from("<H", data, at)[0]
    if code in FIXED:
        return FIXED[code]
    if code in (15, 253):
        return 1 + data[at] if struct.unpack("<H", meta)[0] < 256 else 2 + struct.unpack_from("<H", data, at)[0]
    if code == 16:
        return meta[1] + (1 if meta[0] else 0)
    if code == 246:
        whole = meta[0] - meta[1]
        return whole // 9 * 4 + DIGITS[whole % 9] + meta[1] // 9 * 4 + DIGITS[meta[1] % 9]
    if code in (17, 18, 19):
        return {17: 4, 18: 5, 19: 3}[code] + (meta[0] + 1) // 2
    if code in (245, 252, 255):
        return meta[0] + int.from_bytes(data[at:at + meta[0]], "little")
    raise ValueError("type %d" % code)


class MappedTable:
    def __init__(self, body):
        at, names = 8, []
        for _ in range(2):
            size = body[at]
            names.append(body[at + 1:at + 1 + size].decode())
            at += size + 2
        self.schema, self.name = names
        count, at = read_packed(body, at)
        codes = body[at:at + count]
        _, at = read_packed(body, at + count)
        self.columns = []
        for code in codes:
            size = meta_size(code)
            self.columns.append((code, bytes(body[at:at + size])))
            at += size

    def image_size(self, present, data, at):
        shown = [c for i, c in enumerate(self.columns) if present[i // 8] >> (i % 8) & 1]
        nulls = data[at:at + (len(shown) + 7) // 8]
        size = len(nulls)
        for i, (code, meta) in enumerate(shown):
            if not nulls[i // 8] >> (i % 8) & 1:
                size += value_size(code, meta, data, at + size)
        return size


def split_rows(table, kind, body):
    """The column bitmaps of a row event of version 1, and the images of each of its rows."""
    count, at = read_packed(body, 8)
    width = (count + 7) // 8
    images = 2 if kind == 24 else 1
    masks = [body[at + i * width:at + (i + 1) * width] for i in range(images)]
    at += images * width
    rows = []
    while at < len(body):
        start = at
        for mask in masks:
            at += table.image_size(mask, body, at)
        rows.append(bytes(body[start:at]))
    return packed(count) + b"".join(masks), rows


def events_of(data):
    """(type, flags, seconds, offset, body) of each event of a log file with checksums."""
    at = 4
    while at < len(data):
        seconds, kind, _, size, _, flags = struct.unpack_from("<IBIIIH", data, at)
        yield kind, flags, seconds, at, data[at + 19:at + size - 4]
        at += size


def query_of(body):
    _, _, size, _, status = struct.unpack_from("<IIBHH", body)
    at = 13 + status
    return bytes(body[at:at + size]).decode(), bytes(body[at + size + 1:])


STATEMENT = re.compile(rb"\s*(insert|update|delete|replace|load)\b", re.I)


def rewrite(data, log, rotate_every=0):
    """Appends the groups of MariaDB's log file to `log`; what the service has no form for is left out (statements that change rows,
    SQL variables). The offsets in `data` of the groups that were taken, as (from, to)."""
    taken, group, start, tables = [], [], None, {}

    def close(end):
        if start is not None and take(group):
            taken.append((start, end))
            if rotate_every and len(taken) % rotate_every == 0:
                log.rotate()

    def take(events):
        queries = [query_of(body) for kind, _, body in events if kind == 2]
        if any(kind in (5, 13, 14) for kind, _, _ in events) or any(STATEMENT.match(sql) for _, sql in queries):
            return False
        changes = any(kind in (23, 24, 25) for kind, _, _ in events)
        # MariaDB logs CREATE TABLE ... SELECT as one group.
        wanted = [(schema, sql) for schema, sql in queries if sql != b"COMMIT"]
        for schema, sql in wanted:
            log.ddl(sql.decode(), schema)
        if not changes:
            return bool(wanted)
        log.begin()
        for kind, seconds, body in events:
            log.seconds = seconds
            if kind == 19:
                table = MappedTable(body)
                tables[bytes(body[:6])] = table
            elif kind in (23, 24, 25):
                table = tables[bytes(body[:6])]
                present, rows = split_rows(table, kind, body)
                for row in rows:
                    log.raw_row(kind + 7, log.table(table.schema, table.name, table.columns), present, row)
        log.finish()
        return True

    for kind, _, seconds, offset, body in events_of(data):
        if kind == 162:
            close(offset)
            group, start = [], offset
        elif start is not None:
            group.append((kind, seconds, body))
    close(len(data))
    return taken

"""What OceanBase's log proxy sends for a transaction: LogMessage records, in the container of `obcanal logproxy serve`.

seekdb, the OceanBase engine of this demonstration, keeps no incremental log. Whoever changes its tables here writes the log as well.
"""
import struct

HEADER, STRUCT, STRUCT_SIZE = 12, 17, 168
INSERT, UPDATE, DELETE, BEGIN, COMMIT = 0, 1, 2, 6, 7
ABSENT_CATEGORY, FULL_IMAGE = 4, 0
SECOND = 1_000_000


class Column:
    """`code`: MySQL's type number. `length` in characters, `precision` and `scale` of decimals; -1: none."""

    def __init__(self, name, code, length=0, precision=-1, scale=-1, nullable=False, text=False):
        self.name, self.code, self.length, self.precision, self.scale = name, code, length, precision, scale
        self.nullable, self.encoding = nullable, "utf8mb4" if text else "binary"


class Record:
    def __init__(self):
        self.data = bytearray(struct.pack("<HHII", 3, 1, 0, 0) + b"\x12" + struct.pack("<I", 104) + b"\xff" * STRUCT_SIZE)

    def set(self, at, form, value):
        struct.pack_into("<" + form, self.data, STRUCT + at, value)

    def point(self, at):
        self.set(at, "I", len(self.data) - HEADER)

    def text(self, at, value):
        self.point(at)
        self.data += b"\x0b" + struct.pack("<I", len(value) + 1) + value.encode() + b"\0"

    def texts(self, at, values):
        """None is NULL: an element that takes no bytes, not even its end."""
        self.point(at)
        self.data += b"\x1b" + struct.pack("<I", len(values))
        if not values:
            return
        parts = [b"" if value is None else value.encode() + b"\0" for value in values]
        end, ends = 0, [0]
        for part in parts:
            end += len(part)
            ends.append(end)
        self.data += struct.pack("<%dI" % len(ends), *ends) + b"".join(parts)

    def numbers(self, at, tag, form, values):
        self.point(at)
        self.data += bytes([tag]) + struct.pack("<I", len(values)) + struct.pack("<%d%s" % (len(values), form), *values)

    def finish(self):
        struct.pack_into("<I", self.data, 4, len(self.data) - 8)
        return struct.pack(">I", len(self.data)) + bytes(self.data)


def record(kind, commit_us, checkpoint_us, ids, table=None, columns=(), keys=(), before=None, after=None):
    """`table`: "tenant.database", "table". Images: texts in the order of the columns, or None."""
    made = Record()
    category = ABSENT_CATEGORY if table is None else FULL_IMAGE
    for at, form, value in ((0, "B", 3), (1, "B", 4), (2, "B", kind), (3, "B", 1), (4, "I", category), (8, "Q", 5 << 56),
                            (16, "Q", commit_us // SECOND), (56, "Q", checkpoint_us // SECOND), (64, "Q", checkpoint_us % SECOND)):
        made.set(at, form, value)
    made.text(24, "US-ASCII" if table is None else "utf8mb4")
    made.text(28, "")
    if table:
        made.text(36, table[0])
        made.text(40, table[1])
        made.texts(44, [column.name for column in columns])
        made.numbers(48, 0x12, "B", [column.code for column in columns])
        made.texts(52, ["(%s)" % ",".join(str(key) for key in keys)])
        made.numbers(80, 0x15, "i", list(keys))
        made.texts(88, [column.encoding for column in columns])
        made.numbers(112, 0x12, "B", [0 if column.nullable else 1 for column in columns])
        made.numbers(116, 0x12, "B", [1] * len(columns))
        made.numbers(136, 0x17, "q", [column.length for column in columns])
        made.numbers(144, 0x17, "q", [column.precision for column in columns])
        made.numbers(148, 0x17, "q", [column.scale for column in columns])
    made.texts(72, before or [])
    made.texts(76, after or [])
    made.numbers(152, 0x12, "B", [0] * len(before or []))
    made.numbers(156, 0x12, "B", [0] * len(after or []))
    made.numbers(160, 0x12, "B", [0] * len(after or []))
    made.texts(96, ids)
    made.numbers(100, 0x12, "B", list(struct.pack("<III", 1, commit_us % SECOND, 0)))
    return made.finish()


def transaction(number, commit_us, checkpoint_us, changes):
    """`changes`: (table, columns, keys, before, after); an INSERT has no before, a DELETE no after."""
    begin = ["0", "1002_%d" % number, "", "4"]
    out = record(BEGIN, commit_us, checkpoint_us, begin)
    for index, (table, columns, keys, before, after) in enumerate(changes):
        kind = INSERT if before is None else DELETE if after is None else UPDATE
        ids = ["0", "1002_1001_%d_%d_%d" % (number, number * 100, index), ""]
        out += record(kind, commit_us, checkpoint_us, ids, table, columns, keys, before, after)
    return out + record(COMMIT, commit_us, checkpoint_us, ["0", "", ""])

"""unusual.py SCENARIO SERVER: what is rare on the binary log of a real server. SERVER as in live.py.

unusual  XA transactions, events that are compressed, a row that takes several packets
clock    the source's clock and ours go forward and back, logs come near their end: every row arrives once, delays are true
"""
import contextlib
import glob
import hashlib
import os
import re
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from live import Database, check, server, streaming, tail  # noqa: E402

import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402


class Rows:
    """Rows of shop.t, each of which has to arrive once and in order."""

    def __init__(self, database, reader):
        self.database, self.reader, self.ids = database, reader, []

    def take(self, before="", text="x", wrap="%s"):
        """The SQL of the next row; `wrap`: a transaction around it."""
        self.ids.append(len(self.ids) + 1)
        return before + wrap % ("INSERT INTO shop.t VALUES (%d,'%s');" % (self.ids[-1], text))

    def insert(self, **more):
        self.database.sql(self.take(**more))

    def expect(self):
        self.reader.expect("t", self.ids)


def xa_transactions(database, rows, reader):
    """Rows come where they are prepared, what became of them later."""
    whole = "XA START '{0}'; %s XA END '{0}'; XA PREPARE '{0}';"
    rows.insert(wrap=whole.format("a"))  # a session that ends leaves it prepared
    rows.insert()
    rows.expect()
    if not database.kill_dumps():
        raise RuntimeError("no dump thread to kill")
    rows.insert(wrap=whole.format("b"))
    database.sql("XA COMMIT 'a'")
    rows.insert()
    database.sql("XA ROLLBACK 'b'")
    rows.insert(wrap="XA START 'c'; %s XA END 'c'; XA COMMIT 'c' ONE PHASE;")
    rows.insert()
    rows.expect()
    ends = [entry["rowChange"]["eventType"] for entry in reader.entries() if entry.get("rowChange", {}).get("eventType", "").startswith("XA")]
    if ends != ["XACOMMIT", "XAROLLBACK"]:
        raise RuntimeError("the ends of XA transactions are %r" % ends)


def compressed_events(database, rows):
    log = database.end()[0]
    if database.mariadb:
        kind, switch = "Write_rows_compressed_v1", "SET GLOBAL log_bin_compress_min_len=10; SET GLOBAL log_bin_compress=ON"
        database.sql(switch)
        before = ""
    elif database.make == "8.0.33":
        kind, before = "Transaction_payload", "SET SESSION binlog_transaction_compression=ON;"
    else:
        print("  not there before MySQL 8.0.20")
        return
    rows.insert(before=before, text="z" * 150)
    rows.insert(before=before, wrap="BEGIN; %s UPDATE shop.t SET v=REPEAT('y',150) WHERE id=1; DELETE FROM shop.t WHERE id=1;"
                "INSERT INTO shop.gone VALUES (1); COMMIT;")
    database.sql(before + "ALTER TABLE shop.t ADD COLUMN w VARCHAR(99) DEFAULT 'a default that is long enough' AFTER id")
    database.sql(before + rows.take().replace("VALUES", "(id, v) VALUES"))
    logged = [row[2] for row in database.sql("SHOW BINLOG EVENTS IN '%s'" % log)]
    if kind not in logged:
        raise RuntimeError("no %s among %r" % (kind, sorted(set(logged))))
    database.sql("ALTER TABLE shop.t DROP COLUMN w")
    if database.mariadb:
        database.sql("SET GLOBAL log_bin_compress=OFF")


def large_row(program, database):
    """A row of three packets and more than the ring; its value by its digest."""
    unit, times = bytes.fromhex("00017f80ffc3a9"), 6_000_000
    database.sql("INSERT INTO shop.big VALUES (1, REPEAT(UNHEX('%s'), %d)); INSERT INTO shop.gone VALUES (2)" % (unit.hex(), times))
    client = wire.Client(program.port, password="", user="")
    client.subscribe()
    client.rollback()
    value, behind = None, False
    while value is None or not behind:
        batch, entries = client.get(100, timeout=60_000)
        if batch == -1:
            raise RuntimeError("nothing behind the large row, or no large row")
        for entry in (entry for entry in entries if wire.entry_kind(entry) == 2):
            table = wire.entry_header(entry).get(9)
            for row in (v for f, v in wire.fields(next(v for f, v in wire.fields(entry) if f == 3)) if f == 12):
                columns = [dict(wire.fields(c)) for f, c in wire.fields(row) if f == 2]
                if table == b"big":
                    value = next(column[8] for column in columns if column[3] == b"b")
                behind = table == b"gone" and columns[0][8] == b"2"
        client.ack(batch)
    client.close()
    found = hashlib.sha256(value.decode().encode("latin-1")).digest()
    if found != hashlib.sha256(unit * times).digest():
        raise RuntimeError("the large value is another one")


def unusual(scratch, make):
    database = Database(scratch, make, arguments=["--max-allowed-packet=128M"]).start().user()
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(200)) ENGINE=InnoDB;"
                 "CREATE TABLE shop.gone (id INT PRIMARY KEY) ENGINE=InnoDB;"
                 "CREATE TABLE shop.big (id INT PRIMARY KEY, b LONGBLOB) ENGINE=MyISAM")
    program = server(scratch, database).start()
    streaming(program)
    with tail(scratch, program) as reader:
        rows = Rows(database, reader)
        print("XA transactions")
        xa_transactions(database, rows, reader)
        print("compressed events")
        compressed_events(database, rows)
        rows.insert()
        obcanal.wait_until(lambda: str(rows.ids[-1]) in reader.values("t"), "the row behind them")
    print("a row of 42 MB")
    large_row(program, database)


def metric(program, name):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % program.metrics, timeout=10) as answer:
        found = re.search(r"^%s (\S+)$" % re.escape(name), answer.read().decode(), re.M)
    return float(found.group(1)) if found else None


def put_delay(program):
    return metric(program, 'obcanal_stage_delay_ms{destination="example",stage="put"}')


def between(what, least, most, value):
    if value is None or not least <= value <= most:
        raise RuntimeError("%s is %s, not between %s and %s" % (what, value, least, most))


@contextlib.contextmanager
def faked_clock(path):
    """Programs that are started now see the wall clock that the file says; monotonic clocks are true."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
    more = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1"}
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]


def clock(scratch, make):
    database = Database(scratch, make).start().user()
    seconds = database.mariadb or make.startswith("8")
    keep = "SET GLOBAL binlog_expire_logs_seconds=%d" if seconds else "SET GLOBAL expire_logs_days=%d"
    database.sql(keep % (7200 if seconds else 2))
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(200)) ENGINE=InnoDB")
    wall, metrics = os.path.join(scratch.path, "wall"), obcanal.free_port()

    def set_wall(offset):
        with open(wall + ".new", "w", encoding="ascii") as file:
            file.write("%+d\n" % offset)
        os.replace(wall + ".new", wall)
    set_wall(0)
    program = server(scratch, database, server={"canal.metrics.pull.port": metrics})
    program.metrics = metrics
    with faked_clock(wall):
        program.start()
    streaming(program)
    hour, day, minute = 3_600_000, 86_400_000, 60_000
    with tail(scratch, program) as reader:
        rows = Rows(database, reader)

        def arrives(least, most, **more):
            rows.insert(**more)
            rows.expect()
            between("the delay", least, most, put_delay(program))
        arrives(0, minute)
        print("the source's clock")
        arrives(0, minute, before="SET TIMESTAMP=UNIX_TIMESTAMP()+86400;")
        database.kill_dumps()
        arrives(0, 401 * day, before="SET TIMESTAMP=UNIX_TIMESTAMP()-400*86400;")
        database.kill_dumps()
        arrives(0, minute)
        print("our clock")
        for offset, most, said in ((7200, 2 * hour + minute, r"warning  its clock is \d+ ms behind ours: delays are wrong by as much"),
                                   (-7200, minute, r"warning  its clock is \d+ ms ahead of ours"), (0, minute, "ok       its clock and ours agree")):
            set_wall(offset)
            with faked_clock(wall):
                answer = check(program)
            if not re.search(said, answer):
                raise RuntimeError("%r is not in\n%s" % (said, answer))
            arrives(0, most)
            database.kill_dumps()
            arrives(0, most)
            stamp = re.findall(r"^(\S+ \d\d:\d\d:\d\d)\.\d+ info example streaming ", program.text(), re.M)[-1]
            between("what our clock is wrong by", offset - 60, offset + 60,
                    time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) - time.time())
        print("hours until logs are purged")
        name = 'obcanal_source_purge_hours{destination="example"}'
        expected = 2.0 if seconds else 48.0
        obcanal.wait_until(lambda: metric(program, name) is not None, "a cursor")
        between(name, expected - 0.1, expected, metric(program, name))
        database.sql(keep % (3600 if seconds else 1))
        database.kill_dumps()
        database.sql("FLUSH BINARY LOGS")
        arrives(0, minute)
        between(name, expected / 2 - 0.1, expected / 2, metric(program, name))
        database.sql(keep % 0)
        database.kill_dumps()
        arrives(0, minute)
        if metric(program, name) is not None:
            raise RuntimeError("logs that are kept have an end")


SCENARIOS = {"clock": clock, "unusual": unusual}


def main():
    scenario, make = sys.argv[1:3]
    with obcanal.Scratch("binlog-%s-%s" % (scenario, make)) as scratch:
        SCENARIOS[scenario](scratch, make)


main()

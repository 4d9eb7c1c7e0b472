"""obcanal-server on OceanBase's Binlog Service, played by tests/support/binlog_service.py: what conf/BINLOG_SERVICE.md lists.

golden   a recorded log, rewritten as the service writes it: the entries that the real Java Canal made of the recording
starts   by position, time and GTIDs; resumed; the service restarts, rotates and purges; each by positions and by GTIDs
crash    the service dies in the middle of a transaction that is partly delivered, cuts it off and writes it anew; by GTIDs and by positions
numbers  transaction numbers restart with a file, table numbers with a process
ddl      statements that only OceanBase has: the table's columns are right without that anybody is asked
direct   the service without ODP in front: no table definitions, hardly any SQL
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, HERE)
import binlog_log  # noqa: E402
import binlog_service  # noqa: E402
import judge  # noqa: E402
import live  # noqa: E402
import obcanal  # noqa: E402

COLUMNS = [binlog_log.INT, binlog_log.varchar(20)]
# As OceanBase 4.2 prints it.
CREATE_T = """CREATE TABLE `t` (
  `id` int(11) NOT NULL,
  `v` varchar(20) DEFAULT NULL,
  PRIMARY KEY (`id`)
) DEFAULT CHARSET = utf8mb4 ROW_FORMAT = DYNAMIC COMPRESSION = 'zstd_1.3.8' REPLICA_NUM = 1 BLOCK_SIZE = 16384 \
USE_BLOOM_FILTER = FALSE TABLET_SIZE = 134217728 PCTFREE = 0 TABLEGROUP = 'tg1'"""
USER = "canal@shop#obcluster"
REPLICA_COMMANDS = {0x01, 0x03, 0x12, 0x15, 0x1E}


def need(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def observers():
    return binlog_service.Observers({("shop", "t"): CREATE_T}, {"shop": "utf8mb4", "information_schema": "utf8mb4"})


class Case:
    """A service with its log, and an obcanal-server of a directory of its own."""

    def __init__(self, scratch, name, log=None, odp=None, **keys):
        self.path = os.path.join(scratch.path, name)
        os.makedirs(self.path)
        self.log = log or binlog_log.Log()
        self.service = binlog_service.Service(obcanal.free_port(), self.log, odp).start()
        instance = {"canal.instance.master.address": "127.0.0.1:%d" % self.service.port, "canal.instance.dbUsername": USER,
                    "canal.instance.dbPassword": "any", "canal.instance.mysql.slaveId": 4711, "canal.instance.tsdb.enable": "true",
                    **live.FAST, **keys}
        self.program = scratch.keep(obcanal.Server(self.path, None, instance=instance, password=""))
        self.reader, self.next_id = None, 1

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.reader:
            self.reader.stop()
        if what[0] is None:
            self.program.stop()
        self.service.stop()

    def insert(self, count=1, seconds=10):
        """So many transactions of two rows; their ids."""
        ids = []
        for _ in range(count):
            self.log.seconds += seconds
            pair = [self.next_id, self.next_id + 1]
            self.log.insert("shop", "t", COLUMNS, [(i, "row %d" % i) for i in pair])
            ids += pair
            self.next_id += 2
        return ids

    def tail(self):
        self.reader = live.Tail(self, self.program)
        return self.reader

    def start(self):
        self.program.start()
        live.streaming(self.program)
        return self


def flattened(entries, keep=lambda offset: True):
    """What can be compared: the end of each transaction, each row for itself, and DDL."""
    out = []
    for entry in entries:
        head = entry["header"]
        if not keep(int(head["logfileOffset"])):
            continue
        # MariaDB: CREATE TABLE ... SELECT of no rows.
        if entry["entryType"] == "TRANSACTIONEND" and out[-1][0] != "ddl":
            out.append(("end", None, None, None))
        change = entry.get("rowChange")
        if entry["entryType"] != "ROWDATA" or not change:
            continue
        name = head.get("schemaName", ""), head.get("tableName", "")
        if change.get("isDdl"):
            out.append(("ddl", name, change["eventType"], change["sql"]))
        for row in change.get("rowDatas", []):
            out.append(("row", name, change["eventType"], row))
    return out


# The recording has fields that are not on the wire.
UNSET = {"index": 0, "sqlType": 0, "name": "", "isKey": False, "updated": False, "props": [], "value": "", "length": 0, "mysqlType": ""}


def same(judged, java, ours):
    if java[0] != ours[0]:
        return False
    if java[0] == "ddl" and java != ours:
        return java[3] == ours[3] and java[2] == "QUERY" and judged.differs("ddl-understood")
    if java[0] != "row":
        return java == ours
    if java[1:3] != ours[1:3]:
        return False
    for side in ("beforeColumns", "afterColumns"):
        theirs, mine = ([{**UNSET, **column} for column in row[3].get(side, [])] for row in (java, ours))
        if len(theirs) != len(mine) or not all(judged.column(java[1][1], a, b) for a, b in zip(theirs, mine)):
            return False
    return True


def golden(scratch):
    with open(obcanal.fixture("binlog/mysql-bin.000002"), "rb") as file:
        recorded = file.read()
    log = binlog_log.Log()
    taken = binlog_log.rewrite(recorded, log, rotate_every=40)
    with open(obcanal.fixture("binlog/entries.jsonl"), encoding="utf-8") as file:
        java = flattened((json.loads(line) for line in file), lambda at: any(a <= at < b for a, b in taken))
    with open(os.path.join(ROOT, "conf", "DIFFERENCES.md"), encoding="utf-8") as file:
        judged = judge.Judge({line.split("|")[1].strip() for line in file if line.startswith("|")})
    start = {"canal.instance.master.journal.name": "mysql-bin.000001", "canal.instance.master.position": 4}
    with Case(scratch, "golden", log, **start) as case:
        case.start()
        reader = case.tail()
        obcanal.wait_until(lambda: len(flattened(reader.entries())) >= len(java), lambda: "%d entries, there are %d:\n%s" % (
            len(java), len(flattened(reader.entries())), case.program.text()[-1500:]), 90)
        entries = reader.entries()
        ours = flattened(entries)
        need("entries", len(ours), len(java))
        wrong = [pair for pair in zip(java, ours) if not same(judged, *pair)]
        for theirs, mine in wrong[:5]:
            print("java %.900r\nours %.900r" % (theirs, mine))
        need("entries that differ", len(wrong), 0)
        heads = [entry["header"] for entry in entries]
        need("server ids", {int(head["serverId"]) for head in heads}, {binlog_log.SERVER_ID})
        begins = [e for e in entries if e["entryType"] == "TRANSACTIONBEGIN"]
        need("the cluster's number", {int(e["transactionBegin"]["threadId"]) for e in begins}, {binlog_log.CLUSTER_ID})
        need("transactions begun", len(begins), sum(1 for one in ours if one[0] == "end"))
        for head in heads:  # where they really stand
            at = int(head["logfileOffset"])
            need("an event's length", int.from_bytes(log.files[head["logfileName"]][at + 9:at + 13], "little"), int(head["eventLength"]))
    print("%d groups in %d logs, %d entries as Java Canal's; %s" % (len(taken), len(log.files), len(ours), dict(judged.met)))


def properties(entry):
    return {pair["key"]: pair["value"] for pair in entry["header"].get("props", [])}


def starts(scratch, gtids):
    kind = "gtids" if gtids else "positions"
    on = {"canal.instance.gtidon": "true"} if gtids else {}

    def case(name, **keys):
        made = Case(scratch, "%s-%s" % (kind, name), None, observers(), **{**on, **keys})
        made.insert(3)
        made.log.rotate()
        made.insert(3)
        return made

    name, offset = "mysql-bin.000001", None
    probe = binlog_log.Log()
    with case("position") as one:
        name, offset = one.log.group_starts[2]
    print(kind, "start at a position in the middle of a log")
    with case("position-start", **{"canal.instance.master.journal.name": name, "canal.instance.master.position": offset}) as one:
        one.start()
        one.tail().expect("t", range(5, 13))
        first = one.reader.entries()[0]["header"]
        need("the first entry", (first["logfileName"], offset < int(first["logfileOffset"]) < offset + 200), (name, True))
        one.insert()
        one.reader.expect("t", range(5, 15))
        need("replica", one.service.replicas[-1], 4711)
        need("users", set(one.service.users), {USER})
    with case("position-none", **{"canal.instance.master.journal.name": name, "canal.instance.master.position": 0}) as one:
        with open(os.path.join(one.program.conf, "example", "instance.properties"), "a", encoding="utf-8") as file:
            file.write("canal.instance.master.position = %d\n" % (len(one.log.files[name]) - 5))
        one.program.start()
        live.wait_log(one.program, r"stopped for good.*current subscription is illegal", 0)
    print(kind, "start at a time")
    at = (probe.seconds + 40) * 1000
    with case("time", **{"canal.instance.master.timestamp": at}) as one:
        one.start()
        one.tail().expect("t", range(7, 13))
    if gtids:
        print(kind, "start behind GTIDs")
        with case("gtid", **{"canal.instance.master.gtid": binlog_log.UUID + ":1-2"}) as one:
            one.start()
            one.tail().expect("t", range(5, 13))
            begin = one.reader.entries()[0]
            seconds = one.log.seconds - 30
            need("GTID of the first entry", begin["header"]["gtid"], binlog_log.UUID + ":1-3")
            need("properties", properties(begin), {
                "curtGtid": binlog_log.UUID + ":3", "curtGtidSn": str(seconds * 1_000_000 + 3), "curtGtidLct": str(seconds)})
    print(kind, "at the current end, then what happens to a service")
    with case("end") as one:
        one.start()
        reader = one.tail()
        ids = one.insert(2)
        reader.expect("t", ids)
        one.log.rotate()
        ids += one.insert()
        one.log.rotate()
        one.log.rotate()
        ids += one.insert()
        reader.expect("t", ids)
        since = live.here(one.program)
        one.service.drop()
        live.wait_log(one.program, r"source lost, trying again .*(?s:.*) streaming ", since)
        ids += one.insert()
        reader.expect("t", ids)
        since = live.here(one.program)
        one.service.stop()
        live.wait_log(one.program, r"trying again.*Connection refused", since)
        one.log.rotate()
        ids += one.insert(2)
        one.service.start()
        live.wait_log(one.program, r" streaming ", since)
        reader.expect("t", ids)
        reader.stop()
        one.program.stop()
        ids += one.insert()
        one.log.rotate()
        ids += one.insert()
        one.start()
        # What the reader had and could not acknowledge any more comes again.
        reader = one.tail()
        obcanal.wait_until(lambda: reader.values("t")[-2:] == [str(i) for i in ids[-2:]], "the newest rows")
        need("rows, each once", list(dict.fromkeys(reader.values("t"))), [str(i) for i in ids])
        reader.stop()
        one.program.stop()
        one.insert()
        one.log.rotate()
        one.log.rotate()
        kept = one.insert()
        one.log.purge_to(one.log.name)
        one.program.spawn()
        live.wait_log(one.program, r"stopped for good.*the server no longer has.*its oldest log is " + one.log.name, one.program.offset)
        one.program.stop()
        with open(os.path.join(one.program.conf, "example", "instance.properties"), "a", encoding="utf-8") as file:
            file.write("canal.instance.purged.position = latest\n")
        one.program.spawn()
        live.wait_log(one.program, r"a gap in the stream.*lost, because the server had purged it", one.program.offset)
        live.streaming(one.program)
        ids += one.insert()
        one.tail().expect("t", dict.fromkeys(int(v) for v in one.reader.values("t")) and ids)
        need("rows of the gap", [i for i in kept if str(i) in one.reader.values("t")], [])
        need("commands", set(one.service.commands) - REPLICA_COMMANDS, set())


def crash(scratch, gtids):
    """Pieces of eight entries: the head of the transaction is with the client when the service dies."""
    keys = {"canal.instance.gtidon": "true"} if gtids else {}
    keys.update({"canal.instance.transaction.size": 8, "canal.instance.memory.buffer.size": 32})
    with Case(scratch, "crash-%s" % ("gtids" if gtids else "positions"), None, observers(), **keys) as case:
        case.insert(2)
        case.start()
        reader = case.tail()
        before = case.insert(2)
        rows = [(i, "large") for i in range(1001, 1101)]
        case.log.seconds += 1
        case.log.begin()
        for row in rows[:60]:
            case.log.row("shop", "t", COLUMNS, row)
        case.log.flush()
        obcanal.wait_until(lambda: len(reader.values("t")) > 20, "the head of the transaction")
        case.service.stop()
        case.log.cut()
        case.log.begin()
        for row in rows:
            case.log.row("shop", "t", COLUMNS, row)
        case.log.finish()
        case.service.start()
        behind = case.insert()
        whole = before + [i for i, _ in rows] + behind
        if gtids:
            reader.expect("t", whole)
        else:
            last = str(behind[-1])
            obcanal.wait_until(lambda: reader.values("t")[-1:] == [last], lambda: case.program.text()[-1500:])
            got = [int(value) for value in reader.values("t")]
            head = len(got) - len(whole)
            need("the head comes again", (0 < head <= 60, got), (True, whole[:4 + head] + whole[4:]))
        kinds = [entry["entryType"] for entry in reader.entries()]
        need("transactions", (kinds.count("TRANSACTIONBEGIN"), kinds.count("TRANSACTIONEND")), (4 if gtids else 5, 4))


def numbers(scratch):
    """What counts within a file, or within a process, of the service, and what a client may take for unique."""
    known = observers()
    known.tables["shop", "u"] = CREATE_T.replace("`t`", "`u`", 1)
    with Case(scratch, "numbers", None, known, **{"canal.instance.gtidon": "true"}) as case:
        case.start()
        reader = case.tail()
        ids = case.insert(2)
        reader.expect("t", ids)
        of_t = case.log.tables["shop", "t"]
        case.service.stop()
        case.log.rotate()
        case.log.tables = {("shop", "u"): of_t, ("shop", "t"): of_t + 1}
        case.log.insert("shop", "u", COLUMNS, [(901, "has the number that t had"), (902, "")])
        ids += case.insert()
        case.service.start()
        reader.expect("t", ids)
        reader.expect("u", [901, 902])
        ends = [entry for entry in reader.entries() if entry["entryType"] == "TRANSACTIONEND"]
        need("transaction numbers", [entry["transactionEnd"]["transactionId"] for entry in ends], ["1", "2", "1", "2"])
        begun = [properties(entry)["curtGtid"] for entry in reader.entries() if entry["entryType"] == "TRANSACTIONBEGIN"]
        need("GTIDs", begun, ["%s:%d" % (binlog_log.UUID, number) for number in range(1, 5)])


DDL = [
    "CREATE TABLEGROUP tg1 SHARDING = 'ADAPTIVE'",
    """CREATE TABLE IF NOT EXISTS orders (id bigint(20) NOT NULL AUTO_INCREMENT, name varchar(20) COLLATE utf8mb4_bin DEFAULT NULL,
    region varchar(10), PRIMARY KEY (id), KEY idx_name (name) BLOCK_SIZE 16384 LOCAL) AUTO_INCREMENT_MODE = 'ORDER'
    DEFAULT CHARSET = utf8mb4 ROW_FORMAT = DYNAMIC COMPRESSION = 'zstd_1.3.8' REPLICA_NUM = 3 BLOCK_SIZE = 16384
    USE_BLOOM_FILTER = FALSE TABLET_SIZE = 134217728 PCTFREE = 0 TABLEGROUP = 'tg1' LOCALITY = 'F@z1,F@z2' PRIMARY_ZONE = 'z1'
    PARTITION BY KEY(id) PARTITIONS 8""",
    "ALTER TABLE orders SET TABLEGROUP = 'tg2'",
    "ALTER TABLE orders LOCALITY = 'F@z1,F@z2,F@z3', PRIMARY_ZONE = 'z2'",
    "ALTER TABLE orders ADD COLUMN (note varchar(30), total decimal(10,2)), COMPRESSION 'lz4_1.0'",
    "ALTER TABLE orders ADD INDEX idx_note(note) GLOBAL STORING(total) PARTITION BY HASH(id) PARTITIONS 4",
    "ALTER TABLE orders DROP COLUMN region, DROP TABLEGROUP",
    "ALTER TABLE orders ALTER INDEX idx_note INVISIBLE, PARALLEL 4, BLOCK_SIZE 32768",
    "CREATE OUTLINE o1 ON SELECT 1 USING HINT /*+ max_concurrent(1) */",
    "ALTER TABLE orders ADD PARTITION (PARTITION p9 VALUES LESS THAN (100))",
    "PURGE RECYCLEBIN",
    "ALTER TABLE orders MODIFY name varchar(40) AFTER note",
    "FLASHBACK TABLE __recycle_$_1 TO BEFORE DROP",
]
WANTED = [("id", "bigint(20)", True), ("note", "varchar(30)", False), ("name", "varchar(40)", False), ("total", "decimal(10,2)", False)]


def ddl(scratch):
    big = binlog_log.Column(8, b"", lambda value: value.to_bytes(8, "little"))
    decimal = binlog_log.Column(246, b"\x0a\x02", lambda value: (0x80000000 + value // 100).to_bytes(4, "big") + bytes([value % 100]))
    columns = [big, binlog_log.varchar(30), binlog_log.varchar(40), decimal]
    start = {"canal.instance.master.journal.name": "mysql-bin.000001", "canal.instance.master.position": 4}
    with Case(scratch, "ddl", None, binlog_service.Observers(databases={"shop": "utf8mb4"}), **start) as case:
        for sql in DDL:
            case.log.ddl(sql, "shop")
        case.log.insert("shop", "orders", columns, [(1, "first", "name", 150), (2, None, "née", 1999)])
        case.start()
        reader = case.tail()
        reader.expect("orders", [1, 2])
        entries = reader.entries()
        rows = [row["afterColumns"] for e in entries for row in (e.get("rowChange") or {}).get("rowDatas", [])]
        need("columns", [(c["name"], c["mysqlType"], c.get("isKey", False)) for c in rows[0]], WANTED)
        need("values", [c.get("value") for c in rows[1]], ["2", None, "née", "19.99"])
        sent = [e["rowChange"]["sql"] for e in entries if (e.get("rowChange") or {}).get("isDdl")]
        lost = [sql for sql in DDL if "orders" in sql and sql not in sent]
        need("statements that did not arrive as they stand in the log", lost, [])
        asked = [s for s in case.service.statements if "SHOW CREATE" in s]
        need("questions about tables", asked, [])
        said = live.check(case.program)
        for wanted in ("ok       OceanBase behind ODP, its log from the Binlog Service: OceanBase 4.2.1.0",
                       "ok       our user has all privileges", "ok       the configured start, mysql-bin.000001:4, is in the server's logs",
                       "warning  none of the tables that our user may see passes the filter",
                       "ok       streams: the first record came after"):
            need(wanted, wanted in said, True)
        need("problems", "problem" in said, False)


def direct(scratch):
    keys = {"canal.instance.detecting.enable": "true", "canal.instance.detecting.sql": "select 1",
            "canal.instance.detecting.interval.time": 1, "canal.instance.detecting.retry.threshold": 0,
            "canal.instance.detecting.heartbeatHaEnable": "true"}
    with Case(scratch, "direct", **keys) as case:
        case.start()
        live.wait_log(case.program, r"the server does not tell its tables", 0)
        reader = case.tail()
        case.log.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))", "shop")
        ids = case.insert(2)
        reader.expect("t", ids)
        asked = len([s for s in case.service.statements if s == "select 1"])
        obcanal.wait_until(lambda: len([s for s in case.service.statements if s == "select 1"]) > asked + 1, "detecting statements")
        need("detecting statements that failed", "the detecting statement failed" in case.program.text(), False)
        since = live.here(case.program)
        case.log.insert("shop", "unheard_of", COLUMNS, [(1, "x")])
        live.wait_log(case.program, r"definition of shop.unheard_of.*SHOW CREATE TABLE.*ODP", since)
        said = live.check(case.program)
        for wanted in ("ok       OceanBase Binlog Service itself: 5.7.35-obs", "-> let canal.instance.master.address be the ODP",
                       "1 logs, ", "ok       our server id 4711 is free"):
            need(wanted, wanted in said, True)
        need("commands", set(case.service.commands) - REPLICA_COMMANDS, set())
        if case.service.heartbeats == 0:
            raise RuntimeError("no heartbeat was sent")


def left_out(scratch):
    """canal.instance.filter.table.error: rows of a table that nobody describes do not stop the others, and the log names the table."""
    with Case(scratch, "left-out", **{"canal.instance.filter.table.error": "true"}) as case:
        case.start()
        reader = case.tail()
        case.log.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))", "shop")
        ids = case.insert()
        reader.expect("t", ids)
        since = live.here(case.program)
        case.log.insert("shop", "unheard_of", COLUMNS, [(1, "x")])
        ids += case.insert()
        reader.expect("t", ids)
        live.wait_log(case.program, r"rows of a table are left out.*shop.unheard_of.*ODP", since)
        need("entries of that table", [e for e in reader.entries() if e["header"].get("tableName") == "unheard_of"], [])


def main():
    scenario = sys.argv[1]
    with obcanal.Scratch("binlog-service-%s" % scenario) as scratch:
        if scenario == "starts":
            starts(scratch, gtids=False)
            starts(scratch, gtids=True)
        elif scenario == "crash":
            crash(scratch, gtids=True)
            crash(scratch, gtids=False)
        elif scenario == "direct":
            direct(scratch)
            left_out(scratch)
        else:
            {"golden": golden, "numbers": numbers, "ddl": ddl}[scenario](scratch)


main()

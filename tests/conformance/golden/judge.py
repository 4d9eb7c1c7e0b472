"""Compares entries that a Canal client received from obcanal with canal-for-ob's recorded ones, field by field.

judge.py DIFFERENCES.md RECORDS.jsonl GOLDEN.jsonl ENTRIES.jsonl

RECORDS: what was put into the LogMessage recording. GOLDEN: what canal-for-ob made of it. ENTRIES: what the stock Java
client got from obcanal. Every field must be equal, or differ in one of the ways that conf/DIFFERENCES.md lists (its first
column is the identifier given to differs() below) and then be exactly what that row says. Prints how often each was met.
"""
import base64
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import canal_wire as wire  # noqa: E402

EVENT_TYPE_FIELD = 11
ROW_OPS = ("INSERT", "UPDATE", "DELETE")
INTEGERS = {1: ("tinyint", -6, 127, 5), 2: ("smallint", 5, 32767, 4), 9: ("mediumint", 4, 8388607, 4),
            3: ("int", 4, 2**31 - 1, -5), 8: ("bigint", -5, 2**63 - 1, 3)}
LOBS = {249: "tiny", 252: "", 250: "medium", 251: "long"}
TEMPORAL = {7: ("timestamp", 93), 11: ("time", 92), 12: ("datetime", 93)}
PLAIN = {4: ("float", 7), 5: ("double", 8), 10: ("date", 91), 13: ("year", 12), 14: ("date", 91), 245: ("json", 12),
         247: ("enum", 1), 248: ("set", 1), 255: ("geometry", 12)}


class Mismatch(Exception):
    pass


class Judge:
    def __init__(self, listed):
        self.listed = listed
        self.met = collections.Counter()

    def same(self, what, ours, golden):
        if ours != golden:
            raise Mismatch("%s is %r, canal-for-ob has %r" % (what, ours, golden))

    def differs(self, row, what, ours, expected, golden):
        """`row` of DIFFERENCES.md says what we send instead."""
        if row not in self.listed:
            raise Mismatch("%s differs as %s, which is no row of DIFFERENCES.md" % (what, row))
        if ours != expected:
            raise Mismatch("%s is %r, expected %r (%s; canal-for-ob has %r)" % (what, ours, expected, row, golden))
        if ours != golden:
            self.met[row] += 1

    # -- columns

    def column(self, ours, golden, spec, value, insert, position):
        name = spec["name"]
        self.same("name", ours["name"], golden["name"])
        self.same(name + ".index", ours["index"], golden.get("index", position))
        self.same(name + ".isKey", ours["isKey"], golden.get("isKey", False))
        if insert:
            self.differs("insert-updated", name + ".updated", ours["updated"], True, golden.get("updated", False))
        else:
            self.same(name + ".updated", ours["updated"], golden.get("updated", False))
        is_null = golden.get("isNull", False)
        self.same(name + ".isNull", ours.get("isNull"), is_null)
        type_name, sql_type, binary = column_type(spec, value)
        row = "null-keeps-type" if is_null else "exact-types"
        self.differs(row, name + ".mysqlType", ours["mysqlType"], type_name, golden.get("mysqlType", ""))
        self.differs(row, name + ".sqlType", ours["sqlType"], sql_type, golden.get("sqlType", 0))
        if is_null:
            self.same(name + ".value", ours["value"], "")
        elif binary:
            self.differs("binary-as-latin1", name + ".value", ours["value"], raw(value).decode("latin1"), golden.get("value", ""))
        else:
            self.same(name + ".value", ours["value"], golden.get("value", ""))

    def columns(self, ours, golden, record, side, insert):
        values = record.get("new" if side == "afterColumns" else "old") or []
        self.same(side + " count", len(ours), len(golden))
        for position, (mine, theirs) in enumerate(zip(ours, golden)):
            self.column(mine, theirs, record["cols"][position], values[position], insert, position)

    # -- entries

    def header(self, ours, golden, record, transaction, raw_entry):
        op = record["op"]
        self.differs("header-version", "version", ours.get("version"), 1, golden["version"])
        for field in ("logfileName", "serverenCode"):
            self.same(field, ours[field], golden[field])
        for field in ("logfileOffset", "serverId"):
            self.same(field, int(ours[field]), int(golden.get(field, 0)))
        commit_ms = record["timestamp"] * 1000 + record["usec"] // 1000
        self.differs("commit-time", "executeTime", int(ours["executeTime"]), commit_ms, int(golden["executeTime"]))
        self.differs("header-complete", "sourceType", ours.get("sourceType"), "MYSQL", golden.get("sourceType"))
        self.differs("header-complete", "eventLength", int(ours["eventLength"]), record["size"], golden.get("eventLength", 0))
        for field in ("schemaName", "tableName"):
            self.same(field, ours[field], golden.get(field, ""))
        if op in ("BEGIN", "COMMIT"):
            # The client prints the default of a field that is not there, so the bytes are asked.
            sent = dict(wire.fields(dict(wire.fields(raw_entry))[1])).get(EVENT_TYPE_FIELD)
            self.differs("boundary-event-type", "eventType", sent, None, golden.get("eventType"))
        else:
            self.same("eventType", ours.get("eventType"), golden["eventType"])
        props = {p["key"]: p["value"] for p in ours["props"]}
        golden_props = {p["key"]: p["value"] for p in golden["props"]}
        if op in ROW_OPS:
            self.same("props", props, golden_props)
        else:
            self.differs("rows-count", "props", props, {}, golden_props)
        self.differs("transaction-id", "gtid", ours["gtid"], transaction, golden.get("gtid", ""))

    def entry(self, ours, golden, record, transaction):
        self.same("entryType", ours["entryType"], golden["entryType"])
        self.header(ours["header"], golden["header"], record, transaction, base64.b64decode(ours["rawBase64"]))
        if record["op"] == "BEGIN":
            begin, theirs = ours["transactionBegin"], golden["transactionBegin"]
            self.same("threadId", int(begin["threadId"]), int(theirs.get("threadId", 0)))
            self.differs("transaction-id", "transactionId", begin["transactionId"], transaction, theirs.get("transactionId", ""))
        elif record["op"] == "COMMIT":
            end, theirs = ours["transactionEnd"], golden["transactionEnd"]
            self.differs("transaction-id", "transactionId", end["transactionId"], transaction, theirs["transactionId"])
        elif record["op"] == "DDL":
            self.ddl(ours["rowChange"], golden["rowChange"], record)
        else:
            self.rows(ours["rowChange"], golden["rowChange"], record)

    def ddl(self, ours, golden, record):
        for field in ("eventType", "isDdl"):
            self.same(field, ours[field], golden[field])
        self.differs("ddl-text", "sql", ours["sql"], record["new"][0]["s"], golden["sql"])
        database = record["db"].split(".", 1)[1] if "." in record["db"] else ""
        self.differs("ddl-schema", "ddlSchemaName", ours["ddlSchemaName"], database or golden.get("ddlSchemaName", "").strip("`"),
                     golden.get("ddlSchemaName", ""))

    def rows(self, ours, golden, record):
        for field in ("eventType", "isDdl"):
            self.same(field, ours[field], golden[field])
        self.same("rows", len(ours["rowDatas"]), len(golden["rowDatas"]))
        for mine, theirs in zip(ours["rowDatas"], golden["rowDatas"]):
            self.columns(mine["beforeColumns"], theirs.get("beforeColumns", []), record, "beforeColumns", False)
            self.columns(mine["afterColumns"], theirs.get("afterColumns", []), record, "afterColumns", record["op"] == "INSERT")


def raw(value):
    return value["s"].encode() if "s" in value else bytes.fromhex(value["x"])


def column_type(spec, value):
    """mysqlType, sqlType and whether the value is binary, from what was put into the record."""
    code, unsigned = spec["type"], not spec["signed"]
    sign = " unsigned" if unsigned else ""
    binary = spec["encoding"] in ("", "binary")
    if code in INTEGERS:
        name, sql_type, largest, promoted = INTEGERS[code]
        if unsigned and value is not None and int(value["s"]) > largest:
            sql_type = promoted
        return name + sign, sql_type, False
    if code in (0, 246):
        return "decimal(%d,%d)%s" % (spec["precision"], max(spec["scale"], 0), sign), 3, False
    if code in TEMPORAL:
        name, sql_type = TEMPORAL[code]
        return name + ("(%d)" % spec["scale"] if spec["scale"] > 0 else ""), sql_type, False
    if code == 16:
        return "bit" + ("(%d)" % spec["precision"] if spec["precision"] > 0 else ""), -7, False
    if code in LOBS:
        return LOBS[code] + ("blob" if binary else "text"), 2004 if binary else 2005, binary
    if code in (15, 253, 254):
        name = ("binary" if code == 254 else "varbinary") if binary else ("char" if code == 254 else "varchar")
        return "%s(%d)" % (name, spec["length"]), 2004 if binary else 1 if code == 254 else 12, binary
    name, sql_type = PLAIN[code]
    return name + (sign if code in (4, 5) else ""), sql_type, False


def listed_differences(path):
    rows = (line.split("|") for line in open(path, encoding="utf-8") if line.startswith("|"))
    return {row[1].strip() for row in rows}


def main():
    listed = listed_differences(sys.argv[1])
    records, golden, ours = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[2:5])
    records = [r for r in records if r["op"] in ("BEGIN", "COMMIT", "DDL") + ROW_OPS]
    judge = Judge(listed)
    wrong = 0
    transaction = ""
    for number, (record, theirs, mine) in enumerate(zip(records, golden, ours)):
        if record["op"] in ("BEGIN", "DDL"):
            transaction = record["filter"][1]["s"]
        try:
            judge.entry(mine, theirs, record, transaction)
        except (Mismatch, KeyError) as mismatch:
            wrong += 1
            if wrong <= 20:
                print("entry %d (record %d, %s): %s" % (number, record["seq"], record["op"], mismatch))
    if not len(records) == len(golden) == len(ours):
        wrong += 1
        print("counts differ: records %d, canal-for-ob %d, obcanal %d" % (len(records), len(golden), len(ours)))
    for row, count in sorted(judge.met.items()):
        print("difference %-20s %6d times" % (row, count))
    print("entries=%d wrong=%d" % (len(ours), wrong))
    return 1 if wrong or not ours else 0


sys.exit(main())

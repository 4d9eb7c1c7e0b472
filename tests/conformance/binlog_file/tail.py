"""tail.py: `obcanal tail --binlog-file` on the recorded log of a MariaDB gives the entries that the real Java Canal sent for it,
but for what conf/DIFFERENCES.md lists; a file that ends too early, is none, or has a filter is told from a good one.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration", "binlog"))
import judge  # noqa: E402
import obcanal  # noqa: E402

LOG = obcanal.fixture("binlog/mysql-bin.000002")
COLUMN = {"index": 0, "sqlType": 0, "name": "", "isKey": False, "updated": False, "props": [], "value": "", "length": 0,
          "mysqlType": ""}
ROW = {"beforeColumns": [], "afterColumns": [], "props": []}
SHAPES = {
    "header": {"logfileName": "", "logfileOffset": 0, "serverId": 0, "serverenCode": "", "executeTime": 0, "schemaName": "",
               "tableName": "", "eventLength": 0, "eventType": "UPDATE", "props": [], "gtid": ""},
    "rowChange": {"tableId": 0, "isDdl": False, "sql": "", "rowDatas": [], "props": [], "ddlSchemaName": ""},
    "transactionBegin": {"executeTime": 0, "transactionId": "", "props": [], "threadId": 0},
    "transactionEnd": {"executeTime": 0, "transactionId": "", "props": []},
}


def whole(entry):
    """An entry with the defaults that the recording spells out; those of enums are the stock client's."""
    out = dict(entry)
    for part, shape in SHAPES.items():
        if part in out:
            out[part] = {**shape, **out[part]}
    if "rowChange" in out:
        rows = [{**ROW, **row} for row in out["rowChange"]["rowDatas"]]
        for row in rows:
            for side in ("beforeColumns", "afterColumns"):
                row[side] = [{**COLUMN, **column} for column in row[side]]
        out["rowChange"]["rowDatas"] = rows
    return out


def tail(*arguments):
    run = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "tail", "--format", "jsonl", *arguments],
                         capture_output=True, text=True, timeout=60)
    return run, [json.loads(line) for line in run.stdout.splitlines()]


def expect(condition, what):
    if not condition:
        raise SystemExit("FAILED: " + what)


def main():
    with open(obcanal.fixture("binlog/entries.jsonl"), encoding="utf-8") as file:
        java = [json.loads(line) for line in file]
    run, entries = tail("--binlog-file", LOG)
    expect(run.returncode == 0 and not run.stderr, "status %d: %s" % (run.returncode, run.stderr))
    judge.compare(java, [whole(entry) for entry in entries], os.path.join(ROOT, "conf", "DIFFERENCES.md"))

    run, some = tail("--binlog-file", LOG, "--filter", r"golden\.t_dec")
    tables = {entry["header"].get("tableName", "") for entry in some if entry["entryType"] == "ROWDATA"}
    expect(tables == {"t_dec", ""}, "filtered tables %s" % tables)
    run, few = tail("--binlog-file", LOG, "--count", "7")
    expect(sum(len(entry.get("rowChange", {}).get("rowDatas", [])) for entry in few) >= 7 and len(few) < 40, "--count 7")

    with obcanal.Scratch("binlog-file") as scratch:
        with open(LOG, "rb") as file:
            content = file.read()
        parts = os.path.join(scratch.path, "mysql-bin.000002")
        for size, said in ((3, "not a binary log"), (4, ""), (5000, "is cut off inside of the event at 4997"),
                           (len(content) - 1, "is cut off inside of the event at")):
            with open(parts, "wb") as file:
                file.write(content[:size])
            run, read = tail("--binlog-file", parts)
            expect((run.returncode != 0) == bool(said) and said in run.stderr, "%d bytes: %d %s" % (size, run.returncode, run.stderr))
            expect(read == entries[:len(read)], "%d bytes: other entries" % size)
        damaged = bytearray(content)
        damaged[100000] ^= 1
        with open(parts, "wb") as file:
            file.write(damaged)
        run, read = tail("--binlog-file", parts)
        expect(run.returncode == 1 and "mysql-bin.000002:" in run.stderr and "checksum" in run.stderr.lower(), run.stderr)
        expect(0 < len(read) < len(entries) and read == entries[:len(read)], "entries before the damage")
        # One file after the other.
        run, twice = tail("--binlog-file", LOG, LOG)
        expect(run.returncode == 0 and twice == entries + entries, "two files")
    run, _ = tail("--binlog-file", "/nonexistent")
    expect(run.returncode == 1 and "/nonexistent: No such file" in run.stderr, run.stderr)
    print("entries=%d filtered=%d" % (len(entries), len(some)))


main()

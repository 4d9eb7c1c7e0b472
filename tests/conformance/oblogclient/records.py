"""records.py RECORDING PROTOCOL COMPRESSION [LAPS]: `obcanal logproxy serve` to OceanBase's published Java client.

Every record the client gets is what was put into the recording: the same bytes, and the values of RECORDING.jsonl as the
client's own reader sees them. With LAPS the recording is played so often; then times and transaction numbers must move on
and nothing else may change.
"""
import json
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import obcanal  # noqa: E402

MICROS = 1_000_000
ROWS = ("INSERT", "UPDATE", "DELETE")


def read_recording(path):
    with open(path, "rb") as file:
        data = file.read()
    at, records = 0, []
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        records.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return records


def hex_of(value):
    if value is None:
        return None
    return value["x"] if "x" in value else value["s"].encode().hex()


def expected(line):
    """What the client has to report, from the line that says what was put in."""
    unique = line["filter"][1]["s"]
    record = {key: line[key] for key in ("op", "db", "table", "timestamp", "usec", "checkpoint_sec", "checkpoint_usec")}
    record["id"] = unique
    for image in ("old", "new"):
        values = line.get(image) or [] if line["op"] in ROWS else []
        record[image] = [[col["name"], hex_of(value)] for col, value in zip(line.get("cols") or [], values)]
    return record


def seen(got):
    record = {key: value for key, value in got.items() if key != "raw"}
    if got["op"] not in ROWS:
        record["old"] = record["new"] = []
    return record


def check(what, wanted, found):
    if wanted != found:
        raise SystemExit("%s:\n  expected %s\n  found    %s" % (what, str(wanted)[:2000], str(found)[:2000]))


def moments(record):
    return (record["timestamp"] * MICROS + record["usec"], record["checkpoint_sec"] * MICROS + record["checkpoint_usec"])


def check_lap(lap, first, again):
    """A later lap: everything moved by the same time, the numbers of transactions moved, the rest as in the first."""
    shift = moments(again[0])[0] - moments(first[0])[0]
    span = max(moments(record)[0] for record in first) - min(moments(record)[1] for record in first)
    if shift <= span * lap:
        raise SystemExit("lap %d begins before the one before it has ended" % lap)
    for number, (old, new) in enumerate(zip(first, again)):
        what = "lap %d, record %d" % (lap, number)
        check(what + ", times", tuple(moment + shift for moment in moments(old)), moments(new))
        fixed = ("op", "db", "table", "old", "new")
        check(what, [old[key] for key in fixed], [new[key] for key in fixed])
        check(what + ", form of the id", [bool(part) for part in old["id"].split("_")], [bool(part) for part in new["id"].split("_")])


def check_ids(laps):
    """Ids of one transaction stay together, those of different ones stay apart, in all laps."""
    known = set()
    for records in laps:
        ids = [record["id"] for record in records if record["id"]]
        groups = {record["id"] for record in records if record["id"]}
        check("ids within a lap", len(set(record["id"] for record in laps[0] if record["id"])), len(groups))
        if known & groups:
            raise SystemExit("ids come again: %s" % sorted(known & groups)[:5])
        known |= groups
        first = [record["id"] for record in laps[0] if record["id"]]
        if len(set(zip(first, ids))) != len(groups):
            raise SystemExit("records of one transaction got different ids")


def main():
    recording, protocol, compression = sys.argv[1:4]
    laps = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    path = obcanal.fixture("oblog/%s.logmsg" % recording)
    with open(obcanal.fixture("oblog/%s.jsonl" % recording), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    records = read_recording(path)
    check("records and lines", len(records), len(lines))
    options = ["--compress", compression, "--protocol", protocol, "--heartbeat", "600000"] + (["--loop"] if laps > 1 else [])
    with obcanal.Scratch("oblogclient") as scratch:
        proxy = scratch.logproxy(path, options=options)
        count = str(len(records) * laps)
        output = subprocess.run([os.path.join(HERE, "peer.sh"), "127.0.0.1", str(proxy.port), protocol, str(MICROS), count],
                                stdout=subprocess.PIPE, check=True).stdout
    got = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
    check("number of records", len(records) * laps, len(got))
    for number, (raw, line, record) in enumerate(zip(records, lines, got)):
        check("bytes of record %d" % number, raw.hex(), record["raw"])
        check("record %d" % number, expected(line), seen(record))
    by_lap = [[seen(record) for record in got[lap * len(records):(lap + 1) * len(records)]] for lap in range(laps)]
    for lap in range(1, laps):
        check_lap(lap, by_lap[0], by_lap[lap])
    check_ids(by_lap)
    print("%d records of %s, protocol %s, %s: equal" % (len(got), recording, protocol, compression))


main()

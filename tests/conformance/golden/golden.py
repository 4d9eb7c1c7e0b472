"""golden.py RECORDING CLIENT-VERSION [LOGPROXY-OPTION...]: a recording through the whole system to the stock Java client.

`obcanal logproxy serve` -> `obcanal-server` -> canal.client of that version. What it received is judged twice: against
canal-for-ob's entries for the same recording, and against the rows that were put into it.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import obcanal  # noqa: E402

# types-crc holds the records of types, each with a checksum.
GOLDEN = {"shop": "shop", "shop-ddl": "shop-ddl", "types": "types", "types-crc": "types"}
# Entries canal-for-ob has; one more is asked for, so that what should not come is seen.
IDLE_MS = 1500


def main():
    recording, version = sys.argv[1:3]
    records = obcanal.fixture("oblog/%s.jsonl" % recording)
    golden = obcanal.fixture("oblog/golden/%s.entries.jsonl" % GOLDEN[recording])
    with open(golden, encoding="utf-8") as file:
        expected = sum(1 for _ in file)
    with obcanal.Scratch("golden") as scratch:
        proxy = scratch.logproxy(obcanal.fixture("oblog/%s.logmsg" % recording), options=sys.argv[3:])
        server = scratch.server(proxy.port)
        entries = os.path.join(scratch.path, "entries.jsonl")
        subprocess.run([obcanal.peer("canal-client-java"), "json", str(expected + 1), "--client-version", version,
                        "--port", str(server.port), "--idle", str(IDLE_MS), "--out", entries], check=True)
        judges = (
            [os.path.join(HERE, "judge.py"), os.path.join(ROOT, "conf/DIFFERENCES.md"), records, golden, entries],
            [os.path.join(ROOT, "tests/support/tools/compare_oblog.py"), records, entries],
        )
        wrong = [judge[0] for judge in judges if subprocess.run([sys.executable] + judge).returncode]
        if wrong:
            raise SystemExit("not what it should be, says %s" % " and ".join(map(os.path.basename, wrong)))
        print("client %s: %d entries of %s" % (version, expected, recording))


main()

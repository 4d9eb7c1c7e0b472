"""loop.py: canal-python against our server: the whole log drained with a password, then the full loop without one."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import obcanal  # noqa: E402


def rows_of(recording):
    with open(obcanal.fixture("oblog/%s.jsonl" % recording), encoding="utf-8") as file:
        return sum(1 for line in file if json.loads(line)["op"] in ("INSERT", "UPDATE", "DELETE"))


def interpreter():
    """Of the virtual environment that the peer's script made."""
    script = '. "$1"/services/lib.sh; echo "$(svc_cache_dir)/canal-client-python-0.4/bin/python"'
    return subprocess.run(["bash", "-c", script, "bash", obcanal.SUPPORT], check=True, capture_output=True, text=True).stdout.strip()


def main():
    rows = rows_of("shop")
    with obcanal.Scratch("python") as scratch:
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        server = scratch.server(proxy.port)
        drained = subprocess.run(
            [obcanal.peer("canal-client-python"), "drain", str(rows), "--port", str(server.port), "--user", "canal",
             "--password", "canal", "--idle", "10000"], capture_output=True, text=True, check=True).stderr
        print(drained.strip())
        if int(re.search(r"rows=(\d+)", drained).group(1)) != rows:
            raise SystemExit("the recording has %d rows" % rows)

        folder = os.path.join(scratch.path, "open")
        os.mkdir(folder)
        server = scratch.keep(obcanal.Server(folder, proxy.port, password=None)).start()
        subprocess.run([interpreter(), os.path.join(HERE, "client.py"), str(server.port), str(rows)], check=True)


main()

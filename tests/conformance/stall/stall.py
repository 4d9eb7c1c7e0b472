"""stall.py: an unmodified Java client, which writes a packet's length and body apart and leaves Nagle's algorithm on, is
answered without the 40 ms that a delayed TCP acknowledgement would cost it in every cycle."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import obcanal  # noqa: E402

CYCLES = 2000
MEDIAN_MS, MOST_MS = 1.0, 40.0


def main():
    with obcanal.Scratch("stall") as scratch:
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        server = scratch.server(proxy.port)
        told = subprocess.run([os.path.join(HERE, "client.sh"), str(server.port), str(CYCLES)],
                              check=True, capture_output=True, text=True).stdout.strip()
        print(told)
        values = {name: float(value) for name, value in re.findall(r"(\w+_ms)=([\d.]+)", told)}
        if values["median_ms"] >= MEDIAN_MS or values["p99_ms"] >= MOST_MS:
            raise SystemExit("the median must be below %g ms, and no stalls of %g ms" % (MEDIAN_MS, MOST_MS))


main()

"""What acks cost that are in ZooKeeper before the next answer: ack_cost.py META_TOOL ROUNDS ROWS [options of obcanal drain].

An ensemble of three on this machine, the log proxy as fast as it is read; rows a second of `obcanal drain` with
canal.zookeeper.ack = durable and = periodic, in turn.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import obcanal  # noqa: E402
import zookeeper as zk  # noqa: E402


def main():
    rounds, rows, options = int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    with obcanal.Scratch("ack-cost") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"), options=["--loop"])
        ensemble = zk.Zookeeper(scratch.path, sys.argv[1], nodes=3).start()
        try:
            for number in range(rounds):
                for kind in ("durable", "periodic"):
                    server = zk.new_server(scratch, "%s%d" % (kind, number), logproxy.port, ensemble, session_ms=10_000, **{
                        "canal.zookeeper.ack": kind, "canal.zookeeper.flush.period": 1000}).start()
                    zk.wait(server, "running")
                    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "drain", "--server", server.address, "--count",
                                           rows, *options], check=True, capture_output=True, text=True, timeout=600)
                    print("%-8s %s" % (kind, done.stdout.strip().splitlines()[-1]), flush=True)
                    server.stop()
                    ensemble.change("remove", zk.TREE)
        finally:
            ensemble.stop("--kill")


if __name__ == "__main__":
    main()

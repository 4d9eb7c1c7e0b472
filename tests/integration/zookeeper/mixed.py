"""A real Java Canal server and obcanal take turns on one destination of a cluster: mixed.py META_TOOL [ROUNDS]

A MariaDB gets rows all the time, the stock Java cluster client follows. In each round the Java server is stopped and obcanal takes
over, then the other way round: no row is lost, and each goes on at the cursor that the other one has left. The table changes
while the Java server leads: obcanal's history lacks that, and must not be taken for whole. (The other way round the Java server
fails: its table history is on its own machine.)
"""
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "binlog"))
import live  # noqa: E402
import obcanal  # noqa: E402
import zookeeper as cluster  # noqa: E402

JAVA = os.path.join(obcanal.SUPPORT, "peers", "canal-server")
# Both write their cursors so long after an ack: what was acknowledged since may come again.
UNWRITTEN_SECONDS = 3.0
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


class JavaServer:
    def __init__(self, scratch, database, zookeeper):
        self.data, self.port, self.log = os.path.join(scratch.path, "java"), obcanal.free_port(), os.devnull
        self.options = ["--port", str(self.port), "--master", "127.0.0.1:%d" % database.port, "--slave-id", "4713",
                        "--filter", r"shop\..*", "--zookeeper", "127.0.0.1:%d" % zookeeper.port, "--heap", "192m"]
        scratch.keep(self)

    def run(self, script, *options):
        subprocess.run([os.path.join(JAVA, script), "--data", self.data, *options], check=True, stdout=subprocess.DEVNULL)

    def start(self):
        self.run("start.sh", *self.options)
        self.options = []

    def stop(self):
        self.run("stop.sh")

    def kill(self):
        self.run("stop.sh", "--kill")


class Client(obcanal.Program):
    """The stock cluster client; see tests/support/peers/canal-client-java."""

    def __init__(self, scratch, zookeeper):
        super().__init__([obcanal.peer("canal-client-java"), "follow", "--zk", "127.0.0.1:%d" % zookeeper.port, "--user", "",
                          "--password", "", "--column", "id"], os.path.join(scratch.path, "client.log"))
        scratch.keep(self)

    def deliveries(self):
        """Of each row: (when it came, when its batch was acknowledged), in order."""
        found, batch = {}, []
        for line in self.text().splitlines():
            words = line.split()
            if len(words) < 2 or not words[0].isdigit():
                continue
            if words[1] == "batch":
                batch = [[int(words[0]) / 1000, None] for _ in words[3:]]
                for row, one in zip(words[3:], batch):
                    found.setdefault(int(row), []).append(one)
            elif words[1] == "ack":
                for one in batch:
                    one[1] = int(words[0]) / 1000
        return found

    def stop(self, seconds=0):
        self.kill()


class Writer(threading.Thread):
    """A row each 100 ms."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.rows, self.ending = database, 0, threading.Event()

    def run(self):
        while not self.ending.wait(0.1):
            number = self.rows + 1
            self.database.sql("INSERT INTO shop.t (id) VALUES (%d)" % number)
            self.rows = number


def serves(zookeeper, port):
    running = zookeeper.nodes().get(cluster.TREE + "/running", "")
    return '"127.0.0.1:%d"' % port in running


def turn(what, stop, port, zookeeper, client, writer):
    """Stops the one that serves; the other one takes over, and the client goes on with it."""
    print(what, flush=True)
    stopped = time.time()
    stop()
    obcanal.wait_until(lambda: serves(zookeeper, port), lambda: "%s: %r" % (what, zookeeper.nodes()), 60)
    first = writer.rows + 1
    obcanal.wait_until(lambda: first in client.deliveries(),
                       lambda: "row %d after %s:\n%s" % (first, what, client.text()[-1000:]), 60)
    rows = client.deliveries()
    expect("rows that were lost: " + what, [n for n in range(1, first) if n not in rows], [])
    again = [n for n, came in rows.items() for before, after in zip(came, came[1:])
             if after[0] > stopped and before[1] is not None and before[1] < stopped - UNWRITTEN_SECONDS]
    expect("rows that came again: " + what, again, [])


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with obcanal.Scratch("mixed") as scratch:
        database = live.Database(scratch, "mariadb").start().user()
        database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)")
        zookeeper = cluster.Zookeeper(scratch.path, sys.argv[1]).start()
        try:
            java = JavaServer(scratch, database, zookeeper)
            java.start()
            ours = cluster.new_server(scratch, "ours", None, zookeeper, instance={
                "canal.instance.source": "binlog", "canal.instance.master.address": "127.0.0.1:%d" % database.port,
                "canal.instance.dbUsername": "canal", "canal.instance.dbPassword": "canal",
                "canal.instance.mysql.slaveId": 4711, "canal.instance.filter.regex": r"shop\..*", **live.FAST}).start()
            client = Client(scratch, zookeeper)
            client.spawn()
            obcanal.wait_until(lambda: " connected" in client.text(), lambda: "the client:\n" + client.text()[-2000:], 120)
            writer = Writer(database)
            writer.start()
            for number in range(rounds):
                database.sql("ALTER TABLE shop.t ADD extra%d INT DEFAULT 77 FIRST" % number)
                after = writer.rows + 2
                obcanal.wait_until(lambda: after in client.deliveries(), "a row of the changed table", 60)
                # Without a cursor whoever takes over begins at the end of the log.
                obcanal.wait_until(lambda: zookeeper.offset() is not None, "Java's first cursor", 60)
                turn("from Java to obcanal", java.stop, ours.port, zookeeper, client, writer)
                java.start()
                turn("from obcanal to Java", ours.stop, java.port, zookeeper, client, writer)
                ours.start()
            writer.ending.set()
            writer.join()
            obcanal.wait_until(lambda: writer.rows in client.deliveries(), "the last row", 60)
        finally:
            zookeeper.stop("--kill")
    print("mixed: %d checks, %d rows" % (checks, writer.rows))


main()

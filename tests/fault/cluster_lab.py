"""The parts of cluster.py: a cluster of hosts that can be cut from each other, and what is watched in it."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
sys.path.insert(0, SUPPORT)
import obcanal  # noqa: E402
import zookeeper_wire  # noqa: E402

DESTINATION = "/otter/canal/destinations/example"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
PORT, METRICS, ZOOKEEPER_PORT, SOURCE_PORT = 11111, 11112, 2181, 3306
FLUSH_MS = 100
WATCH_SECONDS = 0.15
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Ensemble:
    """Three ZooKeeper servers, each on a host of its own."""

    def __init__(self, scratch, network):
        self.hosts = [network.host("zk%d" % i) for i in (1, 2, 3)]
        self.data = os.path.join(scratch.path, "zookeeper")
        for number, _ in enumerate(self.hosts, 1):
            place = os.path.join(self.data, "node%d" % number)
            os.makedirs(os.path.join(place, "data"))
            with open(os.path.join(place, "data", "myid"), "w", encoding="ascii") as file:
                file.write("%d\n" % number)
            with open(os.path.join(place, "zoo.cfg"), "w", encoding="ascii") as file:
                file.write("tickTime=500\ninitLimit=10\nsyncLimit=5\ndataDir=%s/data\nclientPort=%d\nadmin.enableServer=false\n"
                           "4lw.commands.whitelist=*\nmaxClientCnxns=0\nforceSync=no\n" % (place, ZOOKEEPER_PORT))
                file.writelines("server.%d=%s:2888:3888\n" % (i, host.address) for i, host in enumerate(self.hosts, 1))
        with open(os.path.join(self.data, "ports"), "w", encoding="ascii") as file:
            file.write("%d %d %d\n" % ((ZOOKEEPER_PORT,) * 3))
        self.servers = ",".join("%s:%d" % (host.address, ZOOKEEPER_PORT) for host in self.hosts)
        scratch.keep(self)
        self.log = os.devnull

    def script(self, name, number, *options):
        return self.hosts[number - 1].argv(os.path.join(SUPPORT, "services", "zookeeper", name), "--data", self.data,
                                           "--node", str(number), *options)

    def start(self, numbers=(1, 2, 3)):
        """Together: one alone has no quorum to be ready with."""
        starting = [subprocess.Popen(self.script("start.sh", n), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True) for n in numbers]
        for one in starting:
            errors = one.communicate()[1]
            if one.returncode:
                raise RuntimeError(errors)
        return self

    def kill(self, numbers=(1, 2, 3)):
        for number in numbers:
            subprocess.run(self.script("stop.sh", number, "--kill"), check=True, stderr=subprocess.DEVNULL)

    def stop(self):
        self.kill()

    def leader(self):
        for number, host in enumerate(self.hosts, 1):
            try:
                connection = zookeeper_wire.socket.create_connection((host.address, ZOOKEEPER_PORT), 1)
                with connection:
                    connection.sendall(b"srvr")
                    if b"Mode: leader" in connection.recv(4096):
                        return number
            except OSError:
                continue
        return None


class Sql:
    """A session that stays open."""

    def __init__(self, address):
        self.process = subprocess.Popen(["mariadb", "--no-defaults", "-h" + address, "-P%d" % SOURCE_PORT, "-uroot2", "-N", "-B", "-n",
                                         "--ssl=0", "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked = 0

    def __call__(self, statement):
        self.asked += 1
        end = "end-%d" % self.asked
        self.process.stdin.write("%s; SELECT '%s';\n" % (statement, end))
        self.process.stdin.flush()
        rows = []
        for line in self.process.stdout:
            if line.rstrip("\n") == end:
                return rows
            rows.append(line.rstrip("\n").split("\t"))
        raise RuntimeError("the session ended at: " + statement)

    def close(self):
        self.process.kill()
        self.process.wait()


class Source:
    """A MariaDB, and who writes to it: a row each 50 ms, and now and then a column comes or goes in front of the others."""

    def __init__(self, scratch, network):
        self.host, self.data, self.log = network.host("source"), os.path.join(scratch.path, "mariadb"), os.devnull
        os.chmod(scratch.path, 0o755)
        self.written = []  # seconds since the epoch at which row n+1 was committed
        self.ending = threading.Event()
        self.writer = threading.Thread(target=self.write, daemon=True)
        scratch.keep(self)

    def script(self, name, *options):
        return self.host.argv(os.path.join(SUPPORT, "services", "mariadb", name), "--data", self.data, *options)

    def start(self):
        subprocess.run(self.script("start.sh", "--port", str(SOURCE_PORT), "--", "--bind-address=0.0.0.0", "--skip-name-resolve"),
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.host.run("mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % SOURCE_PORT, "-uroot", "-e", """
            CREATE USER 'canal'@'%' IDENTIFIED BY 'canal'; GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'canal'@'%';
            CREATE USER 'root2'@'%'; GRANT ALL ON *.* TO 'root2'@'%';
            CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(40))""")
        return self

    def write(self):
        sql = Sql(self.host.address)
        wide = False
        while not self.ending.wait(0.05):
            number = len(self.written) + 1
            if number % 100 == 0:
                sql("ALTER TABLE shop.t " + ("DROP extra" if wide else "ADD extra INT DEFAULT 77 FIRST"))
                wide = not wide
            sql("INSERT INTO shop.t (id, v) VALUES (%d, 'row %d')" % (number, number))
            self.written.append(time.time())
        sql.close()

    def stop(self):
        self.ending.set()
        if self.writer.is_alive():
            self.writer.join()
        subprocess.run(self.script("stop.sh", "--kill"), check=True, stderr=subprocess.DEVNULL)

    kill = stop


class Node(obcanal.Server):
    """An obcanal-server on a host of its own, whose clock can be moved."""

    def __init__(self, scratch, network, name, ensemble, source, session_ms, clock):
        self.host, self.name, self.frozen, self.reads = network.host(name), name, False, False
        place = os.path.join(scratch.path, name)
        os.makedirs(place)
        super().__init__(place, None, password=None, server={
            "canal.ip": self.host.address, "canal.port": PORT, "canal.metrics.pull.port": METRICS, "canal.admin.user": "admin",
            "canal.admin.passwd": obcanal.password_hash("admin"),
            "canal.zkServers": ensemble.servers, "canal.zookeeper.session.timeout": session_ms,
            "canal.zookeeper.flush.period": FLUSH_MS,
            "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml"}, instance={
            "canal.instance.source": "binlog", "canal.instance.master.address": "%s:%d" % (source.host.address, SOURCE_PORT),
            "canal.instance.dbUsername": "canal", "canal.instance.dbPassword": "canal",
            "canal.instance.filter.regex": r"shop\..*",
            "canal.instance.retry.min": 100, "canal.instance.retry.max": 1000})
        self.status = urllib.request.Request("http://%s:%d/status" % (self.host.address, METRICS), headers={
            "Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()})
        self.clock = os.path.join(place, "clock")
        self.step_clock(0)
        faked = ["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME_TIMESTAMP_FILE=" + self.clock, "FAKETIME_NO_CACHE=1",
                 "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"] if clock else []
        self.argv = self.host.argv(*faked, *self.argv)
        self.read = 0
        scratch.keep(self)

    def step_clock(self, seconds):
        with open(self.clock + ".new", "w", encoding="ascii") as file:
            file.write("%+d\n" % seconds)
        os.replace(self.clock + ".new", self.clock)

    def follow_log(self):
        """Whether it reads the source, by its log. The watch alone asks."""
        for line in self.text(self.read).splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            self.read += len(line.encode())
            if " streaming " in line:
                self.reads = True
            elif re.search(r" source lost| stopped for good| stands by| stopped\b| ready\b", line):
                self.reads = False
        return self.reads and self.alive() and not self.frozen

    def phase(self):
        if self.frozen or not self.alive():
            return None
        try:
            with DIRECT.open(self.status, timeout=2) as answer:
                destinations = json.load(answer)["destinations"]
                return destinations[0]["phase"] if destinations else None
        except (urllib.error.URLError, OSError, ValueError):
            return None


class Follower(obcanal.Program):
    """The stock Java cluster client."""

    def __init__(self, scratch, network, ensemble):
        self.host = network.host("client")
        super().__init__(self.host.argv(obcanal.peer("canal-client-java"), "follow", "--zk", ensemble.servers, "--user", "",
                                        "--password", "", "--column", "id", "--batch", "100"),
                         os.path.join(scratch.path, "client.log"))
        self.batches, self.acked, self.times, self.losses, self.read = [], {}, {}, [], 0
        scratch.keep(self)

    def spawn(self):
        os.environ.setdefault("CLIENT_JAVA_OPTS", "-Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
        super().spawn()

    def update(self):
        for line in self.text(self.read).splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            self.read += len(line.encode())
            words = line.split()
            if len(words) < 2 or not words[0].isdigit():
                continue
            at = int(words[0]) / 1000
            if words[1] == "batch":
                self.batches.append([at, [int(n) for n in words[3:]], None])
                for number in self.batches[-1][1]:
                    self.times.setdefault(number, []).append(len(self.batches) - 1)
            elif words[1] == "ack" and self.batches:
                self.batches[-1][2] = at
            elif words[1] == "lost":
                self.losses.append((at, line.strip()))

    def has(self, number):
        self.update()
        return number in self.times

    def stop(self, seconds=0):
        self.kill()


class Watch(threading.Thread):
    """Looks at everything a few times a second; what must never be is in `wrong`."""

    def __init__(self, ensemble, source, nodes):
        super().__init__(daemon=True)
        self.nodes, self.sql = nodes, Sql(source.host.address)
        self.reader = zookeeper_wire.Reader([(host.address, ZOOKEEPER_PORT) for host in ensemble.hosts])
        self.cursor, self.running, self.wrong = None, None, []
        self.serving, self.dumping, self.reading = [], [], []  # stretches of time in which two did
        self.looks, self.slowest, self.ending = 0, 0.0, threading.Event()

    def run(self):
        while not self.ending.wait(WATCH_SECONDS):
            started = time.monotonic()
            try:
                self.look()
            except Exception as error:  # whatever it is, the run must not pass unwatched
                self.wrong.append("the watch failed: %r" % error)
            self.looks += 1
            self.slowest = max(self.slowest, time.monotonic() - started)
        self.sql.close()

    def stretch(self, of, two):
        """Notes for how long two have done it at once."""
        now = time.time()
        if two and (not of or of[-1][2]):
            of.append([now, now, False])
        elif two:
            of[-1][1] = now
        elif of:
            of[-1][2] = True  # over

    def look(self):
        self.stretch(self.reading, all([node.follow_log() for node in self.nodes]))
        dumps = {row[2].split(":")[0] for row in self.sql("SHOW PROCESSLIST") if row[4].startswith("Binlog Dump")}
        self.stretch(self.dumping, all(n.host.address in dumps and n.alive() and not n.frozen for n in self.nodes))
        before = [node.phase() for node in self.nodes]
        # A destination that moved between two questions is not in two places: ask again.
        both = before.count("running") == 2 and [node.phase() for node in self.nodes].count("running") == 2
        self.stretch(self.serving, both)
        try:
            running, cursor = self.reader.get(DESTINATION + "/running"), self.reader.get(DESTINATION + "/1001/cursor")
        except zookeeper_wire.Away:
            return
        self.running = json.loads(running)["address"] if running else None
        if cursor:
            self.note_cursor(json.loads(cursor)["postion"])

    def note_cursor(self, place):
        within = place.get("binlog") or {}
        now = (place["journalName"], place["position"], within.get("done", False), within.get("events", 0))
        if self.cursor is not None and now < self.cursor:
            self.wrong.append("the cursor moved back from %r to %r" % (self.cursor, now))
        self.cursor = now


def missing():
    """Why this machine can't; None when it can."""
    for program, package in (("mariadbd", "mariadb-server"), ("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None and not os.path.exists("/usr/sbin/" + program):
            return "%s is not installed (%s)" % (program, package)
    return None

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
from sql_session import SqlSession  # noqa: E402

DESTINATION = "/otter/canal/destinations/example"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
PORT, METRICS, ZOOKEEPER_PORT, SOURCE_PORT, PROXY_PORT = 11111, 11112, 2181, 3306, 2983
FLUSH_MS = 100
WATCH_SECONDS = 0.15
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Ensemble:
    """Three ZooKeeper servers, each on a host of its own."""

    def __init__(self, scratch, network, numbers=(None, None, None)):
        self.hosts = [network.host("zk%d" % i, number) for i, number in enumerate(numbers, 1)]
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


class Source:
    """A MariaDB, and who writes to it: a row each 50 ms, and now and then a column comes or goes in front of the others."""

    column, table = "id", ""

    def __init__(self, scratch, network):
        self.host, self.data, self.log = network.host("source"), os.path.join(scratch.path, "mariadb"), os.devnull
        os.chmod(scratch.path, 0o755)
        self.alters = True
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
        self.sql = self.session()
        return self

    def session(self):
        return SqlSession("-h" + self.host.address, "-P%d" % SOURCE_PORT, "-uroot2")

    def instance(self):
        """Keys of a destination that reads it."""
        return {"canal.instance.source": "binlog", "canal.instance.master.address": "%s:%d" % (self.host.address, SOURCE_PORT),
                "canal.instance.dbUsername": "canal", "canal.instance.dbPassword": "canal",
                "canal.instance.filter.regex": r"shop\..*"}

    def begin(self):
        """Rows, from now on."""
        self.writer.start()

    def numbers(self, values, _):
        return [int(value) for value in values]

    def end(self, _):
        """The last row that must come."""
        return len(self.written)

    def is_later(self, batch, moment):
        """Whether a row of the batch was committed after that."""
        return any(n <= len(self.written) and self.written[n - 1] > moment for n in batch.numbers)

    def readers(self):
        """Addresses of those who read the log."""
        return {row[2].split(":")[0] for row in self.sql("SHOW PROCESSLIST") if row[4].startswith("Binlog Dump")}

    def write(self):
        sql = self.session()
        wide = False
        while not self.ending.wait(0.05):
            number = len(self.written) + 1
            if number % 100 == 0 and self.alters:
                sql("ALTER TABLE shop.t " + ("DROP extra" if wide else "ADD extra INT DEFAULT 77 FIRST"))
                wide = not wide
            sql("INSERT INTO shop.t (id, v) VALUES (%d, 'row %d')" % (number, number))
            self.written.append(time.time())
        sql.stop()

    def stop(self):
        self.ending.set()
        if self.writer.is_alive():
            self.writer.join()
        subprocess.run(self.script("stop.sh", "--kill"), check=True, stderr=subprocess.DEVNULL)

    kill = stop


class LogproxySource(obcanal.Program):
    """An oblogproxy with a recording that never ends, at a pace. Rows are numbered by their place among the inserted ones."""

    column, table = "order_id", r"mydb\.orders"

    def __init__(self, scratch, network):
        self.host = network.host("source")
        super().__init__(self.host.argv(os.path.join(obcanal.bin_dir(), "obcanal"), "logproxy", "serve", "--listen",
                                        "%s:%d" % (self.host.address, PROXY_PORT), "--input", obcanal.fixture("oblog/shop.logmsg"),
                                        "--loop", "--rate", "50", "--packet-records", "5"),
                         os.path.join(scratch.path, "logproxy.log"))
        self.order = {}
        with open(obcanal.fixture("oblog/shop.jsonl"), encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if record["op"] == "INSERT" and record["table"] == "orders":
                    self.order.setdefault(record["new"][0]["s"], len(self.order))
        scratch.keep(self)

    def start(self):
        self.spawn()
        return self

    def instance(self):
        return {"canal.instance.oceanbase.logproxy.address": "%s:%d" % (self.host.address, PROXY_PORT),
                "canal.instance.oceanbase.rsList": "127.0.0.1:2882:2881", "canal.instance.oceanbase.username": "user@tenant",
                "canal.instance.oceanbase.password": "secret", "canal.instance.oceanbase.tenant": "obtenant",
                "canal.instance.oceanbase.startTimestamp": 1, "canal.instance.filter.regex": self.table}

    def begin(self):
        pass

    def numbers(self, values, latest):
        """From 1 on, through all rounds: of the places that a row has in each, the one that is nearest to the latest row's."""
        found, count = [], len(self.order)
        for value in values:
            place = self.order[value] + 1
            latest = max(0, latest)
            found.append(place + max(0, round((latest - place) / count)) * count)
            latest = found[-1]
        return found

    def end(self, follower):
        follower.update()
        return follower.latest

    def is_later(self, batch, moment):
        return batch.new

    def readers(self):
        found = set()
        with open("/proc/%d/net/tcp" % self.process.pid, encoding="ascii") as file:
            for line in list(file)[1:]:
                words = line.split()
                if words[3] == "01" and words[1].endswith(":%04X" % PROXY_PORT):
                    number = words[2].split(":")[0]
                    found.add(".".join(str(int(number[i:i + 2], 16)) for i in (6, 4, 2, 0)))
        return found

    def stop(self, seconds=0):
        self.kill()


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
            "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml"}, instance=dict(source.instance(), **{
            "canal.instance.retry.min": 100, "canal.instance.retry.max": 1000}))
        self.status = urllib.request.Request("http://%s:%d/status" % (self.host.address, METRICS), headers={
            "Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()})
        self.clock = os.path.join(place, "clock")
        self.step_clock(0)
        faked = ["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME_TIMESTAMP_FILE=" + self.clock, "FAKETIME_NO_CACHE=1",
                 "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"] if clock else []
        self.argv = self.host.argv(*faked, *self.argv)
        self.read = 0
        scratch.keep(self)

    def freeze(self, signal):
        os.kill(self.process.pid, signal)

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

    def destination(self):
        """What its status page says; nothing when it doesn't answer."""
        if self.frozen or not self.alive():
            return None
        try:
            with DIRECT.open(self.status, timeout=2) as answer:
                destinations = json.load(answer)["destinations"]
                return destinations[0] if destinations else None
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def phase(self):
        one = self.destination()
        return one and one["phase"]


class JavaNode(obcanal.Program):
    """A Java Canal server on a host of its own; see tests/support/peers/canal-server."""

    def __init__(self, scratch, network, name, ensemble, source, session_ms, clock):
        self.host, self.name, self.frozen, self.reads, self.read, self.role = network.host(name), name, False, False, 0, None
        self.data = os.path.join(scratch.path, name)
        os.makedirs(self.data)
        super().__init__([], os.path.join(self.data, "server.log"))
        self.pid = 0
        self.options = ["--address", self.host.address, "--port", str(PORT), "--master", "%s:%d" % (source.host.address, SOURCE_PORT),
                        "--filter", r"shop\..*", "--zookeeper", ensemble.servers, "--heap", "160m", "--tsdb", "off",
                        "--slave-id", str(4000 + len(network.hosts)), "--java", "-XX:TieredStopAtLevel=1", "--java", "-XX:+UseSerialGC",
                        "--wait", "port"]
        scratch.keep(self)

    def script(self, name, *options):
        subprocess.run(self.host.argv(os.path.join(SUPPORT, "peers", "canal-server", name), "--data", self.data, *options), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.role = None
        self.script("start.sh", *self.options)
        self.options = []
        with open(os.path.join(self.data, "service.pid"), encoding="ascii") as file:
            self.pid = int(file.read())
        return self

    def alive(self):
        return self.pid != 0

    def follow_log(self):
        for line in self.text(self.read).splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            self.read += len(line.encode())
            role = re.search(r"role: \S+ example (active|standby|becomes active|gives up)", line)
            if role:
                self.role = "running" if role.group(1).endswith("active") else "standby"
                self.reads = self.role == "running"
        return self.reads and self.alive() and not self.frozen

    def phase(self):
        return self.role if self.alive() and not self.frozen else None

    def freeze(self, signal):
        os.kill(self.pid, signal)

    def stop(self, seconds=0):
        self.script("stop.sh")
        self.pid, self.role, self.reads = 0, None, False

    def kill(self):
        self.script("stop.sh", "--kill")
        self.pid, self.role, self.reads = 0, None, False


class Batch:
    """One that the client got. Confirmed: it has acknowledged it, and was answered a get after that on the same connection."""

    def __init__(self, at, numbers, new):
        self.at, self.numbers, self.new = at, numbers, new  # new: has rows that never came before
        self.acked, self.confirmed = None, False


class Follower(obcanal.Program):
    """The stock Java cluster client."""

    def __init__(self, scratch, network, ensemble, source, retry_ms):
        self.host, self.source = network.host("client"), source
        retry = [] if retry_ms is None else ["--retry-interval", str(retry_ms)]
        super().__init__(self.host.argv(obcanal.peer("canal-client-java"), "follow", "--zk", ensemble.servers, "--user", "",
                                        "--password", "", "--column", source.column, "--batch", "100", "--filter", source.table, *retry),
                         os.path.join(scratch.path, "client.log"))
        self.batches, self.times, self.losses, self.read = [], {}, [], 0
        self.latest, self.same = 0, False  # row; connection
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
            at, last = int(words[0]) / 1000, self.batches[-1] if self.batches else None
            if words[1] in ("batch", "answer") and last and last.acked and self.same:
                last.confirmed = True
            if words[1] == "batch":
                numbers = self.source.numbers(words[3:], self.latest)
                self.batches.append(Batch(at, numbers, any(n not in self.times for n in numbers)))
                for number in numbers:
                    self.times.setdefault(number, []).append(len(self.batches) - 1)
                self.latest = max([self.latest] + numbers)
                self.same = True
            elif words[1] == "ack" and last:
                last.acked = at
            elif words[1] == "connection":
                self.same = False
            elif words[1] == "lost":
                self.same = False
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
        self.nodes, self.source = nodes, source
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
        dumps = self.source.readers()
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
        if place.get("oblog"):
            now = (place["timestamp"], place["position"])
        else:
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

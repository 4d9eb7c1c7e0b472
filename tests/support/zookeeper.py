"""A real ZooKeeper for test drivers, and obcanal's servers in its cluster."""
import json
import os
import subprocess
import urllib.request

import obcanal

TREE = "/otter/canal/destinations/example"
SESSION_MS = 2000


class Zookeeper:
    """One node, or an ensemble of `nodes`, in `scratch`; `meta_tool` reads and changes its tree."""

    def __init__(self, scratch, meta_tool, nodes=1, tick=500):
        self.scripts = os.path.join(obcanal.SUPPORT, "services", "zookeeper")
        self.ports = [obcanal.free_port() for _ in range(nodes)]
        self.tool, self.data = meta_tool, os.path.join(scratch, "zookeeper")
        self.place = ",".join("127.0.0.1:%d" % port for port in self.ports)
        self.port = self.ports[0]
        self.first = ["--ports", ",".join(map(str, self.ports)), "--tick", str(tick)]

    def run(self, script, *options):
        subprocess.run([os.path.join(self.scripts, script), "--data", self.data] + list(options), check=True, timeout=120)

    def start(self):
        self.run("start.sh", *self.first)
        self.first = []
        return self

    def stop(self, *options):
        self.run("stop.sh", *options)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def meta_tool(self, command, path, *more, chroot="", digest=""):
        done = subprocess.run([self.tool, command, "zk:%s%s" % (self.place, chroot), path] + list(more), capture_output=True,
                              text=True, timeout=60, env=dict(os.environ, **({"ZOOKEEPER_DIGEST": digest} if digest else {})))
        return done.returncode, done.stdout, done.stderr

    def change(self, command, path, *more):
        code, _, error = self.meta_tool(command, path, *more)
        if code:
            raise RuntimeError("meta_tool %s %s: %s" % (command, path, error))

    def hold(self, path, data):
        """Another server's ephemeral node, until release()."""
        other = subprocess.Popen([self.tool, "hold", "zk:" + self.place, path, data], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        answer = other.stdout.readline().strip()
        if answer != "held":
            other.communicate()
            raise RuntimeError("%s can't be held: %r" % (path, answer))
        return other

    def nodes(self, chroot="", digest="", tree=TREE):
        _, text, _ = self.meta_tool("nodes", tree, chroot=chroot, digest=digest)
        return dict(line.split("\t", 1) for line in text.splitlines())

    def running(self):
        """The address that serves, or nothing."""
        payload = self.nodes().get(TREE + "/running")
        return json.loads(payload)["address"] if payload else None

    def offset(self):
        """Of the cursor of client 1001: (journal, position, timestamp, JSON)."""
        cursor = self.nodes().get(TREE + "/1001/cursor")
        if cursor is None:
            return None
        value = json.loads(cursor)
        if next(iter(value)) != "@type":
            raise RuntimeError("@type is not the first member of %s" % cursor)
        return value["postion"]["journalName"], value["postion"]["position"], value["postion"]["timestamp"], cursor


def release(holder):
    holder.stdin.close()
    holder.wait(30)


def new_server(scratch, name, logproxy_port, zookeeper, chroot="", session_ms=SESSION_MS, instance=None, **keys):
    """Not started. `keys` are those of canal.properties."""
    place = os.path.join(scratch.path, name)
    os.makedirs(place)
    metrics = obcanal.free_port()
    server = scratch.keep(obcanal.Server(place, logproxy_port, password=None, instance=instance, server=dict({
        "canal.metrics.pull.port": metrics, "canal.zkServers": zookeeper.place + chroot,
        "canal.zookeeper.session.timeout": session_ms, "canal.zookeeper.flush.period": 100,
        "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml"}, **keys)))
    server.metrics = metrics
    server.address = "127.0.0.1:%d" % server.port
    return server


def status(server):
    """Of every destination, by name."""
    with urllib.request.urlopen("http://127.0.0.1:%d/status" % server.metrics, timeout=20) as answer:
        return {one["destination"]: one for one in json.load(answer)["destinations"]}


def wait(server, phase, cause="", destination="example", seconds=30.0):
    def there():
        one = status(server)[destination]
        return one["phase"] == phase and cause in (one.get("failure") or "")
    obcanal.wait_until(there, lambda: "phase %s with %r, is %s" % (phase, cause, status(server)[destination]), seconds)

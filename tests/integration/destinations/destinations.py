"""The life of destinations on a real server: a bad file harms nobody else, and files that come, change and go are followed."""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

BAD_LINE = "canal.instance.memory.buffer.size = 1000\n"
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


class Destinations:
    """A server that scans its directory every second, seen through its files and its status."""

    def __init__(self, scratch, logproxy):
        self.metrics, self.admin = obcanal.free_port(), obcanal.free_port()
        self.server = obcanal.Server(scratch.path, logproxy.port, password=None, server={
            "canal.auto.scan": "true", "canal.auto.scan.interval": 1, "canal.destinations": "example,bad",
            "canal.metrics.pull.port": self.metrics, "canal.admin.port": self.admin})
        with open(self.file("example"), encoding="utf-8") as file:
            self.good = file.read()

    def file(self, name):
        return os.path.join(self.server.conf, name, "instance.properties")

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
        with open(self.file(name) + "~", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.file(name) + "~", self.file(name))

    def write_bad(self, name):
        """Returns where the error stands."""
        self.write(name, self.good + BAD_LINE)
        return "%s:%d: canal.instance.memory.buffer.size: 1000 is not a power of two" % (
            self.file(name), self.good.count("\n") + 1)

    def status(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/status" % self.metrics, timeout=20) as answer:
            return {one["destination"]: one for one in json.load(answer)["destinations"]}

    def page(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.metrics, path), timeout=20) as answer:
            return answer.read().decode()

    def wait(self, name, condition, what):
        obcanal.wait_until(lambda: condition(self.status().get(name)), lambda: "%s: %s, is %s" % (name, what, self.status()))
        return self.status()[name]

    def client(self, name):
        client = wire.Client(self.server.port, password=None, destination=name)
        client.subscribe()
        return client


def running(one):
    return one is not None and one["phase"] == "running" and one["source"]["connected"]


def start_with_a_bad_file(world):
    where = world.write_bad("bad")
    argv = [os.path.join(obcanal.bin_dir(), "obcanal-server"), "--conf", world.server.conf]
    done = subprocess.run(argv + ["--check"], capture_output=True, text=True, timeout=60)
    expect("--check", (done.returncode, where in done.stderr), (2, True))
    # Without a good one, or with a fault of the server's own, there is nothing to start.
    for what, define in (("no good destination", "canal.conf.dir=" + os.path.join(world.server.conf, "none")),
                         ("a fault of the server", "canal.port=x")):
        os.makedirs(os.path.join(world.server.conf, "none"), exist_ok=True)
        done = subprocess.run(argv + ["-D" + define], capture_output=True, text=True, timeout=60)
        expect(what, done.returncode, 2)
    os.rmdir(os.path.join(world.server.conf, "none"))
    world.server.start()
    bad = world.wait("bad", lambda one: one is not None, "to be known")
    expect("bad", (bad["phase"], where in bad["refusedConfiguration"]), ("failed", True))
    world.wait("example", running, "to run beside a bad one")
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "status", "--server", "127.0.0.1:%d" % world.admin],
                          capture_output=True, text=True, timeout=60)
    expect("obcanal status", (done.returncode, bool(re.search(r"^bad +failed ", done.stdout, re.M)),
                              "bad: configuration refused: " + where in done.stdout), (0, True, True))
    expect("ready all the same", world.page("/readyz"), "ready\nfailed: bad\n")
    try:
        world.client("bad")
        raise RuntimeError("a refused destination was subscribed")
    except wire.Refused as refused:
        expect("subscription", "destination:bad should start first" in refused.text, True)


def mend_and_add(world):
    reader = world.client("example")
    batch, entries = reader.get(1, 5000)
    expect("entries", len(entries) > 0, True)
    world.write("bad", world.good)
    world.wait("bad", running, "to run once it is mended")
    world.write("added", world.good)
    world.wait("added", running, "to run once its files are there")
    client = world.client("added")
    expect("entries of the added one", len(client.get(1, 5000)[1]) > 0, True)
    client.close()
    expect("example's source", world.status()["example"]["source"]["connections"], 1)
    reader.ack(batch)  # which a restart would have made unknown
    batch, _ = reader.get(1, 5000)
    return reader, batch


def break_what_runs(world, reader, batch):
    where = world.write_bad("example")
    one = world.wait("example", lambda one: one["refusedConfiguration"], "to be refused")
    expect("a broken edit", (one["phase"], where in one["refusedConfiguration"]), ("running", True))
    reader.ack(batch)
    batch, entries = reader.get(1, 5000)
    expect("served on", len(entries) > 0, True)
    expect("not restarted", world.status()["example"]["source"]["connections"], 1)
    metric = 'obcanal_configuration_refused{destination="example"} 1'
    expect("metric", metric in world.page("/metrics"), True)
    world.write("example", world.good + "canal.instance.memory.buffer.size = 1024\n")
    one = world.wait("example", lambda one: running(one) and not one["refusedConfiguration"], "to take the mended file")
    expect("the new value", one["ring"]["entriesLimit"], 1024)
    expect("metric", metric in world.page("/metrics"), False)
    # It was restarted: what was handed out comes again, behind the last ack.
    first, again = reader.get(1, 5000)
    expect("from the cursor on", (first, again == entries), (1, True))
    reader.ack(first)
    reader.close()


def touch(world):
    os.utime(world.file("example"))
    obcanal.wait_until(lambda: restarts(world, "example") == 3, "a restart of the destination whose file was touched")
    world.wait("example", running, "to run again")
    expect("the others", [restarts(world, name) for name in ("bad", "added")], [1, 1])


def restarts(world, name):
    return len(re.findall(r"start successful destination=%s\b" % name, world.server.text()))


def remove(world):
    shutil.rmtree(os.path.dirname(world.file("added")))
    obcanal.wait_until(lambda: "added" not in world.status(), "a removed destination to be forgotten")
    try:
        world.client("added")
        raise RuntimeError("a removed destination was subscribed")
    except wire.Refused as refused:
        expect("subscription", "destination:added should start first" in refused.text, True)
    expect("its directory", os.path.exists(os.path.dirname(world.file("added"))), False)
    os.remove(world.file("bad"))
    obcanal.wait_until(lambda: "bad" not in world.status(), "a destination without its file to be forgotten")
    expect("who is left", list(world.status()), ["example"])
    # The directory out of sight is no reason to stop what runs.
    os.rename(world.server.conf, world.server.conf + ".away")
    obcanal.wait_until(lambda: "can't be listed, destinations stay" in world.server.text(), "a line about the directory")
    expect("who is left", running(world.status()["example"]), True)
    os.rename(world.server.conf + ".away", world.server.conf)
    obcanal.wait_until(lambda: "can be listed again" in world.server.text(), "a line about the directory")
    expect("not restarted", (restarts(world, "example"), running(world.status()["example"])), (3, True))


def main():
    with obcanal.Scratch("destinations") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        world = Destinations(scratch, logproxy)
        scratch.keep(world.server)
        start_with_a_bad_file(world)
        reader, batch = mend_and_add(world)
        break_what_runs(world, reader, batch)
        touch(world)
        remove(world)
    print("destinations: %d checks" % checks)


main()

"""What the image runs, without Docker: the directory that the Dockerfile makes, and its entry point with keys by environment."""
import os
import re
import shlex
import shutil
import signal
import subprocess

import packed
from packed import expect, expect_in, obcanal

import canal_wire as wire

DOCKER = os.path.join(packed.ROOT, "packaging", "docker")
OWNER = 65534  # nobody, for the image's admin


def instructions():
    """(instruction, rest) of the Dockerfile's last stage, continued lines joined."""
    with open(os.path.join(DOCKER, "Dockerfile"), encoding="utf-8") as file:
        text = re.sub(r"^#.*\n", "", file.read(), flags=re.M).replace("\\\n", " ")
    found = [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]
    last = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


def build(home):
    """/home/admin of the image below `home`. Packages and accounts apart, the Dockerfile's own steps."""
    base = os.path.join(home, "canal-server")
    packed.unpack(base)
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                expect(source, os.path.isfile(os.path.join(packed.ROOT, source)), True)
                if target == "/home/admin/":
                    shutil.copy(os.path.join(packed.ROOT, source), home)
        elif name == "RUN" and rest.startswith("sed "):
            packed.run(shlex.split(rest), cwd=base)
    entry = next(rest for name, rest in instructions() if name == "ENTRYPOINT")
    expect("ENTRYPOINT", entry, '["/home/admin/app.sh"]')
    health = next(rest for name, rest in instructions() if name == "HEALTHCHECK")
    expect_in("HEALTHCHECK", "/home/admin/health.sh", health)
    with open(os.path.join(base, "conf/canal.properties"), encoding="utf-8") as file:
        expect("what ports bind to", re.findall(r"^(\S+\.ip) *=(.*)$", file.read(), re.M),
               [("canal.ip", ""), ("canal.metrics.ip", "")])
    if os.getuid() == 0:
        for folder, below, names in os.walk(base):
            for name in [folder] + [os.path.join(folder, n) for n in below + names]:
                os.chown(name, OWNER, OWNER, follow_symlinks=False)
        os.chmod(os.path.dirname(home), 0o755)
    return base


class Container(obcanal.Program):
    def __init__(self, home, keys):
        super().__init__([os.path.join(home, "app.sh")], os.path.join(os.path.dirname(home), "container.log"))
        self.keys = keys

    def start(self):
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.keys})
        self.wait_ready(lambda: re.search(r"\bready\b", self.text()))
        return self


def one_destination(scratch, home, base, proxy):
    """The usual command line: one destination by another name than `example`."""
    port, metrics = obcanal.free_port(), obcanal.free_port()
    keys = packed.environment("shop", proxy.port, port, **{
        "canal.metrics.pull.port": metrics, "canal.metrics.ip": "127.0.0.1", "canal.admin.port": obcanal.free_port()})
    health = [os.path.join(home, "health.sh")]
    packed.run(health, 1, keys)
    container = scratch.keep(Container(home, keys)).start()
    # conf/rdb beside them belongs to the adapter.
    expect("destinations", sorted(n for n in os.listdir(base + "/conf")
                                  if os.path.exists(os.path.join(base, "conf", n, "instance.properties"))), ["shop"])
    packed.run(health, 0, keys)
    pid = container.process.pid
    # Process 1 of the container is the server itself: Docker's signal reaches it.
    expect("process", os.readlink("/proc/%d/exe" % pid), base + "/bin/obcanal-server")
    if os.getuid() == 0:
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            status = file.read()
        expect("user", re.search(r"^Uid:\s+(.*)$", status, re.M)[1].split(), [str(OWNER)] * 4)
        expect("NoNewPrivs", re.search(r"^NoNewPrivs:\s+(\d)$", status, re.M)[1], "1")
    client = wire.Client(port, "shop", user="", password="")
    client.subscribe()
    batch, entries = client.get(20, 10_000)
    expect("entries", len(entries) > 0, True)
    client.ack(batch)
    client.close()
    container.process.send_signal(signal.SIGTERM)
    expect("status after SIGTERM", container.process.wait(30), 0)
    container.process = None
    # The next container on the same volume goes on at the cursor.
    with open(base + "/conf/shop/meta.dat", encoding="utf-8") as file:
        expect_in("cursor", '"destination":"shop"', file.read())
    expect_in("log", "server stopped", container.text())


def several_destinations(home, base, proxy):
    keys = packed.environment("a,b", proxy.port, obcanal.free_port())
    said = packed.run([os.path.join(home, "app.sh")], 2, keys)
    expect_in("several", "no instance.properties in %s/conf for: a b" % base, said)
    keys["canal.destinations"] = "../../etc"
    expect_in("a path", "is no name", packed.run([os.path.join(home, "app.sh")], 2, keys))


def streams(scratch, home, base, proxy):
    """name{1-2}, for which the image makes a directory each."""
    os.rename(base + "/conf/shop", base + "/conf/example")
    keys = packed.environment("", proxy.port, obcanal.free_port(), **{
        "canal.destinations.expr": "shop{1-2}", "canal.instance.multi.stream.on": "true"})
    keys["canal.admin.port"] = str(obcanal.free_port())
    container = scratch.keep(Container(home, keys)).start()
    for name in ("shop1", "shop2"):
        expect(name, os.path.isfile("%s/conf/%s/instance.properties" % (base, name)), True)
        expect_in("log", " %s " % name, container.text())
    expect("example", os.path.exists(base + "/conf/example"), False)


def main():
    with obcanal.Scratch("image") as scratch:
        home = os.path.join(os.path.realpath(scratch.path), "admin")
        base = build(home)
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        one_destination(scratch, home, base, proxy)
        several_destinations(home, base, proxy)
        streams(scratch, home, base, proxy)
    packed.done()


if __name__ == "__main__":
    main()

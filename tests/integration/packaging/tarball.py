"""The tarball as somebody uses it who had Canal there: unpacked, their conf/ copied over it, its scripts, their habits."""
import os
import re
import shutil
import signal
import subprocess

import packed
from packed import expect, expect_in, obcanal

import canal_wire as wire

DESTINATION = "oceanbase"


def texts(client, count):
    """At least `count` entries, acked batch by batch: what comes, in order."""
    entries = []
    while len(entries) < count:
        batch, some = client.get(20, 10_000)
        client.ack(batch)
        entries += some
    return entries


def session(port, count):
    client = wire.Client(port, DESTINATION, user="", password="")
    try:
        client.subscribe()
        return texts(client, count)
    finally:
        client.close()


def layout(base):
    for name in ("startup.sh", "stop.sh", "restart.sh", "adapter.sh", "obcanal-server", "obcanal-adapter", "obcanal"):
        expect(name, os.access(os.path.join(base, "bin", name), os.X_OK), True)
    for path in ("conf/canal.properties", "conf/example/instance.properties", "logs", "man/man8/obcanal-server.8",
                 "conf/application.yml", "man/man8/obcanal-adapter.8",
                 *("conf/%s/mytest_user.yml" % name for name in packed.ADAPTER_TARGETS)):
        expect(path, os.path.exists(os.path.join(base, path)), True)
    for program in ("obcanal-server", "obcanal-adapter", "obcanal"):
        path = os.path.join(base, "bin", program)
        needed = packed.run(["ldd", path])
        expect("libraries of " + program, "not found" in needed, False)
        expect_in("a library of its own", os.path.join(base, "bin/../lib/libspdlog"), needed)
        dynamic = packed.run(["readelf", "-d", path])
        expect("run path", re.findall(r"path: \[(.*)\]", dynamic), ["$ORIGIN/../lib"])


def start_and_read(base, proxy):
    """Started as Canal's documents say, the shell that drops variables with dots included; (keys, port, entries)."""
    port, admin = obcanal.free_port(), obcanal.free_port()
    keys = packed.environment(DESTINATION, proxy.port, port, **{"canal.admin.port": admin})
    options = {"JAVA_OPTS": "-server -Xms2g -Dfile.encoding=UTF-8 -Dcanal.instance.get.linger=7"}
    said = packed.run(["sh", os.path.join(base, "bin/startup.sh")], env={**keys, **options})
    expect_in("what Java wants", "without effect: -server -Xms2g -Dfile.encoding=UTF-8", said)
    pid = packed.pid_of(os.path.join(base, "bin/canal.pid"))
    expect("process", os.readlink("/proc/%d/exe" % pid), os.path.join(base, "bin/obcanal-server"))
    with open("/proc/%d/cmdline" % pid, encoding="utf-8") as file:
        expect_in("-Dcanal.* of JAVA_OPTS", "-Dcanal.instance.get.linger=7", file.read().split("\0"))
    entries = session(port, 30)
    status = packed.run([os.path.join(base, "bin/obcanal"), "status", "--server", "127.0.0.1:%d" % admin])
    expect_in("status", DESTINATION, status)
    return keys, port, entries


def second_start(base, keys):
    pid = packed.pid_of(os.path.join(base, "bin/canal.pid"))
    said = packed.run([os.path.join(base, "bin/startup.sh")], 1, keys)
    expect_in("a second start", "process %d is running" % pid, said)
    expect("the first one", packed.alive(pid), True)


def restart(base, keys, port, entries):
    """The cursor is where Canal has it, and what was acked does not come again."""
    before = packed.pid_of(os.path.join(base, "bin/canal.pid"))
    packed.run(["bash", "restart.sh"], env=keys, cwd=os.path.join(base, "bin"))
    expect("old process", packed.alive(before), False)
    expect("meta.dat", os.path.exists(os.path.join(base, "conf", DESTINATION, "meta.dat")), True)
    more = session(port, 30)
    expect("entries that came twice", [e for e in more if e in entries and wire.entry_kind(e) == 2], [])


def adapter(base, keys, port):
    """The adapter of the same directory reads from the server that runs there."""
    script = os.path.join(base, "bin/adapter.sh")
    environment = {**keys, "CANAL_CONF_CONSUMERPROPERTIES_CANAL_TCP_SERVER_HOST": "127.0.0.1:%d" % port,
                   "CANAL_CONF_CANALADAPTERS_0_INSTANCE": DESTINATION, "SERVER_PORT": str(obcanal.free_port())}
    expect_in("adapter.sh", "is ready", packed.run([script, "start"], env=environment))
    with open(os.path.join(base, "logs/adapter/adapter.log"), encoding="utf-8") as log:
        obcanal.wait_until(lambda: "DML: " in log.read(), "changes in the adapter's log")
    expect_in("a second adapter", "is running", packed.run([script, "start"], 1, environment))
    expect_in("adapter.sh", "stopped", packed.run([script, "stop"]))
    expect_in("stopped already", "not running", packed.run([script, "stop"]))
    packed.run([script, "nonsense"], 2)


def moved_log(base):
    log = os.path.join(base, "logs/canal/canal.log")
    os.rename(log, log + ".moved")
    os.kill(packed.pid_of(os.path.join(base, "bin/canal.pid")), signal.SIGHUP)
    obcanal.wait_until(lambda: os.path.exists(log) and "opened again" in open(log, encoding="utf-8").read(), "a new log")


def stop(base):
    pid = packed.pid_of(os.path.join(base, "bin/canal.pid"))
    packed.run(["sh", os.path.join(base, "bin/stop.sh")])
    expect("stopped process", packed.alive(pid), False)
    expect("canal.pid", os.path.exists(os.path.join(base, "bin/canal.pid")), False)
    expect_in("stopped already", "not running", packed.run([os.path.join(base, "bin/stop.sh")]))
    with open(os.path.join(base, "logs/canal/canal.log"), encoding="utf-8") as file:
        expect_in("the log's end", "server stopped", file.read().splitlines()[-1])


def left_pid_file(base, keys):
    """Of a killed server, whose number somebody else may have got: never refused for it, never kills another."""
    other = subprocess.Popen(["sleep", "600"])
    try:
        with open(os.path.join(base, "bin/canal.pid"), "w", encoding="ascii") as file:
            file.write("%d\n" % other.pid)
        said = packed.run([os.path.join(base, "bin/startup.sh")], env=keys)
        expect_in("a left file", "left from a server that is gone", said)
        pid = packed.pid_of(os.path.join(base, "bin/canal.pid"))
        os.kill(pid, signal.SIGKILL)
        obcanal.wait_until(lambda: not packed.alive(pid), "the killed server to end")
        packed.run([os.path.join(base, "bin/startup.sh")], env=keys)
        packed.run([os.path.join(base, "bin/stop.sh")])
        expect("the other process", other.poll(), None)
    finally:
        other.kill()
        other.wait()


def java_server(base):
    """Unpacked over a Canal whose server still runs: stop.sh stops that one."""
    java = subprocess.Popen(["python3", "-c", "import signal; signal.pause()", "-DappName=otter-canal"])
    try:
        with open(os.path.join(base, "bin/canal.pid"), "w", encoding="ascii") as file:
            file.write(str(java.pid))
        reaped = subprocess.Popen([os.path.join(base, "bin/stop.sh")], stdout=subprocess.DEVNULL)
        expect("the Java server's end", java.wait(30), -signal.SIGTERM)
        expect("stop.sh", reaped.wait(30), 0)
    finally:
        if java.poll() is None:
            java.kill()
            java.wait()


def wrong(base, keys):
    startup = os.path.join(base, "bin/startup.sh")
    said = packed.run([startup], 2, {**keys, "canal.port": "x"})
    expect_in("a wrong key", "environment: canal.port: 'x' is not a number", said)
    expect("canal.pid", os.path.exists(os.path.join(base, "bin/canal.pid")), False)
    expect_in("a wrong argument", "neither 'local' nor a file", packed.run([startup, "nonsense"], 2, keys))
    packed.run([startup, "a", "b", "c"], 2, keys)
    expect_in("local", "canal_local.properties", packed.run([startup, "local"], 2, keys))


def other_file(base, keys):
    """Keys of the server from a file, as canal_local.properties and a path."""
    port = obcanal.free_port()
    del keys["canal.port"]
    for argument, path in (("local", "conf/canal_local.properties"), (os.path.join(base, "my.properties"), "my.properties")):
        shutil.copy(os.path.join(base, "conf/canal.properties"), os.path.join(base, path))
        with open(os.path.join(base, path), "a", encoding="utf-8") as file:
            file.write("\ncanal.port = %d\n" % port)
        packed.run([os.path.join(base, "bin/startup.sh"), argument], env=keys)
        expect("port of " + path, obcanal.port_open(port), True)
        packed.run([os.path.join(base, "bin/stop.sh")])


def main():
    with obcanal.Scratch("tarball") as scratch:
        base = os.path.join(os.path.realpath(scratch.path), "canal")
        packed.unpack(base)
        layout(base)
        os.environ["OBCANAL_BIN"] = os.path.join(base, "bin")
        shutil.copytree(obcanal.fixture("canal-conf"), os.path.join(base, "conf"), dirs_exist_ok=True)
        proxy = scratch.logproxy(obcanal.fixture("oblog/shop.logmsg"))
        try:
            keys, port, entries = start_and_read(base, proxy)
            second_start(base, keys)
            restart(base, keys, port, entries)
            adapter(base, keys, port)
            moved_log(base)
            stop(base)
            left_pid_file(base, keys)
            java_server(base)
            wrong(base, keys)
            other_file(base, keys)
        finally:
            packed.run([os.path.join(base, "bin/stop.sh")])
    packed.done()


if __name__ == "__main__":
    main()

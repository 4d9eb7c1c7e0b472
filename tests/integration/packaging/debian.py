"""The .deb from installation to purge, its service started as the unit says, with the configuration that it comes with.

Needs root. Where namespaces may be made, everything happens in a throw-away layer over this machine's file system with a
network of its own, and nothing of the machine changes. Elsewhere (a container without such rights) the package is
installed for real, if there is no trace of one, and purged.
"""
import configparser
import fcntl
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import packed
from packed import expect, expect_in, obcanal

INSIDE = "--inside"
PORTS = (11110, 11111, 11112)
WHERE = ("etc", "lib/systemd", "run", "usr/bin", "usr/share/doc", "usr/share/man", "var/lib", "var/log")
SHIPPED = ("usr/bin/obcanal", "usr/bin/obcanal-server", "usr/bin/obcanal-adapter", "lib/systemd/system/obcanal-server.service",
           "lib/systemd/system/obcanal-adapter.service")


class Machine:
    """The file system that the package is installed in: `root` of it."""

    def __init__(self, root):
        self.root = root
        self.chroot = [] if root == "/" else ["chroot", root]

    def run(self, *argv, **more):
        return packed.run(self.chroot + list(argv), **more)

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def has(self, program):
        return any(os.access(self.path(d + program), os.X_OK) for d in ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"))

    def owner_and_mode(self, name):
        about = os.stat(self.path(name))
        names = self.run("stat", "-c", "%U:%G", name).strip()
        return "%s %o" % (names, about.st_mode & 0o7777)

    def traces(self):
        """Files and accounts with the package's name."""
        found = set()
        for where in WHERE:
            for folder, below, names in os.walk(self.path(where)):
                found.update(os.path.join(folder, n) for n in below + names if "obcanal" in n)
        for name in ("passwd", "group", "shadow", "gshadow"):
            with open(self.path("/etc/" + name), encoding="utf-8") as file:
                found.update("/etc/%s: %s" % (name, line) for line in file if "obcanal" in line)
        return found


def layer(scratch):
    """A layer over / at scratch/root, written to memory."""
    packed.run(["mount", "-t", "tmpfs", "tmpfs", scratch])
    root = os.path.join(scratch, "root")
    for name in (root, scratch + "/upper", scratch + "/work"):
        os.mkdir(name)
    options = "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (scratch, scratch)
    packed.run(["mount", "-t", "overlay", "overlay", "-o", options, root])
    packed.run(["mount", "--rbind", "/dev", root + "/dev"])
    packed.run(["mount", "-t", "proc", "proc", root + "/proc"])
    return Machine(root)


def loopback_up():
    interface_flags, up = 0x8914, 1
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, interface_flags, struct.pack("16sh14x", b"lo", up))


class Service(obcanal.Program):
    """What systemd does with the unit, as far as a test can: command, account, privileges, read-only system, readiness."""

    def __init__(self, machine, log):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(machine.path("/lib/systemd/system/obcanal-server.service"))
        self.unit, self.machine = unit["Service"], machine
        expect("Type", self.unit["Type"], "notify")
        self.umask = int(self.unit["UMask"], 8)
        self.address = "/run/notify-test"
        argv = machine.chroot + [
            "setpriv", "--reuid", self.unit["User"], "--regid", self.unit["Group"], "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all"] + shlex.split(self.unit["ExecStart"])
        super().__init__(argv, log)

    def own_directories(self):
        for place, key in (("/var/lib", "StateDirectory"), ("/var/log", "LogsDirectory")):
            yield self.machine.path(os.path.join(place, self.unit[key]))

    def system(self, access):
        """ProtectSystem=strict (ro) or not: all but the directories that the unit names."""
        if self.machine.root != "/":
            packed.run(["mount", "-o", "remount,bind," + access, self.machine.root])

    def hold_directories(self):
        for path in self.own_directories():
            packed.run(["mount", "--bind", path, path])

    def let_directories_go(self):
        for path in self.own_directories():
            packed.run(["umount", path])

    def start(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            path = self.machine.path(self.address)
            notified.bind(path)
            os.chmod(path, 0o666)
            notified.settimeout(30)
            if self.machine.root != "/":
                self.hold_directories()
            self.system("ro")
            with open(self.log, "wb") as out:
                self.process = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, umask=self.umask,
                    env={"PATH": "/usr/bin:/usr/sbin", "NOTIFY_SOCKET": self.address})
            try:
                said = notified.recv(100)
            except TimeoutError as error:
                raise RuntimeError("not ready:\n%s" % self.text()) from error
            expect("sd_notify", said, b"READY=1")
        return self

    def stop(self, seconds=30.0):
        running = self.process is not None
        super().stop(seconds)
        if running:
            self.system("rw")
            if self.machine.root != "/":
                self.let_directories_go()
            os.remove(self.machine.path(self.address))


def installed(machine):
    said = machine.run("dpkg", "-i", packed.package(".deb"))
    expect("complaints", re.findall("(?i).*(?:warning|error).*", said), [])
    expect("state", machine.run("dpkg-query", "-W", "-f", "${Status}", "obcanal"), "install ok installed")
    wanted = {
        "/etc/obcanal": "root:obcanal 750",
        "/etc/obcanal/canal.properties": "root:obcanal 640",
        "/etc/obcanal/application.yml": "root:obcanal 640",
        **{"/etc/obcanal/%s/mytest_user.yml" % name: "root:obcanal 640" for name in packed.ADAPTER_TARGETS},
        "/etc/obcanal/example": "root:obcanal 750",
        "/etc/obcanal/example/instance.properties": "root:obcanal 640",
        "/var/lib/obcanal": "obcanal:obcanal 750",
        "/var/log/obcanal": "obcanal:obcanal 750",
        "/usr/bin/obcanal-server": "root:root 755",
    }
    for name, owner in wanted.items():
        expect(name, machine.owner_and_mode(name), owner)
    expect_in("account", "/usr/sbin/nologin", machine.run("getent", "passwd", "obcanal"))
    expect_in("version", "obcanal-server ", machine.run("obcanal-server", "--version"))
    expect_in("adapter's configuration", "no errors", machine.run("obcanal-adapter", "--check"))
    depends = machine.run("dpkg-query", "-W", "-f", "${Depends}", "obcanal")
    for library in ("libc6 (>=", "libssl3 (>=", "libspdlog"):
        expect_in("Depends", library, depends)
    if machine.has("systemd-analyze"):
        for program in ("obcanal-server", "obcanal-adapter"):
            unit = "/lib/systemd/system/%s.service" % program
            expect("systemd-analyze verify", machine.run("systemd-analyze", "verify", unit), "")
    if machine.has("man"):
        for page in ("obcanal", "obcanal-server", "obcanal-adapter", "obcanal.properties"):
            expect_in("man", "/" + page, machine.run("man", "-w", page))


def listening(pid):
    """(address, port) of what this process's network listens on."""
    found = set()
    for name in ("tcp", "tcp6"):
        with open("/proc/%d/net/%s" % (pid, name), encoding="ascii") as file:
            for line in file.readlines()[1:]:
                _, local, _, state = line.split()[:4]
                address, port = local.split(":")
                if state == "0A" and int(port, 16) in PORTS:
                    found.add((address, int(port, 16)))
    return found


def served(machine, service):
    pid = service.process.pid
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        status = file.read()
    uid = int(machine.run("id", "-u", "obcanal"))
    expect("user", re.search(r"^Uid:\s+(\d+)", status, re.M)[1], str(uid))
    expect("capabilities", set(re.findall(r"^Cap\w+:\s+(\w+)$", status, re.M)), {"0" * 16})
    expect("listens on", listening(pid), {("0100007F", port) for port in PORTS})
    expect_in("obcanal status", "example", machine.run("obcanal", "status"))
    rows = machine.run("obcanal", "tail", "--count", "20", "--idle-exit", "20")
    expect("rows", len(re.findall(r" (?:INSERT|UPDATE|DELETE) ", rows)), 20)


def rotated(machine, service):
    """logrotate moves the file away; the signal that the unit's configuration sends follows here, where no systemd runs."""
    log = machine.path("/var/log/obcanal/obcanal-server.log")
    expect("log", machine.owner_and_mode("/var/log/obcanal/obcanal-server.log"), "obcanal:obcanal 640")
    with open(log, encoding="utf-8") as file:
        before = file.read()
    service.system("rw")
    machine.run("logrotate", "-f", "-s", "/run/logrotate-test", "/etc/logrotate.d/obcanal")
    service.system("ro")
    service.process.send_signal(signal.SIGHUP)
    obcanal.wait_until(lambda: os.path.exists(log) and "opened again" in open(log, encoding="utf-8").read(), "a new log")
    with open(log + ".1", encoding="utf-8") as file:
        expect("the moved log begins as before", file.read().startswith(before), True)


def upgraded(machine):
    """The same package again over an edited configuration: edits, states and cursors stay."""
    edited = machine.path("/etc/obcanal/canal.properties")
    with open(edited, "a", encoding="utf-8") as file:
        file.write("# edited\n")
    machine.run("dpkg", "-i", packed.package(".deb"))
    with open(edited, encoding="utf-8") as file:
        expect_in("canal.properties", "# edited", file.read())
    expect("its mode", machine.owner_and_mode("/etc/obcanal/canal.properties"), "root:obcanal 640")
    expect("cursor", os.path.exists(machine.path("/var/lib/obcanal/example/meta.dat")), True)


def removed(machine, before):
    machine.run("dpkg", "-r", "obcanal")
    for name in SHIPPED:
        expect(name, os.path.exists(machine.path(name)), False)
    for name in ("/etc/obcanal/canal.properties", "/var/lib/obcanal/example/meta.dat"):
        expect(name, os.path.exists(machine.path(name)), True)
    machine.run("dpkg", "-P", "obcanal")
    expect("traces", machine.traces() - before, set())
    gone = machine.run("dpkg-query", "-W", "obcanal", status=1)
    expect_in("dpkg", "no packages found", gone)


def test(machine, scratch):
    before = machine.traces()
    if machine.root == "/" and any(p for p in before if "/usr/bin/" in p or "/etc/" in p):
        raise RuntimeError("no namespaces here, and this machine has an obcanal of its own: %s" % sorted(before))
    proxy = obcanal.LogProxy(scratch, [obcanal.fixture("oblog/shop.logmsg")], port=2983)
    service = None
    try:
        installed(machine)
        proxy.start()
        service = Service(machine, os.path.join(scratch, "service.log")).start()
        served(machine, service)
        rotated(machine, service)
        service.stop()
        upgraded(machine)
        removed(machine, before)
        proxy.stop()
    except BaseException:
        log = machine.path("/var/log/obcanal/obcanal-server.log")
        for path in (os.path.join(scratch, "service.log"), log):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    print("-- %s\n%s" % (path, file.read()[-4000:]), file=sys.stderr)
        raise
    finally:
        proxy.kill()
        if service is not None:
            service.kill()
        if machine.root == "/" and machine.traces() - before:
            subprocess.run(["dpkg", "-P", "obcanal"], check=False)


def main():
    if os.getuid() != 0:
        sys.exit("installing a package needs root")
    if sys.argv[1:2] == [INSIDE]:
        loopback_up()
        test(layer(sys.argv[2]), sys.argv[2])
    else:
        scratch = tempfile.mkdtemp(prefix="obcanal-debian-")
        apart = ["unshare", "--mount", "--net"]
        try:
            if subprocess.run(apart + ["true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                sys.exit(subprocess.run(apart + [sys.executable, __file__, INSIDE, scratch], check=False).returncode)
            test(Machine("/"), scratch)
        finally:
            shutil.rmtree(scratch)
    packed.done()


if __name__ == "__main__":
    main()

"""Starts and stops obcanal's own programs for test drivers: log proxy, server, with a configuration made for the run.

OBCANAL_BIN is the directory of the programs, OBCANAL_FIXTURES that of the unpacked recordings; ctest sets both.
"""
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SUPPORT = os.path.dirname(os.path.abspath(__file__))
SANITIZER = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|runtime error:")
POLL_SECONDS = 0.005


def bin_dir():
    return os.environ["OBCANAL_BIN"]


def fixture(name):
    return os.path.join(os.environ["OBCANAL_FIXTURES"], name)


def password_hash(password):
    """What canal.passwd and its like hold: SHA1(SHA1(password)) in hex."""
    return hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()


def free_port():
    """A port of 127.0.0.1 that nobody listens on now, below the range that the kernel gives to outgoing connections."""
    for port in random.SystemRandom().sample(range(12000, 32000), 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port found")


def port_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, what, seconds=30.0):
    """Polls until condition() is true; RuntimeError with `what` when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited %g s for %s" % (seconds, what() if callable(what) else what))
        time.sleep(POLL_SECONDS)


class Program:
    """One process whose output goes into a file that is kept for looking at it."""

    def __init__(self, argv, log):
        self.argv, self.log, self.process, self.offset = argv, log, None, 0

    def spawn(self):
        self.offset = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def text(self, since=0):
        with open(self.log, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, ready, seconds=60.0):
        def check():
            if ready():
                return True
            if not self.alive():
                raise RuntimeError("%s ended with %s:\n%s" % (self.argv[0], self.process.returncode, self.text()[-3000:]))
            return False
        wait_until(check, lambda: "%s to be ready:\n%s" % (self.argv[0], self.text()[-3000:]), seconds)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, seconds=30.0):
        """SIGTERM; RuntimeError when it does not end, ends with another status than 0, or a sanitizer had a complaint."""
        if self.process is None:
            return
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise RuntimeError("%s did not stop within %g s:\n%s" % (self.argv[0], seconds, self.text()[-3000:]))
        self.process = None
        if status != 0:
            raise RuntimeError("%s ended with %d:\n%s" % (self.argv[0], status, self.text()[-6000:]))
        self.check_log()

    def check_log(self):
        found = SANITIZER.search(self.text())
        if found:
            raise RuntimeError("%s: %s" % (self.argv[0], self.text()[found.start():][:6000]))

    def rss_kib(self, field="VmRSS"):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


class LogProxy(Program):
    """`obcanal logproxy serve` on recordings."""

    def __init__(self, scratch, inputs, options=(), port=None):
        self.port = port or free_port()
        argv = [os.path.join(bin_dir(), "obcanal"), "logproxy", "serve", "--listen", "127.0.0.1:%d" % self.port]
        for path in inputs:
            argv += ["--input", path]
        super().__init__(argv + list(options), os.path.join(scratch, "logproxy.log"))

    def start(self):
        self.spawn()
        self.wait_ready(lambda: port_open(self.port))
        return self


class Server(Program):
    """obcanal-server with the destination `example`, fed by the log proxy on `logproxy_port` (None: by what `instance` says).

    `server` and `instance` add or replace keys of canal.properties and instance.properties.
    """

    def __init__(self, scratch, logproxy_port, server=None, instance=None, options=(), password="canal"):
        self.port = free_port()
        self.conf = os.path.join(scratch, "conf")
        self.data = os.path.join(scratch, "data")
        os.makedirs(os.path.join(self.conf, "example"), exist_ok=True)
        os.makedirs(self.data, exist_ok=True)
        properties = {
            "canal.ip": "127.0.0.1",
            "canal.serverMode": "tcp",
            "canal.port": self.port,
            "canal.metrics.pull.port": 0,
            "canal.destinations": "example",
            "canal.conf.dir": self.conf,
            "canal.auto.scan": "false",
            "canal.file.data.dir": self.data,
            "canal.instance.global.mode": "spring",
            "canal.instance.global.spring.xml": "classpath:spring/file-instance.xml",
        }
        if password:
            properties.update({"canal.user": "canal", "canal.passwd": password_hash(password)})
        properties.update(server or {})
        destination = {} if logproxy_port is None else {
            "canal.instance.oceanbase.logproxy.address": "127.0.0.1:%d" % logproxy_port,
            "canal.instance.oceanbase.rsList": "127.0.0.1:2882:2881",
            "canal.instance.oceanbase.username": "user@tenant",
            "canal.instance.oceanbase.password": "secret",
            "canal.instance.oceanbase.tenant": "obtenant",
            "canal.instance.oceanbase.startTimestamp": 1,
        }
        destination["canal.instance.filter.regex"] = r".*\\..*"
        destination.update(instance or {})
        self.write("canal.properties", properties)
        self.write("example/instance.properties", destination)
        argv = [os.path.join(bin_dir(), "obcanal-server"), "--conf", self.conf]
        super().__init__(argv + list(options), os.path.join(scratch, "server.log"))

    def write(self, name, values):
        with open(os.path.join(self.conf, name), "w", encoding="utf-8") as file:
            file.writelines("%s = %s\n" % item for item in values.items())

    def start(self):
        self.spawn()
        self.wait_ready(lambda: re.search(r"\bready\b", self.text(self.offset)))
        return self


class Scratch:
    """A directory for the run and the programs in it. All end with it; the directory stays when the run failed."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix="obcanal-%s-" % name)
        self.programs = []

    def __enter__(self):
        return self

    def keep(self, program):
        self.programs.append(program)
        return program

    def logproxy(self, *inputs, **more):
        return self.keep(LogProxy(self.path, inputs, **more)).start()

    def server(self, logproxy_port, **more):
        return self.keep(Server(self.path, logproxy_port, **more)).start()

    def __exit__(self, kind, value, trace):
        if kind is None:
            try:
                for program in reversed(self.programs):
                    program.stop()
            except BaseException:
                self.abandon()
                raise
            shutil.rmtree(self.path)
            return
        for program in reversed(self.programs):
            if program.log.endswith("server.log") and os.path.exists(program.log):
                print("-- end of %s\n%s" % (program.log, program.text()[-4000:]), file=sys.stderr)
        self.abandon()

    def abandon(self):
        for program in reversed(self.programs):
            program.kill()
        print("left for looking at it: %s" % self.path, file=sys.stderr)


def peer(name):
    """The script that runs another maker's client."""
    return os.path.join(SUPPORT, "peers", name, "run.sh")

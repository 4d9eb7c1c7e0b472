"""Hosts of a test in network namespaces of their own, on one bridge, and lines between them that can be cut without a trace.

enter() first: it goes on in a namespace of the test's own, which holds the bridge and ends with the test.
"""
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000
SUBNET = "10.77.0."
NOBODY = "02:00:00:00:00:99"


class NotPermitted(Exception):
    pass


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotPermitted("ip %s: %s" % (" ".join(arguments), done.stderr.strip()))


class Host:
    def __init__(self, name, space, address):
        self.name, self.space, self.address = name, space, address

    def argv(self, *command):
        """The command, run on this host: the process keeps its id."""
        return ["ip", "netns", "exec", self.space, *command]

    def run(self, *command, **more):
        return subprocess.run(self.argv(*command), check=True, **more)


class Network:
    """`with Network() as network`: host(name) makes one. NotPermitted: this machine does not let us."""

    def __init__(self, subnet=SUBNET):
        self.subnet, self.hosts, self.cuts = subnet, {}, set()

    def __enter__(self):
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NotPermitted("network namespaces want root and iproute2")
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise NotPermitted("unshare: " + os.strerror(ctypes.get_errno()))
        ip("link", "set", "lo", "up")
        ip("link", "add", "bridge", "type", "bridge")
        ip("addr", "add", self.subnet + "254/24", "dev", "bridge")
        ip("link", "set", "bridge", "up")
        return self

    def host(self, name, number=None):
        number = number or 10 + len(self.hosts)
        space = "obc%d-%s" % (os.getpid(), name)
        ip("netns", "add", space)
        one = self.hosts[name] = Host(name, space, self.subnet + str(number))
        port = "v-" + name
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", port, "master", "bridge", "up")
        for words in ("link set lo up", "addr add %s/24 dev eth0" % one.address, "link set eth0 up"):
            ip("-n", space, *words.split())
        return one

    # Packets to an address that nobody has vanish, as on a line that is cut: no reset, no refusal.
    def cut(self, one, other):
        for a, b in ((one, other), (other, one)):
            ip("-n", a.space, "neigh", "replace", b.address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent")
        self.cuts.add((one, other))

    def mend(self):
        """All lines."""
        for one, other in self.cuts:
            for a, b in ((one, other), (other, one)):
                ip("-n", a.space, "neigh", "del", b.address, "dev", "eth0")
        self.cuts.clear()

    def __exit__(self, *_):
        for one in self.hosts.values():
            subprocess.run(["ip", "netns", "del", one.space], capture_output=True)

"""What the tests of the packages share: where the packages are, and running a command that must end as expected."""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import obcanal  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
# Of each the packages hold a sample mapping.
ADAPTER_TARGETS = ("rdb", "es6", "es7", "es8")
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def expect_in(what, part, whole):
    global checks
    checks += 1
    if part not in whole:
        raise RuntimeError("%s: %r is not in:\n%s" % (what, part, whole))


def package(ending):
    """The one package of this kind that the build has made."""
    found = glob.glob(os.path.join(os.environ["OBCANAL_PACKAGES"], "*" + ending))
    if len(found) != 1:
        raise RuntimeError("%d packages *%s in %s: %s" % (len(found), ending, os.environ["OBCANAL_PACKAGES"], found))
    return found[0]


def run(argv, status=0, env=None, cwd="/", **more):
    """Output of a command, both streams, that must end with this status. `env` is all it gets beside PATH."""
    full = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    full.update(env or {})
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=full,
                          cwd=cwd, timeout=120, errors="replace", check=False, **more)
    if done.returncode != status:
        raise RuntimeError("%s: status %d instead of %d:\n%s" % (argv, done.returncode, status, done.stdout))
    return done.stdout


def unpack(directory):
    os.makedirs(directory)
    run(["tar", "-xzf", package(".tar.gz"), "-C", directory])


def environment(destination, proxy, port, **more):
    """Keys as `docker run -e` gives them."""
    keys = {
        "canal.ip": "127.0.0.1",
        "canal.port": port,
        "canal.destinations": destination,
        "canal.auto.scan": "false",
        "canal.metrics.pull.port": 0,
        "canal.instance.oceanbase.logproxy.address": "127.0.0.1:%d" % proxy,
        "canal.instance.oceanbase.rsList": "127.0.0.1:2882:2881",
        "canal.instance.oceanbase.tenant": "obtenant",
        "canal.instance.oceanbase.startTimestamp": 1,
        "canal.instance.filter.regex": r".*\..*",
    }
    keys.update(more)
    return {key: str(value) for key, value in keys.items()}


def pid_of(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def done():
    print("checks=%d" % checks)

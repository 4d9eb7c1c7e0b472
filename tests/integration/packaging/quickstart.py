"""The README's first command, on a build that is there: --once ends by itself, Ctrl-C stops everything and leaves nothing."""
import os
import re
import signal
import subprocess
import tempfile

import packed
from packed import expect, expect_in, obcanal

SCRIPT = os.path.join(packed.ROOT, "packaging", "quickstart.sh")
ROW = re.compile(r"  (?:INSERT|UPDATE|DELETE)  \w")


def processes(directory):
    """Command lines that name the directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                line = file.read().decode("utf-8", "replace")
        except OSError:
            continue
        if directory in line:
            found.append(line.replace("\0", " "))
    return found


def once(directory):
    said = packed.run([SCRIPT, "--no-install", "--once"], env={"TMPDIR": directory, "HOME": directory})
    expect("rows", len(ROW.findall(said)), 20)
    expect("what is left", os.listdir(directory), [])
    expect("processes", processes(directory), [])


def interrupted(directory):
    """Ctrl-C: the terminal's signal reaches the script and all that it started."""
    log = os.path.join(directory, "log")
    below = os.path.join(directory, "tmp")
    os.mkdir(below)
    with open(log, "wb") as out:
        script = subprocess.Popen([SCRIPT, "--no-install"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  start_new_session=True, env={**os.environ, "TMPDIR": below})
    try:
        def shown():
            if script.poll() is not None:
                raise RuntimeError("ended with %d:\n%s" % (script.returncode, open(log, encoding="utf-8").read()))
            with open(log, encoding="utf-8", errors="replace") as file:
                return len(ROW.findall(file.read())) >= 3
        obcanal.wait_until(shown, "three rows", 60)
        with open(log, encoding="utf-8", errors="replace") as file:
            port = int(re.search(r"server +127\.0\.0\.1:(\d+)", file.read())[1])
        expect("processes", len(processes(below)), 1)
        os.killpg(script.pid, signal.SIGINT)
        expect("status", script.wait(30), 0)
    finally:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)
    obcanal.wait_until(lambda: not processes(below), "all processes to end")
    expect("the server's port", obcanal.port_open(port), False)
    expect("what is left", os.listdir(below), [])


def main():
    with tempfile.TemporaryDirectory(prefix="obcanal-quickstart-test-") as directory:
        once(directory)
        interrupted(directory)
    expect_in("options", "--no-install", packed.run([SCRIPT, "--help"]))
    packed.run([SCRIPT, "--nonsense"], 2)
    packed.done()


if __name__ == "__main__":
    main()

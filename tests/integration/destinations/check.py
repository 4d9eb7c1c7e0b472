"""`obcanal check` on sources that stream, refuse, are away or don't answer, and on files that are wrong."""
import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import obcanal  # noqa: E402

checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def check(server, *argv):
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "check", "--conf", server.conf, *argv], capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def part(text, destination):
    """What is said of one destination."""
    return re.search(r"^%s: .*\n(?:  .*\n)*" % destination, text, re.M).group(0)


def main():
    with obcanal.Scratch("check") as scratch:
        good = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        refusing = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"), options=("--error-before", "no such tenant"))
        silent = socket.create_server(("127.0.0.1", 0))
        server = obcanal.Server(scratch.path, good.port, password=None)

        code, out, err = check(server)
        expect("a good source", (code, err.count("error")), (0, 0))
        expect("what it is", "oblogproxy 127.0.0.1:%d, tenant obtenant, tables .*\\..*" % good.port in part(out, "example"), True)
        expect("what was found", re.findall(r"^  (\w+)", part(out, "example"), re.M), ["ok", "ok"])
        expect("the server", out.splitlines()[0].startswith("%s: clients 127.0.0.1:%d without a password, admin none" % (
            server.conf, server.port)), True)
        expect("offline", check(server, "--offline")[1].count("\n  "), 0)

        with open(os.path.join(server.conf, "example", "instance.properties"), encoding="utf-8") as file:
            text = file.read()
        for name, port in (("away", obcanal.free_port()), ("refusing", refusing.port), ("silent", silent.getsockname()[1])):
            shutil.copytree(os.path.join(server.conf, "example"), os.path.join(server.conf, name))
            with open(os.path.join(server.conf, name, "instance.properties"), "w", encoding="utf-8") as file:
                file.write(text.replace(":%d" % good.port, ":%d" % port))
        several = ("-D", "canal.destinations=example,away,refusing,silent", "--wait", "1")
        code, out, _ = check(server, *several)
        expect("problems", code, 1)
        expect("a good one beside", "problem" in part(out, "example"), False)
        expect("nobody there", bool(re.search(r"problem  log proxy 127.0.0.1:\d+: .*refused\n +-> check that the log proxy runs",
                                              part(out, "away"))), True)
        expect("a refusal", "no such tenant" in part(out, "refusing"), True)
        expect("no answer", "problem  no answer within " in part(out, "silent"), True)
        expect("one only", (check(server, *several, "example")[0], "away" in check(server, *several, "example")[1]), (0, False))
        code, _, err = check(server, "nobody")
        expect("an unknown one", (code, "nobody: no such destination" in err), (2, True))

        with open(os.path.join(server.conf, "example", "instance.properties"), "a", encoding="utf-8") as file:
            file.write("canal.instance.filter.regex = shop\\\\.(a\ncanal.instance.tsdb.url = jdbc:h2\ncanal.instance.sauce = x\n")
        line = text.count("\n") + 1
        code, out, err = check(server)
        where = os.path.join(server.conf, "example", "instance.properties")
        expect("a wrong file", code, 2)
        for what in ("%s:%d: canal.instance.filter.regex: " % (where, line),
                     "%s:%d: canal.instance.tsdb.url: warning: no effect" % (where, line + 1),
                     "%s:%d: canal.instance.sauce: warning: unknown key" % (where, line + 2)):
            expect(what, what in err, True)
        expect("does not start", "example: does not start: " in out, True)
        silent.close()
    print("check: %d checks" % checks)


main()

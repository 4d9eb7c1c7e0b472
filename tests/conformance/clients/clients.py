"""clients.py java-VERSION | python: a stock client's full loop, with and without a password, with and without TLS.

The clients know no TLS: they go through stunnel. Each of the four ways: get, ack, roll back and get again; then the whole
recording, row for row counted. And with the wrong password nobody gets in.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import obcanal  # noqa: E402

RECORDING = "shop"
PASSWORD = "a password"


def rows_of(recording):
    with open(obcanal.fixture("oblog/%s.jsonl" % recording), encoding="utf-8") as file:
        return sum(1 for line in file if json.loads(line)["op"] in ("INSERT", "UPDATE", "DELETE"))


class Tunnel(obcanal.Program):
    """stunnel: plain on `port`, TLS to a server whose certificate must be of our authority."""

    def __init__(self, folder, server_port, authority):
        self.port = obcanal.free_port()
        config = os.path.join(folder, "stunnel.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("foreground = yes\npid =\n[canal]\nclient = yes\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n"
                       "CAfile = %s\nverifyChain = yes\n" % (self.port, server_port, authority))
        super().__init__(["stunnel", config], os.path.join(folder, "stunnel.log"))

    def start(self):
        self.spawn()
        self.wait_ready(lambda: obcanal.port_open(self.port))
        return self


def certificates(folder):
    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=folder)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out",
            "server.crt")


def run(*argv, fails=False):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=150)
    text = done.stdout + done.stderr
    if (done.returncode != 0) != fails:
        raise SystemExit("%s: exit %d\n%s" % (" ".join(argv[1:]), done.returncode, text[-3000:]))
    return text


def drained(text, rows):
    found = re.search(r"rows=(\d+)", text)
    if not found or int(found.group(1)) != rows:
        raise SystemExit("the recording has %d rows:\n%s" % (rows, text[-3000:]))


class Java:
    def __init__(self, version):
        self.version = version

    def peer(self, mode, *options, port, password, fails=False):
        return run(obcanal.peer("canal-client-java"), mode, *options, "--client-version", self.version, "--port", str(port),
                   "--user", "canal" if password else "", "--password", password or "", fails=fails)

    def full_loop(self, port, password, rows):
        """The session in the client's own words, on a destination of its own; then everything."""
        text = self.peer("session", "--batch", "3", "--destination", "loop", port=port, password=password)
        ids = [int(found) for found in re.findall(r"batchId=(-?\d+)", text)]
        first = [number for number in ids if number > 0]
        # Two batches are given back, and what they held comes under new ids; then all, then nothing.
        if first[:4] != [1, 2, 3, 4] or ids[-1] != -1 or "disconnect" not in text:
            raise SystemExit("the session:\n" + text[-3000:])
        drained(self.peer("drain", str(rows), port=port, password=password), rows)

    def wrong_password(self, port):
        return self.peer("drain", "1", "--connect-wait", "0", port=port, password="wrong", fails=True)


class Python:
    def peer(self, mode, *options, port, password, fails=False):
        user = ["--user", "canal", "--password", password] if password else []
        return run(obcanal.peer("canal-client-python"), mode, *options, "--port", str(port), *user, fails=fails)

    def full_loop(self, port, password, rows):
        if password:  # which the package itself can't scramble; its script does
            drained(self.peer("drain", str(rows), port=port, password=password), rows)
            return
        script = '. "$1"/services/lib.sh; echo "$(svc_cache_dir)/canal-client-python-0.4/bin/python"'
        self.peer("tail", "0", port=port, password=None)  # makes its environment
        interpreter = run("bash", "-c", script, "bash", obcanal.SUPPORT).strip()
        run(interpreter, os.path.join(HERE, "loop.py"), str(port), str(rows))

    def wrong_password(self, port):
        return self.peer("drain", "1", port=port, password="wrong", fails=True)


def start(scratch, folder, logproxy, tls, password):
    os.mkdir(folder)
    keys = {"canal.destinations": "example,loop"}
    if tls:
        keys.update({"canal.tls.cert": os.path.join(scratch.path, "server.crt"),
                     "canal.tls.key": os.path.join(scratch.path, "server.key")})
    server = scratch.keep(obcanal.Server(folder, logproxy.port, server=keys, password=password))
    shutil.copytree(os.path.join(server.conf, "example"), os.path.join(server.conf, "loop"))
    server.start()
    if not tls:
        return server.port
    return scratch.keep(Tunnel(folder, server.port, os.path.join(scratch.path, "ca.crt"))).start().port


def main():
    kind, _, version = sys.argv[1].partition("-")
    client = Java(version) if kind == "java" else Python()
    rows = rows_of(RECORDING)
    with obcanal.Scratch("clients") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/%s.logmsg" % RECORDING))
        certificates(scratch.path)
        for password, login in ((PASSWORD, "password"), (None, "no password")):
            for tls, way in ((False, "plain"), (True, "TLS")):
                folder = os.path.join(scratch.path, "%s-%s" % (login.replace(" ", "-"), way))
                port = start(scratch, folder, logproxy, tls, password)
                client.full_loop(port, password, rows)
                if password and "auth failed for user:canal" not in client.wrong_password(port):
                    raise SystemExit("a wrong password is not refused as it should be")
                print("%s, %s, %s: %d rows" % (sys.argv[1], login, way, rows), flush=True)


main()

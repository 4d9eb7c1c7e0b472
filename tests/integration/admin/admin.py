"""The admin port in the reference's byte format, the metrics port, and `obcanal status`, on a real server."""
import base64
import gzip
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import admin_wire as admin  # noqa: E402
import canal_wire as wire  # noqa: E402
import obcanal  # noqa: E402

PASSWORD = "correct horse"
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def once(port, call):
    """As canal-admin does: a connection for each command. (code, text)."""
    connection = admin.Admin(port, password=PASSWORD)
    try:
        return 0, call(connection)
    except wire.Refused as refused:
        return refused.code, refused.text
    finally:
        connection.close()


def server(port, action):
    return once(port, lambda a: a.server(action))


def instance(port, destination, action):
    return once(port, lambda a: a.instance(destination, action))


def log(port, *what):
    return once(port, lambda a: a.call(admin.LOG, admin.log_body(*what)))


def page(port, path, headers=None):
    """(status, body)"""
    try:
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), headers=headers or {})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def metric(port, name):
    """The value of the series whose text begins so."""
    for line in page(port, "/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return None


def tool(*argv):
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), *argv], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def bytes_are_the_references(port):
    one = admin.Admin(port, password=PASSWORD, connect=False)
    expect("handshake", one.greeting.hex(), "10011801220a1208" + one.seed.hex())
    one.connection.send(admin.packet(admin.AUTH, admin.auth_body("admin", wire.scramble(PASSWORD, one.seed))))
    expect("login ack", one.connection.frame().hex(), "1001180322020800")
    one.connection.send(admin.packet(admin.SERVER, admin.server_body("check")))
    expect("answer 1", one.connection.frame().hex(), "1001180322050800120131")
    one.close()


def commands(port, canal):
    expect("check", server(port, "check"), (0, "1"))
    expect("list", server(port, "list"), (0, "example"))
    expect("start what runs", server(port, "start"), (0, "0"))
    expect("unknown action", server(port, "explode"), (301, "ServerAdmin action: explode  is unknown"))
    expect("check of one", instance(port, "example", "check"), (0, "1"))
    expect("check of none", instance(port, "nothing", "check"), (0, "0"))
    expect("start of none", instance(port, "nothing", "start"), (0, "0"))
    expect("unknown action", instance(port, "example", "x"), (301, "InstanceAdmin action: x is unknown"))
    expect("unknown type", log(port, "x", "list"), (301, "LogAdmin type: x is unknown"))
    expect("packet type", once(port, lambda a: a.call(9, b"")), (300, "packet type: UNRECOGNIZED is NOT supported!"))

    expect("stop of one", instance(port, "example", "stop"), (0, "1"))
    expect("check of one", instance(port, "example", "check"), (0, "0"))
    expect("list", server(port, "list"), (0, ""))
    client = wire.Client(canal)
    try:
        client.subscribe()
        raise RuntimeError("a stopped destination was subscribed")
    except wire.Refused as refused:
        expect("stopped", "destination:example should start first" in refused.text, True)
    expect("start of one", instance(port, "example", "start"), (0, "1"))
    client.subscribe()
    expect("restart of one", instance(port, "example", "restart"), (0, "1"))
    client.close()

    expect("stop", server(port, "stop"), (0, "1"))
    expect("check", server(port, "check"), (0, "0"))
    expect("client port", obcanal.port_open(canal), False)
    expect("stop again", server(port, "stop"), (0, "0"))
    expect("instance of a stopped server", instance(port, "example", "start"), (0, "0"))
    expect("start", server(port, "start"), (0, "1"))
    expect("client port", obcanal.port_open(canal), True)
    expect("restart", server(port, "restart"), (0, "1"))
    expect("list", server(port, "list"), (0, "example"))


def logs(port):
    expect("server's logs", log(port, "server", "list"), (0, "canal.log"))
    code, text = log(port, "server", "tail", "", "", 3)
    expect("tail", (code, len(text.split("\n"))), (0, 3))
    code, text = log(port, "instance", "tail", "example", "", 2)
    expect("lines of a destination", [line.split()[3] for line in text.split("\n")], ["example"] * 2)
    for destination, name in (("..", ""), ("../conf", "canal.properties"), ("example", "../../conf/canal.properties"),
                              ("/etc", "passwd"), ("example", "/etc/passwd")):
        code, text = log(port, "instance", "tail", destination, name, 5)
        expect("log of %s %s" % (destination, name), (code, "Invalid destination path" in text), (400, True))


def pages(port, metrics, canal):
    client = wire.Client(canal)
    client.subscribe()
    batch, entries = client.get(100, 2000)
    expect("entries", len(entries) > 0, True)
    open_batches = 'obcanal_open_batches{destination="example"}'
    expect("open batches", metric(metrics, open_batches), 1.0)
    client.ack(batch)
    expect("empty", client.get(1)[0], -1)
    expect("open batches", metric(metrics, open_batches), 0.0)
    rows = metric(metrics, 'canal_instance_ack_rows{destination="example"}')
    expect("acked rows", rows == metric(metrics, 'canal_instance_put_rows{destination="example"}') and rows > 0, True)
    expect("acks", metric(metrics, 'canal_instance_client_packets{destination="example",packetType="CLIENTACK"}'), 1.0)
    expect("subscriptions", metric(metrics, 'canal_instance_subscriptions{destination="example"}'), 1.0)
    client.ack(999)
    try:
        client.get(1)
        raise RuntimeError("an unknown batch was acknowledged")
    except wire.Refused:
        pass
    client.get(1)
    expect("errors", metric(metrics, 'canal_instance_client_request_error{destination="example",errorCode="400"}'), 1.0)
    client.close()
    expect("any path", page(metrics, "/anything")[0], 200)
    for asked, packed in (("gzip, deflate", True), ("identity", False), ("gzip;q=0", False)):
        request = urllib.request.Request("http://127.0.0.1:%d/metrics" % metrics, headers={"Accept-Encoding": asked})
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
            expect("Accept-Encoding: " + asked, (answer.headers.get("Content-Encoding") == "gzip", body[:2] == b"\x1f\x8b"),
                   (packed, packed))
        text = (gzip.decompress(body) if packed else body).decode()
        expect("a whole page", text.startswith("# HELP ") and 'obcanal_info{version="' in text, True)
    expect("healthz", page(metrics, "/healthz"), (200, "ok\n"))
    expect("readyz", page(metrics, "/readyz"), (200, "ready\n"))
    status = json.loads(page(metrics, "/status")[1])
    expect("status", [one["destination"] for one in status["destinations"]], ["example"])
    expect("cursor", status["destinations"][0]["clients"][0]["cursor"] is not None, True)

    # Not from this machine, as a proxy would say it.
    away = {"X-Forwarded-For": "192.0.2.1"}

    def basic(user, password):
        return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode(), **away}
    expect("status for strangers", page(metrics, "/status", away)[0], 401)
    expect("by a lured browser", page(metrics, "/status", {"Host": "attacker.example:80"})[0], 401)
    expect("wrong password", page(metrics, "/status", basic("admin", "wrong"))[0], 401)
    expect("wrong user", page(metrics, "/status", basic("root", PASSWORD))[0], 401)
    expect("right password", page(metrics, "/status", basic("admin", PASSWORD))[0], 200)

    expect("stop", server(port, "stop"), (0, "1"))
    expect("readyz", page(metrics, "/readyz")[0], 503)
    expect("healthz", page(metrics, "/healthz")[0], 200)
    expect("serving", metric(metrics, "obcanal_serving"), 0.0)
    expect("start", server(port, "start"), (0, "1"))


def verbs(port):
    to = ("--server", "127.0.0.1:%d" % port, "--password", PASSWORD)
    code, out, _ = tool("status", *to)
    expect("status", (code, bool(re.search(r"^example +running +oblogproxy ", out, re.M))), (0, True))
    code, out, _ = tool("status", "--json", *to)
    expect("status --json", (code, json.loads(out)["serving"]), (0, True))
    expect("stop example", tool("stop", "example", *to)[0], 0)
    expect("stopped", "stopped" in tool("status", *to)[1], True)
    expect("start example", tool("start", "example", *to)[0], 0)
    code, _, err = tool("start", "nothing", *to)
    expect("start nothing", (code, "not done" in err), (1, True))
    code, _, err = tool("status", "--server", to[1], "--password", "wrong")
    expect("wrong password", (code, "auth failed for user:admin" in err), (1, True))
    expect("no server", tool("status", "--server", "127.0.0.1:1")[0], 1)


def main():
    with obcanal.Scratch("admin") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        port, metrics = obcanal.free_port(), obcanal.free_port()
        log_file = os.path.join(scratch.path, "logs", "canal", "canal.log")
        os.makedirs(os.path.dirname(log_file))
        program = obcanal.Server(scratch.path, logproxy.port, options=("--log-file", log_file), server={
            "canal.admin.port": port, "canal.metrics.pull.port": metrics, "canal.admin.user": "admin",
            "canal.admin.passwd": obcanal.password_hash(PASSWORD)})
        scratch.keep(program).spawn()
        # The ports are open before the destinations are there.
        program.wait_ready(lambda: os.path.exists(log_file) and "server ready" in text_of(log_file))
        bytes_are_the_references(port)
        commands(port, program.port)
        logs(port)
        pages(port, metrics, program.port)
        verbs(port)
        text = text_of(log_file)
        expect("audit", "audit server stop" in text and 'audit instance stop' in text, True)
        expect("no secret in the log", PASSWORD in text or obcanal.password_hash(PASSWORD) in text, False)
    print("admin: %d checks" % checks)


main()

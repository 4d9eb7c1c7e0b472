"""attacks.py [--write]: every port against every attack that was published for Canal's, and some more.

Exit status 1 when one lets somebody in, when the server does not serve an honest client afterwards, or when the answers
are not those of the table in ATTACKS.md. --write makes that table anew.
"""
import base64
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import admin_wire as admin  # noqa: E402
import canal_wire as wire  # noqa: E402
import certificates  # noqa: E402
import obcanal  # noqa: E402

PASSWORD = "correct horse"
READER = "reader's own"
ZEROS = b"00" * 20
GUESSES = 20
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ATTACKS.md")
rows = []
failed = 0


def row(endpoint, attack, answer, refused):
    global failed
    failed += not refused
    rows.append((endpoint, attack, answer, "refused" if refused else "LET IN"))


def rest(connection, seconds=15.0):
    """Frames until the other side ends the connection, and whether it did."""
    connection.socket.settimeout(seconds)
    frames = []
    try:
        while True:
            frames.append(connection.frame())
    except wire.Closed:
        return frames, True
    except socket.timeout:
        return frames, False


class ClientPort:
    name, user, split = "client 11111", "canal", staticmethod(wire.split_packet)
    auth, command = wire.AUTH, wire.GET
    served = wire.MESSAGES

    @staticmethod
    def packet(kind, body):
        return wire.packet(kind, body)

    @staticmethod
    def body():
        return wire.get_body("example", 1001, 100)

    @staticmethod
    def honest(port):
        client = wire.Client(port, password=PASSWORD)
        client.subscribe()
        client.close()


class AdminPort:
    name, user, split = "admin 11110", "admin", staticmethod(admin.split_packet)
    auth, command = admin.AUTH, admin.SERVER
    served = None  # an ACK with code 0

    @staticmethod
    def packet(kind, body):
        return admin.packet(kind, body)

    @staticmethod
    def body():
        return admin.server_body("stop")

    @staticmethod
    def honest(port):
        one = admin.Admin(port, password=PASSWORD)
        if one.server("check") != "1":
            raise RuntimeError("the server was stopped")
        one.close()


def judge(kind, frames, ended):
    """(what it answered, whether nobody was let in)."""
    texts, served = [], False
    for frame in frames:
        packet, body = kind.split(frame)
        if packet == wire.ACK:
            code, text = wire.split_ack(body)
            texts.append("%d %s" % (code, text) if code else "ACK")
            served |= code == 0
        else:
            served = True
            texts.append("packet %s" % packet)
    return ", ".join(texts + (["closed"] if ended else ["still open"])), not served


def packets(kind, port):
    """Attacks in the port's own packets: (name, what to send for a seed)."""
    def login(user, token):
        return kind.packet(kind.auth, wire.auth_body(user, token))
    command = kind.packet(kind.command, kind.body())
    right = obcanal.password_hash(PASSWORD).encode()
    return (
        ("command without a login", lambda seed: command),
        ("wrong password, then a command in the same segment", lambda seed: login(kind.user, ZEROS) + command),
        ("empty password", lambda seed: login(kind.user, b"") + command),
        ("empty user and password", lambda seed: login("", b"") + command),
        ("the stored hash as the password", lambda seed: login(kind.user, right) + command),
        ("the token of another seed", lambda seed: login(kind.user, wire.scramble(PASSWORD, b"\0" * 8)) + command),
        ("right password, unknown user", lambda seed: login("root", wire.scramble(PASSWORD, seed)) + command),
        ("right token and a byte more in front", lambda seed: login(kind.user, b"00" + wire.scramble(PASSWORD, seed)) + command),
        ("password that is no hex", lambda seed: login(kind.user, b"zz" * 20) + command),
        ("half a token", lambda seed: login(kind.user, wire.scramble(PASSWORD, seed)[:20]) + command),
        ("a login that is no protobuf", lambda seed: kind.packet(kind.auth, b"\xff\xff") + command),
        ("a frame of 2 GiB", lambda seed: struct.pack(">I", 0x7fffffff) + b"x" * 100),
        ("a frame of negative length", lambda seed: struct.pack(">i", -1) + command),
        ("HTTP", lambda seed: b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("TLS", lambda seed: b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    )


def own_packets(kind, port):
    for name, make in packets(kind, port):
        connection = wire.Connection(port)
        _, body = kind.split(connection.frame())
        seed = next(value for field, value in wire.fields(body) if field == 2)
        connection.send(make(seed))
        connection.socket.shutdown(socket.SHUT_WR)
        row(kind.name, name, *judge(kind, *rest(connection)))
        connection.close()
    kind.honest(port)


def silence(kind, port):
    """Nothing at all, and a login that never ends: both must cost the server no more than a while."""
    quiet, slow = wire.Connection(port), wire.Connection(port)
    slow.frame()
    slow.send(struct.pack(">I", 60) + b"\x18")
    start = time.monotonic()
    for name, connection in (("silence", quiet), ("half a login", slow)):
        frames, ended = rest(connection, 30.0)
        seconds = time.monotonic() - start
        row(kind.name, name, "%s after %.0f s" % ("closed" if ended else "still open", seconds), ended and seconds < 15)
        connection.close()


def login_bypass(port):
    tool = os.path.join(os.path.dirname(admin.__file__), "tools", "login_bypass.py")
    done = subprocess.run([sys.executable, tool, str(port)], capture_output=True, text=True, timeout=60)
    row("client 11111", "published bypass (tools/login_bypass.py)", done.stdout.strip(), done.returncode == 0)


def other_destinations(port):
    """A user of users.yml beyond its destinations; the same words for what does not exist."""
    client = wire.Client(port, user="reader", password=READER)
    client.subscribe()
    for destination in ("secret", "nothing"):
        client.destination = destination
        asks = (("subscribes", client.subscribe), ("unsubscribes", client.unsubscribe), ("reads", lambda: client.get(1)),
                ("acks", lambda: told(client, lambda: client.ack(1))), ("rolls back", lambda: told(client, client.rollback)))
        for what, ask in asks:
            try:
                ask()
                row("client 11111", "reader %s '%s'" % (what, destination), "done", False)
            except wire.Refused as refused:
                text = re.sub(r"something goes wrong.*exception: ", "", refused.text).strip()
                row("client 11111", "reader %s '%s'" % (what, destination), text, "is not open to user:reader" in text)
    client.close()


def told(client, send):
    """Acks and rollbacks have no answer of their own: an error comes unasked for."""
    send()
    kind, body = client.connection.receive()
    if kind == wire.ACK:
        raise wire.Refused(*wire.split_ack(body))


def after_a_login(port):
    """What somebody who may get in can't do either."""
    for name, data in (("a second login", wire.packet(wire.AUTH, wire.auth_body("root", ZEROS))),
                       ("a packet of no type", wire.packet(77, b"")), ("an empty packet", struct.pack(">I", 0)),
                       ("a frame of 2 GiB after the login", struct.pack(">I", 0x7fffffff) + b"x" * 100),
                       ("no protobuf after the login", struct.pack(">I", 4) + b"\xff" * 4)):
        client = wire.Client(port, password=PASSWORD)
        client.connection.send(data)
        client.connection.socket.shutdown(socket.SHUT_WR)
        row("client 11111", name, *judge(ClientPort, *rest(client.connection)))
        client.close()


def guessing(kind, port, limit):
    """Beyond the limit wrong passwords are answered slowly or not at all, and the right one still gets in in the end."""
    start, refused, asked = time.monotonic(), 0, 0
    while asked < limit + 3:
        connection = wire.Connection(port)
        connection.frame()
        connection.send(kind.packet(kind.auth, wire.auth_body(kind.user, ZEROS)))
        _, body = kind.split(connection.frame())
        refused += wire.split_ack(body)[0] != 0
        asked += 1
        connection.close()
    seconds = time.monotonic() - start
    row(kind.name, "%d wrong passwords" % asked, "all refused, in %.1f s" % seconds, refused == asked and seconds > 1.5)


def http(name, port, request, wanted):
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        try:
            connection.sendall(request)
            answer = connection.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    line = answer.split(b"\r\n", 1)[0].decode("utf-8", "replace")
    if "200" in line:  # of the page that anybody may see, and of nothing else
        line += ": metrics" if b"# HELP canal_instance " in answer and b"openBatches" not in answer else ": ?"
    refused = any(text in line if text else not line for text in wanted)
    if refused and "" in wanted:  # what it still sends may or may not let the answer arrive
        line = "%s, or closed" % " or ".join(text for text in wanted if text)
    row("metrics 11112", name, line or "closed", refused)


def slow_request(port):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        try:
            ended = connection.recv(4096)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 400")
        except ConnectionResetError:
            ended = True
    seconds = time.monotonic() - start
    row("metrics 11112", "half a request", "closed after %.0f s" % seconds, ended and seconds < 15)


def guessed_status(port):
    """Wrong passwords of one address come to an end; another's still counts, and the right one does later."""
    answers = set()
    for number in range(GUESSES):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            word = base64.b64encode(b"admin:guess%d" % number)
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\nAuthorization: Basic " + word + b"\r\n\r\n")
            answers.add(connection.recv(4096).split(b"\r\n", 1)[0].decode())
    row("metrics 11112", "%d guessed passwords" % GUESSES, ", ".join(sorted(answers)), all(" 401 " in one or " 429 " in one
                                                                                      for one in answers))


def metrics_port(port):
    head = b"Host: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.1\r\n"
    http("status by a stranger", port, b"GET /status HTTP/1.1\r\n" + head + b"\r\n", ("401",))
    http("status with a made-up password", port,
         b"GET /status HTTP/1.1\r\n" + head + b"Authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n", ("401",))
    http("status with another path to it", port, b"GET //status/../status HTTP/1.1\r\n" + head + b"\r\n", ("metrics",))
    http("POST", port, b"POST /status HTTP/1.1\r\n" + head + b"Content-Length: 0\r\n\r\n", ("405",))
    http("a header of 1 MiB", port, b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20), ("431", ""))
    http("a body of 1 GiB", port, b"GET / HTTP/1.1\r\nContent-Length: 1073741824\r\n" + head + b"\r\n", ("413",))
    http("garbage", port, bytes(range(256)) + b"\r\n\r\n", ("400",))
    for page in ("healthz", "readyz"):
        http("%s by POST" % page, port, b"POST /" + page.encode() + b" HTTP/1.1\r\n" + head + b"Content-Length: 0\r\n\r\n", ("405",))
        http("%s with a target of 1 MiB" % page, port, b"GET /" + page.encode() + b"?" + b"x" * (1 << 20), ("431", "400", ""))
        http("%s smuggling a second request" % page, port, b"GET /" + page.encode() + b" HTTP/1.1\r\n" + head
             + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /status HTTP/1.1\r\n\r\n", ("400",))
    slow_request(port)
    guessed_status(port)
    http("path traversal", port, b"GET /../../etc/passwd HTTP/1.1\r\n" + head + b"\r\n", ("metrics",))


def tls(name, port, path, certificate, version=None):
    """What a TLS client sees: the first bytes of the port behind the handshake, or why there is none."""
    context = ssl.create_default_context(cafile=os.path.join(path, "ca.crt"))
    context.check_hostname = False
    if version:
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(os.path.join(path, certificate + ".crt"), os.path.join(path, certificate + ".key"))
    try:
        with socket.create_connection(("127.0.0.1", port), 20) as plain, context.wrap_socket(plain) as secure:
            if "metrics" in name:
                secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return len(secure.recv(4)) > 0, secure.version()
    except (OSError, ssl.SSLError) as error:
        return False, str(error)[:60]


def with_tls(scratch, logproxy):
    path = os.path.join(scratch.path, "tls")
    os.makedirs(os.path.join(path, "conf"))
    certificates.make(path)
    keys = {"cert": "server.crt", "key": "server.key", "client.ca": "ca.crt"}
    properties = {"canal.admin.port": obcanal.free_port(), "canal.metrics.pull.port": obcanal.free_port(),
                  "canal.admin.passwd": obcanal.password_hash(PASSWORD)}
    for prefix in ("canal.tls.", "canal.admin.tls.", "canal.metrics.tls."):
        properties.update({prefix + key: os.path.join(path, name) for key, name in keys.items()})
    server = obcanal.Server(path, logproxy.port, server=properties, password=PASSWORD)
    scratch.keep(server).start()
    ports = (("client 11111", server.port), ("admin 11110", properties["canal.admin.port"]),
             ("metrics 11112", properties["canal.metrics.pull.port"]))
    for endpoint, port in ports:
        for attack, certificate, version in (("TLS without a certificate", None, None),
                                             ("TLS with a stranger's certificate", "stranger", None),
                                             ("TLS 1.1", "client", ssl.TLSVersion.TLSv1_1)):
            served, answer = tls(endpoint, port, path, certificate, version)
            row(endpoint + " (mutual TLS)", attack, answer, not served)
        plain = socket.create_connection(("127.0.0.1", port), 20)
        plain.sendall(b"\x00\x00\x00\x04\x18\x02\x2a\x00GET / HTTP/1.1\r\n\r\n")
        plain.settimeout(20)
        try:
            answer = plain.recv(100)
        except OSError:
            answer = b""
        # A TLS alert, or nothing.
        row(endpoint + " (mutual TLS)", "plain bytes", "alert" if answer[:1] == b"\x15" else "closed",
            answer[:1] in (b"", b"\x15"))
        served, answer = tls(endpoint, port, path, "client")
        if not served:
            raise RuntimeError("%s: its own client is not let in: %s" % (endpoint, answer))


def write_or_compare(write):
    """The table without what differs from run to run: seconds, and the words of the client's TLS library."""
    lines = ["# What each port answers to each attack", "", "Made and compared by attacks.py (ctest integration.attacks). Nobody is let in anywhere.", "",
             "| Endpoint | Attack | Answer |", "|---|---|---|"]
    for endpoint, attack, answer, _ in rows:
        answer = re.sub(r"\d+(\.\d+)? s$", "N s", answer)
        answer = re.sub(r"^(\[[^]]*\]).*", r"\1", answer)
        lines.append("| %s | %s | %s |" % (endpoint, attack, answer.replace("|", "\\|")))
    text = "\n".join(lines) + "\n"
    if write:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(text)
    with open(TABLE, encoding="utf-8") as file:
        known = file.read()
    for line in sorted(set(known.splitlines()) ^ set(text.splitlines())):
        print("%s in ATTACKS.md: %s" % ("only" if line in known else "missing", line))
    global failed
    failed += known != text


def main():
    with obcanal.Scratch("attacks") as scratch:
        logproxy = scratch.logproxy(obcanal.fixture("oblog/shop-ddl.logmsg"))
        properties = {"canal.admin.port": obcanal.free_port(), "canal.metrics.pull.port": obcanal.free_port(),
                      "canal.admin.user": "admin", "canal.admin.passwd": obcanal.password_hash(PASSWORD),
                      "canal.login.failures.per.minute": 1000}
        server = obcanal.Server(scratch.path, logproxy.port, server=properties, password=PASSWORD)
        with open(os.path.join(server.conf, "users.yml"), "w", encoding="utf-8") as file:
            file.write("users:\n  - name: reader\n    password: %s\n    destinations: [example]\n" % obcanal.password_hash(READER))
        scratch.keep(server).start()
        ports = ((ClientPort, server.port), (AdminPort, properties["canal.admin.port"]))
        for kind, port in ports:
            own_packets(kind, port)
            silence(kind, port)
        login_bypass(server.port)
        other_destinations(server.port)
        after_a_login(server.port)
        metrics_port(properties["canal.metrics.pull.port"])
        for kind, port in ports:
            kind.honest(port)
        with_tls(scratch, logproxy)
        limited = os.path.join(scratch.path, "limited")
        os.makedirs(limited)
        properties.update({"canal.login.failures.per.minute": 60, "canal.admin.port": obcanal.free_port(),
                           "canal.metrics.pull.port": 0})
        slow = scratch.keep(obcanal.Server(limited, logproxy.port, server=properties, password=PASSWORD)).start()
        for kind, port in ((ClientPort, slow.port), (AdminPort, properties["canal.admin.port"])):
            guessing(kind, port, 60)
            kind.honest(port)
        for program in (server, slow):
            if PASSWORD in program.text() or obcanal.password_hash(PASSWORD) in program.text():
                raise RuntimeError("a secret stands in %s" % program.log)
    write_or_compare("--write" in sys.argv)
    widths = [max(len(line[i]) for line in rows) for i in range(3)]
    for line in rows:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths + [0])).rstrip())
    print("attacks=%d let_in=%d" % (len(rows), failed))
    return 1 if failed else 0


sys.exit(main())

"""OceanBase's Binlog Service, as far as a client sees it: a server of MySQL's protocol that answers what the service answers.

It sends a binlog_log.Log. As the service itself (`odp` is None) it knows little SQL: OK for what it does not understand, even where
rows are expected; a bare EOF for a SELECT of anything but variables and GTID functions. Behind ODP (`odp`: an Observers) other
statements are answered as OceanBase does. It closes the connection on every command but those of a replica and a query.
"""
import re
import socket
import struct
import threading

import binlog_log

GREETING = "5.7.35-obs"
FATAL, LENGTH_CODED = 1236, 0xFE
CAPABILITIES = 0x1 | 0x2 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000  # neither TLS nor DEPRECATE_EOF
DO_NOT_WAIT = 1
VARIABLES = {
    "server_id": "0", "version": "8.0.23", "innodb_version": "5.7.34", "gtid_mode": "ON", "log_bin": "OFF", "server_uuid": "",
    "lower_case_table_names": "0", "version_comment": "MySQL Community Server - GPL", "character_set_server": "utf8mb4",
    "time_zone": "SYSTEM", "system_time_zone": "CST", "wait_timeout": "28800", "expire_logs_days": "0",
}
OCEANBASE = {
    "server_id": "1", "version": "5.7.25-OceanBase-v4.2.1.0", "log_bin": "ON", "binlog_row_image": "FULL", "binlog_format": "ROW",
    "lower_case_table_names": "1", "version_comment": "OceanBase 4.2.1.0 (r100000102023092807) (Built Sep 28 2023 07:25:28)",
    "character_set_server": "utf8mb4", "time_zone": "+08:00", "system_time_zone": "CST",
}


class Observers:
    """What OceanBase says behind ODP: variables, databases (name: charset), tables ((schema, name): CREATE TABLE)."""

    def __init__(self, tables=None, databases=None, grants=None):
        self.variables, self.tables, self.databases = dict(OCEANBASE), dict(tables or {}), dict(databases or {})
        self.grants = grants or ["GRANT ALL PRIVILEGES ON *.* TO 'canal'"]

    def answer(self, sql, session):
        """(columns, rows) or an error (number, text); None: an OK."""
        like = re.match(r"(?i)show (?:global |session )?variables like '(.*)'$", sql)
        if like:
            name = like.group(1).lower()
            return ["Variable_name", "Value"], [[name, self.variables[name]]] if name in self.variables else []
        create = re.match(r"(?i)show create table `(.*?)`\.`(.*?)`$", sql)
        if create:
            text = self.tables.get(create.groups())
            return (["Table", "Create Table"], [[create.group(2), text]]) if text else (
                1146, "Table '%s.%s' doesn't exist" % create.groups())
        if re.search(r"(?i)from information_schema\.schemata", sql):
            return ["schema_name", "default_character_set_name"], [list(item) for item in self.databases.items()]
        if re.search(r"(?i)from information_schema\.tables", sql):
            return ["table_schema", "table_name"], [list(name) for name in self.tables]
        if re.match(r"(?i)show grants", sql):
            return ["Grants"], [[grant] for grant in self.grants]
        if re.match(r"(?i)select 1$", sql):
            return ["1"], [["1"]]
        if re.match(r"(?i)select ", sql):
            return 1064, "You have an error in your SQL syntax"
        return None


def text(value):
    data = value.encode()
    return (bytes([len(data)]) if len(data) < 251 else b"\xfc" + struct.pack("<H", len(data))) + data


class Fatal(Exception):
    """An error packet, then the connection ends."""


class Session(threading.Thread):
    def __init__(self, service, sock):
        super().__init__(daemon=True)
        self.service, self.sock, self.sequence, self.variables, self.checksum = service, sock, 0, {}, False

    # -- packets
    def send(self, payload):
        data = b""
        while True:
            part, payload = payload[:0xFFFFFF], payload[0xFFFFFF:]
            data += struct.pack("<I", len(part))[:3] + bytes([self.sequence]) + part
            self.sequence = (self.sequence + 1) & 0xFF
            if len(part) < 0xFFFFFF:
                break
        self.sock.sendall(data)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        head = self.read(4)
        if head[3] != self.sequence:
            raise Fatal("sequence %d instead of %d" % (head[3], self.sequence))
        self.sequence += 1
        return self.read(int.from_bytes(head[:3], "little"))

    def ok(self):
        self.send(b"\0\0\0\x02\0\0\0")

    def eof(self):
        self.send(b"\xfe\0\0\x02\0")

    def error(self, message, number=FATAL):
        self.send(b"\xff" + struct.pack("<H", number) + b"#HY000" + message.encode())

    def columns(self, names):
        self.send(bytes([len(names)]))
        for name in names:
            self.send(text("def") + text("") * 3 + text(name) * 2 + b"\x0c" + struct.pack("<HIBHB", 33, 1024, 253, 0, 31) + b"\0\0")
        self.eof()

    def rows(self, names, rows):
        self.columns(names)
        for row in rows:
            self.send(b"".join(text(value) for value in row))
        self.eof()

    # -- session
    def run(self):
        try:
            self.greet()
            while self.command():
                pass
        except (EOFError, OSError):
            pass
        except Fatal as fatal:
            try:
                self.error(str(fatal))
            except OSError:
                pass
        finally:
            self.sock.close()
            self.service.sessions.discard(self)

    def greet(self):
        seed = b"abcdefghijklmnopqrst"
        low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
        version = b"5.7.25" if self.service.odp else GREETING.encode()
        self.send(b"\x0a" + version + b"\0" + struct.pack("<I", 7) + seed[:8] + b"\0" + struct.pack("<HBHHB", low, 33, 2, high, 21) +
                  bytes(10) + seed[8:] + b"\0" + b"mysql_native_password\0")
        login = self.receive()
        user = login[32:login.index(b"\0", 32)].decode()
        self.service.users.append(user)
        # Not the password: only where the user belongs.
        if not re.fullmatch(r".*@.*#.*", user):
            self.error("Access denied for user '%s'" % user, 1045)
            raise EOFError
        self.ok()

    def command(self):
        self.sequence = 0
        packet = self.receive()
        kind, body = packet[0], packet[1:]
        self.service.commands.append(kind)
        if kind == 0x01:
            self.ok()
            return False
        if kind == 0x03:
            self.query(body.decode())
        elif kind == 0x15:
            self.service.replicas.append(struct.unpack_from("<I", body)[0])
            self.ok()
        elif kind == 0x12:
            offset, flags, _ = struct.unpack_from("<IHI", body)
            self.dump(body[10:].decode(), offset, flags)
            return False
        elif kind == 0x1E:
            flags, _, size = struct.unpack_from("<HII", body)
            name, at = body[10:10 + size].decode(), 10 + size
            offset = struct.unpack_from("<Q", body, at)[0]
            self.dump_gtid(body[at + 12:], name, offset, flags)
            return False
        else:
            return False
        return True

    def query(self, sql):
        self.service.statements.append(sql)
        log = self.service.log
        sql = sql.strip().rstrip(";")
        if re.match(r"(?i)show master status", sql):
            self.rows(["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"],
                      [[log.name, str(log.end), "", "", log.executed() if self.service.show_gtids else ""]])
        elif re.match(r"(?i)show binary logs$", sql):
            self.rows(["Log_name", "File_size"], [[name, str(len(data))] for name, data in log.files.items()])
        elif re.match(r"(?i)purge binary logs to ", sql):
            log.purge_to(re.search(r"'(.*)'", sql).group(1))
            self.ok()
        elif re.match(r"(?i)set names", sql):
            self.ok()  # not understood
        elif re.match(r"(?i)set ", sql):
            for name, value in re.findall(r"@?([\w.]+)\s*=\s*('[^']*'|[^,]+)", sql[4:]):
                if not sql[4:].startswith("@@"):
                    self.variables[name.lower()] = value.strip("'")
            self.ok()
        elif self.service.odp:
            self.answer(self.service.odp.answer(sql, self.variables))
        elif re.match(r"(?i)show .*variables", sql):
            self.show_variables(sql)
        elif re.match(r"(?i)select ", sql):
            self.select(sql)
        else:
            self.ok()

    def answer(self, answer):
        if answer is None:
            self.ok()
        elif isinstance(answer[0], int):
            self.error(answer[1], answer[0])
        else:
            self.rows(*answer)

    def show_variables(self, sql):
        scope, name = re.match(r"(?i)show\s+(global|session|local)?\s*variables(?:\s+like\s+'(.*)')?$", sql).groups()
        is_global = (scope or "session").lower() == "global"
        if name is None:
            self.rows(["Variable_name", "Value"], [list(item) for item in (VARIABLES if is_global else self.variables).items()])
            return
        self.variable(["Variable_name", "Value"], name.lower(), is_global, [name.lower()])

    def variable(self, columns, name, is_global, front):
        self.columns(columns)
        if is_global and name not in VARIABLES:
            self.error("Unknown system variable " + name)
        elif not is_global and name in VARIABLES:
            self.error("Variable '%s' is a GLOBAL variable " % name)
        else:
            value = VARIABLES[name] if is_global else self.variables.get(name, "")
            self.send(b"".join(text(v) for v in front + [value]))
            self.eof()

    def select(self, sql):
        """The first item only."""
        found = re.match(r"(?i)select\s+@(@(?:global\.)?)?(\w+)", sql)
        if found:
            at, name = found.groups()
            self.variable([("@@" if at else "@") + name], name.lower(), bool(at), [])
        else:
            self.eof()

    # -- the log
    def dump(self, name, offset, flags):
        log = self.service.log
        asked = self.variables.get("master_binlog_checksum", "")
        self.checksum = asked == "" or asked.upper() == "CRC32"  # an expression is kept as text
        name = name or next(iter(log.files))
        self.verify(name, offset)
        self.stream(name, offset, flags, lambda number: False)

    def verify(self, name, offset):
        data = self.service.log.files.get(name)
        if data is None:
            raise Fatal("failed to open binlog file")
        if offset < 4:
            raise Fatal('Client requested master to start replication "\n                    "from position < 4.')
        if offset == len(data):
            return
        illegal = "The offset of the current subscription is illegal,offset:%d" % offset
        if offset + 19 > len(data):
            raise Fatal(illegal)
        kind = data[offset + 4]
        size = struct.unpack_from("<I", data, offset + 9)[0]
        if offset + size > len(data):
            raise Fatal(illegal)
        if kind != binlog_log.FORMAT and self.checksum:
            body = bytes(data[offset:offset + size])
            if binlog_log.zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
                raise Fatal("The currently subscribed binlog event crc32 verification failed")

    def dump_gtid(self, encoded, name, offset, flags):
        log, done = self.service.log, []
        at = 8
        for _ in range(struct.unpack_from("<Q", encoded)[0]):
            uuid, count = encoded[at:at + 16], struct.unpack_from("<Q", encoded, at + 16)[0]
            at += 24
            for _ in range(count):
                if uuid.hex() == binlog_log.UUID.replace("-", ""):
                    done.append(struct.unpack_from("<QQ", encoded, at))
                at += 16
        first = next(iter(log.files))
        if done:
            first = next((n for n in reversed(log.files) if log.previous(n) == 1 or
                          any(a <= 1 and log.previous(n) <= b for a, b in done)), None)
        elif log.previous(first) > 1:
            self.service.gap = True  # the service begins with what it has
        if first is None:
            raise Fatal("The requested gtid transaction no longer exists and may have been cleaned up")
        self.checksum = False
        self.stream(first, 4, flags, lambda number: any(a <= number < b for a, b in done))

    def stream(self, name, offset, flags, consumed):
        log, service = self.service.log, self.service
        wait = not flags & DO_NOT_WAIT
        period = int(self.variables.get("master_heartbeat_period", 0)) / 1e9 or service.heartbeat_seconds
        while True:
            self.event(binlog_log.event(binlog_log.ROTATE, struct.pack("<Q", offset) + name.encode(), 0, end=0,
                                        flags=binlog_log.ARTIFICIAL, checksum=self.checksum))
            data, skip, rotated, at = log.files[name], False, False, 4
            while not rotated:
                batch_end, seconds = len(data), 0
                while at < batch_end:
                    size = struct.unpack_from("<I", data, at + 9)[0]
                    event = bytes(data[at:at + size])
                    kind, seconds = event[4], struct.unpack_from("<I", event)[0]
                    at += size
                    if kind == binlog_log.FORMAT:
                        self.checksum = True
                        at = max(at, offset)  # the format comes as it stands in the file
                    elif kind == binlog_log.GTID:
                        skip = consumed(struct.unpack_from("<Q", event, 19 + 17)[0])
                    elif kind == binlog_log.ROTATE:
                        rotated, skip = True, False
                    if not skip:
                        self.event(event)
                self.heartbeat(name, at, seconds)
                active = name == log.name
                if rotated or (not active and at >= len(data)):
                    break
                if not wait:
                    self.eof()
                    return
                with log.changed:
                    more = log.changed.wait_for(lambda: len(data) > at or service.stopped or name != log.name, period)
                if service.stopped:
                    raise EOFError
                if not more:
                    self.heartbeat(name, at, seconds)
            if not wait:
                self.eof()
                return
            following = [n for n in log.files if n > name]
            if not following:
                raise Fatal("could not find next log.")
            name, offset = following[0], 4

    def event(self, data):
        self.send(b"\0" + data)

    def heartbeat(self, name, at, seconds):
        ident = "%s/data/%s" % (self.service.path, name)
        self.event(binlog_log.event(binlog_log.HEARTBEAT, ident.encode(), seconds, end=at, flags=0))
        self.service.heartbeats += 1


class Service:
    """Listens on a port of its own; what clients said stands in users, commands, statements, replicas."""

    def __init__(self, port, log, odp=None, show_gtids=True, heartbeat_seconds=1.0):
        self.port, self.log, self.odp, self.show_gtids, self.heartbeat_seconds = port, log, odp, show_gtids, heartbeat_seconds
        self.path = "/home/admin/oblogproxy/run/cluster/tenant"
        self.users, self.commands, self.statements, self.replicas, self.sessions = [], [], [], [], set()
        self.stopped, self.gap, self.heartbeats, self.listener = True, False, 0, None

    def start(self):
        self.stopped, self.listener = False, socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, sock)
            self.sessions.add(session)
            session.start()

    def drop(self):
        """Ends all connections, as a process that dies does."""
        for session in list(self.sessions):
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        if self.stopped:
            return
        self.stopped = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()
        self.log.flush()
        for session in list(self.sessions):
            session.join(10)

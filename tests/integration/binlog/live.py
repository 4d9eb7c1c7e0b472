"""live.py SCENARIO SERVER: obcanal-server on the binary log of a real server. SERVER: mariadb, 5.6, 5.7, 8.0, 8.0.33.

golden   the golden schema and statements, read by ours and by the real Java Canal at once: the stock Java client gets the
         same entries from both, but for what conf/DIFFERENCES.md lists
faults   wrong password, killed connection, restart, rotation while a transaction is open, a privilege that is taken away, a
         server id used twice, purged logs: each is named, and every row arrives once
resume   obcanal-server is killed again and again while a large transaction is read in pieces: every row arrives once
logins   the login schemes of the server, in the clear and under TLS
standby  the master dies, the standby goes on
burst    DDL while obcanal-server is stopped, rows between
check    obcanal check: what it finds at a good server and at one with each of the problems that it knows
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, HERE)
import judge  # noqa: E402
import obcanal  # noqa: E402

SERVICES = os.path.join(ROOT, "tests", "support", "services")
PEERS = os.path.join(ROOT, "tests", "support", "peers")
GRANTS = "SELECT, REPLICATION SLAVE, REPLICATION CLIENT"
FAST = {"canal.instance.retry.min": 50, "canal.instance.retry.max": 200}


class Database:
    """A private server; its data go with the scratch directory."""

    def __init__(self, scratch, make, name="db", arguments=()):
        self.make, self.port, self.data = make, obcanal.free_port(), os.path.join(scratch.path, name)
        self.arguments = list(arguments)
        self.script = os.path.join(SERVICES, "mariadb" if make == "mariadb" else "mysql")
        self.log, self.version = os.path.join(self.data, "server.log"), "" if make == "mariadb" else make
        os.chmod(scratch.path, 0o755)
        scratch.keep(self)

    @property
    def mariadb(self):
        return self.make == "mariadb"

    def start(self):
        version = [] if self.mariadb else ["--version", self.make]
        more = ["--"] + self.arguments if self.arguments else []
        subprocess.run([os.path.join(self.script, "start.sh"), "--port", str(self.port), "--data", self.data] + version + more,
                       check=True, stdout=subprocess.DEVNULL)
        return self

    def stop(self, *how):
        subprocess.run([os.path.join(self.script, "stop.sh"), "--data", self.data, *how], check=True, stdout=subprocess.DEVNULL)
        # A killed process loses its name before it closes its port, and the next start would find that taken.
        if "--kill" in how:
            obcanal.wait_until(lambda: not obcanal.port_open(self.port), "the port of the killed %s to close" % self.make)

    def kill(self):
        self.stop("--kill")

    def text(self):
        return ""

    def sql(self, text, check=True):
        """Runs statements as root; rows as lists of texts."""
        run = subprocess.run(["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % self.port, "-uroot", "-N", "-B", "--ssl=0",
                              "--default-character-set=utf8mb4", "--force"], input=text, text=True, capture_output=True)
        if check and (run.returncode or run.stderr):
            raise RuntimeError("%s\n%s" % (text[:500], run.stderr))
        return [line.split("\t") for line in run.stdout.splitlines()]

    def user(self, name="canal", password="canal", how="", grants=GRANTS):
        self.sql("CREATE USER '%s'@'%%' %s; GRANT %s ON *.* TO '%s'@'%%'" %
                 (name, how or "IDENTIFIED BY '%s'" % password, grants, name))
        return self

    def kill_dumps(self):
        """Ends the connections that read the log; how many there were."""
        dumps = [row[0] for row in self.sql("SHOW PROCESSLIST") if row[4].startswith("Binlog Dump")]
        self.sql("".join("KILL %s;" % dump for dump in dumps), check=False)
        return len(dumps)

    def purge(self):
        """Whether only the last log is left."""
        self.sql("PURGE BINARY LOGS TO '%s'" % self.end()[0])
        return len(self.sql("SHOW BINARY LOGS")) == 1

    def end(self):
        try:
            return self.sql("SHOW MASTER STATUS")[0][:2]
        except RuntimeError:
            return self.sql("SHOW BINARY LOG STATUS")[0][:2]


def server(scratch, database, instance=None, **more):
    keys = {
        "canal.instance.master.address": "127.0.0.1:%d" % database.port,
        "canal.instance.dbUsername": "canal",
        "canal.instance.dbPassword": "canal",
        "canal.instance.mysql.slaveId": 4711,  # the derived one is also that of a Java Canal here
        **FAST,
    }
    keys.update(instance or {})
    return scratch.keep(obcanal.Server(scratch.path, None, instance=keys, password="", **more))


def streaming(program):
    program.wait_ready(lambda: re.search(r" streaming ", program.text(program.offset)))


def wait_log(program, pattern, since, seconds=30.0):
    obcanal.wait_until(lambda: re.search(pattern, program.text(since)),
                       lambda: "%r in\n%s" % (pattern, program.text(since)[-3000:]), seconds)


def here(program):
    return os.path.getsize(program.log)


class Tail:
    """`obcanal tail` that reads until told to stop; the entries it acknowledged."""

    def __init__(self, scratch, program, name="tail"):
        self.path = os.path.join(scratch.path, name + ".jsonl")
        self.out = open(self.path, "ab")
        self.process = subprocess.Popen(
            [os.path.join(obcanal.bin_dir(), "obcanal"), "tail", "--server", "127.0.0.1:%d" % program.port, "--format", "jsonl",
             "--wait", "120"], stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.DEVNULL)

    def entries(self):
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def values(self, table, column="id"):
        found = []
        for entry in self.entries():
            if entry["header"].get("tableName") != table or not entry["rowChange"].get("rowDatas"):
                continue
            for row in entry["rowChange"]["rowDatas"]:
                side = row.get("afterColumns") or row.get("beforeColumns")
                found += [c.get("value") for c in side if c["name"] == column]
        return found

    def expect(self, table, ids, seconds=60.0):
        ids = [str(i) for i in ids]
        obcanal.wait_until(lambda: len(self.values(table)) >= len(ids),
                           lambda: "%d rows, there are %d" % (len(ids), len(self.values(table))), seconds)
        found = self.values(table)
        if found != ids:
            wrong = next((i for i, pair in enumerate(zip(found, ids)) if pair[0] != pair[1]), len(ids))
            raise RuntimeError("row %d is %r, expected %r (%d rows for %d)" %
                               (wrong, found[wrong:wrong + 3], ids[wrong:wrong + 3], len(found), len(ids)))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.out.close()


@contextlib.contextmanager
def tail(scratch, program, name="tail"):
    one = Tail(scratch, program, name)
    try:
        yield one
    finally:
        one.stop()


def golden(scratch, make):
    database = Database(scratch, make).start().user()
    with open(obcanal.fixture("binlog/schema.sql"), encoding="utf-8") as file:
        database.sql(file.read(), check=False)  # statements that this server does not know fail
    start = {"canal.instance.master.journal.name": "mysql-bin.000001", "canal.instance.master.position": "4"}
    program = server(scratch, database, start).start()
    java, java_port = os.path.join(scratch.path, "java"), obcanal.free_port()
    subprocess.run([os.path.join(PEERS, "canal-server", "start.sh"), "--data", java, "--port", str(java_port), "--master",
                    "127.0.0.1:%d" % database.port, "--journal", "mysql-bin.000001", "--position", "4", "--tsdb", "on"],
                   check=True, stdout=subprocess.DEVNULL)
    try:
        entries = {}
        for name, port in (("java", java_port), ("ours", program.port)):
            path = os.path.join(scratch.path, name + ".jsonl")
            subprocess.run([obcanal.peer("canal-client-java"), "json", "100000", "--port", str(port), "--idle", "3000",
                            "--out", path], check=True, stdout=subprocess.DEVNULL)
            with open(path, encoding="utf-8") as file:
                entries[name] = [json.loads(line) for line in file]
        judge.compare(entries["java"], entries["ours"], os.path.join(ROOT, "conf", "DIFFERENCES.md"))
    finally:
        subprocess.run([os.path.join(PEERS, "canal-server", "stop.sh"), "--data", java], check=True, stdout=subprocess.DEVNULL)


def faults(scratch, make):
    database = Database(scratch, make).start().user()
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB")
    program = server(scratch, database, {"canal.instance.dbPassword": "wrong"}).start()
    wait_log(program, r"trying again.*user 'canal'.*Access denied", 0)
    database.sql("ALTER USER 'canal'@'%' IDENTIFIED BY 'wrong'" if make != "5.6" else
                 "SET PASSWORD FOR 'canal'@'%' = PASSWORD('wrong')")
    wait_log(program, r" streaming ", 0)
    ids = []

    def insert(count=1):
        more = range(len(ids) + 1, len(ids) + 1 + count)
        ids.extend(more)
        database.sql("INSERT INTO shop.t VALUES " + ",".join("(%d,'x')" % i for i in more))

    with tail(scratch, program) as reader:
        insert()
        reader.expect("t", ids)

        print("killed connection")
        since = here(program)
        if not database.kill_dumps():
            raise RuntimeError("no dump thread to kill")
        insert()
        wait_log(program, r" source lost, trying again .*(?s:.*) streaming ", since)
        reader.expect("t", ids)

        print("restart")
        since = here(program)
        database.stop()
        wait_log(program, r"trying again.*Connection refused", since)
        database.start()
        insert()
        wait_log(program, r" streaming ", since)
        reader.expect("t", ids)

        print("crash")
        since = here(program)
        database.kill()
        wait_log(program, r"trying again", since)
        database.start()
        insert()
        wait_log(program, r" streaming ", since)
        reader.expect("t", ids)

        print("rotation while a transaction is open")
        more = range(len(ids) + 1, len(ids) + 5)
        ids.extend(more)
        first, second, third, fourth = more
        session = subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % database.port, "-uroot", "--ssl=0", "-n"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        session.stdin.write("BEGIN; INSERT INTO shop.t VALUES (%d,'a'); SELECT 'there';\n" % second)
        session.stdin.flush()
        while "there" not in session.stdout.readline():
            pass
        database.sql("INSERT INTO shop.t VALUES (%d,'b'); FLUSH BINARY LOGS" % first)
        session.stdin.write("INSERT INTO shop.t VALUES (%d,'c'); COMMIT;\n" % third)
        session.stdin.close()
        session.wait()
        database.sql("INSERT INTO shop.t VALUES (%d,'d')" % fourth)
        reader.expect("t", ids)

        print("a privilege is taken away")
        since = here(program)
        database.sql("REVOKE REPLICATION SLAVE ON *.* FROM 'canal'@'%'; FLUSH PRIVILEGES")
        database.kill_dumps()
        insert()
        wait_log(program, r"trying again.*REPLICATION SLAVE", since)
        database.sql("GRANT REPLICATION SLAVE ON *.* TO 'canal'@'%'; FLUSH PRIVILEGES")
        wait_log(program, r" streaming ", since)
        reader.expect("t", ids)

        print("a server id used twice")
        since = here(program)
        twin = subprocess.Popen([os.path.join(obcanal.bin_dir(), "obcanal-server"), "--conf", twin_conf(scratch, program)],
                                stdin=subprocess.DEVNULL, stdout=open(program.log + ".twin", "w"), stderr=subprocess.STDOUT)

        def warned():
            with open(program.log + ".twin", encoding="utf-8") as file:
                return "server id 4711 is also used by replica" in file.read()
        if database.mariadb:
            wait_log(program, r"another replica uses our server id", since)
        else:  # it tells replicas apart by their uuid: both go on
            obcanal.wait_until(warned, "the second server to say that its id is used")
        twin.terminate()
        twin.wait()
        insert()
        reader.expect("t", ids)

        print("purged logs")
        since = here(program)
        program.stop()
        obcanal.wait_until(lambda: not database.kill_dumps(), "the dump threads to end")  # a log in use is not purged
        for _ in range(3):
            insert()
            database.sql("FLUSH BINARY LOGS")
        obcanal.wait_until(database.purge, "the server to purge its logs")  # it keeps what a crash would need
        program.spawn()
        wait_log(program, r"stopped for good.*the server no longer has.*its oldest log is", program.offset)
        program.stop()
        with open(os.path.join(program.conf, "example", "instance.properties"), "a", encoding="utf-8") as file:
            file.write("canal.instance.purged.position = latest\n")
        program.spawn()
        wait_log(program, r"a gap in the stream.*lost, because the server had purged it: from mysql-bin", program.offset)
        streaming(program)
        lost = ids[-3:]
        insert()
        reader.expect("t", [i for i in ids if i not in lost])


def check(program, *options):
    """What `obcanal check` says of the destination."""
    done = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal"), "check", "--conf", program.conf, *options],
                          capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def checks(scratch, make):
    """`obcanal check`: what the server is, and each problem with its remedy, which is carried out as it is printed."""
    database = Database(scratch, make).start().user(grants="SELECT")
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE=InnoDB")
    program = server(scratch, database)

    def expect(*patterns):
        text = check(program, "--wait", "2")
        for pattern in patterns:
            if not re.search(pattern, text):
                raise RuntimeError("%r is not in\n%s" % (pattern, text))
        return text

    text = expect(r"problem  our user has not REPLICATION SLAVE, REPLICATION CLIENT\n +-> GRANT REPLICATION SLAVE, REPLICATION CLIENT ON")
    database.sql(re.search(r"-> (GRANT .*)", text).group(1))
    name = "MariaDB 10" if database.mariadb else "MySQL " + make
    text = expect(r"ok       %s.*, without TLS|ok       %s.*, with TLS" % (name, name),
                  r"ok       our user has SELECT, REPLICATION SLAVE, REPLICATION CLIENT",
                  r"ok       its log: binlog_format ROW, binlog_row_image FULL, binlog_checksum",
                  r"ok       logs are kept",
                  r"ok       \d+ logs, \d+ (bytes|MiB), from mysql-bin.000001 to mysql-bin.\d+:\d+",
                  r"ok       its clock and ours agree",
                  r"ok       our server id 4711; whether another replica has it we may not ask" if database.mariadb else
                  r"ok       our server id 4711 is free",
                  r"ok       1 tables pass the filter, and can be described",
                  r"ok       connected and logged in as the instance would")
    if re.search(r"^  (problem|warning)  (?!nothing came)", text, re.M):
        raise RuntimeError("a good server has problems:\n%s" % text)
    database.sql("SET GLOBAL binlog_format = 'STATEMENT'; SET GLOBAL binlog_row_image = 'MINIMAL'")
    expect(r"problem  binlog_format is STATEMENT.*\n +-> SET GLOBAL binlog_format = 'ROW'", r"warning  binlog_row_image is MINIMAL")
    database.sql("SET GLOBAL binlog_format = 'ROW'; SET GLOBAL binlog_row_image = 'FULL'")
    program.start()
    streaming(program)
    with tail(scratch, program) as reader:
        database.sql("INSERT INTO shop.t VALUES (1)")
        reader.expect("t", [1])
        if database.mariadb:
            database.sql("GRANT REPLICATION MASTER ADMIN ON *.* TO 'canal'@'%'")
        expect(r"warning  our server id 4711 is in use by replica obcanal-")
    program.stop()
    expect(r"ok       the saved cursor, mysql-bin.\d+:\d+( \(done\))?, is in the server's logs")
    database.sql("FLUSH BINARY LOGS")
    obcanal.wait_until(database.purge, "the server to purge its logs")
    expect(r"problem  the saved cursor, .* is in none of the server's logs; its oldest is " + database.end()[0])
    database.sql("REVOKE SELECT ON *.* FROM 'canal'@'%'")
    expect(r"problem  our user has not SELECT\n +-> GRANT SELECT ON", r"warning  none of the tables that our user may see passes the filter")
    role = "'reader'" if database.mariadb else "'reader'@'%'"
    if database.mariadb or make.startswith("8"):
        database.sql("CREATE ROLE %s; GRANT SELECT ON *.* TO %s; GRANT %s TO 'canal'@'%%'" % (role, role, role))
        expect(r"warning  our user has not SELECT, unless one of its roles has, and is active\n +-> GRANT SELECT ON")
    with open(os.path.join(program.conf, "example", "instance.properties"), "a", encoding="utf-8") as file:
        file.write("canal.instance.mysql.slaveId = %s\n" % database.sql("SELECT @@server_id")[0][0])
    expect(r"problem  our server id \d+ is the server's own")


def burst(scratch, make):
    """DDL while the destination is stopped, with rows between: each has the columns of its time, not those of now.

    8.0 tells the columns in its log (binlog_row_metadata=FULL). MariaDB does not: where a statement makes the source be asked, its answer
    is from later, and that is said.
    """
    named = not database_says_nothing(make)
    database = Database(scratch, make, arguments=["--binlog-row-metadata=FULL"] if named else []).start().user()
    database.sql("CREATE DATABASE shop CHARACTER SET gbk; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB "
                 "CHARACTER SET utf8mb4")
    program = server(scratch, database).start()
    streaming(program)
    with tail(scratch, program) as reader:
        database.sql("INSERT INTO shop.t VALUES (1,'中')")
        reader.expect("t", [1])
        program.stop()
        database.sql("""USE shop;
            INSERT INTO t VALUES (2,'中'); ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT; INSERT INTO t VALUES (3,'中');
            ALTER TABLE t CHANGE v w VARCHAR(30); INSERT INTO t VALUES (4,'中');
            ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, CHANGE w x VARCHAR(30); INSERT INTO t VALUES (5,'中');
            ALTER TABLE t DROP x, ADD y TEXT CHARACTER SET latin1; INSERT INTO t VALUES (6,'é')""")
        since = here(program)
        program.start()
        reader.expect("t", range(1, 7))
        found = last_columns(reader)
        if found != [("v", "中"), ("v", "中"), ("v", "中"), ("w", "中"), ("x", "中"), ("y", "é")]:
            raise RuntimeError("columns and values: %r" % found)
        if "definition of a table" in program.text(since):
            raise RuntimeError("the source was asked:\n" + program.text(since))
        program.stop()
        database.sql("""USE shop; ALTER TABLE t CONVERT TO CHARACTER SET binary; INSERT INTO t VALUES (7,'b');
            ALTER TABLE t CHANGE y z LONGBLOB; INSERT INTO t VALUES (8,'c'); ALTER TABLE t CHANGE z q LONGBLOB; INSERT INTO t VALUES (9,'d')""")
        since = here(program)
        program.start()
        reader.expect("t", range(1, 10))
        names = [name for name, _ in last_columns(reader)[6:]]
        if named:
            if names != ["y", "z", "q"] or "definition of a table" in program.text(since):
                raise RuntimeError("columns: %r\n%s" % (names, program.text(since)))
            return
        # 7: nobody knows its name any more, and its type is another one. 8: the type fits.
        if names[1:] != ["q", "q"]:
            raise RuntimeError("columns: %r\n%s" % (names, program.text(since)))
        wait_log(program, r"definition of a table table=shop.t .*may_be_later=true", since)
        wait_log(program, r"rows of a table were read by a definition from after the statement that follows them table=shop.t", since)


def database_says_nothing(make):
    return make in ("mariadb", "5.6", "5.7")


def last_columns(reader):
    return [(row["afterColumns"][-1]["name"], row["afterColumns"][-1].get("value")) for entry in reader.entries()
            for row in (entry.get("rowChange") or {}).get("rowDatas", [])]


def twin_conf(scratch, program):
    """The configuration of a second server that reads the same log with the same id."""
    twin = os.path.join(scratch.path, "twin")
    shutil.copytree(program.conf, os.path.join(twin, "conf"))
    path = os.path.join(twin, "conf", "canal.properties")
    with open(path, encoding="utf-8") as file:
        text = file.read().replace(program.conf, os.path.join(twin, "conf")).replace(program.data, twin)
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(r"canal\.port = .*", "canal.port = %d" % obcanal.free_port(), text))
    return os.path.join(twin, "conf")


def resume(scratch, make):
    """Small pieces and a small buffer, so that every kill falls inside of a transaction that is partly delivered."""
    database = Database(scratch, make).start().user()
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(200)) ENGINE=InnoDB")
    small = {"canal.instance.transaction.size": 8, "canal.instance.memory.buffer.size": 32,
             "canal.instance.gtidon": "true" if make == "8.0" else "false"}
    program = server(scratch, database, small).start()
    streaming(program)
    ids = list(range(1, 3001))
    statements = ["INSERT INTO shop.t VALUES (%d,REPEAT('x',100));" % i for i in ids]
    with tail(scratch, program) as reader:
        for part in range(0, len(ids), 1000):
            database.sql("BEGIN;" + "".join(statements[part:part + 1000]) + "COMMIT;")
        for round_number in range(1, 6):
            count = len(ids) * round_number // 6
            obcanal.wait_until(lambda: len(reader.values("t")) >= count, "%d rows" % count)
            program.kill()
            program.start()
        obcanal.wait_until(lambda: len(set(reader.values("t"))) >= len(ids), "all rows")
        found = [int(v) for v in reader.values("t")]
    once = [v for i, v in enumerate(found) if i == 0 or v != found[i - 1]]
    # What a client had not acknowledged when the server died comes again; nothing is missing.
    missing = sorted(set(ids) - set(once))
    if missing:
        raise RuntimeError("%d rows are missing, first %r" % (len(missing), missing[:5]))
    print("%d rows, %d of them again after 5 kills" % (len(ids), len(found) - len(ids)))
    if len(found) - len(ids) > 5 * 64:
        raise RuntimeError("more comes again than clients could have open")


def certificates(scratch):
    """A CA and a certificate for 127.0.0.1, as servers take them."""
    place = os.path.join(scratch.path, "tls")
    os.makedirs(place)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=test CA")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=server")
    with open(os.path.join(place, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-out", "cert.pem",
            "-extfile", "names")
    for name in os.listdir(place):
        os.chmod(os.path.join(place, name), 0o644)
    return place


def logins(scratch, make):
    tls = certificates(scratch)
    arguments = ["--ssl-ca=%s/ca.pem" % tls, "--ssl-cert=%s/cert.pem" % tls, "--ssl-key=%s/key.pem" % tls]
    database = Database(scratch, make, arguments=arguments).start()
    if database.mariadb:
        database.sql("INSTALL SONAME 'auth_ed25519'")
        users = {"native": "IDENTIFIED BY 'secret'", "ed": "IDENTIFIED VIA ed25519 USING PASSWORD('secret')"}
    elif make.startswith("8"):
        users = {"native": "IDENTIFIED WITH mysql_native_password BY 'secret'",
                 "caching": "IDENTIFIED WITH caching_sha2_password BY 'secret'", "sha": "IDENTIFIED WITH sha256_password BY 'secret'"}
    else:
        users = {"native": "IDENTIFIED BY 'secret'"}
    for name, how in users.items():
        database.user(name, how=how)
    database.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE=InnoDB")
    trust = {"canal.instance.master.trustCertificateKeyStoreType": "PEM",
             "canal.instance.master.trustCertificateKeyStoreUrl": "file:%s/ca.pem" % tls}
    ways = [("DISABLED", {}), ("REQUIRED", {}), ("VERIFY_CA", trust), ("VERIFY_IDENTITY", trust)]
    ids = []
    for name in users:
        for mode, more in ways:
            keys = {"canal.instance.dbUsername": name, "canal.instance.dbPassword": "secret",
                    "canal.instance.master.sslMode": mode, **more}
            program = server(scratch, database, keys).start()
            wait_log(program, r" streaming .*tls=%s " % ("false" if mode == "DISABLED" else "true"), program.offset)
            ids.append(len(ids) + 1)
            database.sql("INSERT INTO shop.t VALUES (%d)" % ids[-1])
            with tail(scratch, program) as reader:
                reader.expect("t", ids)
            said = check(program)
            if not re.search(r"ok       M\w+ .*, %s TLS\n" % ("without" if mode == "DISABLED" else "with"), said):
                raise RuntimeError("no word of TLS with sslMode %s:\n%s" % (mode, said))
            program.stop()
            print("%s with sslMode %s" % (name, mode))
    print("a certificate of somebody else's CA")
    program = server(scratch, database, {"canal.instance.dbUsername": "native", "canal.instance.master.sslMode": "VERIFY_CA"}).start()
    wait_log(program, r"trying again.*TLS: .*certificate verify failed", program.offset)


def standby(scratch, make):
    """GTIDs, so that nothing comes again from the other server."""
    master = Database(scratch, make, "master").start().user()
    other = Database(scratch, make, "standby", arguments=["--log-slave-updates"]).start()
    master.sql("CREATE USER 'repl'@'%' IDENTIFIED BY 'repl'; GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%';"
               "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE=InnoDB")
    how = "MASTER_USE_GTID=slave_pos" if master.mariadb else "MASTER_AUTO_POSITION=1"
    other.sql("%s; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='repl', MASTER_PASSWORD='repl', %s;"
              "START SLAVE" % ("SET GLOBAL gtid_slave_pos=''" if master.mariadb else "RESET MASTER", master.port, how))
    keys = {"canal.instance.standby.address": "127.0.0.1:%d" % other.port, "canal.instance.gtidon": "true",
            "canal.instance.detecting.enable": "true", "canal.instance.detecting.sql": "select 1",
            "canal.instance.detecting.interval.time": 1, "canal.instance.detecting.retry.threshold": 1,
            "canal.instance.detecting.heartbeatHaEnable": "true"}
    program = server(scratch, master, keys).start()
    streaming(program)
    with tail(scratch, program) as reader:
        master.sql("".join("INSERT INTO shop.t VALUES (%d);" % i for i in range(1, 101)))
        reader.expect("t", range(1, 101))
        obcanal.wait_until(lambda: other.sql("SELECT COUNT(*) FROM shop.t", check=False) == [["100"]], "the standby to have all")
        since = here(program)
        master.kill()
        wait_log(program, r"changing over to the other server", since)
        wait_log(program, r" streaming .*server=127.0.0.1:%d " % other.port, since)
        other.sql("STOP SLAVE;" + "".join("INSERT INTO shop.t VALUES (%d);" % i for i in range(101, 201)))
        reader.expect("t", range(1, 201))


SCENARIOS = {"golden": golden, "faults": faults, "resume": resume, "logins": logins, "standby": standby, "check": checks, "burst": burst}


def main():
    scenario, make = sys.argv[1:3]
    with obcanal.Scratch("binlog-%s-%s" % (scenario, make)) as scratch:
        SCENARIOS[scenario](scratch, make)


if __name__ == "__main__":
    main()

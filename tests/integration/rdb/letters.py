"""letters.py TARGET: rows that the target refuses are parked with their place and cause, the rest flows; once the cause is gone they are tried
again, or dropped. A crash makes no second letter. Deadlocks are tried again, and the way to the target is encrypted.
"""
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "fault"))
sys.path.insert(0, HERE)
import sql_proxy  # noqa: E402
from rdb_run import Run, obcanal  # noqa: E402
import certificates  # noqa: E402

PARK = "onError: park\n"


class Letters:
    def __init__(self, run):
        self.run, self.program = run, os.path.join(obcanal.bin_dir(), "obcanal-adapter")

    def tool(self, *words):
        done = subprocess.run([self.program, "dead-letters", *words, "--conf", self.run.adapter.conf], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError("dead-letters %s: %s" % (" ".join(words), done.stderr))
        return done.stdout

    def all(self):
        return [json.loads(line) for line in self.tool("list", "--json").splitlines()]

    def wait_count(self, count):
        obcanal.wait_until(lambda: len(self.all()) == count,
                           lambda: "%d letters, there are %r\n%s" % (count, self.all(), self.run.adapter.text()[-3000:]), 60)


def expect(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def rows(run):
    return sorted(run.target.sql("SELECT id,u,name FROM %suniq" % run.schema))


def parked(run, letters):
    """Somebody else holds a unique value: the row waits, later changes of its key behind it, all others arrive."""
    place = run.schema + "uniq"
    run.target.sql("INSERT INTO %s VALUES (900,50,'foreign')" % place)
    run.source.sql("USE mytest; INSERT INTO uniq VALUES (1,50,'a'); UPDATE uniq SET name='b' WHERE id=1; INSERT INTO uniq VALUES (2,51,'c');"
                   "UPDATE uniq SET id=3 WHERE id=1; UPDATE uniq SET name='d' WHERE id=3; INSERT INTO plain (id) VALUES (1)")
    run.wait_written()
    letters.wait_count(4)
    found = letters.all()
    expect("what waits", [letter["cause"].startswith("waits behind") for letter in found], [False, True, True, True])
    expect("its cause", "50" in found[0]["cause"] and ("1062" in found[0]["cause"] or "23505" in found[0]["cause"]), True)
    change = found[0]["change"]
    expect("its place", (change["database"], change["table"], change["log_file"].startswith("mysql-bin"), change["log_offset"] > 0),
           ("mytest", "uniq", True, True))
    text = letters.tool("list")
    expect("as text", "INSERT mytest.uniq" in text and change["log_file"] in text, True)
    expect("the rest", rows(run), [["2", "51", "c"], ["900", "50", "foreign"]])

    # While the cause is there, a retry is refused with it; the letter stays.
    letters.tool("retry", "--destination", "example", str(found[0]["letter"]))
    obcanal.wait_until(lambda: "was refused again" in run.adapter.text(), "the letter to be refused again")
    letters.wait_count(4)
    run.target.sql("DELETE FROM %s WHERE id=900" % place)
    letters.tool("retry", "--all")
    letters.wait_count(0)
    run.check_equal()


def dropped(run, letters):
    run.target.sql("INSERT INTO %suniq VALUES (900,60,'foreign')" % run.schema)
    run.source.sql("INSERT INTO mytest.uniq VALUES (10,60,'x'); DELETE FROM mytest.uniq WHERE id=10")
    run.wait_written()
    letters.wait_count(2)
    letters.tool("drop", "--all")
    letters.wait_count(0)
    run.target.sql("DELETE FROM %suniq WHERE id=900" % run.schema)
    run.source.sql("INSERT INTO mytest.uniq VALUES (10,61,'y')")  # its key is free again
    obcanal.wait_until(lambda: ["10", "61", "y"] in rows(run), "the row after the letters of its key")
    run.check_equal()


def once(run, letters):
    """The batch comes again after its letters were written: the commit is cut, then the adapter is killed."""
    run.target.sql("INSERT INTO %suniq VALUES (900,70,'foreign')" % run.schema)
    for _ in range(2):
        run.proxy.arm(sql_proxy.COMMIT)
        before = run.proxy.came(sql_proxy.COMMIT)
        number = 20 + len(letters.all())
        run.source.sql("BEGIN; INSERT INTO mytest.uniq VALUES (%d,70,'x'); INSERT INTO mytest.plain (id) VALUES (%d); COMMIT;"
                       "DELETE FROM mytest.uniq WHERE id=%d" % (number, number, number))
        obcanal.wait_until(lambda: run.proxy.came(sql_proxy.COMMIT) > before, "the commit to be cut")
        run.adapter.kill()
        run.proxy.disarm()
        run.adapter.start()
        run.wait_written()
    letters.wait_count(4)
    # A letter that was dropped is not written either when its change comes once more.
    run.target.sql("DELETE FROM %suniq WHERE id=900" % run.schema)
    letters.tool("retry", "--all")
    letters.wait_count(0)
    run.check_equal()


def deadlocks(run):
    """How many the target has seen."""
    if run.make == "mariadb":
        return int(run.target.sql("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])
    if run.make == "postgres":
        return int(run.target.sql("SELECT deadlocks FROM pg_stat_database WHERE datname='postgres'")[0][0])
    return int(run.target.sql("SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME='lock_deadlocks'")[0][0])


def deadlock(run):
    """The adapter holds rows of `plain` and waits for one of `pair`, whose holder wants the first: PostgreSQL's and InnoDB's choice falls on
    the adapter, and it tries again. Of so many rows of `plain` some are in the lane of that of `pair`."""
    plain, pair = run.schema + "plain", run.schema + "pair"
    run.source.sql("USE mytest; INSERT INTO plain (id,n) SELECT seq,0 FROM seq_500_to_519; INSERT INTO pair VALUES ('dead',1,0)")
    run.wait_written()
    tries = run.adapter.text().count("a batch is not written")
    if run.target.family == "mysql":
        # The heavier transaction is spared.
        heavy = "; ".join("INSERT INTO %s (id) VALUES (%d)" % (plain, -1000 - i) for i in range(200))
        foreign = run.target.session("BEGIN; %s; UPDATE %s SET v=v WHERE a='dead'; SELECT SLEEP(2);"
                                     " UPDATE %s SET n=n WHERE id BETWEEN 500 AND 519; ROLLBACK" %
                                     (heavy, pair, plain))
    else:
        foreign = run.target.session("SET deadlock_timeout='1min'; BEGIN; UPDATE %s SET v=v WHERE a='dead'; SELECT pg_sleep(0.5);"
                                     " SELECT pg_sleep(0.5); UPDATE %s SET n=n WHERE id BETWEEN 500 AND 519; ROLLBACK" % (pair, plain))
    time.sleep(0.3 if run.target.family == "postgres" else 0.7)
    run.source.sql("USE mytest; BEGIN; UPDATE plain SET n=7 WHERE id BETWEEN 500 AND 519; UPDATE pair SET v=7 WHERE a='dead'; COMMIT")
    run.wait_written()
    expect("the foreign session", foreign.wait(60), 0)
    obcanal.wait_until(lambda: deadlocks(run) > 0, "a deadlock")
    run.check_equal()
    return run.adapter.text().count("a batch is not written") - tries


def encrypted(run, make):
    """Connections of the adapter as the target sees them."""
    if run.target.family == "mysql":
        ciphers = run.target.sql("SELECT VARIABLE_VALUE FROM performance_schema.status_by_thread s JOIN performance_schema.threads t"
                                 " USING (thread_id) WHERE VARIABLE_NAME='Ssl_cipher' AND PROCESSLIST_DB='mytest'", check=False)
        return all(cipher != [""] for cipher in ciphers) and len(ciphers) > 0
    states = run.target.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name='obcanal-adapter'")
    return states and all(state == ["t"] for state in states)


def tls(scratch, make):
    """With the CA given; a CA of somebody else is refused, by name."""
    path = os.path.join(scratch.path, "certificates")
    os.mkdir(path)
    certificates.make(path)
    for name in os.listdir(path):
        os.chmod(os.path.join(path, name), 0o644)
    pem = {name: os.path.join(path, name) for name in ("ca.crt", "stranger.crt", "server.crt", "server.key")}
    if make == "postgres":
        # It wants its key for itself.
        os.chmod(pem["server.key"], 0o600)
        if os.geteuid() == 0:
            shutil.chown(pem["server.key"], "postgres")
        arguments = ["-c", "ssl=on", "-c", "ssl_cert_file=" + pem["server.crt"], "-c", "ssl_key_file=" + pem["server.key"]]
        parameters = "sslmode=verify-ca&sslrootcert=%s"
    else:
        arguments = ["--ssl-ca=" + pem["ca.crt"], "--ssl-cert=" + pem["server.crt"], "--ssl-key=" + pem["server.key"],
                     "--performance-schema=ON"]
        parameters = "sslMode=verify-ca&serverSslCert=%s"
    os.chmod(path, 0o755)
    run = Run(scratch, make, target_arguments=arguments, parameters=parameters % pem["ca.crt"])
    # The certificate is localhost's, and its name is looked at.
    text = open(os.path.join(run.adapter.conf, "application.yml"), encoding="utf-8").read()
    run.adapter.write("application.yml", text.replace("//127.0.0.1:", "//localhost:"))
    run.adapter.start()
    run.create_tables()
    run.wait_written()
    expect("encrypted", encrypted(run, make), True)
    run.adapter.stop()
    text = open(os.path.join(run.adapter.conf, "application.yml"), encoding="utf-8").read()
    run.adapter.write("application.yml", text.replace(pem["ca.crt"], pem["stranger.crt"]))
    run.adapter.start()
    obcanal.wait_until(lambda: "certificate" in run.adapter.text(run.adapter.offset).lower(), lambda: "the certificate to be refused: " +
                       run.adapter.text(run.adapter.offset)[-2000:])


def main():
    make = sys.argv[1]
    with obcanal.Scratch("letters-" + make) as scratch:
        run = Run(scratch, make, proxy=sql_proxy.SqlProxy, mapping=PARK)
        run.adapter.start()
        run.create_tables()
        run.wait_written()
        letters = Letters(run)
        parked(run, letters)
        dropped(run, letters)
        once(run, letters)
        refused = deadlock(run)
    with obcanal.Scratch("tls-" + make) as scratch:
        tls(scratch, make)
    print("letters into %s: parked, tried again, dropped, once; deadlock with %d refused batches; TLS" % (make, refused))


if __name__ == "__main__":
    main()

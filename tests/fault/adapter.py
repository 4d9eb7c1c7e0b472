"""adapter.py TARGET [--cycles N] [--seed S] [--position] [--faults a,b] [--compressed]: obcanal-adapter writes random operations into TARGET (mariadb,
5.7, 8.0, seekdb, postgres) while in each cycle one thing goes wrong; at the end every table equals the source's.

With --position the position is kept in the target. Triggers at both sides count the changes of a table: each is applied once. Without,
a change may be applied again, never not at all. --compressed: the source is a MySQL 8 that compresses its transactions, whose changes
have one place in the log all, and these come in many batches.
"""
import argparse
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration", "rdb"))
import sql_proxy  # noqa: E402
from rdb_run import Run, Workload, obcanal  # noqa: E402

SMALL_DISK = {"mariadb": "260m", "5.7": "330m", "8.0": "420m", "postgres": "260m"}
TABLES = {
    "hits": ("id int PRIMARY KEY, n int", "id int PRIMARY KEY, n int"),
    "big": ("id int PRIMARY KEY, data mediumblob", "id int PRIMARY KEY, data bytea"),
}
COMPRESSED = {"source": "8.0.33", "source_arguments": ["--binlog-transaction-compression=ON"], "batch": 7}
WAITS = {"mysql": "useUnicode=true&sessionVariables=innodb_lock_wait_timeout%3D1",
         "postgres": "options=-c%20lock_timeout%3D1000"}


class Work(Workload):
    def statement(self):
        roll = self.rng.random()
        if roll < 0.3:
            return "INSERT INTO hits VALUES (%d,1) ON DUPLICATE KEY UPDATE n=n+1" % self.rng.randrange(20)
        if roll < 0.32:
            return "DELETE FROM hits WHERE id=%d" % self.rng.randrange(20)
        if roll < 0.35:
            return "REPLACE INTO big VALUES (%d,REPEAT('x',%d))" % (self.rng.randrange(60), self.rng.randrange(300_000))
        return super().statement()


class Fault:
    """What goes wrong in a cycle: each method returns when it is over."""

    def __init__(self, run, rng):
        self.run, self.rng, self.proxy, self.counts, self.number = run, rng, run.proxy, {}, 0
        self.seconds = {}

    def names(self):
        names = ["adapter_kill", "adapter_stop", "target_kill", "cut_connect", "cut_execute", "cut_commit", "lost_answer", "cut_all",
                 "lock_wait", "deadlock", "foreign_unique", "server_kill", "both_kill"]
        if self.run.small_disk:
            names.append("disk_full")
        return names

    def happen(self, name):
        self.number += 1
        self.counts[name] = self.counts.get(name, 0) + 1
        start = time.monotonic()
        getattr(self, name)()
        self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 1)

    def adapter_kill(self):
        self.run.adapter.kill()
        self.run.adapter.start()

    def adapter_stop(self):
        self.run.adapter.stop(60)
        self.run.adapter.start()

    def server_kill(self):
        self.run.server.kill()
        self.run.server.start()

    def both_kill(self):
        self.proxy.arm(sql_proxy.ANSWER)
        time.sleep(self.rng.random() * 0.3)
        self.run.adapter.kill()
        self.proxy.disarm()
        self.run.adapter.start()

    def target_kill(self):
        self.run.target.stop("--kill")
        time.sleep(self.rng.random() * 0.5)
        self.run.target.start()

    def cut_all(self):
        run = self.run
        if run.target.family == "mysql":
            for row in run.target.sql("SHOW PROCESSLIST"):
                if row[3] == "mytest":
                    run.target.sql("KILL %s" % row[0], check=False)
        else:
            run.target.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='obcanal-adapter'")

    def cut(self, kind, count=1, skip=0):
        """The source goes on changing rows until it has come, whatever is left of the cycle's statements."""
        before, end = self.proxy.came(kind), time.monotonic() + 60
        self.proxy.arm(kind, count, skip)
        while self.proxy.came(kind) < before + count:
            if time.monotonic() > end:
                raise RuntimeError("%s did not come %d times" % (kind, count))
            self.run.source.sql("USE mytest; INSERT INTO hits VALUES (%d,1) ON DUPLICATE KEY UPDATE n=n+1" % (self.number % 20), False)
        self.proxy.disarm()

    def cut_connect(self):
        self.proxy.arm(sql_proxy.EXECUTE)
        self.cut(sql_proxy.CONNECT, 1 + self.rng.randrange(2))

    def cut_execute(self):
        self.cut(sql_proxy.EXECUTE, skip=self.rng.randrange(8))

    def cut_commit(self):
        self.cut(sql_proxy.COMMIT, 1 + self.rng.randrange(2))

    def lost_answer(self):
        self.cut(sql_proxy.ANSWER, 1 + self.rng.randrange(2))

    def table(self, name):
        return "mytest." + name if self.run.target.family == "mysql" else name

    def foreign(self, sql):
        """A session of somebody else at the target; the process, which ends with the statements."""
        return self.run.target.session(sql)

    def sleep(self, seconds):
        return "SELECT SLEEP(%g)" % seconds if self.run.target.family == "mysql" else "SELECT pg_sleep(%g)" % seconds

    def lock_wait(self):
        """Once it had the rows: a deadlock with the adapter's own statements may choose it as the victim."""
        for _ in range(20):
            if self.foreign("BEGIN; SELECT * FROM %s FOR UPDATE; %s; ROLLBACK" %
                            (self.table("plain"), self.sleep(0.5 + 2 * self.rng.random()))).wait(60) == 0:
                return
        raise RuntimeError("nobody else could lock the rows")

    def deadlock(self):
        first, second = self.rng.sample(["plain", "pair", "hits", "uniq"], 2)
        self.foreign("BEGIN; UPDATE %s SET %s; %s; UPDATE %s SET %s; ROLLBACK" % (
            self.table(first), self.same(first), self.sleep(0.3), self.table(second), self.same(second))).wait(60)

    @staticmethod
    def same(table):
        return {"plain": "n=n", "pair": "v=v", "hits": "n=n", "uniq": "name=name"}[table]

    def foreign_unique(self):
        """Rows of somebody else hold values that the source's rows will want; they go away after a while."""
        rows = ",".join("(%d,%d,'foreign')" % (-1000 * self.number - i, self.rng.randrange(300)) for i in range(20))
        ignore = "INSERT IGNORE INTO %s VALUES %s" if self.run.target.family == "mysql" else "INSERT INTO %s VALUES %s ON CONFLICT DO NOTHING"
        self.run.target.sql(ignore % (self.table("uniq"), rows))
        time.sleep(1 + self.rng.random())
        self.run.target.sql("DELETE FROM %s WHERE name='foreign'" % self.table("uniq"), check=False)

    def disk_full(self):
        ballast = os.path.join(self.run.target.data, "ballast")
        subprocess.run(["dd", "if=/dev/zero", "of=" + ballast, "bs=64k"], stderr=subprocess.DEVNULL)
        self.run.source.sql("USE mytest;" + "".join("REPLACE INTO big VALUES (%d,REPEAT('y',900000));" % (100 + i) for i in range(20)))
        time.sleep(1 + self.rng.random())
        os.remove(ballast)
        self.run.source.sql("DELETE FROM mytest.big WHERE id >= 100")
        # A server may end itself a while after its disk was full.
        self.run.wait_mark(300, self.start_again)

    def start_again(self):
        if not self.run.target.alive():
            self.run.target.stop("--kill")
            self.run.target.start()


def counted(run, place):
    """Changes of `hits` by kind, as triggers count them."""
    database = run.source if place == "source" else run.target
    table = "audit.applied" if place == "source" or run.mirror else "applied"
    return {row[0]: int(row[1]) for row in database.sql("SELECT kind,n FROM %s ORDER BY kind" % table)}


def make_triggers(run):
    """At the source out of its log's sight; at the target by its own hand."""
    kinds = ("INSERT", "UPDATE", "DELETE")
    mysql = ("CREATE DATABASE audit; CREATE TABLE audit.applied (kind varchar(10) PRIMARY KEY, n bigint);"
             "INSERT INTO audit.applied VALUES ('INSERT',0),('UPDATE',0),('DELETE',0); USE mytest;" +
             "".join("CREATE TRIGGER hits_%s AFTER %s ON hits FOR EACH ROW UPDATE audit.applied SET n=n+1 WHERE kind='%s';" %
                     (kind, kind, kind) for kind in kinds))
    run.source.sql("SET SESSION sql_log_bin=0;" + mysql)
    if run.mirror:
        run.target.sql(mysql)
    else:
        run.target.sql("CREATE TABLE applied (kind text PRIMARY KEY, n bigint);"
                       "INSERT INTO applied VALUES ('INSERT',0),('UPDATE',0),('DELETE',0);"
                       "CREATE FUNCTION count_hit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                       " UPDATE applied SET n=n+1 WHERE kind=TG_OP; RETURN NULL; END $$;"
                       "CREATE TRIGGER hits_counted AFTER INSERT OR UPDATE OR DELETE ON hits FOR EACH ROW EXECUTE FUNCTION count_hit()")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--operations", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--position", action="store_true")
    parser.add_argument("--faults", default="")
    parser.add_argument("--compressed", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with obcanal.Scratch("fault-adapter") as scratch:
        properties = {"canal.adapter.position": "target"} if arguments.position else {}
        run = Run(scratch, arguments.target, properties, proxy=sql_proxy.SqlProxy, tables=TABLES,
                  small_disk=SMALL_DISK.get(arguments.target), parameters=WAITS["postgres" if arguments.target == "postgres" else "mysql"],
                  **(COMPRESSED if arguments.compressed else {}))
        run.adapter.start()
        run.create_tables()
        run.wait_written()
        make_triggers(run)
        fault = Fault(run, rng)
        # All of them in turn, each time in another order.
        plan, names = [], arguments.faults.split(",") if arguments.faults else fault.names()
        while len(plan) < arguments.cycles:
            plan += rng.sample(names, len(names))
        workload = Work(arguments.seed, ddl=False, keyless=arguments.position)
        start = time.monotonic()
        for cycle, name in enumerate(plan[:arguments.cycles]):
            script = workload.script(arguments.operations, arguments.operations if arguments.compressed else 5)
            writing = threading.Thread(target=run.source.sql, args=(script, False))
            writing.start()
            time.sleep(rng.random() * 0.4)
            fault.happen(name)
            writing.join()
            run.wait_written(300)
            if cycle % 10 == 9:
                run.check_equal()
        rows = run.check_equal()
        source, target = counted(run, "source"), counted(run, "target")
        if arguments.position and source != target:
            raise RuntimeError("changes of hits: %r at the source, %r applied" % (source, target))
        print("%s%s, seed %d: %d cycles in %.0f s, %d rows equal, hits %r applied %r, %r, seconds %r" % (
            arguments.target, " position in the target" if arguments.position else "", arguments.seed, arguments.cycles,
            time.monotonic() - start, rows, source, target, fault.counts, fault.seconds), flush=True)


if __name__ == "__main__":
    main()

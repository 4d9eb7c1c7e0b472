"""A binlog destination of a cluster: a real MariaDB, a real ZooKeeper, two obcanal servers that take over from each other.

binlog.py META_TOOL SCHEMA_STORE_TEST: what stands in ZooKeeper is read with `meta_tool nodes`; the second one is run against it.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "binlog"))
import live  # noqa: E402
import obcanal  # noqa: E402
import zookeeper as cluster  # noqa: E402

SCHEMA = cluster.TREE + "/schema"
checks = 0


def expect(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def new_server(scratch, name, database, zookeeper):
    return cluster.new_server(scratch, name, None, zookeeper, instance={
        "canal.instance.source": "binlog",
        "canal.instance.master.address": "127.0.0.1:%d" % database.port,
        "canal.instance.dbUsername": "canal", "canal.instance.dbPassword": "canal",
        "canal.instance.mysql.slaveId": 4711 if name == "first" else 4712,
        "canal.instance.filter.regex": r"shop\..*", **live.FAST})


def rows(tail, table):
    """Of each inserted row of the table: names and values of its columns."""
    found = []
    for entry in tail.entries():
        if entry["header"].get("tableName") != table:
            continue
        for row in entry["rowChange"].get("rowDatas") or []:
            found.append(" ".join("%s=%s" % (c["name"], c.get("value", "")) for c in row["afterColumns"]))
    return found


def follow(scratch, server, table, wanted, name):
    """Reads and acknowledges until there are as many rows as wanted, which must be these."""
    with live.tail(scratch, server, name) as tail:
        obcanal.wait_until(lambda: len(rows(tail, table)) >= len(wanted),
                           lambda: "%r, has %r" % (wanted, rows(tail, table)), 60)
        expect("rows of " + name, rows(tail, table), wanted)


def acked(zookeeper, database):
    """Whether the cursor has come to the end of the log."""
    cursor = zookeeper.offset()
    return cursor is not None and cursor[:2] >= last_event(database)


def last_event(database):
    """Where the last event of the log begins."""
    file = database.end()[0]
    event = database.sql("SHOW BINLOG EVENTS IN '%s'" % file)[-1]
    return file, int(event[1])


def frames(zookeeper):
    return [path for path in zookeeper.nodes() if path.startswith(SCHEMA + "/g") and "/f" in path]


def settle(zookeeper, database):
    obcanal.wait_until(lambda: acked(zookeeper, database), lambda: "the cursor %r to be %r" % (
        zookeeper.offset(), last_event(database)))


def before_any_cursor(first, second, database, zookeeper, scratch):
    """Nobody has subscribed yet: whoever takes over goes on where the first one began."""
    database.sql("CREATE TABLE shop.early (id INT PRIMARY KEY); INSERT INTO shop.early VALUES (1)")
    obcanal.wait_until(lambda: cluster.TREE + "/start" in zookeeper.nodes(), lambda: "where it began in %r" % zookeeper.nodes())
    first.kill()
    cluster.wait(second, "running")
    database.sql("INSERT INTO shop.early VALUES (2)")
    follow(scratch, second, "early", ["id=1", "id=2"], "early")
    settle(zookeeper, database)
    obcanal.wait_until(lambda: cluster.TREE + "/start" not in zookeeper.nodes(), "the cursor to replace it")
    first.start()
    cluster.wait(first, "standby", "serves this destination")


def take_over(first, second, database, zookeeper, scratch):
    database.sql("CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO shop.t VALUES (1,'a');"
                 "ALTER TABLE shop.t ADD c INT; INSERT INTO shop.t VALUES (2,'b',20)")
    follow(scratch, first, "t", ["id=1 v=a", "id=2 v=b c=20"], "one")
    settle(zookeeper, database)
    known = len(frames(zookeeper))
    # Rows of tables that are no more, for a server that was not there.
    database.sql("INSERT INTO shop.t VALUES (3,'c',30); ALTER TABLE shop.t CHANGE v w VARCHAR(30), DROP c;"
                 "INSERT INTO shop.t VALUES (4,'d'); RENAME TABLE shop.t TO shop.gone;"
                 "CREATE TABLE shop.t (x INT, id INT); INSERT INTO shop.t VALUES (7,5)")
    obcanal.wait_until(lambda: len(frames(zookeeper)) > known + 2, "the history of three statements")
    first.kill()
    cluster.wait(second, "running")
    follow(scratch, second, "t", ["id=3 v=c c=30", "id=4 w=d", "x=7 id=5"], "two")
    settle(zookeeper, database)
    database.sql("INSERT INTO shop.gone VALUES (6,'e'); ALTER TABLE shop.gone ADD late INT FIRST; "
                 "INSERT INTO shop.gone VALUES (1,7,'f')")
    known = len(frames(zookeeper))
    first.start()
    cluster.wait(first, "standby", "serves this destination")
    second.stop()
    cluster.wait(first, "running")
    follow(scratch, first, "gone", ["id=6 w=e", "late=1 id=7 w=f"], "three")
    settle(zookeeper, database)


def damage(first, second, database, zookeeper, scratch):
    second.start()
    cluster.wait(second, "standby", "serves this destination")
    database.sql("INSERT INTO shop.t VALUES (1,8)")
    broken = frames(zookeeper)[1]
    expect("put", zookeeper.meta_tool("put", broken)[0], 0)
    first.stop()
    obcanal.wait_until(lambda: "ZooKeeper %s: is no part of a schema history" % broken in (cluster.status(second)["example"].get("failure") or ""),
                       lambda: "the damage to be named, not %r" % cluster.status(second))
    expect("remove", zookeeper.meta_tool("remove", SCHEMA)[0], 0)
    follow(scratch, second, "t", ["x=1 id=8"], "four")
    settle(zookeeper, database)


def stays_small(second, database, zookeeper, scratch):
    names = ["a%d" % i for i in range(301)]
    database.sql("CREATE TABLE shop.w (a0 INT);" + "".join("ALTER TABLE shop.w CHANGE %s %s INT;" % pair
                                                          for pair in zip(names, names[1:])) + "INSERT INTO shop.w VALUES (1)")
    follow(scratch, second, "w", ["a300=1"], "five")
    expect("frames", len(frames(zookeeper)) < 256, True)
    expect("generations", len({path.split("/")[6] for path in frames(zookeeper)}), 1)


def main():
    with obcanal.Scratch("zookeeper-binlog") as scratch:
        database = live.Database(scratch, "mariadb").start().user()
        database.sql("CREATE DATABASE shop")
        zookeeper = cluster.Zookeeper(scratch.path, sys.argv[1]).start()
        try:
            subprocess.run([sys.argv[2]], check=True, timeout=120, env=dict(os.environ, ZOOKEEPER="127.0.0.1:%d" % zookeeper.port))
            first = new_server(scratch, "first", database, zookeeper).start()
            cluster.wait(first, "running")
            live.streaming(first)
            second = new_server(scratch, "second", database, zookeeper).start()
            cluster.wait(second, "standby", "serves this destination")
            before_any_cursor(first, second, database, zookeeper, scratch)
            take_over(second, first, database, zookeeper, scratch)
            damage(second, first, database, zookeeper, scratch)
            stays_small(first, database, zookeeper, scratch)
        finally:
            zookeeper.stop("--kill")
    print("zookeeper binlog: %d checks" % checks)


main()

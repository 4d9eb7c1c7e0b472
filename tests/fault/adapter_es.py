"""adapter_es.py VERSION [--cycles N] [--operations N] [--seed S] [--faults LIST]: random operations on users and roles while Elasticsearch is
killed, stopped for a while, read-only, full or rejects, its answers are lost or requests come late, and adapter, server and their connections
are killed; afterwards every document equals the row that the mapping's SQL gives, and no document has a smaller version than it had.

Faults of the node: kill, pause (SIGSTOP), readonly, full (the disk's flood stage), reject (a write queue of one, always); of requests, by a
proxy: lose, refuse, slow, hold (arrives behind newer ones), busy (429), away (503); of ours: adapter (SIGKILL), blocked (the adapter is killed
while the node takes nothing: what it has acknowledged by then would be lost), server (SIGKILL), source (its connections end).
"""
import argparse
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration", "es"))
from es_run import Elasticsearch, Run, obcanal  # noqa: E402
from node_proxy import NodeProxy  # noqa: E402

FAULTS = "kill,pause,readonly,full,lose,refuse,slow,hold,busy,away,adapter,blocked,server,source"
REQUESTS = ("lose", "refuse", "slow", "hold", "busy", "away")
MAPPINGS = {
    "users": "_index: users\n_id: _id\nsql: \"select a.id as _id, a.name, a.n from user a\"",
    "joined": "_index: joined\n_id: _id\nsql: \"select a.id as _id, a.name, a.role_id, b.role_name from user a left join role b"
              " on b.id=a.role_id\"",
}
SELECTS = {
    "users": ("SELECT id, name, n FROM user", ["name", "n"]),
    "joined": ("SELECT a.id, a.name, a.role_id, b.role_name FROM user a LEFT JOIN role b ON b.id=a.role_id",
               ["name", "role_id", "role_name"]),
}


class Workload:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def statement(self):
        r = self.rng
        key, role = r.randrange(400), r.randrange(12)
        return r.choice([
            "INSERT IGNORE INTO user VALUES (%d,'n%d',%d,%d)" % (key, r.randrange(99), role, r.randrange(9)),
            "UPDATE user SET name='m%d' WHERE id=%d" % (r.randrange(99), key), "UPDATE user SET n=n+1 WHERE id %% 7 = %d" % (key % 7),
            "UPDATE user SET role_id=%d WHERE id=%d" % (role, key), "DELETE FROM user WHERE id=%d" % key,
            "UPDATE IGNORE user SET id=%d WHERE id=%d" % (r.randrange(400), key),
            "REPLACE INTO role VALUES (%d,'r%d')" % (role, r.randrange(99)), "DELETE FROM role WHERE id=%d" % role,
            "UPDATE role SET role_name='s%d' WHERE id=%d" % (r.randrange(99), role)])

    def script(self, operations):
        lines = []
        while len(lines) < operations:
            lines += ["BEGIN"] + [self.statement() for _ in range(self.rng.randrange(1, 6))] + ["COMMIT"]
        return ";".join(lines)


class Faults:
    def __init__(self, run, proxy, rng):
        self.run, self.es, self.proxy, self.rng = run, run.es, proxy, rng

    def make(self, name):
        if name in REQUESTS:
            self.requests(name)
        elif name != "reject":  # that one is always on
            getattr(self, name)()

    def requests(self, kind):
        """For a while every second request of the writer, which knows no other way."""
        chance = random.Random(self.rng.random())
        self.proxy.fault = lambda path, _: kind if path.startswith(("/_bulk", "/_mget")) and chance.random() < 0.5 else None
        time.sleep(0.5 + self.rng.random() * 1.5)
        self.proxy.fault = lambda path, body: None

    def kill(self):
        self.es.kill()
        self.es.start()

    def adapter(self):
        self.run.adapter.kill()
        self.run.adapter.start()

    def server(self):
        self.run.server.kill()
        self.run.server.start()

    def source(self):
        self.run.source.kill_dumps()
        time.sleep(self.rng.random() * 0.5)
        self.run.source.kill_dumps()

    def blocked(self):
        self.block(True)
        time.sleep(0.5 + self.rng.random())
        self.run.adapter.kill()
        self.block(None)
        self.run.adapter.start()

    def pause(self):
        os.kill(self.es.pid, signal.SIGSTOP)
        time.sleep(0.5 + self.rng.random() * 2)
        os.kill(self.es.pid, signal.SIGCONT)

    def block(self, value):
        self.es.ask("PUT", "/users,joined,marker/_settings", {"index.blocks.read_only_allow_delete": value})

    def readonly(self):
        self.block(True)
        time.sleep(0.5 + self.rng.random() * 2)
        self.block(None)

    def full(self):
        """All disks count as full: the node sets its own block, and the operator lifts it."""
        mark, stage = "cluster.routing.allocation.disk.", "watermark."
        self.es.ask("PUT", "/_cluster/settings", {"transient": {
            "cluster.info.update.interval": "10s", mark + "threshold_enabled": True, mark + stage + "low": "900tb",
            mark + stage + "high": "900tb", mark + stage + "flood_stage": "900tb"}})
        obcanal.wait_until(lambda: "read_only_allow_delete" in str(self.es.ask("GET", "/marker/_settings")), "the node to find its disk full", 90)
        self.es.ask("PUT", "/_cluster/settings", {"transient": {
            "cluster.info.update.interval": None, mark + "threshold_enabled": None, mark + stage + "low": None,
            mark + stage + "high": None, mark + stage + "flood_stage": None}})
        self.block(None)


def check_equal(run):
    count = 0
    for index, (sql, fields) in SELECTS.items():
        rows = {row[0]: {field: None if value == "NULL" else value for field, value in zip(fields, row[1:])} for row in run.sql(sql)}
        found = {key: {field: None if source.get(field) is None else str(source[field]) for field in fields}
                 for key, source in run.es.documents(index).items()}
        if rows != found:
            wrong = [(key, rows.get(key), found.get(key)) for key in sorted(set(rows) | set(found)) if rows.get(key) != found.get(key)]
            raise RuntimeError("%s: %d documents differ: %r" % (index, len(wrong), wrong[:5]))
        count += len(rows)
    return count


def check_versions(run, known):
    for index in SELECTS:
        reply = run.es.ask("POST", "/%s/_search" % index, {"size": 1000, "version": True, "_source": False})
        for hit in reply["hits"]["hits"]:
            key = (index, hit["_id"])
            if hit["_version"] < known.get(key, 0):
                raise RuntimeError("%s: version %d after %d" % (key, hit["_version"], known[key]))
            known[key] = hit["_version"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--operations", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default=FAULTS)
    arguments = parser.parse_args()
    names = arguments.faults.split(",")
    rng, known = random.Random(arguments.seed), {}
    settings = ["thread_pool.write.queue_size=1"] if "reject" in names else []
    with obcanal.Scratch("fault-adapter-es") as scratch:
        es = Elasticsearch(scratch, arguments.version, settings=settings).start()
        kinds = {"name": "keyword", "n": "long", "role_id": "long", "role_name": "keyword"}
        es.create("users", {name: {"type": kinds[name]} for name in ("name", "n")})
        es.create("joined", {name: {"type": kinds[name]} for name in ("name", "role_id", "role_name")})
        proxy = NodeProxy(scratch, es.port)
        run = Run(scratch, arguments.version, MAPPINGS, es=es, batch=10, hosts="127.0.0.1:%d" % proxy.port)
        run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(20), role_id int, n int, KEY (role_id));"
                "CREATE TABLE role (id int PRIMARY KEY, role_name varchar(20))")
        run.adapter.start()
        run.wait_written()
        workload, faults, done, begin = Workload(arguments.seed), Faults(run, proxy, rng), {}, time.monotonic()
        for cycle in range(arguments.cycles):
            writing = threading.Thread(target=run.sql, args=(workload.script(arguments.operations), False))
            writing.start()
            time.sleep(rng.random() * 0.5)
            name = names[cycle % len(names)] if arguments.cycles <= len(names) else rng.choice(names)
            done[name] = done.get(name, 0) + 1
            faults.make(name)
            writing.join()
            if name != "hold":
                proxy.release()  # what was held in an earlier cycle
            if cycle % 5 == 4 or cycle + 1 == arguments.cycles:
                run.wait_written(300)
                proxy.release()
                documents = check_equal(run)
                check_versions(run, known)
                print("cycle %d (%s): %d documents equal, %.0f s" % (cycle + 1, name, documents, time.monotonic() - begin), flush=True)
        print("%s, seed %d: %d cycles: %s; %d documents equal, requests %s" % (
            arguments.version, arguments.seed, arguments.cycles, done, documents, {k: v for k, v in proxy.counts.items() if k}))


if __name__ == "__main__":
    main()

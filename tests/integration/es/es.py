"""es.py VERSION [SCENARIO...]: obcanal-adapter from a real MariaDB into a real Elasticsearch or OpenSearch.

simple   one table: inserts, updates, deletes, moved keys, values of every type, upsert, missing documents, constants
load     full loads, with a condition too, and an index that is built anew while rows change
found    documents that are found by a field instead of their id; children of the join datatype, with their parents' routing
refused  documents that the index refuses: in the way, parked, and tried again
"""
import json
import os
import subprocess
import sys
import threading

from es_run import Elasticsearch, Run, obcanal

U0 = """_index: users
_id: _id
sql: "select a.id as _id, a.name, a.c_time from user a"
"""


def equal(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def simple(scratch, version, es):
    es.create("users", {"name": {"type": "text"}, "c_time": {"type": "date"}})
    es.create("ups", {"name": {"type": "text"}, "other": {"type": "keyword"}})
    run = Run(scratch, version, {
        "users": U0,
        "plain": "_index: plain\n_id: _id\nsql: \"select id as _id, name, 1 as kind, 'x' as src from user\"",
        "quoted": "_index: quoted\n_id: _id\nsql: \"select a.`id` as `_id`, a.`name` from `user` a\"",
        "named": "_index: named\n_id: _id\nsql: \"select concat('u_', a.id) as _id, a.name from user a\"",
        "ups": "_index: ups\n_id: _id\nupsert: true\nsql: \"select a.id as _id, a.name from user a\"",
    }, es=es)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40), role_id int, c_time datetime, extra int)")
    run.adapter.start()
    run.sql("INSERT INTO user VALUES (1,'a',2,'2024-01-02 03:04:05',0),(2,'b',NULL,NULL,0),(3,'c',2,NULL,0)")
    run.wait_written()
    equal("inserted", es.source("users", "1"), {"name": "a", "c_time": "2024-01-02T03:04:05+08:00"})
    equal("nulls", es.source("users", "2"), {"name": "b", "c_time": None})
    equal("constants", es.source("plain", "1"), {"name": "a", "kind": 1, "src": "x"})
    equal("backquotes", es.source("quoted", "1"), {"name": "a"})
    equal("computed id", es.source("named", "u_1"), {"name": "a"})
    version_before = es.get("users", "1")["_version"]

    es.ask("POST", "/ups/_doc/1?refresh=true", {"name": "a", "other": "kept"})
    run.sql("UPDATE user SET name='b' WHERE id=1; UPDATE user SET extra=1 WHERE id=3")
    run.wait_written()
    equal("updated", es.source("users", "1"), {"name": "b", "c_time": "2024-01-02T03:04:05+08:00"})
    equal("fields of others", es.source("ups", "1"), {"name": "b", "other": "kept"})
    if es.get("users", "1")["_version"] <= version_before:
        raise RuntimeError("the version did not grow")

    es.ask("DELETE", "/users/_doc/1?refresh=true")
    es.ask("DELETE", "/ups/_doc/1?refresh=true")
    run.sql("UPDATE user SET name='again' WHERE id=1")
    run.wait_written()
    equal("missing, made from the row", es.source("users", "1"), {"name": "again", "c_time": "2024-01-02T03:04:05+08:00"})
    equal("missing, upserted", es.source("ups", "1"), {"name": "again"})

    run.sql("UPDATE user SET id=7 WHERE id=2; DELETE FROM user WHERE id=3;"
            "INSERT INTO user VALUES (9,'x',1,NULL,1); UPDATE user SET name='y' WHERE id=9; DELETE FROM user WHERE id=9;"
            "INSERT INTO user VALUES (9,'z',1,NULL,1)")
    run.wait_written()
    equal("moved", (es.source("users", "2"), es.source("users", "7")), (None, {"name": "b", "c_time": None}))
    equal("deleted", (es.source("users", "3"), es.source("named", "u_3")), (None, None))
    equal("deleted and made again", es.source("users", "9"), {"name": "z", "c_time": None})
    equal("count", run.adapter.get("/count/es/users.yml"), {"esIndex": "users", "count": run.es.ask("GET", "/users/_count")["count"]})

    run.sql("INSERT INTO user (id,name) SELECT 1000+seq, concat('n', seq) FROM seq_1_to_5000;"
            "UPDATE user SET name=concat(name,'!') WHERE id > 1000; DELETE FROM user WHERE id > 5000")
    run.wait_written()
    rows = {row[0]: row[1] for row in run.sql("SELECT id, name FROM user")}
    equal("many", {key: value["name"] for key, value in es.documents("users").items()}, rows)
    print("%s: simple: %d documents equal" % (version, len(rows)))


LONG = {"name": {"type": "long"}}
NUMBERS = "_index: numbers\n_id: _id\nsql: \"select a.id as _id, a.name from user a\""


def letters(run, *arguments):
    made = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal-adapter"), "dead-letters", *arguments, "--conf", run.adapter.conf],
                          capture_output=True, text=True)
    return made.stdout


def refused(scratch, version, es):
    es.create("numbers", LONG)
    run = Run(scratch, version, {}, es=es)
    run.map("numbers", NUMBERS, head="onError: park\n")
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40))")
    run.adapter.start()
    run.sql("INSERT INTO user VALUES (1,'1'),(2,'two'),(3,'3')")
    run.wait_written()
    equal("around the refused one", [es.source("numbers", key) for key in "123"], [{"name": 1}, None, {"name": 3}])
    equal("written once", [es.get("numbers", key)["_seq_no"] for key in "13"], [0, 1])
    run.sql("UPDATE user SET name='22' WHERE id=2; UPDATE user SET name='33' WHERE id=3")
    run.wait_written()
    equal("behind the refused one", [es.source("numbers", key) for key in "23"], [None, {"name": 33}])
    equal("letters", letters(run, "list").count("numbers.yml"), 2)
    es.ask("DELETE", "/numbers")
    es.create("numbers", {"name": {"type": "keyword"}})
    letters(run, "retry", "--all")
    obcanal.wait_until(lambda: letters(run, "list") == "", lambda: letters(run, "list") + run.adapter.text()[-3000:])
    equal("tried again", es.source("numbers", "2"), {"name": 22})

    # In the way: nothing behind it is written before.
    run.map("numbers", NUMBERS, head="onError: block\n")
    run.map("seen", "_index: marker\n_id: _id\nsql: \"select m.id as _id from marker m\"")
    obcanal.wait_until(lambda: "count" in run.adapter.get("/count/es/seen.yml"), "the edited mapping to be taken over")
    es.ask("DELETE", "/numbers")
    es.create("numbers", LONG)
    since = os.path.getsize(run.adapter.log)
    run.sql("INSERT INTO user VALUES (4,'four'),(5,'5')")
    obcanal.wait_until(lambda: "numbers.yml: index of _id 4 in numbers: 400" in run.adapter.text(since),
                       lambda: run.adapter.text(since)[-3000:], 60)
    run.sql("INSERT INTO marker VALUES (1000)")
    es.ask("PUT", "/numbers/_mapping" + ("/_doc" if es.types else ""), {"properties": {"name": {"type": "long", "ignore_malformed": True}}})
    obcanal.wait_until(lambda: es.get("marker", "1000"), lambda: run.adapter.text(since)[-3000:], 120)
    equal("written at last", [es.source("numbers", key) for key in "45"], [{"name": "four"}, {"name": 5}])
    print("%s: refused: parked, tried again, blocked" % version)


def rows_of(run):
    return {row[0]: row[1] for row in run.sql("SELECT id, name FROM user")}


def names_in(es):
    return {key: source["name"] for key, source in es.documents("users").items()}


def load(scratch, version, es):
    es.create("users", {"name": {"type": "keyword"}, "c_time": {"type": "date"}})
    run = Run(scratch, version, {"users": U0 + "etlCondition: \"where a.c_time>={}\""}, es=es)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40), c_time datetime);"
            "INSERT INTO user SELECT seq, concat('n', seq), date_add('2024-01-01', INTERVAL seq SECOND) FROM seq_1_to_9000")
    run.adapter.start()
    run.wait_written()
    es.ask("DELETE", "/users")
    es.create("users", {"name": {"type": "keyword"}, "c_time": {"type": "date"}})
    reply = json.loads(run.adapter.ask("POST", "/etl/es/users.yml?params=2024-01-01%2000:00:11")[1])
    equal("with a condition", (reply["succeeded"], len(es.documents("users"))), (True, 8990))
    reply = json.loads(run.adapter.ask("POST", "/etl/es/users.yml")[1])
    equal("all of it", (reply["succeeded"], names_in(es)), (True, rows_of(run)))

    changing = threading.Thread(target=run.sql, args=(
        "".join("UPDATE user SET name='c%d' WHERE id=%d; DELETE FROM user WHERE id=%d; INSERT INTO user VALUES (%d,'i',NULL);"
                % (i, i, 9000 - i, 10000 + i) for i in range(1, 1500)),))
    changing.start()
    reply = json.loads(run.adapter.ask("POST", "/etl/es/users.yml?rebuild=true")[1])
    equal("rebuilt", reply["succeeded"], True)
    changing.join()
    obcanal.wait_until(lambda: "users" in str(es.ask("GET", "/_alias/users", check=False)), lambda: run.adapter.text()[-3000:], 60)
    run.wait_written()
    equal("behind the alias", names_in(es), rows_of(run))
    print("%s: load: whole, with a condition, rebuilt under changes" % version)


CUSTOMER = {"customer_order": {"type": "join", "relations": {"customer": "order"}}, "name": {"type": "keyword"},
            "order_serial": {"type": "keyword"}}
CHILD = """_index: customer
_id: _id
skips: [customer_id]
relations: {customer_order: {name: order, parent: customer_id}}
sql: "select concat('oid_', t.id) as _id, t.customer_id, t.serial as order_serial from biz_order t"
"""


def found(scratch, version, es):
    es.create("found", {"id": {"type": "long"}, "name": {"type": "keyword"}, "kept": {"type": "keyword"}})
    es.create("customer", CUSTOMER, shards=5)

    def shard(parent):
        return es.ask("GET", "/customer/_search_shards?routing=%d" % parent)["shards"][0][0]["shard"]
    other = next(parent for parent in range(8, 1000) if shard(parent) != shard(7))
    run = Run(scratch, version, {
        "found": "_index: found\npk: id\nsql: \"select a.id, a.name from user a\"",
        "parent": "_index: customer\n_id: id\nrelations: {customer_order: {name: customer}}\nsql: \"select c.id, c.name from customer c\"",
        "child": CHILD,
    }, es=es)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40)); CREATE TABLE customer (id int PRIMARY KEY, name varchar(40));"
            "CREATE TABLE biz_order (id int PRIMARY KEY, customer_id int, serial varchar(40))")
    run.adapter.start()
    es.ask("POST", "/found/_doc/somewhere?refresh=true", {"id": 1, "name": "old", "kept": "k"})
    run.sql("INSERT INTO user VALUES (1,'a'),(2,'b'); INSERT INTO customer VALUES (7,'seven'),(%d,'other');"
            "INSERT INTO biz_order VALUES (1,7,'s1'),(2,7,'s2')" % other)
    run.wait_written()
    equal("found by its field, none made", es.documents("found"), {"somewhere": {"id": 1, "name": "a", "kept": "k"}})

    def child(number, parent):
        at = es.ask("GET", "/customer/_doc/oid_%d?routing=%d" % (number, parent), check=False)
        return at["_source"] if at and at.get("found") else None
    equal("a child", child(1, 7), {"order_serial": "s1", "customer_order": {"name": "order", "parent": "7"}})
    run.sql("UPDATE user SET name='c' WHERE id=1; UPDATE biz_order SET serial='t1' WHERE id=1; "
            "UPDATE biz_order SET customer_id=%d WHERE id=2" % other)
    run.wait_written()
    equal("updated by its field", es.documents("found")["somewhere"]["name"], "c")
    equal("an updated child", child(1, 7), {"order_serial": "t1", "customer_order": {"name": "order", "parent": "7"}})
    equal("a child of another parent", (child(2, 7), child(2, other)),
          (None, {"order_serial": "s2", "customer_order": {"name": "order", "parent": str(other)}}))
    run.sql("DELETE FROM user WHERE id=1; DELETE FROM biz_order WHERE id=1")
    run.wait_written()
    equal("fields of a deleted row", es.documents("found")["somewhere"], {"id": 1, "name": None, "kept": "k"})
    equal("a deleted child", child(1, 7), None)
    run.sql("INSERT INTO user VALUES (1,'again')")
    run.wait_written()
    equal("found when its row comes back", es.documents("found")["somewhere"], {"id": 1, "name": "again", "kept": "k"})
    print("%s: found: by a field, and children" % version)


def main():
    version = sys.argv[1]
    scenarios = sys.argv[2:] or SCENARIOS
    with obcanal.Scratch("es-node-" + version) as node:
        es = Elasticsearch(node, version).start()
        for scenario in scenarios:
            with obcanal.Scratch("es-%s-%s" % (version, scenario)) as scratch:
                SCENARIOS[scenario](scratch, version, es)
            es.clear()


SCENARIOS = {"simple": simple, "found": found, "refused": refused, "load": load}


if __name__ == "__main__":
    main()

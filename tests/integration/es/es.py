"""es.py VERSION [--source SERVER] [SCENARIO...]: obcanal-adapter from a real MariaDB (or MySQL: 5.6, 5.7, 8.0, 8.0.33) into a real
Elasticsearch or OpenSearch.

simple   one table: inserts, updates, deletes, moved keys, values of every type, upsert, missing documents, constants
load     full loads, with a condition too, and an index that is built anew while rows change
found    documents that are found by a field instead of their id; children of the join datatype, with their parents' routing
late     a request that was given up arrives behind newer ones, and changes nothing
ahead    the next batch begins while a bulk of this one is under way, and what both are about is written in their order
secured  TLS with a CA of its own, users and API keys; TRUNCATE and a rebuild under TLS (OpenSearch here knows no users: the proxy asks)
refused  documents that the index refuses: in the way, parked, and tried again
"""
import argparse
import base64
import json
import os
import subprocess
import threading

from es_run import Elasticsearch, Run, obcanal
import certificates
from node_proxy import NodeProxy

U0 = """_index: users
_id: _id
sql: "select a.id as _id, a.name, a.c_time from user a"
"""


def equal(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def simple(scratch, version, es, source):
    es.create("users", {"name": {"type": "text"}, "c_time": {"type": "date"}})
    es.create("ups", {"name": {"type": "text"}, "other": {"type": "keyword"}})
    run = Run(scratch, version, {
        "users": U0,
        "plain": "_index: plain\n_id: _id\nsql: \"select id as _id, name, 1 as kind, 'x' as src from user\"",
        "quoted": "_index: quoted\n_id: _id\nsql: \"select a.`id` as `_id`, a.`name` from `user` a\"",
        "named": "_index: named\n_id: _id\nsql: \"select concat('u_', a.id) as _id, a.name from user a\"",
        "rolled": "_index: rolled\n_id: _id\nsql: \"select a.id as _id, a.name from user a\"",
        "ups": "_index: ups\n_id: _id\nupsert: true\nsql: \"select a.id as _id, a.name from user a\"",
    }, es=es, source=source)
    for index in ("rolled-1", "rolled-2"):
        es.create(index, {"name": {"type": "keyword"}})
    es.ask("POST", "/_aliases", {"actions": [{"add": {"index": "rolled-1", "alias": "rolled"}},
                                             {"add": {"index": "rolled-2", "alias": "rolled", "is_write_index": True}}]})
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
    equal("an alias of several indexes", (es.source("rolled-1", "1"), es.source("rolled-2", "1")), (None, {"name": "b"}))
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
    # Counted is what can be searched.
    es.ask("POST", "/users/_refresh")
    equal("count", run.adapter.get("/count/es/users.yml"), {"esIndex": "users", "count": 3})

    run.sql("INSERT INTO user (id,name) VALUES " + ",".join("(%d,'n%d')" % (1000 + i, i) for i in range(1, 5001)) +
            ";UPDATE user SET name=concat(name,'!') WHERE id > 1000; DELETE FROM user WHERE id > 5000")
    run.wait_written(300)
    rows = {row[0]: row[1] for row in run.sql("SELECT id, name FROM user")}
    equal("many", {key: value["name"] for key, value in es.documents("users").items()}, rows)
    print("%s: simple: %d documents equal" % (version, len(rows)))


LONG = {"name": {"type": "long"}}
NUMBERS = "_index: numbers\n_id: _id\nsql: \"select a.id as _id, a.name from user a\""


def letters(run, *arguments):
    made = subprocess.run([os.path.join(obcanal.bin_dir(), "obcanal-adapter"), "dead-letters", *arguments, "--conf", run.adapter.conf],
                          capture_output=True, text=True)
    return made.stdout


def refused(scratch, version, es, source):
    es.create("numbers", LONG)
    run = Run(scratch, version, {}, es=es, source=source)
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
    # A number or a text: as the index was when the adapter last looked at it.
    equal("tried again", str(es.source("numbers", "2")["name"]), "22")

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


def load(scratch, version, es, source):
    es.create("users", {"name": {"type": "keyword"}, "c_time": {"type": "date"}})
    run = Run(scratch, version, {"users": U0 + "etlCondition: \"where a.c_time>={}\""}, es=es, source=source)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40), c_time datetime);"
            "INSERT INTO user VALUES " + ",".join("(%d,'n%d',date_add('2024-01-01', INTERVAL %d SECOND))" % (i, i, i) for i in range(1, 9001)))
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


def found(scratch, version, es, source):
    es.create("found", {"id": {"type": "long"}, "name": {"type": "keyword"}, "kept": {"type": "keyword"}})
    es.create("customer", CUSTOMER, shards=5)

    def shard(parent):
        return es.ask("GET", "/customer/_search_shards?routing=%d" % parent)["shards"][0][0]["shard"]
    other = next(parent for parent in range(8, 1000) if shard(parent) != shard(7))
    run = Run(scratch, version, {
        "found": "_index: found\npk: id\nsql: \"select a.id, a.name from user a\"",
        "parent": "_index: customer\n_id: id\nrelations: {customer_order: {name: customer}}\nsql: \"select c.id, c.name from customer c\"",
        "child": CHILD,
    }, es=es, source=source)
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


def late(scratch, version, es, source):
    """What reached the node before the answer was lost is executed by it whenever it gets to it."""
    for index in ("users", "ups"):
        es.create(index, {"name": {"type": "keyword"}, "other": {"type": "keyword"}})
    proxy = NodeProxy(scratch, es.port)
    mapping = "_index: %s\n_id: _id\nupsert: %s\nsql: \"select a.id as _id, a.name from user a\""
    es.create("found", {"id": {"type": "long"}, "name": {"type": "keyword"}, "kept": {"type": "keyword"}})
    es.ask("POST", "/found/_doc/somewhere?refresh=true", {"id": 1, "name": "old", "kept": "k"})
    run = Run(scratch, version, {
        "users": mapping % ("users", "false"), "ups": mapping % ("ups", "true"),
        "found": "_index: found\npk: id\nsql: \"select a.id, a.name from other a\"",
        "emptied": "_index: emptied\n_id: _id\napplyTruncate: true\nsql: \"select a.id as _id, a.name from other a\"",
    }, es=es, source=source, hosts="127.0.0.1:%d" % proxy.port)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40)); CREATE TABLE other LIKE user")
    run.adapter.start()
    run.wait_written()

    def held(statement, index):
        """The bulk of this is held, and comes again from the adapter."""
        proxy.once("hold", "/_bulk", b'"%s"' % index.encode())
        run.sql(statement)
        run.wait_written()
        equal("held", len(proxy.held), 1)

    def arrives(but=()):
        run.wait_written()
        for status, text, _ in proxy.release():
            items = [next(iter(item.values())) for item in json.loads(text)["items"]]
            # A mark in the same bulk was written once.
            done = {(item["_index"], item["_id"]) for item in items if "error" not in item and item["_index"] != "marker"}
            equal("what comes late and has an effect", (status, done - set(but)), (200, set()))

    def both(key):
        return [es.source(index, key) for index in ("users", "ups")]
    for index in ("users", "ups"):
        held("INSERT INTO user VALUES (1,'made'),(2,'made')", index)
        run.sql("UPDATE user SET name='newer' WHERE id=1; DELETE FROM user WHERE id=2")
        # Only a version from outside outlives a delete; what is made field by field takes nothing from others, and has none.
        arrives([("ups", "2")])
        equal("an insert that comes late", (both("1"), es.source("users", "2")), ([{"name": "newer"}] * 2, None))
        es.ask("DELETE", "/ups/_doc/2", check=False)

        es.ask("POST", "/ups/_update/1" if not es.types else "/ups/_doc/1/_update", {"doc": {"other": "kept"}})
        held("UPDATE user SET name='older' WHERE id=1", index)
        run.sql("UPDATE user SET name='newest' WHERE id=1")
        arrives()
        equal("an update that comes late", both("1"), [{"name": "newest"}, {"name": "newest", "other": "kept"}])

        held("UPDATE user SET name='again' WHERE id=1", index)
        run.sql("DELETE FROM user WHERE id=1")
        arrives()
        equal("an update that comes behind a delete", both("1"), [None] * 2)

        run.sql("INSERT INTO user VALUES (3,'three')")
        run.wait_written()
        held("DELETE FROM user WHERE id=3", index)
        run.sql("INSERT INTO user VALUES (3,'back')")
        arrives()
        equal("a delete that comes late", both("3"), [{"name": "back"}] * 2)
        proxy.once("lose", "/_bulk", b'"%s"' % index.encode())
        run.sql("INSERT INTO user VALUES (4,'four'); UPDATE user SET name='five' WHERE id=3")
        run.wait_written()
        equal("only the answer was lost", (both("4"), both("3")), ([{"name": "four"}] * 2, [{"name": "five"}] * 2))
        run.sql("DELETE FROM user")
        run.wait_written()
    run.sql("INSERT INTO other VALUES (1,'made'),(2,'made')")
    run.wait_written()
    held("UPDATE other SET name='older' WHERE id=1", "found")
    run.sql("UPDATE other SET name='newest' WHERE id=1")
    arrives()
    equal("an update of what a field finds", es.documents("found"), {"somewhere": {"id": 1, "name": "newest", "kept": "k"}})
    held("TRUNCATE TABLE other", "emptied")
    run.sql("INSERT INTO other VALUES (1,'back')")
    arrives()
    equal("a TRUNCATE that comes late", es.documents("emptied"), {"1": {"name": "back"}})
    print("%s: late: nothing that comes late has an effect" % version)


def ahead(scratch, version, es, source):
    """The node gets the bulk of a batch after the next one has begun: what both are about is written in their order, the rest at once."""
    es.create("users", {"name": {"type": "keyword"}})
    es.create("ups", {"name": {"type": "keyword"}, "other": {"type": "keyword"}})
    proxy = NodeProxy(scratch, es.port)
    mapping = "_index: %s\n_id: _id\nupsert: %s\nsql: \"select a.id as _id, a.name from user a\""
    # Rows that are more than a batch is asked to have: each comes in one of its own.
    run = Run(scratch, version, {"users": mapping % ("users", "false"), "ups": mapping % ("ups", "true")}, es=es, source=source,
              hosts="127.0.0.1:%d" % proxy.port, batch=1)
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40), filling varchar(4000) NOT NULL DEFAULT '%s')" % ("x" * 4000))
    run.adapter.start()
    run.sql("INSERT INTO user (id,name) VALUES (1,'made'),(2,'made'),(3,'made')")
    run.wait_written()

    def waited():
        return run.adapter.metric("obcanal_adapter_es_ahead_waited_total")

    def both(key):
        """Whole documents, and fields that are put into them."""
        return [document and document["name"] for document in (es.source(index, key) for index in ("users", "ups"))]

    def comes(condition, seconds):
        try:
            obcanal.wait_until(condition, "", seconds)
        except RuntimeError:
            return False
        return True

    def one_waits():
        obcanal.wait_until(lambda: len(proxy.waiting) == 1, lambda: "a bulk to wait; %s" % run.adapter.text()[-3000:], 60)

    def overlap(reset, first, second, key, wanted, met):
        """The bulk of the first one waits, and the batch of the second one is the next: with that, something is met in the end. No batch
        begins ahead when the mappings have to be looked at before it, which is each 3 s; then both are made again."""
        for _ in range(20):
            run.sql(reset + "; REPLACE INTO user (id,name) VALUES (3,'made')")
            run.wait_written()
            proxy.once("wait", "/_bulk", b'"before"')
            run.sql("UPDATE user SET name='before' WHERE id=3")
            one_waits()
            # Both are there when the server is asked for what comes next.
            proxy.once("wait", "/_bulk", first.split("'")[1].encode())
            since = waited()
            run.sql("%s; %s" % (first, second))
            proxy.pass_on()
            one_waits()
            enough = comes(lambda since=since: met(since), 3)
            equal("while the batch before is under way", len(proxy.waiting), 1)
            proxy.pass_on()
            run.wait_written()
            equal("written in their order", both(key), [wanted] * 2)
            if enough:
                return
        raise RuntimeError("the next batch never began; %s" % run.adapter.text()[-3000:])

    made, gone = "REPLACE INTO user (id,name) VALUES (1,'made'),(2,'made')", "DELETE FROM user WHERE id=1"
    for reset, first, second, wanted in (
            (made, "UPDATE user SET name='older' WHERE id=1", "UPDATE user SET name='newer' WHERE id=1", "newer"),
            (made, "UPDATE user SET name='last' WHERE id=1", gone, None),
            (gone, "INSERT INTO user (id,name) VALUES (1,'back')", "UPDATE user SET name='newest' WHERE id=1", "newest")):
        # The second one has to wait; were it written, the first one would be written over it.
        overlap(reset, first, second, "1", wanted, lambda since, wanted=wanted: waited() > since or both("1") == [wanted] * 2)
    overlap(made, "UPDATE user SET name='slow' WHERE id=1", "UPDATE user SET name='fast' WHERE id=2", "2", "fast",
            lambda _: both("2") == ["fast"] * 2 and both("1") == ["made"] * 2)
    print("%s: ahead: documents of two batches in their order" % version)


USER = "canal:secret:12"  # a password may hold a colon


def secured(scratch, version, es, source):
    certificates.make(scratch.path)
    crt = {name: os.path.join(scratch.path, name + ".crt") for name in ("ca", "stranger", "server")}
    basic = "Basic " + base64.b64encode(USER.encode()).decode()
    with_users = not version.startswith("opensearch")
    if with_users:
        es = Elasticsearch(scratch, version, auth=USER, settings=() if es.types else ["xpack.security.authc.api_key.enabled=true"]).start()
    es.create("users", {"name": {"type": "keyword"}})
    es.create("kept", {"name": {"type": "keyword"}})
    proxy = NodeProxy(scratch, es.port, certificate=(crt["server"], os.path.join(scratch.path, "server.key")))
    key = base64.b64encode(b"id:key").decode()
    if with_users and not es.types:
        made = es.ask("POST", "/_security/api_key", {"name": "adapter"})
        key = base64.b64encode(("%s:%s" % (made["id"], made["api_key"])).encode()).decode()
    elif not with_users:
        proxy.required = {basic, "ApiKey " + key}

    mapping = "_index: %s\n_id: _id\nsql: \"select a.id as _id, a.name from user a\"\n"
    run = Run(scratch, version, {"users": mapping % "users" + "applyTruncate: true", "kept": mapping % "kept"}, es=es, source=source,
              hosts="https://localhost:%d" % proxy.port, properties={"security.auth": USER, "security.ca.path": crt["stranger"]})
    run.sql("CREATE TABLE user (id int PRIMARY KEY, name varchar(40)); INSERT INTO user VALUES (1,'a'),(2,'b')")
    run.adapter.start()

    def told(*parts):
        """A line of the log names all of it."""
        def found():
            return any(all(part in line for part in parts) for line in run.adapter.text(since).splitlines())
        obcanal.wait_until(found, lambda: "%r in %s" % (parts, run.adapter.text(since)[-3000:]), 60)
    since = 0
    told("https://localhost:%d" % proxy.port, "certificate", "security.ca.path")
    equal("requests without trust", proxy.counts, {})

    since = os.path.getsize(run.adapter.log)
    run.target({"security.auth": "canal:wrong-password", "security.ca.path": crt["ca"]})
    told("401", "security.auth")
    run.target({"security.auth": USER, "security.ca.path": crt["ca"]})
    run.sql("INSERT INTO user VALUES (3,'c')")
    run.wait_written()
    equal("as a user", es.source("users", "3"), {"name": "c"})
    if not es.types:
        run.target({"security.apiKey": key, "security.ca.path": crt["ca"]})
        run.sql("UPDATE user SET name='d' WHERE id=3")
        obcanal.wait_until(lambda: run.wait_written() or "ApiKey " + key in proxy.authorizations, "the API key to be used", 60)
        equal("with an API key", es.source("users", "3"), {"name": "d"})

    run.sql("TRUNCATE TABLE user; INSERT INTO user VALUES (4,'d')")
    run.wait_written()
    equal("TRUNCATE", (sorted(es.documents("users")), sorted(es.documents("kept"))), (["4"], ["1", "2", "3", "4"]))
    reply = json.loads(run.adapter.ask("POST", "/etl/es/kept.yml?rebuild=true")[1])
    equal("rebuilt", reply["succeeded"], True)
    obcanal.wait_until(lambda: "kept" in str(es.ask("GET", "/_alias/kept", check=False)), lambda: run.adapter.text()[-3000:], 60)
    run.wait_written()
    equal("behind the alias", es.documents("kept"), {"4": {"name": "d"}})
    print("%s: secured: CA, user%s, TRUNCATE, rebuild" % (version, "" if es.types else ", API key"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--source", default="mariadb")
    arguments = parser.parse_intermixed_args()
    version = arguments.version
    with obcanal.Scratch("es-node-" + version) as node:
        es = Elasticsearch(node, version).start()
        for scenario in arguments.scenario or SCENARIOS:
            with obcanal.Scratch("es-%s-%s" % (version, scenario)) as scratch:
                SCENARIOS[scenario](scratch, version, es, arguments.source)
            es.clear()


SCENARIOS = {"simple": simple, "found": found, "late": late, "ahead": ahead, "refused": refused, "load": load, "secured": secured}


if __name__ == "__main__":
    main()

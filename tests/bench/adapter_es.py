#!/usr/bin/env python3
"""adapter_es.py [--rows N] [--version V] [--threads N]: documents a second of obcanal-adapter into a real Elasticsearch or OpenSearch, from
what the server has ready, beside the rate at which the same node takes the same bulks made before, by as many connections, in this run.

inserts, one UPDATE of every row, orders joined with products whose order changes, the same whose foreign key changes.
OBCANAL_BIN as ctest sets it; nothing else should run meanwhile.
"""
import argparse
import http.client
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration", "es"))
from es_run import Elasticsearch, Run, obcanal  # noqa: E402

# Java's figures on such a machine (docs/s), of which three times as many are to be reached; of the canned rate, 0.7.
JAVA = {"inserts": 7000, "one UPDATE": 5900, "join, changed order": 3100, "join, changed foreign key": 2250}
FIELDS = {"order_id": "long", "order_date": "date", "customer_name": "keyword", "price": "scaled_float", "product_id": "long",
          "order_status": "boolean", "product_name": "keyword", "product_description": "keyword"}
JOIN = """_index: enriched_orders
_id: _id
sql: "select o.order_id as _id, o.order_id as order_id, o.order_date, o.customer_name, o.price, o.product_id, o.order_status, p.name as product_name, p.description as product_description from orders o left join products p on o.product_id = p.id"
"""
PLAIN = """_index: plain_orders
_id: _id
sql: "select o.order_id as _id, o.order_id as order_id, o.order_date, o.customer_name, o.price, o.product_id, o.order_status from orders o"
"""


def properties(version):
    scaled = {"type": "double"} if version in ("8", "9") else {"type": "scaled_float", "scaling_factor": 100000}
    return {name: scaled if kind == "scaled_float" else {"type": kind} for name, kind in FIELDS.items()}


def canned(es, bodies, connections):
    """Seconds that the node needs for the bodies."""
    left, lock = list(bodies), threading.Lock()

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", es.port)
        while True:
            with lock:
                if not left:
                    return
                body = left.pop()
            connection.request("POST", "/_bulk?filter_path=errors", body, {"Content-Type": "application/x-ndjson"})
            reply = json.loads(connection.getresponse().read())
            if reply["errors"]:
                raise RuntimeError("a canned bulk had errors")
    threads = [threading.Thread(target=send) for _ in range(connections)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


def bulks(documents, action, index, size=1000):
    lines, made = [], []
    for key, source in documents.items():
        lines.append(json.dumps({action: {"_index": index, "_id": key}}))
        lines.append(json.dumps(source if action == "index" else {"doc": source}, ensure_ascii=False))
        if len(lines) == 2 * size:
            made.append(("\n".join(lines) + "\n").encode())
            lines = []
    if lines:
        made.append(("\n".join(lines) + "\n").encode())
    return made


class Bench:
    def __init__(self, scratch, arguments):
        self.rows, self.connections, self.missed = arguments.rows, arguments.threads, []
        self.es = Elasticsearch(scratch, arguments.version, heap="1g").start()
        for index in ("plain_orders", "enriched_orders", "canned"):
            self.es.create(index, properties(arguments.version))
        self.run = Run(scratch, arguments.version, {"plain": PLAIN}, es=self.es, batch=arguments.batch,
                       properties={"threads": str(arguments.threads)})
        self.run.sql("CREATE TABLE orders (order_id int PRIMARY KEY, order_date datetime, customer_name varchar(40), price decimal(10,5),"
                     " product_id int, order_status tinyint(1), KEY (product_id));"
                     "CREATE TABLE products (id int PRIMARY KEY, name varchar(40), description varchar(80));"
                     "INSERT INTO products SELECT seq, concat('name ', seq), concat('description of product ', seq) FROM seq_1_to_1000")
        self.run.adapter.start()
        self.run.wait_written()

    def measure(self, name, sql, action, sources, fields=None):
        """The SQL while the adapter is switched off, then the time until its last document is there."""
        adapter = self.run.adapter
        adapter.ask("PUT", "/syncSwitch/example/off")
        self.run.sql(sql)
        self.run.marks += 1
        self.run.sql("INSERT INTO marker VALUES (%d)" % self.run.marks)
        time.sleep(3)  # the server reads ahead; not measured
        start = time.monotonic()
        adapter.ask("PUT", "/syncSwitch/example/on")
        obcanal.wait_until(lambda: self.es.get("marker", str(self.run.marks)), lambda: adapter.text()[-3000:], 1800)
        rate = self.rows / (time.monotonic() - start)
        # The mark may be there before others of its batch; a few, too few for the rate.
        self.run.wait_written()
        documents = self.es.documents(sources)
        if len(documents) != self.rows:
            raise RuntimeError("%d documents instead of %d" % (len(documents), self.rows))
        if fields:
            documents = {key: {field: value[field] for field in fields} for key, value in documents.items()}
        best = self.rows / canned(self.es, bulks(documents, action, "canned"), self.connections)
        wanted = 10000 if "foreign" in name else 3 * JAVA[name]
        reached = rate >= 0.7 * best and rate >= wanted
        if not reached:
            self.missed.append(name)
        print("%-28s %8.0f docs/s   canned %8.0f   ratio %.2f (0.70)   %.1fx Java, %d docs/s to reach%s" %
              (name, rate, best, rate / best, rate / JAVA[name], wanted, "" if reached else "  MISSED"), flush=True)

    def all(self):
        self.measure("inserts", "INSERT INTO orders SELECT seq, '2024-01-02 03:04:05', concat('customer ', seq %% 977), seq / 7, 1 + seq %% 1000,"
                                " seq %% 2 FROM seq_1_to_%d" % self.rows, "index", "plain_orders")
        self.measure("one UPDATE", "UPDATE orders SET customer_name = concat(customer_name, '!')", "update", "plain_orders", ["customer_name"])
        os.remove(os.path.join(self.run.adapter.conf, "es", "plain.yml"))
        self.run.map("orders", JOIN)
        obcanal.wait_until(lambda: "count" in self.run.adapter.get("/count/es/orders.yml"), "the mapping to be taken over")
        status, reply = self.run.adapter.ask("POST", "/etl/es/orders.yml")
        if status != 200 or '"succeeded":true' not in reply:
            raise RuntimeError("full load: %d %s" % (status, reply))
        self.measure("join, changed order", "UPDATE orders SET price = price + 1", "update", "enriched_orders", ["price"])
        self.measure("join, changed foreign key", "UPDATE orders SET product_id = 1 + (product_id + 6) % 1000", "update", "enriched_orders",
                     ["product_id", "product_name", "product_description"])
        return not self.missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200000)
    parser.add_argument("--version", default="opensearch")
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--batch", type=int, default=5000)
    arguments = parser.parse_args()
    with obcanal.Scratch("bench-es") as scratch:
        good = Bench(scratch, arguments).all()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

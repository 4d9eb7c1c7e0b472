#!/usr/bin/env python3
"""Orders joined with products: from OceanBase into a search index, kept up to date change by change. See demo-enriched-orders.sh.

Everything runs on loopback in a directory of its own: seekdb (an OceanBase engine) with the tenant's tables, the log of their
changes behind `obcanal logproxy serve`, obcanal-server, obcanal-adapter, and a search engine.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from page import Page  # noqa: E402
from shop import Shop, TENANT  # noqa: E402

SERVICES = os.path.join(ROOT, "tests", "support", "services")
INDEX, TASK, KEY = "enriched_orders", "enriched_orders.yml", "search"
SQL = ("select o.order_id as _id, o.order_id as order_id, o.order_date, o.customer_name, o.price, o.product_id, o.order_status, "
       "p.name as product_name, p.description as product_description from orders o left join products p on o.product_id = p.id")
DECIMAL = {"type": "scaled_float", "scaling_factor": 100_000}
PROPERTIES = {
    "order_id": {"type": "long"}, "order_date": {"type": "date"}, "customer_name": {"type": "keyword"}, "price": DECIMAL,
    "product_id": {"type": "long"}, "order_status": {"type": "boolean"}, "product_name": {"type": "text"},
    "product_description": {"type": "text"},
}
PATIENCE = 30  # seconds for the index to become the join
RESULT = "documents=%d differences=%d"


class Failed(Exception):
    pass


def free_port(wanted=0):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        return probe.getsockname()[1]


class Program:
    def __init__(self, work, name, argv):
        self.name, self.log = name, os.path.join(work, name + ".log")
        with open(self.log, "wb") as log:
            # Ctrl-C is ours: the order in which things stop is the reverse of that in which they started.
            self.process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self, seconds=30):
        limit = time.monotonic() + seconds
        while not re.search(r"\bready\b", self.text()):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise Failed("%s does not start:\n%s" % (self.name, self.text()[-2000:]))
            time.sleep(0.02)
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Service:
    """One of tests/support/services."""

    def __init__(self, work, name, port, *options):
        self.script, self.data, self.port = os.path.join(SERVICES, name), os.path.join(work, name), port
        done = subprocess.run([os.path.join(self.script, "start.sh"), "--port", str(port), "--data", self.data, *options],
                              stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failed("%s does not start" % name)

    def stop(self):
        subprocess.run([os.path.join(self.script, "stop.sh"), "--data", self.data, "--kill"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


class Engine:
    def __init__(self, port):
        self.address = "127.0.0.1:%d" % port

    def ask(self, method, path, body=None):
        request = urllib.request.Request("http://%s%s" % (self.address, path), method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Failed("%s %s: %s" % (method, path, error.read()[:500].decode(errors="replace"))) from error

    def create(self):
        self.ask("PUT", "/" + INDEX, {"settings": {"number_of_shards": 1, "number_of_replicas": 0},
                                      "mappings": {"properties": PROPERTIES}})

    def documents(self):
        """{id: document}, all of them."""
        self.ask("POST", "/%s/_refresh" % INDEX)
        found, after = {}, None
        while True:
            body = {"size": 5000, "query": {"match_all": {}}, "sort": [{"order_id": "asc"}]}
            if after is not None:
                body["search_after"] = after
            hits = self.ask("POST", "/%s/_search" % INDEX, body)["hits"]["hits"]
            for hit in hits:
                found[hit["_id"]] = hit["_source"]
            if len(hits) < 5000:
                return found
            after = hits[-1]["sort"]


def comparable(document):
    """A document and a row of the join as the same Python values."""
    made = dict(document)
    for name in ("order_id", "product_id"):
        made[name] = int(made[name])
    made["order_date"] = made["order_date"].replace(" ", "T")[:19]
    made["price"] = "%.5f" % float(made["price"])
    status = made["order_status"]
    made["order_status"] = status if isinstance(status, bool) else status != "0"
    return made


class Demo:
    def __init__(self, options):
        self.options, self.started, self.wrong, self.documents = options, [], 0, {}
        self.work = tempfile.mkdtemp(prefix="obcanal-demo.", dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.work, 0o755)
        self.page = None

    def keep(self, thing):
        self.started.append(thing)
        return thing

    def program(self, name, *arguments):
        binary = os.path.join(self.options.bin, {"logproxy": "obcanal", "server": "obcanal-server", "adapter": "obcanal-adapter"}[name])
        return self.keep(Program(self.work, name, [binary, *arguments])).wait_ready()

    def write(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # -- start
    def start(self):
        print("Starting an OceanBase engine (seekdb), a search engine (%s), log proxy, server and adapter ..." % self.options.engine, flush=True)
        database = self.keep(Service(self.work, "seekdb", free_port()))
        port = free_port()
        self.keep(Service(self.work, "elasticsearch", port, "--version", self.options.engine))
        self.engine = Engine(port)
        log = self.write("shop.logmsg", "")
        self.shop = Shop(database.port, log)
        self.shop.fill(self.options.products, self.options.orders)
        self.engine.create()
        proxy_port, server_port, rest_port = free_port(), free_port(), free_port()
        self.configure(proxy_port, server_port, rest_port, database.port)
        self.program("logproxy", "logproxy", "serve", "--input", log, "--follow", "--listen", "127.0.0.1:%d" % proxy_port,
                     "--heartbeat", "200")
        self.program("server", "--conf", os.path.join(self.work, "server"))
        self.program("adapter", "--conf", os.path.join(self.work, "adapter"))
        self.rest = "http://127.0.0.1:%d" % rest_port
        self.page = self.keep(Page(free_port(self.options.port), self.engine, INDEX, self.rest + "/metrics"))
        self.url = "http://127.0.0.1:%d/" % self.page.server.server_address[1]
        print("""
  page      %s
  index     http://%s/%s
  database  mariadb -h127.0.0.1 -P%d -uroot mydb
  server    127.0.0.1:%d, destination example
  adapter   %s
  files     %s
""" % (self.url, self.engine.address, INDEX, database.port, server_port, self.rest, self.work), flush=True)

    def configure(self, proxy_port, server_port, rest_port, database_port):
        self.write("server/canal.properties", """canal.ip = 127.0.0.1
canal.serverMode = tcp
canal.port = %d
canal.destinations = example
canal.auto.scan = false
canal.file.data.dir = %s/server-data
""" % (server_port, self.work))
        self.write("server/example/instance.properties", """canal.instance.oceanbase.logproxy.address = 127.0.0.1:%d
canal.instance.oceanbase.rsList = 127.0.0.1:2882:2881
canal.instance.oceanbase.username = user@%s
canal.instance.oceanbase.password = secret
canal.instance.oceanbase.tenant = %s
canal.instance.oceanbase.startTimestamp = 1
canal.instance.filter.regex = mydb\\\\..*
""" % (proxy_port, TENANT, TENANT))
        name = "es7" if self.options.engine.startswith("opensearch") else "es" + self.options.engine
        self.adapter_name = name
        self.write("adapter/application.yml", """server: {address: 127.0.0.1, port: %d}
canal.adapter.data.dir: %s/adapter-data
canal.conf:
  mode: tcp
  timeout: 200
  consumerProperties: {canal.tcp.server.host: "127.0.0.1:%d"}
  srcDataSources:
    defaultDS: {url: "jdbc:mysql://127.0.0.1:%d/mydb?useSSL=false", username: root, password: ""}
  canalAdapters:
    - instance: example
      groups:
        - groupId: g1
          outerAdapters:
            - {name: %s, key: %s, hosts: "%s", properties: {mode: rest}}
""" % (rest_port, self.work, server_port, database_port, name, KEY, self.engine.address))
        self.write("adapter/%s/%s" % (name, TASK), """dataSourceKey: defaultDS
destination: example
groupId: g1
outerAdapterKey: %s
esMapping:
  _index: %s
  _id: _id
  upsert: true
  sql: "%s"
  etlCondition: "where o.order_date>={}"
  commitBatch: 3000
""" % (KEY, INDEX, SQL))

    def stop(self):
        for thing in reversed(self.started):
            thing.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    # -- steps
    def load(self):
        request = urllib.request.Request("%s/etl/%s/%s/%s" % (self.rest, self.adapter_name, KEY, TASK), method="POST", data=b"")
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            told = {"succeeded": False, "errorMessage": error.read()[:500].decode(errors="replace")}
        if not told.get("succeeded"):
            raise Failed("the full load: %s" % told.get("errorMessage", told))

    def compare(self):
        """(documents, {id: row or None that differs})"""
        rows = {row["_id"]: row for row in self.shop.query("USE mydb; " + SQL)}
        documents = self.engine.documents()
        wrong = {}
        for key in rows.keys() | documents.keys():
            row = {name: value for name, value in rows.get(key, {}).items() if name != "_id"}
            document = {name: documents.get(key, {}).get(name) for name in row} if key in documents else None
            if not row or document is None or comparable(row) != comparable(document) or documents[key].keys() - row.keys():
                wrong[key] = rows.get(key)
        self.page.state.update(orders=len(self.shop.rows["orders"]), products=len(self.shop.rows["products"]),
                               documents=len(documents), differences=len(wrong))
        return documents, wrong

    def step(self, what, act):
        print("\033[1m%s\033[0m" % what if sys.stdout.isatty() else what, flush=True)
        self.page.state["doing"] = "Now: " + what
        begin = time.monotonic()
        act()
        while True:
            documents, wrong = self.compare()
            if not wrong or time.monotonic() - begin > PATIENCE:
                break
            time.sleep(0.05)
        changed = [key for key in documents.keys() | self.documents.keys() if documents.get(key) != self.documents.get(key)]
        self.show(changed, self.documents, documents)
        print("  %d documents changed, the index is the join after %.1f s" % (len(changed), time.monotonic() - begin))
        print("  " + RESULT % (len(documents), len(wrong)), flush=True)
        for key, row in list(wrong.items())[:3]:
            print("  wrong: %s is %r, the join says %r" % (key, documents.get(key), row))
        self.page.state["steps"].append({"what": what, "changed": len(changed), "documents": len(documents), "differences": len(wrong)})
        self.documents, self.wrong = documents, self.wrong + len(wrong)

    @staticmethod
    def show(changed, before, after):
        for key in sorted(changed, key=int)[:3]:
            old, new = before.get(key), after.get(key)
            if new is None:
                print("  - %s" % key)
            elif old is None:
                print("  + %s %s" % (key, json.dumps(new, ensure_ascii=False)))
            else:
                parts = ["%s: %s -> %s" % (name, json.dumps(old.get(name), ensure_ascii=False), json.dumps(new.get(name), ensure_ascii=False))
                         for name in new if old.get(name) != new.get(name)]
                print("  ~ %s %s" % (key, ", ".join(parts)))
        if len(changed) > 3:
            print("  ... and %d more" % (len(changed) - 3))

    def steps(self):
        shop = self.shop
        commit, change = shop.commit, shop.change
        order, late = "90001", "90002"
        yield "Full load of what is there: POST /etl/%s/%s/%s" % (self.adapter_name, KEY, TASK), self.load
        yield "INSERT a product and an order of it, in one transaction", lambda: commit(
            ("products", None, ["900", "hammer", "12oz carpenter's hammer"]),
            ("orders", None, [order, "2020-07-30 15:22:00", "Jark", "29.71000", "900", "0"]))
        yield "INSERT an order of a product that is not there", lambda: commit(
            ("orders", None, [late, "2020-07-30 15:23:00", "Sally", "5.50000", "901", "0"]))
        yield "INSERT that product", lambda: commit(("products", None, ["901", "scooter", "small 2-wheel scooter"]))
        yield "UPDATE an order: it is done", lambda: commit(change("orders", order, order_status="1"))
        busy = max(shop.rows["products"], key=lambda key: sum(row[4] == key for row in shop.rows["orders"].values()))
        yield "UPDATE the product with most orders: its name", lambda: commit(change("products", busy, name="a new name"))
        yield "UPDATE an order: it is of another product", lambda: commit(change("orders", order, product_id="901"))
        yield "UPDATE the key of a product: its orders lose it", lambda: commit(change("products", "901", id="902"))
        yield "DELETE the product with most orders", lambda: commit(("products", busy, None))
        yield "DELETE an order", lambda: commit(("orders", order, None))
        yield ("%d random transactions" % self.options.transactions,
               lambda: [shop.random_transaction() for _ in range(self.options.transactions)])

    def run(self):
        self.start()
        for what, act in self.steps():
            self.step(what, act)
            if not self.options.once:
                time.sleep(2)
        self.page.state["doing"] = "All steps are done." if not self.wrong else "Some documents were wrong."
        if self.options.keep or not self.options.once:
            self.stay()
        print("%d steps, %d documents that differed" % (len(self.page.state["steps"]), self.wrong))
        return 1 if self.wrong else 0

    def stay(self):
        print("\nEverything keeps running, %s; Ctrl-C stops it.  %s" % (
            "as it is" if self.options.keep else "with random transactions", self.url), flush=True)
        self.page.state["doing"] = "Running until Ctrl-C." if self.options.keep else "Random transactions, until Ctrl-C."
        try:
            while self.options.keep:
                signal.pause()
            while True:
                for _ in range(10):
                    self.shop.random_transaction()
                    time.sleep(0.1)
                self.compare()
        except KeyboardInterrupt:
            print()


def interrupted(*ignored):
    raise KeyboardInterrupt


def main():
    options = argparse.ArgumentParser(prog="demo-enriched-orders.sh", description="orders joined with products, in a search index")
    options.add_argument("--once", action="store_true", help="all steps without a pause, then end: 0 when no document ever differed")
    options.add_argument("--keep", action="store_true", help="leave everything running after the steps")
    options.add_argument("--engine", default="7", choices=["7", "8", "opensearch"], help="Elasticsearch 7 (the default) or 8, or OpenSearch")
    options.add_argument("--port", type=int, default=8088, help="of the live page (8088; another one when it is taken)")
    options.add_argument("--orders", type=int, default=1000, help="that are there before")
    options.add_argument("--products", type=int, default=40, help="that are there before")
    options.add_argument("--transactions", type=int, default=300, help="in the last step")
    options.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="directory of the programs")
    signal.signal(signal.SIGTERM, interrupted)
    demo = Demo(options.parse_args())
    try:
        return demo.run()
    except KeyboardInterrupt:
        return 1 if demo.wrong else 0
    except Failed as failed:
        print("demo-enriched-orders: %s" % failed, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.stop()


if __name__ == "__main__":
    sys.exit(main())

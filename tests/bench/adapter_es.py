#!/usr/bin/env python3
"""adapter_es.py [--rows N] [--rounds N] [--big N] [--version V] [--threads N]: documents a second of obcanal-adapter into a real
Elasticsearch or OpenSearch, from what the server has ready, beside the rate at which the same node takes the same bulks made before: the
same actions of the same documents, as many in a bulk, by as many connections, into an index that has as much in it.

inserts, one UPDATE of every row, orders joined with products whose order changes, the same whose foreign key changes, each --rounds times
after some that don't count, ours and canned one after the other and the other way round the next time. Each of both begins when the node has
nothing left to do of what was before: merges are a large part of its work, and come when they come. The figure is the median of the pairs'
ratios, since the speed of a machine wanders. Then one UPDATE of --big rows while the adapter follows, and the delay after it. The node is warmed up first by bulks of both kinds until its compiler has little left to do, since a user's node
has run for weeks; what the compiler still takes stands beside every figure. CPU of every process of the chain, in microseconds a document:
all of them share this machine, so what the chain costs beside the node is what it stays below the canned rate; "room" is the ratio that
would be reached if no processor were ever idle. OBCANAL_BIN as ctest sets it; nothing else should run meanwhile.
"""
import argparse
import http.client
import json
import os
import signal
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration", "es"))
from es_run import Elasticsearch, Run, obcanal  # noqa: E402
from processors import Stolen, cpu_seconds, wait_idle  # noqa: E402

# Java's figures on such a machine (docs/s), of which three times as many are to be reached; of the canned rate, 0.7.
JAVA = {"inserts": 7000, "one UPDATE": 5900, "join, changed order": 3100, "join, changed foreign key": 2250}
FIELDS = {"order_id": "long", "order_date": "date", "customer_name": "keyword", "price": "scaled_float", "product_id": "long",
          "order_status": "boolean", "product_name": "keyword", "product_description": "keyword"}
JOIN = """_index: enriched_orders
_id: _id
sql: "select o.order_id as _id, o.order_id as order_id, o.order_date, o.customer_name, o.price, o.product_id, o.order_status, p.name as product_name, p.description as product_description from orders o left join products p on o.product_id = p.id"
"""
BIG = """_index: big_orders
_id: _id
sql: "select b.id as _id, b.id as n, b.note, b.price from big b"
"""
PLAIN = """_index: plain_orders
_id: _id
sql: "select o.order_id as _id, o.order_id as order_id, o.order_date, o.customer_name, o.price, o.product_id, o.order_status from orders o"
"""


# As the adapter asks.
BULK = "/_bulk?timeout=1m&filter_path=errors,error,status,items.*.status,items.*.error"
# Microseconds a document of the node's compiler, below which the node is warm; and for a phase of ours, which asks it other things, too.
WARM, PHASE_WARM = 1.0, 3.0
COLD_ROUNDS = 4  # of a phase, at most, that don't count


def properties(version):
    scaled = {"type": "double"} if version in ("8", "9") else {"type": "scaled_float", "scaling_factor": 100000}
    return {name: scaled if kind == "scaled_float" else {"type": kind} for name, kind in FIELDS.items()}


def canned(es, bodies, connections):
    """Seconds that the node needs for the bodies."""
    left, lock = list(reversed(bodies)), threading.Lock()
    failed = []

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", es.port)
        while True:
            with lock:
                if not left or failed:
                    return
                body = left.pop()
            connection.request("POST", BULK, body, {"Content-Type": "application/x-ndjson"})
            reply = json.loads(connection.getresponse().read())
            if reply["errors"]:
                failed.append(str(reply)[:500])
    threads = [threading.Thread(target=send) for _ in range(connections)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    if failed:
        raise RuntimeError("a canned bulk had errors: " + failed[0])
    return took


def bulks(documents, index, size=1000):
    """Bodies as the adapter's: whole documents with a version from outside, in the order of their numbers."""
    lines, made = [], []
    version = int(time.time() * 1e6)
    for key in sorted(documents, key=int):
        action = {"_index": index, "_id": key, "version": version, "version_type": "external_gte"}
        lines.append(json.dumps({"index": action}, separators=(",", ":")))
        lines.append(json.dumps(documents[key], ensure_ascii=False, separators=(",", ":")))
        if len(lines) == 2 * size:
            made.append(("\n".join(lines) + "\n").encode())
            lines = []
    if lines:
        made.append(("\n".join(lines) + "\n").encode())
    return made


def compiler_seconds(pid):
    """Of the Java compiler's threads, which do the less the longer the node runs."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/comm" % (pid, thread), encoding="ascii") as file:
                if "CompilerThre" in file.read():
                    total += cpu_seconds(pid, "task/%s/stat" % thread)
        except OSError:
            pass  # it has ended
    return total


class Bench:
    def __init__(self, scratch, arguments):
        self.rows, self.connections, self.missed = arguments.rows, arguments.threads, []
        self.arguments = arguments
        self.es = Elasticsearch(scratch, arguments.version, heap="1g").start()
        self.kinds = properties(arguments.version)
        self.warm_up()
        # Nobody else's fields: documents can be written whole.
        self.plain = {name: kind for name, kind in self.kinds.items() if not name.startswith("product_") or name == "product_id"}
        for index, kinds in (("plain_orders", self.plain), ("canned_plain", self.plain), ("enriched_orders", self.kinds),
                             ("canned_enriched", self.kinds)):
            self.create(index, kinds)
        self.run = Run(scratch, arguments.version, {"plain": PLAIN}, es=self.es, batch=arguments.batch,
                       properties={"threads": str(arguments.threads)})
        self.run.sql("CREATE TABLE orders (order_id int PRIMARY KEY, order_date datetime, customer_name varchar(60), price decimal(12,5),"
                     " product_id int, order_status tinyint(1), KEY (product_id));"
                     "CREATE TABLE products (id int PRIMARY KEY, name varchar(40), description varchar(80));"
                     "INSERT INTO products SELECT seq, concat('name ', seq), concat('description of product ', seq) FROM seq_1_to_1000")
        self.run.adapter.start()
        self.run.wait_written()

    def create(self, index, kinds):
        """With an interval of its own, an index is refreshed whether it is searched or not."""
        self.es.create(index, kinds)
        self.es.ask("PUT", "/%s/_settings" % index, {"index": {"refresh_interval": "1s"}})

    def warm_up(self):
        documents = {str(i): {"order_id": i, "order_date": "2024-01-02T03:04:05+08:00", "customer_name": "customer %d" % (i % 977),
                              "price": i / 7, "product_id": i % 1000, "order_status": bool(i % 2), "product_name": "name %d" % (i % 1000),
                              "product_description": "description of product %d" % (i % 1000)} for i in range(100000)}
        sent, spent, bodies = 0, [], bulks(documents, "warm")
        while sent < self.arguments.warm and not (spent and spent[-1] < WARM):
            self.create("warm", self.kinds)
            before = compiler_seconds(self.es.pid)
            for _ in range(2):  # new ones, then others in their place
                canned(self.es, bodies, self.connections)
            sent += 2 * len(documents)
            spent.append((compiler_seconds(self.es.pid) - before) * 1e6 / (2 * len(documents)))
            self.es.documents("warm")
            self.es.ask("DELETE", "/warm")
        print("warm after %d documents; compiler us/doc: %s" % (sent, ", ".join("%.1f" % one for one in spent)), flush=True)

    @property
    def source_pid(self):
        with open(os.path.join(self.run.source.data, "mariadbd.pid"), encoding="ascii") as file:
            return int(file.read())

    def settle(self):
        """Until nobody has anything left to do: merges and translogs in the node, purge in the source, a log to be read in the server."""
        self.es.ask("POST", "/_flush")
        calm = 0
        while calm < 2:
            wait_idle((self.es.pid, self.source_pid, self.run.server.process.pid))
            merging = self.es.ask("GET", "/_stats/merge?filter_path=_all.total.merges.current")["_all"]["total"]["merges"]["current"]
            calm = 0 if merging else calm + 1

    def cpu(self):
        pids = {"source": self.source_pid, "server": self.run.server.process.pid, "adapter": self.run.adapter.process.pid, "node": self.es.pid}
        seconds = {name: cpu_seconds(pid) for name, pid in pids.items()}
        seconds["compiler"] = compiler_seconds(self.es.pid)
        seconds["node"] -= seconds["compiler"]
        return seconds

    def spent(self, before, rows):
        """Microseconds a document, by process."""
        return {name: (after - before[name]) * 1e6 / rows for name, after in self.cpu().items()}

    def canned_round(self, documents, index, size):
        """(documents a second, microseconds a document by process)."""
        bodies = bulks(documents, index, size)
        self.settle()
        before, itself = self.cpu(), time.process_time()
        rate = self.rows / canned(self.es, bodies, self.connections)
        spent = {name: value for name, value in self.spent(before, self.rows).items() if name in ("node", "compiler")}
        return rate, {**spent, "sender": (time.process_time() - itself) * 1e6 / self.rows}

    def our_round(self, sql, quiet):
        """(documents a second, microseconds a document by process, documents in a bulk): the SQL while the adapter is stopped, then the
        time until its last document is there, which nobody asks for in the first `quiet` seconds: each look costs the node, too."""
        adapter = self.run.adapter
        documents, sent = self.figure("documents"), self.figure("bulks")
        os.kill(adapter.process.pid, signal.SIGSTOP)
        try:
            self.run.sql(sql)
            self.run.marks += 1
            self.run.sql("INSERT INTO marker VALUES (%d)" % self.run.marks)
            time.sleep(1)
            self.settle()  # the server reads ahead; not measured
            before, start = self.cpu(), time.monotonic()
        finally:
            os.kill(adapter.process.pid, signal.SIGCONT)
        connection = http.client.HTTPConnection("127.0.0.1", self.es.port)
        mark = "/marker/_doc/%d?_source=false" % self.run.marks
        time.sleep(quiet)

        def marked():
            time.sleep(0.02)
            connection.request("GET", mark)
            return json.loads(connection.getresponse().read()).get("found")
        obcanal.wait_until(marked, lambda: adapter.text()[-3000:], 1800)
        # The mark may be there before others.
        obcanal.wait_until(lambda: self.figure("documents") > documents + self.rows, lambda: adapter.text()[-3000:], 60)
        took = time.monotonic() - start
        return self.rows / took, self.spent(before, self.rows), self.rows / (self.figure("bulks") - sent)

    def figure(self, name):
        return self.run.adapter.metric("obcanal_adapter_es_%s_total" % name)

    def our_half(self, sql, index, quiet):
        """(rate, CPU by process), documents in a bulk, the documents."""
        rate, spent, size = self.our_round(sql, quiet)
        documents = self.es.documents(index)
        if len(documents) != self.rows:
            raise RuntimeError("%d documents instead of %d" % (len(documents), self.rows))
        return (rate, spent), round(size), documents

    def measure(self, name, sql, index, prepare=None):
        pairs, beside, size, documents = [], "canned_" + index.split("_")[0], 0, {}
        number, cold, least = 0, COLD_ROUNDS, 0
        while len(pairs) < self.arguments.rounds:
            if prepare:
                prepare()
            halves, stolen = {}, Stolen()
            for who in ("canned", "ours") if number % 2 else ("ours", "canned"):
                if who == "ours":
                    halves[who], size, documents = self.our_half(sql, index, 0.7 * least)
                    took = self.rows / halves[who][0]
                    least = min(least or took, took)
                else:
                    halves[who] = self.canned_round(documents, beside, size)
            print("  %s: %.2f; the host took %.1f %%%s" % (name, halves["ours"][0] / halves["canned"][0], stolen.percent(),
                                                        "; a cold node: not counted" if cold else ""))
            for who, (rate, spent) in sorted(halves.items()):
                print("    %-6s %6.0f docs/s; us/doc: %s = %.1f of %.1f" % (
                    who, rate, ", ".join("%s %.1f" % one for one in spent.items()), sum(spent.values()), os.cpu_count() * 1e6 / rate), flush=True)
            if not cold:
                pairs.append((halves["ours"], halves["canned"]))
            number += 1
            warm = all(spent["compiler"] < PHASE_WARM for _, spent in halves.values())
            cold = 0 if warm or not cold else cold - 1
        ours, theirs = zip(*pairs)
        rate, best = (statistics.median(one[0] for one in side) for side in (ours, theirs))
        cost, canned_cost = (statistics.median(sum(one[1].values()) for one in side) for side in (ours, theirs))
        ratios = [one[0] / other[0] for one, other in pairs]
        ratio, wanted = statistics.median(ratios), 10000 if "foreign" in name else 3 * JAVA[name]
        reached = ratio >= 0.7 and rate >= wanted
        if not reached:
            self.missed.append(name)
        print("%-28s %8.0f docs/s, %d in a bulk   canned %8.0f   ratio %.2f (0.70; pairs %s)   room %.2f   %.1fx Java, %d docs/s to reach%s" % (
            name, rate, size, best, ratio, " ".join("%.2f" % one for one in ratios), canned_cost / cost, rate / JAVA[name], wanted,
            "" if reached else "  MISSED"), flush=True)

    def empty(self):
        """Nothing in the table, nothing in the two indexes, without a word to the adapter."""
        self.run.sql("SET sql_log_bin = 0; TRUNCATE TABLE orders")
        for index in ("plain_orders", "canned_plain"):
            self.es.ask("DELETE", "/" + index)
            self.create(index, self.plain)

    def all(self):
        self.measure("inserts", "INSERT INTO orders SELECT seq, '2024-01-02 03:04:05', concat('customer ', seq %% 977), seq / 7, 1 + seq %% 1000,"
                                " seq %% 2 FROM seq_1_to_%d" % self.rows, "plain_orders", self.empty)
        self.measure("one UPDATE", "UPDATE orders SET customer_name = concat(customer_name, '!')", "plain_orders")
        os.remove(os.path.join(self.run.adapter.conf, "es", "plain.yml"))
        self.run.map("orders", JOIN)
        obcanal.wait_until(lambda: "count" in self.run.adapter.get("/count/es/orders.yml"), "the mapping to be taken over")
        status, reply = self.run.adapter.ask("POST", "/etl/es/orders.yml")
        if status != 200 or '"succeeded":true' not in reply:
            raise RuntimeError("full load: %d %s" % (status, reply))
        canned(self.es, bulks(self.es.documents("enriched_orders"), "canned_enriched"), self.connections)
        self.measure("join, changed order", "UPDATE orders SET price = price + 1", "enriched_orders")
        self.measure("join, changed foreign key", "UPDATE orders SET product_id = 1 + (product_id + 6) % 1000", "enriched_orders")
        if self.arguments.big:
            self.big(self.arguments.big)
        return not self.missed

    def big(self, rows):
        """One UPDATE of so many rows while the adapter follows, and how far behind it is afterwards."""
        kinds = properties(self.arguments.version)
        self.es.create("big_orders", {"n": {"type": "long"}, "note": {"type": "keyword"}, "price": kinds["price"]})
        self.run.sql("SET sql_log_bin = 0; CREATE TABLE big (id int PRIMARY KEY, note varchar(40), price decimal(12,5));"
                     "INSERT INTO big SELECT seq, 'first', seq / 7 FROM seq_1_to_%d" % rows)
        adapter = self.run.adapter
        self.run.map("big", BIG)
        obcanal.wait_until(lambda: "count" in adapter.get("/count/es/big.yml"), "the mapping to be taken over")
        status, reply = adapter.ask("POST", "/etl/es/big.yml")
        if status != 200 or '"succeeded":true' not in reply:
            raise RuntimeError("full load: %d %s" % (status, reply))
        self.run.wait_written()
        before, rss = self.cpu(), adapter.rss_kib("VmRSS")
        self.run.sql("UPDATE big SET note = 'second', price = price + 1")
        start = time.monotonic()
        self.run.wait_written(3600)
        took = time.monotonic() - start
        ours = self.spent(before, rows)
        delays = []
        for _ in range(5):
            start = time.monotonic()
            self.run.mark(60)
            delays.append(time.monotonic() - start)
        self.es.ask("POST", "/big_orders/_refresh")
        changed = self.es.ask("GET", "/big_orders/_count", {"query": {"term": {"note": "second"}}})["count"]
        good = changed == rows and max(delays) < 1
        if not good:
            self.missed.append("big UPDATE")
        print("one UPDATE of %d rows: all written %.1f s after its commit (%.0f docs/s), %d changed; delay then %.2f s at most (1.00); peak RSS"
              " of the adapter %d MB, %d MB before, of the server %d MB%s" % (
                  rows, took, rows / took, changed, max(delays), adapter.rss_kib("VmHWM") // 1024, rss // 1024,
                  self.run.server.rss_kib("VmHWM") // 1024, "" if good else "  MISSED"), flush=True)
        print("    us/doc: %s = %.1f" % (", ".join("%s %.1f" % one for one in ours.items()), sum(ours.values())), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=6000000, help="documents after which the node is taken for warm in any case")
    parser.add_argument("--big", type=int, default=1000000)
    parser.add_argument("--version", default="opensearch")
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--batch", type=int, default=5000)
    arguments = parser.parse_args()
    with obcanal.Scratch("bench-es") as scratch:
        good = Bench(scratch, arguments).all()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

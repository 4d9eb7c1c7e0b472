"""A real MariaDB or MySQL, obcanal-server on its log, obcanal-adapter with an Elasticsearch target, and what stands in the index."""
import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "binlog"))
sys.path.insert(0, os.path.join(HERE, "..", "adapter"))
import live  # noqa: E402
import obcanal  # noqa: E402
from adapter_program import Adapter  # noqa: E402
from sql_session import SqlSession  # noqa: E402

ONE_SHARD = {"index": {"number_of_shards": 1, "number_of_replicas": 0}}


class Elasticsearch:
    """A private node of `version`: 6, 7, 8, 9, opensearch, opensearch3."""

    def __init__(self, scratch, version, settings=(), auth="", heap="512m"):
        self.port, self.data = obcanal.free_port(), os.path.join(scratch.path, "es")
        self.version, self.settings, self.auth, self.heap = version, list(settings), auth, heap
        self.types = version == "6"
        self.log = ""
        os.chmod(scratch.path, 0o755)
        scratch.keep(self)

    def start(self):
        argv = [os.path.join(live.SERVICES, "elasticsearch", "start.sh"), "--port", str(self.port), "--data", self.data,
                "--version", self.version, "--heap", self.heap, "--timeout", "500"]
        for setting in self.settings:
            argv += ["--set", setting]
        if self.auth:
            argv += ["--auth", self.auth]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        return self

    def stop(self, *how):
        subprocess.run([os.path.join(live.SERVICES, "elasticsearch", "stop.sh"), "--data", self.data, *how], check=True,
                       stdout=subprocess.DEVNULL)

    def kill(self):
        self.stop("--kill")
        obcanal.wait_until(lambda: not obcanal.port_open(self.port), "the killed node's port to be free")

    @property
    def pid(self):
        with open(os.path.join(self.data, "service.pid"), encoding="ascii") as file:
            return int(file.read())

    def ask(self, method, path, body=None, check=True):
        """The reply; with check=False None where there is none, or a status that is no success."""
        header = {"Content-Type": "application/json"}
        if self.auth:
            header["Authorization"] = "Basic " + base64.b64encode(self.auth.encode()).decode()
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), method=method, data=data, headers=header)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            if check:
                raise RuntimeError("%s %s: %d: %s" % (method, path, error.code, text[:1000]))
        except (OSError, ValueError):
            if check:
                raise
        return None

    def create(self, index, properties, shards=1, **more):
        mappings = {"properties": properties, **more}
        settings = {"index": {**ONE_SHARD["index"], "number_of_shards": shards}}
        self.ask("PUT", "/" + index, {"settings": settings, "mappings": {"_doc": mappings} if self.types else mappings})

    def clear(self):
        for index in self.ask("GET", "/_cat/indices?format=json"):
            self.ask("DELETE", "/" + index["index"])

    def get(self, index, key, routing=""):
        """The document as {"_version": ..., "_source": {...}}; None when it isn't there."""
        path = "/%s/_doc/%s%s" % (index, urllib.request.quote(key, safe=""), "?routing=" + routing if routing else "")
        reply = self.ask("GET", path, check=False)
        return reply if reply and reply.get("found") else None

    def source(self, index, key, routing=""):
        found = self.get(index, key, routing)
        return found and found["_source"]

    def documents(self, index):
        """All of them: {id: _source}."""
        self.ask("POST", "/%s/_refresh" % index)
        found, after = {}, None
        while True:
            if after is None:
                reply = self.ask("POST", "/%s/_search?scroll=2m" % index, {"size": 5000, "sort": ["_doc"]})
            else:
                reply = self.ask("POST", "/_search/scroll", {"scroll": "2m", "scroll_id": after})
            hits = reply["hits"]["hits"]
            if not hits:
                self.ask("DELETE", "/_search/scroll", {"scroll_id": [reply["_scroll_id"]]}, check=False)
                return found
            found.update((hit["_id"], hit["_source"]) for hit in hits)
            after = reply["_scroll_id"]


    def all_documents(self, indexes):
        """Of several small indexes in two requests: {index: {id: _source}}."""
        names = ",".join(indexes)
        self.ask("POST", "/%s/_refresh" % names)
        most = 10000
        reply = self.ask("POST", "/%s/_search" % names, {"size": most, "sort": ["_doc"]})
        hits = reply["hits"]["hits"]
        if len(hits) == most or reply["_shards"]["failed"] or reply["timed_out"]:
            raise RuntimeError("not all documents are found: %r" % reply["_shards"])
        found = {index: {} for index in indexes}
        for hit in hits:
            found[hit["_index"]][hit["_id"]] = hit["_source"]
        return found


class Run:
    """`mappings`: {task: text below "esMapping:"}, of the source's database mytest."""

    def __init__(self, scratch, version, mappings, name="es", properties=None, head="", es=None, batch=1000, extra="", source="mariadb", hosts=None):
        self.scratch = scratch
        self.es = es or Elasticsearch(scratch, version).start()
        self.source = live.Database(scratch, source, name="source").start().user()
        self.source.sql("CREATE DATABASE mytest; CREATE USER 'reader'@'%' IDENTIFIED BY 'reader'; GRANT SELECT ON mytest.* TO 'reader'@'%'")
        self.server = live.server(scratch, self.source).start()
        live.streaming(self.server)
        sources = {"canal.conf": {"srcDataSources": {"defaultDS": {
            "url": "jdbc:mysql://127.0.0.1:%d/mytest?useUnicode=true" % self.source.port, "username": "reader", "password": "reader"}}}}
        outer = [{"name": name, "key": "es", "hosts": hosts or "127.0.0.1:%d" % self.es.port,
                  "properties": {"mode": "rest", "canal.adapter.timeZone": "+08:00", **(properties or {})}}]
        self.name = name
        self.adapter = Adapter(scratch.path, {"g1": outer}, {"canal.tcp.server.host": "127.0.0.1:%d" % self.server.port,
                                                             "canal.tcp.batch.size": batch}, password="", extra=extra)
        with open(os.path.join(self.adapter.conf, "application.yml"), encoding="utf-8") as file:
            value = json.load(file)
        value["canal.conf"].update(sources["canal.conf"])
        self.adapter.write("application.yml", json.dumps(value, indent=2))
        scratch.keep(self.adapter)
        self.application = value
        os.makedirs(os.path.join(self.adapter.conf, name), exist_ok=True)
        self.head = "dataSourceKey: defaultDS\ndestination: example\ngroupId: g1\nouterAdapterKey: es\n" + head
        for task, text in mappings.items():
            self.map(task, text)
        self.map("marker", "_index: marker\n_id: _id\nsql: \"select m.id as _id, m.id as n from marker m\"")
        self.sql("CREATE TABLE marker (id int PRIMARY KEY)")
        self.marks = 0

    def stay(self):
        """From now on all statements are of one session: a client for each of them takes longer than most statements do."""
        session = SqlSession("-h127.0.0.1", "-P%d" % self.source.port, "-uroot")
        self.scratch.keep(session)
        session("USE mytest")
        self.sql = session

    def map(self, task, text, head=""):
        below = "".join("  %s\n" % line for line in text.splitlines())
        self.adapter.write("%s/%s.yml" % (self.name, task), self.head + head + "esMapping:\n" + below)

    def target(self, properties):
        """Other properties of the target; the program takes them over."""
        target = self.application["canal.conf"]["canalAdapters"][0]["groups"][0]["outerAdapters"][0]
        target["properties"] = {"mode": "rest", "canal.adapter.timeZone": "+08:00", **properties}
        self.adapter.write("application.yml", json.dumps(self.application, indent=2))

    def sql(self, text, check=True):
        return self.source.sql("USE mytest; SET NAMES utf8mb4;" + text, check)

    def mark(self, seconds):
        self.marks += 1
        self.sql("INSERT INTO marker VALUES (%d)" % self.marks)
        obcanal.wait_until(lambda: self.es.get("marker", str(self.marks)),
                           lambda: "mark %d in the index; the adapter:\n%s" % (self.marks, self.adapter.text()[-3000:]), seconds)

    def wait_written(self, seconds=120):
        """Until the index has what the source has committed by now: the first mark may be there before the rest of its batch, the second
        one, of a later batch, before the rest of the first one's; the third one's batch begins when that is durable."""
        for _ in range(3):
            self.mark(seconds)

"""The live page: what the index holds, and how fast and how late it is written. On loopback only."""
import http.server
import json
import os
import re
import threading
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 120


class Page:
    """`state`: what demo.py tells about rows and steps; rates and delays are looked up each second."""

    def __init__(self, port, engine, index, metrics_url):
        self.engine, self.index, self.metrics_url = engine, index, metrics_url
        self.state = {"doing": "starting", "steps": []}
        self.rate, self.delay = [], []
        self.written, self.batches, self.stopped = None, None, threading.Event()
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page.answer(self)

            def log_message(self, *ignored):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.watch, daemon=True).start()

    def stop(self):
        self.stopped.set()
        self.server.shutdown()

    # -- answers
    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        try:
            if url.path == "/":
                with open(os.path.join(HERE, "page.html"), "rb") as file:
                    self.send(request, 200, "text/html; charset=utf-8", file.read())
            elif url.path == "/state":
                self.send(request, 200, "application/json", json.dumps({**self.state, "rate": self.rate, "delay": self.delay}).encode())
            elif url.path == "/search":
                asked = urllib.parse.parse_qs(url.query).get("q", [""])[0]
                self.send(request, 200, "application/json", json.dumps(self.search(asked)).encode())
            else:
                self.send(request, 404, "text/plain", b"not found\n")
        except (OSError, ValueError, KeyError) as error:
            self.send(request, 502, "text/plain", ("the index does not answer: %s\n" % error).encode())

    @staticmethod
    def send(request, status, kind, body):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        request.wfile.write(body)

    def search(self, text):
        query = {"match_all": {}}
        if text.strip():
            # All words in one field; what is no number matches none.
            query = {"multi_match": {"query": text, "lenient": True, "operator": "and",
                                     "fields": ["customer_name", "product_name", "product_description", "order_id", "product_id"]}}
        body = {"size": 15, "query": query, "track_total_hits": True, "sort": [{"order_id": "desc"}]}
        found = self.engine.ask("POST", "/%s/_search" % self.index, body)["hits"]
        return {"total": found["total"]["value"], "hits": [hit["_source"] for hit in found["hits"]]}

    # -- figures
    def watch(self):
        while not self.stopped.wait(1):
            try:
                self.look()
            except (OSError, ValueError, KeyError):
                self.note(None, None)

    def look(self):
        figures = self.engine.ask("GET", "/%s/_stats/indexing" % self.index)["_all"]["primaries"]["indexing"]
        written, before = figures["index_total"] + figures["delete_total"], self.written
        self.written = written
        with urllib.request.urlopen(self.metrics_url, timeout=2) as answer:
            text = answer.read().decode()
        batches = float(re.search(r"^obcanal_adapter_batches_total\S* (\S+)", text, re.M).group(1))
        lag = float(re.search(r"^obcanal_adapter_lag_seconds\S* (\S+)", text, re.M).group(1))
        moved, self.batches = batches != self.batches, batches
        self.note(0 if before is None else max(written - before, 0), max(round(lag * 1000), 0) if moved else None)

    def note(self, rate, delay):
        for series, value in ((self.rate, rate), (self.delay, delay)):
            series.append(value)
            del series[:-SECONDS]

"""obcanal-adapter for test drivers: its configuration, its REST, and the changes that its logger target has written."""
import json
import os
import re
import urllib.error
import urllib.request

import obcanal

LINE = re.compile(r"LoggerAdapterExample DML: (\{.*\})$")


class Adapter(obcanal.Program):
    """`groups`: {group: [{"name": ..., "key": ..., "properties": {...}}]} of the destination `example`."""

    def __init__(self, scratch, groups, source, extra="", name="adapter", password="canal"):
        self.rest_port, self.metrics_port = obcanal.free_port(), obcanal.free_port()
        self.conf = os.path.join(scratch, name + "-conf")
        self.data = os.path.join(scratch, name + "-data")
        os.makedirs(os.path.join(self.conf, "rdb"), exist_ok=True)
        self.source = dict(source)
        if password:
            self.source.update({"canal.tcp.username": "canal", "canal.tcp.password": password})
        self.configure(groups, extra)
        argv = [os.path.join(obcanal.bin_dir(), "obcanal-adapter"), "--conf", self.conf]
        super().__init__(argv, os.path.join(scratch, name + ".log"))

    def configure(self, groups, extra=""):
        """application.yml; JSON is YAML."""
        value = {
            "server": {"address": "127.0.0.1", "port": self.rest_port},
            "canal.adapter": {"data.dir": self.data, "metrics.port": self.metrics_port},
            "canal.conf": {
                "mode": "tcp",
                "timeout": 100,
                "consumerProperties": self.source,
                "canalAdapters": [{
                    "instance": "example",
                    "groups": [{"groupId": group, "outerAdapters": outer} for group, outer in groups.items()],
                }],
            },
        }
        text = json.dumps(value, indent=2)
        if extra:
            text = text[:-2] + ",\n" + extra + "\n}"
        self.write("application.yml", text)

    def write(self, name, text):
        path = os.path.join(self.conf, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def start(self):
        self.spawn()
        self.wait_ready(lambda: re.search(r"\bready\b", self.text(self.offset)))
        return self

    def ask(self, method, path, body=None, header=None, port=None):
        """(status, text)."""
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (port or self.rest_port, path), method=method, data=body,
                                         headers=header or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path):
        return json.loads(self.ask("GET", path)[1])

    def metric(self, name, label=""):
        """The sum over the samples that hold `label`."""
        found = re.findall(r"^%s\{(.*)\} (\S+)$" % name, self.ask("GET", "/metrics")[1], re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)

    def rows(self):
        found = re.findall(r'^obcanal_adapter_rows_total\{.*type="(?:insert|update|delete)".*\} (\S+)$', self.ask("GET", "/metrics")[1],
                           re.MULTILINE)
        return sum(map(float, found))

    def dmls(self, group=None, since=0):
        lines = [LINE.search(line) for line in self.text(since).splitlines()]
        all_dmls = [json.loads(line.group(1)) for line in lines if line]
        return [dml for dml in all_dmls if group is None or dml["groupId"] == group]

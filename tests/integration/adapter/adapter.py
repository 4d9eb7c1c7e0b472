"""obcanal-adapter from a real obcanal-server that reads the recorded shop workload: what its logger target writes is the
recording, once for each group, whatever is stopped, switched, edited or killed meanwhile.

Without arguments; needs OBCANAL_BIN and OBCANAL_FIXTURES.
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import obcanal  # noqa: E402
from adapter_program import Adapter  # noqa: E402

LOGGER = [{"name": "logger"}]
SHOP = "oblog/shop.logmsg"
STOP_SECONDS = 30 if os.environ.get("ASAN_OPTIONS") else 5


def expect(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %.500r instead of %.500r" % (what, got, wanted))


def recorded():
    """(rows that were changed, {table: {key: row}} at the end)."""
    changes = 0
    with open(obcanal.fixture("oblog/shop.jsonl"), encoding="utf-8") as file:
        for line in file:
            changes += json.loads(line)["op"] in ("INSERT", "UPDATE", "DELETE")
    final = {}
    with open(obcanal.fixture("oblog/shop.final.jsonl"), encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            row = record["row"]
            final.setdefault(record["table"], {})[next(iter(row.values()))] = row
    return changes, final


def replayed(dmls):
    """The tables after these changes, every value as text."""
    tables = {}
    for dml in dmls:
        if dml["isDdl"]:
            continue
        rows = tables.setdefault(dml["table"], {})
        for number, row in enumerate(dml["data"]):
            row = {name: None if value is None else str(value) for name, value in row.items()}
            key = dml["pkNames"][0]
            if dml["type"] == "DELETE":
                del rows[row[key]]
                continue
            if dml["type"] == "UPDATE":
                old = dml["old"][number]
                del rows[str(old.get(key, row[key]))]
            elif row[key] in rows:
                raise RuntimeError("%s %s was inserted twice" % (dml["table"], row[key]))
            rows[row[key]] = row
    return tables


def same_tables(what, got, wanted):
    for table, rows in wanted.items():
        have = got.get(table, {})
        expect("%s: keys of %s" % (what, table), sorted(have), sorted(rows))
        for key, row in rows.items():
            for column, value in row.items():
                mine = have[key][column]
                if column == "price":
                    mine, value = float(mine), float(value)
                expect("%s: %s of %s %s" % (what, column, table, key), mine, value)


def wait_rows(adapter, count):
    obcanal.wait_until(lambda: adapter.rows() >= count, lambda: "%d rows: %s" % (count, adapter.text()[-2000:]), 120)
    expect("rows", adapter.rows(), count)


def timed_stop(adapter):
    start = time.monotonic()
    adapter.stop()
    if time.monotonic() - start > STOP_SECONDS:
        raise RuntimeError("the adapter took %.1f s to stop" % (time.monotonic() - start))


def switched_off_and_two_groups(scratch, changes, final):
    """Nothing is applied while off; then everything, in order, to both groups; nothing again after a restart."""
    logproxy_port = obcanal.free_port()
    server = scratch.server(logproxy_port)
    adapter = scratch.keep(Adapter(scratch.path, {"g1": LOGGER, "g2": LOGGER},
                                   {"canal.tcp.server.host": "127.0.0.1:%d" % server.port})).start()
    expect("destinations", adapter.get("/destinations"), [{"destination": "example", "status": "on"}])
    expect("switch off", json.loads(adapter.ask("PUT", "/syncSwitch/example/off")[1])["code"], 20000)
    expect("bad word", json.loads(adapter.ask("PUT", "/syncSwitch/example/maybe")[1])["code"], 50000)
    expect("state", adapter.get("/syncSwitch/example"), {"status": "off"})
    expect("state of an unknown one", adapter.get("/syncSwitch/nobody"), {"status": "off"})
    obcanal.wait_until(lambda: adapter.metric("obcanal_adapter_connected") == 0, "the session to end")

    scratch.keep(obcanal.LogProxy(scratch.path, [obcanal.fixture(SHOP)], port=logproxy_port)).start()
    obcanal.wait_until(lambda: "source" in server.text(), "the server to read")
    expect("lines while off", adapter.dmls(), [])
    adapter.ask("PUT", "/syncSwitch/example/on")
    wait_rows(adapter, changes)
    first, second = ([dict(dml, groupId="", ts=0) for dml in adapter.dmls(group)] for group in ("g1", "g2"))
    expect("the groups agree", first == second, True)
    same_tables("g1", replayed(first), final)
    expect("health", adapter.ask("GET", "/healthz"), (200, "ok\n"))
    timed_stop(adapter)

    size = os.path.getsize(adapter.log)
    adapter.start()
    obcanal.wait_until(lambda: adapter.metric("obcanal_adapter_connected") == 1, "a session")
    wait_rows(adapter, 0)
    expect("what was acknowledged comes again", adapter.dmls(since=size), [])
    return server, adapter


def edited_while_it_runs(adapter):
    """A wrong application.yml changes nothing; a right one is applied as a whole."""
    whole = open(os.path.join(adapter.conf, "application.yml"), encoding="utf-8").read()
    adapter.write("application.yml", whole.replace('"timeout": 100', '"timeout": "soon"'))
    obcanal.wait_until(lambda: "the one before stays in force" in adapter.text(), "the wrong file to be refused")
    expect("place of the fault", "canal.conf.timeout: 'soon' must be a number" in adapter.text(), True)
    expect("still on", adapter.metric("obcanal_adapter_connected"), 1)
    adapter.configure({"g1": LOGGER, "g3": LOGGER})
    obcanal.wait_until(lambda: "the edited configuration is applied" in adapter.text(), "the right file to be applied")
    obcanal.wait_until(lambda: adapter.metric("obcanal_adapter_connected") == 1, "a session")


def only_with_the_token(adapter):
    """A page in a browser on this machine is a stranger."""
    status, text = adapter.ask("GET", "/destinations", header={"Origin": "http://evil.example"})
    expect("a stranger", (status, "canal.adapter.rest.token" in text), (403, True))
    status, text = adapter.ask("GET", "/metrics", port=adapter.metrics_port)
    expect("metrics on the reference's port of them", (status, "obcanal_adapter_rows_total" in text), (200, True))
    expect("nothing else there", adapter.ask("GET", "/destinations", port=adapter.metrics_port)[0], 404)
    expect("metrics are open", adapter.ask("GET", "/metrics", header={"Origin": "http://evil.example"})[0], 200)
    expect("unknown full load", adapter.get("/count/rdb/none.yml")["succeeded"], False)
    answer = json.loads(adapter.ask("POST", "/etl/rdb/none.yml", b"params=1")[1])
    expect("unknown task", answer["succeeded"], False)


def server_goes_and_comes(scratch, server, adapter):
    """The adapter waits for a killed server, and takes up where it was."""
    server.kill()
    obcanal.wait_until(lambda: adapter.metric("obcanal_adapter_connected") == 0, "the loss to be seen")
    expect("health", adapter.ask("GET", "/healthz")[0], 503)
    server.start()
    obcanal.wait_until(lambda: adapter.metric("obcanal_adapter_connected") == 1, "a new session")
    size = os.path.getsize(adapter.log)
    timed_stop(adapter)
    expect("rows after the kill", adapter.dmls(since=size), [])


def killed_in_between(scratch, changes, final):
    """kill -9 again and again: every change arrives, in order; what comes twice is whole batches."""
    folder = os.path.join(scratch.path, "killed")
    os.mkdir(folder)
    logproxy = scratch.keep(obcanal.LogProxy(folder, [obcanal.fixture(SHOP)], ["--rate", "1500"])).start()
    server = scratch.keep(obcanal.Server(folder, logproxy.port)).start()
    adapter = scratch.keep(Adapter(folder, {"g1": LOGGER}, {"canal.tcp.server.host": "127.0.0.1:%d" % server.port,
                                                            "canal.tcp.batch.size": 20}))
    for _ in range(4):
        adapter.start()
        size = os.path.getsize(adapter.log)
        obcanal.wait_until(lambda: len(adapter.dmls(since=size)) > 20, "some rows", 60)
        adapter.kill()
    adapter.start()
    seen, order = {}, []

    def all_there():
        seen.clear()
        order.clear()
        for dml in adapter.dmls():
            text = json.dumps(dict(dml, ts=0), sort_keys=True)
            if text not in seen:
                order.append(dml)
            seen[text] = seen.get(text, 0) + 1
        return sum(len(dml["data"] or []) for dml in order if not dml["isDdl"]) >= changes
    obcanal.wait_until(all_there, lambda: "all rows, %d now" % len(order), 120)
    same_tables("after kills", replayed(order), final)
    timed_stop(adapter)
    print("killed 4 times: %d lines, %d of them again" % (sum(seen.values()), sum(seen.values()) - len(seen)), flush=True)


def checks_of_the_program(adapter):
    program = os.path.join(obcanal.bin_dir(), "obcanal-adapter")

    def run(*arguments):
        done = subprocess.run([program] + list(arguments), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
    expect("--check", run("--conf", adapter.conf, "--check")[:2], (0, adapter.conf + ": no errors\n"))
    status, printed, _ = run("--conf", adapter.conf, "--print-config")
    expect("--print-config", (status, "canal.tcp.password = ***" in printed), (0, True))
    expect("sample of the reference", run("--conf", obcanal.fixture("adapter-conf"), "--check")[0], 0)
    expect("letters", run("dead-letters", "list", "--conf", adapter.conf), (0, "", ""))
    status, _, complaint = run("dead-letters", "drop", "7", "--conf", adapter.conf)
    expect("no such letter", (status, "not there" in complaint), (1, True))
    expect("no letter named", run("dead-letters", "retry", "--conf", adapter.conf)[0], 2)
    adapter.write("application.yml", '{"canal.conf": {"canalAdapters": [{"instance": "x", "groups": '
                                     '[{"outerAdapters": [{"name": "kudu"}]}]}]}}')
    status, _, complaint = run("--conf", adapter.conf)
    expect("an adapter that is none", (status, "'kudu' is no adapter of this version" in complaint), (2, True))
    expect("--version", run("--version")[0], 0)


def main():
    changes, final = recorded()
    with obcanal.Scratch("adapter") as scratch:
        server, adapter = switched_off_and_two_groups(scratch, changes, final)
        edited_while_it_runs(adapter)
        only_with_the_token(adapter)
        server_goes_and_comes(scratch, server, adapter)
        killed_in_between(scratch, changes, final)
        checks_of_the_program(adapter)
    print("adapter: %d rows to each group" % changes)


if __name__ == "__main__":
    main()

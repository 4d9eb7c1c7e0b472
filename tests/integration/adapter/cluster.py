"""obcanal-adapter in a cluster, with a real ZooKeeper: finds the server that runs the destination and follows it to another,
one adapter of two consumes and the other takes over, and the switch is one word for both that outlives them.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import obcanal  # noqa: E402
from adapter import LOGGER, SHOP, expect, recorded, replayed, same_tables, timed_stop  # noqa: E402
from adapter_program import Adapter  # noqa: E402
from zookeeper import Zookeeper  # noqa: E402

FAILOVER = 60


def server(scratch, name, logproxy, zookeeper):
    folder = os.path.join(scratch.path, name)
    os.mkdir(folder)
    return scratch.keep(obcanal.Server(folder, logproxy.port, server={
        "canal.zkServers": zookeeper.place,
        "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
        "canal.zookeeper.session.timeout": 2000,
    }))


def connected(adapter):
    return adapter.metric("obcanal_adapter_connected") == 1


def all_rows(adapters):
    """Lines of all adapters, each change once: what was not acknowledged at a take-over comes again."""
    seen, order = set(), []
    for adapter in adapters:
        for dml in adapter.dmls("g1"):
            text = repr(sorted(dict(dml, ts=0).items()))
            if text not in seen:
                seen.add(text)
                order.append(dml)
    return order


def main():
    changes, final = recorded()
    with obcanal.Scratch("adapter-cluster") as scratch, Zookeeper(scratch.path, None) as zookeeper:
        hosts = zookeeper.place
        logproxy = scratch.logproxy(obcanal.fixture(SHOP), options=["--rate", "800"])
        first = server(scratch, "one", logproxy, zookeeper).start()
        # Ready is a server that stands by, too: this one is to lead.
        obcanal.wait_until(lambda: "start successful destination=example" in first.text(), first.text, FAILOVER)
        second = server(scratch, "two", logproxy, zookeeper).start()
        adapters = []
        for name in ("a", "b"):
            adapter = Adapter(scratch.path, {"g1": LOGGER}, {"canal.tcp.zookeeper.hosts": hosts, "canal.tcp.batch.size": 50},
                              '"canal.conf.zookeeperHosts": "%s"' % hosts, name)
            adapters.append(scratch.keep(adapter).start())
            obcanal.wait_until(lambda: sum(map(connected, adapters)) == 1, "one to consume", FAILOVER)
        expect("who consumes", [connected(adapter) for adapter in adapters], [True, False])
        obcanal.wait_until(lambda: adapters[0].rows() > 100, "rows", FAILOVER)

        # One word for both, and it outlives them.
        adapters[0].ask("PUT", "/syncSwitch/example/off")
        obcanal.wait_until(lambda: adapters[1].get("/syncSwitch/example") == {"status": "off"}, "the word to arrive")
        obcanal.wait_until(lambda: not any(map(connected, adapters)), "nobody to consume")
        timed_stop(adapters[1])
        adapters[1].start()
        obcanal.wait_until(lambda: adapters[1].get("/syncSwitch/example") == {"status": "off"}, "the word to be there")
        adapters[1].ask("PUT", "/syncSwitch/example/on")
        obcanal.wait_until(lambda: sum(map(connected, adapters)) == 1, "one to consume again", FAILOVER)

        # The server that runs the destination goes: whoever consumes follows to the other one.
        first.kill()
        first.process = None
        obcanal.wait_until(lambda: not any(map(connected, adapters)), "the loss to be seen")
        obcanal.wait_until(lambda: sum(map(connected, adapters)) == 1, "one to consume from the other server", FAILOVER)
        before = sum(adapter.rows() for adapter in adapters)
        obcanal.wait_until(lambda: sum(adapter.rows() for adapter in adapters) - before > 50, "its rows", FAILOVER)
        # The adapter that consumes is killed: the other one takes over.
        consuming = next(number for number, adapter in enumerate(adapters) if connected(adapter))
        adapters[consuming].kill()
        adapters[consuming].process = None
        other = adapters[1 - consuming]
        obcanal.wait_until(lambda: connected(other), "the other adapter to consume", FAILOVER)
        order = []

        def all_there():
            order[:] = all_rows([adapters[consuming], other])
            return sum(len(dml["data"] or []) for dml in order if not dml["isDdl"]) >= changes
        obcanal.wait_until(all_there, lambda: "all rows, %d now" % len(order), 120)
        # By the order at the source: two logs have none in common.
        order.sort(key=lambda dml: dml["es"])
        same_tables("cluster", replayed(order), final)
        timed_stop(other)
        second.stop()
    print("adapter in a cluster: %d changes" % len(order))


if __name__ == "__main__":
    main()

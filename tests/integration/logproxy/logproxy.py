"""The server, and `obcanal logproxy record`, against log proxies that behave as those in the field do.

Every case ends with all entries of the log delivered once (the cause of the trouble named in the log before it), or with a
destination that delivers nothing and says why.
"""
import os
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fault"))
import canal_wire as wire  # noqa: E402
import certificates  # noqa: E402
import obcanal  # noqa: E402
from cutting_proxy import CuttingProxy, FROM_SERVER  # noqa: E402
from delivery import QUICK_RETRIES, Broken, read_log  # noqa: E402
from tls_relay import TlsRelay  # noqa: E402

PROXY = "canal.instance.oceanbase.logproxy."
LOG = "oblog/shop.logmsg"
ROWS_MIN = 1000  # the recording has more entries than this: an empty reference must not pass for equality


class Cases:
    def __init__(self, scratch):
        self.scratch = scratch
        self.certificates = os.path.join(scratch.path, "certificates")
        os.mkdir(self.certificates)
        certificates.make(self.certificates)
        self.logproxy = scratch.logproxy(obcanal.fixture(LOG))
        self.entries = self.delivered("nothing is wrong", self.logproxy.port)
        if len(self.entries) < ROWS_MIN:
            raise Broken("the reference run delivered only %d entries" % len(self.entries))

    def folder(self, name):
        path = os.path.join(self.scratch.path, name.replace(" ", "-"))
        os.mkdir(path)
        return path

    def server(self, name, port, instance):
        return self.scratch.keep(obcanal.Server(self.folder(name), port, instance={**QUICK_RETRIES, **instance})).start()

    def file(self, name):
        return os.path.join(self.certificates, name)

    def delivered(self, name, port, instance=(), named=()):
        server = self.server(name, port, dict(instance))
        entries = read_log(server.port)
        self.check_named(name, server, named)
        server.stop()
        return entries

    def whole(self, name, port, instance=(), named=()):
        """All entries come, once, in order."""
        entries = self.delivered(name, port, instance, named)
        if entries != self.entries:
            raise Broken("%s: %d entries came, %d were to come" % (name, len(entries), len(self.entries)))
        print("%s: %d entries" % (name, len(entries)), flush=True)

    def refused(self, name, port, instance, named):
        """Nothing comes, and the log says why."""
        server = self.server(name, port, instance)
        obcanal.wait_until(lambda: named[0] in server.text(), lambda: "%s: %s in\n%s" % (name, named, server.text()[-3000:]))
        self.check_named(name, server, named)
        client = wire.Client(server.port)
        client.subscribe()
        _, entries = client.get(100, 200)
        client.close()
        if entries:
            raise Broken("%s: %d entries came" % (name, len(entries)))
        server.stop()
        print("%s: named" % name, flush=True)

    def check_named(self, name, server, named):
        missing = [text for text in named if text not in server.text()]
        if missing:
            raise Broken("%s: the log does not say %s" % (name, missing))

    def tls(self):
        plain = {PROXY + "sslEnabled": "true", PROXY + "serverCert": self.file("ca.crt")}
        mutual = {**plain, PROXY + "clientCert": self.file("client.crt"), PROXY + "clientKey": self.file("client.key")}
        relay = TlsRelay(self.logproxy.port, self.certificates, "server")
        relay.start()
        self.whole("tls", relay.port, plain)
        if not relay.versions or any(version not in ("TLSv1.2", "TLSv1.3") for version in relay.versions):
            raise Broken("TLS versions spoken: %s" % relay.versions)
        spoken = len(relay.versions)
        self.refused("a certificate of a stranger's", relay.port, {**plain, PROXY + "serverCert": self.file("stranger.crt")},
                     ["certificate verify failed"])
        self.refused("plain text to a port that speaks TLS", relay.port, {}, ["log proxy 127.0.0.1:%d" % relay.port])
        if len(relay.versions) != spoken:
            raise Broken("a connection without trust got through")
        relay.stop()
        self.refused("TLS to a port that speaks plain text", self.logproxy.port, plain,
                     ["log proxy 127.0.0.1:%d" % self.logproxy.port])
        relay = TlsRelay(self.logproxy.port, self.certificates, "server", client_ca="ca")
        relay.start()
        self.whole("mutual tls", relay.port, mutual)
        self.refused("no certificate where one is asked for", relay.port, plain, ["log proxy 127.0.0.1:%d" % relay.port])
        relay.stop()

    def addresses(self):
        """The first address is dead, the second breaks now and then: the third alone could do it."""
        cutting = CuttingProxy(self.logproxy.port, [(FROM_SERVER, at) for at in (0, 3000, 9000)])
        cutting.start()
        ports = (obcanal.free_port(), cutting.port, self.logproxy.port)
        self.whole("several addresses", ports[2], {PROXY + "address": ",".join("127.0.0.1:%d" % port for port in ports)},
                   named=["log proxy 127.0.0.1:%d" % port for port in ports[:2]])
        cutting.stop()

    def serve(self, *options):
        return self.scratch.keep(obcanal.LogProxy(self.folder("proxy " + options[0][2:]), [obcanal.fixture(LOG)], options)).start()

    def misbehaviour(self):
        serve = self.serve
        self.whole("bytes in threes", serve("--piece", "3", "--stop-after-rows", "100000").port)
        self.whole("status packets between", serve("--status").port)
        self.whole("cuts by the proxy", serve("--cut-at", "9", "100", "5000", "20000").port, named=["log proxy"])
        self.refused("an error before the handshake", serve("--error-before", "no such tenant").port, {}, ["no such tenant"])
        self.refused("an error after the handshake", serve("--error-after", "the log was recycled").port, {}, ["the log was recycled"])
        self.refused("silence after the handshake's answer", serve("--silent-at", "40").port, {PROXY + "readTimeout": 300},
                     ["silent for 300 ms"])

    def growing(self):
        """A recording that is written while it is sent, in pieces that end anywhere."""
        path = os.path.join(self.folder("growing"), "now.logmsg")
        with open(obcanal.fixture(LOG), "rb") as file:
            recording = file.read()
        with open(path, "wb", buffering=0) as file:
            # Heartbeats come before there is any record.
            options = ["--follow", "--heartbeat", "10"]
            proxy = self.scratch.keep(obcanal.LogProxy(self.folder("proxy follow"), [path], options)).start()
            def write():
                for at in range(0, len(recording), 9973):
                    file.write(recording[at:at + 9973])
                    time.sleep(0.005)  # so that the proxy meets it at many of its lengths
            writer = threading.Thread(target=write)
            threading.Timer(0.5, writer.start).start()
            self.whole("a recording that grows", proxy.port)
            writer.join()
        proxy.stop()

    def record(self):
        """What `obcanal logproxy record` writes over cut connections is what the log proxy sent, each record once."""
        plan = [(FROM_SERVER, at) for at in (300, 20, 3000, 4000, 8000, 8001, 12000)]
        # Small packets: whole transactions arrive before a cut, so that the recorder's back-off starts anew.
        cutting = CuttingProxy(self.serve("--packet-records", "5").port, plan)
        cutting.start()
        folder = self.folder("record")
        output = os.path.join(folder, "again.logmsg")
        rows = 500
        argv = [os.path.join(obcanal.bin_dir(), "obcanal"), "logproxy", "record", "--from", "127.0.0.1:%d" % cutting.port,
                "--rs-list", "127.0.0.1:2882:2881", "--user", "user@tenant", "--password", "secret", "--tenant", "obtenant",
                "--start", "1", "--output", output, "--count", str(rows),
                "-D", "canal.instance.oceanbase.workingMode=storage"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise Broken("record ended with %d: %s" % (done.returncode, done.stderr[-2000:]))
        cutting.stop()
        if cutting.planned() > 0:
            raise Broken("%d cuts did not come" % cutting.planned())
        recorded, sent = records(output), records(obcanal.fixture(LOG))
        if len(recorded) < rows or recorded != sent[:len(recorded)]:
            first = next((at for at, (one, other) in enumerate(zip(recorded, sent)) if one != other), len(recorded))
            raise Broken("%d records of %d, record %d is another" % (len(recorded), len(sent), first))
        print("record over %d cuts: %d records" % (len(plan), len(recorded)))


def records(path):
    """The records of a recording; see protocol/oblog/recording.h."""
    with open(path, "rb") as file:
        data = file.read()
    found, at = [], 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        found.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return found


def main():
    started = time.monotonic()
    with obcanal.Scratch("logproxy") as scratch:
        cases = Cases(scratch)
        cases.tls()
        cases.addresses()
        cases.misbehaviour()
        cases.growing()
        cases.record()
    print("%.1f s" % (time.monotonic() - started))


main()

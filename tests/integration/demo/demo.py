"""packaging/demo-enriched-orders.sh, its programs those under test: every step leaves the index equal to the join, the page shows
it to a browser, and Ctrl-C leaves nothing behind.
"""
import os
import re
import signal
import subprocess
import sys
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import obcanal  # noqa: E402
from browser import Browser  # noqa: E402

STEPS = 11


class Demo:
    def __init__(self, scratch):
        self.log, self.work = os.path.join(scratch, "demo.txt"), os.path.join(scratch, "work")
        os.makedirs(self.work)
        os.chmod(scratch, 0o755)
        os.chmod(self.work, 0o755)
        argv = [sys.executable, "-u", os.path.join(ROOT, "packaging", "demo", "demo.py"), "--once", "--keep", "--engine", "opensearch",
                "--port", str(obcanal.free_port()), "--orders", "400", "--transactions", "60", "--bin", obcanal.bin_dir()]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": self.work},
                                            start_new_session=True)

    def text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def wait(self, pattern, seconds=240):
        def there():
            if self.process.poll() is not None:
                raise RuntimeError("the demonstration has ended with %d:\n%s" % (self.process.returncode, self.text()[-3000:]))
            return re.search(pattern, self.text())
        obcanal.wait_until(there, lambda: "%s in\n%s" % (pattern, self.text()[-3000:]), seconds)
        return re.search(pattern, self.text())

    def kill(self):
        """As Ctrl-C does, so that its services go with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    stop = kill


def need(what, got, wanted):
    if got != wanted:
        raise RuntimeError("%s: %r instead of %r" % (what, got, wanted))


def look(browser, demo, page):
    browser.open(page)
    shown = "return document.getElementById(arguments[0]).textContent"
    told = re.findall(r"documents=(\d+) differences=(\d+)", demo.text())
    obcanal.wait_until(lambda: browser.run(shown, "documents") == told[-1][0], "the number of documents on the page")
    need("differences on the page", browser.run(shown, "differences"), "0")
    need("its colour", browser.run("return document.getElementById('differences').className"), "good")
    need("steps on the page", browser.run("return document.querySelectorAll('#steps li').length"), STEPS)
    for chart in ("rate", "delay"):
        points = "return document.querySelector('#%s polyline').getAttribute('points')" % chart
        obcanal.wait_until(lambda: len(browser.run(points).split()) > 1, "a line in the chart %s" % chart)
    highest = browser.run("return document.getElementById('rate-now').textContent")
    if int(re.search(r"top (\d+)", highest).group(1)) == 0:
        raise RuntimeError("no document was ever written: " + highest)
    hits = "return [...document.querySelectorAll('#hits tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    browser.type("#query", "90002")
    obcanal.wait_until(lambda: [row[0] for row in browser.run(hits)] == ["90002"], lambda: "order 90002 alone: %r" % browser.run(hits))
    row = browser.run(hits)[0]
    need("the order", row[:2] + [row[2][:19]], ["90002", "Sally", "2020-07-30T15:23:00"])
    browser.type("#query", "hammer 77777777")
    obcanal.wait_until(lambda: browser.run(shown, "found") == "0 documents", lambda: "nothing: %r" % browser.run(hits))


def main():
    with obcanal.Scratch("demo") as scratch:
        demo = scratch.keep(Demo(scratch.path))
        browser = scratch.keep(Browser(scratch.path))
        page = demo.wait(r"page +(http://\S+)").group(1)
        demo.wait("Everything keeps running")
        told = re.findall(r"documents=(\d+) differences=(\d+)", demo.text())
        need("steps", len(told), STEPS)
        need("differences after each", {int(wrong) for _, wrong in told}, {0})
        if len({int(documents) for documents, _ in told}) < 4 or int(told[0][0]) != 400:
            raise RuntimeError("the steps change nothing: %r" % told)
        look(browser.start(), demo, page)
        pids = subprocess.run(["pgrep", "-f", demo.work], capture_output=True, text=True, check=False).stdout.split()
        if len(pids) < 5:
            raise RuntimeError("few programs run: %r" % pids)
        demo.process.send_signal(signal.SIGINT)
        need("status", demo.process.wait(60), 0)
        left = subprocess.run(["pgrep", "-f", demo.work], capture_output=True, text=True, check=False).stdout.split()
        need("programs that are left", left, [])
        need("files that are left", os.listdir(demo.work), [])
        try:
            urllib.request.urlopen(page, timeout=5)
        except OSError:
            pass
        else:
            raise RuntimeError("the page is still served")
        print(demo.text())


main()

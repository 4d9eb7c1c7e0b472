"""Chromium without a screen, over the WebDriver protocol (W3C WebDriver) of Debian's chromium-driver."""
import json
import os
import subprocess
import urllib.error
import urllib.request

import obcanal

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, scratch):
        self.port, self.log = obcanal.free_port(), os.path.join(scratch, "chromedriver.log")
        self.profile, self.session = os.path.join(scratch, "chromium"), None
        self.driver = subprocess.Popen(["chromedriver", "--port=%d" % self.port, "--log-path=" + self.log], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)

    def text(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        obcanal.wait_until(self.answers, "chromedriver", 60)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + self.profile,
                     "--window-size=1200,900", "--no-first-run", "--disable-background-networking"]
        made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}})
        self.session = made["sessionId"]
        return self

    def answers(self):
        try:
            return self.ask("GET", "/status")["ready"]
        except (OSError, ValueError):
            return False

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError("WebDriver %s %s: %s" % (method, path, error.read().decode(errors="replace")[:600])) from error

    def within(self, method, path, body=None):
        return self.ask(method, "/session/%s%s" % (self.session, path), body)

    def open(self, url):
        self.within("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What `script`, the body of a JavaScript function, returns."""
        return self.within("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def type(self, selector, text):
        """As a person does: into the field that is there, in place of what stands in it."""
        element = self.within("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self.within("POST", "/element/%s/clear" % element, {})
        self.within("POST", "/element/%s/value" % element, {"text": text})

    def kill(self):
        if self.session:
            try:
                self.within("DELETE", "")
            except (OSError, RuntimeError):
                pass
            self.session = None
        self.driver.terminate()
        self.driver.wait()

    stop = kill

"""An HTTP or HTTPS proxy in front of a search node that does to chosen requests what networks and busy nodes do.

    lose   the request reaches the node, its answer is lost
    refuse the connection ends before the request has reached the node
    hold   as lose, but the node gets it only at release(): a request that was given up and arrives late
    slow   a second passes before the node gets it
    wait   the node gets it at pass_on()
    busy   429 without the node; away: 503
"""
import http.client
import http.server
import ssl
import threading
import time


class NodeProxy:
    """`fault` of a request: what to do with it; None: nothing. It gets (path, body) on any thread."""

    def __init__(self, scratch, target, certificate=None):
        """`certificate`: (certificate, key) files, then it speaks TLS."""
        self.target, self.fault, self.held, self.lock = target, lambda path, body: None, [], threading.Lock()
        self.counts, self.log, self.authorizations, self.waiting = {}, "", set(), []
        self.required = None  # of these one, or 401
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                proxy.relay(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A client that has gone, or has no trust in our certificate."""

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.listener.socket = context.wrap_socket(self.listener.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self.thread.start()
        scratch.keep(self)

    def send(self, request):
        method, path, body, header = request
        node = http.client.HTTPConnection("127.0.0.1", self.target, timeout=120)
        try:
            node.request(method, path, body, header)
            answer = node.getresponse()
            return answer.status, answer.read(), answer.getheader("Content-Type", "application/json")
        finally:
            node.close()

    def relay(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        header = {name: value for name, value in handler.headers.items() if name.lower() in ("content-type", "accept", "authorization")}
        request = (handler.command, handler.path, body, header)
        with self.lock:
            self.authorizations.add(header.get("Authorization"))
            kind = self.fault(handler.path, body)
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if kind == "hold":
                self.held.append(request)
            if kind == "wait":
                gate = threading.Event()
                self.waiting.append(gate)
        if self.required is not None and header.get("Authorization") not in self.required:
            return self.answer(handler, 401, b'{"error":{"type":"security_exception","reason":"unable to authenticate"}}', "application/json")
        if kind == "slow":
            time.sleep(1)
        if kind == "wait" and not gate.wait(300):
            handler.close_connection = True
            return None
        if kind in ("busy", "away"):
            return self.answer(handler, 429 if kind == "busy" else 503, b'{"error":{"type":"busy","reason":"by the test"}}', "application/json")
        if kind in ("hold", "refuse"):
            handler.close_connection = True
            return None
        try:
            status, text, kind_of = self.send(request)
        except (OSError, http.client.HTTPException):
            handler.close_connection = True
            return None
        if kind == "lose":
            handler.close_connection = True
            return None
        return self.answer(handler, status, text, kind_of)

    @staticmethod
    def answer(handler, status, text, content_type):
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(text)

    def once(self, kind, path, part):
        """The next request below `path` that holds this."""
        left = [kind]

        def fault(asked, body):
            return left.pop() if left and asked.startswith(path) and part in body else None
        self.fault = fault

    def pass_on(self):
        """What has waited longest goes on."""
        with self.lock:
            self.waiting.pop(0).set()

    def release(self):
        """What was held arrives at the node; its answers."""
        with self.lock:
            held, self.held = self.held, []
        # Whoever asked wanted less of the reply than is looked at here.
        return [self.send((method, path.partition("&filter_path=")[0], body, header)) for method, path, body, header in held]

    def stop(self):
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()

    def kill(self):
        self.stop()

    def text(self):
        return ""

"""What doubles of destinations and relays to destinations have in common: servers on loopback that
hold a request in the middle when they are told to, end in the middle of what they do, and come back
at their port."""

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

# Where a request is held.
HALF_THE_BODY, BEFORE_THE_ANSWER = "half the body", "before the answer"


class Double(ThreadingTCPServer):
    """Listens until it is stopped, but for when it is away."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.address = "%s:%d" % self.server_address
        self.lock = threading.Lock()
        self.connections = set()
        self.is_away = False
        self.hold(None)
        self.serve()

    def serve(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        if not self.is_away:
            self.go_away()

    def go_away(self):
        """Listens no more, and ends all connections wherever they are."""
        self.is_away = True
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.connections:
                end(connection)

    def come_back(self):
        """Listens again, at the port of before."""
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self.is_away = False
        self.serve()

    def hold(self, where, others_before=0):
        """Holds one request, after so many others, until the client is gone; `held` says when."""
        with self.lock:
            self.held = threading.Event()
            self.hold_at, self.others_before = where, others_before

    def place_to_hold(self):
        """Where the request that begins now is held, if it is."""
        with self.lock:
            if self.others_before:
                self.others_before -= 1
                return None
            where, self.hold_at = self.hold_at, None
            return where

    def process_request(self, request, client_address):
        with self.lock:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        # A client that was killed is what tests are about.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def end(connection):
    """Ends a connection for both sides, whoever reads from it at the moment."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side was faster.
        pass


class Exchange(BaseHTTPRequestHandler):
    """One connection to a double that speaks HTTP."""

    protocol_version = "HTTP/1.1"

    def body(self):
        """The request's body, whole."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the connection ends within a request")
        return body

    def say(self, status, answer):
        """Answers with a body of JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def wait_until_gone(self):
        self.close_connection = True
        self.server.held.set()
        try:
            self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            pass

    def log_message(self, *_):
        pass

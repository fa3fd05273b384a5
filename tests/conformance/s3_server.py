"""A real S3 server on loopback, s3s-fs of `tests/s3`, and a relay to it that holds a request in the
middle when it is told to."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config

from server import REGION, REPOSITORY

KEY_ID, SECRET = "AKIDSTORE", "the store's secret"
PROGRAM = os.environ.get("S3_SERVER", REPOSITORY / "target/debug/examples/s3-server")
# Where the relay holds a put.
HALF_THE_BODY, BEFORE_THE_ANSWER = "half the body", "before the answer"


class S3Server:
    """The server over a folder that goes with it. It verifies every signature."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.process = subprocess.Popen(
            [str(PROGRAM), self.directory.name, KEY_ID, SECRET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self.process.stdout.readline()
        if not ready.startswith("ready http://"):
            self.stop()
            raise RuntimeError(f"the S3 server is not ready: {ready!r}")
        self.address = ready.removeprefix("ready http://").strip()

    def stop(self):
        """The server ends with its standard input."""
        self.process.communicate(timeout=30)
        self.directory.cleanup()

    def client(self, secret=SECRET):
        """boto3's client of S3."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.address}",
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}),
        )


class Relay(ThreadingHTTPServer):
    """Passes every request on as it is, and every answer back."""

    daemon_threads = True

    def __init__(self, store):
        super().__init__(("127.0.0.1", 0), Passing)
        self.store = store
        self.address = "%s:%d" % self.server_address
        # (path, If-None-Match, status) of each put that was answered.
        self.answered = []
        self.lock = threading.Lock()
        self.hold(None)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def hold(self, where, puts_before=0):
        """Holds one put, after so many others, until the client is gone; `held` says when."""
        with self.lock:
            self.held = threading.Event()
            self.hold_at, self.puts_before = where, puts_before

    def place_to_hold(self):
        """Where the put that begins now is held, if it is."""
        with self.lock:
            if self.puts_before:
                self.puts_before -= 1
                return None
            where, self.hold_at = self.hold_at, None
            return where

    def handle_error(self, request, client_address):
        # A client that was killed is what the test is about.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Passing(BaseHTTPRequestHandler):
    """One connection to the relay."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        where = self.server.place_to_hold()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with closing(self.ask()) as store:
            if where == HALF_THE_BODY:
                store.send(body[: len(body) // 2])
                return self.wait_until_gone()
            store.send(body)
            answer = store.getresponse()
            if where == BEFORE_THE_ANSWER:
                return self.wait_until_gone()
            condition = self.headers["If-None-Match"]
            self.server.answered.append((self.path, condition, answer.status))
            self.answer(answer)

    def do_HEAD(self):
        with closing(self.ask()) as store:
            self.answer(store.getresponse())

    def ask(self):
        """Sends the request's head on, with the name of the host that was signed."""
        store = HTTPConnection(self.server.store, timeout=60)
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            store.putheader(name, value)
        store.endheaders()
        return store

    def answer(self, answer):
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        # Of an answer without a body, the length is that of the object.
        self.send_header("Content-Length", answer.getheader("Content-Length", len(content)))
        self.end_headers()
        self.wfile.write(content)

    def wait_until_gone(self):
        self.close_connection = True
        self.server.held.set()
        try:
            self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            pass

    def log_message(self, *_):
        pass

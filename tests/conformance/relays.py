"""Relays to real servers, which pass on everything as it is, and hold a request in the middle when
they are told to."""

import socket
import threading
from contextlib import closing
from http.client import HTTPConnection
from socketserver import BaseRequestHandler

from doubles import BEFORE_THE_ANSWER, HALF_THE_BODY, Double, Exchange, end


class HttpRelay(Double):
    """To a server of HTTP."""

    def __init__(self, to):
        self.to = to
        # (path, If-None-Match, status) of each request with a body that was answered.
        self.answered = []
        super().__init__(HttpPassing)


class HttpPassing(Exchange):
    """One connection to the relay."""

    def do_PUT(self):
        where = self.server.place_to_hold()
        body = self.body()
        with closing(self.ask()) as server:
            if where == HALF_THE_BODY:
                server.send(body[: len(body) // 2])
                return self.wait_until_gone()
            server.send(body)
            answer = server.getresponse()
            if where == BEFORE_THE_ANSWER:
                return self.wait_until_gone()
            condition = self.headers["If-None-Match"]
            self.server.answered.append((self.path, condition, answer.status))
            self.answer(answer)

    do_POST = do_PUT

    def do_HEAD(self):
        with closing(self.ask()) as server:
            self.answer(server.getresponse())

    def ask(self):
        """Sends the request's head on, with the name of the host that was signed."""
        server = HTTPConnection(self.server.to, timeout=60)
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            server.putheader(name, value)
        server.endheaders()
        return server

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


class DatabaseRelay(Double):
    """To PostgreSQL without TLS. A transaction is held before it is committed, or before that is
    answered."""

    def __init__(self, to):
        self.to = to
        super().__init__(DatabasePassing)


class DatabasePassing(BaseRequestHandler):
    """One connection to the relay."""

    # The statement, and what the server says of it.
    commit = b"COMMIT\0"

    def handle(self):
        host, port = self.server.to.split(":")
        self.where = None
        with socket.create_connection((host, int(port))) as server:
            answers = threading.Thread(target=self.pass_answers, args=(server,), daemon=True)
            answers.start()
            try:
                self.pass_statements(server)
            finally:
                # What is closed while somebody reads from it stays open.
                end(server)

    def pass_statements(self, server):
        while said := self.request.recv(65_536):
            if self.commit in said:
                self.where = self.server.place_to_hold()
            if self.where == HALF_THE_BODY:
                self.server.held.set()
                # Until it is gone.
                self.request.recv(1)
                return
            server.sendall(said)

    def pass_answers(self, server):
        try:
            while said := server.recv(65_536):
                if self.where == BEFORE_THE_ANSWER and self.commit in said:
                    self.server.held.set()
                    return
                self.request.sendall(said)
        except OSError:
            # One of the two is gone.
            pass
        end(self.request)

"""A server for recordings that does wrong in whatever way the path says."""

from __future__ import annotations

import contextlib
import gzip
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from goalloc_cli.exporters import protobuf as pb
from tests.kit.batches import SMALL, written
from tests.kit.root import DATA

PROFILE = DATA / "held" / "plain-go1.27.pb.gz"
TRACE = written(SMALL)
"""What the good server answers. A Go server answers with an execution trace; test_record.py has one."""


class Handler(BaseHTTPRequestHandler):
    """A server that does what the first part of the path says."""

    def do_GET(self) -> None:
        getattr(self, self.path.split("/")[1].partition("?")[0])()

    def answer(self, body: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def good(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        self.answer(TRACE)

    def beside(self) -> None:
        """A recording; beside it, once it is asked for, a heap profile."""
        self.answer(TRACE if self.path.partition("?")[0].endswith("/trace") else PROFILE.read_bytes())

    def sampled(self) -> None:
        """The same; the profile holds samples: of fields that stand twice the last counts."""
        more = pb.number(12, 524_288)
        whole = gzip.compress(gzip.decompress(PROFILE.read_bytes()) + more)
        self.answer(TRACE if "/trace" in self.path else whole)

    def missing(self) -> None:
        self.answer(b"404 page not found\n", 404)

    def busy(self) -> None:
        self.answer(b"Could not enable tracing: tracing is already enabled\n", 500)

    def angry(self) -> None:
        self.answer(b"<html><body>\x1b[31m" + b"no" * 5000, 500)

    def mute(self) -> None:
        time.sleep(3)

    def dripping(self) -> None:
        self.answer(b"go 1.26 trace\0\0\0")
        for _ in range(30):
            time.sleep(0.1)
            self.wfile.write(b"1")

    def endless(self) -> None:
        self.answer(b"")
        while True:
            self.wfile.write(b"x" * 65536)

    def promising(self) -> None:
        self.answer(b"", **{"Content-Length": "5000000"})

    def dying(self) -> None:
        self.answer(b"go 1.26 trace\0\0\0", **{"Content-Length": "5000"})

    def empty(self) -> None:
        self.answer(b"")

    def garbage(self) -> None:
        self.answer(bytes(range(128, 256)))

    def page(self) -> None:
        self.answer(b"<!DOCTYPE html><html>welcome</html>")

    def to_file(self) -> None:
        self.answer(b"", 302, Location="file:///etc/passwd")

    def to_ftp(self) -> None:
        self.answer(b"", 307, Location="ftp://127.0.0.1/x")

    def to_good(self) -> None:
        self.answer(b"", 302, Location="/good")

    def in_circles(self) -> None:
        self.answer(b"", 302, Location="/in_circles")

    def to_good_at_length(self) -> None:
        self.answer(b"", 302, Location="/good")
        while True:
            self.wfile.write(b"x" * 65536)

    def to(self) -> None:
        """Redirect to what stands behind the =."""
        self.answer(b"", 302, Location=unquote(self.path.partition("=")[2].partition("&")[0]))

    def slow_error(self) -> None:
        self.answer(b"", 500)
        self.drip()

    def slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.drip()

    def drip(self) -> None:
        for _ in range(30):
            time.sleep(0.1)
            self.wfile.write(b"1")

    def continuing(self) -> None:
        self.flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    def extending(self) -> None:
        self.flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;%s\r\na\r\n" % (b"x" * 60_000))

    def trailing(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        self.flood(head, b"X-More: %s\r\n" % (b"x" * 60_000))

    def flood(self, head: bytes, more: bytes) -> None:
        self.wfile.write(head)
        while True:
            self.wfile.write(more)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client had enough, as it should
            super().handle()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    asked: list[tuple[str, str | None]]

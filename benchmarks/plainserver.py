"""Responsible for a server that takes one telegram a POST and knows nothing of ours: a process of its own.

Asked with GET it tells the clocks of all telegrams, in the order in which they came, and the seconds from the first to
the last.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs

from benchmarks.asking import HOST

CLOCK: Final = re.compile(r"0-0:1\.0\.0\((\d{12}[SW])\)")


@contextmanager
def plain_server(port: int) -> Iterator[None]:
    """A server on a port, which ends with the block."""
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _serve(port: int) -> None:
    clocks: list[str] = []
    instants: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            [telegram] = parse_qs(body.decode("ascii"), encoding="latin-1")["telegram"]
            found = CLOCK.findall(telegram)
            instants[1:] = [time.monotonic()]
            clocks.extend(found)
            self.answer(201 if len(found) == 1 else 400, b"")

        def do_GET(self) -> None:
            self.answer(200, json.dumps([clocks, instants[-1] - instants[0] if instants else 0.0]).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing to say."""

    ThreadingHTTPServer((HOST, port), Handler).serve_forever()

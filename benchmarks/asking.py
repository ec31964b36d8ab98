"""Responsible for the clients: HTTP over plain sockets that stay open, as cheap as possible for the machine they share.

One client that asks and waits, for answers whose time is measured; and many that post at the same time, each its next
telegram as soon as the last was answered.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

from attrs import define, field, frozen

HOST: Final = "127.0.0.1"

PATIENCE_S: Final = 60

LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")

CREATED: Final = b"HTTP/1.1 201 "


@frozen
class Answer:
    """What a server said."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as a value."""
        return json.loads(self.body)


@define
class Connection:
    """A connection that is asked one thing after the other."""

    key: str
    _socket: socket.socket

    def ask(self, path: str) -> Answer:
        """GET."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nX-AUTHKEY: {self.key}\r\n\r\n".encode())
        data = bytearray()
        while (end := _end(data)) is None or len(data) < end:
            more = self._socket.recv(1 << 18)
            if not more:
                raise ConnectionError(f"the server hung up after {bytes(data[:200])!r}")
            data += more
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        return Answer(int(head.split(b" ", 2)[1]), body)

    def seconds(self, path: str) -> float:
        """How long the whole answer takes, which must be 200."""
        begun = perf_counter()
        answer = self.ask(path)
        took = perf_counter() - begun
        assert answer.status == 200, answer
        return took


@contextmanager
def connection(port: int, key: str) -> Iterator[Connection]:
    """A connection that is closed at the end of the block."""
    with _connected(port) as connected:
        yield Connection(key, connected)


def post(telegram: bytes, key: str) -> bytes:
    """The request that posts one telegram to version 1 of the API."""
    body = urlencode({"telegram": telegram}).encode()
    return (
        f"POST /api/v1/datalogger/dsmrreading HTTP/1.1\r\nHost: {HOST}\r\nX-AUTHKEY: {key}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def post_all(port: int, clients: Sequence[Sequence[bytes]]) -> float:
    """Let each client send its requests, one after the other, all clients at the same time.

    Returns: the seconds from the first request to the last answer.
    Raises: ``AssertionError`` when one of the answers is not 201.
    """
    with ExitStack() as stack, DefaultSelector() as selector:
        busy = [_Client(stack.enter_context(_connected(port)), iter(requests)) for requests in clients]
        for client in busy:
            selector.register(client.connection, EVENT_READ, client)
        begun = perf_counter()
        left = sum(client.send_next() for client in busy)
        while left:
            ready = selector.select(PATIENCE_S)
            assert ready, "no answer"
            for chosen, _ in ready:
                if chosen.data.answered() and not chosen.data.send_next():
                    selector.unregister(chosen.fileobj)
                    left -= 1
        return perf_counter() - begun


@define
class _Client:
    """One of those that post."""

    connection: socket.socket
    requests: Iterator[bytes]
    _got: bytearray = field(factory=bytearray)

    def send_next(self) -> bool:
        """Whether there was another request to send."""
        request = next(self.requests, None)
        if request is None:
            return False
        self.connection.sendall(request)
        return True

    def answered(self) -> bool:
        """Take what has come: whether the answer is whole."""
        more = self.connection.recv(1 << 14)
        self._got += more
        end = _end(self._got)
        if more and (end is None or len(self._got) < end):
            return False
        assert self._got.startswith(CREATED), bytes(self._got[:500])
        self._got.clear()
        return True


def _end(data: bytearray) -> int | None:
    """How long the answer is that begins with these bytes, as soon as they tell."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = LENGTH.search(data, 0, head + 2)
    assert length is not None, bytes(data[:500])
    return head + 4 + int(length[1])


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), PATIENCE_S) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connected

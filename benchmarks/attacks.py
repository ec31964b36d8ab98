"""Responsible for hostile clients: each kind holds all the connections that one address may have, for ever.

What is cut off comes back at once. The clients are a process of their own, which gives way to whoever measures.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing.synchronize import Semaphore
from typing import Final

from attrs import frozen

TARGET: Final = "127.0.0.1"

BEGIN_S: Final = 30

CONNECTIONS: Final = 64
"""As many as one address may have."""

_ASK: Final = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"
_POST: Final = b"POST /api/v1/datalogger/dsmrreading HTTP/1.1\r\nHost: a\r\nX-AUTHKEY: wrong\r\n%s\r\n\r\n"


@frozen
class Attack:
    """What each connection does."""

    name: str

    opening: bytes = b""
    """What it sends first."""

    more: bytes = b""
    """What it sends then, again and again; nothing: it waits for its end."""

    pause_s: float = 0.0
    """How long it waits after each of these."""

    asks: bool = False
    """Whether it waits for an answer after each of these."""

    reads: bool = True
    """Whether it fetches what it is answered."""

    leaves: bool = False
    """Whether it hangs up as soon as it is connected, or has sent its opening."""

    addresses: int = 1
    """From how many addresses the connections come."""

    connections: int = CONNECTIONS

    encrypts: bool = False
    """Whether it speaks TLS: its bytes then go out behind the handshake."""


ATTACKS: Final = (
    Attack("says nothing"),
    Attack("connects and leaves", leaves=True),
    Attack("begins, and leaves", _ASK[:15], leaves=True),
    Attack("a byte at a time", _POST % b"Content-Length: 100000", b"x", pause_s=0.2),
    Attack("endless headers", b"GET / HTTP/1.1\r\n", b"X-Flood: aaaaaaaa\r\n" * 1000),
    Attack("a line without end", b"GET /", b"a" * 65536),
    Attack("a body of a gigabyte", _POST % b"Content-Length: 1000000000", b"x" * 65536),
    Attack("tiny chunks", _POST % b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 10000),
    Attack("chunks with endless extensions", _POST % b"Transfer-Encoding: chunked", b"1;" + b"a" * 65536),
    Attack("pipelined requests", more=_ASK % (b"/health", b"") * 500),
    Attack("pipelined requests, unread", more=_ASK % (b"/", b"") * 500, reads=False),
    Attack("front pages", more=_ASK % (b"/", b""), asks=True),
    Attack("wrong keys", more=_POST % b"Content-Length: 0", asks=True),
    Attack("wrong keys, pipelined", more=_POST % b"Content-Length: 0" * 500),
    Attack("wrong keys, and leaves", _POST % b"Content-Length: 0", leaves=True),
    Attack("half requests from 100 addresses", _ASK[:15], addresses=100, connections=700),
)


@contextmanager
def under(attack: Attack, port: int) -> Iterator[None]:
    """The block runs while the attack goes on."""
    context = multiprocessing.get_context("spawn")
    begun = context.Semaphore(0)
    process = context.Process(target=_run, args=(attack, port, begun), daemon=True)
    process.start()
    try:
        for _ in range(attack.connections):
            if not begun.acquire(timeout=BEGIN_S):
                raise TimeoutError(f"{attack.name}: the attack does not begin")
        yield
    finally:
        process.kill()
        process.join()


def _run(attack: Attack, port: int, begun: Semaphore) -> None:
    os.nice(10)
    asyncio.run(_attack(attack, port, begun))


async def _attack(attack: Attack, port: int, begun: Semaphore) -> None:
    await asyncio.gather(*(_go_on(attack, port, number, begun) for number in range(attack.connections)))


async def _go_on(attack: Attack, port: int, number: int, begun: Semaphore) -> None:
    """One connection after the other; ``begun`` learns of the first."""
    here = f"127.0.1.{1 + number % attack.addresses}" if attack.addresses > 1 else TARGET
    tls = ssl.create_default_context() if attack.encrypts else None
    if tls is not None:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    for attempt in count():
        try:
            reader, writer = await asyncio.open_connection(TARGET, port, ssl=tls, local_addr=(here, 0))
        except OSError:
            await asyncio.sleep(0.01)
            continue
        finally:
            if not attempt:
                begun.release()
        with suppress(OSError):
            await _talk(attack, reader, writer)
        writer.transport.abort()
        # Whoever was refused tries again, but leaves the others a turn.
        await asyncio.sleep(0.001)


async def _talk(attack: Attack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(attack.opening)
    if attack.leaves:
        return
    fetching = asyncio.ensure_future(_fetch(reader)) if attack.reads and not attack.asks else None
    try:
        while attack.more and not writer.is_closing():
            writer.write(attack.more)
            await writer.drain()
            if attack.asks and not await reader.read(65536):
                return
            await asyncio.sleep(attack.pause_s)
            if fetching is not None and fetching.done():
                return
        if fetching is not None:
            await fetching
    finally:
        if fetching is not None:
            fetching.cancel()


async def _fetch(reader: asyncio.StreamReader) -> None:
    """Read to the end."""
    while await reader.read(65536):
        pass

"""Tests of the line against real terminals and sockets, on the real reactor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from dsmr_tw.device import SerialDevice, StreamDevice, TcpDevice, device_endpoint, explain
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.source import Source
from tests.live.terminal import Terminal
from tests.printing import pieces, printed

reactor: Any = installed_reactor


@implementer(IStreamClientEndpoint)
@define
class Watched:
    """An endpoint that tells how each attempt to connect ended."""

    endpoint: IStreamClientEndpoint
    ends: DeferredQueue[str] = field(factory=DeferredQueue)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and tell how it went: in the reactor's next turn, when nobody is in the midst of connecting."""

        def connected(protocol: IProtocol) -> IProtocol:
            reactor.callLater(0, self.ends.put, "connected")
            return protocol

        def failed(failure: Failure) -> Failure:
            reactor.callLater(0, self.ends.put, explain(failure.value))
            return failure

        return self.endpoint.connect(protocolFactory).addCallbacks(connected, failed)

    async def until(self, words: str) -> None:
        """Wait for an attempt that ends with these words."""
        while words not in await self.ends.get():
            pass


@define
class Line:
    """A source on the real reactor that tries again without delay."""

    device: StreamDevice
    clock: Any = reactor
    watched: Watched = field(init=False)
    source: Source = field(init=False)
    telegrams: DeferredQueue[bytes] = field(factory=DeferredQueue)

    def __attrs_post_init__(self) -> None:
        self.watched = Watched(device_endpoint(self.device, reactor))
        self.source = Source(
            origin=Origin(self.device.name),
            clock=self.clock,
            on_telegram=self.take,
            on_error=lambda origin, error: None,
            endpoint=self.watched,
            reconnect_when_silent=isinstance(self.device, TcpDevice),
            retry_delay=lambda attempt: 0.005,
        )
        self.source.startService()

    def take(self, telegram: RawTelegram, received_at: int, origin: Origin) -> Telegram:
        """Keep a telegram as it was printed."""
        self.telegrams.put(f"{telegram.text}\r\n".encode("latin-1"))
        return TelegramParser().parse(telegram)

    def stop(self) -> Deferred[None] | None:
        """Stop the source, if that is not done yet."""
        return self.source.stopService() if self.source.running else None

    async def next(self, count: int = 1) -> list[bytes]:
        """The next telegrams, when they are here."""
        return [await self.telegrams.get() for _ in range(count)]


class SerialTests(TestCase):
    """A serial port."""

    timeout = 30

    def setUp(self) -> None:
        """A cable that is not plugged in."""
        self.terminal = Terminal(self.mktemp())
        self.addCleanup(self.terminal.unplug)

    def line(self) -> Line:
        """A source at the end of the cable."""
        line = Line(SerialDevice(self.terminal.path))
        self.addCleanup(line.stop)
        return line

    async def test_plugging(self) -> None:
        """A cable that is plugged in late, pulled out and plugged in again loses nothing that comes while it is in."""
        line = self.line()
        await line.watched.until("is the cable plugged in?")
        for number in (1, 3, 5):
            self.terminal.plug()
            await line.watched.until("connected")
            self.terminal.write([printed(number), printed(number + 1)[:70]])
            self.assertEqual(await line.next(), [printed(number)])
            self.terminal.write([printed(number + 1)[70:]])
            self.assertEqual(await line.next(), [printed(number + 1)])
            self.terminal.unplug()
            await line.watched.until("is the cable plugged in?")
        health = line.source.health
        self.assertEqual((health.telegrams, health.reconnects, health.rejected, health.crc_errors), (6, 2, 0, 0))
        self.assertFalse(health.connected)

    async def test_pieces(self) -> None:
        """Telegrams that trickle in come through whole."""
        self.terminal.plug()
        line = self.line()
        await line.watched.until("connected")
        expected = [printed(number) for number in (1, 2, 3)]
        for size in (1, 7, 64):
            self.terminal.write(pieces(b"".join(expected), size))
            self.assertEqual(await line.next(3), expected, f"in pieces of {size}")

    async def test_garbage(self) -> None:
        """After any noise, flow control characters and 20 kB without a line end included, the next telegram comes."""
        self.terminal.plug()
        line = self.line()
        await line.watched.until("connected")
        bad = printed(2).replace(b"000002", b"000003", 1)
        noise = bytes(range(256)) + b"\xff\x00" * 10_000 + bad + printed(4)[:100] + b"\x13"
        self.terminal.write([printed(1), *pieces(noise, 4096), printed(5)])
        self.assertEqual(await line.next(2), [printed(1), printed(5)])
        health = line.source.health
        self.assertEqual((health.connected, health.reconnects), (True, 0))
        self.assertGreater(health.crc_errors, 0)

    async def test_stopping_after_noise(self) -> None:
        """A port that an XOFF among the noise has stopped is closed all the same."""
        self.terminal.plug()
        line = self.line()
        await line.watched.until("connected")
        self.terminal.write([b"\x13" + printed(1)])
        await line.next()
        await line.source.stopService()
        self.assertFalse(line.source.health.connected)

    async def test_one_reader(self) -> None:
        """Of two sources on one port the second waits until the first is gone, and then reads."""
        self.terminal.plug()
        first, second = self.line(), self.line()
        await first.watched.until("connected")
        await second.watched.until("another program reads it")
        self.terminal.write([printed(1)])
        self.assertEqual(await first.next(), [printed(1)])
        self.assertIn("another program", second.source.health.trouble or "")
        await first.source.stopService()
        await second.watched.until("connected")
        self.terminal.write([printed(2)])
        self.assertEqual(await second.next(), [printed(2)])


class Host(Protocol):
    """The far end of a TCP source: sends when it is told to."""

    transport: ITCPTransport

    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Hand itself to the test."""
        assert self.factory is not None
        self.factory.connections.put(self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell that the other side is gone."""
        self.lost.callback(None)


class Hosts(Factory):
    """Listens for sources."""

    protocol = Host
    noisy = False

    def __init__(self) -> None:
        self.connections: DeferredQueue[Host] = DeferredQueue()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Listen for a while, on the port that this gives."""
        listener = reactor.listenTCP(port, self, interface="127.0.0.1")
        try:
            yield listener.getHost().port
        finally:
            await listener.stopListening()


class TcpTests(TestCase):
    """A host that sends a meter's bytes."""

    timeout = 30

    def line(self, port: int, clock: Any = reactor) -> Line:
        """A source of a host on this machine."""
        line = Line(TcpDevice("127.0.0.1", port), clock)
        self.addCleanup(line.stop)
        return line

    async def test_restarted_host(self) -> None:
        """A host that is restarted is connected to again, and what it sends then arrives."""
        hosts = Hosts()
        async with hosts.listening() as port:
            line = self.line(port)
            host = await hosts.connections.get()
            host.transport.write(printed(1) + printed(2)[:50])
            self.assertEqual(await line.next(), [printed(1)])
        host.transport.loseConnection()
        await line.watched.until("refuses the connection")
        async with hosts.listening(port):
            host = await hosts.connections.get()
            host.transport.write(printed(3))
            self.assertEqual(await line.next(), [printed(3)])
        health = line.source.health
        self.assertEqual((health.telegrams, health.rejected, health.reconnects), (2, 1, 1))

    async def test_half_open(self) -> None:
        """A host that went silent is left after a minute, and its telegrams come over a new connection."""
        clock = Clock()
        hosts = Hosts()
        async with hosts.listening() as port:
            line = self.line(port, clock)
            silent = await hosts.connections.get()
            await line.watched.until("connected")
            clock.pump([1] * 60)
            await silent.lost
            self.assertFalse(line.source.health.connected)
            clock.pump([1])
            talking = await hosts.connections.get()
            talking.transport.write(printed(1))
            self.assertEqual(await line.next(), [printed(1)])
            self.assertEqual(line.source.health.reconnects, 1)

    async def test_nothing_else_is_said(self) -> None:
        """What is said about a connection is ours: a host that is away for long does not fill the log."""
        hosts = Hosts()
        with capturedLogs() as events:
            async with hosts.listening() as port:
                line = self.line(port)
                host = await hosts.connections.get()
                await line.watched.until("connected")
            host.transport.loseConnection()
            for _ in range(3):
                await line.watched.until("refuses the connection")
        told = {event["log_namespace"] for event in events}
        # The test's own listener speaks, too, in the old way.
        self.assertEqual(told - {"log_legacy"}, {"dsmr_tw.source.Source"})

    async def test_keepalive(self) -> None:
        """The system is asked to watch over the connection."""
        hosts = Hosts()
        async with hosts.listening() as port:
            line = self.line(port)
            await line.watched.until("connected")
            receiver = line.source._receiver
            assert receiver is not None
            self.assertTrue(ITCPTransport(receiver.transport).getTcpKeepAlive())

    async def test_last_words(self) -> None:
        """A host that sends one telegram without a line end and hangs up has delivered it."""
        hosts = Hosts()
        async with hosts.listening() as port:
            line = self.line(port)
            host = await hosts.connections.get()
            host.transport.write(printed(1).rstrip())
            host.transport.loseConnection()
            self.assertEqual(await line.next(), [printed(1)])

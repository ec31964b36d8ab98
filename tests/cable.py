"""Responsible for a source on a cable whose far end the test holds, and for a clock that the test moves."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from zope.interface import implementer

from dsmr_tw.decrypt import Decryption
from dsmr_tw.device import SerialDevice
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram
from dsmr_tw.errors import TelegramError
from dsmr_tw.hearing import Hearing
from dsmr_tw.source import Source

START = 1_712_052_000
"""2024-04-02T10:00:00Z, when the clock begins."""


@implementer(IStreamClientEndpoint)
@define
class Cable:
    """An endpoint whose far end the test holds."""

    trouble: Exception | None = None
    """Why it can't be connected now."""

    slow: bool = False
    """Whether an attempt to connect takes for ever."""

    attempts: int = 0

    line: StringTransportWithDisconnection | None = None
    """The connection, while there is one."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once, or fail at once, or not at all."""
        self.attempts += 1
        if self.slow:
            return Deferred()
        if self.trouble:
            return fail(self.trouble)
        protocol = protocolFactory.buildProtocol(SerialDevice("/dev/ttyUSB0"))
        assert protocol is not None
        self.line = StringTransportWithDisconnection()
        self.line.protocol = protocol
        protocol.makeConnection(self.line)
        return succeed(protocol)

    def send(self, data: bytes) -> None:
        """Let the meter print."""
        assert self.line is not None
        self.line.protocol.dataReceived(data)

    def cut(self) -> None:
        """End the connection from the far end."""
        assert self.line is not None
        self.line.loseConnection()


@define
class Meter:
    """A source on a cable, with everything that came of it."""

    cable: Cable = field(factory=Cable)
    clock: Clock = field(factory=Clock)
    taken: list[RawTelegram] = field(factory=list)
    instants: list[int] = field(factory=list)
    errors: list[TelegramError] = field(factory=list)
    origins: set[Origin] = field(factory=set)
    refusal: TelegramError | None = None
    """What the program behind the source says to every telegram."""

    def source(
        self,
        reconnect_when_silent: bool = False,
        crc: CrcPolicy = CrcPolicy.STRICT,
        decryption: Decryption | None = None,
        zone: MeterZone | None = None,
        hearing: Hearing | None = None,
    ) -> Source:
        """The source, started."""
        self.clock.advance(START)
        source = Source(
            origin=Origin("device /dev/ttyUSB0", 7),
            clock=self.clock,
            on_telegram=self.take,
            on_error=self.refuse,
            crc=crc,
            endpoint=self.cable,
            reconnect_when_silent=reconnect_when_silent,
            retry_delay=lambda attempt: 0.5 * attempt,
            decryption=decryption,
            zone=zone,
            hearing=hearing,
        )
        source.startService()
        return source

    def take(self, telegram: RawTelegram, received_at: int, origin: Origin) -> Telegram:
        """Keep a telegram, or refuse it."""
        self.origins.add(origin)
        if self.refusal:
            raise self.refusal
        self.taken.append(telegram)
        self.instants.append(received_at)
        return TelegramParser().parse(telegram)

    def refuse(self, origin: Origin, error: TelegramError) -> None:
        """Keep a refusal."""
        self.origins.add(origin)
        self.errors.append(error)

    def wait(self, seconds: int) -> None:
        """Let time pass as a clock does, a second at a time."""
        self.clock.pump([1] * seconds)

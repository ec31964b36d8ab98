"""Responsible for making lines of the bytes that a meter sends, whatever they are and however they are cut.

Bytes in; telegrams and refusals out, to two callables, each as soon as its last line is complete.
No bytes and no error of a callable end the connection: a bad byte costs at most the telegram that it is in.
What a telegram is, the assembler knows; what it means, nobody here.

Tests: ``tests/test_serialproto.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.telegram import Outcome, RawTelegram, TelegramAssembler
from dsmr_tw.errors import TelegramError
from dsmr_tw.limits import TELEGRAM_BYTES

RECENT_BYTES: Final = 4096
"""Two encrypted frames and more, so that the beginning of one is among them."""


def _ignore() -> None:
    """What happens at an event that nobody waits for."""


@define(eq=False, slots=False)
class TelegramReceiver(LineReceiver):
    """One connection to a meter, or to anything that sends what a meter would."""

    assembler: TelegramAssembler
    """May outlive the connection: it is told to forget a telegram that the connection's end cuts off."""

    clock: IReactorTime

    on_telegram: Callable[[RawTelegram, int], None]
    """Called with each telegram and the instant at which it was complete."""

    on_error: Callable[[TelegramError], None]
    """Called with the reason for each telegram that is none."""

    on_connected: Callable[[], None] = _ignore

    on_lost: Callable[[], None] = _ignore

    bytes_received: int = field(default=0, init=False)
    """What came in all."""

    bytes_since_telegram: int = field(default=0, init=False)
    """What came since the last telegram: tells a dead line from one that is read wrongly."""

    recent: bytes = field(default=b"", init=False, repr=False)
    """The last of the bytes that came: shows what a line without telegrams looks like."""

    delimiter = b"\n"
    MAX_LENGTH = TELEGRAM_BYTES
    _log: ClassVar[Logger] = Logger()

    def connectionMade(self) -> None:
        """Have the system watch over a TCP connection, which can die unnoticed where a cable can't."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        self.on_connected()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self.note(data)
        super().dataReceived(data)

    def note(self, data: bytes) -> None:
        """Remember that bytes came, for whoever has to say why no telegram does."""
        self.bytes_received += len(data)
        self.bytes_since_telegram += len(data)
        self.recent = (self.recent + data)[-RECENT_BYTES:]

    def lineReceived(self, line: bytes) -> None:
        """Take one line, without its LF."""
        self._deliver(self.assembler.line(line))

    def lineLengthExceeded(self, line: bytes) -> None:
        """Take a line that is too long to wait for, with all that came behind it.

        ``LineReceiver`` would hang up, and noise at a wrong baud rate would look like a cable pulled out.
        """
        self._deliver(self.assembler.too_long(line))

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Take what came last, which may be a telegram's end without a line end, and forget what is not complete."""
        rest = self.clearLineBuffer()
        if rest:
            self.lineReceived(rest)
        self._deliver(self.assembler.flush())
        self.on_lost()

    def hang_up(self) -> None:
        """End the connection now, without waiting for the other side: it may be gone."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.abortConnection()
        elif self.transport is not None:
            self.transport.loseConnection()

    def _deliver(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            with self._log.failuresHandled("A telegram's receiver failed; the line stays open:"):
                if isinstance(outcome, RawTelegram):
                    self.bytes_since_telegram = 0
                    self.on_telegram(outcome, round(self.clock.seconds() * SECOND))
                else:
                    self.on_error(outcome)

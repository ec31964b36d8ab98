"""Tests of dsmr_tw.serialproto: bytes in any pieces, telegrams out, and a connection that stays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.telegram import RawTelegram, TelegramAssembler
from dsmr_tw.errors import CrcError, TelegramError, TelegramTooLong
from dsmr_tw.serialproto import RECENT_BYTES, TelegramReceiver
from tests.printing import pieces, printed


class Line:
    """A connection with everything that came of it."""

    def __init__(self, assembler: TelegramAssembler | None = None) -> None:
        self.clock = Clock()
        self.clock.advance(1_712_052_000)
        self.taken: list[tuple[bytes, int]] = []
        self.errors: list[TelegramError] = []
        self.ends: list[str] = []
        self.receiver = TelegramReceiver(
            assembler or TelegramAssembler(),
            self.clock,
            self.take,
            self.errors.append,
            lambda: self.ends.append("connected"),
            lambda: self.ends.append("lost"),
        )
        self.transport = StringTransport()
        self.receiver.makeConnection(self.transport)

    def take(self, telegram: RawTelegram, received_at: int) -> None:
        """Keep a telegram as it was printed."""
        self.taken.append((f"{telegram.text}\r\n".encode("latin-1"), received_at))

    @property
    def telegrams(self) -> list[bytes]:
        """The telegrams without their instants."""
        return [telegram for telegram, _ in self.taken]

    def lose(self) -> None:
        """End the connection from the other side."""
        self.receiver.connectionLost(Failure(ConnectionDone()))


class ReceivingTests(SynchronousTestCase):
    """What becomes of bytes."""

    def test_pieces(self) -> None:
        """Telegrams come through whole, however their bytes are cut on the way."""
        stream = printed(1) + printed(2) + printed(3)
        for size in (1, 7, 64, len(stream)):
            line = Line()
            for piece in pieces(stream, size):
                line.receiver.dataReceived(piece)
            self.assertEqual(line.telegrams, [printed(1), printed(2), printed(3)], f"in pieces of {size}")
            self.assertEqual(line.errors, [])

    def test_instant_of_arrival(self) -> None:
        """A telegram arrived when its last line was complete, not when it began."""
        line = Line()
        telegram = printed(1)
        line.receiver.dataReceived(telegram[:-1])
        line.clock.advance(0.75)
        line.receiver.dataReceived(telegram[-1:])
        self.assertEqual(line.taken, [(telegram, 1_712_052_000_750_000)])

    def test_wrong_crc(self) -> None:
        """A telegram with a flipped bit is refused for its CRC, and the next one comes."""
        line = Line()
        line.receiver.dataReceived(printed(1).replace(b"000001", b"000003", 1) + printed(2))
        self.assertEqual(line.telegrams, [printed(2)])
        self.assertEqual([type(error) for error in line.errors], [CrcError])

    def test_header_right_behind_noise(self) -> None:
        """A telegram that begins in the same line as 20 kB of noise is not lost, and nobody hangs up."""
        noise = b"\x00\xff\xb3~" * 5000
        for size in (1000, 30_000):
            line = Line()
            for piece in pieces(noise + printed(1) + printed(2), size):
                line.receiver.dataReceived(piece)
            self.assertEqual(line.telegrams, [printed(1), printed(2)], f"in pieces of {size}")
            self.assertFalse(line.transport.disconnecting)

    def test_telegrams_behind_a_long_line(self) -> None:
        """Telegrams that come in one read with the end of an endless line are there at once."""
        line = Line()
        line.receiver.dataReceived(b"x" * 20_000 + b"\r\n" + printed(1) + printed(2))
        self.assertEqual(line.telegrams, [printed(1), printed(2)])

    def test_endless_telegram(self) -> None:
        """A telegram that never ends is refused as too long, and the one behind it comes."""
        line = Line()
        line.receiver.dataReceived(printed(1)[:40] + b"0" * 20_000 + b"\r\n" + printed(2))
        self.assertEqual([type(error) for error in line.errors], [TelegramTooLong])
        self.assertEqual(line.telegrams, [printed(2)])

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([printed(1), b"/ABC", b"!", b"\r\n"]))))
    def test_any_bytes(self, parts: list[bytes]) -> None:
        """Whatever bytes come, the second good telegram behind them arrives on the same connection."""
        line = Line()
        for part in [*parts, printed(2), printed(3)]:
            line.receiver.dataReceived(part)
        self.assertEqual(line.telegrams[-1:], [printed(3)])
        self.assertFalse(line.transport.disconnecting)


class ConnectionTests(SynchronousTestCase):
    """Begin and end of a connection, and what must not end it."""

    def test_failing_receiver(self) -> None:
        """A bug in the program behind the line is logged, and costs neither the connection nor the next telegram."""
        line = Line()
        taken: list[RawTelegram] = []

        def fail_once(telegram: RawTelegram, received_at: int) -> None:
            taken.append(telegram)
            if len(taken) == 1:
                raise ZeroDivisionError

        line.receiver.on_telegram = fail_once
        line.receiver.dataReceived(printed(1) + printed(2))
        self.assertEqual(len(taken), 2)
        self.assertFalse(line.transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_end_without_line_end(self) -> None:
        """The last telegram of a connection needs no line end behind its CRC."""
        line = Line()
        line.receiver.dataReceived(printed(1).rstrip())
        line.lose()
        self.assertEqual(line.telegrams, [printed(1)])
        self.assertEqual(line.errors, [])

    def test_cut_off(self) -> None:
        """A telegram that the end of its connection cuts off is refused, and does not spoil the next connection's."""
        assembler = TelegramAssembler()
        line = Line(assembler)
        line.receiver.dataReceived(printed(1)[:60])
        line.lose()
        self.assertEqual(len(line.errors), 1)
        again = Line(assembler)
        again.receiver.dataReceived(printed(2))
        self.assertEqual((again.telegrams, again.errors), ([printed(2)], []))

    def test_begin_and_end(self) -> None:
        """Who asked to is told of the connection's begin and end; a silent end refuses nothing."""
        line = Line()
        line.lose()
        self.assertEqual((line.ends, line.errors), (["connected", "lost"], []))

    def test_hang_up(self) -> None:
        """The connection can be ended from our side."""
        line = Line()
        line.receiver.hang_up()
        self.assertTrue(line.transport.disconnecting)

    def test_bytes_since_telegram(self) -> None:
        """A line that is read wrongly can be told from a dead one by the bytes since the last telegram."""
        line = Line()
        line.receiver.dataReceived(b"\xff" * 50)
        self.assertEqual(line.receiver.bytes_since_telegram, 50)
        line.receiver.dataReceived(printed(1))
        self.assertEqual(line.receiver.bytes_since_telegram, 0)

    def test_recent_bytes(self) -> None:
        """The last bytes are kept as they came, and no more of them than a bound."""
        line = Line()
        line.receiver.dataReceived(b"\xff" * 50)
        line.receiver.dataReceived(b"\xfe" * 50)
        self.assertEqual(line.receiver.recent, b"\xff" * 50 + b"\xfe" * 50)
        line.receiver.dataReceived(b"a" * 9000 + b"b")
        self.assertEqual(line.receiver.recent, b"a" * (RECENT_BYTES - 1) + b"b")

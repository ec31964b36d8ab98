"""Tests of dsmr_tw.printed: telegrams of a program, second by second."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.errors import TelegramError
from dsmr_tw.printed import PrintedSource
from tests.printing import printed

START = 1_712_052_000


class HastyClock(Clock):
    """A clock whose calls come a little before their time, as after rounding."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:
        """Call a little too early."""
        return super().callLater(delay - 0.001 if delay > 0.01 else delay, callable, *args, **kw)


class PrintedSourceTests(SynchronousTestCase):
    """A program that prints."""

    def setUp(self) -> None:
        """A clock between two seconds, and what came of the program."""
        self.clock = Clock()
        self.clock.advance(START + 0.25)
        self.asked: list[int] = []
        self.taken: list[tuple[RawTelegram, int, Origin]] = []
        self.errors: list[TelegramError] = []

    def source(self, produce: Callable[[int], bytes], every_s: int = 1) -> PrintedSource:
        """A source of what a program prints, started."""

        def ask(at: int) -> bytes:
            self.asked.append(at)
            return produce(at)

        def take(telegram: RawTelegram, received_at: int, origin: Origin) -> Telegram:
            self.taken.append((telegram, received_at, origin))
            return TelegramParser().parse(telegram)

        source = PrintedSource(
            origin=Origin("demo"),
            clock=self.clock,
            on_telegram=take,
            on_error=lambda origin, error: self.errors.append(error),
            produce=ask,
            every_s=every_s,
        )
        source.startService()
        return source

    def test_every_second(self) -> None:
        """A telegram is printed at each whole second, and taken like one of a meter."""
        source = self.source(lambda at: printed(1))
        self.clock.advance(0.75)
        self.clock.pump([0.125] * 16)
        self.assertEqual(self.asked, [(START + seconds) * SECOND for seconds in (1, 2, 3)])
        self.assertEqual([at for _, at, _ in self.taken], self.asked)
        self.assertEqual({origin for _, _, origin in self.taken}, {Origin("demo")})
        self.assertEqual((source.health.telegrams, source.health.connected), (3, True))

    def test_every_ten_seconds(self) -> None:
        """A slower meter prints at each multiple of its interval."""
        self.source(lambda at: printed(1), 10)
        self.clock.pump([1] * 25)
        self.assertEqual(self.asked, [(START + seconds) * SECOND for seconds in (10, 20)])

    def test_failing_program(self) -> None:
        """A program that fails is asked again every second, its failure is logged once, and /health tells it."""

        def produce(at: int) -> bytes:
            if len(self.asked) > 60:
                return printed(1)
            raise ZeroDivisionError

        source = self.source(produce)
        self.clock.pump([1] * 60)
        self.assertEqual(source.health.problem(), "demo: no telegram for 60 s; printing fails")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(1)
        self.assertEqual((len(self.taken), source.health.problem()), (1, None))

    def test_refused(self) -> None:
        """A program that prints nonsense is refused like a meter that does."""
        source = self.source(lambda at: printed(1).replace(b"000001", b"000003", 1))
        self.clock.advance(1)
        self.assertEqual((source.health.crc_errors, len(self.errors)), (1, 1))

    def test_early_wake(self) -> None:
        """A clock that wakes us a hair too early does not make us print a second twice."""
        self.clock = HastyClock()
        self.clock.advance(START + 0.25)
        self.source(lambda at: printed(1))
        self.clock.pump([0.0005] * 4000)
        self.assertEqual(self.asked, [(START + seconds) * SECOND for seconds in (1, 2)])

    def test_stopping(self) -> None:
        """A stopped program prints no more."""
        source = self.source(lambda at: printed(1))
        source.stopService()
        self.assertEqual((self.clock.getDelayedCalls(), source.health.connected), ([], False))

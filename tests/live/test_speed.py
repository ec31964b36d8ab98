"""Tests of a serial port whose speed is found by listening, on a real terminal whose far end minds how it listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import DeferredQueue
from twisted.internet.task import LoopingCall
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.speed import FAST, SEVEN_BITS, LineSetting
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.known import Known
from dsmr_tw.source import Source
from dsmr_tw.sourcing import Sourcing
from tests.live.wires import Wire
from tests.printing import printed

reactor: Any = installed_reactor


@define
class Listener:
    """A source that finds its speed, and whose meter prints again and again."""

    wire: Wire
    spoken: LineSetting
    known: Known
    source: Source = field(init=False)
    telegrams: DeferredQueue[bytes] = field(factory=DeferredQueue)
    printed: int = 0
    _printing: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        sourcing = Sourcing(
            reactor=reactor,
            clock=reactor,
            on_telegram=self.take,
            on_error=lambda origin, error: None,
            speeds=self.known.speeds,
            keep_speed=self.known.keep_speed,
        )
        (source,) = sourcing.devices([self.wire.path])
        assert isinstance(source, Source)
        self.source = source
        self.source.startService()
        self._printing = LoopingCall(self.say)
        self._printing.start(0.3, now=False)

    def say(self) -> None:
        """Print the next telegram."""
        self.printed += 1
        self.wire.say(printed(self.printed), self.spoken)

    def take(self, telegram: RawTelegram, received_at: int, origin: Origin) -> Telegram:
        """Keep a telegram."""
        self.telegrams.put(f"{telegram.text}\r\n".encode("latin-1"))
        return TelegramParser().parse(telegram)

    async def stop(self) -> None:
        """Print no more, and close the port."""
        if self.source.running:
            self._printing.stop()
            await self.source.stopService()


class SpeedTests(TestCase):
    """A port without a setting."""

    timeout = 30

    def setUp(self) -> None:
        """A cable that is plugged in."""
        self.wire = Wire(self.mktemp())
        self.wire.plug()
        self.addCleanup(self.wire.unplug)
        self.known = Known(Path(self.mktemp()).resolve())

    def listener(self, spoken: LineSetting) -> Listener:
        """A source, and a meter that speaks like this."""
        listener = Listener(self.wire, spoken, self.known)
        self.addCleanup(listener.stop)
        return listener

    async def test_found(self) -> None:
        """Whatever the meter speaks, its second telegram arrives, and so do all after it; the log says it once."""
        for spoken in (SEVEN_BITS, FAST):
            with capturedLogs() as events:
                listener = Listener(self.wire, spoken, self.known)
                got = [await listener.telegrams.get() for _ in range(3)]
                await listener.stop()
            first = got[0]
            self.assertIn(first, (printed(1), printed(2)))
            number = 1 if first == printed(1) else 2
            self.assertEqual(got, [printed(number + each) for each in range(3)])
            self.assertEqual(listener.source.health.serial, str(spoken))
            said = [formatEvent(event) for event in events]
            self.assertEqual(len([words for words in said if words.endswith(f"found by listening: {spoken}")]), 1, said)

    async def test_a_restart(self) -> None:
        """What was found is known at the next start, which loses nothing."""
        first = self.listener(SEVEN_BITS)
        self.assertEqual(await first.telegrams.get(), printed(2))
        await first.stop()
        self.known = Known(self.known.path)
        self.known.load()
        self.assertEqual(self.known.speeds, {self.wire.path: 9600})
        second = self.listener(SEVEN_BITS)
        self.assertEqual(await second.telegrams.get(), printed(1))

"""Tests of dsmr_tw.undated: nothing is lost while nobody knows what time it is, and then all has its right date."""

from __future__ import annotations

from pathlib import Path

from attrs import define, field
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.reading import SECOND, Arrival
from dsmr_tw.domain.telegram import RawTelegram, telegrams_in
from dsmr_tw.interfaces import IReporting
from dsmr_tw.spool import Spool
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from dsmr_tw.undated import Undated
from tests.arrivals import CABLE, NOON
from tests.spoolingcase import ZONE, House
from tests.telegramtext import telegram

BOOT_S = 25.0
"""How long the machine ran before the process began."""


def silent(number: int) -> RawTelegram:
    """The telegram of a meter without a clock, whose register shows ``number`` kWh."""
    [raw] = telegrams_in(telegram(delivered=f"{number:06}.000", without="0-0:1.0.0"))
    return raw


def telling(number: int, seconds: int | None = None) -> RawTelegram:
    """The same of a meter with a clock: so many seconds after noon, as many as kWh if nothing else is said."""
    clock = ZONE.local(NOON + (number if seconds is None else seconds) * SECOND).strftime("%y%m%d%H%M%SS")
    [raw] = telegrams_in(telegram(clock=clock, delivered=f"{number:06}.000"))
    return raw


@define(eq=False)
class Cupboard(House):
    """A service on a computer without a battery: it begins in 1970."""

    passed: Clock = field(factory=Clock)
    """Time since the machine was switched on."""
    waiting: Spool = field(init=False)
    undated: Undated = field(init=False)

    def start(self) -> None:
        """Begin; the clock is what it is."""
        if self.passed.seconds() == 0:
            self.clock.rightNow = self.passed.rightNow = BOOT_S
        self.spool = Spool(self.path / "spool", self.spooling)
        self.waiting = Spool(self.path / "undated", self.spooling)
        self.spool.open()
        self.waiting.open()
        self.datalogger = Datalogger(self.store, self.clock, ZONE, self.limits, self.spool, followers=(self.follow,))
        self.undated = Undated(self.waiting, self.clock, self.passed.seconds, self.datalogger.take, self.limits)
        self.datalogger.undated = self.undated
        self.datalogger.startService()

    def go_on(self, seconds: float) -> None:
        """Time goes by."""
        super().go_on(seconds)
        self.passed.advance(seconds)

    def crash(self) -> None:
        """End without a word."""
        super().crash()
        self.waiting.close()

    def stop(self) -> None:
        """Stop in order."""
        super().stop()
        self.waiting.close()

    def set_the_clock(self) -> None:
        """The network tells the time: it is so many seconds after noon as the machine is on."""
        self.clock.rightNow = NOON / SECOND + self.passed.seconds()

    def read(self, raw: RawTelegram) -> None:
        """A telegram comes from the line."""
        self.datalogger.telegram_received(raw, round(self.clock.seconds() * SECOND), CABLE)

    @property
    def dated(self) -> dict[int, float]:
        """Which readings are in the store, and how many seconds after noon they are."""
        page = result_of(self.store.readings.page(ReadingFilter(1), False, 0, 10_000))
        return {each.reading.delivered_1 // 1000: (each.reading.at - NOON) / SECOND for each in page.readings}


class UndatedTests(SynchronousTestCase):
    """Telegrams of a meter without a clock, read by a computer without one."""

    def setUp(self) -> None:
        """Begin in 1970."""
        self.house = Cupboard(Path(self.mktemp()))
        self.addCleanup(self.house.close)

    def test_interface(self) -> None:
        """It tells of itself in ``/health``."""
        self.assertTrue(verifyObject(IReporting, self.house.undated))

    def test_they_wait_until_the_clock_is_set(self) -> None:
        """They are on disk meanwhile, and then are dated as if the clock had been right all along, in their order."""
        for number in range(3):
            self.house.read(silent(number))
            self.house.go_on(10)
        self.assertEqual((self.house.dated, self.house.waiting.records), ({}, 3))
        self.assertEqual(self.house.undated.figures()["waiting"], 3)
        self.house.set_the_clock()
        self.house.go_on(11)
        self.assertEqual(self.house.dated, {0: 25, 1: 35, 2: 45})
        self.assertEqual(self.house.stored, [0, 1, 2])
        self.assertEqual(self.house.undated.figures()["waiting"], 0)
        self.assertEqual(self.house.undated.problems(), [])

    def test_a_meter_with_a_clock_counts_by_it(self) -> None:
        """It need not wait for anybody."""
        self.house.read(silent(1))
        self.house.read(telling(2))
        self.house.go_on(2)
        self.assertEqual(self.house.dated, {2: 2})

    def test_a_clock_that_is_not_trusted(self) -> None:
        """With --trust-clock server all wait, and then are dated by it; so are the gas meter's times."""
        seen: list[Arrival] = []
        self.house.datalogger.followers += (lambda arrivals, receipts: seen.extend(arrivals),)
        self.house.datalogger.by_arrival = True
        self.house.read(telling(1, -3 * 3600))
        self.house.go_on(10)
        self.house.read(silent(2))
        self.house.go_on(10)
        self.assertEqual(self.house.dated, {})
        self.house.set_the_clock()
        self.house.go_on(11)
        self.assertEqual(self.house.dated, {1: 25, 2: 35})
        late = [(arrived.devices[0].at - NOON) / SECOND for arrived in seen]
        self.assertEqual(late, [3 * 3600 - 300, -300])

    def test_fresh_ones_wait_behind_the_old(self) -> None:
        """When the clock was just set, what comes now does not overtake what came before."""
        self.house.read(silent(1))
        self.house.go_on(10)
        self.house.set_the_clock()
        self.house.read(silent(2))
        self.house.go_on(12)
        self.house.read(silent(3))
        self.house.go_on(2)
        self.assertEqual(self.house.stored, [1, 2, 3])
        self.assertEqual(self.house.dated, {1: 25, 2: 35, 3: 47})

    def test_another_process_of_the_same_run(self) -> None:
        """A crash before the clock is set costs nothing, neither a telegram nor its date."""
        self.house.read(silent(1))
        self.house.go_on(10)
        self.house.crash()
        self.house.start()
        self.house.read(silent(2))
        self.house.go_on(10)
        self.house.crash()
        self.house.set_the_clock()
        self.house.start()
        self.house.go_on(12)
        self.assertEqual(self.house.dated, {1: 25, 2: 35})

    def test_a_stop_before_the_clock_is_set(self) -> None:
        """What came last is on disk, too."""
        self.house.read(silent(1))
        self.house.stop()
        self.house.set_the_clock()
        self.house.start()
        self.house.go_on(12)
        self.assertEqual(self.house.dated, {1: 25})

    def test_the_store_is_away_as_well(self) -> None:
        """Dated telegrams wait for it like any others."""
        self.house.go_away()
        self.house.read(silent(1))
        self.house.go_on(10)
        self.house.set_the_clock()
        self.house.go_on(11)
        self.assertEqual(self.house.undated.figures()["waiting"], 0)
        self.house.come_back()
        self.assertEqual(self.house.dated, {1: 25})

    def test_it_is_said_once(self) -> None:
        """The log tells that telegrams wait, and that they do not any more."""
        with capturedLogs() as events:
            for number in range(3):
                self.house.read(silent(number))
                self.house.go_on(10)
            self.house.set_the_clock()
            self.house.go_on(11)
        said = [formatEvent(event) for event in events]
        self.assertEqual(
            said,
            [
                "telegrams without a clock of their own wait: the clock of this server is not set yet",
                "telegrams without a clock of their own are dated and stored",
            ],
        )

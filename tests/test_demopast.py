"""Tests of dsmr_tw.demopast."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.datalogger import Datalogger
from dsmr_tw.demo import DemoMeter, instants
from dsmr_tw.demopast import DemoPast
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import DAY, SECOND, Origin, Reading
from dsmr_tw.limits import Limits
from dsmr_tw.spool import Spool
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON

ZONE = meter_zone("Europe/Amsterdam")
DUE = 8640
"""Telegrams of a day."""


class DemoPastTests(SynchronousTestCase):
    """A demo begins with a past."""

    def setUp(self) -> None:
        """A store with nothing in it, at noon."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.store = sqlite_store(Path(self.mktemp()), ZONE.name, maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        self.spool = Spool(Path(self.mktemp()), maybeDeferred)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.datalogger = Datalogger(self.store, self.clock, ZONE, Limits(), self.spool)
        self.datalogger.startService()
        self.steps: list[tuple[int, int]] = []
        self.begun: list[None] = []

    def past(self) -> DemoPast:
        """A day of it."""
        return DemoPast(
            meter=DemoMeter(1, ZONE),
            days=1,
            origin=Origin("demo"),
            on_telegram=self.datalogger.telegram_received,
            waiting=lambda: self.datalogger.commits.waiting,
            readings=self.store.readings,
            clock=self.clock,
            advance=lambda steps, length: self.steps.append((steps, length)),
            then=lambda: self.begun.append(None),
        )

    def go_on(self, turns: int = 400) -> None:
        """Let the reactor turn."""
        for _ in range(turns):
            self.clock.advance(0.01)

    def stored(self) -> list[Reading]:
        """What is stored."""
        page = result_of(self.store.readings.page(ReadingFilter(1), False, 0, DUE + 1))
        return [stored.reading for stored in page.readings]

    def test_a_day_is_filled_and_then_the_present_begins(self) -> None:
        """A telegram in ten seconds, each at its own instant, all stored before the present begins."""
        past = self.past()
        past.startService()
        self.go_on()
        self.assertEqual([reading.at for reading in self.stored()], list(instants(1, NOON)))
        self.assertEqual(len(self.begun), 1)
        self.assertEqual(sum(steps for steps, _ in self.steps), DUE)
        self.assertEqual({length for _, length in self.steps}, {DUE})

    def test_stopped_halfway_it_goes_on_from_there(self) -> None:
        """Ctrl-C while the past is filled loses nothing, and the next start fills only what is missing."""
        past = self.past()

        def stop_halfway(steps: int, length: int) -> None:
            if len(self.stored()) > 1000:
                past.stopService()

        past.advance = stop_halfway
        past.startService()
        self.go_on(10)
        self.successResultOf(self.datalogger.stopService())
        before = len(self.stored())
        self.assertTrue(0 < before < DUE)
        self.assertEqual((self.begun, past.running), ([], 0))
        self.datalogger = Datalogger(self.store, self.clock, ZONE, Limits(), self.spool)
        self.datalogger.startService()
        self.steps.clear()
        self.clock.rightNow = NOON / SECOND
        self.past().startService()
        self.go_on()
        self.assertEqual(self.steps[0][1], DUE - before)
        self.assertEqual(len(self.stored()), DUE)

    def test_a_longer_past_is_filled_from_its_beginning(self) -> None:
        """Asked for more days than the last time, the older ones are filled, too."""
        self.past().startService()
        self.go_on()
        longer = self.past()
        longer.days = 2
        longer.startService()
        self.go_on()
        count = result_of(self.store.readings.page(ReadingFilter(1, NOON - 2 * DAY, NOON), False, 0, 0)).count
        self.assertGreaterEqual(count, 2 * DUE)

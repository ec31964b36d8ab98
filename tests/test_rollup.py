"""Tests of dsmr_tw.rollup: the ledger keeps up, whatever happens to a tick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, Origin
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.rollup import LONGEST_REST_S, MANY_PIECES, RollupService
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.stored import SpanFilter
from tests.arrivals import CABLE, METER, MINUTE, NOON, OTHER_METER, SECOND_CABLE, THIRD_METER, heard, water
from tests.serving import Work

EVERY_S = 15


class RollupCase(SynchronousTestCase):
    """A test with a service over a real store, whose clock the test moves."""

    def setUp(self) -> None:
        """An empty store at noon, and the service begun."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.writing, self.reading = Work(), Work()
        self.store = sqlite_store(path, "Europe/Amsterdam", self.writing, self.reading)
        self.successResultOf(self.store.open())
        self.addCleanup(self.close)
        self.rollup = RollupService(self.clock, self.store.ledger, every=EVERY_S)
        self.rollup.startService()

    def close(self) -> None:
        """Stop, and close the store."""
        self.writing.error = self.reading.error = None
        self.writing.release()
        self.reading.release()
        if self.rollup.running:
            self.successResultOf(self.rollup.stopService())
        self.successResultOf(self.store.close())

    def store_readings(self, *instants: int) -> None:
        """Store a reading for each instant."""
        group = [heard(at) for at in instants]
        self.successResultOf(self.store.readings.add([group], max(instants)))

    def hours(self) -> int:
        """How many rows of hours there are."""
        return self.count(SpanKind.HOUR)

    def count(self, kind: SpanKind) -> int:
        """How many spans of a kind are closed."""
        page = self.successResultOf(self.store.statistics.page(SpanFilter(kind, 1), False, 0, 1))
        return page.count


class RollupTests(RollupCase):
    """The ledger keeps up."""

    def test_rows_appear_without_a_command(self) -> None:
        """A closed hour is there a tick after its last reading came."""
        self.store_readings(NOON - 5 * MINUTE, NOON, NOON + HOUR)
        self.clock.advance(3600)
        self.assertEqual(self.hours(), 2)

    def test_a_new_device_opens_nothing(self) -> None:
        """A water meter that has just been connected does not make the hours before it disappear, not for a moment."""
        self.store_readings(NOON - 5 * MINUTE, NOON, NOON + HOUR)
        self.clock.advance(3600)
        later = heard(NOON + HOUR + MINUTE, water(NOON + HOUR))
        self.successResultOf(self.store.readings.add([[later]], NOON + HOUR + MINUTE))
        self.successResultOf(self.store.ledger.close(1, NOON + HOUR + MINUTE))
        self.assertEqual(self.hours(), 2)

    def test_nothing_is_done_before_the_first_tick(self) -> None:
        """The store is given the time to open."""
        self.store_readings(NOON)
        self.assertIsNone(self.rollup.summary)
        self.clock.advance(EVERY_S)
        self.assertEqual(self.rollup.summary and self.rollup.summary.epochs, 1)

    def test_a_store_that_is_away_is_told_once(self) -> None:
        """An outage is one line in the log, and computing goes on by itself when it is over."""
        self.reading.error = StoreUnavailable("the disk is gone")
        self.clock.pump([EVERY_S] * 3)
        self.assertEqual((self.rollup.last_success_at, self.rollup.last_error), (None, "the disk is gone"))
        self.reading.error = None
        self.clock.advance(EVERY_S)
        self.assertEqual(self.rollup.last_success_at, NOON + 4 * EVERY_S * SECOND)
        self.assertIsNone(self.rollup.last_error)

    def test_a_tick_survives_what_nobody_expected(self) -> None:
        """A fault of ours is logged, shown, and does not end the ticks that follow."""
        self.reading.error = ZeroDivisionError("a fault")
        self.clock.pump([EVERY_S] * 3)
        self.assertEqual(self.rollup.last_error, "ZeroDivisionError, see the log")
        # The first time; an SD card would fill with the rest.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.reading.error = None
        self.clock.advance(EVERY_S)
        self.assertEqual(self.rollup.last_success_at, NOON + 4 * EVERY_S * SECOND)

    def test_a_stop_waits_for_the_tick(self) -> None:
        """Whoever closes the store next does not take it away from a tick under way."""
        self.store_readings(NOON)
        self.reading.held = True
        self.clock.advance(EVERY_S)
        stopped = self.rollup.stopService()
        self.assertNoResult(stopped)
        self.reading.release()
        self.successResultOf(stopped)

    def test_a_stop_between_ticks(self) -> None:
        """With nothing under way there is nothing to wait for."""
        self.successResultOf(self.rollup.stopService())

    def test_a_long_work_is_left_when_the_service_stops(self) -> None:
        """What is not computed yet stays marked, for the next start."""
        self.store_readings(*(NOON - days * 10 * DAY for days in range(30)))
        self.reading.held = True
        self.clock.advance(EVERY_S)
        stopped = self.rollup.stopService()
        self.reading.release()
        self.successResultOf(stopped)
        self.assertEqual(self.hours(), 0)

    def test_long_work_is_told(self) -> None:
        """Whoever reads the log learns what the processor is busy with, and when it is done."""
        self.rollup.ledger = ManyPieces(self.rollup.ledger)  # type: ignore[assignment]
        self.store_readings(NOON)
        self.clock.advance(EVERY_S)
        self.assertEqual(self.rollup.last_success_at, NOON + EVERY_S * SECOND)


class TurnsTests(RollupCase):
    """Several meters are computed one after the other, and the database is left to others in between."""

    def setUp(self) -> None:
        """Three meters, each with a reading that is not computed yet."""
        super().setUp()
        house = ((CABLE, METER), (SECOND_CABLE, OTHER_METER), (Origin("a third cable"), THIRD_METER))
        group = [heard(NOON, origin=origin, equipment_id=printed_id) for origin, printed_id in house]
        self.successResultOf(self.store.readings.add([group], NOON))

    def tick(self, **seconds: float) -> TakingTime:
        """Begin a tick, in which the first, the second and the third meter take so long."""
        took = dict(enumerate((seconds.get(name, 0.0) for name in ("first", "second", "third")), 1))
        self.rollup.ledger = ledger = TakingTime(self.store.ledger, self.clock, took)  # type: ignore[assignment]
        self.clock.advance(EVERY_S)
        return ledger

    def began(self, ledger: TakingTime) -> dict[int, float]:
        """How many seconds after the tick each meter was begun."""
        return {meter_id: at - EVERY_S - NOON / SECOND for meter_id, at in ledger.began.items()}

    def wait(self, seconds: float) -> None:
        """Let the time pass that is waited for, and not a moment less."""
        self.clock.advance(seconds - 0.5)
        self.assertIsNone(self.rollup.last_success_at)
        self.clock.advance(0.5)

    def test_what_takes_no_time_is_not_waited_for(self) -> None:
        """All meters are computed in one go."""
        self.assertEqual(self.began(self.tick()), {1: 0, 2: 0, 3: 0})
        self.assertEqual(self.rollup.last_success_at, NOON + EVERY_S * SECOND)

    def test_as_long_as_a_meter_took(self) -> None:
        """So long the others wait, a second at most; a house with one meter, the first one, is not slowed down."""
        ledger = self.tick(first=5, second=0.75, third=9)
        self.assertEqual(self.began(ledger), {1: 0, 2: 5})
        self.wait(0.75)
        self.assertEqual(self.began(ledger), {1: 0, 2: 5, 3: 6.5})
        self.wait(LONGEST_REST_S)
        self.assertEqual(self.rollup.last_success_at, NOON + EVERY_S * SECOND)

    def test_a_stop_while_it_waits(self) -> None:
        """The meters that had not had their turn stay marked, for the next start."""
        ledger = self.tick(second=3)
        stopped = self.rollup.stopService()
        self.clock.advance(3)
        self.successResultOf(stopped)
        self.assertEqual(self.began(ledger), {1: 0, 2: 0})
        now = int(self.clock.seconds()) * SECOND
        self.assertIn(3, self.successResultOf(self.store.ledger.dirty(now)))
        self.assertEqual(self.successResultOf(self.store.ledger.summary()).dirty_quarters, 1)

    def test_a_stop_while_one_is_computed(self) -> None:
        """It is the last one."""
        ledger = TakingTime(self.store.ledger, self.clock, {}, self.rollup.stopService)
        self.rollup.ledger = ledger  # type: ignore[assignment]
        self.clock.advance(EVERY_S)
        self.assertEqual(self.began(ledger), {1: 0})
        self.assertFalse(self.rollup.running)


class TakingTime:
    """A ledger whose meters take some time each, as they are computed first."""

    def __init__(
        self, ledger: Any, clock: Clock, seconds: dict[int, float], meanwhile: Callable[[], object] = dict
    ) -> None:
        """What it does it with, how long that takes, and what happens then."""
        self._ledger = ledger
        self._clock = clock
        self._seconds = seconds
        self._meanwhile = meanwhile
        self.began: dict[int, float] = {}

    def __getattr__(self, name: str) -> Any:
        """All else is as it is."""
        return getattr(self._ledger, name)

    def recompute(self, meter_id: int, now: int) -> Deferred[bool]:
        """It takes its time."""
        if meter_id not in self.began:
            self.began[meter_id] = self._clock.seconds()
            self._clock.advance(self._seconds.get(meter_id, 0))
            self._meanwhile()
        more: Deferred[bool] = self._ledger.recompute(meter_id, now)
        return more


class ManyPieces:
    """A ledger that says for a while that there is more to do."""

    def __init__(self, ledger: Any) -> None:
        """What it says it of."""
        self._ledger = ledger
        self._left = MANY_PIECES + 1

    def __getattr__(self, name: str) -> Any:
        """All else is as it is."""
        return getattr(self._ledger, name)

    def recompute(self, meter_id: int, now: int) -> Deferred[bool]:
        """There is more to do."""
        self._left -= 1
        more: Deferred[bool] = self._ledger.recompute(meter_id, now)
        return more.addCallback(lambda _: self._left > 0)

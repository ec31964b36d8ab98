"""Tests of dsmr_tw.live: the newest values of each meter, never behind what is stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import DAY, SECOND, YEAR_2000, Arrival, Receipt, StoredReading
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import ILive, IReadings
from dsmr_tw.live import LiveValues
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Live
from tests.arrivals import (
    METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    QUIET,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    posted,
    posted_gas,
    reading,
    water,
)
from tests.fakes import HeldReadings

FIRST = 1


def live_values(readings: IReadings) -> LiveValues:
    """Live values at noon."""
    clock = Clock()
    clock.advance(NOON / SECOND)
    return LiveValues(readings, clock)


def late(answers: list[Callable[[], None]], function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """A runner whose answers wait to be called for."""
    answer: Deferred[Any] = Deferred()
    answers.append(partial(answer.callback, function(*arguments)))
    return answer


class LiveCase(SynchronousTestCase):
    """Live values of what was stored with ascending ids."""

    def setUp(self) -> None:
        """Begin before the first reading."""
        self.live = live_values(HeldReadings())
        self._last_id = 0

    def offer(self, *arrivals: Arrival, meter_id: int = FIRST) -> None:
        """Store arrivals of a meter in one commit."""
        receipts = []
        for arrival in arrivals:
            if arrival.reading is not None:
                self._last_id += 1
            receipts.append(Receipt(meter_id, self._last_id if arrival.reading else None, True))
        self.live.offer(arrivals, receipts)

    def latest(self, meter_id: int = FIRST) -> Live:
        """The newest values, which there must be."""
        live = result_of(self.live.latest(meter_id))
        assert live is not None
        return live


class ReadingTests(LiveCase):
    """The current reading."""

    def test_it_is_what_the_port_asks_for(self) -> None:
        """The API may ask it for the newest values."""
        verifyObject(ILive, self.live)

    def test_there_is_nothing_before_the_first_reading(self) -> None:
        """A meter that is not known has no values, nor has one that only gave gas."""
        self.assertIsNone(result_of(self.live.latest(FIRST)))
        self.offer(devices_only(NOON, gas()))
        self.assertIsNone(result_of(self.live.latest(FIRST)))

    def test_the_youngest_reading_is_shown(self) -> None:
        """The last telegram, with its gas and its tariff."""
        self.offer(heard(NOON, gas()))
        self.assertEqual(self.latest(), Live(StoredReading(1, reading(NOON), gas()), QUIET.tariff, gas(), None))
        self.offer(heard(NOON + SECOND, statistics=evolve(QUIET, tariff=1)))
        self.assertEqual(self.latest().reading, StoredReading(2, reading(NOON + SECOND)))
        self.assertEqual(self.latest().tariff, 1)

    def test_a_late_reading_does_not_become_the_current_one(self) -> None:
        """What lay in a queue is stored and not shown."""
        self.offer(heard(NOON), heard(NOON - MINUTE, statistics=evolve(QUIET, tariff=1)))
        self.assertEqual((self.latest().reading.id, self.latest().tariff), (1, QUIET.tariff))

    def test_of_one_instant_the_reading_stored_last_is_shown(self) -> None:
        """A correction takes the place of what it corrects, also when the first is sent again."""
        first, second = heard(NOON, delivered_1=1), heard(NOON, delivered_1=2)
        self.offer(first, second)
        self.live.offer([first], [Receipt(FIRST, 1, created=False)])
        self.assertEqual(self.latest().reading, StoredReading(2, reading(NOON, delivered_1=2)))

    def test_a_post_keeps_the_tariff(self) -> None:
        """A v2 POST does not say which register counts, so the last that was said holds."""
        self.offer(heard(NOON), posted(NOON + SECOND))
        self.assertEqual((self.latest().reading.id, self.latest().tariff), (2, QUIET.tariff))

    def test_what_does_not_count_is_not_shown(self) -> None:
        """A clock before 2000, or more than a day ahead, is no current reading; without a clock of our own, any is."""
        self.offer(heard(YEAR_2000 - 1, received_at=NOON), heard(NOON + DAY + 1, received_at=NOON))
        self.assertIsNone(result_of(self.live.latest(FIRST)))
        self.offer(heard(NOON + DAY, received_at=NOON))
        self.assertEqual(self.latest().reading.id, 3)
        self.offer(heard(NOON + 9 * DAY, received_at=5 * SECOND))
        self.assertEqual(self.latest().reading.id, 4)

    def test_each_meter_has_its_own(self) -> None:
        """Two houses on one server do not see each other's values."""
        self.offer(heard(NOON, gas(NOON, 1)))
        self.offer(heard(NOON + SECOND, gas(NOON, 2, OTHER_GAS_METER), equipment_id=OTHER_METER), meter_id=2)
        self.assertEqual((self.latest(1).reading.id, self.latest(1).gas), (1, gas(NOON, 1)))
        self.assertEqual((self.latest(2).reading.id, self.latest(2).gas), (2, gas(NOON, 2, OTHER_GAS_METER)))


class GasTests(LiveCase):
    """The last two values of the gas meter."""

    def shown(self) -> tuple[object, object]:
        """The newest gas value and the one before."""
        return self.latest().gas, self.latest().previous_gas

    def test_a_new_value_follows_the_one_before(self) -> None:
        """What flows is their difference; a telegram that repeats a value changes nothing."""
        first, second = gas(NOON - 5 * MINUTE, 1), gas(NOON, 2)
        for number, value in enumerate((first, first, second, second)):
            self.offer(heard(NOON + number * SECOND, value))
        self.assertEqual(self.shown(), (second, first))

    def test_of_two_values_at_one_instant_the_first_counts(self) -> None:
        """As in the ledger."""
        self.offer(heard(NOON, gas(NOON, 1)), heard(NOON + SECOND, gas(NOON, 2)))
        self.assertEqual(self.shown(), (gas(NOON, 1), None))

    def test_a_late_value_is_not_the_newest(self) -> None:
        """It may be the one before the newest, if it lies between."""
        self.offer(heard(NOON, gas(NOON, 9)))
        self.offer(heard(NOON + 1, gas(NOON - 2 * MINUTE, 7)), heard(NOON + 2, gas(NOON - MINUTE, 8)))
        self.offer(heard(NOON + 3, gas(NOON - 3 * MINUTE, 6)))
        self.assertEqual(self.shown(), (gas(NOON, 9), gas(NOON - MINUTE, 8)))

    def test_a_new_gas_meter_begins_anew(self) -> None:
        """Its first position is not subtracted from that of the old one."""
        self.offer(heard(NOON - MINUTE, gas(NOON - MINUTE, 900)), heard(NOON, gas(NOON, 0, OTHER_GAS_METER)))
        self.assertEqual(self.shown(), (gas(NOON, 0, OTHER_GAS_METER), None))

    def test_a_late_value_of_the_old_gas_meter_is_not_shown(self) -> None:
        """History that is brought in does not bring the old gas meter back."""
        self.offer(heard(NOON, gas(NOON, 5, OTHER_GAS_METER)))
        self.offer(heard(NOON + SECOND, gas(NOON - DAY, 900)))
        self.assertEqual(self.shown(), (gas(NOON, 5, OTHER_GAS_METER), None))

    def test_posted_gas_is_that_of_the_gas_meter(self) -> None:
        """A v2 POST does not name the gas meter, and need not."""
        self.offer(heard(NOON - MINUTE, gas(NOON - MINUTE, 1)), posted(NOON, posted_gas(NOON, 2)))
        self.assertEqual(self.shown(), (posted_gas(NOON, 2), gas(NOON - MINUTE, 1)))
        self.offer(heard(NOON + MINUTE, gas(NOON + MINUTE, 3)))
        self.assertEqual(self.shown(), (gas(NOON + MINUTE, 3), posted_gas(NOON, 2)))

    def test_the_first_gas_meter_of_a_telegram_is_the_houses(self) -> None:
        """Water is not gas, and of two gas meters the parser names the living one first."""
        self.offer(heard(NOON, water(), gas(NOON - MINUTE, 1), gas(NOON, 2, OTHER_GAS_METER)))
        self.assertEqual(self.shown(), (gas(NOON - MINUTE, 1), None))
        self.assertEqual(self.latest().reading.gas, gas(NOON - MINUTE, 1))

    def test_gas_that_does_not_count_is_not_shown(self) -> None:
        """A gas meter whose clock is days ahead does not hide the true values."""
        self.offer(heard(NOON, gas(NOON, 1)), heard(NOON + SECOND, gas(NOON + 2 * DAY, 2)))
        self.assertEqual(self.shown(), (gas(NOON, 1), None))

    def test_a_telegram_of_devices_alone_brings_its_gas(self) -> None:
        """Once the meter is known, gas comes with or without electricity."""
        self.offer(heard(NOON, gas(NOON - MINUTE, 1)), devices_only(NOON + SECOND, gas(NOON, 2)))
        self.assertEqual(self.shown(), (gas(NOON, 2), gas(NOON - MINUTE, 1)))
        self.assertEqual(self.latest().reading.id, 1)


STORIES = st.lists(
    st.tuples(
        st.integers(-3, 3).map(lambda minutes: NOON + minutes * MINUTE),
        st.none() | st.tuples(st.integers(-3, 3).map(lambda minutes: NOON + minutes * MINUTE), st.integers(0, 2)),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=12,
)
"""Telegrams: an instant, perhaps a gas value with its own, and a position that tells telegrams of one instant apart."""


class StartTests(LiveCase):
    """What is stored when the service starts."""

    def store(self) -> SqliteStore:
        """A store in a file of its own."""
        store = sqlite_store(Path(self.mktemp()) / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(store.open())
        # No power is cut here, and the disk need not be waited for.
        store.database.writer().execute("PRAGMA synchronous = OFF")
        self.addCleanup(lambda: result_of(store.close()))
        return store

    def add(self, store: SqliteStore, live: LiveValues, *arrivals: Arrival) -> list[Receipt]:
        """Store arrivals, and tell of them."""
        [receipts] = result_of(store.readings.add([arrivals], NOON))
        live.offer(arrivals, receipts)
        return receipts

    def loaded(self, store: SqliteStore, meter_id: int = FIRST) -> Live | None:
        """What a start finds."""
        return result_of(live_values(store.readings).latest(meter_id))

    def test_a_start_shows_what_was_shown_before(self) -> None:
        """Nobody sees an empty page after a restart; meters without readings stay empty."""
        store = self.store()
        self.add(store, self.live, heard(NOON, gas(NOON - MINUTE, 1)), heard(NOON + SECOND, gas(NOON, 2)))
        self.assertEqual(self.loaded(store), result_of(self.live.latest(FIRST)))
        self.assertIsNone(self.loaded(store, 2))

    def test_what_came_while_the_start_was_reading_is_kept(self) -> None:
        """The younger of the two is shown, whichever it is."""
        store = self.store()
        live = live_values(store.readings)
        self.add(store, live, heard(NOON, gas(NOON, 2)))
        live = live_values(store.readings)
        self.add(store, live, heard(NOON - MINUTE, gas(NOON - MINUTE, 1)))
        self.assertEqual(result_of(live.latest(FIRST)), self.loaded(store))

        self.add(store, live, heard(NOON + SECOND, gas(NOON + SECOND, 3)))
        young = live_values(store.readings)
        answers: list[Callable[[], None]] = []
        store.database.read_runner = partial(late, answers)
        waiting = young.latest(FIRST)
        self.add(store, young, heard(NOON + MINUTE, gas(NOON + MINUTE, 4)))
        answers.pop()()
        latest = result_of(waiting)
        assert latest is not None
        self.assertEqual((latest.reading.reading.at, latest.gas), (NOON + MINUTE, gas(NOON + MINUTE, 4)))
        self.assertEqual(latest.previous_gas, gas(NOON + SECOND, 3))

    @settings(max_examples=100, deadline=None)
    @given(STORIES)
    def test_memory_and_store_tell_the_same(self, story: list[tuple[int, tuple[int, int] | None, int]]) -> None:
        """Whatever came in whatever order, a restart would show just what is shown."""
        store = self.shared_store()
        live = live_values(store.readings)
        self.serial += 1
        own = f"{METER}-{self.serial}"
        first = heard(NOON - DAY, gas(NOON - DAY, 0), received_at=NOON, equipment_id=own, origin=SECOND_CABLE)
        [receipt] = self.add(store, live, first)
        # From now on it is only told.
        result_of(live.latest(receipt.meter_id))
        for at, value, position in story:
            devices = [gas(*value)] if value is not None else []
            self.add(store, live, heard(at, *devices, received_at=NOON, equipment_id=own, delivered_1=position))
            self.assertEqual(result_of(live.latest(receipt.meter_id)), self.loaded(store, receipt.meter_id))

    def test_what_others_have_stored_is_read_when_somebody_asks(self) -> None:
        """Of the meters that they name, or of all of them."""
        store = self.store()
        mine, theirs = live_values(store.readings), live_values(store.readings)
        self.add(store, mine, heard(NOON))
        for step, meter_ids in enumerate(([FIRST, 7], None), 1):
            before = result_of(mine.latest(FIRST))
            self.add(store, theirs, heard(NOON + step * SECOND))
            self.assertEqual(result_of(mine.latest(FIRST)), before)
            mine.outdated(meter_ids)
            self.assertEqual(result_of(mine.latest(FIRST)), self.loaded(store))

    def test_a_store_that_is_away_is_asked_again(self) -> None:
        """Nobody is told for ever that there is nothing."""
        store = self.store()
        live = live_values(store.readings)
        self.add(store, live, heard(NOON))
        store.database.read_runner = lambda *work: fail(StoreUnavailable("away"))
        self.failureResultOf(live.latest(FIRST), StoreUnavailable)
        store.database.read_runner = maybeDeferred
        self.assertEqual(result_of(live.latest(FIRST)), self.loaded(store))

    serial = 0
    _store: SqliteStore | None = None

    def shared_store(self) -> SqliteStore:
        """One store for all examples, with a meter that is heard, so that each example gets a meter of its own."""
        if self._store is None:
            self._store = self.store()
            self.add(self._store, live_values(self._store.readings), heard(NOON))
        return self._store

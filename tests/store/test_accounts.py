"""Tests of dsmr_tw.store.accounts: programs that share a server agree on whose the readings are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from attrs import evolve

from dsmr_tw.domain.reading import HOUR, SECOND, Arrival, Receipt
from dsmr_tw.errors import StoreError
from dsmr_tw.store.threads import result_of
from tests.arrivals import CABLE, NOON, OTHER_METER, SECOND_CABLE, gas, heard
from tests.contracts.storecase import FIRST
from tests.onpostgres import OnPostgres
from tests.store.test_sqlite import SqliteCase

BOTH_AT_ONCE = 8
"""So often two programs begin at the same time."""


def next_door(seconds: int = 0) -> Arrival:
    """A telegram of the neighbour's meter."""
    return heard(NOON + seconds * SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER)


class SharedCase(OnPostgres, SqliteCase):
    """A test with the stores of several programs on one database."""

    def another(self) -> Any:
        """The store of another program."""
        store = self.make_store()
        self.ask(store.open)
        self.addCleanup(self.ask, store.close)
        return store

    def give(self, store: Any, *arrivals: Arrival) -> list[Receipt]:
        """Store arrivals through one of the stores."""
        receipts: list[Receipt]
        [receipts] = self.ask(store.readings.add, [list(arrivals)], max(one.received_at for one in arrivals))
        return receipts


class TurnsTests(SharedCase):
    """One writes after the other, and each remembers what it has read."""

    def test_equipment_that_the_other_opened(self) -> None:
        """It is not opened again."""
        other = self.another()
        for seconds, store in enumerate((self.store, other, self.store, other)):
            self.give(store, heard(NOON + seconds * SECOND, gas(NOON + seconds * SECOND)))
            self.give(store, next_door(seconds))
        self.assertEqual(self.rows("SELECT meter_id, count(*) FROM equipment GROUP BY 1 ORDER BY 1"), [(1, 2), (2, 1)])
        self.assertEqual(self.rows("SELECT meter_id, count(*) FROM reading GROUP BY 1 ORDER BY 1"), [(1, 4), (2, 4)])

    def test_accounts_that_the_other_joined_and_split(self) -> None:
        """What comes afterwards goes where the equipment is now."""
        other = self.another()
        self.give(self.store, heard(NOON), next_door())
        move = self.ask(other.meters.begin_join, FIRST, FIRST + 1)
        while not move.done:
            move = self.ask(other.meters.move, move)
        self.assertTrue(self.ask(other.meters.end_move, move, NOON))
        self.assertEqual([one.meter_id for one in self.give(self.store, next_door(1))], [FIRST])
        [(number,)] = self.rows(f"SELECT id FROM equipment WHERE printed_id = '{OTHER_METER}'")
        move = self.ask(other.meters.begin_split, FIRST, [number], NOON)
        while not move.done:
            move = self.ask(other.meters.move, move)
        self.assertTrue(self.ask(other.meters.end_move, move, NOON))
        self.assertEqual([one.meter_id for one in self.give(self.store, next_door(2))], [move.target_id])

    def test_the_same_reading_from_both(self) -> None:
        """It is stored once, and the second one hears its number."""
        [first] = self.give(self.store, heard(NOON))
        [second] = self.give(self.another(), heard(NOON))
        self.assertEqual(second, evolve(first, created=False))

    def test_the_same_reading_twice_in_a_batch(self) -> None:
        """The first one is new."""
        first, second = self.give(self.store, heard(NOON), heard(NOON))
        self.assertEqual((first.created, second), (True, evolve(first, created=False)))
        self.assertEqual(self.rows("SELECT readings, minutes FROM reading_count"), [(1, 1), (1, 1)])

    def test_a_meter_that_is_not_there(self) -> None:
        """An origin that is tied to it is told so, and nothing is stored."""
        with self.assertRaises(StoreError):
            self.give(self.store, heard(NOON, origin=evolve(CABLE, meter_id=99)))
        self.assertEqual(self.rows("SELECT * FROM equipment"), [])

    def test_a_value_that_is_too_large(self) -> None:
        """It is refused before an account is opened for its sake."""
        self.assert_refused(heard(NOON, delivered_1=1 << 63))
        self.assertEqual((self.rows("SELECT * FROM equipment"), self.rows("SELECT * FROM origin")), ([], []))


class AtOnceTests(SharedCase):
    """Both write in the same moment."""

    def both(self, *batches: Sequence[Arrival]) -> list[list[Receipt]]:
        """Let two programs that know nothing yet store a batch each, at the same time."""
        stores, begin = [self.another() for _ in batches], Barrier(len(batches))

        def give(store: Any, batch: Sequence[Arrival]) -> list[Receipt]:
            begin.wait(10)
            receipts: list[Receipt]
            [receipts] = result_of(store.readings.add([list(batch)], NOON + HOUR))
            return receipts

        with ThreadPoolExecutor(len(batches)) as threads:
            return list(threads.map(give, stores, batches))

    def test_an_account_is_opened_once(self) -> None:
        """And the same readings are stored once, and counted once, in whatever order both have them."""
        for _ in range(BOTH_AT_ONCE):
            self.begin_anew()
            self.give(self.store, heard(NOON - SECOND))
            batch = [one for n in range(20) for one in (heard(NOON + n * SECOND, gas()), next_door(n))]
            one, two = self.both(batch, batch[::-1])
            self.assertEqual([r.reading_id for r in one], [r.reading_id for r in two[::-1]])
            self.assertEqual({a.created != b.created for a, b in zip(one, two[::-1], strict=True)}, {True})
            self.assertEqual({receipt.meter_id for receipt in one}, {FIRST, FIRST + 1})
            self.assertEqual(self.rows("SELECT count(*) FROM equipment"), [(3,)])
            self.check_counts()

    def check_counts(self) -> None:
        """Counts are those of the rows."""
        counted = self.rows("SELECT meter_id, readings, minutes FROM reading_count WHERE hours = 24 ORDER BY 1")
        self.assertEqual(counted, [(FIRST, 21, 2), (FIRST + 1, 20, 1)])

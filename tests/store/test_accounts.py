"""Tests of dsmr_tw.store.accounts: whose readings are, by memory, and as programs that share a server agree."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from attrs import evolve

from dsmr_tw.domain.reading import HOUR, MINUTE, SECOND, Arrival, Origin, Receipt
from dsmr_tw.errors import StoreError
from dsmr_tw.store.accounts import Accounts, Recalled, joined, own_meter_of
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.postgres_store import SEEN_EVERY
from dsmr_tw.store.threads import result_of
from tests.arrivals import (
    CABLE,
    GAS_METER,
    KEY,
    METER,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    THIRD_METER,
    gas,
    heard,
    posted,
    posted_gas,
)
from tests.contracts.storecase import FIRST
from tests.onpostgres import ZONE, OnPostgres
from tests.store.test_sqlite import SqliteCase

BOTH_AT_ONCE = 8
"""So often two programs begin at the same time."""


def next_door(seconds: int = 0) -> Arrival:
    """A telegram of the neighbour's meter."""
    return heard(NOON + seconds * SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER)


class MemoryTests(SqliteCase):
    """What is kept in memory of accounts says whose an arrival is, as the database would."""

    def learned(self, *arrivals: Arrival) -> Accounts:
        """What is read to say whose these arrivals are."""

        def learn(connection: Connection) -> Accounts:
            accounts = Accounts(connection, ZONE, SEEN_EVERY)
            accounts.learn(arrivals)
            return accounts

        return self.ask(self.store.database.read, learn)

    def own_meters(self, origin: Origin) -> list[int]:
        """The meter of an origin, asked of the database, and of all that there is in memory."""

        def own(connection: Connection) -> list[int]:
            accounts = Accounts(connection, ZONE)
            accounts.load()
            return [own_meter_of(connection, origin), accounts.own_meter(origin)]

        return self.ask(self.store.database.read, own)

    def meter_id_of(self, arrival: Arrival) -> int | None:
        """Whose an arrival is, by what is read for it."""
        recalled = self.learned(arrival).recall(arrival)
        return None if recalled is None else recalled.meter_id

    def join(self, meter_id: int, other_id: int) -> None:
        """Let one account become part of another."""
        move = self.ask(self.store.meters.begin_join, meter_id, other_id)
        while not move.done:
            move = self.ask(self.store.meters.move, move)
        self.assertTrue(self.ask(self.store.meters.end_move, move, NOON))

    def equipment(self, meter_id: int, printed_id: str) -> int:
        """The number of equipment."""
        [(number,)] = self.rows(f"SELECT id FROM equipment WHERE meter_id = {meter_id} AND printed_id = '{printed_id}'")
        return int(number)

    def test_what_was_looked_for(self) -> None:
        """That is recalled, with the electricity meter and the devices."""
        arrival = heard(NOON, gas())
        self.add(arrival, next_door())
        recalled = Recalled(FIRST, self.equipment(FIRST, METER), (self.equipment(FIRST, GAS_METER),))
        self.assertEqual(self.learned(arrival).recall(arrival), recalled)
        self.assertEqual(self.learned(next_door(), arrival).recall(arrival), recalled)

    def test_what_was_not_looked_for(self) -> None:
        """Whether there is such an origin, or such an id, nobody knows."""
        self.add(heard(NOON), next_door())
        accounts = self.learned(heard(NOON))
        self.assertIsNone(accounts.recall(next_door()))
        self.assertIsNone(accounts.recall(heard(NOON, equipment_id=OTHER_METER)))
        self.assertIsNone(accounts.recall(heard(NOON, origin=SECOND_CABLE)))
        self.assertIsNone(accounts.recall(posted(NOON)))

    def test_what_has_to_be_stored(self) -> None:
        """An id, a device, an origin or a meter that was never heard is settled by who may write."""
        self.assertIsNone(self.meter_id_of(posted(NOON)))
        self.add(heard(NOON))
        for arrival in (
            heard(NOON, equipment_id=OTHER_METER),
            heard(NOON, gas()),
            heard(NOON, origin=SECOND_CABLE),
            posted(NOON, origin=evolve(KEY, meter_id=99)),
        ):
            self.assertIsNone(self.meter_id_of(arrival), arrival)
        self.assertEqual(self.meter_id_of(posted(NOON)), FIRST)

    def test_an_origin_whose_meter_was_joined(self) -> None:
        """It follows: a cable that is tied to it, and one that was heard with it; also when that is joined in turn."""
        third = Origin("a third cable")
        self.add(heard(NOON), next_door(), heard(NOON, origin=third, equipment_id=THIRD_METER))
        ties = [evolve(SECOND_CABLE, meter_id=meter_id) for meter_id in (2, 3)]
        self.assertEqual([self.own_meters(origin) for origin in (*ties, third)], [[2, 2], [3, 3], [3, 3]])
        self.join(2, 3)
        self.assertEqual([self.own_meters(origin) for origin in (*ties, third)], [[2, 2]] * 3)
        self.assertEqual(self.meter_id_of(posted(NOON, origin=Origin("a fourth cable", 3))), 2)
        self.join(FIRST, 2)
        self.assertEqual([self.own_meters(origin) for origin in (*ties, third)], [[FIRST, FIRST]] * 3)
        self.assertEqual(self.ask(self.store.database.read, joined)[2], FIRST)
        for origin in ties:
            self.assertEqual(self.meter_id_of(heard(NOON, origin=origin, equipment_id=OTHER_METER)), FIRST)
            self.assertEqual(self.meter_id_of(heard(NOON, origin=origin, equipment_id=None)), FIRST)

    def test_a_tie_to_what_is_not_there(self) -> None:
        """The database and the memory say so alike."""
        tied = evolve(CABLE, meter_id=99)

        def asked_of_memory(connection: Connection) -> int:
            accounts = Accounts(connection, ZONE)
            accounts.load()
            return accounts.own_meter(tied)

        for ask in (asked_of_memory, lambda connection: own_meter_of(connection, tied)):
            with self.assertRaisesRegex(StoreError, f"{CABLE.name} is for meter 99, which is not there"):
                self.ask(self.store.database.read, ask)

    def test_an_origin_that_was_never_heard(self) -> None:
        """It belongs to the first meter."""
        self.add(heard(NOON), next_door())
        self.assertEqual(self.own_meters(KEY), [FIRST, FIRST])
        self.assertEqual(self.own_meters(SECOND_CABLE), [2, 2])

    def test_an_id_at_two_meters(self) -> None:
        """Ties brought it to both: where nothing is tied the first one counts, in whatever order they are learned."""
        for name in ("Second", "Third"):
            self.ask(self.store.meters.add, name, ZONE)
        to_3, to_2 = (heard(NOON, origin=Origin(f"tied to {id_}", id_), equipment_id=OTHER_METER) for id_ in (3, 2))
        free = heard(NOON, equipment_id=OTHER_METER)
        self.add(heard(NOON), to_3)
        self.add(to_2)
        accounts = self.learned(evolve(to_2, equipment_id=None), posted(NOON, origin=CABLE))
        self.assertIsNone(accounts.recall(free))
        accounts.merge(self.learned(to_3, free))
        accounts.merge(self.learned(evolve(to_2, equipment_id=None)))
        for known in (accounts, self.learned(to_2, to_3, free)):
            recalled = [known.recall(arrival) for arrival in (to_3, free)]
            self.assertEqual(recalled, [Recalled(3, self.equipment(3, OTHER_METER), ())] * 2)
        self.assertEqual(self.meter_id_of(to_2), 2)

    def test_when_equipment_was_heard(self) -> None:
        """That is stored every four minutes at most, each time once."""
        self.add(heard(NOON, gas()))
        accounts = self.learned(heard(NOON))
        numbers = [self.equipment(FIRST, printed_id) for printed_id in (METER, GAS_METER)]
        for received_at, stored in ((4 * MINUTE - 1, False), (4 * MINUTE, True), (5 * MINUTE, False), (3, False)):
            accounts.recall(heard(NOON, gas(), received_at=NOON + received_at))
            at = NOON + received_at
            self.assertEqual(accounts.take_heard(), dict.fromkeys(numbers, at) if stored else {}, received_at)
            self.assertEqual(accounts.take_heard(), {})
        accounts.recall(heard(NOON, received_at=NOON + 8 * MINUTE))
        self.assertEqual(accounts.take_heard(), {numbers[0]: NOON + 8 * MINUTE})

    def test_what_was_heard_is_kept(self) -> None:
        """Of two gas meters the one that was heard last is meant, though the database does not know of it yet."""
        self.add(heard(NOON, gas(), gas(equipment_id=OTHER_GAS_METER, channel=2)))
        self.add(heard(NOON + 5 * MINUTE, gas(equipment_id=OTHER_GAS_METER, channel=2)))
        nameless = posted(NOON + 9 * MINUTE, posted_gas())
        one, other = (self.equipment(FIRST, printed_id) for printed_id in (GAS_METER, OTHER_GAS_METER))
        accounts, fresh = self.learned(heard(NOON)), self.learned(nameless)
        accounts.recall(heard(NOON + 8 * MINUTE, gas()))
        accounts.merge(self.learned(nameless))
        self.assertEqual(self.device_of(self.learned(nameless), nameless), other)
        self.assertEqual(self.device_of(accounts, nameless), one)
        # The electricity meter's time was stored three minutes before, that of the nameless telegram a minute before.
        self.assertEqual(accounts.take_heard(), {one: NOON + 8 * MINUTE})
        fresh.hear_of(accounts)
        self.assertEqual(self.device_of(fresh, nameless), one)
        fresh.hear_of(self.learned(nameless))
        self.assertEqual(self.device_of(fresh, nameless), one)

    def device_of(self, accounts: Accounts, arrival: Arrival) -> int:
        """The one device that an arrival is of."""
        recalled = accounts.recall(arrival)
        assert recalled is not None
        [number] = recalled.device_ids
        return number


class MemoryOnPostgresTests(OnPostgres, MemoryTests):
    """The same on a server."""


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

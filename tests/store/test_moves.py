"""Tests of dsmr_tw.store.moves and joins: the tables are as if it had been so from the start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from attrs import evolve

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.reading import DAY, HOUR, SECOND, Arrival, Origin
from dsmr_tw.store.moves import HOURS_AT_ONCE
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.stored import Move
from tests.arrivals import (
    CABLE,
    GAS_METER,
    METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    QUARTER,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    water,
)
from tests.contracts.storecase import FIRST
from tests.store.test_sqlite import SqliteCase

SECOND_METER, THIRD_METER = FIRST + 1, FIRST + 2

COUNTED = "reading_count device_reading_count equipment_reading_count row_count".split()
DERIVED = "quarter device_quarter epoch outlier hour_statistics day_statistics".split()

EQUIPMENT = (
    "(SELECT device_type || ' ' || coalesce(printed_id, CAST(channel AS TEXT))"
    " FROM equipment AS e WHERE e.id = t.equipment_id)"
)
OF_ROW = {"epoch": "reading_id", "outlier": "reading_id", "reading": "id", "device_reading": "id"}
"""Where a row names a reading, it is told by its instant."""

THE_GAS = "(SELECT instant || '=' || value FROM device_reading AS d WHERE d.meter_id = t.meter_id AND d.id = t.gas_id)"


def house(random: Random, origin: Origin, meter: str, gas_meter: str, shared_water: bool) -> list[Arrival]:
    """Some hours of a house: its electricity with glitches, its gas, perhaps water; and telegrams that come late."""
    arrivals = []
    at, position = NOON, random.randrange(10_000)
    for _ in range(random.randrange(5, 60)):
        at += random.choice((SECOND, MINUTE, QUARTER, 2 * HOUR))
        position += random.randrange(20)
        printed = random.randrange(9_000_000, 9_999_999) if random.random() < 0.1 else position
        devices = [gas(at - at % HOUR, 5 * (at - NOON) // HOUR, gas_meter)] if random.random() < 0.7 else []
        if shared_water and random.random() < 0.5:
            devices.append(water(at - at % HOUR, (at - NOON) // HOUR))
        received_at = at + random.choice((0, 0, 0, 3 * HOUR))
        arrivals.append(
            heard(at, *devices, received_at=received_at, origin=origin, equipment_id=meter, delivered_1=printed)
        )
    return arrivals


def two_houses(seed: int, shared_water: bool = False) -> list[Arrival]:
    """What comes from two houses, mixed; some of it comes twice."""
    random = Random(seed)
    first = house(random, CABLE, METER, GAS_METER, shared_water)
    second = house(random, SECOND_CABLE, OTHER_METER, OTHER_GAS_METER, shared_water)
    arrivals = [*first, *second]
    random.shuffle(arrivals)
    begin = [heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER, delivered_1=0)]
    return [*begin, *arrivals, *random.sample(arrivals, 3)]


class MovesCase(SqliteCase):
    """A test that looks at all tables."""

    def reopen(self) -> None:
        """See ``StoreCase``."""
        super().reopen()
        self.on_writer("PRAGMA synchronous = OFF")

    def fill(self, arrivals: Sequence[Arrival]) -> None:
        """Store arrivals, ten in a commit, and compute the ledger once in between and at the end."""
        for index in range(0, len(arrivals), 10):
            self.add(*arrivals[index : index + 10])
            if index == 20:
                self.settle()
        self.settle()

    def settle(self) -> None:
        """Compute what is marked."""
        for meter in self.ask(self.store.meters.all):
            while self.ask(self.store.ledger.recompute, meter.id, self.now):
                pass
            while self.ask(self.store.ledger.close, meter.id, self.now):
                pass

    def rebuild(self, *meter_ids: int) -> None:
        """Compute everything of some meters anew."""
        self.settle()
        for meter_id in meter_ids:
            self.ask(self.store.ledger.rebuild, meter_id, -NEVER, NEVER, self.now, lambda taken: None)

    def move_all(self, move: Move) -> Move:
        """Move what is to move, and end it."""
        while not move.done:
            move = self.ask(self.store.meters.move, move)
        self.assertTrue(self.ask(self.store.meters.end_move, move, self.now))
        return move

    def join_meters(self) -> None:
        """Join the second meter to the first."""
        self.move_all(self.ask(self.store.meters.begin_join, FIRST, SECOND_METER))
        self.settle()

    def split_meter(self, *printed: str) -> Move:
        """Split equipment off the first meter, by what it prints."""
        rows = self.rows("SELECT id, printed_id FROM equipment")
        numbers = [number for number, printed_id in rows if printed_id in printed]
        move = self.move_all(self.ask(self.store.meters.begin_split, FIRST, numbers, self.now))
        self.settle()
        return move

    def tables(self, meter_id: int) -> dict[str, list[Any]]:
        """Everything of a meter: equipment by what it prints, readings by when they were."""
        found = {}
        for table in ("reading", "device_reading", *COUNTED, *DERIVED):
            columns = self.columns(table)
            replaced = {"meter_id": "0", "equipment_id": EQUIPMENT, "gas_id": THE_GAS, OF_ROW.get(table, ""): "0"}
            shown = ", ".join(replaced.get(column, column) for column in columns)
            rows = self.rows(f"SELECT {shown} FROM {table} AS t WHERE meter_id = {meter_id}")
            found[table] = sorted(rows, key=repr)
        return found

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, but for what a database makes of the others."""
        cursor: Any = self.connection().execute(f"SELECT * FROM {table} LIMIT 0")
        return [name for name, *_ in cursor.description if name != "digest"]

    def tied(self, arrivals: Iterable[Arrival], meter_id: int) -> list[Arrival]:
        """The same, from cables whose owner said which meter they are for."""
        return [evolve(arrival, origin=evolve(arrival.origin, meter_id=meter_id)) for arrival in arrivals]


class FromTheStartTests(MovesCase):
    """Whatever was joined or split, every table is as if the readings had come that way from the start."""

    def begin_anew(self) -> None:
        """Go on with an empty database."""
        self.path = self.path.with_name(f"{self.path.name}x")
        self.reopen()

    def test_joined(self) -> None:
        """Two accounts that become one, with a water meter in both."""
        for seed in range(6):
            arrivals = two_houses(seed, shared_water=seed % 2 == 1)
            self.fill(arrivals)
            self.join_meters()
            joined = self.tables(FIRST)
            self.begin_anew()
            self.fill(self.tied(arrivals, FIRST))
            self.rebuild(FIRST)
            self.assertEqual(joined, self.tables(FIRST), f"seed {seed}")
            self.begin_anew()

    def test_split(self) -> None:
        """One account that becomes two: each has what it would have had by itself."""
        for seed in range(6):
            arrivals = two_houses(seed)
            self.fill(arrivals)
            self.rebuild(FIRST, SECOND_METER)
            apart = [self.tables(FIRST), self.tables(SECOND_METER)]
            self.begin_anew()
            self.fill(self.tied(arrivals, FIRST))
            self.split_meter(OTHER_METER, OTHER_GAS_METER)
            self.assertEqual([self.tables(FIRST), self.tables(SECOND_METER)], apart, f"seed {seed}")
            self.begin_anew()

    def test_joined_and_split(self) -> None:
        """Back and forth: nothing is left of it but another number."""
        arrivals = two_houses(99)
        self.fill(arrivals)
        self.rebuild(FIRST, SECOND_METER)
        apart = [self.tables(FIRST), self.tables(SECOND_METER)]
        self.join_meters()
        self.split_meter(OTHER_METER, OTHER_GAS_METER)
        self.assertEqual([self.tables(FIRST), self.tables(THIRD_METER)], apart)

    def test_broken_off_and_finished(self) -> None:
        """A move that ended with any of its transactions, and a restart, leads to the same when it is begun again."""
        hourly = [heard(NOON + n * HOUR, gas(NOON + n * HOUR, n)) for n in range(250)]
        other = [
            heard(
                NOON + n * HOUR + MINUTE,
                gas(NOON + n * HOUR, 2 * n, OTHER_GAS_METER),
                origin=SECOND_CABLE,
                equipment_id=OTHER_METER,
            )
            for n in range(250)
        ]
        self.fill([one for pair in zip(hourly, other, strict=True) for one in pair])
        self.rebuild(FIRST, SECOND_METER)
        apart = [self.tables(FIRST), self.tables(SECOND_METER)]
        for _ in range(3):
            move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
            for _ in range(2):
                move = self.ask(self.store.meters.move, move)
            self.reopen()
            self.settle()
        self.join_meters()
        joined = self.tables(FIRST)
        self.assertEqual((len(joined["reading"]), self.tables(SECOND_METER)["quarter"]), (500, []))
        for _ in range(3):
            self.begin_split()
            self.reopen()
            self.settle()
        self.assertEqual(self.split_meter(OTHER_METER, OTHER_GAS_METER).target_id, THIRD_METER)
        self.assertEqual([self.tables(FIRST), self.tables(THIRD_METER)], apart)

    def begin_split(self) -> None:
        """Begin a split, and break it off."""
        rows = self.rows(f"SELECT id FROM equipment WHERE printed_id IN ('{OTHER_METER}', '{OTHER_GAS_METER}')")
        move = self.ask(self.store.meters.begin_split, FIRST, [number for (number,) in rows], self.now)
        for _ in range(3):
            move = self.ask(self.store.meters.move, move)


class LeftoverTests(MovesCase):
    """What is left of an account, and what others remember of it."""

    def beside(self) -> SqliteStore:
        """The store of a server on the same file."""
        server = self.make_store()
        self.ask(server.open)
        self.addCleanup(self.ask, server.close)
        return server

    def test_nothing_names_a_joined_account(self) -> None:
        """No row of any table belongs to it, but what keeps others from writing rows."""
        self.fill(two_houses(7))
        for table, values in (
            ("contract", "9, 2, 0, NULL, 'over', 0, 0, 0, 0, 0, 0"),
            ("contract", "8, 1, 0, NULL, 'own', 0, 0, 0, 0, 0, 0"),
            ("price", "2, 'gas', 1, 2, 3"),
            ("price", "1, 'gas', 1, 2, 3"),
            ("peak", "2, 1, 2, 3"),
            ("event", "2, 1, 'sag', 3"),
            ("thinned", "2, 5"),
        ):
            self.on_writer(f"INSERT INTO {table} VALUES ({values})")
        key = "INSERT INTO api_key VALUES (5, 'phone', 'read', ?, '', 2, 0)"
        self.ask(self.store.database.write, lambda connection: connection.execute(key, (b"0",)))
        self.join_meters()
        naming = [
            table
            for table in self.table_names()
            if "meter_id" in self.columns(table) and self.rows(f"SELECT 1 FROM {table} WHERE meter_id = {SECOND_METER}")
        ]
        self.assertEqual(naming, ["ledger_state"])
        for table in ("peak", "event", "price"):
            self.assertEqual(len(self.rows(f"SELECT 1 FROM {table} WHERE meter_id = {FIRST}")), 1)
        self.assertEqual([key.meter_id for key in self.ask(self.store.keys.all)], [FIRST])

    def test_what_was_being_computed_is_not_written(self) -> None:
        """A server that was in the middle of the joined account's ledger goes on, and finds nothing to do."""
        self.fill(two_houses(3))
        server = self.beside()
        self.add(*(heard(NOON + n * MINUTE, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(11_000)))
        self.ask(server.ledger.dirty, self.now)
        self.assertTrue(self.ask(server.ledger.recompute, SECOND_METER, self.now))
        self.join_meters()
        while self.ask(server.ledger.recompute, SECOND_METER, self.now):
            pass
        self.assertFalse(self.ask(server.ledger.close, SECOND_METER, self.now))
        self.assertEqual(self.rows(f"SELECT 1 FROM quarter WHERE meter_id = {SECOND_METER}"), [])
        self.assertNotIn(SECOND_METER, self.ask(server.ledger.dirty, self.now + DAY))

    def test_a_server_that_waits_for_the_clock(self) -> None:
        """The account whose next row it would let appear is not there any more, so nobody asks about it."""
        ahead = [heard(NOON + n * HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(3)]
        self.add(heard(NOON), *ahead)
        server = self.beside()
        self.ask(server.ledger.dirty, NOON)
        while self.ask(server.ledger.recompute, SECOND_METER, NOON):
            pass
        self.assertFalse(self.ask(server.ledger.close, SECOND_METER, NOON))
        self.assertIn(SECOND_METER, self.ask(server.ledger.dirty, NOON + HOUR))
        self.join_meters()
        self.assertFalse(self.ask(server.ledger.close, SECOND_METER, NOON + HOUR))
        self.assertNotIn(SECOND_METER, self.ask(server.ledger.dirty, NOON + HOUR))

    def test_rows_that_are_gone_when_they_are_to_move(self) -> None:
        """Retention, or another command that moves the same, may have been first."""
        self.add(heard(NOON), heard(NOON, gas(), origin=SECOND_CABLE, equipment_id=OTHER_METER))
        move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
        work = self.store.database.read_runner

        def too_late(function: Any, *arguments: Any) -> Any:
            found = work(function, *arguments)
            for table in ("reading", "device_reading"):
                self.on_writer(f"DELETE FROM {table} WHERE meter_id = {SECOND_METER}")
            return found

        self.store.database.read_runner = too_late
        for _ in range(2):
            move = self.ask(self.store.meters.move, evolve(move, devices_done=not move.devices_done, after=()))
            self.add(devices_only(NOON, gas(), origin=evolve(CABLE, meter_id=SECOND_METER)))
        self.store.database.read_runner = work
        self.assertEqual(self.page().count, 1)


class SmallStepTests(MovesCase):
    """A move never holds the database for long."""

    def test_so_many_rows_at_once(self) -> None:
        """However many readings an hour holds."""
        self.add(heard(NOON - SECOND))
        self.add(*(heard(NOON + n * SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(4_500)))
        move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
        taken = []
        while not move.done:
            before, move = move.taken, self.ask(self.store.meters.move, move)
            taken.append(move.taken - before)
        self.assertEqual((max(taken), sum(taken)), (2_000 if self.store.kind == "sqlite" else 300, 4_500))

    def test_so_many_hours_at_once(self) -> None:
        """However few readings an hour holds: all those of an hour that it touches are counted anew."""
        self.add(heard(NOON - SECOND))
        self.add(*(heard(NOON + n * HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(250)))
        move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
        taken = []
        while not move.done:
            before, move = move.taken, self.ask(self.store.meters.move, move)
            taken.append(move.taken - before)
        self.assertEqual(taken, [0, HOURS_AT_ONCE, 50, 0])


class CostTests(MovesCase):
    """What moves is found by keys."""

    sqlite_only = True

    def test_no_row_costs_a_walk_through_a_table(self) -> None:
        """What is asked about each row goes through the whole of a key, or an index."""
        self.fill(two_houses(5, shared_water=True))
        asked: list[str] = []
        for begin, *arguments in (
            (self.store.meters.begin_join, FIRST, SECOND_METER),
            (self.store.meters.begin_split, FIRST, [1, 2], self.now),
        ):
            move = self.ask(begin, *arguments)
            self.store.database.writer().set_trace_callback(asked.append)
            while not move.done:
                move = self.ask(self.store.meters.move, move)
            self.store.database.writer().set_trace_callback(None)
            self.assertTrue(self.ask(self.store.meters.end_move, move, self.now))
        wanted = [sql for sql in asked if re.match(r"\s*(SELECT|INSERT|DELETE|UPDATE)", sql)]
        self.assertGreater(len(wanted), 100)
        for sql in wanted:
            plan = "\n".join(row[3] for row in self.rows(f"EXPLAIN QUERY PLAN {sql}"))
            self.assertNotRegex(
                plan, r"(SCAN|SEARCH) (reading|device_reading|d)( USING PRIMARY KEY \(meter_id=\?\))?$", sql
            )

"""Tests of dsmr_tw.store.sqlite: the contract of every store, and what only a file can do."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, YEAR_2000
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import (
    CABLE,
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
from tests.contracts.store import StoreContract
from tests.contracts.storecase import FIRST, StoreCase
from tests.spoolcase import small_disk

P = ParamSpec("P")
T = TypeVar("T")

ZONE = "Europe/Amsterdam"


class SqliteCase(StoreCase, SynchronousTestCase):
    """A test with a store in a file, whose work is done at once, without any thread."""

    store: SqliteStore

    def setUp(self) -> None:
        """Begin with a directory of its own."""
        self.path = Path(self.mktemp()) / "dsmr.sqlite3"
        super().setUp()
        # No power is cut here, and the disk need not be waited for.
        self.on_writer("PRAGMA synchronous = OFF")

    def make_store(self) -> SqliteStore:
        """See ``StoreCase``."""
        return sqlite_store(self.path, ZONE, *self.runners())

    def connection(self) -> Connection:
        """A connection that sees what is stored."""
        return self.store.database.writer()

    def ask(self, function: Callable[P, Deferred[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``StoreCase``."""
        return result_of(function(*args, **kwargs))

    def rows(self, sql: str) -> list[Any]:
        """What the store's own connection reads."""
        return self.ask(self.store.database.read, lambda connection: connection.execute(sql).fetchall())

    def table_names(self) -> list[str]:
        """All tables."""
        return [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def on_writer(self, sql: str) -> list[Any]:
        """What the connection that writes answers, outside any transaction."""
        return self.store.database.writer().execute(sql).fetchall()


class SqliteStoreTests(StoreContract, SqliteCase):
    """The default store holds what every store holds."""


class FileTests(SqliteCase):
    """How the file is treated."""

    def test_a_commit_has_reached_the_disk(self) -> None:
        """Acknowledged readings survive a power cut: the log is written ahead and flushed at every commit."""
        self.reopen()
        self.assertEqual(self.on_writer("PRAGMA journal_mode"), [("wal",)])
        self.assertEqual(self.on_writer("PRAGMA synchronous"), [(2,)])

    def test_the_directory_is_made(self) -> None:
        """A database may be asked for in a directory that is not there yet, nor the one above it."""
        path = Path(self.mktemp()) / "far" / "away.sqlite3"
        store = sqlite_store(path, ZONE, maybeDeferred, maybeDeferred)
        self.ask(store.open)
        self.ask(store.close)
        self.assertTrue(path.is_file())

    def test_closing_leaves_one_file(self) -> None:
        """After a stop the file alone is the database, and may be copied as it is."""
        self.add(heard(NOON))
        self.page()
        self.ask(self.store.close)
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_a_three_phase_reading_takes_few_bytes(self) -> None:
        """Ten years of readings fit on a small disk: at most 66 bytes each, with the counts that go with them."""
        before = self.bytes_in_use()
        self.add(*(heard(NOON + 10 * n * SECOND, received_at=NOON + 10 * n * SECOND + 2) for n in range(4_000)))
        self.assertLess((self.bytes_in_use() - before) / 4_000, 66)

    def bytes_in_use(self) -> int:
        """How much the pages of the database take."""
        [(pages,)], [(size,)] = self.on_writer("PRAGMA page_count"), self.on_writer("PRAGMA page_size")
        return int(pages) * int(size)


class TroubleTests(SqliteCase):
    """A file that does not do what is asked of it now."""

    def assert_away(self, function: Callable[..., Deferred[Any]], *args: Any) -> None:
        """It fails with ``StoreUnavailable``, which names the file."""
        with self.assertRaises(StoreUnavailable) as caught:
            self.ask(function, *args)
        self.assertIn(str(self.path), str(caught.exception))

    def test_a_full_disk_is_not_the_readings_fault(self) -> None:
        """While the disk is full nothing is stored; once there is space again, all is as before."""
        [first] = self.add(heard(NOON))
        [(pages,)] = self.on_writer("PRAGMA page_count")
        self.on_writer(f"PRAGMA max_page_count = {pages}")
        many = [heard(NOON + n * SECOND, water(NOON + n * SECOND)) for n in range(1, 400)]
        self.assert_away(self.store.readings.add, [many], NOON)
        self.assertEqual(self.page().count, 1)
        self.on_writer("PRAGMA max_page_count = 1000000")
        receipts = self.add(*many)
        self.assertEqual(receipts[0].reading_id, (first.reading_id or 0) + 1)
        self.assertEqual(self.page().count, 400)

    def test_a_disk_that_takes_no_writes_can_still_be_read(self) -> None:
        """A read-only disk refuses readings, keys and statistics, and shows what is on it."""
        self.add(heard(NOON))
        for function, *arguments in (
            (self.store.readings.add, [[heard(NOON + SECOND)]], NOON),
            (self.store.keys.add, "phone", "read", b"", "", NOON),
            (self.store.meters.reject, CABLE, 1),
            (self.store.meters.change_statistics, FIRST, {"tariff": 1}),
        ):
            self.on_writer("PRAGMA query_only = ON")
            self.assert_away(function, *arguments)
        self.assertEqual(self.page().count, 1)
        # A connection that was made when the disk could only be read never writes again; the next one does.
        self.add(heard(NOON + SECOND))
        self.assertEqual(self.page().count, 2)

    def test_a_disk_that_fails_for_a_while(self) -> None:
        """What is refused with an I/O error can be stored when the disk works again, and nothing is damaged."""
        self.add(heard(NOON))
        self.page()
        with small_disk():
            self.assert_away(self.store.readings.add, [[heard(NOON + SECOND)]], NOON)
            self.assert_away(self.store.readings.add, [[heard(NOON + SECOND)]], NOON)
        self.add(heard(NOON + SECOND))
        self.assertEqual(self.page().count, 2)
        self.assertEqual(self.on_writer("PRAGMA integrity_check"), [("ok",)])

    def test_a_disk_that_fails_while_the_log_is_folded_in(self) -> None:
        """What was acknowledged stays in the log, and is folded into the file when the disk takes it."""
        self.on_writer("PRAGMA wal_autocheckpoint = 10")
        self.on_writer("PRAGMA wal_checkpoint(TRUNCATE)")
        stored = 0
        with small_disk(self.path.stat().st_size), self.assertRaises(StoreUnavailable):
            for _ in range(1000):
                self.add(*(heard(NOON + (stored + n) * SECOND) for n in range(100)))
                stored += 100
        self.assertGreater(stored, 0)
        self.reopen()
        self.assertEqual(self.page().count, stored)
        self.assertEqual(self.on_writer("PRAGMA integrity_check"), [("ok",)])

    def test_advice_comes_with_it(self) -> None:
        """Whoever reads that the disk is full reads what to do, too."""
        [(pages,)] = self.on_writer("PRAGMA page_count")
        self.on_writer(f"PRAGMA max_page_count = {pages}")
        many = [heard(NOON + n * SECOND) for n in range(400)]
        self.assertRaisesRegex(
            StoreUnavailable, r"is full \(make room on that disk", self.ask, self.store.readings.add, [many], NOON
        )

    def test_a_file_that_was_removed(self) -> None:
        """Readings are not written to where nobody would find them; put back, the file takes them again."""
        self.add(heard(NOON))
        aside = self.path.with_suffix(".aside")
        self.path.rename(aside)
        self.assert_away(self.store.readings.add, [[heard(NOON + SECOND)]], NOON)
        self.assert_away(self.store.readings.page, ReadingFilter(FIRST), False, 0, 25)
        self.assertFalse(self.path.exists())
        aside.rename(self.path)
        self.add(heard(NOON + SECOND))
        self.reopen()
        self.assertEqual(self.page().count, 2)

    def test_a_file_that_was_replaced(self) -> None:
        """Another file is used after a restart, which sees to its schema and its keys, and not before."""
        self.add(heard(NOON))
        other = sqlite_store(self.path.with_name("other"), ZONE, maybeDeferred, maybeDeferred)
        self.ask(other.open)
        self.ask(other.close)
        for name in ("dsmr.sqlite3-wal", "dsmr.sqlite3-shm"):
            self.path.with_name(name).unlink()
        self.path.with_name("other").replace(self.path)
        self.assert_away(self.store.readings.add, [[heard(NOON + SECOND)]], NOON)
        self.reopen()
        self.add(heard(NOON + SECOND))
        self.assertEqual(self.page().count, 1)

    def test_a_file_that_another_program_is_writing_is_waited_for(self) -> None:
        """A program that holds the file for too long makes the store unavailable, until it lets go."""
        self.ask(self.store.close)
        self.store.database.patience = 0.01
        self.ask(self.store.open)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.assert_away(self.store.readings.add, [[heard(NOON)]], NOON)
            self.assertEqual(self.page().count, 0)
            other.execute("ROLLBACK")
        self.add(heard(NOON))
        self.assertEqual(self.page().count, 1)

    def test_a_file_that_is_no_database_is_left_alone(self) -> None:
        """Whatever lies where the database should be, it is not overwritten."""
        self.ask(self.store.close)
        garbage = b"this is a letter, not a database\n" * 400
        self.path.write_bytes(garbage)
        self.store = self.make_store()
        self.assert_away(self.store.open)
        self.assert_away(self.store.readings.add, [[heard(NOON)]], NOON)
        self.assert_away(self.store.readings.page, ReadingFilter(FIRST), False, 0, 25)
        self.assertEqual(self.path.read_bytes(), garbage)

    def test_a_damaged_file_is_said_to_be_damaged(self) -> None:
        """A page that was overwritten is told in words, not as an error of the program."""
        self.add(*(heard(NOON + n * SECOND) for n in range(400)))
        self.ask(self.store.close)
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (self.path.stat().st_size - 4096))
        self.store = self.make_store()
        self.assert_away(self.store.open)

    def test_a_directory_that_cannot_be_made_is_told(self) -> None:
        """A path through a file leads nowhere."""
        below = self.path / "dsmr.sqlite3"
        with self.assertRaises(StoreUnavailable) as caught:
            self.ask(sqlite_store(below, ZONE, maybeDeferred, maybeDeferred).open)
        self.assertIn(str(below), str(caught.exception))


class TransactionTests(SqliteCase):
    """What is read and written at one time."""

    def test_a_question_sees_one_state(self) -> None:
        """A page and its count belong together, whatever is stored while they are read."""

        def count_twice(connection: Connection) -> list[int]:
            counts = [connection.execute("SELECT count(*) FROM reading").fetchone()[0]]
            self.add(heard(NOON))
            return [*counts, connection.execute("SELECT count(*) FROM reading").fetchone()[0]]

        self.assertEqual(self.ask(self.store.database.read, count_twice), [0, 0])
        self.assertEqual(self.page().count, 1)

    def test_nobody_writes_between_the_look_and_the_write(self) -> None:
        """Whether a reading is there already is decided while no other program can add it."""

        def try_beside(connection: Connection) -> None:
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as other:
                self.assertRaises(sqlite3.OperationalError, other.execute, "BEGIN IMMEDIATE")

        self.ask(self.store.database.write, try_beside)


class MemoryTests(SqliteCase):
    """What the store remembers of its file is never older than the file."""

    def test_a_refused_commit_uses_up_no_ids(self) -> None:
        """The next reading has the next id, as if nothing had been tried."""
        [before] = self.add(heard(NOON, gas()))
        self.assert_refused(heard(NOON + SECOND, gas(NOON + MINUTE)), heard(NOON, delivered_1=2**70))
        [after] = self.add(heard(NOON + SECOND, gas(NOON + MINUTE)))
        self.assertEqual(after.reading_id, (before.reading_id or 0) + 1)
        self.assertEqual(self.rows("SELECT id FROM device_reading ORDER BY id"), [(1,), (2,)])

    def test_a_refused_commit_leaves_no_marks_and_no_counts(self) -> None:
        """Nothing is computed again for what was never stored."""
        self.assert_refused(heard(NOON, gas()), heard(NOON, delivered_1=2**70))
        for table in ("reading", "device_reading", "reading_count", "dirty_quarter", "equipment", "origin"):
            self.assertEqual(self.rows(f"SELECT * FROM {table}"), [], table)

    def test_a_program_beside_the_server_may_write_too(self) -> None:
        """Readings, meters and devices that another program stores are known at once, and no id is given twice."""
        beside = self.make_store()
        self.ask(beside.open)
        self.addCleanup(self.ask, beside.close)
        mine = heard(NOON, gas())
        receipts = self.add(mine)
        receipts += self.ask(beside.readings.add, [[heard(NOON + SECOND, gas(NOON + MINUTE))]], NOON)[0]
        other = heard(NOON, gas(NOON, 1, OTHER_GAS_METER), origin=SECOND_CABLE, equipment_id=OTHER_METER)
        receipts += self.ask(beside.readings.add, [[other]], NOON)[0]
        again = self.add(heard(NOON + SECOND, gas(NOON + MINUTE)), other)
        self.assertEqual([receipt.reading_id for receipt in receipts + again], [1, 2, 3, 2, 3])
        self.assertEqual([receipt.meter_id for receipt in again], [FIRST, FIRST + 1])
        [third] = self.add(heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=None))
        self.assertEqual(third.meter_id, FIRST + 1)

    def test_a_device_value_that_another_program_deleted_is_stored_again(self) -> None:
        """The value that a telegram repeats is not taken for stored when it no longer is."""
        self.add(devices_only(NOON, gas()))
        with closing(sqlite3.connect(self.path)) as other, other:
            other.execute("DELETE FROM device_reading")
        [again] = self.add(devices_only(NOON, gas()))
        self.assertTrue(again.created)
        self.assertEqual(self.rows("SELECT count(*) FROM device_reading"), [(1,)])

    def test_a_key_made_beside_the_server_is_seen(self) -> None:
        """The admin commands need no restart."""
        beside = self.make_store()
        self.ask(beside.open)
        self.addCleanup(self.ask, beside.close)
        key = self.ask(beside.keys.add, "phone", "read", b"digest", "", NOON)
        self.assertEqual(self.ask(self.store.keys.all), [key])

    def test_two_programs_that_open_a_new_file_agree_on_its_meter(self) -> None:
        """There is one first meter, whoever opens it."""
        beside = self.make_store()
        self.ask(beside.open)
        self.addCleanup(self.ask, beside.close)
        [mine], [theirs] = self.add(heard(NOON)), self.ask(beside.readings.add, [[heard(NOON + SECOND)]], NOON)[0]
        self.assertEqual((mine.meter_id, theirs.meter_id), (FIRST, FIRST))
        self.assertEqual(len(self.ask(self.store.meters.all)), 1)

    def test_equipment_is_not_written_for_every_telegram(self) -> None:
        """When a meter was last heard is stored once a minute, which is enough to tell a swap by."""
        self.add(heard(NOON))
        seen = []
        for seconds in (59, 60, 61, 119, 120):
            self.add(heard(NOON + seconds * SECOND))
            seen += self.rows(f"SELECT (last_seen_at - {NOON}) / {SECOND} FROM equipment")
        self.assertEqual(seen, [(0,), (60,), (60,), (60,), (120,)])


class MarkTests(SqliteCase):
    """Which quarters a commit has computed again."""

    def marks(self) -> list[tuple[int, int]]:
        """Meter and instant of each mark."""
        return self.rows("SELECT meter_id, instant FROM dirty_quarter ORDER BY meter_id, instant")

    def test_a_commit_marks_the_quarters_of_its_readings(self) -> None:
        """Once each, for the meter that they are of."""
        self.add(
            heard(NOON),
            heard(NOON + QUARTER - 1),
            heard(NOON + QUARTER),
            heard(NOON - 1),
            heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER),
        )
        self.add(heard(NOON + SECOND))
        expected = [(FIRST, NOON - QUARTER), (FIRST, NOON), (FIRST, NOON + QUARTER), (FIRST + 1, NOON)]
        self.assertEqual(self.marks(), expected)

    def test_a_device_reading_marks_the_quarter_of_its_own_instant(self) -> None:
        """Gas of the hour before is computed again there, not where its telegram stands."""
        self.add(heard(NOON, gas(NOON - HOUR), water(NOON - 2 * HOUR)))
        self.assertEqual(self.marks(), [(FIRST, NOON - 2 * HOUR), (FIRST, NOON - HOUR), (FIRST, NOON)])

    def test_what_was_stored_before_marks_nothing(self) -> None:
        """A repeated telegram costs no computation."""
        self.add(heard(NOON, gas()))
        self.on_writer("DELETE FROM dirty_quarter")
        self.add(heard(NOON, gas()))
        self.add(heard(NOON + HOUR, gas()))
        self.assertEqual(self.marks(), [(FIRST, NOON + HOUR)])

    def test_what_counts_nowhere_marks_nothing(self) -> None:
        """Dated before 2000 or more than a day after its arrival, a value is stored and listed, and that is all."""
        self.add(
            heard(YEAR_2000 - 1, gas(YEAR_2000 - 1), received_at=NOON),
            heard(NOON + DAY + 1, gas(NOON + DAY + 1, 7), received_at=NOON),
        )
        self.assertEqual(self.marks(), [])
        self.assertEqual(self.page().count, 2)
        self.add(heard(YEAR_2000, received_at=NOON), heard(NOON + DAY, received_at=NOON))
        self.assertEqual(self.marks(), [(FIRST, YEAR_2000), (FIRST, NOON + DAY)])

    def test_a_server_without_a_clock_marks_by_the_meters_clock(self) -> None:
        """What arrives in 1970 counts where its telegram says."""
        self.add(heard(NOON, received_at=5 * SECOND))
        self.assertEqual(self.marks(), [(FIRST, NOON)])


class CostTests(SqliteCase):
    """What is asked often costs the same however much is stored."""

    def test_counts_are_those_of_the_rows(self) -> None:
        """Each hour and each day knows how many readings it holds."""
        far = [NOON - 700_000 * DAY, NOON - 1, NOON, NOON + DAY - NOON % DAY, NOON + 2_000_000 * DAY]
        self.add(*(heard(at + n * MINUTE, received_at=NOON) for at in far for n in range(100)))
        self.add(*(heard(at, received_at=NOON) for at in far))
        instants = [instant for (instant,) in self.rows("SELECT instant FROM reading")]
        expected: Counter[tuple[int, int]] = Counter()
        for hours in (1, 24):
            expected.update((hours, instant - instant % (hours * HOUR)) for instant in instants)
        counted = self.rows("SELECT hours, instant, readings FROM reading_count")
        self.assertEqual({(hours, instant): readings for hours, instant, readings in counted}, expected)

    def test_no_question_reads_a_whole_table(self) -> None:
        """Pages, counts and newest values go through the keys of the tables that grow."""
        self.add(*(heard(NOON + n * MINUTE, gas(NOON + n * MINUTE)) for n in range(100)))
        asked: list[str] = []
        self.ask(self.store.database.read, lambda connection: connection.set_trace_callback(asked.append))
        for descending in (False, True):
            self.page(start=NOON + 1, end=NOON + 90 * MINUTE, descending=descending, offset=40, limit=10)
        self.ask(self.store.readings.live, FIRST, NOON + DAY)
        self.ask(self.store.database.read, lambda connection: connection.set_trace_callback(None))
        plans = [(sql, self.plan(sql)) for sql in asked if "SELECT" in sql]
        self.assertGreater(len(plans), 8)
        for sql, plan in plans:
            self.assertNotRegex(
                plan, r"SCAN (reading|device_reading|reading_count|r|d|e|equipment|meter_statistics)\b", sql
            )

    def test_a_gas_value_that_is_repeated_is_not_looked_up(self) -> None:
        """Nearly every telegram repeats the gas value of the one before, and costs no more for it."""
        self.add(heard(NOON, gas(), water()))
        asked: list[str] = []
        self.store.database.writer().set_trace_callback(asked.append)
        self.add(heard(NOON + SECOND, gas(), water()))
        self.store.database.writer().set_trace_callback(None)
        self.assertEqual([sql for sql in asked if "device_reading" in sql], [])

    def plan(self, sql: str) -> str:
        """How SQLite would find the answer; what it scans of an inner query is a page at most."""
        steps = [row[3] for row in self.rows(f"EXPLAIN QUERY PLAN {sql}")]
        inner = any(step.startswith(("CO-ROUTINE", "MATERIALIZE")) for step in steps)
        return "\n".join(step for step in steps if not (inner and re.match(r"SCAN (r|\(subquery)", step)))

    def test_the_last_page_costs_what_the_first_one_does(self) -> None:
        """Behind five thousand readings a page takes no more steps than a count of days explains."""
        self.add(*(heard(NOON + n * HOUR, received_at=NOON + 5_000 * HOUR) for n in range(5_000)))
        for offset in (0, 2_500, 4_990):
            for descending in (False, True):
                self.assertLess(self.steps(offset, descending), 15_000)

    def steps(self, offset: int, descending: bool) -> int:
        """How many steps of its machine SQLite takes for a page, in hundreds of them."""
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 100

        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(count, 100))
        self.page(offset=offset, limit=10, descending=descending)
        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(None, 0))
        return steps

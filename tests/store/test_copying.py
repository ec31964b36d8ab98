"""Tests of dsmr_tw.store.copying, and of the rows of both databases on their way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, Arrival
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.errors import StoreRefused
from dsmr_tw.store.connect import postgres_store, sqlite_store
from dsmr_tw.store.copied_tables import NOT_COPIED, TABLES
from dsmr_tw.store.copying import COPYING, Copying, Difference, Side
from dsmr_tw.store.postgres_rows import PostgresRows
from dsmr_tw.store.sqlite_rows import SqliteRows
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter, SpanFilter
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, gas, heard, posted, water
from tests.postgres import server

ZONE = "Europe/Amsterdam"
NOBODY = "nobody but these tests"


def house() -> list[Arrival]:
    """Two meters with devices, and readings that the two databases write in different words."""
    hours = [NOON + number * HOUR for number in range(60)]
    quiet = [heard(at, gas(at, at // HOUR), water(at, at // DAY), delivered_1=at // HOUR) for at in hours]
    other = [heard(at + SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER) for at in hours[:9]]
    both = heard(NOON + 61 * HOUR, currently_delivered=300, currently_returned=200)
    odd = heard(NOON + 61 * HOUR + SECOND, powers_delivered=(1, None, 3), currently_returned=700, currently_delivered=0)
    none = heard(NOON + 61 * HOUR + 2 * SECOND, powers_delivered=(None,) * 3, powers_returned=(None,) * 3)
    void = posted(NOON + 62 * HOUR, voltages=(None,) * 3, currents=(None,) * 3)
    return [*quiet, *other, both, odd, none, void]


ENTERED = (
    "INSERT INTO contract VALUES (7, 1, 19000, NULL, 'näme', 1, 2, 3, 4, 5, 6)",
    "DELETE FROM contract WHERE id = 7",
    "INSERT INTO contract VALUES (3, 1, 19000, NULL, 'näme', 1, 2, 3, 4, 5, 6)",
    "INSERT INTO api_key (name, scope, digest, hint, meter_id, created_at) VALUES ('a', 'read', X'00ff', 'h', 2, 5)",
    "INSERT INTO price VALUES (1, 'gas', 5, 6, 7), (1, 'delivered', 5, 6, -7), (1, 'returned', 5, 6, 7)",
    "INSERT INTO temperature VALUES (-5, -12), (5, 200)",
    "INSERT INTO ledger_edit VALUES (4, 1, 'split epochs', 0, NULL, 5, 6)",
    "INSERT INTO ledger_setting VALUES ('max_power_w', 60000)",
    "INSERT INTO thinned VALUES (1, 5)",
    "INSERT INTO peak VALUES (1, 5, 6, 7)",
    "INSERT INTO event VALUES (1, 5, 'swell', NULL), (1, 5, 'sag', 3)",
    "INSERT INTO outlier VALUES (1, 0, 5, 6, 'clock')",
    "INSERT INTO dirty_quarter VALUES (1, 900000000, 0), (1, 900000000, 9)",
    "INSERT INTO origin VALUES ('Z', 1), ('ä', 1), ('a', 1), ('_', 1)",
)
"""A row at least in each table that the house does not fill."""


def dump(path: Path) -> dict[str, list[Any]]:
    """All that is in a SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


class Opened:
    """A store, and how it is copied."""

    def __init__(self, store: Any, side: Side) -> None:
        self.store = store
        self.side = side
        self.got: Any = None


class Stopping:
    """Does so much and no more: what comes then is stopped before it begins, or after it was done."""

    def __init__(self, runner: Any, left: int, does_last: bool) -> None:
        self.runner = runner
        self.left = left
        self.does_last = does_last

    def __call__(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the function, or stop."""
        self.left -= 1
        if self.left:
            return self.runner(function, *args, **kwargs)
        if self.does_last:
            result_of(self.runner(function, *args, **kwargs))
        raise KeyboardInterrupt


class CopyingCase(SynchronousTestCase):
    """A filled SQLite store, and what it is copied to."""

    def setUp(self) -> None:
        """Fill it."""
        self.url = server().database()
        self.addCleanup(lambda: server().drop(self.url))
        self.path = Path(self.mktemp())
        self.filled = self.sqlite(self.path)
        store = self.filled.store
        arrivals = house()
        result_of(store.readings.add([[arrival] for arrival in arrivals], NOON + 63 * HOUR))
        for meter_id in (1, 2):
            while result_of(store.ledger.recompute(meter_id, NOON + 9 * DAY)):
                pass
            while result_of(store.ledger.close(meter_id, NOON + 9 * DAY)):
                pass
        for sql in ENTERED:
            store.database.writer().execute(sql)

    def sqlite(self, path: Path) -> Opened:
        """Open a store in a file."""
        store = sqlite_store(path, ZONE, maybeDeferred, maybeDeferred)
        return self.opened(store, Side("the file", store.database, SqliteRows()))

    def postgres(self, application: str = NOBODY) -> Opened:
        """Open the store on the server."""
        store = postgres_store(self.url, ZONE, maybeDeferred, maybeDeferred)
        return self.opened(store, Side("the server", store.database, PostgresRows(application)))

    def opened(self, store: Any, side: Side) -> Opened:
        """Open a store, until the test ends."""
        store.takes_unfinished = True
        result_of(store.open())
        self.addCleanup(lambda: result_of(store.close()))
        return Opened(store, side)

    def copy(self, source: Opened, target: Opened, at_once: int = 50) -> list[Difference]:
        """Copy and compare."""
        copying = Copying(source.side, target.side, at_once)
        copying.begin()
        copying.copy(lambda done, length: None)
        differences = copying.compare(lambda done, length: None)
        if not differences:
            copying.finish()
        return differences


class SchemaTests(CopyingCase):
    """What there is to copy."""

    def test_every_table_is_copied_or_has_its_reason(self) -> None:
        """A table that is added later is not forgotten, and its columns are the same in both databases."""
        sides = [self.filled.side, self.postgres().side]
        for side in sides:
            self.assertEqual(side.read(side.rows.tables) - set(NOT_COPIED), {table.name for table in TABLES}, side.name)
        for table in TABLES:
            here, there = (side.read(side.rows.columns, table.name) for side in sides)
            self.assertEqual(here, there, table.name)

    def test_every_table_has_rows_here(self) -> None:
        """These tests leave no table out."""
        self.assertEqual([name for name, rows in dump(self.path).items() if not rows], [])


class CopyingTests(CopyingCase):
    """All goes over, and comes back."""

    def test_there_and_back(self) -> None:
        """Each table of the second file is that of the first; lists are the same everywhere."""
        there, back = self.postgres(), self.sqlite(Path(self.mktemp()))
        self.assertEqual(self.copy(self.filled, there), [])
        self.assertEqual(self.copy(there, back), [])
        self.assertEqual(dump(back.store.database.path), dump(self.path))
        wanted, days = ReadingFilter(1, None, None), SpanFilter(SpanKind.DAY, 1)
        for other in (there.store, back.store):
            for ask in (
                lambda store: store.readings.page(wanted, False, 0, 1_000),
                lambda store: store.readings.devices(wanted, 3, False, 0, 1_000),
                lambda store: store.statistics.page(days, False, 0, 1_000),
                lambda store: store.meters.all(),
                lambda store: store.keys.all(),
                lambda store: store.ledger.summary(),
            ):
                self.assertEqual(result_of(ask(other)), result_of(ask(self.filled.store)))

    def test_new_ids_are_higher(self) -> None:
        """What is stored in the copy has the ids that it would have had before."""
        there = self.postgres()
        self.copy(self.filled, there)
        later = heard(NOON + 70 * HOUR, gas(NOON + 70 * HOUR), equipment_id="ELECTRICITY-NEW", origin=SECOND_CABLE)
        for opened in (there, self.filled):
            store = opened.store
            [[receipt]] = result_of(store.readings.add([[later]], later.received_at))
            opened.got = (
                receipt.reading_id,
                result_of(store.keys.add("b", "read", b"x", "h", 5)).id,
                max(
                    one.id
                    for meter in result_of(store.meters.all())
                    for one in result_of(store.meters.equipment(meter.id))
                ),
            )
        self.assertEqual(there.got, self.filled.got)
        sql = "SELECT nextval(pg_get_serial_sequence('contract', 'id')), nextval('mark_number') > 9"
        self.assertEqual(server().ask(sql, self.url), [(8, True)])

    def test_an_empty_store(self) -> None:
        """A store in which nothing happened is copied too, and counts from one."""
        there, empty = self.postgres(), self.sqlite(Path(self.mktemp()))
        self.assertEqual(self.copy(empty, there), [])
        [[receipt]] = result_of(there.store.readings.add([[heard()]], NOON))
        self.assertEqual(receipt.reading_id, 1)

    def test_others_read_again(self) -> None:
        """Whoever remembers something of the database finds that it has changed."""
        there = self.postgres()
        before = server().ask("SELECT accounts, readings FROM changed", self.url)
        self.copy(self.filled, there)
        after = server().ask("SELECT accounts, readings FROM changed", self.url)
        self.assertTrue(all(new > old for new, old in zip(after[0], before[0], strict=True)))

    def test_how_far_it_is(self) -> None:
        """The work that is told grows to the whole, with each page."""
        told: list[tuple[int, int]] = []
        copying = Copying(self.filled.side, self.postgres().side, 50)
        copying.begin()
        copying.copy(lambda *far: told.append(far))
        copying.compare(lambda *far: told.append(far))
        self.assertEqual(told, sorted(told))
        self.assertEqual(len({length for _, length in told}), 1)
        self.assertEqual(told[-1][0], told[-1][1])


class InterruptedTests(CopyingCase):
    """A copy that was stopped goes on."""

    def test_after_any_transaction(self) -> None:
        """Wherever it was stopped, before or after a commit, nothing is missing or doubled."""
        target = Path(self.mktemp())
        self.interrupted(lambda: self.sqlite(target), 6)
        self.assertEqual(dump(target), dump(self.path))

    def test_on_a_server(self) -> None:
        """The same on a server, and back."""
        self.interrupted(self.postgres, 9)
        back = self.sqlite(Path(self.mktemp()))
        self.assertEqual(self.copy(self.postgres(), back), [])
        self.assertEqual(dump(back.store.database.path), dump(self.path))

    def interrupted(self, opened: Any, step: int) -> None:
        """Copy, stopped again and again by what happens after so many transactions."""
        stopped = 0
        while True:
            target = opened()
            plain = target.store.database.write_runner
            target.store.database.write_runner = Stopping(plain, step, stopped % 2 == 1)
            copying = Copying(self.filled.side, target.side, 20)
            try:
                copying.begin()
                copying.copy(lambda done, length: None)
            except KeyboardInterrupt:
                stopped += 1
                target.store.database.write_runner = plain
                result_of(target.store.close())
            else:
                target.store.database.write_runner = plain
                self.assertEqual(copying.compare(lambda done, length: None), [])
                copying.finish()
                result_of(target.store.close())
                self.assertGreater(stopped, 5)
                return

    def test_before_anything_was_copied(self) -> None:
        """What opening an empty store puts into it again is not in the way of what is copied."""
        target = Path(self.mktemp())
        for opened in (self.postgres, lambda: self.sqlite(target)):
            begun = opened()
            Copying(self.filled.side, begun.side).begin()
            result_of(begun.store.close())
            self.assertEqual(self.copy(self.filled, opened()), [])

    def test_nobody_else_opens_it(self) -> None:
        """A server, or a command, on half a store is told so in a sentence, until the copy is finished."""
        path = Path(self.mktemp())
        for kind, name in (("sqlite", str(path)), ("postgresql", "The PostgreSQL database")):
            target = self.postgres() if kind == "postgresql" else self.sqlite(path)
            Copying(self.filled.side, target.side).begin()
            target.store.takes_unfinished = False
            with self.assertRaises(StoreRefused) as caught:
                result_of(target.store.open())
            sentence = f"{name} is a copy that is not finished: run dsmr migrate-store again, or remove it."
            self.assertEqual(str(caught.exception), sentence)
            self.assertEqual(self.copy(self.filled, target), [])
            result_of(target.store.open())

    def test_of_a_store_that_changed(self) -> None:
        """What was stored in the source meanwhile would be missed: that is refused."""
        target = self.sqlite(Path(self.mktemp()))
        Copying(self.filled.side, target.side).begin()
        result_of(self.filled.store.readings.add([[heard(NOON + 90 * HOUR)]], NOON + 90 * HOUR))
        with self.assertRaisesRegex(StoreRefused, "holds an unfinished copy of the file, or of what that was then"):
            self.copy(self.filled, target)

    def test_of_an_unfinished_copy(self) -> None:
        """A copy that is not finished is not copied itself."""
        target = self.sqlite(Path(self.mktemp()))
        Copying(self.filled.side, target.side).begin()
        with self.assertRaisesRegex(StoreRefused, "the file is itself a copy that is not finished"):
            self.copy(target, self.postgres())


class RefusedTests(CopyingCase):
    """Nothing is overwritten, and nothing wrong is called right."""

    def test_a_target_that_is_used(self) -> None:
        """A store in which somebody has done something stays as it is."""
        there = self.postgres()
        result_of(there.store.readings.add([[heard()]], NOON))
        with self.assertRaisesRegex(StoreRefused, "the server is not empty: it has rows of .*reading"):
            self.copy(self.filled, there)
        self.assertEqual(server().ask("SELECT count(*) FROM reading", self.url), [(1,)])

    def test_a_server_that_runs(self) -> None:
        """Who else is connected might write."""
        self.postgres()
        with self.assertRaisesRegex(StoreRefused, "Other programs are connected to the server. Stop the server"):
            self.copy(self.filled, self.postgres("dsmr_tw"))

    def test_a_first_meter_and_key_are_replaced(self) -> None:
        """A server may have been started on it once."""
        there = self.postgres()
        result_of(there.store.keys.add("owner", "admin", b"other", "h", 5))
        self.assertEqual(self.copy(self.filled, there), [])
        self.assertEqual([key.name for key in result_of(there.store.keys.all())], ["a"])

    def test_power_that_fits_no_number(self) -> None:
        """A reading that the other database can't hold is named."""
        self.filled.store.database.writer().execute("UPDATE reading SET power = '9999999999,1' WHERE id = 5")
        with self.assertRaisesRegex(StoreRefused, "Reading 5 of meter 1: power of 9999999999 W and 1 W can't be"):
            self.copy(self.filled, self.postgres())

    def test_damage(self) -> None:
        """A row that changed, is missing or is too many is found, and whose it is."""
        for sql, found in (
            ("UPDATE reading SET phases = decode('00', 'hex') WHERE id = 4", "reading of meter 1, at 1, "),
            ("DELETE FROM quarter WHERE meter_id = 2", "quarter of meter 2, at 2, "),
            ("INSERT INTO temperature VALUES (999, 1)", "temperature, at 999"),
            ("INSERT INTO epoch VALUES (3, 0, 1, 1, 'x')", "epoch of meter 3, at 3, 0, 1, 1"),
        ):
            url, self.url = self.url, server().database()
            self.addCleanup(server().drop, url)
            copying = Copying(self.filled.side, self.postgres().side, 50)
            copying.begin()
            copying.copy(lambda done, length: None)
            server().ask(sql, self.url)
            [difference] = copying.compare(lambda done, length: None)
            self.assertIn(found, str(difference))
            self.assertIn((COPYING,), server().ask("SELECT tablename FROM pg_tables", self.url))

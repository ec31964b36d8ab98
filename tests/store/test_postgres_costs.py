"""What reads cost on a PostgreSQL server: they go by indexes, and the far end of a list is as near as its beginning."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from dsmr_tw.domain.reading import DAY, GAS, HOUR, SECOND
from dsmr_tw.domain.spans import QUARTER, SpanKind
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter, SpanFilter
from tests.onpostgres import ZONE
from tests.postgres import server

DAYS: Final = 120
READINGS: Final = 15_000
"""Of each of two meters."""
STEP: Final = 690 * SECOND
"""From one reading to the next."""
START: Final = 19_700 * DAY
END: Final = START + DAYS * DAY
HOURS: Final = DAYS * 24

GROWING: Final = ("reading", "device_reading", "quarter", "device_quarter", "hour_statistics")
"""Tables of which a house has millions of rows after some years."""

FILL: Final = f"""
    INSERT INTO meter VALUES (2, 'Second', 'UTC', {START});
    UPDATE meter SET first_seen_at = {START}, zone = 'UTC';
    INSERT INTO equipment (meter_id, device_type, printed_id, first_seen_at, last_seen_at)
        SELECT m, t, m || '-' || t, {START}, {END} FROM generate_series(1, 2) AS m, (VALUES (0), ({GAS})) AS v (t)
        ORDER BY t, m;
    INSERT INTO device_reading (meter_id, equipment_id, instant, id, value, received_after)
        SELECT m, m + 2, {START} + n * {HOUR}, nextval('device_reading_id'), n, 5
        FROM generate_series(0::bigint, {HOURS - 1}) AS n, generate_series(1, 2) AS m;
    INSERT INTO reading (meter_id, equipment_id, instant, id, delivered_1, returned_1, delivered_2, returned_2,
            power, gas_id, received_after)
        SELECT m, m, at, nextval('reading_id'), n, 0, n, 0, 400,
            (SELECT id FROM device_reading AS d WHERE d.meter_id = m AND d.equipment_id = m + 2
                AND d.instant = at - at % {HOUR}), 1
        FROM generate_series(0::bigint, {READINGS - 1}) AS n, generate_series(1, 2) AS m,
            LATERAL (SELECT {START} + n * {STEP} AS at) AS a;
    INSERT INTO reading_count SELECT meter_id, hours, instant - instant % (hours * {HOUR}), count(*), count(*)
        FROM reading, (VALUES (1), (24)) AS v (hours) GROUP BY 1, 2, 3;
    INSERT INTO device_reading_count SELECT meter_id, {GAS}, instant - instant % {DAY}, count(*)
        FROM device_reading GROUP BY 1, 2, 3;
    INSERT INTO equipment_reading_count SELECT meter_id, equipment_id, instant - instant % {DAY}, count(*)
        FROM device_reading GROUP BY 1, 2, 3;
    INSERT INTO quarter SELECT m, {START} + n * {QUARTER}, 1, 0, 1, 0, n, 0, n, 0, 400, 400, 0, 0,
            {START} + n * {QUARTER}, {START} + n * {QUARTER}
        FROM generate_series(0::bigint, {4 * HOURS - 1}) AS n, generate_series(1, 2) AS m;
    INSERT INTO device_quarter SELECT m, m + 2, {START} + n * {QUARTER}, 1, n, 0, 0,
            {START} + n * {QUARTER}, {START} + n * {QUARTER}
        FROM generate_series(0::bigint, {4 * HOURS - 1}) AS n, generate_series(1, 2) AS m;
    INSERT INTO epoch SELECT id_of, 0, {START}, 1, 'first' FROM generate_series(1, 2) AS id_of;
    INSERT INTO hour_statistics SELECT meter_id, instant - instant % {HOUR}, sum(delivered_1), 0, 4, 0, 4, 0, 0
        FROM quarter GROUP BY 1, 2;
    INSERT INTO day_statistics
        SELECT meter_id, instant, instant + {DAY}, 96, 0, 96, 0, 96, 0, 0 FROM quarter WHERE instant % {DAY} = 0
        ORDER BY meter_id, instant;
    INSERT INTO row_count SELECT meter_id, 15, instant - instant % {DAY}, count(*) FROM quarter GROUP BY 1, 3;
    INSERT INTO row_count SELECT meter_id, 60, instant - instant % {DAY}, count(*) FROM hour_statistics GROUP BY 1, 3;
    INSERT INTO ledger_state VALUES (1, 1), (2, 1);
    ANALYZE"""
"""Rows as they are after some months."""

SPENT: Final = f"""
    SELECT coalesce(sum(seq_scan), 0)::integer, coalesce(sum(
        coalesce(heap_blks_hit + heap_blks_read, 0) + coalesce(idx_blks_hit + idx_blks_read, 0)), 0)::integer
    FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid)
    WHERE pg_stat_user_tables.relname IN {GROWING}"""


@cache
def filled_url() -> str:
    """A database with the readings of some months, which these tests share and none changes."""
    url = server().database()
    store = postgres_store(url, ZONE, maybeDeferred, maybeDeferred)
    result_of(store.open())
    result_of(store.close())
    for table in GROWING:
        # What tidies up by itself reads blocks, too.
        server().ask(f"ALTER TABLE {table} SET (autovacuum_enabled = false)", url)
    server().ask(FILL, url)
    return url


@frozen
class Spent:
    """What a read has cost the server."""

    scans: int
    """How often it read a growing table from end to end."""
    blocks: int
    """Of growing tables and their indexes."""


def counted(run: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """A runner that has the server tell at once what was read."""

    def run_and_tell() -> Any:
        writes, function, *rest = args

        def told(connection: Any, *of: Any) -> Any:
            found = function(connection, *of)
            connection.execute("SELECT pg_stat_force_next_flush()")
            return found

        return run(writes, told, *rest, **kwargs)

    return maybeDeferred(run_and_tell)


class CostsCase(SynchronousTestCase):
    """A test on a database with readings of some months."""

    def setUp(self) -> None:
        """Open the store."""
        if server().ask("SELECT to_regproc('pg_stat_force_next_flush') IS NULL") == [(True,)]:
            raise SkipTest("PostgreSQL tells what a read has cost from version 15 on")
        self.url = filled_url()
        self.store = postgres_store(self.url, ZONE, maybeDeferred, counted)
        self.addCleanup(lambda: result_of(self.store.close()))

    def spent(self, read: Callable[..., Deferred[Any]], *args: Any) -> tuple[Any, Spent]:
        """What a read finds, and what that cost."""
        result_of(self.store.meters.directory())
        [before] = server().ask(SPENT, self.url)
        found = result_of(read(*args))
        [after] = server().ask(SPENT, self.url)
        return found, Spent(after[0] - before[0], after[1] - before[1])

    def assert_cheap(self, read: Callable[..., Deferred[Any]], *args: Any, blocks: int = 120) -> Any:
        """The read goes by indexes, and to few blocks; what it finds."""
        found, spent = self.spent(read, *args)
        self.assertEqual(spent.scans, 0, f"{read} {args}")
        self.assertLess(spent.blocks, blocks, f"{read} {args}")
        return found

    def assert_even(self, rows: int, read: Callable[..., Deferred[Any]], *wanted: Any) -> None:
        """Pages of a list with so many rows cost the same, wherever they are and whichever way it is read."""
        first = None
        for descending in (False, True):
            for offset in (0, rows // 2, rows - 1_100, rows - 10):
                page, spent = self.spent(read, *wanted, descending, offset, 10)
                first = first or spent
                where = f"offset {offset}, descending {descending}: {spent}, the first page {first}"
                self.assertEqual(page.count, rows, where)
                self.assertEqual(spent.scans, 0, where)
                self.assertLess(spent.blocks, 2 * first.blocks + 30, where)


class ListCostsTests(CostsCase):
    """Lists."""

    def test_readings(self) -> None:
        """A page of readings."""
        page = self.store.readings.page
        self.assert_even(READINGS, page, ReadingFilter(2))
        part = ReadingFilter(2, START + 7 * DAY + 1, END - 7 * DAY)
        cut = -(-(7 * DAY + 1) // STEP)
        rows = READINGS - cut - (READINGS - 1 - (END - 7 * DAY - START) // STEP)
        self.assert_even(rows, page, part)
        self.assert_cheap(page, ReadingFilter(1), False, 0, 0)

    def test_minutes(self) -> None:
        """A page of minutes, and a long one, which is read through a cursor."""
        minutes = self.store.readings.minutes
        self.assert_even(READINGS, minutes, ReadingFilter(2))
        found = self.assert_cheap(minutes, ReadingFilter(1), False, 1_000, 600, blocks=800)
        self.assertEqual(len(found.minutes), 600)

    def test_devices(self) -> None:
        """A page of what gas meters gave, and a long one."""
        devices = self.store.readings.devices
        self.assert_even(HOURS, devices, ReadingFilter(2), GAS)
        self.assert_even(HOURS, self.store.readings.device, ReadingFilter(2), 4)
        found = self.assert_cheap(devices, ReadingFilter(1), GAS, False, 100, 600, blocks=1_500)
        self.assertEqual(len(found.readings), 600)

    def test_spans(self) -> None:
        """Pages of quarters and of hours, which are counted, and of days, months and years."""
        page = self.store.statistics.page
        # The last quarter holds the newest reading, so it is not closed.
        for kind, rows in ((SpanKind.QUARTER, 4 * HOURS - 1), (SpanKind.HOUR, HOURS)):
            self.assert_even(rows, page, SpanFilter(kind, 2))
        for kind, rows in ((SpanKind.DAY, DAYS), (SpanKind.MONTH, 4), (SpanKind.YEAR, 1)):
            found = self.assert_cheap(page, SpanFilter(kind, 2), True, 0, 10)
            self.assertEqual(found.count, rows, kind)


class NewestCostsTests(CostsCase):
    """What is asked all the time."""

    def test_live(self) -> None:
        """The newest reading and the newest gas."""
        live = self.assert_cheap(self.store.readings.live, 2, END + DAY, blocks=40)
        self.assertEqual(live.reading.reading.at, START + (READINGS - 1) * STEP)
        self.assertEqual(live.gas.at, START + (HOURS - 1) * HOUR)

    def test_total(self) -> None:
        """What went through the registers: of a day, of months, and of a time that cuts quarters in two."""
        for start, end in ((START + 5 * DAY, START + 6 * DAY), (START, END), (START + DAY + 1, END - DAY - 1)):
            total = self.assert_cheap(self.store.statistics.total, 2, start, end, END, blocks=900)
            self.assertIsNotNone(total)

    def test_sums(self) -> None:
        """The sums of months."""
        self.assert_cheap(self.store.statistics.sums, 1, [(START, START + 30 * DAY), (START + 30 * DAY, END)])

    def test_meters(self) -> None:
        """Names and numbers are read without any reading."""
        meters, spent = self.spent(self.store.meters.directory)
        self.assertEqual([meter.id for meter in meters], [1, 2])
        self.assertEqual(spent, Spent(0, 0))
        _, spent = self.spent(self.store.meters.all)
        self.assertEqual(spent, Spent(0, 0))

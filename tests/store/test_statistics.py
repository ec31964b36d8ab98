"""Tests of dsmr_tw.store.statistics and spans: what is listed of the ledger, whatever has computed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dsmr_tw.domain.reading import DAY, GAS, HOUR
from dsmr_tw.domain.spans import QUARTER, Amounts, SpanKind, SpanRow
from dsmr_tw.store.spans import recount
from dsmr_tw.stored import SpanPage
from tests.arrivals import WATER
from tests.contracts.readings import OF_EVERY_STORE
from tests.contracts.storecase import FIRST
from tests.store.rowscase import BEGIN, LOCAL, OTHER, RowsCase


class ListTests(RowsCase):
    """What is true of every list."""

    def test_without_a_ledger_every_list_is_empty(self) -> None:
        """Of a meter without rows, and of one that is not there, nothing is listed."""
        for kind in SpanKind:
            for meter_id in (FIRST, 999):
                self.assertEqual(self.list_of(kind, meter_id=meter_id), SpanPage(0, []))

    @OF_EVERY_STORE
    @given(
        st.sampled_from([SpanKind.QUARTER, SpanKind.HOUR, SpanKind.DAY, SpanKind.MONTH]),
        st.sets(st.one_of(st.integers(0, 60), st.integers(0, 1_000))),
        st.none() | st.integers(-5, 500),
        st.none() | st.integers(-5, 500),
        st.integers(-1, 1),
        st.integers(1, 30),
    )
    def test_following_the_pages_visits_every_row_once(
        self, kind: SpanKind, places: set[int], start: int | None, end: int | None, edge: int, limit: int
    ) -> None:
        """Whatever is there, pages of any size lead through all rows, up and down, and the count is theirs."""
        for table in ("quarter", "hour_statistics", "day_statistics", "row_count"):
            self.on_writer(f"DELETE FROM {table}")
        starts = self._fill(kind, sorted(places))
        first, last = (bound if bound is None else self._at(kind, bound) + edge for bound in (start, end))
        expected = [at for at in starts if (first is None or first <= at) and (last is None or at <= last)]
        for descending in (False, True):
            seen: list[int] = []
            for offset in range(0, len(expected) + limit, limit):
                page = self.list_of(kind, first, last, descending=descending, offset=offset, limit=limit)
                self.assertEqual(page.count, len(expected))
                seen += [row.start for row in page.rows]
            self.assertEqual(seen, expected[::-1] if descending else expected)

    def _fill(self, kind: SpanKind, places: Sequence[int]) -> list[int]:
        """Store spans; the starts of those that must be listed."""
        starts = [self._at(kind, place) for place in places]
        if kind is SpanKind.QUARTER:
            self.put_quarters(*starts)
            # The last one is not closed: its last reading stands before its end.
            return starts[:-1]
        if kind is SpanKind.HOUR:
            self.put_hours(*starts)
        elif kind is SpanKind.DAY:
            for at in starts:
                self.put_days(LOCAL.day_of(at), LOCAL.day_of(at))
        elif starts:
            missing = [date(2024, 1 + n % 12, 28) for n in range(12) if n not in places]
            self.put_days(date(2024, 1, 1), date(2024, 12, 31), *missing)
            return [at for place, at in zip(places, starts, strict=True) if place < 12]
        return starts

    def _at(self, kind: SpanKind, place: int) -> int:
        """Where a span begins."""
        if kind is SpanKind.MONTH:
            return LOCAL.day_start(date(2024 + place // 12, 1 + place % 12, 1))
        if kind is SpanKind.DAY:
            return LOCAL.day_start(date(2024, 1, 1) + timedelta(days=place))
        return BEGIN + place * (QUARTER if kind is SpanKind.QUARTER else HOUR)

    def test_meters_have_their_own_lists(self) -> None:
        """The neighbour's spans are counted and listed for him alone."""
        self.put_quarters(BEGIN, BEGIN + QUARTER, BEGIN + 2 * QUARTER)
        self.put_quarters(BEGIN, BEGIN + QUARTER, meter_id=OTHER)
        self.put_hours(BEGIN)
        self.put_hours(BEGIN, BEGIN + HOUR, meter_id=OTHER)
        lists = [(kind, meter_id) for kind in (SpanKind.QUARTER, SpanKind.HOUR) for meter_id in (FIRST, OTHER)]
        self.assertEqual([len(self.rows_of(kind, meter_id=meter_id)) for kind, meter_id in lists], [2, 1, 1, 2])


class CostTests(RowsCase):
    """A page costs the same however deep in its list it is."""

    sqlite_only = True

    def test_a_page_deep_in_a_list_costs_no_walk(self) -> None:
        """Of twelve thousand hours one in the middle is found in as many steps as a count of days explains."""
        self.put_hours(*range(BEGIN, BEGIN + 500 * DAY, HOUR))
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 100

        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(count, 100))
        [row] = self.list_of(SpanKind.HOUR, offset=6_000, limit=1).rows
        self.ask(self.store.database.read, lambda connection: connection.set_progress_handler(None, 0))
        self.assertEqual((row.start, row.amounts.delivered_1), (BEGIN + 6_000 * HOUR, 6_000))
        self.assertLess(steps, 10_000)


class QuarterTests(RowsCase):
    """Quarters: the ledger's own, as far as they are closed."""

    def gas_of(self, *starts: int) -> list[tuple[int | None, bool]]:
        """Gas of quarters, and whether it is estimated."""
        rows = {row.start: (row.amounts.gas, row.gas_estimated) for row in self.rows_of(SpanKind.QUARTER)}
        return [rows[start] for start in starts]

    def test_a_quarter_is_listed_as_the_ledger_has_it(self) -> None:
        """Amounts and bounds are there, and it is estimated when one of its ends is."""
        ends = [(False, False), (True, False), (False, True), (False, False)]
        self.put(
            "quarter",
            [
                (FIRST, BEGIN + n * QUARTER, 1, 2, 3, 4, 5, 6, 7, 8, None, None, *end, BEGIN, BEGIN + (n + 1) * QUARTER)
                for n, end in enumerate(ends)
            ],
        )
        rows = self.rows_of(SpanKind.QUARTER)
        self.assertEqual(
            rows[0], SpanRow(BEGIN, BEGIN + QUARTER, Amounts(1, 2, 3, 4, None), estimated=False, gas_estimated=False)
        )
        self.assertEqual([row.estimated for row in rows], [False, True, True, False])
        self.assertEqual({row.first for row in rows}, {None})

    def test_a_quarter_is_listed_when_it_is_closed(self) -> None:
        """One that ends after the newest accepted reading may change still, and waits."""
        starts = [BEGIN, BEGIN + QUARTER, BEGIN + 2 * QUARTER]
        self.put_quarters(*starts, last_after=QUARTER - 1)
        self.assertEqual([row.start for row in self.rows_of(SpanKind.QUARTER)], starts[:2])
        self.assertEqual(self.rows_of(SpanKind.QUARTER, None, BEGIN + 5 * QUARTER), self.rows_of(SpanKind.QUARTER))
        self.assertEqual([row.start for row in self.rows_of(SpanKind.QUARTER, None, BEGIN)], starts[:1])

    def test_gas_is_that_of_all_gas_meters(self) -> None:
        """The gas of a quarter is the sum over the house's gas meters; water is not gas."""
        self.put_devices(GAS, GAS, WATER)
        self.put_quarters(BEGIN, BEGIN + QUARTER, BEGIN + 2 * QUARTER)
        for equipment_id, amount in ((1, 10), (2, 20), (3, 500)):
            self.put_gas(equipment_id, BEGIN, amount)
        self.put_gas(2, BEGIN + QUARTER, 7)
        self.assertEqual(self.gas_of(BEGIN, BEGIN + QUARTER), [(30, False), (7, False)])
        self.assertEqual(self.rows_of(SpanKind.QUARTER, descending=True), self.rows_of(SpanKind.QUARTER)[::-1])

    def test_gas_is_absent_before_the_first_gas_meter(self) -> None:
        """Before any had reported there is no gas; afterwards a quarter of silence is 0, and estimated."""
        self.put_devices(GAS, GAS)
        starts = [BEGIN + n * QUARTER for n in range(4)]
        self.put_quarters(*starts, BEGIN + 4 * QUARTER)
        self.put_gas(2, BEGIN + QUARTER, 7)
        self.put_gas(1, BEGIN + 3 * QUARTER, 8)
        self.assertEqual(self.gas_of(*starts), [(None, False), (7, False), (0, True), (8, False)])

    def test_gas_is_estimated_when_one_meter_says_so(self) -> None:
        """An end in a gap between the values of one gas meter makes the sum an estimate."""
        self.put_devices(GAS, GAS)
        starts = [BEGIN + n * QUARTER for n in range(3)]
        self.put_quarters(*starts, BEGIN + 3 * QUARTER)
        for at, start, end in zip(starts, (True, False, False), (False, True, False), strict=True):
            self.put_gas(1, at, 1)
            self.put_gas(2, at, 1, start, end)
        self.assertEqual(self.gas_of(*starts), [(2, True), (2, True), (2, False)])


class HourTests(RowsCase):
    """Hours, as they were closed."""

    def test_an_hour_is_listed_as_it_was_closed(self) -> None:
        """Amounts and marks are those of its row."""
        self.put("hour_statistics", [(FIRST, BEGIN, 1, 2, 3, 4, 5, True, False)])
        self.put("hour_statistics", [(FIRST, BEGIN + HOUR, 1, 2, 3, 4, None, False, True)])
        self.assertEqual(
            self.rows_of(SpanKind.HOUR),
            [
                SpanRow(BEGIN, BEGIN + HOUR, Amounts(1, 2, 3, 4, 5), estimated=True, gas_estimated=False),
                SpanRow(BEGIN + HOUR, BEGIN + 2 * HOUR, Amounts(1, 2, 3, 4, None), estimated=False, gas_estimated=True),
            ],
        )

    def test_counts_follow_the_rows(self) -> None:
        """Rows that go or come change the counts of the days that are counted anew, and of no other day."""
        starts = [BEGIN, BEGIN + HOUR, BEGIN + DAY - HOUR, BEGIN + DAY, BEGIN + 2 * DAY]
        self.put_hours(*starts)
        self.put_quarters(*starts)
        self.on_writer("DELETE FROM hour_statistics")
        self.on_writer(f"DELETE FROM quarter WHERE instant = {BEGIN}")
        self.ask(self.store.database.write, recount, FIRST, BEGIN + 5 * HOUR, BEGIN + 6 * HOUR)
        counted = self.rows("SELECT minutes, instant, rows FROM row_count ORDER BY minutes, instant")
        days = [BEGIN, BEGIN + DAY, BEGIN + 2 * DAY]
        self.assertEqual(
            counted,
            [*((15, day, rows) for day, rows in zip(days, (2, 1, 1), strict=True)), (60, days[1], 1), (60, days[2], 1)],
        )
        self.ask(self.store.database.write, recount, FIRST, BEGIN + DAY, BEGIN + DAY)
        self.assertEqual(self.rows("SELECT count(*) FROM row_count WHERE minutes = 60"), [(2,)])
        self.ask(self.store.database.write, recount, FIRST, BEGIN, BEGIN + 2 * DAY)
        self.assertEqual(self.rows("SELECT instant FROM row_count WHERE minutes = 60"), [(days[2],)])

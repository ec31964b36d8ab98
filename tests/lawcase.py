"""The truth beside what the ledger found: epochs, outliers, quarters, closed spans, and amounts somebody asks about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import zip_longest
from typing import Final

from attrs import astuple, evolve

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.domain.spans import QUARTER, Amounts, FirstReadings, SpanKind, SpanRow
from dsmr_tw.store.totals import RECENT
from dsmr_tw.stored import LedgerSummary, SpanFilter
from tests.contracts.storecase import FIRST
from tests.histories import History
from tests.ledgercase import LedgerCase
from tests.truth import NOTHING, Positions, Registers, plus
from tests.ways import Commit, Deed

AMSTERDAM: Final = meter_zone("Europe/Amsterdam")

LONGER: Final = {
    SpanKind.QUARTER: QUARTER,
    SpanKind.HOUR: HOUR,
    SpanKind.DAY: 30 * HOUR,
    SpanKind.MONTH: 32 * DAY,
}
"""So much after the start of a span the next one has begun, and not ended."""


class LawCase(LedgerCase):
    """A test that lets a history happen, and compares what the ledger found with the truth."""

    def check(self, history: History) -> None:
        """The law."""
        self.begin_anew()
        for commit in history.commits:
            self.add(*commit.arrivals)
            self.do(commit, history)
        self.check_totals(history)
        self.catch_up(history.now)
        self.check_findings(history)
        self.check_spans(history)
        self.check_totals(history)
        self.check_rebuilt(history.now)

    def do(self, commit: Commit, history: History) -> None:
        """What the service does after a commit."""
        now, number = commit.now, len(commit.arrivals)
        match commit.deed:
            case Deed.TICK:
                self.tick(now)
            case Deed.ONE_PIECE:
                self.ask(self.store.ledger.recompute, FIRST, now)
            case Deed.CLOSE:
                self.ask(self.store.ledger.close, FIRST, now)
            case Deed.RESTART:
                self.reopen()
            case Deed.POWER_CUT:
                self.cut_power(now, writes=number % 5)
            case Deed.REBUILD:
                start, end = (-NEVER, NEVER) if number % 2 else (history.asked[0], history.asked[1])
                with self.beside():
                    self.compute_anew(start, end, now)
            case Deed.TICK_BESIDE:
                with self.beside():
                    self.tick(now)

    def check_equal(self, what: str, found: Sequence[object], true: Sequence[object]) -> None:
        """Both are the same; where not, only the first difference is told, since there may be thousands."""
        for number, pair in enumerate(zip_longest(found, true)):
            if pair[0] != pair[1]:
                self.fail(f"{what}: row {number} is {pair[0]}; true is {pair[1]}")

    def equipment_ids(self, history: History) -> list[int]:
        """The row ids of the devices."""
        found = self.run_sql("SELECT device_type, channel, id FROM equipment")
        ids = {(device_type, channel): equipment_id for device_type, channel, equipment_id in found}
        return [ids[behind.device.device_type, behind.device.channel] for behind in history.devices]

    def check_findings(self, history: History) -> None:
        """Each set of registers has the epochs, outliers and quarters that are true."""
        quarters = [row[1:] for row in self.run_sql("SELECT * FROM quarter ORDER BY instant")]
        self.assertEqual(summed(row[1:5] for row in quarters), history.electricity.all)
        self.check_equal("quarter", quarters, list(history.electricity.quarters()))
        self.check_epochs(0, history.electricity)
        for equipment_id, behind in zip(self.equipment_ids(history), history.devices, strict=True):
            found = self.run_sql(f"SELECT * FROM device_quarter WHERE equipment_id = {equipment_id} ORDER BY instant")
            self.assertEqual(sum(row[3] for row in found), behind.registers.all[0])
            true = [(row[0], row[1], row[5], *row[11:]) for row in behind.registers.quarters()]
            self.check_equal("device_quarter", [row[2:] for row in found], true)
            self.check_epochs(equipment_id, behind.registers)
        all_registers = [history.electricity, *(behind.registers for behind in history.devices)]
        epochs = sum(len(registers.epochs) for registers in all_registers)
        outliers = sum(len(registers.outliers) for registers in all_registers)
        self.assertEqual(self.ask(self.store.ledger.summary), LedgerSummary(0, epochs, outliers))

    def check_epochs(self, equipment_id: int, registers: Registers) -> None:
        """Epochs begin where they do, and what is wrong is known to be."""
        where = f"WHERE equipment_id = {equipment_id}"
        begins = [(epoch[0].at, reason) for epoch, reason in zip(registers.epochs, registers.reasons, strict=True)]
        self.assertEqual(self.run_sql(f"SELECT instant, reason FROM epoch {where} ORDER BY instant"), begins)
        self.assertEqual(
            self.run_sql(f"SELECT instant, reason FROM outlier {where} ORDER BY instant, reading_id"),
            registers.outliers,
        )

    def check_spans(self, history: History) -> None:
        """All spans that can be closed are there, and hold what is true; with what is still open that is all."""
        electricity = history.electricity
        for kind in (SpanKind.QUARTER, SpanKind.HOUR, SpanKind.DAY, SpanKind.MONTH):
            begin = electricity.first_at if kind is SpanKind.QUARTER else history.begin
            spans = list(spans_between(kind, begin, history.horizon))
            page = self.ask(self.store.statistics.page, SpanFilter(kind, FIRST), False, 0, 10_000)
            self.check_equal(kind.name, page.rows, [self.true_row(history, kind, *span) for span in spans])
            self.assertEqual(page.count, len(spans))
            until = spans[-1][1] if spans else begin
            rest = self.ask(self.store.statistics.total, FIRST, until, NEVER, history.now)
            parts = [row.amounts for row in page.rows] + ([] if rest is None else [rest.amounts])
            self.assertEqual(summed(astuple(amounts)[:4] for amounts in parts), electricity.all)

    def check_rebuilt(self, now: int) -> None:
        """What was computed bit by bit is what is computed from all there is."""
        rows = self.rows()
        for table, rebuilt in self.rebuilt(now).items():
            self.check_equal(f"{table}, and as rebuilt", rows[table], rebuilt)

    def true_row(self, history: History, kind: SpanKind, start: int, end: int) -> SpanRow:
        """What is true of a span."""
        electricity, gas = history.electricity, history.gas
        ends = [flag for registers in gas for flag in registers.estimated_end(end)]
        begins = [flag for registers in gas for flag in registers.estimated_begin(start)]
        amounts = true_amounts(history, start, end)
        return SpanRow(
            start,
            end,
            amounts,
            electricity.estimated(start) or electricity.estimated(end),
            amounts.gas is not None and (not begins or not ends or any(begins + ends)),
            self.true_first(history, start) if kind in (SpanKind.DAY, SpanKind.MONTH) else None,
        )

    def true_first(self, history: History, start: int) -> FirstReadings:
        """The first readings of a day, or of a month's first day."""
        day = AMSTERDAM.bounds(AMSTERDAM.day_of(max(start, history.begin)))
        sample = history.electricity.first_in(*day)
        first = FirstReadings(None, None, None, None, None, *self.true_first_gas(history, *day))
        if sample is None:
            return first
        one, two, three, four = sample.positions
        return evolve(
            first, electricity_at=sample.at, delivered_1=one, returned_1=two, delivered_2=three, returned_2=four
        )

    def true_first_gas(self, history: History, start: int, end: int) -> tuple[int | None, int | None]:
        """The first reading of gas in a time: when it was, and its position."""
        found = [
            (sample.at, equipment_id, sample.positions[0])
            for equipment_id, behind in zip(self.equipment_ids(history), history.devices, strict=True)
            if behind.is_gas and (sample := behind.registers.first_in(start, end)) is not None
        ]
        at, _, value = min(found, default=(None, None, None))
        return at, value

    def check_totals(self, history: History) -> None:
        """What is asked about any time is what is true of it, unless old marks wait."""
        [(mark,)] = self.run_sql("SELECT min(instant) FROM dirty_quarter")
        one, two, three = history.asked
        for start, end in ((one, two), (two, three), (one, three)):
            if start < end and (mark is None or mark >= max(start - DAY, end - RECENT)):
                self.check_total(history, start, end, computed=mark is None)

    def check_total(self, history: History, start: int, end: int, computed: bool) -> None:
        """What is asked about a time is what is true of it."""
        electricity = history.electricity
        found = self.ask(self.store.statistics.total, FIRST, start, end, history.now)
        if found is None:
            self.assertTrue(end <= electricity.first_at or start > electricity.counted.at)
            return
        self.assertEqual(found.amounts, true_amounts(history, start, end))
        self.assertEqual(found.estimated, electricity.estimated(start) or electricity.estimated(end))
        if computed:
            known = max(start, electricity.first_at), min(end, electricity.counted.at)
            self.assertEqual((found.start, found.end), known)


def true_amounts(history: History, start: int, end: int) -> Amounts:
    """What went through between two instants."""
    gas = [registers.between(start, end)[0] for registers in history.gas if registers.first_at < end]
    return Amounts(*history.electricity.between(start, end), sum(gas) if gas else None)


def summed(parts: Iterable[Positions]) -> Positions:
    """The sum, register by register."""
    return reduce(plus, parts, NOTHING)


def spans_between(kind: SpanKind, begin: int, until: int) -> Iterator[tuple[int, int]]:
    """The spans from the one that holds an instant on, as long as they end until another."""
    start = start_of(kind, begin)
    while (end := start_of(kind, start + LONGER[kind])) <= until:
        yield start, end
        start = end


def start_of(kind: SpanKind, instant: int) -> int:
    """The start of the span that holds an instant."""
    if kind in (SpanKind.QUARTER, SpanKind.HOUR):
        return instant - instant % LONGER[kind]
    day = AMSTERDAM.day_of(instant)
    return AMSTERDAM.day_start(day if kind is SpanKind.DAY else day.replace(day=1))

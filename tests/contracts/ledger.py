"""What every store must hold of the ledger: marks in, rows out, and what is asked about it is up to date."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.domain.spans import Amounts, SpanKind, SpanRow, Total
from dsmr_tw.interfaces import ILedger, IStatistics
from dsmr_tw.stored import DaySum, LedgerSummary, SpanFilter, SpanPage
from tests.arrivals import NOON, OTHER_METER, QUARTER, SECOND_CABLE, heard
from tests.contracts.storecase import FIRST, StoreCase
from tests.walking import gas_values, minute, telegrams

HOURS = "0=0 15=10 30=20 45=30 60=40 75=60 90=80 105=100 120=120"
"""Two hours: 40 Wh, and 80."""


class LedgerContract(StoreCase):
    """What a store computes of its readings."""

    def settle(self, now: int) -> None:
        """Compute what is marked, and let the rows appear that are due, at a minute after noon."""
        for meter_id in self.dirty(now):
            while self.ask(self.store.ledger.recompute, meter_id, minute(now)):
                pass
            while self.ask(self.store.ledger.close, meter_id, minute(now)):
                pass

    def dirty(self, now: int) -> list[int]:
        """The meters that there is something to do for."""
        meters: list[int] = self.ask(self.store.ledger.dirty, minute(now))
        return meters

    def summary(self) -> LedgerSummary:
        """How the ledger stands."""
        summary: LedgerSummary = self.ask(self.store.ledger.summary)
        return summary

    def spans(self, kind: SpanKind, meter_id: int = FIRST) -> list[SpanRow]:
        """The closed spans of a kind."""
        page: SpanPage = self.ask(self.store.statistics.page, SpanFilter(kind, meter_id), False, 0, 10_000)
        self.assertEqual(page.count, len(page.rows))
        return page.rows

    def went_through(self, kind: SpanKind, meter_id: int = FIRST) -> list[int]:
        """What the register took in each closed span."""
        return [row.amounts.delivered_1 for row in self.spans(kind, meter_id)]

    def total(self, start: int, end: int, now: int) -> Total | None:
        """What went through from one minute to another."""
        bounds = (minute(start), minute(end), minute(now))
        total: Total | None = self.ask(self.store.statistics.total, FIRST, *bounds)
        return total

    def rebuild(self, now: int, meter_id: int = FIRST) -> list[int]:
        """Compute everything anew; what was told of how far it was."""
        told: list[int] = []
        self.ask(self.store.ledger.rebuild, meter_id, -NEVER, NEVER, minute(now), told.append)
        return told

    def test_its_ledger_is_what_the_ports_ask_for(self) -> None:
        """Every method of both ports is there, with the arguments that the ports name."""
        verifyObject(ILedger, self.store.ledger)
        verifyObject(IStatistics, self.store.statistics)

    def test_a_new_store_has_no_ledger(self) -> None:
        """There is nothing to compute, nothing listed, and nothing known."""
        self.settle(0)
        self.assertEqual(self.dirty(0), [])
        self.assertEqual(self.summary(), LedgerSummary(0, 0, 0))
        for kind in SpanKind:
            self.assertEqual(self.spans(kind), [])
        self.assertIsNone(self.total(-60, 60, 60))
        day = (NOON, NOON + DAY)
        self.assertEqual(
            self.ask(self.store.statistics.sums, FIRST, [day, day]), [DaySum(0, Amounts(0, 0, 0, 0, None))] * 2
        )

    def test_readings_become_hours(self) -> None:
        """What they mark is computed; then there is nothing to do until another reading comes."""
        self.settle(0)
        self.add(*telegrams(HOURS))
        self.assertEqual((self.dirty(120), self.summary().dirty_quarters), ([FIRST], 9))
        self.settle(120)
        self.assertEqual(self.went_through(SpanKind.HOUR), [40, 80])
        self.assertEqual(self.went_through(SpanKind.QUARTER), [10] * 4 + [20] * 4)
        self.assertEqual((self.dirty(120), self.summary()), ([], LedgerSummary(0, 1, 0)))
        self.add(*telegrams("60=40"))
        self.assertEqual(self.dirty(120), [])

    def test_late_readings_change_what_is_there(self) -> None:
        """The rows are those that would be there had they come in time."""
        late = "0=0 10=90 60=100 125=120"
        self.add(*telegrams(late))
        self.settle(130)
        self.assertEqual(self.went_through(SpanKind.HOUR), [100, 18])
        self.add(*telegrams("-30=-5 62=118"))
        self.settle(130)
        self.assertEqual(self.went_through(SpanKind.HOUR), [5, 100, 19])

    def test_in_whatever_order_they_come(self) -> None:
        """The ledger is a function of what is stored: here most readings come last first, with a tick after each."""
        first, *between, last = telegrams("0=0A 7=5A 8=9999A 20=9A 31=17A 45=0B 46=4B 61=7B 75=9B 130=12B")
        for arrival in (first, last, *reversed(between)):
            self.add(arrival)
            self.settle(130)
        self.assertEqual(self.went_through(SpanKind.QUARTER), [7, 9, 1, 6, 3, 0, 1, 1])
        self.assertEqual(self.summary(), LedgerSummary(0, 2, 1))

    def test_a_span_closes_with_the_clock(self) -> None:
        """A meter whose clock is ahead of ours closes no hour that is not over here; then it waits for nothing else."""
        self.add(*telegrams(HOURS))
        self.settle(59)
        self.assertEqual((self.went_through(SpanKind.HOUR), self.dirty(59)), ([], []))
        self.assertEqual(self.dirty(60), [FIRST])
        self.settle(60)
        self.assertEqual((self.went_through(SpanKind.HOUR), self.dirty(119)), ([40], []))
        self.settle(120)
        self.assertEqual((self.went_through(SpanKind.HOUR), self.dirty(9_999)), ([40, 80], []))

    def test_a_span_closes_with_the_readings(self) -> None:
        """An hour that is long over is listed when something is read at its end, or later."""
        self.add(*telegrams("0=0 45=30"))
        self.settle(9_999)
        self.assertEqual(self.went_through(SpanKind.HOUR), [])
        self.add(*telegrams("60=40"))
        self.settle(9_999)
        self.assertEqual(self.went_through(SpanKind.HOUR), [40])

    def test_a_span_waits_for_the_gas_meter(self) -> None:
        """Until it has said what was burnt in it."""
        self.add(*telegrams(HOURS), *gas_values("0=0 60=6"))
        self.settle(120)
        [hour] = self.spans(SpanKind.HOUR)
        self.assertEqual(hour, SpanRow(NOON, NOON + HOUR, Amounts(40, 0, 0, 0, 6), False, False))
        self.add(*gas_values("120=18"))
        self.settle(120)
        self.assertEqual([row.amounts.gas for row in self.spans(SpanKind.HOUR)], [6, 12])

    def test_a_rebuild_changes_nothing(self) -> None:
        """It computes the same from the same readings, tells how far it is, and leaves marks alone."""
        self.add(*telegrams(HOURS), *gas_values("0=0 60=6 120=18"))
        self.settle(120)
        before = {kind: self.spans(kind) for kind in SpanKind}
        told = self.rebuild(120)
        self.assertEqual(told[-1], 12)
        self.assertEqual(told, sorted(told))
        self.assertEqual({kind: self.spans(kind) for kind in SpanKind}, before)
        self.add(*telegrams("135=121"))
        self.rebuild(200)
        self.assertEqual((self.summary().dirty_quarters, self.dirty(200)), (1, [FIRST]))

    def test_a_rebuild_needs_no_marks(self) -> None:
        """All rows are there although no tick was ever made, as far as no mark touches them."""
        self.add(*telegrams(HOURS))
        self.rebuild(120)
        self.assertEqual((len(self.went_through(SpanKind.QUARTER)), self.went_through(SpanKind.HOUR)), (8, []))
        self.settle(120)
        self.assertEqual(self.went_through(SpanKind.HOUR), [40, 80])

    def test_a_stronger_connection(self) -> None:
        """How much power it carries decides what is too fast; when that is changed everything is computed again."""
        fast = "0=0 10=20000 20=20001 60=20002"
        self.add(*telegrams(fast))
        self.settle(60)
        self.assertEqual((self.went_through(SpanKind.HOUR), self.summary().outliers), ([20_002], 1))
        self.ask(self.store.ledger.configure, 60_000)
        self.assertEqual(self.dirty(60), [])
        for max_power_w, hours in ((17_250, []), (200_000, [20_002])):
            self.ask(self.store.ledger.configure, max_power_w)
            self.assertEqual(self.dirty(60), [FIRST])
            self.settle(60)
            self.assertEqual((self.went_through(SpanKind.HOUR), self.summary().outliers), (hours, 0))
        self.reopen()
        self.ask(self.store.ledger.configure, 200_000)
        self.assertEqual(self.summary().dirty_quarters, 0)

    def test_a_total_is_up_to_date(self) -> None:
        """Between any two instants, whether it was computed already or not."""
        expected = Total(minute(20), minute(100), Amounts(80, 0, 0, 0, None), False, False)
        self.add(*telegrams(HOURS))
        self.assertEqual(self.total(20, 100, 200), expected)
        self.settle(200)
        self.assertEqual(self.total(20, 100, 200), expected)
        self.add(*telegrams("95=95"))
        assert (total := self.total(20, 100, 200)) is not None
        self.assertEqual(total.amounts.delivered_1, 84)

    def test_a_total_goes_as_far_as_readings_tell(self) -> None:
        """From the first to the last; where there are none it is none."""
        self.add(*telegrams(HOURS))
        for _ in range(2):
            self.assertEqual(
                self.total(-60, 500, 500), Total(NOON, minute(120), Amounts(120, 0, 0, 0, None), True, False)
            )
            self.assertIsNone(self.total(-60, 0, 500))
            self.assertIsNone(self.total(121, 500, 500))
            self.settle(500)

    def test_the_days_of_a_stretch_are_added_up(self) -> None:
        """Those that begin in it and are closed: here the first two of three, whose midnights are local."""
        self.add(*telegrams(" ".join(f"{hour * 60}={hour}" for hour in range(73))), *gas_values("0=0 4320=72"))
        self.settle(5_000)
        days = self.spans(SpanKind.DAY)
        self.assertEqual([day.amounts.delivered_1 for day in days], [12, 24, 24])
        whole, part, empty = self.ask(
            self.store.statistics.sums,
            FIRST,
            [(days[0].start, NOON + 10 * DAY), (days[0].start, days[2].start), (days[0].start + 1, days[1].start)],
        )
        self.assertEqual((whole.days, whole.amounts.delivered_1), (3, 60))
        self.assertEqual((part.days, part.amounts.delivered_1), (2, 36))
        self.assertEqual(empty, DaySum(0, Amounts(0, 0, 0, 0, None)))

    def test_each_meter_has_its_own_ledger(self) -> None:
        """What is marked, computed and listed of one says nothing of another."""
        self.settle(0)
        for n in range(9):
            [first] = telegrams(f"{15 * n}={10 * n}A")
            other = heard(NOON + n * QUARTER, equipment_id=OTHER_METER, origin=SECOND_CABLE, delivered_1=n * 7)
            self.add(first, other)
        self.assertEqual(self.dirty(120), [FIRST, FIRST + 1])
        self.settle(120)
        self.assertEqual(self.went_through(SpanKind.HOUR), [40, 40])
        self.assertEqual(self.went_through(SpanKind.HOUR, FIRST + 1), [28, 28])
        self.add(heard(minute(130), equipment_id=OTHER_METER, origin=SECOND_CABLE))
        self.assertEqual(self.dirty(130), [FIRST + 1])

    def test_after_a_restart_everything_is_there(self) -> None:
        """What was computed, and what was marked: a piece that nobody finished is computed again."""
        self.add(*telegrams(HOURS))
        self.settle(120)
        before = self.spans(SpanKind.HOUR)
        self.add(*telegrams("150=140 180=150"))
        self.reopen()
        self.assertEqual((self.spans(SpanKind.HOUR), self.summary().dirty_quarters), (before, 2))
        self.settle(180)
        self.assertEqual(self.went_through(SpanKind.HOUR), [40, 80, 30])

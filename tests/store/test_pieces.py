"""Tests of dsmr_tw.store.pieces: what is long is computed piece by piece, and none is written over another."""

from __future__ import annotations

from dsmr_tw.domain.ledger import NEVER, Finding
from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.domain.work import Piece
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.closing import HOURS_AT_ONCE
from dsmr_tw.store.pieces import QUARTERS_AT_ONCE, READINGS_AT_ONCE, portions, version
from dsmr_tw.stored import LedgerSummary
from tests.arrivals import GAS_METER, MINUTE, NOON
from tests.contracts.storecase import FIRST
from tests.ledgercase import DERIVED
from tests.store.test_ledger import MarksCase
from tests.walking import gas_values, minute, steady, telegrams

NEVER_CALM = " ".join(f"{at}={at % 2 * 5}" for at in range(READINGS_AT_ONCE + 500))
"""Every other reading is lower than the one before."""


class VersionTests(MarksCase):
    """No piece is written over what somebody else wrote since it was computed."""

    def test_each_write_is_a_version(self) -> None:
        """Of the meter's own ledger."""
        database = self.store.database
        self.assertEqual(self.ask(database.read, version, FIRST), 0)
        for number in range(1, 4):
            self.add(*telegrams(f"{number}={number}"))
            self.settle()
            self.assertEqual(self.ask(database.read, version, FIRST), number)
        self.assertEqual(self.ask(database.read, version, FIRST + 1), 0)

    def test_a_rebuild_came_in_between(self) -> None:
        """What was computed is thrown away; its marks are still there, and are computed again."""
        self.add(*telegrams("0=0 20=20 60=60"))
        self.reading.after(1, self.rebuild)
        self.assertTrue(self.recompute())
        self.assertEqual(self.marks(), [0, 15, 60])
        self.assertFalse(self.recompute())
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [15] * 4 + [0]))

    def test_a_rebuild_came_between_two_portions(self) -> None:
        """The rest is not written."""
        quarters = QUARTERS_AT_ONCE + 200
        self.add(*telegrams(f"0=0 {quarters * 15}={quarters}"))
        self.writing.after(2, self.rebuild)
        self.assertTrue(self.recompute())
        self.assertEqual(len(self.marks()), 2)
        self.settle()
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [*[1] * quarters, 0]))
        self.assert_as_if_computed_anew()

    def test_a_tick_came_in_between(self) -> None:
        """A rebuild computes the piece again, from where it was."""
        self.add(*telegrams("0=0 20=20 60=60"), *gas_values("0=0 60=6"))
        self.settle()
        before = self.rows()
        self.add(*telegrams("20=21"))
        for reads in (1, 2):
            self.reading.after(reads, self.recompute)
            self.rebuild()
            self.assertEqual(self.marks(), [])
            self.assertEqual(self.rows()["device_quarter"], before["device_quarter"])
            self.assert_as_if_computed_anew()
            self.add(*telegrams("20=22"))


class LongTests(MarksCase):
    """What takes long is done in many short transactions."""

    def test_a_job_goes_on_where_it_was(self) -> None:
        """Until then its marks stay; readings that come meanwhile are marked, too, and computed afterwards."""
        self.add(*telegrams(NEVER_CALM))
        self.assertTrue(self.recompute())
        written = self.count("quarter")
        self.assertGreater(written, READINGS_AT_ONCE // 15 - 10)
        self.assertGreater(len(self.marks()), READINGS_AT_ONCE // 15)
        self.add(*telegrams("7=9"))
        self.assertFalse(self.recompute())
        self.assertGreater(self.count("quarter"), written)
        self.assertEqual(self.marks(), [0])
        self.settle()
        self.assertEqual(self.marks(), [])
        self.assert_as_if_computed_anew()

    def test_a_job_that_is_overtaken_begins_anew(self) -> None:
        """What it remembers is older than what is written."""
        self.add(*telegrams(NEVER_CALM))
        self.assertTrue(self.recompute())
        self.add(*telegrams("7=9"))
        self.rebuild()
        self.assertTrue(self.recompute())
        self.assertIn(0, self.marks())
        self.settle()
        self.assertEqual(self.marks(), [])
        self.assert_as_if_computed_anew()

    def test_the_power_fails_between_two_portions(self) -> None:
        """What is written stays, what is not is still marked."""
        quarters = QUARTERS_AT_ONCE + 200
        self.add(*telegrams(f"0=0 {quarters * 15}={quarters}"))

        def fail() -> None:
            raise StoreUnavailable("the power is cut")

        self.writing.after(2, fail)
        with self.assertRaises(StoreUnavailable):
            self.recompute()
        self.reopen()
        self.assertEqual((len(self.marks()), self.count("quarter")), (2, QUARTERS_AT_ONCE))
        self.settle()
        self.assertEqual((self.marks(), self.count("quarter")), ([], quarters + 1))
        self.assert_as_if_computed_anew()

    def test_what_begins_where_a_piece_ends_stays(self) -> None:
        """An epoch and an outlier in the first instant behind a piece are none of its business."""
        words = f"{steady(-60, 30)} {steady(30, 60, at_zero=-500)} 60=99999 {steady(61, 90, at_zero=-500)}"
        self.add(*telegrams(words))
        self.settle()
        found = [self.rows()[table] for table in ("epoch", "outlier")]
        self.assertEqual([[row[2] for row in rows] for rows in found], [[minute(-60), minute(30)], [minute(60)]])
        for late in ("5:30=5", "35:30=-465"):
            self.add(*telegrams(late))
            self.settle()
            self.assertEqual([self.rows()[table] for table in ("epoch", "outlier")], found)

    def test_portions_are_short(self) -> None:
        """A long piece is cut, and short ones go together; everything is in one of them, in order."""
        parts = [(0, self.piece(0, 1_200)), (7, self.piece(10, 20)), (7, self.piece(30, 31)), (8, self.piece(5, 5))]
        found = list(portions(parts))
        sizes = [[(of, len(piece.quarters)) for of, piece in portion] for portion in found]
        self.assertEqual(sizes, [[(0, 500)], [(0, 500)], [(0, 200), (7, 10), (7, 1), (8, 0)]])
        pieces = [piece for portion in found for of, piece in portion if of == 0]
        self.assertEqual([(piece.start, piece.end) for piece in pieces], [(-NEVER, 500), (500, 1_000), (1_000, NEVER)])
        for name in ("quarters", "epochs", "outliers"):
            joined = [one for piece in pieces for one in getattr(piece, name)]
            self.assertEqual(joined, getattr(parts[0][1], name))

    def test_no_portion_is_empty(self) -> None:
        """Also where the last one is full."""
        self.assertEqual(list(portions([])), [])
        [[(_, piece)]] = portions([(0, self.piece(0, QUARTERS_AT_ONCE))])
        self.assertEqual((piece.start, piece.end), (-NEVER, NEVER))

    def piece(self, first: int, end: int) -> Piece:
        """A piece of quarters that are one unit long; an epoch and an outlier in each."""
        zero = (0, 0, 0, 0)
        quarters = [Quarter(n, n + 1, zero, zero, None, None, False, False, n, n) for n in range(first, end)]
        findings = [Finding(n, n, "found") for n in range(first, end)]
        return Piece(-NEVER, NEVER, quarters, findings, list(findings))


class DeviceTests(MarksCase):
    """The registers of M-Bus devices are computed by the same marks."""

    def device_amounts(self) -> list[int]:
        """The amounts of all quarters of devices."""
        return [amount for (amount,) in self.run_sql("SELECT amount FROM device_quarter ORDER BY instant")]

    def test_where_it_gave_a_value_a_device_is_computed(self) -> None:
        """Its quarters do not change with electricity's."""
        self.add(*telegrams("0=0 60=60"), *gas_values("0=0 60=8"))
        self.settle()
        self.assertEqual(self.device_amounts(), [2, 2, 2, 2, 0])
        self.run_sql("UPDATE device_quarter SET amount = 100")
        self.add(*telegrams("30=30"))
        self.settle()
        self.assertEqual(self.device_amounts(), [100] * 5)
        self.add(*gas_values("30=8"))
        self.settle()
        self.assertEqual(self.device_amounts(), [4, 4, 0, 0, 0])
        self.assertEqual(
            self.run_sql("SELECT position FROM device_quarter ORDER BY instant"), [(0,), (4,), (8,), (8,), (8,)]
        )

    def test_marks_that_are_far_apart_for_a_device(self) -> None:
        """Where the meter speaks seldom and the device often, one stretch of the one is several of the other."""
        self.add(*telegrams(steady(0, 6_000, step=60)), *gas_values(steady(0, 5_941, step=5)))
        self.settle()
        self.run_sql("UPDATE device_quarter SET amount = 100")
        self.add(*gas_values("1003=1004 1603=1604"))
        self.recompute()
        self.assertEqual(self.marks(), [])
        changed = [
            (at - NOON) // MINUTE
            for (at,) in self.run_sql("SELECT instant FROM device_quarter WHERE amount <> 100 ORDER BY instant")
        ]
        self.assertEqual(len(changed), 2 * 6)
        self.assertEqual((changed[0], changed[6]), (975, 1_575))
        self.assertEqual(self.count("device_quarter"), 5_940 // 15 + 1)
        self.assertEqual(sum(self.amounts("quarter")), 5_940)

    def test_rows_follow_wherever_a_device_changed(self) -> None:
        """That may be hours away from where anything changed for the meter: here at both ends of a long silence."""
        self.add(*telegrams(steady(0, 601)), *gas_values("0=0 400=40 600=60"))
        self.settle()
        gas = "SELECT gas FROM hour_statistics ORDER BY instant"
        self.assertEqual(self.run_sql(gas), [(0,)] * 6 + [(40,)] + [(0,)] * 2 + [(20,)])
        self.add(*gas_values("200=10"))
        self.settle()
        self.assertEqual(self.run_sql(gas), [(0,)] * 3 + [(10,)] + [(0,)] * 2 + [(30,)] + [(0,)] * 2 + [(20,)])

    def test_a_device_without_values_that_count(self) -> None:
        """It has no quarters, and is in nobody's way."""
        self.add(*telegrams("0=0 60=60"), *gas_values("-20000000=0"))
        self.settle()
        self.assertEqual((self.device_amounts(), self.amounts()), ([], [60]))

    def test_epochs_and_outliers_are_kept_by_device(self) -> None:
        """Each finding names the registers that it is of."""
        self.add(*telegrams("0=0 60=60"), *gas_values("0=500 20=3 60=508"))
        self.settle()
        [(gas_meter,)] = self.run_sql(f"SELECT id FROM equipment WHERE printed_id = '{GAS_METER}'")
        found = {
            table: self.run_sql(f"SELECT equipment_id, (instant - {NOON}) / {MINUTE} FROM {table} ORDER BY 2, 1")
            for table in ("epoch", "outlier")
        }
        self.assertEqual(found, {"epoch": [(0, 0), (gas_meter, 0)], "outlier": [(gas_meter, 20)]})
        self.assertEqual(self.ask(self.store.ledger.summary), LedgerSummary(0, 2, 1))
        self.add(*gas_values("10=502"))
        self.settle()
        self.assertEqual(self.ask(self.store.ledger.summary), LedgerSummary(0, 2, 1))


class RebuildTests(MarksCase):
    """Everything in a time is computed anew."""

    def test_only_that_time(self) -> None:
        """From the quarter that it begins in to the one that it ends in; what lies outside stays as it is."""
        self.add(*telegrams(steady(0, 241)), *gas_values(steady(0, 241, step=5)))
        self.settle()
        before = self.rows()
        for table, column in (("quarter", "delivered_1"), ("device_quarter", "amount")):
            self.run_sql(f"UPDATE {table} SET {column} = 100")
        self.rebuild(minute(65), minute(119))
        self.assertEqual(self.amounts("quarter"), [*[100] * 4, *[15] * 4, *[100] * 9])
        self.assertEqual(self.amounts(), [60, 60, 60, 60])
        self.rebuild()
        self.assertEqual(self.rows(), before)

    def test_rows_that_no_reading_accounts_for(self) -> None:
        """A rebuild of everything leaves nothing that is not so."""
        self.add(*telegrams(steady(0, 130)))
        self.settle()
        before = self.rows()
        self.run_sql(f"UPDATE quarter SET instant = instant + {3 * DAY} WHERE instant = {minute(60)}")
        self.run_sql(f"UPDATE hour_statistics SET instant = instant - {2 * DAY} WHERE instant = {minute(60)}")
        self.run_sql("UPDATE epoch SET instant = instant + 1")
        self.rebuild()
        self.assertEqual(self.rows(), before)

    def test_it_goes_on_where_it_was(self) -> None:
        """Readings of a day and a half are more than are taken at once; no quarter between two pieces is lost."""
        number = 2 * READINGS_AT_ONCE + 3_000
        self.store_many(number)
        told = self.rebuild()
        self.assertEqual((len(told), told[-1]), (2, number))
        self.assertEqual(self.amounts("quarter"), [*[90] * (number // 90), number % 90 - 1])
        self.assertEqual(self.amounts(), [360] * (number // 360))

    def test_after_a_tick_it_goes_on_where_it_was(self) -> None:
        """What is written needs not be computed again, only what comes behind it."""
        number = 2 * READINGS_AT_ONCE + 3_000
        self.store_many(number)
        self.run_sql(f"INSERT INTO dirty_quarter (meter_id, instant) VALUES ({FIRST}, {minute(30)})")
        self.reading.after(2, self.recompute)
        told = self.rebuild()
        self.assertEqual((len(told), self.marks()), (2, []))
        self.assertLess(told[-1], number + 200)
        self.assert_as_if_computed_anew()

    def store_many(self, number: int) -> None:
        """A reading every ten seconds, each a Wh higher; nothing is marked."""
        columns = "meter_id, instant, id, received_after, delivered_1, returned_1, delivered_2, returned_2, power"
        numbers = (
            f"WITH RECURSIVE n (n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < {number - 1})"
        )
        values = f"{FIRST}, {NOON} + n * {10 * SECOND}, n, 0, n, 0, 0, 0, 0"
        self.run_sql(f"{numbers} INSERT INTO reading ({columns}) SELECT {values} FROM n")

    def test_it_lets_all_rows_appear(self) -> None:
        """However many hours are closed."""
        hours = HOURS_AT_ONCE + 100
        self.add(*telegrams(f"0=0 {hours * 60}={hours}"))
        self.settle()
        before = self.rows()
        self.forget(*DERIVED)
        self.rebuild()
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.amounts(), [1] * hours)

    def test_a_meter_without_readings(self) -> None:
        """Its ledger is empty afterwards."""
        self.rebuild()
        self.assertEqual([rows for rows in self.rows().values() if rows], [])

"""Tests of dsmr_tw.store.totals: what went through between two instants, whatever was computed already."""

from __future__ import annotations

from itertools import combinations

from dsmr_tw.domain.pace import electricity
from dsmr_tw.domain.spans import Amounts, Total
from dsmr_tw.store.totals import RECENT
from tests.arrivals import MINUTE, OTHER_GAS_METER
from tests.contracts.storecase import FIRST
from tests.ledgercase import LedgerCase
from tests.walking import finished, gas_values, minute, steady, telegrams

HOUSE = "3=0 8=7 16=20 29=25 31=9999 45=40 47=41 66=77 75=80 110=100"
"""Two hours with a glitch and an outage."""

DAYS = steady(0, 6_000, step=60)
"""A reading each hour from noon on, for four days: 1 Wh a minute."""

MIDNIGHT = 12 * 60
"""The first one, local."""

A_DAY = 24 * 60


def walked(words: str, start: int, end: int) -> int:
    """What a walk through all readings finds between two minutes."""
    walk = finished(words, electricity(60_000), cuts=(start, end))
    return sum(part.amounts[0] for part in walk.quarters if minute(start) <= part.start < minute(end))


class TotalCase(LedgerCase):
    """A test that asks what went through."""

    def find(self, start: int, end: int, now: int = 100_000) -> Total | None:
        """From one minute to another; long after, unless it is said when."""
        bounds = minute(start), minute(end), minute(now)
        total: Total | None = self.ask(self.store.statistics.total, FIRST, *bounds)
        return total

    def total(self, start: int, end: int, now: int = 100_000) -> Total:
        """The same, where there is something."""
        total = self.find(start, end, now)
        assert total is not None
        return total

    def amount(self, start: int, end: int, now: int = 100_000) -> int:
        """What the electricity register took."""
        return self.total(start, end, now).amounts.delivered_1

    def gas(self, start: int, end: int, now: int = 100_000) -> tuple[int | None, bool]:
        """The gas, and whether it is estimated."""
        total = self.total(start, end, now)
        return total.amounts.gas, total.gas_estimated

    def known(self, start: int, end: int, now: int = 100_000) -> tuple[int, int]:
        """From which minute to which the readings tell."""
        total = self.total(start, end, now)
        return (total.start - minute(0)) // MINUTE, (total.end - minute(0)) // MINUTE

    def settle(self, now: int = 100_000) -> None:
        """Compute what is marked."""
        self.tick(minute(now))


class AmountTests(TotalCase):
    """How much it was."""

    def test_between_any_two_minutes(self) -> None:
        """On the bounds of quarters and inside them: before anything is computed, half of the way, and afterwards."""
        bounds = [3, 5, 8, 14, 15, 20, 30, 44, 45, 46, 60, 66, 90, 109, 110]
        first, second = HOUSE.split(" 45=")
        for words in (first, f"45={second}"):
            self.add(*telegrams(words))
            self.check(bounds, HOUSE if words != first else first)
            self.settle()
            self.check(bounds, HOUSE if words != first else first)

    def check(self, bounds: list[int], words: str) -> None:
        """Each total is what a walk finds, as far as there are readings."""
        newest = finished(words).anchor
        assert newest is not None
        for start, end in combinations(bounds, 2):
            if minute(start) <= newest[0]:
                self.assertEqual(self.amount(start, end), walked(words, start, end), (start, end))

    def test_each_register_has_its_own_amount(self) -> None:
        """They are not mixed up, whether they come from days, from quarters or from readings."""
        register = {"returned_1": 1, "delivered_2": 2, "returned_2": 3}
        for at in range(0, 4_000, 60):
            values = {name: at * factor for name, factor in register.items()}
            self.add(*telegrams(f"{at}={at * 4}", **values))
        for _ in range(2):
            for start, end in ((37, 3_456), (30, 600), (600, 607)):
                length = end - start
                amounts = self.total(start, end).amounts
                self.assertEqual(amounts, Amounts(4 * length, length, 2 * length, 3 * length, None))
            self.settle()

    def test_a_moment_is_nothing(self) -> None:
        """Nor is what ends before it begins."""
        self.add(*telegrams(HOUSE))
        self.assertIsNone(self.find(20, 20))
        self.assertIsNone(self.find(20, 10))

    def test_the_readings_of_another_meter_do_not_count(self) -> None:
        """Nor does its ledger."""
        for at in range(0, 40, 5):
            [mine] = telegrams(f"{at}={at}A")
            [theirs] = telegrams(f"{at}={7 * at}B")
            self.add(mine, theirs)
        for _ in range(2):
            self.assertEqual(self.amount(0, 30), 30)
            other = self.ask(self.store.statistics.total, FIRST + 1, minute(0), minute(30), minute(60))
            assert other is not None
            self.assertEqual(other.amounts.delivered_1, 210)
            self.settle()


class KnownTests(TotalCase):
    """From where to where it is known."""

    def test_as_far_as_readings_tell(self) -> None:
        """From the first accepted one to the last, if that is less than was asked about."""
        self.add(*telegrams("7=0 12=5 50=43 52=9"))
        for _ in range(2):
            self.assertEqual((self.known(0, 120), self.amount(0, 120)), ((7, 50), 43))
            self.assertEqual((self.known(5, 120), self.amount(5, 120)), ((7, 50), 43))
            self.assertEqual((self.known(5, 10), self.amount(5, 10)), ((7, 10), 3))
            self.assertEqual((self.known(9, 49), self.amount(9, 49)), ((9, 49), 40))
            self.assertEqual((self.known(15, 60), self.amount(15, 60)), ((15, 50), 35))
            self.assertEqual((self.known(20, 500), self.amount(20, 500)), ((20, 50), 30))
            self.settle()

    def test_outside_of_all_readings_nothing_is_known(self) -> None:
        """Which is not the same as nothing used."""
        self.add(*telegrams("7=0 12=5 50=43"))
        for _ in range(2):
            for start, end in ((-60, 0), (-60, 7), (3, 7), (51, 60), (60, 120), (500, 600)):
                self.assertIsNone(self.find(start, end), (start, end))
            self.assertEqual((self.known(50, 60), self.amount(50, 60)), ((50, 50), 0))
            self.settle()

    def test_without_any_reading_nothing_is_known(self) -> None:
        """Whatever the devices say."""
        self.assertIsNone(self.find(0, 60))
        self.add(*gas_values("0=0 60=6"))
        self.assertIsNone(self.find(0, 60))

    def test_it_is_estimated_where_it_begins_or_ends_in_a_gap(self) -> None:
        """Gaps in between are counted whole; beyond the readings nothing is known."""
        self.add(*telegrams("0=0 14=5 29=6 31=7 60=9 65=10"))
        for _ in range(2):
            for start, end, estimated in (
                (0, 60, False),
                (5, 30, False),
                (30, 65, False),
                (40, 60, True),
                (0, 45, True),
                (-5, 30, True),
                (0, 66, True),
            ):
                self.assertEqual(self.total(start, end).estimated, estimated, (start, end))
            self.settle()

    def test_up_to_the_latest_reading(self) -> None:
        """One of this very moment counts, and today's amount grows with each."""
        self.settle(0)
        for at in range(0, 40, 7):
            self.add(*telegrams(f"{at}={at}"))
            if at:
                self.assertEqual((self.amount(0, A_DAY, at), self.known(0, A_DAY, at)), (at, (0, at)))
            else:
                self.assertEqual((self.amount(0, A_DAY, at), self.known(-9, A_DAY, at)), (0, (0, 0)))
            if at % 2:
                self.settle(at)


class FutureTests(TotalCase):
    """What is dated later than now."""

    def test_it_does_not_count_until_then(self) -> None:
        """Whether it was computed already or not; what is asked about before now is known all the same."""
        self.add(*telegrams("0=0 15=15 30=30 60=60 90=90"))
        for _ in range(2):
            self.assertEqual((self.amount(0, 100, 45), self.known(0, 100, 45)), (30, (0, 30)))
            self.assertEqual((self.amount(0, 20, 45), self.known(0, 20, 45)), (20, (0, 20)))
            self.assertEqual((self.amount(0, 15, 45), self.known(0, 15, 45)), (15, (0, 15)))
            self.assertEqual((self.amount(0, 100, 60), self.known(0, 100, 60)), (60, (0, 60)))
            self.assertIsNone(self.find(31, 100, 45))
            self.assertIsNone(self.find(45, 100, 44))
            self.settle()

    def test_it_does_not_count_after_a_long_calm(self) -> None:
        """Where most of the ledger is sound up to now."""
        self.add(*telegrams(f"{steady(0, 127)} 200=200"), *gas_values(f"{steady(0, 127)} 200=200"))
        for _ in range(2):
            self.assertEqual((self.amount(0, 300, 130), self.gas(0, 300, 130)), (126, (126, True)))
            self.assertEqual((self.amount(0, 60, 130), self.known(0, 60, 130)), (60, (0, 60)))
            self.assertEqual((self.amount(0, 300, 120), self.gas(0, 300, 120)), (120, (120, True)))
            self.assertEqual((self.amount(0, 300, 200), self.gas(0, 300, 200)), (200, (200, True)))
            self.settle()

    def test_a_late_reading_counts_beside_it(self) -> None:
        """What is marked is walked through, from there on up to now."""
        words = f"{steady(0, 120, step=5)} 200=200"
        self.add(*telegrams(words))
        self.settle()
        self.add(*telegrams("72=70"))
        self.assertEqual(self.amount(71, 74, 130), walked("70=70 72=70 75=75", 71, 74))
        self.assertEqual(self.amount(0, 300, 130), 115)

    def test_a_gas_value_of_later_does_not_make_a_gas_meter(self) -> None:
        """The house has none until then."""
        self.add(*telegrams(steady(0, 60)), *gas_values("50=3"))
        self.settle()
        self.assertEqual(self.gas(0, 60, 49), (None, False))
        self.assertEqual(self.gas(0, 60, 50), (0, True))
        self.assertEqual(self.gas(0, 60, 59), (0, True))


class MarksTests(TotalCase):
    """What was stored and waits to be computed."""

    def test_a_late_reading_counts_at_once(self) -> None:
        """In the quarter that it lies in, and in those around it."""
        before = steady(0, 120, step=10)
        self.add(*telegrams(before))
        self.settle()
        self.add(*telegrams("55=52"))
        words = before.replace("60=60", "55=52 60=60")
        for start, end in ((0, 110), (40, 53), (45, 55), (45, 60), (53, 60), (57, 75)):
            self.assertEqual(self.amount(start, end), walked(words, start, end), (start, end))

    def test_what_lies_before_a_calm_run_is_taken_as_it_is_stored(self) -> None:
        """The rest is walked through; together they are right."""
        before = steady(0, 120, step=4)
        self.add(*telegrams(before))
        self.settle()
        self.add(*telegrams("98=97"))
        words = before.replace("100=100", "98=97 100=100")
        for start, end in combinations((0, 3, 75, 80, 90, 97, 99, 105, 110), 2):
            self.assertEqual(self.amount(start, end), walked(words, start, end), (start, end))
        self.run_sql(f"UPDATE quarter SET delivered_1 = 1015 WHERE instant = {minute(45)}")
        self.run_sql(f"UPDATE quarter SET delivered_1 = 1015 WHERE instant = {minute(75)}")
        self.assertEqual(self.amount(0, 110), 1_110)

    def test_what_follows_behind_the_end_counts_at_once(self) -> None:
        """Of what went through between the readings around the end a part lies before it."""
        self.add(*telegrams("0=0 15=15 30=30 55=55"))
        self.settle()
        self.assertEqual((self.amount(0, 60), self.known(0, 60)), (55, (0, 55)))
        self.add(*telegrams("65=65"))
        self.assertEqual((self.amount(0, 60), self.known(0, 60)), (60, (0, 60)))

    def test_what_turns_out_to_stay_counts_at_once(self) -> None:
        """The eleventh reading behind the end makes an epoch of those before it."""
        self.add(*telegrams(f"0=900 15=915 {steady(50, 60)}"))
        self.settle()
        self.assertEqual(self.amount(0, 60), 15)
        self.add(*telegrams("61=61"))
        self.assertEqual(self.amount(0, 60), 25)

    def test_what_was_marked_long_before_waits_for_its_turn(self) -> None:
        """It would be long to walk through; what is asked about the days since then does not depend on it."""
        self.add(*telegrams(DAYS))
        self.settle()
        self.add(*telegrams("125=121"))
        old = (minute(6_000) - minute(125) - RECENT) // MINUTE
        self.assertGreater(old, A_DAY)
        self.assertEqual(self.amount(150, 5_900), 5_750)
        self.assertEqual(self.amount(130, 5_900), 5_770)
        self.assertEqual(self.amount(130, 2_900), 2_900 - walked("125=121 180=180", 125, 130) - 121)
        self.settle()
        self.assertEqual(self.amount(130, 5_900), 5_900 - 121 - walked("125=121 180=180", 125, 130))


class DaysTests(TotalCase):
    """Whole days are added up as they are stored."""

    def setUp(self) -> None:
        """Four days, computed; then each day is marked by an amount that no reading tells of."""
        super().setUp()
        self.add(*telegrams(DAYS), *gas_values(steady(900, 6_000, step=60)))
        self.settle()
        for number in range(4):
            at = minute(MIDNIGHT + (number - 1) * A_DAY)
            self.run_sql(
                f"UPDATE day_statistics SET delivered_1 = delivered_1 + {10 ** (number + 4)} WHERE instant = {at}"
            )

    def days_in(self, start: int, end: int) -> str:
        """Which days went into a total, and whether the rest is right."""
        added = self.amount(start, end) - (end - start)
        self.assertEqual(added % 10_000, 0)
        return f"{added // 10_000:04}"[::-1]

    def test_the_days_that_lie_in_it(self) -> None:
        """Whole; quarters and readings tell the rest."""
        midnights = [MIDNIGHT + number * A_DAY for number in range(4)]
        for start, end, days in (
            (midnights[0], midnights[3], "0111"),
            (midnights[0], midnights[1], "0100"),
            (midnights[0] - 15, midnights[2] + 15, "0110"),
            (midnights[0] + 1, midnights[2] + 7, "0010"),
            (midnights[0] + 1, midnights[2] - 1, "0000"),
            (1, 5_900, "0111"),
        ):
            self.assertEqual(self.days_in(start, end), days, (start, end))

    def test_a_day_that_is_missing(self) -> None:
        """Then quarters tell everything, rather than leave it out."""
        self.run_sql(f"DELETE FROM day_statistics WHERE instant = {minute(MIDNIGHT + A_DAY)}")
        self.assertEqual(self.days_in(0, 5_900), "0000")
        self.assertEqual(self.days_in(MIDNIGHT, MIDNIGHT + 2 * A_DAY), "0100")

    def test_a_day_that_waits_to_be_computed(self) -> None:
        """It is not taken as it is stored; the days before it are."""
        at = MIDNIGHT + 2 * A_DAY + 60
        self.add(*telegrams(f"{at + 5}={at + 5}"))
        self.assertEqual(self.days_in(0, 5_900), "0110")

    def test_gas_goes_with_the_days(self) -> None:
        """Those before the first gas meter have none, which counts as nothing."""
        self.run_sql("UPDATE day_statistics SET gas = gas + 100000")
        self.assertEqual(self.gas(0, MIDNIGHT + 2 * A_DAY), (202_700, True))
        self.run_sql(f"UPDATE day_statistics SET gas = NULL WHERE instant < {minute(MIDNIGHT + A_DAY)}")
        self.assertEqual(self.gas(0, MIDNIGHT + 2 * A_DAY), (101_440, True))
        self.run_sql("UPDATE day_statistics SET gas = NULL")
        self.assertEqual(self.gas(0, MIDNIGHT + 2 * A_DAY), (0, True))


class GasTests(TotalCase):
    """The gas that was burnt."""

    def test_before_any_gas_meter_there_is_none(self) -> None:
        """A house without gas has no gas; one that had none yet had none."""
        self.add(*telegrams(steady(0, 240, step=5)))
        self.assertEqual(self.gas(0, 200), (None, False))
        self.add(*gas_values("100=5 160=11"))
        for _ in range(2):
            self.assertEqual(self.gas(0, 100), (None, False))
            self.assertEqual(self.gas(0, 90), (None, False))
            self.assertEqual(self.gas(0, 101), (0, True))
            self.assertEqual(self.gas(0, 160), (6, True))
            self.settle()

    def test_it_is_interpolated_up_to_the_latest_value(self) -> None:
        """Three hours without a value are no gap; beyond the values it is estimated."""
        self.add(*telegrams(steady(0, 240, step=5)), *gas_values("0=0 60=6 180=30"))
        for _ in range(2):
            self.assertEqual(self.gas(0, 60), (6, False))
            self.assertEqual(self.gas(10, 65), (6, False))
            self.assertEqual(self.gas(0, 180), (30, False))
            self.assertEqual(self.gas(0, 200), (30, True))
            self.settle()

    def test_after_a_long_silence_it_falls_at_the_end(self) -> None:
        """As in the ledger: up to the value nothing was burnt as far as anybody knows."""
        self.add(*telegrams(steady(0, 300, step=5)), *gas_values("0=0 200=20"))
        for _ in range(2):
            self.assertEqual(self.gas(0, 199), (0, True))
            self.assertEqual(self.gas(0, 200), (20, False))
            self.settle()

    def test_two_gas_meters_are_one_amount(self) -> None:
        """The new one goes on where the old one stopped; in between nothing is known."""
        self.add(*telegrams(steady(0, 200, step=5)))
        self.add(*gas_values("0=0 60=6"), *gas_values("90=100 150=104", OTHER_GAS_METER))
        for _ in range(2):
            self.assertEqual(self.gas(0, 150), (10, False))
            self.assertEqual(self.gas(0, 120), (8, False))
            self.assertEqual(self.gas(80, 120), (2, True))
            self.settle()

    def test_other_devices_are_not_gas(self) -> None:
        """Water has an account of its own, and does not hold a total up."""
        self.add(*telegrams(steady(0, 60, step=5)))
        self.assertEqual(self.gas(0, 60)[0], None)

    def test_a_late_value_counts_at_once(self) -> None:
        """Marks are of all registers of a meter."""
        self.add(*telegrams(steady(0, 240, step=5)), *gas_values("0=0 120=12"))
        self.settle()
        self.add(*gas_values("60=9"))
        self.assertEqual(self.gas(0, 60), (9, False))
        self.assertEqual(self.gas(0, 120), (12, False))

    def test_a_late_value_changes_the_day_before(self) -> None:
        """Where the meter's own part of that day is known for sure, and the gas meter's is not."""
        self.add(*telegrams(steady(0, 2_400, step=10)))
        self.add(*gas_values(f"{steady(700, 2_101, step=100)} 2250=2130 2400=2140"))
        self.settle()
        self.assertEqual(self.gas(MIDNIGHT, MIDNIGHT + A_DAY)[0], 2_112 - 720)
        self.add(*gas_values("2176=2105"))
        self.assertEqual(self.gas(MIDNIGHT, MIDNIGHT + A_DAY)[0], 2_103 - 720)

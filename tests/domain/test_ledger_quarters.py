"""Tests of dsmr_tw.domain.ledger: what went through the registers in each quarter, and what of that is estimated."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.ledger import Walk
from dsmr_tw.domain.pace import Row, electricity
from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.domain.spans import QUARTER
from tests.arrivals import NOON
from tests.walking import (
    TEN_A_MINUTE,
    TEN_A_MINUTE_OF_GAS,
    amounts,
    edits,
    finished,
    gaps,
    minute,
    readings,
    steady,
    walk_of,
)


def starts(quarters: list[Quarter]) -> list[int]:
    """The minutes that quarters, or their parts, begin at."""
    return [(quarter.start - NOON) // (minute(1) - NOON) for quarter in quarters]


def positions(quarters: list[Quarter]) -> list[int]:
    """What the register showed at the start of each quarter."""
    return [quarter.positions[0] for quarter in quarters]


def powers(text: str) -> list[tuple[int | None, int | None]]:
    """The lowest and the highest power of each quarter."""
    return [(quarter.lowest_power, quarter.highest_power) for quarter in finished(text).quarters]


def seen(text: str) -> list[tuple[int | None, ...]]:
    """The minutes of the first and the last accepted reading of each quarter."""
    return [
        tuple(None if at is None else (at - NOON) // (minute(1) - NOON) for at in (quarter.first_at, quarter.last_at))
        for quarter in finished(text).quarters
    ]


class AmountTests(SynchronousTestCase):
    """The fifth rule, inside an epoch."""

    def test_a_quarter_between_two_readings_on_its_bounds(self) -> None:
        """It is their difference; the last reading begins a quarter in which nothing is known yet."""
        walk = finished("0=100 15=130 30=135")
        self.assertEqual(amounts(walk.quarters), [30, 5, 0])
        self.assertEqual(positions(walk.quarters), [100, 130, 135])
        self.assertEqual(starts(walk.quarters), [0, 15, 30])

    def test_the_position_on_a_bound_is_interpolated(self) -> None:
        """By the time that passed: here two thirds lie before it."""
        walk = finished("5=100 20=130 30=130")
        self.assertEqual(amounts(walk.quarters), [20, 10, 0])
        self.assertEqual(positions(walk.quarters), [100, 120, 130])

    def test_a_position_is_rounded_down(self) -> None:
        """What does not divide falls behind the bound, and not a thousandth is lost."""
        walk = finished("10=100 20=101 31=103")
        self.assertEqual(positions(walk.quarters), [100, 100, 102])
        self.assertEqual(amounts(walk.quarters), [0, 2, 1])

    def test_a_negative_position_is_rounded_down_too(self) -> None:
        """A register may stand below zero, and moving all positions moves no amount."""
        walk = finished("10=-101 20=-100 31=-98")
        self.assertEqual(positions(walk.quarters), [-101, -101, -99])
        self.assertEqual(amounts(walk.quarters), [0, 2, 1])

    def test_amounts_add_up_whatever_lies_between(self) -> None:
        """Glitches, gaps and bounds: all quarters together are the last position less the first."""
        walk = finished("7:13=100 8=5000 14:59=111 15:01=111 29=2 31=113 300=1117 301=1120")
        self.assertEqual(sum(amounts(walk.quarters)), 1020)
        self.assertEqual(starts(walk.quarters), list(range(0, 315, 15)))

    def test_each_register_has_its_own_amount(self) -> None:
        """They are interpolated one by one."""
        rows: list[Row] = [(minute(0), 1, None, 1, 20, 300, -4, 0), (minute(30), 2, None, 2, 24, 308, 1, 0)]
        walk = Walk(electricity(60_000))
        walk.take(rows)
        self.assertEqual([quarter.amounts for quarter in walk.quarters], [(0, 2, 4, 2), (1, 2, 4, 3)])
        self.assertEqual([quarter.positions for quarter in walk.quarters], [(1, 20, 300, -4), (1, 22, 304, -2)])
        other: list[Row] = [(minute(35), 3, 1, 3, 26, 311, 5, 0), (minute(40), 4, 2, 9, 90, 900, 9_000, 0)]
        walk.take([*other, (minute(45), 5, 2, 19, 190, 1_900, 9_700, 0)])
        self.assertEqual(walk.quarters[-1].amounts, (1 + 10, 2 + 100, 3 + 1_000, 4 + 700))

    def test_an_outage_is_spread_evenly(self) -> None:
        """Nobody knows when the house used it; the bounds in between are estimated."""
        walk = finished("0=0 5=20 65=260 75=260")
        self.assertEqual(amounts(walk.quarters), [60, 60, 60, 60, 20, 0])
        self.assertEqual(gaps(walk.quarters), ".????.?")

    def test_a_meter_whose_clock_jumped_ahead(self) -> None:
        """The jump is a gap like any other."""
        walk = finished("0=0 14=14 300=14 301=15")
        self.assertEqual(amounts(walk.quarters), [14, *[0] * 19, 1])


class SwapTests(SynchronousTestCase):
    """The fifth rule, from one epoch to the next."""

    def test_a_swap_inside_a_quarter(self) -> None:
        """Both meters count, each as far as it was read; never the new one's whole position."""
        walk = finished("0=100A 4=110A 6=7000B 10=7005B 15=7010B")
        self.assertEqual(amounts(walk.quarters), [20, 0])
        self.assertEqual(positions(walk.quarters), [100, 7010])

    def test_a_swap_with_a_first_reading_on_the_bound(self) -> None:
        """The old meter's quarter ends with its last position, the new one's begins with its first."""
        walk = finished("0=100A 14=110A 15=7000B 20=7005B")
        self.assertEqual(amounts(walk.quarters), [10, 5])
        self.assertEqual(positions(walk.quarters), [100, 7000])

    def test_a_swap_between_readings_of_two_quarters(self) -> None:
        """Nothing is counted between them; the position at the bound is the old meter's."""
        walk = finished("0=100A 13=110A 17=7000B 29=7005B")
        self.assertEqual(amounts(walk.quarters), [10, 5])
        self.assertEqual(positions(walk.quarters), [100, 110])

    def test_a_swap_that_took_hours(self) -> None:
        """The quarters between are empty, and the bounds in the gap are estimated."""
        walk = finished("0=100A 10=110A 61=7000B 74=7005B")
        self.assertEqual(amounts(walk.quarters), [10, 0, 0, 0, 5])
        self.assertEqual(positions(walk.quarters), [100, 110, 110, 110, 110])
        self.assertEqual(gaps(walk.quarters), ".?????")

    def test_two_swaps_in_one_quarter(self) -> None:
        """Each of the three meters counts."""
        walk = finished("0=100A 2=101A 4=5B 6=7B 8=90C 12=94C")
        self.assertEqual(amounts(walk.quarters), [1 + 2 + 4])

    def test_two_swaps_with_the_first_on_the_bound(self) -> None:
        """The position at the start is that of the meter that was read there."""
        walk = finished("0=100A 15=5B 17=7B 18=90C 20=94C 30=94C")
        self.assertEqual(amounts(walk.quarters), [0, 2 + 4, 0])
        self.assertEqual(positions(walk.quarters), [100, 5, 94])

    def test_a_register_that_went_back(self) -> None:
        """Eleven lower readings are a new epoch, and no amount is negative."""
        walk = finished(f"0=1000 5=1005 {steady(20, 33)}")
        self.assertEqual(amounts(walk.quarters), [5, 10, 2])

    def test_a_split_counts_as_a_swap(self) -> None:
        """What went through between the two readings is nobody's."""
        walk = finished("0=100 10=110 20=120 25=121", edits=edits(splits=[15]))
        self.assertEqual(amounts(walk.quarters), [10, 1])


class DeviceGapTests(SynchronousTestCase):
    """The fifth rule, in a long gap between a device's values."""

    def test_up_to_three_hours_are_interpolated(self) -> None:
        """A gas meter that speaks once an hour tells enough."""
        walk = finished("0=0 180=120", TEN_A_MINUTE_OF_GAS)
        self.assertEqual(amounts(walk.quarters), [10] * 12 + [0])
        self.assertEqual(gaps(walk.quarters), "." * 13 + "?")

    def test_after_a_longer_gap_the_amount_falls_at_its_end(self) -> None:
        """In the quarter that holds the value after it; the position stays until then."""
        walk = finished("0=0 185=120 190=125", TEN_A_MINUTE_OF_GAS)
        self.assertEqual(amounts(walk.quarters), [0] * 12 + [125])
        self.assertEqual(positions(walk.quarters), [0] * 13)
        self.assertEqual(gaps(walk.quarters), "." + "?" * 13)

    def test_a_value_on_the_bound_ends_the_gap_there(self) -> None:
        """The amount falls in the quarter that ends with the value, and that end is known."""
        walk = finished("0=0 195=120 200=125", TEN_A_MINUTE_OF_GAS)
        self.assertEqual(amounts(walk.quarters), [0] * 12 + [120, 5])
        self.assertEqual(gaps(walk.quarters), "." + "?" * 12 + ".?")

    def test_electricity_does_not_wait_for_the_end(self) -> None:
        """The same gap is spread evenly there."""
        walk = finished("0=0 195=130")
        self.assertEqual(amounts(walk.quarters), [10] * 13 + [0])


class EstimatedTests(SynchronousTestCase):
    """The eighth rule, as quarters know it."""

    def test_fifteen_minutes_are_no_gap(self) -> None:
        """A second more are one, on a bound that no reading stands on."""
        self.assertEqual(gaps(finished("14=0 29=0 44=0").quarters), "?..?")
        self.assertEqual(gaps(finished("14=0 29:01=0 44=0").quarters), "??.?")

    def test_a_bound_with_a_reading_on_it_is_known(self) -> None:
        """However long it was before, and will be after."""
        self.assertEqual(gaps(finished("0=0 30=0 75=0").quarters), ".?.??.?")

    def test_before_the_first_and_after_the_last_reading(self) -> None:
        """Nothing is known of the rest of the quarter."""
        self.assertEqual(gaps(finished("0=0 14=0").quarters), ".?")
        self.assertEqual(gaps(finished("1=0").quarters), "??")

    def test_a_quick_swap_leaves_no_gap(self) -> None:
        """What lies in between is not counted, and not estimated either."""
        self.assertEqual(gaps(finished("0=100A 13=110A 17=7000B 30=7005B").quarters), "...?")


class ReadingsOfQuarterTests(SynchronousTestCase):
    """What a quarter remembers of its own readings."""

    def test_the_extremes_of_power(self) -> None:
        """Of all accepted readings that the quarter holds, its first instant included and its end not."""
        self.assertEqual(powers("0=0/300 5=1/-200 10=2/500 15=3/900"), [(-200, 500), (900, 900)])

    def test_power_in_both_directions(self) -> None:
        """A meter that prints both on two phases has the difference."""
        self.assertEqual(powers("0=0/100,350 5=1/120,80 10=2/-5,20"), [(-250, 40)])

    def test_an_outlier_has_no_power(self) -> None:
        """What is not believed is not shown as the highest either; nor is what still waits."""
        self.assertEqual(powers("0=0/300 5=9999/9999 6=1/200 7=9999/9999"), [(200, 300)])

    def test_a_quarter_without_readings_has_no_power(self) -> None:
        """Nor has one of a device, which tells of none."""
        self.assertEqual(powers("0=0/300 45=1/100"), [(300, 300), (None, None), (None, None), (100, 100)])
        self.assertEqual(powers("0=0 5=1"), [(None, None)])

    def test_both_meters_of_a_swap_have_power(self) -> None:
        """The quarter is one, whoever was read in it."""
        self.assertEqual(powers("0=9A/300 5=0B/100 6=1B/700"), [(100, 700)])

    def test_the_first_and_the_last_reading(self) -> None:
        """Those accepted; one reading is both."""
        self.assertEqual(seen("1=0 5=9999 7=1 12=2 13=9999 15=3"), [(1, 12), (15, 15)])

    def test_a_quarter_without_readings_has_no_first(self) -> None:
        """Nor a last; the next one that has any has its own."""
        self.assertEqual(seen("0=0 50=1 52=2"), [(0, 0), (None, None), (None, None), (50, 52)])


class CutTests(SynchronousTestCase):
    """Quarters are cut in two where somebody asks for a part."""

    def test_a_cut_divides_the_amount(self) -> None:
        """At its instant, interpolated as any bound is; the parts add up to the quarter."""
        walk = finished("0=0 10=20 20=40", cuts=[5])
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters)), ([0, 5, 15], [10, 20, 10]))
        self.assertEqual([quarter.end for quarter in walk.quarters], [minute(5), minute(15), minute(30)])

    def test_two_cuts_in_one_quarter(self) -> None:
        """Start and end may be asked for a few minutes apart; a cut on a bound is none."""
        walk = finished("0=0 10=20 30=60", cuts=[4, 11, 15])
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters)), ([0, 4, 11, 15, 30], [8, 14, 8, 30, 0]))

    def test_each_part_has_its_own_readings(self) -> None:
        """Extremes, first and last are those of the part; a reading on the cut is of the part behind it."""
        walk = finished("0=0/100 4=1/300 5=2/700 8=3/200", cuts=[5])
        self.assertEqual([(part.lowest_power, part.highest_power) for part in walk.quarters], [(100, 300), (200, 700)])
        self.assertEqual([part.first_at for part in walk.quarters], [minute(0), minute(5)])

    def test_a_cut_in_a_gap_is_estimated(self) -> None:
        """As any bound in it."""
        self.assertEqual(gaps(finished("0=0 30=60", cuts=[5]).quarters), ".??.?")

    def test_a_cut_before_the_first_reading(self) -> None:
        """The part before it is not told: nothing is known of it."""
        walk = finished("7=0 12=5 15=6", cuts=[5])
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters)), ([5, 15], [6, 0]))
        self.assertEqual(gaps(walk.quarters), "?.?")

    def test_a_cut_at_the_first_reading(self) -> None:
        """There the part begins, and that is known."""
        walk = finished("7=0 12=5 15=6", cuts=[7])
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters), gaps(walk.quarters)), ([7, 15], [6, 0], "..?"))

    def test_a_cut_behind_the_last_reading(self) -> None:
        """The last part ends there."""
        walk = finished("0=0 7=5", cuts=[9])
        self.assertEqual([(part.start, part.end) for part in walk.quarters], [(minute(0), minute(9))])


class ToldTests(SynchronousTestCase):
    """When a quarter is told."""

    def test_quarters_are_told_once_something_is_accepted_behind_them(self) -> None:
        """What waits closes nothing."""
        walk = walk_of("0=0 5=5 16=9999 17=9999")
        self.assertEqual(walk.quarters, [])
        walk.take(readings("18=10"))
        self.assertEqual(amounts(walk.quarters), [8])

    def test_a_walk_that_begins_at_an_anchor(self) -> None:
        """Its first quarter is told from there on, up to the boundary that it was given."""
        [anchor, *rows] = readings("14=14 20=20 35=35")
        walk = Walk(TEN_A_MINUTE)
        walk.begin(anchor, minute(15))
        self.assertEqual(walk.told_until, minute(14))
        walk.take(rows)
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters)), ([14, 15], [1, 15]))

    def test_the_boundary_may_be_hours_away(self) -> None:
        """No quarter between the anchor and the boundary is told of its own."""
        [anchor, row] = readings("0=0 120=120")
        walk = Walk(TEN_A_MINUTE)
        walk.begin(anchor, NOON + HOUR)
        walk.take([row])
        self.assertEqual((starts(walk.quarters), amounts(walk.quarters)), ([0, 60, 75, 90, 105], [60, 15, 15, 15, 15]))
        self.assertEqual(walk.quarters[-1].end - walk.quarters[-1].start, QUARTER)

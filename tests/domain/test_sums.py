"""Tests of dsmr_tw.domain.sums: quarters added up, and which spans are closed."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.domain.spans import QUARTER, Amounts, SpanRow
from dsmr_tw.domain.sums import DeviceState, gas_of, horizon, row_of
from tests.arrivals import MINUTE, NOON


def quarter(number: int, *amounts: int, gaps: str = "..") -> Quarter:
    """The quarter so many after noon; ``gaps`` has ``?`` for a start, an end, that is estimated."""
    one, two, three, four = (*amounts, 0, 0, 0, 0)[:4]
    start = NOON + number * QUARTER
    return Quarter(
        start,
        start + QUARTER,
        (one, two, three, four),
        (0, 0, 0, 0),
        None,
        None,
        gaps[0] == "?",
        gaps[1] == "?",
        None,
        None,
    )


def hour(quarters: Sequence[Quarter], gas: Sequence[Quarter] = (), gas_since: int | None = None) -> SpanRow:
    """The row of the hour after noon."""
    return row_of(NOON, NOON + HOUR, quarters, gas, gas_since)


class RowTests(SynchronousTestCase):
    """A span is the sum of its quarters."""

    def test_each_register_is_added_up(self) -> None:
        """By itself; the row says from where to where it is."""
        row = hour([quarter(number, 1, 20, 300, 4_000 + number) for number in range(4)])
        self.assertEqual(row, SpanRow(NOON, NOON + HOUR, Amounts(4, 80, 1_200, 16_006, None), False, False))

    def test_only_its_own_two_ends_make_it_estimated(self) -> None:
        """A gap in the middle of a day is counted in it, whole."""
        for gaps, estimated in (
            (["..", "..", "..", ".."], False),
            (["..", ".?", "??", "?."], False),
            (["?.", "..", "..", ".."], True),
            (["..", "..", "..", ".?"], True),
        ):
            quarters = [quarter(number, gaps=ends) for number, ends in enumerate(gaps)]
            self.assertEqual(hour(quarters).estimated, estimated, gaps)

    def test_a_span_that_quarters_do_not_fill_is_estimated(self) -> None:
        """One that the first reading lies in, and one that the last lies in."""
        for numbers in (range(1, 4), range(3), range(1, 2)):
            row = hour([quarter(number, 5) for number in numbers])
            self.assertEqual((row.amounts.delivered_1, row.estimated), (5 * len(numbers), True))

    def test_a_span_without_quarters(self) -> None:
        """It has no amounts, and nothing is known of its ends."""
        self.assertEqual(hour([]), SpanRow(NOON, NOON + HOUR, Amounts(0, 0, 0, 0, None), True, False))

    def test_gas_goes_with_it(self) -> None:
        """Its amount and its own word on what is estimated."""
        quarters = [quarter(number) for number in range(4)]
        row = hour(quarters, [quarter(number, 7, gaps=".?") for number in range(4)], NOON)
        self.assertEqual((row.amounts.gas, row.estimated, row.gas_estimated), (28, False, True))


class GasTests(SynchronousTestCase):
    """The gas of a span."""

    def gas(self, quarters: Sequence[Quarter], since: int | None = NOON) -> tuple[int | None, bool]:
        """Of the hour after noon, when the first gas meter was heard at ``since``."""
        return gas_of(NOON, NOON + HOUR, quarters, since)

    def test_before_any_gas_meter_there_is_none(self) -> None:
        """Which is not the same as nothing burnt; nor is it estimated."""
        self.assertEqual(self.gas([], None), (None, False))
        self.assertEqual(self.gas([], NOON + HOUR), (None, False))

    def test_from_the_quarter_that_it_is_heard_in(self) -> None:
        """The span's start lies before the first value, so it is estimated."""
        last = NOON + 3 * QUARTER
        self.assertEqual(self.gas([quarter(3, 5)], last), (5, True))

    def test_up_to_the_quarter_that_it_is_heard_in_last(self) -> None:
        """The span's end lies behind the last value."""
        self.assertEqual(self.gas([quarter(0, 5), quarter(1, 6)]), (11, True))

    def test_it_is_added_up(self) -> None:
        """Only the span's own two ends say whether it is estimated."""
        ends = ["..", ".?", "??", "?."]
        self.assertEqual(self.gas([quarter(number, 5, gaps=gaps) for number, gaps in enumerate(ends)]), (20, False))
        for ends in (["?.", "..", "..", ".."], ["..", "..", "..", ".?"]):
            self.assertEqual(self.gas([quarter(number, 5, gaps=gaps) for number, gaps in enumerate(ends)]), (20, True))

    def test_two_gas_meters_are_one_amount(self) -> None:
        """It is estimated when one of them is, at an end of the span."""
        one, other = [quarter(number, 5) for number in range(4)], [quarter(number, 7) for number in range(4)]
        self.assertEqual(self.gas([*one, *other]), (48, False))
        other[0] = quarter(0, 7, gaps="?.")
        self.assertEqual(self.gas([*one, *other]), (48, True))

    def test_after_a_swap_the_new_meter_tells(self) -> None:
        """The old one is there at the start and the new one at the end: both ends are known."""
        old, new = [quarter(0, 5), quarter(1, 5, gaps=".?")], [quarter(2, 7, gaps="?."), quarter(3, 7)]
        self.assertEqual(self.gas([*old, *new]), (24, False))

    def test_where_no_gas_meter_was_heard_any_more(self) -> None:
        """Nothing was burnt as far as anybody knows."""
        self.assertEqual(self.gas([], NOON - HOUR), (0, True))


class HorizonTests(SynchronousTestCase):
    """The ninth rule: up to where spans are closed. Electricity was accepted at noon."""

    def closed_at(self, *devices: tuple[int, int]) -> int:
        """Minutes to noon, where devices were accepted, and heard, so many minutes before noon."""
        states = [DeviceState(NOON - accepted * MINUTE, NOON - newest * MINUTE) for accepted, newest in devices]
        found = horizon(NOON, states)
        assert found is not None
        return (NOON - found) // MINUTE

    def test_without_electricity_nothing_is_closed(self) -> None:
        """Also where a device is heard: a row is the meter's."""
        self.assertIsNone(horizon(None, []))
        self.assertIsNone(horizon(None, [DeviceState(NOON, NOON)]))

    def test_electricity_alone(self) -> None:
        """Spans close that end at its newest accepted reading, or before."""
        self.assertEqual(horizon(NOON, []), NOON)

    def test_a_device_is_waited_for(self) -> None:
        """A gas meter of five minutes ago closes what ended then; one that is ahead changes nothing."""
        self.assertEqual(self.closed_at((5, 5)), 5)
        self.assertEqual(self.closed_at((-5, -5)), 0)
        self.assertEqual(self.closed_at((5, 5), (59, 59), (1, 1)), 59)

    def test_for_four_hours(self) -> None:
        """One that has been silent for longer is waited for no more: what ended an hour ago is closed."""
        self.assertEqual(self.closed_at((240, 240)), 240)
        silent = DeviceState(NOON - 240 * MINUTE - SECOND, NOON - 240 * MINUTE - SECOND)
        self.assertEqual(horizon(NOON, [silent]), NOON - HOUR)

    def test_for_a_day_while_readings_of_it_wait(self) -> None:
        """They might still turn out to be right, for a day."""
        self.assertEqual(self.closed_at((600, 300)), 600)
        self.assertEqual(self.closed_at((5_000, 300)), 1_440)
        self.assertEqual(self.closed_at((5_000, 5_000)), 60)

    def test_what_waits_of_a_device_that_speaks_is_waited_for(self) -> None:
        """Its newest accepted reading is what counts, however old."""
        self.assertEqual(self.closed_at((5_000, 5)), 5_000)

    def test_the_slowest_device_counts(self) -> None:
        """Each device is judged by itself."""
        self.assertEqual(self.closed_at((5, 5), (300, 300)), 60)
        self.assertEqual(self.closed_at((5, 5), (300, 300), (100, 100)), 100)

"""Tests of dsmr_tw.domain.tally: what was counted of a database, compared with what was counted of another."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.tally import Tally

NUMBERS = st.integers(min_value=-(10**15), max_value=10**15)
SUMS = st.dictionaries(
    st.sampled_from(["reading", "reading.last", "quarter.delivered_1", "day_statistics", "day_statistics.gas"]), NUMBERS
)
TALLIES = st.builds(Tally, st.integers(1, 9), SUMS, st.dictionaries(st.integers(1, 5), SUMS, max_size=3))

HELD = Tally(
    6,
    {"meter": 1, "price": 24},
    {
        1: {
            "reading": 9,
            "reading.last": 9,
            "device_reading": 2,
            "quarter.delivered_1": 7_000,
            "day_statistics": 1,
            "day_statistics.delivered_1": 1_234,
        }
    },
)


def with_sums(**sums: int) -> Tally:
    """The same, with other sums of its meter; two underscores stand for a point."""
    named = {name.replace("__", "."): number for name, number in sums.items()}
    return evolve(HELD, meters={1: {**HELD.meters[1], **named}})


class DifferencesTests(SynchronousTestCase):
    """A copy that does not hold the same is told."""

    def test_the_same(self) -> None:
        """What holds the same differs in nothing."""
        self.assertEqual(HELD.differences(with_sums()), [])

    def test_rows_and_sums(self) -> None:
        """A row less and a watt-hour more are each told, with the meter that they are of."""
        self.assertEqual(
            HELD.differences(with_sums(reading=8, quarter__delivered_1=7_001)),
            [
                "quarter.delivered_1 of meter 1: 7,000 became 7,001",
                "reading of meter 1: 9 became 8",
            ],
        )

    def test_small_tables(self) -> None:
        """A price that is lost is told."""
        self.assertEqual(HELD.differences(evolve(HELD, tables={"meter": 1, "price": 23})), ["price: 24 became 23"])

    def test_a_meter(self) -> None:
        """A meter that is not in the copy at all is told."""
        self.assertIn("reading of meter 1: 9 became nothing", HELD.differences(evolve(HELD, meters={})))

    def test_a_schema(self) -> None:
        """Of another schema nothing else is compared: its numbers mean other things."""
        self.assertEqual(HELD.differences(evolve(HELD, schema=7, tables={})), ["the schema: number 6 became 7"])

    @given(TALLIES, TALLIES)
    def test_it_finds_all(self, one: Tally, other: Tally) -> None:
        """Nothing differs only where both are the same."""
        self.assertEqual(not one.differences(other), _as_counted(one) == _as_counted(other))


def _as_counted(tally: Tally) -> object:
    """A meter without any sum is none."""
    return evolve(tally, meters={meter_id: sums for meter_id, sums in tally.meters.items() if sums})


class LaterTests(SynchronousTestCase):
    """A database that went on is compared in what it held then."""

    def test_the_same(self) -> None:
        """What was stored is still there."""
        self.assertEqual(HELD.changed_since(HELD.meters), [])

    def test_more(self) -> None:
        """Readings that came late, and open quarters that went on, are no loss."""
        self.assertEqual(HELD.changed_since(with_sums(reading=10, quarter__delivered_1=9).meters), [])

    def test_fewer_readings(self) -> None:
        """Readings that are gone are told, and days that are others."""
        found = HELD.changed_since(with_sums(reading=8, day_statistics__delivered_1=1_233).meters)
        self.assertEqual(
            found,
            ["reading of meter 1: 9 are 8 now", "day_statistics.delivered_1 of meter 1: 1,234 became 1,233"],
        )

    def test_a_meter_that_is_gone(self) -> None:
        """It is named."""
        self.assertEqual(HELD.changed_since({}), ["meter 1 is not there any more"])


class FormTests(SynchronousTestCase):
    """A backup has it as JSON."""

    @given(TALLIES)
    def test_there_and_back(self, tally: Tally) -> None:
        """Nothing is lost on the way."""
        self.assertEqual(Tally.from_json(tally.as_json()), tally)

"""Tests of dsmr_tw.domain.thinning: what can go, and that nothing of the ledger goes with it."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.ledger import Edits, Walk
from dsmr_tw.domain.pace import Row
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.thinning import dispensable
from tests.arrivals import MINUTE, NOON
from tests.walking import TEN_A_MINUTE, ListedHistory, edits, readings, steady

HOUR = 60


def left(text: str, *, start: int = 0, end: int = HOUR, decided: Edits | None = None) -> list[int]:
    """The minutes of the readings that stay, between two minutes."""
    rows = readings(text)
    gone = gone_of(rows, start, end, decided or Edits())
    return [(row[0] - NOON) // MINUTE for row in rows if row[0] not in gone]


def gone_of(rows: list[Row], start: int, end: int, decided: Edits) -> set[int]:
    """The instants that can go."""
    history = ListedHistory(rows)
    return set(dispensable(NOON + start * MINUTE, NOON + end * MINUTE, TEN_A_MINUTE, decided, history))


class KeptTests(SynchronousTestCase):
    """Each reason for which a reading stays."""

    def test_the_ends_of_quarters_stay(self) -> None:
        """Of readings each minute the first and the last of each quarter are left."""
        self.assertEqual(left(steady(0, 45)), [0, 14, 15, 29, 30, 44])

    def test_what_lies_outside_stays(self) -> None:
        """Only the time that is asked about is thinned out."""
        self.assertEqual(left(steady(0, 45), start=15, end=30), [*range(15), 15, 29, *range(30, 45)])

    def test_the_extremes_stay(self) -> None:
        """The readings with the lowest and the highest power of a quarter are left, both directions counted."""
        text = "0=0/300 1=1/300 2=2/900 3=3/300 4=4/100,250 5=5/300 6=6/300"
        self.assertEqual(left(text), [0, 2, 4, 6])

    def test_both_ends_of_an_epoch_stay(self) -> None:
        """Where the meter was swapped, its last reading and the new one's first are left."""
        self.assertEqual(left(f"{steady(0, 5, 'A')} {steady(5, 10, 'B')}"), [0, 4, 5, 9])

    def test_the_eleven_that_waited_stay(self) -> None:
        """A meter that was swapped without telling its id is known by eleven readings, all of which are needed."""
        self.assertEqual(left(f"{steady(0, 4, at_zero=900)} {steady(4, 30)}", end=30), [0, 3, *range(4, 15), 15, 29])

    def test_outliers_stay_and_what_they_waited_behind(self) -> None:
        """A glitch is still one afterwards: the reading before it, which it did not follow, is left."""
        self.assertEqual(left("0=0 1=5 2=9 3=8 4=10 5=11 6=12"), [0, 2, 3, 6])

    def test_a_reading_between_two_that_do_not_follow_each_other_stays(self) -> None:
        """One that prints no id stands between two that do; without it the second would be another meter."""
        self.assertEqual(left("0=0A 1=1A 2=2 3=3B 4=4B 5=5B"), [0, 2, 5])

    def test_an_epoch_that_a_person_joined(self) -> None:
        """What a person decided holds as before: all that waited is left."""
        text = f"{steady(0, 5)} {steady(5, 20, at_zero=10_000)}"
        self.assertEqual(left(text, end=15, decided=edits(joins=[5])), [0, 4, *range(5, 15), *range(15, 20)])

    def test_what_still_waits_stays(self) -> None:
        """Readings that are neither counted nor refused yet are left, and the one they wait behind."""
        self.assertEqual(left("0=50 1=51 2=52 3=1 4=2"), [0, 2, 3, 4])

    def test_nothing_is_there(self) -> None:
        """A time without readings has none to spare."""
        self.assertEqual(left(steady(0, 15), start=15, end=30), [*range(15)])


WORDS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([0, 1, 2, 3, 8, 20, 45, -3, 5_000, -5_000]),
        st.sampled_from(["", "", "A", "A", "B"]),
        st.integers(-3, 3),
    ),
    max_size=120,
)
"""Minutes after the reading before, a rise that may be believable or not, equipment, and power."""


class LawTests(SynchronousTestCase):
    """Whatever the readings, nothing of the ledger changes."""

    @settings(max_examples=2000 if os.environ.get("DSMR_CI") else 200, deadline=None)
    @given(WORDS, st.integers(0, 8), st.integers(0, 8), st.lists(st.integers(0, 300), max_size=2))
    def test_the_ledger_stays(
        self, words: list[tuple[int, int, str, int]], start: int, length: int, minutes: list[int]
    ) -> None:
        """Quarters, epochs and outliers of what is left are those of all readings; also when thinned out again."""
        minute, position, text = 0, 0, []
        for step, rise, letter, power in words:
            minute, position = minute + step, position + rise
            text.append(f"{minute}={position}{letter}/{power}")
        rows = readings(" ".join(text))
        decided = edits(splits=sorted(minutes[:1]), joins=minutes[1:])
        whole = ledger_of(rows, decided)
        for begin in (start, 0):
            gone = gone_of(rows, begin * 15, (begin + length) * 15, decided)
            rows = [row for row in rows if row[0] not in gone]
            self.assertEqual(ledger_of(rows, decided), whole)


def ledger_of(rows: list[Row], decided: Edits) -> tuple[object, ...]:
    """Everything that a walk tells of readings."""
    walk = Walk(TEN_A_MINUTE, decided)
    walk.take(rows)
    walk.finish()
    assert all(quarter.end - quarter.start == QUARTER for quarter in walk.quarters)
    return walk.quarters, walk.epochs, walk.outliers, walk.waiting

"""Tests of dsmr_tw.domain.contract: which contract holds on which day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.contract import Contract, contract_on, overlapping, refusal, stretches
from tests.prices import contract

JANUARY = date(2024, 1, 1)
FEBRUARY = date(2024, 2, 1)
MARCH = date(2024, 3, 1)
LAST_OF_JANUARY = date(2024, 1, 31)
LAST_OF_FEBRUARY = date(2024, 2, 29)

OLD = contract(id=1, start=JANUARY, end=LAST_OF_JANUARY, description="old")
NEW = contract(id=2, start=MARCH, end=None, description="new")


class DayTests(SynchronousTestCase):
    """The contract of a day."""

    def test_both_ends_are_included(self) -> None:
        """A contract holds from its first to its last day, and an open one for good."""
        for day, expected in (
            (JANUARY - timedelta(1), None),
            (JANUARY, OLD),
            (LAST_OF_JANUARY, OLD),
            (FEBRUARY, None),
            (LAST_OF_FEBRUARY, None),
            (MARCH, NEW),
            (date.max, NEW),
        ):
            self.assertEqual(contract_on([OLD, NEW], day), expected, day)

    def test_a_contract_of_one_day(self) -> None:
        """First and last day may be the same."""
        short = contract(start=JANUARY, end=JANUARY)
        self.assertEqual(stretches([short], JANUARY, FEBRUARY)[0], (JANUARY, date(2024, 1, 2), short))
        self.assertIsNone(refusal(short, [NEW]))


class RefusalTests(SynchronousTestCase):
    """Contracts that can't be."""

    def test_room(self) -> None:
        """A contract may fill exactly the days that no other has."""
        for start, end in ((FEBRUARY, LAST_OF_FEBRUARY), (date(2023, 1, 1), date(2023, 12, 31))):
            self.assertIsNone(refusal(contract(start=start, end=end), [NEW, OLD]), start)
        self.assertIsNone(refusal(contract(start=FEBRUARY, end=None), [OLD]))
        self.assertIsNone(refusal(contract(start=FEBRUARY, end=None), []))

    def test_one_day_too_many(self) -> None:
        """A single day that two contracts share is refused, and the first of the others is named with its days."""
        for start, end, other in (
            (LAST_OF_JANUARY, LAST_OF_FEBRUARY, OLD),
            (FEBRUARY, MARCH, NEW),
            (FEBRUARY, None, NEW),
            (date(2023, 1, 1), JANUARY, OLD),
            (date(2023, 1, 1), None, OLD),
            (date(2024, 1, 10), date(2024, 1, 10), OLD),
            (date(2030, 1, 1), None, NEW),
        ):
            asked = contract(start=start, end=end)
            self.assertEqual(overlapping(asked, [NEW, OLD]), other, (start, end))
        self.assertEqual(
            refusal(contract(start=JANUARY), [OLD]),
            "Contract 1 (old) holds from 2024-01-01 to 2024-01-31, and a day has one contract at most.",
        )
        self.assertEqual(
            refusal(contract(start=MARCH), [NEW]),
            "Contract 2 (new) holds from 2024-03-01 on, and a day has one contract at most.",
        )

    def test_itself(self) -> None:
        """A contract that is changed does not stand in its own way."""
        self.assertIsNone(refusal(contract(id=1, start=JANUARY, end=LAST_OF_FEBRUARY), [OLD, NEW]))

    def test_backwards(self) -> None:
        """No contract ends before it begins."""
        self.assertEqual(
            refusal(contract(start=FEBRUARY, end=LAST_OF_JANUARY), []),
            "A contract that begins on 2024-02-01 can't end on 2024-01-31.",
        )


class StretchTests(SynchronousTestCase):
    """Days cut at the ends of contracts."""

    def test_cuts(self) -> None:
        """A span falls apart into days with one contract each, and days with none, in whatever order they are given."""
        self.assertEqual(
            stretches([NEW, OLD], date(2023, 12, 1), date(2024, 4, 1)),
            [
                (date(2023, 12, 1), JANUARY, None),
                (JANUARY, FEBRUARY, OLD),
                (FEBRUARY, MARCH, None),
                (MARCH, date(2024, 4, 1), NEW),
            ],
        )

    def test_uncut(self) -> None:
        """A span within one contract, or without any, stays whole; one without days is no stretch."""
        self.assertEqual(stretches([OLD, NEW], date(2024, 1, 5), FEBRUARY), [(date(2024, 1, 5), FEBRUARY, OLD)])
        self.assertEqual(stretches([OLD, NEW], FEBRUARY, MARCH), [(FEBRUARY, MARCH, None)])
        self.assertEqual(stretches([], JANUARY, MARCH), [(JANUARY, MARCH, None)])
        self.assertEqual(stretches([OLD], JANUARY, JANUARY), [])

    def test_the_last_day_there_is(self) -> None:
        """A contract may end with the calendar."""
        endless = contract(start=JANUARY, end=date.max)
        self.assertEqual(stretches([endless], JANUARY, MARCH), [(JANUARY, MARCH, endless)])

    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6),
        st.booleans(),
        st.integers(0, 60),
        st.integers(0, 30),
    )
    def test_every_day_once(self, lengths: list[tuple[int, int]], is_open: bool, first: int, days: int) -> None:
        """The stretches hold each day of the span once, in order, with the contract that holds on it."""
        contracts = in_a_row(lengths, is_open)
        first_day = JANUARY + timedelta(first)
        found = stretches(contracts, first_day, first_day + timedelta(days))
        self.assertEqual(
            [(day, of) for start, end, of in found for day in days_of(start, end)],
            [(day, contract_on(contracts, day)) for day in days_of(first_day, first_day + timedelta(days))],
        )
        for (_, end, before), (start, _, after) in zip(found, found[1:], strict=False):
            self.assertEqual(end, start)
            self.assertNotEqual(before, after)


def in_a_row(lengths: list[tuple[int, int]], is_open: bool) -> list[Contract]:
    """Contracts one after the other: days before each, and its days besides the first."""
    contracts: list[Contract] = []
    day = JANUARY
    for number, (gap, length) in enumerate(lengths, 1):
        start = day + timedelta(gap)
        end: Any = None if is_open and number == len(lengths) else start + timedelta(length)
        contracts.append(contract(id=number, start=start, end=end))
        day = start + timedelta(length + 1)
    return contracts


def days_of(start: date, end: date) -> list[date]:
    """The days from one to another (out)."""
    return [start + timedelta(number) for number in range((end - start).days)]

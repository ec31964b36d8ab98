"""Tests of dsmr_tw.store.ranks: places in a list are those of a sorted one, and cost a few steps."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ranks import EVER, Counts, Ranks
from dsmr_tw.store.sqlite_database import SqliteConnection

LONG, SHORT = 100, 10
"""Spans of this list, which is of numbers that stand for instants."""

COUNTED = tuple(Counts(length, "entries", f"counted WHERE list = ? AND length = {length}") for length in (LONG, SHORT))

INSTANTS = st.one_of(st.integers(-250, 250), st.integers(-EVER // 2, EVER // 2))

BOUNDS = st.none() | INSTANTS


class RanksTests(SynchronousTestCase):
    """Where the rows of a list lie."""

    def list_of(self, connection: Connection, instants: Sequence[int]) -> Ranks:
        """A list with rows at these instants, beside another one in the same table."""
        connection.execute("CREATE TABLE counted (list, length, instant, entries, PRIMARY KEY (list, length, instant))")
        for length in (LONG, SHORT):
            counts = Counter(instant - instant % length for instant in instants)
            connection.executemany(
                "INSERT INTO counted VALUES (?, ?, ?, ?)",
                [(1, length, instant, entries) for instant, entries in counts.items()] + [(2, length, 0, 1_000)],
            )
        ordered = sorted(instants)
        return Ranks(
            connection, (1,), COUNTED, lambda start, end: bisect_left(ordered, end) - bisect_left(ordered, start)
        )

    @given(st.lists(INSTANTS), BOUNDS, BOUNDS, st.booleans(), st.integers(0, 30), st.integers(1, 10))
    def test_a_page_begins_where_that_of_a_sorted_list_does(
        self, instants: list[int], start: int | None, end: int | None, descending: bool, offset: int, limit: int
    ) -> None:
        """Count, length and first row of any page are right, whichever end of the list it is nearer to."""
        ordered = sorted(instants)
        listed = [
            instant for instant in ordered if (start is None or start <= instant) and (end is None or instant <= end)
        ]
        expected = listed[::-1][offset : offset + limit][::-1] if descending else listed[offset : offset + limit]
        with closing(sqlite3.connect(":memory:", factory=SqliteConnection)) as connection:
            ranks = self.list_of(connection, instants)
            cut = ranks.cut(start, end, descending, offset, limit)
            self.assertEqual((cut.count, max(0, cut.rows)), (len(listed), len(expected)))
            if expected:
                span, skip = ranks.place(cut)
                self.assertEqual(span, expected[0] - expected[0] % SHORT)
                first = bisect_left(ordered, span) + skip
                self.assertEqual(ordered[first : first + cut.rows], expected)

    def test_the_nearer_end_is_where_the_search_begins(self) -> None:
        """What lies between a page and the far end of the list is not looked at."""
        with closing(sqlite3.connect(":memory:", factory=SqliteConnection)) as connection:
            ranks = self.list_of(connection, range(0, 1_000 * LONG, LONG))
            pages = [(descending, offset) for descending in (False, True) for offset in (100, 900)]
            cuts = [ranks.cut(None, None, descending, offset, 1) for descending, offset in pages]
            connection.execute(
                "DELETE FROM counted WHERE list = 1 AND instant BETWEEN ? AND ?", (200 * LONG, 800 * LONG)
            )
            places = [ranks.place(cut) for cut in cuts]
        self.assertEqual(places, [(100 * LONG, 0), (900 * LONG, 0), (899 * LONG, 0), (99 * LONG, 0)])

    def test_a_count_that_is_wrong_is_told(self) -> None:
        """Where the hours of a day hold less than the day is said to, no other row is taken for the wanted one."""
        with closing(sqlite3.connect(":memory:", factory=SqliteConnection)) as connection:
            ranks = self.list_of(connection, [1, 2, 3])
            connection.execute("UPDATE counted SET entries = 1 WHERE list = 1 AND length = ?", (SHORT,))
            with self.assertRaises(LookupError):
                ranks.place(ranks.cut(None, None, False, 2, 1))

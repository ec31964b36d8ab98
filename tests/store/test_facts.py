"""Tests of dsmr_tw.store.facts: what is remembered of facts, and what becomes of them when meters are joined."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from dsmr_tw.domain.reading import DAY, SECOND, Failure, MonthPeak
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, gas, heard, posted
from tests.contracts.facts import APRIL, MARCH, telling
from tests.contracts.storecase import FIRST
from tests.onpostgres import OnPostgres
from tests.store.test_moves import SECOND_METER, MovesCase
from tests.store.test_sqlite import SqliteCase

PEAKS = [MonthPeak(MARCH, MARCH + 5, 2_000), MonthPeak(APRIL, APRIL + 5, 1_000)]
FAILURES = [Failure(NOON - DAY, 300)]


class FactsCase(SqliteCase):
    """A test that counts what is said to the database about facts."""

    def written(self, add: Callable[[], object]) -> int:
        """How many statements write facts while this is done."""
        asked: list[str] = []
        self.store.database.writer().set_trace_callback(asked.append)
        add()
        self.store.database.writer().set_trace_callback(None)
        return sum("INSERT INTO peak" in sql or "INSERT INTO event" in sql for sql in asked)

    def empty_beside(self) -> None:
        """Let another program delete all facts."""
        with closing(sqlite3.connect(self.path)) as other, other:
            other.execute("DELETE FROM peak")
            other.execute("DELETE FROM event")

    def count(self) -> int:
        """How many facts are stored."""
        peaks = self.ask(self.store.facts.peaks, ReadingFilter(FIRST), False, 0, 10)
        return peaks.count + self.ask(self.store.facts.events, ReadingFilter(FIRST), False, 0, 10).count


class MemoryTests(FactsCase):
    """Facts that are known to be stored are not written again."""

    def test_telegrams_that_repeat_cost_nothing(self) -> None:
        """The first telegram, and one that tells something else, write facts; what comes in between changes nothing."""
        self.assertGreater(self.written(lambda: self.add(telling(NOON, PEAKS, FAILURES))), 0)

        def repeat() -> None:
            for second in range(1, 4):
                self.add(telling(NOON + second * SECOND, PEAKS, FAILURES), posted(NOON + second * SECOND))

        self.assertEqual(self.written(repeat), 0)
        later = NOON + 9 * SECOND
        more = [*PEAKS[:1], MonthPeak(APRIL, NOON, 1_001)]
        self.assertGreater(self.written(lambda: self.add(telling(later, more, FAILURES))), 0)

    def test_what_another_program_did(self) -> None:
        """Facts that were deleted beside the server come again with the next telegram."""
        self.add(telling(NOON, PEAKS, FAILURES))
        self.empty_beside()
        self.add(telling(NOON + SECOND, PEAKS, FAILURES))
        self.assertEqual(self.count(), 3)


class PostgresMemoryTests(OnPostgres, MemoryTests):
    """The same on a server."""

    def written(self, add: Callable[[], object]) -> int:
        """See ``FactsCase``."""
        readings: Any = self.store.readings
        commit, asked = readings.commit, []

        def watched(work: Callable[..., Coroutine[Any, Any, Any]]) -> Deferred[Any]:
            def watch(run: Callable[..., Any]) -> Coroutine[Any, Any, Any]:
                def told(sql: str, parameters: Sequence[Any]) -> Any:
                    asked.append(sql)
                    return run(sql, parameters)

                return work(told)

            found: Deferred[Any] = commit(watch)
            return found

        readings.commit = watched
        add()
        readings.commit = commit
        return sum("INSERT INTO peak" in sql or "INSERT INTO event" in sql for sql in asked)

    def empty_beside(self) -> None:
        """Another program says that it changed what is stored, as all do that delete something."""

        def empty(connection: Any) -> None:
            connection.hold_all()
            connection.execute("DELETE FROM peak")
            connection.execute("DELETE FROM event")

        self.ask(self.store.database.write, empty)


class JoinTests(MovesCase):
    """Facts of accounts that become one."""

    def test_the_higher_peak_stays(self) -> None:
        """Both accounts' facts are the joined one's; of two peaks of a month the higher is, whoever measured it."""
        low, high = MonthPeak(MARCH, NOON - 7 * DAY, 1_500), MonthPeak(APRIL, NOON - DAY, 2_500)
        other = heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER)
        failures = (*FAILURES, Failure(NOON - 2 * DAY, 5))
        self.add(telling(NOON, PEAKS, FAILURES), evolve(other, peaks=(low, high), failures=failures))
        self.join_meters()
        peaks = self.ask(self.store.facts.peaks, ReadingFilter(FIRST), False, 0, 10).peaks
        self.assertEqual(peaks, [PEAKS[0], high])
        events = self.ask(self.store.facts.events, ReadingFilter(FIRST), False, 0, 10).events
        self.assertEqual([event.seconds for event in events], [5, 300])
        self.assertEqual(self.ask(self.store.facts.peaks, ReadingFilter(SECOND_METER), False, 0, 10).count, 0)

    def test_days_are_counted_while_values_move(self) -> None:
        """A device that both accounts have is counted right in each, in every moment of the move."""
        other = heard(NOON, gas(NOON, 7), gas(NOON - DAY, 6), origin=SECOND_CABLE, equipment_id=OTHER_METER)
        self.add(heard(NOON, gas(NOON, 5)), other)
        move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
        while not move.done:
            move = self.ask(self.store.meters.move, move)
            stored = self.rows("SELECT meter_id, equipment_id, instant FROM device_reading")
            expected = Counter((meter_id, number, at - at % DAY) for meter_id, number, at in stored)
            counted = self.rows("SELECT meter_id, equipment_id, instant, readings FROM equipment_reading_count")
            self.assertEqual({tuple(key): readings for *key, readings in counted}, expected)


class PostgresJoinTests(OnPostgres, JoinTests):
    """The same on a server."""

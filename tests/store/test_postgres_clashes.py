"""Tests of dsmr_tw.store.postgres_store and ledger: programs that get in each other's way on one server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final

import psycopg2
from attrs import define, field
from twisted.internet.defer import Deferred

from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.postgres_batch import Run
from dsmr_tw.store.postgres_statements import ALL
from dsmr_tw.store.postgres_store import TRIES
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, heard
from tests.contracts.storecase import FIRST
from tests.onpostgres import ZONE
from tests.postgres import PATIENCE_S, server
from tests.store.test_accounts import SharedCase

AT_ONCE: Final = "?options=-c%20deadlock_timeout%3D10ms"
"""Of two that wait for each other the store's connection notices it, and gives way."""


@define
class Watched:
    """A store's way to commit, into which something may be put, and what came of it."""

    commit: Callable[[Any], Deferred[Any]]
    meanwhile: Callable[[Run], Awaitable[object]]
    """Called in each transaction, when all that holds a lock but the counts is written."""
    errors: list[BaseException | None] = field(factory=list)
    """What the server said, try by try; ``None``: it was committed."""

    def __call__(self, work: Callable[[Run], Any], /) -> Deferred[Any]:
        """Commit the work."""

        async def watched(run: Run) -> Any:
            async def between(sql: str, parameters: Any) -> list[Any]:
                if "reading_count" in sql:
                    await self.meanwhile(run)
                return await run(sql, parameters)

            return await work(between)

        return self.commit(watched).addCallbacks(self._committed, self._failed)

    def _committed(self, found: Any) -> Any:
        self.errors.append(None)
        return found

    def _failed(self, failure: Any) -> Any:
        self.errors.append(failure.value.__cause__)
        return failure


class ClashesTests(SharedCase):
    """A batch that the server chose to give way is stored all the same."""

    def setUp(self) -> None:
        """A reading is stored already, and its counts."""
        super().setUp()
        self.give(self.store, heard(NOON))

    def make_store(self) -> Any:
        """See ``StoreCase``."""
        return postgres_store(self.url + AT_ONCE, ZONE, *self.runners())

    def watched(self, meanwhile: Callable[[Run], Awaitable[object]]) -> Watched:
        """Let something happen in the middle of each batch."""
        readings: Any = self.store.readings
        readings.commit = commit = Watched(readings.commit, meanwhile)
        return commit

    def refusing(self, sqlstate: str, times: int) -> Watched:
        """Let the server refuse so many batches, with a code."""
        left = [True] * times

        async def refuse(run: Run) -> None:
            if left:
                left.pop()
                await run(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$", ())

        return self.watched(refuse)

    def assert_stored(self, readings: int) -> None:
        """So many readings are stored, and counted."""
        self.assertEqual(self.rows("SELECT count(*) FROM reading"), [(readings,)])
        self.assertEqual(self.rows("SELECT readings FROM reading_count WHERE hours = 24"), [(readings,)])

    def test_two_wait_for_each_other(self) -> None:
        """The batch is begun anew, and stored once."""
        with closing(psycopg2.connect(self.url)) as other, ThreadPoolExecutor(1) as thread:
            cursor = other.cursor()
            cursor.execute("SET deadlock_timeout = '1min'")
            cursor.execute("UPDATE reading_count SET readings = readings")
            waiting: list[Future[None]] = []

            def wait() -> None:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", (ALL,))
                other.rollback()

            async def meanwhile(run: Run) -> None:
                if not waiting:
                    waiting.append(thread.submit(wait))
                    self.until_waiting(other.info.backend_pid)

            commit = self.watched(meanwhile)
            [receipt] = self.give(self.store, heard(NOON + SECOND))
            waiting[0].result(PATIENCE_S)
        self.assertTrue(receipt.created)
        self.assertEqual([type(error) for error in commit.errors], [psycopg2.errors.DeadlockDetected, type(None)])
        self.assert_stored(2)

    def until_waiting(self, process: int) -> None:
        """Go on when a connection waits for a lock."""
        sql = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {process}"
        end = time.monotonic() + PATIENCE_S
        while server().ask(sql, self.url) != [(1,)]:
            self.assertLess(time.monotonic(), end, "it does not wait")

    def test_again_and_again(self) -> None:
        """As often as it takes, but for the last of so many tries; whatever the server calls it."""
        for number, sqlstate in enumerate(("40001", "40P01"), 1):
            commit = self.refusing(sqlstate, TRIES - 1)
            [receipt] = self.give(self.store, heard(NOON + number * SECOND))
            self.assertTrue(receipt.created)
            self.assertEqual(len(commit.errors), TRIES)
            self.assert_stored(1 + number)

    def test_for_ever(self) -> None:
        """The store counts as away then, nothing is stored, and later all is well."""
        commit = self.refusing("40P01", TRIES)
        with self.assertRaisesRegex(StoreUnavailable, "no"):
            self.give(self.store, heard(NOON + SECOND))
        self.assertEqual([type(error) for error in commit.errors], [psycopg2.errors.DeadlockDetected] * TRIES)
        self.assert_stored(1)
        self.give(self.store, heard(NOON + SECOND))
        self.assert_stored(2)

    def test_what_is_no_clash(self) -> None:
        """A lock that was not given in time has been waited for long enough."""
        commit = self.refusing("55P03", 1)
        with self.assertRaises(StoreUnavailable):
            self.give(self.store, heard(NOON + SECOND))
        self.assertEqual(len(commit.errors), 1)


class ComputedElsewhereTests(SharedCase):
    """Of two programs that would compute a meter's ledger one does."""

    def test_the_other_leaves_it(self) -> None:
        """While one reads what it computes from, the other answers that there is nothing to do, and keeps the marks."""
        other = self.another()
        self.give(self.store, heard(NOON), heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER))

        def compute(connection: Connection) -> list[bool]:
            self.assertTrue(connection.guard(FIRST))
            return [result_of(other.ledger.recompute(meter_id, NOON + HOUR)) for meter_id in (FIRST, FIRST, FIRST + 1)]

        self.assertEqual(self.ask(self.store.database.read, compute), [False] * 3)
        self.assertEqual(self.rows("SELECT meter_id FROM dirty_quarter"), [(FIRST,)])
        self.assertEqual(self.rows("SELECT meter_id FROM quarter"), [(FIRST + 1,)])
        self.assertIn(FIRST, self.ask(other.ledger.dirty, NOON + HOUR))
        while self.ask(other.ledger.recompute, FIRST, NOON + HOUR):
            pass
        self.assertEqual(self.rows("SELECT meter_id FROM dirty_quarter"), [])
        self.assertEqual(self.rows("SELECT meter_id FROM quarter ORDER BY 1"), [(FIRST,), (FIRST + 1,)])

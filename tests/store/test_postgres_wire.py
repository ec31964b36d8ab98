"""Tests of dsmr_tw.store.postgres_wire: transactions on a real server that stops, freezes and comes back.

The clock is the test's, so no patience is waited for; the server and the reactor are real.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import errors
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from dsmr_tw.errors import StoreError, StoreUnavailable
from dsmr_tw.store.postgres import PATIENCE_S, dsn
from dsmr_tw.store.postgres_wire import RETRY_S, Run, Wire
from tests.postgres import restless_server, server

REACTOR: Any = reactor
SECRET = "hunter2"


class WireCase(TestCase):
    """A wire to a table of numbers in a database of its own."""

    def setUp(self) -> None:
        """Begin with an empty table, on a server that nobody else waits for."""
        self.clock = Clock()
        self.server = self.choose_server()
        self.url = self.server.database()
        self.server.ask("CREATE TABLE kept (n bigint PRIMARY KEY)", self.url)
        self.wire = self.make_wire(self.url)

    def choose_server(self):
        """The server of these tests."""
        return server()

    def make_wire(self, url: str) -> Wire:
        """A wire that is closed after the test."""
        wire = Wire(dsn(url, "dsmr"), REACTOR, self.clock)
        self.addCleanup(lambda: Deferred.fromCoroutine(wire.close()))
        return wire

    def kept(self) -> list[int]:
        """What another connection sees in the table."""
        return [n for (n,) in self.server.ask("SELECT n FROM kept ORDER BY n", self.url)]

    def keep(self, n: int) -> Deferred[int]:
        """Store one number in a transaction; fires with it."""

        async def store(run: Run) -> int:
            await run("INSERT INTO kept VALUES (%s)", (n,))
            return n

        return self.wire.transaction(store)

    def held(self) -> tuple[Deferred[None], Deferred[None], Deferred[None]]:
        """A transaction that has stored 1 and waits: fired when it has, what it waits for, and its end."""
        stored: Deferred[None] = Deferred()
        go_on: Deferred[None] = Deferred()

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            stored.callback(None)
            await go_on
            await run("INSERT INTO kept VALUES (2)")

        return stored, go_on, self.wire.transaction(store)

    def nothing_logged(self) -> None:
        """No failure went to the log."""
        self.assertEqual(self.flushLoggedErrors(), [])


class TransactionTests(WireCase):
    """A server that behaves."""

    async def test_a_coroutine_runs_inside_a_transaction(self) -> None:
        """Its statements find rows, nobody else sees them before the end, and its result comes after the commit."""
        seen: list[list[int]] = []

        async def store(run: Run) -> str:
            self.assertEqual(await run("INSERT INTO kept VALUES (1) RETURNING n"), [(1,)])
            self.assertEqual(await run("INSERT INTO kept VALUES (%s)", (2,)), [])
            self.assertEqual(await run("SELECT current_setting('transaction_isolation')"), [("read committed",)])
            seen.append(self.kept())
            return "done"

        self.assertEqual(await self.wire.transaction(store), "done")
        self.assertEqual((seen, self.kept()), ([[]], [1, 2]))

    async def test_an_exception_rolls_back(self) -> None:
        """It comes out as it is, nothing is stored, and the same connection goes on."""

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            raise KeyError("no")

        await self.assertFailure(self.wire.transaction(store), KeyError)
        self.assertEqual(await self.keep(3), 3)
        self.assertEqual((self.kept(), self.wire.connections), ([3], 1))

    async def test_a_value_that_cant_be_keeps_its_error(self) -> None:
        """A bad value is told from a bad server."""
        await self.keep(1)
        await self.assertFailure(self.keep(1), errors.UniqueViolation)
        await self.assertFailure(self.keep(2**70), errors.NumericValueOutOfRange)
        self.assertEqual((self.kept(), self.wire.connections), ([1], 1))

    async def test_an_error_that_was_passed_over_is_no_commit(self) -> None:
        """PostgreSQL answers a COMMIT after a failed statement by rolling back, which is no success."""

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            await self.assertFailure(run("INSERT INTO kept VALUES (1)"), errors.UniqueViolation)

        failed: Deferred[object] = self.assertFailure(self.wire.transaction(store), StoreError)
        self.assertIn("rolled back", str(await failed))
        self.assertEqual(self.kept(), [])

    async def test_a_savepoint_saves_what_was_before_it(self) -> None:
        """Who goes back to a savepoint after an error may commit the rest."""

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            await run("SAVEPOINT before")
            await self.assertFailure(run("INSERT INTO kept VALUES (1)"), errors.UniqueViolation)
            await run("ROLLBACK TO before")

        await self.wire.transaction(store)
        self.assertEqual(self.kept(), [1])

    async def test_a_first_statement_that_is_no_sql_begins_nothing(self) -> None:
        """Whoever goes on after it is inside a transaction nevertheless."""

        async def store(run: Run) -> None:
            await self.assertFailure(run("INSER"), errors.SyntaxError)
            await run("INSERT INTO kept VALUES (1)")
            raise KeyError

        await self.assertFailure(self.wire.transaction(store), KeyError)
        self.assertEqual(self.kept(), [])

    async def test_a_transaction_without_a_statement_asks_nothing(self) -> None:
        """There is nothing to begin or to commit."""

        async def idle(run: Run) -> int:
            return 7

        self.assertEqual(await self.wire.transaction(idle), 7)

    async def test_one_statement_is_a_transaction(self) -> None:
        """A statement on its own is committed when it is answered."""
        self.assertEqual(await self.wire.statement("INSERT INTO kept VALUES (%s) RETURNING n", (5,)), [(5,)])
        self.assertEqual(await self.wire.statement("DELETE FROM kept WHERE n > 7"), [])
        await self.assertFailure(self.wire.statement("INSERT INTO kept VALUES (5)"), errors.UniqueViolation)
        self.assertEqual(self.kept(), [5])

    async def test_each_waits_for_its_turn(self) -> None:
        """A thousand that are asked at once are done in order, on one connection."""
        stored, go_on, first = self.held()
        told: list[int] = []
        rest = [self.keep(n).addCallback(told.append) for n in range(10, 1010)]
        await stored
        self.assertEqual((told, self.kept()), ([], []))
        go_on.callback(None)
        await gatherResults([first, *rest])
        self.assertEqual(told, list(range(10, 1010)))
        self.assertEqual((len(self.kept()), self.wire.connections), (1002, 1))

    async def test_who_is_answered_may_ask_again(self) -> None:
        """A transaction that is asked for when another ends has its turn as well."""
        self.assertEqual(await self.keep(1).addCallback(lambda n: self.keep(n + 1)), 2)
        self.assertEqual(self.kept(), [1, 2])

    async def test_cancelling_cancels_nothing_on_the_server(self) -> None:
        """Whoever hangs up in the middle, or while waiting: what was asked is stored, and the connection works."""
        stored, go_on, first = self.held()
        second = self.keep(3)
        await stored
        first.cancel()
        second.cancel()
        await self.assertFailure(first, CancelledError)
        await self.assertFailure(second, CancelledError)
        go_on.callback(None)
        await self.keep(4)
        self.assertEqual((self.kept(), self.wire.connections), ([1, 2, 3, 4], 1))
        self.nothing_logged()

    async def test_cancelling_a_statement_lets_it_end(self) -> None:
        """A coroutine that gives up on its own statement is rolled back after it, and the connection works."""

        async def store(run: Run) -> None:
            insert = run("INSERT INTO kept VALUES (1)")
            insert.cancel()
            await insert

        await self.assertFailure(self.wire.transaction(store), CancelledError)
        await self.keep(2)
        self.assertEqual((self.kept(), self.wire.connections), ([2], 1))
        self.nothing_logged()


class ClosingTests(WireCase):
    """The end of a wire."""

    async def test_what_was_asked_is_done_first(self) -> None:
        """Nothing new is taken meanwhile."""
        stored, go_on, first = self.held()
        second = self.keep(3)
        await stored
        closing = Deferred.fromCoroutine(self.wire.close())
        await self.assertFailure(self.keep(4), StoreUnavailable)
        self.assertNoResult(closing)
        go_on.callback(None)
        await closing
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (None, 3))
        self.assertEqual(self.kept(), [1, 2, 3])

    async def test_nobody_waits_longer_than_patience(self) -> None:
        """What is not done by then fails, stored or not."""
        stored, go_on, first = self.held()
        second = self.keep(3)
        await stored
        self.clock.advance(1)
        closing = Deferred.fromCoroutine(self.wire.close())
        self.clock.advance(PATIENCE_S - 1)
        self.clock.advance(1)
        await closing
        await self.assertFailure(first, StoreUnavailable)
        await self.assertFailure(second, StoreUnavailable)
        go_on.callback(None)
        self.assertEqual(self.kept(), [])
        self.nothing_logged()

    async def test_patience_for_all_that_waits_together(self) -> None:
        """Each transaction has its patience, but who closes waits only once."""
        ends: list[Deferred[None]] = []

        async def wait(run: Run) -> None:
            await run("SELECT 1")
            ends.append(Deferred())
            await ends[-1]

        asked = [self.wire.transaction(wait) for _ in range(3)]
        while not ends:
            await deferLater(REACTOR, 0)
        self.clock.advance(PATIENCE_S - 1)
        closing = Deferred.fromCoroutine(self.wire.close())
        ends[0].callback(None)
        while len(ends) == 1:
            await deferLater(REACTOR, 0)
        self.clock.advance(PATIENCE_S)
        await closing
        await asked[0]
        for deferred in asked[1:]:
            await self.assertFailure(deferred, StoreUnavailable)
        self.nothing_logged()

    async def test_closing_twice_and_closing_what_was_never_used(self) -> None:
        """Neither is an error."""
        await self.wire.close()
        await self.wire.close()


class TroubleTests(WireCase):
    """A server that stops, freezes, and comes back."""

    def choose_server(self):
        """One that may be stopped."""
        restless = restless_server()
        self.addCleanup(restless_server)
        return restless

    async def lost(self) -> None:
        """Let the reactor notice that the connection has ended."""
        while self.wire._link is not None and self.wire._link.alive:
            await deferLater(REACTOR, 0)

    async def test_a_server_that_is_down_at_first(self) -> None:
        """Everybody is told at once, one attempt is made in a while, and when it is up the next one succeeds."""
        self.server.stop()
        refused = await self.assertFailure(self.keep(1), StoreUnavailable)
        again = await self.assertFailure(self.keep(1), StoreUnavailable)
        self.assertEqual(str(again), str(refused))
        self.server.start()
        self.clock.advance(RETRY_S - 0.1)
        await self.assertFailure(self.keep(1), StoreUnavailable)
        self.assertEqual(self.wire.connections, 0)
        self.clock.advance(0.1)
        self.assertEqual(await self.keep(1), 1)
        self.assertEqual((self.kept(), self.wire.connections), ([1], 1))
        self.nothing_logged()

    async def test_a_thousand_that_wait_in_vain(self) -> None:
        """A long queue fails as well as a short one."""
        self.server.stop()
        for deferred in [self.keep(n) for n in range(1000)]:
            await self.assertFailure(deferred, StoreUnavailable)
        self.nothing_logged()

    async def test_a_connection_that_was_lost_while_idle(self) -> None:
        """The next transaction makes a new one, and nobody was troubled."""
        await self.keep(1)
        self.server.stop()
        await self.lost()
        self.server.start()
        await self.keep(2)
        self.assertEqual((self.kept(), self.wire.connections), ([1, 2], 2))
        self.nothing_logged()

    async def stopped_in_the_middle(self, mode: str) -> None:
        """A server that stops during a transaction: nothing of it is stored, and the next one succeeds."""
        stored, go_on, first = self.held()
        await stored
        self.server.stop(mode)
        go_on.callback(None)
        await self.assertFailure(first, StoreUnavailable)
        await self.assertFailure(self.keep(3), StoreUnavailable)
        self.server.start()
        self.clock.advance(RETRY_S)
        await self.keep(4)
        self.assertEqual((self.kept(), self.wire.connections), ([4], 2))
        self.nothing_logged()

    async def test_a_server_that_stops_in_the_middle(self) -> None:
        """See ``stopped_in_the_middle``: an orderly stop."""
        await self.stopped_in_the_middle("fast")

    async def test_a_server_that_crashes_in_the_middle(self) -> None:
        """See ``stopped_in_the_middle``: a crash."""
        await self.stopped_in_the_middle("immediate")

    async def test_a_server_that_stops_before_the_commit(self) -> None:
        """A coroutine that has no more to ask is told as well that nothing of it is stored."""
        stored: Deferred[None] = Deferred()
        go_on: Deferred[None] = Deferred()

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            stored.callback(None)
            await go_on

        first = self.wire.transaction(store)
        await stored
        self.server.stop()
        await self.lost()
        go_on.callback(None)
        await self.assertFailure(first, StoreUnavailable)
        self.server.start()
        self.assertEqual(self.kept(), [])
        self.nothing_logged()

    async def test_a_server_that_freezes_in_the_middle(self) -> None:
        """After the patience whoever waits is told, and so is the whole queue; later a new connection is made."""
        stored, go_on, first = self.held()
        second = self.keep(3)
        await stored
        self.server.freeze()
        go_on.callback(None)
        self.assertNoResult(first)
        self.clock.advance(PATIENCE_S)
        self.assertIn("no answer for 10 s", str(self.failureResultOf(first, StoreUnavailable).value))
        self.assertIn("no answer for 10 s", str(self.failureResultOf(second, StoreUnavailable).value))
        self.server.thaw()
        self.clock.advance(RETRY_S)
        await self.keep(4)
        self.assertEqual((self.kept(), self.wire.connections), ([4], 2))
        self.nothing_logged()

    async def test_a_coroutine_that_never_ends(self) -> None:
        """Its connection is given up even when it is not the server that it waits for; what it asks later fails."""
        stored, go_on, first = self.held()
        await stored
        self.clock.advance(PATIENCE_S)
        self.failureResultOf(first, StoreUnavailable)
        go_on.callback(None)
        self.clock.advance(RETRY_S)
        await self.keep(3)
        self.assertEqual(self.kept(), [3])
        self.nothing_logged()

    async def test_a_server_that_freezes_while_we_connect(self) -> None:
        """Connecting has its patience, too, whatever the way."""
        for tcp in (False, True):
            wire = self.make_wire(self.server.url_of("postgres", tcp=tcp))
            self.server.freeze()
            asked = wire.statement("SELECT 1")
            self.clock.advance(PATIENCE_S)
            await self.assertFailure(asked, StoreUnavailable)
            self.server.thaw()
            self.clock.advance(RETRY_S)
            self.assertEqual(await wire.statement("SELECT 1"), [(1,)])
        self.nothing_logged()

    async def test_a_rollback_that_is_not_answered(self) -> None:
        """An exception during which the server dies: nothing of the transaction is left, nor of the connection."""

        async def store(run: Run) -> None:
            await run("INSERT INTO kept VALUES (1)")
            self.server.stop("immediate")
            raise KeyError

        await self.assertFailure(self.wire.transaction(store), KeyError)
        self.server.start()
        await self.keep(2)
        self.assertEqual((self.kept(), self.wire.connections), ([2], 2))
        self.nothing_logged()

    async def test_a_refused_password_is_not_told(self) -> None:
        """Whoever reads the reason in a log learns nothing to log in with."""
        self.server.ask("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'the right one'")
        wire = self.make_wire(self.server.url_of("postgres", f"guarded:{SECRET}", tcp=True))
        for _ in range(2):
            refused = await self.assertFailure(wire.statement("SELECT 1"), StoreUnavailable)
            self.assertIn("password authentication failed", str(refused))
            self.assertNotIn(SECRET, f"{refused!r} {wire!r}")

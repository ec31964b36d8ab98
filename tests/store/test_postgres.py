"""Tests of dsmr_tw.store.postgres: URLs, errors, values, and single connections. These run a PostgreSQL server."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import errors, extensions
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dsmr_tw.errors import SettingsError, StoreUnavailable
from dsmr_tw.store.postgres import PATIENCE_S, Link, connect, dsn, is_gone, shielded, translated
from tests.postgres import restless_server, server

REACTOR: Any = reactor
SECRET = "hunter2"


class DsnTests(SynchronousTestCase):
    """What libpq is told about a URL."""

    def test_a_url_says_where_and_the_rest_is_ours(self) -> None:
        """No connection waits for ever, and none outlives what it was for."""
        told = dsn("postgresql://me:pw@pg.example:5433/energy", "dsmr").parameters
        self.assertEqual(
            [told[name] for name in "user password host port dbname application_name".split()],
            ["me", "pw", "pg.example", "5433", "energy", "dsmr"],
        )
        self.assertLessEqual({"connect_timeout", "tcp_user_timeout", "keepalives_idle"}, set(told))
        self.assertEqual(
            told["options"],
            "-c statement_timeout=9s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s -c timezone=UTC",
        )

    def test_the_url_has_the_last_word(self) -> None:
        """Its own parameters replace ours, and its options come after ours, where the server heeds them."""
        told = dsn(
            "postgresql:///energy?connect_timeout=3&application_name=mine&options=-c%20lock_timeout%3D1s", "dsmr"
        ).parameters
        self.assertEqual((told["connect_timeout"], told["application_name"]), ("3", "mine"))
        self.assertTrue(told["options"].endswith("-c timezone=UTC -c lock_timeout=1s"), told["options"])

    def test_an_impossible_url_is_refused_without_its_password(self) -> None:
        """One sentence says what is wrong with it; a password with signs that belong escaped is not repeated."""
        for url, reason in (
            (f"postgresql://me:{SECRET}@[::1/energy", "looking for matching"),
            (f"postgresql://me:{SECRET}%zz@pg/energy", "percent-encoded"),
            (f"postgresql://me:{SECRET}@pg/energy?colour=red", "invalid URI query parameter"),
            (f"postgresql://me:{SECRET}/rest@pg/energy", "%2F"),
            (f"postgresql://me:123/{SECRET}@pg/energy", "%2F"),
            (f"postgresql://me:ab@{SECRET}@pg/energy", "%40"),
            (f"postgresql://me:{SECRET}@pg:port/energy", "HOST:PORT"),
        ):
            refused = self.assertRaises(SettingsError, dsn, url, "dsmr")
            self.assertIn(reason, str(refused))
            self.assertNotIn(SECRET, str(refused))

    def test_its_name_has_no_password(self) -> None:
        """What is logged and shown says which server, not who may enter."""
        place = dsn(f"postgresql://me:{SECRET}@pg.example:5433/energy", "dsmr")
        self.assertEqual(place.name, "PostgreSQL at pg.example, port 5433")
        self.assertEqual(dsn("postgresql:///energy", "dsmr").name, "PostgreSQL at the local socket, port 5432")
        self.assertNotIn(SECRET, repr(place))


class ErrorTests(SynchronousTestCase):
    """Which errors mean "not now"."""

    def outcome(self, error: Exception) -> Exception:
        """What becomes of an error."""
        try:
            with translated("PostgreSQL at home"):
                raise error
        except (StoreUnavailable, psycopg2.Error, KeyError) as outcome:
            return outcome
        raise AssertionError("nothing became of it")

    def test_what_is_about_the_server_is_unavailable(self) -> None:
        """A lost connection, a bad disk, a restart, a lock or deadlock, a time-out, and a server that only reads.

        So is a database that has not got our tables, or is closed to us, as while a dump is being put back.
        """
        codes = "08006 08003 53100 53300 57P01 57P03 58030 57014 40001 40P01 55P03 25006 25P03 XX001 42P01 42501 3F000"
        for code in codes.split():
            made = _with_code(psycopg2.OperationalError(), code)
            outcome = self.outcome(made)
            self.assertIs(type(outcome), StoreUnavailable, code)
            self.assertIs(outcome.__cause__, made, "a caller can tell a deadlock from a server that is away")
        for error in (
            psycopg2.OperationalError("server closed the connection unexpectedly"),
            psycopg2.InterfaceError("connection already closed"),
            psycopg2.DatabaseError("error with status PGRES_TUPLES_OK and no message from the libpq"),
            ConnectionDone(),
        ):
            self.assertIs(type(self.outcome(error)), StoreUnavailable)

    def test_what_is_about_a_value_keeps_its_class(self) -> None:
        """So is a fault of ours: neither becomes better by waiting."""
        for code in "22003 23505 42601 54000".split():
            self.assertIs(type(self.outcome(_with_code(errors.lookup(code)(), code))), errors.lookup(code))
        self.assertIs(
            type(self.outcome(psycopg2.ProgrammingError("can't adapt type 'set'"))), psycopg2.ProgrammingError
        )
        self.assertIs(type(self.outcome(KeyError("other"))), KeyError)

    def test_some_errors_end_the_connection(self) -> None:
        """After others the same connection goes on."""
        for error in (
            ConnectionDone(),
            psycopg2.OperationalError(),
            _with_code(errors.AdminShutdown(), "57P01"),
            _with_code(errors.ConnectionException(), "08006"),
            _with_code(errors.ReadOnlySqlTransaction(), "25006"),
        ):
            self.assertTrue(is_gone(error), error)
        for error in (
            KeyError(),
            psycopg2.ProgrammingError(),
            _with_code(errors.QueryCanceled(), "57014"),
            _with_code(errors.DiskFull(), "53100"),
        ):
            self.assertFalse(is_gone(error), error)

    def test_the_text_is_one_line_that_says_whose_error(self) -> None:
        """An error without words gets some."""
        for error, text in (
            (psycopg2.OperationalError("no\n  more of it\n"), "PostgreSQL at home: no"),
            (psycopg2.OperationalError(""), "PostgreSQL at home: the connection was lost"),
            (ConnectionDone(), "PostgreSQL at home: the connection was broken off"),
        ):
            self.assertEqual(str(self.outcome(error)), text)


def _with_code(error: psycopg2.Error, code: str) -> psycopg2.Error:
    """The error as the server raises it, with its SQLSTATE."""
    error.__setstate__({"pgcode": code})
    return error


class ShieldTests(SynchronousTestCase):
    """Work that is not to be cancelled."""

    def test_a_shield_fires_as_the_work_does(self) -> None:
        """Results and failures come through."""
        work: list[Deferred[int]] = [Deferred(), Deferred()]
        shields = [shielded(deferred) for deferred in work]
        work[0].callback(1)
        work[1].errback(KeyError())
        self.assertEqual(self.successResultOf(shields[0]), 1)
        self.failureResultOf(shields[1], KeyError)

    def test_cancelling_leaves_the_work_alone(self) -> None:
        """How it ends is no concern of who cancelled, nor of the log."""
        cancelled: list[object] = []
        work: Deferred[int] = Deferred(cancelled.append)
        shield = shielded(work)
        shield.addErrback(lambda failure: None)
        shield.cancel()
        self.assertEqual(cancelled, [])
        work.errback(KeyError())


class ConnectTests(SynchronousTestCase):
    """Connections for threads."""

    def connect(self, url: str | None = None) -> Any:
        """A connection to a new database, closed after the test."""
        url = url or server().database()
        connection = connect(dsn(url, "dsmr test"))
        self.addCleanup(connection.close)
        return connection

    def test_values_are_as_those_of_sqlite(self) -> None:
        """Bytes are bytes, whole sums are whole numbers, and truth is 1 or 0, either way."""
        cursor = self.connect().cursor()
        cursor.execute("CREATE TABLE kept (whole bigint, raw bytea)")
        cursor.execute("INSERT INTO kept VALUES (%s, %s), (%s, NULL)", (True, b"\x00\xff'\\", False))
        cursor.execute("SELECT whole, raw FROM kept ORDER BY whole DESC")
        self.assertEqual(cursor.fetchall(), [(1, b"\x00\xff'\\"), (0, None)])
        cursor.execute(
            "SELECT sum(whole + 2 ^ 40)::numeric, -sum(whole), avg(whole), sum(whole) FILTER (WHERE false) FROM kept"
        )
        (row,) = cursor.fetchall()
        self.assertEqual(row, (2**41 + 1, -1, Decimal("0.5"), None))
        self.assertEqual([type(value) for value in row[:2]], [int, int])

    def test_the_session_is_as_the_dsn_says(self) -> None:
        """The server itself gives up what takes too long, and counts time in UTC."""
        cursor = self.connect().cursor()
        names = "statement_timeout lock_timeout idle_in_transaction_session_timeout TimeZone application_name".split()
        cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
        self.assertEqual(cursor.fetchall(), [("9s", "5s", "30s", "UTC", "dsmr test")])

    def test_a_refused_password_is_unavailable_and_not_told(self) -> None:
        """The role may get its right password tomorrow; neither text nor traceback names the wrong one."""
        server().ask("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'the right one'")
        url = server().url_of("postgres", f"guarded:{SECRET}", tcp=True)
        refused = self.assertRaises(StoreUnavailable, connect, dsn(url, "dsmr"))
        self.assertIn("password authentication failed", str(refused))
        self.assertNotIn(SECRET, f"{refused} {refused.__cause__}")

    def test_a_server_that_is_away_is_unavailable(self) -> None:
        """There is no socket in that directory."""
        self.assertRaises(StoreUnavailable, connect, dsn("postgresql://%2Fnowhere/energy", "dsmr"))


class LinkTests(TestCase):
    """One connection on the reactor."""

    def setUp(self) -> None:
        """Begin with a clock that stands still."""
        self.clock = Clock()
        self.lost: list[str] = []
        self.server = restless_server()

    async def link(self, url: str | None = None) -> Link:
        """An open connection, hung up after the test."""
        link = Link(dsn(url or self.server.url, "dsmr"), REACTOR, self.clock, lost=lambda: self.lost.append("lost"))
        self.addCleanup(link.abort)
        await link.within_patience(link.open())
        return link

    async def test_statements_go_one_after_the_other(self) -> None:
        """Two that are asked at once are both answered."""
        link = await self.link()
        cursors = await gatherResults(
            [Deferred.fromCoroutine(link.execute("SELECT %s", (number,))) for number in range(5)]
        )
        self.assertEqual([cursor.fetchall() for cursor in cursors], [[(number,)] for number in range(5)])
        self.assertTrue(link.alive)
        self.assertFalse(link.in_transaction)

    async def test_it_reaches_a_server_by_name_over_tcp(self) -> None:
        """The reactor finds the address, and percent signs without parameters are left alone."""
        link = await self.link(self.server.url_of("postgres", tcp=True).replace("127.0.0.1", "localhost"))
        cursor = await link.execute("SELECT '%s'")
        self.assertEqual(cursor.fetchall(), [("%s",)])

    async def test_values_are_those_of_every_connection(self) -> None:
        """What ``prepare`` does holds on the reactor, too."""
        link = await self.link()
        cursor = await link.execute(
            "SELECT %s, sum(n), %s FROM (VALUES (1::bigint), (2)) AS numbers (n)", (b"\xff", True)
        )
        self.assertEqual(cursor.fetchall(), [(b"\xff", 3, 1)])

    async def test_it_says_when_it_is_lost(self) -> None:
        """An idle connection that the server ends is told once, and nothing is logged."""
        link = await self.link()
        self.server.stop()
        while link.alive:
            await deferLater(REACTOR, 0)
        self.assertEqual(self.lost, ["lost"])
        await self.assertFailure(Deferred.fromCoroutine(link.execute("SELECT 1")), StoreUnavailable)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_hanging_up_fails_what_is_under_way(self) -> None:
        """The statement that runs and those behind it; a second time changes nothing."""
        link = await self.link()
        asked = [Deferred.fromCoroutine(link.execute("SELECT pg_sleep(60)")) for _ in range(2)]
        link.abort()
        link.abort()
        for deferred in asked:
            await self.assertFailure(deferred, StoreUnavailable)
        self.assertEqual((self.lost, link.alive, link.in_transaction), ([], False, False))
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_an_error_that_ends_the_connection_ends_the_link(self) -> None:
        """The next one who wants to use it need not find out."""
        link = await self.link()
        (row,) = (await link.execute("SELECT pg_backend_pid()")).fetchall()
        killing = Deferred.fromCoroutine(link.execute("SELECT pg_sleep(60)"))
        self.server.ask(f"SELECT pg_terminate_backend({row[0]})")
        await self.assertFailure(killing, StoreUnavailable)
        self.assertFalse(link.alive)

    async def test_a_statement_that_takes_too_long_is_unavailable(self) -> None:
        """The server ends it by itself, and the connection goes on."""
        link = await self.link()
        await link.execute("SET statement_timeout = 1")
        slow = Deferred.fromCoroutine(link.execute("SELECT pg_sleep(60)"))
        refused = await self.assertFailure(slow, StoreUnavailable)
        self.assertIn("statement timeout", str(refused))
        self.assertTrue(link.alive)

    async def test_other_errors_leave_the_connection(self) -> None:
        """A statement with a mistake in it, or a value that can't be."""
        link = await self.link()
        await self.assertFailure(Deferred.fromCoroutine(link.execute("SELEC")), errors.SyntaxError)
        await self.assertFailure(Deferred.fromCoroutine(link.execute("SELECT %s", ({1},))), psycopg2.ProgrammingError)
        self.assertTrue(link.alive)

    async def test_hanging_up_before_it_is_open(self) -> None:
        """Whether the address is still looked for or the server still asked, opening fails and nothing is left."""
        for url in (self.server.url, self.server.url_of("postgres", tcp=True).replace("127.0.0.1", "localhost")):
            link = Link(dsn(url, "dsmr"), REACTOR, self.clock)
            self.assertFalse(link.alive)
            opening = link.within_patience(link.open())
            link.abort()
            await self.assertFailure(opening, StoreUnavailable)
        await self.assertFailure(
            Deferred.fromCoroutine(Link(dsn(url, ""), REACTOR, self.clock).execute("")), StoreUnavailable
        )

    async def test_a_frozen_server_is_given_up(self) -> None:
        """After the patience, and not before, whoever waits is told."""
        link = await self.link()
        self.server.freeze()
        self.addCleanup(self.server.thaw)
        asked = link.within_patience(link.execute("SELECT 1"))
        self.clock.advance(PATIENCE_S - 1)
        self.assertTrue(link.alive)
        self.clock.advance(1)
        refused = self.failureResultOf(asked, StoreUnavailable)
        self.assertEqual(str(refused.value), f"{link.place.name}: no answer for 10 s")
        self.assertEqual((link.alive, link.froze, self.flushLoggedErrors()), (False, True, []))


class CleanTests(SynchronousTestCase):
    """What the tests leave behind."""

    def test_a_dropped_database_is_gone(self) -> None:
        """A database of a test can be removed while it is in use."""
        url = server().database()
        with closing(psycopg2.connect(url)) as connection:
            server().drop(url)
            self.assertRaises(psycopg2.OperationalError, connection.cursor().execute, "SELECT 1")
        self.assertIsNotNone(extensions.parse_dsn(url))

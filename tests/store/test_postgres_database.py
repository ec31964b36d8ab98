"""Tests of dsmr_tw.store.postgres_database: transactions in threads, on a real server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store import postgres_database
from dsmr_tw.store.postgres import dsn
from dsmr_tw.store.postgres_database import FIRST_ROWS, PostgresDatabase, words
from dsmr_tw.store.threads import result_of
from tests.postgres import Server, restless_server, server

NUMBERS = "SELECT n FROM generate_series(1, ?) AS n WHERE n % 1 = 0 ORDER BY n"


class WordsTests(SynchronousTestCase):
    """SQL as both databases share it, in the words of psycopg2."""

    def test_parameters_in_order(self) -> None:
        """And what is no parameter, though it looks like one there."""
        self.assertEqual(words("SELECT ?, n % 2, ?"), ("SELECT %s, n %% 2, %s", False))

    def test_parameters_with_numbers(self) -> None:
        """Each may stand in several places."""
        self.assertEqual(words("SELECT ?2, ?1, ?2"), ("SELECT %(2)s, %(1)s, %(2)s", True))

    def test_what_only_sqlite_has_to_be_told(self) -> None:
        """Is left out."""
        self.assertEqual(words("FROM reading INDEXED BY some_index WHERE a = ?")[0], "FROM reading  WHERE a = %s")


class DatabaseCase(SynchronousTestCase):
    """A test with a database and a table of numbers in it."""

    def setUp(self) -> None:
        """Begin with an empty table."""
        self.server = self.make_server()
        self.url = self.server.database()
        self.server.ask("CREATE TABLE number (n integer PRIMARY KEY)", self.url)
        self.database = self.opened()

    def make_server(self) -> Server:
        """The one that tests share."""
        return server()

    def opened(self) -> PostgresDatabase:
        """One program's database."""
        database = PostgresDatabase(dsn(self.url, "test"), maybeDeferred, maybeDeferred)
        self.addCleanup(database.close)
        return database

    def put(self, *numbers: int) -> None:
        """Store numbers."""
        result_of(
            self.database.write(
                lambda connection: connection.executemany("INSERT INTO number VALUES (?1)", [(n,) for n in numbers])
            )
        )

    def numbers(self) -> list[int]:
        """What is stored."""
        return result_of(
            self.database.read(lambda connection: [n for (n,) in connection.execute("SELECT n FROM number ORDER BY n")])
        )


class TransactionTests(DatabaseCase):
    """All or nothing, of one state."""

    def test_a_write_is_committed(self) -> None:
        """Before its Deferred fires, for many rows and for none."""
        self.put(*range(250))
        self.put()
        self.assertEqual(self.numbers(), list(range(250)))

    def test_an_error_leaves_nothing(self) -> None:
        """And what is at fault keeps its own class."""

        def write(connection: Any) -> None:
            connection.execute("INSERT INTO number VALUES (1)")
            raise LookupError

        self.failureResultOf(self.database.write(write), LookupError)
        self.put(2)
        self.assertEqual((self.numbers(), self.database.disturbed), ([2], 1))

    def test_a_read_sees_one_state(self) -> None:
        """Whatever is committed meanwhile."""
        other = self.opened()

        def read(connection: Any) -> list[int]:
            before = connection.execute("SELECT count(*) FROM number").fetchone()
            result_of(other.write(lambda its: its.execute("INSERT INTO number VALUES (5)").rowcount))
            return [*before, *connection.execute("SELECT count(*) FROM number").fetchone()]

        self.assertEqual(result_of(self.database.read(read)), [0, 0])
        self.assertEqual(self.numbers(), [5])

    def test_a_read_can_not_write(self) -> None:
        """Not even by mistake."""
        self.failureResultOf(
            self.database.read(lambda connection: connection.execute("INSERT INTO number VALUES (1)")), StoreUnavailable
        )
        self.assertEqual(self.numbers(), [])

    def test_one_computes_a_meter_at_a_time(self) -> None:
        """Whoever comes second is told so, and another meter is free."""
        other = self.opened()

        def guards(*meter_ids: int) -> list[bool]:
            return result_of(other.read(lambda its: [its.guard(meter_id) for meter_id in meter_ids]))

        def read(connection: Any) -> tuple[bool, list[bool]]:
            return connection.guard(1), guards(1, 2)

        self.assertEqual(result_of(self.database.read(read)), (True, [False, True]))
        self.assertEqual(guards(1), [True])


class PatienceTests(DatabaseCase):
    """Statements that go through a big database."""

    def test_a_transaction_may_take_long(self) -> None:
        """Neither the server nor the client gives up what says so; the next transaction is as all others."""
        self.url += "?options=-c%20statement_timeout%3D50ms"
        self.patch(postgres_database, "PATIENCE_S", 0.1)
        database = self.opened()

        def work(connection: Any, takes_long: bool) -> list[Any]:
            if takes_long:
                connection.take_long()
            found: list[Any] = connection.execute("SELECT pg_sleep(0.2)::text").fetchall()
            return found

        for run in (database.write, database.read):
            self.assertEqual(self.successResultOf(run(work, True)), [("",)])
            self.failureResultOf(run(work, False), StoreUnavailable)


class StreamTests(DatabaseCase):
    """Queries of which only the first rows may be wanted."""

    def stream(self, rows: int, function: Any) -> Any:
        """What ``function`` makes of the numbers from 1 on."""
        return result_of(self.database.read(lambda connection: function(connection.stream(NUMBERS, (rows,)))))

    def test_all_rows_come_in_order(self) -> None:
        """However many there are."""
        for rows in (0, 1, FIRST_ROWS - 1, FIRST_ROWS, FIRST_ROWS + 1, 5_000):
            self.assertEqual([n for (n,) in self.stream(rows, list)], list(range(1, rows + 1)))

    def test_in_pieces(self) -> None:
        """One, some, and the rest."""

        def pieces(stream: Any) -> list[Any]:
            return [stream.fetchone(), stream.fetchmany(2), len(stream.fetchall()), stream.fetchone()]

        self.assertEqual(self.stream(600, pieces), [(1,), [(2,), (3,)], 597, None])

    def test_two_at_the_same_time(self) -> None:
        """Each has its own place."""

        def both(connection: Any) -> list[Any]:
            return list(zip(connection.stream(NUMBERS, (3000,)), connection.stream(NUMBERS, (3000,)), strict=True))

        pairs = result_of(self.database.read(both))
        self.assertEqual((len(pairs), all(one == other for one, other in pairs)), (3000, True))


class TroubleTests(DatabaseCase):
    """The server goes away, and comes back."""

    def make_server(self) -> Server:
        """One that may be stopped."""
        return restless_server()

    def test_a_server_that_was_restarted(self) -> None:
        """Nobody notices who asked before and asks again."""
        self.put(1)
        self.assertEqual(self.numbers(), [1])
        self.server.stop()
        self.server.start()
        self.put(2)
        self.assertEqual(self.numbers(), [1, 2])

    def test_a_connection_that_ends_on_the_way(self) -> None:
        """What was begun fails, and is not begun anew: it has seen something already."""
        begun = []

        def write(connection: Any) -> None:
            begun.append(1)
            [[pid]] = connection.execute("SELECT pg_backend_pid()")
            self.server.ask(f"SELECT pg_terminate_backend({pid}, 5000)")
            connection.execute("INSERT INTO number VALUES (1)")

        self.failureResultOf(self.database.write(write), StoreUnavailable)
        self.assertEqual((begun, self.numbers()), ([1], []))
        self.put(3)
        self.assertEqual(self.numbers(), [3])

    def test_a_server_that_is_away(self) -> None:
        """That is said, without its password, until it is back."""
        self.server.stop()
        try:
            failure = self.failureResultOf(self.database.read(lambda connection: None), StoreUnavailable)
            self.assertIn("PostgreSQL at", str(failure.value))
        finally:
            self.server.start()
        self.assertEqual(self.numbers(), [])

    def test_a_server_that_does_not_answer(self) -> None:
        """It is not waited for without end: not by a statement, and not to connect."""
        self.put(1)
        self.patch(postgres_database, "PATIENCE_S", 0.1)
        self.server.freeze()
        try:
            self.failureResultOf(
                self.database.write(lambda connection: connection.execute("SELECT 1")), StoreUnavailable
            )
            self.failureResultOf(self.database.read(lambda connection: None), StoreUnavailable)
        finally:
            self.server.thaw()
        self.patch(postgres_database, "PATIENCE_S", 10)
        self.assertEqual(self.numbers(), [1])

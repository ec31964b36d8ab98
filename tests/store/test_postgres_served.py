"""Tests of dsmr_tw.store.postgres_served: a server's store, on the real reactor."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IStore
from dsmr_tw.store.connect import postgres_store, served_postgres_store
from dsmr_tw.store.postgres_served import ServedPostgresStore
from dsmr_tw.store.postgres_store import PostgresStore
from dsmr_tw.store.threads import Threads, result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON, heard
from tests.onpostgres import ZONE
from tests.postgres import restless_server

REACTOR: Any = reactor


class ServedTests(TestCase):
    """Two programs on one database: a server, and a command."""

    timeout = 30

    def setUp(self) -> None:
        """Begin with an empty database."""
        self.server = restless_server()
        self.url = self.server.database()
        self.threads = [Threads(REACTOR, 1, "test-writer"), Threads(REACTOR, 1, "test-reader")]
        self.store = served_postgres_store(self.url, ZONE, REACTOR, REACTOR, *self.threads)
        self.told: list[Any] = []
        self.waiting: list[Deferred[Any]] = []
        self.store.watch(self.tell, lambda: self.tell("keys"))
        self.addCleanup(self.close)

    async def close(self) -> None:
        """Close the store, and let its threads end."""
        await self.store.close()
        for threads in self.threads:
            threads.stop()

    def tell(self, what: object) -> None:
        """Something was heard."""
        self.told.append(what)
        if self.waiting:
            self.waiting.pop().callback(None)

    async def heard_of(self, *what: object) -> None:
        """Wait until all of this was heard, and nothing else."""
        while len(self.told) < len(what):
            waiting: Deferred[Any] = Deferred()
            self.waiting.append(waiting)
            await waiting
        self.assertEqual(self.told, list(what))
        self.told.clear()

    def other(self) -> PostgresStore:
        """Another program's store."""
        store = postgres_store(self.url, ZONE, *[_at_once] * 2)
        result_of(store.open())
        self.addCleanup(lambda: result_of(store.close()))
        return store

    async def test_it_is_what_the_ports_ask_for(self) -> None:
        """It can be used as any other store."""
        self.assertIsInstance(self.store, ServedPostgresStore)
        verifyObject(IStore, self.store)

    async def test_readings_are_committed_on_the_reactor(self) -> None:
        """And are there for everybody then."""
        await self.store.open()
        [[receipt]] = await self.store.readings.add([[heard(NOON)]], NOON)
        self.assertTrue(receipt.created)
        page = await self.store.readings.page(ReadingFilter(1), False, 0, 10)
        self.assertEqual((page.count, self.store.wire.connections), (1, 1))
        [[again]] = await self.store.readings.add([[heard(NOON)]], NOON)
        self.assertEqual((again.created, again.reading_id), (False, receipt.reading_id))

    async def test_what_others_do_is_told(self) -> None:
        """Their readings, and keys; not what the server has stored itself."""
        await self.store.open()
        await self.heard_of(None, "keys")
        await self.store.readings.add([[heard(NOON)]], NOON)
        other = self.other()
        result_of(other.readings.add([[heard(NOON + SECOND)]], NOON))
        await self.heard_of([1])
        key = result_of(other.keys.add("phone", "read", b"d", "", NOON))
        result_of(other.keys.remove(key.id))
        await self.heard_of("keys", "keys")

    async def test_before_it_is_opened(self) -> None:
        """No reading is taken, nor refused for ever: nobody has looked whether the tables are there."""
        await self.assertFailure(self.store.readings.add([[heard(NOON)]], NOON), StoreUnavailable)

    async def test_the_database_is_away_at_first(self) -> None:
        """It can be opened when the database is back, and is told that it may have missed something."""
        self.server.stop()
        await self.assertFailure(self.store.open(), StoreUnavailable)
        self.server.start()
        await self.store.open()
        await self.heard_of(None, "keys")
        await self.store.open()
        self.assertEqual(self.told, [])


def _at_once(function: Any, *arguments: Any, **more: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(function(*arguments, **more))
    return done

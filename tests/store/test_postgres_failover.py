"""Tests of dsmr_tw.store.postgres_store on servers that change over: what was lost there is written again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.postgres_store import PostgresStore
from tests.arrivals import NOON, gas, heard
from tests.brief import tried_once
from tests.onpostgres import ZONE
from tests.postgres import own_server, restless_server


class FailoverCase(SynchronousTestCase):
    """A test with a store on a server of its own."""

    url: str

    def opened(self) -> PostgresStore:
        """A store on it."""
        store = postgres_store(self.url, ZONE, maybeDeferred, maybeDeferred)
        self.addCleanup(lambda: self.successResultOf(store.close()))
        self.successResultOf(store.open())
        return store

    def add(self, store: PostgresStore, *arrivals: Any) -> list[Any]:
        """Store arrivals; their receipts."""
        [receipts] = self.successResultOf(store.readings.add([[*arrivals]], NOON))
        return receipts


@tried_once
class PromotedTests(FailoverCase):
    """A server takes over that had not yet got all of what the last one had committed."""

    def setUp(self) -> None:
        """Begin with an empty database."""
        self.server = restless_server()
        self.url = self.server.database()

    def test_a_value_that_was_lost_is_written_again(self) -> None:
        """What is remembered as stored on the last server is looked for on the new one."""
        store = self.opened()
        self.add(store, heard(NOON, gas()))
        self.server.stop()
        self.server.start()
        self.server.ask("DELETE FROM device_reading; DELETE FROM reading", self.url)
        self.add(store, heard(NOON + SECOND, gas()))
        joined = "SELECT r.instant, d.value FROM reading AS r JOIN device_reading AS d ON d.id = r.gas_id"
        self.assertEqual(self.server.ask(joined, self.url), [(NOON + SECOND, gas().value)])

    def test_a_dump_that_is_being_put_back(self) -> None:
        """Nothing is refused for good while tables are missing or empty, and all is well after."""
        store = self.opened()
        self.add(store, heard(NOON))
        for begin, end in (
            ("ALTER TABLE reading RENAME TO away", "ALTER TABLE away RENAME TO reading"),
            ("DELETE FROM changed", "INSERT INTO changed VALUES (1, 7, 7)"),
        ):
            self.server.ask(begin, self.url)
            for _ in range(2):
                self.failureResultOf(store.readings.add([[heard(NOON + SECOND)]], NOON), StoreUnavailable)
            self.server.ask(end, self.url)
        self.assertTrue(self.add(store, heard(NOON + SECOND))[0].created)


@tried_once
class StandbyTests(FailoverCase):
    """A server that follows another one."""

    def test_it_is_not_used_before_it_leads(self) -> None:
        """It would tell what was true some time ago, as if it were true now."""
        server = own_server()
        self.addCleanup(server.dispose)
        self.url = server.database()
        store = self.opened()
        self.add(store, heard(NOON))
        server.stop()
        server.follow()
        server.start()
        self.failureResultOf(store.meters.all(), StoreUnavailable)
        self.failureResultOf(store.readings.add([[heard(NOON + SECOND)]], NOON), StoreUnavailable)
        server.ask("SELECT pg_promote()")
        self.assertTrue(self.add(store, heard(NOON + SECOND))[0].created)
        self.assertEqual([meter.readings for meter in self.successResultOf(store.meters.all())], [2])

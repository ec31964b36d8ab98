"""Tests of dsmr_tw.retention: old readings are thinned out as their owner said, and not otherwise."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.retention import RetentionService
from dsmr_tw.rollup import RollupService
from dsmr_tw.store.connect import sqlite_store
from tests.arrivals import MINUTE, NOON, heard
from tests.serving import Work


class RetentionTests(SynchronousTestCase):
    """A service over a real store, whose clock the test moves."""

    def serve(self, keep_days: int | None) -> None:
        """An hour of readings, a ledger that is kept, and the service."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.reading = Work()
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, self.reading)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        readings = [heard(at) for at in range(NOON - HOUR, NOON, MINUTE)]
        self.successResultOf(self.store.readings.add([readings], NOON))
        self.counted = 0
        self.retention = RetentionService(
            self.clock, self.store.retention, self.store.meters, keep_days, self.count, every=HOUR / SECOND
        )
        for service in (RollupService(self.clock, self.store.ledger), self.retention):
            service.startService()
            self.addCleanup(self.stop, service)

    def stop(self, service: Service) -> None:
        """Stop a service that a test has not stopped."""
        if service.running:
            self.successResultOf(service.stopService())

    async def count(self) -> None:
        """Find out how many readings there are."""
        self.counted = await self.store.readings.total()

    def test_old_readings_go(self) -> None:
        """Readings older than the owner keeps them are thinned out by themselves."""
        self.serve(keep_days=2)
        self.clock.advance(3600)
        self.assertEqual((self.retention.dropped, self.counted), (0, 60))
        self.clock.pump([2 * DAY / SECOND, 3600])
        self.assertEqual((self.retention.dropped, self.counted), (52, 8))
        self.assertIsNone(self.retention.last_error)

    def test_for_ever(self) -> None:
        """Without a limit every reading stays, and the size of the store is known all the same."""
        self.serve(keep_days=None)
        self.clock.pump([3600, 100 * DAY / SECOND])
        self.assertEqual((self.retention.dropped, self.counted), (0, 60))
        self.assertGreater(self.retention.size.total if self.retention.size else 0, 0)

    def test_a_stop_ends_it_soon(self) -> None:
        """What is left to thin out when the service stops is left for the next start."""
        self.serve(keep_days=2)
        self.clock.advance(60)
        self.reading.held = True
        self.clock.advance(3 * DAY / SECOND)
        stopped = self.retention.stopService()
        self.assertNoResult(stopped)
        self.reading.release()
        self.successResultOf(stopped)
        self.assertEqual(self.retention.dropped, 0)

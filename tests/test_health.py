"""Tests of dsmr_tw.health."""

from __future__ import annotations

from attrs import define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.health import Health
from dsmr_tw.interfaces import IHealth, ISource
from dsmr_tw.limits import NAMES, Limits
from dsmr_tw.source import SourceHealth
from tests.arrivals import NOON, heard
from tests.fakes import HeldReadings


@implementer(ISource)
@define
class Source:
    """A source that is as the test says."""

    health: SourceHealth


class HealthTests(SynchronousTestCase):
    """The service knows how it is, and says it in words."""

    def setUp(self) -> None:
        """A service with one source and a store that the test answers for."""
        self.clock = Clock()
        self.clock.advance(NOON / 1_000_000)
        self.readings = HeldReadings()
        limits = Limits()
        self.commits = GroupCommit(self.readings, self.clock, limits, lambda arrivals, receipts: None)
        self.source = Source(SourceHealth("device /dev/ttyUSB0", connected=True, last_telegram_at=NOON, telegrams=7))
        self.health = Health(self.clock, NOON, "sqlite", self.commits, lambda: 42, limits, [self.source])

    def test_interface(self) -> None:
        """It is what the front door asks."""
        self.assertTrue(verifyObject(IHealth, self.health))

    def test_all_is_well(self) -> None:
        """With telegrams coming and a store that takes them there is nothing to look at."""
        report = self.health.report()
        self.assertEqual((report["status"], report["problems"]), ("ok", []))
        self.assertEqual(report["started_at"], "2024-04-02T10:00:00Z")
        self.assertEqual(
            report["sources"],
            [
                {
                    "name": "device /dev/ttyUSB0",
                    "connected": True,
                    "last_telegram_at": "2024-04-02T10:00:00Z",
                    "telegrams": 7,
                    "crc_errors": 0,
                    "rejected": 0,
                    "bytes_skipped": 0,
                    "reconnects": 0,
                }
            ],
        )

    def test_every_limit_is_shown(self) -> None:
        """Each limit has its count, also when it was never met."""
        self.assertEqual(self.health.report()["limits"], dict.fromkeys(NAMES, 0))

    def test_a_silent_source_is_a_problem(self) -> None:
        """A cable that was pulled out is told in words."""
        self.source.health = SourceHealth("device /dev/ttyUSB0", quiet_s=61, trouble="there is no such device now")
        report = self.health.report()
        self.assertEqual(report["status"], "degraded")
        self.assertEqual(report["problems"], ["device /dev/ttyUSB0: no telegram for 61 s; there is no such device now"])

    def test_a_store_that_is_away_is_a_failure(self) -> None:
        """A full disk is told until readings can be stored again."""
        refused = self.commits.submit([heard()])
        self.readings.commit.fail(StoreUnavailable("database or disk is full"))
        self.failureResultOf(refused, StoreUnavailable)
        report = self.health.report()
        self.assertEqual(report["status"], "failing")
        self.assertEqual(report["problems"], ["the store takes no readings: database or disk is full"])

    def test_what_was_lost_is_told(self) -> None:
        """A reading of the line that the store refused for its values is not passed over."""
        self.commits.take(heard())
        self.clock.advance(1)
        self.readings.commit.fail(OverflowError("too large"))
        self.flushLoggedErrors(OverflowError)
        self.assertEqual(self.health.report()["status"], "degraded")

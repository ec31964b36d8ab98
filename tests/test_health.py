"""Tests of dsmr_tw.health."""

from __future__ import annotations

from pathlib import Path

from attrs import define, evolve
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.domain.quality import LineFigures
from dsmr_tw.errors import SpoolFull, StoreUnavailable
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.health import Health
from dsmr_tw.interfaces import IHealth, IReporting, ISource
from dsmr_tw.limits import NAMES, Limits
from dsmr_tw.retention import RetentionService
from dsmr_tw.rollup import RollupService
from dsmr_tw.sourcehealth import SourceHealth
from dsmr_tw.spool import Spool
from dsmr_tw.spooling import Spooling
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.stored import StoreSize
from tests.arrivals import NOON, heard
from tests.fakes import HeldReadings
from tests.spoolingcase import taken


@implementer(ISource)
@define
class Source:
    """A source that is as the test says."""

    health: SourceHealth


@implementer(IReporting)
@define
class Part:
    """A part that tells of itself what the test says."""

    heading: str
    said: dict[str, object]
    wrong: list[str]

    def figures(self) -> dict[str, object]:
        """What it was told to tell."""
        return self.said

    def problems(self) -> list[str]:
        """What it was told to complain of."""
        return self.wrong


class HealthTests(SynchronousTestCase):
    """The service knows how it is, and says it in words."""

    def setUp(self) -> None:
        """A service with one source and a store that the test answers for."""
        self.clock = Clock()
        self.clock.advance(NOON / 1_000_000)
        self.readings = HeldReadings()
        limits = Limits()
        self.commits = GroupCommit(self.readings, self.clock, limits, lambda arrivals, receipts: None)
        self.spool = Spool(Path(self.mktemp()).resolve(), maybeDeferred, most_bytes=300)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.spooling = Spooling(self.commits, self.spool, self.clock, limits)
        self.spooling.startService()
        self.left: list[str] = []
        self.source = Source(
            SourceHealth(
                "device /dev/ttyUSB0",
                connected=True,
                last_telegram_at=NOON,
                telegrams=7,
                dialect="DSMR 5.0",
                bytes_received=4096,
                serial="115200 8N1",
            )
        )
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        self.rollup = RollupService(self.clock, self.store.ledger)
        self.retention = RetentionService(self.clock, self.store.retention, self.store.meters, None, self.nothing)
        self.health = Health(
            self.clock,
            NOON,
            "sqlite",
            self.spooling,
            lambda: 42,
            limits,
            [self.source],
            self.rollup,
            self.retention,
            left_spools=lambda: self.left,
        )

    async def nothing(self) -> None:
        """Nobody counts here."""

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
                    "serial": "115200 8N1",
                    "last_telegram_at": "2024-04-02T10:00:00Z",
                    "telegrams": 7,
                    "dialect": "DSMR 5.0",
                    "unknown_lines": 0,
                    "crc_errors": 0,
                    "rejected": 0,
                    "bytes_received": 4096,
                    "bytes_skipped": 0,
                    "frames_refused": None,
                    "reconnects": 0,
                    "clock_offset_s": None,
                    "line": {
                        "telegrams": 0,
                        "crc_errors": 0,
                        "recent": 0,
                        "recent_crc_errors": 0,
                        "breaks_at_line": None,
                        "breaks_at": None,
                        "bytes_lost": None,
                        "strange_bytes": 0,
                        "interval_ms": None,
                    },
                }
            ],
        )

    def test_what_not_every_service_has(self) -> None:
        """A part that tells of itself stands under its name, and what is wrong with it among the problems."""
        self.assertNotIn("p1_server", self.health.report())
        well, ill = Part("p1_server", {"clients": 3}, []), Part("backup", {"bytes": 7}, ["there is no backup"])
        self.assertTrue(verifyObject(IReporting, well))
        report = evolve(self.health, parts=[well]).report()
        self.assertEqual((report["status"], report["p1_server"]), ("ok", {"clients": 3}))
        report = evolve(self.health, parts=[well, ill]).report()
        self.assertEqual((report["status"], report["problems"]), ("degraded", ["there is no backup"]))
        self.assertEqual((report["p1_server"], report["backup"]), ({"clients": 3}, {"bytes": 7}))

    def test_a_server_without_a_clock(self) -> None:
        """As long as nobody told it the time, somebody has to look."""
        self.clock.rightNow = 60.0
        self.assertEqual(
            self.health.report()["problems"], ["the clock of this server is not set: it says 1970-01-01T00:01:00Z"]
        )

    def test_a_meter_whose_clock_is_off(self) -> None:
        """By hours, it puts amounts into the wrong ones; unless our clock dates telegrams anyhow."""
        self.source.health = SourceHealth("device /dev/ttyUSB0", clock_offset_s=-7200)
        report = self.health.report()
        self.assertEqual(report["sources"][0]["clock_offset_s"], -7200)  # type: ignore[index]
        self.assertEqual(
            report["problems"],
            [
                "device /dev/ttyUSB0: the meter's clock is 2 hours behind the server's; if the server's is the right "
                "one, start it with --trust-clock server"
            ],
        )
        for offset, words in ((400, "7 minutes"), (7200, "2 hours"), (10**9, "11574 days")):
            self.source.health = SourceHealth("device /dev/ttyUSB0", clock_offset_s=offset)
            self.assertIn(f"is {words} ahead of the server's", str(self.health.report()["problems"]))
        for well in (evolve(self.source.health, by_arrival=True), SourceHealth("", clock_offset_s=300)):
            self.source.health = well
            self.assertEqual(self.health.report()["problems"], [])

    def test_every_limit_is_shown(self) -> None:
        """Each limit has its count, also when it was never met."""
        self.assertEqual(self.health.report()["limits"], dict.fromkeys(NAMES, 0))

    def test_a_silent_source_is_a_problem(self) -> None:
        """A cable that was pulled out is told in words."""
        self.source.health = SourceHealth("device /dev/ttyUSB0", quiet_s=61, trouble="there is no such device now")
        report = self.health.report()
        self.assertEqual(report["status"], "degraded")
        self.assertEqual(report["problems"], ["device /dev/ttyUSB0: no telegram for 61 s; there is no such device now"])

    def test_a_bad_cable_is_a_problem(self) -> None:
        """A line on which many telegrams break is told in words, though most of them come whole."""
        self.source.health = SourceHealth("device /dev/ttyUSB0", line=LineFigures(100, 6, 100, 6))
        report = self.health.report()
        self.assertEqual(report["status"], "degraded")
        self.assertEqual(
            report["problems"],
            [
                "device /dev/ttyUSB0: 6 of the last 100 telegrams had a wrong CRC; bytes get changed: try a shorter or "
                "better cable, away from power cables"
            ],
        )

    def go_away(self) -> None:
        """Let the store refuse a telegram."""
        taken_by_it = self.spooling.take([taken(1)])
        self.readings.commit.fail(StoreUnavailable("the database is locked"))
        self.successResultOf(taken_by_it)

    def test_a_store_that_is_away(self) -> None:
        """It is told until readings can be stored again; nothing is lost meanwhile, so the service does not fail."""
        self.assertEqual(
            self.health.report()["spool"], {"records": 0, "bytes": 0, "oldest_at": None, "refused": 0, "damaged": 0}
        )
        self.go_away()
        report = self.health.report()
        self.assertEqual(report["status"], "degraded")
        self.assertEqual(
            report["problems"],
            ["the store takes no readings: the database is locked; telegrams are kept in the spool until it does"],
        )
        self.assertEqual(
            report["spool"],
            {
                "records": 1,
                "bytes": self.spool.held_bytes,
                "oldest_at": "2024-04-02T10:00:01Z",
                "refused": 0,
                "damaged": 0,
            },
        )
        self.readings.commit.succeed()
        self.assertEqual(self.health.report()["problems"], [])

    def test_a_spool_that_takes_nothing_either(self) -> None:
        """Now telegrams are lost, or soon will be."""
        self.spool.most_bytes = 0
        lost = self.spooling.take([taken(1)])
        self.readings.commit.fail(StoreUnavailable("the database is locked"))
        self.failureResultOf(lost, SpoolFull)
        report = self.health.report()
        self.assertEqual(report["status"], "failing")
        self.assertEqual(
            report["problems"],
            [
                "the store takes no readings: the database is locked; nor does the spool",
                "the spool takes no telegrams: the spool holds 0 telegrams already",
            ],
        )

    def test_nobody_learns_where_files_are(self) -> None:
        """The name of a directory may be somebody's; that of the file says enough."""
        self.spool.path.rmdir()
        lost = self.spooling.take([taken(1)])
        self.readings.commit.fail(StoreUnavailable("/home/Jan Tak/.dsmr/dsmr.sqlite3: disk I/O error"))
        self.failureResultOf(lost, StoreUnavailable)
        self.rollup.last_error = "/home/Jan Tak/.dsmr/dsmr.sqlite3: disk I/O error"
        report = self.health.report()
        self.assertEqual(
            report["problems"],
            [
                "the store takes no readings: dsmr.sqlite3: disk I/O error; nor does the spool",
                f"the spool takes no telegrams: {self.spool.path.name}: No such file or directory",
                "computing the ledger failed: dsmr.sqlite3: disk I/O error",
            ],
        )
        self.assertNotIn("Jan", str(report))

    def test_what_lies_in_the_spool_for_good(self) -> None:
        """What was put aside there is something to look at."""
        self.successResultOf(self.spool.refuse("a telegram", "too large"))
        self.spool.damaged = 2
        self.assertEqual(
            self.health.report()["problems"],
            [
                "the store refused 1 telegrams of the spool: they are in its file 'refused'",
                "2 files of the spool can't be read to their end: they are kept as '.damaged'",
            ],
        )

    def test_another_servers_spool(self) -> None:
        """What another state directory was left with is named, with the command that stores it."""
        self.left.append("/var/lib/before/spool")
        report = self.health.report()
        self.assertEqual(
            (report["status"], report["problems"]),
            ("degraded", ["telegrams of another server wait: dsmr spool drain /var/lib/before/spool"]),
        )

    def test_what_was_lost_is_told(self) -> None:
        """A reading of the line that the store refused for its values is not passed over."""
        self.spooling.hear(heard())
        self.clock.advance(1)
        self.readings.commit.fail(OverflowError("too large"))
        self.flushLoggedErrors(OverflowError)
        self.assertEqual(self.health.report()["status"], "degraded")

    def test_the_ledger_is_shown(self) -> None:
        """What waits to be computed, and when that last went well, can be seen."""
        self.successResultOf(self.store.readings.add([[heard()]], NOON))
        self.assertEqual(
            self.health.report()["ledger"],
            {"dirty_quarters": None, "last_success_at": None, "last_error": None, "epochs": None, "outliers": None},
        )
        self.rollup.startService()
        self.addCleanup(self.rollup.stopService)
        self.clock.advance(self.rollup.every)
        self.assertEqual(
            self.health.report()["ledger"],
            {
                "dirty_quarters": 0,
                "last_success_at": "2024-04-02T10:00:15Z",
                "last_error": None,
                "epochs": 1,
                "outliers": 0,
            },
        )

    def test_a_tick_that_failed(self) -> None:
        """A ledger that is not kept up to date is something to look at."""
        self.rollup.last_error = "the disk is full"
        report = self.health.report()
        self.assertEqual(
            (report["status"], report["problems"]), ("degraded", ["computing the ledger failed: the disk is full"])
        )

    def test_the_size_of_the_store_is_shown(self) -> None:
        """Whoever has a small disk sees how much of it the readings take, and how much was thinned out."""
        self.retention.size, self.retention.dropped = StoreSize(4096, 1024), 7
        store = self.health.report()["store"]
        self.assertEqual(
            {name: store[name] for name in ("bytes", "free_bytes", "thinned_out")},  # type: ignore[index]
            {"bytes": 4096, "free_bytes": 1024, "thinned_out": 7},
        )

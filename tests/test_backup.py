"""Tests of dsmr_tw.backup: a backup every night of a real store, by a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.backup import BackupService
from dsmr_tw.backupfiles import BackupDirectory
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.errors import BackupStopped
from dsmr_tw.interfaces import IBackups, IReporting
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.sqlite_backup import SqliteOriginal
from dsmr_tw.stored import Backup
from tests.arrivals import NOON, heard

AMSTERDAM = MeterZone("Europe/Amsterdam")


class BackupServiceTests(SynchronousTestCase):
    """A server that makes backups."""

    def setUp(self) -> None:
        """A store with a reading, and a place for backups."""
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = sqlite_store(path, AMSTERDAM.name, maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        self.successResultOf(self.store.readings.add([[heard()]], NOON))
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.original = SqliteOriginal(path)
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.begin()

    def begin(self) -> None:
        """Start a service."""
        backups = BackupDirectory(self.original, self.directory, 3, maybeDeferred, lambda: None)
        self.service = BackupService(self.clock, backups, AMSTERDAM)
        self.service.startService()
        service = self.service
        self.addCleanup(lambda: service.running and service.stopService())

    def wait(self, hours: float) -> None:
        """Let time pass."""
        self.clock.pump([60.0] * int(hours * 60))

    def dates(self) -> list[str]:
        """When the backups were made."""
        return sorted(path.name[5:18] for path in self.directory.iterdir())

    def test_interface(self) -> None:
        """It tells of itself in /health."""
        self.assertTrue(verifyObject(IReporting, self.service))

    def test_the_first(self) -> None:
        """Soon after the first start there is one, and /health tells of it."""
        self.assertEqual(self.service.figures(), {"last_success_at": None, "bytes": None, "last_error": None})
        self.wait(1 / 60)
        self.assertEqual(self.dates(), ["20240402T1001"])
        [path] = self.directory.iterdir()
        self.assertEqual(
            self.service.figures(),
            {"last_success_at": "2024-04-02T10:01:00Z", "bytes": path.stat().st_size, "last_error": None},
        )
        self.assertEqual(self.service.problems(), [])

    def test_each_night(self) -> None:
        """Then there is one each night, three hours after local midnight; the newest ones stay."""
        self.wait(24 * 4)
        self.assertEqual(self.dates(), ["20240404T0100", "20240405T0100", "20240406T0100"])

    def test_a_start_on_the_same_day(self) -> None:
        """A server that is started again makes none, if there is one of that night, and knows of it."""
        self.wait(1)
        self.successResultOf(self.service.stopService())
        self.begin()
        self.wait(1)
        self.assertEqual(self.dates(), ["20240402T1001"])
        self.assertEqual(self.service.figures()["last_success_at"], "2024-04-02T10:01:00Z")

    def test_a_night_that_was_missed(self) -> None:
        """A server that was off at night makes the backup soon after its start."""
        self.wait(1)
        self.successResultOf(self.service.stopService())
        self.wait(20)
        self.begin()
        self.wait(1)
        self.assertEqual(self.dates(), ["20240402T1001", "20240403T0701"])

    def test_a_clock_that_is_not_set(self) -> None:
        """A server that thinks it is 1970 waits for the time, and complains of nothing."""
        self.successResultOf(self.service.stopService())
        self.clock.advance(-NOON / SECOND)
        self.begin()
        self.wait(48)
        self.assertEqual((self.dates(), self.service.problems()), ([], []))
        self.clock.advance(NOON / SECOND)
        self.wait(1)
        self.assertEqual(self.dates(), ["20240404T1000"])

    def test_trouble(self) -> None:
        """A disk that goes away is a problem, in one sentence without directories; it goes with the next success."""
        self.wait(1)
        away = self.directory.rename(self.directory.with_name("away"))
        self.wait(16)
        self.assertEqual(
            self.service.problems(),
            [
                f"the backup failed: {self.directory.name} is not there: make the directory, or mount the disk that it "
                f"is on; the last good one is of 2024-04-02T10:01:00Z"
            ],
        )
        self.assertIn("is not there", str(self.service.figures()["last_error"]))
        away.rename(self.directory)
        self.wait(0.55)
        self.assertEqual(self.service.problems(), [])
        self.assertEqual(len(self.dates()), 2)

    def test_none_at_all(self) -> None:
        """Where the first one fails, that is said."""
        self.directory.rmdir()
        self.wait(1)
        [problem] = self.service.problems()
        self.assertTrue(problem.endswith("; none was made"), problem)

    def test_a_fault_of_ours(self) -> None:
        """What nobody thought of is logged, shown, and tried again."""
        self.successResultOf(self.service.stopService())
        self.service = BackupService(self.clock, Odd(ZeroDivisionError()), AMSTERDAM)
        self.service.startService()
        self.wait(1)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.service.problems(), ["the backup failed: ZeroDivisionError, see the log; none was made"])

    def test_one_that_takes_for_ever(self) -> None:
        """When there is no new one after 26 hours, whatever the reason, that is a problem."""
        odd = Odd(None)
        self.successResultOf(self.service.stopService())
        self.service = BackupService(self.clock, odd, AMSTERDAM)
        self.service.startService()
        self.wait(25)
        self.assertEqual(self.service.problems(), [])
        self.wait(2)
        self.assertEqual(self.service.problems(), ["there is no backup of the last 26 hours: none was made"])
        self.service.newest = Backup("dsmr", NOON - HOUR, 9)
        self.assertEqual(
            self.service.problems(),
            ["there is no backup of the last 26 hours: the last good one is of 2024-04-02T09:00:00Z"],
        )

    def test_the_end(self) -> None:
        """A backup that is under way when the server stops is broken off, and is no trouble."""
        odd = Odd(None)
        self.successResultOf(self.service.stopService())
        service = BackupService(self.clock, odd, AMSTERDAM)
        service.startService()
        self.wait(1)
        ended = service.stopService()
        self.successResultOf(ended)
        self.assertEqual((odd.ends, service.trouble), (["stop", "close"], None))


@implementer(IBackups)
@define
class Odd:
    """A place for backups where making one fails, or takes until it is stopped."""

    error: Exception | None
    ends: list[str] = field(factory=list)
    made: Deferred[Backup] = field(factory=Deferred)

    def newest(self, now: int) -> Deferred[Backup | None]:
        """There is none."""
        return maybeDeferred(lambda: None)

    def make(self, now: int) -> Deferred[Backup]:
        """Fail, or begin."""
        if self.error is not None:
            raise self.error
        return self.made

    def stop(self) -> None:
        """End it."""
        self.ends.append("stop")
        if not self.made.called:
            self.made.errback(BackupStopped("The server is being stopped"))

    def close(self) -> None:
        """All is over."""
        self.ends.append("close")

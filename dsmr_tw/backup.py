"""Responsible for a backup every day, and for saying so when there is none.

It is due three hours after local midnight, and at once when that was missed: after a start, or when the clock was set.
What fails is tried again after half an hour.

Tests: ``tests/test_backup.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from dsmr_tw.domain.localtime import MeterZone, to_utc_text
from dsmr_tw.domain.reading import DAY, HOUR, MINUTE, SECOND, YEAR_2020
from dsmr_tw.errors import BackupStopped, DsmrError
from dsmr_tw.health import plain
from dsmr_tw.interfaces import IBackups, IReporting
from dsmr_tw.periodic import Periodic
from dsmr_tw.stored import Backup

AFTER_MIDNIGHT: Final = 3 * HOUR
AGAIN_AFTER: Final = 30 * MINUTE
OLDEST: Final = 26 * HOUR
"""How old the newest backup may be: a day that has 25 hours, and an hour to make it."""


@implementer(IReporting)
@define(eq=False)
class BackupService(Periodic):
    """Makes a backup when one is due."""

    backups: IBackups
    zone: MeterZone
    every: float = field(default=60.0, kw_only=True)

    newest: Backup | None = field(default=None, init=False)
    """The newest good one."""
    trouble: str | None = field(default=None, init=False)
    """Why the last one failed, if it did."""
    begun_at: int | None = field(default=None, init=False)
    """When the server began to look, by a clock that was set."""
    _not_before: int = field(default=0, init=False)
    _log = Logger()

    what = "looking after backups"
    heading = "backup"

    async def work(self, now: int) -> None:
        """Make one, if it is due."""
        if now < YEAR_2020:
            # A server whose clock is not set yet would give it a wrong date.
            return
        self.begun_at = now if self.begun_at is None else self.begun_at
        if now < self._not_before <= now + AGAIN_AFTER:
            return
        try:
            if self.newest is None or self._is_due(now):
                self.newest = await self.backups.newest(now)
            if self._is_due(now):
                await self._make(now)
            self.trouble = None
        except BackupStopped:
            return
        except DsmrError as error:
            self._failed(now, str(error))
        except Exception as error:
            self._log.failure("the backup failed")
            self._failed(now, f"{type(error).__name__}, see the log")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more: a backup is broken off."""
        self.backups.stop()
        return super().stopService().addCallback(lambda _: self.backups.close())

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        made = self.newest
        return {
            "last_success_at": None if made is None else to_utc_text(made.made_at),
            "bytes": None if made is None else made.bytes,
            "last_error": None if self.trouble is None else plain(self.trouble),
        }

    def problems(self) -> list[str]:
        """See ``IReporting``."""
        last = "none was made" if self.newest is None else f"the last good one is of {to_utc_text(self.newest.made_at)}"
        if self.trouble is not None:
            return [f"the backup failed: {plain(self.trouble)}; {last}"]
        since = self.begun_at if self.newest is None else self.newest.made_at
        now = int(self.clock.seconds() * SECOND)
        if self.begun_at is not None and since is not None and now - since > OLDEST:
            return [f"there is no backup of the last {OLDEST // HOUR} hours: {last}"]
        return []

    def _is_due(self, now: int) -> bool:
        today = self.zone.day_start(self.zone.day_of(now)) + AFTER_MIDNIGHT
        last_due = today if today <= now else self.zone.day_start(self.zone.day_of(now - DAY)) + AFTER_MIDNIGHT
        return self.newest is None or self.newest.made_at < last_due

    async def _make(self, now: int) -> None:
        self.newest = await self.backups.make(now)
        self._log.info(
            "backup {name} is made and checked: {bytes} bytes", name=self.newest.name, bytes=self.newest.bytes
        )

    def _failed(self, now: int, why: str) -> None:
        if why != self.trouble:
            self._log.error("the backup failed: {error}", error=why)
        self.trouble, self._not_before = why, now + AGAIN_AFTER

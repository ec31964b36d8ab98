"""Responsible for what the service knows about itself: the body of ``/health``.

Every problem is a sentence for the person who has to look at it; without problems the status is ``ok``.
Nothing in it is personal, since it is shown without a key: not even the directories that files are in.

Tests: ``tests/test_health.py``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from dsmr_tw import __version__
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND, YEAR_2020
from dsmr_tw.interfaces import IHealth, IReporting, ISource
from dsmr_tw.limits import Limits
from dsmr_tw.retention import RetentionService
from dsmr_tw.rollup import RollupService
from dsmr_tw.spooling import Spooling

DIRECTORIES: Final = re.compile(r"(?<!\S)/[^:]*/")
"""Of the path that a text begins with, all but the file: ``/home/jan/.local/share/``."""


@implementer(IHealth)
@frozen
class Health:
    """Asks each part how it is."""

    clock: IReactorTime
    started_at: int
    store_kind: str
    spooling: Spooling
    readings: Callable[[], int]
    """How many readings are stored."""
    limits: Limits
    sources: Sequence[ISource]
    rollup: RollupService
    retention: RetentionService
    left_spools: Callable[[], Sequence[str]] = tuple
    """Directories of other servers' spools that nobody drains."""
    parts: Sequence[IReporting] = ()
    """What not every service has: each tells of itself."""

    def report(self) -> dict[str, object]:
        """See ``IHealth``."""
        sources = [source.health for source in self.sources]
        problems = [problem for source in sources if (problem := source.problem())]
        commits, spooling = self.spooling.commits, self.spooling
        away, trouble = _plain(commits.away_because), _plain(spooling.trouble)
        problems += self._of_the_clock() + self._of_the_store(away, trouble)
        services = (self.rollup, self.retention)
        problems += [
            f"{each.what} failed: {_plain(each.last_error)}" for each in services if each.last_error is not None
        ]
        problems += [problem for part in self.parts for problem in part.problems()]
        return {
            "status": "failing" if trouble is not None else "degraded" if problems else "ok",
            "problems": problems,
            "version": __version__,
            "started_at": _text(self.started_at),
            "now": _text(int(self.clock.seconds()) * SECOND),
            "sources": [source.figures() for source in sources],
            "store": {
                "kind": self.store_kind,
                "available": away is None,
                "waiting": commits.waiting,
                "last_commit_at": _text(commits.last_commit_at),
                "readings": self.readings(),
                "lost": spooling.lost,
                "bytes": self.retention.size and self.retention.size.total,
                "free_bytes": self.retention.size and self.retention.size.free,
                "thinned_out": self.retention.dropped,
            },
            "spool": self._spool(),
            "ledger": self._ledger(),
            **{part.heading: part.figures() for part in self.parts},
            "limits": dict(self.limits.hits),
        }

    def _of_the_clock(self) -> list[str]:
        """Whether the server knows the time: till then no hour or day can be closed."""
        now = int(self.clock.seconds()) * SECOND
        return [] if now >= YEAR_2020 else [f"the clock of this server is not set: it says {to_utc_text(now)}"]

    def _of_the_store(self, away: str | None, trouble: str | None) -> list[str]:
        """What is wrong between the lines and the store."""
        problems, spool = [], self.spooling.spool
        if away is not None:
            kept = "telegrams are kept in the spool until it does" if trouble is None else "nor does the spool"
            problems.append(f"the store takes no readings: {away}; {kept}")
        if trouble is not None:
            problems.append(f"the spool takes no telegrams: {trouble}")
        if self.spooling.lost:
            problems.append(f"{self.spooling.lost} readings of a line could not be stored since the start")
        if spool.refused:
            problems.append(f"the store refused {spool.refused} telegrams of the spool: they are in its file 'refused'")
        if spool.damaged:
            problems.append(
                f"{spool.damaged} files of the spool can't be read to their end: they are kept as '.damaged'"
            )
        return problems + [f"telegrams of another server wait: dsmr spool drain {path}" for path in self.left_spools()]

    def _spool(self) -> dict[str, object]:
        spool = self.spooling.spool
        return {
            "records": spool.records,
            "bytes": spool.held_bytes,
            "oldest_at": _text(self.spooling.draining.oldest_at),
            "refused": spool.refused,
            "damaged": spool.damaged,
        }

    def _ledger(self) -> dict[str, object]:
        summary = self.rollup.summary
        return {
            "dirty_quarters": None if summary is None else summary.dirty_quarters,
            "last_success_at": _text(self.rollup.last_success_at),
            "last_error": _plain(self.rollup.last_error),
            "epochs": None if summary is None else summary.epochs,
            "outliers": None if summary is None else summary.outliers,
        }


def plain(error: str) -> str:
    """What is wrong, without the directories that it happened in: ``/health`` is shown without a key."""
    return DIRECTORIES.sub("", error)


def _plain(error: str | None) -> str | None:
    return None if error is None else plain(error)


def _text(instant: int | None) -> Any:
    return None if instant is None else to_utc_text(instant)

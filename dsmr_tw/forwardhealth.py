"""Responsible for what a remote datalogger knows about itself: the body of its ``/health``.

It has sources and servers to forward to, and neither a store nor a ledger.

Tests: ``tests/test_forward_tap.py``
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from dsmr_tw import __version__
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND, YEAR_2020
from dsmr_tw.interfaces import IHealth, IReporting, ISource
from dsmr_tw.limits import Limits


@implementer(IHealth)
@frozen
class ForwardHealth:
    """Asks each part how it is."""

    clock: IReactorTime
    started_at: int
    limits: Limits
    sources: Sequence[ISource]
    parts: Sequence[IReporting]

    def report(self) -> dict[str, object]:
        """See ``IHealth``."""
        healths = [source.health for source in self.sources]
        problems = [problem for health in healths if (problem := health.problem())]
        now = int(self.clock.seconds()) * SECOND
        if now < YEAR_2020:
            problems.append(f"the clock of this computer is not set: it says {to_utc_text(now)}")
        problems += [problem for part in self.parts for problem in part.problems()]
        return {
            "status": "degraded" if problems else "ok",
            "problems": problems,
            "version": __version__,
            "started_at": to_utc_text(self.started_at),
            "now": to_utc_text(now),
            "sources": [health.figures() for health in healths],
            **{part.heading: part.figures() for part in self.parts},
            "limits": dict(self.limits.hits),
        }

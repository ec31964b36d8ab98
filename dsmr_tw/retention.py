"""Responsible for thinning out old readings, as far as their owner allows, and for knowing how large the store is.

Tests: ``tests/test_retention.py``
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.logger import Logger

from dsmr_tw.domain.reading import DAY
from dsmr_tw.interfaces import IMeters, IRetention
from dsmr_tw.periodic import Periodic
from dsmr_tw.stored import StoreSize


@define(eq=False)
class RetentionService(Periodic):
    """Drops, again and again, what has become old and the ledger can do without."""

    retention: IRetention
    meters: IMeters
    keep_days: int | None
    """How old readings may get before they are thinned out; ``None``: they are kept for ever."""
    recount: Callable[[], Awaitable[None]]
    """Finds out anew how many readings there are."""
    every: float = field(default=60.0, kw_only=True)

    size: StoreSize | None = field(default=None, init=False)
    """``None`` before the first time."""
    dropped: int = field(default=0, init=False)
    """Readings that were dropped since the start."""
    _log = Logger()

    what = "thinning out old readings"

    async def work(self, now: int) -> None:
        """Thin out what is old enough, day by day."""
        if self.keep_days is not None:
            for meter in await self.meters.all():
                await self._thin(meter.id, now - self.keep_days * DAY)
        await self.recount()
        self.size = await self.retention.size()

    async def _thin(self, meter_id: int, before: int) -> None:
        dropped, more = 0, True
        while more and self.running:
            thinned = await self.retention.thin(meter_id, before)
            dropped, more = dropped + thinned.dropped, thinned.more
        self.dropped += dropped
        if dropped:
            self._log.info("thinned out: {dropped} old readings of meter {meter} less", dropped=dropped, meter=meter_id)

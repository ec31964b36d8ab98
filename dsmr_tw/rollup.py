"""Responsible for keeping the ledger up to date: every few seconds it asks what is dirty, and has that computed.

A tick takes the marks that are there when it begins; what is marked meanwhile waits for the next one.
It never asks what happened since the last tick, so ticks that were missed or broken off just leave more to do.

Tests: ``tests/test_rollup.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, field
from twisted.internet.task import deferLater
from twisted.logger import Logger

from dsmr_tw.interfaces import ILedger
from dsmr_tw.periodic import Periodic
from dsmr_tw.stored import LedgerSummary

LONGEST_REST_S: Final = 1.0
"""A stop has to wait for a rest, too."""

MANY_PIECES: Final = 20
"""More than a day's telegrams: somebody may wonder what the processor is busy with."""


@define(eq=False)
class RollupService(Periodic):
    """Computes what is dirty, again and again."""

    ledger: ILedger
    every: float = field(default=15.0, kw_only=True)
    """Seconds between ticks."""

    summary: LedgerSummary | None = field(default=None, init=False)
    """As the last tick left the ledger; ``None`` before the first."""
    _log = Logger()

    what = "computing the ledger"

    async def work(self, now: int) -> None:
        """One tick."""
        meter_ids = await self.ledger.dirty(now)
        for meter_id in meter_ids[:1]:
            await self._settle(meter_id, now)
        for meter_id in meter_ids[1:]:
            if self.running:
                await self._settle_in_turn(meter_id, now)
        self.summary = await self.ledger.summary()

    async def _settle_in_turn(self, meter_id: int, now: int) -> None:
        """Settle one of many meters, and leave as much time to those who post as that took."""
        began = self.clock.seconds()
        await self._settle(meter_id, now)
        took = self.clock.seconds() - began
        if took > 0:
            await deferLater(self.clock, min(took, LONGEST_REST_S))

    async def _settle(self, meter_id: int, now: int) -> None:
        """Compute what is marked for a meter, and let the rows appear that are due."""
        pieces = 0
        while self.running and await self.ledger.recompute(meter_id, now):
            pieces += 1
            if pieces % MANY_PIECES == 0:
                self.summary = summary = await self.ledger.summary()
                if pieces == MANY_PIECES:
                    self._log.info("computing the ledger: {quarters} quarters wait", quarters=summary.dirty_quarters)
        while self.running and await self.ledger.close(meter_id, now):
            pass
        if pieces >= MANY_PIECES and self.running:
            self._log.info("the ledger is up to date")

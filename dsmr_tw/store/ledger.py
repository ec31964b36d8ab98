"""Responsible for the work on the ledger; see ``ILedger``.

Tests: ``tests/store/test_ledger.py``, ``tests/contracts/ledger.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.edits import Change
from dsmr_tw.domain.reading import YEAR_2020
from dsmr_tw.interfaces import ILedger
from dsmr_tw.store import edits
from dsmr_tw.store.closing import Closing
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.store.history import max_power
from dsmr_tw.store.marks import AT_ONCE, NO_MARKS, Marks, mark_all
from dsmr_tw.store.pieces import ComputedElsewhere, Job, Part, Rebuild, claim, compute, portions, version, write
from dsmr_tw.store.spans import recount
from dsmr_tw.stored import Findings, LedgerSummary


@frozen
class Looked:
    """How a meter's ledger was when its spans were closed as far as could be."""

    version: int
    opens_at: int
    """When the clock lets the next row appear; ``NEVER``: that waits for readings."""

    def holds(self, found: int, now: int) -> bool:
        """Whether nothing can have closed since, by this version and at this time."""
        return self.version == found and now < self.opens_at


NOT_YET: Final = Looked(-1, 0)


@implementer(ILedger)
@define
class SqlLedger:
    """See ``ILedger``."""

    database: Database
    _jobs: dict[int, Job] = field(factory=dict, init=False)
    """Jobs that were begun and not finished, by meter."""
    _looked: dict[int, Looked] = field(factory=dict, init=False)
    """What close() last found when nothing more could appear, by meter."""

    def configure(self, max_power_w: int) -> Deferred[None]:
        """See ``ILedger``."""
        return self.database.write(_configure, max_power_w)

    def dirty(self, now: int) -> Deferred[list[int]]:
        """See ``ILedger``."""
        return self.database.read(self._dirty, now)

    def recompute(self, meter_id: int, now: int) -> Deferred[bool]:
        """See ``ILedger``."""
        return Deferred.fromCoroutine(self._recompute(meter_id, now))

    def close(self, meter_id: int, now: int) -> Deferred[bool]:
        """See ``ILedger``."""
        return self.database.write(self._close, meter_id, now)

    def rebuild(self, meter_id: int, start: int, end: int, now: int, told: Callable[[int], None]) -> Deferred[None]:
        """See ``ILedger``."""
        return Deferred.fromCoroutine(self._rebuild(Rebuild(meter_id, start, end), now, told))

    def summary(self) -> Deferred[LedgerSummary]:
        """See ``ILedger``."""
        return self.database.read(_summary)

    def findings(self, meter_id: int, limit: int) -> Deferred[Findings]:
        """See ``ILedger``."""
        return self.database.read(edits.findings, meter_id, limit)

    def split_epoch(self, meter_id: int, equipment_id: int, instant: int, now: int) -> Deferred[Change]:
        """See ``ILedger``."""
        return self.database.write(edits.split_epoch, meter_id, equipment_id, instant, now)

    def join_epoch(self, meter_id: int, equipment_id: int, at: int, now: int) -> Deferred[Change]:
        """See ``ILedger``."""
        return self.database.write(edits.join_epoch, meter_id, equipment_id, at, now)

    def _dirty(self, connection: Connection, now: int) -> list[int]:
        marked = [
            meter_id
            for (meter_id,) in connection.execute(
                "SELECT id FROM meter WHERE EXISTS (SELECT 1 FROM dirty_quarter WHERE meter_id = meter.id) ORDER BY id"
            )
        ]
        versions = connection.execute(
            "SELECT id, coalesce(version, 0) FROM meter LEFT JOIN ledger_state ON meter_id = id ORDER BY id"
        )
        known = {*marked}
        return marked + [
            meter_id
            for meter_id, found in versions
            if meter_id not in known and not self._looked.get(meter_id, NOT_YET).holds(found, now)
        ]

    async def _recompute(self, meter_id: int, now: int) -> bool:
        job = self._jobs.pop(meter_id, None) or await self.database.write(claim, meter_id)
        if job is None:
            return False
        try:
            parts = await self.database.read(compute, job)
        except ComputedElsewhere:
            return False
        if parts is None or not await self._write(job, parts, job.settled, job.done, now):
            # Somebody else wrote: what was claimed is still marked, and computed the next time.
            return True
        if not job.done:
            self._jobs[meter_id] = job
        return not job.done or job.settled != job.marks or len(job.marks) == AT_ONCE

    async def _rebuild(self, rebuild: Rebuild, now: int, told: Callable[[int], None]) -> None:
        while not rebuild.done:
            parts = await self.database.read(rebuild.compute)
            if await self._write(rebuild, parts, NO_MARKS, False, now):
                rebuild.written(parts)
                told(rebuild.readings)
        while await self.close(rebuild.meter_id, now):
            pass

    async def _write(self, work: Job | Rebuild, parts: Sequence[Part], settled: Marks, done: bool, now: int) -> bool:
        """Write pieces, portion by portion; whether all of them are written."""
        # Made one by one: a gap of years has too many quarters to be in memory.
        for portion, following in pairwise(chain(portions(parts), (None,))):
            assert work.version is not None and portion is not None
            settles = done and following is None
            written = await self.database.write(write, work.meter_id, work.version, portion, settled, settles, now)
            if not written:
                return False
            work.version += 1
        return True

    def _close(self, connection: Connection, meter_id: int, now: int) -> bool:
        if connection.execute("SELECT 1 FROM meter WHERE id = ?", (meter_id,)).fetchone() is None:
            # Its account was joined to another since.
            return False
        connection.hold(meter_id)
        more, opens_at = False, YEAR_2020
        # A clock that has not been set yet would make all rows disappear.
        if now >= YEAR_2020:
            closing = Closing(connection, meter_id, now)
            more = closing.close()
            for start, end in closing.touched:
                recount(connection, meter_id, start, end)
            opens_at = closing.opens_at()
        self._looked[meter_id] = NOT_YET if more else Looked(version(connection, meter_id), opens_at)
        return more


def _configure(connection: Connection, max_power_w: int) -> None:
    if max_power(connection) != max_power_w:
        connection.execute(
            "INSERT INTO ledger_setting VALUES ('max_power_w', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (max_power_w,),
        )
        connection.take_long()
        mark_all(connection)


def _summary(connection: Connection) -> LedgerSummary:
    connection.take_long()
    counts = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("(SELECT DISTINCT meter_id, instant FROM dirty_quarter) AS marked", "epoch", "outlier")
    )
    return LedgerSummary(*counts)

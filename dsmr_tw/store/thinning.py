"""Responsible for thinning out old readings; what can go is said by ``dsmr_tw.domain.thinning``.

A day is looked at on one unchanging state of the database, then its readings are dropped in small transactions, the
oldest first, as long as nothing was computed or marked near it since.  How far a meter is thinned out is remembered;
what is stored late in a time before that sets it back.

The pages that become free are used for new readings; the file does not shrink, nor does it grow before they are used.

Tests: ``tests/store/test_thinning.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.reading import DAY, HOUR, YEAR_2000
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.thinning import dispensable
from dsmr_tw.interfaces import IRetention
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.store.history import SqlHistory, registers_of
from dsmr_tw.store.pages import COUNTS
from dsmr_tw.store.pieces import version
from dsmr_tw.stored import StoreSize, Thinned

AT_ONCE: Final = 400
"""Instants whose readings are dropped in one transaction."""

NEXT_DAY: Final = """
    SELECT instant FROM reading_count WHERE meter_id = ? AND hours = 24 AND instant > ? AND instant < ?
    ORDER BY instant LIMIT 1"""

COUNT_HOUR: Final = """
    UPDATE reading_count SET (readings, minutes) =
        (SELECT count(*), count(DISTINCT instant / 60000000) FROM reading
         WHERE meter_id = ?1 AND instant >= ?2 AND instant < ?2 + ?3)
    WHERE meter_id = ?1 AND hours = 1 AND instant = ?2"""

COUNT_DAY: Final = """
    UPDATE reading_count SET (readings, minutes) =
        (SELECT sum(readings), sum(minutes) FROM reading_count
         WHERE meter_id = ?1 AND hours = 1 AND instant >= ?2 AND instant < ?2 + ?3)
    WHERE meter_id = ?1 AND hours = 24 AND instant = ?2"""


@frozen
class Plan:
    """What can go of a stretch of time, as the database was when it was looked at."""

    meter_id: int
    start: int
    end: int
    version: int
    """Of the meter's ledger."""
    instants: list[int]


@implementer(IRetention)
@define
class SqlRetention:
    """See ``IRetention``."""

    database: Database

    def thin(self, meter_id: int, before: int) -> Deferred[Thinned]:
        """See ``IRetention``."""
        return Deferred.fromCoroutine(self._thin(meter_id, before))

    def spare(self, meter_id: int, after: int, before: int) -> Deferred[tuple[int, int] | None]:
        """See ``IRetention``."""
        return self.database.read(_spare, meter_id, after, before)

    def size(self) -> Deferred[StoreSize]:
        """See ``IRetention``."""
        return self.database.read(_size)

    async def _thin(self, meter_id: int, before: int) -> Thinned:
        plan = await self.database.read(_next_plan, meter_id, before)
        if plan is None:
            return Thinned(0, more=False)
        dropped = 0
        for index in range(0, max(len(plan.instants), 1), AT_ONCE):
            is_last = index + AT_ONCE >= len(plan.instants)
            gone = await self.database.write(self._drop, plan, plan.instants[index : index + AT_ONCE], is_last)
            if gone is None:
                # Something was computed or stored meanwhile: the day is looked at again.
                break
            dropped += gone
        return Thinned(dropped, more=True)

    def _drop(self, connection: Connection, plan: Plan, instants: list[int], is_last: bool) -> int | None:
        """Drop the readings at these instants; how many, or ``None`` when the plan is out of date."""
        connection.hold_all(accounts=False)
        # The marks first: who computes writes the version together with the marks that it deletes.
        if _is_marked(connection, plan) or version(connection, plan.meter_id) != plan.version:
            return None
        gone = 0
        if instants:
            listed = ", ".join("?" * len(instants))
            gone = connection.execute(
                f"DELETE FROM reading WHERE meter_id = ? AND instant IN ({listed}) AND {COUNTS}",
                (plan.meter_id, *instants),
            ).rowcount
            # What the writer remembers of minutes that hold readings may be true no more.
            self.database.disturbed += 1
        for length, count in ((HOUR, COUNT_HOUR), (DAY, COUNT_DAY)):
            spans = sorted({instant - instant % length for instant in instants})
            connection.executemany(count, [(plan.meter_id, span, length) for span in spans])
        if is_last:
            connection.execute(
                "INSERT INTO thinned VALUES (?, ?) ON CONFLICT (meter_id) DO UPDATE SET until = excluded.until",
                (plan.meter_id, plan.end),
            )
        return gone


def _next_plan(connection: Connection, meter_id: int, before: int) -> Plan | None:
    """The plan for the next day; ``None`` when there is nothing to do, or it is not the time."""
    row = connection.execute("SELECT until FROM thinned WHERE meter_id = ?", (meter_id,)).fetchone()
    span = _next_span(connection, meter_id, YEAR_2000 if row is None else row[0], before)
    if span is None:
        return None
    plan = Plan(meter_id, *span, version(connection, meter_id), _dispensable(connection, meter_id, *span))
    return None if _is_marked(connection, plan) else plan


def _next_span(connection: Connection, meter_id: int, after: int, before: int) -> tuple[int, int] | None:
    """The next day, or what is left of one, that holds readings between two instants."""
    end = before - before % QUARTER
    row = connection.execute(NEXT_DAY, (meter_id, after - DAY, end)).fetchone()
    if row is None:
        return None
    start, until = max(row[0], after), min(row[0] + DAY, end)
    if start < until:
        return start, until
    # This day is done.
    return _next_span(connection, meter_id, row[0] + DAY, before) if row[0] + DAY <= end else None


def _dispensable(connection: Connection, meter_id: int, start: int, end: int) -> list[int]:
    electricity = registers_of(connection, meter_id)[0]
    history = SqlHistory(connection, electricity)
    return dispensable(start, end, electricity.pace, electricity.edits, history)


def _is_marked(connection: Connection, plan: Plan) -> bool:
    """Whether something waits to be computed near the time of a plan."""
    return (
        connection.execute(
            "SELECT 1 FROM dirty_quarter WHERE meter_id = ? AND instant >= ? AND instant < ? LIMIT 1",
            (plan.meter_id, plan.start - DAY, plan.end + DAY),
        ).fetchone()
        is not None
    )


def _spare(connection: Connection, meter_id: int, after: int, before: int) -> tuple[int, int] | None:
    span = _next_span(connection, meter_id, after, before)
    return None if span is None else (span[1], len(_dispensable(connection, meter_id, *span)))


def _size(connection: Connection) -> StoreSize:
    return StoreSize(*connection.size())

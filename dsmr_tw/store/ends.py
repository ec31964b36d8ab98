"""Responsible for what the ledger's quarters say of longer spans: the gas in them, and whether their ends lie in gaps.

Tests: ``tests/store/test_statistics.py``, ``tests/store/test_days.py``
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from dsmr_tw.domain.reading import GAS
from dsmr_tw.store.connection import Connection

GAS_QUARTERS: Final = """
    SELECT q.instant, sum(q.amount), max(q.start_estimated), max(q.end_estimated)
    FROM equipment AS e CROSS JOIN device_quarter AS q
    WHERE e.meter_id = ?1 AND e.device_type = ?2
    AND q.meter_id = e.meter_id AND q.equipment_id = e.id AND q.instant >= ?3 AND q.instant <= ?4
    GROUP BY q.instant"""

GAS_SINCE: Final = """
    SELECT min((SELECT min(instant) FROM device_quarter WHERE meter_id = e.meter_id AND equipment_id = e.id))
    FROM equipment AS e WHERE meter_id = ? AND device_type = ?"""


@frozen
class Ends:
    """Whether a quarter begins, and whether it ends, in a long gap between readings."""

    start_estimated: bool
    end_estimated: bool


@frozen
class GasQuarter:
    """A quarter of all gas meters together."""

    amount: int
    ends: Ends


def estimated(first: Ends | None, last: Ends | None) -> bool:
    """Whether one of a span's own two ends lies in a gap, by its first and its last quarter.

    ``None``: there is no such quarter, so the span's end lies before the first reading or after the last.
    """
    return first is None or last is None or first.start_estimated or last.end_estimated


def electricity_ends(connection: Connection, meter_id: int, instant: int) -> Ends | None:
    """The ends of one quarter of the meter itself."""
    row = connection.execute(
        "SELECT start_estimated, end_estimated FROM quarter WHERE meter_id = ? AND instant = ?", (meter_id, instant)
    ).fetchone()
    return None if row is None else Ends(bool(row[0]), bool(row[1]))


def gas_ends(connection: Connection, meter_id: int, instant: int) -> Ends | None:
    """The ends of one quarter of all gas meters together."""
    quarter = gas_quarters(connection, meter_id, instant, instant).get(instant)
    return None if quarter is None else quarter.ends


def gas_quarters(connection: Connection, meter_id: int, first: int, last: int) -> dict[int, GasQuarter]:
    """The quarters of all gas meters together, from one to another, by their starts."""
    return {
        instant: GasQuarter(amount, Ends(bool(start), bool(end)))
        for instant, amount, start, end in connection.execute(GAS_QUARTERS, (meter_id, GAS, first, last))
    }


def gas_since(connection: Connection, meter_id: int) -> int | None:
    """The start of the first quarter of any gas meter; ``None`` while none has reported."""
    since: int | None
    (since,) = connection.execute(GAS_SINCE, (meter_id, GAS)).fetchone()
    return since

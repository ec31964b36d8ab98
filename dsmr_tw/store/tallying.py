"""Responsible for counting and summing what a database holds: see ``dsmr_tw.domain.tally``.

Tests: ``tests/store/test_sqlite_backup.py``, ``tests/store/test_postgres_backup.py``
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from dsmr_tw.domain.tally import LAST, Sums, Tally
from dsmr_tw.store.connection import Connection

REGISTERS: Final = ("delivered_1", "returned_1", "delivered_2", "returned_2")

SUMMED: Final = {
    "reading": ("id", REGISTERS),
    "device_reading": ("id", ("value",)),
    "quarter": ("instant", REGISTERS),
    "device_quarter": ("instant", ("amount",)),
    "hour_statistics": ("instant", (*REGISTERS, "gas")),
    "day_statistics": ("instant", (*REGISTERS, "gas")),
}
"""What is summed of each meter, and what the rows are in the order of."""

Tick = Callable[[], None]
"""Called between statements; may raise, to end the work."""


def tally(connection: Connection, schema: int, tables: Collection[str], tick: Tick) -> Tally:
    """All of it, of those tables that the database has."""
    counts = {}
    for table in sorted(set(tables) - set(SUMMED)):
        tick()
        (counts[table],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    meters = [meter_id for (meter_id,) in connection.execute("SELECT id FROM meter ORDER BY id").fetchall()]
    return Tally(schema, counts, {meter_id: _sums(connection, meter_id, None, tick) for meter_id in meters})


def tally_up_to(connection: Connection, then: Tally, given: int, tick: Tick) -> dict[int, Sums] | None:
    """What the meters of an older tally have now, up to each table's last id or instant of that time.

    ``given`` is the last id of a reading that was given out; ``None`` when those of then were not.
    """
    if any(sums.get(f"reading{LAST}", 0) > given for sums in then.meters.values()):
        return None
    meters = {meter_id for (meter_id,) in connection.execute("SELECT id FROM meter").fetchall()}
    return {
        meter_id: _sums(connection, meter_id, sums, tick)
        for meter_id, sums in sorted(then.meters.items())
        if meter_id in meters
    }


def _sums(connection: Connection, meter_id: int, then: Sums | None, tick: Tick) -> Sums:
    sums: dict[str, int] = {}
    for table, (order, columns) in SUMMED.items():
        tick()
        what = ", ".join(f"sum({column})" for column in columns)
        last = None if then is None else then.get(table + LAST)
        # Where there was nothing then, nothing is asked for now.
        until = "" if then is None else "AND 1 = 0" if last is None else f"AND {order} <= {last}"
        row = connection.execute(
            f"SELECT count(*), max({order}), {what} FROM {table} WHERE meter_id = ? {until}", (meter_id,)
        ).fetchone()
        names = (table, table + LAST, *(f"{table}.{column}" for column in columns))
        sums |= {name: int(value) for name, value in zip(names, row, strict=True) if value is not None}
    return sums

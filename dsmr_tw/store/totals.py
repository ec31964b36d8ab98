"""Responsible for what went through a meter's registers between any two instants, up to date.

What is stored of the ledger is added up: whole days, then quarters.  Only where that is not enough readings are walked
through again: in the quarter of an instant that cuts it in two, and from the earliest recent mark on, where readings
wait to be computed.

Tests: ``tests/store/test_totals.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, field, frozen

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.pace import calm_end
from dsmr_tw.domain.quarters import Quarter, each
from dsmr_tw.domain.reading import DAY, GAS
from dsmr_tw.domain.spans import QUARTER, Amounts, Total
from dsmr_tw.domain.work import Stretch
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.history import Registers, SqlHistory, registers_of

RECENT: Final = 2 * DAY
"""Marks that are older wait for their turn: what they change would be long to walk through."""


@frozen
class Asked:
    """The time that is asked about."""

    start: int
    end: int
    now: int

    @property
    def first_quarter(self) -> int:
        """The first quarter that begins in it."""
        return self.start + -self.start % QUARTER

    @property
    def last_end(self) -> int:
        """The end of the last quarter that ends in it."""
        return self.end - self.end % QUARTER


@define
class Counted:
    """What was found of one set of registers."""

    amounts: list[int] = field(factory=lambda: [0, 0, 0, 0])
    start_estimated: bool | None = None
    """At the start asked about; ``None``: there is nothing there."""
    end_estimated: bool | None = None
    last_at: int | None = None
    """The last accepted reading in what was walked through."""
    goes_on: bool = False
    """Whether readings are accepted behind the end, too."""

    def take(self, quarters: list[Quarter], asked: Asked) -> None:
        """Add quarters, or parts of them."""
        for quarter in quarters:
            self.amounts = [total + amount for total, amount in zip(self.amounts, quarter.amounts, strict=True)]
            if quarter.start == asked.start:
                self.start_estimated = quarter.start_estimated
            if quarter.end == asked.end:
                self.end_estimated = quarter.end_estimated
            if quarter.last_at is not None:
                self.last_at = quarter.last_at


def between(connection: Connection, meter_id: int, start: int, end: int, now: int) -> Total | None:
    """See ``IStatistics.total``."""
    # A reading of this very moment counts.
    asked = Asked(start, min(end, now + 1), now)
    if asked.start >= asked.end:
        return None
    electricity, *devices = registers_of(connection, meter_id)
    gas_meters = [device for device in devices if device.device_type == GAS]
    sound = {of: _sound_until(connection, of, asked) for of in (electricity, *gas_meters)}
    first, last, day_amounts, day_gas = _whole_days(connection, meter_id, asked, min(sound.values()))
    found = {of: _count(connection, of, asked, until, first, last) for of, until in sound.items()}
    counted = found.pop(electricity)
    known = _known(connection, electricity, counted, asked)
    if known is None:
        return None
    amounts = [there + more for there, more in zip(day_amounts, counted.amounts, strict=True)]
    gas, gas_estimated = _gas(connection, list(found.values()), gas_meters, day_gas, asked)
    return Total(
        max(start, known[0]),
        min(asked.end, known[1]),
        Amounts(amounts[0], amounts[1], amounts[2], amounts[3], gas),
        counted.start_estimated is not False or counted.end_estimated is not False,
        gas_estimated,
    )


def _sound_until(connection: Connection, of: Registers, asked: Asked) -> int:
    """Up to where the stored quarters are as they would be computed now."""
    first = max(asked.start - DAY, asked.end - RECENT)
    # What is marked behind the end counts, too: between a reading before it and one behind it something went through.
    (mark,) = connection.execute(
        "SELECT min(instant) FROM dirty_quarter WHERE meter_id = ? AND instant >= ?",
        (of.meter_id, first - first % QUARTER),
    ).fetchone()
    newest = _last_at(connection, of)
    if newest is not None and newest > asked.now:
        # What is dated in the future is in the stored quarters, and shall not count yet.
        mark = min(asked.now - asked.now % QUARTER, NEVER if mark is None else mark)
    if mark is None:
        return NEVER
    before = calm_end(SqlHistory(connection, of, asked.now + 1).before(mark), of.pace)
    return -NEVER if before is None else before[0] - before[0] % QUARTER


def _whole_days(
    connection: Connection, meter_id: int, asked: Asked, sound_until: int
) -> tuple[int, int, list[int], int]:
    """The longest stretch of whole days: its ends, its amounts, its gas. It may be empty, and have no gas."""
    start, end = asked.first_quarter, min(asked.last_end, sound_until)
    days, first, last, length, *amounts, gas = connection.execute(
        "SELECT count(*), min(instant), max(end_at), sum(end_at - instant), sum(delivered_1), sum(returned_1),"
        " sum(delivered_2), sum(returned_2), sum(gas)"
        " FROM day_statistics WHERE meter_id = ? AND instant >= ? AND end_at <= ?",
        (meter_id, start, end),
    ).fetchone()
    if not days or last - first != length:
        return start, start, [0, 0, 0, 0], 0
    return first, last, amounts, gas or 0


def _count(connection: Connection, of: Registers, asked: Asked, sound_until: int, first: int, last: int) -> Counted:
    """What a set of registers says, but for the whole days from ``first`` to ``last``."""
    counted = Counted()
    whole_end = min(asked.last_end, sound_until)
    if asked.first_quarter >= whole_end:
        _walk(connection, of, asked.start, asked.end, asked, counted)
        return counted
    if asked.start < asked.first_quarter:
        _walk(connection, of, asked.start, asked.first_quarter, asked, counted)
    before, behind = _stored(connection, of, asked.first_quarter, first), _stored(connection, of, last, whole_end)
    counted.amounts = [sum(parts) for parts in zip(counted.amounts, before, behind, strict=True)]
    if asked.start == asked.first_quarter:
        counted.start_estimated = _flag(connection, of, "start_estimated", asked.start)
    if asked.end == whole_end:
        counted.end_estimated = _flag(connection, of, "end_estimated", asked.end - QUARTER)
        # It is sound up to a reading that is accepted.
        counted.goes_on = sound_until < NEVER
    else:
        _walk(connection, of, whole_end, asked.end, asked, counted)
    return counted


def _walk(connection: Connection, of: Registers, start: int, end: int, asked: Asked, counted: Counted) -> None:
    """Walk through the readings of a time."""
    history = SqlHistory(connection, of, asked.now + 1)
    stretch = Stretch.over(start, end, of.pace, of.edits, history, (start, end))
    piece = stretch.advance(history, NEVER)
    counted.take([part for part in each(piece.told) if start <= part.start and part.end <= end], asked)
    counted.goes_on = piece.end < NEVER


def _known(connection: Connection, of: Registers, counted: Counted, asked: Asked) -> tuple[int, int] | None:
    """From where to where readings tell what went through; ``None`` when that is not in the time asked about."""
    first_at = SqlHistory(connection, of, asked.now + 1).first_at()
    stored = _last_at(connection, of)
    lasts = [at for at in (stored, counted.last_at) if at is not None and at <= asked.now]
    if counted.goes_on:
        lasts.append(asked.end)
    if first_at is None or not lasts or asked.end <= first_at or asked.start > max(lasts):
        return None
    return first_at, max(lasts)


def _gas(
    connection: Connection, found: list[Counted], gas_meters: list[Registers], day_gas: int, asked: Asked
) -> tuple[int | None, bool]:
    """The gas of all gas meters, and whether it is estimated; ``None`` while none had ever reported."""
    begun = [SqlHistory(connection, of, asked.now + 1).first_at() for of in gas_meters]
    if not any(instant is not None and instant < asked.end for instant in begun):
        return None, False
    starts = [counted.start_estimated for counted in found if counted.start_estimated is not None]
    ends = [counted.end_estimated for counted in found if counted.end_estimated is not None]
    estimated = not starts or not ends or any(starts) or any(ends)
    return day_gas + sum(counted.amounts[0] for counted in found), estimated


def _stored(connection: Connection, of: Registers, start: int, end: int) -> list[int]:
    """The sum of stored quarters."""
    columns = ("delivered_1", "returned_1", "delivered_2", "returned_2") if of.is_electricity else ("amount",)
    sums = ", ".join(f"coalesce(sum({column}), 0)" for column in columns)
    row = _row(connection, of, sums, "AND instant >= ? AND instant < ?", start, end)
    assert row is not None
    return [*row, 0, 0, 0][:4]


def _flag(connection: Connection, of: Registers, column: str, instant: int) -> bool | None:
    """A flag of a stored quarter; ``None`` when there is none."""
    row = _row(connection, of, column, "AND instant = ?", instant)
    return None if row is None else bool(row[0])


def _last_at(connection: Connection, of: Registers) -> int | None:
    """The newest accepted reading, as far as was computed."""
    row = _row(connection, of, "last_at", "ORDER BY instant DESC LIMIT 1")
    return None if row is None else row[0]


def _row(connection: Connection, of: Registers, columns: str, rest: str, *parameters: int) -> tuple[int, ...] | None:
    """What a query of a set of registers' stored quarters finds first."""
    table = "quarter" if of.is_electricity else "device_quarter"
    whose = "" if of.is_electricity else f"AND equipment_id = {of.equipment_id}"
    found: tuple[int, ...] | None = connection.execute(
        f"SELECT {columns} FROM {table} WHERE meter_id = ? {whose} {rest}", (of.meter_id, *parameters)
    ).fetchone()
    return found

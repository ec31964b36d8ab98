"""Responsible for computing pieces of a meter's ledger and for writing them in place of the old ones.

Reading and walking need no lock: a piece is computed on one unchanging state of the database, whose *version* it
remembers.  It is written only if no other piece of the meter's ledger was written since; else it is computed again.
Marks that are made meanwhile are not touched, so whatever came in between is computed the next time.

Tests: ``tests/store/test_pieces.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from attrs import define, field

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.quarters import count, each
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.work import Piece, Stretch
from dsmr_tw.store.closing import Closing
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.ends import gas_since
from dsmr_tw.store.history import ELECTRICITY, Registers, SqlHistory, registers_of
from dsmr_tw.store.marks import NO_MARKS, Marks, note, settle
from dsmr_tw.store.spans import recount

READINGS_AT_ONCE: Final = 5_000
"""Readings of a piece; some more where it can't end sooner."""

QUARTERS_AT_ONCE: Final = 500
"""Quarters that are written in one transaction."""

Part = tuple[int, Piece]
"""A piece, and the equipment whose registers it is of."""


@define
class Job:
    """What is computed of a meter's ledger because of marks, across several transactions."""

    meter_id: int
    marks: Marks
    """Those that were noted, before anything was read."""
    version: int | None = None
    """Of the ledger as the job last saw or left it."""
    stretch: Stretch | None = None
    """Of the electricity; kept while it is not done."""

    @property
    def settled(self) -> Marks:
        """The marks that are being settled, or are when the job is done."""
        return dict(islice(self.marks.items(), self.stretch.settled)) if self.stretch is not None else NO_MARKS

    @property
    def done(self) -> bool:
        """Whether all was computed that the settled marks ask for."""
        return self.stretch is not None and self.stretch.done


def claim(connection: Connection, meter_id: int) -> Job | None:
    """The work on the oldest marks of a meter; ``None`` when there are none. Inside a write."""
    noted = note(connection, meter_id)
    return Job(meter_id, noted) if noted else None


class ComputedElsewhere(Exception):
    """Another program is computing this meter's ledger now."""


def compute(connection: Connection, job: Job) -> list[Part] | None:
    """Go on with a job; ``None`` when the ledger is not as the job left it. Inside a read.

    Raises: ``ComputedElsewhere``
    """
    if not connection.guard(job.meter_id):
        raise ComputedElsewhere
    found = version(connection, job.meter_id)
    if job.version is not None and job.version != found:
        return None
    job.version = found
    electricity, *devices = registers_of(connection, job.meter_id)
    history = SqlHistory(connection, electricity)
    if job.stretch is None:
        job.stretch = Stretch.around(list(job.marks), electricity.pace, electricity.edits, history)
    parts = [(ELECTRICITY, job.stretch.advance(history, READINGS_AT_ONCE))]
    if job.done:
        parts += [part for device in devices for part in _of_device(connection, device, job.settled)]
    return parts


def _of_device(connection: Connection, registers: Registers, marks: Marks) -> Iterator[Part]:
    """What the marks mean for a device: nothing, where it has no value."""
    history = SqlHistory(connection, registers)
    own = [mark for mark in marks if history.has(mark)]
    while own:
        stretch = Stretch.around(own, registers.pace, registers.edits, history)
        yield registers.equipment_id, stretch.advance(history, NEVER)
        own = own[stretch.settled :]


@define
class Rebuild:
    """All of a meter's ledger in a time, computed anew, set of registers by set of registers."""

    meter_id: int
    start: int
    end: int
    readings: int = field(default=0, init=False)
    """How many were taken, to tell how far it is."""
    version: int | None = field(default=None, init=False)
    _left: list[int] | None = field(default=None, init=False)
    """The equipment whose registers are still to do."""
    _from: int = field(init=False)
    _stretch: Stretch | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._from = self.start

    @property
    def done(self) -> bool:
        """Whether it is all written."""
        return self._left == []

    def compute(self, connection: Connection) -> list[Part]:
        """The next piece. Inside a read."""
        found = version(connection, self.meter_id)
        if self.version != found:
            # Another piece was written: what this walk remembers may be older.
            self._stretch = None
        self.version = found
        registers = {of.equipment_id: of for of in registers_of(connection, self.meter_id)}
        if self._left is None:
            self._left = list(registers)
        of = registers[self._left[0]]
        history = SqlHistory(connection, of)
        if self._stretch is None:
            self._stretch = Stretch.over(self._from, self.end, of.pace, of.edits, history)
        return [(of.equipment_id, self._stretch.advance(history, 2 * READINGS_AT_ONCE))]

    def written(self, parts: list[Part]) -> None:
        """The piece is stored."""
        assert self._left is not None and self._stretch is not None
        self._from = parts[-1][1].end
        self.readings += self._stretch.taken
        if self._stretch.done:
            self._left.pop(0)
            self._from, self._stretch = self.start, None


def write(
    connection: Connection,
    meter_id: int,
    seen: int,
    parts: Sequence[Part],
    settled: Marks,
    done: bool,
    now: int,
) -> bool:
    """Write pieces in place of what they replace; whether that was done. Inside a write.

    ``seen`` is the version of the ledger that they were computed from; it is one higher afterwards.
    When ``done``, the settled marks go with them.
    """
    connection.hold(meter_id)
    if version(connection, meter_id) != seen:
        return False
    gas_began = gas_since(connection, meter_id)
    spans = [span for equipment_id, piece in parts for span in _replace(connection, meter_id, equipment_id, piece)]
    if done:
        settle(connection, meter_id, settled)
        connection.execute("UPDATE thinned SET until = ?2 WHERE meter_id = ?1 AND until > ?2", (meter_id, min(settled)))
    closing = Closing(connection, meter_id, now)
    if gas_since(connection, meter_id) != gas_began:
        closing.forget_gas(gas_began)
    if done:
        # A row that waited for the last of these marks may lie in a piece that was written before.
        spans += [(mark, mark + QUARTER) for mark in settled]
    for start, end in _merged(spans):
        closing.derive(start, end, settled)
    for start, end in closing.touched:
        recount(connection, meter_id, start, end)
    connection.execute(
        "INSERT INTO ledger_state VALUES (?, ?) ON CONFLICT (meter_id) DO UPDATE SET version = excluded.version",
        (meter_id, seen + 1),
    )
    return True


def version(connection: Connection, meter_id: int) -> int:
    """How often a meter's ledger was written."""
    row = connection.execute("SELECT version FROM ledger_state WHERE meter_id = ?", (meter_id,)).fetchone()
    return 0 if row is None else int(row[0])


def portions(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The pieces, cut and gathered so that each portion can be written in one short transaction."""
    portion: list[Part] = []
    quarters = 0
    for equipment_id, piece in parts:
        for cut in _cut(piece):
            portion.append((equipment_id, cut))
            quarters += count(cut.told)
            if quarters >= QUARTERS_AT_ONCE:
                yield portion
                portion, quarters = [], 0
    if portion:
        yield portion


def _cut(piece: Piece) -> Iterator[Piece]:
    """The piece in several, none of them with too many quarters."""
    start, quarters = piece.start, each(piece.told)
    for left in range(count(piece.told), 0, -QUARTERS_AT_ONCE):
        some = list(islice(quarters, QUARTERS_AT_ONCE))
        end = piece.end if left <= QUARTERS_AT_ONCE else some[-1].end
        yield Piece(
            start,
            end,
            some,
            [epoch for epoch in piece.epochs if start <= epoch.at < end],
            [outlier for outlier in piece.outliers if start <= outlier.at < end],
        )
        start = end
    if not piece.told:
        yield piece


def _replace(connection: Connection, meter_id: int, equipment_id: int, piece: Piece) -> Iterator[tuple[int, int]]:
    """Write one piece; the time in which there were quarters before, or are now."""
    span = (meter_id, equipment_id, piece.start, piece.end)
    there = [quarter.start for quarter in each(piece.told)] + _edges(connection, *span)
    if there:
        yield min(there), max(there) + QUARTER
    for table in ("epoch", "outlier"):
        connection.execute(
            f"DELETE FROM {table} WHERE meter_id = ? AND equipment_id = ? AND instant >= ? AND instant < ?", span
        )
    for table, findings in (("epoch", piece.epochs), ("outlier", piece.outliers)):
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",
            [(meter_id, equipment_id, found.at, found.reading_id, found.reason) for found in findings],
        )
    (_replace_quarters if equipment_id == ELECTRICITY else _replace_device_quarters)(connection, span, piece)


def _replace_quarters(connection: Connection, span: tuple[int, int, int, int], piece: Piece) -> None:
    """Write the quarters of the electricity; ``span``: meter, equipment, start and end."""
    meter_id, _, start, end = span
    connection.execute(
        "DELETE FROM quarter WHERE meter_id = ? AND instant >= ? AND instant < ?", (meter_id, start, end)
    )
    connection.executemany(
        "INSERT INTO quarter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                meter_id,
                quarter.start,
                *quarter.amounts,
                *quarter.positions,
                quarter.lowest_power,
                quarter.highest_power,
                quarter.start_estimated,
                quarter.end_estimated,
                quarter.first_at,
                quarter.last_at,
            )
            for quarter in each(piece.told)
        ],
    )


def _replace_device_quarters(connection: Connection, span: tuple[int, int, int, int], piece: Piece) -> None:
    """Write the quarters of a device."""
    connection.execute(
        "DELETE FROM device_quarter WHERE meter_id = ? AND equipment_id = ? AND instant >= ? AND instant < ?", span
    )
    connection.executemany(
        "INSERT INTO device_quarter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *span[:2],
                quarter.start,
                quarter.amounts[0],
                quarter.positions[0],
                quarter.start_estimated,
                quarter.end_estimated,
                quarter.first_at,
                quarter.last_at,
            )
            for quarter in each(piece.told)
        ],
    )


def _edges(connection: Connection, meter_id: int, equipment_id: int, start: int, end: int) -> list[int]:
    """The first and the last quarter that are stored of a set of registers in a time."""
    table, whose = ("quarter", "?2 = 0") if equipment_id == ELECTRICITY else ("device_quarter", "equipment_id = ?2")
    rows = (
        connection.execute(
            f"SELECT instant FROM {table} WHERE meter_id = ?1 AND {whose} AND instant >= ?3 AND instant < ?4"
            f" ORDER BY instant {order} LIMIT 1",
            (meter_id, equipment_id, start, end),
        ).fetchone()
        for order in ("ASC", "DESC")
    )
    return [row[0] for row in rows if row is not None]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time in spans that do not touch, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged

"""Responsible for what a person decided over epochs, and for telling what the ledger found.

An edit and the mark of its quarter are one transaction, so whoever computes next sees both; what an edit may be is
said by ``dsmr_tw.domain.edits``.

Tests: ``tests/contracts/edits.py``
"""

from __future__ import annotations

from typing import Final

from dsmr_tw.domain.edits import Change, EpochEditor
from dsmr_tw.domain.ledger import FIRST
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.errors import EditRefused
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.history import SqlHistory, registers_of
from dsmr_tw.store.marks import mark
from dsmr_tw.stored import Findings, LedgerNote

SPLIT: Final = "split epochs"
JOIN: Final = "join epochs"

NEWEST: Final = """
    SELECT equipment_id, instant, reason FROM {table} WHERE meter_id = ?
    ORDER BY instant DESC, reading_id DESC LIMIT ?"""


def findings(connection: Connection, meter_id: int, limit: int) -> Findings:
    """See ``ILedger.findings``."""
    edits = connection.execute(
        "SELECT equipment_id, instant, kind FROM ledger_edit WHERE meter_id = ? AND kind IN (?, ?)"
        " ORDER BY instant, id",
        (meter_id, SPLIT, JOIN),
    )
    return Findings(
        *_newest(connection, "epoch", meter_id, limit),
        *_newest(connection, "outlier", meter_id, limit),
        [LedgerNote(*row) for row in edits],
    )


def split_epoch(connection: Connection, meter_id: int, equipment_id: int, instant: int, now: int) -> Change:
    """See ``ILedger.split_epoch``; inside a write."""
    change = _editor(connection, meter_id, equipment_id).split(instant)
    _store(connection, meter_id, equipment_id, change, (SPLIT, JOIN), now)
    return change


def join_epoch(connection: Connection, meter_id: int, equipment_id: int, at: int, now: int) -> Change:
    """See ``ILedger.join_epoch``; inside a write."""
    begun = connection.execute(
        "SELECT instant FROM epoch WHERE meter_id = ? AND equipment_id = ? AND reason <> ?",
        (meter_id, equipment_id, FIRST),
    ).fetchall()
    change = _editor(connection, meter_id, equipment_id).join(at, (instant for (instant,) in begun))
    _store(connection, meter_id, equipment_id, change, (JOIN, SPLIT), now)
    return change


def _newest(connection: Connection, table: str, meter_id: int, limit: int) -> tuple[list[LedgerNote], int]:
    """The newest findings of a kind, in order, and how many there are."""
    rows = connection.execute(NEWEST.format(table=table), (meter_id, limit)).fetchall()
    (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE meter_id = ?", (meter_id,)).fetchone()
    return [LedgerNote(*row) for row in reversed(rows)], count


def _editor(connection: Connection, meter_id: int, equipment_id: int) -> EpochEditor:
    row = connection.execute("SELECT zone FROM meter WHERE id = ?", (meter_id,)).fetchone()
    found = [of for of in registers_of(connection, meter_id) if of.equipment_id == equipment_id]
    if row is None or not found:
        raise EditRefused(f"There is no meter {meter_id} with equipment {equipment_id}.")
    [of] = found
    return EpochEditor(of.pace, of.edits, SqlHistory(connection, of), meter_zone(row[0]))


def _store(
    connection: Connection,
    meter_id: int,
    equipment_id: int,
    change: Change,
    kinds: tuple[str, str],
    now: int,
) -> None:
    """Write a change, and mark its quarter; ``kinds`` are those of what is kept and of what is undone."""
    kept, undone = kinds
    connection.executemany(
        "DELETE FROM ledger_edit WHERE meter_id = ? AND equipment_id = ? AND kind = ? AND instant = ?",
        [(meter_id, equipment_id, undone, instant) for instant in change.undone],
    )
    connection.executemany(
        "INSERT INTO ledger_edit (meter_id, equipment_id, kind, instant, made_at) VALUES (?, ?, ?, ?, ?)",
        [(meter_id, equipment_id, kept, instant, now) for instant in change.kept],
    )
    mark(connection, meter_id, [change.at - change.at % QUARTER])

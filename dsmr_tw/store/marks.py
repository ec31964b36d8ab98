"""Responsible for the marks of quarters that are to be computed again, and for who has seen which of them.

A mark is a row of ``dirty_quarter``: meter, quarter and a number.  It is written in the transaction of the readings
that it stands for.  Who computes notes the numbers first, then reads, and in the end deletes just what it noted: a mark
made meanwhile, of the same quarter too, has another number, and stays.

- Where several programs write at the same time, each mark gets a number of its own when it is made.
- SQLite, where one writes at a time, keeps one mark a quarter, with the number 0, which is a page less to write for
  most commits.  Who computes gives all marks that are there one new number, so that whoever had noted them before
  deletes nothing.

Tests: ``tests/store/test_ledger.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from dsmr_tw.domain.reading import YEAR_2000
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.store.connection import Connection

Marks: TypeAlias = Mapping[int, frozenset[int]]
"""Quarters in order, each with the numbers of the marks that were noted of it."""

NO_MARKS: Final[Marks] = {}

AT_ONCE: Final = 500
"""Quarters whose marks are noted in one transaction."""

MARK: Final = "INSERT INTO dirty_quarter (meter_id, instant) VALUES (?, ?) ON CONFLICT DO NOTHING"

EACH_QUARTER: Final = " UNION ALL ".join(f"SELECT CAST({number * QUARTER} AS BIGINT) AS after" for number in range(4))

MARK_ALL: Final = f"""
    INSERT INTO dirty_quarter (meter_id, instant)
    SELECT meter_id, instant + after FROM reading_count CROSS JOIN ({EACH_QUARTER}) AS quarters
    WHERE hours = 1 AND instant >= {YEAR_2000} AND {{whose}}
    UNION SELECT meter_id, instant - instant % {QUARTER} FROM device_reading
    WHERE instant >= {YEAR_2000} AND {{whose}}
    ON CONFLICT DO NOTHING"""


def mark(connection: Connection, meter_id: int, quarters: Iterable[int]) -> None:
    """Mark quarters of a meter; inside a write."""
    connection.executemany(MARK, [(meter_id, quarter) for quarter in quarters])


def mark_all(connection: Connection, meter_id: int | None = None) -> None:
    """Mark every quarter that may hold something, of one meter or of all; inside a write."""
    if meter_id is None:
        connection.execute(MARK_ALL.format(whose="TRUE"))
    else:
        connection.execute(MARK_ALL.format(whose="meter_id = ?1"), (meter_id,))


def note(connection: Connection, meter_id: int) -> Marks:
    """Note the oldest marks of a meter; inside a write. What is read afterwards is all that they stand for."""
    quarters = connection.execute(
        "SELECT DISTINCT instant FROM dirty_quarter WHERE meter_id = ? ORDER BY instant LIMIT ?", (meter_id, AT_ONCE)
    ).fetchall()
    if not quarters:
        return NO_MARKS
    ((first,), *_, (last,)) = (*quarters, *quarters[-1:])
    if not connection.insert_only:
        connection.execute(
            "UPDATE OR REPLACE dirty_quarter SET number ="
            " (SELECT 1 + max(number) FROM dirty_quarter WHERE meter_id = ?1) WHERE meter_id = ?1 AND instant <= ?2",
            (meter_id, last),
        )
    noted: dict[int, set[int]] = {}
    for quarter, number in _in(connection, meter_id, first, last + 1):
        noted.setdefault(quarter, set()).add(number)
    return {quarter: frozenset(numbers) for quarter, numbers in noted.items()}


def settle(connection: Connection, meter_id: int, settled: Marks) -> None:
    """Delete marks that were noted; inside a write."""
    connection.executemany(
        "DELETE FROM dirty_quarter WHERE meter_id = ? AND instant = ? AND number = ?",
        [(meter_id, quarter, number) for quarter, numbers in settled.items() for number in numbers],
    )


def unsettled(connection: Connection, meter_id: int, start: int, end: int, settled: Marks) -> list[int]:
    """The marked quarters in a time, in order, but for the marks that are being settled."""
    none: frozenset[int] = frozenset()
    return [
        quarter for quarter, number in _in(connection, meter_id, start, end) if number not in settled.get(quarter, none)
    ]


def _in(connection: Connection, meter_id: int, start: int, end: int) -> list[tuple[int, int]]:
    """The marks in a time: quarter and number."""
    return connection.execute(
        "SELECT instant, number FROM dirty_quarter WHERE meter_id = ? AND instant >= ? AND instant < ?"
        " ORDER BY instant",
        (meter_id, start, end),
    ).fetchall()

"""Responsible for the stored readings as the ledger takes them: set of registers by set of registers, in order.

A meter has one set of electricity registers, known here by the equipment id 0, and one of each M-Bus device.

Tests: ``tests/store/test_history.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from attrs import frozen

from dsmr_tw.domain.ledger import NEVER, Edits
from dsmr_tw.domain.pace import Pace, Row, device, electricity
from dsmr_tw.domain.reading import YEAR_2000
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.store.connection import Connection, Cursor
from dsmr_tw.store.pages import COUNTS

ELECTRICITY: Final = 0
"""The equipment id under which a meter's electricity stands in the tables of the ledger."""

MAX_POWER_W: Final = 60_000
"""Unless the operator says otherwise."""

FIRST_LIST: Final = 256
LONGEST_LIST: Final = 4096
"""Readings are fetched in lists that grow: most walks are short."""

OF_ELECTRICITY: Final = f"""
    SELECT instant, id, equipment_id, delivered_1, returned_1, delivered_2, returned_2, power
    FROM reading WHERE meter_id = ?1 AND instant > ?2 AND instant < ?3 AND ?4 = {ELECTRICITY} AND {COUNTS}"""

OF_DEVICE: Final = f"""
    SELECT instant, id, NULL, value, 0, 0, 0, NULL
    FROM device_reading WHERE meter_id = ?1 AND instant > ?2 AND instant < ?3 AND equipment_id = ?4 AND {COUNTS}"""


@frozen
class Registers:
    """One set of registers: a meter's electricity, or a device of it."""

    meter_id: int
    equipment_id: int
    """``ELECTRICITY``, or the device's."""
    device_type: int
    pace: Pace
    edits: Edits

    @property
    def is_electricity(self) -> bool:
        """Whether it is the meter's own."""
        return self.equipment_id == ELECTRICITY


def registers_of(connection: Connection, meter_id: int) -> list[Registers]:
    """All registers of a meter, its electricity first."""
    max_power_w = max_power(connection)
    edits: dict[int, tuple[list[int], list[int]]] = {}
    for equipment_id, kind, instant in connection.execute(
        "SELECT equipment_id, kind, instant FROM ledger_edit"
        " WHERE meter_id = ? AND kind IN ('join epochs', 'split epochs') ORDER BY instant",
        (meter_id,),
    ):
        edits.setdefault(equipment_id, ([], []))[kind == "join epochs"].append(instant)
    devices = connection.execute(
        "SELECT id, device_type FROM equipment WHERE meter_id = ? AND device_type <> 0 ORDER BY id", (meter_id,)
    )
    found = [(ELECTRICITY, 0, electricity(max_power_w))]
    found += [(equipment_id, kind, device(kind, max_power_w)) for equipment_id, kind in devices]
    registers = []
    for equipment_id, kind, pace in found:
        splits, joins = edits.get(equipment_id, ((), ()))
        registers.append(Registers(meter_id, equipment_id, kind, pace, Edits(tuple(splits), frozenset(joins))))
    return registers


def max_power(connection: Connection) -> int:
    """How much power a connection can carry, in W."""
    row = connection.execute("SELECT value FROM ledger_setting WHERE name = 'max_power_w'").fetchone()
    return MAX_POWER_W if row is None else int(row[0])


@frozen
class SqlHistory:
    """See ``dsmr_tw.domain.work.History``."""

    connection: Connection
    registers: Registers
    until: int = NEVER
    """Readings from here on are left out."""

    def before(self, instant: int) -> Iterator[Row]:
        """See ``History``."""
        last_at = None
        order = "instant DESC, id DESC" if self.registers.is_electricity else "instant DESC, id"
        for row in self._rows(YEAR_2000 - 1, min(instant, self.until), order):
            if row[0] != last_at:
                last_at = row[0]
                yield row

    def after(self, instant: int) -> Iterator[list[Row]]:
        """See ``History``."""
        cursor = self._rows(max(instant, YEAR_2000 - 1), self.until, "instant, id")
        number, held, more = FIRST_LIST, list[Row](), True
        while more:
            fetched: list[Row] = cursor.fetchmany(number)
            rows, more = self._one_an_instant(held + fetched), len(fetched) == number
            # The last instant is held back where the next list may have more of it.
            held = [rows.pop()] if more else []
            if rows:
                yield rows
            number = min(number * 2, LONGEST_LIST)

    def first_at(self) -> int | None:
        """When the first reading of all was, which is always accepted; ``None``: there is none."""
        row = self._first(YEAR_2000 - 1, self.until)
        return None if row is None else row[0]

    def has(self, quarter: int) -> bool:
        """Whether a quarter holds a reading."""
        return self._first(quarter - 1, quarter + QUARTER) is not None

    def _one_an_instant(self, rows: list[Row]) -> list[Row]:
        if self.registers.is_electricity:
            return [row for row, following in pairwise(rows) if row[0] != following[0]] + rows[-1:]
        return rows[:1] + [row for before, row in pairwise(rows) if row[0] != before[0]]

    def _first(self, after: int, before: int) -> Row | None:
        sql, parameters = self._select(after, before)
        row: Row | None = self.connection.execute(f"{sql} ORDER BY instant LIMIT 1", parameters).fetchone()
        return row

    def _rows(self, after: int, before: int, order: str) -> Cursor:
        sql, parameters = self._select(after, before)
        return self.connection.stream(f"{sql} ORDER BY {order}", parameters)

    def _select(self, after: int, before: int) -> tuple[str, tuple[int, ...]]:
        of = self.registers
        return OF_ELECTRICITY if of.is_electricity else OF_DEVICE, (of.meter_id, after, before, of.equipment_id)

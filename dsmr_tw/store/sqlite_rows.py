"""Responsible for the rows of a SQLite file on their way to another database, and from there.

Tests: ``tests/store/test_copying.py``
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from dsmr_tw.domain.power import apart, together
from dsmr_tw.errors import StoreRefused
from dsmr_tw.store.connection import Connection, Row
from dsmr_tw.store.copied_tables import Key, Table
from dsmr_tw.store.phases import AS_TEXT, as_bytes, pack_power


@frozen
class SqliteRows:
    """See ``dsmr_tw.store.copied_tables.Rows``."""

    def tables(self, connection: Connection) -> set[str]:
        """See ``Rows``."""
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def columns(self, connection: Connection, table: str) -> list[str]:
        """See ``Rows``."""
        return sorted(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))

    def page(self, connection: Connection, table: Table, after: Key | None, number: int) -> list[Row]:
        """See ``Rows``."""
        columns = self.columns(connection, table.name)
        key = ", ".join(table.key)
        behind = "" if after is None else f"WHERE ({key}) > ({', '.join('?' * len(table.key))})"
        rows = connection.execute(
            f"SELECT {', '.join(columns)} FROM {table.name} {behind} ORDER BY {key} LIMIT {number}", after or ()
        ).fetchall()
        return [_plain(columns, row) for row in rows] if table.name == "reading" else rows

    def put(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        """See ``Rows``."""
        columns = self.columns(connection, table.name)
        if table.name == "reading":
            rows = [_own(columns, row) for row in rows]
        places = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places})", rows)

    def counters(self, connection: Connection) -> dict[str, int]:
        """See ``Rows``."""
        given = dict(connection.execute("SELECT name, last_id FROM counter"))
        given |= dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
        for name, column in (("equipment", "id"), ("ledger_edit", "id"), ("dirty_quarter", "number")):
            (given[name],) = connection.execute(f"SELECT coalesce(max({column}), 0) FROM {name}").fetchone()
        return {"api_key": 0, "contract": 0, **given}

    def count_from(self, connection: Connection, counters: dict[str, int]) -> None:
        """See ``Rows``. Of what it counts nowhere the next id is the highest one that is there, and one more."""
        for name in ("reading", "device_reading"):
            connection.execute("UPDATE counter SET last_id = ? WHERE name = ?", (counters[name], name))
        for name in ("api_key", "contract"):
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            if counters[name]:
                connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, counters[name]))

    def is_used(self, connection: Connection) -> bool:
        """See ``Rows``. A file does not know; whoever copies holds the lock of the server."""
        return False


def _plain(columns: list[str], row: Row) -> Row:
    """A reading as it travels. Raises ``StoreRefused`` when its power fits no number."""
    values: dict[str, Any] = dict(zip(columns, row, strict=True))
    if isinstance(values["power"], str):
        try:
            values["power"] = together(*apart(values["power"]))
        except ValueError as error:
            raise StoreRefused(f"Reading {values['id']} of meter {values['meter_id']}: {error}.") from error
    values["phases"] = as_bytes(values["phases"])
    return tuple(values.values())


def _own(columns: list[str], row: Row) -> Row:
    """A reading as SQLite has it."""
    values: dict[str, Any] = dict(zip(columns, row, strict=True))
    values["power"] = pack_power(*apart(values["power"]))
    phases = values["phases"]
    if phases is not None and phases.startswith(AS_TEXT):
        values["phases"] = phases[len(AS_TEXT) :].decode("ascii")
    return tuple(values.values())

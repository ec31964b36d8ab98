"""Responsible for the rows of a PostgreSQL database on their way to another one, and from there.

Rows arrive as JSON, one parameter for some thousands of them.

Tests: ``tests/store/test_copying.py``
"""

from __future__ import annotations

import json
from typing import Any, Final

from attrs import frozen

from dsmr_tw.store.connection import Connection, Row
from dsmr_tw.store.copied_tables import Key, Table

SEQUENCES: Final = {"reading": "reading_id", "device_reading": "device_reading_id", "dirty_quarter": "mark_number"}
OWN_SEQUENCES: Final = ("api_key", "contract", "equipment", "ledger_edit")
"""Tables whose column ``id`` counts by itself."""

BY_INDEX: Final = "; ".join(f"SET LOCAL enable_{way} = off" for way in ("sort", "seqscan", "bitmapscan"))
"""Tables that are being filled have no statistics yet, and the server would rather sort all of one for each page."""


@frozen
class PostgresRows:
    """See ``dsmr_tw.store.copied_tables.Rows``."""

    application: str
    """How connections of the house are named."""

    def tables(self, connection: Connection) -> set[str]:
        """See ``Rows``."""
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {name for (name,) in found}

    def columns(self, connection: Connection, table: str) -> list[str]:
        """See ``Rows``."""
        return list(_types(connection, table))

    def page(self, connection: Connection, table: Table, after: Key | None, number: int) -> list[Row]:
        """See ``Rows``. Texts are put in the order of their bytes, as SQLite does."""
        types = _types(connection, table.name)
        key = ", ".join(f'{name} COLLATE "C"' if types[name] == "text" else name for name in table.key)
        behind = "" if after is None else f"WHERE ({key}) > ({', '.join('?' * len(table.key))})"
        connection.execute(BY_INDEX)
        return connection.execute(
            f"SELECT {', '.join(types)} FROM {table.name} {behind} ORDER BY {key} LIMIT {number}", after or ()
        ).fetchall()

    def put(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        """See ``Rows``."""
        types = _types(connection, table.name)
        short = [f"c{number}" for number in range(len(types))]
        given = [dict(zip(short, row, strict=True)) for row in rows]
        declared = ", ".join(
            f"{name} {'text' if kind == 'bytea' else kind}" for name, kind in zip(short, types.values(), strict=True)
        )
        taken = ", ".join(
            f"decode({name}, 'hex')" if kind == "bytea" else name
            for name, kind in zip(short, types.values(), strict=True)
        )
        connection.execute(
            f"INSERT INTO {table.name} ({', '.join(types)}) SELECT {taken} FROM json_to_recordset(?) AS g ({declared})",
            (json.dumps(given, default=bytes.hex, separators=(",", ":")),),
        )

    def counters(self, connection: Connection) -> dict[str, int]:
        """See ``Rows``."""
        given = {}
        for name, sequence in _sequences(connection).items():
            (given[name],) = connection.execute(
                f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}"
            ).fetchone()
        return given

    def count_from(self, connection: Connection, counters: dict[str, int]) -> None:
        """See ``Rows``. Others also read again what they remember."""
        for name, sequence in _sequences(connection).items():
            connection.execute("SELECT setval(?, ?, false)", (sequence, counters[name] + 1))
        connection.hold_all()

    def is_used(self, connection: Connection) -> bool:
        """See ``Rows``."""
        (others,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name = ?",
            (self.application,),
        ).fetchone()
        return bool(others)


def _types(connection: Connection, table: str) -> dict[str, Any]:
    """The columns of a table in the order of their names, each with its type; not those that are computed."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = CAST(? AS regclass)"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        (table,),
    )
    return dict(sorted(found))


def _sequences(connection: Connection) -> dict[str, str]:
    """What is counted, and the sequence that does."""
    own = {
        table: connection.execute("SELECT pg_get_serial_sequence(?, 'id')", (table,)).fetchone()[0]
        for table in OWN_SEQUENCES
    }
    return {**SEQUENCES, **own}

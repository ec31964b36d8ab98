"""Responsible for which tables of a store are copied to another database, in which order, and which are not.

Every table of both schemas stands here.  The columns do not: a database is asked for those.

Tests: ``tests/store/test_copying.py``
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

from attrs import frozen

from dsmr_tw.store.connection import Connection, Row

Key: TypeAlias = list[Any]
"""The values of a table's key columns in one row."""


@frozen
class Table:
    """A table that is copied."""

    name: str
    key: tuple[str, ...]
    """The columns by which its rows are put in order, in both databases the same; no two rows agree in all."""


TABLES: Final = tuple(
    Table(name, tuple(key.split()))
    for name, key in (
        ("meter", "id"),
        ("equipment", "id"),
        ("origin", "name"),
        ("api_key", "id"),
        ("contract", "id"),
        ("price", "meter_id commodity instant"),
        ("temperature", "instant"),
        ("ledger_edit", "id"),
        ("ledger_setting", "name"),
        ("ledger_state", "meter_id"),
        ("meter_statistics", "meter_id"),
        ("thinned", "meter_id"),
        ("peak", "meter_id instant"),
        ("event", "meter_id instant kind"),
        ("reading", "meter_id instant id"),
        ("reading_count", "meter_id hours instant"),
        ("device_reading", "meter_id equipment_id instant id"),
        ("device_reading_count", "meter_id device_type instant"),
        ("equipment_reading_count", "meter_id equipment_id instant"),
        ("dirty_quarter", "meter_id instant number"),
        ("quarter", "meter_id instant"),
        ("device_quarter", "meter_id equipment_id instant"),
        ("epoch", "meter_id equipment_id instant reading_id"),
        ("outlier", "meter_id equipment_id instant reading_id"),
        ("hour_statistics", "meter_id instant"),
        ("day_statistics", "meter_id instant"),
        ("row_count", "meter_id minutes instant"),
    )
)

NOT_COPIED: Final = {
    "counter": "the other database counts ids in another way: see Rows.counters",
    "sqlite_sequence": "the same",
    "changed": "it is counted up, so that whoever remembers something reads it again",
    "schema_number": "each database has a schema of its own",
}
"""Tables that are not copied, and why."""

FRESH: Final = {"meter": 1, "api_key": 1, "ledger_setting": 1}
"""How many rows a store has in which nobody has done anything yet, at most."""


class Rows(Protocol):
    """How one kind of database gives and takes rows, and where its counters of ids stand.

    Rows travel in the form that PostgreSQL has: the power of a reading is one number, its phases are bytes.
    """

    def tables(self, connection: Connection) -> set[str]:
        """The tables that the database has."""

    def columns(self, connection: Connection, table: str) -> list[str]:
        """The columns of a table, in the order of their names, but for those that the database fills by itself."""

    def page(self, connection: Connection, table: Table, after: Key | None, number: int) -> list[Row]:
        """So many rows behind a key, or from the first one on, in the order of keys."""

    def put(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        """Write rows that are not there yet; inside a write."""

    def counters(self, connection: Connection) -> dict[str, int]:
        """The last id that was given out of each kind."""

    def count_from(self, connection: Connection, counters: dict[str, int]) -> None:
        """Give out higher ids than these from now on; inside a write."""

    def is_used(self, connection: Connection) -> bool:
        """Whether other programs of the house are connected, as far as the database can tell."""

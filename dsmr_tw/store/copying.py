"""Responsible for copying all that a store holds to another, empty one, and for comparing the two.

Rows go in the order of their keys, some thousands in a transaction, which also notes how far it came: in a small table
of the target, ``copying``, that is there until all is copied and compared.  Who was interrupted begins again, and goes
on from there.  The comparison takes every value of every row.

Nobody else may write to either store meanwhile: the caller sees to that.

Tests: ``tests/store/test_copying.py``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from attrs import define, field, frozen

from dsmr_tw.errors import StoreRefused
from dsmr_tw.store.connection import Connection, Database, Row
from dsmr_tw.store.copied_tables import FRESH, TABLES, Key, Rows, Table
from dsmr_tw.store.threads import result_of

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = 5_000
"""Rows in a transaction."""

COPYING: Final = "copying"
"""The table in the target: how far the copy of each table is; under ``FROM``, what is copied."""

FROM: Final = "from"

Told = Callable[[int, int], None]
"""Called with how much of the work is done, and how much it is."""


@frozen
class Side:
    """One of the two stores. What is asked of it is done when the call returns."""

    name: str
    """What people call it; no password."""
    database: Database
    rows: Rows

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function(connection, ...)`` finds, on one unchanging state."""
        return result_of(self.database.read(function, *args, **kwargs))

    def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function(connection, ...)`` gives, committed."""
        return result_of(self.database.write(function, *args, **kwargs))


@frozen
class Difference:
    """The first row of a table in which the two stores differ."""

    table: str
    meter_id: int | None
    """Whose it is, where the table says so."""
    key: tuple[Any, ...]

    def __str__(self) -> str:
        """In words."""
        whose = "" if self.meter_id is None else f" of meter {self.meter_id}"
        return f"{self.table}{whose}, at {', '.join(map(str, self.key))}"


@define
class Copying:
    """The copy of one store in another."""

    source: Side
    target: Side
    at_once: int = AT_ONCE
    _counters: dict[str, int] = field(factory=dict, init=False)
    _columns: dict[str, list[str]] = field(factory=dict, init=False)
    _lengths: dict[str, int] = field(factory=dict, init=False)
    _done: int = field(default=0, init=False)

    def begin(self) -> bool:
        """Take the target; whether an interrupted copy goes on.

        Raises: ``StoreRefused`` when it holds something else.
        """
        for side in (self.source, self.target):
            # By the connection that opened the store: so far it is the only one of ours.
            if side.write(side.rows.is_used):
                raise StoreRefused(f"Other programs are connected to {side.name}. Stop the server, and run this again.")
        self.source.read(self._look)
        origin = json.dumps([self.source.name, self._counters], sort_keys=True)
        return self.target.write(self._take, origin)

    def copy(self, told: Told) -> None:
        """Copy what is not copied yet."""
        for table in TABLES:
            after, before = self.target.read(_reached, table.name)
            self._advance(table, before, told)
            while rows := self.source.read(self.source.rows.page, table, after, self.at_once):
                after = self._key(table, rows[-1])
                before += len(rows)
                self.target.write(self._put, table, rows, (after, before))
                self._advance(table, len(rows), told)
        self.target.write(self.target.rows.count_from, self._counters)

    def compare(self, told: Told) -> list[Difference]:
        """Compare all rows of both; the first of each table that differ."""
        found = (self._compare(table, told) for table in TABLES)
        return [difference for difference in found if difference is not None]

    def finish(self) -> int:
        """Give the target free; how many rows it has got."""
        self.target.write(lambda connection: connection.execute(f"DROP TABLE {COPYING}"))
        return sum(self._lengths.values())

    def _look(self, connection: Connection) -> None:
        rows = self.source.rows
        if COPYING in rows.tables(connection):
            raise StoreRefused(f"{self.source.name} is itself a copy that is not finished.")
        connection.take_long()
        self._counters = rows.counters(connection)
        self._columns = {table.name: rows.columns(connection, table.name) for table in TABLES}
        self._lengths = {table.name: _length(connection, table) for table in TABLES}

    def _take(self, connection: Connection, origin: str) -> bool:
        name = self.target.name
        if COPYING in self.target.rows.tables(connection):
            (begun,) = connection.execute(f"SELECT told FROM {COPYING} WHERE name = ?", (FROM,)).fetchone()
            if begun != origin:
                raise StoreRefused(
                    f"{name} holds an unfinished copy of {json.loads(begun)[0]}, or of what that was then. "
                    f"Remove it, and run this again."
                )
            # Whatever opened it since may have put in what every store begins with.
            for table in TABLES:
                if _reached(connection, table.name)[0] is None:
                    connection.execute(f"DELETE FROM {table.name}")
            return True
        connection.take_long()
        held = [table.name for table in TABLES if _length(connection, table) > FRESH.get(table.name, 0)]
        if held:
            raise StoreRefused(f"{name} is not empty: it has rows of {', '.join(held)}. Name a new one.")
        for table in TABLES:
            connection.execute(f"DELETE FROM {table.name}")
        connection.execute(f"CREATE TABLE {COPYING} (name TEXT PRIMARY KEY, told TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {COPYING} VALUES (?, ?)", (FROM, origin))
        return False

    def _put(self, connection: Connection, table: Table, rows: list[Row], reached: tuple[Key, int]) -> None:
        self.target.rows.put(connection, table, rows)
        connection.execute(f"DELETE FROM {COPYING} WHERE name = ?", (table.name,))
        connection.execute(f"INSERT INTO {COPYING} VALUES (?, ?)", (table.name, json.dumps(reached)))

    def _compare(self, table: Table, told: Told) -> Difference | None:
        for here, there in zip_longest(self._pages(self.source, table), self._pages(self.target, table), fillvalue=()):
            self._advance(table, len(here), told)
            if here != there:
                return self._difference(table, list(here), list(there))
        return None

    def _difference(self, table: Table, here: list[Row], there: list[Row]) -> Difference:
        """The first pair of rows that differ, by the key that comes first."""
        pairs = zip_longest(here, there)
        differing = next(pair for pair in pairs if pair[0] != pair[1])
        key = min(self._key(table, row) for row in differing if row is not None)
        meter_id = key[table.key.index("meter_id")] if "meter_id" in table.key else None
        return Difference(table.name, meter_id, tuple(key))

    def _pages(self, side: Side, table: Table) -> Iterator[list[Row]]:
        after: Key | None = None
        while rows := side.read(side.rows.page, table, after, self.at_once):
            yield rows
            after = self._key(table, rows[-1])

    def _key(self, table: Table, row: Row) -> Key:
        columns = self._columns[table.name]
        return [row[columns.index(name)] for name in table.key]

    def _advance(self, table: Table, rows: int, told: Told) -> None:
        """Tell of rows that were copied or compared; wide ones take longer."""
        self._done += rows * self._weight(table)
        told(self._done, 2 * sum(self._lengths[other.name] * self._weight(other) for other in TABLES))

    def _weight(self, table: Table) -> int:
        return 4 + len(self._columns[table.name])


def unfinished(name: str) -> StoreRefused:
    """Why nobody but who goes on with a copy opens it."""
    return StoreRefused(f"{name} is a copy that is not finished: run dsmr migrate-store again, or remove it.")


def _reached(connection: Connection, table: str) -> tuple[Key | None, int]:
    """The last key of a table that was copied, and how many rows were."""
    found = connection.execute(f"SELECT told FROM {COPYING} WHERE name = ?", (table,)).fetchone()
    if found is None:
        return None, 0
    after, rows = json.loads(found[0])
    return after, rows


def _length(connection: Connection, table: Table) -> int:
    (length,) = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()
    return int(length)

"""Responsible for bringing a database's schema up to this program's: numbered files, forward only.

Each file is applied in a transaction of its own, together with the number it brings the schema to.
A database that holds something is copied first, beside itself; one from a newer program is refused in words.

Tests: ``tests/store/test_migrate.py``
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

from attrs import frozen

from dsmr_tw.errors import StoreRefused
from dsmr_tw.lasting import put_into_place
from dsmr_tw.store.connection import Connection

MIGRATING: Final = 0x44_53_4D_04
"""The lock of who changes a schema."""


@frozen
class Migration:
    """One numbered file."""

    number: int
    """The schema's number after it."""
    name: str
    sql: str


def migrations(dialect: str) -> list[Migration]:
    """The files of one dialect, in order; their names begin with four digits."""
    folder = files("dsmr_tw.store").joinpath("sql", dialect)
    found = (file for file in folder.iterdir() if file.name.endswith(".sql"))
    return sorted(
        (Migration(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in found),
        key=lambda migration: migration.number,
    )


def migrate_sqlite(connection: sqlite3.Connection, path: Path, steps: Sequence[Migration]) -> Path | None:
    """Bring the database at ``path`` to the last step; returns the backup that was made before, if one was needed.

    Raises: ``StoreRefused`` when the schema is newer than the last step.
    """
    number = _number(connection)
    newest = steps[-1].number
    if number > newest:
        raise StoreRefused(
            f"{path} was written by a newer dsmr_tw: its schema is number {number}, this program knows {newest}. "
            f"Install the newer program again, or restore the backup that lies beside the database."
        )
    backup = None
    if 0 < number < newest:
        backup = _back_up(connection, path, number)
    for step in steps:
        if step.number > number:
            _apply(connection, step)
    return backup


def migrate_postgres(connection: Connection, steps: Sequence[Migration]) -> None:
    """Bring a PostgreSQL database to the last step, inside the transaction of its caller.

    Programs that start at the same time wait for each other.
    Raises: ``StoreRefused`` when the schema is newer than the last step.
    """
    connection.execute("SELECT pg_advisory_xact_lock(?, 0)", (MIGRATING,))
    connection.execute("CREATE TABLE IF NOT EXISTS schema_number (number integer PRIMARY KEY)")
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM schema_number").fetchone()
    newest = steps[-1].number
    if number > newest:
        raise StoreRefused(
            f"The PostgreSQL database was written by a newer dsmr_tw: its schema is number {number}, this program "
            f"knows {newest}. Install the newer program again, or restore a dump that was made before."
        )
    for step in steps:
        if step.number > number:
            connection.execute(step.sql)
            connection.execute("INSERT INTO schema_number VALUES (?)", (step.number,))


def _number(connection: sqlite3.Connection) -> int:
    """The number of the database's schema; 0 for one that holds nothing."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def _back_up(connection: sqlite3.Connection, path: Path, number: int) -> Path:
    """Copy the database beside itself; the copy gets its name only when it is whole."""
    backup = path.with_name(f"{path.name}.schema-{number}.backup")
    unfinished = backup.with_name(backup.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as target:
        connection.backup(target)
    put_into_place(unfinished, backup)
    return backup


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    """Apply one step whole, or not at all."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{step.sql}\nPRAGMA user_version = {step.number};\nCOMMIT;")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if _number(connection) < step.number:
            raise
        # Another program, started in the same moment, was first.

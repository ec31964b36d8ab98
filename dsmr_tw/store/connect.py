"""Responsible for making the store that a database's name asks for.

Tests: ``tests/store/test_connect.py``
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dsmr_tw.store.accounts import own_meter_of
from dsmr_tw.store.connection import Runner
from dsmr_tw.store.sqlite import SqliteReadings, SqliteStore
from dsmr_tw.store.sqlite_database import SqliteDatabase

if TYPE_CHECKING:
    from dsmr_tw.store.postgres_store import Commit, PostgresStore


def sqlite_store(path: Path, zone: str, write_runner: Runner, read_runner: Runner) -> SqliteStore:
    """A store in the SQLite file ``path``; new meters hang in ``zone``."""
    database = SqliteDatabase(path, write_runner, read_runner)
    readings = SqliteReadings(database, zone)
    return SqliteStore(database=database, readings=readings, own_meter=readings.own_meter)


def postgres_store(
    url: str, zone: str, write_runner: Runner, read_runner: Runner, commit: Commit | None = None
) -> PostgresStore:
    """A store on the PostgreSQL server that ``url`` leads to; readings are committed by ``commit``, else by a writer.

    Raises: ``SettingsError`` when the URL is none.
    """
    # Imported here and not above: most houses have no server, and some machines not even its library.
    from dsmr_tw.store.postgres import dsn
    from dsmr_tw.store.postgres_database import PostgresDatabase
    from dsmr_tw.store.postgres_store import PostgresReadings, PostgresStore

    database = PostgresDatabase(dsn(url, "dsmr_tw"), write_runner, read_runner)
    readings = PostgresReadings(database, zone, commit or database.commit, secrets.token_hex(8))
    return PostgresStore(database=database, readings=readings, own_meter=own_meter_of)

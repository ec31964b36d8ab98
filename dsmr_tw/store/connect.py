"""Responsible for making the store that a database's name asks for.

Tests: ``tests/store/test_connect.py``
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReactorTime

from dsmr_tw.store.accounts import own_meter_of
from dsmr_tw.store.connection import Runner
from dsmr_tw.store.sqlite import SqliteReadings, SqliteStore
from dsmr_tw.store.sqlite_backup import SqliteOriginal
from dsmr_tw.store.sqlite_database import SqliteDatabase

if TYPE_CHECKING:
    from dsmr_tw.store.postgres_backup import PostgresOriginal
    from dsmr_tw.store.postgres_served import ServedPostgresStore
    from dsmr_tw.store.postgres_store import PostgresStore

APPLICATION: Final = "dsmr_tw"
"""How our connections are named in the lists of a PostgreSQL server."""


def sqlite_store(path: Path, zone: str, write_runner: Runner, read_runner: Runner) -> SqliteStore:
    """A store in the SQLite file ``path``; new meters hang in ``zone``."""
    database = SqliteDatabase(path, write_runner, read_runner)
    readings = SqliteReadings(database, zone)
    return SqliteStore(database=database, readings=readings, own_meter=readings.own_meter)


def postgres_store(url: str, zone: str, write_runner: Runner, read_runner: Runner) -> PostgresStore:
    """A store on the PostgreSQL server that ``url`` leads to, for a command: it needs no reactor.

    Raises: ``SettingsError`` when the URL is none.
    """
    # Imported here and not above: most houses have no server, and some machines not even its library.
    from dsmr_tw.store.postgres import dsn
    from dsmr_tw.store.postgres_database import PostgresDatabase
    from dsmr_tw.store.postgres_store import PostgresReadings, PostgresStore

    database = PostgresDatabase(dsn(url, APPLICATION), write_runner, read_runner)
    readings = PostgresReadings(database, zone, database.commit, secrets.token_hex(8))
    return PostgresStore(database=database, readings=readings, own_meter=own_meter_of)


def store_at(
    url: str | None, path: Path, zone: str, write_runner: Runner, read_runner: Runner
) -> SqliteStore | PostgresStore:
    """The store that ``url`` leads to, if it is given, else the one in the file ``path``; it needs no reactor."""
    if url is None:
        return sqlite_store(path, zone, write_runner, read_runner)
    return postgres_store(url, zone, write_runner, read_runner)


def original_at(url: str | None, path: Path, environment: Mapping[str, str]) -> SqliteOriginal | PostgresOriginal:
    """The same database, as one that backups are made of; ``environment`` is for the programs that make them.

    Raises: ``SettingsError`` when the URL is none.
    """
    if url is None:
        return SqliteOriginal(path)
    from dsmr_tw.store.postgres import dsn
    from dsmr_tw.store.postgres_backup import PostgresOriginal

    return PostgresOriginal(dsn(url, f"{APPLICATION} backup"), environment)


def served_postgres_store(
    url: str, zone: str, reactor: Any, clock: IReactorTime, write_runner: Runner, read_runner: Runner
) -> ServedPostgresStore:
    """The same for a server, which commits readings on its reactor.

    Raises: ``SettingsError`` when the URL is none.
    """
    from dsmr_tw.store.postgres import dsn
    from dsmr_tw.store.postgres_database import PostgresDatabase
    from dsmr_tw.store.postgres_ear import Ear
    from dsmr_tw.store.postgres_served import CHANNELS, ServedPostgresStore
    from dsmr_tw.store.postgres_store import PostgresReadings
    from dsmr_tw.store.postgres_wire import Wire

    place = dsn(url, APPLICATION)
    database = PostgresDatabase(place, write_runner, read_runner)
    wire = Wire(place, reactor, clock)
    readings = PostgresReadings(database, zone, wire.transaction, secrets.token_hex(8))
    make_ear = partial(Ear, place, reactor, clock, CHANNELS)
    return ServedPostgresStore(
        database=database, readings=readings, own_meter=own_meter_of, wire=wire, make_ear=make_ear
    )

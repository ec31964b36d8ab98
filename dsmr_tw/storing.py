"""Responsible for the store that the settings name: its place is taken, its schema brought up to date, and it is made.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.config import Settings
from dsmr_tw.errors import SettingsError, StoreUnavailable
from dsmr_tw.interfaces import IStore
from dsmr_tw.known import Known
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import served_postgres_store, sqlite_store, store_at
from dsmr_tw.store.threads import Threads, result_of

_log = Logger()


def server_store(settings: Settings, reactor: Any, clock: IReactorTime, writer: Threads, readers: Threads) -> IStore:
    """The store of the service."""
    if settings.database_url is None:
        return sqlite_store(settings.database_path, settings.zone, writer, readers)
    return served_postgres_store(settings.database_url, settings.zone, reactor, clock, writer, readers)


def prepare(settings: Settings, state: StateDir, known: Known) -> None:
    """Take the state directory and bring the database up to date, while a failure is still one sentence.

    A database on a server may be away; what is known of its keys and meters is from the last time, then.
    """
    state.prepare()
    state.lock()
    known.load()
    if settings.database_url is None:
        path = settings.database_path
        if path.parent.resolve() != state.path.resolve():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(f"--database: {path.parent} can't be made: {error.strerror}.") from error
            state.lock(path.with_name(f"{path.name}.lock"))
    # Its connection must not live through the fork of a daemon.
    store = store_at(settings.database_url, settings.database_path, settings.zone, maybeDeferred, maybeDeferred)
    try:
        result_of(store.open())
        known.keep_meters(result_of(store.meters.directory()))
        known.keep_keys(result_of(store.keys.all()))
    except StoreUnavailable as error:
        if settings.database_url is None:
            raise
        _log.warn("the database is away, telegrams are kept in the spool: {error}", error=str(error))
    finally:
        result_of(store.close())

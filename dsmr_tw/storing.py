"""Responsible for where a server keeps things: the store that the settings name, brought up to date, and backups.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.backupfiles import BackupDirectory
from dsmr_tw.config import Settings
from dsmr_tw.errors import DiskFull, SettingsError, StoreUnavailable
from dsmr_tw.interfaces import IStore
from dsmr_tw.known import Known
from dsmr_tw.lasting import make_directory
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import original_at, served_postgres_store, sqlite_store, store_at
from dsmr_tw.store.threads import Threads, result_of

_log = Logger()


def server_store(settings: Settings, reactor: Any, clock: IReactorTime, writer: Threads, readers: Threads) -> IStore:
    """The store of the service."""
    if settings.database_url is None:
        return sqlite_store(settings.database_path, settings.zone, writer, readers)
    return served_postgres_store(settings.database_url, settings.zone, reactor, clock, writer, readers)


def server_backups(settings: Settings, reactor: Any) -> BackupDirectory | None:
    """The backups that the service makes, if it shall."""
    if settings.backup_daily is None:
        return None
    # A thread of its own: neither what writes nor what reads waits for it.
    thread = Threads(reactor, 1, "backup")
    original = original_at(settings.database_url, settings.database_path, os.environ)
    return BackupDirectory(original, settings.backup_daily, settings.keep, thread, thread.stop)


def prepare(settings: Settings, state: StateDir, known: Known) -> None:
    """Take the state directory and bring the database up to date, while a failure is still one sentence.

    A database on a server may be away, and the disk of a file be full; what is known of its keys and meters is from
    the last time, then.
    """
    state.prepare()
    state.lock()
    known.load()
    if settings.database_url is None:
        path = settings.database_path
        if path.parent.resolve() != state.path.resolve():
            try:
                make_directory(path.parent)
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
        # A file that can't be used is a mistake of who named it, but that its disk is full is none.
        if settings.database_url is None and not isinstance(error, DiskFull):
            raise
        _log.warn("the database is away, telegrams are kept in the spool: {error}", error=str(error))
    finally:
        result_of(store.close())

"""Responsible for making the store that the settings name.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from dsmr_tw.store.connection import Runner
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.store.sqlite_database import SqliteDatabase

T = TypeVar("T")


def sqlite_store(path: Path, zone: str, write_runner: Runner, read_runner: Runner) -> SqliteStore:
    """A store in the SQLite file ``path``; new meters hang in ``zone``."""
    return SqliteStore(SqliteDatabase(path, write_runner, read_runner), zone)


def result_of(deferred: Deferred[T]) -> T:
    """What a Deferred that has fired holds; raises what it failed with."""
    results: list[T] = []
    failures: list[Failure] = []
    deferred.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    return results[0]

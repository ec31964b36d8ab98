"""Responsible for the API keys in SQLite.

Tests: ``tests/contracts/store.py``
"""

from __future__ import annotations

import sqlite3

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.errors import StoreError
from dsmr_tw.interfaces import IKeys
from dsmr_tw.store.sqlite_database import Database
from dsmr_tw.stored import ApiKey


@implementer(IKeys)
@define
class SqliteKeys:
    """See ``IKeys``."""

    database: Database

    def all(self) -> Deferred[list[ApiKey]]:
        """See ``IKeys``."""
        return self.database.read(_all)

    def add(self, name: str, scope: str, digest: bytes, hint: str, now: int) -> Deferred[ApiKey]:
        """See ``IKeys``."""
        return self.database.write(_add, name, scope, digest, hint, now)

    def remove(self, key_id: int) -> Deferred[bool]:
        """See ``IKeys``."""
        return self.database.write(_remove, key_id)


def _all(connection: sqlite3.Connection) -> list[ApiKey]:
    rows = connection.execute("SELECT id, name, scope, digest, meter_id, created_at, hint FROM api_key ORDER BY id")
    return [ApiKey(*row) for row in rows]


def _add(connection: sqlite3.Connection, name: str, scope: str, digest: bytes, hint: str, now: int) -> ApiKey:
    if connection.execute("SELECT 1 FROM api_key WHERE digest = ?", (digest,)).fetchone():
        raise StoreError("this key is there already")
    key_id = connection.execute(
        "INSERT INTO api_key (name, scope, digest, hint, created_at) VALUES (?, ?, ?, ?, ?)",
        (name, scope, digest, hint, now),
    ).lastrowid
    assert key_id is not None
    return ApiKey(key_id, name, scope, digest, None, now, hint)


def _remove(connection: sqlite3.Connection, key_id: int) -> bool:
    return connection.execute("DELETE FROM api_key WHERE id = ?", (key_id,)).rowcount == 1

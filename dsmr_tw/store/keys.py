"""Responsible for the API keys.

Tests: ``tests/contracts/store.py``
"""

from __future__ import annotations

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.errors import MeterRefused, StoreError
from dsmr_tw.interfaces import IKeys
from dsmr_tw.store.connection import KEYS_CHANGED, Connection, Database
from dsmr_tw.stored import ApiKey


@implementer(IKeys)
@define
class SqlKeys:
    """See ``IKeys``."""

    database: Database

    def all(self) -> Deferred[list[ApiKey]]:
        """See ``IKeys``."""
        return self.database.read(_all)

    def add(
        self, name: str, scope: str, digest: bytes, hint: str, now: int, meter_id: int | None = None
    ) -> Deferred[ApiKey]:
        """See ``IKeys``."""
        return self.database.write(_add, name, scope, digest, hint, now, meter_id)

    def remove(self, key_id: int) -> Deferred[bool]:
        """See ``IKeys``."""
        return self.database.write(_remove, key_id)


def _all(connection: Connection) -> list[ApiKey]:
    rows = connection.execute("SELECT id, name, scope, digest, meter_id, created_at, hint FROM api_key ORDER BY id")
    return [ApiKey(*row) for row in rows]


def _add(
    connection: Connection, name: str, scope: str, digest: bytes, hint: str, now: int, meter_id: int | None
) -> ApiKey:
    if connection.execute("SELECT 1 FROM api_key WHERE digest = ?", (digest,)).fetchone():
        raise StoreError("this key is there already")
    if meter_id is not None and not connection.execute("SELECT 1 FROM meter WHERE id = ?", (meter_id,)).fetchone():
        raise MeterRefused(f"There is no meter {meter_id}.")
    (key_id,) = connection.execute(
        "INSERT INTO api_key (name, scope, digest, hint, meter_id, created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (name, scope, digest, hint, meter_id, now),
    ).fetchone()
    connection.tell(KEYS_CHANGED)
    return ApiKey(key_id, name, scope, digest, meter_id, now, hint)


def _remove(connection: Connection, key_id: int) -> bool:
    connection.tell(KEYS_CHANGED)
    return connection.execute("DELETE FROM api_key WHERE id = ?", (key_id,)).rowcount == 1

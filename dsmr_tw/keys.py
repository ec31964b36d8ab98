"""Responsible for making API keys, and for seeing to it that the owner has one.

A key is stored nowhere but with its owner; the store keeps its SHA-256 (a generated key has 190 bits of chance, which
no slower hash would protect any better).

Tests: ``tests/test_keys.py``
"""

from __future__ import annotations

import secrets

from twisted.logger import Logger

from dsmr_tw.errors import SettingsError
from dsmr_tw.interfaces import IKeys
from dsmr_tw.statedir import StateDir
from dsmr_tw.stored import ApiKey, key_digest

OWNER = "owner"
"""The name of the key in the state directory."""

SHORTEST = 8
"""Characters that a key must have, which its owner chose."""

HINT = 4
"""Characters at the end of a generated key that a list shows, to tell keys apart."""

_log = Logger()


def new_key() -> str:
    """A key that nobody guesses."""
    return secrets.token_urlsafe(24)


def digest_of(key: str) -> bytes:
    """What is stored of a key."""
    return key_digest(key.encode("utf-8"))


def checked(key: str) -> str:
    """A key that an owner chose, if it can be sent in a header.

    Raises: ``SettingsError``
    """
    if len(key) < SHORTEST or not all("!" <= character <= "~" for character in key):
        raise SettingsError(
            f"A key has at least {SHORTEST} characters, all of them ASCII letters, digits or signs, and no spaces."
        )
    return key


async def owner_key(keys: IKeys, state: StateDir, now: int) -> ApiKey | None:
    """Give the owner of a store without any key the first one, which may do everything.

    A file that is there already (of a start that was cut short, or beside a database that was replaced) is taken as it
    is.  Returns the key's record, or ``None`` when the store has keys.
    """
    if await keys.all():
        return None
    key = state.read_key()
    if key is None:
        key = new_key()
        state.write_key(key)
    record = await keys.add(OWNER, "admin", digest_of(key), key[-HINT:], now)
    _log.info("the API key is in {file}", file=str(state.key_file))
    return record

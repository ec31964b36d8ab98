"""Responsible for opening the server's own store from a command that runs beside it.

The commands have no reactor: the store's runner calls its functions at once, and every Deferred has fired when it is
returned.

Tests: ``tests/cli/test_apikey.py``
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from attrs import frozen
from twisted.internet.defer import maybeDeferred

from dsmr_tw.config import OPTIONS, Settings, settings_from
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import SettingsError
from dsmr_tw.interfaces import IStore
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import result_of, sqlite_store

Command = TypeVar("Command", bound=Callable[..., Any])

WHERE = ("state-dir", "database", "config")
"""The server's options that say which store is meant."""


@frozen
class Beside:
    """The store of a server, and its state directory."""

    store: IStore
    state: StateDir
    settings: Settings

    def now(self) -> int:
        """The instant that the wall clock shows."""
        return int(time.time() * SECOND)


def where_options(command: Command) -> Command:
    """Give a command the options that say which store is meant, as the server has them."""
    for option in OPTIONS:
        if option.name in WHERE:
            command = click.option(f"--{option.name}", metavar=option.value, help=option.help)(command)
    return command


@contextmanager
def beside(**where: str | None) -> Iterator[Beside]:
    """Open the store that the options name; it must be there already.

    Raises: ``SettingsError``
    """
    settings = settings_from(where)
    path = settings.database_path
    if not path.exists():
        raise SettingsError(
            f"There is no database {path}. Start the server once, which makes it, or name the directory of your server "
            f"with --state-dir."
        )
    store = sqlite_store(path, settings.zone, maybeDeferred, maybeDeferred)
    result_of(store.open())
    try:
        yield Beside(store, StateDir(settings.state_dir), settings)
    finally:
        result_of(store.close())

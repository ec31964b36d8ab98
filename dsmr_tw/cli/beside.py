"""Responsible for opening the server's own store from a command that runs beside it.

The commands have no reactor: the store's runner calls its functions at once, and every Deferred has fired when it is
returned.

Tests: ``tests/cli/test_apikey.py``
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import click
from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred

from dsmr_tw.config import OPTIONS, Settings, settings_from
from dsmr_tw.domain.meternames import meter_named
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import SettingsError
from dsmr_tw.interfaces import IStore
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import store_at
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Meter

Command = TypeVar("Command", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")

SERVERS_TURN_S = 0.004
"""The server asks every millisecond whether it may write."""

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

    def server_runs(self) -> bool:
        """Whether the server is running now."""
        if self.state.is_held() or self.settings.database_url is not None:
            return self.state.is_held()
        path = self.settings.database_path
        return self.state.is_held(path.with_name(f"{path.name}.lock"))


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
    url, path = settings.database_url, settings.database_path
    if url is None and not path.exists():
        raise SettingsError(
            f"There is no database {path}. Start the server once, which makes it, or name the directory of your server "
            f"with --state-dir."
        )
    writer = _considerate if url is None else maybeDeferred
    store = store_at(url, path, settings.zone, writer, maybeDeferred)
    result_of(store.open())
    try:
        yield Beside(store, StateDir(settings.state_dir), settings)
    finally:
        result_of(store.close())


def _considerate(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
    """The runner of writes: after each of them the server has the time to write, which it may be waiting for."""
    done = maybeDeferred(function, *args, **kwargs)
    time.sleep(SERVERS_TURN_S)
    return done


def chosen_meter(here: Beside, wanted: str | None) -> Meter:
    """The meter with this id, else with this name; the first one when none is named."""
    meters: list[Meter] = result_of(here.store.meters.all())
    if wanted is None:
        return meters[0]
    found = meter_named(meters, wanted)
    if found is None:
        names = ", ".join(f"{meter.id} ({meter.name})" for meter in meters)
        raise SettingsError(f"There is no meter {wanted!r}; those that there are: {names}.")
    return found

"""Responsible for ``dsmr migrate-store``: all that a store holds, from SQLite to PostgreSQL or back.

Tests: ``tests/cli/test_migrate_store.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
from twisted.internet.defer import maybeDeferred

from dsmr_tw.cli.rebuild import INTERRUPTED
from dsmr_tw.config import Settings, settings_from
from dsmr_tw.errors import SettingsError
from dsmr_tw.lasting import make_directory
from dsmr_tw.progress import Progress
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import APPLICATION, store_at
from dsmr_tw.store.copying import Copying, Side
from dsmr_tw.store.postgres_rows import PostgresRows
from dsmr_tw.store.sqlite_rows import SqliteRows
from dsmr_tw.store.threads import result_of

DIFFERS: Final = 1
"""The exit status when the copy is not what it is a copy of."""


@click.command("migrate-store")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def migrate_store(source: str, target: str) -> None:
    """Copy all of a store into another, empty one, and compare the two.

    FROM and TO are what --database of the server takes: sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME.
    The server must not run meanwhile. FROM stays as it is. Ctrl-C loses nothing: run it again, and it goes on.
    Then start the server with --database TO, and with the same --state-dir as before: the owner's key stays valid.

    \b
    Examples:
      dsmr migrate-store sqlite:dsmr.sqlite3 postgresql://dsmr@localhost/dsmr
      dsmr migrate-store postgresql://dsmr@localhost/dsmr sqlite:again.sqlite3
    """  # noqa: D301  click reads the backspace
    wanted = [settings_from({"database": name}) for name in (source, target)]
    if wanted[0].database_url is None and wanted[1].database_url is None:
        raise SettingsError("FROM and TO are both SQLite: copy the file, while the server does not run.")
    if wanted[0].database_url is None and not wanted[0].database_path.exists():
        raise SettingsError(f"There is no database {wanted[0].database_path}.")
    progress = Progress("Copying")
    with ExitStack() as stack:
        stack.callback(progress.end)
        copying = Copying(stack.enter_context(_side(wanted[0])), stack.enter_context(_side(wanted[1])))
        if copying.source.name == copying.target.name:
            raise SettingsError("FROM and TO are the same.")
        try:
            _copy(copying, progress)
        except KeyboardInterrupt:
            progress.end()
            click.echo("Stopped. Run it again, and it goes on.")
            raise SystemExit(INTERRUPTED) from None


def _copy(copying: Copying, progress: Progress) -> None:
    """Copy, compare, and say how it went."""
    if copying.begin():
        click.echo("Going on where it was stopped.")
    copying.copy(progress.reach)
    differences = copying.compare(progress.reach)
    progress.end()
    if differences:
        for difference in differences:
            click.echo(f"{copying.target.name} differs from {copying.source.name} in {difference}.", err=True)
        click.echo("Do not use the copy: remove it, and run this again.", err=True)
        raise SystemExit(DIFFERS)
    click.echo(f"Copied and compared: {copying.finish():,} rows are the same in both. Use --database with the new one.")


@contextmanager
def _side(settings: Settings) -> Iterator[Side]:
    """An open store that no server uses."""
    url, path = settings.database_url, settings.database_path
    with ExitStack() as stack:
        if url is None:
            stack.callback(_hold(path).release)
        store = store_at(url, path, settings.zone, maybeDeferred, maybeDeferred)
        stack.callback(lambda: result_of(store.close()))
        store.takes_unfinished = True
        result_of(store.open())
        if url is None:
            yield Side(f"sqlite:{path.resolve()}", store.database, SqliteRows())
        else:
            # Without the password, and whatever else only says how to connect.
            place = url.partition("://")[2].partition("?")[0].rpartition("@")[2]
            yield Side(f"postgresql://{place}", store.database, PostgresRows(APPLICATION))


def _hold(path: Path) -> StateDir:
    """Keep the server of a SQLite file from starting. Raises ``SettingsError`` when it runs already."""
    state, lock = StateDir(path.parent), path.with_name(f"{path.name}.lock")
    if state.is_held() or state.is_held(lock):
        raise SettingsError(f"A server runs on {path}, or another command copies it. Stop it, and run this again.")
    make_directory(path.parent)
    if state.path.joinpath("dsmr.lock").exists():
        state.lock()
    state.lock(lock)
    return state

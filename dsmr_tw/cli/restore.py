"""Responsible for ``dsmr restore``: putting a backup in the place of the database.

Tests: ``tests/cli/test_restore.py``
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from dsmr_tw.archive import Note, note_of, unpack
from dsmr_tw.backupfiles import DATE, check, shares
from dsmr_tw.cli.backup import PLACE, readable, unpacked, watched
from dsmr_tw.cli.beside import where_options
from dsmr_tw.config import Settings, settings_from
from dsmr_tw.errors import SettingsError
from dsmr_tw.lasting import make_directory, put_into_place
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import original_at
from dsmr_tw.store.migrate import migrations

if TYPE_CHECKING:
    from dsmr_tw.store.postgres_backup import PostgresOriginal

BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What a SQLite file is, and what belongs to it: the file first, since it is nothing without what belongs to it."""


@click.command()
@click.argument("file", type=PLACE)
@click.option("--force", is_flag=True, help="Do it although a database is there; that is kept, under another name.")
@where_options
def restore(file: Path, force: bool, **where: str | None) -> None:
    """Put the backup FILE in the place of the database. The server must not run meanwhile.

    FILE is checked and compared with what it noted of itself before anything is changed. One of an older version is
    fine: the server brings it up to date when it starts. API keys are those of the time of the backup.

    A backup of a PostgreSQL database goes into one that is empty, which --database names; it needs pg_restore.

    \b
    Examples:
      dsmr restore /mnt/nas/dsmr/dsmr-20260301T020000Z.tar.gz --state-dir /var/lib/dsmr_tw
      dsmr restore dsmr-20260301T020000Z.tar.gz --database postgresql://dsmr@localhost/empty
    """  # noqa: D301  click reads the backspace
    settings = settings_from(where)
    with readable(file):
        note = note_of(file)
    is_file = settings.database_url is None
    if is_file != (note.kind == "sqlite"):
        raise SettingsError(
            f"{file} is of a {'PostgreSQL' if is_file else 'SQLite'} database, and --database names another kind: "
            f"restore it to one of its own kind first, then dsmr migrate-store copies that."
        )
    newest = migrations(note.kind)[-1].number
    if note.tally.schema > newest:
        raise SettingsError(
            f"{file} is of a newer dsmr_tw: its schema is number {note.tally.schema}, this program knows {newest}. "
            f"Install the newer program, and restore it with that."
        )
    with readable(settings.database_path if is_file else file):
        (_put_file if is_file else _put_dump)(file, note, force, settings)


def _put_file(file: Path, note: Note, force: bool, settings: Settings) -> None:
    """Put a SQLite file in its place."""
    path = settings.database_path
    state = StateDir(settings.state_dir)
    state.prepare()
    state.lock()
    if path.parent.resolve() != state.path.resolve():
        make_directory(path.parent)
        state.lock(path.with_name(f"{path.name}.lock"))
    try:
        there = [found for ending in BESIDE if (found := path.with_name(path.name + ending)).exists()]
        if there and not force:
            raise SettingsError(
                f"{there[0]} is there already. Move it away, or let it be kept under another name with --force."
            )
        copy = path.with_name(f".{path.name}.restore")
        try:
            with watched("Restoring", "nothing is changed") as told:
                unpacked(file, copy, original_at(None, path, os.environ), told)
            _give_to_owner(copy)
            kept = _keep(path, there)
            put_into_place(copy, path)
        finally:
            copy.unlink(missing_ok=True)
    finally:
        state.release()
    if kept is not None:
        click.echo(f"The database that was there is kept as {kept}.")
    click.echo(f"{path} is what was stored at {note.made_at}. Start the server.")


def _keep(path: Path, there: list[Path]) -> Path | None:
    """Give the files of a database other names; which name it has then."""
    if not there:
        return None
    kept = path.with_name(f"{path.name}.replaced-{datetime.now(UTC).strftime(DATE)}")
    for found in there:
        found.rename(kept.with_name(kept.name + found.name.removeprefix(path.name)))
    return kept


def _give_to_owner(copy: Path) -> None:
    """Let the file belong to whom its directory does: mostly it is root who restores, and not root who serves."""
    if os.geteuid() == 0:
        owner = copy.parent.stat()
        os.chown(copy, owner.st_uid, owner.st_gid)


def _put_dump(file: Path, note: Note, force: bool, settings: Settings) -> None:
    """Put a dump into an empty database."""
    original = cast("PostgresOriginal", original_at(settings.database_url, settings.database_path, os.environ))
    original.needs_empty()
    copy = file.with_name(f".{file.name}.restore")
    try:
        with watched("Restoring", "the database is as empty as it was") as told:
            unpacking, putting = shares(told, (1, 1))
            unpack(file, copy, unpacking)
            original.restore(copy, putting)
            check(note.tally, original.tally(putting))
    finally:
        copy.unlink(missing_ok=True)
    click.echo(f"{original.place.name} has what was stored at {note.made_at}. Start the server.")

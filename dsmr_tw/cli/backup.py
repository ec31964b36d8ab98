"""Responsible for ``dsmr backup``: making a backup of all that is stored, or verifying one that is there.

Tests: ``tests/cli/test_backup.py``
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from dsmr_tw.archive import Told, note_of, unpack
from dsmr_tw.backupfiles import Original, check, make, shares
from dsmr_tw.cli.beside import where_options
from dsmr_tw.cli.rebuild import INTERRUPTED
from dsmr_tw.config import Settings, settings_from
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.tally import Tally
from dsmr_tw.errors import SettingsError
from dsmr_tw.progress import Progress
from dsmr_tw.store.connect import original_at

PLACE: Final = click.Path(path_type=Path)


@click.command()
@click.argument("directory", metavar="[DIR]", type=PLACE, required=False)
@click.option("--verify", "file", type=PLACE, metavar="FILE", help="Verify this backup, and make none.")
@click.option("--scratch", type=PLACE, metavar="DIR", help="Where to unpack meanwhile.  [default: where FILE is]")
@where_options
def backup(directory: Path | None, file: Path | None, scratch: Path | None, **where: str | None) -> None:
    """Make a backup of all that is stored in DIR, while the server runs, or verify one.

    It is one file, named by its date in UTC, that only its owner reads: it holds the hashes of the API keys. The file
    appears when all of it is on the disk, and was read again. `dsmr restore FILE` puts it back.

    --verify restores FILE aside, checks that it is whole, and compares how many readings, values, quarters, hours and
    days each meter has, and the sums of their registers, with what the backup noted when it was made; then it says
    what is different in the database now, if that is there.

    Of a PostgreSQL database it needs pg_dump, as new as the server; --verify needs pg_restore, and makes a database
    of its own on that server meanwhile.

    \b
    Examples:
      dsmr backup /mnt/nas/dsmr
      dsmr backup --verify /mnt/nas/dsmr/dsmr-20260301T020000Z.tar.gz
    """  # noqa: D301  click reads the backspace
    if (directory is None) == (file is None):
        raise SettingsError("Name the directory of the new backup, or a file with --verify FILE.")
    settings = settings_from(where)
    if file is not None:
        _verify(file, file.parent if scratch is None else scratch, settings)
        return
    assert directory is not None
    if settings.database_url is None and not settings.database_path.exists():
        raise SettingsError(
            f"There is no database {settings.database_path}. Name the directory of your server with --state-dir."
        )
    with watched("Backing up", "nothing is left of the backup") as told:
        original = original_at(settings.database_url, settings.database_path, os.environ)
        made = make(original, directory, int(time.time()) * SECOND, told, examined=settings.database_url is None)
    click.echo(f"{directory / made.name}: {made.bytes:,} bytes.")


@contextmanager
def watched(label: str, left: str) -> Iterator[Told]:
    """A work with a bar, that Ctrl-C ends."""
    progress = Progress(label)
    try:
        yield progress.reach
    except KeyboardInterrupt:
        progress.end()
        click.echo(f"Stopped; {left}.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        progress.end()


def unpacked(file: Path, copy: Path, original: Original, told: Told) -> Tally:
    """Unpack a backup to a file, and compare what is in it with what it noted when it was made; what that is.

    Raises: ``BackupError``
    """
    unpacking, examining = shares(told, (1, 1))
    note = unpack(file, copy, unpacking)
    check(note.tally, original.examine(copy, examining))
    return note.tally


def _verify(file: Path, scratch: Path, settings: Settings) -> None:
    """Verify a backup, and say how it went."""
    if not scratch.is_dir():
        raise SettingsError(f"--scratch {scratch}: there is no such directory.")
    copy = scratch / f".{file.name}.verify"
    with readable(file):
        kind = note_of(file).kind
        # A file needs no database to be looked into.
        url = settings.database_url if kind == "postgresql" else None
        if url is None and kind == "postgresql":
            raise SettingsError(f"{file} is of a PostgreSQL database: name one on such a server with --database.")
        original = original_at(url, settings.database_path, os.environ)
        with watched("Verifying", "nothing is changed") as told:
            try:
                tally = unpacked(file, copy, original, told)
            finally:
                copy.unlink(missing_ok=True)
    readings = sum(sums.get("reading", 0) for sums in tally.meters.values())
    click.echo(f"{file} is good: it holds what was stored then, {readings:,} readings of {len(tally.meters)} meters.")
    if settings.database_url == url and (url is not None or settings.database_path.exists()):
        _compare(original, tally)


def _compare(original: Original, then: Tally) -> None:
    """Say what the database of now has otherwise, of what it had then."""
    now = original.since(then, lambda *_: None)
    if now is None:
        click.echo("The database of now is older than the backup.")
        return
    changed = then.changed_since(now)
    if not changed:
        click.echo("The database of now still holds the same.")
        return
    click.echo("The database of now differs in what it held then:")
    for change in changed:
        click.echo(f"  {change}")
    click.echo("Readings that came late, edits, and --keep-readings do that; anything else is a reason to restore.")


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Say it in a sentence when a file can't be read, or no room is left."""
    try:
        yield
    except OSError as error:
        what = f"{file} can't be unpacked" if error.filename is None else error.filename
        raise SettingsError(f"{what}: {error.strerror}.") from error

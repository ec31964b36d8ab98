"""Responsible for ``dsmr export``: readings, hours or days of a meter as a CSV file.

Tests: ``tests/cli/test_export.py``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import click
from twisted.internet.defer import Deferred

from dsmr_tw.cli.beside import beside, chosen_meter, where_options
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.errors import SettingsError
from dsmr_tw.export import TABLES, Export, Period
from dsmr_tw.progress import Progress
from dsmr_tw.store.threads import result_of

DAY: Final = click.DateTime(["%Y-%m-%d"])
STANDARD_OUTPUT: Final = Path("-")

Advance: TypeAlias = Callable[[int, int], None]
"""Is told how many more rows are written, and of how many in all."""


@click.command()
@click.argument("table", metavar="|".join(TABLES), type=click.Choice(list(TABLES)))
@click.option(
    "--from", "first", type=DAY, metavar="DAY", help="The first day: 2024-01-01.  [default: the first there is]"
)
@click.option("--to", "last", type=DAY, metavar="DAY", help="The last day, included.  [default: the last there is]")
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    default=STANDARD_OUTPUT,
    metavar="FILE",
    help="Where to write; it appears when it is whole.  [default: standard output]",
)
@click.option("--force", is_flag=True, help="Let FILE take the place of the one that is there.")
@click.option("--meter", "wanted", metavar="ID|NAME", help="Whose.  [default: the first meter]")
@where_options
def export(
    table: str,
    first: datetime | None,
    last: datetime | None,
    output: Path,
    force: bool,
    wanted: str | None,
    **where: str | None,
) -> None:
    """Write readings, hours or days of a meter as CSV, for a spreadsheet or another program.

    Days are those of the meter's zone, and times are local times with their offset from UTC.
    Hours and days are there as soon as they are over; hours have the columns of DSMR-reader's export.

    \b
    Examples:
      dsmr export hours --from 2024-01-01 --to 2024-12-31 -o hours.csv
      dsmr export days | head -3
    """  # noqa: D301  click reads the backspace
    period = Period(None if first is None else first.date(), None if last is None else last.date())
    if period.is_backwards:
        raise SettingsError(f"--to {period.last}: that is before the first day, {period.first}.")
    if output != STANDARD_OUTPUT:
        _check(output, force)
    with beside(**where) as here:
        meter = chosen_meter(here, wanted)
        begun = TABLES[table](here.store, meter.id, meter_zone(meter.zone), period)
        rows: Export[Any] = result_of(Deferred.fromCoroutine(begun))
        if output == STANDARD_OUTPUT:
            with _told("standard output"):
                _write(rows, sys.stdout.buffer, lambda steps, length: None)
        else:
            with _told(str(output)), _whole(output.resolve()) as file:
                _write(rows, file, Progress(f"Exporting {table}").advance)
    target = "" if output == STANDARD_OUTPUT else f" to {output}"
    click.echo(f"{rows.rows} {'row' if rows.rows == 1 else 'rows'} written{target}.", err=True)


def _check(output: Path, force: bool) -> None:
    """Make sure that a file may be made, before any work is done for it.

    Raises: ``SettingsError``
    """
    if output.exists() and not output.is_file():
        raise SettingsError(f"{output} is there, and is no file; leave -o out to write to standard output.")
    if output.exists() and not force:
        raise SettingsError(f"{output} is there already; choose another name, or overwrite it with --force.")


def _write(rows: Export[Any], file: BinaryIO, advance: Advance) -> None:
    """Write all rows."""
    while not rows.done:
        before = rows.rows
        file.write(result_of(Deferred.fromCoroutine(rows.part())))
        if rows.rows > before:
            advance(rows.rows - before, rows.count)
    file.flush()


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name, and the place of another of that name, when all of it is on the disk; else none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say what keeps a file from being written in one sentence."""
    try:
        yield
    except BrokenPipeError:
        # Whoever reads, like head, has seen enough: click ends the command without a word.
        raise
    except OSError as error:
        raise click.ClickException(f"{name} can't be written: {error.strerror}.") from error

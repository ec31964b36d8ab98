"""Responsible for ``dsmr mask``: telegrams without what tells whose they are.

Tests: ``tests/cli/test_mask.py``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Final

import click

from dsmr_tw.cli.parse import printable
from dsmr_tw.domain.mask import Masked, masked
from dsmr_tw.domain.reprint import on_a_line, with_its_line_ends
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import SettingsError, TelegramError

MOST_LINES: Final = 20
"""Unknown lines that are shown; others are counted."""


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write; it must not be there yet.  [default: standard output]",
)
def mask(file: BinaryIO, output: Path | None) -> None:
    """Hide whose the telegrams in FILE are, so that you can show them; - is standard input.

    Serial numbers and connection numbers become made-up ones of the same form, messages become x.
    Times, registers and the header, which names the model, stay; the CRC is right if it was right before.
    Lines that are not known stay, too, and are shown on standard error: look whether you want to show them.
    What is around telegrams, and telegrams without an end, are left out; the exit status is 1 if any is, or none is
    there.

    \b
    Examples:
      dsmr mask telegram.txt > masked.txt
      timeout 15 cat /dev/ttyUSB0 | dsmr mask - -o masked.txt
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    outcomes = outcomes_in(file.read(), CrcPolicy.OFF)
    telegrams = masked([with_its_line_ends(outcome) for outcome in outcomes if isinstance(outcome, RawTelegram)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, TelegramError)]
    if telegrams:
        _write(b"".join(on_a_line(telegram.raw) for telegram in telegrams), output)
    _tell(telegrams, refused)
    if refused or not telegrams:
        raise SystemExit(1)


def _write(data: bytes, output: Path | None) -> None:
    """Write the telegrams."""
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        with output.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise SettingsError(f"{output} is there already; choose another name.") from error
    except OSError as error:
        raise SettingsError(f"{output} can't be written: {error.strerror}.") from error


def _tell(telegrams: list[Masked], refused: list[TelegramError]) -> None:
    """Say what was done, and what a person should look at."""
    for error in refused:
        click.echo(f"Left out: {error}", err=True)
    lines = list(dict.fromkeys(line for telegram in telegrams for line in telegram.unknown))
    for line in lines[:MOST_LINES]:
        click.echo(f"Not known, left as it is: {printable(line)}", err=True)
    if len(lines) > MOST_LINES:
        click.echo(f"… and {len(lines) - MOST_LINES} more lines that are not known.", err=True)
    if not telegrams and not refused:
        click.echo("No telegram found: none of the lines begins with /", err=True)
    count = len(telegrams)
    click.echo(f"{count} telegram{'' if count == 1 else 's'} masked.", err=True)

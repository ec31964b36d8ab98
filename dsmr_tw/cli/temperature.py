"""Responsible for ``dsmr temperature``: outdoor temperatures that another program has gathered.

Tests: ``tests/cli/test_temperature.py``
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from typing import BinaryIO, Final, TypeAlias

import click

from dsmr_tw.cli.beside import beside, where_options
from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT, MeterZone, instant_of, meter_zone
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.domain.units import tenths_celsius
from dsmr_tw.errors import SettingsError
from dsmr_tw.store.threads import result_of

TIMES: Final = "read_at"
DEGREES: Final = ("degrees_celcius", "degrees_celsius")
"""As the API spells it, and as a dictionary does."""

Line: TypeAlias = tuple[int, list[str]]
"""The number of a line, and its cells."""


@click.group()
def temperature() -> None:
    """Bring in outdoor temperatures, which days, months and years then show.

    A running server fetches them by itself when it is told where from: see its option --weather.
    """


@temperature.command(name="import")
@click.argument("file", type=click.File("rb"))
@where_options
def import_(file: BinaryIO, **where: str | None) -> None:
    """Import the temperatures in FILE, a CSV file; - is standard input.

    Its first line names the columns, read_at and degrees_celcius among them, with a comma or a semicolon between;
    with semicolons, 7,3 is as good as 7.3.
    A time has its offset from UTC, or is meant where the meter hangs.
    All of the file is imported, or nothing; what is there already stays, and the file's value of a time wins.

    \b
    Example:
      printf 'read_at,degrees_celcius\\n2024-04-02 12:00,11.2\\n' > warm.csv
      dsmr temperature import warm.csv
    """  # noqa: D301  click reads the backspace
    lines, is_comma_decimal = _lines(file.read(), file.name)
    columns = _columns(lines[0][1] if lines else [], file.name)
    with beside(**where) as here:
        zone = meter_zone(result_of(here.store.meters.all())[0].zone)
        found: list[Temperature] = []
        with click.progressbar(lines[1:], label=f"Reading {file.name}", file=sys.stderr) as shown:
            for number, cells in shown:
                try:
                    found.append(_temperature(cells, columns, zone, is_comma_decimal))
                except ValueError as error:
                    raise SettingsError(f"{file.name}, line {number}: {error} Nothing was imported.") from error
        new = result_of(here.store.temperatures.add(found))
    click.echo(f"{len(found)} temperatures read, {new} of them new or changed.")


def _lines(data: bytes, name: str) -> tuple[list[Line], bool]:
    """The lines that are not empty, and whether a comma stands for the decimal point."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name} is no text in UTF-8.") from error
    has_semicolons = ";" in text.partition("\n")[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=";" if has_semicolons else ",")
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise SettingsError(f"{name}, line {reader.line_num}: {error}.") from error
    return [(number, cells) for number, cells in lines if any(cells)], has_semicolons


def _columns(header: Sequence[str], name: str) -> tuple[int, int]:
    """Where the times and the temperatures stand in a line."""
    names = [cell.lower() for cell in header]
    degrees = next((name for name in DEGREES if name in names), None)
    if TIMES not in names or degrees is None:
        raise SettingsError(f"{name} must begin with a line that names its columns: {TIMES},{DEGREES[0]}")
    return names.index(TIMES), names.index(degrees)


def _temperature(
    cells: Sequence[str], columns: tuple[int, int], zone: MeterZone, is_comma_decimal: bool
) -> Temperature:
    """The temperature of a line.

    Raises: ``ValueError`` with a sentence about what is wrong.
    """
    if len(cells) <= max(columns):
        raise ValueError("A time and a temperature are needed.")
    time, degrees = (cells[column] for column in columns)
    at = _instant(time, zone)
    try:
        return Temperature(at, tenths_celsius(degrees.replace(",", ".") if is_comma_decimal else degrees))
    except ValueError:
        raise ValueError(f"{degrees!r} is no temperature; one looks like 7.3, between -99.9 and 99.9.") from None


def _instant(text: str, zone: MeterZone) -> int:
    try:
        written = datetime.fromisoformat(text)
        at = None if written.tzinfo is None else instant_of(written)
        if at is not None and not FIRST_INSTANT <= at <= LAST_INSTANT:
            raise ValueError(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; one looks like 2024-04-02 12:00 or 2024-04-02T10:00Z.") from None
    if at is not None:
        return at
    try:
        return zone.from_local(written)
    except ValueError:
        raise ValueError(
            f"The clock in {zone.name} shows {text} twice, or never: write it with its offset from UTC, as in "
            "2024-10-27T02:30+02:00 for summer time."
        ) from None

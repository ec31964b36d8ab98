"""Responsible for ``dsmr parse``: what telegrams say, line by line, and why one is refused.

Tests: ``tests/cli/test_parse.py``
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import click

from dsmr_tw.domain.arrival import arrival, clock_of
from dsmr_tw.domain.line import Currents, Position, PowerFailure, Row, Value, shown, understood
from dsmr_tw.domain.localtime import MeterZone, meter_zone, utc
from dsmr_tw.domain.obis import DEVICE_TYPES, Kind
from dsmr_tw.domain.parse import Telegram, TelegramParser, line_texts
from dsmr_tw.domain.printed_peaks import MonthEnd, PrintedPeak
from dsmr_tw.domain.reading import Arrival, Origin, Phases
from dsmr_tw.domain.telegram import CrcPolicy, Outcome, RawTelegram, outcomes_in, with_line_ends
from dsmr_tw.domain.units import three_decimals
from dsmr_tw.errors import CrcError, TelegramError

COLUMN = 34
"""Where the meaning begins, if the line leaves room for it."""

HEX_TEXTS = ("equipment_id", "second_id", "logical_name", "ean", "message", "message_code")
"""The texts that are printed as hex octets."""


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--crc",
    type=click.Choice([policy.value for policy in CrcPolicy]),
    default=CrcPolicy.STRICT.value,
    show_default=True,
    help="strict: it must be right, unless the dialect has none. optional: it may be absent. off: any will do.",
)
@click.option("--zone", "zone_name", default="Europe/Amsterdam", show_default=True, help="Where the meter hangs.")
def parse(file: BinaryIO, crc: str, zone_name: str) -> None:
    """Show what the telegrams in FILE say; - is standard input.

    Each line is shown with its meaning and value, then what a server would store of it.
    The exit status is 1 when a telegram is refused, with the reason, or when there is none.

    \b
    Examples:
      dsmr parse telegram.txt
      timeout 15 cat /dev/ttyUSB0 | dsmr parse -
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    zone = meter_zone(zone_name)
    data = file.read()
    outcomes = outcomes_in(data, CrcPolicy(crc))
    if any(isinstance(outcome, TelegramError) for outcome in outcomes):
        restored = outcomes_in(with_line_ends(data), CrcPolicy(crc))
        if not any(isinstance(outcome, TelegramError) for outcome in restored):
            click.echo("The line ends are LF; put back as a meter prints them, CR LF, the CRC is right.\n")
            outcomes = restored
    if not outcomes:
        click.echo("No telegram found: none of the lines begins with /")
    refused = [not _show(outcome, zone) for outcome in outcomes]
    if not outcomes or any(refused):
        raise SystemExit(1)


def _show(outcome: Outcome, zone: MeterZone) -> bool:
    """Print what became of one telegram; whether it would be stored."""
    if isinstance(outcome, TelegramError):
        click.echo(f"REFUSED: {outcome}")
        if isinstance(outcome, CrcError):
            click.echo("(--crc off shows what it says all the same.)")
        click.echo()
        return False
    click.echo(f"/{printable(outcome.identification)}")
    click.echo(f"{_crc_verdict(outcome)}\n")
    for text in line_texts(outcome):
        for line in _explained(text, zone):
            click.echo(line)
    try:
        telegram = TelegramParser().parse(outcome)
        click.echo(f"\nDialect: {telegram.dialect}")
        if telegram.unknown_lines:
            click.echo(f"Lines that are not understood: {telegram.unknown_lines}")
        for line in telegram.unknown:
            if understood(line.encode("latin-1"))[0] is not None:
                click.echo(f"  of them {printable(line)}: the device's type is not known, or has another unit")
        stored = arrival(telegram, Origin("file"), 0, zone)
    except TelegramError as error:
        click.echo(f"\nREFUSED: {printable(str(error))}\n")
        return False
    click.echo("\nStored would be:")
    for line in _stored(telegram, stored, zone):
        click.echo(f"  {line}")
    click.echo()
    return True


def _crc_verdict(raw: RawTelegram) -> str:
    computed = raw.computed_crc
    if raw.crc is None:
        return f"CRC absent (computed {computed:04X})"
    return f"CRC {raw.crc:04X}, " + ("right" if raw.crc == computed else f"WRONG (computed {computed:04X})")


def _explained(text: bytes, zone: MeterZone) -> Iterator[str]:
    """A line of a telegram with what it means beside it, or below it where it is long."""
    printed = printable(shown(text))
    if not printed:
        return
    try:
        row, value, unit = understood(text)
    except TelegramError:
        meaning = "CANNOT BE READ"
    else:
        meaning = f"{_meaning(row)}: {_said(row, value, unit, zone)}" if row else "? unknown"
    if len(printed) < COLUMN:
        yield f"{printed:{COLUMN}}{meaning}"
    else:
        yield printed
        yield f"{'':{COLUMN}}{meaning}"


def _meaning(row: Row) -> str:
    meaning = row.register.meaning
    return f"device {row.channel}, {meaning}" if row.channel else meaning


def _said(row: Row, value: Value, unit: str, zone: MeterZone) -> str:
    """A value for people."""
    match value:
        case None:
            return "masked or empty"
        case int() if row.channel and row.register.name == "type":
            return f"{value}, {DEVICE_TYPES[value].meaning}" if value in DEVICE_TYPES else f"{value}, not known"
        case int():
            return with_unit(value, unit) if unit else _number(row, value)
        case str() if row.register.name == "clock":
            return _time(value, zone)
        case str() if row.register.name in HEX_TEXTS:
            return _octets(value)
        case str():
            return printable(value)
        case tuple():
            return "; ".join(_dated(entry, zone) for entry in value) or "empty"
    return _dated(value, zone)


def _number(row: Row, value: int) -> str:
    """A value without a unit: a count as it is printed, a quantity in thousandths."""
    return three_decimals(value) if row.register.kind is Kind.NUMBER else str(value)


def _dated(value: Position | PowerFailure | PrintedPeak | MonthEnd | Currents, zone: MeterZone) -> str:
    """A value of several parts."""
    match value:
        case Position():
            return f"{with_unit(value.value, value.unit)}, {_time(value.time, zone)}"
        case PowerFailure():
            return f"{value.seconds} s, ended {_time(value.ended, zone)}"
        case PrintedPeak():
            month = f", month that ended {_time(value.month, zone)}" if value.month else ""
            return f"{with_unit(value.power, 'kW')}, {_time(value.time, zone)}{month}"
        case MonthEnd():
            values = ", ".join(with_unit(*each) for each in value.values)
            return f"month that ended {_time(value.time, zone)}: {values}"
    return ", ".join(with_unit(limit, "A") for limit in value.limits)


def _time(printed: str, zone: MeterZone) -> str:
    at = zone.clock(printed)
    return "time not set" if at is None else zone.local_text(at)


def _octets(printed: str) -> str:
    """Hex octets with the text that they spell, if they spell one."""
    try:
        spelled = bytes.fromhex(printed).decode("latin-1")
    except ValueError:
        spelled = ""
    text = f"{printable(printed)} = {printable(spelled)!r}" if spelled.isprintable() and spelled else printable(printed)
    return text or "empty"


def with_unit(value: int, unit: str) -> str:
    """Thousandths with their unit: ``230.100 V``."""
    return f"{three_decimals(value)} {unit.replace('m3', 'm³')}".rstrip()


def _stored(telegram: Telegram, stored: Arrival, zone: MeterZone) -> Iterator[str]:
    """What would be stored of a telegram, in a line for each row."""
    yield f"meter: {stored.equipment_id or 'without an id'}"
    reading = stored.reading
    if reading is not None:
        at = clock_of(telegram, zone)
        yield f"reading at {'its arrival' if at is None else zone.local_text(at)}"
        yield f"  delivered {with_unit(reading.delivered_1, 'kWh')} + {with_unit(reading.delivered_2, 'kWh')}"
        yield f"  returned  {with_unit(reading.returned_1, 'kWh')} + {with_unit(reading.returned_2, 'kWh')}"
        yield f"  power     {with_unit(reading.currently_delivered, 'kW')} delivered, " + (
            f"{with_unit(reading.currently_returned, 'kW')} returned"
        )
        yield from _phases("delivered by phase", reading.powers_delivered, "kW")
        yield from _phases("returned by phase", reading.powers_returned, "kW")
        yield from _phases("voltages", reading.voltages, "V")
        yield from _phases("currents", reading.currents, "A")
    for device in stored.devices:
        known = DEVICE_TYPES[device.device_type]
        yield f"{known.meaning} at {zone.local_text(device.at)}: {with_unit(device.value, known.unit)}, " + (
            f"device {device.equipment_id or 'without an id'}"
        )

    for peak in stored.peaks:
        month = utc(peak.month_at).strftime("%Y-%m")
        yield f"peak of {month}: {with_unit(peak.power, 'kW')} at {zone.local_text(peak.at)}"
    for failure in stored.failures:
        yield f"power failure of {failure.seconds} s that ended {zone.local_text(failure.at)}"


def _phases(name: str, phases: Phases, unit: str) -> Iterator[str]:
    if any(value is not None for value in phases):
        values = ", ".join("-" if value is None else with_unit(value, unit) for value in phases)
        yield f"  {name}: {values}"


def printable(text: str) -> str:
    """The text with escapes instead of what would move a terminal's cursor, or do worse."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)

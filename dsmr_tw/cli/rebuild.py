"""Responsible for ``dsmr rebuild``: computing the ledger anew, and for computing what a command has changed.

Tests: ``tests/cli/test_rebuild.py``
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import click

from dsmr_tw.cli.beside import Beside, beside, chosen_meter, where_options
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.errors import SettingsError
from dsmr_tw.progress import Progress
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Meter, ReadingFilter

DAY: Final = click.DateTime(["%Y-%m-%d"])

INTERRUPTED: Final = 130
"""The exit status of a command that Ctrl-C ended, as shells have it."""


@click.command()
@click.option("--from", "first", type=DAY, metavar="DAY", help="The first day: 2024-07-01.  [default: all]")
@click.option("--to", "last", type=DAY, metavar="DAY", help="The last day.  [default: all]")
@click.option("--meter", "wanted", metavar="ID|NAME", help="Which meter.  [default: all]")
@where_options
def rebuild(first: datetime | None, last: datetime | None, wanted: str | None, **where: str | None) -> None:
    """Compute hours, days and all that is made of them anew, from the readings.

    It is never needed, and never does harm: what is right stays as it is, and edits (`dsmr meters`) are kept.
    The server may run meanwhile. Ctrl-C ends it at any time; what is computed until then is right.

    \b
    Examples:
      dsmr rebuild
      dsmr rebuild --from 2024-07-01 --to 2024-07-31 --meter 2
    """  # noqa: D301  click reads the backspace
    days = (None if first is None else first.date(), None if last is None else last.date())
    if first is not None and last is not None and last < first:
        raise SettingsError(f"--from {first.date()} is after --to {last.date()}.")
    began = time.monotonic()
    with beside(**where) as here:
        meters = [chosen_meter(here, wanted)] if wanted is not None else result_of(here.store.meters.all())
        stretches = [_stretch(meter, *days) for meter in meters]
        progress = Progress("Rebuilding")
        try:
            taken = _rebuilt(here, meters, stretches, progress)
        except KeyboardInterrupt:
            click.echo("Stopped. What is computed anew is right, and so is the rest; run it again at any time.")
            raise SystemExit(INTERRUPTED) from None
        finally:
            progress.end()
    names = ", ".join(meter.name for meter in meters)
    click.echo(f"Rebuilt {names}: {taken:,} readings and values in {time.monotonic() - began:.1f} seconds.")


def _stretch(meter: Meter, first: date | None, last: date | None) -> tuple[int, int]:
    """The local days of a meter, from one to another, as instants; all of them where none is named."""
    zone = meter_zone(meter.zone)
    return -NEVER if first is None else zone.day_start(first), NEVER if last is None else zone.bounds(last)[1]


def _rebuilt(here: Beside, meters: Sequence[Meter], stretches: Sequence[tuple[int, int]], progress: Progress) -> int:
    """Rebuild a stretch of the ledger of each meter; how many readings and values of M-Bus devices were taken."""
    ledger, now, before, taken = here.store.ledger, here.now(), 0, 0
    length = sum(_length(here, meter, *stretch) for meter, stretch in zip(meters, stretches, strict=True))

    def told(so_far: int) -> None:
        nonlocal taken
        taken = before + so_far
        progress.reach(taken, length)

    for meter, (start, end) in zip(meters, stretches, strict=True):
        result_of(ledger.rebuild(meter.id, start, end, now, told))
        before = taken
    progress.reach(length, length)
    return taken


def _length(here: Beside, meter: Meter, start: int, end: int) -> int:
    """How many readings and values of M-Bus devices a stretch holds."""
    readings = here.store.readings
    wanted = ReadingFilter(meter.id, None if start == -NEVER else start, None if end == NEVER else end - 1)
    types = {one.device_type for one in result_of(here.store.meters.equipment(meter.id))} - {0}
    pages = [readings.page(wanted, False, 0, 0), *(readings.devices(wanted, of, False, 0, 0) for of in types)]
    return sum(result_of(page).count for page in pages)


def settle(here: Beside, meter_ids: Iterable[int], progress: Progress | None = None) -> None:
    """Compute what is marked for some meters; the server does that where it runs: two would hinder each other."""
    if here.server_runs():
        click.echo("The running server computes hours and days anew in a moment.")
        return
    ledger, now = here.store.ledger, here.now()
    length = result_of(ledger.summary()).dirty_quarters
    try:
        for meter_id in meter_ids:
            while result_of(ledger.recompute(meter_id, now)):
                if progress is not None:
                    progress.reach(length - result_of(ledger.summary()).dirty_quarters, length)
            while result_of(ledger.close(meter_id, now)):
                pass
        if progress is not None:
            progress.reach(length, length)
    except KeyboardInterrupt:
        click.echo("Stopped. What is not computed yet is computed when the server runs.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        if progress is not None:
            progress.end()

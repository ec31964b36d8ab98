"""Responsible for ``dsmr retention``: thinning out old readings now, or telling what that would be.

Tests: ``tests/cli/test_retention.py``
"""

from __future__ import annotations

import click

from dsmr_tw.cli.beside import Beside, beside, where_options
from dsmr_tw.config import days_kept
from dsmr_tw.domain.reading import DAY, YEAR_2000
from dsmr_tw.errors import SettingsError
from dsmr_tw.progress import Progress
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter


@click.command()
@click.option("--keep", metavar="ND", help="How long to keep all readings, like 31d. [--keep-readings of the server]")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@where_options
def retention(keep: str | None, dry_run: bool, **where: str | None) -> None:
    """Thin out old readings.

    Of the readings older than --keep about four a quarter of an hour stay: those that hours, days and all other
    statistics are made of, and the highest and the lowest power. The statistics stay exactly as they are.
    A server that runs with --keep-readings does this by itself; the command works beside it.

    \b
    Examples:
      dsmr retention --keep 31d --dry-run
      dsmr retention --keep 365d
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    with beside(**where) as found:
        before = found.now() - _days(keep, found) * DAY
        meters = result_of(found.store.meters.all())
        click.echo("\n".join(_sentence(found, meter.id, meter.name, before, dry_run) for meter in meters))
        if not dry_run:
            size = result_of(found.store.retention.size())
            click.echo(f"The database has {_mb(size.total)}, of which {_mb(size.free)} wait to be used again.")


def _days(keep: str | None, found: Beside) -> int:
    """How many days are kept.

    Raises: ``SettingsError``
    """
    try:
        days = days_kept(keep) if keep is not None else found.settings.keep_days
    except ValueError as error:
        raise SettingsError(f"--keep {error}.") from error
    if days is None:
        raise SettingsError("All readings are kept for ever; say how long with --keep, for example --keep 31d.")
    return days


def _sentence(found: Beside, meter_id: int, name: str, before: int, dry_run: bool) -> str:
    """Thin out a meter's readings, or look what could go, with a bar on a terminal; what to say of it."""
    total = result_of(found.store.readings.page(ReadingFilter(meter_id, None, before - 1), False, 0, 1)).count
    gone, days, after = 0, 0, YEAR_2000
    progress, more = Progress(name), True
    while more:
        if dry_run:
            spare = result_of(found.store.retention.spare(meter_id, after, before))
            dropped, more = (0, False) if spare is None else (spare[1], True)
            after = after if spare is None else spare[0]
        else:
            thinned = result_of(found.store.retention.thin(meter_id, before))
            dropped, more = thinned.dropped, thinned.more
        gone, days = gone + dropped, days + more
        progress.advance(dropped if more else total - gone, total)
    done = "would go" if dry_run else "are gone"
    return f"{name}: {gone:,} of {total:,} old readings, of {days:,} days, {done}."


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

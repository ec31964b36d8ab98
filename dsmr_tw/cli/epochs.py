"""Responsible for ``dsmr meters join-epoch`` and ``split-epoch``: where a meter's registers can be compared.

Tests: ``tests/cli/test_meters.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred

from dsmr_tw.cli.beside import Beside, beside, chosen_meter, where_options
from dsmr_tw.cli.naming import ELECTRICITY, equipment_named, instant_named, name_of
from dsmr_tw.cli.rebuild import settle
from dsmr_tw.domain.edits import Change
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.interfaces import ILedger
from dsmr_tw.store.threads import result_of

Command = TypeVar("Command", bound=Callable[..., Any])

Decide = Callable[[ILedger], Callable[[int, int, int, int], Deferred[Change]]]


def _epoch_options(command: Command) -> Command:
    """Give a command the arguments that say which registers are meant, and when."""
    command = where_options(command)
    command = click.option("--meter", "wanted", metavar="ID|NAME", help="Which meter.  [default: the first]")(command)
    command = click.option(
        "--device", metavar="ID", help="Which M-Bus device, by its printed id or number.  [default: the electricity]"
    )(command)
    return click.argument("when", metavar="WHEN")(command)


@click.command(name="join-epoch")
@_epoch_options
def join_epoch(when: str, device: str | None, wanted: str | None, **where: str | None) -> None:
    """Let no epoch begin at WHEN.

    WHEN is an instant at which `dsmr meters` says that one begins. Then what the registers rose by from the reading
    before to the one at WHEN counts. It undoes a split, and a split undoes it.

    \b
    Example:
      dsmr meters join-epoch 2024-07-01T10:15:00+02:00
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        change, registers, at = _decided(here, when, device, wanted, lambda ledger: ledger.join_epoch)
    if change.kept:
        click.echo(f"The epochs of the {registers} are joined at {at}: what went through before it counts.")
    else:
        click.echo(f"The epochs of the {registers} are not split at {at} any more.")


@click.command(name="split-epoch")
@_epoch_options
def split_epoch(when: str, device: str | None, wanted: str | None, **where: str | None) -> None:
    """Let an epoch begin at WHEN.

    It begins with the first reading at or after WHEN: nothing is counted from the reading before it to that one.
    For a meter that was replaced by one that shows about the same, and for a jump that should not count.
    It undoes a join, and a join undoes it.

    \b
    Example:
      dsmr meters split-epoch "2024-07-01 10:15"
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        change, registers, at = _decided(here, when, device, wanted, lambda ledger: ledger.split_epoch)
    if change.kept:
        click.echo(f"An epoch of the {registers} begins with the reading of {at}.")
    else:
        click.echo(f"The epochs of the {registers} are not joined at {at} any more.")


def _decided(
    here: Beside, when: str, device: str | None, wanted: str | None, decide: Decide
) -> tuple[Change, str, str]:
    """Change the epochs and compute anew; the change, the name of the registers, and the reading's time."""
    meter = chosen_meter(here, wanted)
    zone = meter_zone(meter.zone)
    number, registers = 0, ELECTRICITY
    if device is not None:
        equipment = equipment_named(result_of(here.store.meters.equipment(meter.id)), device)
        if equipment.device_type:
            number, registers = equipment.id, name_of(equipment)
    at = instant_named(when, zone)
    change = result_of(decide(here.store.ledger)(meter.id, number, at, here.now()))
    settle(here, [meter.id])
    return change, registers, zone.local_text(change.at)

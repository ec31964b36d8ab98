"""Responsible for ``dsmr meters``: which meters there are, what fills their accounts, and what the ledger found.

Tests: ``tests/cli/test_meters.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click

from dsmr_tw.cli.accounts import add, rename
from dsmr_tw.cli.beside import Beside, beside, where_options
from dsmr_tw.cli.epochs import join_epoch, split_epoch
from dsmr_tw.cli.moves import join, split
from dsmr_tw.cli.naming import ELECTRICITY, columns, id_of, kind_of, name_of
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.localtime import MeterZone, meter_zone
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Equipment, LedgerNote, Meter

SHOWN: Final = 20
"""So many epochs, and so many outliers, are shown of each meter: the newest ones."""

HEADINGS: Final = ("NUMBER", "MEASURES", "PRINTED ID", "CHANNEL", "FIRST HEARD", "LAST HEARD")


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help=f"Show all epochs and outliers, not the newest {SHOWN} only.")
@where_options
@click.pass_context
def meters(context: click.Context, /, everything: bool, **where: str | None) -> None:
    """List the meters; add and rename them; join and split them, and their epochs.

    A meter is an account of energy. Which readings are its was decided when they came, by the ids that meters print;
    `dsmr meters join` and `split` correct that.

    An epoch is the time in which its registers can be compared: one begins when a meter is replaced, or when what it
    shows jumps. From one epoch to the next nothing is counted; `dsmr meters join-epoch` and `split-epoch` correct that.
    """
    if context.invoked_subcommand is not None:
        # `dsmr meters --state-dir DIR join …` means that directory, too.
        given = {name: value for name, value in where.items() if value is not None}
        context.default_map = {context.invoked_subcommand: given}
        return
    with beside(**where) as here:
        for number, meter in enumerate(result_of(here.store.meters.all())):
            if number:
                click.echo()
            for line in _lines(here, meter, NEVER if everything else SHOWN):
                click.echo(line)


for _command in (add, rename, join, split, join_epoch, split_epoch):
    meters.add_command(_command)


def _lines(here: Beside, meter: Meter, limit: int) -> Iterator[str]:
    """What there is to say of a meter."""
    zone = meter_zone(meter.zone)
    equipment = result_of(here.store.meters.equipment(meter.id))
    found = result_of(here.store.ledger.findings(meter.id, limit))
    names = {one.id: name_of(one) for one in equipment if one.device_type}
    yield f"{meter.name} (id {meter.id}, {meter.zone}): {meter.readings:,} readings"
    if equipment:
        yield from _indented(columns([HEADINGS, *(_row(one, zone) for one in equipment)]))
    for title, notes, count in (
        ("Epochs begin at", found.epochs, found.epoch_count),
        ("Not counted", found.outliers, found.outlier_count),
        ("Decided by hand", found.edits, len(found.edits)),
    ):
        if notes:
            yield f"  {title}:"
            yield from _indented(_indented(columns([_note(note, names, zone) for note in notes])))
        if len(notes) < count:
            yield f"    and {count - len(notes):,} before them; --all shows them."


def _row(equipment: Equipment, zone: MeterZone) -> tuple[str, ...]:
    channel = "" if equipment.channel is None else str(equipment.channel)
    heard = (zone.local_text(at)[:19] for at in (equipment.first_seen_at, equipment.last_seen_at))
    return (str(equipment.id), kind_of(equipment), id_of(equipment), channel, *heard)


def _note(note: LedgerNote, names: dict[int, str], zone: MeterZone) -> tuple[str, ...]:
    return zone.local_text(note.at), names.get(note.equipment_id, ELECTRICITY), note.text


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]

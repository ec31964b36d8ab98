"""Responsible for ``dsmr meters join`` and ``dsmr meters split``: one account out of two, and two out of one.

Tests: ``tests/cli/test_meters.py``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import click
from twisted.internet.defer import Deferred

from dsmr_tw.cli.beside import Beside, beside, chosen_meter, where_options
from dsmr_tw.cli.naming import equipment_named, name_of
from dsmr_tw.cli.parse import printable
from dsmr_tw.cli.rebuild import INTERRUPTED, settle
from dsmr_tw.domain.accounts import heard_together
from dsmr_tw.domain.contract import overlapping, period
from dsmr_tw.errors import SettingsError
from dsmr_tw.progress import Progress
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Bulk, Equipment, Meter, Move

yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("meter", metavar="METER")
@click.argument("other", metavar="OTHER")
@yes_option
@where_options
def join(meter: str, other: str, yes: bool, **where: str | None) -> None:
    """Let all that is OTHER's be METER's.

    Its readings, devices, keys and contracts; OTHER itself is no more. Both are named by id or name.
    For two accounts of one connection: when a meter is replaced within ten minutes, the new one is taken for a second
    meter. What is identical in both is kept once.

    A running server notices; what it shows as the power of this moment catches up with the next reading.
    Broken off, the command is simply given again.

    \b
    Example:
      dsmr meters join 1 2
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        target, source = chosen_meter(here, meter), chosen_meter(here, other)
        if target.id == source.id:
            raise SettingsError("Name two meters: a meter can't be joined to itself.")
        bulk = result_of(here.store.meters.bulk(source.id, None))
        for line in _of_join(here, target, source, bulk):
            click.echo(line)
        if not yes and not click.confirm("Shall they be joined?"):
            click.echo("Nothing was changed.")
            return
        _moved(here, bulk, lambda: here.store.meters.begin_join(target.id, source.id))
        click.echo(f"{source.name} is part of {target.name} now.")
        settle(here, [target.id], Progress("Computing"))


@click.command()
@click.argument("meter", metavar="METER")
@click.argument("names", metavar="EQUIPMENT...", nargs=-1, required=True)
@yes_option
@where_options
def split(meter: str, names: Sequence[str], yes: bool, **where: str | None) -> None:
    """Give EQUIPMENT of METER its own account.

    With all readings that it printed. EQUIPMENT are ids as `dsmr meters` lists them, or their numbers: electricity
    meters, and M-Bus devices, which stay where they are unless they are named.
    For two connections in one account: when the meter of one was silent, the other was taken for its successor.
    Later telegrams with these ids go to the new account; those without an id stay with the meter of their cable or key.

    A running server notices; what it shows as the power of this moment catches up with the next reading.
    Broken off, the command is simply given again.

    \b
    Example:
      dsmr meters split 1 E0047000123456789 G0012345678901234
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        source = chosen_meter(here, meter)
        chosen = _chosen(here, source, names)
        numbers = sorted({one.id for one in chosen})
        bulk = result_of(here.store.meters.bulk(source.id, numbers))
        for line in _of_split(here, source, chosen, bulk):
            click.echo(line)
        if not yes and not click.confirm("Shall it be split?"):
            click.echo("Nothing was changed.")
            return
        move = _moved(here, bulk, lambda: here.store.meters.begin_split(source.id, numbers, here.now()))
        target = chosen_meter(here, str(move.target_id))
        click.echo(f"{target.name} (id {target.id}) has what was split off {source.name}.")
        click.echo(f"Tell what its supplier charges with `dsmr prices add --meter {target.id}`.")
        settle(here, [source.id, target.id], Progress("Computing"))


def _of_join(here: Beside, target: Meter, source: Meter, bulk: Bulk) -> Iterator[str]:
    """What a join means, for a person to agree to."""
    contracts = here.store.contracts
    own, others = result_of(contracts.all(target.id)), result_of(contracts.all(source.id))
    dropped = [contract for contract in others if overlapping(contract, own) is not None]
    yield f"{source.name} becomes part of {target.name}: {_counted(bulk)}; contracts: {len(others) - len(dropped)}."
    for contract in dropped:
        yield (
            f"Contract {contract.id} ({printable(contract.description)}), which holds {period(contract)}, is dropped: "
            f"{target.name} has another one on days of it."
        )
    heard = [
        [(one.first_seen_at, one.last_seen_at) for one in _equipment(here, meter) if not one.device_type]
        for meter in (target, source)
    ]
    if heard_together(*heard):
        yield (
            "Both were heard in the same time. If they are two connections, leave them apart: of readings that "
            "alternate between two meters nothing is counted."
        )


def _of_split(here: Beside, source: Meter, chosen: Sequence[Equipment], bulk: Bulk) -> Iterator[str]:
    """What a split means, for a person to agree to."""
    names = ", ".join(name_of(one) for one in chosen)
    yield f"An account of its own gets {names}: {_counted(bulk)} of {source.name}."
    stay = [name_of(one) for one in _equipment(here, source) if one not in chosen]
    yield f"{source.name} keeps {', '.join(stay)}." if stay else f"{source.name} keeps no equipment."


def _counted(bulk: Bulk) -> str:
    return f"{bulk.readings:,} readings, {bulk.device_readings:,} values of M-Bus devices"


def _equipment(here: Beside, meter: Meter) -> list[Equipment]:
    found: list[Equipment] = result_of(here.store.meters.equipment(meter.id))
    return found


def _chosen(here: Beside, source: Meter, names: Sequence[str]) -> list[Equipment]:
    """The equipment that is named: a meter's, else what may have been split off it before."""
    own = _equipment(here, source)
    others = [one for meter in result_of(here.store.meters.all()) if meter != source for one in _equipment(here, meter)]
    known = {one.printed_id for one in own} | {str(one.id) for one in own}
    return [equipment_named(own if name in known else others, name) for name in names]


def _moved(here: Beside, bulk: Bulk, begin: Callable[[], Deferred[Move]]) -> Move:
    """Move what is to move, with a bar, until nothing is left."""
    meters, progress, length, ended = here.store.meters, Progress("Moving"), bulk.readings + bulk.device_readings, False
    try:
        while not ended:
            move = result_of(begin())
            while not move.done:
                move = result_of(meters.move(move))
                progress.reach(move.taken, length)
            ended = result_of(meters.end_move(move, here.now()))
    except KeyboardInterrupt:
        click.echo("Stopped half-way. New readings go to the right account already, old ones are partly moved:")
        click.echo("give the same command again to finish it.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        progress.end()
    return move

"""Responsible for ``dsmr meters add`` and ``dsmr meters rename``: accounts that a person opens, and their names.

Tests: ``tests/cli/test_meters_names.py``
"""

from __future__ import annotations

import click

from dsmr_tw.cli.beside import beside, chosen_meter, where_options
from dsmr_tw.store.threads import result_of


@click.command()
@click.argument("name")
@click.option("--zone", metavar="ZONE", help="The time zone that it hangs in. [that of the first meter]")
@where_options
def add(name: str, zone: str | None, **where: str | None) -> None:
    """Open an account called NAME, for another meter.

    Meters that print an id are told apart without this. It is for those that print none, and for who wants to say
    beforehand which cable or which key belongs to which meter.
    Readings that have come already stay where they are; `dsmr meters join` and `split` move them.

    A running server knows the new meter at once.

    \b
    Example:
      dsmr meters add Cellar
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        meter = result_of(here.store.meters.add(name, zone or chosen_meter(here, None).zone))
    click.echo(f"{meter.name} (id {meter.id}, {meter.zone}) is there.")
    click.echo(f"Let a cable fill it with `twistd dsmr --device DEVICE,meter={meter.id}`,")
    click.echo(f"or whoever posts readings with the key that `dsmr apikey create --meter {meter.id} KEYNAME` makes.")


@click.command()
@click.argument("meter", metavar="METER")
@click.argument("name")
@where_options
def rename(meter: str, name: str, **where: str | None) -> None:
    """Call METER, which has this id or name, by another NAME.

    Its id stays what it is.

    \b
    Example:
      dsmr meters rename 1 House
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        old = chosen_meter(here, meter)
        new = result_of(here.store.meters.rename(old.id, name))
    click.echo(f"{old.name} (id {old.id}) is called {new.name} now.")
    if new.name != old.name:
        click.echo(f"Where it is named, in --device or by a client, write the new name, or its id: meter={old.id}.")

"""Responsible for ``dsmr prices``: entering, listing, ending and removing supplier contracts.

Tests: ``tests/cli/test_prices.py``
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import click
from attrs import evolve
from twisted.internet.defer import Deferred

from dsmr_tw.cli.beside import Beside, beside, chosen_meter, where_options
from dsmr_tw.cli.parse import printable
from dsmr_tw.domain.contract import ONE_DAY, Contract, overlapping, period
from dsmr_tw.domain.units import price, price_text
from dsmr_tw.errors import ContractRefused, SettingsError
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Meter

PRICES: Final = (
    ("--delivered-1", "delivered_1_price", "What you pay for a kWh in tariff 1."),
    ("--delivered-2", "delivered_2_price", "What you pay for a kWh in tariff 2."),
    ("--returned-1", "returned_1_price", "What you get for a kWh returned in tariff 1; less than 0: you pay for it."),
    ("--returned-2", "returned_2_price", "What you get for a kWh returned in tariff 2."),
    ("--gas", "gas_price", "What you pay for a m³ of gas."),
    ("--fixed", "fixed_daily_cost", "What you pay for a day, whatever you take."),
)
"""The option, the field of ``Contract``, and what it means."""

HEADINGS: Final = tuple("ID|START|END|DELIVERED 1|DELIVERED 2|RETURNED 1|RETURNED 2|GAS|FIXED|DESCRIPTION".split("|"))


DAY: Final = click.DateTime(["%Y-%m-%d"])

meter_option = click.option("--meter", "wanted", metavar="ID|NAME", help="Whose prices.  [default: the first meter]")


def _price_options(command: Callable[..., None]) -> Callable[..., None]:
    for option, name, meaning in reversed(PRICES):
        command = click.option(option, name, callback=_price, metavar="EURO", default="0", help=meaning)(command)
    return command


def _price(context: click.Context, option: click.Parameter, text: str) -> int:
    try:
        return price(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no price: write euros with a point and at most six decimals, as in 0.251"
        ) from error


@click.group()
def prices() -> None:
    """Enter what your supplier charges, so that the API can tell what each day costs.

    A contract holds from its first to its last day; on a day without a contract everything costs 0.
    Costs are computed when they are asked for: what is changed here counts at once, for days that are past as well.
    """


@prices.command()
@click.argument("description")
@click.option("--start", type=DAY, metavar="DAY", required=True, help="The first day: 2024-07-01.")
@click.option("--end", type=DAY, metavar="DAY", help="The last day.  [default: it goes on]")
@_price_options
@meter_option
@where_options
def add(description: str, start: datetime, end: datetime | None, wanted: str | None, **rest: Any) -> None:
    """Enter a contract; DESCRIPTION is what you call it.

    Prices are in euros per kWh, m³ or day, all taxes included, with at most six decimals; one that is left out is 0.
    Tariff 1 and 2 are as your meter counts them: in the Netherlands 1 is the low one, in Belgium the one of the day.
    With one price for both, enter it twice.

    \b
    Example:
      dsmr prices add "Green & Co 2024" --start 2024-07-01 --delivered-1 0.251 --delivered-2 0.283 \\
           --returned-1 0.09 --returned-2 0.09 --gas 1.219 --fixed 0.48
    """  # noqa: D301  click reads the backspace
    charged = {name: rest.pop(name) for _, name, _ in PRICES}
    with beside(**rest) as here:
        contract = Contract(
            id=0,
            meter_id=chosen_meter(here, wanted).id,
            start=start.date(),
            end=None if end is None else end.date(),
            description=description,
            **charged,
        )
        stored = _stored(here, here.store.contracts.add, contract)
    click.echo(f"Contract {stored.id} ({printable(description)}) holds {period(stored)}.")


@prices.command(name="list")
@meter_option
@where_options
def list_(wanted: str | None, **where: str | None) -> None:
    """List the contracts of a meter, in euros per kWh, m³ and day."""
    with beside(**where) as here:
        meter = chosen_meter(here, wanted)
        contracts = result_of(here.store.contracts.all(meter.id))
    if not contracts:
        click.echo(f"{meter.name} has no contract, so nothing costs anything. `dsmr prices add --help` shows how.")
        return
    rows = [HEADINGS, *(_row(contract) for contract in contracts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@prices.command()
@click.argument("contract_id", metavar="ID", type=int)
@click.argument("day", metavar="DAY", type=DAY)
@where_options
def end(contract_id: int, day: datetime, **where: str | None) -> None:
    """Let the contract ID end; DAY is the last day that it holds on.

    \b
    Example, when another contract begins in July:
      dsmr prices end 1 2025-06-30
    """  # noqa: D301  click reads the backspace
    with beside(**where) as here:
        ended = evolve(_contract(here, contract_id), end=day.date())
        _stored(here, here.store.contracts.change, ended)
    click.echo(f"Contract {ended.id} ({printable(ended.description)}) holds {period(ended)}.")


@prices.command()
@click.argument("contract_id", metavar="ID", type=int)
@where_options
def remove(contract_id: int, **where: str | None) -> None:
    """Forget the contract ID; its days then cost nothing.

    For a contract that is over, see `dsmr prices end`.
    """
    with beside(**where) as here:
        contract = _contract(here, contract_id)
        result_of(here.store.contracts.remove(contract_id))
    click.echo(f"Contract {contract.id} ({printable(contract.description)}) is forgotten.")


def _contract(here: Beside, contract_id: int) -> Contract:
    """The contract with this id, whose ever it is."""
    meters: list[Meter] = result_of(here.store.meters.all())
    contracts: list[Contract] = [one for meter in meters for one in result_of(here.store.contracts.all(meter.id))]
    found = next((contract for contract in contracts if contract.id == contract_id), None)
    if found is None:
        raise SettingsError(f"There is no contract {contract_id}; `dsmr prices list` shows those that there are.")
    return found


def _stored(here: Beside, store: Callable[[Contract], Deferred[Contract]], contract: Contract) -> Contract:
    """Add or change a contract; where another stands in its way, the error says what to do."""
    try:
        return result_of(store(contract))
    except ContractRefused as error:
        other = overlapping(contract, result_of(here.store.contracts.all(contract.meter_id)))
        if other is None:
            raise
        raise SettingsError(f"{error} {_way_out(contract, other)}") from error


def _way_out(contract: Contract, other: Contract) -> str:
    """What to do about another contract that holds on days of this one."""
    if other.start < contract.start:
        return f"End it first with `dsmr prices end {other.id} {contract.start - ONE_DAY}`."
    remove_it = f"remove the other first with `dsmr prices remove {other.id}`"
    if other.start > contract.start:
        return f"Let this one end on {other.start - ONE_DAY}, or {remove_it}."
    return f"Choose another first day, or {remove_it}."


def _row(contract: Contract) -> tuple[str, ...]:
    """A line of the list."""
    last_day = "" if contract.end is None else str(contract.end)
    charged = (price_text(getattr(contract, name)) for _, name, _ in PRICES)
    return (str(contract.id), str(contract.start), last_day, *charged, printable(contract.description))

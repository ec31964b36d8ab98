"""Responsible for the names and forms in JSON of what has a price: supplier contracts, and this moment with its cost.

Field names are known here and in the other ``shapes`` modules, and in no other file.
Domain values in, dictionaries for JSON out, in the order that the API document gives; and the table of the fields that
may be submitted of a contract.
Prices are decimals of six places in strings, costs of two.

Tests: ``tests/api/test_prices.py``, ``tests/api/test_prices_changes.py``
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

from dsmr_tw.api.fields import DayField, DecimalField, Need, TextField, submitted
from dsmr_tw.api.shapes import Json, ShowInstant
from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.costs import gas_cost, hourly_cost
from dsmr_tw.domain.units import cost_text, price_text
from dsmr_tw.stored import Live

ORDERINGS: Final[dict[str, Callable[[Contract], date]]] = {
    "start": lambda contract: contract.start,
    # An open contract ends last.
    "end": lambda contract: contract.end or date.max,
}
"""The fields that contracts may be ordered by."""

PRICE: Final = Need(DecimalField(digits=11, places=6, scale=6))

SUBMITTED: Final[dict[str, tuple[str, Need, object]]] = {
    "start": ("start", Need(DayField(), required=True), None),
    "end": ("end", Need(DayField()), None),
    "description": ("description", Need(TextField(255)), ""),
    "electricity_delivered_1_price": ("delivered_1_price", PRICE, 0),
    "electricity_delivered_2_price": ("delivered_2_price", PRICE, 0),
    "electricity_returned_1_price": ("returned_1_price", PRICE, 0),
    "electricity_returned_2_price": ("returned_2_price", PRICE, 0),
    "gas_price": ("gas_price", PRICE, 0),
    "fixed_daily_cost": ("fixed_daily_cost", PRICE, 0),
}
"""The fields of a submitted contract, each with the field of ``Contract`` and what that is when it is left blank."""


def ordered(contracts: Iterable[Contract], ordering: str) -> list[Contract]:
    """The contracts as a client wants them; by their first day when it names no field that there is."""
    wanted = ORDERINGS.get(ordering.removeprefix("-"))
    if wanted is None:
        return sorted(contracts, key=ORDERINGS["start"])
    return sorted(contracts, key=wanted, reverse=ordering.startswith("-"))


def submitted_terms(values: Mapping[str, object], partial: bool = False) -> dict[str, Any]:
    """What was submitted of a contract, by the fields of ``Contract``; with ``partial``, without what was left out.

    Raises: ``Problem`` 400 naming every field that is not as it should be.
    """
    read = submitted(values, contract_needs(), partial)
    terms = {}
    for name, value in read.items():
        ours, _, blank = SUBMITTED[name]
        terms[ours] = blank if value is None else value
    return terms


def contract_needs() -> dict[str, Need]:
    """The fields of a submitted contract."""
    return {name: need for name, (_, need, _) in SUBMITTED.items()}


def refused(contract: Contract, reason: str) -> dict[str, list[str]]:
    """Why a contract was refused, at the field that should be another."""
    ends_early = contract.end is not None and contract.end < contract.start
    return {"end" if ends_early else "start": [reason]}


def supplier_prices(contract: Contract) -> Json:
    """A contract."""
    return {
        "id": contract.id,
        "start": contract.start.isoformat(),
        "end": None if contract.end is None else contract.end.isoformat(),
        "description": contract.description,
        "electricity_delivered_1_price": price_text(contract.delivered_1_price),
        "electricity_delivered_2_price": price_text(contract.delivered_2_price),
        "electricity_returned_1_price": price_text(contract.returned_1_price),
        "electricity_returned_2_price": price_text(contract.returned_2_price),
        "gas_price": price_text(contract.gas_price),
        "fixed_daily_cost": price_text(contract.fixed_daily_cost),
    }


def electricity_live(live: Live | None, contract: Contract | None, show: ShowInstant) -> Json:
    """The power now, and what it costs by the contract of today."""
    if live is None:
        return {}
    reading = live.reading.reading
    return {
        "timestamp": show(reading.at),
        "currently_delivered": reading.currently_delivered,
        "currently_returned": reading.currently_returned,
        "cost_per_hour": None if contract is None else cost_text(hourly_cost(reading, live.tariff, contract)),
        "tariff_name": None if live.tariff is None else f"tariff {live.tariff}",
    }


def gas_live(live: Live | None, contract: Contract | None, show: ShowInstant) -> Json:
    """The gas of the last interval, and what it costs by the contract of today."""
    if live is None or live.gas is None:
        return {}
    previous = live.previous_gas or live.gas
    amount = max(0, live.gas.value - previous.value)
    return {
        "timestamp": show(live.gas.at),
        # A float, for once: the API promises a number, and a quotient of three decimals prints exactly.
        "currently_delivered": amount / 1000,
        "cost_per_interval": None if contract is None else cost_text(gas_cost(amount, contract)),
    }

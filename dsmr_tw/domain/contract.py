"""Responsible for supplier contracts: what a supplier charges, and on which days.

A day is a local date of the meter's zone.
A contract holds on its first and on its last day; a stretch of days holds its first day and not its end.
On one day no two contracts of a meter hold, and on a day without any nothing is charged.
Prices are ``int`` in millionths of a euro and may be negative: some suppliers charge for what is returned to them.

Tests: ``tests/domain/test_contract.py``
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, TypeAlias

from attrs import frozen

ONE_DAY: Final = timedelta(days=1)


@frozen
class Contract:
    """What a supplier charges from one day to another."""

    id: int
    """Unique in the store; 0 before it is stored."""
    meter_id: int
    start: date
    """The first day that it holds on."""
    end: date | None
    """The last day that it holds on; ``None``: it goes on."""
    description: str
    delivered_1_price: int
    """Of a kWh to the client in tariff 1, in millionths of a euro; so are all prices."""
    delivered_2_price: int
    returned_1_price: int
    """What the supplier pays for a kWh by the client in tariff 1."""
    returned_2_price: int
    gas_price: int
    """Of a m³."""
    fixed_daily_cost: int
    """Of a day, whatever is taken on it."""

    def holds_on(self, day: date) -> bool:
        """Whether this is the contract of a day."""
        return self.start <= day and (self.end is None or day <= self.end)


Stretch: TypeAlias = tuple[date, date, Contract | None]
"""First day (in) and end (out) of days on which one contract holds, and that contract; ``None``: there is none."""


def contract_on(contracts: Iterable[Contract], day: date) -> Contract | None:
    """The one of a meter's contracts that holds on a day."""
    return next((contract for contract in contracts if contract.holds_on(day)), None)


def overlapping(contract: Contract, others: Iterable[Contract]) -> Contract | None:
    """The first of a meter's other contracts that holds on a day of this one; itself, known by its id, is none."""
    ours, theirs = contract.end or date.max, sorted(others, key=lambda other: other.start)
    return next(
        (
            other
            for other in theirs
            if other.id != contract.id and other.start <= ours and contract.start <= (other.end or date.max)
        ),
        None,
    )


def refusal(contract: Contract, others: Iterable[Contract]) -> str | None:
    """Why a contract can't be one of a meter's, beside the others, as a sentence; ``None`` when it can."""
    if contract.end is not None and contract.end < contract.start:
        return f"A contract that begins on {contract.start} can't end on {contract.end}."
    other = overlapping(contract, others)
    if other is None:
        return None
    return f"Contract {other.id} ({other.description}) holds {period(other)}, and a day has one contract at most."


def period(contract: Contract) -> str:
    """The days of a contract, in words."""
    return f"from {contract.start} on" if contract.end is None else f"from {contract.start} to {contract.end}"


def stretches(contracts: Iterable[Contract], first_day: date, end_day: date) -> list[Stretch]:
    """The days from ``first_day`` to ``end_day`` (out), in order, cut where a contract of the meter begins or ends."""
    found: list[Stretch] = []
    day, last_day = first_day, end_day - ONE_DAY
    for contract in sorted(contracts, key=lambda contract: contract.start):
        start = max(day, contract.start)
        end = min(contract.end or last_day, last_day) + ONE_DAY
        if start >= end:
            continue
        if day < start:
            found.append((day, start, None))
        found.append((start, end, contract))
        day = end
    if day < end_day:
        found.append((day, end_day, None))
    return found

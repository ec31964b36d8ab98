"""Responsible for what amounts cost under a contract.

Costs are ``int`` in billionths of a euro: what Wh times millionths of a euro per kWh make, and dm³ times those per m³.
So they are exact, may be added over days, contracts and months in any order, and are rounded to cents once, when they
are shown (``dsmr_tw.domain.units``).
What is negative is paid by the supplier.

Tests: ``tests/domain/test_costs.py``
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.reading import Reading
from dsmr_tw.domain.spans import Amounts

_DAILY: Final = 1000
"""Billionths in the millionths of a euro that a day's fixed cost is counted in."""


@frozen
class Costs:
    """What is paid for a span, exactly: billionths of a euro."""

    electricity_1: int = 0
    """Of tariff 1: what was delivered, less what was returned."""
    electricity_2: int = 0
    gas: int = 0
    fixed: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.electricity_1 + self.electricity_2 + self.gas + self.fixed

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            self.electricity_1 + other.electricity_1,
            self.electricity_2 + other.electricity_2,
            self.gas + other.gas,
            self.fixed + other.fixed,
        )


def costs_of(amounts: Amounts, contract: Contract | None, days: int) -> Costs:
    """What amounts cost that went through the registers in so many days of a contract; nothing without one."""
    if contract is None:
        return Costs()
    return Costs(
        amounts.delivered_1 * contract.delivered_1_price - amounts.returned_1 * contract.returned_1_price,
        amounts.delivered_2 * contract.delivered_2_price - amounts.returned_2 * contract.returned_2_price,
        gas_cost(amounts.gas or 0, contract),
        days * contract.fixed_daily_cost * _DAILY,
    )


def gas_cost(amount: int, contract: Contract) -> int:
    """What an amount of gas costs."""
    return amount * contract.gas_price


def hourly_cost(reading: Reading, tariff: int | None, contract: Contract) -> int:
    """What an hour costs at the power of a reading, by the prices of the tariff that counts now.

    Prices are those of tariff 1 where the tariff is not known, and where the meter has but one register.
    """
    has_register_2 = reading.delivered_2 != 0 or reading.returned_2 != 0
    if tariff == 2 and has_register_2:
        prices = contract.delivered_2_price, contract.returned_2_price
    else:
        prices = contract.delivered_1_price, contract.returned_1_price
    delivered_price, returned_price = prices
    return reading.currently_delivered * delivered_price - reading.currently_returned * returned_price

"""Tests of dsmr_tw.domain.costs: what amounts cost, exactly."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.costs import Costs, costs_of, gas_cost, hourly_cost
from dsmr_tw.domain.spans import Amounts
from dsmr_tw.domain.units import cost_text, price
from tests.arrivals import reading
from tests.prices import contract

AMOUNT = st.integers(0, 10**9)
PRICE = st.integers(-(10**11) + 1, 10**11 - 1)

AMOUNTS = st.builds(Amounts, AMOUNT, AMOUNT, AMOUNT, AMOUNT, st.none() | AMOUNT)
CONTRACTS = st.builds(
    contract,
    delivered_1_price=PRICE,
    delivered_2_price=PRICE,
    returned_1_price=PRICE,
    returned_2_price=PRICE,
    gas_price=PRICE,
    fixed_daily_cost=PRICE,
)


def added(first: Amounts, second: Amounts) -> Amounts:
    """The amounts of two spans together."""
    gas = None if first.gas is None and second.gas is None else (first.gas or 0) + (second.gas or 0)
    return Amounts(
        first.delivered_1 + second.delivered_1,
        first.returned_1 + second.returned_1,
        first.delivered_2 + second.delivered_2,
        first.returned_2 + second.returned_2,
        gas,
    )


class CostsTests(SynchronousTestCase):
    """Costs of a span."""

    def test_a_day(self) -> None:
        """Each tariff costs what was delivered less what was returned; gas and the day itself come on top."""
        day = Amounts(delivered_1=4000, returned_1=1000, delivered_2=2000, returned_2=6000, gas=1500)
        costs = costs_of(day, contract(), days=1)
        self.assertEqual(costs, Costs(910_000_000, -60_000_000, 1_875_000_000, 400_000_000))
        self.assertEqual(costs.total, 3_125_000_000)
        self.assertEqual(
            [cost_text(cost) for cost in (costs.electricity_1, costs.electricity_2, costs.gas, costs.fixed)],
            ["0.91", "-0.06", "1.88", "0.40"],
        )

    def test_no_contract(self) -> None:
        """Without a contract everything is free."""
        costs = costs_of(Amounts(1, 2, 3, 4, 5), None, days=1)
        self.assertEqual((costs, costs.total), (Costs(0, 0, 0, 0), 0))

    def test_no_gas(self) -> None:
        """A house without gas pays nothing for it."""
        self.assertEqual(costs_of(Amounts(0, 0, 0, 0, None), contract(), days=0), Costs())

    def test_days(self) -> None:
        """A month has the fixed costs of its days, also of those on which nothing was taken."""
        costs = costs_of(Amounts(0, 0, 0, 0, 0), contract(), days=31)
        self.assertEqual((costs.total, cost_text(costs.fixed)), (12_400_000_000, "12.40"))

    def test_two_contracts(self) -> None:
        """A month in which the supplier changed costs what its two parts cost."""
        old, new = contract(), contract(delivered_1_price=200_000)
        part = Amounts(10_000, 0, 0, 0, None)
        costs = sum([costs_of(part, old, days=10), costs_of(part, new, days=20)], Costs())
        self.assertEqual(costs, Costs(electricity_1=4_500_000_000, fixed=12_000_000_000))

    def test_rounded_once(self) -> None:
        """A thousand amounts of less than a cent each cost what they cost together: no cent is lost or made."""
        little = costs_of(Amounts(16, 0, 0, 0, None), contract(), days=0)
        self.assertEqual(cost_text(little.electricity_1), "0.00")
        self.assertEqual(cost_text(sum([little] * 1000, Costs()).electricity_1), "4.00")

    @given(AMOUNTS, AMOUNTS, CONTRACTS, st.integers(0, 400), st.integers(0, 400))
    def test_sums(self, first: Amounts, second: Amounts, under: Contract, days: int, more_days: int) -> None:
        """What two spans of a contract cost together is the sum of what each costs, to the last billionth."""
        together = costs_of(added(first, second), under, days + more_days)
        self.assertEqual(together, costs_of(first, under, days) + costs_of(second, under, more_days))
        parts = (together.electricity_1, together.electricity_2, together.gas, together.fixed)
        self.assertEqual(together.total, sum(parts))

    @given(AMOUNTS, CONTRACTS)
    def test_exact(self, amounts: Amounts, under: Contract) -> None:
        """A cost is kWh times euros, and what is shown is that, rounded half up to cents."""
        kwh, returned_kwh = Fraction(amounts.delivered_2, 1000), Fraction(amounts.returned_2, 1000)
        euros = kwh * Fraction(under.delivered_2_price, 10**6) - returned_kwh * Fraction(under.returned_2_price, 10**6)
        cost = costs_of(amounts, under, 1).electricity_2
        self.assertEqual(Fraction(cost, 10**9), euros)
        shown = Fraction(cost_text(cost))
        self.assertLessEqual(abs(shown - euros), Fraction(5, 1000))
        self.assertGreater(abs(shown), abs(euros) - Fraction(5, 1000))


class NowTests(SynchronousTestCase):
    """Costs at this moment."""

    def hourly(self, tariff: int | None, **values: int) -> str:
        """What an hour costs at the power of a reading, shown."""
        return cost_text(hourly_cost(reading(**values), tariff, contract()))

    def test_tariff(self) -> None:
        """An hour at 2 kW costs two kWh of the tariff that counts now."""
        self.assertEqual(self.hourly(1, currently_delivered=2000), "0.50")
        self.assertEqual(self.hourly(2, currently_delivered=2000), "0.60")

    def test_unknown_tariff(self) -> None:
        """Where the meter does not say which tariff counts, or speaks of one that has no prices, it is the first."""
        for tariff in (None, 0, 3):
            self.assertEqual(self.hourly(tariff, currently_delivered=2000), "0.50")

    def test_one_register(self) -> None:
        """A meter with one register only counts in it, whatever it says of tariffs."""
        totals = {"delivered_2": 0, "returned_2": 0}
        self.assertEqual(self.hourly(2, **totals, currently_delivered=2000), "0.50")
        self.assertEqual(self.hourly(2, delivered_2=0, returned_2=1, currently_delivered=2000), "0.60")
        self.assertEqual(self.hourly(2, delivered_2=1, returned_2=0, currently_delivered=2000), "0.60")

    def test_returned(self) -> None:
        """What is returned is paid for, so an hour may cost less than nothing."""
        self.assertEqual(self.hourly(1, currently_delivered=0, currently_returned=3000), "-0.27")
        self.assertEqual(self.hourly(2, currently_delivered=0, currently_returned=3000), "-0.33")
        self.assertEqual(self.hourly(2, currently_delivered=1000, currently_returned=1000), "0.19")

    def test_gas(self) -> None:
        """Gas costs its volume times its price, however little it is."""
        self.assertEqual(cost_text(gas_cost(125, contract(gas_price=price("1.25")))), "0.16")
        self.assertEqual(gas_cost(1, contract(gas_price=1)), 1)

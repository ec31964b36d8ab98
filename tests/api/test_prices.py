"""What the supplier charges, listed over HTTP, and what this moment costs."""

from __future__ import annotations

from datetime import date
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api import shapes_costs
from dsmr_tw.api.shapes import shown_in
from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.reading import HOUR, SECOND, StoredReading
from dsmr_tw.stored import Live
from tests.arrivals import NOON, gas, reading
from tests.prices import contract
from tests.serving import READINGS, V1, ServedCase
from tests.telegramtext import signed, telegram

PRICES = "/api/v2/consumption/energy-supplier-prices"
ELECTRICITY = "/api/v2/consumption/electricity-live"
GAS = "/api/v2/consumption/gas-live"

TODAY = date(2024, 4, 2)


class PricesCase(ServedCase):
    """A test in which contracts are entered beside the server's back."""

    def add(self, **values: Any) -> Contract:
        """Enter a contract."""
        entered: Contract = self.successResultOf(self.served.store.contracts.add(contract(**values)))
        return entered

    def second_meter(self) -> None:
        """Let the first meter and another one be heard."""
        self.served.post(V1, {"telegram": telegram()})
        other = telegram(clock="240402115955S").partition("!")[0].replace("(4530", "(4531")
        self.served.post(V1, {"telegram": signed(f"{other}!")})


class ListTests(PricesCase):
    """The list of contracts."""

    def setUp(self) -> None:
        """Enter three contracts, not in their order."""
        super().setUp()
        self.add(start=date(2025, 1, 1), end=None, description="open")
        self.add(start=date(2023, 1, 1), end=date(2023, 12, 31), description="first")
        self.add(start=date(2024, 1, 1), end=date(2024, 12, 31), description="second")

    def listed(self, query: str = "") -> list[str]:
        """The descriptions of a page."""
        answer = self.served.get(PRICES + query)
        self.assertEqual(answer.status, 200)
        return [row["description"] for row in answer.json["results"]]

    def test_fields(self) -> None:
        """Days are dates, prices texts with six decimals, in this order; a contract that goes on has no end."""
        self.add(
            start=date(2022, 1, 1),
            end=date(2022, 1, 31),
            description="Zon & Wind “NL”",
            delivered_1_price=251_000,
            delivered_2_price=283_001,
            returned_1_price=-50_000,
            returned_2_price=0,
            gas_price=1_219_500,
            fixed_daily_cost=12_345_678,
        )
        answer = self.served.get(f"{PRICES}?limit=1")
        self.assertEqual(
            answer.text,
            '{"count":4,"next":"http://meter.example:8080/api/v2/consumption/energy-supplier-prices?limit=1&offset=1",'
            '"previous":null,"results":[{"id":4,"start":"2022-01-01","end":"2022-01-31",'
            '"description":"Zon & Wind “NL”",'
            '"electricity_delivered_1_price":"0.251000","electricity_delivered_2_price":"0.283001",'
            '"electricity_returned_1_price":"-0.050000","electricity_returned_2_price":"0.000000",'
            '"gas_price":"1.219500","fixed_daily_cost":"12.345678"}]}',
        )
        self.assertIsNone(self.served.get(f"{PRICES}?ordering=-start").json["results"][0]["end"])

    def test_ordering(self) -> None:
        """By first or last day, either way; what is open ends last. What is no field of theirs is ignored."""
        forwards = ["first", "second", "open"]
        for ordering in ("", "start", "end", "timestamp", "-timestamp", "--start", "-", "description"):
            self.assertEqual(self.listed(f"?ordering={ordering}"), forwards, ordering)
        for ordering in ("-start", "-end"):
            self.assertEqual(self.listed(f"?ordering={ordering}"), forwards[::-1], ordering)

    def test_pages(self) -> None:
        """Following ``next`` visits every contract once; beyond the end there is nothing."""
        url, visited = f"{PRICES}?limit=2&ordering=-end", []
        while url:
            page = self.served.get(url.removeprefix("http://meter.example:8080")).json
            self.assertEqual(page["count"], 3)
            visited += [row["description"] for row in page["results"]]
            url = page["next"]
        self.assertEqual(visited, ["open", "second", "first"])
        self.assertEqual(self.listed("?offset=3"), [])
        self.assertEqual(self.listed(f"?offset={'9' * 100}"), [])
        self.assertEqual(self.listed("?offset=1&limit=1"), ["second"])

    def test_other_parameters(self) -> None:
        """A filter that this list does not have changes nothing."""
        self.assertEqual(len(self.listed("?start__gte=2024-01-01&timestamp__gte=bogus")), 3)

    def test_each_meter_its_own(self) -> None:
        """The contracts are those of the meter that is asked for, and of no other."""
        self.second_meter()
        self.add(meter_id=2, description="theirs")
        self.assertEqual(self.listed("?meter=2"), ["theirs"])
        self.assertEqual(len(self.listed("?meter=1")), 3)
        self.assertEqual(self.served.get(f"{PRICES}?meter=3").status, 400)

    def test_nothing_is_entered(self) -> None:
        """Without contracts the list is empty."""
        self.assertEqual(self.serve().get(PRICES).text, '{"count":0,"next":null,"previous":null,"results":[]}')


class LiveCostTests(PricesCase):
    """What this moment costs. It is noon of the second of April; two kW are taken in tariff 2."""

    def setUp(self) -> None:
        """Let a telegram come, then another five minutes later."""
        super().setUp()
        for clock, gas_clock, gas_position in (
            ("240402115500S", "240402115500S", "00500.000"),
            ("240402120000S", "240402120000S", "00500.125"),
        ):
            text = telegram(clock=clock, gas_clock=gas_clock, gas=gas_position).replace("00.321*kW", "02.000*kW")
            self.served.post(V1, {"telegram": signed(text[: text.index("!") + 1])})

    def costs(self) -> tuple[str | None, str | None]:
        """The costs of electricity per hour, and of the last interval of gas."""
        electricity, of_gas = self.served.get(ELECTRICITY).json, self.served.get(GAS).json
        self.assertEqual((electricity["currently_delivered"], of_gas["currently_delivered"]), (2000, 0.125))
        return electricity["cost_per_hour"], of_gas["cost_per_interval"]

    def test_prices_of_today(self) -> None:
        """Power and gas are priced by the contract that holds now, in the tariff that counts now."""
        self.add(start=TODAY, end=TODAY, delivered_1_price=1, delivered_2_price=300_000, gas_price=1_250_000)
        self.assertEqual(self.costs(), ("0.60", "0.16"))

    def test_no_contract_today(self) -> None:
        """A contract of other days says nothing about this moment."""
        self.assertEqual(self.costs(), (None, None))
        self.add(start=date(2024, 4, 3), end=None)
        self.add(start=date(2024, 1, 1), end=date(2024, 4, 1))
        self.assertEqual(self.costs(), (None, None))

    def test_today_is_the_meters(self) -> None:
        """A contract that begins tomorrow counts from midnight on where the meter hangs, not before and not later."""
        self.add(start=date(2024, 4, 3), end=None)
        self.served.clock.advance((12 * HOUR) // SECOND - 1)
        self.assertEqual(self.costs(), (None, None))
        self.served.clock.advance(1)
        self.assertEqual(self.costs(), ("0.60", "0.16"))

    def test_returned(self) -> None:
        """Power that is returned lowers the cost, below nothing too."""
        self.add(returned_1_price=90_000)
        later = {
            "timestamp": "2024-04-02T12:00:10+02:00",
            "electricity_currently_delivered": "0",
            "electricity_currently_returned": "3",
            **{f"electricity_{way}_{tariff}": 5000 for way in ("delivered", "returned") for tariff in (1, 2)},
        }
        self.assertEqual(self.served.post(READINGS, later).status, 201)
        # A post does not say which tariff counts: it is still the second one.
        self.assertEqual(self.served.get(ELECTRICITY).json["cost_per_hour"], "-0.33")

    def test_the_contract_of_another_meter(self) -> None:
        """Each meter is priced by its own contract."""
        self.second_meter()
        self.add(meter_id=2)
        self.assertEqual(self.costs(), (None, None))
        self.assertEqual(self.served.get(f"{ELECTRICITY}?meter=2").json["cost_per_hour"], "0.10")


class BeforeTests(PricesCase):
    """Before anything was heard."""

    def test_nothing_costs_nothing(self) -> None:
        """A contract alone gives no cost: without readings there is an empty object."""
        self.add()
        self.assertEqual((self.served.get(ELECTRICITY).json, self.served.get(GAS).json), ({}, {}))


class GasLiveTests(SynchronousTestCase):
    """Gas of the last interval."""

    def test_a_swapped_meter(self) -> None:
        """A position that went back is a new meter's: no amount, which costs nothing."""
        live = Live(StoredReading(1, reading()), None, gas(NOON, 5), gas(NOON - 1, 500_000))
        shown = shapes_costs.gas_live(live, contract(), shown_in(None))
        self.assertEqual((shown["currently_delivered"], shown["cost_per_interval"]), (0, "0.00"))

"""What the house takes, today and minute by minute, over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any

from dsmr_tw.domain.reading import HOUR, SECOND
from tests.arrivals import MINUTE, NOON, OTHER_GAS_METER, gas, heard
from tests.past import compute, store_readings
from tests.prices import contract
from tests.serving import EXAMPLE, READINGS, V1, Answer, ServedCase
from tests.telegramtext import telegram

CONSUMPTION = "/api/v2/consumption"


class ConsumptionCase(ServedCase):
    """A test of the routes below ``consumption/``."""

    def ask(self, path: str) -> Answer:
        """An answer that is well."""
        answer = self.served.get(f"{CONSUMPTION}/{path}")
        self.assertEqual(answer.status, 200, answer)
        return answer

    def rows(self, path: str) -> Any:
        """The rows of a page."""
        return self.ask(path).json["results"]

    def store(self, *arrivals: Any) -> None:
        """Store arrivals, in this order."""
        self.successResultOf(self.served.store.readings.add([arrivals], NOON))


class LiveTests(ConsumptionCase):
    """The newest values."""

    def test_before_the_first_reading(self) -> None:
        """Without a reading there is an empty object."""
        for name in ("electricity", "gas"):
            self.assertEqual(self.ask(f"{name}-live").json, {})

    def test_after_two_telegrams(self) -> None:
        """The newest power, and the gas since the value before."""
        self.served.post(V1, {"telegram": telegram()})
        self.assertEqual(self.ask("gas-live").json["currently_delivered"], 0)
        later = telegram(clock="240402120000S", gas_clock="240402120000S", gas="00500.125")
        self.served.post(V1, {"telegram": later})
        self.assertEqual(
            self.ask("electricity-live").json,
            {
                "timestamp": "2024-04-02T10:00:00Z",
                "currently_delivered": 321,
                "currently_returned": 0,
                "cost_per_hour": None,
                "tariff_name": "tariff 2",
            },
        )
        self.assertEqual(
            self.ask("gas-live").json,
            {"timestamp": "2024-04-02T10:00:00Z", "currently_delivered": 0.125, "cost_per_interval": None},
        )


class TodayTests(ConsumptionCase):
    """The day so far."""

    def test_no_reading(self) -> None:
        """Before the first reading of the day the answer says so, in words, whatever there was before."""
        sentence = '"No electricity readings found for: 2024-04-02"'
        self.assertEqual(self.ask("today").text, sentence)
        store_readings(self.served, "2024-04-01T00:00", "2024-04-01T23:45")
        self.assertEqual(self.ask("today").text, sentence)

    def test_without_a_contract(self) -> None:
        """All fields are numbers, in this order, but prices that there are none of."""
        store_readings(self.served, "2024-04-01T22:00", "2024-04-02T11:45")
        self.assertEqual(
            self.ask("today").text,
            '{"day":"2024-04-02","electricity1":4.7,"electricity2":1.175,"electricity1_returned":0.47,'
            '"electricity2_returned":0.0,"electricity_merged":5.875,"electricity_returned_merged":0.47,'
            '"electricity1_cost":0.0,"electricity2_cost":0.0,"gas":0.94,"gas_cost":0.0,"fixed_cost":0.0,'
            '"total_cost":0.0,"energy_supplier_price_electricity_delivered_1":null,'
            '"energy_supplier_price_electricity_delivered_2":null,'
            '"energy_supplier_price_electricity_returned_1":null,'
            '"energy_supplier_price_electricity_returned_2":null,"energy_supplier_price_gas":null,'
            '"energy_supplier_price_fixed_daily_cost":null}',
        )

    def test_costs(self) -> None:
        """Costs are those of the contract of the day, and the total includes the fixed cost; each is rounded once."""
        for values in (
            {"start": date(2024, 4, 1), "end": date(2024, 4, 1), "delivered_1_price": 9_000_000},
            {"start": date(2024, 4, 2), "end": date(2024, 4, 2), "delivered_1_price": 211_234},
        ):
            self.successResultOf(self.served.store.contracts.add(contract(**values)))
        store_readings(self.served, "2024-04-01T22:00", "2024-04-02T11:45")
        today = self.ask("today").json
        names = ("electricity1_cost", "electricity2_cost", "gas_cost", "fixed_cost", "total_cost")
        self.assertEqual([today[name] for name in names], [0.95, 0.35, 1.18, 0.4, 2.88])
        self.assertEqual(
            [value for name, value in today.items() if name.startswith("energy_supplier_price")],
            [0.211234, 0.3, 0.09, 0.11, 1.25, 0.4],
        )

    def test_without_gas(self) -> None:
        """Without a gas meter its amount and cost are 0."""
        store_readings(self.served, "2024-04-02T00:00", "2024-04-02T11:45", gas_meter=None)
        today = self.ask("today").json
        self.assertEqual((today["gas"], today["gas_cost"]), (0, 0))

    def test_dated_ahead(self) -> None:
        """A reading that is dated later today does not count before its time."""
        for time, delivered in (("09:00", "1"), ("09:30", "1.5"), ("11:00", "9")):
            self.served.post(
                READINGS,
                {**EXAMPLE, "timestamp": f"2024-04-02T{time}:00Z", "electricity_delivered_1": delivered},
            )
        self.assertEqual(self.ask("today").json["electricity1"], 0.5)
        self.served.clock.advance(2 * HOUR / SECOND)
        self.assertEqual(self.ask("today").json["electricity1"], 8)

    def test_the_meters_own_day(self) -> None:
        """The day begins at midnight where the meter hangs."""
        self.served.clock.advance(12 * HOUR / SECOND + 1)
        self.assertIn("2024-04-03", self.ask("today").text)


class MinuteTests(ConsumptionCase):
    """Electricity, minute by minute."""

    def setUp(self) -> None:
        """Three readings in one minute, and one two minutes later."""
        super().setUp()
        self.store(
            heard(NOON, currently_delivered=100, delivered_2=2_000_000, voltages=(230_000, None, 231_000)),
            heard(
                NOON + 10 * SECOND, currently_delivered=200, delivered_2=2_000_001, voltages=(231_000, None, 231_100)
            ),
            heard(NOON + 59 * SECOND, currently_delivered=401, delivered_2=2_000_002, currents=(2_000, None, 0)),
            heard(NOON + 2 * MINUTE, currently_delivered=400),
        )

    def test_a_minute(self) -> None:
        """A minute has the positions of its last reading and averages of the rest, and is dated at its end."""
        answer = self.ask("electricity?limit=1")
        self.assertEqual(
            answer.text,
            '{"count":2,"next":"http://meter.example:8080/api/v2/consumption/electricity?limit=1&offset=1",'
            '"previous":null,"results":[{"id":28534200,"read_at":"2024-04-02T10:01:00Z",'
            '"delivered_1":"1000.000","returned_1":"0.000","delivered_2":"2000.002","returned_2":"0.500",'
            '"currently_delivered":"0.234","currently_returned":"0.000",'
            '"phase_currently_delivered_l1":"0.300","phase_currently_delivered_l2":"0.100",'
            '"phase_currently_delivered_l3":"0.000","phase_currently_returned_l1":"0.000",'
            '"phase_currently_returned_l2":"0.000","phase_currently_returned_l3":"0.000",'
            '"phase_voltage_l1":"230.4","phase_voltage_l2":"229.9","phase_voltage_l3":"231.0",'
            '"phase_power_current_l1":1,"phase_power_current_l2":0,"phase_power_current_l3":0}]}',
        )

    def test_lists(self) -> None:
        """The list is ordered and limited by the ends of the minutes."""
        for query, ids in (
            ("", [28534200, 28534202]),
            ("?ordering=-read_at", [28534202, 28534200]),
            ("?read_at__gte=2024-04-02T10:01:01Z", [28534202]),
            ("?read_at__lte=2024-04-02+12:02:59", [28534200]),
            ("?read_at=2024-04-02T10:01:00Z", [28534200]),
            ("?offset=99999999999999999999", []),
        ):
            self.assertEqual([row["id"] for row in self.rows(f"electricity{query}")], ids, query)
        answer = self.served.get(f"{CONSUMPTION}/electricity?read_at__lte=x")
        self.assertEqual((answer.status, answer.json), (400, {"read_at__lte": ["Enter a valid date/time."]}))


class GasTests(ConsumptionCase):
    """Gas, value by value."""

    def setUp(self) -> None:
        """Two values of a gas meter, then two of the one that took its place."""
        super().setUp()
        for hours, value, meter in (
            (0, 500_000, "GAS-A"),
            (1, 500_125, "GAS-A"),
            (2, 7, OTHER_GAS_METER),
            (3, 10, OTHER_GAS_METER),
        ):
            at = NOON + hours * HOUR
            self.store(heard(at, gas(at, value, meter)))

    def test_values(self) -> None:
        """A value has its position, and how much more it is than the one before of the same meter."""
        answer = self.ask("gas?limit=1")
        self.assertEqual(
            answer.json["results"],
            [{"id": 1, "read_at": "2024-04-02T10:00:00Z", "delivered": "500.000", "currently_delivered": "0.000"}],
        )
        self.assertEqual(answer.json["count"], 4)
        self.assertEqual(list(answer.json["results"][0]), ["id", "read_at", "delivered", "currently_delivered"])
        amounts = [row["currently_delivered"] for row in self.rows("gas")]
        self.assertEqual(amounts, ["0.000", "0.125", "0.000", "0.003"])

    def test_lists(self) -> None:
        """The list is ordered and limited by the times of the values."""
        for query, ids in (
            ("?ordering=-read_at&limit=2", [4, 3]),
            ("?read_at__gte=2024-04-02T12:00:00Z", [3, 4]),
            ("?read_at=2024-04-02T11:00:00Z", [2]),
            ("?offset=99999999999999999999", []),
        ):
            self.assertEqual([row["id"] for row in self.rows(f"gas{query}")], ids, query)
        self.assertEqual(self.served.get(f"{CONSUMPTION}/gas?read_at=x").status, 400)

    def test_a_position_that_went_back(self) -> None:
        """Nobody gives gas back: less than before is no amount."""
        self.store(heard(NOON + 4 * HOUR, gas(NOON + 4 * HOUR, 9, OTHER_GAS_METER)))
        self.assertEqual(self.rows("gas?offset=4")[0]["currently_delivered"], "0.000")


class PeakTests(ConsumptionCase):
    """The average power of quarters."""

    def test_list(self) -> None:
        """A quarter's power is what it took in both tariffs, times four."""
        store_readings(self.served, "2024-04-02T09:00", "2024-04-02T12:00")
        compute(self.served)
        answer = self.ask("quarter-hour-peak-electricity?limit=1").json
        self.assertEqual(answer["count"], 12)
        self.assertEqual(
            list(answer["results"][0].items()),
            [
                ("id", 1902268),
                ("read_at_start", "2024-04-02T07:00:00Z"),
                ("read_at_end", "2024-04-02T07:15:00Z"),
                ("average_delivered", "0.500"),
            ],
        )
        for query, starts in (
            ("ordering=-read_at_start&limit=1", ["2024-04-02T09:45:00Z"]),
            ("read_at_start__gte=2024-04-02T11:30", ["2024-04-02T09:30:00Z", "2024-04-02T09:45:00Z"]),
            ("read_at_start__lte=2024-04-02T09:00", ["2024-04-02T07:00:00Z"]),
        ):
            rows = self.rows(f"quarter-hour-peak-electricity?{query}")
            self.assertEqual([row["read_at_start"] for row in rows], starts, query)
        answer = self.served.get(f"{CONSUMPTION}/quarter-hour-peak-electricity?read_at_start=x")
        self.assertEqual((answer.status, answer.json), (400, {"read_at_start": ["Enter a valid date/time."]}))

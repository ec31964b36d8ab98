"""The example of the API document: a day with its costs and temperatures, all of it brought and asked over HTTP."""

from __future__ import annotations

from tests.past import compute
from tests.serving import READINGS, ServedCase

DAY = {
    "day": "2017-02-25",
    "total_cost": "3.14",
    "electricity1": "7.289",
    "electricity2": "0.000",
    "electricity1_returned": "0.000",
    "electricity2_returned": "0.000",
    "electricity1_cost": "1.30",
    "electricity2_cost": "0.00",
    "gas": "3.047",
    "gas_cost": "1.84",
    "lowest_temperature": "0.6",
    "highest_temperature": "7.9",
    "average_temperature": "4.3",
}
"""As the document shows it, but for the id."""


class DayExampleTests(ServedCase):
    """From the outside only."""

    def post_reading(self, at: str, delivered_1: str, gas: str) -> None:
        """A reading as a logger posts it."""
        answer = self.served.post(
            READINGS,
            {
                "timestamp": at,
                "electricity_currently_delivered": "0.304",
                "electricity_currently_returned": "0",
                "electricity_delivered_1": delivered_1,
                "electricity_delivered_2": "800",
                "electricity_returned_1": "0",
                "electricity_returned_2": "0",
                "extra_device_timestamp": at,
                "extra_device_delivered": gas,
            },
        )
        self.assertEqual(answer.status, 201, answer.text)

    def test_the_day(self) -> None:
        """The row has the document's values, and what later versions add comes behind them."""
        self.post_reading("2017-02-25T00:00:00+01", "1600", "1800")
        self.post_reading("2017-02-26T00:00:00+01", "1607.289", "1803.047")
        self.served.post(
            "/api/v2/consumption/energy-supplier-prices",
            {"start": "2017-01-01", "electricity_delivered_1_price": "0.178", "gas_price": "0.604"},
        )
        for hour, degrees in (("06", "0.6"), ("10", "4.4"), ("14", "7.9")):
            self.served.post(
                "/api/v2/weather/temperature", {"read_at": f"2017-02-25T{hour}:00", "degrees_celcius": degrees}
            )
        compute(self.served)
        [row] = self.served.get("/api/v2/statistics/day?day__gte=2017-02-25&day__lte=2017-02-25").json["results"]
        self.assertEqual([(name, row[name]) for name in list(row)[1 : len(DAY) + 1]], list(DAY.items()))
        self.assertEqual((row["id"], row["fixed_cost"], row["estimated"]), (17222, "0.00", False))

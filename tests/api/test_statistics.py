"""What the ledger adds up to, over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.past import compute, store_readings
from tests.prices import contract
from tests.serving import Answer, Served, ServedCase

STATISTICS = "/api/v2/statistics"


class StatisticsCase(ServedCase):
    """A house that was read from 2024-03-29 on, until noon of 2024-04-02; in between is a day of 23 hours."""

    def setUp(self) -> None:
        """Compute the ledger of its readings."""
        super().setUp()
        self.fill(self.served)

    def fill(self, served: Served, **arguments: Any) -> None:
        """Store the readings and compute the ledger."""
        store_readings(served, "2024-03-29T00:00", "2024-04-02T12:00", **arguments)
        compute(served)

    def agree(self, **values: Any) -> None:
        """Enter a contract."""
        self.successResultOf(self.served.store.contracts.add(contract(**values)))

    def ask(self, path: str) -> Answer:
        """An answer that is well."""
        answer = self.served.get(f"{STATISTICS}/{path}")
        self.assertEqual(answer.status, 200, answer)
        return answer

    def rows(self, path: str) -> Any:
        """The rows of a page."""
        return self.ask(path).json["results"]

    def values(self, path: str, name: str) -> list[Any]:
        """One field of the rows of a page."""
        return [row[name] for row in self.rows(path)]


class SpanTests(StatisticsCase):
    """Quarters and hours."""

    def test_hours(self) -> None:
        """An hour has its amounts, in this order, and an id that is the same for ever."""
        answer = self.ask("hour?limit=1")
        self.assertEqual(
            answer.text,
            '{"count":107,"next":"http://meter.example:8080/api/v2/statistics/hour?limit=1&offset=1","previous":null,'
            '"results":[{"id":475463,"hour_start":"2024-03-28T23:00:00Z","electricity1":"0.400",'
            '"electricity2":"0.100","electricity1_returned":"0.040","electricity2_returned":"0.000","gas":"0.080",'
            '"estimated":false,"gas_estimated":false}]}',
        )

    def test_quarters(self) -> None:
        """So has a quarter of an hour."""
        answer = self.ask("quarter?limit=1")
        self.assertEqual(
            answer.text,
            '{"count":428,"next":"http://meter.example:8080/api/v2/statistics/quarter?limit=1&offset=1",'
            '"previous":null,"results":[{"id":1901852,"quarter_start":"2024-03-28T23:00:00Z","electricity1":"0.100",'
            '"electricity2":"0.025","electricity1_returned":"0.010","electricity2_returned":"0.000","gas":"0.020",'
            '"estimated":false,"gas_estimated":false}]}',
        )

    def test_filters(self) -> None:
        """Instants limit the list, as they do lists of readings."""
        for query, hours in (
            ("hour_start__gte=2024-04-02+11:00", ["2024-04-02T09:00:00Z"]),
            ("hour_start__gte=2024-04-02T09:00:01Z", []),
            ("hour_start__lte=2024-03-29T00:30:00%2B01:00", ["2024-03-28T23:00:00Z"]),
            ("hour_start=2024-03-31", ["2024-03-30T23:00:00Z"]),
            ("hour_start=2024-03-31T01:00Z&quarter_start=x&day__gte=x", ["2024-03-31T01:00:00Z"]),
        ):
            self.assertEqual(self.values(f"hour?{query}", "hour_start"), hours, query)
        self.assertEqual(self.values("quarter?quarter_start=2024-03-31T01:15Z", "id"), [1902053])
        answer = self.served.get(f"{STATISTICS}/quarter?quarter_start__gte=x")
        self.assertEqual((answer.status, answer.json), (400, {"quarter_start__gte": ["Enter a valid date/time."]}))

    def test_local_time(self) -> None:
        """``--api-timestamps local`` shows local time, in which an hour of spring is left out."""
        served = self.serve(local_timestamps=True)
        self.fill(served)
        answer = served.get(f"{STATISTICS}/hour?hour_start__gte=2024-03-31T01:00&limit=2")
        self.assertEqual(
            [row["hour_start"] for row in answer.json["results"]],
            ["2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00"],
        )


class DayTests(StatisticsCase):
    """Days."""

    def test_without_a_contract(self) -> None:
        """A day has its amounts, what the registers showed first, and no costs."""
        answer = self.ask("day?limit=1")
        self.assertEqual(
            answer.text,
            '{"count":4,"next":"http://meter.example:8080/api/v2/statistics/day?limit=1&offset=1","previous":null,'
            '"results":[{"id":19811,"day":"2024-03-29","total_cost":"0.00","electricity1":"9.600",'
            '"electricity2":"2.400","electricity1_returned":"0.960","electricity2_returned":"0.000",'
            '"electricity1_cost":"0.00","electricity2_cost":"0.00","gas":"1.920","gas_cost":"0.00",'
            '"lowest_temperature":null,"highest_temperature":null,"average_temperature":null,"fixed_cost":"0.00",'
            '"estimated":false,"gas_estimated":false,'
            '"electricity_reading_timestamp":"2024-03-28T23:00:00Z","electricity1_reading":"10844.800",'
            '"electricity2_reading":"20211.200","electricity1_returned_reading":"1084.480",'
            '"electricity2_returned_reading":"0.000",'
            '"gas_reading_timestamp":"2024-03-28T23:00:00Z","gas_reading":"5168.960"}]}',
        )

    def test_costs(self) -> None:
        """Each day costs what its contract says, the fixed cost included, from the moment that it is entered."""
        self.agree(start=date(2024, 3, 30), end=date(2024, 3, 31))
        self.agree(start=date(2024, 4, 1), delivered_1_price=-100_000, fixed_daily_cost=0)
        names = ("day", "electricity1_cost", "electricity2_cost", "gas_cost", "fixed_cost", "total_cost")
        self.assertEqual(
            [tuple(row[name] for name in names) for row in self.rows("day")],
            [
                ("2024-03-29", "0.00", "0.00", "0.00", "0.00", "0.00"),
                ("2024-03-30", "2.31", "0.72", "2.40", "0.40", "5.83"),
                ("2024-03-31", "2.22", "0.69", "2.30", "0.40", "5.61"),
                ("2024-04-01", "-1.05", "0.72", "2.40", "0.00", "2.07"),
            ],
        )

    def test_hours_add_up(self) -> None:
        """The hours of a day are its amounts, also where it has but 23 of them."""
        for name, amount in (("electricity1", 9200), ("electricity2", 2300), ("gas", 1840)):
            span = "hour_start__gte=2024-03-31&hour_start__lte=2024-03-31T23:00&limit=30"
            hours = self.values(f"hour?{span}", name)
            self.assertEqual(len(hours), 23)
            self.assertEqual(sum(int(text.replace(".", "")) for text in hours), amount)
            self.assertEqual(self.values("day?day=2024-03-31", name), [f"{amount / 1000:.3f}"])

    def test_filters(self) -> None:
        """Days limit the list, both included, and blank ones do not; parameters of other lists are not looked at."""
        everything = ["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01"]
        for query, days in (
            ("day__gte=2024-03-31", everything[2:]),
            ("day__lte=2024-3-30", everything[:2]),
            ("day=2024-03-31", ["2024-03-31"]),
            ("day__gte=2024-03-30&day__lte=2024-03-31", everything[1:3]),
            ("day__gte=2024-04-02", []),
            ("day__gte=&day__lte=+&day=", everything),
            ("day__gte=0001-01-01&day__lte=9999-12-31", everything),
            ("day__gte=9999-12-31", []),
            ("day__lte=0001-01-01", []),
            ("timestamp__gte=2024-04-01T00:00:00Z&hour_start__gte=x&month=x", everything),
        ):
            self.assertEqual(self.values(f"day?{query}", "day"), days, query)

    def test_filters_that_are_no_days(self) -> None:
        """What is no day, or has a time, is refused, each parameter by name."""
        for text in ("2024-03-31+00:00:00", "2024-03-31T00:00:00Z", "2024-02-30", "31-03-2024", "0000-01-01", "x"):
            answer = self.served.get(f"{STATISTICS}/day?day__gte={text}&day__lte={text}&day=2024-03-31")
            wrong = ["Enter a valid date."]
            self.assertEqual((answer.status, answer.json), (400, {"day__gte": wrong, "day__lte": wrong}), text)

    def test_ordering_and_pages(self) -> None:
        """Lists begin with the oldest or the newest; who follows ``next`` sees every row once."""
        self.assertEqual(self.values("day?ordering=-day&limit=2", "id"), [19814, 19813])
        self.assertEqual(self.values("day?ordering=-hour_start&limit=2", "id"), [19811, 19812])
        seen, page = [], self.ask("day?limit=3").json
        seen += page["results"]
        page = self.served.get(page["next"].removeprefix("http://meter.example:8080")).json
        seen += page["results"]
        self.assertEqual([row["id"] for row in seen], [19811, 19812, 19813, 19814])
        self.assertIsNone(page["next"])

    def test_far_offsets(self) -> None:
        """Behind the end of any list is an empty page."""
        for kind in ("quarter", "hour", "day", "month", "year"):
            for offset in ("1000000", "99999999999999999999"):
                self.assertEqual(self.rows(f"{kind}?offset={offset}"), [], kind)

    def test_without_gas(self) -> None:
        """While no gas meter has ever reported, there is neither gas nor a cost of it."""
        self.served = self.serve()
        self.agree()
        self.fill(self.served, gas_meter=None)
        [row, *_] = self.rows("day")
        names = ("gas", "gas_cost", "gas_reading_timestamp", "gas_reading", "gas_estimated")
        self.assertEqual([row[name] for name in names], [None, None, None, None, False])
        self.assertEqual(self.values("hour?limit=1", "gas"), [None])

    def test_which_meter(self) -> None:
        """A meter may be named; one that there is not can't be."""
        self.assertEqual(len(self.rows("day?meter=1")), 4)
        self.assertEqual(self.served.get(f"{STATISTICS}/day?meter=2").status, 400)


class MonthTests(StatisticsCase):
    """Months and years."""

    def test_months(self) -> None:
        """A month adds up its days from the first reading on, and their costs exactly: they are rounded once."""
        self.agree(start=date(2024, 3, 1), end=date(2024, 3, 30), fixed_daily_cost=404_000)
        self.agree(start=date(2024, 3, 31), gas_price=2_000_000, fixed_daily_cost=404_000)
        self.assertEqual(self.values("day?day__lte=2024-03-31", "fixed_cost"), ["0.40", "0.40", "0.40"])
        [row] = self.rows("month")
        self.assertEqual(
            row,
            {
                "id": 650,
                "month": "2024-03-01",
                "total_cost": "18.67",
                "electricity1": "28.400",
                "electricity2": "7.100",
                "electricity1_returned": "2.840",
                "electricity2_returned": "0.000",
                "electricity1_cost": "6.84",
                "electricity2_cost": "2.13",
                "gas": "5.680",
                "gas_cost": "8.48",
                "lowest_temperature": None,
                "highest_temperature": None,
                "average_temperature": None,
                "fixed_cost": "1.21",
                "estimated": True,
                "gas_estimated": True,
                "electricity_reading_timestamp": "2024-03-28T23:00:00Z",
                "electricity1_reading": "10844.800",
                "electricity2_reading": "20211.200",
                "electricity1_returned_reading": "1084.480",
                "electricity2_returned_reading": "0.000",
                "gas_reading_timestamp": "2024-03-28T23:00:00Z",
                "gas_reading": "5168.960",
            },
        )

    def test_days_without_a_contract(self) -> None:
        """Days of a month on which no contract holds cost nothing."""
        self.agree(start=date(2024, 3, 30), end=date(2024, 3, 30))
        self.assertEqual(self.values("month", "total_cost"), ["5.83"])
        self.assertEqual(self.values("month", "fixed_cost"), ["0.40"])

    def test_filters(self) -> None:
        """A month is that of its first day, and a list of none is empty."""
        self.assertEqual(self.values("month?month=2024-03-01&day__gte=x", "id"), [650])
        self.assertEqual(self.values("month?month__gte=2024-03-02", "id"), [])
        answer = self.served.get(f"{STATISTICS}/month?month__lte=2024-03")
        self.assertEqual((answer.status, answer.json), (400, {"month__lte": ["Enter a valid date."]}))

    def test_years(self) -> None:
        """A year has its number for an id."""
        self.assertEqual(self.rows("year"), [])
        self.served = self.serve()
        store_readings(self.served, "2023-12-30T00:00", "2024-01-01T12:00")
        compute(self.served)
        self.agree(start=date(2023, 12, 31))
        [row] = self.rows("year?ordering=-year&year__lte=2023-01-01")
        self.assertEqual((row["id"], row["year"]), (2023, "2023-01-01"))
        self.assertEqual((row["electricity1"], row["fixed_cost"]), ("19.200", "0.40"))
        self.assertEqual(self.rows("year?year__gte=2023-01-02"), [])


class TotalTests(StatisticsCase):
    """Any stretch of time."""

    def test_between_readings(self) -> None:
        """The total is exact to the Wh, whatever instants are asked about."""
        answer = self.ask("total?start=2024-03-31T00:10&end=2024-03-31T05:00")
        self.assertEqual(
            answer.text,
            '{"start":"2024-03-30T23:10:00Z","end":"2024-03-31T03:00:00Z","electricity1":"1.534",'
            '"electricity2":"0.384","electricity1_returned":"0.154","electricity2_returned":"0.000","gas":"0.307",'
            '"estimated":false,"gas_estimated":false}',
        )

    def test_up_to_date(self) -> None:
        """It needs no rows: what has just arrived is in it, and it says how far readings tell."""
        served = self.serve()
        store_readings(served, "2024-04-02T09:00", "2024-04-02T11:45")
        answer = served.get(f"{STATISTICS}/total?start=2024-04-01&end=2024-04-03").json
        self.assertEqual((answer["start"], answer["end"]), ("2024-04-02T07:00:00Z", "2024-04-02T09:45:00Z"))
        self.assertEqual((answer["electricity1"], answer["gas"]), ("1.100", "0.220"))

    def test_nothing_known(self) -> None:
        """Of a time without readings there is an estimate: nothing."""
        for start, end, shown in (
            ("2020-01-01", "2020-01-02T00:00:00Z", ["2019-12-31T23:00:00Z", "2020-01-02T00:00:00Z"]),
            ("0001-01-01", "0001-01-01", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]),
            ("9999-12-31", "9999-12-31T23:59:59Z", ["9999-12-30T23:00:00Z", "9999-12-31T23:59:59Z"]),
        ):
            answer = self.ask(f"total?start={start}&end={end}").json
            self.assertEqual(list(answer.values()), [*shown, "0.000", "0.000", "0.000", "0.000", None, True, True])

    def test_which_stretch(self) -> None:
        """Both ends are needed, in their order."""
        required, wrong = ["This field is required."], ["Enter a valid date/time."]
        for query, errors in (
            ("", {"start": required, "end": required}),
            ("start=2024-03-31&end=+", {"end": required}),
            ("start=x&end=2024-03-31", {"start": wrong}),
            ("start=2024-03-31&end=2024-03-30", {"end": ["The end is before the start."]}),
        ):
            answer = self.served.get(f"{STATISTICS}/total?{query}")
            self.assertEqual((answer.status, answer.json), (400, errors), query)

"""Temperatures over HTTP: submitted, listed, and beside the days that they belong to."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from dsmr_tw.domain.reading import HOUR
from dsmr_tw.errors import StoreUnavailable
from tests.past import compute, store_readings
from tests.serving import KEY, Answer, ServedCase, request_bytes

TEMPERATURES = "/api/v2/weather/temperature"


class TemperatureCase(ServedCase):
    """A test of temperatures."""

    def submit(self, read_at: object = "2024-04-02T12:00:00+02:00", degrees_celcius: object = "7.3") -> Answer:
        """Submit a temperature."""
        return self.served.post(TEMPERATURES, {"read_at": read_at, "degrees_celcius": degrees_celcius})

    def listed(self, query: str = "") -> Any:
        """The rows of a page."""
        answer = self.served.get(TEMPERATURES + query)
        self.assertEqual(answer.status, 200, answer)
        return answer.json["results"]


class SubmitTests(TemperatureCase):
    """Temperatures, submitted one by one."""

    def test_a_temperature(self) -> None:
        """It is answered as it is stored, with the offset that it was submitted with, and listed in UTC."""
        answer = self.submit()
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.text, '{"id":1712052000,"read_at":"2024-04-02T12:00:00+02:00","degrees_celcius":"7.3"}')
        self.assertEqual(self.listed(), [{**answer.json, "read_at": "2024-04-02T10:00:00Z"}])

    def test_forms_of_numbers_and_times(self) -> None:
        """JSON numbers are as good as text; a time without an offset is local, and a fraction of a second is cut."""
        for value, text in (
            (7, "7.0"),
            (-0.5, "-0.5"),
            ("-0.0", "0.0"),
            ("99.9", "99.9"),
            (-99.9, "-99.9"),
            ("5.", "5.0"),
        ):
            body = json.dumps({"read_at": "2024-04-02 12:00:00.75", "degrees_celcius": value, "id": 7}).encode()
            answer = self.served.post(TEMPERATURES, body, content_type="application/json")
            expected = {"id": 1712052000, "read_at": "2024-04-02T12:00:00+02:00", "degrees_celcius": text}
            self.assertEqual((answer.status, answer.json), (201, expected), value)
        self.assertEqual(len(self.listed()), 1)

    def test_long_ago(self) -> None:
        """What is local time of an age in which clocks were so many seconds from Greenwich is shown in UTC."""
        for served in (self.served, self.serve(local_timestamps=True)):
            posted = {"read_at": "1900-01-01T00:00", "degrees_celcius": "1.0"}
            answer = served.post(TEMPERATURES, posted)
            self.assertRegex(answer.json["read_at"], "^1899-12-31T23:[0-9]{2}:[0-9]{2}Z$")
            self.assertEqual(served.get(TEMPERATURES).json["results"], [answer.json])

    def test_the_newest_value_counts(self) -> None:
        """A temperature that is submitted again, at whatever offset, replaces the one before."""
        self.submit(degrees_celcius="7.3")
        self.submit("2024-04-02T10:00:00Z", "-12.0")
        self.assertEqual([row["degrees_celcius"] for row in self.listed()], ["-12.0"])

    def test_what_is_no_temperature(self) -> None:
        """It is refused in the words that readings are refused with."""
        for value, complaint in (
            ("warm", "A valid number is required."),
            ("7,3", "A valid number is required."),
            ("", "A valid number is required."),
            ("7.35", "Ensure that there are no more than 1 decimal places."),
            ("7.30", "Ensure that there are no more than 1 decimal places."),
            ("1234.5", "Ensure that there are no more than 4 digits in total."),
            ("1234", "Ensure that there are no more than 3 digits before the decimal point."),
            ("100", "Ensure this value is less than or equal to 99.9."),
            ("-273.2", "Ensure this value is greater than or equal to -99.9."),
        ):
            answer = self.submit(degrees_celcius=value)
            self.assertEqual((answer.status, answer.json), (400, {"degrees_celcius": [complaint]}), value)
        self.assertEqual(self.listed(), [])

    def test_everything_that_is_wrong(self) -> None:
        """All bad fields are named at once; a time that the clock never shows, or shows twice, is none."""
        answer = self.served.post(TEMPERATURES, {"degrees_celsius": "7.3"})
        required = ["This field is required."]
        self.assertEqual((answer.status, answer.json), (400, {"read_at": required, "degrees_celcius": required}))
        answer = self.served.post(
            TEMPERATURES, b'{"read_at":null,"degrees_celcius":true}', content_type="application/json"
        )
        self.assertEqual(
            answer.json,
            {"read_at": ["This field may not be null."], "degrees_celcius": ["A valid number is required."]},
        )
        for time in ("2024-03-31T02:30:00", "2024-10-27T02:30:00"):
            answer = self.submit(time)
            self.assertEqual(answer.json, {"read_at": ['Invalid datetime for the timezone "Europe/Amsterdam".']})

    def test_which_keys(self) -> None:
        """Temperatures are read with any key, and submitted with one that may write."""
        self.served.add_key("reader", "read")
        self.served.add_key("writer", "write")
        self.served.clock.advance(5)
        form = {"read_at": "2024-04-02T12:00:00Z", "degrees_celcius": "7.3"}
        self.assertEqual(self.served.post(TEMPERATURES, form, key="reader").status, 403)
        self.assertEqual(self.served.get(TEMPERATURES, key="reader").json["count"], 0)
        self.assertEqual(self.served.post(TEMPERATURES, form, key="writer").status, 201)
        self.assertEqual(self.served.get(TEMPERATURES, key=None).status, 403)
        answer = self.served.ask("PUT", TEMPERATURES)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, POST, HEAD, OPTIONS"))

    def test_a_client_that_hangs_up(self) -> None:
        """What is being stored when its sender hangs up is stored all the same."""
        body = urlencode({"read_at": "2024-04-02T12:00:00Z", "degrees_celcius": "7.3"}).encode()
        self.served.hang_up(request_bytes("POST", TEMPERATURES, {"X-AUTHKEY": KEY}, body))
        self.assertEqual(len(self.listed()), 1)
        self.assertEqual(self.served.writing.cancelled, 0)

    def test_store_away(self) -> None:
        """While the store takes nothing, the client is told to come again."""
        self.served.writing.error = StoreUnavailable("disk full")
        answer = self.submit()
        self.assertEqual((answer.status, answer.json), (503, {"detail": "The store is not available now."}))


class ListTests(TemperatureCase):
    """Lists of temperatures."""

    def setUp(self) -> None:
        """Seven temperatures, an hour apart."""
        super().setUp()
        for hour in range(7):
            self.submit(f"2024-04-02T{hour:02}:00:00Z", hour - 3)

    def degrees(self, query: str) -> list[str]:
        """The temperatures of a page."""
        return [row["degrees_celcius"] for row in self.listed(query)]

    def test_following_next(self) -> None:
        """Who follows ``next`` sees every temperature once."""
        seen, url = [], f"{TEMPERATURES}?limit=3&ordering=-read_at"
        while url:
            page = self.served.get(url.removeprefix("http://meter.example:8080")).json
            self.assertEqual(page["count"], 7)
            seen += [row["degrees_celcius"] for row in page["results"]]
            url = page["next"]
        self.assertEqual(seen, ["3.0", "2.0", "1.0", "0.0", "-1.0", "-2.0", "-3.0"])
        self.assertEqual(self.degrees(f"?offset={'9' * 30}"), [])

    def test_ordering(self) -> None:
        """The oldest first, or the newest; any other ordering is as good as none."""
        for ordering, degrees in (("", "-3.0"), ("read_at", "-3.0"), ("-read_at", "3.0"), ("-timestamp", "-3.0")):
            self.assertEqual(self.degrees(f"?limit=1&ordering={ordering}"), [degrees])

    def test_filters(self) -> None:
        """Times limit the list, both included; without an offset they are local; blank ones do not limit."""
        for query, degrees in (
            ("read_at__gte=2024-04-02T05:00:00Z", ["2.0", "3.0"]),
            ("read_at__gte=2024-04-02+08:00", ["3.0"]),
            ("read_at__lte=2024-04-02T02:00:00%2B02:00", ["-3.0"]),
            ("read_at__gte=2024-04-02T02:00Z&read_at__lte=2024-04-02T03:00Z", ["-1.0", "0.0"]),
            ("read_at=2024-04-02T03:00Z&timestamp__gte=x", ["0.0"]),
            ("read_at__lte=2024-04-02&read_at__gte=", []),
        ):
            self.assertEqual(self.degrees(f"?{query}"), degrees, query)
        answer = self.served.get(f"{TEMPERATURES}?read_at__gte=x")
        self.assertEqual((answer.status, answer.json), (400, {"read_at__gte": ["Enter a valid date/time."]}))

    def test_local_time(self) -> None:
        """``--api-timestamps local`` shows local time."""
        self.served = self.serve(local_timestamps=True)
        self.submit("2024-04-02T10:00:00Z")
        self.assertEqual(self.listed()[0]["read_at"], "2024-04-02T12:00:00+02:00")


class StatisticsTests(TemperatureCase):
    """Temperatures beside the days, months and years that they were measured in."""

    def setUp(self) -> None:
        """A house that was read over the end of a year."""
        super().setUp()
        store_readings(self.served, "2023-12-30T00:00", "2024-02-01T12:00", step=6 * HOUR)
        compute(self.served)

    def shown(self, path: str) -> list[tuple[str | None, ...]]:
        """The lowest, highest and average temperatures of a page."""
        answer = self.served.get(f"/api/v2/statistics/{path}")
        self.assertEqual(answer.status, 200, answer)
        names = ("lowest_temperature", "highest_temperature", "average_temperature")
        return [tuple(row[name] for name in names) for row in answer.json["results"]]

    def test_days(self) -> None:
        """A day is the meter's: from its midnight, included, to the next one; without a measurement it has none."""
        for time, degrees in (
            ("2023-12-30T00:00:00+01:00", "-3.0"),
            ("2023-12-30T23:59:59+01:00", "2.5"),
            ("2023-12-31T00:00:00+01:00", "10.0"),
            ("2024-01-02T12:00:00+01:00", "0.0"),
        ):
            self.submit(time, degrees)
        self.assertEqual(
            self.shown("day?limit=4"),
            [("-3.0", "2.5", "-0.3"), ("10.0", "10.0", "10.0"), (None, None, None), ("0.0", "0.0", "0.0")],
        )
        self.assertEqual(self.shown("day?limit=1&ordering=-day"), [(None, None, None)])

    def test_months_and_years(self) -> None:
        """A month and a year have those of all their days, each measurement counting alike."""
        for time, degrees in (
            ("2023-12-31T23:00Z", "4.0"),
            ("2024-01-15T12:00Z", "6.0"),
            ("2024-01-15T13:00Z", "-1.1"),
        ):
            self.submit(time, degrees)
        self.submit("2023-12-31T22:59:59Z", "1.0")
        self.assertEqual(self.shown("month"), [("1.0", "1.0", "1.0"), ("-1.1", "6.0", "3.0")])
        self.assertEqual(self.shown("year"), [("1.0", "1.0", "1.0")])

    def test_what_was_measured_later(self) -> None:
        """A temperature that is submitted or corrected later is there at once."""
        self.assertEqual(self.shown("day?limit=1"), [(None, None, None)])
        for degrees in ("7.0", "-7.1"):
            self.submit("2023-12-30T12:00:00Z", degrees)
            self.assertEqual(self.shown("day?limit=1"), [(degrees, degrees, degrees)])

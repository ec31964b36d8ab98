"""The routes of version 2, as their clients use them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from dsmr_tw import __version__
from dsmr_tw.api.settings import Proxies
from dsmr_tw.errors import StoreUnavailable
from tests.serving import EXAMPLE, KEY, READINGS, V1, Answer, Served, ServedCase, answer_of, request_bytes
from tests.telegramtext import signed, telegram

STATISTICS = "/api/v2/datalogger/meter-statistics"


def json_body(value: object) -> bytes:
    """A value as a client sends it."""
    return json.dumps(value).encode()


class SubmitTests(ServedCase):
    """Readings, submitted field by field."""

    def submit(self, **changes: object) -> Answer:
        """Submit the example, changed."""
        return self.served.post(READINGS, {**EXAMPLE, **changes})

    def listed(self) -> Any:
        """All that is stored."""
        return self.served.get(READINGS).json["results"]

    def test_the_example_of_the_document(self) -> None:
        """The document's example is answered with the reading, every field in its place, and listed in UTC."""
        answer = self.submit()
        self.assertEqual(answer.status, 201)
        self.assertEqual(
            answer.text,
            '{"id":1,"timestamp":"2017-04-15T00:00:00+02:00",'
            '"electricity_delivered_1":"2000.000","electricity_returned_1":"0.000",'
            '"electricity_delivered_2":"3000.000","electricity_returned_2":"0.000",'
            '"electricity_currently_delivered":"1.500","electricity_currently_returned":"0.025",'
            '"phase_currently_delivered_l1":null,"phase_currently_delivered_l2":null,'
            '"phase_currently_delivered_l3":null,"extra_device_timestamp":null,"extra_device_delivered":null,'
            '"phase_currently_returned_l1":null,"phase_currently_returned_l2":null,'
            '"phase_currently_returned_l3":null,"phase_voltage_l1":null,"phase_voltage_l2":null,'
            '"phase_voltage_l3":null,"phase_power_current_l1":null,"phase_power_current_l2":null,'
            '"phase_power_current_l3":null}',
        )
        self.assertEqual(self.listed(), [{**answer.json, "timestamp": "2017-04-14T22:00:00Z"}])

    def test_all_fields(self) -> None:
        """What is submitted comes back from the list as it was."""
        rest = {
            "phase_currently_delivered_l1": "0.100",
            "phase_currently_delivered_l2": "0.200",
            "phase_currently_delivered_l3": "0.300",
            "extra_device_timestamp": "2017-04-14T21:00:00Z",
            "extra_device_delivered": "123.456",
            "phase_currently_returned_l1": "0.001",
            "phase_currently_returned_l2": "0.002",
            "phase_currently_returned_l3": "0.003",
            "phase_voltage_l1": "230.1",
            "phase_voltage_l2": "229.9",
            "phase_voltage_l3": "0.0",
        }
        currents = {"phase_power_current_l1": 1, "phase_power_current_l2": 0, "phase_power_current_l3": 25}
        echo = self.submit(**rest, **currents).json
        [listed] = self.listed()
        for reading in (echo, listed):
            self.assertEqual({name: reading[name] for name in {**rest, **currents}}, {**rest, **currents})

    def test_json_and_multipart(self) -> None:
        """The same reading may come as a form, as JSON or as multipart: it is stored once."""
        parts = (f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{v}\r\n' for name, v in EXAMPLE.items())
        multipart = "".join((*parts, "--X--\r\n")).encode()
        numbers = {name: float(value) for name, value in EXAMPLE.items() if name != "timestamp"}
        answers = [
            self.submit(),
            self.served.post(READINGS, json_body(EXAMPLE), content_type="application/json"),
            self.served.post(
                READINGS, json_body({**EXAMPLE, **numbers}), content_type="application/json; charset=utf-8"
            ),
            self.served.post(READINGS, multipart, content_type="multipart/form-data; boundary=X"),
        ]
        self.assertEqual([answer.status for answer in answers], [201] * 4)
        self.assertEqual({answer.body for answer in answers}, {answers[0].body})

    def test_a_literal_false(self) -> None:
        """A body that is no object is refused in words."""
        for body, sentence in (
            (b"false", "Invalid data. Expected a dictionary, but got bool."),
            (b"[]", "Invalid data. Expected a dictionary, but got list."),
            (b"null", "No data provided"),
        ):
            answer = self.served.post(READINGS, body, content_type="application/json")
            self.assertEqual((answer.status, answer.json), (400, {"non_field_errors": [sentence]}))

    def test_json_that_is_none(self) -> None:
        """What is not well-formed is refused, however odd it is."""
        for body in (b"{", b"\xff", b"[" * 100_000, b'{"a": 1}}', b"\x00"):
            answer = self.served.post(READINGS, body, content_type="application/json")
            self.assertEqual(answer.status, 400)
            self.assertIn("JSON parse error - ", answer.json["detail"])

    def test_other_types(self) -> None:
        """XML is not taken."""
        answer = self.served.post(READINGS, b"<a/>", content_type="application/xml")
        self.assertEqual(
            (answer.status, answer.json), (415, {"detail": 'Unsupported media type "application/xml" in request.'})
        )

    def test_everything_that_is_wrong(self) -> None:
        """All bad fields are named at once, in the order of the fields."""
        answer = self.submit(
            timestamp="x", electricity_delivered_1="y", phase_voltage_l1="230.15", extra_device_delivered="z"
        )
        self.assertEqual(answer.status, 400)
        self.assertEqual(
            list(answer.json),
            ["timestamp", "electricity_delivered_1", "extra_device_delivered", "phase_voltage_l1"],
        )

    def test_gas_without_a_time(self) -> None:
        """A gas value without a time of its own is of the reading's time; a time without a value is nothing."""
        self.assertEqual(
            self.submit(extra_device_delivered="5").json["extra_device_timestamp"], "2017-04-15T00:00:00+02:00"
        )
        answer = self.submit(extra_device_timestamp="2017-04-15T00:00:00+02")
        self.assertIsNone(answer.json["extra_device_timestamp"])

    def test_far_times(self) -> None:
        """Years 1 to 9999 of UTC can be stored, and listed; nothing beyond."""
        times = ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59Z")
        for time in times:
            self.assertEqual(self.submit(timestamp=time).json["timestamp"], time)
        self.assertEqual([reading["timestamp"] for reading in self.listed()], list(times))
        for time in ("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"):
            self.assertEqual(self.submit(timestamp=time).status, 400)

    def test_a_client_that_hangs_up(self) -> None:
        """A reading that is being stored when its sender hangs up is stored all the same."""
        self.served.hang_up(request_bytes("POST", READINGS, {"X-AUTHKEY": KEY}, urlencode(EXAMPLE).encode()))
        self.assertEqual(len(self.listed()), 1)
        self.assertEqual(self.served.intake.cancelled, 0)

    def test_store_away(self) -> None:
        """While the store takes nothing, the client is told to come again."""
        self.served.writing.error = StoreUnavailable("disk full")
        answer = self.submit()
        self.assertEqual((answer.status, answer.json), (503, {"detail": "The store is not available now."}))
        self.assertIn("Retry-After", answer.headers)


class ListTests(ServedCase):
    """Lists of readings."""

    def setUp(self) -> None:
        """Seven readings, an hour apart."""
        super().setUp()
        self.fill(self.served)

    def fill(self, served: Served) -> None:
        """Store seven readings, an hour apart."""
        for hour in range(7):
            served.post(READINGS, {**EXAMPLE, "timestamp": f"2017-04-15T{hour:02}:00:00Z"})

    def hours(self, answer: Answer) -> list[int]:
        """The hours of the readings on a page."""
        return [int(reading["timestamp"][11:13]) for reading in answer.json["results"]]

    def test_following_next(self) -> None:
        """Who follows ``next`` sees every reading once, and ``previous`` leads back."""
        seen, url = [], f"{READINGS}?limit=3"
        while url:
            page = self.served.get(url.removeprefix("http://meter.example:8080"))
            self.assertEqual(page.json["count"], 7)
            seen += self.hours(page)
            url = page.json["next"]
        self.assertEqual(seen, list(range(7)))
        self.assertEqual(page.json["previous"], f"http://meter.example:8080{READINGS}?limit=3&offset=3")

    def test_ordering(self) -> None:
        """``-timestamp`` lists the newest first; any other ordering is as good as none."""
        self.assertEqual(self.hours(self.served.get(f"{READINGS}?ordering=-timestamp&limit=2")), [6, 5])
        for other in ("timestamp", "-day", "-id", ""):
            self.assertEqual(self.hours(self.served.get(f"{READINGS}?ordering={other}&limit=2")), [0, 1])

    def test_filters(self) -> None:
        """Times limit the list, both included; without an offset they are local; blank ones do not limit."""
        for query, hours in (
            ("timestamp__gte=2017-04-15T05:00:00Z", [5, 6]),
            ("timestamp__gte=2017-04-15T07:00:00%2B02:00", [5, 6]),
            ("timestamp__gte=2017-04-15+07:00", [5, 6]),
            ("timestamp__lte=2017-04-15+03:00:00", [0, 1]),
            ("timestamp__lte=2017-04-15", []),
            ("timestamp=2017-04-15T03:00:00.000Z", [3]),
            ("timestamp__gte=2017-04-15T02:00:00Z&timestamp__lte=2017-04-15T03:00:00Z", [2, 3]),
            ("timestamp__gte=2017-04-15T03:00:00Z&timestamp__lte=2017-04-15T02:00:00Z", []),
            ("timestamp=2017-04-15T03:00:00Z&timestamp__gte=2017-04-15T02:00:00Z", [3]),
            ("timestamp=2017-04-15T03:00:00Z&timestamp__gte=2017-04-15T04:00:00Z", []),
            ("timestamp=2017-04-15T03:00:00Z&timestamp__lte=2017-04-15T04:00:00Z", [3]),
            ("timestamp__gte=&timestamp__lte=+", list(range(7))),
            ("timestamp__gte=x&timestamp__gte=2017-04-15T06:00:00Z", [6]),
        ):
            answer = self.served.get(f"{READINGS}?{query}")
            self.assertEqual((self.hours(answer), answer.json["count"]), (hours, len(hours)), query)

    def test_filters_that_are_no_times(self) -> None:
        """What is no time is refused, each parameter by name."""
        answer = self.served.get(f"{READINGS}?timestamp__gte=2017-13-01&timestamp=bogus&timestamp__lte=2017-04-15")
        wrong = ["Enter a valid date/time."]
        self.assertEqual((answer.status, answer.json), (400, {"timestamp__gte": wrong, "timestamp": wrong}))

    def test_local_time(self) -> None:
        """``--api-timestamps local`` shows the meter's own time, with its offset."""
        served = self.serve(local_timestamps=True)
        self.fill(served)
        self.assertEqual(served.get(READINGS).json["results"][0]["timestamp"], "2017-04-15T02:00:00+02:00")

    def test_behind_a_proxy(self) -> None:
        """A trusted proxy says how the client reached it; anybody else's word is not taken."""
        headers = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "dsmr.example"}
        served = self.serve(proxies=Proxies.parse("192.0.2.0/24"))
        self.fill(served)
        following = served.get(f"{READINGS}?limit=1", address="192.0.2.1", **headers).json["next"]
        self.assertEqual(following, f"https://dsmr.example{READINGS}?limit=1&offset=1")
        following = served.get(f"{READINGS}?limit=1", address="198.51.100.1", **headers).json["next"]
        self.assertEqual(following, f"http://meter.example:8080{READINGS}?limit=1&offset=1")

    def test_head(self) -> None:
        """HEAD says what GET would, without saying it."""
        get, head = self.served.get(READINGS), self.served.ask("HEAD", READINGS)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], str(len(get.body)))

    def test_more_than_a_slice(self) -> None:
        """A page of many readings is made in slices, between which others are answered."""
        for minute in range(600):
            self.served.post(READINGS, {**EXAMPLE, "timestamp": f"2018-01-01T{minute // 60:02}:{minute % 60:02}:00Z"})
        channel, transport = self.served.channel()
        channel.dataReceived(f"GET {READINGS}?limit=10000 HTTP/1.1\r\nHost: a\r\nX-AUTHKEY: {KEY}\r\n\r\n".encode())
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.served.post(V1, {"telegram": telegram()}).status, 201)
        for _ in range(20):
            self.served.clock.advance(0)
        self.assertEqual(answer_of(transport.value()).json["count"], 607)
        self.assertEqual(len(answer_of(transport.value()).json["results"]), 607)


class MeterTests(ServedCase):
    """Several meters."""

    def setUp(self) -> None:
        """Two meters, by their ids."""
        super().setUp()
        self.served.post(V1, {"telegram": telegram()})
        other = telegram(clock="240402115955S", delivered="000007.000").partition("!")[0].replace("(4530", "(4531")
        self.served.post(V1, {"telegram": signed(f"{other}!")})

    def test_list(self) -> None:
        """Each meter is listed with its equipment, when it was heard, and how many readings it has."""
        meters = self.served.get("/api/v2/meters").json
        self.assertEqual([meter["id"] for meter in meters], [1, 2])
        self.assertEqual(meters[0]["equipment"], ["4530303030303030303030303030303031"])
        self.assertEqual(meters[0]["last_seen_at"], "2024-04-02T10:00:00Z")
        self.assertEqual([meter["readings"] for meter in meters], [1, 1])

    def test_which_meter(self) -> None:
        """A list is that of the first meter, or of the one that is asked for by id or name."""
        self.assertEqual(self.delivered(""), ["1000.000"])
        self.assertEqual(self.delivered("?meter=2"), ["7.000"])
        self.assertEqual(self.delivered("?meter=Meter+2"), ["7.000"])
        self.assertEqual(self.delivered("?meter="), ["1000.000"])
        answer = self.served.get(f"{READINGS}?meter=3")
        self.assertEqual((answer.status, answer.json), (400, {"meter": ["There is no such meter."]}))

    def test_a_new_meter(self) -> None:
        """A meter can be asked for as soon as it is there."""
        self.assertEqual(self.served.get(f"{READINGS}?meter=3").status, 400)
        third = telegram(clock="240402115957S", delivered="000009.000").partition("!")[0].replace("(4530", "(4532")
        self.served.post(V1, {"telegram": signed(f"{third}!")})
        self.assertEqual(self.delivered("?meter=3"), ["9.000"])

    def test_a_key_for_one_meter(self) -> None:
        """A key that is tied to a meter sees and asks about that one only."""
        self.served.add_key("second-only", "admin", meter_id=2)
        self.assertEqual(self.delivered("", "second-only"), ["7.000"])
        self.assertEqual(self.delivered("?meter=2", "second-only"), ["7.000"])
        answer = self.served.get(f"{READINGS}?meter=1", key="second-only")
        self.assertEqual((answer.status, answer.json), (403, {"detail": "This key is for another meter."}))
        meters = self.served.get("/api/v2/meters", key="second-only").json
        self.assertEqual([meter["id"] for meter in meters], [2])

    def test_where_a_key_for_one_meter_writes(self) -> None:
        """What is posted with it is that meter's, whatever id it bears; that id stays the other meter's elsewhere."""
        self.served.add_key("second-only", "admin", meter_id=2)
        before = self.delivered("")
        theirs = telegram(clock="240402115956S", delivered="000008.000")
        self.assertEqual(self.served.post(V1, {"telegram": theirs}, key="second-only").status, 201)
        posted = {**EXAMPLE, "timestamp": "2024-04-02T09:59:57Z", "electricity_delivered_1": "9.000"}
        self.assertEqual(self.served.post(READINGS, posted, key="second-only").status, 201)
        self.assertEqual(self.delivered("?meter=2"), ["7.000", "8.000", "9.000"])
        self.assertEqual(self.delivered(""), before)
        self.served.post(V1, {"telegram": telegram(clock="240402115958S", delivered="001001.000")})
        self.assertEqual(self.delivered(""), [*before, "1001.000"])

    def delivered(self, query: str, key: str = KEY) -> list[str]:
        """The positions of register 1 on a page."""
        results = self.served.get(READINGS + query, key=key).json["results"]
        return [reading["electricity_delivered_1"] for reading in results]


class StatisticsTests(ServedCase):
    """What a meter says about itself."""

    def test_after_a_telegram(self) -> None:
        """The last telegram's counts and its text are shown."""
        text = telegram()
        self.served.post(V1, {"telegram": text})
        shown = self.served.get(STATISTICS).json
        self.assertEqual(shown.pop("latest_telegram"), text.strip())
        self.assertEqual(
            shown,
            {
                "id": 1,
                "timestamp": "2024-04-02T09:59:50Z",
                "dsmr_version": "50",
                "electricity_tariff": 2,
                "power_failure_count": 5,
                "long_power_failure_count": 2,
                "voltage_sag_count_l1": 1,
                "voltage_sag_count_l2": None,
                "voltage_sag_count_l3": None,
                "voltage_swell_count_l1": 4,
                "voltage_swell_count_l2": None,
                "voltage_swell_count_l3": None,
                "rejected_telegrams": 0,
            },
        )

    def change(self, values: dict[str, object], key: str = KEY) -> Answer:
        """Change the statistics."""
        return self.served.ask("PATCH", STATISTICS, json_body(values), content_type="application/json", key=key)

    def test_change(self) -> None:
        """PATCH sets what it names, answers 200 with all of it, and leaves the rest."""
        self.served.post(V1, {"telegram": telegram()})
        answer = self.change(
            {"electricity_tariff": "0001", "voltage_sag_count_l3": 7, "timestamp": "2024-01-01T00:00:00+01"}
        )
        self.assertEqual(answer.status, 200)
        for shown in (answer.json, self.served.get(STATISTICS).json):
            self.assertEqual(shown["electricity_tariff"], 1)
            self.assertEqual(shown["voltage_sag_count_l3"], 7)
            self.assertEqual(shown["timestamp"], "2023-12-31T23:00:00Z")
            self.assertEqual(shown["power_failure_count"], 5)

    def test_a_client_that_hangs_up(self) -> None:
        """A change that is being stored when the client hangs up is stored all the same."""
        self.served.hang_up(request_bytes("PATCH", STATISTICS, {"X-AUTHKEY": KEY}, b"electricity_tariff=1"))
        self.assertEqual(self.served.get(STATISTICS).json["electricity_tariff"], 1)
        self.assertEqual(self.served.writing.cancelled, 0)

    def test_bad_changes(self) -> None:
        """What is no count or too long is refused, and then nothing is changed."""
        answer = self.change(
            {"electricity_tariff": "x", "power_failure_count": -1, "rejected_telegrams": None, "dsmr_version": "5" * 33}
        )
        self.assertEqual(answer.status, 400)
        self.assertEqual(
            answer.json,
            {
                "dsmr_version": ["Ensure this field has no more than 32 characters."],
                "electricity_tariff": ["A valid integer is required."],
                "power_failure_count": ["Ensure this value is greater than or equal to 0."],
                "rejected_telegrams": ["This field may not be null."],
            },
        )
        self.assertIsNone(self.served.get(STATISTICS).json["dsmr_version"])


class ApplicationTests(ServedCase):
    """The application about itself."""

    def test_version(self) -> None:
        """The version that runs."""
        self.assertEqual(self.served.get("/api/v2/application/version").json, {"version": __version__})

    def test_monitoring(self) -> None:
        """What a person should look at, as ``/health`` has it."""
        self.assertEqual(self.served.get("/api/v2/application/monitoring").json, {"problems": 0, "details": []})
        self.served.health.problems.append("the cable is out")
        monitoring = self.served.get("/api/v2/application/monitoring").json
        self.assertEqual(monitoring["problems"], 1)
        self.assertEqual(monitoring["details"][0]["description"], "the cable is out")

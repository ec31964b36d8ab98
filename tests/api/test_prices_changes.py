"""Contracts entered, changed and removed over HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tests.api.test_prices import PRICES, PricesCase
from tests.past import compute, store_readings
from tests.serving import KEY, Answer, answer_of, request_bytes

FULL = {
    "start": "2024-01-01",
    "end": "2024-12-31",
    "description": "Zon & Wind “NL”",
    "electricity_delivered_1_price": "0.251000",
    "electricity_delivered_2_price": "0.283001",
    "electricity_returned_1_price": "-0.050000",
    "electricity_returned_2_price": "0.090000",
    "gas_price": "1.219000",
    "fixed_daily_cost": "0.480000",
}
"""A contract as it may be submitted, and as it is shown."""

PLAIN = {
    "start": "2025-01-01",
    "end": None,
    "description": "",
    **{name: "0.000000" for name in FULL if name.endswith(("_price", "_cost"))},
}
"""A contract of which nothing but the first day was submitted."""

NO_DAY = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."


class ChangesCase(PricesCase):
    """A test in which contracts are submitted."""

    def send(self, method: str, path: str, values: object = None, **arguments: Any) -> Answer:
        """Submit something as JSON."""
        return self.served.ask(method, path, json.dumps(values).encode(), content_type="application/json", **arguments)

    def enter(self, path: str = PRICES, /, **values: object) -> Any:
        """Enter a contract that can be."""
        answer = self.send("POST", path, values)
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def listed(self, query: str = "") -> Any:
        """The contracts of a meter."""
        return self.served.get(PRICES + query).json["results"]

    def assert_refused(self, answer: Answer, errors: dict[str, list[str]]) -> None:
        """The answer says that this is wrong."""
        self.assertEqual((answer.status, answer.json), (400, errors))

    def hang_up(self, method: str, path: str, values: dict[str, str]) -> None:
        """Submit a form, and hang up before it is stored."""
        self.served.hang_up(request_bytes(method, path, {"X-AUTHKEY": KEY}, urlencode(values).encode()))
        self.assertEqual(self.served.writing.cancelled, 0)

    def at_once(self, *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
        """Send requests, each on a connection of its own, before anything of the first is stored."""
        self.served.writing.held = True
        transports = []
        for method, path, values in requests:
            channel, transport = self.served.channel()
            channel.dataReceived(request_bytes(method, path, {"X-AUTHKEY": KEY}, urlencode(values).encode()))
            transports.append(transport)
        self.served.writing.release()
        return [answer_of(transport.value()) for transport in transports]


class EnterTests(ChangesCase):
    """Contracts are entered."""

    def test_all_of_it(self) -> None:
        """The answer is the contract with its id, every field in its place, and the list has the same."""
        answer = self.served.post(PRICES, FULL)
        self.assertEqual(answer.status, 201)
        self.assertEqual(
            answer.text,
            '{"id":1,"start":"2024-01-01","end":"2024-12-31","description":"Zon & Wind “NL”",'
            '"electricity_delivered_1_price":"0.251000","electricity_delivered_2_price":"0.283001",'
            '"electricity_returned_1_price":"-0.050000","electricity_returned_2_price":"0.090000",'
            '"gas_price":"1.219000","fixed_daily_cost":"0.480000"}',
        )
        self.assertEqual(self.listed(), [answer.json])

    def test_what_is_left_out(self) -> None:
        """A price that is left out, blank or null is 0; a contract without a last day goes on."""
        blank: dict[str, object] = dict.fromkeys(PLAIN, " ")
        for number, values in enumerate(({}, blank, dict.fromkeys(PLAIN)), 1):
            contract = self.enter(**{**values, "start": "2025-01-01"})
            # The id of a contract that was removed is not given to another.
            self.assertEqual(contract, {"id": number, **PLAIN})
            self.served.ask("DELETE", f"{PRICES}/{number}")

    def test_numbers(self) -> None:
        """JSON numbers are taken exactly, as high and as low as prices may be; unknown fields are ignored."""
        body = b'{"start": "0001-01-01", "end": "9999-12-31", "gas_price": 99999.999999, "fixed_daily_cost": 5,'
        body += b'"electricity_returned_1_price": -99999.999999, "electricity_delivered_1_price": 0.100000000, "id": 7}'
        contract = self.served.post(PRICES, body, content_type="application/json").json
        self.assertEqual((contract["id"], contract["start"], contract["end"]), (1, "0001-01-01", "9999-12-31"))
        self.assertEqual((contract["gas_price"], contract["fixed_daily_cost"]), ("99999.999999", "5.000000"))
        self.assertEqual(contract["electricity_returned_1_price"], "-99999.999999")
        self.assertEqual(contract["electricity_delivered_1_price"], "0.100000")

    def test_everything_that_is_wrong(self) -> None:
        """All bad fields are named at once, in the order of the fields."""
        places = ["Ensure that there are no more than 6 decimal places."]
        digits = ["Ensure that there are no more than 11 digits in total."]
        before = ["Ensure that there are no more than 5 digits before the decimal point."]
        number = ["A valid number is required."]
        wrong = {
            "end": "2024-02-30",
            "description": "x" * 256,
            "electricity_delivered_1_price": "0.2512345",
            "electricity_delivered_2_price": "0,25",
            "electricity_returned_1_price": "100000",
            "electricity_returned_2_price": True,
            "gas_price": "NaN",
            "fixed_daily_cost": "100000.123456",
        }
        expected = [
            ("start", ["This field is required."]),
            ("end", [NO_DAY]),
            ("description", ["Ensure this field has no more than 255 characters."]),
            ("electricity_delivered_1_price", places),
            ("electricity_delivered_2_price", number),
            ("electricity_returned_1_price", before),
            ("electricity_returned_2_price", number),
            ("gas_price", number),
            ("fixed_daily_cost", digits),
        ]
        answer = self.send("POST", PRICES, wrong)
        self.assertEqual((answer.status, list(answer.json.items())), (400, expected))
        self.assertEqual(self.listed(), [])

    def test_days_that_are_none(self) -> None:
        """The first day must be a date and nothing else."""
        starts: tuple[object, ...] = ("", "2024-1-32", "2024-01-01T00:00", "01-02-2024", 20240101, True, [])
        for start in starts:
            self.assert_refused(self.send("POST", PRICES, {"start": start}), {"start": [NO_DAY]})
        self.assert_refused(self.send("POST", PRICES, {"start": None}), {"start": ["This field may not be null."]})

    def test_a_contract_that_ends_before_it_begins(self) -> None:
        """That is told of the last day."""
        sentence = "A contract that begins on 2024-01-01 can't end on 2023-12-31."
        self.assert_refused(self.send("POST", PRICES, {**FULL, "end": "2023-12-31"}), {"end": [sentence]})
        self.assertEqual(self.enter(start="2024-01-01", end="2024-01-01")["end"], "2024-01-01")

    def test_a_day_that_is_taken(self) -> None:
        """The other contract is named, and nothing is stored."""
        self.enter(**FULL)
        sentence = (
            "Contract 1 (Zon & Wind “NL”) holds from 2024-01-01 to 2024-12-31, and a day has one contract at most."
        )
        self.assert_refused(self.send("POST", PRICES, {"start": "2024-12-31"}), {"start": [sentence]})
        self.assertEqual(len(self.listed()), 1)
        self.enter(start="2025-01-01")

    def test_the_meter(self) -> None:
        """A contract is entered for the meter that is asked for, else for the key's, else for the first."""
        self.second_meter()
        self.served.add_key("second-only", "admin", meter_id=2)
        self.enter(start="2024-01-01")
        self.enter(f"{PRICES}?meter=2", start="2024-01-01", end="2024-01-31")
        self.assertEqual(self.send("POST", PRICES, {"start": "2024-02-01"}, key="second-only").status, 201)
        self.assertEqual([contract["id"] for contract in self.listed()], [1])
        self.assertEqual([contract["id"] for contract in self.listed("?meter=2")], [2, 3])
        unknown = {"meter": ["There is no such meter."]}
        self.assert_refused(self.send("POST", f"{PRICES}?meter=3", {"start": "2024-01-01"}), unknown)
        answer = self.send("POST", f"{PRICES}?meter=1", {"start": "2023-01-01"}, key="second-only")
        self.assertEqual(answer.status, 403)

    def test_a_client_that_hangs_up(self) -> None:
        """A contract that is being stored when the client hangs up is stored all the same."""
        self.hang_up("POST", PRICES, {"start": "2024-01-01"})
        self.assertEqual(len(self.listed()), 1)


class ChangeTests(ChangesCase):
    """Contracts are changed."""

    def setUp(self) -> None:
        """Enter a contract."""
        super().setUp()
        self.path = f"{PRICES}/{self.enter(**FULL)['id']}"

    def test_put(self) -> None:
        """PUT takes the place of all: what it leaves out is as if it had never been entered."""
        answer = self.send("PUT", self.path, {"start": "2025-01-01"})
        self.assertEqual((answer.status, answer.json), (200, {"id": 1, **PLAIN}))
        self.assertEqual(self.listed(), [answer.json])
        answer = self.send("PUT", self.path, {"id": 7, **FULL})
        self.assertEqual((answer.status, answer.json), (200, {"id": 1, **FULL}))
        self.assert_refused(self.send("PUT", self.path, {"end": None}), {"start": ["This field is required."]})

    def test_patch(self) -> None:
        """PATCH sets what it names, answers with all of it, and leaves the rest."""
        for values, changed in (
            ({"gas_price": "1.5", "end": ""}, {"gas_price": "1.500000", "end": None}),
            ({"start": "2023-01-01", "gas_price": None}, {"start": "2023-01-01", "gas_price": "0.000000"}),
            ({"description": ""}, {"description": ""}),
            ({}, {}),
        ):
            before = self.served.get(self.path).json
            answer = self.send("PATCH", self.path, values)
            self.assertEqual((answer.status, answer.json), (200, {**before, **changed}))
            self.assertEqual(self.listed(), [answer.json])

    def test_forms_and_json(self) -> None:
        """A change may come as a form, as JSON or as multipart."""
        part = '--X\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        values = {"start": "2023-01-01", "description": "m³ & kWh", "gas_price": "1.5"}
        bodies = (
            ("application/x-www-form-urlencoded", urlencode(values)),
            ("application/json; charset=utf-8", json.dumps({**values, "gas_price": 1.5})),
            ("multipart/form-data; boundary=X", "".join(part.format(*field) for field in values.items()) + "--X--\r\n"),
        )
        for method, rest in (("PUT", PLAIN), ("PATCH", FULL)):
            for kind, body in bodies:
                self.send("PUT", self.path, FULL)
                answer = self.served.ask(method, self.path, body.encode(), content_type=kind)
                expected = {"id": 1, **rest, **values, "gas_price": "1.500000"}
                self.assertEqual((answer.status, answer.json), (200, expected), (method, kind))
            self.assertEqual(self.served.ask(method, self.path, b"<a/>", content_type="text/xml").status, 415)
            self.assertEqual(self.served.ask(method, self.path, b"[]", content_type="application/json").status, 400)

    def test_what_can_not_be(self) -> None:
        """A change is judged as a new contract is, and a refused one changes nothing."""
        self.enter(start="2025-01-01", description="next")
        before = self.listed()
        for values, field, sentence in (
            ({"gas_price": "x"}, "gas_price", "A valid number is required."),
            ({"start": None}, "start", "This field may not be null."),
            ({"start": "2025-01-01"}, "end", "A contract that begins on 2025-01-01 can't end on 2024-12-31."),
            ({"end": None}, "start", "Contract 2 (next) holds from 2025-01-01 on, and a day has one contract at most."),
        ):
            self.assert_refused(self.send("PATCH", self.path, values), {field: [sentence]})
            self.assertEqual(self.send("PUT", self.path, {**FULL, **values}).json, {field: [sentence]})
        self.assertEqual(self.listed(), before)

    def test_two_changes_at_once(self) -> None:
        """Of two clients that change different prices at the same time neither undoes what the other did."""
        first, second = self.at_once(
            ("PATCH", self.path, {"gas_price": "1"}), ("PATCH", self.path, {"fixed_daily_cost": "2"})
        )
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(self.listed(), [{"id": 1, **FULL, "gas_price": "1.000000", "fixed_daily_cost": "2.000000"}])

    def test_removed_meanwhile(self) -> None:
        """Who changes or removes what another has just removed is told that it is not there."""
        remove: tuple[str, str, dict[str, str]] = ("DELETE", self.path, {})
        answers = self.at_once(remove, ("PATCH", self.path, {"gas_price": "1"}), remove)
        self.assertEqual([answer.status for answer in answers], [204, 404, 404])
        self.assertEqual(self.listed(), [])

    def test_a_client_that_hangs_up(self) -> None:
        """A change that is being stored when the client hangs up is stored all the same."""
        self.hang_up("PATCH", self.path, {"gas_price": "1"})
        self.hang_up("PUT", f"{self.path}?meter=1", {**FULL, "gas_price": "2"})
        self.assertEqual(self.listed(), [{"id": 1, **FULL, "gas_price": "2.000000"}])
        self.hang_up("DELETE", self.path, {})
        self.assertEqual(self.listed(), [])

    def test_remove(self) -> None:
        """A contract that is removed leaves nothing behind, nor does the answer say anything; its days are free."""
        answer = self.served.ask("DELETE", self.path)
        self.assertEqual((answer.status, answer.body, answer.headers["Content-Length"]), (204, b"", "0"))
        self.assertNotIn("Content-Type", answer.headers)
        self.assertEqual(self.served.ask("DELETE", self.path).status, 404)
        self.assertEqual(self.listed(), [])
        self.enter(**FULL)


class CostTests(ChangesCase):
    """What contracts do to days that are past."""

    def costs(self) -> tuple[list[str], str, float]:
        """What the last days of March and the first of April cost, what March does, and what today did so far."""
        days = self.served.get("/api/v2/statistics/day").json["results"]
        [month] = self.served.get("/api/v2/statistics/month").json["results"]
        today = self.served.get("/api/v2/consumption/today").json
        return [day["total_cost"] for day in days], month["total_cost"], today["total_cost"]

    def test_past_days(self) -> None:
        """Costs of past days follow at once when a contract is entered, changed and removed."""
        store_readings(self.served, "2024-03-30T00:00", "2024-04-02T12:00")
        compute(self.served)
        self.assertEqual(self.costs(), (["0.00"] * 3, "0.00", 0))
        # A day of 24 hours takes 9.6 kWh in tariff 1; the last of March has 23, today had 12 so far.
        path = f"{PRICES}/{self.enter(start='2024-03-31', electricity_delivered_1_price='0.5')['id']}"
        self.assertEqual(self.costs(), (["0.00", "4.60", "4.80"], "4.60", 2.4))
        self.send("PATCH", path, {"end": "2024-03-31", "fixed_daily_cost": "1"})
        self.assertEqual(self.costs(), (["0.00", "5.60", "0.00"], "5.60", 0))
        self.send("PUT", path, {"start": "2024-03-30", "end": "2024-03-30", "fixed_daily_cost": "-2"})
        self.assertEqual(self.costs(), (["-2.00", "0.00", "0.00"], "-2.00", 0))
        self.served.ask("DELETE", path)
        self.assertEqual(self.costs(), (["0.00"] * 3, "0.00", 0))

"""The API's description: that it is true, and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import schemathesis

from dsmr_tw import __version__
from dsmr_tw.api.openapi import PATH, description
from tests.api.test_ways_in import ROUTES
from tests.arrivals import NOON, gas, heard, water
from tests.describing import all_described, complaint, resolved
from tests.golden_telegrams import telegram
from tests.past import compute, store_readings
from tests.prices import contract
from tests.serving import EXAMPLE, READINGS, V1, ServedCase

VERSION = "/api/v2/application/version"


class DocumentTests(ServedCase):
    """The document itself."""

    def test_who_may_read_it(self) -> None:
        """It is there for everybody, as JSON, while the API is on."""
        answer = self.served.get(PATH, key=None)
        self.assertEqual((answer.status, answer.json), (200, json.loads(json.dumps(description()))))
        self.assertEqual((answer.json["openapi"], answer.json["info"]["version"]), ("3.1.0", __version__))
        head = self.served.ask("HEAD", PATH, key=None)
        self.assertEqual((head.status, head.headers["Content-Length"]), (200, str(len(answer.body))))
        off = self.serve(enabled=False).get(PATH)
        self.assertEqual((off.status, off.json), (403, {"detail": "API is disabled"}))

    def test_methods(self) -> None:
        """It can be read only."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = self.served.ask(method, PATH)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_it_is_openapi(self) -> None:
        """It follows the rules of OpenAPI, and whatever it refers to is in it."""
        schemathesis.openapi.from_dict(description()).validate()
        text = json.dumps(description())
        references = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
        for reference in references:
            self.assertTrue(resolved({"$ref": reference}), reference)
        components = {f"#/components/{kind}/{name}" for kind, names in self.components().items() for name in names}
        self.assertEqual(components - references, set())

    def components(self) -> dict[str, Any]:
        """What can be referred to by a reference; a scheme of keys is by its name."""
        components: dict[str, Any] = json.loads(json.dumps(description()["components"]))
        del components["securitySchemes"]
        return components

    def test_names(self) -> None:
        """Each operation has a name of its own, for programs that are made from it."""
        names = [way.says["operationId"] for way in all_described().values()]
        self.assertEqual(len(set(names)), len(names))


class TruthTests(ServedCase):
    """The document and the routes."""

    def test_every_route_is_described(self) -> None:
        """Each route with each of its methods is in it with the scope that it needs, and nothing else is."""
        schemes = ("key", "token")
        expected: dict[tuple[str, str], Any] = {
            way: [{scheme: [scope]} for scheme in schemes] for way, (scope, _) in ROUTES.items()
        }
        expected["GET", PATH] = []
        self.assertEqual({way: described.says["security"] for way, described in all_described().items()}, expected)

    def test_an_impossible_host(self) -> None:
        """What is refused at the front door is described, too, with both versions."""
        for path in (V1, READINGS):
            answer = self.served.post(path, Host="a b")
            self.assertEqual((answer.status, answer.json), (400, {"detail": "Impossible path or host."}), path)

    def test_order_of_fields(self) -> None:
        """The rows of every list have their fields in the order in which they are described."""
        arrivals = [heard(NOON, gas(NOON, 6_000_000), water())]
        store_readings(self.served, "2023-12-30T00:00", "2024-04-02T00:00", step=6 * 3600 * 1_000_000)
        self.successResultOf(self.served.store.readings.add([arrivals], NOON))
        self.successResultOf(self.served.store.contracts.add(contract()))
        self.served.post("/api/v2/weather/temperature", {"read_at": "2024-01-01T12:00", "degrees_celcius": "1.5"})
        for name in ("be-emucs-50217-02", "dsmr-5-0-00"):
            self.served.post(V1, {"telegram": telegram(name).decode("latin-1")})
        compute(self.served)
        meters = [meter["id"] for meter in self.served.get("/api/v2/meters").json]
        [device, *_] = self.served.get("/api/v2/devices").json["results"]
        for path, row in self.lists():
            answers = [self.served.get(f"{path.replace('{id}', str(device['id']))}?meter={meter}") for meter in meters]
            rows = [row for answer in answers if answer.status == 200 for row in answer.json["results"]]
            self.assertTrue(rows, path)
            self.assertEqual(list(rows[0]), list(row["properties"]), path)

    def lists(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The path of each list that is described, and what its rows are."""
        for (_, path), way in all_described().items():
            answer = resolved(way.says["responses"].get("200", {}))
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if "results" in schema.get("properties", {}):
                yield path, resolved(schema["properties"]["results"]["items"])


class HoldingTests(ServedCase):
    """What the tests are answered is held against the document; here is that this finds what is wrong."""

    def complaint_about(self, path: str, status: int = 200, media: str = "application/json", **value: object) -> str:
        """What is complained of about such an answer."""
        return complaint("GET", path, status, {"Content-Type": media}, json.dumps(value).encode()) or ""

    def test_what_is_wrong(self) -> None:
        """A status, a type, a header or a field that is not described, and one that is missing."""
        self.assertEqual(self.complaint_about(VERSION, version="1"), "")
        self.assertIn("404 is not described", self.complaint_about(VERSION, 404, detail="Not found."))
        self.assertIn("text/html, not application/json", self.complaint_about(VERSION, media="text/html", version="1"))
        self.assertIn("Additional properties", self.complaint_about(VERSION, version="1", more="2"))
        self.assertIn("required property", self.complaint_about(VERSION))
        self.assertIn("503 lacks Retry-After", self.complaint_about(VERSION, 503, detail="Not now."))
        self.assertIn("is not valid under any", self.complaint_about(VERSION, 400, detail=1))

    def test_a_body_where_there_should_be_none(self) -> None:
        """What is answered with nothing is answered with nothing."""
        path = "/api/v2/consumption/energy-supplier-prices/7"
        self.assertIsNone(complaint("DELETE", path, 204, {}, b""))
        self.assertEqual(complaint("DELETE", path, 204, {}, b"{}"), "204 has a body")

    def test_a_reading_that_is_not_as_described(self) -> None:
        """So it is with a reading of which one decimal is a number."""
        reading = self.served.post(READINGS, EXAMPLE).json
        headers = {"Content-Type": "application/json"}
        self.assertIsNone(complaint("POST", READINGS, 201, headers, json.dumps(reading).encode()))
        wrong = json.dumps({**reading, "electricity_delivered_1": 2000.0}).encode()
        self.assertIn("2000.0", complaint("POST", READINGS, 201, headers, wrong) or "")

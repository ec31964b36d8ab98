"""Who may come in where: every route with each of its methods, against every kind of key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from itertools import count

from attrs import define, field

from dsmr_tw.api.auth import ASK_AGAIN_SECONDS
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import SCOPES
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, gas, heard
from tests.prices import contract
from tests.routes import rules
from tests.serving import KEY, READINGS, V1, Answer, Served, ServedCase

API = "/api/v2"
PRICES = f"{API}/consumption/energy-supplier-prices"


class Meter(Enum):
    """How a route finds its meter, which decides what a key for another meter is told."""

    ASKED = "the parameter names it: of another meter it is 403"
    FOUND = "so does what is in the path: that of another meter is not found"
    OWN = "it is the key's, whatever the parameter names"
    NONE = "it tells of no meter"


ROUTES = {
    ("GET", READINGS): ("read", Meter.ASKED),
    ("POST", READINGS): ("write", Meter.OWN),
    ("GET", f"{API}/datalogger/meter-statistics"): ("read", Meter.ASKED),
    ("PATCH", f"{API}/datalogger/meter-statistics"): ("write", Meter.ASKED),
    ("GET", f"{API}/meters"): ("read", Meter.OWN),
    ("GET", f"{API}/devices"): ("read", Meter.ASKED),
    ("GET", f"{API}/devices/{{id}}/readings"): ("read", Meter.FOUND),
    ("GET", f"{API}/peaks"): ("read", Meter.ASKED),
    ("GET", f"{API}/events"): ("read", Meter.ASKED),
    ("GET", f"{API}/consumption/electricity-live"): ("read", Meter.ASKED),
    ("GET", f"{API}/consumption/gas-live"): ("read", Meter.ASKED),
    ("GET", PRICES): ("read", Meter.ASKED),
    ("POST", PRICES): ("admin", Meter.ASKED),
    ("GET", f"{PRICES}/{{id}}"): ("read", Meter.FOUND),
    ("PUT", f"{PRICES}/{{id}}"): ("admin", Meter.FOUND),
    ("PATCH", f"{PRICES}/{{id}}"): ("admin", Meter.FOUND),
    ("DELETE", f"{PRICES}/{{id}}"): ("admin", Meter.FOUND),
    ("GET", f"{API}/consumption/today"): ("read", Meter.ASKED),
    ("GET", f"{API}/consumption/electricity"): ("read", Meter.ASKED),
    ("GET", f"{API}/consumption/gas"): ("read", Meter.ASKED),
    ("GET", f"{API}/consumption/quarter-hour-peak-electricity"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/quarter"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/hour"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/day"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/month"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/year"): ("read", Meter.ASKED),
    ("GET", f"{API}/statistics/total"): ("read", Meter.ASKED),
    ("GET", f"{API}/export/hours.csv"): ("read", Meter.ASKED),
    ("GET", f"{API}/export/days.csv"): ("read", Meter.ASKED),
    ("GET", f"{API}/weather/temperature"): ("read", Meter.ASKED),
    ("POST", f"{API}/weather/temperature"): ("write", Meter.ASKED),
    ("GET", f"{API}/application/version"): ("read", Meter.NONE),
    ("GET", f"{API}/application/monitoring"): ("read", Meter.NONE),
    ("POST", V1): ("write", Meter.OWN),
}
"""Every way into the API: the least scope that a key needs for it, and how it finds its meter."""

OPEN = {"/", "/health", "/metrics", "/api/openapi.json"}
"""What can be read without a key."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")

CONVERTER = re.compile(r"<[^>]+>")
"""Where a route takes an id."""

FORMS = {("PUT", f"{PRICES}/{{id}}"): b"start=2030-01-01"}
"""What has to be submitted before a route looks for the meter."""


@define
class Asking:
    """Asks each time from another address: whoever shows wrong keys may be answered late."""

    served: Served
    device: int = 1
    """The id of a device."""
    _numbers: count[int] = field(factory=count, init=False)

    def __call__(self, method: str, path: str, key: str | None, query: str = "") -> Answer:
        """Ask; what is asked for by an id is the device, or the first contract."""
        number = next(self._numbers)
        address, body = f"10.0.{number >> 8}.{number & 255}", FORMS.get((method, path), b"")
        kind = "application/x-www-form-urlencoded" if body else None
        url = path.replace("{id}", str(self.device if "/devices/" in path else 1)) + query
        return self.served.ask(method, url, body, key=key, address=address, content_type=kind)


def with_implied() -> Iterator[tuple[str, str, str]]:
    """The ways in with their scopes, HEAD and OPTIONS among them; a key of any scope may ask for OPTIONS."""
    for (method, path), (scope, _) in ROUTES.items():
        yield method, path, scope
        if method == "GET":
            yield "HEAD", path, scope
    for path in sorted({path for _, path in ROUTES} - {V1}):
        yield "OPTIONS", path, "read"


class TableTests(ServedCase):
    """The table holds all that there is."""

    def test_no_route_is_missing(self) -> None:
        """A route that is new has to be put into the table, or among what is open to everybody."""
        self.assertEqual({CONVERTER.sub("{id}", rule) for rule in rules()}, {path for _, path in ROUTES} | OPEN)

    def test_no_method_is_missing(self) -> None:
        """What is not in the table is refused as no method of the route, and ``Allow`` says which are."""
        for path in {path for _, path in ROUTES}:
            ours = {method for method, other in ROUTES if other == path}
            ours |= {"OPTIONS", *({"HEAD"} if "GET" in ours else ())}
            for method in METHODS:
                answer = Asking(self.served)(method, path, KEY)
                if method not in ours:
                    self.assertEqual(answer.status, 405, (method, path))
                    self.assertEqual(set(answer.headers["Allow"].split(", ")), ours, (method, path))
                else:
                    self.assertNotEqual(answer.status, 405, (method, path))


class KeyTests(ServedCase):
    """Keys of every kind, on every route."""

    def setUp(self) -> None:
        """Two meters; only the first has a contract, and a device."""
        super().setUp()
        arrivals = [[heard(NOON, gas())], [heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER)]]
        result_of(self.served.store.readings.add(arrivals, NOON))
        result_of(self.served.store.contracts.add(contract()))
        self.ask = Asking(self.served)
        [self.ask.device] = [row["id"] for row in self.served.get(f"{API}/devices").json["results"]]

    def add_key(self, scope: str, meter_id: int | None = None) -> str:
        """A key of a scope."""
        key = f"key-of-scope-{scope}"
        self.served.add_key(key, scope, meter_id)
        self.served.clock.advance(ASK_AGAIN_SECONDS)
        return key

    def assert_says(self, answer: Answer, status: int, sentence: str, way: object) -> None:
        """The answer is this; to HEAD it has no words."""
        self.assertEqual(answer.status, status, way)
        if answer.body:
            self.assertIn(sentence, answer.text, way)

    def test_without_a_key(self) -> None:
        """No route says anything but that to who has no key, or a wrong one."""
        for method, path, _ in with_implied():
            for key in (None, "wrong", KEY[:-1], KEY.upper()):
                self.assert_says(self.ask(method, path, key), 403, "Invalid auth key", (method, path, key))

    def test_scopes(self) -> None:
        """A key that lacks the scope is told which; one that has it, or more, gets through."""
        for scope in SCOPES:
            key = self.add_key(scope)
            for method, path, needed in with_implied():
                answer, way = self.ask(method, path, key), (scope, method, path)
                if SCOPES.index(scope) < SCOPES.index(needed):
                    sentence = f"This needs a key of scope {needed}; the scope of this key is {scope}."
                    self.assert_says(answer, 403, sentence, way)
                else:
                    self.assertNotEqual(answer.status, 403, way)

    def test_a_key_of_another_meter(self) -> None:
        """A key for one meter gets nothing of another, whether it is named or what it has is asked for by its id."""
        key = self.add_key("admin", meter_id=2)
        for (method, path), (_, meter) in ROUTES.items():
            named, own = self.ask(method, path, key, "?meter=1"), self.ask(method, path, key)
            if meter in (Meter.ASKED, Meter.FOUND):
                self.assert_says(named, 403, "This key is for another meter.", (method, path))
            else:
                self.assertNotEqual(named.status, 403, (method, path))
            if meter is Meter.FOUND:
                self.assert_says(own, 404, "Not found.", (method, path))
            else:
                self.assertNotEqual(own.status, 403, (method, path))
        self.assertEqual([meter["id"] for meter in self.ask("GET", f"{API}/meters", key).json], [2])

    def test_a_key_of_any_meter(self) -> None:
        """What the key of another meter does not find is there for one that is for all of them."""
        for (method, path), (_, meter) in ROUTES.items():
            if meter is Meter.FOUND:
                self.assertIn(self.ask(method, path, KEY).status, (200, 204), (method, path))

    def test_disabled(self) -> None:
        """While the API is off no route does anything, with or without a key."""
        ask = Asking(self.serve(enabled=False))
        for method, path, _ in with_implied():
            for key in (None, "wrong", KEY):
                status = 405 if path == V1 else 403
                self.assert_says(ask(method, path, key), status, "API is disabled", (method, path))

    def test_what_is_open(self) -> None:
        """Of what needs no key, the description of the API is off while the API is."""
        off = Asking(self.serve(enabled=False))
        for path in OPEN:
            for key in (None, "wrong"):
                self.assertEqual(self.ask("GET", path, key).status, 200, path)
                self.assertEqual(off("GET", path, key).status, 403 if path.startswith("/api/") else 200, path)

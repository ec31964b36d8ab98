"""Who may do what."""

from __future__ import annotations

import re
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from dsmr_tw.api.auth import ASK_AGAIN_SECONDS
from dsmr_tw.api.consumption import ConsumptionApi
from dsmr_tw.api.devices import DevicesApi
from dsmr_tw.api.facts import FactsApi
from dsmr_tw.api.prices import PricesApi
from dsmr_tw.api.statistics import StatisticsApi
from dsmr_tw.api.v1 import ApiV1
from dsmr_tw.api.v2 import ApiV2
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.stored import SCOPES
from tests.serving import KEY, READINGS, V1, ServedCase, answer_of, request_bytes

ROUTES = {
    ("GET", READINGS): "read",
    ("POST", READINGS): "write",
    ("GET", "/api/v2/datalogger/meter-statistics"): "read",
    ("PATCH", "/api/v2/datalogger/meter-statistics"): "write",
    ("GET", "/api/v2/meters"): "read",
    ("GET", "/api/v2/devices"): "read",
    ("GET", "/api/v2/devices/1/readings"): "read",
    ("GET", "/api/v2/peaks"): "read",
    ("GET", "/api/v2/events"): "read",
    ("GET", "/api/v2/consumption/electricity-live"): "read",
    ("GET", "/api/v2/consumption/gas-live"): "read",
    ("GET", "/api/v2/consumption/energy-supplier-prices"): "read",
    ("POST", "/api/v2/consumption/energy-supplier-prices"): "admin",
    ("GET", "/api/v2/consumption/energy-supplier-prices/1"): "read",
    ("PUT", "/api/v2/consumption/energy-supplier-prices/1"): "admin",
    ("PATCH", "/api/v2/consumption/energy-supplier-prices/1"): "admin",
    ("DELETE", "/api/v2/consumption/energy-supplier-prices/1"): "admin",
    ("GET", "/api/v2/consumption/today"): "read",
    ("GET", "/api/v2/consumption/electricity"): "read",
    ("GET", "/api/v2/consumption/gas"): "read",
    ("GET", "/api/v2/consumption/quarter-hour-peak-electricity"): "read",
    ("GET", "/api/v2/statistics/quarter"): "read",
    ("GET", "/api/v2/statistics/hour"): "read",
    ("GET", "/api/v2/statistics/day"): "read",
    ("GET", "/api/v2/statistics/month"): "read",
    ("GET", "/api/v2/statistics/year"): "read",
    ("GET", "/api/v2/statistics/total"): "read",
    ("GET", "/api/v2/application/version"): "read",
    ("GET", "/api/v2/application/monitoring"): "read",
    ("POST", V1): "write",
}
"""Every way into the API, and the least scope that a key needs for it."""

PARTS = (ApiV1, ApiV2, ConsumptionApi, DevicesApi, FactsApi, PricesApi, StatisticsApi)

CONVERTER = re.compile(r"<[^>]+>")
"""Where a route takes an id."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class RouteTests(ServedCase):
    """The table of routes, from the outside."""

    def test_the_table_is_complete(self) -> None:
        """There is no route and no method beside those of the table."""
        found = {
            (method, path)
            for path in {path for _, path in ROUTES}
            | {CONVERTER.sub("1", rule.rule) for part in PARTS for rule in part.app.url_map.iter_rules()}
            for method in self.served.ask("OPTIONS", path).headers["Allow"].split(", ")
        }
        implied = {("HEAD", path) for method, path in ROUTES if method == "GET"}
        implied |= {("OPTIONS", path) for _, path in ROUTES}
        self.assertEqual(found, set(ROUTES) | implied)

    def test_without_a_key(self) -> None:
        """No route says anything but that to who has no key, or a wrong one."""
        for method, path in ROUTES:
            for key in (None, "wrong", KEY[:-1], KEY.upper()):
                answer = self.served.ask(method, path, key=key)
                self.assertEqual(answer.status, 403, (method, path))
                self.assertIn("Invalid auth key", answer.text)

    def test_scopes(self) -> None:
        """A key that lacks the scope is told which; one that has it, or more, gets through."""
        for scope in SCOPES:
            self.served.add_key(f"key-of-scope-{scope}", scope)
            self.served.clock.advance(ASK_AGAIN_SECONDS)
            for (method, path), needed in ROUTES.items():
                answer = self.served.ask(method, path, key=f"key-of-scope-{scope}")
                if SCOPES.index(scope) < SCOPES.index(needed):
                    self.assertEqual(answer.status, 403, (scope, method, path))
                    self.assertIn(f"needs a key of scope {needed}; the scope of this key is {scope}", answer.text)
                else:
                    self.assertNotEqual(answer.status, 403, (scope, method, path))

    def test_disabled(self) -> None:
        """While the API is off no route does anything, with or without a key."""
        served = self.serve(enabled=False)
        for method, path in ROUTES:
            for key in (None, "wrong", KEY):
                answer = served.ask(method, path, key=key)
                self.assertEqual(answer.status, 405 if path == V1 else 403, (method, path))
                self.assertIn("API is disabled", answer.text)


class HeaderTests(ServedCase):
    """How a key is shown."""

    def status(self, **headers: Any) -> int:
        """The status of a list of readings, asked for with these headers."""
        return self.served.ask("GET", READINGS, key=None, **headers).status

    def test_either_header(self) -> None:
        """``X-AUTHKEY`` and ``Authorization: Token`` are as good, in any case of their names, and either suffices."""
        for headers in (
            {"x-authkey": KEY},
            {"X-AUTHKEY": KEY},
            {"Authorization": f"Token {KEY}"},
            {"authorization": f"token  {KEY}"},
            {"X-AUTHKEY": "wrong", "Authorization": f"TOKEN {KEY}"},
            {"X-AUTHKEY": KEY, "Authorization": "Basic eA=="},
        ):
            self.assertEqual(self.status(**headers), 200, headers)

    def test_other_places(self) -> None:
        """A key is taken from nowhere else."""
        for headers in ({"Authorization": KEY}, {"Authorization": f"Bearer {KEY}"}, {"X-AUTHKEY": ""}, {"Cookie": KEY}):
            self.assertEqual(self.status(**headers), 403, headers)
        self.assertEqual(self.served.get(f"{READINGS}?X-AUTHKEY={KEY}", key=None).status, 403)


class RingTests(ServedCase):
    """Keys that come and go beside the running server."""

    def ask(self, key: str) -> int:
        """The status of a list of readings."""
        return self.served.get(READINGS, key=key).status

    def test_a_new_key(self) -> None:
        """A key made beside the server works at once."""
        self.served.add_key("made-just-now", "read")
        self.assertEqual(self.ask("made-just-now"), 200)

    def test_guessing(self) -> None:
        """Who guesses keys makes the server ask the store once a second, not more."""
        self.assertEqual(self.ask("guess"), 403)
        self.served.add_key("made-just-now", "read")
        self.assertEqual(self.ask("made-just-now"), 403)
        self.served.clock.advance(ASK_AGAIN_SECONDS)
        self.assertEqual(self.ask("made-just-now"), 200)

    def test_a_removed_key(self) -> None:
        """A removed key is refused from the next reading of the keys on."""
        record = self.served.add_key("for-a-while", "read")
        self.assertEqual(self.ask("for-a-while"), 200)
        self.successResultOf(self.served.store.keys.remove(record.id))
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(self.ask("for-a-while"), 403)

    def test_while_the_keys_are_read(self) -> None:
        """Requests that come while the store is being asked wait for its answer."""
        self.served.add_key("made-just-now", "read")
        self.served.reading.held = True
        transports = []
        for _ in range(2):
            channel, transport = self.served.channel()
            channel.dataReceived(request_bytes("GET", "/api/v2/application/version", {"X-AUTHKEY": "made-just-now"}))
            transports.append(transport)
        self.served.reading.release()
        self.assertEqual([answer_of(transport.value()).status for transport in transports], [200, 200])

    def test_the_store_is_away(self) -> None:
        """The known keys stay valid; of an unknown one nobody can say that it was not just made elsewhere."""
        self.served.reading.error = StoreUnavailable("gone")
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(self.served.get("/api/v2/application/version").status, 200)
        self.assertEqual(self.ask("guess"), 503)
        self.served.reading.error = None
        with capturedLogs() as logs:
            self.successResultOf(self.served.keys.refresh())
            self.successResultOf(self.served.keys.refresh())
        self.assertEqual([formatEvent(event) for event in logs], ["the API keys can be read again"])
        self.assertEqual(self.ask("guess"), 403)

    def test_a_fault_of_ours(self) -> None:
        """A fault of ours is logged once, and the known keys stay valid."""
        self.served.reading.error = RuntimeError("a fault")
        self.successResultOf(self.served.keys.refresh())
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.served.get("/api/v2/application/version").status, 200)

    def test_the_store_was_never_there(self) -> None:
        """Before the keys could be read at all nobody is told that a key is wrong."""
        served = self.serve(keys_are_read=False)
        served.reading.error = StoreUnavailable("gone")
        for _ in range(2):
            self.assertEqual(served.get(READINGS).status, 503)
            self.assertEqual(served.get(READINGS, key=None).status, 403)
        served.reading.error = None
        served.clock.advance(ASK_AGAIN_SECONDS)
        self.assertEqual(served.get(READINGS).status, 200)

"""Contracts found over HTTP by their ids, and what stands in the way of writing them."""

from __future__ import annotations

from typing import Any

from dsmr_tw.errors import ContractRefused, StoreUnavailable
from tests.api.test_prices import PRICES
from tests.api.test_prices_changes import FULL, ChangesCase


class FindTests(ChangesCase):
    """Contracts by their ids."""

    def setUp(self) -> None:
        """Enter a contract of each of two meters."""
        super().setUp()
        self.second_meter()
        self.enter(**FULL)
        self.enter(f"{PRICES}?meter=2", **FULL)

    def statuses(self, path: str, **arguments: Any) -> list[int]:
        """What each method is answered, that which removes last."""
        return [self.send(method, path, FULL, **arguments).status for method in ("GET", "PUT", "PATCH", "DELETE")]

    def test_one(self) -> None:
        """A contract is shown as the list shows it."""
        for number, meter in ((1, "?meter=1"), (2, "?meter=2")):
            answer = self.served.get(f"{PRICES}/{number}")
            self.assertEqual((answer.status, [answer.json]), (200, self.listed(meter)))
        head = self.served.ask("HEAD", f"{PRICES}/2")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(answer.body))))

    def test_no_such_contract(self) -> None:
        """What is no contract's id is not there, whatever it is."""
        for name in ("3", "0", "-1", "01", "1.0", "abc", "%D9%A1", "9" * 5000, "1/", "", "1/2"):
            self.assertEqual(self.statuses(f"{PRICES}/{name}"), [404] * 4, name)
            self.assertEqual(self.served.get(f"{PRICES}/{name}").json, {"detail": "Not found."})
        self.assertEqual(self.served.get(f"{PRICES}1").status, 404)

    def test_a_key_for_one_meter(self) -> None:
        """A key that is tied to a meter neither sees nor touches a contract of another."""
        self.served.add_key("second-only", "admin", meter_id=2)
        self.assertEqual(self.statuses(f"{PRICES}/1", key="second-only"), [404] * 4)
        self.assertEqual(self.statuses(f"{PRICES}/1?meter=1", key="second-only"), [403] * 4)
        self.assertEqual(self.statuses(f"{PRICES}/2", key="second-only"), [200, 200, 200, 204])
        self.assertEqual(len(self.listed()), 1)

    def test_the_meter_that_is_asked_for(self) -> None:
        """Who names a meter means a contract of that meter; who names none, any."""
        self.assertEqual(self.statuses(f"{PRICES}/2?meter=1"), [404] * 4)
        self.assertEqual(self.statuses(f"{PRICES}/2?meter=3"), [400] * 4)
        self.assertEqual(self.statuses(f"{PRICES}/2?meter=Meter+2"), [200, 200, 200, 204])
        self.assertEqual(self.statuses(f"{PRICES}/1"), [200, 200, 200, 204])

    def test_allow(self) -> None:
        """Both paths say what may be done with them."""
        for path, allowed in (
            (PRICES, "GET, POST, HEAD, OPTIONS"),
            (f"{PRICES}/1", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ):
            answer = self.served.ask("OPTIONS", path)
            self.assertEqual((answer.status, answer.headers["Allow"]), (200, allowed))
            self.assertIn("multipart/form-data", answer.json["parses"])
        for method, path in (("PUT", PRICES), ("DELETE", PRICES), ("POST", f"{PRICES}/1")):
            self.assertEqual(self.send(method, path, FULL).status, 405)

    def test_the_store_is_away(self) -> None:
        """While the store takes nothing clients are told to try again."""
        self.served.writing.error = StoreUnavailable("gone")
        for method, path in (("POST", PRICES), *((method, f"{PRICES}/1") for method in ("PUT", "PATCH", "DELETE"))):
            answer = self.send(method, path, {"start": "2025-01-01"})
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))

    def test_a_refusal_of_another_kind(self) -> None:
        """Whatever the store has against a contract is the client's to mend, in the store's words."""
        self.served.writing.error = ContractRefused("Not on a Sunday.")
        for method, path in (("POST", PRICES), ("PATCH", f"{PRICES}/1")):
            self.assert_refused(self.send(method, path, {"start": "2024-01-07"}), {"start": ["Not on a Sunday."]})

"""The order in which version 2 judges a request."""

from __future__ import annotations

from dsmr_tw.api.gate import accepts_json
from dsmr_tw.limits import BODY_BYTES
from tests.serving import KEY, READINGS, ServedCase


class GateTests(ServedCase):
    """One thing wrong after the other."""

    def test_order(self) -> None:
        """Of a request with which everything is wrong the first thing is named; that mended, the next."""
        disabled = self.serve(enabled=False)
        self.served.add_key("reads-only", "read")
        for served, method, path, key, accept, size, status, detail in (
            (disabled, "PUT", f"{READINGS}/", "wrong", "text/html", BODY_BYTES + 1, 404, "Not found."),
            (disabled, "PUT", READINGS, "wrong", "text/html", BODY_BYTES + 1, 403, "API is disabled"),
            (self.served, "PUT", READINGS, "wrong", "text/html", BODY_BYTES + 1, 403, "Invalid auth key"),
            (self.served, "PUT", READINGS, KEY, "text/html", BODY_BYTES + 1, 405, 'Method "PUT" not allowed.'),
            (
                self.served,
                "POST",
                READINGS,
                "reads-only",
                "text/html",
                BODY_BYTES + 1,
                403,
                "This needs a key of scope",
            ),
            (self.served, "POST", READINGS, KEY, "text/html", BODY_BYTES + 1, 406, "Could not satisfy the request"),
            (self.served, "POST", READINGS, KEY, "*/*", BODY_BYTES + 1, 413, "The body is larger than 256 KiB."),
            (self.served, "POST", READINGS, KEY, "*/*", BODY_BYTES, 415, 'Unsupported media type "a/b" in request.'),
        ):
            self.served.clock.advance(1)
            answer = served.ask(method, path, b"x" * size, key=key, content_type="a/b", Accept=accept)
            self.assertEqual(answer.status, status, answer)
            self.assertIn(detail, answer.json["detail"])

    def test_options(self) -> None:
        """OPTIONS tells which methods there are and what is taken, to who has a key."""
        answer = self.served.ask("OPTIONS", READINGS)
        self.assertEqual((answer.status, answer.headers["Allow"]), (200, "GET, POST, HEAD, OPTIONS"))
        self.assertIn("multipart/form-data", answer.json["parses"])
        self.assertEqual(self.served.ask("OPTIONS", READINGS, key=None).status, 403)


class AcceptTests(ServedCase):
    """What clients take."""

    def test_who_takes_json(self) -> None:
        """Who says nothing, anything, or anything like JSON takes JSON."""
        for accept in ("", "*/*", "application/json", "text/html, application/*;q=0.1", "Application/JSON; indent=4"):
            self.assertTrue(accepts_json(accept), accept)
        for accept in ("text/html", "application/xml", "text/html, image/*", "json"):
            self.assertFalse(accepts_json(accept), accept)

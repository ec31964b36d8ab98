"""What a request is answered that can't be answered as wished."""

from __future__ import annotations

from dsmr_tw.errors import ContractRefused
from tests.serving import READINGS, V1, ServedCase
from tests.telegramtext import telegram


class FaultTests(ServedCase):
    """Faults of ours."""

    def test_a_fault_of_ours(self) -> None:
        """A fault of ours is answered with 500 and no word about it, on both versions; the log has the rest."""
        self.served.reading.error = self.served.writing.error = RuntimeError("a secret of ours")
        for answer, body in (
            (self.served.get(READINGS), b'{"detail":"Internal server error."}'),
            (self.served.post(V1, {"telegram": telegram()}), b"Internal server error."),
        ):
            self.assertEqual((answer.status, answer.body), (500, body))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)


class RefusalTests(ServedCase):
    """What the store refuses."""

    def test_a_contract_that_can_not_be(self) -> None:
        """Wherever a contract is refused, the client is told why, and nothing is logged."""
        self.served.writing.error = ContractRefused("A day has one contract.")
        answer = self.served.ask("PATCH", "/api/v2/datalogger/meter-statistics")
        self.assertEqual((answer.status, answer.json), (400, {"detail": "A day has one contract."}))


class NotFoundTests(ServedCase):
    """Paths without a route."""

    def test_under_version_2(self) -> None:
        """A path without a route is a JSON object, before anything else is looked at."""
        for path in (
            "/api/v2/",
            "/api/v2/bogus",
            f"{READINGS}/",
            f"{READINGS}/1",
            f"{READINGS}%20",
            "/api/v2//datalogger/dsmrreading",
            "/api/v2/datalogger//dsmrreading",
            "/api",
            "/api/",
            "/api/v2",
            "/api/v3/datalogger/dsmrreading",
        ):
            for method in ("GET", "POST", "FOO"):
                answer = self.served.ask(method, path, key=None)
                self.assertEqual((answer.status, answer.json), (404, {"detail": "Not found."}), path)

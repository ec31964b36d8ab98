"""Answers, and work that goes on when nobody waits for the answer any more."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api.answers import shielded, to_json


class JsonTests(SynchronousTestCase):
    """JSON as it is sent."""

    def test_compact(self) -> None:
        """JSON is compact, in the order given, and UTF-8."""
        self.assertEqual(to_json({"b": [1, None, True], "a": "m³"}), '{"b":[1,null,true],"a":"m³"}'.encode())

    def test_no_number(self) -> None:
        """What JSON has no word for is our fault, not the client's riddle."""
        self.assertRaises(ValueError, to_json, float("nan"))


class ShieldedTests(SynchronousTestCase):
    """Work behind a shield."""

    def test_result(self) -> None:
        """The result comes through, and so does a failure."""
        work: Deferred[int] = Deferred()
        seen = shielded(work)
        work.callback(7)
        self.assertEqual(self.successResultOf(seen), 7)
        work = Deferred()
        seen = shielded(work)
        work.errback(ValueError("x"))
        self.failureResultOf(seen, ValueError)

    def test_cancelling(self) -> None:
        """Cancelling what is seen leaves the work alone, however it ends."""
        for end in (lambda work: work.callback(7), lambda work: work.errback(ValueError("x"))):
            work: Deferred[int] = Deferred(lambda _: self.fail("the work was cancelled"))
            seen = shielded(work)
            seen.cancel()
            self.failureResultOf(seen, CancelledError)
            end(work)
            self.assertIsNone(self.successResultOf(work))

"""Tests of dsmr_tw.counting: answers by route, whatever strangers ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.counting import METHODS, AnswerCounts

RULES = ("/health", "/api/v2/devices", "/api/v2/devices/<device_id>/readings", "/api/v2/prices/<int:contract_id>")
STATUSES = (200, 404)


class AnswerCountsTests(SynchronousTestCase):
    """The counts behind /metrics."""

    def setUp(self) -> None:
        """Nothing was asked yet."""
        self.answers = AnswerCounts()
        self.answers.know(RULES)

    def test_each_route_is_counted_for_itself(self) -> None:
        """What stands for a number in a path makes no route of its own."""
        for path in (b"/health", b"/api/v2/devices/7/readings", b"/api/v2/devices/8/readings", b"/api/v2/prices/1"):
            self.answers.count(b"GET", path, 200)
        self.assertEqual(
            dict(self.answers.counts),
            {
                ("GET", "/health", 200): 1,
                ("GET", "/api/v2/devices/{device_id}/readings", 200): 2,
                ("GET", "/api/v2/prices/{contract_id}", 200): 1,
            },
        )

    @given(st.lists(st.tuples(st.binary(), st.binary(), st.sampled_from(STATUSES))))
    def test_strangers_make_it_no_larger(self, asked: list[tuple[bytes, bytes, int]]) -> None:
        """However many paths and methods are tried, there are as many counts as before."""
        answers = AnswerCounts()
        answers.know(RULES)
        for method, path, status in asked:
            answers.count(method, path, status)
        self.assertLessEqual(len(answers.counts), (len(RULES) + 1) * (len(METHODS) + 1) * len(STATUSES))
        self.assertEqual(answers.counts.total(), len(asked))

    def test_what_is_no_route(self) -> None:
        """A path that only begins like one is another."""
        for path in (b"/health/", b"/api/v2/devices/7/8/readings", b"/api/v2/devices//readings"):
            self.answers.count(b"BREW", path, 404)
        self.assertEqual(dict(self.answers.counts), {("other", "other", 404): 3})

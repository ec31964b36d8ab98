"""Tests of dsmr_tw.rejecting: telegrams that could not be taken are counted, and nobody waits long for that."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import Origin
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE
from dsmr_tw.rejecting import Rejecting
from tests.arrivals import CABLE, KEY


class RejectingTests(SynchronousTestCase):
    """A store that answers when the test says so."""

    def setUp(self) -> None:
        """Nothing was counted yet."""
        self.clock = Clock()
        self.counted: list[tuple[Origin, int]] = []
        self.under_way: list[Deferred[None]] = []
        self.rejecting = Rejecting(self.count, self.clock)

    def count(self, origin: Origin, telegrams: int) -> Deferred[None]:
        """Count, in the end."""
        self.counted.append((origin, telegrams))
        self.under_way.append(Deferred())
        return self.under_way[-1]

    def test_whoever_waits_is_told_when_it_is_stored(self) -> None:
        """Who asks for the count after that finds it there."""
        answer = self.rejecting.reject(CABLE)
        self.assertNoResult(answer)
        self.under_way.pop().callback(None)
        self.assertIsNone(self.successResultOf(answer))
        self.assertEqual((self.counted, self.clock.getDelayedCalls()), ([(CABLE, 1)], []))

    def test_those_that_come_meanwhile_are_counted_together(self) -> None:
        """They are told when they are stored, not before; other origins do not wait for them."""
        first, second, third = (self.rejecting.reject(CABLE) for _ in range(3))
        other = self.rejecting.reject(KEY)
        self.under_way.pop().callback(None)
        self.under_way.pop().callback(None)
        self.successResultOf(first)
        self.successResultOf(other)
        self.assertNoResult(second)
        self.assertEqual(self.counted, [(CABLE, 1), (KEY, 1), (CABLE, 2)])
        self.under_way.pop().callback(None)
        self.successResultOf(second)
        self.successResultOf(third)

    def test_a_store_that_does_not_answer(self) -> None:
        """All who wait are told after some seconds, later ones at once, and nothing piles up; all are counted once."""
        first, second = self.rejecting.reject(CABLE), self.rejecting.reject(CABLE)
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(second)
        self.clock.advance(0.1)
        self.successResultOf(first)
        self.successResultOf(second)
        for _ in range(1000):
            self.successResultOf(self.rejecting.reject(CABLE))
        self.assertEqual((len(self.under_way), self.clock.getDelayedCalls()), (1, []))
        self.under_way.pop().callback(None)
        self.under_way.pop().callback(None)
        self.assertEqual(self.counted, [(CABLE, 1), (CABLE, 1001)])
        answer = self.rejecting.reject(CABLE)
        self.assertNoResult(answer)
        self.under_way.pop().callback(None)
        self.successResultOf(answer)

    def test_a_store_that_takes_nothing(self) -> None:
        """It is asked again with the next one, and told of all of them then."""
        first, second = self.rejecting.reject(CABLE), self.rejecting.reject(CABLE)
        self.under_way.pop().errback(StoreUnavailable("the disk is full"))
        self.successResultOf(first)
        self.successResultOf(second)
        self.rejecting.reject(CABLE)
        self.assertEqual(self.counted, [(CABLE, 1), (CABLE, 3)])

    def test_anything_else_is_in_the_log(self) -> None:
        """Whoever was told "no" is not told of our troubles on top."""
        answer = self.rejecting.reject(CABLE)
        self.under_way.pop().errback(RuntimeError("a bug"))
        self.successResultOf(answer)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

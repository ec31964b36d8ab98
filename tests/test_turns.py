"""Whoever asks for much leaves time for others."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.turns import LANE_SECONDS, LANES, TURN_SECONDS, Turns

STEP = LANE_SECONDS / 2


@define(eq=False)
class Worker:
    """A connection with so many steps to do, each half of what a lane may use at once."""

    turns: Turns
    clock: Clock
    lane: str
    steps: int
    done: list[str] = field(factory=list)

    def go_on(self) -> None:
        """One step."""
        self.turns.work(self.lane, self.step, b"")
        if self.steps:
            self.turns.wait(self.lane, self)

    def step(self, data: bytes) -> None:
        """Take time, but not the reactor's turn."""
        self.clock.rightNow += STEP
        self.steps -= 1
        self.done.append(self.lane)


class TurnsTests(SynchronousTestCase):
    """Lanes, one after the other."""

    def setUp(self) -> None:
        """Nobody has worked yet."""
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.done: list[str] = []

    def turn(self) -> None:
        """One turn of the reactor: what is begun in it for the next turn waits, however late it has become."""
        self.clock.calls.pop().func()

    def worker(self, lane: str, steps: int) -> Worker:
        """Somebody who waits."""
        worker = Worker(self.turns, self.clock, lane, steps, self.done)
        self.turns.wait(lane, worker)
        return worker

    def test_little_work(self) -> None:
        """Who asks for little need not wait, and nothing is done for it later."""
        for _ in range(3):
            self.turns.work("a", len, b"")
        self.assertTrue(self.turns.is_free("a"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_much_work(self) -> None:
        """Who has used up its time waits for the next turn; others need not."""
        for _ in range(2):
            self.turns.work("a", self.take, b"")
        self.assertFalse(self.turns.is_free("a"))
        self.assertTrue(self.turns.is_free("b"))
        self.clock.advance(0)
        self.assertTrue(self.turns.is_free("a"))

    def take(self, data: bytes) -> None:
        """Use half of what a lane may use."""
        self.clock.rightNow += STEP

    def test_one_turn(self) -> None:
        """In one turn each lane has its time, and the turn ends when its own is over."""
        for lane in ("a", "b", "c"):
            self.worker(lane, 10)
        self.turn()
        self.assertEqual(self.done, ["a", "a", "b", "b"])
        self.assertEqual(TURN_SECONDS, 2 * LANE_SECONDS)

    def test_in_order(self) -> None:
        """Whoever was not reached in a turn is first in the next one, and all become done."""
        workers = [self.worker(lane, 4) for lane in ("a", "b", "c")]
        self.turn()
        self.turn()
        self.assertEqual(self.done[4:], ["c", "c", "a", "a"])
        while self.clock.getDelayedCalls():
            self.turn()
        self.assertEqual([worker.steps for worker in workers], [0, 0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_of_one_lane(self) -> None:
        """A lane with many connections has no more time than one with a single one, and its own take turns, too."""
        many = [self.worker("many", 2) for _ in range(20)]
        self.worker("one", 2)
        self.turn()
        self.assertEqual(self.done, ["many", "many", "one", "one"])
        self.assertEqual([worker.steps for worker in many[:3]], [1, 1, 2])

    def test_leaving(self) -> None:
        """Who has left is not called."""
        worker = self.worker("a", 1)
        self.turns.leave("a", worker)
        self.turns.leave("b", worker)
        self.turn()
        self.assertEqual(self.done, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_very_many_lanes(self) -> None:
        """Of how many lanes something is remembered is bounded."""
        for number in range(3 * LANES):
            self.turns.work(number, self.take, b"")
        self.assertLessEqual(len(self.turns._used), LANES)

"""Tests of dsmr_tw.spooling and dsmr_tw.draining: what holds whatever happens, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE
from tests.spoolingcase import House

NO_DISK = StoreUnavailable("no disk")

GIVEN = ["line", "line", "post", "post of three", "other post"]
TIME = ["second", "second", "three seconds", "ten seconds"]
STORE = ["store away", "store back", "store frozen", "store thaws"]
SPOOL = ["spool busy", "spool done", "spool refuses", "spool takes"]
ENDS = ["restart", "crash", "crash behind the commit"]


class AnyOrderTests(SynchronousTestCase):
    """Whatever happens, in whatever order."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from(GIVEN + TIME + STORE + SPOOL + ENDS), max_size=50))
    def test_what_was_acknowledged_is_stored_once_and_in_order(self, steps: list[str]) -> None:
        """Of each line and key, over outages of store and spool, stops and power cuts."""
        story = self.told(steps)
        self.assertLessEqual(story.acknowledged, set(story.house.stored))

    @settings(max_examples=75, deadline=None)
    @given(st.lists(st.sampled_from(GIVEN + TIME + STORE + [*SPOOL[:2], "restart"]), max_size=50))
    def test_while_the_spool_works_nothing_is_lost(self, steps: list[str]) -> None:
        """Every telegram is stored, and every post of them was answered with yes."""
        story = self.told(steps)
        self.assertEqual(sorted(story.house.stored), sorted(story.given))
        self.assertEqual((story.refused, story.house.datalogger.spooling.lost), (0, 0))

    def told(self, steps: list[str]) -> Story:
        """A story to its end, of which this much is true in any case."""
        story = Story(House(Path(self.mktemp())))
        with capturedLogs():
            for step in steps:
                story.play(step)
            story.end()
        self.assertEqual(self.flushLoggedErrors(), [])
        stored = story.house.stored
        self.assertEqual(len(stored), len(set(stored)))
        for origin in story.origins:
            mine = [number for number in stored if number in origin]
            self.assertEqual(mine, sorted(mine))
        self.assertEqual(list(story.house.spool.path.iterdir()), [])
        return story


@define
class Story:
    """A house, and what it was given."""

    house: House
    given: list[int] = field(factory=list)
    origins: tuple[set[int], set[int]] = field(factory=lambda: (set(), set()))
    """What came by the line, and by the key."""
    acknowledged: set[int] = field(factory=set)
    refused: int = 0

    def play(self, step: str) -> None:
        """Let something happen."""
        house = self.house
        happenings: dict[str, Callable[[], None]] = {
            "line": self.hear,
            "post": lambda: self.post(1),
            "post of three": lambda: self.post(3),
            "other post": lambda: self.post(2),
            "second": lambda: house.go_on(1),
            "three seconds": lambda: house.go_on(PATIENCE),
            "ten seconds": lambda: house.go_on(10),
            "store away": house.go_away,
            "store back": lambda: setattr(house.writing, "error", None),
            "store frozen": lambda: setattr(house.writing, "held", True),
            "store thaws": house.writing.release,
            "spool busy": lambda: setattr(house.spooling, "held", True),
            "spool done": house.spooling.release,
            "spool refuses": lambda: setattr(house.spooling, "error", NO_DISK),
            "spool takes": lambda: setattr(house.spooling, "error", None),
            "restart": self.restart,
            "crash": lambda: self.crash(is_stored=False),
            "crash behind the commit": lambda: self.crash(is_stored=True),
        }
        happenings[step]()

    def numbers(self, many: int, origin: int) -> list[int]:
        """The next ones."""
        numbers = [len(self.given) + n for n in range(many)]
        self.given += numbers
        self.origins[origin].update(numbers)
        return numbers

    def hear(self) -> None:
        """A telegram comes from the line."""
        self.house.hear(*self.numbers(1, 0))

    def post(self, many: int) -> None:
        """A body is posted."""
        numbers = self.numbers(many, 1)
        self.house.post(*numbers).addCallbacks(lambda _: self.acknowledged.update(numbers), self.refuse)

    def refuse(self, failure: object) -> None:
        """A post was answered with no."""
        self.refused += 1

    def restart(self) -> None:
        """Stop, which nothing keeps from ending within some seconds, and start."""
        self.house.spooling.release()
        stopped = self.house.datalogger.stopService()
        self.house.go_on(PATIENCE)
        assert stopped.called, "the stop does not end"
        self.house.spool.close()
        self.house.start()

    def crash(self, *, is_stored: bool) -> None:
        """Fall down, with what the store was asked to do done, or not; then start."""
        self.house.writing.forget(is_stored)
        self.house.spooling.forget(is_stored)
        self.house.crash()
        self.house.start()

    def end(self) -> None:
        """All is well again, for long enough."""
        self.house.writing.error = self.house.spooling.error = None
        self.house.spooling.release()
        self.house.writing.release()
        for _ in range(4):
            self.house.go_on(10)
        assert not self.house.spool.records, "the spool is not drained"
        self.house.close()

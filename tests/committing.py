"""A group commit before a store whose commits a test ends as it likes."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import SECOND, Arrival, Receipt
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.limits import Limits
from tests.arrivals import NOON, heard
from tests.fakes import HeldReadings

AWAY = StoreUnavailable("the disk is full")


class PoisonError(Exception):
    """What the store says about a value that it can't take."""


def arrivals(*numbers: int) -> list[Arrival]:
    """Arrivals that can be told apart by their number."""
    return [heard(NOON + number * SECOND, delivered_1=number) for number in numbers]


def numbers(values: Sequence[Arrival]) -> list[int]:
    """The numbers of arrivals."""
    return [value.reading.delivered_1 for value in values if value.reading is not None]


@define
class Followed:
    """What was told after commits."""

    stored: list[int] = field(factory=list)
    receipts: list[Receipt] = field(factory=list)
    trouble: Exception | None = None

    def __call__(self, taken: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """Take note."""
        if self.trouble:
            raise self.trouble
        self.stored += numbers(taken)
        self.receipts += receipts


class GroupCommitCase(SynchronousTestCase):
    """A queue before a store whose commits the test ends."""

    def setUp(self) -> None:
        """Begin at noon with an empty queue."""
        self.clock = Clock()
        self.clock.advance(NOON // SECOND)
        self.readings = HeldReadings()
        self.limits = Limits()
        self.followed = Followed()
        self.refused: list[Failure] = []
        self.queue = GroupCommit(self.readings, self.clock, self.limits, self.followed)
        self.queue.startService()

    def submit(self, *values: int) -> Deferred[list[Receipt]]:
        """Submit one group."""
        return self.queue.submit(arrivals(*values))

    def take(self, *values: int) -> None:
        """Let telegrams come from a line; what becomes of those that are not stored is in ``refused``."""
        for arrival in arrivals(*values):
            self.queue.submit([arrival], is_patient=True).addErrback(self.refused.append)

    def committed(self) -> list[list[list[int]]]:
        """The numbers in each commit that was begun, group by group."""
        return [[numbers(group) for group in commit.groups] for commit in self.readings.commits]

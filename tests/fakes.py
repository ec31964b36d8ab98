"""Stand-ins for what a test has to decide the timing of; each is held to the interface of what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from dsmr_tw.domain.reading import Arrival, Receipt
from dsmr_tw.interfaces import IReadings
from dsmr_tw.stored import DevicePage, Live, MinutePage, ReadingFilter, ReadingPage


@define(eq=False)
class HeldCommit:
    """A commit under way: nothing is known of it until the test says how it went."""

    groups: Sequence[Sequence[Arrival]]
    now: int
    answer: Deferred[list[list[Receipt]]]
    ids: Callable[[], int]

    @property
    def arrivals(self) -> list[Arrival]:
        """What is in it, in order."""
        return [arrival for group in self.groups for arrival in group]

    def succeed(self) -> None:
        """All of it is on disk."""
        self.answer.callback([[Receipt(1, self.ids(), True) for _ in group] for group in self.groups])

    def fail(self, error: Exception) -> None:
        """Nothing of it is."""
        self.answer.errback(error)


@implementer(IReadings)
@define(eq=False)
class HeldReadings:
    """Readings whose commits end when, and as, the test says."""

    commits: list[HeldCommit] = field(factory=list)
    """Every commit that was begun."""
    _ids: Callable[[], int] = field(factory=lambda: count(1).__next__)

    @property
    def commit(self) -> HeldCommit:
        """The commit that was begun last."""
        return self.commits[-1]

    def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """Begin a commit."""
        answer: Deferred[list[list[Receipt]]] = Deferred()
        self.commits.append(HeldCommit(groups, now, answer, self._ids))
        return answer

    def page(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[ReadingPage]:
        """Nothing can be read here."""
        return succeed(ReadingPage(0, []))

    def minutes(self, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[MinutePage]:
        """Nothing can be read here."""
        return succeed(MinutePage(0, []))

    def devices(
        self, wanted: ReadingFilter, device_type: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """Nothing can be read here."""
        return succeed(DevicePage(0, []))

    def device(
        self, wanted: ReadingFilter, equipment_id: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """Nothing can be read here."""
        return succeed(DevicePage(0, []))

    def total(self) -> Deferred[int]:
        """Nothing is stored here."""
        return succeed(0)

    def live(self, meter_id: int, until: int) -> Deferred[Live | None]:
        """Nothing can be read here."""
        return succeed(None)

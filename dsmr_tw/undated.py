"""Responsible for telegrams that have no time of their own while the server does not know the time either.

A computer without a battery begins in 1970, or in whatever year its system thinks of, until the network tells the time.
A telegram with a clock that is trusted counts by that. Any other waits in a spool of its own, dated by the time since
the computer was switched on, which nobody sets; when the clock is set, each gets the date that it should have had, and
goes the way of all telegrams.

That holds for a new process, too, as long as the computer was not switched off meanwhile: the spool lies in a directory
with the name of this run of the machine.
What an earlier run left can't be dated by anybody. It is kept where it is.

    hear -> group commit -> not yet: the spool -> … -> date -> take

Tests: ``tests/test_undated.py``, ``tests/live/test_time.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, YEAR_2020, Arrival, Receipt
from dsmr_tw.domain.spooled import record_in, record_of
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.interfaces import IReporting, ISpool
from dsmr_tw.limits import Limits
from dsmr_tw.spooling import Spooling

Take = Callable[[Sequence[Arrival]], Deferred[None]]
"""Makes arrivals durable: ``IIntake.take``."""


def knows_the_time(clock: IReactorTime) -> bool:
    """Whether the server's clock was set since it began."""
    return clock.seconds() * SECOND >= YEAR_2020


@implementer(IReporting)
@define(eq=False)
class Undated(Service):
    """Keeps telegrams until they can be dated."""

    spool: ISpool
    clock: IReactorTime
    since_boot: Callable[[], float]
    """Seconds since some moment of this run of the machine, the same one for all its processes."""
    take: Take
    """Takes what is dated."""
    limits: Limits

    heading: ClassVar[str] = "undated"
    _spooling: Spooling = field(init=False)
    _parser: TelegramParser = field(factory=TelegramParser, init=False)

    def __attrs_post_init__(self) -> None:
        commits = GroupCommit(
            self,  # type: ignore[arg-type]  # of a store's readings it is what a group commit asks for
            self.clock,
            self.limits,
            lambda arrivals, receipts: None,
            away="telegrams without a clock of their own wait",
            back="telegrams without a clock of their own are dated and stored",
        )
        self._spooling = Spooling(commits, self.spool, self.clock, self.limits)

    def startService(self) -> None:
        """Begin with what waits since an earlier process."""
        super().startService()
        self._spooling.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when everything is dated and taken, or in the spool."""
        super().stopService()
        return self._spooling.stopService()

    def wants(self, arrival: Arrival) -> bool:
        """Whether this must wait for its date, or for others that do."""
        reading = arrival.reading
        dateless = arrival.by_arrival or (reading is not None and reading.at == arrival.received_at)
        return dateless and (self._spooling.is_behind or not knows_the_time(self.clock))

    def hear(self, arrival: Arrival) -> None:
        """Keep a telegram of a line."""
        at, reading = round(self.since_boot() * SECOND), arrival.reading
        reading = None if reading is None else evolve(reading, at=at)
        self._spooling.hear(evolve(arrival, received_at=at, reading=reading))

    async def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> list[list[Receipt]]:
        """Date telegrams and have them taken.

        Raises: ``StoreUnavailable`` while that can't be done.
        """
        if not knows_the_time(self.clock):
            raise StoreUnavailable("the clock of this server is not set yet")
        began = round((self.clock.seconds() - self.since_boot()) * SECOND)
        arrivals = [self._dated(arrival, began + arrival.received_at) for group in groups for arrival in group]
        try:
            await self.take(arrivals)
        except IntakeFull as error:
            raise StoreUnavailable(str(error)) from error
        return [[Receipt(0, None, True) for _ in group] for group in groups]

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        return {"waiting": self._spooling.waiting + self.spool.records, "bytes": self.spool.held_bytes}

    def problems(self) -> list[str]:
        """See ``IReporting``: that the clock is not set, the service tells itself."""
        lost = self._spooling.lost
        return [f"{lost} readings of a line without a clock of its own could not be kept"] if lost else []

    def _dated(self, arrival: Arrival, at: int) -> Arrival:
        """The telegram as if it had come then; the times of its devices may depend on that, so it is read once more."""
        return evolve(record_in(record_of(arrival)), received_at=at).arrival(self._parser)

"""Responsible for getting arrivals into the store together: one commit for all that wait.

While one commit is under way, what arrives queues; the next commit takes all of it, at most ``READINGS_PER_COMMIT``.
Arrivals that were submitted together stay together, in the commit and when a batch is halved.
What need not be stored at once waits up to ``line_interval`` for company.

Nothing is kept for later: when the store is away, all that wait are told so, in their order.
A commit that takes longer than ``PATIENCE`` is an outage, too, but it may yet succeed; until it has ended no other is
begun.
A batch that fails over a value is halved and tried again, so that only the culprit fails.

Tests: ``tests/test_groupcommit.py``, ``tests/test_groupcommit_trouble.py``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw import limits
from dsmr_tw.domain.durations import Durations
from dsmr_tw.domain.reading import SECOND, Arrival, Receipt
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.interfaces import IReadings

PATIENCE: Final = 3.0
"""Seconds that a commit may take: a healthy disk needs some milliseconds."""

CLOCK_SLACK = 1.0
"""A wait longer by so much than any that is set means that the server's clock was set back."""

ANSWERS_PER_TURN = 50
"""Answers given in one turn of the reactor: each may write a response."""

FULL = limits.READINGS_PER_COMMIT
"""When as many readings wait as one commit takes, more company is not worth waiting for."""

OnStored = Callable[[Sequence[Arrival], Sequence[Receipt]], None]


@define(eq=False)
class Group:
    """Arrivals that are stored together or not at all."""

    arrivals: Sequence[Arrival]
    answer: Deferred[list[Receipt]]
    due: float
    """By the clock: when it may no longer wait for company."""
    is_patient: bool


@define(eq=False)
class GroupCommit(Service):
    """The queue before the store."""

    readings: IReadings
    clock: IReactorTime
    limits: limits.Limits
    on_stored: OnStored
    """Called with what a commit has made durable."""
    line_interval: float = 1.0
    """Seconds that a line's readings may wait for company."""
    away: str = "the store takes no readings"
    """What the log says when the store is away."""
    back: str = "the store takes readings again"

    waiting: int = field(default=0, init=False)
    """Arrivals queued or under way, whose fate is not known."""
    last_commit_at: int | None = field(default=None, init=False)
    """When the last commit succeeded."""
    took: Durations = field(factory=Durations, init=False)
    """How long commits took that succeeded."""
    away_because: str | None = field(default=None, init=False)
    """Why the store took nothing when it was last tried; ``None`` when it did."""

    _queue: deque[Group] = field(factory=deque, init=False)
    _urgent: int = field(default=0, init=False)
    """Queued groups that do not wait for company."""
    _committing: bool = field(default=False, init=False)
    _settled: Deferred[None] | None = field(default=None, init=False)
    """Fires when the groups under way know their fate, which may be before the commit ends."""
    _under_way: list[Group] = field(factory=list, init=False)
    _alarm: IDelayedCall | None = field(default=None, init=False)
    _patience: IDelayedCall | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _log = Logger()

    def submit(self, arrivals: Sequence[Arrival], is_patient: bool = False) -> Deferred[list[Receipt]]:
        """Store all of the arrivals or none: at once, or with those of the next ``line_interval``.

        Fires with: a receipt for each; fails as ``IIntake.submit`` does.
        """
        if self.is_stuck:
            return fail(_stuck())
        if self.waiting + len(arrivals) > limits.READINGS_WAITING:
            self.limits.hit("readings_waiting")
            return fail(IntakeFull(f"{self.waiting} readings wait for a commit already"))
        answer: Deferred[list[Receipt]] = Deferred()
        due = self.clock.seconds() + (self.line_interval if is_patient else 0)
        self._queue.append(Group(arrivals, answer, due, is_patient))
        self._urgent += not is_patient
        self.waiting += len(arrivals)
        self._next()
        return answer

    def stopService(self) -> Deferred[None]:
        """Commit what still waits; a commit that is stuck is left to itself."""
        super().stopService()
        self._stopping = True
        return Deferred.fromCoroutine(self._drain())

    @property
    def is_stuck(self) -> bool:
        """Whether a commit is under way that has outlasted everybody's patience."""
        return self._committing and self._settled is None

    async def _drain(self) -> None:
        while self._queue or self._settled is not None:
            if self._settled is None:
                self._commit_now()
            if self._settled is not None:
                await self._settled
        self._silence()

    def _next(self) -> None:
        """Commit now, or set the alarm for when something is due."""
        if self._committing or not self._queue:
            return
        now = self.clock.seconds()
        due = now if self._urgent or self.waiting >= FULL else self._queue[0].due
        if not now < due <= now + self.line_interval + CLOCK_SLACK:
            self._commit_now()
        elif self._alarm is None:
            self._alarm = self.clock.callLater(due - now, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._next()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _commit_now(self) -> None:
        self._silence()
        # Set before the commit begins: a store that answers at once ends it before this function does.
        self._committing, self._settled = True, Deferred()
        committing = Deferred.fromCoroutine(self._commit(self._batch()))
        committing.addErrback(lambda failure: self._log.failure("a commit failed", failure))
        committing.addCallback(self._done)

    def _done(self, ignored: object) -> None:
        self._committing = False
        settled, self._settled = self._settled, None
        if settled is not None:
            settled.callback(None)
        if not self._stopping:
            self._next()

    def _batch(self) -> list[Group]:
        """The oldest groups, as many as one commit takes."""
        batch: list[Group] = []
        arrivals = 0
        while self._queue and (not batch or arrivals + len(self._queue[0].arrivals) <= limits.READINGS_PER_COMMIT):
            group = self._queue.popleft()
            arrivals += len(group.arrivals)
            self._urgent -= not group.is_patient
            batch.append(group)
        return batch

    async def _commit(self, batch: list[Group]) -> None:
        """Store a batch; halve it while one of its values is at fault."""
        parts = deque([batch])
        self._under_way = list(batch)
        while parts and not self.is_stuck:
            part = parts.popleft()
            now = int(self.clock.seconds() * SECOND)
            self._patience = self.clock.callLater(PATIENCE, self._lose_patience)
            try:
                receipts = await self.readings.add([group.arrivals for group in part], now)
            except StoreUnavailable as error:
                self._calm()
                self._go_away(error)
                return
            except Exception:
                self._calm()
                self._is_back()
                if len(part) > 1:
                    half = len(part) // 2
                    parts.extendleft((part[half:], part[:half]))
                elif not self.is_stuck:
                    self._refuse(part[0], Failure())
            else:
                self._calm()
                self.took.add(int(self.clock.seconds() * SECOND) - now)
                self._stored(part, receipts, now)

    def _calm(self) -> None:
        """The store has answered."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        settled, self._settled = self._settled, None
        self._go_away(_stuck())
        assert settled is not None, "it is lost once a commit"
        settled.callback(None)

    def _stored(self, batch: list[Group], receipts: list[list[Receipt]], now: int) -> None:
        self.last_commit_at = now
        self._is_back()
        for group, group_receipts in zip(batch, receipts, strict=True):
            try:
                self.on_stored(group.arrivals, group_receipts)
            except Exception:
                self._log.failure("what follows a commit failed; the readings are stored")
        # Whoever lost patience has been told already.
        if not self.is_stuck:
            self._forget(batch)
            self._tell([partial(g.answer.callback, r) for g, r in zip(batch, receipts, strict=True)])

    def _forget(self, groups: Sequence[Group]) -> None:
        """These know their fate."""
        self.waiting -= sum(len(group.arrivals) for group in groups)
        # Parts of a batch are taken in their order.
        del self._under_way[: len(groups)]

    def _is_back(self) -> None:
        """The store has answered, be it that it does not take a value."""
        if self.away_because is not None:
            self.away_because = None
            self._log.info(self.back)

    def _tell(self, answers: Sequence[Callable[[], None]]) -> None:
        """Tell who waits, some in this turn of the reactor and the rest in the next ones."""
        if len(answers) > ANSWERS_PER_TURN:
            self.clock.callLater(0, self._tell, answers[ANSWERS_PER_TURN:])
        for answer in answers[:ANSWERS_PER_TURN]:
            answer()

    def _go_away(self, error: StoreUnavailable) -> None:
        """The store is away: tell all who wait."""
        if self.away_because is None:
            self._log.error("{away}: {error}", away=self.away, error=str(error))
        self.away_because = str(error)
        told = [group.answer for group in (*self._under_way, *self._queue)]
        self._queue.clear()
        self._under_way = []
        self._urgent = self.waiting = 0
        self._silence()
        self._tell([partial(answer.errback, error) for answer in told])

    def _refuse(self, group: Group, failure: Failure) -> None:
        """The store refuses these very values."""
        self._forget([group])
        group.answer.errback(failure)


def _stuck() -> StoreUnavailable:
    return StoreUnavailable(f"a commit takes longer than {PATIENCE:g} s")

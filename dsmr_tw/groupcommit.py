"""Responsible for getting arrivals into the store together: one commit for all that wait.

While one commit is under way, what arrives queues; the next commit takes all of it, at most ``READINGS_PER_COMMIT``.
Arrivals that were submitted together stay together, in the commit and when a batch is halved.

==============================  =======================================================================
somebody waits for the answer   commits at once; fails at once when the store is away
from the line                   waits up to ``line_interval``; stays in the queue until the store is back
==============================  =======================================================================

A batch that fails over a value is halved and tried again, so that only the culprit fails.

Tests: ``tests/test_groupcommit.py``, ``tests/test_groupcommit_trouble.py``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw import limits
from dsmr_tw.domain.reading import SECOND, Arrival, Receipt
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.interfaces import IReadings

FIRST_RETRY = 1.0
LAST_RETRY = 30.0
"""Seconds between two tries of a line's readings while the store is away; doubling."""

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
    answer: Deferred[list[Receipt]] | None
    """Who waits; ``None`` for a line, which does not."""
    due: float
    """By the clock: when it may no longer wait for company."""


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

    waiting: int = field(default=0, init=False)
    """Arrivals queued or under way."""
    last_commit_at: int | None = field(default=None, init=False)
    """When the last commit succeeded."""
    away_because: str | None = field(default=None, init=False)
    """Why the store took nothing when it was last tried; ``None`` when it did."""
    lost: int = field(default=0, init=False)
    """Arrivals of a line that came to nothing: refused by the store for their values, or by a full queue."""

    _queue: deque[Group] = field(factory=deque, init=False)
    _asked: int = field(default=0, init=False)
    """Queued groups that somebody waits for."""
    _committing: Deferred[None] | None = field(default=None, init=False)
    _alarm: IDelayedCall | None = field(default=None, init=False)
    _retry_after: float = field(default=0.0, init=False)
    _retry_at: float = field(default=0.0, init=False)
    _stopping: bool = field(default=False, init=False)
    _log = Logger()

    def submit(self, arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """Store all of the arrivals or none, at once; see ``IIntake.submit``."""
        if self.waiting + len(arrivals) > limits.READINGS_WAITING:
            self.limits.hit("readings_waiting")
            return fail(IntakeFull(f"{self.waiting} readings wait for a commit already"))
        answer: Deferred[list[Receipt]] = Deferred()
        self._put(Group(arrivals, answer, self.clock.seconds()))
        return answer

    def take(self, arrival: Arrival) -> None:
        """Store an arrival of a line, soon; it stays in the queue while the store is away."""
        if self.waiting >= limits.READINGS_WAITING:
            self.limits.hit("readings_waiting")
            self.lost += 1
            return
        self._put(Group((arrival,), None, self.clock.seconds() + self.line_interval))

    def stopService(self) -> Deferred[None]:
        """Commit what still waits; a store that is away is tried once more."""
        super().stopService()
        self._stopping = True
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        while self._queue or self._committing is not None:
            if self._committing is None:
                self._commit_now()
            if self._committing is not None:
                await self._committing
            if self.away_because is not None:
                break
        self._silence()
        if self.waiting:
            self._log.critical("{waiting} readings could not be stored before the stop", waiting=self.waiting)

    def _put(self, group: Group) -> None:
        self._queue.append(group)
        self._asked += group.answer is not None
        self.waiting += len(group.arrivals)
        self._next()

    def _next(self) -> None:
        """Commit now, or set the alarm for when something is due."""
        if self._committing is not None or not self._queue:
            return
        now = self.clock.seconds()
        due = now if self._asked else max(self._retry_at, self._queue[0].due if self.waiting < FULL else now)
        longest = max(self.line_interval, self._retry_after) + CLOCK_SLACK
        if not now < due <= now + longest:
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
        done: Deferred[None] = Deferred()
        self._committing = done
        committing = Deferred.fromCoroutine(self._commit(self._batch()))
        committing.addErrback(lambda failure: self._log.failure("a commit failed", failure))
        committing.addCallback(self._done, done)

    def _done(self, ignored: object, done: Deferred[None]) -> None:
        self._committing = None
        if not self._stopping:
            self._next()
        done.callback(None)

    def _batch(self) -> list[Group]:
        """The oldest groups, as many as one commit takes."""
        batch: list[Group] = []
        arrivals = 0
        while self._queue and (not batch or arrivals + len(self._queue[0].arrivals) <= limits.READINGS_PER_COMMIT):
            group = self._queue.popleft()
            arrivals += len(group.arrivals)
            self._asked -= group.answer is not None
            batch.append(group)
        return batch

    async def _commit(self, batch: list[Group]) -> None:
        """Store a batch; halve it while one of its values is at fault."""
        parts = deque([batch])
        while parts:
            part = parts.popleft()
            now = int(self.clock.seconds() * SECOND)
            try:
                receipts = await self.readings.add([group.arrivals for group in part], now)
            except StoreUnavailable as error:
                self._put_back([*part, *(group for rest in parts for group in rest)], error)
                return
            except Exception:
                self._is_back()
                if len(part) == 1:
                    self._refuse(part[0], Failure())
                else:
                    half = len(part) // 2
                    parts.extendleft((part[half:], part[:half]))
            else:
                self._stored(part, receipts, now)

    def _stored(self, batch: list[Group], receipts: list[list[Receipt]], now: int) -> None:
        self.last_commit_at = now
        self._is_back()
        for group, group_receipts in zip(batch, receipts, strict=True):
            self.waiting -= len(group.arrivals)
            try:
                self.on_stored(group.arrivals, group_receipts)
            except Exception:
                self._log.failure("what follows a commit failed; the readings are stored")
        told = [(g.answer, r) for g, r in zip(batch, receipts, strict=True) if g.answer is not None]
        self._answer([partial(answer.callback, group_receipts) for answer, group_receipts in told])

    def _is_back(self) -> None:
        """The store has answered, be it that it does not take a value."""
        self._retry_after = self._retry_at = 0.0
        if self.away_because is not None:
            self.away_because = None
            self._log.info("the store takes readings again")

    def _answer(self, answers: Sequence[Callable[[], None]]) -> None:
        """Tell who waits, some in this turn of the reactor and the rest in the next ones."""
        if len(answers) > ANSWERS_PER_TURN:
            self.clock.callLater(0, self._answer, answers[ANSWERS_PER_TURN:])
        for answer in answers[:ANSWERS_PER_TURN]:
            answer()

    def _put_back(self, batch: list[Group], error: StoreUnavailable) -> None:
        """The store is away: tell all who wait, keep the line's readings, in order, for another try."""
        if self.away_because is None:
            self._log.error("the store takes no readings: {error}", error=str(error))
        self.away_because = str(error)
        self._retry_after = min(LAST_RETRY, self._retry_after * 2 or FIRST_RETRY)
        self._retry_at = self.clock.seconds() + self._retry_after
        told = [group.answer for group in (*batch, *self._queue) if group.answer is not None]
        self._queue = deque(group for group in (*batch, *self._queue) if group.answer is None)
        self._asked = 0
        self.waiting = sum(len(group.arrivals) for group in self._queue)
        self._answer([partial(answer.errback, error) for answer in told])

    def _refuse(self, group: Group, failure: Failure) -> None:
        """The store refuses these very values."""
        self.waiting -= len(group.arrivals)
        if group.answer is not None:
            group.answer.errback(failure)
        else:
            self.lost += len(group.arrivals)
            self._log.failure("a telegram could not be stored", failure)

"""Responsible for what becomes of telegrams while the store is away: they are kept in the spool, in order.

===========================================  ===========================================================
nothing is behind, the store takes readings  straight to the group commit
the store is away, or something is behind    to the spool, behind all others; that is an answer, too
the spool is full                            a post is refused; of a line the newest is lost, and counted
the spool's disk refuses                     a post is refused; a line's telegrams wait in memory
===========================================  ===========================================================

Meanwhile the spool is drained, see ``dsmr_tw.draining``.
So the telegrams of a line or key are stored in the order in which they came, whatever happens; after a crash some may
be handed to the store twice, which changes nothing.

Tests: ``tests/test_spooling.py``
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw import limits
from dsmr_tw.backoff import Backoff
from dsmr_tw.domain.reading import Arrival, Receipt
from dsmr_tw.domain.spooled import record_of
from dsmr_tw.draining import Draining
from dsmr_tw.errors import DsmrError, IntakeFull, SpoolFull, StoreUnavailable
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.interfaces import ISpool
from dsmr_tw.taken import InMemory, Taken


@define(eq=False)
class Spooling(Service):
    """Stands between those who take telegrams and the group commit."""

    commits: GroupCommit
    spool: ISpool
    clock: IReactorTime
    limits: limits.Limits

    lost: int = field(default=0, init=False)
    """Telegrams of a line that came to nothing: refused by the store for their values, or for want of room."""
    draining: Draining = field(init=False)
    trouble: str | None = field(default=None, init=False)
    """Why the spool took nothing when it was last tried; ``None`` when it did."""

    _memory: InMemory = field(factory=InMemory, init=False)
    _origins: set[str] = field(factory=set, init=False)
    """By whom telegrams came that are behind."""
    _knows_origins: bool = field(default=True, init=False)
    """Whether those are all: not of what was there at the start."""
    _appending: Deferred[None] | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _disk: Backoff = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._disk = Backoff(self.clock)
        self.draining = Draining(self.commits, self.spool, self.clock, self._drained)

    def startService(self) -> None:
        """Begin with what waits since the last time."""
        super().startService()
        self._stopping = False
        if self.spool.records:
            self._log.info("{records} telegrams wait in the spool", records=self.spool.records)
            self._knows_origins = False
        self.draining.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when what is in memory is stored or, if the store is away, in the spool."""
        super().stopService()
        # Whoever goes on posting would keep us from ever coming to an end.
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    @property
    def waiting(self) -> int:
        """Telegrams in memory that are neither in the store nor in the spool yet."""
        return self._memory.telegrams

    @property
    def is_behind(self) -> bool:
        """Whether anything waits for the store that must not be overtaken."""
        return self._memory.behind > 0 or self.spool.records > 0

    @property
    def is_stuck(self) -> bool:
        """Whether neither store nor spool answers what it was asked to keep, not even that it can't."""
        return self.commits.is_stuck and self._appending is not None and not self._disk.is_waiting

    def take(self, arrivals: Sequence[Arrival]) -> Deferred[None]:
        """See ``IIntake``."""
        if self._stopping:
            return fail(_stops())
        if self._disk.is_waiting:
            return fail(StoreUnavailable(str(self.trouble)))
        if self.waiting + len(arrivals) > limits.READINGS_WAITING:
            self.limits.hit("readings_waiting")
            return fail(IntakeFull(f"{self.waiting} telegrams wait already"))
        answer: Deferred[None] = Deferred()
        self._put(Taken(arrivals, answer))
        return answer

    def hear(self, arrival: Arrival) -> None:
        """Take a telegram of a line, which nobody waits for."""
        if self.waiting >= limits.READINGS_WAITING:
            self.limits.hit("readings_waiting")
            self.lost += 1
            return
        self._put(Taken((arrival,), None))

    def submit(self, arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """See ``IIntake``."""
        if self._stopping:
            return fail(_stops())
        if self.is_behind and not (self._knows_origins and self._origins.isdisjoint(_names(arrivals))):
            return fail(StoreUnavailable("older telegrams of the same origin wait in the spool"))
        return self.commits.submit(arrivals)

    def _put(self, taken: Taken) -> None:
        self._memory.put(taken)
        # A spool that takes nothing either leaves only the store to be tried.
        if self.is_behind or (self.commits.away_because is not None and self.trouble is None):
            self._fall_behind(taken)
            self._append_soon()
        else:
            self._commit(taken)

    def _commit(self, taken: Taken) -> None:
        """Hand telegrams to the store."""
        committing = self.commits.submit(taken.arrivals, is_patient=taken.answer is None)
        committing.addCallbacks(self._stored, self._not_stored, (taken,), errbackArgs=(taken,))
        committing.addErrback(lambda failure: self._log.failure("an answer failed", failure))

    def _stored(self, receipts: list[Receipt], taken: Taken) -> None:
        self._memory.forget(taken)
        if self.trouble is not None:
            self._drained()
        if taken.answer is not None:
            taken.answer.callback(None)
        self._append_soon()

    def _not_stored(self, failure: Failure, taken: Taken) -> None:
        if failure.check(StoreUnavailable) or (taken.answer is None and failure.check(IntakeFull)):
            self._fall_behind(taken)
        else:
            if taken.answer is None:
                self._log.failure("a telegram could not be stored", failure)
            self._come_to_nothing(taken, failure)
        self._append_soon()

    def _fall_behind(self, taken: Taken) -> None:
        self._memory.turn(taken, is_behind=True)
        self._origins |= _names(taken.arrivals)

    def _come_to_nothing(self, taken: Taken, failure: Failure) -> None:
        self._memory.forget(taken)
        if taken.answer is None:
            self.lost += len(taken.arrivals)
        else:
            taken.answer.errback(failure)

    def _append_soon(self) -> None:
        """Go on with what shall go to the spool, when all that came before it is there."""
        if self._appending is None and self._memory.begins_behind:
            self._appending = Deferred.fromCoroutine(self._append())
            self._appending.addCallback(self._appended)

    def _appended(self, ignored: object) -> None:
        self._appending = None
        # A disk that refuses is not tried for ever while the service stops.
        if self.running:
            self._append_soon()

    async def _append(self) -> None:
        at_once = limits.READINGS_PER_COMMIT
        while found := self._memory.next_behind(at_once):
            try:
                await self.spool.append([record_of(arrival) for taken in found for arrival in taken.arrivals])
            except SpoolFull as error:
                if len(found) == 1:
                    self._give_up(found, error)
                # There may be room for the oldest of them.
                at_once = 0
            except StoreUnavailable as error:
                self._give_up([taken for taken in self._memory.all_behind() if taken.answer is not None], error)
                if not self._memory.behind or not self.running:
                    return
                await self._disk.wait()
                if self.running and not self.spool.records:
                    # Nothing is older than these, so they may try the store itself.
                    self._commit_again()
                    return
            except Exception as error:
                self._log.failure("telegrams could not be put into the spool")
                for taken in found:
                    self._come_to_nothing(taken, Failure(error))
            else:
                self._safe(found)

    def _safe(self, found: Sequence[Taken]) -> None:
        """These are on disk."""
        if self.trouble is not None:
            self._log.info("the spool takes telegrams again")
        self.trouble, self._disk.seconds = None, 0.0
        if self.draining.oldest_at is None:
            self.draining.oldest_at = found[0].arrivals[0].received_at
        for taken in found:
            self._memory.forget(taken)
            if taken.answer is not None:
                taken.answer.callback(None)
        self.draining.begin()

    def _give_up(self, found: Sequence[Taken], error: DsmrError) -> None:
        """The spool does not take these."""
        if self.trouble is None:
            self._log.error("the spool takes no telegrams: {error}", error=str(error))
        self.trouble = str(error)
        for taken in found:
            if isinstance(error, SpoolFull):
                self.limits.hit("spool_bytes", len(taken.arrivals))
            self._come_to_nothing(taken, Failure(error))

    def _commit_again(self) -> None:
        """Let the store have what the spool does not take."""
        again = self._memory.all_behind()
        for taken in again:
            self._memory.turn(taken, is_behind=False)
        for taken in again:
            # A store that is still away says so at once: then nothing must overtake the first.
            if self._memory.behind:
                self._fall_behind(taken)
            else:
                self._commit(taken)

    def _drained(self) -> None:
        """If everything is stored, all is as it was."""
        if not self.is_behind:
            self._origins.clear()
            self._knows_origins = True
            self.draining.oldest_at = self.trouble = None

    async def _stop(self) -> None:
        drained = self.draining.stopService()
        self._disk.stop()
        if self._appending is not None:
            await self._appending
        if not self.spool.records:
            self._commit_again()
        await self.commits.stopService()
        while self._memory.has_some_before_the_store:
            # They are told in some turns of the reactor.
            await deferLater(self.clock, 0)
        if self._appending is not None:
            await self._appending
        await drained
        if self.waiting:
            self._log.critical("{waiting} telegrams could be kept nowhere before the stop", waiting=self.waiting)


def _stops() -> StoreUnavailable:
    return StoreUnavailable("the service stops")


def _names(arrivals: Sequence[Arrival]) -> set[str]:
    return {arrival.origin.name for arrival in arrivals}

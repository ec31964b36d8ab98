"""Responsible for storing what waits in the spool, from the oldest on, until nothing is left.

    records -> parse -> group commit -> forget

While some records are being stored the next ones are read.
What the store does not want for its values is put aside; when the store is away it is tried again, less and less often.

Tests: ``tests/test_spooling.py``
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw.backoff import Backoff
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Arrival, Receipt
from dsmr_tw.domain.spooled import arrival_in, record_in, text_in
from dsmr_tw.errors import DsmrError, IntakeFull, StoreUnavailable, TelegramError
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.interfaces import ISpool
from dsmr_tw.limits import READINGS_PER_COMMIT

BATCH: Final = READINGS_PER_COMMIT

Spooled: TypeAlias = tuple[bytes, Arrival | DsmrError | Failure]
"""A record, and what it means."""


@define(eq=False)
class Draining(Service):
    """Brings the spool's records to the group commit."""

    commits: GroupCommit
    spool: ISpool
    clock: IReactorTime
    on_pause: Callable[[], None]
    """Called when all records were stored, or draining was stopped."""

    oldest_at: int | None = field(default=None, init=False)
    """When the oldest telegram in the spool was taken, as far as that is known."""

    _batch: list[Spooled] = field(factory=list, init=False)
    """What was read from the spool and is not stored yet."""
    _batch_size: int = field(default=0, init=False)
    """How many there were when it was read."""
    _ahead: list[Spooled] = field(factory=list, init=False)
    """What was read after it."""
    _working: Deferred[None] | None = field(default=None, init=False)
    _tries: Backoff = field(init=False)
    _parser: TelegramParser = field(factory=TelegramParser, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._tries = Backoff(self.clock)

    def startService(self) -> None:
        """Begin, if something waits."""
        super().startService()
        self.begin()

    def stopService(self) -> Deferred[None]:
        """Fires when no record is under way any more; those that wait stay in the spool."""
        super().stopService()
        self._tries.stop()
        return succeed(None) if self._working is None else self._working

    def begin(self) -> None:
        """See to what waits, unless that is done already."""
        if self._working is None and self.running and self.spool.records:
            self._working = Deferred.fromCoroutine(self._work())
            self._working.addCallback(self._pause)

    def _pause(self, ignored: object) -> None:
        self._working = None
        self.on_pause()
        self.begin()

    async def _work(self) -> None:
        while self.running and self.spool.records:
            if await self._has_stored():
                self._tries.seconds = 0.0
            elif self.running:
                await self._tries.wait()

    async def _has_stored(self) -> bool:
        """Whether the oldest records could be stored now."""
        try:
            await self._next_batch()
        except StoreUnavailable:
            return False
        except Exception:
            self._log.failure("draining the spool failed; it is tried again")
            return False
        return True

    async def _next_batch(self) -> None:
        """Store the oldest records, and read the next ones meanwhile.

        Raises: ``StoreUnavailable`` when some of them could not be stored; they are the first of the next time.
        """
        if not self._batch_size:
            self._batch = self._ahead or await self.spool.read(BATCH, self._understood)
            self._batch_size, self._ahead = len(self._batch), []
        if not self.running:
            return
        if self._batch:
            with suppress(TelegramError):
                self.oldest_at = record_in(self._batch[0][0]).received_at
        reading = None if self._ahead else self.spool.read(BATCH, self._understood)
        try:
            await self._store_batch()
        finally:
            if reading is not None:
                self._ahead = await reading
        await self.spool.forget(self._batch_size)
        self._batch_size = 0

    def _understood(self, record: bytes) -> Spooled:
        try:
            return record, arrival_in(record, self._parser)
        except Exception:
            # A fault of ours, or a zone that this system does not know; what stands behind must not wait for it.
            return record, Failure()

    async def _store_batch(self) -> None:
        # The last one does not wait for company, and takes the others with it.
        last = len(self._batch) - 1
        handed = [self._hand_in(meant, n < last) for n, (_, meant) in enumerate(self._batch)]
        outcomes: list[tuple[bool, Any]] = await DeferredList(handed, consumeErrors=True)
        left = [(spooled, why) for spooled, (done, why) in zip(self._batch, outcomes, strict=True) if not done]
        self._batch = [spooled for spooled, _ in left]
        for spooled, why in left:
            if not why.check(StoreUnavailable, IntakeFull):
                await self._put_aside(spooled, why)
        if self._batch:
            raise StoreUnavailable("telegrams of the spool could not be stored")

    def _hand_in(self, meant: Arrival | DsmrError | Failure, is_patient: bool) -> Deferred[list[Receipt]]:
        return self.commits.submit((meant,), is_patient) if isinstance(meant, Arrival) else fail(meant)

    async def _put_aside(self, spooled: Spooled, why: Failure) -> None:
        """Keep a record whose values the store refuses, and pass over it."""
        await self.spool.refuse(text_in(spooled[0]), f"{type(why.value).__name__}: {why.value}")
        self._batch.remove(spooled)
        self._log.failure("a telegram of the spool could not be stored; it is kept", why)

"""Responsible for the telegrams that another server does not have yet: the oldest in the spool, the newest in memory.

What comes is in memory, until it is done with or ``keep`` has put it into the spool, behind all others.
``next`` tells the oldest ones, again and again, until ``forget`` says that they are done with; meanwhile some of them
may go from memory to the spool.
While the spool takes nothing (full, a bad disk) they stay in memory, up to a bound; what comes then is lost.

Tests: ``tests/test_unsent.py``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger

from dsmr_tw.domain.forwarded import MOST_TOGETHER, fitting
from dsmr_tw.domain.spooled import Record, record_in
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.interfaces import ISpool
from dsmr_tw.limits import READINGS_WAITING, Limits

AT_ONCE: Final = 2 * MOST_TOGETHER
"""So many go to the spool, or are read from it, at a time."""


@define(eq=False)
class Unsent:
    """The telegrams for one server."""

    name: str
    """The server's."""
    spool: ISpool
    limits: Limits
    monotonic: Callable[[], float]
    """Seconds by a clock that nobody sets."""

    lost: int = field(default=0, init=False)
    """Telegrams that there was no room for, since the start."""
    trouble: str | None = field(default=None, init=False)
    """Why the spool took nothing when it was last tried; ``None`` when it did."""

    _memory: deque[Record] = field(factory=deque, init=False)
    """Behind all that is in the spool."""
    _read: deque[Record] = field(factory=deque, init=False)
    """What was read from the spool, and is still there."""
    _told: int = field(default=0, init=False)
    """How many of the oldest were told last that were in memory then."""
    _moved: int = field(default=0, init=False)
    """How many of those have gone to the spool since."""
    _since: float | None = field(default=None, init=False)
    """Since when there is something in the spool; ``None`` while it is empty."""
    _lock: DeferredLock = field(factory=DeferredLock, init=False)
    """Held while telegrams go from memory to the spool, or out of either."""
    _log = Logger()

    def __len__(self) -> int:
        """How many there are."""
        records: int = self.spool.records
        return records + len(self._memory)

    @property
    def in_memory(self) -> int:
        """How many of them would be lost with the process."""
        return len(self._memory)

    @property
    def is_behind(self) -> bool:
        """Whether some are in the spool, which must not be overtaken."""
        return bool(self.spool.records)

    @property
    def behind_s(self) -> float:
        """How long the spool has not been empty."""
        if self._since is None and self.spool.records:
            self._since = self.monotonic()
        return 0.0 if self._since is None else self.monotonic() - self._since

    @property
    def oldest_at(self) -> int | None:
        """When the oldest arrived, as far as that is known."""
        oldest = self._read or (() if self.spool.records else self._memory)
        return oldest[0].received_at if oldest else None

    def put(self, record: Record) -> None:
        """One more, behind all others."""
        if len(self._memory) < READINGS_WAITING:
            self._memory.append(record)
        else:
            self.limits.hit("readings_waiting")
            self.lost += 1

    async def next(self, most: int) -> list[Record]:
        """The oldest, so many at most, as far as they go in one request.

        Raises: ``StoreUnavailable`` when the spool can't be read now.
        """
        await self._read_on(most)
        in_spool = self.spool.records > 0
        oldest = list(islice(self._read if in_spool else self._memory, most))
        batch = oldest[: fitting(oldest, most)]
        if in_spool and not batch:
            raise StoreUnavailable(f"{self.spool.records} telegrams of it can't be read")
        self._told, self._moved = 0 if in_spool else len(batch), 0
        return batch

    def read_ahead(self) -> Deferred[None]:
        """Have more of the spool at hand, while those that were told are under way; never fails."""
        if self._told or len(self._read) >= AT_ONCE:
            return succeed(None)
        reading = Deferred.fromCoroutine(self._read_on(AT_ONCE))
        # Whatever is wrong is met again when they are needed.
        return reading.addErrback(lambda failure: self._log.debug("reading ahead failed: {why}", why=failure))

    async def _read_on(self, most: int) -> None:
        while len(self._read) < min(most, self.spool.records):
            found = await self.spool.read(AT_ONCE - len(self._read), record_in)
            if not found:
                return
            self._read += found

    async def forget(self, number: int) -> None:
        """The oldest so many of those that were told last are done with.

        Raises: ``StoreUnavailable`` when the spool does not do it; then they are told again.
        """
        async with self._lock:
            if not self._told:
                _drop(self._read, number)
                await self.spool.forget(number)
            else:
                # The spool was empty when they were told, so those that have moved are its first.
                moved = min(number, self._moved)
                if moved:
                    await self.spool.read(moved, len)
                    await self.spool.forget(moved)
                _drop(self._memory, number - moved)
            self._told = self._moved = 0
        if not self.spool.records:
            self._since = None

    async def refuse(self, record: Record, reason: str) -> None:
        """Keep the oldest for a person, as text, and be done with it.

        Raises: ``StoreUnavailable``
        """
        await self.spool.refuse(record.text(), reason)
        await self.forget(1)

    async def keep(self) -> None:
        """Put what is in memory into the spool; never fails, but in ``trouble``."""
        async with self._lock:
            while self._memory:
                records = list(islice(self._memory, AT_ONCE))
                try:
                    await self.spool.append([record.packed() for record in records])
                except (IntakeFull, StoreUnavailable) as error:
                    if self.trouble is None:
                        self._log.error("telegrams for {to} can't be kept: {error}", to=self.name, error=str(error))
                    self.trouble = str(error)
                    return
                self.trouble = None
                self._moved = min(self._told, self._moved + len(records))
                _drop(self._memory, len(records))
                if self._since is None:
                    self._since = self.monotonic()


def _drop(records: deque[Record], number: int) -> None:
    for _ in range(number):
        records.popleft()

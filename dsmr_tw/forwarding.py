"""Responsible for bringing telegrams to another server: in order, each until that server has it.

===========================================  ===========================================================
nothing waits, the server takes telegrams    straight from memory
it has not taken one within a second         to the spool, and so does what comes, behind all others
it refuses one for good                      to the spool's file ``refused``; the next ones go on
===========================================  ===========================================================

So what was taken is on the disk within a second, unless the other server has it by then.
After a crash, or when an answer got lost, some telegrams are sent twice, which changes nothing where a reading is
stored once.
A server that is away is tried again after a second, then less and less often, at least every 30 s.

Tests: ``tests/test_forwarding.py``, ``tests/test_forwarding_law.py``
"""

from __future__ import annotations

from typing import Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from dsmr_tw.backoff import Backoff
from dsmr_tw.domain.forwarded import MOST_TOGETHER, Answer, Verdict
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.spooled import Record
from dsmr_tw.errors import SinkError, StoreUnavailable
from dsmr_tw.interfaces import ITarget
from dsmr_tw.unsent import Unsent

KEEP_S: Final = 1.0
"""How long a telegram may be in memory alone."""

LONGEST_WAIT_S: Final = 30.0
"""The most seconds between two tries, unless the other server asks for more."""

STOP_S: Final = 2.0
"""How long a request under way may take when the service stops."""

REFUSED_IN_A_ROW: Final = 10
"""A server that refuses more telegrams, and takes none in between, refuses all: then it is asked less and less often,
so that a mistake in its settings does not put aside what it would take."""


@define(eq=False)
class Forward(Service):
    """Sends the telegrams for one server."""

    target: ITarget
    unsent: Unsent
    clock: IReactorTime

    last_success_at: int | None = field(default=None, init=False)
    """When the server last took something."""
    last_error: str | None = field(default=None, init=False)
    """Why, in words, it has not what was sent last; ``None`` when it has."""
    together: int = field(default=1, init=False)
    """How many telegrams it takes in one request."""

    _most: int = field(default=MOST_TOGETHER, init=False)
    """How many go in one request, since some were refused together."""
    _refused_in_a_row: int = field(default=0, init=False)
    _refused_with: set[int] = field(factory=set, init=False)
    """The statuses that the log has told of: one meter of two may be refused with every telegram."""
    _keeping: IDelayedCall | None = field(default=None, init=False)
    _kept: Deferred[None] | None = field(default=None, init=False)
    """Fires when what is in memory has been put into the spool, if it took it."""
    _request: Deferred[Answer] | None = field(default=None, init=False)
    _working: Deferred[None] | None = field(default=None, init=False)
    _tries: Backoff = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._tries = Backoff(self.clock, longest=LONGEST_WAIT_S)

    def startService(self) -> None:
        """Begin with what waits since the last time."""
        super().startService()
        if self.unsent:
            self._log.info("{telegrams} telegrams wait for {to}", telegrams=len(self.unsent), to=self.target.name)
        self._begin()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way, and all that waits is on the disk, if that takes it."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def take(self, record: Record) -> None:
        """Bring a telegram to the server, sooner or later; never fails."""
        self.unsent.put(record)
        if self.unsent.is_behind:
            self._keep_soon()
        elif self._keeping is None:
            self._keeping = self.clock.callLater(KEEP_S, self._keep_soon)
        self._begin()

    def _begin(self) -> None:
        """See to what waits, unless that is done already."""
        if self._working is None and self.running and self.unsent:
            self._working = Deferred.fromCoroutine(self._work())
            self._working.addCallback(self._pause)

    def _pause(self, ignored: object) -> None:
        self._working = None
        self._begin()

    async def _work(self) -> None:
        while self.running and self.unsent:
            try:
                pause_s = await self._send_some()
            except StoreUnavailable as error:
                pause_s = self._fail(f"what waits on the disk can't be used: {error}")
            except Exception:
                self._log.failure("sending telegrams to {to} failed; it is tried again", to=self.target.name)
                pause_s = self._fail("sending fails, see the log")
            if pause_s is None:
                self._tries.seconds = 0.0
            elif self.running:
                await self._wait(pause_s)

    async def _wait(self, at_least: float) -> None:
        self._keep_soon()
        await self._tries.wait(at_least)

    async def _send_some(self) -> float | None:
        """Send the oldest telegrams; how long to wait before the next try at least, ``None`` when all is well."""
        batch = await self.unsent.next(min(self.together, self._most))
        if not batch or not self.running:
            return None
        self._request = self.target.post(batch)
        reading = self.unsent.read_ahead()
        try:
            answer = await self._request
        except SinkError as error:
            return self._fail(str(error))
        except CancelledError:
            return self._fail("it was broken off")
        finally:
            self._request = None
            await reading
        return await self._answered(batch, answer)

    async def _answered(self, batch: list[Record], answer: Answer) -> float | None:
        if answer.verdict is Verdict.STORED:
            await self.unsent.forget(len(batch))
            self._succeed(answer)
            return None
        if answer.verdict is Verdict.LATER:
            return self._fail(answer.words, answer.pause_s or 0.0)
        if len(batch) > 1:
            # One of them is at fault, and the others need not suffer.
            self._most = len(batch) // 2
            return None
        return await self._put_aside(batch[0], answer)

    async def _put_aside(self, record: Record, answer: Answer) -> float | None:
        """Keep a telegram that the server refuses for a person, and go on to the next."""
        await self.unsent.refuse(record, answer.words)
        self._keep_no_more()
        self._refused_in_a_row += 1
        if answer.status not in self._refused_with:
            self._refused_with.add(answer.status)
            self._log.warn("{to} refuses a telegram, which is kept: {reason}", to=self.target.name, reason=answer.words)
        if self._refused_in_a_row > REFUSED_IN_A_ROW:
            return self._fail(f"it refuses all telegrams; {answer.words}")
        return None

    def _succeed(self, answer: Answer) -> None:
        if self.last_success_at is None or self.last_error is not None:
            self._log.info("telegrams reach {to}", to=self.target.name)
        self.last_success_at, self.last_error = int(self.clock.seconds()) * SECOND, None
        self.together, self._refused_in_a_row = answer.together, 0
        self._most = min(MOST_TOGETHER, self._most * 2)
        self._keep_no_more()

    def _fail(self, reason: str, pause_s: float = 0.0) -> float:
        if self.running and reason != self.last_error:
            self._log.warn("telegrams wait for {to}: {reason}", to=self.target.name, reason=reason)
        self.last_error = reason
        return pause_s

    def _keep_soon(self) -> None:
        """Put what is in memory into the spool, unless that is being done."""
        self._stop_keeping()
        if self._kept is None or self._kept.called:
            self._kept = Deferred.fromCoroutine(self.unsent.keep())
            self._kept.addErrback(
                lambda failure: self._log.failure("telegrams could not be put into the spool", failure)
            )

    def _keep_no_more(self) -> None:
        """Nothing need be kept, if nothing is in memory."""
        if not self.unsent.in_memory:
            self._stop_keeping()

    def _stop_keeping(self) -> None:
        if self._keeping is not None and self._keeping.active():
            self._keeping.cancel()
        self._keeping = None

    async def _stop(self) -> None:
        self._tries.stop()
        request = self._request
        patience = None if request is None else self.clock.callLater(STOP_S, request.cancel)
        await self.unsent.keep()
        if self._working is not None:
            await self._working
        if patience is not None and patience.active():
            patience.cancel()
        # What came meanwhile, too.
        self._stop_keeping()
        await self.unsent.keep()
        if self.unsent.in_memory:
            self._log.critical(
                "{telegrams} telegrams for {to} could be kept nowhere",
                telegrams=self.unsent.in_memory,
                to=self.target.name,
            )

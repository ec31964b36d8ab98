"""Responsible for hearing what is notified in PostgreSQL, for as long as that takes.

An ear has a connection of its own, and makes it again whenever it is gone: after 0.5 s, then less and less often, at
least every 30 s. What was notified in between is lost, so after each LISTEN ``on_gap`` is called: who listens reads
then what it would have heard of.
A connection can die without a word. Every 30 s the server is asked something, and must answer.

Tests: ``tests/store/test_postgres_ear.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import random
from typing import Any, ClassVar, Final

from attrs import define, field
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.postgres import PATIENCE_S, Dsn, Link, shielded

ASK_S: Final = 30.0
"""Seconds between two questions to the server."""

retry_delay: Final = backoffPolicy(initialDelay=0.25, maxDelay=30.0, factor=2.0, jitter=lambda: random() / 10)
"""Seconds before the nth attempt in a row: 0.5, 1, 2, … 30, and a little."""


@define(eq=False)
class Ear:
    """Listens to some channels."""

    place: Dsn

    reactor: Any

    clock: IReactorTime

    channels: Sequence[str]

    heard: Callable[[str, str], object]
    """Called with the channel and the payload of each notification."""

    on_gap: Callable[[], object]
    """Called whenever it begins to listen: anything may have been notified before."""

    patience: float = PATIENCE_S
    """Seconds that the server may take to answer."""

    trouble: str | None = field(default=None, init=False)
    """Why nothing can be heard; ``None`` while it can."""

    _link: Link | None = field(default=None, init=False)
    _listening: Deferred[None] | None = field(default=None, init=False)
    _pause: Deferred[None] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    _log: ClassVar[Logger] = Logger()

    def start(self) -> None:
        """Begin to listen, and stay so."""
        self._stopped = False
        listening = self._listening = Deferred()
        Deferred.fromCoroutine(self._listen()).addBoth(listening.callback)

    async def stop(self) -> None:
        """Hear nothing more, and hang up."""
        self._stopped = True
        if self._link is not None:
            self._link.abort()
        self._wake()
        if self._listening is not None:
            await shielded(self._listening)

    async def _listen(self) -> None:
        attempt = 0
        while not self._stopped:
            link = self._link = Link(self.place, self.reactor, self.clock, self.patience, self._wake, self._hear)
            attempt += 1
            try:
                await link.within_patience(self._begin(link))
                attempt = 0
                while True:
                    await self._paused(ASK_S)
                    await link.within_patience(link.execute("SELECT 1"))
            except StoreUnavailable as error:
                self._tell(str(error))
            except Exception as error:
                self._tell(f"{self.place.name}: {str(error).partition(chr(10))[0]}")
                self._log.failure("Listening failed; trying again:")
            link.abort()
            if not self._stopped:
                await self._paused(retry_delay(attempt))

    async def _begin(self, link: Link) -> None:
        await link.open()
        await link.execute("; ".join(f'LISTEN "{channel}"' for channel in self.channels))
        if self.trouble is not None:
            self._log.info("{name}: listening again", name=self.place.name)
        self.trouble = None
        self._call(self.on_gap)

    def _tell(self, words: str) -> None:
        """Remember what is wrong, and say it once until it is well again."""
        if self.trouble is None and not self._stopped:
            self._log.warn("{trouble}", trouble=words)
        self.trouble = words

    def _hear(self, channel: str, payload: str) -> None:
        if not self._stopped:
            self._call(self.heard, channel, payload)

    def _call(self, function: Callable[..., object], *told: str) -> None:
        try:
            function(*told)
        except Exception:
            self._log.failure("Who listens failed:")

    async def _paused(self, seconds: float) -> None:
        """Wait, unless something happens before."""
        pause = self._pause = Deferred()
        call = self.clock.callLater(seconds, self._wake)
        await pause
        if call.active():
            call.cancel()

    def _wake(self) -> None:
        if self._pause is not None:
            pause, self._pause = self._pause, None
            pause.callback(None)

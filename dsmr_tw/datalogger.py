"""Responsible for a telegram's way from where it came in to the commit, and from there to whoever follows.

    RawTelegram -> parse -> Arrival -> spooling -> group commit -> receipt -> followers

What becomes of telegrams while the store is away is in ``dsmr_tw.spooling``.
Followers (live values; later the live stream, forwards, MQTT) are told after the commit, never before.

Tests: ``tests/test_datalogger.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from dsmr_tw import limits
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Arrival, Origin, Receipt
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.groupcommit import GroupCommit
from dsmr_tw.interfaces import IIntake, ISpool, IStore
from dsmr_tw.rejecting import Rejecting
from dsmr_tw.spooling import Spooling
from dsmr_tw.undated import Undated

Follower = Callable[[Sequence[Arrival], Sequence[Receipt]], None]


@implementer(IIntake)
@define(eq=False)
class Datalogger(Service):
    """Takes telegrams from the lines and readings from the API."""

    store: IStore
    clock: IReactorTime
    zone: MeterZone
    """In whose time the meters' clocks run."""
    limits: limits.Limits
    spool: ISpool
    line_interval: float = 1.0
    """Seconds that a line's readings may wait for company before they are committed."""
    followers: tuple[Follower, ...] = ()
    """Told of everything that was stored."""
    by_arrival: bool = False
    """Whether the telegrams of lines are dated by our clock, not by the meter's."""
    undated: Undated | None = None
    """Keeps telegrams that nobody can date yet; ``None`` where our clock is known to be set."""

    readings: int = field(default=0, init=False)
    """Readings in the store."""
    commits: GroupCommit = field(init=False)
    spooling: Spooling = field(init=False)
    _parser: TelegramParser = field(factory=TelegramParser, init=False)
    _rejecting: Rejecting = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.commits = GroupCommit(self.store.readings, self.clock, self.limits, self._stored, self.line_interval)
        self.spooling = Spooling(self.commits, self.spool, self.clock, self.limits)
        self._rejecting = Rejecting(self.store.meters.reject, self.clock)

    async def begin(self) -> None:
        """Find out how much was stored before."""
        self.readings = await self.store.readings.total()

    def startService(self) -> None:
        """Begin with what waits in the spool."""
        super().startService()
        self.spooling.startService()
        if self.undated is not None:
            self.undated.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when everything taken is stored or spooled, or can't be."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self.undated is not None:
            await self.undated.stopService()
        await self.spooling.stopService()

    def take(self, arrivals: Sequence[Arrival]) -> Deferred[None]:
        """See ``IIntake``."""
        return self.spooling.take(arrivals)

    def submit(self, arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """See ``IIntake``."""
        return self.spooling.submit(arrivals)

    def telegram_received(self, raw: RawTelegram, received_at: int, origin: Origin) -> Telegram:
        """Take a telegram from a line: it is stored soon, or spooled, whatever its date. What it says.

        Raises: ``TelegramError`` when there is nothing in it to store.
        """
        telegram = self._parser.parse(raw)
        arrived = arrival(telegram, origin, received_at, self.zone, self.by_arrival)
        if self.undated is not None and self.undated.wants(arrived):
            self.undated.hear(arrived)
        else:
            self.spooling.hear(arrived)
        if telegram.unknown_lines > limits.UNKNOWN_LINES:
            self.limits.hit("unknown_lines")
        return telegram

    def reject(self, origin: Origin, error: Exception) -> Deferred[None]:
        """See ``IIntake``."""
        self._log.debug("telegram rejected from {origin}: {reason}", origin=origin.name, reason=str(error))
        return self._rejecting.reject(origin)

    def _stored(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        self.readings += sum(receipt.created and receipt.reading_id is not None for receipt in receipts)
        for follower in self.followers:
            try:
                follower(arrivals, receipts)
            except Exception:
                self._log.failure("a follower failed; the readings are stored")

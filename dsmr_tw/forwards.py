"""Responsible for offering each telegram to all servers that they are forwarded to, and for telling how that goes.

A telegram of a line is offered as soon as it is taken, whatever our own store says; one that came over HTTP when it is
stored for the first time, so that servers which forward to each other send nothing round in circles.
What can't be stored is not offered, nor is a reading that was posted without its telegram.
One that has no time of its own, and came when our clock was not set, is offered when it has its date: dated by who
receives it, a whole night without a network would be that of one moment.

Tests: ``tests/test_forwards.py``
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import meter_zone, to_utc_text
from dsmr_tw.domain.parse import Telegram
from dsmr_tw.domain.reading import Arrival, Origin, Receipt
from dsmr_tw.domain.reprint import LINE_END, on_a_line
from dsmr_tw.domain.spooled import Record
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.forwarding import Forward
from dsmr_tw.interfaces import IReporting
from dsmr_tw.undated import Take, Undated

BEHIND_S: Final = 60
"""A server that has lacked telegrams for longer is a problem."""


@implementer(IReporting)
@define(eq=False)
class Forwards:
    """All servers that telegrams are forwarded to."""

    servers: Sequence[Forward]
    zone: str
    """In whose time the clocks of the meters run, for whoever stores here what was never sent."""

    heading: ClassVar[str] = "forwards"
    _undated: Undated | None = field(default=None, init=False)
    """Keeps what is offered later; ``None`` where our clock is known to be set."""

    def wait_for(self, undated: Undated) -> None:
        """Offer what ``undated`` keeps when it is dated, and not before."""
        self._undated, undated.take = undated, self._taking(undated.take)

    def _taking(self, take: Take) -> Take:
        async def take_and_offer(arrivals: Sequence[Arrival]) -> None:
            await take(arrivals)
            for one in arrivals:
                assert one.telegram is not None, "only telegrams of a line have to be dated"
                # One with a clock, that waited because we do not trust it, was offered when it came.
                if not one.by_arrival:
                    self._offer_line(RawTelegram.of_text(one.telegram), one.received_at, one.origin)
            # They were on the disk, so they are not left to memory alone.
            for server in self.servers:
                await server.unsent.keep()

        return lambda arrivals: Deferred.fromCoroutine(take_and_offer(arrivals))

    def hearing(
        self, take: Callable[[RawTelegram, int, Origin], Telegram]
    ) -> Callable[[RawTelegram, int, Origin], Telegram]:
        """What takes telegrams of a line, and offers them to the servers then."""

        def take_and_offer(raw: RawTelegram, received_at: int, origin: Origin) -> Telegram:
            telegram = take(raw, received_at, origin)
            if self._waits(telegram, received_at, origin):
                return telegram
            self._offer_line(raw, received_at, origin)
            return telegram

        return take_and_offer

    def _waits(self, telegram: Telegram, received_at: int, origin: Origin) -> bool:
        """Whether a telegram has to be dated first."""
        if self._undated is None:
            return False
        return self._undated.wants(arrival(telegram, origin, received_at, meter_zone(self.zone)))

    def stored(self, own: Collection[str], arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """These were stored; those of ``own`` origins were heard before."""
        for one, receipt in zip(arrivals, receipts, strict=True):
            if receipt.created and one.telegram is not None and one.origin.name not in own:
                zone = one.zone or self.zone
                self._offer(Record(one.received_at, one.origin, zone, one.by_arrival, one.telegram))

    def _offer_line(self, raw: RawTelegram, received_at: int, origin: Origin) -> None:
        # A CRC that was stripped on the way is made again: other servers insist on it.
        printed = on_a_line(raw, sign=True).removesuffix(LINE_END).decode("latin-1")
        self._offer(Record(received_at, origin, self.zone, False, printed))

    def _offer(self, record: Record) -> None:
        for server in self.servers:
            server.take(record)

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        return {"servers": [_figures(server) for server in self.servers]}

    def problems(self) -> list[str]:
        """See ``IReporting``."""
        return [f"{server.target.name}: {words}" for server in self.servers for words in _problems(server)]


def _figures(server: Forward) -> dict[str, object]:
    unsent = server.unsent
    return {
        "name": server.target.name,
        "records": len(unsent),
        "in_memory": unsent.in_memory,
        "bytes": unsent.spool.held_bytes,
        "oldest_at": _text(unsent.oldest_at),
        "last_success_at": _text(server.last_success_at),
        "last_error": server.last_error,
        "refused": unsent.spool.refused,
        "damaged": unsent.spool.damaged,
        "lost": unsent.lost,
    }


def _problems(server: Forward) -> list[str]:
    unsent, problems = server.unsent, []
    if unsent.behind_s > BEHIND_S:
        since = "" if unsent.oldest_at is None else f", the oldest since {to_utc_text(unsent.oldest_at)}"
        problems.append(f"{len(unsent)} telegrams wait{since}; {server.last_error or 'they are being sent'}")
    if unsent.trouble is not None:
        problems.append(f"telegrams are in memory alone, their spool takes none: {_plain(unsent.trouble)}")
    if unsent.lost:
        problems.append(f"{unsent.lost} telegrams were lost since the start, there was no room for them")
    if unsent.spool.refused:
        problems.append(f"it refused {unsent.spool.refused} telegrams: they are in the file 'refused' of its spool")
    if unsent.spool.damaged:
        problems.append(f"{unsent.spool.damaged} files of its spool can't be read to their end: they are '.damaged'")
    return problems


def _plain(error: str) -> str:
    """The words of an error without the directories in them, which are nobody's business."""
    return error.rpartition("/")[2]


def _text(instant: int | None) -> Any:
    return None if instant is None else to_utc_text(instant)

"""Responsible for composing what is read, and who has telegrams as they come: the store, programs, other servers.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.application.service import MultiService, Service
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.config import Settings
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.demo import DemoMeter
from dsmr_tw.demopast import DemoPast
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.interfaces import IReporting
from dsmr_tw.keeping import Keeping
from dsmr_tw.limits import Limits
from dsmr_tw.listening import Listening
from dsmr_tw.p1port import p1_ports, wire
from dsmr_tw.progress import Progress
from dsmr_tw.sinks.p1server import P1Server
from dsmr_tw.source import TakeTelegram, TelegramSource
from dsmr_tw.sourcing import DEMO, Sourcing

if TYPE_CHECKING:
    from dsmr_tw.decrypt import Decryption
    from dsmr_tw.targets import Targeting


@frozen
class Lines:
    """What is read, and who is told at once."""

    sources: list[TelegramSource]
    p1_server: P1Server | None
    """Where telegrams are served, if they shall be."""
    forwarding: Targeting | None
    """What sends telegrams to other servers, if it shall."""

    def forwards(self) -> list[Service]:
        """What sends telegrams on."""
        return [] if self.forwarding is None else [self.forwarding.service]

    def reporting(self) -> list[IReporting]:
        """What of it tells of itself in ``/health``."""
        told = (self.p1_server, None if self.forwarding is None else self.forwarding.forwards)
        return [part for part in told if part is not None]

    def ports(self, settings: Settings, reactor: Any) -> list[Listening]:
        """The port where telegrams are served."""
        return p1_ports(reactor, settings.p1_server, self.p1_server)

    def fed(self, settings: Settings, clock: IReactorTime, kept: Keeping) -> list[Service]:
        """The sources; those of a demo with a past begin when it is filled."""
        if not settings.demo_days:
            return [*self.sources]
        present = MultiService()

        def begin() -> None:
            for source in self.sources:
                source.setServiceParent(present)

        past = DemoPast(
            meter=DemoMeter(settings.demo_seed, kept.datalogger.zone),
            days=settings.demo_days,
            origin=DEMO,
            on_telegram=kept.datalogger.telegram_received,
            waiting=lambda: kept.datalogger.commits.waiting,
            readings=kept.store.readings,
            clock=clock,
            advance=Progress("Filling the past").advance,
            then=begin,
        )
        return [past, present]


def lines(
    settings: Settings,
    reactor: Any,
    clock: IReactorTime,
    limits: Limits,
    kept: Keeping,
    decryption: Callable[[], Decryption | None],
) -> Lines:
    """Compose what is read, and who is told.

    Raises: ``SettingsError``
    """
    datalogger, known = kept.datalogger, kept.known
    p1_server = None if settings.p1_server is None else P1Server(clock, limits)
    forwarding = _forwarding(settings, reactor, clock, limits)
    sourcing = Sourcing(
        reactor=reactor,
        clock=clock,
        on_telegram=_heard(forwarding, datalogger),
        on_error=datalogger.reject,
        on_wire=partial(wire, p1_server),
        crc=CrcPolicy(settings.crc),
        baud=settings.serial_speed,
        speeds=known.speeds,
        keep_speed=known.keep_speed,
        zone=datalogger.zone,
        by_arrival=datalogger.by_arrival,
        decryption=decryption,
    )
    demo = DemoMeter(settings.demo_seed, datalogger.zone)
    sources = sourcing.demo(demo.telegram) if settings.demo else sourcing.devices(settings.device, known.meters)
    if forwarding is not None:
        if kept.undated is not None:
            forwarding.forwards.wait_for(kept.undated)
        own = {source.origin.name for source in sources}
        datalogger.followers += (partial(forwarding.forwards.stored, own),)
    return Lines(sources, p1_server, forwarding)


def _forwarding(settings: Settings, reactor: Any, clock: IReactorTime, limits: Limits) -> Targeting | None:
    """What sends telegrams to other servers, if it shall."""
    if not (settings.forward or settings.forward_key_file):
        return None
    # Imported here and not above: most houses have one server, and need no HTTP client at all.
    from dsmr_tw.targets import target_settings, targeting

    servers = target_settings("--forward", settings.forward, "--forward-key-file", settings.forward_key_file)
    return targeting(servers, settings.ca_file, settings.state_dir, settings.zone, reactor, clock, limits, monotonic)


def _heard(forwarding: Targeting | None, datalogger: Datalogger) -> TakeTelegram:
    """What takes the telegrams of the lines."""
    take = datalogger.telegram_received
    return take if forwarding is None else forwarding.forwards.hearing(take)

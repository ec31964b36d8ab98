"""Responsible for composing the remote datalogger: it reads meters, and sends what they say to servers elsewhere.

``twistd dsmr-forward`` is for the small computer beside the meter.
It has neither a store nor an API, and so takes little memory and, while its servers take telegrams, writes nothing.

Tests: ``tests/test_forward_tap.py``, ``tests/live/test_forward.py``
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from attrs import define, frozen
from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.clock import Boot, SteadyClock, make_steady
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram
from dsmr_tw.errors import DsmrError, TelegramError
from dsmr_tw.forwardconfig import OPTIONS, ForwardSettings, settings_from
from dsmr_tw.forwardhealth import ForwardHealth
from dsmr_tw.forwards import Forwards
from dsmr_tw.inorder import InOrder
from dsmr_tw.limits import Limits
from dsmr_tw.listening import Listening, listening
from dsmr_tw.options import TableOptions
from dsmr_tw.p1port import p1_ports, wire
from dsmr_tw.sinks.p1server import P1Server
from dsmr_tw.sourcing import Sourcing, decryption
from dsmr_tw.spool import Spool
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import Threads
from dsmr_tw.systemd import UNHEARD, Notifying, Told
from dsmr_tw.targets import target_settings, targeting
from dsmr_tw.undated import Undated
from dsmr_tw.undatedspool import undated_spool

ZONE: Final = "Europe/Amsterdam"
"""What is kept with telegrams that wait, for whoever stores them here after all; the servers do not learn it."""


class Options(TableOptions):
    """The command line of ``twistd dsmr-forward``; what each option means is in ``dsmr_tw.forwardconfig``."""

    longdesc = (
        "Reads smart meters on their P1 ports, and sends each telegram to one or several servers that take it as "
        "version 1 of DSMR-reader's API does. What a server has not acknowledged is kept on the disk, and sent again. "
        "For example: twistd -n dsmr-forward --device /dev/ttyUSB0 --to http://192.0.2.7:8080 --key-file house.key "
        "(for several servers repeat both, in the same order). "
        "Each option can also be an environment variable (--key-file is DSMR_KEY_FILE), or a line of the TOML file "
        'that --config names (key-file = ["house.key"]); what is given here wins.'
    )
    table = OPTIONS
    program = "dsmr-forward"
    settings: ForwardSettings

    def check(self, flags: Mapping[str, object]) -> None:
        """See ``TableOptions``."""
        self.settings = settings_from(flags)


class Datalogger(InOrder):
    """The whole service; what keeps it from starting is one sentence."""

    def privilegedStartService(self) -> None:
        """Take the ports."""
        try:
            super().privilegedStartService()
        except DsmrError as error:
            raise SystemExit(f"dsmr-forward: {error}") from error


@frozen
class Parts:
    """The composed service, and the parts of it that tests look at."""

    service: MultiService
    forwards: Forwards
    health: ForwardHealth


def makeService(options: Options) -> IService:
    """The service that ``twistd dsmr-forward`` runs. What can't be is said in one sentence, with status 1."""
    from twisted.internet import reactor

    try:
        notifying = Notifying.of(os.environ, os.getpid())
        service = build(options.settings, reactor, SteadyClock(reactor), notifying).service
    except DsmrError as error:
        raise SystemExit(f"dsmr-forward: {error}") from error
    make_steady(reactor)
    return service


def build(
    settings: ForwardSettings, reactor: Any, clock: IReactorTime | None = None, notifying: Notifying = UNHEARD
) -> Parts:
    """Compose the service; ``clock`` is the reactor unless a test says otherwise, and systemd hears of it if it asked.

    Raises: ``SettingsError`` or ``StoreRefused``, before anything has started.
    """
    clock, limits = reactor if clock is None else clock, Limits()
    servers = target_settings("--to", settings.to, "--key-file", settings.key_file)
    state = StateDir(settings.state_dir)
    state.prepare()
    state.lock()
    to = targeting(servers, settings.ca_file, settings.state_dir, ZONE, reactor, clock, limits, monotonic)
    waiting = _waiting(settings, reactor, clock, limits)
    undated = None if waiting is None else waiting.undated
    if undated is not None:
        to.forwards.wait_for(undated)
    p1_server = None if settings.p1_server is None else P1Server(clock, limits)
    sources = Sourcing(
        reactor=reactor,
        clock=clock,
        on_telegram=to.forwards.hearing(partial(_understand, TelegramParser(), undated)),
        on_error=_pass_over,
        on_wire=partial(wire, p1_server),
        crc=CrcPolicy(settings.crc),
        baud=None if settings.baud == "auto" else int(settings.baud),
        decryption=decryption(settings.decryption_key_file),
    ).devices(settings.device)
    parts = [part for part in (to.forwards, undated, p1_server) if part is not None]
    health = ForwardHealth(clock, int(clock.seconds()) * SECOND, limits, sources, parts)

    service = Datalogger()
    for part in (
        _State(state),
        to.service,
        *([] if waiting is None else [waiting]),
        *sources,
        *p1_ports(reactor, settings.p1_server, p1_server),
        *_serving(settings, reactor, health, limits),
        Told(notifying, clock, health, lambda: False, ready_at_start=True),
    ):
        part.setServiceParent(service)
    return Parts(service, to.forwards, health)


@define(eq=False)
class _State(Service):
    """Lets another program use the state directory in the end."""

    state: StateDir

    def stopService(self) -> None:
        """All else has stopped."""
        super().stopService()
        self.state.release()


@define(eq=False)
class Waiting(Service):
    """Telegrams that nobody can date yet: they wait here, in a spool of their own, and go to the servers then."""

    undated: Undated
    spool: Spool
    thread: Threads

    def startService(self) -> None:
        """Begin with what waits since an earlier process."""
        super().startService()
        self.undated.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when all of it is sent on, or in the spool."""
        super().stopService()
        return self.undated.stopService().addCallback(lambda _: self._close())

    def _close(self) -> None:
        self.spool.close()
        self.thread.stop()


def _waiting(settings: ForwardSettings, reactor: Any, clock: IReactorTime, limits: Limits) -> Waiting | None:
    """Where telegrams wait for their date; ``None`` when our clock is set and none wait."""
    thread = Threads(reactor, 1, "undated-spool")
    boot = Boot()
    spool = undated_spool(settings.state_dir, clock, boot, thread)
    if spool is None:
        return None
    return Waiting(Undated(spool, clock, boot.seconds, lambda arrivals: succeed(None), limits), spool, thread)


def _serving(settings: ForwardSettings, reactor: Any, health: ForwardHealth, limits: Limits) -> list[Listening]:
    """The ports where ``/health`` is served, if it shall be."""
    if not settings.http:
        return []
    # Imported here and not above: serving takes 3 MB.
    from dsmr_tw.healthpage import health_site

    site = health_site(health, reactor, limits)
    return [listening(reactor, description, site) for description in settings.http]


def _understand(
    parser: TelegramParser, undated: Undated | None, raw: RawTelegram, received_at: int, origin: Origin
) -> Telegram:
    """What a telegram says, which waits if it has no date; what can't be understood is no telegram, and is not sent."""
    telegram = parser.parse(raw)
    if undated is not None:
        arrived = arrival(telegram, origin, received_at, meter_zone(ZONE))
        if undated.wants(arrived):
            undated.hear(arrived)
    return telegram


def _pass_over(origin: Origin, error: TelegramError) -> None:
    """The source has counted and told it."""

"""Responsible for composing the service: a page of constructor calls, and nothing else.

Here, and under ``dsmr_tw.cli``, are the reactor, the environment and the wall clock; everything below is given what it
needs.

Tests: ``tests/test_tap.py``, ``tests/live/test_first_light.py``
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService, Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.api.auth import REFRESH_SECONDS, KeyRing
from dsmr_tw.api.failedkeys import FailedKeys
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.settings import ApiSettings, Proxies
from dsmr_tw.backup import BackupService
from dsmr_tw.clock import Boot, SteadyClock, make_steady
from dsmr_tw.config import OPTIONS, PROMISED_SECONDS, Settings, settings_from
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.demo import DemoMeter
from dsmr_tw.demopast import DemoPast
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import DsmrError, SettingsError
from dsmr_tw.health import Health
from dsmr_tw.inorder import InOrder
from dsmr_tw.interfaces import IStore
from dsmr_tw.known import FILE, Known
from dsmr_tw.leaving import Leaving
from dsmr_tw.leftspools import LOOK_SECONDS, LeftSpools
from dsmr_tw.limits import Limits
from dsmr_tw.listening import Listening, listening
from dsmr_tw.live import LiveValues
from dsmr_tw.opening import Opening
from dsmr_tw.options import TableOptions
from dsmr_tw.progress import Progress
from dsmr_tw.retention import RetentionService
from dsmr_tw.rollup import RollupService
from dsmr_tw.sinks.p1server import P1Server
from dsmr_tw.source import ShowTelegram, TakeTelegram, TelegramSource
from dsmr_tw.sourcing import DEMO, Sourcing, decryption
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import Threads
from dsmr_tw.storing import prepare, server_backups, server_store
from dsmr_tw.systemd import START_S, UNHEARD, Notifying, Told
from dsmr_tw.undated import Undated
from dsmr_tw.undatedspool import undated_spool
from dsmr_tw.weatherfeeds import feed_of
from dsmr_tw.web import Web

if TYPE_CHECKING:
    from dsmr_tw.targets import Targeting
    from dsmr_tw.weather import WeatherService

READERS = 2
"""Threads that read the database; one more writes it."""

SWITCH_SECONDS = 0.0005
"""How long a thread of Python waits for another that computes."""

_log = Logger()


class Options(TableOptions):
    """The command line of ``twistd dsmr``; what each option means is in ``dsmr_tw.config``."""

    longdesc = (
        "Reads smart meters on their P1 ports, keeps what they say, and serves it over HTTP. "
        "Each option can also be an environment variable (--commit-interval is DSMR_COMMIT_INTERVAL), or a line of the "
        "TOML file that --config names (commit-interval = 5); what is given here wins. "
        "To try it without a meter: twistd -n dsmr --demo --enable-api"
    )
    table = OPTIONS
    program = "dsmr"
    settings: Settings

    def check(self, flags: Mapping[str, object]) -> None:
        """See ``TableOptions``."""
        self.settings = settings_from(flags)


class Server(InOrder):
    """The whole service; what keeps it from starting is one sentence."""

    def privilegedStartService(self) -> None:
        """Take the ports."""
        try:
            super().privilegedStartService()
        except DsmrError as error:
            raise SystemExit(f"dsmr: {error}") from error


@frozen
class Parts:
    """The composed service, and the parts of it that tests look at."""

    service: MultiService
    store: IStore
    datalogger: Datalogger
    live: LiveValues
    web: Web


def makeService(options: Options) -> IService:
    """The service that ``twistd dsmr`` and ``dsmr.tac`` run. What can't be is said in one sentence, with status 1."""
    from twisted.internet import reactor

    try:
        notifying = Notifying.of(os.environ, os.getpid())
        service = build(options.settings, reactor, SteadyClock(reactor), notifying).service
    except DsmrError as error:
        raise SystemExit(f"dsmr: {error}") from error
    make_steady(reactor)
    # A thread of the store asks for Python's lock some twenty times a commit; of a busy reactor it gets it after 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is there now stays. The collector need not look through all of it again, for 40 ms in which nobody is served.
    gc.collect()
    gc.freeze()
    return service


def build(settings: Settings, reactor: Any, clock: IReactorTime | None = None, notifying: Notifying = UNHEARD) -> Parts:
    """Compose the service; ``clock`` is the reactor unless a test says otherwise, and systemd hears of it if it asked.

    Raises: ``SettingsError`` or ``StoreRefused``, before anything has started.
    """
    clock = reactor if clock is None else clock
    if settings.commit_interval > PROMISED_SECONDS:
        _log.warn(
            "--commit-interval {seconds}: a power cut may cost so many seconds of the line, instead of {promised}",
            seconds=f"{settings.commit_interval:g}",
            promised=f"{PROMISED_SECONDS:g}",
        )
    # Before there is a state directory: a key that is none leaves nothing behind.
    zone, limits, decrypting = MeterZone(settings.zone), Limits(), decryption(settings.decryption_key_file)
    state = StateDir(settings.state_dir)
    known = Known(state.path / FILE)
    writer, readers = Threads(reactor, 1, "store-writer"), Threads(reactor, READERS, "store-reader")
    notifying.allow(START_S, "opens the database")
    prepare(settings, state, known)
    store = server_store(settings, reactor, clock, writer, readers)
    live = LiveValues(store.readings, clock)
    spooler = Threads(reactor, 1, "spool")
    spool = Spool(state.path / SPOOL, spooler)
    spool.open()
    # Not in the spool's thread: a disk beside ours that hangs must not keep telegrams from ours.
    left = LeftSpools(state.path, readers)
    by_arrival = settings.trust_clock == "server"
    datalogger = Datalogger(store, clock, zone, limits, spool, settings.commit_interval, (live.offer,), by_arrival)
    waiting = undated_spool(state.path, clock, Boot(), spooler)
    undated = None if waiting is None else Undated(waiting, clock, Boot().seconds, datalogger.take, limits)
    datalogger.undated = undated
    p1_server = None if settings.p1_server is None else P1Server(clock, limits)
    forwarding = _forwarding(settings, reactor, clock, limits)
    forwards = None if forwarding is None else forwarding.forwards
    if forwards is not None and undated is not None:
        forwards.wait_for(undated)
    sourcing = Sourcing(
        reactor=reactor,
        clock=clock,
        on_telegram=_heard(forwarding, datalogger),
        on_error=datalogger.reject,
        on_wire=partial(_wire, p1_server),
        crc=CrcPolicy(settings.crc),
        baud=settings.serial_speed,
        speeds=known.speeds,
        keep_speed=known.keep_speed,
        zone=zone,
        by_arrival=by_arrival,
        decryption=decrypting,
    )
    demo = DemoMeter(settings.demo_seed, zone)
    sources = sourcing.demo(demo.telegram) if settings.demo else sourcing.devices(settings.device, known.meters)
    if forwarding is not None:
        own = {source.origin.name for source in sources}
        datalogger.followers += (partial(forwarding.forwards.stored, own),)
    started_at = int(clock.seconds()) * SECOND
    rollup = RollupService(clock, store.ledger)
    retention = RetentionService(clock, store.retention, store.meters, settings.keep_days, datalogger.begin)
    weather = _weather(settings, reactor, clock, store)
    backups = server_backups(settings, reactor)
    backup = [] if backups is None else [BackupService(clock, backups, zone)]
    api = _api_settings(settings, zone)
    keys = KeyRing(store.keys, clock, FailedKeys(clock, limits, api.proxies), known.keep_keys)
    keys.begin_with(known.keys)
    spools = [spool] if waiting is None else [spool, waiting]
    opening = Opening(store, state, clock, datalogger, keys, settings.max_power_w, writer, readers, spools, spooler)
    health = Health(
        clock,
        started_at,
        store.kind,
        datalogger.spooling,
        lambda: datalogger.readings,
        limits,
        sources,
        rollup,
        retention,
        left.found,
        [part for part in (opening, undated, *weather, p1_server, forwards, *backup) if part is not None],
    )
    store.watch(live.outdated, keys.refresh)
    meters = MeterBook(store.meters, clock, api.local_timestamps, known.keep_meters, known.meters)
    web = Web(api, store, datalogger, live, health, keys, limits, clock, meters, datalogger.commits.took)
    site = web.site(reactor, settings.max_connections)

    told = Told(notifying, clock, health, lambda: datalogger.spooling.is_stuck)
    opening.on_known = told.ready

    service = Server()
    services: tuple[IService, ...] = (
        opening,
        *backup,
        rollup,
        retention,
        # Before those who offer it telegrams, so that it stops after them.
        *([] if forwarding is None else [forwarding.service]),
        datalogger,
        *_fed(settings, clock, datalogger, store, sources),
        *weather,
        _every(REFRESH_SECONDS, keys.refresh, clock),
        *_looking(settings, live, clock),
        _every(LOOK_SECONDS, left.look, clock),
        *_serving(settings, reactor, p1_server),
        Leaving(site.connections, clock),
        *(listening(reactor, description, site) for description in settings.http),
        told,
    )
    for part in services:
        part.setServiceParent(service)
    return Parts(service, store, datalogger, live, web)


def _wire(p1_server: P1Server | None, crc: CrcPolicy) -> ShowTelegram | None:
    """What serves the telegrams of a source; one whose CRC may be absent is taken for one that strips it."""
    return None if p1_server is None else partial(p1_server.offer, sign=crc is CrcPolicy.OPTIONAL)


def _serving(settings: Settings, reactor: Any, p1_server: P1Server | None) -> list[Listening]:
    """The port where telegrams are served, if they shall be."""
    if settings.p1_server is None or p1_server is None:
        return []
    return [listening(reactor, settings.p1_server, p1_server, "--p1-server", "tcp:2001")]


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


def _weather(settings: Settings, reactor: Any, clock: IReactorTime, store: IStore) -> list[WeatherService]:
    """What fetches temperatures, if it shall."""
    if settings.weather is None:
        return []
    try:
        # Imported here and not above: most houses ask nobody, and need no HTTP client at all.
        from dsmr_tw.weather import WeatherService, internet_agent
    except ImportError as error:
        raise SettingsError(f"--weather needs more than is installed ({error}): pip install '.[weather]'") from error
    return [WeatherService(feed_of(settings.weather), store.temperatures, internet_agent(reactor), clock)]


def _fed(
    settings: Settings, clock: IReactorTime, datalogger: Datalogger, store: IStore, sources: list[TelegramSource]
) -> list[Service]:
    """The sources; those of a demo with a past begin when it is filled."""
    if not settings.demo_days:
        return [*sources]
    present = MultiService()

    def begin() -> None:
        for source in sources:
            source.setServiceParent(present)

    past = DemoPast(
        meter=DemoMeter(settings.demo_seed, datalogger.zone),
        days=settings.demo_days,
        origin=DEMO,
        on_telegram=datalogger.telegram_received,
        waiting=lambda: datalogger.commits.waiting,
        readings=store.readings,
        clock=clock,
        advance=Progress("Filling the past").advance,
        then=begin,
    )
    return [past, present]


def _looking(settings: Settings, live: LiveValues, clock: IReactorTime) -> list[TimerService]:
    """What looks for readings of other servers: a pooler between us and the database may keep their word from us."""
    if settings.database_url is None:
        return []
    return [_every(REFRESH_SECONDS, partial(live.outdated, None), clock)]


def _every(seconds: float, function: Callable[[], object], clock: IReactorTime) -> TimerService:
    """Calls a function that never fails, again and again."""
    timer = TimerService(seconds, function)
    timer.clock = clock
    return timer


def _api_settings(settings: Settings, zone: MeterZone) -> ApiSettings:
    return ApiSettings(
        enabled=settings.enable_api,
        local_timestamps=settings.api_timestamps == "local",
        cors_origin=settings.cors_origin,
        proxies=Proxies.parse(*settings.trusted_proxy),
        crc=CrcPolicy(settings.crc),
        by_arrival=settings.trust_clock == "server",
        zone=zone,
    )

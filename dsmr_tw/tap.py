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
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.api.auth import REFRESH_SECONDS, KeyRing
from dsmr_tw.api.failedkeys import FailedKeys
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.settings import ApiSettings, Proxies
from dsmr_tw.backup import BackupService
from dsmr_tw.clock import SteadyClock, make_steady
from dsmr_tw.config import OPTIONS, PROMISED_SECONDS, Settings, settings_from
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import DsmrError, SettingsError
from dsmr_tw.health import Health
from dsmr_tw.inorder import InOrder
from dsmr_tw.interfaces import IStore
from dsmr_tw.keeping import keeping
from dsmr_tw.leaving import Leaving
from dsmr_tw.leftspools import LOOK_SECONDS
from dsmr_tw.limits import Limits
from dsmr_tw.lines import lines
from dsmr_tw.listening import listening
from dsmr_tw.live import LiveValues
from dsmr_tw.opening import Opening
from dsmr_tw.options import TableOptions
from dsmr_tw.retention import RetentionService
from dsmr_tw.rollup import RollupService
from dsmr_tw.sourcing import decryption
from dsmr_tw.storing import server_backups
from dsmr_tw.systemd import START_S, UNHEARD, Notifying, Told
from dsmr_tw.weatherfeeds import feed_of
from dsmr_tw.web import Web

if TYPE_CHECKING:
    from dsmr_tw.weather import WeatherService

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
    notifying.allow(START_S, "opens the database")
    kept = keeping(settings, reactor, clock, zone, limits)
    store, datalogger, live, left = kept.store, kept.datalogger, kept.live, kept.left
    read = lines(settings, reactor, clock, limits, kept, decrypting)
    started_at = int(clock.seconds()) * SECOND
    rollup = RollupService(clock, store.ledger)
    retention = RetentionService(clock, store.retention, store.meters, settings.keep_days, datalogger.begin)
    weather = _weather(settings, reactor, clock, store)
    backups = server_backups(settings, reactor)
    backup = [] if backups is None else [BackupService(clock, backups, zone)]
    api = _api_settings(settings, zone)
    keys = KeyRing(store.keys, clock, FailedKeys(clock, limits, api.proxies), kept.known.keep_keys)
    keys.begin_with(kept.known.keys)
    opening = Opening(kept, clock, keys, settings.max_power_w)
    health = Health(
        clock,
        started_at,
        store.kind,
        datalogger.spooling,
        lambda: datalogger.readings,
        limits,
        read.sources,
        rollup,
        retention,
        left.found,
        [part for part in (opening, kept.undated, *weather, *read.reporting(), *backup) if part is not None],
    )
    store.watch(live.outdated, keys.refresh)
    meters = MeterBook(store.meters, clock, api.local_timestamps, kept.known.keep_meters, kept.known.meters)
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
        *read.forwards(),
        datalogger,
        *read.fed(settings, clock, kept),
        *weather,
        _every(REFRESH_SECONDS, keys.refresh, clock),
        *_looking(settings, live, clock),
        _every(LOOK_SECONDS, left.look, clock),
        *read.ports(settings, reactor),
        Leaving(site.connections, clock),
        *(listening(reactor, description, site) for description in settings.http),
        told,
    )
    for part in services:
        part.setServiceParent(service)
    return Parts(service, store, datalogger, live, web)


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
        by_arrival=settings.dates_by_arrival,
        zone=zone,
    )

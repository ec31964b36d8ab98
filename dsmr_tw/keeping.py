"""Responsible for composing what keeps readings: the state directory, the store, the spools, and the way into them.

Tests: ``tests/test_tap.py``, ``tests/test_opening.py``
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.clock import Boot
from dsmr_tw.config import Settings
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.interfaces import IStore
from dsmr_tw.known import FILE, Known
from dsmr_tw.leftspools import LeftSpools
from dsmr_tw.limits import Limits
from dsmr_tw.live import LiveValues
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import Threads
from dsmr_tw.storing import prepare, server_store
from dsmr_tw.undated import Undated
from dsmr_tw.undatedspool import undated_spool

READERS: Final = 2
"""Threads that read the database; one more writes it."""


@frozen
class Keeping:
    """What keeps readings, and what it stands on."""

    state: StateDir
    known: Known
    writer: Threads
    readers: Threads
    spooler: Threads
    spools: tuple[Spool, ...]
    """All that are open; the first is the one of the store."""
    store: IStore
    live: LiveValues
    left: LeftSpools
    datalogger: Datalogger
    undated: Undated | None


def keeping(settings: Settings, reactor: Any, clock: IReactorTime, zone: MeterZone, limits: Limits) -> Keeping:
    """Take the state directory, bring the database up to date, and compose what keeps readings there.

    Raises: ``SettingsError`` or ``StoreRefused``.
    """
    state = StateDir(settings.state_dir)
    known = Known(state.path / FILE)
    writer, readers = Threads(reactor, 1, "store-writer"), Threads(reactor, READERS, "store-reader")
    prepare(settings, state, known)
    store = server_store(settings, reactor, clock, writer, readers)
    live = LiveValues(store.readings, clock)
    spooler = Threads(reactor, 1, "spool")
    spool = Spool(state.path / SPOOL, spooler)
    spool.open()
    # Not in the spool's thread: a disk beside ours that hangs must not keep telegrams from ours.
    left = LeftSpools(state.path, readers)
    interval, by_arrival = settings.commit_interval, settings.dates_by_arrival
    datalogger = Datalogger(store, clock, zone, limits, spool, interval, (live.offer,), by_arrival)
    boot = Boot()
    waiting = undated_spool(state.path, clock, boot, spooler)
    undated = None if waiting is None else Undated(waiting, clock, boot.seconds, datalogger.take, limits)
    datalogger.undated = undated
    spools = (spool,) if waiting is None else (spool, waiting)
    return Keeping(state, known, writer, readers, spooler, spools, store, live, left, datalogger, undated)

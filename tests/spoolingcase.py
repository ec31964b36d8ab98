"""A datalogger between lines, posts, a real spool and a real store, both of which go away when a test says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, Arrival, Origin, Receipt
from dsmr_tw.domain.telegram import RawTelegram, telegrams_in
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.limits import SPOOL_BYTES, Limits
from dsmr_tw.spool import Spool
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import CABLE, KEY, NOON
from tests.serving import Work
from tests.telegramtext import telegram

ZONE = MeterZone("Europe/Amsterdam")
AWAY = StoreUnavailable("the disk is full")


def raw(number: int) -> RawTelegram:
    """The telegram of a meter whose register shows ``number`` kWh, so many seconds after noon."""
    clock = ZONE.local(NOON + number * SECOND).strftime("%y%m%d%H%M%SS")
    [found] = telegrams_in(telegram(clock=clock, delivered=f"{number:06}.000"))
    return found


def taken(number: int, origin: Origin = KEY) -> Arrival:
    """The same, as a post of it is taken."""
    return arrival(TelegramParser().parse(raw(number)), origin, NOON + number * SECOND, ZONE)


def number_of(arrival: Arrival) -> int:
    """Which telegram it is."""
    assert arrival.reading is not None
    return arrival.reading.delivered_1 // 1000


@define(eq=False)
class House:
    """A service, and what it has told."""

    path: Path
    clock: Clock = field(factory=Clock)
    writing: Work = field(factory=Work)
    spooling: Work = field(factory=Work)
    limits: Limits = field(factory=Limits)
    most_bytes: int = SPOOL_BYTES
    told: list[int] = field(factory=list)
    """What followers were told of, be it new or not."""
    store: SqliteStore = field(init=False)
    spool: Spool = field(init=False)
    datalogger: Datalogger = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(NOON / SECOND)
        self.path.mkdir()
        self.store = sqlite_store(self.path / "dsmr.sqlite3", ZONE.name, self.writing, Work())
        result_of(self.store.open())
        self.store.database.writer().execute("PRAGMA synchronous = OFF")
        self.start()

    def start(self) -> None:
        """Begin with what is on disk."""
        self.spool = Spool(self.path / "spool", self.spooling, self.most_bytes)
        self.spool.open()
        follow = (self.follow,)
        self.datalogger = Datalogger(self.store, self.clock, ZONE, self.limits, self.spool, followers=follow)
        self.datalogger.startService()

    def crash(self) -> None:
        """End without a word, as by a power cut."""
        self.spool.close()
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()

    def stop(self) -> None:
        """Stop in order."""
        stopped = self.datalogger.stopService()
        self.clock.pump([0] * 10)
        result_of(stopped)
        self.spool.close()

    def close(self) -> None:
        """Stop, and close the store."""
        self.writing.error = self.spooling.error = None
        self.spooling.release()
        self.writing.release()
        self.stop()
        result_of(self.store.close())

    def follow(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """Note what is stored."""
        for each, receipt in zip(arrivals, receipts, strict=True):
            self.told.append(number_of(each))
            assert receipt.reading_id is not None

    @property
    def stored(self) -> list[int]:
        """What is in the store, in the order in which it came there; what is there twice, twice."""
        page = result_of(self.store.readings.page(ReadingFilter(1), False, 0, 10_000))
        return [each.reading.delivered_1 // 1000 for each in sorted(page.readings, key=lambda each: each.id)]

    def hear(self, *numbers: int) -> None:
        """Telegrams come from the line."""
        for number in numbers:
            self.datalogger.telegram_received(raw(number), NOON + number * SECOND, CABLE)

    def post(self, *numbers: int, origin: Origin = KEY) -> Deferred[None]:
        """A body of telegrams is posted."""
        return self.datalogger.take([taken(number, origin) for number in numbers])

    def go_away(self) -> None:
        """From now on the store takes nothing."""
        self.writing.error = AWAY

    def come_back(self) -> None:
        """The store takes readings again, and as much time goes by as is needed to find out."""
        self.writing.error = None
        self.go_on(12)

    def go_on(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.pump([0] * 20)
        self.clock.advance(seconds)
        self.clock.pump([0] * 20)

"""How much room telegrams take that wait for the database, and how fast they are stored when it is back.

A telegram every second of one demo house is put into the spool, as it is while the database is away, one after the
other; what is told is the size of the files, and how many a second are on the disk when that is acknowledged.
Then the service starts beside a store that takes 200 readings in 20 ms, whatever they are, and drains the spool.
Last, the same with SQLite on the same disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define, field
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from benchmarks.houses import CABLE, START, ZONE, House, raw
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, Arrival, Origin, Receipt
from dsmr_tw.domain.spooled import record_of
from dsmr_tw.limits import Limits
from dsmr_tw.spool import Spool
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import Threads

THREE_DAYS_S: Final = 72 * 3600
TOGETHER: Final = 100
"""Records of a POST."""
COMMIT_S: Final = 0.02

reactor: Any = the_reactor


@define
class SteadyReadings:
    """Stands where a store's readings are: each commit takes a fixed time."""

    stored: int = 0

    def add(self, groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """Take all, a little later."""
        self.stored += sum(map(len, groups))
        return deferLater(reactor, COMMIT_S, lambda: [[Receipt(1, 1, True) for _ in group] for group in groups])


@define
class NoMeters:
    """Stands where a store's meters are; no telegram is rejected here."""

    def reject(self, origin: Origin, telegrams: int) -> Deferred[None]:
        """Count nothing."""
        return succeed(None)


@define
class SteadyStore:
    """A store that has nothing but readings."""

    readings: SteadyReadings
    meters: NoMeters = field(factory=NoMeters)


def records(number: int) -> list[bytes]:
    """Telegrams, one a second, as they are kept in the spool."""
    understanding = TelegramParser()
    house = House(1, START, every_s=1)
    return [
        record_of(arrival(understanding.parse(raw(printed)), CABLE, START + n * SECOND + 123_456, ZONE))
        for n, printed in enumerate(house.telegrams(number))
    ]


async def fill(spool: Spool, kept: list[bytes], together: int) -> float:
    """Append records, so many at a time; how many a second."""
    began = time.perf_counter()
    for start in range(0, len(kept), together):
        await spool.append(kept[start : start + together])
    return len(kept) / (time.perf_counter() - began)


async def drain(store: Any, spool: Spool) -> float:
    """Let the service store what waits; how many readings a second."""
    number = spool.records
    datalogger = Datalogger(store, reactor, ZONE, Limits(), spool)
    began = time.perf_counter()
    datalogger.startService()
    while spool.records:
        await deferLater(reactor, 0.005)
    seconds = time.perf_counter() - began
    await datalogger.stopService()
    return number / seconds


async def measure(directory: Path, number: int) -> None:
    """Measure and tell."""
    spooler, writer = Threads(reactor, 1, "spool"), Threads(reactor, 1, "writer")
    try:
        await measure_with(directory, number, spooler, writer)
    finally:
        writer.stop()
        spooler.stop()


async def measure_with(directory: Path, number: int, spooler: Threads, writer: Threads) -> None:
    """The same with the threads that the work is done in."""
    spool = Spool(directory / "spool", spooler)
    spool.open()
    kept = records(number)
    one_by_one = await fill(spool, kept[: number // 10], 1)
    together = await fill(spool, kept[number // 10 :], TOGETHER)
    each = spool.held_bytes / number
    tell(f"{each:.0f} bytes for each telegram in the spool, of {sum(map(len, kept)) / number:.0f}")
    tell(f"{each * THREE_DAYS_S / 1e6:.1f} MB for 72 hours of one every second")
    tell(f"{one_by_one:,.0f} a second are put there one by one, {together:,.0f} in bodies of {TOGETHER}")
    steady = await drain(SteadyStore(SteadyReadings()), spool)
    tell(f"{steady:,.0f} readings a second are drained into a store that takes 200 in 20 ms")
    await fill(spool, kept, TOGETHER)
    store = sqlite_store(directory / "dsmr.sqlite3", ZONE.name, writer, writer)
    await store.open()
    tell(f"{await drain(store, spool):,.0f} readings a second are drained into SQLite")
    await store.close()
    spool.close()


def run_reactor(measuring: Callable[[], Deferred[None]]) -> None:
    """Run the reactor until what is measured is told."""
    failures: list[Failure] = []

    def begin() -> None:
        measuring().addErrback(failures.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if failures:
        failures[0].raiseException()


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--telegrams", type=int, default=50_000, help="how many [50,000]")
    chosen = options.parse_args()
    number = 1000 if chosen.quick else chosen.telegrams
    with work_directory(chosen.directory) as directory:
        run_reactor(lambda: Deferred.fromCoroutine(measure(directory, number)))
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)

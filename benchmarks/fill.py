"""Fill databases with readings, for benchmarks of long lists.

    python -m benchmarks.fill --filled DIRECTORY 10000000

Each becomes a state directory of the service, named by its number of readings and by the schema; one that is there is
taken as it is.  A file of ten million readings has about 650 MB and takes some minutes.
The readings go through the store's own way of adding, with everything that belongs to them, in large commits that do
not wait for the disk.  They are those of one spring day of the demo's house, day after day, its registers running on.
"""

from __future__ import annotations

import shutil
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Final

from twisted.internet.defer import maybeDeferred

from benchmarks.houses import CABLE, EVERY_S, START, ZONE, arrivals
from benchmarks.reporting import run, tell
from dsmr_tw.domain.reading import DAY, SECOND, Arrival, DeviceReading, Reading
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.migrate import migrations
from dsmr_tw.store.threads import result_of

DATABASE: Final = "dsmr.sqlite3"
"""As the service names it in its state directory."""

PER_COMMIT: Final = 20_000

FIRST_AT: Final = START - 1_400 * DAY
"""Ten million readings, one every ten seconds, end before the demo's own ``START``."""


def readings(number: int, every_s: int = EVERY_S, first_at: int = FIRST_AT) -> Iterator[Arrival]:
    """So many readings of one house, every ten seconds unless told otherwise."""
    day = list(arrivals(1, START, DAY // (every_s * SECOND) + 1, every_s))
    first, last = day[0].reading, day.pop().reading
    assert first is not None and last is not None
    gains = (
        last.delivered_1 - first.delivered_1,
        last.returned_1 - first.returned_1,
        last.delivered_2 - first.delivered_2,
        last.returned_2 - first.returned_2,
    )
    gas_gain = day[-1].devices[0].value - day[0].devices[0].value
    shift = first_at - START
    return islice((_later(arrival, shift, days, gains, gas_gain) for days in count() for arrival in day), number)


def _later(arrival: Arrival, shift: int, days: int, gains: tuple[int, int, int, int], gas_gain: int) -> Arrival:
    """What the same moment of another day brings."""
    reading, shift = arrival.reading, shift + days * DAY
    assert reading is not None
    [gas] = arrival.devices
    return Arrival(
        CABLE,
        arrival.received_at + shift,
        Reading(
            reading.at + shift,
            reading.delivered_1 + days * gains[0],
            reading.returned_1 + days * gains[1],
            reading.delivered_2 + days * gains[2],
            reading.returned_2 + days * gains[3],
            reading.currently_delivered,
            reading.currently_returned,
            reading.powers_delivered,
            reading.powers_returned,
            reading.voltages,
            reading.currents,
        ),
        (DeviceReading(gas.at + shift, gas.value + days * gas_gain, gas.device_type, gas.channel, gas.equipment_id),),
        arrival.equipment_id,
    )


def filled(parent: Path, number: int) -> Path:
    """A state directory with so many readings: the one that is there, else a new one."""
    return kept(parent, f"readings-{number}", lambda path: fill(path, readings(number), number))


def kept(parent: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A state directory that is there, else a new one whose database ``make`` fills."""
    schema = sha256("".join(step.sql for step in migrations("sqlite")).encode()).hexdigest()[:8]
    place = parent / f"{name}-{schema}"
    if place.exists():
        return place
    unfinished = place.with_name(f"{place.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        make(unfinished / DATABASE)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return unfinished.rename(place)


def fill(path: Path, source: Iterator[Arrival], number: int) -> None:
    """Put so many readings into a new database."""
    store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    connection = store.database.writer()
    # Nobody needs the file if the power fails while it is made.
    connection.execute("PRAGMA synchronous = OFF")
    begun, done = perf_counter(), 0
    while group := list(islice(source, PER_COMMIT)):
        result_of(store.readings.add([group], group[-1].received_at))
        if done * 10 // number < (done + len(group)) * 10 // number:
            tell(f"filling: {done + len(group):,} of {number:,} readings after {perf_counter() - begun:.0f} s")
        done += len(group)
    # As if the ledger had been computed: what is measured is how readings are listed.
    connection.execute("DELETE FROM dirty_quarter")
    result_of(store.close())


def main() -> None:
    """Fill, and tell where."""
    options = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("number", type=int, nargs="+", help="how many readings")
    options.add_argument("--filled", type=Path, required=True, help="where the filled databases are kept")
    chosen = options.parse_args()
    for number in chosen.number:
        place = filled(chosen.filled, number)
        size = (place / DATABASE).stat().st_size
        tell(f"{number:,} readings in {place}, {size / 1e6:,.1f} MB, {size / number:.1f} bytes each")


if __name__ == "__main__":
    run(main)

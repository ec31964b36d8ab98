"""How many bytes of the database a reading takes, beside the same readings in plain columns.

A week of readings, one every ten seconds, go through the store's own way of adding, with gas every five minutes and
everything else that belongs to them; then the file's pages are counted, all tables and indexes included, less those of
an empty database.  The marks of quarters that nobody has computed yet are told apart, since they go when the ledger has
read them.
Three houses: the demo's, with three phases, sun, and registers of ten years; the same without anything returned, its
registers young; and one with a single phase, without anything returned.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from attrs import evolve, frozen
from twisted.internet.defer import maybeDeferred

from benchmarks.houses import EVERY_S, START, ZONE, arrivals
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from dsmr_tw.domain.reading import DAY, SECOND, Arrival, Phases, Reading
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.threads import result_of

TARGET: Final = 66
SEED: Final = 1
PER_COMMIT: Final = 200

Change = Callable[[Reading], Reading]


def as_it_is(reading: Reading) -> Reading:
    """The demo's house."""
    return reading


def without_return(reading: Reading) -> Reading:
    """The house of somebody without sun panels, moved in some months ago."""
    return evolve(
        reading,
        delivered_1=reading.delivered_1 % 1_000_000,
        delivered_2=reading.delivered_2 % 1_000_000,
        returned_1=0,
        returned_2=0,
        currently_returned=0,
        powers_returned=(0, 0, 0),
    )


def single_phase(reading: Reading) -> Reading:
    """The same on one phase, as most Dutch flats are."""
    volts, watts = reading.voltages[0], reading.currently_delivered
    assert volts
    return evolve(
        without_return(reading),
        powers_delivered=_first(watts),
        powers_returned=_first(0),
        voltages=_first(volts),
        currents=_first(round(watts * 1000 / volts) * 1000),
    )


def _first(value: int) -> Phases:
    return value, None, None


HOUSES: Final[dict[str, Change]] = {
    "three phases, with sun": as_it_is,
    "three phases, nothing returned, young registers": without_return,
    "single phase, nothing returned": single_phase,
}


@frozen
class Size:
    """The pages of a database, in bytes for each reading."""

    readings: float
    """Of everything but the marks."""
    marks: float


def stored(path: Path, source: Iterable[Arrival]) -> Size:
    """What the readings take in a new database of ours."""
    store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    empty = _used_bytes(store.database.writer())
    # It changes nothing about the size, and saves some minutes.
    store.database.writer().execute("PRAGMA synchronous = OFF")
    number = 0
    for group in _groups(source):
        result_of(store.readings.add([group], group[-1].received_at))
        number += len(group)
    result_of(store.close())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        pages = _used_bytes(connection)
        # What the marks take is what would be free without them; they stay.
        connection.execute("BEGIN")
        connection.execute("DELETE FROM dirty_quarter")
        unmarked = _used_bytes(connection)
        connection.execute("ROLLBACK")
    return Size((unmarked - empty) / number, (pages - unmarked) / number)


PLAIN: Final = """
    CREATE TABLE reading (
        id INTEGER PRIMARY KEY, meter_id, instant, delivered_1, returned_1, delivered_2, returned_2,
        currently_delivered, currently_returned, power_delivered_l1, power_delivered_l2, power_delivered_l3,
        power_returned_l1, power_returned_l2, power_returned_l3, voltage_l1, voltage_l2, voltage_l3,
        current_l1, current_l2, current_l3, gas_at, gas);
    CREATE INDEX reading_by_instant ON reading (meter_id, instant)"""


def in_plain_columns(path: Path, source: Iterable[Arrival]) -> float:
    """What they take in a table with a column for each value and an index by instant, in bytes for each."""
    rows = [(None, 1, *_plain(arrival)) for arrival in source]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA synchronous = OFF; {PLAIN}; BEGIN")
        connection.executemany(f"INSERT INTO reading VALUES ({', '.join('?' * len(rows[0]))})", rows)
        connection.execute("COMMIT")
        return _used_bytes(connection) / len(rows)


def _plain(arrival: Arrival) -> tuple[int | None, ...]:
    reading, [gas] = arrival.reading, arrival.devices
    assert reading is not None
    return (
        reading.at,
        reading.delivered_1,
        reading.returned_1,
        reading.delivered_2,
        reading.returned_2,
        reading.currently_delivered,
        reading.currently_returned,
        *reading.powers_delivered,
        *reading.powers_returned,
        *reading.voltages,
        *reading.currents,
        gas.at,
        gas.value,
    )


def _used_bytes(connection: Connection) -> int:
    [page], [pages], [free] = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "page_count", "freelist_count")
    )
    return int(page * (pages - free))


def _groups(source: Iterable[Arrival]) -> Iterator[list[Arrival]]:
    rest = iter(source)
    while group := list(islice(rest, PER_COMMIT)):
        yield group


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--days", type=int, default=7, help="how many days of readings [7]")
    chosen = options.parse_args()
    number = 100 if chosen.quick else chosen.days * DAY // (EVERY_S * SECOND)
    heard = list(arrivals(SEED, START, number))
    tell(f"Bytes for each of {number:,} readings; the target is {TARGET}")
    with work_directory(chosen.directory) as directory:
        for place, (words, change) in enumerate(HOUSES.items()):
            changed = [evolve(arrival, reading=change(arrival.reading)) for arrival in heard if arrival.reading]
            size = stored(directory / f"{place}.sqlite3", changed)
            plain = in_plain_columns(directory / f"{place}-plain.sqlite3", changed)
            tell(f"{size.readings:.1f} {words}, and {size.marks:.1f} of marks; {plain:.1f} in plain columns")
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)

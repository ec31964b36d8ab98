"""How many bytes of a PostgreSQL database a reading takes, all tables and indexes included.

A server is started for it.  Some houses, each one reading every ten seconds with gas every five minutes, have their
readings stored through the store's own way of adding; then the sizes of all relations are added up, less those of an
empty database.  The marks of quarters that nobody has computed yet are told apart, since they go when the ledger has
read them.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from attrs import evolve
from twisted.internet.defer import maybeDeferred

from benchmarks.houses import EVERY_S, START, ZONE, arrivals
from benchmarks.reporting import parser, run, tell, tell_conditions
from dsmr_tw.domain.reading import Arrival, Origin
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.threads import result_of
from tests.postgres import server

TARGET: Final = 180
READINGS: Final = 200_000
HOUSES: Final = 10
PER_COMMIT: Final = 200

MARKS: Final = "dirty_quarter"

SIZES: Final = """
    SELECT relname, pg_relation_size(oid), pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


def sizes(url: str) -> dict[str, tuple[int, int]]:
    """The bytes of each table: of its rows alone, and with all that belongs to it."""
    # How it will be some hours later, when the server has swept.
    server().ask("VACUUM", url)
    return {name: (rows, everything) for name, rows, everything in server().ask(SIZES, url)}


def fill(url: str, number: int, houses: int) -> int:
    """Store at least so many readings of so many houses; how many there are."""
    store = postgres_store(url, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    each, at_once = -(-number // houses), max(PER_COMMIT // houses, 1)
    origins = [_meter(url, place) for place in range(houses)]
    sources = [arrivals(seed, START, each) for seed in range(1, houses + 1)]
    stored = 0
    while True:
        groups = [_of(list(islice(source, at_once)), origin) for source, origin in zip(sources, origins, strict=True)]
        if not groups[0]:
            break
        result_of(store.readings.add(groups, max(group[-1].received_at for group in groups)))
        stored += sum(map(len, groups))
    result_of(store.close())
    return stored


def _meter(url: str, place: int) -> Origin:
    """Open an account; what leads to it."""
    server().ask(f"INSERT INTO meter (id, name, zone) VALUES ({place + 2}, 'House {place}', '{ZONE.name}')", url)
    return Origin(f"house {place}", place + 2)


def _of(heard: list[Arrival], origin: Origin) -> list[Arrival]:
    """What was heard, as a house's own equipment would print it."""
    return [
        evolve(
            arrival,
            origin=origin,
            equipment_id=f"E {origin.name}",
            devices=tuple(evolve(device, equipment_id=f"G {origin.name}") for device in arrival.devices),
        )
        for arrival in heard
    ]


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--readings", type=int, default=READINGS, help=f"how many readings [{READINGS}]")
    options.add_argument("--houses", type=int, default=HOUSES, help=f"of how many houses [{HOUSES}]")
    chosen = options.parse_args()
    url = server().database()
    result_of(postgres_store(url, ZONE.name, maybeDeferred, maybeDeferred).open())
    empty = sizes(url)
    number = fill(url, 1_000 if chosen.quick else chosen.readings, chosen.houses)
    grown = {name: (rows - empty[name][0], all_ - empty[name][1]) for name, (rows, all_) in sizes(url).items()}
    marks = grown.pop(MARKS)[1]
    total = sum(everything for _, everything in grown.values())
    every = f"one every {EVERY_S} s in {chosen.houses} houses"
    tell(f"Bytes for each of {number:,} readings, {every}; the target is {TARGET}")
    tell(f"{total / number:.1f} bytes a reading, and {marks / number:.1f} of marks")
    rows, everything = grown["reading"]
    rest = total - everything
    index = everything - rows
    tell(f"{rows / number:.1f} of them rows, {index / number:.1f} their index, {rest / number:.1f} all else")
    [(version,)] = server().ask("SHOW server_version")
    tell(f"PostgreSQL {version}")
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)

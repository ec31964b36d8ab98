"""How long the API takes for the latest reading and for a page, whatever the number of readings.

Each kind of page is asked for some hundred times over one connection that stays open, at several sizes of the list; the
count, which every page carries, is compared with what was filled in.  What is told is the time from the question to the
last byte of the answer: the median, and what 99 in 100 stay below.
In the same run: an answer that asks no table, and the plain way in SQL, count(*) and OFFSET on the same file.
"""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import urlencode

from attrs import frozen

from benchmarks.asking import Connection
from benchmarks.fill import DATABASE, FIRST_AT, filled
from benchmarks.houses import EVERY_S
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import service
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND

TARGET_MS: Final = 2
FAR: Final = 900_000
"""The offset of a page deep in the list; in a shorter list nine tenths of it."""

PAGE: Final = 25

READINGS: Final = "/api/v2/datalogger/dsmrreading"
PLAIN: Final = "/api/v2/application/version"
WARMING: Final = 20


@frozen
class Times:
    """How long the answers to one question took, in ms."""

    median: float
    most: float
    """What 99 in 100 stay below."""

    def text(self) -> str:
        """For people."""
        return f"{self.median:.2f} ms (99 in 100: {self.most:.2f})"


def times(connection: Connection, path: str, requests: int) -> Times:
    """Ask again and again."""
    for _ in range(WARMING):
        connection.ask(path)
    took = sorted(connection.seconds(path) * 1000 for _ in range(requests))
    return Times(statistics.median(took), took[min(requests * 99 // 100, requests - 1)])


def questions(number: int) -> dict[str, tuple[str, int]]:
    """What is asked about a list of so many readings: the URL, and the count that the answer must have."""
    far = min(FAR, number * 9 // 10)
    start, end = number // 3, number // 2
    span = {"timestamp__gte": _text(start), "timestamp__lte": _text(end), "limit": 1}
    return {
        "latest reading": (_url(ordering="-timestamp", limit=1), number),
        f"first page of {PAGE}": (READINGS, number),
        f"page at offset {far:,}": (_url(offset=far), number),
        "count of a span of time": (_url(**span), end - start + 1),
    }


def plain_sql(path: Path, number: int) -> float:
    """The usual way to a page and its count, in ms, without any HTTP."""
    far = min(FAR, number * 9 // 10)
    with closing(sqlite3.connect(path)) as connection:
        begun = perf_counter()
        connection.execute("SELECT count(*) FROM reading WHERE meter_id = 1").fetchall()
        connection.execute(
            "SELECT * FROM reading WHERE meter_id = 1 ORDER BY instant, id LIMIT ? OFFSET ?", (PAGE, far)
        ).fetchall()
        return (perf_counter() - begun) * 1000


def measure(state: Path, number: int, requests: int) -> None:
    """Ask a service with so many readings, and tell."""
    tell(f"{number:,} readings")
    with service(state) as served, served.connect() as connection:
        for words, (url, expected) in questions(number).items():
            count = connection.ask(url).json()["count"]
            assert count == expected, f"{url}: the count is {count}, not {expected}"
            tell(f"  {words}: {times(connection, url, requests).text()}")
        tell(f"  for comparison, an answer that asks no table: {times(connection, PLAIN, requests).text()}")
        took = statistics.median(plain_sql(state / DATABASE, number) for _ in range(3))
        tell(f"  for comparison, count(*) and OFFSET in plain SQL, without HTTP: {took:.2f} ms")
        tell(f"  memory of the service, at most: {served.most_memory_mb():.0f} MB")


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--readings", type=int, nargs="+", default=[10_000, 1_000_000], help="[10000 1000000]")
    options.add_argument("--requests", type=int, default=500, help="of each kind [500]")
    options.add_argument("--filled", type=Path, help="a directory whose databases are used, and kept [a temporary one]")
    chosen = options.parse_args()
    sizes, requests = ([1_000], 5) if chosen.quick else (chosen.readings, chosen.requests)
    with work_directory(chosen.directory) as directory:
        tell_conditions(chosen.filled or directory)
        states = {number: filled(chosen.filled or directory, number) for number in sizes}
        tell(f"The target is {TARGET_MS} ms, at any size")
        for number, state in states.items():
            measure(state, number, requests)


def _url(**parameters: object) -> str:
    return f"{READINGS}?{urlencode(parameters)}"


def _text(place: int) -> str:
    """The instant of the reading at a place in the list."""
    return to_utc_text(FIRST_AT + place * EVERY_S * SECOND)


if __name__ == "__main__":
    run(main)

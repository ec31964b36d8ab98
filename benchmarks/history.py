"""How long the API takes for statistics with ten years of history.

A house with a reading every five minutes for ten years, and its ledger; the last reading is of now.  Each kind of
question is asked some hundred times over one connection that stays open: the median, and what 99 in 100 stay below.
In the same run: an answer that asks no table, and the sum of a year in plain SQL over the readings' quarters.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from twisted.internet.defer import maybeDeferred

from benchmarks.fill import DATABASE, fill, kept, readings
from benchmarks.houses import ZONE
from benchmarks.pages import PLAIN, times
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import service
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of

TARGET_MS: Final = 10
EVERY_S: Final = 300
TEN_YEARS: Final = 3_652
"""In days."""

BEFORE: Final = "/api/v2/"


def ten_years(parent: Path, days: int) -> Path:
    """A state directory with so many days of readings, up to now, and their ledger."""
    number = days * DAY // (EVERY_S * SECOND)
    first_at = int(time.time()) // EVERY_S * EVERY_S * SECOND - number * EVERY_S * SECOND

    def make(path: Path) -> None:
        fill(path, readings(number + 1, EVERY_S, first_at), number + 1)
        store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
        result_of(store.open())
        begun = time.perf_counter()
        result_of(store.ledger.rebuild(1, -NEVER, NEVER, int(time.time() * SECOND), lambda readings: None))
        tell(f"their ledger took {time.perf_counter() - begun:.1f} s")
        result_of(store.close())

    return kept(parent, f"days-{days}", make)


def questions(days: int) -> dict[str, str]:
    """What is asked, in words, and the path."""
    now = int(time.time()) * SECOND
    start, end = now - days * DAY // 2 - 12_345 * SECOND, now - 98_765 * SECOND
    return {
        "today": "consumption/today",
        "the newest day": "statistics/day?ordering=-day&limit=1",
        "the first 25 days": "statistics/day",
        "25 days far into the list": f"statistics/day?offset={days * 9 // 10}",
        "the first 25 hours": "statistics/hour",
        "25 hours far into the list": f"statistics/hour?offset={days * 20}",
        "the first 25 quarters": "statistics/quarter",
        "25 quarters far into the list": f"statistics/quarter?offset={days * 90}",
        "25 months": "statistics/month",
        "all years": "statistics/year",
        "the total between two instants": f"statistics/total?{urlencode({'start': _text(start), 'end': _text(end)})}",
        "25 minutes": f"consumption/electricity?offset={days * 200}",
        "25 values of gas": f"consumption/gas?offset={days * 200}",
        "25 peaks": "consumption/quarter-hour-peak-electricity?ordering=-read_at_start",
    }


def plain_sql(path: Path) -> float:
    """What it takes to add up all quarters, in ms."""
    with closing(sqlite3.connect(path)) as connection:
        begun = time.perf_counter()
        connection.execute(
            "SELECT sum(delivered_1), sum(returned_1), sum(delivered_2), sum(returned_2) FROM quarter"
        ).fetchall()
        return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--requests", type=int, default=500, help="of each kind [500]")
    options.add_argument("--filled", type=Path, help="a directory whose databases are used, and kept [a temporary one]")
    chosen = options.parse_args()
    days, requests = (40, 3) if chosen.quick else (TEN_YEARS, chosen.requests)
    with work_directory(chosen.directory) as directory:
        tell_conditions(chosen.filled or directory)
        state = ten_years(chosen.filled or directory, days)
        tell(f"The limit is {TARGET_MS} ms for 99 in 100, with {days:,} days of history")
        with service(state) as served, served.connect() as connection:
            for words, path in questions(days).items():
                tell(f"  {words}: {times(connection, BEFORE + path, requests).text()}")
            tell(f"  for comparison, an answer that asks no table: {times(connection, PLAIN, requests).text()}")
        took = statistics.median(plain_sql(state / DATABASE) for _ in range(3))
        tell(f"  for comparison, all quarters added up in plain SQL, without HTTP: {took:.2f} ms")


def _text(instant: int) -> str:
    return to_utc_text(instant)


if __name__ == "__main__":
    run(main)

"""How long thinning out takes, and whether a post notices.

Ten million readings, one every ten seconds, of which all but a month are thinned out by `dsmr retention`, a process of
its own, while the server that owns the database is posted ten telegrams a second, whose answers are timed.
Every hour that was listed before must be listed afterwards, with the same amounts.
For comparison, in the same run: how long SQLite takes to count the readings.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

from twisted.internet.defer import maybeDeferred

from benchmarks.fill import DATABASE, filled
from benchmarks.houses import EVERY_S, ZONE
from benchmarks.ledger import Poster
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import CHECKOUT, service
from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of

READINGS: Final = 10_000_000
TARGET_POST_MS: Final = 100
KEEP: Final = "31d"


def compute(path: Path) -> None:
    """Give the readings their ledger."""
    store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    result_of(store.ledger.rebuild(1, -NEVER, NEVER, int(time.time() * SECOND), lambda readings: None))
    result_of(store.close())


def looked_at(path: Path, hours: int) -> tuple[int, str, int, float]:
    """How many readings there are, what the first hours are, the free bytes, and how long the count took in ms."""
    with closing(sqlite3.connect(path)) as connection:
        begun = time.perf_counter()
        (count,) = connection.execute("SELECT count(*) FROM reading WHERE meter_id = 1").fetchone()
        took = (time.perf_counter() - begun) * 1000
        found = sha256(
            repr(
                connection.execute("SELECT * FROM hour_statistics ORDER BY instant LIMIT ?", (hours,)).fetchall()
            ).encode()
        ).hexdigest()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        return int(count), found, int(free) * 4096, took


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--filled", type=Path, help="a directory whose databases are used, and kept [a temporary one]")
    chosen = options.parse_args()
    number = 8_640 * 3 if chosen.quick else READINGS
    with work_directory(chosen.directory) as directory:
        tell_conditions(directory)
        state = directory / "state"
        shutil.copytree(filled(chosen.filled or directory, number), state)
        compute(state / DATABASE)
        hours = number * EVERY_S // 3600 - 1
        before, rows, _, counting = looked_at(state / DATABASE, hours)
        with service(state) as served:
            poster = Poster(served)
            with poster.posting():
                begun = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "dsmr_tw.cli", "retention", "--keep", KEEP, "--state-dir", str(state)],
                    cwd=CHECKOUT,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                took = time.perf_counter() - begun
        after, rows_after, free, _ = looked_at(state / DATABASE, hours)
        assert rows_after == rows, "the hours are not as they were"
    tell(f"{took:.0f} s for {before:,} readings, of which {after:,} stay; {free / 1e6:,.0f} MB are free again")
    tell(f"{counting:.0f} ms is what SQLite takes to count the readings before")
    tell(
        f"{max(poster.took_ms):.0f} ms for the slowest of {len(poster.took_ms)} posts; the limit is {TARGET_POST_MS} ms"
    )
    tell("Every hour is as it was")


if __name__ == "__main__":
    run(main)

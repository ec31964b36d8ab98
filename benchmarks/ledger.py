"""How long the ledger takes: a year computed anew beside a running server, and a tick after one late reading.

The year has a telegram every ten seconds, 3.15 million of them.  `dsmr rebuild` computes it as a process of its own,
while the server that owns the database is posted ten telegrams a second, whose answers are timed.  Its memory is the
most that the kernel counted, less that of a command that has little to do.
Then single readings are stored late, far in the past, and the work that follows each is timed, commits included.
For comparison, in the same run: how long the same readings take to be read by SQLite alone.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from attrs import define, evolve, field
from twisted.internet.defer import maybeDeferred

from benchmarks.asking import post, post_all
from benchmarks.fill import DATABASE, fill, kept, readings
from benchmarks.houses import CABLE, EVERY_S, ZONE, House
from benchmarks.reporting import Spread, parser, run, tell, tell_conditions, work_directory
from benchmarks.served import CHECKOUT, Service, service
from dsmr_tw.domain.reading import SECOND, Arrival
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter

YEAR: Final = 365 * 24 * 3600 // EVERY_S
TARGET_S: Final = 10
TARGET_MB: Final = 40
TARGET_POST_MS: Final = 100
TARGET_TICK_MS: Final = 5
POSTS_A_SECOND: Final = 10


@define
class Poster:
    """Posts telegrams at a steady rate, and remembers how long each answer took."""

    served: Service
    took_ms: list[float] = field(factory=list)
    _stop: Event = field(factory=Event)

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Post as long as the block lasts."""
        thread = Thread(target=self._post)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _post(self) -> None:
        house = House(2, int(time.time() - 3600) * SECOND, 1)
        while not self._stop.wait(1 / POSTS_A_SECOND):
            [telegram] = house.telegrams(1)
            self.took_ms.append(post_all(self.served.port, [[post(telegram, self.served.key)]]) * 1000)


def up_to_now(parent: Path, number: int) -> Path:
    """A state directory with so many readings, the last of them of now: what is posted is of another meter then."""
    first_at = (int(time.time()) // EVERY_S * EVERY_S - number * EVERY_S) * SECOND
    return kept(parent, f"up-to-now-{number}", lambda path: fill(path, readings(number, EVERY_S, first_at), number))


def command(*words: str, state: Path) -> tuple[float, float]:
    """Run an admin command: its seconds, and the most memory that it held in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmr_tw.cli", *words, "--state-dir", str(state)],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    assert status == 0, f"dsmr {' '.join(words)} ended with {status}"
    return took, usage.ru_maxrss / 1024


def late_ticks(path: Path, number: int) -> Spread:
    """How long a tick takes after a late reading, in ms, again and again."""
    store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    now = int(time.time() * SECOND)
    count = result_of(store.readings.page(ReadingFilter(1), True, 0, 1)).count
    took = []
    for each in range(number):
        place = count * (each + 1) // (number + 2)
        [before] = result_of(store.readings.page(ReadingFilter(1), False, place, 1)).readings
        late = evolve(before.reading, at=before.reading.at + SECOND)
        result_of(store.readings.add([[Arrival(CABLE, now, late)]], now))
        begun = time.perf_counter()
        for meter_id in result_of(store.ledger.dirty(now)):
            while result_of(store.ledger.recompute(meter_id, now)):
                pass
            while result_of(store.ledger.close(meter_id, now)):
                pass
        took.append((time.perf_counter() - begun) * 1000)
    result_of(store.close())
    # The first tick after a start looks at all meters.
    return Spread(tuple(took[1:]))


def bare_read(path: Path) -> float:
    """How many seconds SQLite takes to hand over the positions of all readings."""
    with closing(sqlite3.connect(path)) as connection:
        begun = time.perf_counter()
        for _ in connection.execute(
            "SELECT instant, id, equipment_id, delivered_1, returned_1, delivered_2, returned_2, power FROM reading"
        ):
            pass
        return time.perf_counter() - begun


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--filled", type=Path, help="a directory whose databases are used, and kept [a temporary one]")
    chosen = options.parse_args()
    number, rounds, ticks = (8_640, 1, 3) if chosen.quick else (YEAR, 3, 50)
    with work_directory(chosen.directory) as directory:
        tell_conditions(directory)
        shutil.copytree(up_to_now(chosen.filled or directory, number), directory / "state")
        database = directory / "state" / DATABASE
        took, memory = [], []
        with service(directory / "state") as served:
            poster = Poster(served)
            _, nothing = command("apikey", "list", state=directory / "state")
            with poster.posting():
                for _ in range(rounds):
                    seconds, most = command("rebuild", state=directory / "state")
                    took.append(seconds)
                    memory.append(most - nothing)
        late = late_ticks(database, ticks)
        bare = bare_read(database)
    tell(f"{Spread(tuple(took)).text(1)} s for {number:,} readings computed anew; the limit for a year is {TARGET_S} s")
    tell(f"{bare:.1f} s is what SQLite alone takes to hand the same readings over")
    tell(f"{max(memory):.0f} MB more memory than a command that lists the keys; the limit is {TARGET_MB} MB")
    tell(
        f"{max(poster.took_ms):.0f} ms for the slowest of {len(poster.took_ms)} posts; the limit is {TARGET_POST_MS} ms"
    )
    tell(f"{late.text(1)} ms for a tick after a late reading; the limit is {TARGET_TICK_MS} ms")


if __name__ == "__main__":
    run(main)

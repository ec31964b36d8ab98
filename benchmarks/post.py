"""How many durable POSTs a second the service answers, and what each costs, beside what its disk can do.

Eight clients post to version 1 of the API over connections that stay open, each the telegrams of a house of its own,
the next one when the last was answered with 201, which it is once the reading is on the disk; then one client does the
same.  The service is a process of its own on an empty SQLite database; its processor time is what the kernel counts for
all its threads.
In the same run, on the same disk, SQLite commits one bare row at a time: who posts one by one waits for no less.
At the end the service must list as many readings as were answered with 201.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from attrs import frozen

from benchmarks.asking import post, post_all
from benchmarks.houses import EVERY_S, House
from benchmarks.reporting import Spread, parser, run, tell, tell_conditions, work_directory
from benchmarks.served import Service, service
from dsmr_tw.domain.reading import SECOND

TARGET_RATE = 2_000
TARGET_CPU_MS = 0.5
CLIENTS = 8
COMMITS = 500


@frozen
class Load:
    """What one load brought about."""

    posts: int
    rate: float
    """POSTs a second."""
    cpu_ms: float
    """The service's processor time for each."""


def load(served: Service, houses: Sequence[House], each: int) -> Load:
    """Let each house post its next telegrams, all houses at the same time."""
    clients = [[post(telegram, served.key) for telegram in house.telegrams(each)] for house in houses]
    cpu_before = served.cpu_s()
    took = post_all(served.port, clients)
    posts = each * len(clients)
    return Load(posts, posts / took, (served.cpu_s() - cpu_before) * 1000 / posts)


def bare_commits(directory: Path, number: int) -> float:
    """How many rows a second SQLite makes durable on this disk, one commit for each."""
    with closing(sqlite3.connect(directory / "bare.sqlite3", isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        connection.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, number INTEGER)")
        begun = time.perf_counter()
        for number_ in range(number):
            connection.execute("INSERT INTO bare (number) VALUES (?)", (number_,))
        return number / (time.perf_counter() - begun)


def listed(served: Service) -> int:
    """How many readings the service says it has, of all meters."""
    with served.connect() as connection:
        return sum(int(meter["readings"]) for meter in connection.ask("/api/v2/meters").json())


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__).parse_args()
    rounds, each = (1, 10) if options.quick else (3, 1_000)
    commits: list[float] = []
    alone: list[Load] = []
    together: list[Load] = []
    with work_directory(options.directory) as directory, service(directory / "state") as served:
        tell_conditions(directory)
        # Their last telegrams are of now, about.
        start = int(time.time() - (rounds + 1) * each * EVERY_S) * SECOND
        *houses, lonely = (House(seed, start) for seed in range(1, CLIENTS + 2))
        warming = load(served, [*houses, lonely], each // 10)
        for _ in range(rounds):
            commits.append(bare_commits(directory, 20 if options.quick else COMMITS))
            together.append(load(served, houses, each))
            alone.append(load(served, [lonely], each))
        posted = sum(done.posts for done in (warming, *together, *alone))
        assert listed(served) == posted, f"{posted} answers were 201, but {listed(served)} readings are listed"

    tell(
        f"{_rates(together)} durable POSTs a second from {CLIENTS} clients, {_costs(together)} ms of processor time "
        f"each; the targets are {TARGET_RATE:,} and {TARGET_CPU_MS} ms"
    )
    tell(f"{_rates(alone)} a second from 1 client, {_costs(alone)} ms each")
    tell(f"{Spread(tuple(commits)).text()} a second is what SQLite commits here one bare row at a time")
    tell(f"All {posted:,} were answered with 201, and as many readings are listed")


def _rates(loads: list[Load]) -> str:
    return Spread(tuple(done.rate for done in loads)).text()


def _costs(loads: list[Load]) -> str:
    return Spread(tuple(done.cpu_ms for done in loads)).text(2)


if __name__ == "__main__":
    run(main)

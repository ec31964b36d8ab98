"""What is lost when the service is killed in the midst of its work, again and again.

Servers and commands end by `kill -9` at random moments: in commits, while the spool grows and while it drains, while an
old database is brought up to date (and copied before), while the ledger is computed anew, while old readings are
thinned out, and while a first start writes the key of its owner.  Three clients post all the time, and post again what
was not answered.  Most kills wait until what they are meant for has begun.  Whether they fell inside it is looked at,
not assumed: the work was not done, and for a commit the process was waiting for its disk (with PostgreSQL, a post for
its answer).
Every 20 kills of a server on SQLite, and every 8 of one on PostgreSQL, all readings that were answered with 201, or
acknowledged by the spool, are looked for, and the ledger is compared with that of a rebuild.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from attrs import define, field

from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from tests.live.killing import Tally
from tests.live.lives import Life
from tests.live.shortlives import Beginning, Migrating, Thinning
from tests.postgres import Server, programs

TELL_EVERY = 20


@define
class Ordeal:
    """Kills, until there were enough of them."""

    directory: Path
    wanted: int
    minutes: float
    """When they are over, those that there were are enough."""
    chance: Random
    postgres: Server | None
    tally: Tally = field(factory=Tally)
    _told: int = 0
    _lives: int = 0
    _began: float = field(factory=time.monotonic)

    @property
    def _kills(self) -> int:
        return sum(self.tally.kills.values())

    @property
    def _is_over(self) -> bool:
        return self._kills >= self.wanted or time.monotonic() - self._began > 60 * self.minutes

    def run(self) -> None:
        """Kill."""
        self._live_long()
        if self._is_over:
            return
        migrating = Migrating(self.directory / "migrating", self.tally, self.chance)
        thinning = Thinning(self.directory / "thinning", self.tally, self.chance)
        beginning = Beginning(self.directory / "beginning", self.tally, self.chance)
        while not self._is_over:
            self._repeat(migrating.kill_migrating, 6)
            self._repeat(thinning.kill_thinning, 4)
            self._repeat(beginning.kill_writing, 6)
            self._live_long()

    def _live_long(self) -> None:
        """A life on each database."""
        self._live(5)
        if self.postgres is not None:
            self._live(2, self.postgres)

    def _live(self, cycles: int, postgres: Server | None = None) -> None:
        """A life, all of whose readings are looked for in the end."""
        if self._is_over:
            return
        self._lives += 1
        folder = self.directory / f"life-{self._lives}"
        if postgres is None:
            life = Life(folder, self.tally, self.chance)
        else:
            url = postgres.database()
            life = Life(folder, self.tally, self.chance, url, lambda sql: postgres.ask(sql, url))
        with life.living():
            self._repeat(life.cycle, cycles)
            life.verify()

    def _repeat(self, kill: Callable[[], None], times: int) -> None:
        for _ in range(times):
            if not self._is_over:
                kill()
                self._tell_progress()

    def _tell_progress(self) -> None:
        if self._kills - self._told >= TELL_EVERY:
            self._told = self._kills
            minutes = (time.monotonic() - self._began) / 60
            wrong = f"{len(self.tally.wrong)} things were wrong" if self.tally.wrong else "nothing was wrong"
            tell(f"{self._kills:,} of {self.wanted:,} kills in {minutes:.1f} minutes, {wrong} so far")

    def report(self) -> Iterator[str]:
        """What came of it."""
        tally = self.tally
        for what, number in sorted(tally.kills.items()):
            yield f"{number:,} kills in {what}, of which {tally.inside[what]:,} fell inside it for sure"
        yield f"{tally.looked_for:,} readings were looked for after {self._kills:,} kills"
        yield (
            f"{tally.starts:,} starts, of which the slowest took {tally.slowest_start_s:.1f} s "
            f"({tally.longest_start_s:.1f} s with the time for which other programs had the processors)"
        )
        yield from tally.wrong
        yield f"{len(tally.wrong)} things were wrong: readings lost or doubled, ledgers unlike a rebuild, slow starts"


def main() -> None:
    """Kill and tell."""
    options = parser(__doc__)
    options.add_argument("--kills", type=int, default=1000, help="how many at least [1,000]")
    options.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, too [no limit]")
    options.add_argument("--seed", type=int, default=1, help="of the chance that says when [1]")
    chosen = options.parse_args()
    postgres = None if chosen.quick or programs() is None else Server.made(fsync=True)
    try:
        with work_directory(chosen.directory) as directory:
            kills = 4 if chosen.quick else chosen.kills
            ordeal = Ordeal(directory, kills, chosen.minutes, Random(chosen.seed), postgres)
            try:
                ordeal.run()
            except KeyboardInterrupt:
                tell("Stopped; this is what there was.")
    finally:
        if postgres is not None:
            postgres.dispose()
    for line in ordeal.report():
        tell(line)
    tell_conditions(chosen.directory)
    if ordeal.tally.wrong:
        sys.exit(1)


if __name__ == "__main__":
    run(main)

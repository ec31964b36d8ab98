"""How many acknowledged telegrams power cuts cost, and how long a start takes after one.

The service runs on a disk that is a process of this checkout (FUSE), and that forgets at a cut what was not synced:
each write and each name may be there or not, in any order, the last one torn.  Three clients post as fast as they are
answered.  The power goes at a write, a sync or a change of a name: in three of ten cuts while the service starts.
After each cut it starts on what is left, and everything that was answered with 201 is looked for.
Two thirds of the cuts hit the SQLite store, one third the spool, while its database is away.  After ten cuts the disk
is a new one, when the ledger was compared with a rebuild, or the spool was stored.

What a start takes does not include waiting for a processor while other programs have it.

It needs root and /dev/fuse, for which it says so; the first thing that is wrong ends it, with the seed that shows it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from twisted.trial.unittest import SkipTest

from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from tests.powercut.cutting import Life, Wrong
from tests.powercut.lives import SpoolLife, SqliteLife
from tests.powercut.powered import needed

CUTS_IN_A_LIFE: Final = 10
QUICK: Final = 4


def live(lives: list[Life], directory: Path, cuts: int, in_a_life: int, seed: int) -> None:
    """Live through so many cuts, each life with a seed of its own; ``lives`` are those that came to their end.

    Raises: ``Wrong``
    """
    done = 0
    while done < cuts:
        of_this = seed + len(lives)
        kind = SpoolLife if of_this % 3 == 1 else SqliteLife
        life = kind(directory / f"life-{of_this}", of_this)
        try:
            for _ in life.live(min(in_a_life, cuts - done)):
                done += 1
        except Wrong as error:
            raise Wrong(f"{kind.__name__} with seed {life.seed}, after {life.cuts} cuts: {error}") from error
        finally:
            life.end()
        lives.append(life)
        tell(f"{done:,} of {cuts:,} cuts, nothing wrong; the slowest start took {max(life.starts_s):.1f} s")


def main() -> None:
    """Cut and tell."""
    options = parser(__doc__)
    options.add_argument("--cuts", type=int, default=1_000, help="how many [1000]")
    options.add_argument("--seed", type=int, help="of the first life, to see again what was wrong [by chance]")
    chosen = options.parse_args()
    try:
        needed()
    except SkipTest as error:
        sys.exit(f"This can't be tried here: {error}.")
    cuts = QUICK if chosen.quick else chosen.cuts
    seed = 3 * Random().randrange(1_000_000) if chosen.seed is None else chosen.seed
    began = time.monotonic()
    lives: list[Life] = []
    with work_directory(chosen.directory) as directory:
        try:
            live(lives, directory, cuts, QUICK // 2 if chosen.quick else CUTS_IN_A_LIFE, seed)
        except Wrong as error:
            sys.exit(f"Wrong: {error}")
        finally:
            tell_of(lives)
    tell(f"seed {seed}, {time.monotonic() - began:,.0f} s in all")
    tell_conditions(chosen.directory)


def tell_of(lives: list[Life]) -> None:
    """What is found, also when it is ended sooner."""
    for kind, name in ((SqliteLife, "SQLite"), (SpoolLife, "the spool")):
        of = [life for life in lives if type(life) is kind]
        cut, stored = sum(life.cuts for life in of), sum(life.posting.stored for life in of)
        tell(
            f"{cut:,} cuts of {name}: {stored:,} telegrams were acknowledged, 0 are lost, 0 there twice; "
            f"{sum(life.unsafe for life in of):,} changes were not synced when the power went"
        )
    starts = sorted(start for life in lives for start in life.starts_s)
    if starts:
        tell(f"{len(starts):,} starts took {starts[len(starts) // 2]:.1f} s, the slowest {starts[-1]:.1f} s")


if __name__ == "__main__":
    run(main)

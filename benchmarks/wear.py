"""How many bytes a day go to the disk when a meter prints a telegram every second: what wears out a memory card.

The demo's telegrams go through the datalogger to an SQLite file on a real disk, every second by a clock that is turned
by hand, and are committed each second, every 5 and every 30 (--commit-interval).  What is told is what the kernel says
that this process has caused to be written (write_bytes of /proc/self/io), folding the write-ahead log into the database
included, made a day's worth.  The journal of the file system itself comes on top.
For comparison, the telegrams as they are: what a plain log of them would take.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from benchmarks.houses import CABLE, START, ZONE, House, raw
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.limits import Limits
from dsmr_tw.spool import Spool
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of

INTERVALS_S: Final = (1, 5, 30)
SECONDS_A_DAY: Final = DAY // SECOND
MEGA: Final = 1e6


@frozen
class Written:
    """What a while of telegrams cost the disk."""

    bytes_a_day: float
    commits: int


def write(path: Path, telegrams: list[RawTelegram], interval_s: int) -> Written:
    """Store one telegram every second, as the service does."""
    clock = Clock()
    clock.advance(START // SECOND)
    store = sqlite_store(path, ZONE.name, maybeDeferred, maybeDeferred)
    result_of(store.open())
    spool = Spool(path.with_suffix(".spool"), maybeDeferred)
    spool.open()
    datalogger = Datalogger(store, clock, ZONE, Limits(), spool, interval_s)
    datalogger.startService()
    commits = 0
    before = written_bytes()
    for telegram in telegrams:
        datalogger.telegram_received(telegram, int(clock.seconds()) * SECOND, CABLE)
        last_commit_at = datalogger.commits.last_commit_at
        clock.advance(1)
        commits += datalogger.commits.last_commit_at != last_commit_at
    result_of(datalogger.stopService())
    spool.close()
    # Folds what is left in the write-ahead log, which a longer run would have done all along.
    result_of(store.close())
    return Written((written_bytes() - before) / len(telegrams) * SECONDS_A_DAY, commits)


def written_bytes() -> int:
    """What the kernel says that this process has caused to be written."""
    found = re.search(r"^write_bytes: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--minutes", type=int, default=30, help="of telegrams [30]")
    chosen = options.parse_args()
    number = 60 * (1 if chosen.quick else chosen.minutes)
    printed = House(1, START, every_s=1).telegrams(number)
    telegrams = [raw(telegram) for telegram in printed]
    with work_directory(chosen.directory) as directory:
        tell("MB a day go to the disk with a telegram every second:")
        for interval_s in INTERVALS_S:
            written = write(directory / f"{interval_s}.sqlite3", telegrams, interval_s)
            tell(
                f"{written.bytes_a_day / MEGA:,.0f} when committed every {interval_s} s; "
                f"measured over {written.commits:,} commits of {number:,} readings"
            )
    plain = sum(map(len, printed)) / number * SECONDS_A_DAY
    tell(f"{plain / MEGA:,.0f} would be the telegrams themselves, in a plain log")
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)

"""How much memory the whole service takes, idle and under load, beside Python with Twisted and Klein alone.

Told is the resident set (RSS) that the kernel counts, in MB of 1024 × 1024 bytes.  The load: eight clients that post as
fast as they are answered; then lists of 10,000 readings, the longest page there is, asked for again and again by one
client, and by four at the same time.
Where pyOpenSSL is installed, Twisted imports it, whether it is needed or not; so it is told whether it is.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Final

from benchmarks.houses import EVERY_S, House
from benchmarks.post import CLIENTS, load
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import Service, service
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.limits import PAGE_ROWS

LIMIT_MB: Final = 64
READERS: Final = 4

ALONE: Final = """
import sqlite3, klein, twisted.internet.reactor, twisted.web.server
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def memory_alone() -> float:
    """What Python takes for the libraries alone, in MB."""
    return int(subprocess.run([sys.executable, "-c", ALONE], capture_output=True, check=True).stdout) / 1024


def list_pages(served: Service, readers: int, pages: int) -> None:
    """Let some clients ask for so many of the longest pages."""

    def ask(page: int) -> int:
        with served.connect() as connection:
            return len(connection.ask(f"/api/v2/datalogger/dsmrreading?limit={PAGE_ROWS}").body)

    with ThreadPoolExecutor(readers) as pool:
        assert all(pool.map(ask, range(pages)))


def _tls() -> str:
    return "with pyOpenSSL" if find_spec("OpenSSL") else "without pyOpenSSL"


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__).parse_args()
    each, pages, rest_s = (10, 2, 0.1) if options.quick else (1_250, 20, 5.0)
    with work_directory(options.directory) as directory, service(directory / "state") as served:
        tell_conditions(directory)
        time.sleep(rest_s)
        idle = served.memory_mb()
        start = int(time.time() - (PAGE_ROWS + each) * EVERY_S) * SECOND
        # The first house alone, so that there is a page full of its readings.
        houses = [House(seed, start) for seed in range(1, CLIENTS + 1)]
        load(served, houses[:1], each if options.quick else PAGE_ROWS)
        load(served, houses, each)
        # The most is since the start, so each load must be heavier than the one before; they are.
        posting = served.most_memory_mb()
        list_pages(served, 1, pages)
        listing = served.most_memory_mb()
        list_pages(served, READERS, pages)
        together, left = served.most_memory_mb(), served.memory_mb()
    tell(f"At most {posting:.0f} MB while {CLIENTS} clients post; the limit is {LIMIT_MB} MB")
    tell(f"Idle {idle:.0f} MB; Python with Twisted and Klein alone {memory_alone():.0f} MB, {_tls()}")
    tell(f"At most {listing:.0f} MB while a client lists pages of {PAGE_ROWS:,} readings")
    tell(f"At most {together:.0f} MB while {READERS} clients do, and {left:.0f} MB afterwards")


if __name__ == "__main__":
    run(main)

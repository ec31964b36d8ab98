"""Whether memory stays flat while a million telegrams become readings, each with a log of ten power failures.

The telegrams are those of five hours and a half of the demo's house, DSMR 5 with three phases, again and again.
After every sixtieth of them the power fails, so that the log is another one each time.
Told is the resident set (RSS) that the kernel counts, in MB of 1024 × 1024 bytes: after a tenth of them, when all that
is remembered between telegrams is there, and at the end.  Beside it what dsmr-parser takes more for fewer of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from itertools import cycle

from fastcrc.crc16 import arc

from benchmarks.houses import START, House
from benchmarks.parse import peer, readings
from benchmarks.reporting import parser, resident_mb, run, tell, tell_conditions

TELEGRAMS = 1_000_000
HOUSE = 20_000
"""How many telegrams of the house there are."""

FAILURE_EVERY = 60
ENTRIES = 10
PEERS = 20_000
"""How many dsmr-parser gets: it is much slower."""

FIRST_FAILURE = datetime(2010, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def log(number: int) -> bytes:
    """The line of the log after so many failures, newest first."""
    entries = (
        f"({FIRST_FAILURE + timedelta(hours=5 * n):%y%m%d%H%M%S}W)({n % 5000 + 180:010}*s)"
        for n in range(number + ENTRIES, number, -1)
    )
    return f"1-0:99.97.0({ENTRIES})(0-0:96.7.19){''.join(entries)}\r\n".encode()


def telegrams(house: Sequence[bytes], number: int) -> Iterator[bytes]:
    """So many of a house's, again and again, with a log that changes."""
    for n, telegram in zip(range(number), cycle(house), strict=False):
        head, _, rest = telegram.partition(b"1-0:99.97.0")
        body = head + log(n // FAILURE_EVERY) + rest[rest.index(b"\n") + 1 : rest.rindex(b"!") + 1]
        yield body + b"%04X\r\n" % arc(body)


def growth(work: Iterator[object], number: int) -> tuple[float, float]:
    """The memory after a tenth of the work, and at its end."""
    early = late = 0.0
    for done, _ in enumerate(work, 1):
        if done == number // 10:
            gc.collect()
            early = resident_mb()
            tell(f"  {done:,} telegrams: {early:.1f} MB")
    gc.collect()
    late = resident_mb()
    assert done == number, done
    return early, late


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--telegrams", type=int, default=TELEGRAMS, help="how many [1,000,000]")
    chosen = options.parse_args()
    number, peers = (2000, 20) if chosen.quick else (max(chosen.telegrams, 10), PEERS)
    house = House(1, START, every_s=1).telegrams(min(HOUSE, number))
    early, late = growth(readings(telegrams(house, number)), number)
    tell(
        f"{late - early:+.1f} MB from {number // 10:,} telegrams on to {number:,}, each with a log: "
        f"{late:.1f} MB at the end"
    )
    parse = peer()
    if parse is not None:
        early, late = growth(parse(telegram.decode("ascii") for telegram in telegrams(house, peers)), peers)
        tell(f"{late - early:+.1f} MB from {peers // 10:,} to {peers:,} by dsmr-parser {version('dsmr-parser')}")
    else:
        tell("dsmr-parser is not installed, so there is nothing to compare with: pip install dsmr-parser")
    tell_conditions()


if __name__ == "__main__":
    run(main)

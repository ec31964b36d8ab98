"""Whether anything that comes over a line breaks the way from bytes to readings: ``tests/test_fuzz.py``, run longer.

Streams are made of telegrams of all dialects: cut, overlapping, flipped, shuffled, swollen, some with a right CRC all
the same, amid noise; every third stream is encrypted.  Two good telegrams follow each, and must be taken; what else
must hold is in ``tests/fuzzing.py``.  What does not hold ends the run, and the seed of that stream is told.
Memory is the resident set (RSS) that the kernel counts, in MB of 1024 × 1024 bytes.
"""

from __future__ import annotations

import sys
import time
from random import Random
from typing import Final

from benchmarks.reporting import parser, resident_mb, run, tell, tell_conditions
from dsmr_tw.domain.telegram import CrcPolicy
from tests.fuzzing import Fuzzing

BYTES: Final = 100_000_000
QUICK: Final = 200_000
STEPS: Final = 10
POLICIES: Final = tuple(CrcPolicy)


def try_stream(fuzzing: Fuzzing, seed: int) -> None:
    """Try the stream of a seed; the process ends if anything does not hold."""
    try:
        random = Random(seed)
        if seed % 3:
            fuzzing.plain(random, POLICIES[seed // 3 % len(POLICIES)])
        else:
            fuzzing.encrypted(random)
    except Exception:
        tell(f"Something broke. Try that stream again: python -m benchmarks.fuzz --bytes 1 --seed {seed}")
        raise


def main() -> None:
    """Try, and tell."""
    options = parser(__doc__)
    options.add_argument("--bytes", type=int, default=BYTES, help="how many are tried [100,000,000]")
    options.add_argument("--seed", type=int, default=1, help="of the first stream; the next has the next one [1]")
    chosen = options.parse_args()
    wanted = QUICK if chosen.quick else chosen.bytes
    if wanted < 1:
        sys.exit("--bytes must be at least 1.")
    fuzzing, seed = Fuzzing(), chosen.seed
    resident: list[float] = []
    begun = time.perf_counter()
    while fuzzing.bytes_tried < wanted:
        try_stream(fuzzing, seed)
        seed += 1
        if fuzzing.bytes_tried * STEPS >= wanted * (len(resident) + 1):
            resident.append(resident_mb())
            tell(f"  {fuzzing.bytes_tried:,} bytes, {time.perf_counter() - begun:.0f} s, {resident[-1]:.1f} MB")
    took = time.perf_counter() - begun
    counted = fuzzing.counted
    tried = fuzzing.bytes_tried
    tell(f"{tried:,} bytes in {seed - chosen.seed:,} streams, {tried / took / 1e6:.1f} million a second")
    tell(
        f"Nothing broke: {counted['taken']:,} telegrams were taken, of which {counted['not understood']:,} were not "
        f"understood, {counted['refused']:,} were refused, and the next good one was taken behind each stream"
    )
    tell(f"At most {fuzzing.most_held:,} bytes waited for what was to come")
    tell(f"Memory after a tenth of it: {resident[0]:.1f} MB, at the end: {resident[-1]:.1f} MB")
    tell_conditions()


if __name__ == "__main__":
    run(main)

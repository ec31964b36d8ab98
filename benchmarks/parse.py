"""How many telegrams a second become readings, beside dsmr-parser on the same telegrams.

The telegrams are those of the demo's house, no two alike: DSMR 5 with three phases and gas, one every ten seconds.
Here a telegram goes the way of one that comes over a line: cut into lines, put together again, its CRC checked, each
line understood, made a reading.  dsmr-parser gets whole telegrams as text, so is spared finding them; its CRC check is
on.  Both run on one core, in turns; what counts is processor time, so that other programs matter little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain
from time import process_time
from typing import Any

from benchmarks.houses import CABLE, START, ZONE, House
from benchmarks.reporting import Spread, parser, run, tell, tell_conditions
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Reading
from dsmr_tw.domain.telegram import RawTelegram, TelegramAssembler

TARGET = 20_000
SEED = 1
SHARE = 20
"""What is slow gets one telegram in so many."""

Work = Callable[[Sequence[Any]], Iterator[Any]]


def readings(stream: Iterable[bytes]) -> Iterator[Reading]:
    """What the telegrams of a line become."""
    assembler, understanding = TelegramAssembler(), TelegramParser()
    for telegram in stream:
        for line in telegram.split(b"\n")[:-1]:
            for outcome in assembler.line(line):
                assert isinstance(outcome, RawTelegram), outcome
                reading = arrival(understanding.parse(outcome), CABLE, START, ZONE).reading
                assert reading is not None
                yield reading


def readings_of_strangers(stream: Sequence[bytes]) -> Iterator[Reading]:
    """The same when each telegram is the first of its meter, so that no line of it was understood before."""
    return chain.from_iterable(readings([telegram]) for telegram in stream)


def peer() -> Work | None:
    """What dsmr-parser makes of telegrams, if it is installed."""
    if find_spec("dsmr_parser") is None:
        return None
    # By name, since it has no annotations to check against.
    specification = import_module("dsmr_parser.telegram_specifications").V5
    parse = import_module("dsmr_parser.parsers").TelegramParser(specification, apply_checksum_validation=True).parse
    return lambda texts: (parse(text, throw_ex=True) for text in texts)


def rate(work: Work, stream: Sequence[Any]) -> float:
    """Telegrams a second; each is forgotten before the next."""
    begun = process_time()
    done = sum(1 for _ in work(stream))
    took = process_time() - begun
    assert done == len(stream)
    return done / took


def check(ours: Reading, theirs: Any) -> None:
    """Make sure that both have read the same."""
    assert theirs.ELECTRICITY_USED_TARIFF_1.value * 1000 == Decimal(ours.delivered_1)
    assert theirs.CURRENT_ELECTRICITY_DELIVERY.value * 1000 == Decimal(ours.currently_returned)


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__).parse_args()
    rounds, number = (1, 20) if options.quick else (5, 20_000)
    stream = House(SEED, START).telegrams(number)
    some = stream[:: 1 if options.quick else SHARE]
    texts = [telegram.decode("ascii") for telegram in some]
    parse = peer()
    if parse is not None:
        for reading, telegram in zip(readings(some[:100]), parse(texts[:100]), strict=True):
            check(reading, telegram)
    ours, strangers, theirs = [], [], []
    for _ in range(rounds):
        ours.append(rate(readings, stream))
        strangers.append(rate(readings_of_strangers, some))
        if parse is not None:
            theirs.append(rate(parse, texts))

    here = Spread(tuple(ours))
    tell(f"{here.text()} telegrams a second become readings, CRC checked; the target is {TARGET:,}")
    tell(f"{Spread(tuple(strangers)).text()} a second of meters that are heard for the first time, no line known")
    if theirs:
        there = Spread(tuple(theirs))
        tell(
            f"{there.text()} a second by dsmr-parser {version('dsmr-parser')} on some of the same telegrams: "
            f"{here.median / there.median:.0f} times fewer"
        )
    else:
        tell("dsmr-parser is not installed, so there is nothing to compare with: pip install dsmr-parser")
    tell_conditions()


if __name__ == "__main__":
    run(main)

"""Responsible for a program that only fills a spool, with files so small that it begins a new one all the time.

    python -m tests.live.spoolwriter DIRECTORY METER FIRST

Ten telegrams at a time, each as a server spools it; their numbers are printed when they are on the disk.
"""

from __future__ import annotations

import sys
import time
from itertools import count
from pathlib import Path
from typing import Final

from twisted.internet.defer import maybeDeferred

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.spooled import record_of
from dsmr_tw.domain.telegram import telegrams_in
from dsmr_tw.spool import Spool
from dsmr_tw.store.threads import result_of
from tests.live.traffic import telegram

SEGMENT_BYTES: Final = 6000
STEP_S: Final = 60
TOGETHER: Final = 10


def main(directory: str, meter: str, first: str) -> None:
    """Fill the spool until somebody ends this."""
    parser, zone = TelegramParser(), MeterZone("Europe/Amsterdam")
    spool = Spool(Path(directory), maybeDeferred, segment_bytes=SEGMENT_BYTES)
    spool.open()
    for start in count(int(first), TOGETHER):
        numbers = range(start, start + TOGETHER)
        now = int(time.time()) * SECOND
        found = [raw for number in numbers for raw in telegrams_in(telegram(meter, number, STEP_S))]
        taken = [arrival(parser.parse(raw), Origin("spoolwriter"), now, zone) for raw in found]
        result_of(spool.append([record_of(one) for one in taken]))
        sys.stdout.writelines(f"{number}\n" for number in numbers)
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

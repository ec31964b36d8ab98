"""Responsible for the rhythm in which recorded telegrams are played: that of their own clocks.

Tests: ``tests/domain/test_rhythm.py``
"""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.telegram import RawTelegram

USUAL_S: Final = 1.0
"""Between telegrams whose clocks tell nothing: those of a DSMR 5 meter come each second."""

LONGEST_S: Final = 30.0
"""A longer gap of the recording is cut to this: readers take a minute of silence for a dead line."""

_CLOCK: Final = re.compile(rb"^0-0:1\.0\.0\(([0-9]{12}[SW]?)\)", re.MULTILINE)


@define
class Rhythm:
    """Tells the pauses between telegrams, one after the other."""

    zone: MeterZone
    _before: int | None = field(default=None, init=False)
    _is_first: bool = field(default=True, init=False)

    def pause(self, raw: RawTelegram) -> float:
        """Seconds from the telegram before to this one; none before the first.

        A second where one of them has no clock, or the clock does not go forward.
        """
        printed = _CLOCK.search(raw.data)
        at = None if printed is None else self.zone.clock(printed[1])
        before, self._before = self._before, at
        if self._is_first:
            self._is_first = False
            return 0.0
        if at is None or before is None or at <= before:
            return USUAL_S
        return min((at - before) / SECOND, LONGEST_S)

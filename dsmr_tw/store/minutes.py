"""Responsible for reading lists of minutes: what the readings of each minute say together.

``reading_count`` knows how many minutes of each hour and each day hold readings, so a page is found as one of readings
is; the minutes of one hour are looked into one by one, which costs the same however many readings they hold.

Tests: ``tests/contracts/minutes.py``, ``tests/store/test_lists.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby, islice
from typing import Any, Final

from dsmr_tw.domain.power import apart
from dsmr_tw.domain.reading import DAY, HOUR, MINUTE, Phases
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.phases import unpack
from dsmr_tw.store.ranks import Counts, Ranks
from dsmr_tw.stored import Minute, MinutePage, ReadingFilter

COUNTED: Final = (
    Counts(DAY, "minutes", "reading_count WHERE meter_id = ? AND hours = 24"),
    Counts(HOUR, "minutes", "reading_count WHERE meter_id = ? AND hours = 1"),
)

HELD: Final = f"""
    WITH RECURSIVE minute (at) AS (
        SELECT CAST(?2 AS BIGINT) UNION ALL SELECT at + {MINUTE} FROM minute WHERE at + {MINUTE} < ?3)
    SELECT {{wanted}} FROM minute
    WHERE EXISTS (SELECT 1 FROM reading WHERE meter_id = ?1 AND instant >= at AND instant < at + {MINUTE})"""
"""The minutes that hold a reading, of those that begin from one instant up to before another."""

NUMBER_HELD: Final = HELD.format(wanted="count(*)")
ONE_HELD: Final = HELD.format(wanted="at") + " ORDER BY at LIMIT 1 OFFSET ?4"

READINGS: Final = """
    SELECT instant, delivered_1, returned_1, delivered_2, returned_2, power, phases
    FROM reading WHERE meter_id = ? AND instant >= ? ORDER BY instant, id"""


def page(connection: Connection, wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> MinutePage:
    """One page of a list; see ``IReadings.minutes``."""
    meter_id = wanted.meter_id
    # Counted is by the minutes' starts.
    start, end = (None if bound is None else bound - MINUTE for bound in (wanted.start, wanted.end))
    ranks = Ranks(connection, (meter_id,), COUNTED, partial(_held, connection, meter_id))
    cut = ranks.cut(start, end, descending, offset, limit)
    if cut.rows <= 0:
        return MinutePage(cut.count, [])
    hour, skip = ranks.place(cut)
    (first,) = connection.execute(ONE_HELD, (meter_id, hour, hour + HOUR, skip)).fetchone()
    by_minute = groupby(connection.stream(READINGS, (meter_id, first)), key=_minute)
    minutes = [_together(number * MINUTE, list(readings)) for number, readings in islice(by_minute, cut.rows)]
    if descending:
        minutes.reverse()
    return MinutePage(cut.count, minutes)


def _held(connection: Connection, meter_id: int, start: int, end: int) -> int:
    """How many minutes that begin from ``start`` up to before ``end`` hold a reading."""
    (minutes,) = connection.execute(NUMBER_HELD, (meter_id, start, end)).fetchone()
    return int(minutes)


def _minute(row: tuple[Any, ...]) -> int:
    instant: int = row[0]
    return instant // MINUTE


def _together(start: int, readings: Sequence[tuple[Any, ...]]) -> Minute:
    """The readings of one minute as one."""
    _, delivered_1, returned_1, delivered_2, returned_2, _, _ = readings[-1]
    delivered, returned = zip(*(apart(reading[5]) for reading in readings), strict=True)
    powers_delivered, powers_returned, voltages, currents = zip(
        *(unpack(reading[6]) for reading in readings), strict=True
    )
    return Minute(
        start,
        delivered_1,
        returned_1,
        delivered_2,
        returned_2,
        _mean(delivered),
        _mean(returned),
        _average(powers_delivered),
        _average(powers_returned),
        _average(voltages),
        _average(currents),
    )


def _average(readings: Sequence[Phases]) -> Phases:
    """What a quantity was on the average, in each phase."""
    known = ([value for value in phase if value is not None] for phase in zip(*readings, strict=True))
    l1, l2, l3 = (_mean(values) if values else None for values in known)
    return l1, l2, l3


def _mean(values: Sequence[int]) -> int:
    """The average, half up."""
    return (2 * sum(values) + len(values)) // (2 * len(values))

"""Responsible for adding quarters up to hours and days, and for telling when such a span is closed.

The last two rules of the ledger, which ``dsmr_tw.domain.ledger`` lists:

8. *Estimated* is an hour or a day when one of its own two ends lies in a long gap between readings, or beyond them.
9. *Closed rows.*  Let E be the newest accepted electricity reading.  The row of a span that ends at e appears when e
   has passed on the wall clock, E ≥ e, no mark touches the span, and for each M-Bus device: its newest accepted
   reading is at or after e; or its newest reading is older than E − 4 h, and E ≥ e + 1 h (E ≥ e + 24 h while readings
   of it wait).

Tests: ``tests/domain/test_sums.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

from dsmr_tw.domain.quarters import Quarter
from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.domain.spans import Amounts, SpanRow

SILENT: Final = 4 * HOUR
"""A device that is so much older than the electricity is not waited for."""


@frozen
class DeviceState:
    """How far an M-Bus device has come."""

    accepted_at: int
    """Its newest accepted reading; the first one is always accepted."""
    newest_at: int
    """Its newest reading, accepted or waiting."""


def horizon(electricity_at: int | None, devices: Iterable[DeviceState]) -> int | None:
    """Up to where all is known: spans that end later are not closed, whatever the wall clock shows.

    ``electricity_at`` is the newest accepted electricity reading; without one nothing is closed.
    """
    if electricity_at is None:
        return None
    bounds = [electricity_at]
    for device in devices:
        accepted_at = device.accepted_at
        if device.newest_at < electricity_at - SILENT:
            waits = device.newest_at > accepted_at
            accepted_at = max(accepted_at, electricity_at - (DAY if waits else HOUR))
        bounds.append(accepted_at)
    return min(bounds)


def gas_of(start: int, end: int, quarters: Sequence[Quarter], gas_since: int | None) -> tuple[int | None, bool]:
    """The gas of a span in dm³, and whether it is estimated.

    ``quarters`` are those of all gas meters in the span, ``gas_since`` the start of the first one ever.
    """
    if gas_since is None or gas_since >= end:
        return None, False
    first = [quarter.start_estimated for quarter in quarters if quarter.start == start]
    last = [quarter.end_estimated for quarter in quarters if quarter.end == end]
    estimated = not first or not last or any(first) or any(last)
    return sum(quarter.amounts[0] for quarter in quarters), estimated


def row_of(start: int, end: int, quarters: Sequence[Quarter], gas: Sequence[Quarter], gas_since: int | None) -> SpanRow:
    """The row of a span, from its quarters in order and those of all gas meters in it."""
    whole = bool(quarters) and quarters[0].start == start and quarters[-1].end == end
    estimated = not whole or quarters[0].start_estimated or quarters[-1].end_estimated
    sums = [sum(amounts) for amounts in zip(*(quarter.amounts for quarter in quarters), strict=True)] or [0] * 4
    gas_amount, gas_estimated = gas_of(start, end, gas, gas_since)
    return SpanRow(start, end, Amounts(sums[0], sums[1], sums[2], sums[3], gas_amount), estimated, gas_estimated)

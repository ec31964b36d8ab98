"""Responsible for the values that the ledger serves: what went through a meter's registers in a span of time.

Amounts are ``int`` in thousandths of the telegram's unit (Wh, dm³) and never negative; instants are UTC, microseconds
since 1970; a span holds its start and not its end.

Tests: ``tests/domain/test_spans.py``
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from dsmr_tw.domain.reading import HOUR

QUARTER: Final = HOUR // 4
"""Fifteen minutes, in the microseconds that instants are counted in."""


class SpanKind(Enum):
    """The spans that rows are served of; days, months and years are those of the meter's zone."""

    QUARTER = "quarter"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@frozen
class Amounts:
    """What went through the registers in a span."""

    delivered_1: int
    """To the client in tariff 1, in Wh."""
    returned_1: int
    """By the client in tariff 1, in Wh."""
    delivered_2: int
    returned_2: int
    gas: int | None
    """In dm³, of all gas meters; ``None`` while no gas meter had ever reported."""


@frozen
class FirstReadings:
    """The first accepted readings of a day: when they were, and the positions as the meter printed them."""

    electricity_at: int | None
    """``None``: the day has no electricity reading of its own; then so are its positions."""
    delivered_1: int | None
    returned_1: int | None
    delivered_2: int | None
    returned_2: int | None
    gas_at: int | None
    """``None``: the day has no gas reading of its own; then so is its position."""
    gas: int | None


@frozen
class SpanRow:
    """A closed span of the ledger."""

    start: int
    end: int
    amounts: Amounts
    estimated: bool
    """One of its two ends lies in a gap of more than 15 minutes between readings."""
    gas_estimated: bool
    """One of its two ends lies in a gap of more than 3 hours between gas readings."""
    first: FirstReadings | None = None
    """Of days, months and years; ``None`` for shorter spans."""


@frozen
class Total:
    """What went through the registers between two instants, as far as readings tell."""

    start: int
    """Where the amounts begin: the instant asked about, or the first accepted reading where that is later."""
    end: int
    """Where they end: the instant asked about, or the last accepted reading where that is earlier."""
    amounts: Amounts
    estimated: bool
    """As in ``SpanRow``, of the two instants asked about."""
    gas_estimated: bool

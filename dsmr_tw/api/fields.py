"""Responsible for judging submitted values: text or JSON in, integers and instants out, or what is wrong in words.

The rules and the words are those that clients of this API know.
A field is a small value that says how one submitted value is read; ``submitted`` applies a table of them and gathers
*all* that is wrong.

Tests: ``tests/api/test_fields.py``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, Protocol

from attrs import frozen

from dsmr_tw.api.problems import bad_fields
from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT, MeterZone, instant_of

REQUIRED: Final = "This field is required."
NOT_NULL: Final = "This field may not be null."
NO_NUMBER: Final = "A valid number is required."
NO_INTEGER: Final = "A valid integer is required."
NO_TEXT: Final = "Not a valid string."
NO_DATETIME: Final = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
NO_DAY: Final = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."

LONGEST: Final = 1000
"""Characters of the longest text that is looked at as a number."""

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?"
    r"(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?",
    re.ASCII,
)
_DAY: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_INTEGER: Final = re.compile(r"\s*([+-]?\d+)(?:\.0*)?\s*", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)


class Field(Protocol):
    """Reads one submitted value, which is neither ``None`` nor blank; raises ``ValueError`` with what is wrong."""

    def read(self, value: object) -> Any:
        """The value in our terms."""


@frozen
class Moment:
    """An instant, with the offset from UTC that it was written with."""

    at: int
    written: datetime


@frozen
class MomentField:
    """A date and a time; without an offset, in the meter's zone."""

    zone: MeterZone

    def read(self, value: object) -> Moment:
        """The instant."""
        match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(NO_DATETIME)
        return moment(match, self.zone)


@frozen
class DayField:
    """A date without a time."""

    def read(self, value: object) -> date:
        """The day."""
        try:
            return day(value if isinstance(value, str) else "")
        except ValueError:
            # A day that its month does not have is told the same.
            raise ValueError(NO_DAY) from None


@frozen
class DecimalField:
    """A number with so many digits, of which so many behind the point."""

    digits: int
    places: int
    scale: int = 3
    """What it is counted in: 3 for thousandths, 6 for millionths; no less than ``places``."""

    def read(self, value: object) -> int:
        """The number in that, exactly: nothing is rounded, negative numbers are fine."""
        text = value.strip() if isinstance(value, str) else ""
        if len(text) > LONGEST:
            raise ValueError("String value too large.")
        if not _DECIMAL.fullmatch(text):
            raise ValueError(NO_NUMBER)
        number = Decimal(text)
        self._check(number)
        return int(number.scaleb(self.scale))

    def _check(self, number: Decimal) -> None:
        """Judge the number as it is written: zeros at its end count."""
        _, written, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        places = max(0, -exponent)
        digits = max(places, len(written) + max(0, exponent))
        whole = digits - places
        if digits > self.digits:
            raise ValueError(f"Ensure that there are no more than {self.digits} digits in total.")
        if places > self.places:
            raise ValueError(f"Ensure that there are no more than {self.places} decimal places.")
        if whole > self.digits - self.places:
            raise ValueError(
                f"Ensure that there are no more than {self.digits - self.places} digits before the decimal point."
            )


@frozen
class IntegerField:
    """A whole number within bounds, both included."""

    least: int
    most: int

    def read(self, value: object) -> int:
        """The number; ``5.0`` and ``0002`` are fine."""
        if isinstance(value, str) and len(value) > LONGEST:
            raise ValueError("String value too large.")
        match = _INTEGER.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(NO_INTEGER)
        number = int(match[1])
        if number > self.most:
            raise ValueError(f"Ensure this value is less than or equal to {self.most}.")
        if number < self.least:
            raise ValueError(f"Ensure this value is greater than or equal to {self.least}.")
        return number


@frozen
class TextField:
    """A text of bounded length."""

    most: int

    def read(self, value: object) -> str:
        """The text, as it is."""
        if not isinstance(value, str):
            raise ValueError(NO_TEXT)
        if len(value) > self.most:
            raise ValueError(f"Ensure this field has no more than {self.most} characters.")
        if "\0" in value:
            raise ValueError("Null characters are not allowed.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("Surrogate characters are not allowed.")
        return str(value)


@frozen
class Need:
    """A field and whether it must be there."""

    field: Field
    required: bool = False


def submitted(values: Mapping[str, object], needs: Mapping[str, Need], partial: bool = False) -> dict[str, Any]:
    """What was submitted for each of ``needs``, ``None`` for what was left out or left blank.

    With ``partial`` what was left out is left out of the result too. What is not asked for is ignored.
    Raises: ``Problem`` 400 with everything that is wrong.
    """
    read: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, need in needs.items():
        if name not in values:
            if partial:
                continue
            if need.required:
                errors[name] = [REQUIRED]
            else:
                read[name] = None
            continue
        value = values[name]
        try:
            if value is None and need.required:
                raise ValueError(NOT_NULL)
            blank = value is None or (not need.required and isinstance(value, str) and not value.strip())
            read[name] = None if blank else need.field.read(value)
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise bad_fields(errors)
    return read


def instant(text: str, zone: MeterZone) -> int:
    """The instant of a date and time, or of a date's midnight.

    Raises: ``ValueError``
    """
    match = _MOMENT.fullmatch(text)
    if match is not None:
        return moment(match, zone).at
    return max(FIRST_INSTANT, zone.day_start(day(text)))


def day(text: str) -> date:
    """The day of a date without a time.

    Raises: ``ValueError``
    """
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError(NO_DAY)
    return date(*map(int, match.groups()))


def moment(match: re.Match[str], zone: MeterZone) -> Moment:
    """The instant of a date and time.

    Raises: ``ValueError`` when there is none.
    """
    year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = match.groups()
    microsecond = int((fraction or "").ljust(6, "0"))
    try:
        written = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond)
        if utc or sign:
            offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            written = written.replace(tzinfo=timezone(-offset if sign == "-" else offset))
    except ValueError:
        raise ValueError(NO_DATETIME) from None
    if written.tzinfo is None:
        at = zone.from_local(written)
        return Moment(at, zone.local(at))
    at = instant_of(written)
    if not FIRST_INSTANT <= at <= LAST_INSTANT:
        raise ValueError(NO_DATETIME)
    return Moment(at, written)

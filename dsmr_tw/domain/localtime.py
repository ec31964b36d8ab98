"""Responsible for the time of day where the meter hangs: telegram clocks, local days, and instants as text.

An instant is an ``int``: microseconds since 1970, UTC.
A telegram's clock is read by its own flag, without a time-zone database: ``W`` is the zone's standard time and ``S``
one hour more, also where the flag contradicts the calendar (Swedish meters print ``W`` all summer, and mean it).
Only a clock without a flag (DSMR 2.2 and 3.0), and local days, are left to the zone's rules.

Source: P1 Companion Standard 5.0.2, §6.4 (``TST``).

Tests: ``tests/domain/test_localtime.py``
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from attrs import field, frozen

from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.errors import SettingsError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

_FIRST_CLOCK_YEAR: Final = 1
"""A printed year 00 belongs to a clock that was never set: ``000101000001W`` is a meter just out of its box."""

_LAST_CLOCK_YEAR: Final = 69
"""A printed year from 70 on is one of the last century, so of a clock that counts from 1970."""


def instant_of(moment: datetime) -> int:
    """The instant of an aware ``datetime``, exactly: ``datetime.timestamp()`` would pass through a float."""
    return (moment - EPOCH) // MICROSECOND


FIRST_INSTANT: Final = instant_of(datetime.min.replace(tzinfo=UTC))
"""0001-01-01T00:00:00Z: nothing before it can be stored."""

LAST_INSTANT: Final = instant_of(datetime.max.replace(tzinfo=UTC))
"""9999-12-31T23:59:59.999999Z: nothing after it can be stored."""


def utc(instant: int) -> datetime:
    """The instant as an aware ``datetime`` in UTC.

    Raises: ``OverflowError`` outside the years 1 to 9999.
    """
    return EPOCH + timedelta(microseconds=instant)


def to_utc_text(instant: int) -> str:
    """ISO 8601 in UTC: ``2017-01-01T12:00:00Z``, with six decimals of a second when they are not zero."""
    return f"{utc(instant).replace(tzinfo=None).isoformat()}Z"


@lru_cache(maxsize=1024)
def _clock_minute(digits: str) -> int | None:
    """A printed ``YYMMDDhhmm`` as if the meter hung in Greenwich; ``None`` when it is no minute of a set clock."""
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        return None
    year, month, day, hour, minute = (int(digits[start : start + 2]) for start in range(0, 10, 2))
    if not _FIRST_CLOCK_YEAR <= year <= _LAST_CLOCK_YEAR:
        return None
    try:
        return instant_of(datetime(2000 + year, month, day, hour, minute, tzinfo=UTC))
    except ValueError:
        return None


_CLOCK_SECONDS: Final = {f"{second:02}": second * SECOND for second in range(60)}


@frozen
class MeterZone:
    """The time zone of a metering point."""

    name: str
    """As the time-zone database has it: ``"Europe/Amsterdam"``."""

    _info: ZoneInfo = field(init=False, repr=False, eq=False)

    _offsets: dict[str, int] = field(init=False, repr=False, eq=False)
    """What the flags stand for: local time minus UTC, in microseconds."""

    @_info.default
    def _find(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.name)
        except (LookupError, ValueError, OSError) as error:
            raise SettingsError(f"There is no time zone {self.name!r}; one looks like Europe/Amsterdam.") from error

    @_offsets.default
    def _flags(self) -> dict[str, int]:
        # Not dst(): the database says that Irish standard time is the one of summer, and Irish meters do not.
        offsets = [datetime(2020, month, 1, tzinfo=self._info).utcoffset() for month in (1, 7)]
        standard = min(offset // MICROSECOND for offset in offsets if offset is not None)
        return {"W": standard, "S": standard + HOUR}

    def clock(self, text: str | bytes) -> int | None:
        """The instant of a printed ``YYMMDDhhmmss`` with ``S``, ``W`` or no flag.

        ``None`` for a clock that was never set: before 2001 or no date at all (``632525252525W``).
        Without a flag, of an hour that comes twice the first is meant.
        """
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        minute = _clock_minute(text[:10])
        second = _CLOCK_SECONDS.get(text[10:12])
        if minute is None or second is None:
            return None
        flag = text[12:]
        if flag == "":
            return instant_of(utc(minute + second).replace(tzinfo=self._info))
        offset = self._offsets.get(flag)
        return None if offset is None else minute + second - offset

    def from_local(self, moment: datetime) -> int:
        """The instant of a naive local time.

        Raises: ``ValueError`` when a clock on the wall never shows it, shows it twice, or shows it outside the years
        1 to 9999 of UTC.
        """
        earlier, later = (moment.replace(tzinfo=self._info, fold=fold) for fold in (0, 1))
        instant = instant_of(earlier)
        # In the hour that is left out, as in the one that comes twice, the two readings of the clock differ.
        if earlier.utcoffset() != later.utcoffset() or not FIRST_INSTANT <= instant <= LAST_INSTANT:
            raise ValueError(f'Invalid datetime for the timezone "{self.name}".')
        return instant

    def local(self, instant: int) -> datetime:
        """The instant as an aware ``datetime`` in the zone; in UTC within a day of the years 1 and 9999's far ends."""
        moment = utc(instant)
        try:
            return moment.astimezone(self._info)
        except OverflowError:
            return moment

    def local_text(self, instant: int) -> str:
        """ISO 8601 in the zone: ``2017-01-01T13:00:00+01:00``.

        In UTC where no offset can be written: long ago, when clocks were so many seconds from Greenwich.
        """
        text = self.local(instant).isoformat()
        return text if text[-6] in "+-" else to_utc_text(instant)

    def day_of(self, instant: int) -> date:
        """The local day that the instant falls in."""
        return self.local(instant).date()

    def day_start(self, day: date) -> int:
        """The first instant of a local day."""
        return instant_of(datetime.combine(day, time.min, tzinfo=self._info))

    def bounds(self, day: date) -> tuple[int, int]:
        """Start (in) and end (out) of a local day: 23, 24 or 25 hours apart."""
        start = self.day_start(day)
        return start, start + DAY if day == date.max else self.day_start(day + timedelta(days=1))


@lru_cache(maxsize=64)
def meter_zone(name: str) -> MeterZone:
    """The zone with this name, made once.

    Raises: ``SettingsError`` when there is none.
    """
    return MeterZone(name)

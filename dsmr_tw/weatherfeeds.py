"""Responsible for the feeds of outdoor temperatures: what each is asked, and what its answer says.

Contract: bytes of an answer in, a ``Temperature`` out, or a ``FeedError``.
Nothing of an answer is believed: not its form, not its numbers, not its time.
What a ``FeedError`` says names neither place nor time, since ``/health`` shows it to everybody, and the log only once.

Source: https://open-meteo.com/en/docs, https://data.buienradar.nl/2.0/feed/json

Tests: ``tests/test_weatherfeeds.py``
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Protocol, TypeVar

from attrs import frozen

from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.domain.units import tenths_celsius
from dsmr_tw.errors import FeedError

AHEAD: Final = HOUR
"""How far a measurement may be dated ahead of our clock."""

OLD: Final = 3 * HOUR
"""How old it may be: what was measured long ago says nothing of now, and a station that fell silent repeats itself."""

WANTED: Final = (
    "takes open-meteo:LAT,LON, like open-meteo:52.10,5.18, or buienradar:STATION, like buienradar:6260; not {text}"
)

_PLACE: Final = re.compile(r"(-?[0-9]{1,2}(?:\.[0-9]{1,6})?),(-?[0-9]{1,3}(?:\.[0-9]{1,6})?)")
_STATION: Final = re.compile(r"[0-9]{1,6}")

T = TypeVar("T")


class Feed(Protocol):
    """Somebody who publishes temperatures."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def url(self) -> str:
        """What it is asked."""

    def temperature(self, answer: bytes, now: int) -> Temperature:
        """The newest measurement in its answer.

        Raises: ``FeedError`` when there is none that can be believed.
        """


@frozen
class OpenMeteo:
    """A weather model of any place on Earth, computed anew each quarter of an hour."""

    latitude: str
    longitude: str
    """Degrees, as the operator wrote them."""
    base: str = "https://api.open-meteo.com"
    name: ClassVar[str] = "open-meteo"

    @property
    def url(self) -> str:
        """See ``Feed``."""
        place = f"latitude={self.latitude}&longitude={self.longitude}"
        return f"{self.base}/v1/forecast?{place}&current=temperature_2m&timeformat=unixtime"

    def temperature(self, answer: bytes, now: int) -> Temperature:
        """See ``Feed``."""
        current = _in(_values(answer), "current", dict)
        return _fresh(_in(current, "time", int) * SECOND, _degrees(current, "temperature_2m"), now)


@frozen
class Buienradar:
    """The weather stations of the Netherlands; some are silent for a while, some go, others come."""

    station: int
    """``6260`` is De Bilt."""
    base: str = "https://data.buienradar.nl"
    name: ClassVar[str] = "buienradar"

    @property
    def url(self) -> str:
        """See ``Feed``."""
        return f"{self.base}/2.0/feed/json"

    def temperature(self, answer: bytes, now: int) -> Temperature:
        """See ``Feed``."""
        stations = _in(_in(_values(answer), "actual", dict), "stationmeasurements", list)
        ours = (one for one in stations if isinstance(one, dict) and one.get("stationid") == self.station)
        station: dict[str, Any] | None = next(ours, None)
        if station is None:
            raise FeedError("the station is not among those that it lists")
        at = _dutch(_in(station, "timestamp", str), now)
        return _fresh(at, _degrees(station, "temperature"), now)


def feed_of(text: str) -> Feed:
    """The feed that an operator means.

    Raises: ``ValueError`` with what would be right.
    """
    name, _, place = text.partition(":")
    degrees = _PLACE.fullmatch(place)
    if name == OpenMeteo.name and degrees is not None:
        latitude, longitude = degrees.groups()
        if abs(Decimal(latitude)) <= 90 and abs(Decimal(longitude)) <= 180:
            return OpenMeteo(latitude, longitude)
    if name == Buienradar.name and _STATION.fullmatch(place):
        return Buienradar(int(place))
    raise ValueError(WANTED.format(text=text))


class _Number(str):
    """A number with decimals, as it was written: what is text in JSON is none of these."""

    __slots__ = ()


def _values(answer: bytes) -> dict[str, Any]:
    """The object that an answer is."""
    try:
        found: Any = json.loads(answer, parse_float=_Number)
    except (ValueError, RecursionError):
        raise FeedError("its answer is no JSON") from None
    if not isinstance(found, dict):
        raise _unlike("the whole of it")
    return found


def _in(values: dict[str, Any], name: str, kind: type[T]) -> T:
    """The value with this name, which must be of this kind."""
    value = values.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _unlike(name)
    return value


def _degrees(values: dict[str, Any], name: str) -> int:
    """The temperature with this name, in tenths of a degree."""
    value = values.get(name)
    if value is None:
        raise FeedError("it gives no temperature now")
    if not isinstance(value, int | _Number) or isinstance(value, bool):
        raise _unlike(name)
    try:
        return tenths_celsius(str(value))
    except ValueError:
        raise FeedError("its temperature is none that there can be") from None


def _dutch(text: str, now: int) -> int:
    """The instant of a Dutch local time; in the hour that comes twice, the later one as soon as it can be."""
    zone = meter_zone("Europe/Amsterdam")
    try:
        written = datetime.fromisoformat(text).replace(microsecond=0)
    except ValueError:
        raise _unlike("timestamp") from None
    if written.tzinfo is not None:
        return instant_of(written)
    both = [zone.clock(f"{written:%y%m%d%H%M%S}{flag}") for flag in "SW"]
    meant = [at for at in both if at is not None and zone.local(at).replace(tzinfo=None) == written]
    if not meant:
        raise _unlike("timestamp")
    return max((at for at in meant if at <= now), default=meant[0])


def _fresh(at: int, tenths: int, now: int) -> Temperature:
    """A measurement of about now."""
    if at > now + AHEAD:
        raise FeedError("its newest temperature is dated more than an hour ahead of our clock")
    if at < now - OLD:
        raise FeedError("its newest temperature is more than three hours old")
    return Temperature(at, tenths)


def _unlike(name: str) -> FeedError:
    return FeedError(f"its answer is not of the form that is known: {name}")

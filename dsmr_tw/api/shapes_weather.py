"""Responsible for the names and forms that temperatures have in JSON.

Field names are known here and in the other ``shapes`` modules, and in no other file.
Degrees are decimals of one place in strings.

Tests: ``tests/api/test_weather.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import frozen

from dsmr_tw.api.fields import DecimalField, Moment, MomentField, Need, submitted
from dsmr_tw.api.shapes import Json, ShowInstant, as_written
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.temperature import LEAST, MOST, Temperature
from dsmr_tw.domain.units import celsius_text

READ_AT: Final = "read_at"
"""The field that temperatures are listed by."""

DECIMAL: Final = DecimalField(digits=4, places=1)


@frozen
class DegreesField:
    """A temperature that can be, with at most one decimal."""

    def read(self, value: object) -> int:
        """The temperature in tenths."""
        tenths = DECIMAL.read(value) // 100
        if tenths > MOST:
            raise ValueError(f"Ensure this value is less than or equal to {celsius_text(MOST)}.")
        if tenths < LEAST:
            raise ValueError(f"Ensure this value is greater than or equal to {celsius_text(LEAST)}.")
        return tenths


@frozen
class PostedTemperature:
    """A temperature that was submitted, and how its instant was written."""

    temperature: Temperature
    written: datetime


def posted_temperature(values: Mapping[str, object], zone: MeterZone) -> PostedTemperature:
    """The temperature that was submitted.

    Raises: ``Problem`` 400 naming every field that is not as it should be.
    """
    read = submitted(values, temperature_needs(zone))
    moment: Moment = read[READ_AT]
    return PostedTemperature(Temperature(moment.at, read["degrees_celcius"]), moment.written.replace(microsecond=0))


def temperature_needs(zone: MeterZone) -> dict[str, Need]:
    """The fields of a submitted temperature."""
    return {
        READ_AT: Need(MomentField(zone), required=True),
        # The spelling is the API's.
        "degrees_celcius": Need(DegreesField(), required=True),
    }


def created_temperature(posted: PostedTemperature) -> Json:
    """A temperature just stored, its instant as it was written."""
    return _temperature(posted.temperature, as_written(posted.written))


def temperature(value: Temperature, show: ShowInstant) -> Json:
    """A temperature of a list."""
    return _temperature(value, show(value.at))


def _temperature(value: Temperature, at: str) -> Json:
    """A measurement; its id is how many seconds had been since 1970, so it is the same for ever."""
    return {"id": value.at // SECOND, READ_AT: at, "degrees_celcius": celsius_text(value.tenths_celsius)}

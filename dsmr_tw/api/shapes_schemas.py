"""Responsible for saying in JSON Schema what the other ``shapes`` modules make and take.

Field names are known here and in those, and in no other file.
The properties stand in the order in which they are answered; whatever the tests are answered is held against them.

Tests: ``tests/api/test_openapi.py``
"""

from __future__ import annotations

from typing import Final

from dsmr_tw.api import shapes, shapes_costs, shapes_ledger, shapes_weather
from dsmr_tw.api.schemas import (
    BOOLEAN,
    COUNT,
    DAY,
    INSTANT,
    INTEGER,
    NUMBER,
    TEXT,
    answered,
    by_phase,
    decimal,
    listed,
    nullable,
    submitted,
)
from dsmr_tw.api.shapes import Json
from dsmr_tw.domain.facts import MONTHS
from dsmr_tw.domain.obis import DEVICE_TYPES
from dsmr_tw.domain.spans import SpanKind

KWH: Final = decimal(3, "kWh")
KW: Final = decimal(3, "kW")
CUBIC: Final = decimal(3, "m3")
VOLT: Final = decimal(1, "V")
AMPERE: Final[Json] = {**INTEGER, "description": "A"}
EUROS: Final = decimal(2, "Euros.")
PRICE: Final = decimal(6, "Euros.")
CELSIUS: Final = decimal(1, "Degrees Celsius.")

_POSITIONS: Final = (
    "electricity_delivered_1",
    "electricity_returned_1",
    "electricity_delivered_2",
    "electricity_returned_2",
)
_REGISTERS: Final = ("electricity1", "electricity2", "electricity1_returned", "electricity2_returned")
_UNITS: Final = sorted({kind.unit for kind in DEVICE_TYPES.values()})

_AMOUNTS: Final[dict[str, Json]] = {**dict.fromkeys(_REGISTERS, KWH), "gas": nullable(CUBIC)}
_ESTIMATES: Final[dict[str, Json]] = dict.fromkeys(("estimated", "gas_estimated"), BOOLEAN)

_TODAY: Final = answered(
    day=DAY,
    **dict.fromkeys((*_REGISTERS, "electricity_merged", "electricity_returned_merged"), NUMBER),
    **dict.fromkeys(("electricity1_cost", "electricity2_cost", "gas", "gas_cost", "fixed_cost", "total_cost"), NUMBER),
    **dict.fromkeys(shapes_ledger.PRICES, nullable(NUMBER)),
)
_NOTHING: Final[Json] = {"type": "object", "maxProperties": 0}


def _short_span(kind: SpanKind) -> Json:
    return answered(id=INTEGER, **{shapes_ledger.STARTS[kind]: INSTANT}, **_AMOUNTS, **_ESTIMATES)


def _long_span(kind: SpanKind) -> Json:
    return answered(
        id=INTEGER,
        **{shapes_ledger.STARTS[kind]: DAY},
        total_cost=EUROS,
        **dict.fromkeys(_REGISTERS, KWH),
        electricity1_cost=EUROS,
        electricity2_cost=EUROS,
        gas=nullable(CUBIC),
        gas_cost=nullable(EUROS),
        **dict.fromkeys(("lowest_temperature", "highest_temperature", "average_temperature"), nullable(CELSIUS)),
        fixed_cost=EUROS,
        **_ESTIMATES,
        electricity_reading_timestamp=nullable(INSTANT),
        **{f"{register}_reading": nullable(KWH) for register in _REGISTERS},
        gas_reading_timestamp=nullable(INSTANT),
        gas_reading=nullable(CUBIC),
    )


ANSWERED: Final[dict[str, Json]] = {
    "Reading": answered(
        id=INTEGER,
        timestamp=INSTANT,
        **dict.fromkeys(_POSITIONS, KWH),
        electricity_currently_delivered=KW,
        electricity_currently_returned=KW,
        **by_phase("phase_currently_delivered", nullable(KW)),
        extra_device_timestamp=nullable(INSTANT),
        extra_device_delivered=nullable(CUBIC),
        **by_phase("phase_currently_returned", nullable(KW)),
        **by_phase("phase_voltage", nullable(VOLT)),
        **by_phase("phase_power_current", nullable(AMPERE)),
    ),
    "Meter": answered(
        id=INTEGER,
        name=TEXT,
        equipment=listed(TEXT),
        first_seen_at=nullable(INSTANT),
        last_seen_at=nullable(INSTANT),
        readings=COUNT,
    ),
    "MeterStatistics": answered(
        id=INTEGER,
        timestamp=nullable(INSTANT),
        dsmr_version=nullable(TEXT),
        **dict.fromkeys(("electricity_tariff", "power_failure_count", "long_power_failure_count"), nullable(COUNT)),
        **by_phase("voltage_sag_count", nullable(COUNT)),
        **by_phase("voltage_swell_count", nullable(COUNT)),
        rejected_telegrams=COUNT,
        latest_telegram=nullable(TEXT),
    ),
    "Device": answered(
        id=INTEGER,
        type=nullable(TEXT),
        unit={**nullable(TEXT), "enum": [*_UNITS, None]},
        channel=nullable(INTEGER),
        equipment_id=nullable(TEXT),
        first_seen_at=INSTANT,
        last_seen_at=INSTANT,
    ),
    "DeviceReading": answered(
        id=INTEGER,
        read_at=INSTANT,
        delivered=decimal(3, "The device's unit: m3, GJ or kWh."),
        currently_delivered=decimal(3, "The device's unit, since the value before."),
    ),
    "Peak": answered(id=INTEGER, month=DAY, read_at_end=INSTANT, average_delivered=KW),
    "Event": answered(id=INTEGER, kind=TEXT, started_at=nullable(INSTANT), ended_at=INSTANT, seconds=nullable(COUNT)),
    "ElectricityLive": {
        "anyOf": [
            answered(
                timestamp=INSTANT,
                currently_delivered={**INTEGER, "description": "W"},
                currently_returned={**INTEGER, "description": "W"},
                cost_per_hour=nullable(EUROS),
                tariff_name=nullable(TEXT),
            ),
            _NOTHING,
        ]
    },
    "GasLive": {
        "anyOf": [
            answered(
                timestamp=INSTANT,
                currently_delivered={**NUMBER, "description": "m3, since the value before."},
                cost_per_interval=nullable(EUROS),
            ),
            _NOTHING,
        ]
    },
    "Today": {"anyOf": [_TODAY, {**TEXT, "description": "There are no readings of today."}]},
    "Minute": answered(
        id=INTEGER,
        read_at=INSTANT,
        **dict.fromkeys(("delivered_1", "returned_1", "delivered_2", "returned_2"), KWH),
        currently_delivered=KW,
        currently_returned=KW,
        **by_phase("phase_currently_delivered", nullable(KW)),
        **by_phase("phase_currently_returned", nullable(KW)),
        **by_phase("phase_voltage", nullable(VOLT)),
        **by_phase("phase_power_current", nullable(AMPERE)),
    ),
    "QuarterPeak": answered(id=INTEGER, read_at_start=INSTANT, read_at_end=INSTANT, average_delivered=KW),
    "SupplierPrices": answered(
        id=INTEGER,
        start=DAY,
        end=nullable(DAY),
        description=TEXT,
        **dict.fromkeys((name for name in shapes_costs.SUBMITTED if name.endswith(("_price", "_cost"))), PRICE),
    ),
    "Quarter": _short_span(SpanKind.QUARTER),
    "Hour": _short_span(SpanKind.HOUR),
    "Day": _long_span(SpanKind.DAY),
    "Month": _long_span(SpanKind.MONTH),
    "Year": _long_span(SpanKind.YEAR),
    "Total": answered(start=INSTANT, end=INSTANT, **_AMOUNTS, **_ESTIMATES),
    "Temperature": answered(id=INTEGER, read_at=INSTANT, degrees_celcius=CELSIUS),
    "Version": answered(version=TEXT),
    "Monitoring": answered(
        problems=COUNT,
        details=listed(answered(source=TEXT, description=TEXT, since=nullable(INSTANT))),
    ),
}
"""What is answered, one by one or in the results of a list."""

SUBMITTED: Final[dict[str, Json]] = {
    # The zone plays no part in what a time may look like.
    "ReadingFields": submitted(shapes.reading_needs(MONTHS)),
    "MeterStatisticsFields": submitted(shapes.statistics_needs(MONTHS), partial=True),
    "SupplierPricesFields": submitted(shapes_costs.contract_needs()),
    "SupplierPricesChanges": submitted(shapes_costs.contract_needs(), partial=True),
    "TemperatureFields": submitted(shapes_weather.temperature_needs(MONTHS)),
}
"""What is taken."""


def page_of(row: Json) -> Json:
    """A page of a list."""
    link = nullable({**TEXT, "format": "uri-reference"})
    return answered(count=COUNT, next=link, previous=link, **{shapes.RESULTS: listed(row)})


DETAIL: Final = answered(detail=TEXT)
"""What was wrong with a request."""

COMPLAINTS: Final[Json] = {"type": "object", "additionalProperties": listed(TEXT)}
"""What was wrong with each of a request's fields."""

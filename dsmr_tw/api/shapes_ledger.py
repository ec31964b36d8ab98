"""Responsible for the names and forms in JSON of what the ledger adds up to, and of what is derived from readings.

Field names are known here and in the other ``shapes`` modules, and in no other file.
Domain values in, dictionaries for JSON out, in the order that the API document gives.
Amounts are decimals of three places in strings, costs of two; only ``today`` has numbers.

Tests: ``tests/api/test_statistics.py``, ``tests/api/test_consumption.py``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from dsmr_tw.api.shapes import Json, ShowInstant
from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.costs import Costs
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import HOUR, SECOND, Phases
from dsmr_tw.domain.spans import QUARTER, Amounts, SpanKind, SpanRow, Total
from dsmr_tw.domain.temperature import TemperatureSummary
from dsmr_tw.domain.units import celsius_text, cost_text, one_decimal, three_decimals, whole
from dsmr_tw.stored import Minute, StoredDeviceReading

STARTS: Final = {
    SpanKind.QUARTER: "quarter_start",
    SpanKind.HOUR: "hour_start",
    SpanKind.DAY: "day",
    SpanKind.MONTH: "month",
    SpanKind.YEAR: "year",
}
"""The field that the spans of each kind are listed by."""

READ_AT: Final = "read_at"
"""The field that minutes and values of M-Bus devices are listed by."""

READ_AT_START: Final = "read_at_start"
"""The field that quarters are listed by where it is their average power that is asked for."""

MINUTE: Final = 60 * SECOND

PRICES: Final[dict[str, Callable[[Contract], int]]] = {
    "energy_supplier_price_electricity_delivered_1": lambda contract: contract.delivered_1_price,
    "energy_supplier_price_electricity_delivered_2": lambda contract: contract.delivered_2_price,
    "energy_supplier_price_electricity_returned_1": lambda contract: contract.returned_1_price,
    "energy_supplier_price_electricity_returned_2": lambda contract: contract.returned_2_price,
    "energy_supplier_price_gas": lambda contract: contract.gas_price,
    "energy_supplier_price_fixed_daily_cost": lambda contract: contract.fixed_daily_cost,
}
"""The prices that are shown beside a day's costs."""

_EPOCH: Final = date(1970, 1, 1)


def short_span(row: SpanRow, kind: SpanKind, show: ShowInstant) -> Json:
    """A quarter or an hour; its id is how many of them have been since 1970."""
    return {
        "id": row.start // (HOUR if kind is SpanKind.HOUR else QUARTER),
        STARTS[kind]: show(row.start),
        **_amounts(row.amounts),
        "estimated": row.estimated,
        "gas_estimated": row.gas_estimated,
    }


def long_span(
    row: SpanRow,
    kind: SpanKind,
    zone: MeterZone,
    costs: Callable[[SpanRow], Costs],
    temperatures: Mapping[int, TemperatureSummary | None],
    show: ShowInstant,
) -> Json:
    """A day, a month or a year, by its first day; its id is how many of them have been since 1970, or the year."""
    day, amounts, paid, first = zone.day_of(row.start), row.amounts, costs(row), row.first
    assert first is not None
    return {
        "id": _id_of(day, kind),
        STARTS[kind]: day.isoformat(),
        "total_cost": cost_text(paid.total),
        "electricity1": three_decimals(amounts.delivered_1),
        "electricity2": three_decimals(amounts.delivered_2),
        "electricity1_returned": three_decimals(amounts.returned_1),
        "electricity2_returned": three_decimals(amounts.returned_2),
        "electricity1_cost": cost_text(paid.electricity_1),
        "electricity2_cost": cost_text(paid.electricity_2),
        "gas": _decimal(amounts.gas),
        "gas_cost": None if amounts.gas is None else cost_text(paid.gas),
        **_temperatures(temperatures[row.start]),
        "fixed_cost": cost_text(paid.fixed),
        "estimated": row.estimated,
        "gas_estimated": row.gas_estimated,
        "electricity_reading_timestamp": None if first.electricity_at is None else show(first.electricity_at),
        "electricity1_reading": _decimal(first.delivered_1),
        "electricity2_reading": _decimal(first.delivered_2),
        "electricity1_returned_reading": _decimal(first.returned_1),
        "electricity2_returned_reading": _decimal(first.returned_2),
        "gas_reading_timestamp": None if first.gas_at is None else show(first.gas_at),
        "gas_reading": _decimal(first.gas),
    }


def total(value: Total, show: ShowInstant) -> Json:
    """What went through the registers between two instants."""
    return {
        "start": show(value.start),
        "end": show(value.end),
        **_amounts(value.amounts),
        "estimated": value.estimated,
        "gas_estimated": value.gas_estimated,
    }


def today(day: date, amounts: Amounts, costs: Costs, contract: Contract | None) -> Json:
    """The day so far, in numbers; prices are ``None`` without a contract."""
    return {
        "day": day.isoformat(),
        "electricity1": _number(amounts.delivered_1),
        "electricity2": _number(amounts.delivered_2),
        "electricity1_returned": _number(amounts.returned_1),
        "electricity2_returned": _number(amounts.returned_2),
        "electricity_merged": _number(amounts.delivered_1 + amounts.delivered_2),
        "electricity_returned_merged": _number(amounts.returned_1 + amounts.returned_2),
        "electricity1_cost": _euros(costs.electricity_1),
        "electricity2_cost": _euros(costs.electricity_2),
        "gas": _number(amounts.gas or 0),
        "gas_cost": _euros(costs.gas),
        "fixed_cost": _euros(costs.fixed),
        "total_cost": _euros(costs.total),
        **{name: None if contract is None else price_of(contract) / 1_000_000 for name, price_of in PRICES.items()},
    }


def nothing_today(day: date) -> str:
    """What is said of a day without a reading so far."""
    return f"No electricity readings found for: {day}"


def minute(value: Minute, show: ShowInstant) -> Json:
    """The readings of a minute as one, dated at its end; its id is how many minutes had been before it since 1970."""
    return {
        "id": value.start // MINUTE,
        READ_AT: show(value.start + MINUTE),
        "delivered_1": three_decimals(value.delivered_1),
        "returned_1": three_decimals(value.returned_1),
        "delivered_2": three_decimals(value.delivered_2),
        "returned_2": three_decimals(value.returned_2),
        "currently_delivered": three_decimals(value.currently_delivered),
        "currently_returned": three_decimals(value.currently_returned),
        **_by_phase("phase_currently_delivered", value.powers_delivered, three_decimals),
        **_by_phase("phase_currently_returned", value.powers_returned, three_decimals),
        **_by_phase("phase_voltage", value.voltages, one_decimal),
        **_by_phase("phase_power_current", value.currents, whole),
    }


def gas(value: StoredDeviceReading, show: ShowInstant) -> Json:
    """A value of an M-Bus device, and how much more it is than the one before."""
    position = value.reading.value
    before = position if value.previous is None else value.previous
    return {
        "id": value.id,
        READ_AT: show(value.reading.at),
        "delivered": three_decimals(position),
        "currently_delivered": three_decimals(max(0, position - before)),
    }


def peak(row: SpanRow, show: ShowInstant) -> Json:
    """The average power to the client in a quarter."""
    amounts = row.amounts
    return {
        "id": row.start // QUARTER,
        READ_AT_START: show(row.start),
        "read_at_end": show(row.end),
        "average_delivered": three_decimals((amounts.delivered_1 + amounts.delivered_2) * (HOUR // QUARTER)),
    }


def _amounts(amounts: Amounts) -> Json:
    return {
        "electricity1": three_decimals(amounts.delivered_1),
        "electricity2": three_decimals(amounts.delivered_2),
        "electricity1_returned": three_decimals(amounts.returned_1),
        "electricity2_returned": three_decimals(amounts.returned_2),
        "gas": _decimal(amounts.gas),
    }


def _temperatures(measured: TemperatureSummary | None) -> Json:
    return {
        "lowest_temperature": None if measured is None else celsius_text(measured.lowest),
        "highest_temperature": None if measured is None else celsius_text(measured.highest),
        "average_temperature": None if measured is None else celsius_text(measured.average),
    }


def _id_of(day: date, kind: SpanKind) -> int:
    if kind is SpanKind.DAY:
        return (day - _EPOCH).days
    years = day.year - _EPOCH.year
    return years * 12 + day.month - 1 if kind is SpanKind.MONTH else day.year


def _by_phase(name: str, phases: Phases, form: Callable[[int], object]) -> Json:
    return {f"{name}_l{phase}": None if value is None else form(value) for phase, value in enumerate(phases, 1)}


def _decimal(value: int | None) -> str | None:
    return None if value is None else three_decimals(value)


def _number(value: int) -> float:
    # Floats, for once: the API promises numbers, and a quotient of so few decimals prints exactly.
    return value / 1000


def _euros(cost: int) -> float:
    return float(cost_text(cost))

"""Responsible for the columns of exported tables: their headings, and the cells of each row.

Every cell is text: numbers in the unit that the heading names, with a point and all their decimals; days, and local
times with their offset, as ISO 8601 has them; ``true`` or ``false``.
What is absent is an empty cell.

Tests: ``tests/domain/test_columns.py``
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from dsmr_tw.domain.costs import Costs
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import Phases, StoredReading
from dsmr_tw.domain.spans import Amounts, SpanRow
from dsmr_tw.domain.units import cost_text, three_decimals

Cells: TypeAlias = list[str]

# Units are written in ASCII: not every spreadsheet takes a file for UTF-8 unless it is told.
READING_HEADINGS: Final[Cells] = [
    "Timestamp",
    "Delivered 1 (kWh)",
    "Returned 1 (kWh)",
    "Delivered 2 (kWh)",
    "Returned 2 (kWh)",
    "Currently Delivered (kW)",
    "Currently Returned (kW)",
    *(f"Currently Delivered L{phase} (kW)" for phase in (1, 2, 3)),
    *(f"Currently Returned L{phase} (kW)" for phase in (1, 2, 3)),
    *(f"Voltage L{phase} (V)" for phase in (1, 2, 3)),
    *(f"Current L{phase} (A)" for phase in (1, 2, 3)),
    "Gas Timestamp",
    "Gas (m3)",
    # Not first, where the API has it: a file that begins with ID is no CSV to Excel.
    "Reading ID",
]

HOUR_HEADINGS: Final[Cells] = [
    "Hour Start",
    "Electricity 1 (Dutch Users: Low Tariff)",
    "Electricity 2 (Dutch Users: Normal Tariff)",
    "Electricity 1 Returned (Dutch Users: Low Tariff)",
    "Electricity 2 Returned (Dutch Users: Normal Tariff)",
    "Gas",
]
"""To the letter those of DSMR-reader's export, which other programs import: kWh and m³."""

DAY_HEADINGS: Final[Cells] = [
    "Day",
    "Delivered 1 (kWh)",
    "Delivered 2 (kWh)",
    "Returned 1 (kWh)",
    "Returned 2 (kWh)",
    "Gas (m3)",
    "Electricity 1 Cost (EUR)",
    "Electricity 2 Cost (EUR)",
    "Gas Cost (EUR)",
    "Fixed Cost (EUR)",
    "Total Cost (EUR)",
    "Estimated",
    "Gas Estimated",
    "First Reading At",
    "Delivered 1 At First Reading (kWh)",
    "Delivered 2 At First Reading (kWh)",
    "Returned 1 At First Reading (kWh)",
    "Returned 2 At First Reading (kWh)",
    "First Gas Reading At",
    "Gas At First Reading (m3)",
]

FORMULA_MARKS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet may compute instead of showing it."""

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def reading_cells(stored: StoredReading, zone: MeterZone) -> Cells:
    """A row of the table of readings."""
    reading, gas = stored.reading, stored.gas
    return [
        zone.local_text(reading.at),
        three_decimals(reading.delivered_1),
        three_decimals(reading.returned_1),
        three_decimals(reading.delivered_2),
        three_decimals(reading.returned_2),
        three_decimals(reading.currently_delivered),
        three_decimals(reading.currently_returned),
        *_phases(reading.powers_delivered),
        *_phases(reading.powers_returned),
        *_phases(reading.voltages),
        *_phases(reading.currents),
        "" if gas is None else zone.local_text(gas.at),
        "" if gas is None else three_decimals(gas.value),
        str(stored.id),
    ]


def hour_cells(row: SpanRow, zone: MeterZone) -> Cells:
    """A row of the table of hours."""
    return [zone.local_text(row.start), *_amounts(row.amounts)]


def day_cells(row: SpanRow, costs: Costs, zone: MeterZone) -> Cells:
    """A row of the table of days, with what the day costs."""
    first = row.first
    assert first is not None
    return [
        zone.day_of(row.start).isoformat(),
        *_amounts(row.amounts),
        cost_text(costs.electricity_1),
        cost_text(costs.electricity_2),
        "" if row.amounts.gas is None else cost_text(costs.gas),
        cost_text(costs.fixed),
        cost_text(costs.total),
        _flag(row.estimated),
        _flag(row.gas_estimated),
        _time(first.electricity_at, zone),
        _number(first.delivered_1),
        _number(first.delivered_2),
        _number(first.returned_1),
        _number(first.returned_2),
        _time(first.gas_at, zone),
        _number(first.gas),
    ]


def shown(cell: str) -> str:
    """The cell as a spreadsheet shows it: what would begin a formula, and is no number, stands behind an apostrophe."""
    if cell.startswith(FORMULA_MARKS) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _amounts(amounts: Amounts) -> Cells:
    return [
        three_decimals(amounts.delivered_1),
        three_decimals(amounts.delivered_2),
        three_decimals(amounts.returned_1),
        three_decimals(amounts.returned_2),
        _number(amounts.gas),
    ]


def _phases(phases: Phases) -> Cells:
    return ["" if value is None else three_decimals(value) for value in phases]


def _number(value: int | None) -> str:
    return "" if value is None else three_decimals(value)


def _time(instant: int | None, zone: MeterZone) -> str:
    return "" if instant is None else zone.local_text(instant)


def _flag(value: bool) -> str:
    return "true" if value else "false"

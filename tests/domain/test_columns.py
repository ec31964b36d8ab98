"""Tests of dsmr_tw.domain.columns: headings, and what stands under them."""

from __future__ import annotations

import re

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.columns import (
    DAY_HEADINGS,
    FORMULA_MARKS,
    HOUR_HEADINGS,
    READING_HEADINGS,
    day_cells,
    hour_cells,
    reading_cells,
    shown,
)
from dsmr_tw.domain.costs import Costs
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import DAY, HOUR, NO_PHASES, SECOND, StoredReading
from dsmr_tw.domain.spans import Amounts, FirstReadings, SpanRow
from dsmr_tw.domain.units import cost_text, three_decimals
from tests.arrivals import NOON, gas, reading

AMSTERDAM = meter_zone("Europe/Amsterdam")
MIDNIGHT = NOON - 12 * HOUR
AMOUNTS = Amounts(delivered_1=1_234, returned_1=5, delivered_2=60_000, returned_2=0, gas=1_073)
FIRST = FirstReadings(MIDNIGHT + SECOND, 11_000, 22_000, 33_000, 44_000, MIDNIGHT + HOUR, 55_000)
DAY_ROW = SpanRow(MIDNIGHT, MIDNIGHT + DAY, AMOUNTS, estimated=True, gas_estimated=False, first=FIRST)
NOTHING_READ = FirstReadings(None, None, None, None, None, None, None)
COSTS = Costs(electricity_1=2_310_000_000, electricity_2=-720_000_000, gas=1_000, fixed=400_000_000)


class ReadingTests(SynchronousTestCase):
    """The table of readings."""

    def test_every_value_has_its_column(self) -> None:
        """A reading with all that a meter prints fills the row, in the units that the headings name."""
        stored = StoredReading(
            7,
            reading(
                NOON,
                delivered_1=1_000_001,
                returned_1=2,
                delivered_2=2_000_003,
                returned_2=4,
                currently_delivered=405,
                currently_returned=6,
                powers_delivered=(1, 2, 3),
                powers_returned=(4, 5, 6),
                voltages=(230_100, 229_900, 231_000),
                currents=(1_250, 0, 9_000),
            ),
            gas(NOON - HOUR, 500_123),
        )
        self.assertEqual(
            dict(zip(READING_HEADINGS, reading_cells(stored, AMSTERDAM), strict=True)),
            {
                "Timestamp": "2024-04-02T12:00:00+02:00",
                "Delivered 1 (kWh)": "1000.001",
                "Returned 1 (kWh)": "0.002",
                "Delivered 2 (kWh)": "2000.003",
                "Returned 2 (kWh)": "0.004",
                "Currently Delivered (kW)": "0.405",
                "Currently Returned (kW)": "0.006",
                "Currently Delivered L1 (kW)": "0.001",
                "Currently Delivered L2 (kW)": "0.002",
                "Currently Delivered L3 (kW)": "0.003",
                "Currently Returned L1 (kW)": "0.004",
                "Currently Returned L2 (kW)": "0.005",
                "Currently Returned L3 (kW)": "0.006",
                "Voltage L1 (V)": "230.100",
                "Voltage L2 (V)": "229.900",
                "Voltage L3 (V)": "231.000",
                "Current L1 (A)": "1.250",
                "Current L2 (A)": "0.000",
                "Current L3 (A)": "9.000",
                "Gas Timestamp": "2024-04-02T11:00:00+02:00",
                "Gas (m3)": "500.123",
                "Reading ID": "7",
            },
        )

    def test_what_is_absent_is_empty(self) -> None:
        """Neither phases nor gas are zero where a meter does not print them; what is zero is."""
        bare = reading(powers_delivered=NO_PHASES, powers_returned=NO_PHASES, voltages=NO_PHASES, currents=NO_PHASES)
        cells = reading_cells(StoredReading(7, bare), AMSTERDAM)
        self.assertEqual(cells[7:], [""] * 14 + ["7"])
        self.assertEqual(cells[2], "0.000")


class SpanTests(SynchronousTestCase):
    """The tables of hours and of days."""

    def test_hours_have_the_headings_that_importers_know(self) -> None:
        """They are those of DSMR-reader's export, to the letter."""
        self.assertEqual(
            ",".join(HOUR_HEADINGS),
            "Hour Start,Electricity 1 (Dutch Users: Low Tariff),Electricity 2 (Dutch Users: Normal Tariff),"
            "Electricity 1 Returned (Dutch Users: Low Tariff),Electricity 2 Returned (Dutch Users: Normal Tariff),Gas",
        )

    def test_hours(self) -> None:
        """An hour has its local start and its amounts; without gas that cell is empty."""
        row = SpanRow(NOON, NOON + HOUR, AMOUNTS, False, False)
        cells = ["2024-04-02T12:00:00+02:00", "1.234", "60.000", "0.005", "0.000", "1.073"]
        self.assertEqual(hour_cells(row, AMSTERDAM), cells)
        self.assertEqual(hour_cells(evolve(row, amounts=evolve(AMOUNTS, gas=None)), AMSTERDAM), [*cells[:-1], ""])

    def test_the_hour_that_comes_twice(self) -> None:
        """In autumn two hours begin at two o'clock; their offsets tell them apart."""
        summer = AMSTERDAM.clock("241027020000S")
        assert summer is not None
        starts = [
            hour_cells(SpanRow(at, at + HOUR, AMOUNTS, False, False), AMSTERDAM)[0] for at in (summer, summer + HOUR)
        ]
        self.assertEqual(starts, ["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"])

    def test_days(self) -> None:
        """A day has its amounts, its costs in euros, what is estimated of it, and its first readings."""
        self.assertEqual(
            dict(zip(DAY_HEADINGS, day_cells(DAY_ROW, COSTS, AMSTERDAM), strict=True)),
            {
                "Day": "2024-04-02",
                "Delivered 1 (kWh)": "1.234",
                "Delivered 2 (kWh)": "60.000",
                "Returned 1 (kWh)": "0.005",
                "Returned 2 (kWh)": "0.000",
                "Gas (m3)": "1.073",
                "Electricity 1 Cost (EUR)": "2.31",
                "Electricity 2 Cost (EUR)": "-0.72",
                "Gas Cost (EUR)": "0.00",
                "Fixed Cost (EUR)": "0.40",
                "Total Cost (EUR)": "1.99",
                "Estimated": "true",
                "Gas Estimated": "false",
                "First Reading At": "2024-04-02T00:00:01+02:00",
                "Delivered 1 At First Reading (kWh)": "11.000",
                "Delivered 2 At First Reading (kWh)": "33.000",
                "Returned 1 At First Reading (kWh)": "22.000",
                "Returned 2 At First Reading (kWh)": "44.000",
                "First Gas Reading At": "2024-04-02T01:00:00+02:00",
                "Gas At First Reading (m3)": "55.000",
            },
        )

    def test_a_day_without_readings_of_its_own(self) -> None:
        """Its positions are empty; and where no gas meter has ever reported, gas and its cost are."""
        row = evolve(DAY_ROW, amounts=evolve(AMOUNTS, gas=None), first=NOTHING_READ)
        cells = dict(zip(DAY_HEADINGS, day_cells(row, COSTS, AMSTERDAM), strict=True))
        self.assertEqual([cells["Gas (m3)"], cells["Gas Cost (EUR)"]], ["", ""])
        self.assertEqual(list(cells.values())[13:], [""] * 7)

    def test_no_table_is_taken_for_another_format(self) -> None:
        """Excel refuses a file that begins with ID; and a heading, too, must be no formula."""
        for headings in (READING_HEADINGS, HOUR_HEADINGS, DAY_HEADINGS):
            self.assertFalse(headings[0].startswith("ID"))
            self.assertEqual([shown(heading) for heading in headings], headings)


class FormulaTests(SynchronousTestCase):
    """Cells that a spreadsheet might compute."""

    def test_formulas(self) -> None:
        """Whatever begins like one stands behind an apostrophe, unless it is a number."""
        for text in (
            "=1+1",
            "+31612345678",
            "-1+2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "-",
            "-1.",
            "-.5",
            "-1e3",
            "-٣",
            "-1\n",
        ):
            self.assertEqual(shown(text), f"'{text}")

    def test_what_is_none(self) -> None:
        """Other texts, times and numbers stay as they are."""
        for text in ("", "-0.05", "-12", "0.000", "2024-04-02", "a=1", " =1", "'=1", "Zon & Wind", "true"):
            self.assertEqual(shown(text), text)

    @given(st.text() | st.text(st.sampled_from([*FORMULA_MARKS, "1", ".", "'", '"', ",", "\n", " "])))
    def test_any_text(self, text: str) -> None:
        """No text at all can be a formula, and each can be told again from its cell."""
        cell = shown(text)
        self.assertIn(cell, (text, f"'{text}"))
        self.assertTrue(not cell.startswith(FORMULA_MARKS) or re.fullmatch(r"-\d+(\.\d+)?", cell, re.ASCII), cell)

    @given(st.integers())
    def test_any_number(self, value: int) -> None:
        """A number stays one, also less than 0."""
        for text in (three_decimals(value), cost_text(value)):
            self.assertEqual(shown(text), text)

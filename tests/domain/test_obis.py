"""Tests of dsmr_tw.domain.obis: that the table is one."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain import obis
from dsmr_tw.domain.obis import DEVICE_REGISTERS, DEVICE_TYPES, TYPE_OF_UNIT, Kind
from dsmr_tw.domain.obis_abroad import ABROAD

REGISTERS = {**obis.REGISTERS, **ABROAD}

CODE = re.compile(r"[0-9]-[0-9n]:[0-9]+\.[0-9]+\.[0-9]+")


class TableTests(SynchronousTestCase):
    """What holds for every row."""

    def test_codes(self) -> None:
        """A code is written as the standards write it; the odd spellings of meters are no rows."""
        for code in [*REGISTERS, *DEVICE_REGISTERS]:
            self.assertTrue(CODE.fullmatch(code), code)
        self.assertTrue(all("n" in code for code in DEVICE_REGISTERS))
        self.assertFalse(any("n" in code for code in REGISTERS))

    def test_names(self) -> None:
        """No two codes have one name, so that no value hides another."""
        names = [row.name for row in REGISTERS.values()]
        self.assertEqual(len(set(names)), len(names))

    def test_no_row_hides_another(self) -> None:
        """No code has two rows, in the one part of the table and the other."""
        self.assertEqual(set(obis.REGISTERS) & set(ABROAD), set())
        names = [row.name for row in DEVICE_REGISTERS.values()]
        self.assertEqual([name for name in names if names.count(name) > 1], ["position", "position"])

    def test_units(self) -> None:
        """What an account rests on has its unit in the table; a count or a text has none."""
        for code, row in REGISTERS.items():
            if row.kind is Kind.MEASURED:
                self.assertIn(row.unit, ("kWh", "kW"), code)
            elif row.kind is not Kind.NUMBER:
                self.assertIsNone(row.unit, code)

    def test_delivered_and_returned(self) -> None:
        """Delivered is to the client, 1.8 and 1.7; returned is by the client, 2.8 and 2.7: never crosswise."""
        for code, row in REGISTERS.items():
            if "delivered" in row.name:
                self.assertTrue(re.match(r"1-0:(1\.8|1\.7|[246]1\.7)\.", code), code)
            if "returned" in row.name:
                self.assertTrue(re.match(r"1-0:(2\.8|2\.7|[246]2\.7)\.", code), code)

    def test_device_types(self) -> None:
        """A device whose type is not printed is taken for one that measures in its unit."""
        for unit, kind in TYPE_OF_UNIT.items():
            self.assertEqual(DEVICE_TYPES[kind].unit, unit)

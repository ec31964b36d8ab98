"""Tests of the way from bytes to values on telegrams of each country, as another of its makers might print them.

They are made up; those of real meters are read in ``test_field.py``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import Arrival, MonthPeak, Reading
from tests.golden_telegrams import signed
from tests.unseen import CLOCK, ENERGY, NOON, POWER, USUAL, VERSION, at, body, said, stored


class CountryTests(SynchronousTestCase):
    """Each is known for what it is."""

    def check(self, dialect: str, reading: Reading, header: str, *lines: str, crc: bool = True) -> Arrival:
        """The telegram is known for what it is, and stored so, and no line of it is unknown."""
        plain = body(*lines, header=header)
        data = signed(plain) if crc else plain + b"\r\n"
        self.assertEqual((said(data).dialect, said(data).unknown), (dialect, ()))
        found = stored(data)
        self.assertEqual(found.reading, reading)
        return found

    def test_sweden(self) -> None:
        """Totals with eight digits, normal time in July, and currents with decimals."""
        self.check(
            "Sweden or Finland",
            Reading(
                at("2024-07-02T12:00:00+01:00"),
                *(6_136_779, 8, 0, 0, 1727, 0),
                *((1023, None, None), (None,) * 3, (240_300, None, None), (4200, None, None)),
            ),
            "/ADN9 6534",
            "0-0:1.0.0(240702120000W)",
            "1-0:1.8.0(00006136.779*kWh)",
            "1-0:2.8.0(00000000.008*kWh)",
            "1-0:3.8.0(00000000.123*kVArh)",
            "1-0:1.7.0(0001.727*kW)",
            "1-0:2.7.0(0000.000*kW)",
            "1-0:3.7.0(0000.000*kVAr)",
            "1-0:21.7.0(0001.023*kW)",
            "1-0:32.7.0(240.3*V)",
            "1-0:31.7.0(004.2*A)",
        )

    def test_hungary(self) -> None:
        """Tariffs beside a total, reactive energy by quadrant, and a month's end under the code of Belgian peaks."""
        found = self.check(
            "Hungary",
            Reading(at(NOON), 1000, 0, 5000, 0, 0, 0),
            "/AUX59902759",
            CLOCK,
            "0-0:96.1.0(12345678)",
            "1-0:1.8.0(000006.000*kWh)",
            "1-0:1.8.1(000001.000*kWh)",
            "1-0:1.8.2(000002.000*kWh)",
            "1-0:1.8.3(000003.000*kWh)",
            "1-0:2.8.0(000000.000*kWh)",
            "1-0:5.8.0(000001.000*kvarh)",
            "1-0:14.7.0(49.99*Hz)",
            "1-0:33.7.0(1.000)",
            "0-0:98.1.0(230701000000S)(000331.678*kWh)(000277.684*kWh)(000004.000*kvarh)(00.100*kW)",
            "0-0:96.50.68(ON)",
        )
        self.assertEqual((found.peaks, found.equipment_id), ((), "12345678"))

    def test_ireland(self) -> None:
        """A peak whose value comes first, and a time without a flag."""
        found = self.check(
            "Ireland",
            Reading(at(NOON), 1000, 0, 100, 0, 100, 0),
            "/ISk5\\2MIE5T-200",
            CLOCK,
            "1-0:1.8.1(000001.000*kWh)",
            "1-0:1.8.5(000000.100*kWh)",
            "1-0:1.6.0(08.796*kW)(240402010000)",
            "1-0:1.7.0(00.100*kW)",
        )
        self.assertEqual(found.peaks, (MonthPeak(at("2024-04-01T00:00Z"), at("2024-04-02T01:00+02:00"), 8796),))

    def test_switzerland(self) -> None:
        """All registers on channel 1."""
        lines = (line.replace("1-0:", "1-1:") for line in (*ENERGY, *POWER))
        self.check("Switzerland", USUAL, "/LGZ5E450", CLOCK, *lines)

    def test_germany(self) -> None:
        """No clock, no CRC, seven decimals, and a power below zero, which is one that is returned."""
        self.check(
            "Germany, Q3D",
            Reading(0, 25_678, 1, 0, 0, 0, 101, (0, None, None), (101, None, None)),
            "/ESY5Q3DB1024 V3.04",
            "1-0:0.0.0*255(1ESY1160000000)",
            "1-0:1.8.0*255(00000025.6783500*kWh)",
            "1-0:2.8.0*255(00000000.0012345*kWh)",
            "1-0:1.7.0*255(-00100.50*W)",
            "1-0:21.7.0*255(-00100.50*W)",
            "1-0:96.5.5*255(82)",
            "0-0:96.1.255*255(1ESY1160000000)",
            crc=False,
        )

    def test_austria(self) -> None:
        """Integers of Wh and W, and reactive energy by tariff."""
        self.check(
            "Austria",
            Reading(at(NOON), 100_000, 0, 200_000, 0, 286, 0),
            "/EST5\\253710000_A",
            VERSION,
            CLOCK,
            "1-0:1.8.0(000300000*Wh)",
            "1-0:1.8.1(000100000*Wh)",
            "1-0:1.8.2(000200000*Wh)",
            "1-0:1.7.0(000286*W)",
            "1-0:2.7.0(000000*W)",
            "1-0:3.8.1(000000012*varh)",
        )

    def test_lithuania(self) -> None:
        """Kilovolts and kiloamperes, four tariffs, and a power factor below zero."""
        self.check(
            "Lithuania",
            Reading(at(NOON), 1000, 0, 9000, 0, 321, 0, voltages=(229_000, None, None), currents=(1500, None, None)),
            "/ESO5\\203300000",
            CLOCK,
            *(f"1-0:1.8.{tariff}({tariff:06}.000*kWh)" for tariff in range(1, 5)),
            "1-0:1.7.0(00.321*kW)",
            "1-0:32.7.0(00.229*kV)",
            "1-0:31.7.0(00.0015*kA)",
            "1-0:33.7.0(-0.985)",
            "1-0:14.7.0(00.0499*kHz)",
        )

    def test_luxembourg(self) -> None:
        """Two limits of the current in one pair of brackets, or in two, and messages in parts."""
        for limits in ("(65.0*A,-65.0*A)", "(100*A)(-063*A)"):
            self.check(
                "Luxembourg",
                Reading(at(NOON), 17_901, 55_437, 0, 0, 0, 3454),
                "/Lux5\\253663629_D",
                VERSION,
                CLOCK,
                "1-0:1.8.0(000017.901*kWh)",
                "1-0:2.8.0(000055.437*kWh)",
                "1-0:1.7.0(00.000)",
                "1-0:2.7.0(03.454*kW)",
                f"1-1:31.4.0{limits}",
                "0-0:96.13.2()",
            )

    def test_negative_values(self) -> None:
        """A power below zero on the line of what is delivered is one that is returned, also of each phase."""
        lines = ("1-0:1.7.0(-01.500*kW)", "1-0:21.7.0(-01.000*kW)", "1-0:41.7.0(-00.500*kW)", "1-0:61.7.0(00.000*kW)")
        expected = Reading(at(NOON), 100_000, 1, 200_000, 2, 0, 1500, (0, 0, 0), (1000, 500, 0))
        self.check("DSMR 5.0", expected, "/ISK5\\2M550T-1012", VERSION, CLOCK, *ENERGY, *lines)

"""Tests of dsmr_tw.domain.line: what one line says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.line import Currents, Position, PowerFailure, Value, equipment_id, told_by, understood
from dsmr_tw.domain.obis import DEVICE_REGISTERS, REGISTERS
from dsmr_tw.domain.obis_abroad import ABROAD
from dsmr_tw.domain.printed_peaks import PrintedPeak
from dsmr_tw.errors import TelegramError


class ToldTests(SynchronousTestCase):
    """Keys and values of lines."""

    def check(self, *lines: tuple[bytes, str | None, Value]) -> None:
        """Each line tells this value under this key."""
        for text, key, value in lines:
            self.assertEqual(told_by(text), (key, value), text)

    def test_numbers(self) -> None:
        """Registers, powers, voltages and currents are thousandths; counts are as printed."""
        self.check(
            (b"1-0:1.8.1(001073.079*kWh)\r", "delivered_1", 1_073_079),
            (b"1-0:2.7.0(00.143*kW)", "currently_returned", 143),
            (b"1-0:62.7.0(06.666*kW)\r", "power_returned_l3", 6666),
            (b"1-0:52.7.0(220.2*V)\r", "voltage_l2", 220_200),
            (b"1-0:31.7.0(000281*mA)\r", "current_l1", 281),
            (b"0-0:96.14.0(0002)\r", "tariff", 2),
            (b"0-0:96.7.21(00020)\r", "power_failures", 20),
            (b"0-0:17.0.0(0999.00*kW)\r", "threshold", 999_000),
            (b"0-0:17.0.0(016*A)\r", "threshold", 16_000),
        )
        self.assertEqual(understood(b"0-0:17.0.0(016*A)\r")[2], "A")

    def test_texts(self) -> None:
        """Texts are kept as they are printed, whatever bytes they are."""
        self.check(
            (b"1-3:0.2.8(50)\r", "version", "50"),
            (b"1-3:0.2.8(P)\r", "version", "P"),
            (b"0-0:1.0.0(220605191351S)\r", "clock", "220605191351S"),
            (b"0-0:96.13.0()\r", "message", ""),
            (b"0-0:96.13.1(3031\xff)\r", "message_code", "3031\xff"),
        )

    def test_spellings(self) -> None:
        """Codes with a colon too many, or with the group that nobody prints, are understood."""
        self.check(
            (b"1-0:72:32.0(00001)\r", "voltage_sags_l3", 1),
            (b"1-0:31.7.0.255(001*A)\r", "current_l1", 1000),
            (b"1-0:1.8.0*255(00041710.1396502*kWh)\r", "delivered_total", 41_710_139),
            (b"\0 1-0:1.8.1(000001.000*kWh)\0\r", "delivered_1", 1000),
        )

    def test_devices(self) -> None:
        """What is about an M-Bus device carries its channel."""
        self.check(
            (b"0-1:24.1.0(003)\r", "1.type", 3),
            (b"0-5:24.4.0(1)\r", "5.valve", 1),
            (b"0-2:96.1.0(4730303339)\r", "2.equipment_id", "4730303339"),
            (b"0-2:24.2.1(101209112500W)(12785.123*m3)", "2.position", Position("101209112500W", 12_785_123, "m3")),
            (b"0-2:24.2.1(700101010000W)(00000000)\r", "2.position", Position("700101010000W", 0, "")),
            (
                b"0-2:24.3.0(211123200000)(00)(60)(1)(0-2:24.2.1)(m3)(13376.292)",
                "2.position",
                Position("211123200000", 13_376_292, "m3"),
            ),
            (
                b"0-2:24.3.0(211123200000)(00)(60)(1)(0-2:24.2.1)(m3)(13376.292*m3)",
                "2.position",
                Position("211123200000", 13_376_292, "m3"),
            ),
            (
                b"0-2:24.3.0(211123200000)(00)(60)(1)(0-2:24.2.1)()(13376.292)",
                "2.position",
                Position("211123200000", 13_376_292, ""),
            ),
        )

    def test_abroad(self) -> None:
        """What only meters of other countries print is understood by the same rules."""
        self.check(
            (b"1-0:1.8.4(000001.000*kWh)\r", "delivered_4", 1000),
            (b"1-0:3.8.0(00001761.087*kVArh)", "reactive_energy_plus", 1_761_087),
            (b"1-0:3.7.0(000000166*var)", "reactive_power_plus", 166),
            (b"1-0:12.7.0(0000.229*kV)", "voltage_any", 229_000),
            (b"1-0:14.7.0(0000.049*kHz)", "frequency", 49_000),
            (b"1-0:53.7.0(-0.123)", "power_factor_l2", -123),
            (b"1-0:1.4.0(02.351*kW)", "demand_to", 2351),
            (b"1-1:1.8.2(005216.778*kWh)", "1-1.delivered_2", 5_216_778),
            (b"1-1:31.4.0(100*A)(-100*A)", "fuses", Currents((100_000, -100_000))),
            (b"1-1:31.4.0(65.0*A,-65.0*A)", "fuses", Currents((65_000, -65_000))),
            (b"1-1:31.4.0()", None, None),
            (b"0-1:24.2.3(200512134558S)(00112.384*m\xb3)", "1.uncorrected", Position("200512134558S", 112_384, "m3")),
            (b"0-1:96.1.1(37464C4F31)", "1.second_id", "37464C4F31"),
            (b"0-3:96.1.0*255(12345888         )", "3.equipment_id", "12345888"),
            (b"0-4:96.3.10(0)", "4.relay", 0),
            (b"0-0:96.1.255*255(1ESY4984175137)", "nameplate", "1ESY4984175137"),
            (b"0-0:96.1.255*255(1ESYxxxxxxxxxx)", "nameplate", None),
            (b"1-0:1.6.0(200509134558S)(02.589*kW)", "peak", PrintedPeak("", "200509134558S", 2589)),
            (b"0-0:98.1.0(12)", "peaks", ()),
            (b"0-0:98.1.0(1)(1-0:1.6.0)(200501000000S)(02.589*kW)", None, None),
        )

    def test_spaces(self) -> None:
        """Spaces around a code, a value and its unit do not matter; one inside a number makes it none."""
        self.check(
            (b"1-0:15.8.0(00007137.694*kWh )\r", "energy_both_ways", 7_137_694),
            (b"1-0:1.8.1 ( 001073.079 * kWh )", "delivered_1", 1_073_079),
            (b"1-0:1.8.1(001073.079 kWh)", "delivered_1", 1_073_079),
            (b"0-1:24.2.1( 101209112500W ) ( 12785.123 m3)", "1.position", Position("101209112500W", 12_785_123, "m3")),
            (b"0-0:96.13.0( a b )", "message", " a b "),
            (b"1-0:32.7.0(2 30.1*V)", None, None),
        )
        self.assertRaises(TelegramError, told_by, b"1-0:1.8.1(001 073.079*kWh)")

    def test_power_failures(self) -> None:
        """The log says how long each was and when it ended, as far as it says so."""
        code = b"1-0:99.97.0"
        two = (PowerFailure("180417201458S", 236), PowerFailure("000101000001W", 2_147_483_647))
        self.check(
            (
                code + b"(2)(0-0:96.7.19)(180417201458S)(0000000236*s)(000101000001W)(2147483647*s)",
                "power_failure_log",
                two,
            ),
            (b"1-0:99:97.0(1)(0:96.7.19)(180417201458S)(236)", "power_failure_log", two[:1]),
            (code + b"(5)(0-0:96.7.19)(180417201458S)(0000000236*s)", "power_failure_log", two[:1]),
            (code + b"(10)(0-0:96.7.19)\r", "power_failure_log", ()),
            (code + b"(0)(0-0:96.7.19)\r", "power_failure_log", ()),
            (code + b"()\r", "power_failure_log", ()),
            (code + b"(1)(0-0:96.7.19)(180417201458S)", None, None),
            (code + b"(1)(0-0:96.7.19)(180417201458S)(long*s)", None, None),
        )

    def test_blank(self) -> None:
        """An empty line says nothing, and is not unknown."""
        self.check((b"\r", "", None), (b"", "", None), (b"\0\0\r", "", None))

    def test_unknown(self) -> None:
        """A line without a row, or whose value is not as its row says, is unknown."""
        self.check(
            *(
                (text, None, None)
                for text in (
                    b"1-0:3.8.9(000001.000*kvarh)",
                    b"0-6:24.1.0(003)",
                    b"***NO CARIER***",
                    b"0-0:96.14.0(abcd)",
                    b"0-0:96.14.0(0002",
                    b"0-0:96.14.0",
                    b"1-0:32.7.0(230.1*A)",
                    b"0-1:24.1.0()",
                    b"0-1:24.2.1(101209112500W)",
                    b"0-1:24.2.1(101209112500W)(xx*m3)",
                    b"0-1:24.2.1(101209112500W)(1*m3)(2*m3)",
                    b"0-1:24.3.0(211123200000)(00)(60)(1)(0-2:24.2.1)(m3)",
                    b"\xff\xfe",
                )
            )
        )

    def test_measured(self) -> None:
        """A register or a power that cannot be read refuses the telegram, in words that name the line."""
        for text in (
            b"1-0:1.8.1(xx1073.079*kWh)\r",
            b"1-0:1.8.1()",
            b"1-0:1.8.1",
            b"1-0:1.8.1(001073.079*kWh",
            b"1-0:2.8.2(001073.079*kWh)(1)",
            b"1-0:21.7.0(00.143*V)",
            b"1-0:1.7.0(" + b"9" * 5000 + b"*kW)",
        ):
            self.assertRaises(TelegramError, told_by, text)
        error = self.assertRaises(TelegramError, told_by, b"1-0:2.7.0(xx.321\x07kW)\r")
        self.assertEqual(str(error), r"Line '1-0:2.7.0(xx.321\x07kW)' cannot be read: power returned")

    def test_ids(self) -> None:
        """An id is kept as printed; one that is masked, missing or a filler is none."""
        for text in ("4530303033383634343431373532393934", "5f5f5f5f4f4e455f5f5f5f", "64896", "1011"):
            self.assertEqual(equipment_id(text), text)
        masked = (
            "",
            "***",
            "xxxxxx",
            "XXXXSERIALXXX",
            "4595xxx",
            "...",
            "-----",
            "0000000000",
            "FFFF",
            "3030303030",
            "0",
        )
        for text in masked:
            self.assertIsNone(equipment_id(text), text)
        self.check((b"0-0:96.1.1(***)", "equipment_id", None), (b"0-3:96.1.0()", "3.equipment_id", None))

    @given(
        st.sampled_from([*REGISTERS, *ABROAD, *(code.replace("n", "1") for code in DEVICE_REGISTERS)]),
        st.binary(max_size=60),
    )
    def test_any_bytes(self, code: str, rest: bytes) -> None:
        """Whatever stands behind a code, it is read, unknown, or a refusal in words."""
        for text in (rest, code.encode() + rest, code.encode() + b"(" + rest + b")"):
            try:
                told_by(text)
            except TelegramError as error:
                self.assertIn("cannot be read", str(error))


class ShortCutTests(SynchronousTestCase):
    """The short cut for what nearly all lines are reads as the long way does."""

    @given(
        st.sampled_from((b"1-0:1.8.1", b"1-0:1.7.0", b"1-0:32.7.0", b"1-0:71.7.0", b"1-0:21.7.0")),
        st.from_regex(rb"[0-9]{1,14}(\.[0-9]{1,5})?", fullmatch=True),
        st.sampled_from((b"*kWh", b"*kW", b"*V", b"*A", b"*Wh", b"kWh", b"", b"*kwh")),
    )
    def test_a_space_changes_nothing(self, code: bytes, number: bytes, unit: bytes) -> None:
        """A line read with a space behind it, which the short cut does not take, has the same value."""
        line = b"%b(%b%b)" % (code, number, unit)
        try:
            long_way: object = understood(line + b" ")
        except TelegramError as error:
            long_way = str(error)
        try:
            short_cut: object = understood(line)
        except TelegramError as error:
            short_cut = str(error)
        self.assertEqual(short_cut, long_way)

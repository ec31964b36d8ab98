"""Tests of the way from bytes to values on telegrams that nobody sent in, line by line.

Those of whole countries are in ``test_unseen_countries.py``; what real meters print is read in ``test_field.py``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DeviceReading, Failure, MonthPeak
from dsmr_tw.errors import TelegramError
from tests.golden_telegrams import signed
from tests.unseen import CLOCK, ENERGY, ID, OTHER_ID, POWER, USUAL, VERSION, at, body, device, said, stored


class FrameTests(SynchronousTestCase):
    """What stands around the lines."""

    def check(self, data: bytes) -> None:
        """It is the usual telegram."""
        self.assertEqual(stored(data).reading, USUAL)
        self.assertEqual(said(data).unknown_lines, 0)

    def test_headers(self) -> None:
        """A header needs neither a manufacturer nor a name, and may be anything, without a blank line behind it."""
        lines = (VERSION, CLOCK, *ENERGY, *POWER)
        for header in (
            "/",
            "/ISK",
            "/ISK5",
            "/123",
            "/A1B5 x",
            "/ADN9 6534",
            "/HLY5/D545-METER",
            "/ISK5\\a b!c/d",
            "/Ä",
        ):
            self.check(signed(body(*lines, header=header)))
            self.check(signed(body(*lines, header=header).replace(b"\r\n\r\n", b"\r\n")))

    def test_line_ends(self) -> None:
        """Spaces and NULs at the ends of lines, blank lines, and lines that end in LF alone do not matter."""
        for end in (b" \r\n", b"  \0\r\n", b"\n", b"\r\n\r\n", b"\r\r\n"):
            self.check(signed(body(VERSION, CLOCK, *ENERGY, *POWER).replace(b"\r\n", end)))
        self.check(signed(body(*(f"  {line}" for line in (VERSION, CLOCK, *ENERGY, *POWER)))))

    def test_crcs(self) -> None:
        """A CRC may be in small letters, without its leading zeros, with anything behind it."""
        for number in range(400):
            # As many telegrams as it takes to have one whose CRC begins with a zero, and one with letters.
            data = signed(body(VERSION, CLOCK, *ENERGY, *POWER, f"0-0:96.13.0({number:04X})"))
            head, _, crc = data.partition(b"!")
            for printed in {crc.lower(), crc.lstrip(b"0"), crc.strip() + b" \r\n", crc.strip()}:
                self.check(head + b"!" + printed)

    def test_codes(self) -> None:
        """A code may have its last group behind it; of two lines with one code the later counts."""
        for group in ("*255(", ".255("):
            self.check(signed(body(*(line.replace("(", group) for line in (VERSION, CLOCK, *ENERGY, *POWER)))))
        self.check(signed(body(VERSION, CLOCK, "1-0:1.8.1(000099.000*kWh)", *ENERGY, *POWER)))

    def test_unknown_lines(self) -> None:
        """What nobody knows is counted and kept, and costs nothing else of the telegram."""
        strange = ("1-0:99.99.9(1)", "no code at all", "0-0:96.99.0(ABC)", "1-0:32.7.0(?*V)", "0-1:24.2.1(1234.567*m3)")
        data = signed(body(VERSION, CLOCK, *ENERGY, *strange, *POWER))
        self.assertEqual((stored(data).reading, said(data).unknown), (USUAL, strange))

    def test_unreadable_registers(self) -> None:
        """A register that can't be read makes the whole telegram unfit, and the reason names its line."""
        for line in ("1-0:1.8.1()", "1-0:1.8.1", "1-0:1.8.1(+1*kWh)", "1-0:1.8.1(1,5*kWh)", "1-0:1.7.0(1*V)"):
            error = self.assertRaises(TelegramError, said, signed(body(VERSION, CLOCK, *ENERGY[1:], line)))
            self.assertIn(repr(line), str(error))


class TimeTests(SynchronousTestCase):
    """Clocks."""

    def clock(self, printed: str, zone: str = "Europe/Amsterdam") -> int:
        """The instant of a telegram with this clock; 0 is its arrival."""
        reading = stored(signed(body(VERSION, f"0-0:1.0.0({printed})", *ENERGY)), zone).reading
        assert reading is not None
        return reading.at

    def test_flags(self) -> None:
        """The flag is the offset, in every zone and at any time of the year; without one the zone's rules hold."""
        self.assertEqual(self.clock("240402120000S"), at("2024-04-02T12:00:00+02:00"))
        self.assertEqual(self.clock("240402120000W"), at("2024-04-02T12:00:00+01:00"))
        self.assertEqual(self.clock("240402120000"), at("2024-04-02T12:00:00+02:00"))
        self.assertEqual(self.clock("240102120000"), at("2024-01-02T12:00:00+01:00"))
        self.assertEqual(self.clock("240702120000W", "Europe/Stockholm"), at("2024-07-02T12:00:00+01:00"))
        self.assertEqual(self.clock("240702120000S", "Europe/Helsinki"), at("2024-07-02T12:00:00+03:00"))
        self.assertEqual(self.clock("240702120000S", "Europe/Dublin"), at("2024-07-02T12:00:00+01:00"))
        self.assertEqual(self.clock("260329023000W"), at("2026-03-29T02:30:00+01:00"))
        self.assertEqual(self.clock("261025023000S"), at("2026-10-25T02:30:00+02:00"))

    def test_no_time(self) -> None:
        """A clock that was never set, or is none, dates nothing: the arrival does."""
        for printed in (
            *("000101000000W", "700101010000W", "632525252525W", "35255255255255255S", "000124235657W"),
            *("241301120000S", "240230120000S", "240402250000S", "", "x", "24040212000S", "240402120000Z"),
        ):
            self.assertEqual(self.clock(printed), 0, printed)


class DeviceTests(SynchronousTestCase):
    """What hangs on the M-Bus."""

    def check(self, lines: tuple[str, ...], *expected: tuple[int, int, int]) -> None:
        """Of these lines, such values are stored: channel, type and thousandths."""
        found = stored(signed(body(VERSION, CLOCK, *ENERGY, *POWER, *lines)))
        self.assertEqual([(d.channel, d.device_type, d.value) for d in found.devices], list(expected))
        self.assertEqual(found.reading, USUAL)

    def test_kinds(self) -> None:
        """Gas, water and hot water in m³, heat and cold in joules or watt-hours, and a second electricity meter."""
        self.check(device("003", "00012.345*m3"), (1, 3, 12_345))
        self.check(device("007", "00012.345*m3", 2), (2, 7, 12_345))
        self.check(device("6", "00012.345*m3", 4), (4, 6, 12_345))
        self.check(device("02", "00012.345*kWh", 3), (3, 2, 12_345))
        for kind in (4, 10, 11, 12, 13):
            self.check(device(f"{kind:03}", "00012.345*GJ"), (1, kind, 12_345))
            self.check(device(f"{kind:03}", "12345*MJ"), (1, kind, 12_345))
            self.check(device(f"{kind:03}", "00010.000*kWh"), (1, kind, 36))
            self.check(device(f"{kind:03}", "00010.999*kWh"), (1, kind, 39))
            self.check(device(f"{kind:03}", "01.234567*MWh"), (1, kind, 4444))

    def test_what_does_not_fit(self) -> None:
        """A unit of another quantity, or a type that nobody knows, is no value, and its line not understood."""
        for kind, value in (("003", "1.0*GJ"), ("003", "1.0*kWh"), ("004", "1.0*m3"), ("021", "1.0*m3")):
            lines = device(kind, value)
            self.check(lines)
            self.assertEqual(said(signed(body(VERSION, CLOCK, *ENERGY, *lines))).unknown, lines[2:])

    def test_dead_beside_alive(self) -> None:
        """Of a channel that prints its value by two codes, one of them dead, the living one counts."""
        alive = device("003", "00112.384*m3", code="24.2.3")
        dead = "0-1:24.2.1(632525252525W)(00000.000*m3)"
        self.check((*alive, dead), (1, 3, 112_384))
        self.check((*alive, *device("003", "00110.000*m3")[2:]), (1, 3, 110_000))

    def test_what_nobody_can_place(self) -> None:
        """Nor is a line understood that tells neither type nor unit, but a channel that is dead tells nothing."""
        bare = "0-1:24.2.1(240402115500S)(00001.000)"
        belgian = device("003", "1.0*kWh", code="24.2.3")
        dead = "0-2:24.2.1(700101010000W)(00000000)"
        self.check((bare, dead))
        for lines, unknown in (((bare, dead), (bare,)), (belgian, belgian[2:]), (device("3", "1.000"), ())):
            self.assertEqual(said(signed(body(VERSION, CLOCK, *ENERGY, *lines))).unknown, unknown)

    def test_two_of_a_type(self) -> None:
        """Both are stored, the living one first, and a dead one is not."""
        both = device("003", "00001.000*m3"), device("003", "00002.000*m3", 2, OTHER_ID)
        self.check((*both[0], *both[1]), (1, 3, 1000), (2, 3, 2000))
        nameless = device("003", "00001.000*m3", printed_id="")
        self.check((*nameless, *both[1]), (2, 3, 2000), (1, 3, 1000))
        dead = ("0-1:24.1.0(003)", "0-1:96.1.0()", "0-1:24.2.1(700101010000W)(00000000)")
        self.check((*dead, *both[1]), (2, 3, 2000))

    def test_several_values_in_a_line(self) -> None:
        """A line with more values than the standards know is unknown, and no value is guessed."""
        lines = ("0-1:24.1.0(012)", "0-1:24.2.1(240402115500S)(012.345*GJ)(00067.890*m3)")
        self.check(lines)
        self.assertEqual(said(signed(body(VERSION, CLOCK, *ENERGY, *lines))).unknown, lines[1:])

    def test_before_dsmr_4(self) -> None:
        """Gas on two lines, or on one, with the unit in brackets of its own or behind the value."""
        for lines in (
            ("0-1:24.3.0(120517020000)(08)(60)(1)(0-1:24.2.1)(m3)", "(00124.477)"),
            ("0-1:24.3.0(120517020000)(08)(60)(1)(0-1:24.2.0)(m3)(00124.477)",),
            ("0-1:24.3.0(120517020000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00124.477*m3)"),
            ("0-1:24.3.0(120517020000)(00)(60)(1)(0-1:24.2.1)(m3) ", "(00124.477) "),
        ):
            data = body(*ENERGY, *POWER, "0-1:24.1.0(03)", f"0-1:96.1.0({ID})", *lines) + b"\r\n"
            found = stored(data)
            expected = DeviceReading(at("2012-05-17T02:00:00+02:00"), 124_477, 3, 1, ID)
            self.assertEqual((found.devices, said(data).unknown), ((expected,), ()), lines)
            self.assertEqual(said(data).dialect, "DSMR 2.2 or 3.0")


class FactTests(SynchronousTestCase):
    """Logs of power failures, and peaks."""

    def failures(self, log: str, unknown: int = 0) -> tuple[Failure, ...]:
        """The failures that a log tells."""
        data = signed(body(VERSION, CLOCK, *ENERGY, *POWER, f"1-0:99.97.0{log}"))
        self.assertEqual((stored(data).reading, said(data).unknown_lines), (USUAL, unknown), log)
        return stored(data).failures

    def peaks(self, *lines: str, unknown: int = 0) -> tuple[MonthPeak, ...]:
        """The peaks that a Belgian meter tells."""
        data = signed(body("0-0:96.1.4(50217)", CLOCK, *ENERGY, *POWER, *lines, header="/FLU5\\253769484_A"))
        self.assertEqual((stored(data).reading, said(data).unknown_lines), (USUAL, unknown), lines)
        self.assertEqual(said(data).dialect, "eMUCS 50217")
        return stored(data).peaks

    def test_logs(self) -> None:
        """None to ten failures, with units or without; those without a date or a length are none."""
        for empty in ("()", "(0)", "(0)(0-0:96.7.19)", "(10)(0-0:96.7.19)", "(00)(0-0:96.7.19)(632525252525W)(0*s)"):
            self.assertEqual(self.failures(empty), ())
        days = range(1, 11)
        log = "".join(f"(2401{day:02}120000W)({day:010}*s)" for day in days)
        expected = tuple(Failure(at(f"2024-01-{day:02}T12:00:00+01:00"), day) for day in days)
        self.assertEqual(self.failures(f"(10)(0-0:96.7.19){log}"), expected)
        self.assertEqual(self.failures(f"(10)(0-0:96.7.19){log}".replace("*s", "")), expected)
        # What nearly every Kaifa prints first.
        garbage = "(000101000001W)(2147483647*s)"
        self.assertEqual(self.failures(f"(2)(0-0:96.7.19){garbage}(240101120000W)(0000000001*s)"), expected[:1])

    def test_malformed_logs(self) -> None:
        """A log that is cut, or holds something else, is an unknown line, and the rest of the telegram counts."""
        for log in (
            "(2)(0-0:96.7.19)(240101120000W)",
            "(1)(0-0:96.7.19)(240101120000W)(x*s)",
            "(1)(0-0:96.7.19)(240101120000W)(0000000240*s",
            "(1)(0-0:96.7.19)(240101120000W)(-1*s)",
        ):
            self.assertEqual(self.failures(log, unknown=1), ())

    def test_peaks(self) -> None:
        """No month, or some, of which those that were never reached are none."""
        for history in (
            *("()", "(0)", "(0)(1-0:1.6.0)(1-0:1.6.0)", "(0)(1-0:1.6.0)(1-0:1.6.0)()()()", "(12)"),
            "(1)(1-0:1.6.0)(1-0:1.6.0)(632525252525W)(632525252525W)(00.000*kW)",
        ):
            self.assertEqual(self.peaks(f"0-0:98.1.0{history}", "1-0:1.6.0(632525252525W)(00.000*kW)"), ())
        self.assertEqual(self.peaks("1-0:1.6.0()()", unknown=1), ())
        months = "".join(
            f"(23{month + 1:02}01000000W)(23{month:02}15121500W)({month:02}.000*kW)" for month in range(1, 12)
        )
        found = self.peaks(f"0-0:98.1.0(11)(1-0:1.6.0)(1-0:1.6.0){months}", "1-0:1.6.0(240402114500S)(03.210*kW)")
        self.assertEqual([peak.power for peak in found], [*range(1000, 12_000, 1000), 3210])
        self.assertEqual(found[0], MonthPeak(at("2023-01-01T00:00Z"), at("2023-01-15T12:15+01:00"), 1000))

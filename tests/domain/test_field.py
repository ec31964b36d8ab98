"""Tests of the way from bytes to values on all telegrams from the field, and on what they may become elsewhere.

What is expected stands here as it was read from the files by eye, or is found in them by the patterns of this module.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.facts import failures, peaks
from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.obis import DEVICE_REGISTERS, REGISTERS
from dsmr_tw.domain.obis_abroad import ABROAD
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Arrival, DeviceReading, Origin, Reading
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import CrcError, TelegramError
from tests.golden_telegrams import REFUSED, WITHOUT_CRC, body_of, every, telegram

AMSTERDAM = meter_zone("Europe/Amsterdam")
PARSER = TelegramParser()

ENERGY = re.compile(rb"^1-[01]:([12])\.8\.(\d+)(?:\*255)?\((\d+\.?\d*)\*?(k?)Wh\)", re.MULTILINE | re.IGNORECASE)
DEVICE_VALUE = re.compile(
    rb"^0-(\d):24\.[23]\.\d\((\d{12}[SW]?)\)[^\n]*?\(?(?:\r\n\()?(\d+\.\d+)(?:\*\w+)?\)\r$", re.MULTILINE
)
UNIT = re.compile(rb"\*(kWh|kW|V|A|Wh|W|kvarh|kvar|kVArh|kVAr|m3|GJ)\)")
UNITS_OF_THE_TABLE = (b"kWh", b"kW", b"V", b"A")
NEVER_SET = (b"000101", b"700101", b"632525")


def at(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def parsed(data: bytes) -> Telegram:
    """What the one telegram in these bytes says, whatever its CRC."""
    (outcome,) = outcomes_in(data, CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return PARSER.parse(outcome)


def stored(data: bytes, zone: str = "Europe/Amsterdam") -> Arrival:
    """What is stored of it, had it arrived at 0."""
    return arrival(parsed(data), Origin("device /dev/ttyUSB0"), 0, meter_zone(zone))


def lines_of(data: bytes) -> list[bytes]:
    """The lines between header and end; what stands below another, as gas did once, belongs to it."""
    return re.findall(rb"[^\n]+\n(?:\([^\n]*\n)*", body_of(data)[:-1].partition(b"\n")[2])


def made_of(data: bytes, lines: list[bytes]) -> bytes:
    """The telegram with other lines."""
    return body_of(data).partition(b"\n")[0] + b"\n" + b"".join(lines) + b"!\r\n"


class EveryTelegramTests(SynchronousTestCase):
    """What holds for each of them."""

    def test_crc(self) -> None:
        """Each is taken as it is, with a right CRC unless its dialect has none, or refused with both CRCs named."""
        self.assertEqual(len(every()), 112)
        for name in every():
            (outcome,) = outcomes_in(telegram(name))
            if name in REFUSED:
                assert isinstance(outcome, CrcError)
                self.assertEqual(str(outcome), REFUSED[name])
            else:
                assert isinstance(outcome, RawTelegram)
                self.assertEqual(outcome.crc is None, name.startswith(WITHOUT_CRC), name)
                self.assertEqual(outcome.data, body_of(telegram(name)))

    def test_no_line_is_dropped(self) -> None:
        """Each line tells something, or is counted as unknown and kept: without it less is told."""
        for name in every():
            data = telegram(name)
            said, lines = parsed(data), lines_of(data)
            self.assertEqual(len(said.unknown), said.unknown_lines)
            for number, line in enumerate(lines):
                if not line.strip():
                    continue
                less = parsed(made_of(data, lines[:number] + lines[number + 1 :]))
                missing = said.unknown_lines - less.unknown_lines
                self.assertEqual((len(said.told.keys() - less.told.keys() - {None}) > 0) + missing, 1, (name, line))

    def test_unknown_lines(self) -> None:
        """Only damaged lines, an empty type, and the gas log of the oldest meter are unknown."""
        unknown = {name: said.unknown_lines for name in every() if (said := parsed(telegram(name))).unknown_lines}
        self.assertEqual(
            unknown, {"ace4000": 25, "dsmr-2-2-3-0-12": 3, "dsmr-5-0-38": 1, "metcom-04": 1, "unknown-00": 1}
        )

    def test_sums(self) -> None:
        """Both registers together are what all tariffs of the telegram add up to, or its total."""
        for name in every():
            data = telegram(name)
            found: dict[bytes, dict[bytes, int]] = {b"1": {}, b"2": {}}
            for way, tariff, number, kilo in ENERGY.findall(data):
                found[way][tariff] = int(Decimal(number.decode()) * (1000 if kilo else 1))
            if not found[b"1"]:
                continue
            reading = stored(data).reading
            assert reading is not None
            for way, sum_of_both in (
                (b"1", reading.delivered_1 + reading.delivered_2),
                (b"2", reading.returned_1 + reading.returned_2),
            ):
                total = found[way].pop(b"0", 0)
                self.assertEqual(sum_of_both, sum(found[way].values()) or total, (name, way))

    def test_devices(self) -> None:
        """Each value of a device with a time becomes a value that is stored; one of a clock never set does not."""
        values = 0
        for name in every():
            data = telegram(name)
            expected = [
                (int(channel), int(Decimal(number.decode()) * 1000))
                for channel, clock, number in DEVICE_VALUE.findall(data)
                if not clock.startswith(NEVER_SET)
            ]
            values += len(expected)
            if expected:
                devices = stored(data).devices
                self.assertEqual(sorted((d.channel or 0, d.value) for d in devices), sorted(expected), name)
        self.assertGreater(values, 60)


class StandardTests(SynchronousTestCase):
    """One telegram of each standard, with the values that a person reads in it."""

    def check(self, name: str, reading: Reading, *devices: DeviceReading, zone: str = "Europe/Amsterdam") -> Arrival:
        """Just so is the telegram stored."""
        found = stored(telegram(name), zone)
        self.assertEqual((found.reading, found.devices), (reading, devices), name)
        return found

    def test_belgium(self) -> None:
        """Gas that is not converted, and water, under the ids of Belgian meters; units without an asterisk, too."""
        zeros = (0, 0, 0)
        self.check(
            "be-emucs-50217-00",
            Reading(at("2020-05-12T13:54:09+02:00"), 34, 0, 15_758, 11, 0, 0, zeros, zeros, (234_700,) * 3, zeros),
            DeviceReading(at("2020-05-12T13:45:58+02:00"), 112_384, 3, 1, "37464C4F31303038363536333832"),
            DeviceReading(at("2020-05-12T13:45:58+02:00"), 872_234, 7, 2, "3853414736373735313535373835"),
        )
        self.check(
            "be-emucs-50215-00",
            Reading(
                at("2021-02-27T14:49:33+01:00"),
                1_247_747,
                2_159_427,
                2_330_879,
                812_563,
                0,
                149,
                (13, 108, 0),
                (0, 0, 271),
                (234_500, 234_000, 235_100),
                (190, 800, 1390),
            ),
            DeviceReading(at("2021-02-27T14:46:00+01:00"), 996_617, 3, 1, "1234764223782271399702866224"),
        )

    def test_luxembourg(self) -> None:
        """Totals only; values without a unit; two limits of the current."""
        found = self.check(
            "lu-smarty-04",
            Reading(
                at("2023-03-15T15:53:42+01:00"),
                17_901,
                55_437_011,
                0,
                0,
                0,
                3454,
                (0, 0, 0),
                (1160, 1146, 1147),
                (236_000, 233_000, 235_000),
                (4000,) * 3,
            ),
        )
        self.assertEqual(found.equipment_id, "53414731303337313735363030363139")

    def test_sweden(self) -> None:
        """Normal time all the year: what is printed in August is one hour behind the clocks on the walls."""
        self.check(
            "se-fi-20",
            Reading(
                at("2021-08-28T15:24:53+01:00"),
                119_841,
                533_758,
                0,
                0,
                532,
                0,
                (0, 584, 33),
                (85, 0, 0),
                (247_300, 247_300, 245_100),
                (500, 3000, 800),
            ),
            zone="Europe/Stockholm",
        )

    def test_finland(self) -> None:
        """The same two hours east of Greenwich, where the meter hangs there."""
        reading = stored(telegram("se-fi-16"), "Europe/Helsinki").reading
        assert reading is not None
        self.assertEqual((reading.at, reading.delivered_1), (at("2024-01-08T16:49:40+02:00"), 10_117_368))
        self.assertEqual((reading.currently_delivered, reading.powers_delivered), (4251, (1462, 1263, 1523)))

    def test_hungary(self) -> None:
        """Four tariffs, of which two are used, beside their total."""
        found = self.check(
            "hu-eon-mvm-00",
            Reading(
                at("2023-07-24T15:07:30+02:00"),
                47_719,
                401_829,
                125_921,
                225_348,
                0,
                2601,
                voltages=(240_400, 239_100, 241_200),
                currents=(3000, 4000, 3000),
            ),
        )
        self.assertEqual(found.equipment_id, "383930303837373532343130383233")

    def test_lithuania(self) -> None:
        """Kilovolts, and no power but that of the phases."""
        zeros = (0, 0, 0)
        self.check(
            "lt-eso-00",
            Reading(at("2024-02-05T12:25:48+02:00"), 365_127, 35_027, 0, 0, 0, 0, zeros, zeros, (0, 0, 229_000), zeros),
            zone="Europe/Vilnius",
        )

    def test_austria(self) -> None:
        """Wh and W without decimals."""
        self.check("at-steiermark-00", Reading(at("2022-10-06T15:50:14+02:00"), 5_017_120, 0, 1_528_646, 58, 286, 0))

    def test_ireland(self) -> None:
        """Five tariffs, of which two are used."""
        self.check(
            "ie-iskra-00",
            Reading(
                at("2026-01-04T16:25:15+00:00"),
                7_105_942,
                7_456_573,
                14_830_476,
                2_914_252,
                4800,
                0,
                (861, 1580, 2359),
                (0, 0, 0),
                (133_800, 128_500, 128_500),
                (7480, 13_750, 18_650),
            ),
            zone="Europe/Dublin",
        )

    def test_switzerland(self) -> None:
        """Registers of channel 1, and a masked clock."""
        self.check(
            "ch-xt211",
            Reading(
                0,
                1_595_070,
                4_478_038,
                5_216_778,
                4648,
                1622,
                0,
                (0, 3946, 0),
                (1175, 0, 1148),
                (238_900, 231_900, 239_700),
                (5150, 17_190, 5020),
            ),
        )

    def test_germany(self) -> None:
        """No clock; seven decimals; one power, below zero when it is returned, of all and of each phase."""
        found = self.check("de-q3d-02", Reading(0, 62_716_185, 22_978_244, 0, 0, 0, 236, (0, 698, 636), (1570, 0, 0)))
        self.assertEqual(found.equipment_id, "1ESY7822614563")

    def test_before_dsmr_4(self) -> None:
        """No clock; power in tens of watts; four gas meters, whose values stand on lines of their own."""
        found = stored(telegram("dsmr-2-2-3-0-10"))
        assert found.reading is not None
        self.assertEqual((found.reading.at, found.reading.currently_delivered), (0, 212_330))
        self.assertEqual({d.channel: d.value for d in found.devices}, {1: 100_006, 2: 200_006, 3: 300_006, 4: 400_006})

    def test_ace4000(self) -> None:
        """A meter from before the first standard gives its total."""
        self.check("ace4000", Reading(0, 12_345_074, 0, 0, 0, 0, 0))

    def test_all_kinds_of_devices(self) -> None:
        """A second electricity meter, gas, heat and cold on the four channels of one meter."""
        found = {d.channel: (d.device_type, d.value) for d in stored(telegram("dsmr-5-0-46")).devices}
        self.assertEqual(found, {1: (2, 12_785_111), 2: (3, 12_785_222), 3: (4, 12_785_333), 4: (10, 12_785_444)})


@st.composite
def otherwise_printed(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A telegram, and the same with its lines in another order, some of them gone, all in other spellings."""
    data = telegram(draw(st.sampled_from([name for name in every() if name != "ace4000"])))
    lines = draw(st.permutations(lines_of(data)))
    lines = lines[: draw(st.integers(0, len(lines)))]
    return made_of(data, lines), made_of(data, [draw(spelled(line)) for line in lines])


@st.composite
def spelled(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with its unit in another spelling, and with spaces around its parts, if it is one of a quantity."""

    def other(match: re.Match[bytes]) -> bytes:
        unit = match[1]
        spellings = [b"*" + unit, unit, b" " + unit, b" * " + unit, b"*" + unit.lower() + b" "]
        if unit == b"m3":
            spellings += [b"*m\xb3", b"*m\xc2\xb3"]
        if unit in UNITS_OF_THE_TABLE and line.startswith(b"1-0:") and line.count(b"(") == 1:
            spellings.append(b"")
        return draw(st.sampled_from(spellings)) + b")"

    printed = UNIT.sub(other, line)
    if printed != line and draw(st.booleans()):
        printed = printed.replace(b"(", b" ( ")
    return printed.replace(b"\r\n", draw(st.sampled_from([b"\r\n", b" \r\n", b"\0\r\n", b"\n"])))


GROUPS = st.sampled_from(
    [
        b"230701000000S",
        b"632525252525W",
        b"02.589*kW",
        b"-1*A",
        b"1-0:1.6.0",
        b"003",
        b"m3",
        b"00123.456*m3",
        b"",
        b"xx",
    ]
) | st.binary(max_size=20)
CODES = st.sampled_from(
    [
        code.replace("n", channel).replace("1-0", medium).encode()
        for code in [*REGISTERS, *ABROAD, *DEVICE_REGISTERS]
        for channel in "14"
        for medium in ("1-0", "1-1")
    ]
)
LINES = st.builds(lambda code, groups: b"%b(%b)" % (code, b")(".join(groups)), CODES, st.lists(GROUPS, max_size=9))


class OtherTelegramTests(SynchronousTestCase):
    """Telegrams that nobody has sent in yet."""

    @settings(deadline=None)
    @given(otherwise_printed())
    def test_spellings(self, pair: tuple[bytes, bytes]) -> None:
        """Order, spaces, spellings of units and line ends change nothing of what a telegram says."""
        plain, other = map(parsed, pair)
        self.assertEqual(other.told, plain.told)
        self.assertEqual((other.dialect, other.unknown_lines), (plain.dialect, plain.unknown_lines))

    @settings(deadline=None)
    @given(st.sampled_from(every()), st.data())
    def test_absent_lines(self, name: str, data: Any) -> None:
        """A line that is not there takes nothing along but what it told itself."""
        lines = lines_of(telegram(name))
        absent = data.draw(st.sets(st.integers(0, len(lines) - 1)))
        whole = parsed(telegram(name))
        less = parsed(made_of(telegram(name), [line for n, line in enumerate(lines) if n not in absent]))
        self.assertLessEqual(less.told.items(), {**whole.told, "": None}.items())

    @settings(deadline=None)
    @given(st.binary(max_size=30).filter(lambda header: b"\n" not in header), st.lists(LINES | st.binary(max_size=40)))
    def test_any_lines(self, header: bytes, lines: list[bytes]) -> None:
        """Whatever is put behind whichever codes, the answer is a telegram or a TelegramError."""
        try:
            said = PARSER.parse(RawTelegram(b"\r\n".join([b"/" + header, b"", *lines, b"!"]), None))
        except TelegramError:
            return
        self.assertTrue(said.dialect)
        self.assertTrue(all(peak.at for peak in peaks(said, AMSTERDAM)))
        self.assertTrue(all(failure.at for failure in failures(said, AMSTERDAM)))
        try:
            arrival(said, Origin("any"), 0, AMSTERDAM)
        except TelegramError as error:
            self.assertIn("Nothing measurable", str(error))

"""Tests of dsmr_tw.domain.parse: what a whole telegram says."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.line import Position, PowerFailure
from dsmr_tw.domain.parse import REMEMBERED_BYTES, REMEMBERED_LINES, Device, Telegram, TelegramParser
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import TelegramError
from tests.golden_telegrams import FOLDER, telegram, valid_dutch


def raw(data: bytes) -> RawTelegram:
    """The one telegram in these bytes."""
    (outcome,) = outcomes_in(data, CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return outcome


def parsed(*lines: str, parser: TelegramParser | None = None) -> Telegram:
    """A telegram of these lines, understood."""
    text = "\r\n".join(("/ISK5\\2M550T-1012", "", *lines, "!"))
    return (parser or TelegramParser()).parse(RawTelegram(text.encode("latin-1"), None))


class GoldenTests(SynchronousTestCase):
    """Telegrams from the field."""

    def test_dsmr_4(self) -> None:
        """A three-phase DSMR 4.2 meter with gas says all of this."""
        said = TelegramParser().parse(raw(telegram("dsmr-4-2-00")))
        self.assertEqual(said.raw.identification, "KFM5KAIFA-METER")
        self.assertEqual(
            {name: said.numbers[name] for name in ("delivered_1", "delivered_2", "returned_1", "returned_2")},
            {"delivered_1": 19_235_879, "delivered_2": 16_881_373, "returned_1": 0, "returned_2": 0},
        )
        self.assertEqual(said.numbers["currently_delivered"], 590)
        self.assertEqual([said.numbers[f"power_delivered_l{n}"] for n in (1, 2, 3)], [4, 273, 313])
        self.assertEqual([said.numbers[f"current_l{n}"] for n in (1, 2, 3)], [0, 1000, 1000])
        self.assertEqual((said.numbers["power_failures"], said.numbers["long_power_failures"]), (20, 8))
        self.assertEqual(said.texts["version"], "42")
        self.assertEqual(said.texts["clock"], "220605191351S")
        self.assertEqual(said.texts["equipment_id"], "4530303033383634343431373532393934")
        self.assertEqual(said.texts["message"], "")
        self.assertEqual(
            said.failures,
            (
                PowerFailure("211209190618W", 3557),
                PowerFailure("210416081947S", 4676),
                PowerFailure("000101000011W", 2_147_483_647),
            ),
        )
        gas = Position("220605190000S", 16_051_816, "m3")
        self.assertEqual(said.devices, [Device(1, 3, "4730303032323432393734333935303636", gas)])
        self.assertEqual((said.unknown, said.unknown_lines), ((), 0))

    def test_four_devices(self) -> None:
        """Devices are listed by channel, in whatever order a meter prints them."""
        said = TelegramParser().parse(raw(telegram("dsmr-5-0-46")))
        self.assertEqual([(device.channel, device.type) for device in said.devices], [(1, 2), (2, 3), (3, 4), (4, 10)])
        self.assertEqual(
            [device.position and device.position.unit for device in said.devices], ["kWh", "m3", "GJ", "GJ"]
        )

    def test_dead_device(self) -> None:
        """A device that says no more than its type is listed, too, but measures nothing."""
        said = TelegramParser().parse(raw(telegram("dsmr-5-0-48")))
        self.assertEqual([device.channel for device in said.devices], [1, 2])
        self.assertEqual([device.channel for device in said.measuring], [1])
        self.assertEqual(said.device(2), Device(2, 3))
        self.assertEqual(said.device(3), Device(3))

    def test_value_on_its_own_line(self) -> None:
        """Before DSMR 4 a gas value stands on the line below; some logs are broken like that, too."""
        said = TelegramParser().parse(raw(telegram("dsmr-2-2-3-0-04")))
        self.assertEqual(said.device(1).position, Position("090212160000", 1001, "m3"))
        self.assertEqual(said.device(1).valve, 1)
        self.assertEqual(said.numbers["threshold"], 16_000)
        padded = parsed("0-1:24.3.0(211123200000)(00)(60)(1)(0-2:24.2.1)(m3) \0\r\n(13376.292)")
        self.assertEqual(padded.device(1).position, Position("211123200000", 13_376_292, "m3"))
        broken = parsed("1-0:99.97.0(2)(0-0:96.7.19)(180417201458S)(0000000236*s)\r\n(210321163842S)(0000001234*s)")
        self.assertEqual(broken.failures, (PowerFailure("180417201458S", 236), PowerFailure("210321163842S", 1234)))

    def test_all(self) -> None:
        """All Dutch telegrams are understood to the last line."""
        parser = TelegramParser()
        for name in valid_dutch():
            self.assertEqual(parser.parse(raw(telegram(name))).unknown, (), name)

    def test_all_numbers(self) -> None:
        """In every telegram from the field, each kWh and kW is what a plain look at its text finds."""
        parser = TelegramParser()
        codes = {"1.8.1": "delivered_1", "1.8.2": "delivered_2", "2.8.1": "returned_1", "2.8.2": "returned_2"}
        codes |= {"1.7.0": "currently_delivered", "2.7.0": "currently_returned", "61.7.0": "power_delivered_l3"}
        for path in sorted(FOLDER.glob("dsmr-*.txt")):
            data = path.read_bytes()
            said = parser.parse(raw(data)).numbers
            for code, name in codes.items():
                found = re.search(rb"1-0:%b(?:\.255)?\(0*(\d+)\.(\d+)\*k" % re.escape(code.encode()), data)
                expected = found and int(found[1]) * 1000 + int(found[2].ljust(3, b"0"))
                self.assertEqual(said.get(name), expected, f"{path.stem} {name}")


class ParserTests(SynchronousTestCase):
    """Whatever a telegram is made of."""

    def test_unknown_lines(self) -> None:
        """Lines that are not understood are counted, and the first 64 of them kept."""
        said = parsed("1-0:99.99.9(1)", "0-0:96.14.0(abcd)", "", "1-0:1.8.1(000001.000*kWh)")
        self.assertEqual((said.unknown, said.unknown_lines), (("1-0:99.99.9(1)", "0-0:96.14.0(abcd)"), 2))
        self.assertNotIn("tariff", said.numbers)
        many = parsed(*(f"1-0:99.99.{n}(1)" for n in range(70)))
        self.assertEqual((len(many.unknown), many.unknown[63], many.unknown_lines), (64, "1-0:99.99.63(1)", 70))

    def test_measured(self) -> None:
        """A power that cannot be read refuses the telegram, also when it comes again."""
        parser = TelegramParser()
        for _ in range(2):
            error = self.assertRaises(TelegramError, parsed, "1-0:1.7.0(xx.321*kW)", parser=parser)
            self.assertIn("1-0:1.7.0(xx.321*kW)", str(error))

    def test_twice(self) -> None:
        """Of a line that comes twice, the later counts."""
        self.assertEqual(parsed("0-0:96.14.0(0001)", "0-0:96.14.0(0002)").numbers["tariff"], 2)

    def test_second_channel(self) -> None:
        """What a meter prints of channel 1 alone stands for channel 0; where it prints both, channel 0 holds."""
        parser = TelegramParser()
        lines = ("1-1:1.8.1(000001.000*kWh)", "1-1:1.8.2(000002.000*kWh)", "1-1:1.7.0(00.100*kW)")
        for _ in range(2):
            said = parsed(*lines, "1-0:1.7.0(00.200*kW)", parser=parser)
            self.assertEqual((said.numbers["delivered_1"], said.numbers["delivered_2"]), (1000, 2000))
            self.assertEqual((said.numbers["currently_delivered"], said.told["1-1.currently_delivered"]), (200, 100))
        self.assertNotIn("delivered_1", parsed("1-0:1.8.2(000003.000*kWh)", parser=parser).numbers)

    def test_channels_are_not_mixed(self) -> None:
        """Where channel 0 has one register of energy, those of channel 1 are something else, and stay apart."""
        said = parsed("1-0:1.8.0(000005.000*kWh)", "1-1:1.8.1(000001.000*kWh)", "1-1:1.7.0(00.100*kW)")
        self.assertNotIn("delivered_1", said.numbers)
        self.assertEqual((said.numbers["delivered_total"], said.told["1-1.delivered_1"]), (5000, 1000))
        self.assertEqual(said.numbers["currently_delivered"], 100)

    def test_peaks(self) -> None:
        """Peaks of past months come before that of the month under way; a month's end of another country is none."""
        now, past = "1-0:1.6.0(260102010000)(08.796*kW)", "0-0:98.1.0(1)(1-0:1.6.0)(250101000000W)(241201000000W)(1*kW)"
        self.assertEqual([peak.power for peak in parsed(now, past).peaks], [1000, 8796])
        self.assertEqual([peak.power for peak in parsed(past).peaks], [1000])
        self.assertEqual(parsed("0-0:98.1.0(230701000000S)(000040.777*kWh)").peaks, ())

    def test_masked_id(self) -> None:
        """A masked id is no id."""
        self.assertIsNone(parsed("0-0:96.1.1(*****)").texts.get("equipment_id"))

    def test_line_ends(self) -> None:
        """Lines may end in LF alone, where nobody asks for a CRC."""
        said = TelegramParser().parse(RawTelegram(b"/ISK5\n\n1-0:1.8.1(000001.000*kWh)\n!", None))
        self.assertEqual(said.numbers["delivered_1"], 1000)
        self.assertEqual(said.raw.identification, "ISK5")

    def test_memory(self) -> None:
        """What the parser remembers has a bound, and forgetting changes no answer."""
        parser = TelegramParser()
        for n in range(REMEMBERED_LINES + 100):
            self.assertEqual(parsed(f"0-0:96.7.21({n:05})", parser=parser).numbers["power_failures"], n)
        self.assertLessEqual(len(parser._remembered), REMEMBERED_LINES)
        message = "31" * REMEMBERED_BYTES
        self.assertEqual(parsed(f"0-0:96.13.0({message})", parser=parser).texts["message"], message)
        self.assertFalse(any(len(line) > REMEMBERED_BYTES for line in parser._remembered))

    @given(st.lists(st.binary(max_size=80)))
    def test_any_bytes(self, lines: list[bytes]) -> None:
        """Whatever bytes stand in a telegram, the answer is what they say or a TelegramError."""
        data = b"\r\n".join((b"/ISK5", b"", *lines, b"!"))
        try:
            said = TelegramParser().parse(RawTelegram(data, None))
        except TelegramError:
            return
        self.assertIsInstance(said.devices, list)
        self.assertLessEqual(len(said.unknown), 64)

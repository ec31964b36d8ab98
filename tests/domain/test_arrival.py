"""Tests of dsmr_tw.domain.arrival: what of a telegram is stored."""

from __future__ import annotations

import re
from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.arrival import arrival, clock_of
from dsmr_tw.domain.localtime import instant_of, meter_zone, to_utc_text
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Arrival, DeviceReading, Failure, MeterStatistics, Origin, Reading
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import TelegramError
from tests.golden_telegrams import telegram, valid_dutch, without_clock, without_register
from tests.telegramtext import telegram as made_up

ORIGIN = Origin("device /dev/ttyUSB0")
AMSTERDAM = meter_zone("Europe/Amsterdam")
NOW = instant_of(datetime.fromisoformat("2024-04-02T10:00:00Z"))
PARSER = TelegramParser()
REGISTERS = (
    "1-0:1.8.1(000001.000*kWh)",
    "1-0:1.8.2(000002.000*kWh)",
    "1-0:2.8.1(000003.000*kWh)",
    "1-0:2.8.2(000004.000*kWh)",
)
POWERS = ("1-0:1.7.0(00.005*kW)", "1-0:2.7.0(00.006*kW)")


def at(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def arrived(data: bytes) -> Arrival:
    """What the one telegram in these bytes becomes, whatever its CRC."""
    (outcome,) = outcomes_in(data, CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return arrival(PARSER.parse(outcome), ORIGIN, NOW, AMSTERDAM)


def by_arrival(data: bytes, received_at: int = NOW) -> Arrival:
    """What the one telegram in these bytes becomes if its meter's clock is not trusted."""
    (outcome,) = outcomes_in(data, CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return arrival(PARSER.parse(outcome), ORIGIN, received_at, AMSTERDAM, by_arrival=True)


def made_of(*lines: str) -> Arrival:
    """What a telegram of these lines becomes."""
    return arrived("\r\n".join(("/ISK5\\2M550T-1012", "", *lines, "!")).encode("latin-1"))


def reading_of(*lines: str) -> Reading:
    """The reading of a telegram of these lines."""
    reading = made_of(*lines).reading
    assert reading is not None
    return reading


class GoldenTests(SynchronousTestCase):
    """Telegrams from the field."""

    def test_three_phases(self) -> None:
        """A three-phase DSMR 5 telegram gives all of this."""
        data = telegram("dsmr-5-0-12")
        self.assertEqual(
            arrived(data),
            Arrival(
                origin=ORIGIN,
                received_at=NOW,
                reading=Reading(
                    at=at("2010-12-09T10:30:20Z"),
                    delivered_1=123_456_789,
                    returned_1=123_456_789,
                    delivered_2=123_456_789,
                    returned_2=123_456_789,
                    currently_delivered=1193,
                    currently_returned=0,
                    powers_delivered=(1111, 2222, 3333),
                    powers_returned=(4444, 5555, 6666),
                    voltages=(220_100, 220_200, 220_300),
                    currents=(1000, 2000, 3000),
                ),
                devices=(
                    DeviceReading(at("2010-12-09T10:25:00Z"), 12_785_123, 3, 1, "3232323241424344363839343436383135"),
                ),
                equipment_id="4B384547303530313033393334323239",
                statistics=MeterStatistics("50", 2, 4, 2, (2, 1, 0), (0, 3, 0)),
                telegram=data.decode("latin-1").rstrip(),
                zone="Europe/Amsterdam",
                failures=(Failure(at("2010-12-08T14:24:15Z"), 240), Failure(at("2010-12-08T14:10:04Z"), 301)),
            ),
        )

    def test_peaks(self) -> None:
        """A Belgian meter's peaks of months go with its reading."""
        stored = arrived(telegram("be-emucs-50217-02"))
        self.assertEqual([peak.power for peak in stored.peaks], [1862, 4229, 4927, 3064])
        self.assertEqual(stored.failures, ())

    def test_single_phase(self) -> None:
        """A single-phase DSMR 4 meter has no second phase, which is not the same as a zero."""
        stored = arrived(telegram("dsmr-4-2-06"))
        assert stored.reading is not None
        self.assertEqual(to_utc_text(stored.reading.at), "2019-05-14T19:36:20Z")
        self.assertEqual(stored.reading.delivered_1, 2_000_123)
        self.assertEqual(stored.reading.powers_delivered[1:], (None, None))
        self.assertEqual(stored.reading.voltages, (None, None, None))
        self.assertIsNone(stored.equipment_id)
        self.assertEqual([(device.channel, device.value) for device in stored.devices], [(2, 1_543_012)])

    def test_dead_gas_meter(self) -> None:
        """A gas meter whose clock was never set is not taken; the living one is, on whatever channel."""
        for name, channel, value in (("dsmr-5-0-06", 2, 246_138), ("dsmr-5-0-30", 2, 241_773)):
            (gas,) = arrived(telegram(name)).devices
            self.assertEqual((gas.channel, gas.value, gas.device_type), (channel, value, 3))
        self.assertEqual(arrived(telegram("dsmr-5-0-00")).devices, ())
        self.assertEqual(arrived(telegram("metcom-04")).devices, ())

    def test_heat_alone(self) -> None:
        """A heat meter with a P1 port of its own gives the value of a device, and no reading."""
        stored = arrived(telegram("warmtelink"))
        self.assertIsNone(stored.reading)
        heat = DeviceReading(at("2024-09-06T17:48:20Z"), 208_307, 12, 1, "619259129D2C2B4C")
        self.assertEqual(stored.devices, (heat,))

    def test_older_dialects(self) -> None:
        """A meter without a clock is dated by its arrival, its gas by the gas meter's own local time."""
        stored = arrived(telegram("dsmr-2-2-3-0-00"))
        assert stored.reading is not None
        self.assertEqual((stored.reading.at, stored.reading.delivered_1), (NOW, 5_080_475))
        self.assertEqual(to_utc_text(stored.devices[0].at), "2016-01-17T11:00:00Z")
        q3d = arrived(telegram("q3d")).reading
        assert q3d is not None
        self.assertEqual((q3d.delivered_1, q3d.delivered_2, q3d.currently_delivered), (41_710_139, 0, 49))
        self.assertEqual(q3d.powers_delivered, (49, 0, 0))

    def test_milliamperes(self) -> None:
        """A current is kept as finely as it is printed."""
        stored = arrived(telegram("metcom-00")).reading
        assert stored is not None
        self.assertEqual(stored.currents, (281, 282, 282))

    def test_all(self) -> None:
        """Every Dutch telegram can be stored; its clock, registers and gas are what a plain look at its text finds."""
        for name in valid_dutch():
            data = telegram(name)
            stored = arrived(data)
            self.assertEqual(stored.reading is None, name in without_register(), name)
            self.assertEqual(stored.telegram, data.decode("latin-1").rstrip())
            if stored.reading is None:
                continue
            clock = re.search(rb"0-0:1\.0\.0\((\d{12})([SW])", data)
            self.assertEqual(clock is None, name in without_clock(), name)
            if clock:
                offset = {b"S": "+02:00", b"W": "+01:00"}[clock[2]]
                moment = datetime.strptime(clock[1].decode() + offset, "%y%m%d%H%M%S%z")
                self.assertEqual(stored.reading.at, instant_of(moment), name)
            register = re.search(rb"1-0:1\.8\.1\((\d+)\.(\d{3})\*kWh\)", data)
            assert register is not None
            self.assertEqual(stored.reading.delivered_1, int(register[1] + register[2]), name)
            gases = re.findall(rb"24\.2\.1\(\d+[SW]\)\((\d+)\.(\d+)\*m3\)", data)
            for whole, fraction in gases:
                value = int(whole + fraction.ljust(3, b"0"))
                self.assertIn(value, [device.value for device in stored.devices], name)


class ReadingTests(SynchronousTestCase):
    """Which values a reading takes from where."""

    def test_tariffs(self) -> None:
        """Registers 1 and 2 are the tariffs as the meter prints them."""
        reading = reading_of(*REGISTERS, *POWERS)
        self.assertEqual(
            (reading.delivered_1, reading.delivered_2, reading.returned_1, reading.returned_2), (1000, 2000, 3000, 4000)
        )
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (5, 6))

    def test_totals(self) -> None:
        """A meter that prints totals only has them in register 1."""
        totals = ("1-0:1.8.0(000007.000*kWh)", "1-0:2.8.0(000008.000*kWh)")
        reading = reading_of(*totals)
        self.assertEqual((reading.delivered_1, reading.delivered_2), (7000, 0))
        self.assertEqual((reading.returned_1, reading.returned_2), (8000, 0))
        reading = reading_of(*REGISTERS, *totals)
        self.assertEqual((reading.delivered_1, reading.returned_1), (1000, 3000))

    def test_unused_tariffs(self) -> None:
        """Where all tariffs are 0 and the total is not, the meter counts in none of them."""
        zeros = ("1-0:1.8.1(000000.000*kWh)", "1-0:1.8.2(000000.000*kWh)", "1-0:2.8.1(000000.000*kWh)")
        reading = reading_of(*zeros, "1-0:1.8.0(000007.000*kWh)", "1-0:2.8.0(000008.000*kWh)")
        self.assertEqual((reading.delivered_1, reading.delivered_2), (7000, 0))
        self.assertEqual((reading.returned_1, reading.returned_2), (8000, 0))
        reading = reading_of(*zeros)
        self.assertEqual((reading.delivered_1, reading.delivered_2, reading.returned_1), (0, 0, 0))

    def test_more_tariffs(self) -> None:
        """Tariffs from 3 on are added to tariff 2, so that the sum is the total."""
        more = ("1-0:1.8.3(000010.000*kWh)", "1-0:1.8.4(000020.000*kWh)", "1-0:2.8.5(000040.000*kWh)")
        reading = reading_of(*REGISTERS, *more, "1-0:1.8.0(000033.000*kWh)")
        self.assertEqual((reading.delivered_1, reading.delivered_2), (1000, 32_000))
        self.assertEqual((reading.returned_1, reading.returned_2), (3000, 44_000))
        reading = reading_of(*more)
        self.assertEqual((reading.delivered_1, reading.delivered_2, reading.returned_2), (0, 30_000, 40_000))
        reading = reading_of(REGISTERS[0], more[2])
        self.assertEqual((reading.delivered_1, reading.delivered_2, reading.returned_2), (1000, 0, 40_000))

    def test_power_below_zero(self) -> None:
        """A meter that prints one power with a sign returns what is below zero; so with its phases."""
        phases = ("1-0:21.7.0(-000001.570*kW)", "1-0:61.7.0(000000.636*kW)")
        reading = reading_of(*REGISTERS, "1-0:1.7.0(-00.934*kW)", *phases)
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (0, 934))
        self.assertEqual(reading.powers_delivered, (0, None, 636))
        self.assertEqual(reading.powers_returned, (1570, None, 0))
        reading = reading_of(*REGISTERS, "1-0:1.7.0(00.934*kW)")
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (934, 0))
        reading = reading_of(*REGISTERS, "1-0:2.7.0(00.934*kW)")
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (0, 934))

    def test_power_of_the_phases(self) -> None:
        """A meter that prints the powers of its phases alone has the net of all of them."""
        phases = ("1-0:21.7.0(01.000*kW)", "1-0:41.7.0(00.500*kW)", "1-0:62.7.0(02.000*kW)")
        reading = reading_of(*REGISTERS, *phases)
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (0, 500))
        self.assertEqual((reading.powers_delivered, reading.powers_returned), ((1000, 500, None), (None, None, 2000)))
        reading = reading_of(*REGISTERS, *phases[:2])
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (1500, 0))

    def test_ids(self) -> None:
        """A meter is known by the best of the ids that it prints."""
        lines = [
            "1-0:0.0.0(0272124784831)",
            "0-0:42.0.0(53414731303634333134373736323631)",
            "0-0:96.1.0(383930303837)",
            "0-0:96.1.1(3153414739)",
        ]
        for number in (4, 3, 2, 1):
            printed = lines[number - 1].partition("(")[2].rstrip(")")
            self.assertEqual(made_of(*REGISTERS, *lines[:number], "0-0:0.0.0(xxxx)").equipment_id, printed)
        self.assertEqual(made_of(*REGISTERS, *lines[:3], "0-0:96.1.1(***)").equipment_id, "383930303837")

    def test_versions(self) -> None:
        """The version of the port is kept as Dutch and as Belgian meters print it, and nothing else that looks so."""
        for line, version in (
            ("1-3:0.2.8(42)", "42"),
            ("0-0:96.1.4(50217)", "50217"),
            ("0-0:96.1.4(3231313130)", None),
            ("0-0:96.1.4()", None),
        ):
            statistics = made_of(*REGISTERS, line).statistics
            assert statistics is not None
            self.assertEqual(statistics.dsmr_version, version)

    def test_absent(self) -> None:
        """What a meter does not return, and a power that it does not print, is 0; so is the other tariff."""
        reading = reading_of(REGISTERS[1])
        self.assertEqual((reading.delivered_1, reading.delivered_2), (0, 2000))
        self.assertEqual((reading.returned_1, reading.returned_2), (0, 0))
        self.assertEqual((reading.currently_delivered, reading.currently_returned), (0, 0))
        self.assertEqual(reading_of(REGISTERS[0], REGISTERS[3]).returned_2, 4000)
        self.assertEqual(made_of(REGISTERS[0]).statistics, MeterStatistics())

    def test_nothing(self) -> None:
        """Without a register of what was delivered and without a device there is nothing to store."""
        for lines in ((), POWERS, REGISTERS[2:], ("0-1:24.1.0(003)", "0-1:96.1.0(4730303035)")):
            self.assertRaises(TelegramError, made_of, *lines)

    def test_clocks(self) -> None:
        """A reading has the instant of the telegram's clock, or of its arrival where that was never set."""
        for clock, instant in (("220605191351S", at("2022-06-05T17:13:51Z")), ("000101000001W", NOW), ("", NOW)):
            reading = reading_of(f"0-0:1.0.0({clock})", *REGISTERS)
            self.assertEqual(reading.at, instant)
        said = PARSER.parse(RawTelegram(b"/ISK5\r\n0-0:1.0.0(220605191351S)\r\n!", None))
        self.assertEqual(clock_of(said, AMSTERDAM), at("2022-06-05T17:13:51Z"))
        self.assertEqual(clock_of(said, meter_zone("Europe/Helsinki")), at("2022-06-05T16:13:51Z"))

    def test_odd_text(self) -> None:
        """A telegram is not refused for an odd tariff, an empty id, or bytes that are no text."""
        stored = made_of("0-0:96.14.0(abcd)", "0-0:96.1.1()", "0-0:96.13.0(\xb3)", *REGISTERS)
        assert stored.statistics is not None
        self.assertIsNone(stored.statistics.tariff)
        self.assertIsNone(stored.equipment_id)
        self.assertIn("96.13.0(\xb3)", str(stored.telegram))


class DeviceTests(SynchronousTestCase):
    """Which values of M-Bus devices are taken."""

    def types(self, *lines: str) -> list[tuple[int, int]]:
        """Type and value of the devices that are taken."""
        return [(device.device_type, device.value) for device in made_of(*REGISTERS, *lines).devices]

    def test_types(self) -> None:
        """A device is what its type says, if it measures in that type's unit."""
        for kind, unit, taken in (
            ("003", "*m3", 3),
            ("007", "*m3", 7),
            ("006", "*m3", 6),
            ("004", "*GJ", 4),
            ("012", "*GJ", 12),
            ("002", "*kWh", 2),
            ("003", "", 3),
            ("003", "*GJ", None),
            ("004", "*m3", None),
            ("099", "*m3", None),
        ):
            lines = (f"0-1:24.1.0({kind})", f"0-1:24.2.1(170110204000W)(00123.456{unit})")
            self.assertEqual(self.types(*lines), [] if taken is None else [(taken, 123_456)], (kind, unit))

    def test_belgium(self) -> None:
        """A Belgian meter's devices have their ids and gas under codes of their own; where both are, the usual hold."""
        clock = "(200512134558S)"
        lines = ("0-1:24.1.0(003)", f"0-1:24.2.3{clock}(00112.384*m3)", "0-1:96.1.1(37464C4F31)")
        [gas] = made_of(*REGISTERS, *lines).devices
        self.assertEqual((gas.device_type, gas.value, gas.equipment_id), (3, 112_384, "37464C4F31"))
        [gas] = made_of(*REGISTERS, *lines, f"0-1:24.2.1{clock}(00110.000*m3)", "0-1:96.1.0(4730303030)").devices
        self.assertEqual((gas.value, gas.equipment_id), (110_000, "4730303030"))
        [gas] = made_of(*REGISTERS, *lines, "0-1:96.1.0(***)", "0-2:96.3.10(1)").devices
        self.assertEqual(gas.equipment_id, "37464C4F31")

    def test_without_a_type(self) -> None:
        """One that does not print its type is known by its unit, if by anything."""
        for unit, taken in (("*m3", 3), ("*GJ", 4), ("*kWh", 2), ("*V", None), ("", None)):
            for kind in ("0-1:24.1.0()", "0-1:24.1.0(000)", "0-2:24.1.0(003)"):
                lines = (kind, f"0-1:24.2.1(170110204000W)(00123.456{unit})")
                self.assertEqual(self.types(*lines), [] if taken is None else [(taken, 123_456)], (kind, unit))

    def test_without_a_time(self) -> None:
        """A value whose time was never set is not taken."""
        for clock in ("700101010000W", "632525252525W", "000101000000W", "35255255255255255S", ""):
            self.assertEqual(self.types("0-1:24.1.0(003)", f"0-1:24.2.1({clock})(00123.456*m3)"), [])

    def test_several(self) -> None:
        """Of several gas meters the one with an id, then the one heard last, comes first; then the lower channel."""
        lines = []
        for channel, number, clock in (
            (1, "", "240402120000S"),
            (2, "4730303031", "190402120000S"),
            (3, "4730303032", "240402115500S"),
            (4, "4730303033", "240402115500S"),
        ):
            lines += [
                f"0-{channel}:24.1.0(003)",
                f"0-{channel}:96.1.0({number})",
                f"0-{channel}:24.2.1({clock})(00001.000*m3)",
            ]
        self.assertEqual([device.channel for device in made_of(*REGISTERS, *lines).devices], [3, 4, 2, 1])


class ByArrivalTests(SynchronousTestCase):
    """The owner does not trust the meter's clock."""

    def test_the_clock_is_hours_off(self) -> None:
        """The telegram is dated by its arrival; the gas meter's time is put right by the same whole minutes."""
        printed = arrived(made_up(clock="240402085947S", gas_clock="240402085500S").encode())
        taken = by_arrival(made_up(clock="240402085947S", gas_clock="240402085500S").encode())
        assert printed.reading is not None and taken.reading is not None
        self.assertEqual((printed.reading.at, taken.reading.at), (at("2024-04-02T08:59:47+02:00"), NOW))
        self.assertEqual(printed.devices[0].at, at("2024-04-02T08:55:00+02:00"))
        self.assertEqual(taken.devices[0].at, at("2024-04-02T11:55:00+02:00"))
        self.assertEqual(taken.by_arrival, True)

    def test_a_value_that_is_printed_again_keeps_its_time(self) -> None:
        """Though telegrams come now a little earlier, now a little later."""
        data = made_up(clock="240402085959S", gas_clock="240402085500S").encode()
        times = {by_arrival(data, NOW + late).devices[0].at for late in (-900_000, 0, 400_000, 28_000_000)}
        self.assertEqual(times, {at("2024-04-02T11:55:00+02:00")})

    def test_the_clock_is_right(self) -> None:
        """Nothing but the fraction of a second is another."""
        taken = by_arrival(made_up(clock="240402120000S", gas_clock="240402115500S").encode(), NOW + 123_456)
        assert taken.reading is not None
        self.assertEqual((taken.reading.at, taken.devices[0].at), (NOW + 123_456, at("2024-04-02T11:55:00+02:00")))

    def test_no_clock(self) -> None:
        """There is nothing to put right."""
        data = made_up(gas_clock="240402115500S", without="0-0:1.0.0").encode()
        self.assertFalse(by_arrival(data).by_arrival)
        self.assertEqual(by_arrival(data).reading, arrived(data).reading)
        self.assertEqual(by_arrival(data).devices, arrived(data).devices)

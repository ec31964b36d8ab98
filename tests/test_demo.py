"""Tests of the demo meter: dsmr_tw.demo, and dsmr_tw.domain.house_telegram."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.demo import DemoMeter, instants
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.house import House
from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import DAY, GAS, SECOND, Arrival, DeviceReading, Origin, Reading
from dsmr_tw.domain.telegram import RawTelegram, outcomes_in

AMSTERDAM = meter_zone("Europe/Amsterdam")
NOON = instant_of(datetime(2026, 5, 6, 10, tzinfo=UTC))

KWH, KW, V, A = r"\d{6}\.\d{3}\*kWh", r"\d{2}\.\d{3}\*kW", r"\d{3}\.\d\*V", r"\d{3}\*A"
FAILURES = r"1-0:99.97.0\(2\)\(0-0:96.7.19\)(\(\d{12}W\)\(\d{10}\*s\)){2}"
LAYOUT = (
    [r"/DEM5\\[ -~]+", r"", r"1-3:0.2.8\(50\)", r"0-0:1.0.0\(\d{12}[SW]\)", r"0-0:96.1.1\(([0-9A-F]{2})+\)"]
    + [rf"1-0:{code}\({KWH}\)" for code in ("1.8.1", "1.8.2", "2.8.1", "2.8.2")]
    + [r"0-0:96.14.0\(000[12]\)", rf"1-0:1.7.0\({KW}\)", rf"1-0:2.7.0\({KW}\)"]
    + [r"0-0:96.7.21\(\d{5}\)", r"0-0:96.7.9\(\d{5}\)", FAILURES]
    + [rf"1-0:{phase}.{code}.0\(\d{{5}}\)" for code in (32, 36) for phase in (32, 52, 72)]
    + [r"0-0:96.13.0\(\)"]
    + [rf"1-0:{code}.7.0\({V}\)" for code in (32, 52, 72)]
    + [rf"1-0:{code}.7.0\({A}\)" for code in (31, 51, 71)]
    + [rf"1-0:{code}.7.0\({KW}\)" for code in (21, 41, 61, 22, 42, 62)]
    + [r"0-1:24.1.0\(003\)", r"0-1:96.1.0\(([0-9A-F]{2})+\)", r"0-1:24.2.1\(\d{12}[SW]\)\(\d{5}\.\d{3}\*m3\)"]
    + [r"![0-9A-F]{4}", r""]
)


def arrived(data: bytes) -> Arrival:
    """What becomes of the bytes of one telegram."""
    (raw,) = outcomes_in(data)
    assert isinstance(raw, RawTelegram), raw
    telegram = TelegramParser().parse(raw)
    assert not telegram.unknown, telegram.unknown
    return arrival(telegram, Origin("demo"), NOON, AMSTERDAM)


class TelegramTests(SynchronousTestCase):
    """What the demo meter prints."""

    meter = DemoMeter(1, AMSTERDAM)

    def test_layout(self) -> None:
        """Every line of DSMR 5.0.2 is there, in its order and with its digits, day and night, summer and winter."""
        for hours in range(0, 24 * 200, 451):
            lines = self.meter.telegram(NOON + hours * 3600 * SECOND).decode("ascii").split("\r\n")
            self.assertEqual(len(lines), len(LAYOUT))
            for line, form in zip(lines, LAYOUT, strict=True):
                self.assertRegex(line, re.compile(f"^{form}$"))

    def test_what_is_printed_is_what_is_read(self) -> None:
        """Each value comes out of the parser as it is in the house, and no line is unknown to it."""
        house = House(1, AMSTERDAM)
        for hours in range(0, 48, 5):
            at = NOON + hours * 3600 * SECOND
            found, moment = arrived(self.meter.telegram(at)), house.at(at)
            one, two, three = moment.powers
            self.assertEqual(
                found.reading,
                Reading(
                    at=at,
                    delivered_1=moment.delivered_1,
                    returned_1=moment.returned_1,
                    delivered_2=moment.delivered_2,
                    returned_2=moment.returned_2,
                    currently_delivered=max(moment.power, 0),
                    currently_returned=max(-moment.power, 0),
                    powers_delivered=(max(one, 0), max(two, 0), max(three, 0)),
                    powers_returned=(max(-one, 0), max(-two, 0), max(-three, 0)),
                    voltages=moment.voltages,
                    currents=moment.currents,
                ),
            )
            (device,) = found.devices
            self.assertEqual(device, DeviceReading(moment.gas_at, moment.gas, GAS, 1, device.equipment_id))
            assert found.statistics is not None
            self.assertEqual((found.statistics.dsmr_version, found.statistics.tariff), ("50", moment.tariff))

    def test_equipment_ids_are_clearly_made_up(self) -> None:
        """A demo meter can be told from a real one by its ids, and from another demo meter, too."""
        ids = []
        for seed in (1, 2):
            found = arrived(DemoMeter(seed, AMSTERDAM).telegram(NOON))
            ids += [found.equipment_id, found.devices[0].equipment_id]
        self.assertEqual(
            [bytes.fromhex(printed or "") for printed in ids],
            [b"E0000DEMO00000001", b"G0000DEMO00000001", b"E0000DEMO00000002", b"G0000DEMO00000002"],
        )

    def test_the_same_seed_prints_the_same_bytes(self) -> None:
        """A demo that is started again, years later or in the past, is the same meter to the byte."""
        elsewhere = DemoMeter(1, AMSTERDAM)
        for at in (NOON + 3000 * DAY, NOON - 3000 * DAY, NOON):
            elsewhere.telegram(at)
        self.assertEqual(elsewhere.telegram(NOON + SECOND), self.meter.telegram(NOON + SECOND))

    def test_another_seed_prints_other_values(self) -> None:
        """A demo may be given another seed when its house is too dull."""
        self.assertNotEqual(
            arrived(self.meter.telegram(NOON)).reading, arrived(DemoMeter(2, AMSTERDAM).telegram(NOON)).reading
        )

    def test_the_clock_says_summer_or_winter(self) -> None:
        """In the two nights in which the clocks change the flag tells one 2:30 from the other."""
        for utc, printed in (
            ("2026-03-29T00:59:59", b"260329015959W"),
            ("2026-03-29T01:00:00", b"260329030000S"),
            ("2026-10-25T00:30:00", b"261025023000S"),
            ("2026-10-25T00:59:59", b"261025025959S"),
            ("2026-10-25T01:00:00", b"261025020000W"),
            ("2026-10-25T01:30:00", b"261025023000W"),
        ):
            at = instant_of(datetime.fromisoformat(f"{utc}+00:00"))
            telegram = self.meter.telegram(at)
            self.assertIn(b"\r\n0-0:1.0.0(" + printed + b")\r\n", telegram)
            reading = arrived(telegram).reading
            assert reading is not None
            self.assertEqual(reading.at, at)

    def test_gas_comes_every_five_minutes(self) -> None:
        """The gas line carries the time of its own value, and its flag."""
        at = instant_of(datetime(2026, 10, 25, 1, 4, 59, tzinfo=UTC))
        self.assertIn(b"\r\n0-1:24.2.1(261025020000W)(", self.meter.telegram(at))
        self.assertIn(b"\r\n0-1:24.2.1(261025020500W)(", self.meter.telegram(at + SECOND))
        self.assertIn(b"\r\n0-1:24.2.1(261025025500S)(", self.meter.telegram(at - 300 * SECOND))


class PastTests(SynchronousTestCase):
    """How the past of a demo is filled."""

    meter = DemoMeter(1, AMSTERDAM)

    def test_the_last_days(self) -> None:
        """There is a telegram each ten seconds, oldest first, up to now; now itself is left to the live line."""
        now = NOON + 7 * SECOND + 123
        self.assertEqual(list(instants(1, now)), list(range(NOON - DAY, NOON, 10 * SECOND)))

    def test_how_many(self) -> None:
        """Their number is known beforehand, for the progress bar."""
        self.assertEqual(len(instants(7, NOON)), 7 * 8640)
        self.assertEqual(len(instants(1, NOON, every_s=60)), 1440)
        self.assertEqual(len(instants(0, NOON)), 0)

    def test_one_stream(self) -> None:
        """Written one after the other they are that many telegrams, each with the right CRC."""
        stream = b"".join(map(self.meter.telegram, instants(1, NOON, every_s=60)))
        outcomes = outcomes_in(stream)
        self.assertEqual(len(outcomes), 1440)
        self.assertEqual([outcome for outcome in outcomes if not isinstance(outcome, RawTelegram)], [])

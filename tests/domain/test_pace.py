"""Tests of dsmr_tw.domain.pace: which reading can be the same registers as another, later."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.pace import CALM, Pace, Row, calm_end, device, electricity, other_equipment, positions_of
from dsmr_tw.domain.reading import GAS, HOUR, SECOND
from dsmr_tw.domain.spans import QUARTER
from tests.arrivals import MINUTE, NOON, WATER
from tests.walking import TEN_A_MINUTE, readings, steady

HOUSE = electricity(60_000)


def row(seconds: int, *positions: int, equipment: int | None = None) -> Row:
    """A reading so many seconds after noon; registers that are not named stand at 100."""
    one, two, three, four = (*positions, 100, 100, 100, 100)[:4]
    return NOON + seconds * SECOND, 1, equipment, one, two, three, four, 0


def follows(before: str, after: str, pace: Pace = TEN_A_MINUTE) -> bool:
    """Whether one reading follows another, both in words."""
    [first], [second] = readings(before), readings(after)
    return pace.follows(first, second)


class FollowsTests(SynchronousTestCase):
    """The second rule."""

    def test_the_same_registers_later(self) -> None:
        """They are a little higher, or nothing was used."""
        self.assertTrue(follows("0=100", "5=110"))
        self.assertTrue(follows("0=100", "5=100"))
        self.assertTrue(follows("0=-10", "5=-5"))

    def test_no_register_goes_back(self) -> None:
        """One lower register is enough, whichever it is, whatever the others do."""
        self.assertFalse(follows("0=100", "5=99"))
        before = row(0, 1, 20, 300, 4_000)
        self.assertFalse(HOUSE.follows(before, row(300, 0, 21, 301, 4_001)))
        self.assertFalse(HOUSE.follows(before, row(300, 2, 19, 301, 4_001)))
        self.assertFalse(HOUSE.follows(before, row(300, 2, 21, 299, 4_001)))
        self.assertFalse(HOUSE.follows(before, row(300, 2, 21, 301, 3_999)))
        self.assertTrue(HOUSE.follows(before, row(300, 2, 21, 301, 4_001)))
        self.assertTrue(HOUSE.follows(before, row(300, 1, 20, 300, 4_000)))

    def test_the_registers_together_rise_no_faster_than_the_pace(self) -> None:
        """Ten a minute are allowed, and not one more."""
        self.assertTrue(follows("0=100", "5=150"))
        self.assertFalse(follows("0=100", "5=151"))
        before = row(0, 1, 20, 300, 4_000)
        for rises in ((50, 0, 0, 0), (0, 50, 0, 0), (0, 0, 50, 0), (0, 0, 0, 50), (11, 12, 13, 14)):
            after = row(300, 1 + rises[0], 20 + rises[1], 300 + rises[2], 4_000 + rises[3])
            self.assertTrue(TEN_A_MINUTE.follows(before, after), rises)
            sooner = row(299, *positions_of(after))
            self.assertFalse(TEN_A_MINUTE.follows(before, sooner), rises)

    def test_different_ids_are_different_registers(self) -> None:
        """However well the positions go together."""
        self.assertFalse(follows("0=100A", "5=110B"))
        self.assertTrue(follows("0=100A", "5=110A"))

    def test_an_absent_id_differs_from_nothing(self) -> None:
        """A meter whose id is masked, or a v2 POST, is judged by its positions."""
        for before, after in (("0=100A", "5=110"), ("0=100", "5=110A"), ("0=100", "5=110")):
            self.assertTrue(follows(before, after))
            self.assertFalse(other_equipment(*readings(f"{before} {after}")))

    def test_positions_come_in_one_order(self) -> None:
        """Delivered and returned of tariff 1, then of tariff 2."""
        self.assertEqual(positions_of(row(0, 1, 2, 3, 4)), (1, 2, 3, 4))


class PaceTests(SynchronousTestCase):
    """How fast which registers may rise, and how long a gap between readings may be."""

    def assert_most(self, pace: Pace, seconds: int, most: int) -> None:
        """So much may have gone through in this time, and not one more."""
        self.assertTrue(pace.follows(row(0, 0), row(seconds, most)))
        self.assertFalse(pace.follows(row(0, 0), row(seconds, most + 1)))

    def test_electricity_goes_by_the_connection_and_a_minute(self) -> None:
        """60 kW are 2 kWh in two minutes: the one between the readings, and the one that clocks may be off."""
        self.assert_most(HOUSE, 60, 2_000)
        self.assert_most(HOUSE, 3_540, 60_000)
        self.assert_most(electricity(17_250), 3_540, 17_250)

    def test_gas_and_water_go_by_forty_cubic_metres_an_hour(self) -> None:
        """And five minutes more than there are between two values; the connection's power does not matter."""
        for device_type in (GAS, WATER, 6):
            self.assert_most(device(device_type, 1), 3_300, 40_000)

    def test_heat_and_cold_go_by_a_gigajoule_an_hour(self) -> None:
        """A value is in MJ; what is measured by a device of an unknown type is taken to be no faster."""
        for device_type in (4, 10, 12, 99):
            self.assert_most(device(device_type, 60_000), 3_300, 1_000)

    def test_an_electricity_meter_behind_the_meter_goes_by_the_connection(self) -> None:
        """What a charger takes came through the house's own connection."""
        self.assert_most(device(2, 60_000), 3_300, 60_000)

    def test_devices_speak_seldom(self) -> None:
        """A gap is long after fifteen minutes without electricity, and after three hours without a device's value."""
        self.assertEqual((HOUSE.gap, HOUSE.stays), (QUARTER, False))
        for device_type in (2, GAS, 4, WATER):
            pace = device(device_type, 60_000)
            self.assertEqual((pace.gap, pace.stays), (3 * HOUR, True))


class CalmRunTests(SynchronousTestCase):
    """The sixth rule: where the last calm run ends."""

    def calm_minute(self, text: str) -> int | None:
        """The minute that the last calm run among these readings ends in."""
        end = calm_end(reversed(readings(text)), TEN_A_MINUTE)
        return None if end is None else (end[0] - NOON) // MINUTE

    def test_eleven_readings_are_calm(self) -> None:
        """Ten are not, and no reading is not."""
        self.assertEqual(self.calm_minute(steady(0, 11)), 10)
        self.assertIsNone(self.calm_minute(steady(0, 10)))
        self.assertIsNone(self.calm_minute(""))
        self.assertEqual(CALM, 11)

    def test_the_last_calm_run_is_the_one(self) -> None:
        """Of a long run the last eleven count."""
        self.assertEqual(self.calm_minute(steady(0, 100)), 99)

    def test_what_does_not_follow_ends_a_run(self) -> None:
        """After a glitch eleven readings must follow one another anew; until then the run before it is the last."""
        self.assertEqual(self.calm_minute(f"{steady(0, 20)} 20=5000 {steady(21, 31)}"), 19)
        self.assertEqual(self.calm_minute(f"{steady(0, 20)} 20=5000 {steady(21, 32)}"), 31)
        self.assertIsNone(self.calm_minute(f"{steady(0, 10)} 10=5000 {steady(11, 21)}"))

    def test_no_more_is_read_than_is_needed(self) -> None:
        """Eleven readings, when they are calm."""
        read: list[Row] = []

        def backwards() -> Iterator[Row]:
            for reading in reversed(readings(steady(0, 100))):
                read.append(reading)
                yield reading

        calm_end(backwards(), TEN_A_MINUTE)
        self.assertEqual(len(read), 11)

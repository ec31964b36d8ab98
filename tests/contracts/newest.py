"""What a store holds about the newest values of a meter, which live values begin with after a start."""

from __future__ import annotations

from dsmr_tw.domain.reading import DAY, SECOND, YEAR_2000, StoredReading
from dsmr_tw.stored import Live
from tests.arrivals import (
    GAS_METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    QUIET,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    posted,
    reading,
)
from tests.contracts.storecase import FIRST, StoreCase


class NewestContract(StoreCase):
    """What counts as newest."""

    def live(self, meter_id: int = FIRST, until: int = NOON + 2 * DAY) -> Live | None:
        """The newest values."""
        live: Live | None = self.ask(self.store.readings.live, meter_id, until)
        return live

    def newest(self, meter_id: int = FIRST, until: int = NOON + 2 * DAY) -> Live:
        """The newest values, which there must be."""
        live = self.live(meter_id, until)
        assert live is not None
        return live

    def test_a_meter_without_readings_has_no_newest(self) -> None:
        """Before the first reading there is nothing to show, gas or no gas."""
        self.assertIsNone(self.live())
        self.add(devices_only(NOON, gas()))
        self.assertIsNone(self.live())

    def test_the_newest_reading_is_the_youngest_not_the_last_stored(self) -> None:
        """A late reading does not become the current one."""
        [young, _] = self.add(heard(NOON), heard(NOON - MINUTE, received_at=NOON + SECOND))
        self.assertEqual(
            self.live(), Live(StoredReading(young.reading_id or 0, reading(NOON)), QUIET.tariff, None, None)
        )

    def test_of_one_instant_the_last_stored_is_the_newest(self) -> None:
        """A correction of a reading takes its place."""
        _, second = self.add(heard(NOON, delivered_1=1), heard(NOON, delivered_1=2))
        self.assertEqual(self.newest().reading.id, second.reading_id)

    def test_gas_has_its_newest_value_and_the_one_before(self) -> None:
        """What flows now is the difference of the last two values of the gas meter."""
        values = [gas(NOON - 10 * MINUTE, 1), gas(NOON - 5 * MINUTE, 2), gas(NOON, 3)]
        self.add(*(heard(value.at, value) for value in values))
        live = self.newest()
        self.assertEqual((live.gas, live.previous_gas), (values[2], values[1]))

    def test_of_two_gas_values_at_one_instant_the_first_stored_counts(self) -> None:
        """A second value for an instant is neither the newest nor the one before."""
        self.add(heard(NOON - MINUTE, gas(NOON - MINUTE, 1)), heard(NOON - MINUTE, gas(NOON - MINUTE, 5)))
        self.add(heard(NOON, gas(NOON, 2)), heard(NOON, gas(NOON, 9)))
        live = self.newest()
        self.assertEqual((live.gas, live.previous_gas), (gas(NOON, 2), gas(NOON - MINUTE, 1)))

    def test_the_newest_gas_is_of_the_gas_meter_that_gave_it(self) -> None:
        """After a change of gas meters the values of the old one are no longer the ones before."""
        self.add(heard(NOON - MINUTE, gas(NOON - MINUTE, 900)), heard(NOON, gas(NOON, 0, OTHER_GAS_METER)))
        live = self.newest()
        self.assertEqual((live.gas, live.previous_gas), (gas(NOON, 0, OTHER_GAS_METER), None))
        self.assertNotEqual(GAS_METER, OTHER_GAS_METER)

    def test_what_lies_after_the_asked_instant_does_not_count(self) -> None:
        """A reading or a gas value in the future is not the current one."""
        self.add(heard(NOON, gas(NOON, 1)), heard(NOON + DAY, gas(NOON + DAY, 2), received_at=NOON))
        live = self.newest(until=NOON + DAY - 1)
        self.assertEqual((live.reading.reading.at, live.gas), (NOON, gas(NOON, 1)))
        live = self.newest(until=NOON + DAY)
        self.assertEqual((live.reading.reading.at, live.gas), (NOON + DAY, gas(NOON + DAY, 2)))

    def test_what_was_from_the_future_when_it_came_never_counts(self) -> None:
        """A reading dated more than a day after its arrival is not the current one on that day either."""
        self.add(heard(NOON, gas(NOON, 1)), heard(NOON + DAY + 1, gas(NOON + DAY + 1, 2), received_at=NOON))
        live = self.newest()
        self.assertEqual((live.reading.reading.at, live.gas), (NOON, gas(NOON, 1)))

    def test_a_server_without_a_clock_trusts_the_meter(self) -> None:
        """What arrived in 1970, since nobody had told the server the time, counts by the meter's own clock."""
        self.add(heard(NOON, gas(NOON, 1), received_at=5 * SECOND))
        live = self.newest()
        self.assertEqual((live.reading.reading.at, live.gas), (NOON, gas(NOON, 1)))

    def test_what_is_dated_before_2000_does_not_count(self) -> None:
        """A clock that was never set does not make a current reading."""
        before = YEAR_2000 - 1
        self.add(heard(before, gas(before, 1), received_at=NOON))
        self.assertIsNone(self.live())
        self.add(heard(YEAR_2000, received_at=NOON))
        live = self.newest()
        self.assertEqual((live.reading.reading.at, live.gas), (YEAR_2000, None))
        self.add(heard(YEAR_2000, gas(YEAR_2000, 2), received_at=NOON))
        self.assertEqual(self.newest().gas, gas(YEAR_2000, 2))

    def test_each_meter_has_its_own_newest_values(self) -> None:
        """The other house's gas is not ours."""
        self.add(heard(NOON), heard(NOON + SECOND, gas(NOON, 1), origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.assertEqual(self.newest().gas, None)
        self.assertEqual(self.newest(FIRST + 1).gas, gas(NOON, 1))

    def test_a_house_that_only_posts_has_no_tariff(self) -> None:
        """A v2 POST does not say which register counts."""
        self.add(posted(NOON))
        self.assertIsNone(self.newest().tariff)

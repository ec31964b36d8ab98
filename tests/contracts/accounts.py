"""What a store holds about whose a reading is: meters, M-Bus devices, and the origins that both come by."""

from __future__ import annotations

from attrs import evolve

from dsmr_tw.domain.reading import DAY, GAS, SECOND, Arrival, Receipt
from tests.arrivals import (
    GAS_METER,
    KEY,
    METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    THIRD_METER,
    devices_only,
    gas,
    heard,
    posted,
    posted_gas,
    water,
)
from tests.contracts.storecase import FIRST, StoreCase


class MetersOfArrivalsContract(StoreCase):
    """Which meter an arrival is given to: decided once, when it is stored."""

    def give(self, *arrivals: Arrival) -> list[int]:
        """Store arrivals, each in a commit of its own; the meters that they went to."""
        return [self.add(arrival)[0].meter_id for arrival in arrivals]

    def test_the_first_telegram_is_of_the_first_meter(self) -> None:
        """A new installation has one meter and never sees the word."""
        self.assertEqual(self.give(heard(NOON), posted(NOON + SECOND)), [FIRST, FIRST])
        self.assertEqual(len(self.ask(self.store.meters.all)), 1)

    def test_two_cables_need_no_setting(self) -> None:
        """The meter on a second cable is another one, from its first telegram on."""
        first, second, again, back = self.give(
            heard(NOON),
            heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER),
            heard(NOON + DAY, origin=SECOND_CABLE, equipment_id=OTHER_METER),
            heard(NOON + DAY),
        )
        self.assertNotEqual(first, second)
        self.assertEqual((again, back), (second, first))

    def test_two_houses_that_post_with_one_key_are_two_meters(self) -> None:
        """A printed id not heard before, within ten minutes of another on the same key, opens an account."""
        meters = self.give(
            heard(NOON, origin=KEY),
            heard(NOON + 10 * MINUTE, origin=KEY, equipment_id=OTHER_METER),
            heard(NOON + 11 * MINUTE, origin=KEY, equipment_id=THIRD_METER),
        )
        self.assertEqual(meters[:2], [FIRST, meters[1]])
        self.assertNotEqual(meters[1], FIRST)
        # The key's meter is the first one; when the third id came, that had been silent for more than ten minutes.
        self.assertEqual(meters[2], FIRST)

    def test_two_houses_in_one_commit_are_two_meters(self) -> None:
        """It does not matter whether the telegrams of two houses are stored together."""
        first, second = self.add(heard(NOON, origin=KEY), heard(NOON, origin=KEY, equipment_id=OTHER_METER))
        self.assertNotEqual(first.meter_id, second.meter_id)

    def test_a_meter_that_replaces_a_silent_one_continues_its_account(self) -> None:
        """A swap of meters needs no setting either."""
        meters = self.give(
            heard(NOON),
            heard(NOON + 10 * MINUTE + 1, equipment_id=OTHER_METER),
            heard(NOON + DAY, equipment_id=OTHER_METER),
        )
        self.assertEqual(meters, [FIRST, FIRST, FIRST])
        self.assertEqual(self.meter().equipment, (METER, OTHER_METER))

    def test_the_ten_minutes_are_those_of_arrival(self) -> None:
        """Old telegrams that arrive now say that their meter is alive now, whatever they are dated."""
        first, second = self.give(
            heard(NOON - DAY, received_at=NOON), heard(NOON, received_at=NOON + MINUTE, equipment_id=OTHER_METER)
        )
        self.assertNotEqual(first, second)

    def test_two_cables_that_carry_the_same_meter_fill_one_account(self) -> None:
        """The same telegram by two ways is stored once."""
        [first] = self.add(heard(NOON, gas()))
        [second] = self.add(heard(NOON, gas(), origin=SECOND_CABLE))
        self.assertEqual(second, Receipt(first.meter_id, first.reading_id, created=False))
        self.assertEqual(self.page().count, 1)

    def test_a_telegram_without_an_id_stays_with_its_cable(self) -> None:
        """A masked id says nothing: the meter is the one that the cable was first heard with."""
        _, second, masked, unknown = self.give(
            heard(NOON),
            heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER),
            heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=None),
            heard(NOON + SECOND, origin=KEY, equipment_id=None),
        )
        self.assertEqual(masked, second)
        self.assertEqual(unknown, FIRST)

    def test_a_cable_keeps_its_meter_when_another_is_heard_on_it(self) -> None:
        """The first meter of a cable stays the one of its telegrams without an id."""
        meters = self.give(
            heard(NOON), heard(NOON + SECOND, equipment_id=OTHER_METER), heard(NOON + MINUTE, equipment_id=None)
        )
        self.assertEqual(meters[2], FIRST)

    def test_a_cable_keeps_its_meter_over_a_restart(self) -> None:
        """What was decided is stored."""
        _, second = self.give(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.reopen()
        meters = self.give(
            heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=None),
            heard(NOON + SECOND, origin=KEY, equipment_id=OTHER_METER),
            heard(NOON + SECOND),
        )
        self.assertEqual(meters, [second, second, FIRST])

    def test_a_meter_heard_before_a_restart_is_still_heard_after_it(self) -> None:
        """A second meter that first comes a few minutes after a restart is no swap."""
        self.give(heard(NOON))
        self.reopen()
        [second] = self.give(heard(NOON + 5 * MINUTE, equipment_id=OTHER_METER))
        self.assertNotEqual(second, FIRST)

    def test_a_tied_origin_fills_the_meter_it_is_tied_to(self) -> None:
        """Where the owner said which meter a source or a key is for, no id decides."""
        _, second = self.give(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        tied = evolve(KEY, meter_id=second)
        meters = self.give(
            posted(NOON + SECOND, origin=tied),
            heard(NOON + 2 * SECOND, origin=tied, equipment_id=None),
            heard(NOON + 3 * SECOND, origin=tied, equipment_id=OTHER_METER),
            heard(NOON + 4 * SECOND, origin=tied, equipment_id=THIRD_METER),
            heard(NOON + 5 * SECOND, origin=tied, equipment_id=METER),
        )
        self.assertEqual(meters, [second] * 5)
        again = (METER, THIRD_METER, OTHER_METER)
        self.give(*(heard(NOON + MINUTE, origin=tied, equipment_id=equipment_id) for equipment_id in again))
        self.assertEqual(self.meter(second).equipment, (OTHER_METER, THIRD_METER, METER))

    def test_a_tied_origin_does_not_take_a_meter_from_the_others(self) -> None:
        """An id that a tied key sends, too, still leads the telegrams of other cables to the meter they had."""
        _, second = self.give(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        meters = self.give(heard(NOON + SECOND, origin=evolve(KEY, meter_id=second)), heard(NOON + 2 * SECOND))
        self.reopen()
        self.assertEqual([*meters, *self.give(heard(NOON + 3 * SECOND))], [second, FIRST, FIRST])

    def test_a_tie_to_a_meter_that_is_not_there_is_refused(self) -> None:
        """Nothing is stored for nobody."""
        self.assert_refused(posted(NOON, origin=evolve(KEY, meter_id=99)))
        self.assert_refused(heard(NOON, origin=evolve(KEY, meter_id=99)))
        self.assertEqual(self.page().count, 0)


class DevicesContract(StoreCase):
    """The values of M-Bus devices, and which device they are of."""

    def test_a_telegram_of_devices_alone_stores_no_reading(self) -> None:
        """A heat meter's telegram holds no electricity; its values are stored all the same."""
        [first] = self.add(devices_only(NOON, water()))
        [again] = self.add(devices_only(NOON + SECOND, water()))
        self.assertEqual((first.reading_id, first.created), (None, True))
        self.assertEqual((again.reading_id, again.created), (None, False))
        self.assertEqual(self.page().count, 0)

    def test_a_value_is_stored_once_for_device_instant_and_value(self) -> None:
        """Gas is printed every second and changes every five minutes; only another value or instant is new."""
        for value, created in (
            (gas(NOON, 1), True),
            (gas(NOON, 1), False),
            (gas(NOON, 2), True),
            (gas(NOON + MINUTE, 2), True),
            (gas(NOON, 1), False),
            (gas(NOON, 1, OTHER_GAS_METER), True),
            (gas(NOON, 1, OTHER_GAS_METER, channel=3), False),
        ):
            [receipt] = self.add(devices_only(NOON, value))
            self.assertEqual(receipt.created, created, value)

    def test_a_reading_carries_the_first_gas_value_of_its_telegram(self) -> None:
        """Of two gas meters on one telegram the first that the parser names is the house's; water is not gas."""
        self.add(heard(NOON, water(), gas(NOON - MINUTE), gas(NOON, 7, OTHER_GAS_METER, channel=3)))
        self.assertEqual([stored.gas for stored in self.stored()], [gas(NOON - MINUTE)])

    def test_a_reading_without_gas_has_none(self) -> None:
        """Water alone does not stand in the place of gas."""
        self.add(heard(NOON, water()), heard(NOON + SECOND))
        self.assertEqual([stored.gas for stored in self.stored()], [None, None])

    def test_posted_gas_is_that_of_the_gas_meter_last_heard(self) -> None:
        """A v2 POST does not say of which gas meter its value is."""
        self.add(heard(NOON, gas(NOON)))
        self.add(heard(NOON + SECOND, gas(NOON, 7, OTHER_GAS_METER)))
        self.add(posted(NOON + 2 * SECOND, posted_gas(NOON, 8)))
        self.add(heard(NOON + 3 * SECOND, gas(NOON + MINUTE)))
        self.add(posted(NOON + 4 * SECOND, posted_gas(NOON + MINUTE, 9)))
        devices = [stored.gas and stored.gas.equipment_id for stored in self.stored()]
        self.assertEqual(devices, [GAS_METER, OTHER_GAS_METER, OTHER_GAS_METER, GAS_METER, GAS_METER])

    def test_posted_gas_of_a_house_without_a_gas_meter_has_a_device_of_its_own(self) -> None:
        """Clients that only ever post get their gas value back, and no id with it."""
        self.add(posted(NOON, posted_gas()), posted(NOON + SECOND, posted_gas(NOON, 500_001)))
        self.assertEqual([stored.gas for stored in self.stored()], [posted_gas(), posted_gas(NOON, 500_001)])

    def test_the_same_posted_gas_is_the_same_value(self) -> None:
        """Posted gas that a telegram brought already is no second value."""
        [first] = self.add(heard(NOON, gas()))
        [posted_too] = self.add(posted(NOON, posted_gas()))
        self.assertEqual(posted_too, Receipt(first.meter_id, first.reading_id, created=False))

    def test_a_masked_device_is_known_by_type_and_channel(self) -> None:
        """Two gas meters without ids on two channels are two; the same channel is the same device."""
        first, second = gas(NOON, 1, None, 1), gas(NOON, 1, None, 2)
        created = [self.add(devices_only(NOON, value))[0].created for value in (first, second, first, second)]
        self.assertEqual(created, [True, True, False, False])
        same_channel = water(NOON, 1, None, 1)
        self.assertTrue(self.add(devices_only(NOON, same_channel))[0].created)

    def test_devices_of_two_meters_are_two_even_without_ids(self) -> None:
        """Two houses have a gas meter on channel 1 each."""
        nameless = gas(NOON, 1, None, 1)
        receipts = self.add(heard(NOON, nameless), heard(NOON, nameless, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        for receipt in receipts:
            self.assertEqual([stored.gas for stored in self.stored(receipt.meter_id)], [nameless])

    def test_devices_survive_a_restart(self) -> None:
        """A device, with or without an id, is the same one after closing and opening."""
        values = (gas(NOON, 1), gas(NOON, 2, None, 3), water())
        self.add(devices_only(NOON, *values))
        self.reopen()
        self.assertEqual([self.add(devices_only(NOON, value))[0].created for value in values], [False, False, False])
        self.assertEqual(values[0].device_type, GAS)

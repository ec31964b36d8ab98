"""What a store holds about the values of M-Bus devices: their order, what came before each, pages and count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from dsmr_tw.domain.reading import GAS, SECOND, DeviceReading
from dsmr_tw.stored import DevicePage, ReadingFilter, StoredDeviceReading
from tests.arrivals import (
    GAS_METER,
    METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    WATER,
    devices_only,
    gas,
    heard,
    posted,
    posted_gas,
    water,
)
from tests.contracts.readings import INSTANTS, OF_EVERY_STORE
from tests.contracts.storecase import FIRST, StoreCase

VALUES = st.builds(
    lambda device, at, value: water(at, value) if device is None else gas(at, value, device),
    st.sampled_from([GAS_METER, OTHER_GAS_METER, None]),
    INSTANTS,
    st.integers(0, 2),
)
"""Of two gas meters and one for water."""

Batches: TypeAlias = Sequence[Sequence[DeviceReading]]

BATCHES = st.lists(st.lists(VALUES, max_size=12), max_size=4)

BOUNDS = st.none() | INSTANTS


class DeviceValuesContract(StoreCase):
    """How the values of M-Bus devices are listed."""

    def device_page(
        self,
        meter_id: int = FIRST,
        device_type: int = GAS,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
    ) -> DevicePage:
        """A page of the list of values of devices of a type."""
        wanted = ReadingFilter(meter_id, start, end)
        page: DevicePage = self.ask(self.store.readings.devices, wanted, device_type, descending, offset, limit)
        return page

    def listed(self, meter_id: int = FIRST, device_type: int = GAS) -> list[tuple[DeviceReading, int | None]]:
        """All values, each with the one before it."""
        page = self.device_page(meter_id, device_type)
        self.assertEqual(page.count, len(page.readings))
        return [(stored.reading, stored.previous) for stored in page.readings]

    def value_page(
        self,
        equipment_id: int,
        meter_id: int = FIRST,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
    ) -> DevicePage:
        """A page of the list of one device's values."""
        wanted = ReadingFilter(meter_id, start, end)
        page: DevicePage = self.ask(self.store.readings.device, wanted, equipment_id, descending, offset, limit)
        return page

    def numbers(self, meter_id: int = FIRST) -> dict[str | None, int]:
        """The numbers of a meter's equipment, by what it prints."""
        return {each.printed_id: each.id for each in self.ask(self.store.meters.equipment, meter_id)}

    def test_one_device_has_a_list_of_its_own(self) -> None:
        """Two gas meters never mix, and each value comes with the one before it of the same device."""
        self.add(heard(NOON, gas(NOON, 1), gas(NOON, 50, OTHER_GAS_METER), water(NOON, 7)))
        self.add(heard(NOON + MINUTE, gas(NOON + MINUTE, 3), gas(NOON + MINUTE, 51, OTHER_GAS_METER)))
        page = self.value_page(self.numbers()[OTHER_GAS_METER])
        self.assertEqual(
            (page.count, [(it.reading.value, it.previous) for it in page.readings]), (2, [(50, None), (51, 50)])
        )
        page = self.value_page(self.numbers()[GAS_METER], start=NOON + 1, end=NOON + MINUTE)
        self.assertEqual((page.count, [(it.reading.value, it.previous) for it in page.readings]), (1, [(3, 1)]))

    def test_a_device_that_is_not_the_meters(self) -> None:
        """Another meter's device, the meter itself and a number that nothing has give nothing."""
        self.add(heard(NOON, gas(NOON, 1)))
        [receipt] = self.add(heard(NOON, gas(NOON, 1), equipment_id=OTHER_METER, origin=SECOND_CABLE))
        others = self.numbers(receipt.meter_id)[GAS_METER]
        for number in (others, self.numbers()[METER], 1 << 30):
            self.assertEqual(self.value_page(number), DevicePage(0, []))
        self.assertEqual(self.value_page(others, receipt.meter_id).count, 1)

    def test_a_meter_without_devices_has_no_values(self) -> None:
        """A list of nothing is empty, also of a type that was never seen."""
        self.add(heard(NOON))
        self.assertEqual(self.device_page(), DevicePage(0, []))
        self.add(heard(NOON, gas()))
        self.assertEqual(self.device_page(device_type=WATER), DevicePage(0, []))

    def test_each_value_comes_with_the_one_before_it(self) -> None:
        """What flowed in between is their difference; nothing came before the first."""
        values = [gas(NOON + n * 5 * MINUTE, 500_000 + n * n) for n in range(4)]
        self.add(*(heard(value.at, value) for value in values))
        self.assertEqual(self.listed(), list(zip(values, [None, 500_000, 500_001, 500_004], strict=True)))

    def test_a_page_knows_what_came_before_it(self) -> None:
        """The first value of a page has the one before it, whatever the page begins with."""
        values = [gas(NOON + n * 7 * 3600 * SECOND, n) for n in range(20)]
        self.add(*(devices_only(NOON, value) for value in values))
        for descending in (False, True):
            for offset in range(20):
                page = self.device_page(descending=descending, offset=offset, limit=1)
                place = 19 - offset if descending else offset
                [stored] = page.readings
                self.assertEqual((stored.reading, stored.previous), (values[place], place - 1 if place else None))

    def test_of_two_values_at_one_instant_the_first_stored_counts(self) -> None:
        """Both are listed, both come after the value before them, and what follows comes after the first."""
        first, second, late = gas(NOON, 10), gas(NOON, 20), gas(NOON + MINUTE, 30)
        self.add(heard(NOON - MINUTE, gas(NOON - MINUTE, 1)), heard(NOON, first), heard(NOON, second))
        self.add(heard(NOON + MINUTE, late))
        self.assertEqual(self.listed()[1:], [(first, 1), (second, 1), (late, 10)])
        page = self.device_page(start=late.at)
        self.assertEqual([stored.previous for stored in page.readings], [10])

    def test_a_repeated_value_is_listed_once(self) -> None:
        """Nearly every telegram repeats the gas value of the one before; that is one value."""
        self.add(heard(NOON, gas(NOON, 1)), heard(NOON + SECOND, gas(NOON, 1)))
        self.add(heard(NOON + 2 * SECOND, gas(NOON, 1)), heard(NOON + MINUTE, gas(NOON + MINUTE, 2)))
        self.add(heard(NOON + MINUTE + SECOND, gas(NOON, 1)))
        self.assertEqual(self.listed(), [(gas(NOON, 1), None), (gas(NOON + MINUTE, 2), 1)])

    def test_the_devices_of_a_type_are_one_list(self) -> None:
        """After a swap the list goes on, and the new device's first value has none before it."""
        old, new = gas(NOON, 900), gas(NOON + MINUTE, 5, OTHER_GAS_METER)
        late = gas(NOON + 2 * MINUTE, 901)
        self.add(heard(NOON, old, water(NOON, 77)), heard(NOON + MINUTE, new), heard(NOON + 2 * MINUTE, late))
        self.assertEqual(self.listed(), [(old, None), (new, None), (late, 900)])
        self.assertEqual(self.listed(device_type=WATER), [(water(NOON, 77), None)])

    def test_a_posted_value_is_of_the_device_last_heard(self) -> None:
        """A v2 POST does not say which device it read: it is one value more of the house's."""
        self.add(heard(NOON, gas(NOON, 1)), posted(NOON + MINUTE, posted_gas(NOON + MINUTE, 2)))
        self.assertEqual(self.listed(), [(gas(NOON, 1), None), (gas(NOON + MINUTE, 2), 1)])

    def test_both_bounds_of_a_span_are_included(self) -> None:
        """A span of time is over the devices' own instants."""
        self.add(*(devices_only(NOON, gas(NOON + n, n)) for n in range(4)))
        page = self.device_page(start=NOON + 1, end=NOON + 2)
        self.assertEqual((page.count, [stored.reading.value for stored in page.readings]), (2, [1, 2]))
        self.assertEqual(self.device_page(start=NOON + 2, end=NOON + 1).count, 0)

    def test_values_of_two_meters_never_mix(self) -> None:
        """Each house has its own gas, also where devices carry the same id."""
        self.add(heard(NOON, gas(NOON, 1)))
        other = heard(NOON, gas(NOON + MINUTE, 2), equipment_id=OTHER_METER, origin=SECOND_CABLE)
        [receipt] = self.add(other)
        self.assertEqual(self.listed(), [(gas(NOON, 1), None)])
        self.assertEqual(self.listed(receipt.meter_id), [(gas(NOON + MINUTE, 2), None)])

    @OF_EVERY_STORE
    @given(BATCHES, BOUNDS, BOUNDS, st.integers(1, 50))
    def test_following_the_pages_visits_every_value_once(
        self, batches: Batches, start: int | None, end: int | None, limit: int
    ) -> None:
        """Whatever is stored, pages of any size lead through all values, up and down, and the count is theirs."""
        meter_id, values = self._stored_values(batches)
        expected = [
            (value, before(value, values))
            for value in sorted(values, key=lambda value: value.at)
            if value.device_type == GAS and (start is None or start <= value.at) and (end is None or value.at <= end)
        ]
        for descending in (False, True):
            seen: list[StoredDeviceReading] = []
            for offset in range(0, len(expected) + limit, limit):
                page = self.device_page(meter_id, GAS, start, end, descending=descending, offset=offset, limit=limit)
                self.assertEqual(page.count, len(expected))
                seen += page.readings
            if descending:
                seen.reverse()
            self.assertEqual([(stored.reading, stored.previous) for stored in seen], expected)
            self.check_each_device(meter_id, expected, descending=descending, offset=limit)

    def check_each_device(
        self, meter_id: int, expected: list[tuple[DeviceReading, int | None]], *, descending: bool, offset: int
    ) -> None:
        """What the list of one device has behind an offset, where no span was asked for."""
        for printed_id, number in self.numbers(meter_id).items():
            page = self.value_page(number, meter_id, descending=descending, offset=offset, limit=3)
            own = self.value_page(number, meter_id)
            self.assertEqual((page.count, own.count), (len(own.readings), len(own.readings)))
            rows = own.readings[::-1] if descending else own.readings
            self.assertEqual(page.readings, rows[offset : offset + 3])
            listed = [(it.reading, it.previous) for it in own.readings]
            wanted = [pair for pair in expected if pair[0].equipment_id == printed_id]
            self.assertEqual([pair for pair in listed if pair in wanted], wanted)

    _houses = count()

    def _stored_values(self, batches: Batches) -> tuple[int, list[DeviceReading]]:
        """Store values for a meter never seen before; its id, and what must be stored, in the order of storing."""
        self.add(heard(NOON, equipment_id=METER))
        newcomer = f"DEVICES-{next(self._houses)}"
        [receipt] = self.add(heard(NOON, equipment_id=newcomer))
        stored: dict[DeviceReading, None] = {}
        for batch in batches:
            arrivals = [devices_only(NOON, value, equipment_id=newcomer) for value in batch]
            for got, value in zip(self.add(*arrivals), batch, strict=True):
                self.assertEqual((got.meter_id, got.created), (receipt.meter_id, value not in stored))
                stored.setdefault(value)
        return receipt.meter_id, list(stored)


def before(value: DeviceReading, values: Sequence[DeviceReading]) -> int | None:
    """The position before a value, found the slow way in what was stored in this order."""
    earlier = [other for other in values if other.equipment_id == value.equipment_id and other.at < value.at]
    if not earlier:
        return None
    newest = max(other.at for other in earlier)
    return next(other.value for other in earlier if other.at == newest)

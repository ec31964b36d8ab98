"""What a store holds about temperatures: one for an instant, listed, and summed up by stretches of time."""

from __future__ import annotations

from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.domain.temperature import LEAST, MOST, Temperature, TemperatureSummary
from dsmr_tw.stored import TemperaturePage
from tests.arrivals import NOON
from tests.contracts.storecase import StoreCase


def hourly(*tenths: int) -> list[Temperature]:
    """A measurement each hour, from noon on."""
    return [Temperature(NOON + hour * HOUR, value) for hour, value in enumerate(tenths)]


class TemperaturesContract(StoreCase):
    """Outdoor temperatures."""

    def add_temperatures(self, *temperatures: Temperature) -> int:
        """Store temperatures; how many of them said something new."""
        new: int = self.ask(self.store.temperatures.add, temperatures)
        return new

    def temperatures(
        self,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
    ) -> TemperaturePage:
        """A page of the list of temperatures."""
        page: TemperaturePage = self.ask(self.store.temperatures.page, start, end, descending, offset, limit)
        return page

    def summaries(self, *stretches: tuple[int, int]) -> list[TemperatureSummary | None]:
        """What the measurements of each stretch come to."""
        summaries: list[TemperatureSummary | None] = self.ask(self.store.temperatures.summaries, stretches)
        return summaries

    def test_a_new_store_has_no_temperatures(self) -> None:
        """A list of nothing is empty, from whatever place on, and nothing was measured at any time."""
        self.assertEqual(self.temperatures(), TemperaturePage(0, []))
        self.assertEqual(self.temperatures(NOON, NOON, offset=10, descending=True), TemperaturePage(0, []))
        self.assertEqual(self.summaries((NOON, NOON + DAY)), [None])
        self.assertEqual(self.summaries(), [])

    def test_temperatures_are_listed_by_their_instants(self) -> None:
        """In whatever order they came, and also after a restart."""
        stored = hourly(73, -12, 0)
        self.assertEqual(self.add_temperatures(stored[2], stored[0]), 2)
        self.assertEqual(self.add_temperatures(stored[1]), 1)
        self.reopen()
        self.assertEqual(self.temperatures(), TemperaturePage(3, stored))
        self.assertEqual(self.temperatures(descending=True), TemperaturePage(3, stored[::-1]))

    def test_the_newest_value_of_an_instant_counts(self) -> None:
        """A measurement that is corrected is there once; one that is repeated changes nothing."""
        self.assertEqual(self.add_temperatures(*hourly(73, 74)), 2)
        self.assertEqual(self.add_temperatures(*hourly(73, 75, 76)), 2)
        self.assertEqual(self.temperatures(), TemperaturePage(3, hourly(73, 75, 76)))
        self.assertEqual(self.add_temperatures(*hourly(1), *hourly(2)), 1)
        self.assertEqual(self.temperatures(limit=1).temperatures, hourly(2))
        self.assertEqual(self.add_temperatures(), 0)

    def test_pages(self) -> None:
        """Any slice, from either end, of all or of a span whose ends are included; the count is that of the list."""
        stored = hourly(*range(20))
        self.add_temperatures(*stored)
        for first, last in ((None, None), (3, None), (None, 16), (3, 16), (16, 3)):
            start = None if first is None else NOON + first * HOUR
            end = None if last is None else NOON + last * HOUR
            listed = stored[first or 0 : 20 if last is None else last + 1]
            for offset in (0, 1, 7, 12, 19, 20, 1 << 62):
                for limit in (0, 1, 5, 30):
                    slice_ = slice(offset, offset + limit)
                    page = self.temperatures(start, end, offset=offset, limit=limit)
                    self.assertEqual(page, TemperaturePage(len(listed), listed[slice_]))
                    page = self.temperatures(start, end, offset=offset, limit=limit, descending=True)
                    self.assertEqual(page, TemperaturePage(len(listed), listed[::-1][slice_]))

    def test_any_time_and_any_temperature(self) -> None:
        """The first and the last second of the calendar can be stored, and whatever can be measured."""
        far = [Temperature(FIRST_INSTANT, LEAST), Temperature(LAST_INSTANT, MOST)]
        self.add_temperatures(*far)
        self.assertEqual(self.temperatures().temperatures, far)
        self.assertEqual(self.temperatures(FIRST_INSTANT, LAST_INSTANT).count, 2)

    def test_summaries(self) -> None:
        """A stretch has its lowest, highest and average temperature; what is measured at its end is of the next."""
        self.add_temperatures(*hourly(73, -12, 20, 100))
        self.assertEqual(
            self.summaries((NOON, NOON + 3 * HOUR), (NOON + 3 * HOUR, NOON + DAY), (NOON - DAY, NOON), (NOON, NOON)),
            [TemperatureSummary(-12, 73, 27), TemperatureSummary(100, 100, 100), None, None],
        )
        self.assertEqual(self.summaries((NOON + SECOND, NOON + 2 * HOUR)), [TemperatureSummary(-12, -12, -12)])

    def test_averages_are_rounded_half_up(self) -> None:
        """As all that is shown, also below zero."""
        for tenths, average in (((1, 2), 2), ((-1, -2), -2), ((0, 0, 1), 0), ((0, 1, 1), 1), ((0, -1), -1)):
            self.add_temperatures(*hourly(*tenths))
            [found] = self.summaries((NOON, NOON + len(tenths) * HOUR))
            assert found is not None
            self.assertEqual(found.average, average, tenths)

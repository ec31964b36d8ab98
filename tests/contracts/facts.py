"""What a store holds about what meters date themselves: a peak for each month, and power failures."""

from __future__ import annotations

from itertools import count

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from dsmr_tw.domain.facts import is_higher
from dsmr_tw.domain.reading import DAY, SECOND, Arrival, Failure, MonthPeak
from dsmr_tw.stored import Event, EventPage, PeakPage, ReadingFilter
from tests.arrivals import MINUTE, NOON, OTHER_METER, SECOND_CABLE, devices_only, heard, posted
from tests.contracts.readings import OF_EVERY_STORE
from tests.contracts.storecase import FIRST, StoreCase

MARCH, APRIL = NOON - 33 * DAY, NOON - 2 * DAY
"""Where months begin; a store takes the domain's word for it."""

PEAKS = st.lists(
    st.builds(MonthPeak, st.sampled_from([MARCH, APRIL]), st.integers(NOON, NOON + 2), st.integers(0, 2)), max_size=4
)


def telling(
    at: int, peaks: list[MonthPeak] | None = None, failures: list[Failure] | None = None, **values: object
) -> Arrival:
    """A telegram that tells this of the past."""
    arrival = heard(at, **values)  # type: ignore[arg-type]  # what heard() takes
    return evolve(arrival, peaks=tuple(peaks or ()), failures=tuple(failures or ()))


class FactsContract(StoreCase):
    """Peaks and power failures."""

    def peaks(
        self,
        meter_id: int = FIRST,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> PeakPage:
        """A page of the list of peaks."""
        wanted = ReadingFilter(meter_id, start, end)
        page: PeakPage = self.ask(self.store.facts.peaks, wanted, descending, offset, limit)
        return page

    def events(
        self,
        meter_id: int = FIRST,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> EventPage:
        """A page of the list of power failures."""
        wanted = ReadingFilter(meter_id, start, end)
        page: EventPage = self.ask(self.store.facts.events, wanted, descending, offset, limit)
        return page

    def test_most_meters_tell_nothing(self) -> None:
        """A meter that prints no peak and no failure has empty lists, from whatever place on."""
        self.add(heard(NOON), posted(NOON))
        self.assertEqual((self.peaks(), self.peaks(offset=9)), (PeakPage(0, []), PeakPage(0, [])))
        self.assertEqual((self.events(), self.events(offset=9)), (EventPage(0, []), EventPage(0, [])))

    def test_what_is_repeated_is_stored_once(self) -> None:
        """Telegram after telegram tells the same, in one commit and in many, before and after a restart."""
        peaks, failures = [MonthPeak(MARCH, MARCH + 5, 2_000)], [Failure(NOON - DAY, 300), Failure(NOON - 9 * DAY, 20)]
        for second in range(3):
            both = (telling(NOON + second * SECOND, peaks, failures), telling(NOON + second * SECOND, peaks, failures))
            self.add(*both, posted(NOON))
            self.reopen()
        self.assertEqual(self.peaks(), PeakPage(1, peaks))
        kind = "power failure"
        self.assertEqual(self.events(), EventPage(2, [Event(NOON - 9 * DAY, kind, 20), Event(NOON - DAY, kind, 300)]))

    def test_a_reading_that_is_stored_already(self) -> None:
        """Its telegram may still tell what was not known."""
        self.add(heard(NOON))
        [receipt] = self.add(telling(NOON, [MonthPeak(MARCH, MARCH, 1)], [Failure(MARCH, 7)]))
        self.assertFalse(receipt.created)
        self.assertEqual((self.peaks().count, self.events().count), (1, 1))

    def test_a_telegram_without_electricity(self) -> None:
        """What tells of the past need not tell of the present."""
        self.add(evolve(devices_only(NOON), failures=(Failure(MARCH, 7),)))
        self.assertEqual(self.events().events, [Event(MARCH, "power failure", 7)])

    def test_a_peak_that_rises(self) -> None:
        """The month under way has the highest quarter so far; a late telegram takes nothing back."""
        for second, power in enumerate((1_000, 3_000, 2_000)):
            self.add(telling(NOON + second * SECOND, [MonthPeak(APRIL, NOON + second, power)]))
        self.assertEqual(self.peaks().peaks, [MonthPeak(APRIL, NOON + 1, 3_000)])

    def test_the_first_word_about_a_failure_counts(self) -> None:
        """A failure that ended at one instant has one length."""
        self.add(telling(NOON, failures=[Failure(MARCH, 7)]))
        self.add(telling(NOON + SECOND, failures=[Failure(MARCH, 8)]))
        self.assertEqual(self.events(), EventPage(1, [Event(MARCH, "power failure", 7)]))

    def test_pages(self) -> None:
        """Both bounds of a span are included, and a list is read up and down."""
        peaks = [MonthPeak(NOON + month * 30 * DAY, NOON, month) for month in range(5)]
        failures = [Failure(peak.month_at, peak.power) for peak in peaks]
        self.add(telling(NOON, peaks, failures))
        first, last = peaks[1].month_at, peaks[3].month_at
        self.assertEqual(self.peaks(start=first, end=last), PeakPage(3, peaks[1:4]))
        self.assertEqual(self.peaks(descending=True, offset=1, limit=2), PeakPage(5, [peaks[3], peaks[2]]))
        page = self.events(start=first, end=last, descending=True, limit=2)
        self.assertEqual((page.count, [event.at for event in page.events]), (3, [last, peaks[2].month_at]))
        self.assertEqual(self.events(offset=4, limit=9).events, [Event(peaks[4].month_at, "power failure", 4)])

    def test_two_meters_have_their_own(self) -> None:
        """What one house's meter tells is not the other's, where both come in one commit."""
        own, others = MonthPeak(APRIL, NOON, 1), MonthPeak(APRIL, NOON, 2)
        other = {"equipment_id": OTHER_METER, "origin": SECOND_CABLE}
        _, receipt = self.add(
            telling(NOON, [own], [Failure(MARCH, 1)]), telling(NOON, [others], [Failure(MARCH, 2)], **other)
        )
        self.add(telling(NOON + MINUTE, [own], [Failure(MARCH, 1)]))
        self.assertEqual((self.peaks().peaks, self.peaks(receipt.meter_id).peaks), ([own], [others]))
        self.assertEqual([self.events(of).events[0].seconds for of in (FIRST, receipt.meter_id)], [1, 2])

    def test_what_can_not_be_stored_leaves_no_fact(self) -> None:
        """Facts go with the readings of their commit, or not at all, and come again with the next telegram."""
        fact = [MonthPeak(APRIL, NOON, 1)]
        self.assert_refused(telling(NOON, fact), heard(NOON, delivered_1=1 << 70))
        self.assertEqual(self.peaks().count, 0)
        self.add(telling(NOON, fact))
        self.assertEqual(self.peaks().count, 1)

    @OF_EVERY_STORE
    @given(st.lists(st.lists(PEAKS, max_size=3), max_size=3))
    def test_the_highest_stays_in_whatever_order(self, batches: list[list[list[MonthPeak]]]) -> None:
        """Of all that was ever told of a month the highest quarter is kept, and of two as high the earlier."""
        self.add(heard(NOON))
        newcomer = f"FACTS-{next(self._houses)}"
        [receipt] = self.add(heard(NOON, equipment_id=newcomer))
        expected: dict[int, MonthPeak] = {}
        for batch in batches:
            self.add(*(telling(NOON, peaks, equipment_id=newcomer) for peaks in batch))
            for peak in (peak for peaks in batch for peak in peaks):
                if peak.month_at not in expected or is_higher(peak, expected[peak.month_at]):
                    expected[peak.month_at] = peak
        self.assertEqual(self.peaks(receipt.meter_id).peaks, [expected[month] for month in sorted(expected)])

    _houses = count()

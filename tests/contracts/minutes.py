"""What a store holds about minutes: the readings of each as one, their pages and their count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, YEAR_2000, StoredReading
from dsmr_tw.stored import Minute, MinutePage, ReadingFilter
from tests.arrivals import METER, MINUTE, NOON, OTHER_METER, SECOND_CABLE, heard
from tests.contracts.readings import BATCHES, INSTANTS, OF_EVERY_STORE, Batches
from tests.contracts.storecase import FIRST, StoreCase

BOUNDS = st.none() | INSTANTS | st.integers(-90, 90).map(lambda minutes: NOON + minutes * MINUTE)

LIMITS = st.integers(1, 50)


class MinutesContract(StoreCase):
    """How readings are listed by minutes."""

    def minute_page(
        self,
        meter_id: int = FIRST,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
    ) -> MinutePage:
        """A page of the list of minutes."""
        wanted = ReadingFilter(meter_id, start, end)
        page: MinutePage = self.ask(self.store.readings.minutes, wanted, descending, offset, limit)
        return page

    def starts(self, start: int | None = None, end: int | None = None, **options: Any) -> list[int]:
        """Where the minutes of a list begin, in minutes after noon."""
        page = self.minute_page(FIRST, start, end, **options)
        return [(minute.start - NOON) // MINUTE for minute in page.minutes]

    def test_a_meter_without_readings_has_no_minutes(self) -> None:
        """A list of nothing is empty, from whatever place on."""
        self.assertEqual(self.minute_page(), MinutePage(0, []))
        self.assertEqual(self.minute_page(offset=10, descending=True), MinutePage(0, []))

    def test_a_minute_is_its_readings_as_one(self) -> None:
        """It has the positions of its last reading, and what flowed on the average, half up."""
        first: dict[str, Any] = {
            "currently_delivered": 100,
            "powers_delivered": (100, 0, 0),
            "powers_returned": (0, 7, 0),
            "voltages": (230_000, 231_000, 232_000),
            "currents": (1_000, 0, 2_000),
        }
        second: dict[str, Any] = {
            "currently_delivered": 101,
            "currently_returned": 1,
            "powers_delivered": (101, 0, 0),
            "powers_returned": (0, 8, 0),
            "voltages": (230_100, 231_000, 231_900),
            "currents": (2_000, 0, 2_000),
        }
        self.add(heard(NOON, delivered_1=10, returned_1=20, delivered_2=30, returned_2=40, **first))
        self.add(heard(NOON + 59 * SECOND, delivered_1=11, returned_1=22, delivered_2=33, returned_2=44, **second))
        [minute] = self.minute_page().minutes
        self.assertEqual(
            minute,
            Minute(
                start=NOON,
                delivered_1=11,
                returned_1=22,
                delivered_2=33,
                returned_2=44,
                currently_delivered=101,
                currently_returned=1,
                powers_delivered=(101, 0, 0),
                powers_returned=(0, 8, 0),
                voltages=(230_050, 231_000, 231_950),
                currents=(1_500, 0, 2_000),
            ),
        )

    def test_an_average_is_rounded_half_up_below_zero_too(self) -> None:
        """Of -3 and -2 the average is -2, whatever a broken meter means by it."""
        self.add(heard(NOON, currently_delivered=-3), heard(NOON + SECOND, currently_delivered=-2))
        self.assertEqual(self.minute_page().minutes[0].currently_delivered, -2)

    def test_a_phase_counts_where_it_is_told(self) -> None:
        """A phase that one of two readings tells of is as that one says; one that none tells of is absent."""
        self.add(
            heard(NOON, powers_delivered=(100, None, None), voltages=(None, None, None)),
            heard(NOON + SECOND, powers_delivered=(300, 50, None), voltages=(None, 230_000, None)),
        )
        [minute] = self.minute_page().minutes
        self.assertEqual(minute.powers_delivered, (200, 50, None))
        self.assertEqual(minute.voltages, (None, 230_000, None))

    def test_of_one_instant_the_positions_are_those_stored_last(self) -> None:
        """Two readings at the minute's last instant are both averaged; the later one says where the registers stand."""
        self.add(
            heard(NOON + SECOND, delivered_1=5, currently_delivered=10),
            heard(NOON + SECOND, delivered_1=3, currently_delivered=20),
            heard(NOON, delivered_1=9, currently_delivered=30),
        )
        [minute] = self.minute_page().minutes
        self.assertEqual((minute.delivered_1, minute.currently_delivered), (3, 20))

    def test_a_minute_without_a_reading_has_no_row(self) -> None:
        """A gap is a gap; a minute ends before the next one begins."""
        self.add(heard(NOON - 1), heard(NOON), heard(NOON + 3 * MINUTE - 1), heard(NOON + 3 * MINUTE))
        self.assertEqual(self.starts(), [-1, 0, 2, 3])
        self.assertEqual(self.starts(descending=True), [3, 2, 0, -1])
        self.assertEqual(self.minute_page().count, 4)

    def test_a_span_is_over_the_ends_of_minutes(self) -> None:
        """Both of its bounds are included, and a minute belongs to it by the instant at which it ends."""
        self.add(*(heard(NOON + minute * MINUTE + SECOND) for minute in range(4)))
        self.assertEqual(self.starts(start=NOON + 2 * MINUTE), [1, 2, 3])
        self.assertEqual(self.starts(start=NOON + 2 * MINUTE + 1), [2, 3])
        self.assertEqual(self.starts(end=NOON + 2 * MINUTE), [0, 1])
        self.assertEqual(self.starts(end=NOON + 2 * MINUTE - 1), [0])
        self.assertEqual(self.starts(start=NOON + 2 * MINUTE, end=NOON + 2 * MINUTE), [1])
        self.assertEqual(self.starts(start=NOON + 3 * MINUTE, end=NOON + 2 * MINUTE), [])

    def test_late_readings_make_no_second_minute(self) -> None:
        """However readings come, in one commit or in many, a minute is listed and counted once."""
        for order in ([0, 65, 5, 70, 10], [64, 4], [130, 0], [3]):
            self.add(*(heard(NOON + second * SECOND, received_at=NOON) for second in order))
        self.assertEqual(self.starts(), [0, 1, 2])
        self.assertEqual(self.minute_page(offset=2).count, 3)

    def test_a_minute_before_1970_is_a_minute(self) -> None:
        """A clock that was never set counts its minutes from their starts, too."""
        early = -DAY - 90 * SECOND
        self.add(heard(early, received_at=NOON), heard(early + 29 * SECOND, received_at=NOON))
        self.add(heard(early + 30 * SECOND, received_at=NOON), heard(YEAR_2000, received_at=NOON))
        page = self.minute_page()
        self.assertEqual(page.count, 3)
        self.assertEqual([minute.start for minute in page.minutes], [-DAY - 2 * MINUTE, -DAY - MINUTE, YEAR_2000])

    def test_a_repeated_reading_changes_no_minute(self) -> None:
        """The identical reading, heard again, is neither counted nor averaged."""
        self.add(heard(NOON, currently_delivered=100), heard(NOON + SECOND, currently_delivered=200))
        before = self.minute_page()
        self.add(heard(NOON + SECOND, currently_delivered=200))
        self.assertEqual(self.minute_page(), before)

    def test_minutes_of_two_meters_never_mix(self) -> None:
        """The neighbour's minute, at the same time, is his."""
        self.add(heard(NOON, currently_delivered=100))
        other = heard(NOON + SECOND, equipment_id=OTHER_METER, origin=SECOND_CABLE, currently_delivered=900)
        [receipt] = self.add(other)
        for meter_id, power in ((FIRST, 100), (receipt.meter_id, 900)):
            page = self.minute_page(meter_id)
            self.assertEqual((page.count, [minute.currently_delivered for minute in page.minutes]), (1, [power]))

    def test_a_refused_commit_leaves_no_minute(self) -> None:
        """A minute that was begun by what could not be stored is counted when something in it is."""
        self.add(heard(NOON))
        self.assert_refused(heard(NOON + MINUTE), heard(NOON, delivered_1=2**70))
        self.assertEqual(self.minute_page().count, 1)
        self.add(heard(NOON + MINUTE + SECOND))
        self.assertEqual(self.minute_page().count, 2)

    def test_minutes_survive_a_restart(self) -> None:
        """A minute that was begun before a restart goes on after it."""
        self.add(heard(NOON), heard(NOON + HOUR))
        self.reopen()
        self.add(heard(NOON + HOUR + SECOND))
        self.assertEqual(self.starts(), [0, 60])
        self.assertEqual(self.minute_page().count, 2)

    @OF_EVERY_STORE
    @given(BATCHES, BOUNDS, BOUNDS, LIMITS)
    def test_following_the_pages_visits_every_minute_once(
        self, batches: Batches, start: int | None, end: int | None, limit: int
    ) -> None:
        """Whatever is stored, pages of any size lead through all minutes, up and down, and the count is theirs."""
        meter_id = self._stored(batches)
        expected = [
            minute
            for minute in minutes_of(self.stored(meter_id))
            if (start is None or start <= minute[0] + MINUTE) and (end is None or minute[0] + MINUTE <= end)
        ]
        for descending in (False, True):
            seen: list[Minute] = []
            for offset in range(0, len(expected) + limit, limit):
                page = self.minute_page(meter_id, start, end, descending=descending, offset=offset, limit=limit)
                self.assertEqual(page.count, len(expected))
                seen += page.minutes
            ordered = expected[::-1] if descending else expected
            self.assertEqual([(minute.start, minute.delivered_1) for minute in seen], ordered)

    _newcomers = count()

    def _stored(self, batches: Batches) -> int:
        """Store batches for a meter never seen before; its id."""
        self.add(heard(NOON, equipment_id=METER))
        newcomer = f"MINUTES-{next(self._newcomers)}"
        [receipt] = self.add(heard(NOON, equipment_id=newcomer))
        for batch in batches:
            self.add(*(heard(at, received_at=NOON, equipment_id=newcomer, delivered_1=n) for at, n in batch))
        return receipt.meter_id


def minutes_of(readings: Sequence[StoredReading]) -> list[tuple[int, int]]:
    """Start, and position at the end, of each minute of readings in order."""
    grouped = groupby((stored.reading for stored in readings), lambda reading: reading.at // MINUTE)
    return [(minute * MINUTE, list(group)[-1].delivered_1) for minute, group in grouped]

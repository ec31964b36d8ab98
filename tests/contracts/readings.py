"""What a store holds about readings: identity, order, pages and counts, and that a commit is all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, TypeAlias

from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT
from dsmr_tw.domain.reading import DAY, HOUR, SECOND, StoredReading
from tests.arrivals import (
    CABLE,
    METER,
    MINUTE,
    NOON,
    OTHER_METER,
    SECOND_CABLE,
    gas,
    heard,
    posted,
    posted_gas,
    reading,
)
from tests.contracts.storecase import FIRST, StoreCase

INSTANTS = st.one_of(
    st.integers(0, 2 * 3600).map(lambda seconds: NOON + seconds * SECOND),
    st.builds(lambda hours, edge: NOON + hours * HOUR + edge, st.integers(-30, 30), st.integers(-1, 1)),
    st.integers(-400, 400).map(lambda days: NOON + days * DAY),
    st.integers(FIRST_INSTANT, LAST_INSTANT),
)
"""Crowded in an hour, at the edges of hours and days, over a year, and in all the years that can be stored."""

Batches: TypeAlias = Sequence[Sequence[tuple[int, int]]]
"""Commits of readings, each an instant and the position that tells those of one instant apart."""

BATCHES = st.lists(st.lists(st.tuples(INSTANTS, st.integers(0, 2)), max_size=12), max_size=4)


@frozen
class Question:
    """A page that somebody may ask for."""

    start: int | None
    end: int | None
    descending: bool
    offset: int
    limit: int

    def answer(self, readings: Sequence[StoredReading]) -> tuple[int, list[StoredReading]]:
        """What the page must be, found the slow way."""
        wanted = [
            stored
            for stored in sorted(readings, key=lambda stored: (stored.reading.at, stored.id), reverse=self.descending)
            if (self.start is None or stored.reading.at >= self.start)
            and (self.end is None or stored.reading.at <= self.end)
        ]
        return len(wanted), wanted[self.offset : self.offset + self.limit]


QUESTIONS = st.lists(
    st.builds(
        Question, st.none() | INSTANTS, st.none() | INSTANTS, st.booleans(), st.integers(0, 40), st.integers(1, 40)
    ),
    min_size=1,
    max_size=5,
)

FAR_BOUNDS = st.one_of(
    st.none(),
    INSTANTS,
    st.builds(lambda days, edge: NOON + days * DAY - NOON % DAY + edge, st.integers(25, 45), st.integers(-1, 1)),
)

FAR_QUESTIONS = st.builds(
    Question, FAR_BOUNDS, FAR_BOUNDS, st.booleans(), st.integers(900, 3_100), st.sampled_from([1, 10, 700])
)

OF_EVERY_STORE = settings(
    max_examples=200,
    deadline=None,
    # Each store's test case runs it, and one open store serves all examples.
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class ReadingsContract(StoreCase):
    """How readings are kept."""

    def test_a_reading_comes_back_as_it_was_sent(self) -> None:
        """Every value of a telegram is there again, to the watt-hour, with the gas value that came with it."""
        value = gas(NOON - MINUTE)
        [receipt] = self.add(heard(NOON, value))
        self.assertTrue(receipt.created)
        self.assertEqual(receipt.meter_id, FIRST)
        self.assertEqual(self.stored(), [StoredReading(receipt.reading_id or 0, reading(NOON), value)])

    def test_absent_is_not_zero(self) -> None:
        """Phases that a meter does not print are absent when read, also where another phase is there."""
        self.add(
            heard(NOON, powers_delivered=(0, None, None), voltages=(None, None, None), currents=(None, 0, 5_000)),
            posted(NOON + SECOND, powers_returned=(None, None, None)),
        )
        first, second = (stored.reading for stored in self.stored())
        self.assertEqual(first.powers_delivered, (0, None, None))
        self.assertEqual(first.voltages, (None, None, None))
        self.assertEqual(first.currents, (None, 0, 5_000))
        self.assertEqual(second.powers_returned, (None, None, None))

    def test_odd_values_are_kept_exactly(self) -> None:
        """Negative positions, a Belgian hundredth of an ampere and nonsense from a broken meter all come back."""
        odd: dict[str, Any] = {
            "delivered_1": -1,
            "returned_2": 999_999_999_999,
            "currently_returned": -5,
            "powers_delivered": (-1, 32_768, 999_999_999),
            "voltages": (0, 229_990, 9_999_900),
            "currents": (190, -1_000, 999_999_000),
        }
        self.add(heard(NOON, **odd))
        self.assertEqual([stored.reading for stored in self.stored()], [reading(NOON, **odd)])

    def test_the_identical_reading_is_stored_once(self) -> None:
        """A client that is not sure whether its telegram arrived may send it again, a year later too."""
        [first] = self.add(heard(NOON, gas()))
        for again in (heard(NOON, gas()), heard(NOON, gas(), received_at=NOON + 365 * DAY)):
            [receipt] = self.add(again)
            self.assertEqual(receipt, type(receipt)(first.meter_id, first.reading_id, created=False))
        self.assertEqual(self.page().count, 1)

    def test_the_identical_reading_twice_in_one_commit_is_stored_once(self) -> None:
        """Two clients that send the same telegram in the same moment get the same id."""
        first, second = self.add_groups([heard()], [heard()])
        self.assertEqual(first[0].reading_id, second[0].reading_id)
        self.assertEqual([first[0].created, second[0].created], [True, False])
        self.assertEqual(self.page().count, 1)

    def test_other_values_at_the_same_instant_are_another_reading(self) -> None:
        """One differing value, whichever, makes a reading of its own."""
        variants: list[dict[str, Any]] = [
            {},
            {"delivered_1": 1},
            {"returned_1": 1},
            {"delivered_2": 1},
            {"returned_2": 1},
            {"currently_delivered": 1},
            {"currently_returned": 1},
            {"powers_delivered": (1, 2, 3)},
            {"powers_returned": (1, 2, 3)},
            {"voltages": (230_000, None, None)},
            {"currents": (None, None, None)},
        ]
        receipts = self.add(*(heard(NOON, **values) for values in variants))
        receipts += self.add(heard(NOON, gas()), heard(NOON, gas(value=500_001)))
        self.assertTrue(all(receipt.created for receipt in receipts))
        self.assertEqual(len({receipt.reading_id for receipt in receipts}), 13)
        self.assertEqual(self.page().count, 13)

    def test_ids_rise_in_the_order_of_storing(self) -> None:
        """Whatever the dates of readings, what is stored later has the higher id, also after a restart."""
        early = self.add(heard(NOON), heard(NOON - DAY))
        self.reopen()
        late = self.add(heard(NOON - HOUR), posted(NOON - 2 * DAY))
        ids = [receipt.reading_id for receipt in early + late]
        self.assertEqual(ids, sorted(set(ids)))

    def test_readings_of_one_instant_stand_in_the_order_of_storing(self) -> None:
        """Ties of a list are settled by the id, in both directions."""
        ids = [receipt.reading_id for receipt in self.add(*(heard(NOON, delivered_1=n) for n in (3, 1, 2)))]
        self.assertEqual([stored.id for stored in self.page().readings], ids)
        self.assertEqual([stored.id for stored in self.page(descending=True).readings], ids[::-1])

    def test_both_ends_of_a_filter_belong_to_the_list(self) -> None:
        """A reading exactly at ``timestamp__gte`` or ``timestamp__lte`` is shown, one a microsecond outside is not."""
        self.add(*(heard(NOON + offset) for offset in (-1, 0, HOUR, HOUR + 1)))
        page = self.page(start=NOON, end=NOON + HOUR)
        self.assertEqual([stored.reading.at for stored in page.readings], [NOON, NOON + HOUR])
        self.assertEqual(page.count, 2)

    def test_a_page_beyond_the_end_is_empty_and_still_counts(self) -> None:
        """Who asks for too much is told how much there is."""
        self.add(heard(NOON), heard(NOON + SECOND))
        page = self.page(offset=2, limit=25)
        self.assertEqual((page.count, page.readings), (2, []))

    def test_a_meter_without_readings_has_an_empty_list(self) -> None:
        """Nothing stored is no error, nor is a filter whose end lies before its start."""
        self.assertEqual((self.page().count, self.page().readings), (0, []))
        self.add(heard(NOON))
        self.assertEqual(self.page(start=NOON + HOUR, end=NOON - HOUR).count, 0)

    def test_following_the_pages_visits_every_reading_once(self) -> None:
        """Over midnights and months, forwards and backwards, with pages of any size."""
        self.add(*(heard(NOON - DAY + n * HOUR // 2, received_at=NOON) for n in range(100)))
        everything = self.stored()
        self.assertEqual(len(everything), 100)
        for limit in (1, 7, 48, 100):
            for descending in (False, True):
                pages = [
                    self.page(offset=offset, limit=limit, descending=descending) for offset in range(0, 100, limit)
                ]
                visited = [stored for page in pages for stored in page.readings]
                self.assertEqual(visited, everything[::-1] if descending else everything)
                self.assertEqual({page.count for page in pages}, {100})

    def test_pages_far_into_a_long_list(self) -> None:
        """Thousands of readings in, over crowded hours, empty weeks and ties, a page is that of a sorted list, too."""
        stored = self._long_list()

        @OF_EVERY_STORE
        @given(FAR_QUESTIONS)
        def every_page_is_right(question: Question) -> None:
            page = self.page(
                FIRST,
                question.start,
                question.end,
                descending=question.descending,
                offset=question.offset,
                limit=question.limit,
            )
            self.assertEqual((page.count, page.readings), question.answer(stored))

        every_page_is_right()

    def _long_list(self) -> list[StoredReading]:
        """Store three thousand readings, in no order."""
        spread = [NOON + n * 7919 % 5000 * 20 * MINUTE for n in range(1_500)]
        crowded = [NOON + 30 * DAY + n * 7919 % 3000 * SECOND for n in range(1_400)]
        tied = [NOON + 40 * DAY - NOON % DAY] * 80
        instants = [*spread, *crowded, *tied, *(NOON + years * 365 * DAY for years in range(-1_000, 1_000, 100))]
        stored = []
        for start in range(0, len(instants), 500):
            batch = [(at, start + n) for n, at in enumerate(instants[start : start + 500])]
            receipts = self.add(*(heard(at, received_at=NOON, delivered_1=n) for at, n in batch))
            stored += [
                StoredReading(receipt.reading_id or 0, reading(at, delivered_1=n))
                for receipt, (at, n) in zip(receipts, batch, strict=True)
            ]
        return stored

    def test_the_total_is_that_of_all_meters(self) -> None:
        """Every reading of every meter counts once; devices do not."""
        self.assertEqual(self.ask(self.store.readings.total), 0)
        self.add(heard(NOON), heard(NOON + DAY), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.add(heard(NOON, gas()), heard(NOON))
        self.assertEqual(self.ask(self.store.readings.total), 4)

    def test_lists_of_two_meters_never_mix(self) -> None:
        """Each meter has its own readings, its own count and its own pages, at the same instants too."""
        [own] = self.add(heard(NOON))
        [other] = self.add(heard(NOON, equipment_id=OTHER_METER, origin=SECOND_CABLE))
        self.assertNotEqual(own.meter_id, other.meter_id)
        for receipt in (own, other):
            page = self.page(receipt.meter_id)
            self.assertEqual((page.count, [stored.id for stored in page.readings]), (1, [receipt.reading_id]))

    @OF_EVERY_STORE
    @given(BATCHES, QUESTIONS)
    def test_any_page_is_that_of_a_sorted_list(self, batches: Batches, questions: list[Question]) -> None:
        """Whatever is stored, in whatever order and how often, each page and its count are those of a sorted list."""
        meter_id, stored = self._stored_as_told(batches)
        for question in questions:
            page = self.page(
                meter_id,
                question.start,
                question.end,
                descending=question.descending,
                offset=question.offset,
                limit=question.limit,
            )
            self.assertEqual((page.count, page.readings), question.answer(stored))

    _serials = count()

    def _stored_as_told(self, batches: Batches) -> tuple[int, list[StoredReading]]:
        """Store batches for a meter never seen before; its id, and what must be stored."""
        self.add(heard(NOON, origin=CABLE, equipment_id=METER))
        newcomer = f"{OTHER_METER}-{next(self._serials)}"
        [receipt] = self.add(heard(NOON, equipment_id=newcomer, delivered_1=0))
        seen = {(NOON, 0): StoredReading(receipt.reading_id or 0, reading(NOON, delivered_1=0))}
        for batch in batches:
            arrivals = [heard(at, received_at=NOON, equipment_id=newcomer, delivered_1=n) for at, n in batch]
            for arrival, key, got in zip(arrivals, batch, self.add(*arrivals), strict=True):
                assert arrival.reading is not None
                self.assertEqual(got.created, key not in seen)
                new = StoredReading(got.reading_id or 0, arrival.reading)
                self.assertEqual(got.reading_id, seen.setdefault(key, new).id)
        return receipt.meter_id, list(seen.values())

    def test_one_bad_value_fails_the_whole_commit(self) -> None:
        """Of a commit that is refused nothing remains: no reading, count, meter, device, statistics or telegram."""
        self.add(heard(NOON))
        before = (self.page(), self.ask(self.store.meters.all), self.ask(self.store.meters.statistics, FIRST))
        self.assert_refused(
            heard(NOON + HOUR, gas(NOON + HOUR), telegram="/NEW\r\n!"),
            heard(NOON + HOUR, equipment_id=OTHER_METER, origin=SECOND_CABLE),
            heard(NOON + HOUR, delivered_1=2**70),
        )
        self.assertEqual(
            (self.page(), self.ask(self.store.meters.all), self.ask(self.store.meters.statistics, FIRST)), before
        )

    def test_what_was_refused_with_others_can_be_stored_without_the_culprit(self) -> None:
        """After a refused commit the store is as able as before, and nothing it remembers is of that commit."""
        good = [
            heard(NOON, gas()),
            heard(NOON, gas(equipment_id="GAS-B"), equipment_id=OTHER_METER, origin=SECOND_CABLE),
        ]
        self.assert_refused(*good, heard(NOON, delivered_1=2**70))
        receipts = self.add(*good)
        self.assertEqual([receipt.created for receipt in receipts], [True, True])
        self.reopen()
        self.assertEqual([meter.equipment for meter in self.ask(self.store.meters.all)], [(METER,), (OTHER_METER,)])
        for receipt, device in zip(receipts, (gas(), gas(equipment_id="GAS-B")), strict=True):
            self.assertEqual([stored.gas for stored in self.stored(receipt.meter_id)], [device])

    def test_receipts_come_grouped_as_the_arrivals_were(self) -> None:
        """Each group gets its own receipts, in order; an empty one gets none."""
        receipts = self.add_groups([heard(NOON), heard(NOON + 1)], [], [posted(NOON + 2, posted_gas())])
        self.assertEqual([len(group) for group in receipts], [2, 0, 1])
        ids = [receipt.reading_id for group in receipts for receipt in group]
        self.assertEqual(ids, [stored.id for stored in self.stored()])

    def test_readings_survive_a_restart(self) -> None:
        """What was stored is there after closing and opening, and is still known when it comes again."""
        receipts = self.add(heard(NOON, gas()), heard(NOON + HOUR, gas(NOON + HOUR, 500_100)))
        before = self.page()
        self.reopen()
        self.assertEqual(self.page(), before)
        again = self.add(heard(NOON, gas()), heard(NOON + HOUR, gas(NOON + HOUR, 500_100)))
        self.assertEqual([r.reading_id for r in again], [r.reading_id for r in receipts])
        self.assertEqual([r.created for r in again], [False, False])
        self.assertEqual(self.page(), before)

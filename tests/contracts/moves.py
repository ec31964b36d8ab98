"""What every store must hold of meters that are joined and split: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

from datetime import date

from attrs import evolve

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, YEAR_2000, Arrival
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.errors import EditRefused
from dsmr_tw.stored import Bulk, Move, ReadingFilter
from tests.arrivals import (
    CABLE,
    GAS_METER,
    KEY,
    METER,
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
    water,
)
from tests.contracts.ledger import LedgerContract
from tests.contracts.storecase import FIRST
from tests.prices import contract

SECOND_METER = FIRST + 1
THIRD_METER = FIRST + 2


def ours(n: int, *devices: bool) -> Arrival:
    """A telegram of the first house, in its n-th quarter: 10 Wh a quarter, 1 dm³ of gas."""
    at = NOON + n * 15 * MINUTE
    return heard(at, *(gas(at, 1_000 + n) for _ in devices), delivered_1=10 * n, delivered_2=0)


def theirs(n: int, *devices: bool, position: int = 5_000) -> Arrival:
    """One of the second house, a minute later: 7 Wh a quarter, 2 dm³."""
    at = NOON + n * 15 * MINUTE + MINUTE
    return heard(
        at,
        *(gas(at, 9_000 + 2 * n, OTHER_GAS_METER) for _ in devices),
        origin=SECOND_CABLE,
        equipment_id=OTHER_METER,
        delivered_1=position + 7 * n,
        delivered_2=0,
    )


class MovesContract(LedgerContract):
    """Accounts that are joined and split."""

    def move_all(self, move: Move) -> Move:
        """Move everything."""
        while not move.done:
            move = self.ask(self.store.meters.move, move)
        return move

    def end_move(self, move: Move) -> bool:
        """End a move; whether nothing was left, and then what was marked is computed."""
        ended: bool = self.ask(self.store.meters.end_move, move, self.now)
        if ended:
            self.settle((self.now - NOON) // MINUTE)
        return ended

    def begin_join(self) -> Move:
        """Begin to join the second meter to the first."""
        move: Move = self.ask(self.store.meters.begin_join, FIRST, SECOND_METER)
        return move

    def join_meters(self) -> Move:
        """Join the second meter to the first."""
        move = self.move_all(self.begin_join())
        self.assertTrue(self.end_move(move))
        return move

    def begin_split(self, *printed: str) -> Move:
        """Begin to split off equipment of the first meter, by what it prints."""
        numbers = self.numbers_of(*printed)
        move: Move = self.ask(self.store.meters.begin_split, FIRST, numbers, self.now)
        return move

    def split_meter(self, *printed: str) -> Move:
        """Split off equipment of the first meter."""
        move = self.move_all(self.begin_split(*printed))
        self.assertTrue(self.end_move(move))
        return move

    def numbers_of(self, *printed: str) -> list[int]:
        """The numbers of equipment, whatever account it fills."""
        meters = self.ask(self.store.meters.all)
        everything = [one for meter in meters for one in self.ask(self.store.meters.equipment, meter.id)]
        return [one.id for one in everything if one.printed_id in printed]

    def lengths(self, meter_id: int = FIRST) -> tuple[int, int, int]:
        """How many readings, minutes and gas values the lists of a meter have; each list is as long as it says."""
        readings, wanted = self.page(meter_id), ReadingFilter(meter_id)
        minutes = self.ask(self.store.readings.minutes, wanted, False, 0, 10_000)
        values = self.ask(self.store.readings.devices, wanted, 3, False, 0, 10_000)
        lengths = (len(readings.readings), len(minutes.minutes), len(values.readings))
        self.assertEqual((readings.count, minutes.count, values.count), lengths)
        return lengths

    def by_hour(self, meter_id: int = FIRST) -> list[tuple[int, int | None]]:
        """Electricity and gas of each closed hour."""
        return [(row.amounts.delivered_1, row.amounts.gas) for row in self.spans(SpanKind.HOUR, meter_id)]

    def test_a_swap_within_ten_minutes(self) -> None:
        """The new meter was taken for a second one; joined, it continues the account of the old one."""
        self.add(*(ours(n) for n in range(5)))
        self.add(*(theirs(n) for n in range(4, 9)))
        self.settle(200)
        self.assertEqual([meter.id for meter in self.ask(self.store.meters.all)], [FIRST, SECOND_METER])
        self.join_meters()
        [meter] = self.ask(self.store.meters.all)
        self.assertEqual((meter.equipment, meter.readings), ((METER, OTHER_METER), 10))
        self.assertEqual((meter.first_seen_at, meter.last_seen_at), (NOON, theirs(8).received_at))
        self.assertEqual(self.lengths(), (10, 10, 0))
        self.assertEqual([amount for amount, _ in self.by_hour()], [40, 27])
        self.assertEqual(self.summary().epochs, 2)

    def test_what_comes_after_a_join(self) -> None:
        """Telegrams of both ids, and those without one on either cable, go to the account that is left."""
        self.add(ours(0), theirs(0))
        self.join_meters()
        masked = heard(NOON + HOUR, origin=SECOND_CABLE, equipment_id=None)
        receipts = self.add(ours(1), theirs(1), masked)
        self.reopen()
        receipts += self.add(theirs(2), posted(NOON + 2 * HOUR))
        self.assertEqual({receipt.meter_id for receipt in receipts}, {FIRST})

    def test_the_id_of_a_joined_account_is_not_given_again(self) -> None:
        """Whoever still asks for it must not get somebody else's."""
        self.add(ours(0), theirs(0))
        self.join_meters()
        [receipt] = self.add(heard(NOON + 5 * MINUTE, equipment_id="ELECTRICITY-D"))
        self.assertEqual(receipt.meter_id, THIRD_METER)

    def test_devices_that_both_have_become_one(self) -> None:
        """Its values are those of both, equal ones once, and every reading still shows the one it came with."""
        self.add(*(ours(n, True) for n in range(5)))
        same = [evolve(theirs(n), devices=ours(n - (n == 5), True).devices) for n in range(3, 9)]
        self.add(*same)
        before = [reading.gas for reading in [*self.stored(), *self.stored(SECOND_METER)]]
        self.join_meters()
        self.assertEqual(self.lengths(), (11, 11, 8))
        self.assertCountEqual([reading.gas for reading in self.stored()], before)
        [device] = [one for one in self.ask(self.store.meters.equipment, FIRST) if one.device_type]
        self.assertEqual((device.first_seen_at, device.last_seen_at), (NOON, theirs(8).received_at))
        self.assertEqual([gas for _, gas in self.by_hour()], [4, 4])
        self.assertFalse(self.add(same[0])[0].created)

    def test_devices_without_ids_are_known_by_their_channel(self) -> None:
        """A masked gas meter on channel 1 is that of the other account's channel 1; one on channel 2 is another."""
        self.add(evolve(ours(0), devices=(gas(NOON, 1, None, 1),)))
        values = (gas(NOON, 1, None, 1), gas(NOON, 2, None, 2), water(NOON, 3, None, 1))
        self.add(evolve(theirs(0), devices=values))
        self.join_meters()
        devices = [one for one in self.ask(self.store.meters.equipment, FIRST) if one.device_type]
        self.assertEqual([(one.device_type, one.channel) for one in devices], [(3, 1), (3, 2), (7, 1)])

    def test_identical_readings_are_one(self) -> None:
        """The same meter was posted without its id by a second key, say: what both hold is there once."""
        self.add(ours(0), theirs(0))
        twin = evolve(KEY, meter_id=SECOND_METER)
        self.add(*(evolve(ours(n), origin=twin) for n in range(1, 5)))
        self.add(*(ours(n) for n in range(2, 9)))
        first = min(reading.id for reading in self.stored(SECOND_METER) if reading.reading == ours(3).reading)
        self.join_meters()
        self.assertEqual(self.lengths(), (10, 10, 0))
        self.assertIn((first, ours(3).reading), [(stored.id, stored.reading) for stored in self.stored()])
        self.assertEqual(len(self.ask(self.store.meters.equipment, FIRST)), 2)

    def test_contracts_come_along(self) -> None:
        """But for those that would hold on a day of another one."""
        self.add(ours(0), theirs(0))
        mine = contract(start=date(2024, 3, 1), end=date(2024, 5, 31))
        before = contract(meter_id=SECOND_METER, end=date(2024, 2, 29), description="before")
        over = contract(meter_id=SECOND_METER, start=date(2024, 3, 1), end=date(2024, 3, 31), description="over")
        after = contract(meter_id=SECOND_METER, start=date(2024, 6, 1), description="after")
        for one in (mine, before, over, after):
            self.ask(self.store.contracts.add, one)
        self.join_meters()
        names = [one.description for one in self.ask(self.store.contracts.all, FIRST)]
        self.assertEqual(names, ["before", "Green & Co", "after"])
        self.assertEqual(self.ask(self.store.contracts.all, SECOND_METER), [])

    def test_the_later_statistics_stay(self) -> None:
        """Those of the joined account, when it spoke last; rejected telegrams are counted together."""
        last = evolve(QUIET, tariff=1)
        self.add(ours(0), evolve(theirs(0), statistics=last))
        self.ask(self.store.meters.reject, CABLE, 1)
        self.ask(self.store.meters.reject, SECOND_CABLE, 2)
        self.join_meters()
        found = self.ask(self.store.meters.statistics, FIRST)
        self.assertEqual((found.statistics, found.rejected_telegrams), (last, 3))

    def test_the_earlier_statistics_go(self) -> None:
        """Those of the joined account, when the other one spoke after it; also when that never had rejected any."""
        self.add(ours(0), evolve(theirs(0), statistics=evolve(QUIET, tariff=1)), ours(1))
        self.join_meters()
        found = self.ask(self.store.meters.statistics, FIRST)
        self.assertEqual((found.at, found.statistics, found.rejected_telegrams), (ours(1).received_at, QUIET, 0))

    def test_a_join_that_was_broken_off(self) -> None:
        """Anywhere: what comes meanwhile goes to the right account, and begun again it is finished."""
        self.add(*(ours(n, True) for n in range(0, 900, 4)))
        self.add(*(theirs(n, True) for n in range(0, 900, 4)))
        whole = self.page().count + self.page(SECOND_METER).count
        for steps in range(1, 5):
            move = self.begin_join()
            for _ in range(steps):
                move = self.ask(self.store.meters.move, move)
            self.reopen()
            [receipt] = self.add(theirs(901 + steps, True))
            self.assertEqual(receipt.meter_id, FIRST)
            self.assertEqual(self.lengths()[0] + self.lengths(SECOND_METER)[0], whole + steps)
        self.join_meters()
        self.assertEqual(self.lengths(), (454, 454, 454))

    def test_what_comes_to_the_other_account_meanwhile(self) -> None:
        """A key that was tied to it and is still remembered: the account is not removed before that has moved, too."""
        self.add(ours(0), theirs(0, True))
        tied = evolve(KEY, meter_id=SECOND_METER)
        late = heard(NOON + HOUR, gas(NOON + HOUR, 7, OTHER_GAS_METER), water(), origin=tied, equipment_id=METER)
        for arrival in (posted(NOON + HOUR, origin=tied), late, devices_only(NOON, gas(NOON, 1), origin=tied)):
            move = self.move_all(self.begin_join())
            self.add(arrival)
            self.assertFalse(self.end_move(move))
        self.join_meters()
        self.assertEqual(self.lengths(), (4, 3, 3))
        self.assertIn(late.devices[0], [reading.gas for reading in self.stored()])

    def test_a_value_that_comes_while_its_device_has_moved(self) -> None:
        """A reading keeps the value that it came with, although that moves after it."""
        self.add(ours(0), theirs(0, True))
        move = self.begin_join()
        while not move.devices_done:
            move = self.ask(self.store.meters.move, move)
        tied = evolve(KEY, meter_id=SECOND_METER)
        value = gas(NOON + HOUR, 7, OTHER_GAS_METER)
        self.add(heard(NOON + HOUR, value, origin=tied, equipment_id=None))
        self.move_all(move)
        self.join_meters()
        self.assertEqual(self.stored()[-1].gas, value)

    def test_what_counts_nowhere_moves_too(self) -> None:
        """A reading of the last century is listed in the other account then, and marks nothing."""
        first = YEAR_2000 - 1
        past = heard(first, gas(first), received_at=NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER)
        self.add(ours(0), theirs(0), past)
        self.settle(200)
        self.move_all(self.begin_join())
        self.assertEqual((self.lengths(), self.summary().dirty_quarters), ((3, 3, 1), 2))

    def test_meters_that_can_not_be_joined(self) -> None:
        """A meter and itself, or one that is not there."""
        self.add(ours(0))
        for other in (FIRST, SECOND_METER):
            with self.assertRaises(EditRefused):
                self.ask(self.store.meters.begin_join, FIRST, other)

    def test_joined_and_split_again(self) -> None:
        """Two houses are as they were, to the watt-hour, the dm³ and the list; only the number of one is new."""
        self.add(*(ours(n, True) for n in range(9)))
        self.add(*(theirs(n, True) for n in range(9)))
        self.settle(200)
        before = [(self.by_hour(meter), self.stored(meter), self.lengths(meter)) for meter in (FIRST, SECOND_METER)]
        self.join_meters()
        self.assertEqual(self.lengths()[0], 18)
        self.assertEqual(self.split_meter(OTHER_METER, OTHER_GAS_METER).target_id, THIRD_METER)
        after = [(self.by_hour(meter), self.stored(meter), self.lengths(meter)) for meter in (FIRST, THIRD_METER)]
        self.assertEqual(after, before)
        self.assertEqual([meter.name for meter in self.ask(self.store.meters.all)], ["Meter 1", "Meter 3"])

    def test_what_comes_after_a_split(self) -> None:
        """Telegrams with that id go to its account, those without an id stay with their cable's."""
        self.add(heard(NOON), heard(NOON + HOUR, equipment_id=OTHER_METER))
        self.split_meter(OTHER_METER)
        masked = heard(NOON + DAY, equipment_id=None)
        receipts = self.add(heard(NOON + DAY, equipment_id=OTHER_METER), heard(NOON + DAY + SECOND), masked)
        self.assertEqual([receipt.meter_id for receipt in receipts], [SECOND_METER, FIRST, FIRST])

    def test_devices_stay_unless_they_are_named(self) -> None:
        """A reading shows no value of a device that fills another account than its own."""
        house = [heard(NOON + n * DAY, gas(NOON + n * DAY, n)) for n in range(3)]
        other = heard(NOON + 3 * DAY, gas(NOON + 3 * DAY, 3), equipment_id=OTHER_METER)
        self.add(*house, other)
        self.split_meter(OTHER_METER)
        self.assertEqual((self.lengths(), self.lengths(SECOND_METER)), ((3, 3, 4), (1, 1, 0)))
        self.assertEqual([reading.gas for reading in self.stored(SECOND_METER)], [None])
        self.assertEqual([reading.gas for reading in self.stored()], [arrival.devices[0] for arrival in house])
        self.ask(self.store.meters.begin_split, FIRST, self.numbers_of(GAS_METER, OTHER_METER), self.now)
        self.split_meter(GAS_METER, OTHER_METER)
        self.assertEqual((self.lengths(), self.lengths(SECOND_METER)), ((3, 3, 0), (1, 1, 4)))
        self.assertEqual([reading.gas for reading in self.stored()], [None] * 3)
        self.assertEqual([gas for _, gas in self.by_hour()], [None] * len(self.by_hour()))

    def test_the_statistics_go_with_the_meter_that_spoke_last(self) -> None:
        """The other one is said to have been heard when it was; telegrams were rejected where they were."""
        last = evolve(QUIET, tariff=1)
        self.add(heard(NOON), heard(NOON + HOUR, equipment_id=OTHER_METER, statistics=last))
        self.ask(self.store.meters.reject, KEY, 3)
        self.split_meter(OTHER_METER)
        found = [self.ask(self.store.meters.statistics, meter_id) for meter_id in (FIRST, SECOND_METER)]
        self.assertEqual([one.rejected_telegrams for one in found], [3, 0])
        self.assertEqual((found[0].at, found[1].statistics), (None, last))
        self.assertEqual((self.meter().last_seen_at, self.meter(SECOND_METER).last_seen_at), (NOON, NOON + HOUR))
        self.assertEqual(self.meter(SECOND_METER).first_seen_at, NOON + HOUR)

    def test_the_statistics_stay_with_the_meter_that_spoke_last(self) -> None:
        """Of the equipment that is split off only is known when it was heard."""
        self.add(heard(NOON, equipment_id=OTHER_METER), heard(NOON + HOUR))
        self.split_meter(OTHER_METER)
        found = [self.ask(self.store.meters.statistics, meter_id) for meter_id in (FIRST, SECOND_METER)]
        self.assertEqual([one.at for one in found], [NOON + HOUR, None])
        self.assertEqual((self.meter().last_seen_at, self.meter(SECOND_METER).last_seen_at), (NOON + HOUR, NOON))

    def test_edits_go_with_the_readings_that_they_are_about(self) -> None:
        """An epoch that was split in one account is split in the other one after a join, and after a split again."""
        self.add(*(ours(n) for n in range(9)), *(theirs(n, True) for n in range(9)))
        [gas_meter] = self.numbers_of(OTHER_GAS_METER)
        split = self.store.ledger.split_epoch
        self.ask(split, FIRST, 0, ours(4).received_at, self.now)
        self.ask(split, SECOND_METER, 0, theirs(6).received_at, self.now)
        self.ask(split, SECOND_METER, gas_meter, theirs(2).received_at, self.now)
        self.join_meters()
        self.assertEqual(len(self.ask(self.store.ledger.findings, FIRST, 1).edits), 3)
        self.split_meter(OTHER_METER, OTHER_GAS_METER)
        self.assertEqual(
            [note.at for note in self.ask(self.store.ledger.findings, FIRST, 1).edits], [ours(4).received_at]
        )
        self.assertEqual(self.by_hour(THIRD_METER), [(27, 5), (21, 8)])

    def test_a_split_that_was_broken_off(self) -> None:
        """Begun again with the same names, it goes on with the account that it had opened."""
        self.add(*(heard(NOON + n * HOUR, equipment_id=OTHER_METER) for n in range(300)))
        self.add(*(heard(NOON + n * HOUR + 30 * MINUTE) for n in range(300, 500)))
        move = self.begin_split(OTHER_METER)
        move = self.ask(self.store.meters.move, self.ask(self.store.meters.move, move))
        self.assertEqual((move.taken, move.done), (200, False))
        self.reopen()
        move = self.split_meter(OTHER_METER)
        self.assertEqual((move.target_id, move.taken), (SECOND_METER, 100))
        self.assertEqual((self.lengths(), self.lengths(SECOND_METER)), ((200, 200, 0), (300, 300, 0)))

    def test_equipment_that_can_not_be_split_off(self) -> None:
        """None at all, one that is not there, or one of another meter."""
        self.add(ours(0), theirs(0))
        for numbers in ([], [99], self.numbers_of(OTHER_METER), self.numbers_of(METER, OTHER_METER)):
            with self.assertRaises(EditRefused):
                self.ask(self.store.meters.begin_split, FIRST, numbers, self.now)
            with self.assertRaises(EditRefused):
                self.ask(self.store.meters.bulk, FIRST, numbers)
        self.assertEqual(len(self.ask(self.store.meters.all)), 2)

    def test_how_much_would_move(self) -> None:
        """All of an account, or what some of its equipment gave."""
        self.add(*(ours(n, True) for n in range(3)))
        self.add(heard(NOON + DAY, water(), equipment_id=OTHER_METER))
        bulk = self.store.meters.bulk
        self.assertEqual(self.ask(bulk, FIRST, None), Bulk(4, 4))
        self.assertEqual(self.ask(bulk, FIRST, self.numbers_of(OTHER_METER)), Bulk(1, 0))
        self.assertEqual(self.ask(bulk, FIRST, self.numbers_of(METER, GAS_METER)), Bulk(3, 3))

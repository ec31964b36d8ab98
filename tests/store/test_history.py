"""Tests of dsmr_tw.store.history: the stored readings that count, in order, one an instant."""

from __future__ import annotations

from typing import Any

from dsmr_tw.domain.ledger import NEVER, Edits
from dsmr_tw.domain.pace import Row, device, electricity
from dsmr_tw.domain.power import apart
from dsmr_tw.domain.reading import DAY, GAS, SECOND, YEAR_2000, YEAR_2020
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.store.history import ELECTRICITY, FIRST_LIST, MAX_POWER_W, SqlHistory, registers_of
from tests.arrivals import (
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    WATER,
    devices_only,
    gas,
    heard,
    water,
)
from tests.contracts.storecase import FIRST
from tests.ledgercase import LedgerCase
from tests.walking import gas_values, minute, telegrams


class HistoryCase(LedgerCase):
    """A test that reads the history of registers on the writer's connection."""

    def history(self, device_type: int = 0, *, place: int = 0, meter_id: int = FIRST, until: int = NEVER) -> SqlHistory:
        """Of the electricity, or of the first (second, …) device of a type."""
        connection = self.connection()
        found = [of for of in registers_of(connection, meter_id) if of.device_type == device_type]
        return SqlHistory(connection, found[place], until)

    def all_rows(self, history: SqlHistory) -> list[Row]:
        """All readings; those after the beginning must be those before the end, the other way round."""
        after = [row for rows in history.after(-NEVER) for row in rows]
        self.assertEqual(after, list(history.before(NEVER))[::-1])
        return after

    def seen(self, history: SqlHistory) -> list[tuple[int, int]]:
        """The minute of each reading, and its first position."""
        return [((row[0] - NOON) // MINUTE, row[3]) for row in self.all_rows(history)]


class OrderTests(HistoryCase):
    """The first rule."""

    def test_readings_come_by_their_instants(self) -> None:
        """In whatever order they were stored, and with all that the walk wants to know."""
        self.add(*telegrams("10=12 0=10 5=11"))
        self.assertEqual(self.seen(self.history()), [(0, 10), (5, 11), (10, 12)])
        values: dict[str, Any] = {"returned_1": 2, "delivered_2": 3, "returned_2": 4}
        self.add(heard(minute(20), delivered_1=1, currently_delivered=700, currently_returned=0, **values))
        self.add(heard(minute(21), delivered_1=1, currently_delivered=0, currently_returned=700, **values))
        self.add(heard(minute(22), delivered_1=1, currently_delivered=300, currently_returned=80, **values))
        [(equipment,)] = self.run_sql("SELECT id FROM equipment")
        found = self.all_rows(self.history())[3:]
        self.assertEqual(
            [(*row[:7], apart(row[7] or 0)) for row in found],
            [
                (minute(20), 4, equipment, 1, 2, 3, 4, (700, 0)),
                (minute(21), 5, equipment, 1, 2, 3, 4, (0, 700)),
                (minute(22), 6, equipment, 1, 2, 3, 4, (300, 80)),
            ],
        )

    def test_of_several_at_one_instant_the_last_stored_counts(self) -> None:
        """The others take no part, not even as outliers."""
        self.add(*telegrams("0=1 5=1"))
        self.add(*telegrams("0=9 5=8 5=3 10=4"))
        self.add(*telegrams("5=5"))
        self.assertEqual(self.seen(self.history()), [(0, 9), (5, 5), (10, 4)])

    def test_of_a_device_the_first_stored_counts(self) -> None:
        """Most telegrams repeat its value; if one said something else, what was closed would change."""
        self.add(*gas_values("0=1 60=7"))
        self.add(*gas_values("0=9 60=8 60=3 120=10"))
        self.assertEqual(self.seen(self.history(GAS)), [(0, 1), (60, 7), (120, 10)])
        row = self.all_rows(self.history(GAS))[0]
        self.assertEqual((row[2], row[4:]), (None, (0, 0, 0, None)))

    def test_before_and_after_an_instant(self) -> None:
        """The instant itself is neither."""
        self.add(*telegrams("0=1 5=2 10=3"))
        history = self.history()
        self.assertEqual([row[3] for row in history.before(minute(5))], [1])
        self.assertEqual([row[3] for row in history.before(minute(5) + 1)], [2, 1])
        self.assertEqual([[row[3] for row in rows] for rows in history.after(minute(5))], [[3]])
        self.assertEqual([[row[3] for row in rows] for rows in history.after(minute(5) - 1)], [[2, 3]])

    def test_readings_that_are_left_out_at_the_end(self) -> None:
        """Who asks how it is now does not want what is dated later."""
        self.add(*telegrams("0=1 5=2 10=3"), *gas_values("0=1 5=2 10=3"))
        for device_type in (0, GAS):
            self.assertEqual(self.seen(self.history(device_type, until=minute(5))), [(0, 1)])
            self.assertEqual(self.seen(self.history(device_type, until=minute(5) + 1)), [(0, 1), (5, 2)])
            self.assertEqual(self.history(device_type, until=minute(0)).first_at(), None)

    def test_where_it_begins(self) -> None:
        """With the first reading that counts; before it there is none."""
        self.assertIsNone(self.history().first_at())
        self.add(*telegrams("10=1 5=2"), heard(YEAR_2000 - SECOND, received_at=minute(10)))
        self.assertEqual(self.history().first_at(), minute(5))

    def test_which_quarters_hold_readings(self) -> None:
        """Their first instant is in them, their end is not."""
        self.add(*telegrams("15=1 44=2"))
        held = [at for at in range(0, 75, 15) if self.history().has(minute(at))]
        self.assertEqual(held, [15, 30])

    def test_each_has_its_own(self) -> None:
        """The readings of other meters, and of other devices, are not seen."""
        self.add(heard(minute(0), gas(minute(0), 1), water(minute(0), 2), delivered_1=3))
        self.add(devices_only(minute(1), gas(minute(1), 4, OTHER_GAS_METER), water(minute(1), 5)))
        self.add(
            heard(minute(2), gas(minute(2), 6, "GAS-C"), equipment_id=OTHER_METER, origin=SECOND_CABLE, delivered_1=7)
        )
        self.assertEqual(self.seen(self.history()), [(0, 3)])
        self.assertEqual(self.seen(self.history(GAS)), [(0, 1)])
        self.assertEqual(self.seen(self.history(GAS, place=1)), [(1, 4)])
        self.assertEqual(self.seen(self.history(WATER)), [(0, 2), (1, 5)])
        self.assertEqual(self.seen(self.history(meter_id=FIRST + 1)), [(2, 7)])
        self.assertEqual(self.seen(self.history(GAS, meter_id=FIRST + 1)), [(2, 6)])


class ListsTests(HistoryCase):
    """Readings are fetched list by list, and no instant is torn apart."""

    def test_several_readings_where_a_list_ends(self) -> None:
        """Each instant is told once, by the right reading, wherever the lists are cut."""
        for at in range(FIRST_LIST - 3, FIRST_LIST + 4):
            self.begin_anew()
            words = " ".join(f"{n}={n}" for n in range(FIRST_LIST + 10))
            self.add(*telegrams(words), *gas_values(words))
            again = " ".join(f"{at}={at}{number}" for number in range(1, 4))
            self.add(*telegrams(again), *gas_values(again))
            expected = [(n, n) for n in range(FIRST_LIST + 10)]
            self.assertEqual(self.seen(self.history(GAS)), expected, at)
            expected[at] = (at, int(f"{at}3"))
            self.assertEqual(self.seen(self.history()), expected, at)

    def test_more_readings_at_one_instant_than_a_list_holds(self) -> None:
        """A list is never empty; the right one of them is found all the same."""
        many = " ".join(f"5={n}" for n in range(1, FIRST_LIST * 4))
        self.add(*telegrams(f"0=1 {many} 10=9"), *gas_values(f"0=1 {many} 10=9"))
        for history, position in ((self.history(), FIRST_LIST * 4 - 1), (self.history(GAS), 1)):
            self.assertEqual(self.seen(history), [(0, 1), (5, position), (10, 9)])
            self.assertNotIn([], list(history.after(-NEVER)))

    def test_lists_grow(self) -> None:
        """Most walks are short, and a rebuild is long."""
        self.add(*(heard(NOON + n * SECOND) for n in range(2_000)))
        lengths = [len(rows) for rows in self.history().after(-NEVER)]
        self.assertEqual(lengths, [FIRST_LIST - 1, FIRST_LIST * 2, FIRST_LIST * 4, 2_001 - FIRST_LIST * 7])

    def test_without_readings_there_is_no_list(self) -> None:
        """Nor a reading before."""
        self.assertEqual((list(self.history().after(-NEVER)), list(self.history().before(NEVER))), ([], []))


class CountsTests(HistoryCase):
    """What does not count is left out, both ways."""

    def test_before_the_year_2000(self) -> None:
        """A clock that was never set is no time."""
        for at in (YEAR_2000 - SECOND, YEAR_2000 - 1, YEAR_2000, -DAY):
            self.add(heard(at, gas(at, 5), received_at=NOON))
        for history in (self.history(), self.history(GAS)):
            self.assertEqual([row[0] for row in self.all_rows(history)], [YEAR_2000])
            self.assertEqual(history.first_at(), YEAR_2000)

    def test_a_day_ahead_of_its_arrival(self) -> None:
        """Not a second more; of another reading at that instant, that came in time, it takes no place."""
        for after, value in ((DAY, 1), (DAY + SECOND, 2), (DAY + SECOND + 1, 3)):
            self.add(heard(NOON + after, gas(NOON + after, value), received_at=NOON))
        for history in (self.history(), self.history(GAS)):
            self.assertEqual([row[0] for row in self.all_rows(history)], [NOON + DAY])
        at = NOON + DAY + SECOND
        self.add(heard(at, gas(at, 4), received_at=at))
        self.add(heard(at, gas(at, 5), received_at=NOON, delivered_1=7))
        self.assertEqual([row[3] for row in self.all_rows(self.history(GAS))], [1, 4])
        self.assertEqual([row[3] for row in self.all_rows(self.history())], [1_000_000, 1_000_000])

    def test_a_server_that_had_not_been_told_the_time(self) -> None:
        """What arrived before 2020 by its clock counts, however far it seems to be ahead."""
        for received_at in (YEAR_2020 - SECOND, YEAR_2020):
            at = received_at + 1_000 * DAY
            self.add(heard(at, gas(at, 1), received_at=received_at))
        for history in (self.history(), self.history(GAS)):
            self.assertEqual([row[0] for row in self.all_rows(history)], [YEAR_2020 - SECOND + 1_000 * DAY])

    def test_a_quarter_of_which_nothing_counts(self) -> None:
        """It holds no reading."""
        at = NOON + 2 * DAY
        self.add(heard(at, gas(at), received_at=NOON))
        for history in (self.history(), self.history(GAS)):
            self.assertFalse(history.has(at - at % QUARTER))
            self.assertIsNone(history.first_at())


class RegistersTests(HistoryCase):
    """Which registers a meter has."""

    def test_a_meter_that_was_never_heard(self) -> None:
        """It has its electricity."""
        [only] = registers_of(self.connection(), FIRST)
        self.assertEqual((only.equipment_id, only.device_type, only.edits), (ELECTRICITY, 0, Edits()))
        self.assertEqual((only.pace, only.is_electricity), (electricity(MAX_POWER_W), True))

    def test_its_devices(self) -> None:
        """Each with its own pace; however often the electricity meter was swapped, its registers are one set."""
        self.add(heard(minute(0), gas(minute(0)), water(minute(0))))
        self.add(heard(minute(60), gas(minute(60), 1, OTHER_GAS_METER), equipment_id=OTHER_METER))
        electric, *devices = registers_of(self.connection(), FIRST)
        self.assertTrue(electric.is_electricity)
        self.assertEqual([of.device_type for of in devices], [GAS, WATER, GAS])
        self.assertEqual([of.is_electricity for of in devices], [False] * 3)
        self.assertEqual([of.pace for of in devices], [device(of.device_type, MAX_POWER_W) for of in devices])
        self.assertEqual(
            [(of.equipment_id,) for of in devices],
            self.run_sql("SELECT id FROM equipment WHERE device_type <> 0 ORDER BY id"),
        )

    def test_the_power_of_the_connection(self) -> None:
        """It is what the operator said last."""
        self.add(heard(minute(0), gas(minute(0))))
        self.ask(self.store.ledger.configure, 17_250)
        electric, gas_meter = registers_of(self.connection(), FIRST)
        self.assertEqual((electric.pace, gas_meter.pace), (electricity(17_250), device(GAS, 17_250)))

    def test_what_a_person_decided(self) -> None:
        """Splits come in order; each belongs to one set of registers of one meter, and joins of meters are not here."""
        self.add(heard(minute(0), gas(minute(0))))
        [(gas_meter,)] = self.run_sql("SELECT id FROM equipment WHERE device_type = 3")
        for number, (meter_id, kind, equipment_id, instant) in enumerate(
            (
                (FIRST, "split epochs", 0, 300),
                (FIRST, "split epochs", 0, 100),
                (FIRST, "join epochs", 0, 200),
                (FIRST, "join epochs", gas_meter, 150),
                (FIRST, "join meters", 0, 7),
                (FIRST + 1, "split epochs", 0, 8),
            )
        ):
            self.run_sql(
                f"INSERT INTO ledger_edit VALUES ({number}, {meter_id}, '{kind}', {equipment_id}, NULL, {instant}, 0)"
            )
        electric, of_gas = registers_of(self.connection(), FIRST)
        self.assertEqual(electric.edits, Edits((100, 300), frozenset([200])))
        self.assertEqual(of_gas.edits, Edits((), frozenset([150])))

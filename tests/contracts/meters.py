"""What a store holds about meters and about API keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from dsmr_tw.domain.reading import DAY, HOUR, SECOND, MeterStatistics
from dsmr_tw.errors import MeterRefused, StoreError
from dsmr_tw.stored import Meter, StoredStatistics
from tests.arrivals import (
    CABLE,
    METER,
    MINUTE,
    NOON,
    OTHER_METER,
    QUIET,
    SECOND_CABLE,
    devices_only,
    heard,
    posted,
    water,
)
from tests.contracts.storecase import FIRST, StoreCase

ZONE = "Europe/Amsterdam"
DIGEST = bytes(range(32))


class MetersContract(StoreCase):
    """The list of meters, and what they say about themselves."""

    def statistics(self, meter_id: int = FIRST) -> StoredStatistics:
        """What the meter last said."""
        statistics: StoredStatistics = self.ask(self.store.meters.statistics, meter_id)
        return statistics

    def test_there_is_always_one_meter(self) -> None:
        """A new store has the meter that its first telegram will be of."""
        [meter] = self.ask(self.store.meters.all)
        self.assertEqual(meter, Meter(FIRST, meter.name, ZONE, (), None, None, 0))
        self.reopen()
        self.assertEqual(self.ask(self.store.meters.all), [meter])

    def test_a_meter_tells_what_was_heard_of_it(self) -> None:
        """Its equipment, when it was first and last heard, and how many readings it has."""
        self.add(heard(NOON, received_at=NOON + 2))
        self.add(heard(NOON + DAY, received_at=NOON + DAY + 3, equipment_id=OTHER_METER))
        self.add(posted(NOON - DAY, received_at=NOON + DAY + 4), posted(NOON - DAY, received_at=NOON + DAY + 5))
        self.assertEqual(
            self.meter(), Meter(FIRST, self.meter().name, ZONE, (METER, OTHER_METER), NOON + 2, NOON + DAY + 5, 3)
        )

    def test_meters_have_names_of_their_own(self) -> None:
        """Two meters can be told apart by name, the first one first."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        first, second = self.ask(self.store.meters.all)
        self.assertEqual((first.id, first.equipment, second.equipment), (FIRST, (METER,), (OTHER_METER,)))
        self.assertNotEqual(first.name, second.name)

    def test_devices_are_not_among_a_meters_equipment(self) -> None:
        """The list names electricity meters; a water meter is heard of, though."""
        self.add(devices_only(NOON, water()))
        self.assertEqual((self.meter().equipment, self.meter().last_seen_at), ((), NOON))

    def test_last_seen_never_goes_back(self) -> None:
        """A telegram that lay in a queue does not make the meter look silent, also beside a fresh v2 POST."""
        self.add(heard(NOON))
        self.add(heard(NOON - HOUR))
        self.assertEqual(self.meter().last_seen_at, NOON)
        self.add(posted(NOON + MINUTE), heard(NOON - MINUTE))
        self.assertEqual(self.meter().last_seen_at, NOON + MINUTE)

    def test_a_meter_that_never_spoke_has_empty_statistics(self) -> None:
        """Nothing is known, and nothing was rejected."""
        self.assertEqual(self.statistics(), StoredStatistics(FIRST, None, MeterStatistics(), 0, None))

    def test_statistics_are_those_of_the_last_telegram(self) -> None:
        """Version, tariff, failures, sags and swells, with the telegram's text, byte for byte."""
        text = "/TST5\\a quiet house\r\n\r\n0-1:24.2.1(240402120000S)(00500.000*m\xb3)\r\n!0000"
        self.add(heard(NOON, received_at=NOON + 9, telegram=text))
        self.assertEqual(self.statistics(), StoredStatistics(FIRST, NOON, QUIET, 0, text))

    def test_a_telegram_with_nul(self) -> None:
        """It is stored as any other; in its text, which not every database could hold, a picture stands for NUL."""
        odd = heard(NOON, telegram="/TST5\\a\0 house\r\n\r\n!0000", statistics=evolve(QUIET, dsmr_version="5\0"))
        self.assertTrue(self.add(odd)[0].created)
        self.assertEqual(
            self.statistics(),
            StoredStatistics(FIRST, NOON, evolve(QUIET, dsmr_version="5␀"), 0, "/TST5\\a␀ house\r\n\r\n!0000"),
        )

    def test_the_telegram_received_last_wins(self) -> None:
        """In whatever order telegrams are stored, the statistics are those of the one that came last."""
        late = evolve(QUIET, tariff=1)
        self.add(heard(NOON - DAY, received_at=NOON + 2, statistics=late, telegram="late"), heard(NOON))
        self.add(heard(NOON + 1, received_at=NOON + 1))
        self.assertEqual(self.statistics(), StoredStatistics(FIRST, NOON - DAY, late, 0, "late"))

    def test_of_telegrams_received_together_the_last_one_wins(self) -> None:
        """Telegrams of one body arrive in one moment; their order decides."""
        self.add(heard(NOON, telegram="first"), heard(NOON + SECOND, received_at=NOON, telegram="second"))
        self.assertEqual(self.statistics().latest_telegram, "second")
        self.add(heard(NOON + MINUTE, received_at=NOON, telegram="third"))
        self.assertEqual(self.statistics().latest_telegram, "third")

    def test_a_clock_set_back_does_not_stop_the_statistics(self) -> None:
        """A server whose clock was a year ahead shows today's telegram after it was set right."""
        self.add(heard(NOON, received_at=NOON + 365 * DAY, telegram="wrong clock"))
        self.now = 0
        self.add(heard(NOON + SECOND, telegram="right clock"))
        self.assertEqual(self.statistics().latest_telegram, "right clock")

    def test_a_post_leaves_the_statistics_alone(self) -> None:
        """A v2 POST says nothing about the meter itself."""
        self.add(heard(NOON))
        before = self.statistics()
        self.add(posted(NOON + SECOND))
        self.assertEqual(self.statistics(), before)

    def test_the_statistics_of_a_telegram_of_devices_are_dated_by_its_arrival(self) -> None:
        """A telegram without electricity has no instant of its own."""
        self.add(devices_only(NOON, water()))
        self.assertEqual((self.statistics().at, self.statistics().statistics), (NOON, QUIET))

    def test_rejected_telegrams_are_counted_for_their_meter(self) -> None:
        """The count is that of the cable's meter, and outlives telegrams and restarts."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.ask(self.store.meters.reject, SECOND_CABLE, 2)
        self.ask(self.store.meters.reject, SECOND_CABLE, 1)
        self.ask(self.store.meters.reject, evolve(SECOND_CABLE, meter_id=FIRST), 5)
        self.add(heard(NOON + SECOND, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        self.reopen()
        self.assertEqual((self.statistics().rejected_telegrams, self.statistics(FIRST + 1).rejected_telegrams), (5, 3))

    def test_a_telegram_rejected_before_the_first_good_one_counts(self) -> None:
        """A cable of which nothing is known yet counts for the first meter."""
        self.ask(self.store.meters.reject, CABLE, 1)
        self.add(heard(NOON))
        self.assertEqual(self.statistics().rejected_telegrams, 1)
        self.assertEqual(self.statistics().statistics, QUIET)

    def test_statistics_can_be_changed_field_by_field(self) -> None:
        """A client that reads the meter itself may set what it knows; the rest stays, until the next telegram."""
        self.add(heard(NOON))
        changed = self.ask(
            self.store.meters.change_statistics, FIRST, {"tariff": 1, "voltage_sags_l3": 7, "rejected_telegrams": 40}
        )
        self.assertEqual(changed.statistics, evolve(QUIET, tariff=1, voltage_sags=(1, 0, 7)))
        self.assertEqual((changed.rejected_telegrams, changed.at), (40, NOON))
        self.assertEqual(self.statistics(), changed)
        self.add(heard(NOON + SECOND))
        self.assertEqual(self.statistics().statistics, QUIET)
        self.assertEqual(self.statistics().rejected_telegrams, 40)

    def test_every_field_can_be_changed_before_the_first_telegram(self) -> None:
        """A meter known by v2 posts alone has statistics, too, if somebody sets them."""
        changes = {
            "at": NOON,
            "dsmr_version": "42",
            "tariff": 1,
            "power_failures": 2,
            "long_power_failures": 3,
            **{f"voltage_sags_l{phase}": 3 + phase for phase in (1, 2, 3)},
            **{f"voltage_swells_l{phase}": 6 + phase for phase in (1, 2, 3)},
            "rejected_telegrams": 10,
            "latest_telegram": "/TST\r\n!",
        }
        self.assertEqual(
            self.ask(self.store.meters.change_statistics, FIRST, changes),
            StoredStatistics(FIRST, NOON, MeterStatistics("42", 1, 2, 3, (4, 5, 6), (7, 8, 9)), 10, "/TST\r\n!"),
        )

    def test_what_is_known_of_meters_survives_a_restart(self) -> None:
        """Meters and statistics are there after closing and opening."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        before = (self.ask(self.store.meters.all), self.statistics(), self.statistics(FIRST + 1))
        self.reopen()
        self.assertEqual((self.ask(self.store.meters.all), self.statistics(), self.statistics(FIRST + 1)), before)


class NamesContract(StoreCase):
    """Meters that a person opens and names."""

    def names(self) -> dict[int, str]:
        """The meters, by id."""
        return {meter.id: meter.name for meter in self.ask(self.store.meters.all)}

    def assert_name_refused(self, why: str, function: Callable[..., Deferred[Meter]], *args: Any) -> None:
        """A sentence says why, and nothing has changed."""
        before = self.ask(self.store.meters.all)
        with self.assertRaises(MeterRefused) as caught:
            self.ask(function, *args)
        self.assertIn(why, str(caught.exception))
        self.assertEqual(self.ask(self.store.meters.all), before)

    def test_a_meter_is_added(self) -> None:
        """It is there, also after a restart, empty, with the name and the zone that were asked for."""
        added = self.ask(self.store.meters.add, "Cellar", "Europe/Brussels")
        self.assertEqual(added, Meter(FIRST + 1, "Cellar", "Europe/Brussels"))
        self.reopen()
        self.assertEqual(self.meter(added.id), added)
        self.assertEqual([*self.names()], [FIRST, added.id])

    def test_what_is_tied_to_it_fills_it(self) -> None:
        """As soon as it is added, also when the store has taken readings before; none of them move."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE))
        added = self.ask(self.store.meters.add, "Cellar", ZONE)
        tied = evolve(SECOND_CABLE, meter_id=added.id)
        self.add(heard(NOON + SECOND, origin=tied), heard(NOON + MINUTE, origin=tied, equipment_id=None))
        self.assertEqual((self.meter().readings, self.meter(added.id).readings), (1, 2))
        self.assertEqual(self.meter(added.id).equipment, (METER,))

    def test_added_by_another_program(self) -> None:
        """A meter that a command adds beside a running server can be filled at once, and is never opened twice."""
        self.add(heard(NOON))
        beside = self.make_store()
        self.ask(beside.open)
        try:
            added = self.ask(beside.meters.add, "Cellar", ZONE)
        finally:
            self.ask(beside.close)
        self.add(heard(NOON + SECOND, origin=evolve(SECOND_CABLE, meter_id=added.id)))
        self.assertEqual(self.meter(added.id).readings, 1)
        self.add(heard(NOON + SECOND, equipment_id=OTHER_METER))
        self.assertEqual(self.names(), {FIRST: "Meter 1", added.id: "Cellar", added.id + 1: f"Meter {added.id + 1}"})

    def test_a_meter_is_renamed(self) -> None:
        """Everything else about it stays."""
        self.add(heard(NOON))
        before = self.meter()
        renamed = self.ask(self.store.meters.rename, FIRST, "House")
        self.assertEqual(renamed, evolve(before, name="House"))
        self.reopen()
        self.assertEqual(self.meter(), renamed)
        self.assertEqual(self.ask(self.store.meters.rename, FIRST, "House"), renamed)
        self.assertEqual(self.ask(self.store.meters.rename, FIRST, before.name), before)

    def test_a_meter_that_is_not_there(self) -> None:
        """It can't be renamed, which is said."""
        self.assert_name_refused(f"no meter {FIRST + 1}.", self.store.meters.rename, FIRST + 1, "Cellar")

    def test_names_that_others_have(self) -> None:
        """A name, and the name that a meter yet to come will be given, stands for one meter."""
        self.ask(self.store.meters.rename, FIRST, "House")
        added = self.ask(self.store.meters.add, "Cellar", ZONE)
        why = f"Meter {FIRST} is called 'House' already"
        self.assert_name_refused(why, self.store.meters.add, "House", ZONE)
        self.assert_name_refused(why, self.store.meters.rename, added.id, "House")
        self.assert_name_refused("that is for", self.store.meters.rename, FIRST, f"Meter {added.id + 1}")
        self.ask(self.store.meters.rename, FIRST, "Home")
        self.assertEqual(self.names(), {FIRST: "Home", added.id: "Cellar"})

    def test_names_that_can_not_be(self) -> None:
        """A name that looks like an id, for one, is neither given to a new meter nor to an old one."""
        for name in ("", "7", "x" * 65, "Cel\nlar"):
            self.assert_name_refused("A meter", self.store.meters.add, name, ZONE)
            self.assert_name_refused("A meter", self.store.meters.rename, FIRST, name)

    def test_a_zone_that_is_not_there(self) -> None:
        """A meter hangs somewhere on earth."""
        self.assert_name_refused("no time zone 'Mars/Base'", self.store.meters.add, "Cellar", "Mars/Base")

    def test_the_id_of_a_meter_that_was_joined(self) -> None:
        """It is not given to the next one: clients may still ask for it."""
        joined = self.ask(self.store.meters.add, "Cellar", ZONE)
        move = self.ask(self.store.meters.begin_join, FIRST, joined.id)
        while not move.done:
            move = self.ask(self.store.meters.move, move)
        self.assertTrue(self.ask(self.store.meters.end_move, move, NOON))
        self.assertEqual(self.ask(self.store.meters.add, "Cellar", ZONE).id, joined.id + 1)


class KeysContract(StoreCase):
    """API keys."""

    def test_a_key_is_there_until_it_is_removed(self) -> None:
        """What was added is listed, also after a restart, and a removed key is gone."""
        key = self.ask(self.store.keys.add, "phone", "read", DIGEST, "wxyz", NOON)
        other = self.ask(self.store.keys.add, "phone", "admin", DIGEST[::-1], "", NOON + 1)
        self.assertEqual(
            (key.name, key.scope, key.digest, key.hint, key.meter_id, key.created_at),
            ("phone", "read", DIGEST, "wxyz", None, NOON),
        )
        self.reopen()
        self.assertEqual(self.ask(self.store.keys.all), [key, other])
        self.assertTrue(self.ask(self.store.keys.remove, key.id))
        self.assertEqual(self.ask(self.store.keys.all), [other])

    def test_a_key_that_is_there_is_not_added_again(self) -> None:
        """The same key under another name would be revoked by half."""
        key = self.ask(self.store.keys.add, "phone", "read", DIGEST, "", NOON)
        with self.assertRaises(StoreError):
            self.ask(self.store.keys.add, "tablet", "write", DIGEST, "", NOON)
        self.assertEqual(self.ask(self.store.keys.all), [key])

    def test_a_key_for_one_meter(self) -> None:
        """Which one is kept with it; a meter that is not there has no keys."""
        key = self.ask(self.store.keys.add, "phone", "read", DIGEST, "", NOON, FIRST)
        with self.assertRaises(MeterRefused):
            self.ask(self.store.keys.add, "tablet", "read", DIGEST[::-1], "", NOON, FIRST + 1)
        self.assertEqual((key.meter_id, self.ask(self.store.keys.all)), (FIRST, [key]))

    def test_a_key_that_is_not_there_cannot_be_removed(self) -> None:
        """Who removes a key twice is told."""
        self.assertFalse(self.ask(self.store.keys.remove, 1))

    def test_an_id_is_not_given_to_another_key(self) -> None:
        """The origin of a reading names the key's id, so that of a revoked key must stay its own."""
        key = self.ask(self.store.keys.add, "phone", "read", DIGEST, "", NOON)
        self.ask(self.store.keys.remove, key.id)
        self.assertNotEqual(self.ask(self.store.keys.add, "tablet", "read", DIGEST, "", NOON).id, key.id)

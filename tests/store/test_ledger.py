"""Tests of dsmr_tw.store.ledger: what is marked is computed, whatever is marked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.reading import HOUR, YEAR_2020
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.store.connection import Runner
from dsmr_tw.store.marks import AT_ONCE
from dsmr_tw.store.pieces import (
    claim,
    compute,
    write,
)
from tests.arrivals import MINUTE, NOON, OTHER_METER, SECOND_CABLE, heard
from tests.contracts.storecase import FIRST
from tests.ledgercase import LedgerCase
from tests.walking import gas_values, minute, steady, telegrams

LATER = 1_000_000
"""Minutes after noon when everything is over."""


@define
class Meanwhile:
    """A runner that does work at once, and lets something else happen behind it."""

    _work: int = 0
    """So many pieces of work are done before that happens."""
    _action: Callable[[], object] | None = None

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """See ``dsmr_tw.store.sqlite_database.Runner``."""
        answer = maybeDeferred(function, *args)
        action = self._action
        if action is not None:
            self._work -= 1
            if self._work == 0:
                self._action = None
                action()
        return answer

    def after(self, work: int, action: Callable[[], object]) -> None:
        """Let something happen once so much more work is done."""
        self._work, self._action = work, action


class MarksCase(LedgerCase):
    """A test in which somebody else is at work, too."""

    def setUp(self) -> None:
        """Both runners can be made to let something happen."""
        self.reading, self.writing = Meanwhile(), Meanwhile()
        super().setUp()

    def runners(self) -> tuple[Runner, Runner]:
        """See ``LedgerCase``."""
        return self.writing, self.reading

    def settle(self, now: int = LATER) -> None:
        """Compute what is marked, and let the rows appear that are due."""
        self.tick(minute(now))

    def recompute(self, now: int = LATER) -> bool:
        """Compute one piece; whether more of it waits."""
        return self.ask(self.store.ledger.recompute, FIRST, minute(now))

    def rebuild(self, start: int = -NEVER, end: int = NEVER) -> list[int]:
        """Compute a time anew; what was told of how far it was."""
        told: list[int] = []
        self.ask(self.store.ledger.rebuild, FIRST, start, end, minute(LATER), told.append)
        return told

    def marks(self) -> list[int]:
        """The marked quarters of the first meter, by their minutes."""
        rows = self.run_sql(f"SELECT DISTINCT instant FROM dirty_quarter WHERE meter_id = {FIRST} ORDER BY instant")
        return [(instant - NOON) // MINUTE for (instant,) in rows]

    def amounts(self, table: str = "hour_statistics") -> list[int]:
        """What the register took in each row."""
        return [amount for (amount,) in self.run_sql(f"SELECT delivered_1 FROM {table} ORDER BY meter_id, instant")]

    def count(self, table: str) -> int:
        """How many rows there are."""
        [(rows,)] = self.run_sql(f"SELECT count(*) FROM {table}")
        return int(rows)

    def assert_as_if_computed_anew(self) -> None:
        """All that is derived is what a rebuild of everything derives."""
        rows = self.rows()
        self.assertEqual(rows, self.rebuilt(minute(LATER)))


class ClaimTests(MarksCase):
    """The marks of a piece are claimed before it is computed, and go when it is written."""

    def test_marks_come_with_readings(self) -> None:
        """One for each quarter, of readings and of devices' values alike."""
        self.add(*telegrams("0=0 14=1 15=2"), *gas_values("-50=0 3=1"))
        self.assertEqual(self.marks(), [-60, 0, 15])

    def test_they_are_claimed_and_they_go(self) -> None:
        """In between they are still there, should the power fail."""
        self.add(*telegrams("0=0 20=20"))
        seen = []
        self.writing.after(1, lambda: seen.append(self.marks()))
        self.assertFalse(self.recompute())
        self.assertEqual((seen, self.marks()), ([[0, 15]], []))
        self.assertFalse(self.recompute())

    def test_a_mark_that_is_made_while_a_piece_is_computed_stays(self) -> None:
        """Whichever quarter it is of: what was computed does not know of its reading."""
        for late in ("5=7", "20=22", "40=45", "-10=-4", "130=125"):
            self.begin_anew()
            self.add(*telegrams("0=0 20=20 60=60 120=120"))
            self.reading.after(1, partial(self.add, *telegrams(late)))
            self.recompute()
            at = int(late.partition("=")[0])
            self.assertEqual(self.marks(), [at - at % 15])
            self.settle()
            self.assertEqual(self.marks(), [])
            self.assert_as_if_computed_anew()

    def test_a_mark_made_between_the_transactions_stays(self) -> None:
        """Step by step: claim, compute, and only then write."""
        self.add(*telegrams("0=0 20=20 60=60"))
        database = self.store.database
        job = self.ask(database.write, claim, FIRST)
        assert job is not None
        parts = self.ask(database.read, compute, job)
        self.add(*telegrams("25=40"))
        assert parts is not None and job.version is not None
        self.assertTrue(
            self.ask(database.write, write, FIRST, job.version, parts, job.settled, job.done, minute(LATER))
        )
        self.assertEqual((self.marks(), self.amounts("quarter")), ([15], [15, 15, 15, 15, 0]))
        self.settle()
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [15, 27, 9, 9, 0]))

    def test_a_mark_that_somebody_else_noted_meanwhile_stays(self) -> None:
        """A second program noted it after the first had read, and died: the first deletes only what it noted itself."""
        self.add(*telegrams("0=0 20=20 60=60"))
        database = self.store.database
        job = self.ask(database.write, claim, FIRST)
        assert job is not None
        parts = self.ask(database.read, compute, job)
        self.add(*telegrams("25=40"))
        self.ask(database.write, claim, FIRST)
        assert parts is not None and job.version is not None
        self.assertTrue(
            self.ask(database.write, write, FIRST, job.version, parts, job.settled, job.done, minute(LATER))
        )
        self.settle()
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [15, 27, 9, 9, 0]))

    def test_a_late_reading_keeps_an_hour_from_appearing(self) -> None:
        """Although the piece that is being written settles another mark in the same quarter."""
        self.add(*telegrams("0=0 190=190"))
        self.settle(60)
        self.add(*telegrams("65=67"))
        self.ask(self.store.ledger.close, FIRST, minute(LATER))
        self.assertEqual(self.amounts(), [60, 60])
        self.reading.after(1, partial(self.add, *telegrams("70=80")))
        self.recompute()
        self.assertEqual(self.amounts(), [61, 59])
        self.settle()
        self.assertEqual(self.amounts(), [61, 64, 55])

    def test_a_late_reading_leaves_an_hour_that_is_there(self) -> None:
        """It follows what is computed of it, and follows again when the other mark is settled."""
        self.add(*telegrams("0=0 190=190"))
        self.settle()
        self.add(*telegrams("65=67"))
        self.reading.after(1, partial(self.add, *telegrams("110=130")))
        self.recompute()
        self.assertEqual((self.marks(), self.amounts()), ([105], [61, 60, 59]))
        self.settle()
        self.assertEqual((self.marks(), self.amounts()), ([], [61, 76, 45]))

    def test_marks_that_are_far_apart_are_settled_one_after_the_other(self) -> None:
        """The first piece leaves the second mark claimed, and says that there is more."""
        self.add(*telegrams(steady(0, 1_000)))
        self.settle()
        self.add(*telegrams("100:30=100 900:30=900"))
        self.assertTrue(self.recompute())
        self.assertEqual(self.marks(), [900])
        self.assertFalse(self.recompute())
        self.assertEqual(self.marks(), [])

    def test_many_marks_are_claimed_bit_by_bit(self) -> None:
        """The oldest first; no claim is a long transaction."""
        quarters = AT_ONCE + 100
        self.add(*telegrams(steady(0, quarters * 15, step=15)))
        self.assertEqual(len(self.marks()), quarters)
        self.assertTrue(self.recompute())
        self.assertEqual(self.marks()[0], AT_ONCE * 15)
        self.settle()
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [*[15] * (quarters - 1), 0]))

    def test_marks_left_by_a_process_that_died_are_taken_up(self) -> None:
        """They were claimed, and nobody else will compute them."""
        self.add(*telegrams("0=0 20=20"))
        self.ask(self.store.database.write, claim, FIRST)
        self.reopen()
        self.add(*telegrams("5=5"))
        self.assertEqual(self.marks(), [0, 15])
        self.settle()
        self.assertEqual((self.marks(), self.amounts("quarter")), ([], [15, 5]))


class NumberTests(MarksCase):
    """SQLite keeps one mark a quarter, and numbers the marks that somebody noted."""

    sqlite_only = True

    def numbers(self) -> list[tuple[int, int]]:
        """The minute of each mark, and its number."""
        rows = self.run_sql("SELECT instant, number FROM dirty_quarter ORDER BY instant, number")
        return [((instant - NOON) // MINUTE, number) for instant, number in rows]

    def test_a_new_mark_has_none(self) -> None:
        """However many commits made it."""
        self.add(*telegrams("0=0"))
        self.add(*telegrams("1=1 20=20"))
        self.assertEqual(self.numbers(), [(0, 0), (15, 0)])

    def test_what_was_noted_has_one(self) -> None:
        """A mark made afterwards stands beside it, until both are noted as one."""
        self.add(*telegrams("0=0 20=20"))
        self.ask(self.store.database.write, claim, FIRST)
        self.assertEqual(self.numbers(), [(0, 1), (15, 1)])
        self.add(*telegrams("5=5"))
        self.assertEqual(self.numbers(), [(0, 0), (0, 1), (15, 1)])
        self.ask(self.store.database.write, claim, FIRST)
        self.assertEqual(self.numbers(), [(0, 2), (15, 2)])


class DirtyTests(MarksCase):
    """Which meters there is something to do for."""

    def dirty(self, now: int = LATER) -> list[int]:
        """Their ids, at a minute after noon."""
        return self.ask(self.store.ledger.dirty, minute(now))

    def test_after_a_start_each_meter_is_looked_at(self) -> None:
        """The clock may have let rows appear while nobody was there; a look at it settles that."""
        self.add(*telegrams("0=0 125=125"))
        self.settle(59)
        self.assertEqual(self.dirty(59), [])
        self.reopen()
        self.assertEqual((self.dirty(59), self.dirty(59)), ([FIRST], [FIRST]))
        self.ask(self.store.ledger.close, FIRST, minute(59))
        self.assertEqual(self.dirty(59), [])
        self.reopen()
        self.settle(LATER)
        self.assertEqual(self.amounts(), [60, 60])

    def test_a_meter_with_marks(self) -> None:
        """Whether they are claimed already or not."""
        self.settle()
        self.add(*telegrams("0=0"))
        self.assertEqual(self.dirty(), [FIRST])
        self.ask(self.store.database.write, claim, FIRST)
        self.assertEqual(self.dirty(), [FIRST])

    def test_a_meter_is_named_once(self) -> None:
        """When something is marked for it, and the clock lets a row appear."""
        self.settle(0)
        self.add(*telegrams("0=0 125=125"))
        self.settle(59)
        self.add(*telegrams("5=5"))
        self.assertEqual(self.dirty(60), [FIRST])

    def test_what_was_computed_waits_to_be_closed(self) -> None:
        """Should the service be stopped in between, the next tick closes it."""
        self.settle(0)
        self.add(*telegrams("0=0 60=60"))
        self.recompute()
        self.assertEqual((self.marks(), self.amounts(), self.dirty()), ([], [], [FIRST]))
        self.settle()
        self.assertEqual((self.amounts(), self.dirty()), ([60], []))

    def test_each_meter_waits_for_its_own_row(self) -> None:
        """Here the second one's next hour ends later."""
        self.settle(0)
        self.add(*telegrams("0=0A"))
        self.add(heard(minute(1), equipment_id=OTHER_METER, origin=SECOND_CABLE))
        self.add(*telegrams("65=65A"), heard(minute(125), equipment_id=OTHER_METER, origin=SECOND_CABLE))
        self.settle(0)
        self.assertEqual(self.dirty(59), [])
        self.assertEqual(self.dirty(60), [FIRST, FIRST + 1])
        self.settle(60)
        self.assertEqual(self.dirty(119), [])
        self.assertEqual(self.dirty(120), [FIRST + 1])

    def test_a_clock_that_was_not_set_is_no_reason(self) -> None:
        """Nothing is closed by it, and nothing is due until it is set."""
        self.add(*telegrams("0=0 125=125"))
        self.tick(YEAR_2020 - 1)
        self.assertEqual((self.amounts(), self.ask(self.store.ledger.dirty, YEAR_2020 - 1)), ([], []))
        self.assertEqual(self.dirty(), [FIRST])

    def test_what_is_closed_before_anybody_asked(self) -> None:
        """An admin command closes rows without asking what is dirty; the first question is answered all the same."""
        self.add(*telegrams("0=0 125=125"))
        self.rebuild()
        self.assertEqual(self.dirty(), [FIRST])

    def test_what_another_program_computed(self) -> None:
        """Where a command settles the marks before an hour is over, the service closes it when it is, without any."""
        self.settle(0)
        self.add(*telegrams("0=0 65=65"))
        with self.beside():
            self.settle(59)
        self.assertEqual((self.marks(), self.amounts(), self.dirty(60)), ([], [], [FIRST]))
        self.settle(60)
        self.assertEqual((self.amounts(), self.dirty(60)), ([60], []))

    def test_a_meter_that_is_not_there_any_more(self) -> None:
        """Nothing of it is computed or closed."""
        for _ in range(2):
            self.assertFalse(self.ask(self.store.ledger.close, 99, minute(LATER)))
            self.assertFalse(self.ask(self.store.ledger.recompute, 99, minute(LATER)))
            self.dirty()


class ConfigureTests(MarksCase):
    """How much power the connection carries."""

    def test_a_new_power_marks_everything(self) -> None:
        """All quarters of hours with readings, and those of devices' values; what counts nowhere is not marked."""
        self.add(*telegrams("5=0 100=60"), *gas_values("-100=0 -40=6"), heard(-5 * HOUR, received_at=NOON))
        self.settle()
        self.ask(self.store.ledger.configure, 17_250)
        self.assertEqual(self.marks(), [-105, -45, 0, 15, 30, 45, 60, 75, 90, 105])
        self.settle()
        self.ask(self.store.ledger.configure, 17_250)
        self.assertEqual(self.marks(), [])

    def test_it_decides_over_what_is_too_fast(self) -> None:
        """Here a car is loaded with 22 kW."""
        self.add(*telegrams("0=0 60=22000 120=44000"))
        for max_power_w, hours in ((60_000, [22_000, 22_000]), (17_250, []), (25_000, [22_000, 22_000])):
            self.ask(self.store.ledger.configure, max_power_w)
            self.settle()
            self.assertEqual(self.amounts(), hours)
            self.assert_as_if_computed_anew()

    def test_marks_of_an_hour_are_quarters(self) -> None:
        """The same as those that readings make."""
        self.add(*telegrams("0=0"))
        self.settle()
        self.ask(self.store.ledger.configure, 1)
        self.assertEqual({at * MINUTE % QUARTER for at in self.marks()}, {0})
        self.add(*telegrams("20=20"))
        self.assertEqual(len(self.marks()), 4)

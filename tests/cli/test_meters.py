"""Tests of dsmr_tw.cli.meters, dsmr_tw.cli.epochs, dsmr_tw.cli.moves and dsmr_tw.cli.naming."""

from __future__ import annotations

import io
import shlex
from contextlib import redirect_stderr, redirect_stdout
from datetime import date

from attrs import evolve
from click.testing import CliRunner

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import DAY, HOUR, Arrival, DeviceReading
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import (
    GAS_METER,
    METER,
    MINUTE,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    posted,
    water,
)
from tests.cli.besidecase import BesideCase, Impatient
from tests.prices import contract


def old(n: int) -> Arrival:
    """The old meter in its n-th hour: 10 Wh an hour."""
    return heard(NOON + n * HOUR, delivered_1=100 + 10 * n)


def new(n: int, position: int = 110) -> Arrival:
    """The meter that replaces it: 7 Wh an hour."""
    return heard(NOON + n * HOUR + MINUTE, equipment_id=OTHER_METER, delivered_1=position + 7 * n)


def neighbour(n: int, *devices: DeviceReading) -> Arrival:
    """A second meter, on a cable of its own."""
    return evolve(new(n), origin=SECOND_CABLE, devices=devices)


class MetersCase(BesideCase):
    """A test of ``dsmr meters``."""

    verb = "meters"

    def names(self) -> list[str]:
        """The meters that the server lists."""
        return [meter.name for meter in result_of(self.store.meters.all())]

    def readings(self, meter_id: int = 1) -> int:
        """How many readings of a meter the server lists."""
        return result_of(self.store.readings.page(ReadingFilter(meter_id), False, 0, 1)).count

    def settle(self, meter_id: int = 1) -> None:
        """Compute what is marked, as the server does."""
        while result_of(self.store.ledger.recompute(meter_id, NOON + 9 * DAY)):
            pass
        while result_of(self.store.ledger.close(meter_id, NOON + 9 * DAY)):
            pass


class ListTests(MetersCase):
    """What there is, and what the ledger made of it."""

    def test_a_new_server(self) -> None:
        """One meter, and nothing to say of it."""
        self.assertEqual(self.done(), "Meter 1 (id 1, Europe/Amsterdam): 0 readings\n")

    def test_equipment(self) -> None:
        """What it measures, its printed id, its channel, and when it was heard, in local time and in columns."""
        strange = DeviceReading(NOON, 1, 99, 4, "STRANGE\x1b[2J")
        self.add(heard(NOON, gas(NOON), water(equipment_id=None), strange), heard(NOON + DAY, gas(NOON + DAY)))
        meter, headings, *lines = self.done().splitlines()
        self.assertEqual(meter, "Meter 1 (id 1, Europe/Amsterdam): 2 readings")
        self.assertRegex(headings, "^  NUMBER +MEASURES +PRINTED ID +CHANNEL +FIRST HEARD +LAST HEARD$")
        self.assertRegex(lines[0], "^  1 +electricity +ELECTRICITY-A +2024-04-02T12:00:00  2024-04-03T12:00:00$")
        self.assertRegex(lines[1], "^  2 +gas +GAS-A +1 +2024-04-02T12:00:00  2024-04-03T12:00:00$")
        self.assertRegex(lines[2], "^  3 +water +2 +2024-04-02T12:00:00  2024-04-02T12:00:00$")
        self.assertRegex(lines[3], r"^  4 +type 99 +STRANGE\\x1b\[2J +4 +2024-04-02T12:00:00  2024-04-02T12:00:00$")
        for heading, text in (("PRINTED", "GAS-A"), ("CHANNEL", "1  "), ("FIRST", "2024-04-02")):
            self.assertEqual(headings.index(heading), lines[1].index(text))

    def test_several_meters(self) -> None:
        """One after the other."""
        self.add(old(0), neighbour(0))
        first, second = self.done().split("\n\n")
        self.assertIn("Meter 1 (id 1", first)
        self.assertIn(METER, first)
        self.assertIn("Meter 2 (id 2", second)
        self.assertIn(OTHER_METER, second)

    def test_epochs_and_outliers(self) -> None:
        """With their instants, so that they can be typed again, the registers that they are of, and why."""
        glitch = heard(NOON + 90 * MINUTE, delivered_1=1)
        value = gas(NOON + HOUR, 10**9)
        self.add(heard(NOON, gas(NOON, 1)), old(1), glitch, heard(NOON + 2 * HOUR, value, delivered_1=120), new(3))
        self.add(devices_only(NOON + 3 * HOUR, gas(NOON + 3 * HOUR, 2)))
        self.settle()
        said = self.done()
        self.assertIn("  Epochs begin at:\n    2024-04-02T12:00:00+02:00  ", said)
        self.assertIn("    2024-04-02T15:01:00+02:00  electricity  another meter, by its printed id\n", said)
        self.assertIn("    2024-04-02T12:00:00+02:00  gas GAS-A    first reading\n", said)
        self.assertIn("  Not counted:\n    2024-04-02T13:00:00+02:00  gas GAS-A    the registers rose too fast\n", said)
        self.assertIn("    2024-04-02T13:30:00+02:00  electricity  a register is lower\n", said)
        self.assertNotIn("Decided by hand", said)

    def test_a_restless_meter(self) -> None:
        """Of many outliers the newest ones are shown, unless all are asked for."""
        self.add(*(heard(NOON + n * MINUTE, delivered_1=200 - n if n % 2 else 1_000 + n) for n in range(61)))
        self.settle()
        said = self.done()
        self.assertEqual(said.count("a register is lower"), 20)
        self.assertIn("    and 10 before them; --all shows them.\n", said)
        self.assertIn("2024-04-02T12:59:00+02:00", said)
        everything = self.done("--all")
        self.assertEqual(everything.count("a register is lower"), 30)
        self.assertNotIn("before them", everything)

    def test_where_may_stand_before_the_verb(self) -> None:
        """An option that says which server is meant holds for what follows, too; the nearer one wins."""
        self.add(old(0), neighbour(0))
        command = ["meters", "--state-dir", str(self.path), "join", "1", "2", "--yes"]
        result = CliRunner().invoke(main, command)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.names(), ["Meter 1"])
        self.assertIn("There is no meter '2'", self.refused("--state-dir", "/nowhere", "join", "1", "2"))


class EpochTests(MetersCase):
    """Where registers can be compared."""

    def setUp(self) -> None:
        """A meter that was replaced by one that shows about the same."""
        super().setUp()
        self.add(*(old(n) for n in range(4)), *(new(n) for n in range(4, 8)), devices_only(NOON, gas(NOON, 1)))
        self.settle()
        self.assertEqual(self.hours(), [10, 10, 10, 0, 6, 7])

    def test_joined(self) -> None:
        """What was counted before and after is one: what the registers rose by in between counts at once."""
        said = self.done("join-epoch", "2024-04-02T16:01:00+02:00", "--device", METER)
        self.assertIn("The epochs of the electricity are joined at 2024-04-02T16:01:00+02:00: what went", said)
        self.assertEqual(self.hours(), [10, 10, 10, 7, 7, 7])
        self.assertIn("  Decided by hand:\n    2024-04-02T16:01:00+02:00  electricity  join epochs\n", self.done())
        self.assertIn("joined at 2024-04-02T16:01:00+02:00 already", self.refused("join-epoch", "2024-04-02 16:01"))
        self.assertIn("not joined at 2024-04-02T16:01", self.done("split-epoch", "2024-04-02 16:01"))
        self.assertNotIn("Decided by hand", self.done())
        self.assertEqual(self.hours(), [10, 10, 10, 0, 6, 7])

    def test_split(self) -> None:
        """Nothing is counted from the reading before; the server lists it so at once."""
        said = self.done("split-epoch", "2024-04-02T13:30")
        self.assertEqual(said, "An epoch of the electricity begins with the reading of 2024-04-02T14:00:00+02:00.\n")
        self.assertEqual(self.hours(), [10, 0, 10, 0, 6, 7])
        self.assertIn("split at 2024-04-02T14:00:00+02:00 already", self.refused("split-epoch", "2024-04-02T13:45"))
        said = self.done("join-epoch", "2024-04-02T14:00:00+02:00")
        self.assertEqual(said, "The epochs of the electricity are not split at 2024-04-02T14:00:00+02:00 any more.\n")
        self.assertEqual(self.hours(), [10, 10, 10, 0, 6, 7])

    def test_edits_survive_a_rebuild(self) -> None:
        """They are what a person knows, and the readings don't tell."""
        self.done("split-epoch", "2024-04-02T14:00")
        result = CliRunner().invoke(main, ["rebuild", "--state-dir", str(self.path)])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.hours(), [10, 0, 10, 0, 6, 7])

    def test_whatever_was_due(self) -> None:
        """What waited to be computed, or for its time to be over, is listed as well: no server needs to be running."""
        self.add(*(new(n) for n in range(8, 1_100)))
        result_of(self.store.ledger.recompute(1, NOON))
        self.done("split-epoch", "2024-04-02T13:30")
        self.assertEqual(len(self.hours()), 1_098)

    def test_a_device(self) -> None:
        """By its printed id or its number, a device has epochs of its own."""
        self.add(*(devices_only(NOON + n * HOUR, gas(NOON + n * HOUR, n)) for n in range(1, 8)))
        said = self.done("split-epoch", "2024-04-02T14:00", "--device", GAS_METER)
        self.assertEqual(said, "An epoch of the gas GAS-A begins with the reading of 2024-04-02T14:00:00+02:00.\n")
        self.assertIn("gas GAS-A  split epochs", self.done())
        self.assertIn("not split at", self.done("join-epoch", "2024-04-02T14:00", "--device", "3"))

    def test_no_such_epoch(self) -> None:
        """The nearest ones are named; the first one can't be joined to anything."""
        said = self.refused("join-epoch", "2024-04-02T16:00")
        self.assertIn("The nearest ones begin at 2024-04-02T16:01:00+02:00.", said)
        self.assertIn(
            "The first epoch begins at 2024-04-02T12:00:00+02:00", self.refused("join-epoch", "2024-04-02T12:00")
        )

    def test_counting_backwards(self) -> None:
        """A meter that shows less can't be the same registers, whatever somebody says."""
        self.add(new(9, position=0), evolve(new(10, position=0), equipment_id="ELECTRICITY-C"))
        self.add(evolve(new(12, position=-80), equipment_id=OTHER_METER))
        self.settle()
        self.assertIn("would count backwards", self.refused("join-epoch", "2024-04-03T00:01:00"))

    def test_what_is_no_time(self) -> None:
        """Or no time on a local clock: both are told, with how one is written."""
        for text in ("noon", "2024-13-01T00:00", "2024-10-27T02:30", "2024-03-31T02:30"):
            said = self.refused("split-epoch", text)
            self.assertIn(f"{text!r} is no time here: write it like 2024-10-27T02:30:00+02:00.", said)
            self.assertIn("(Europe/Amsterdam)", said)

    def test_what_is_not_there(self) -> None:
        """Neither a meter nor a device."""
        self.assertIn("There is no meter '2'", self.refused("split-epoch", "2024-04-02T14:00", "--meter", "2"))
        said = self.refused("split-epoch", "2024-04-02T14:00", "--device", "GAS-Z")
        self.assertIn("There is no equipment 'GAS-Z'; `dsmr meters` lists what there is.", said)


class JoinTests(MetersCase):
    """One account out of two."""

    def setUp(self) -> None:
        """A meter that was replaced within ten minutes."""
        super().setUp()
        self.add(*(old(n) for n in range(5)), *(neighbour(n, gas(NOON + n * HOUR, n)) for n in range(4, 9)))
        self.assertEqual(self.names(), ["Meter 1", "Meter 2"])

    def test_joined(self) -> None:
        """What will move is told, then it does; the ledger is as if one account had had it all."""
        said = self.done("join", "1", "Meter 2", answer="y\n")
        self.assertTrue(
            said.startswith("Meter 2 becomes part of Meter 1: 5 readings, 5 values of M-Bus devices; contracts: 0.\n")
        )
        self.assertNotIn("in the same time", said)
        self.assertTrue(said.endswith("Meter 2 is part of Meter 1 now.\n"), said)
        self.assertEqual((self.names(), self.readings()), (["Meter 1"], 10))
        self.assertEqual(self.hours(), [10, 10, 10, 10, 6, 7, 7, 7])

    def test_not_joined(self) -> None:
        """Who says no, or nothing, is asked for nothing more."""
        self.assertTrue(self.done("join", "1", "2", answer="n\n").endswith("Nothing was changed.\n"))
        self.assertEqual(self.dsmr("join", "1", "2").exit_code, 1)
        self.assertEqual((self.readings(), self.readings(2)), (5, 5))

    def test_contracts(self) -> None:
        """One that holds on days of another is named before anybody agrees that it is dropped."""
        for one in (
            contract(end=date(2024, 6, 30)),
            contract(meter_id=2, start=date(2024, 6, 30), description="over"),
            contract(meter_id=2, start=date(2023, 1, 1), end=date(2023, 12, 31)),
        ):
            result_of(self.store.contracts.add(one))
        said = self.done("join", "1", "2", "--yes")
        self.assertIn("contracts: 1.\n", said)
        self.assertIn("Contract 2 (over), which holds from 2024-06-30 on, is dropped: Meter 1 has another one", said)
        self.assertEqual([one.id for one in result_of(self.store.contracts.all(1))], [3, 1])

    def test_two_connections(self) -> None:
        """Meters that were heard in the same time are likely to be two, which is told."""
        self.add(old(9))
        self.assertIn("Both were heard in the same time.", self.done("join", "1", "2", "--yes"))

    def test_with_itself(self) -> None:
        """Or with a meter that is not there: both are refused."""
        self.assertIn("a meter can't be joined to itself", self.refused("join", "2", "Meter 2"))
        self.assertIn("There is no meter '3'", self.refused("join", "1", "3"))

    def test_ctrl_c(self) -> None:
        """Stopped half-way, the same command finishes it."""
        self.add(*(evolve(neighbour(n), received_at=NOON + n * HOUR) for n in range(10, 610)))
        said, shown = self.interrupted("join", "1", "2", "--yes", percent=40)
        self.assertIn("Stopped half-way.", said)
        self.assertIn("give the same command again to finish it.\n", said)
        self.assertTrue(shown.endswith("\n"))
        self.assertEqual(self.names(), ["Meter 1", "Meter 2"])
        self.assertGreater(self.readings(2), 0)
        self.add(neighbour(611))
        self.assertIn("is part of Meter 1 now", self.done("join", "1", "2", "--yes"))
        self.assertEqual((self.names(), self.readings()), (["Meter 1"], 611))
        self.assertEqual(self.hours()[:8], [10, 10, 10, 10, 6, 7, 7, 7])

    def test_ctrl_c_after_everything_has_moved(self) -> None:
        """The account that is empty is still there: the same command finishes it."""
        said, _ = self.interrupted("join", "1", "2", "--yes", percent=100)
        self.assertIn("Stopped half-way.", said)
        self.assertEqual(self.names(), ["Meter 1", "Meter 2"])
        self.assertIn("0 readings, 0 values of M-Bus devices", self.done("join", "1", "2", "--yes"))
        self.assertEqual(self.names(), ["Meter 1"])

    def test_ctrl_c_while_it_is_computed(self) -> None:
        """They are joined; the server computes the rest."""
        self.add(*(evolve(neighbour(n), received_at=NOON + n * HOUR) for n in range(10, 610)))
        said, shown = self.interrupted("join", "1", "2", "--yes", percent=10, label="Computing")
        self.assertIn("Meter 2 is part of Meter 1 now.\nStopped. What is not computed yet is computed when", said)
        self.assertTrue(shown.endswith("\n"))
        self.settle()
        self.assertEqual(self.hours()[:8], [10, 10, 10, 10, 6, 7, 7, 7])

    def test_beside_a_running_server(self) -> None:
        """It computes what has changed; the command says so, and leaves it alone."""
        state = StateDir(self.path)
        state.lock()
        self.addCleanup(state.release)
        said = self.done("join", "1", "2", "--yes")
        self.assertTrue(said.endswith("The running server computes hours and days anew in a moment.\n"), said)
        self.assertEqual((self.readings(), self.hours()), (10, []))
        self.settle()
        self.assertEqual(self.hours(), [10, 10, 10, 10, 6, 7, 7, 7])

    def test_example(self) -> None:
        """The example in the help can be typed as it stands."""
        shown = CliRunner().invoke(main, ["meters", "join", "--help"]).output
        example = shown.partition("dsmr meters ")[2].partition("\n")[0]
        self.done(*shlex.split(example), "--yes")


class SplitTests(MetersCase):
    """Two accounts out of one."""

    def setUp(self) -> None:
        """A neighbour whose meter was taken for the successor of ours, which was silent; both have gas."""
        super().setUp()
        self.add(old(0), *(new(n) for n in range(1, 5)), *(old(n) for n in range(5, 9)))
        self.add(heard(NOON + 9 * HOUR, gas(NOON, 1), gas(NOON, 2, OTHER_GAS_METER)), posted(NOON + 10 * HOUR))
        self.settle()
        self.assertEqual(self.names(), ["Meter 1"])

    def test_split(self) -> None:
        """What will move and what stays is told; then each has its own, and its own hours."""
        said = self.done("split", "1", OTHER_METER, OTHER_GAS_METER, answer="y\n")
        names = "electricity ELECTRICITY-B, gas GAS-B"
        moved = "4 readings, 1 values of M-Bus devices of Meter 1"
        self.assertTrue(said.startswith(f"An account of its own gets {names}: {moved}.\n"), said)
        self.assertIn("Meter 1 keeps electricity ELECTRICITY-A, gas GAS-A.\n", said)
        self.assertIn("Meter 2 (id 2) has what was split off Meter 1.\n", said)
        self.assertIn("`dsmr prices add --meter 2`", said)
        self.assertEqual((self.names(), self.readings(), self.readings(2)), (["Meter 1", "Meter 2"], 7, 4))
        self.assertEqual(self.hours(), [10] * 7)
        self.assertEqual(self.hours(2), [0, 6, 7])

    def test_not_split(self) -> None:
        """Who says no keeps everything as it is."""
        self.assertTrue(self.done("split", "1", OTHER_METER, answer="n\n").endswith("Nothing was changed.\n"))
        self.assertEqual(self.readings(), 11)

    def test_everything(self) -> None:
        """What no equipment printed stays."""
        said = self.done("split", "1", METER, OTHER_METER, GAS_METER, OTHER_GAS_METER, "--yes")
        self.assertIn("Meter 1 keeps no equipment.\n", said)
        self.assertEqual((self.readings(), self.readings(2)), (1, 10))

    def test_what_is_not_there(self) -> None:
        """Neither a meter nor its equipment; and nothing of another meter."""
        self.assertIn("There is no meter '7'", self.refused("split", "7", METER))
        self.assertIn("There is no equipment 'GAS-Z'", self.refused("split", "1", "GAS-Z"))
        self.done("split", "1", OTHER_METER, "--yes")
        self.assertIn("Meter 2 has no equipment", self.refused("split", "2", METER))

    def test_ids_that_are_printed_twice(self) -> None:
        """A gas and a water meter of one id are told apart by their numbers, also when they print none."""
        self.add(devices_only(NOON, water(equipment_id=GAS_METER), gas(NOON, 1, None, 3)))
        said = self.refused("split", "1", GAS_METER)
        self.assertIn("'GAS-A' is printed by several: name one by its number: 3, 5.", said)
        said = self.done("split", "1", "5", "6", "--yes")
        self.assertIn("gets water GAS-A, gas without an id (number 6): 0 readings, 2 values of M-Bus devices", said)

    def test_ctrl_c(self) -> None:
        """Stopped half-way, the same command finishes it, in the account that was opened."""
        self.add(*(evolve(new(n), received_at=NOON + n * HOUR) for n in range(20, 420)))
        said, _ = self.interrupted("split", "1", OTHER_METER, "--yes", percent=40)
        self.assertIn("Stopped half-way.", said)
        self.assertGreater(self.readings(2), 0)
        self.assertIn("Meter 2 (id 2) has what was split off", self.done("split", "1", OTHER_METER, "--yes"))
        self.assertEqual((self.names(), self.readings(), self.readings(2)), (["Meter 1", "Meter 2"], 7, 404))

    def test_bars(self) -> None:
        """One for each part of the work, each on a line of its own."""
        self.add(*(new(n) for n in range(20, 300)))
        terminal = Impatient(101)
        with redirect_stdout(io.StringIO()), redirect_stderr(terminal), self.assertRaises(SystemExit) as caught:
            main(["meters", "split", "1", OTHER_METER, "--yes", "--state-dir", str(self.path)])
        self.assertEqual(caught.exception.code, 0)
        moving, computing, end = terminal.getvalue().split("\n")
        self.assertRegex(moving, "Moving.* 100%")
        self.assertRegex(computing, "Computing.* 100%")
        self.assertNotIn("%", end)

"""Tests of dsmr_tw.cli.accounts: meters that are added and renamed beside a running server."""

from __future__ import annotations

import re
import shlex

from attrs import evolve
from click.testing import CliRunner

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import Meter
from tests.arrivals import NOON, SECOND_CABLE, heard
from tests.cli.besidecase import BesideCase

ZONE = "Europe/Amsterdam"


class AccountsCase(BesideCase):
    """A test of what the server knows of its meters after a command."""

    verb = "meters"

    def meters(self) -> list[Meter]:
        """The meters that the running server lists."""
        meters: list[Meter] = result_of(self.store.meters.all())
        return meters

    def examples(self, command: str) -> None:
        """Type what the help of a command shows, as it stands."""
        shown = CliRunner().invoke(main, [self.verb, command, "--help"]).output
        typed = re.findall(r"^ *dsmr meters (.+)$", shown, re.MULTILINE)
        self.assertTrue(typed)
        for example in typed:
            self.done(*shlex.split(example))


class AddTests(AccountsCase):
    """An account for another meter."""

    def test_added(self) -> None:
        """It is there, in the zone of the first one, and how it is filled is told."""
        said = self.done("add", "Cellar, left")
        self.assertEqual(self.meters()[1:], [Meter(2, "Cellar, left", ZONE)])
        self.assertTrue(said.startswith(f"Cellar, left (id 2, {ZONE}) is there.\n"), said)
        self.assertIn("--device DEVICE,meter=2", said)
        self.assertIn("dsmr apikey create --meter 2 ", said)

    def test_zones(self) -> None:
        """A meter may hang in another zone, and the next one hangs where the first does."""
        self.store.database.writer().execute("UPDATE meter SET zone = 'Europe/Brussels'")
        self.done("add", "Cabin", "--zone", "Europe/Helsinki")
        self.done("add", "Cellar")
        zones = [meter.zone.removeprefix("Europe/") for meter in self.meters()]
        self.assertEqual(zones, ["Brussels", "Helsinki", "Brussels"])

    def test_filled_at_once(self) -> None:
        """A server that is running takes readings for it."""
        self.add(heard(NOON))
        self.done("add", "Cellar")
        self.add(heard(NOON + SECOND, origin=evolve(SECOND_CABLE, meter_id=2)))
        self.assertEqual([meter.readings for meter in self.meters()], [1, 1])

    def test_refused(self) -> None:
        """A name that another meter has, one that can't be, and a zone that is not there."""
        self.done("add", "Cellar")
        self.assertIn("Meter 2 is called 'Cellar' already", self.refused("add", "Cellar"))
        self.assertIn("'7': that looks like an id", self.refused("add", "7"))
        self.assertIn("There is no time zone 'Mars/Base'", self.refused("add", "Attic", "--zone", "Mars/Base"))
        self.assertEqual(len(self.meters()), 2)

    def test_examples(self) -> None:
        """What the help shows works."""
        self.examples("add")


class RenameTests(AccountsCase):
    """Another name for a meter."""

    def test_renamed(self) -> None:
        """By id or by name; whoever has named it somewhere is told to change that."""
        self.add(heard(NOON))
        said = self.done("rename", "1", "House")
        self.assertTrue(said.startswith("Meter 1 (id 1) is called House now.\n"), said)
        self.assertIn("meter=1", said)
        self.done("rename", "House", "Home")
        [meter] = self.meters()
        self.assertEqual((meter.id, meter.name, meter.readings), (1, "Home", 1))

    def test_the_same_name(self) -> None:
        """Nothing changes, and nothing need be changed elsewhere."""
        self.assertEqual(self.done("rename", "1", "Meter 1"), "Meter 1 (id 1) is called Meter 1 now.\n")

    def test_refused(self) -> None:
        """A meter that is not there, a name that another one has, and one that can't be."""
        self.done("add", "Cellar")
        self.assertIn("There is no meter '3'", self.refused("rename", "3", "House"))
        self.assertIn("Meter 2 is called 'Cellar' already", self.refused("rename", "1", "Cellar"))
        self.assertIn("can't be empty", self.refused("rename", "1", ""))
        self.assertEqual([meter.name for meter in self.meters()], ["Meter 1", "Cellar"])

    def test_examples(self) -> None:
        """What the help shows works."""
        self.examples("rename")

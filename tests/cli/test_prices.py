"""Tests of dsmr_tw.cli.prices."""

from __future__ import annotations

import shlex
from datetime import date
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.contract import Contract
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, heard


class PricesTests(SynchronousTestCase):
    """Contracts are entered, listed, ended and removed beside a running server."""

    def setUp(self) -> None:
        """The store of a server that has started once, and is still open."""
        self.path = Path(self.mktemp()).resolve()
        self.store = sqlite_store(self.path / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))

    def dsmr(self, *arguments: str) -> Result:
        """Run a command on that store."""
        return CliRunner().invoke(main, ["prices", *arguments, "--state-dir", str(self.path)])

    def done(self, *arguments: str) -> str:
        """Run a command that succeeds; what it says."""
        result = self.dsmr(*arguments)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def refused(self, *arguments: str) -> str:
        """Run a command that is refused, and changes nothing; what it says."""
        before = self.contracts()
        result = self.dsmr(*arguments)
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertEqual(self.contracts(), before)
        return result.output

    def contracts(self, meter_id: int = 1) -> list[Contract]:
        """The contracts that the running server sees."""
        return result_of(self.store.contracts.all(meter_id))

    def test_a_contract_is_entered(self) -> None:
        """The server knows at once what each price is, to the last decimal."""
        said = self.done(
            *("add", "Green & Co", "--start", "2024-07-01", "--end", "2025-06-30"),
            *("--delivered-1", "0.251", "--delivered-2", "0.283001", "--returned-1", "-0.05", "--returned-2", "0.09"),
            *("--gas", "1.219", "--fixed", "0.48"),
        )
        self.assertEqual(said, "Contract 1 (Green & Co) holds from 2024-07-01 to 2025-06-30.\n")
        charged = (251_000, 283_001, -50_000, 90_000, 1_219_000, 480_000)
        expected = Contract(1, 1, date(2024, 7, 1), date(2025, 6, 30), "Green & Co", *charged)
        self.assertEqual(self.contracts(), [expected])

    def test_what_is_left_out(self) -> None:
        """A price that is left out is 0, and a contract without a last day goes on."""
        self.assertIn("holds from 2024-07-01 on.", self.done("add", "plain", "--start", "2024-07-01"))
        self.assertEqual(self.contracts(), [Contract(1, 1, date(2024, 7, 1), None, "plain", 0, 0, 0, 0, 0, 0)])

    def test_no_price(self) -> None:
        """A price that can't be read is refused, with how one is written."""
        for text in ("0,251", "0.2512345", "twenty"):
            result = self.dsmr("add", "x", "--start", "2024-07-01", "--gas", text)
            self.assertEqual(result.exit_code, 2)
            self.assertIn(f"Invalid value for '--gas': '{text}' is no price", result.output)
            self.assertIn("as in 0.251", result.output)
        self.assertEqual(self.contracts(), [])

    def test_a_day_that_is_taken(self) -> None:
        """The other contract is named, with the command that makes room; after that there is room."""
        self.done("add", "old", "--start", "2024-01-01")
        said = self.refused("add", "new", "--start", "2024-07-01")
        self.assertIn("Contract 1 (old) holds from 2024-01-01 on, and a day has one contract at most.", said)
        self.assertIn("End it first with `dsmr prices end 1 2024-06-30`.", said)
        self.assertIn("holds from 2024-01-01 to 2024-06-30.", self.done("end", "1", "2024-06-30"))
        self.done("add", "new", "--start", "2024-07-01")

    def test_a_day_that_is_taken_later(self) -> None:
        """A contract before another must end before it; one that begins with it has no room at all."""
        self.done("add", "new", "--start", "2024-07-01")
        said = self.refused("add", "old", "--start", "2024-01-01")
        self.assertIn("Let this one end on 2024-06-30, or remove the other first with `dsmr prices remove 1`.", said)
        said = self.refused("add", "again", "--start", "2024-07-01")
        self.assertIn("Choose another first day, or remove the other first with `dsmr prices remove 1`.", said)

    def test_an_end_that_can_not_be(self) -> None:
        """An ended contract may end later, but neither in the days of the next one nor before it begins."""
        self.done("add", "old", "--start", "2024-01-01", "--end", "2024-03-31")
        self.done("add", "new", "--start", "2024-07-01")
        self.assertIn("Let this one end on 2024-06-30", self.refused("end", "1", "2024-07-01"))
        said = self.refused("end", "1", "2023-12-31")
        self.assertIn("A contract that begins on 2024-01-01 can't end on 2023-12-31.", said)
        self.done("end", "1", "2024-06-30")

    def test_a_contract_that_ends_before_it_begins(self) -> None:
        """A typing error in a day is told."""
        said = self.refused("add", "x", "--start", "2024-07-01", "--end", "2023-06-30")
        self.assertIn("A contract that begins on 2024-07-01 can't end on 2023-06-30.", said)

    def test_the_list(self) -> None:
        """Days, prices and names, in columns, the oldest first."""
        self.done("add", "new", "--start", "2024-07-01", "--gas", "1.25")
        self.done("add", "old one", "--start", "2024-01-01", "--end", "2024-06-30", "--returned-2", "-0.05")
        headings, *lines = self.done("list").splitlines()
        self.assertRegex(headings, r"^ID +START +END +DELIVERED 1 .* GAS +FIXED +DESCRIPTION$")
        self.assertRegex(lines[0], r"^2 +2024-01-01 +2024-06-30 +0\.000000 .* -0\.050000 .* old one$")
        self.assertRegex(lines[1], r"^1 +2024-07-01 +0\.000000 .* 1\.250000 +0\.000000 +new$")
        for heading, text in (("RETURNED 2", "-0.050000"), ("DESCRIPTION", "old one")):
            self.assertEqual(headings.index(heading), lines[0].index(text))

    def test_an_empty_list(self) -> None:
        """Who has entered nothing is told what that means, and how to."""
        self.assertEqual(
            self.done("list"),
            "Meter 1 has no contract, so nothing costs anything. `dsmr prices add --help` shows how.\n",
        )

    def test_a_contract_is_removed(self) -> None:
        """It is named once more, and then not there."""
        self.done("add", "mistake", "--start", "2024-07-01")
        self.assertEqual(self.done("remove", "1"), "Contract 1 (mistake) is forgotten.\n")
        self.assertEqual(self.contracts(), [])

    def test_an_unknown_contract(self) -> None:
        """A typing error is not silent."""
        self.done("add", "old", "--start", "2024-07-01")
        for arguments in (("remove", "7"), ("end", "7", "2024-08-01")):
            self.assertIn("There is no contract 7; `dsmr prices list` shows", self.refused(*arguments))

    def test_another_meter(self) -> None:
        """A second meter has contracts of its own, entered by its id or name; an id of a contract suffices."""
        other = heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER)
        result_of(self.store.readings.add([[heard(NOON), other]], NOON))
        self.done("add", "ours", "--start", "2024-07-01")
        self.done("add", "theirs", "--start", "2024-07-01", "--meter", "2")
        self.assertIn("theirs", self.done("list", "--meter", "Meter 2"))
        self.assertNotIn("theirs", self.done("list"))
        self.done("end", "2", "2024-08-01")
        self.assertEqual([contract.end for contract in self.contracts(2)], [date(2024, 8, 1)])
        self.assertEqual([contract.end for contract in self.contracts()], [None])
        said = self.refused("list", "--meter", "3")
        self.assertIn("There is no meter '3'; those that there are: 1 (Meter 1), 2 (Meter 2).", said)

    def test_examples(self) -> None:
        """The examples in the help can be typed as they stand, one after the other."""
        for command in ("add", "end"):
            shown = CliRunner().invoke(main, ["prices", command, "--help"]).output
            example = shown.partition("dsmr prices ")[2].partition("\n\n")[0].replace("\\\n", "")
            self.done(*shlex.split(example))
        [contract] = self.contracts()
        self.assertEqual((contract.end, contract.delivered_1_price), (date(2025, 6, 30), 251_000))

"""Tests of dsmr_tw.cli.spool."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from attrs import evolve
from click.testing import CliRunner
from twisted.internet.defer import maybeDeferred

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.spooled import record_of
from dsmr_tw.spool import Spool
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON
from tests.cli.besidecase import BesideCase
from tests.spoolcase import small_disk
from tests.spoolingcase import taken


class SpoolCase(BesideCase):
    """A test with another server's spool."""

    verb = "spool"

    def setUp(self) -> None:
        """Five hundred telegrams that wait in it."""
        super().setUp()
        self.other = Path(self.mktemp()).resolve() / "spool"
        self.fill(range(500))

    def opened(self) -> Spool:
        """The other server's spool, in use."""
        spool = Spool(self.other, maybeDeferred)
        spool.open()
        self.addCleanup(spool.close)
        return spool

    def fill(self, numbers: range) -> None:
        """Let these wait, too."""
        spool = self.opened()
        result_of(spool.append([record_of(taken(number)) for number in numbers]))
        spool.close()

    def fill_badly(self) -> None:
        """Let a record wait that is no telegram."""
        telegram = str(taken(500).telegram).replace("(000500.000*kWh)", "(0005x0.000*kWh)")
        spool = self.opened()
        result_of(spool.append([record_of(evolve(taken(500), telegram=telegram))]))
        spool.close()

    def listed(self) -> list[int]:
        """What is in the store."""
        page = result_of(self.store.readings.page(ReadingFilter(1), False, 0, 10_000))
        return [stored.reading.delivered_1 // 1000 for stored in page.readings]

    def poison(self, number: int) -> None:
        """Let the store refuse one reading."""
        self.store.database.writer().execute(
            f"CREATE TRIGGER poison BEFORE INSERT ON reading WHEN NEW.instant = {NOON + number * SECOND} "
            "BEGIN SELECT RAISE(ABORT, 'no such number'); END"
        )


class ShowTests(SpoolCase):
    """``dsmr spool show``."""

    def test_another_servers(self) -> None:
        """How many wait, since when, and how much room they take; the directory may be named by its parent."""
        size = (self.other / "0000000001.spool").stat().st_size
        expected = f"500 telegrams wait in {self.other}, the oldest since 2024-04-02T12:00:00+02:00; {size:,} bytes.\n"
        self.assertEqual(self.done("show", str(self.other)), expected)
        self.assertEqual(self.done("show", str(self.other.parent)), expected)

    def test_one_in_use(self) -> None:
        """It can be looked at all the same."""
        self.opened()
        self.assertIn("500 telegrams wait", said := self.done("show", str(self.other)))
        self.assertIn("A running server uses it", said)

    def test_ones_own(self) -> None:
        """Without a name it is that of the state directory, which may have none yet."""
        self.assertEqual(self.done("show"), f"No telegrams wait: there is no spool {self.path / 'spool'} yet.\n")
        (self.path / "spool").mkdir()
        self.assertEqual(self.done("show"), f"0 telegrams wait in {self.path / 'spool'}; 0 bytes.\n")

    def test_what_was_put_aside(self) -> None:
        """It is not forgotten."""
        spool = self.opened()
        result_of(spool.refuse("a telegram", "why"))
        (self.other / "0000000002.spool").write_text("not a spool")
        said = self.done("show", str(self.other))
        self.assertIn(f"1 telegrams that the store refused are kept in {self.other / 'refused'}.", said)
        self.assertIn("1 files can't be read to their end", said)

    def test_none_such(self) -> None:
        """A typing error is told."""
        self.assertIn("There is no directory /no/such/place.", self.refused("show", "/no/such/place"))


class ForeignTests(SpoolCase):
    """A spool that is not for us to look into."""

    def test_it_is_told_in_a_sentence(self) -> None:
        """Whichever command, and however its directory is named."""
        foreign = Path(mkdtemp())
        self.addCleanup(rmtree, foreign)
        (foreign / "spool").mkdir()
        foreign.chmod(0)
        if os.geteuid() == 0:
            # Root may look into everything, so for a moment we are somebody else.
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        for path in (foreign, foreign / "spool"):
            said = self.refused("show", str(path))
            self.assertIn(str(foreign), said)
            self.assertIn("can't be read: Permission denied.", said)


class DrainTests(SpoolCase):
    """``dsmr spool drain``."""

    def test_everything_is_stored(self) -> None:
        """Each telegram with the time at which it came, and nothing is left on disk."""
        self.assertEqual(self.done("drain", str(self.other)), "Stored 500 telegrams, 500 of them new.\n")
        self.assertEqual(self.listed(), list(range(500)))
        [meter] = result_of(self.store.meters.all())
        self.assertEqual(meter.first_seen_at, NOON)
        self.assertEqual(list(self.other.iterdir()), [])

    def test_once_more(self) -> None:
        """What is stored already changes nothing."""
        self.done("drain", str(self.other))
        self.fill(range(499, 502))
        self.assertEqual(self.done("drain", str(self.other)), "Stored 3 telegrams, 2 of them new.\n")
        self.assertEqual(self.done("drain", str(self.other)), "Stored 0 telegrams, 0 of them new.\n")
        self.assertEqual(self.listed(), list(range(502)))

    def test_one_in_use(self) -> None:
        """A server's own spool is its own."""
        self.opened()
        self.assertIn(f"A running server uses the spool {self.other}.", self.refused("drain", str(self.other)))
        self.assertEqual(self.listed(), [])

    def test_ctrl_c(self) -> None:
        """It stops with a sentence; run again, it stores the rest."""
        said, shown = self.interrupted("drain", str(self.other), percent=40)
        self.assertEqual(said, "Stopped. What is not stored yet still waits; run it again at any time.\n")
        self.assertIn("Storing", shown)
        self.assertLess(len(self.listed()), 500)
        self.done("drain", str(self.other))
        self.assertEqual(self.listed(), list(range(500)))

    def test_a_telegram_that_the_store_refuses(self) -> None:
        """It is kept for a person, and all others are stored."""
        self.poison(7)
        said = self.done("drain", str(self.other))
        self.assertIn("Stored 499 telegrams, 499 of them new.", said)
        self.assertIn(f"1 telegrams that the store refused are kept in {self.other / 'refused'}.", said)
        self.assertEqual(self.listed(), [number for number in range(500) if number != 7])

    def test_a_record_that_is_no_telegram_any_more(self) -> None:
        """It is kept for a person, too."""
        self.fill_badly()
        self.assertIn("1 telegrams that the store refused", self.done("drain", str(self.other)))
        self.assertEqual(self.listed(), list(range(500)))

    def test_a_record_that_trips_us(self) -> None:
        """It is kept like any that can't be stored, and what stands behind it is stored."""
        telegram = str(taken(500).telegram).rpartition("!")[0] + "!none"
        spool = self.opened()
        result_of(spool.append([record_of(evolve(taken(500), telegram=telegram)), b"of a newer program"]))
        result_of(spool.append([record_of(taken(501))]))
        spool.close()
        self.assertIn("2 telegrams that the store refused", self.done("drain", str(self.other)))
        self.assertEqual(self.listed(), [*range(500), 501])

    def test_a_damaged_file(self) -> None:
        """It is kept, and told."""
        (self.other / "0000000002.spool").write_text("not a spool")
        self.assertIn("1 files could not be read to their end", self.done("drain", str(self.other)))
        self.assertEqual([path.name for path in self.other.iterdir()], ["0000000002.damaged"])

    def test_a_store_that_is_away(self) -> None:
        """It is told in a sentence, and everything still waits, be there a bad record among it or not."""
        log = self.path / "dsmr.sqlite3-wal"
        with small_disk(log.stat().st_size):
            self.assertIn("dsmr.sqlite3: ", self.refused("drain", str(self.other)))
        self.assertEqual(self.listed(), [])
        self.fill_badly()
        self.done("drain", str(self.other))
        self.assertEqual(self.listed(), list(range(500)))

    def test_examples(self) -> None:
        """The examples in the help can be typed as they stand, but for the directory."""
        tried = 0
        for verb in ("show", "drain"):
            for line in CliRunner().invoke(main, ["spool", verb, "--help"]).output.splitlines():
                if line.startswith("    dsmr spool"):
                    words = shlex.split(line.replace("/var/lib/dsmr_before/spool", str(self.other)))
                    self.done(*words[2:])
                    tried += 1
        self.assertEqual(tried, 3)

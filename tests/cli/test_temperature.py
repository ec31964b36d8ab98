"""Tests of dsmr_tw.cli.temperature."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import datetime
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.localtime import instant_of
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of


def measured(time: str, tenths: int) -> Temperature:
    """A temperature at an instant that is written with its offset."""
    return Temperature(instant_of(datetime.fromisoformat(time)), tenths)


class TemperatureTests(SynchronousTestCase):
    """Temperatures are brought in from a file, beside a running server."""

    def setUp(self) -> None:
        """The store of a server that has started once, and is still open."""
        self.path = Path(self.mktemp()).resolve()
        self.store = sqlite_store(self.path / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))

    def dsmr(self, content: str | bytes) -> Result:
        """Import a file with this content."""
        (self.path / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return CliRunner().invoke(
            main, ["temperature", "import", str(self.path / "t.csv"), "--state-dir", str(self.path)]
        )

    def imported(self, content: str | bytes) -> str:
        """Import a file that is well; what was said of it last."""
        result = self.dsmr(content)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output.splitlines()[-1]

    def refused(self, content: str | bytes) -> str:
        """Import a file that is refused, so that nothing changes; the sentence, from the file's name on."""
        before = self.temperatures()
        result = self.dsmr(content)
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertEqual(self.temperatures(), before)
        return result.output.rpartition("/t.csv")[2].strip()

    def temperatures(self) -> list[Temperature]:
        """What the running server sees."""
        return result_of(self.store.temperatures.page(None, None, False, 0, 10_000)).temperatures

    def test_a_file(self) -> None:
        """Each line is there, at its own time, to the tenth of a degree."""
        said = self.imported(
            "read_at,degrees_celcius\n"
            "2024-04-02T12:00:00+02:00,7.3\n"
            "2024-04-02T11:00:00Z,-0.25\n"
            "2024-04-02 14:00,8\n"
            "2024-04-03,-12.04\n"
        )
        self.assertEqual(said, "4 temperatures read, 4 of them new or changed.")
        self.assertEqual(
            self.temperatures(),
            [
                measured("2024-04-02T10:00:00Z", 73),
                measured("2024-04-02T11:00:00Z", -3),
                measured("2024-04-02T12:00:00Z", 80),
                measured("2024-04-02T22:00:00Z", -120),
            ],
        )

    def test_again(self) -> None:
        """Importing a file twice is as good as once; a line that was corrected replaces what was there."""
        self.imported("read_at,degrees_celcius\n2024-04-02T12:00Z,7.3\n2024-04-02T13:00Z,8.1\n")
        said = self.imported("read_at,degrees_celcius\n2024-04-02T12:00Z,7.3\n2024-04-02T13:00Z,8.2\n")
        self.assertEqual(said, "2 temperatures read, 1 of them new or changed.")
        self.assertEqual([one.tenths_celsius for one in self.temperatures()], [73, 82])

    def test_as_spreadsheets_write_it(self) -> None:
        """Semicolons, decimal commas, quotes, CR LF, other columns, empty lines and a mark of UTF-8 are fine."""
        said = self.imported(
            '\ufeffId;"Read_At"; Degrees_Celsius ;remark\r\n'
            '1;"2024-04-02 12:00";7,3;"warm; for\r\nApril"\r\n'
            "\r\n"
            ";;;\r\n"
            "2;2024-04-02 13:00;8.1;\r\n"
        )
        self.assertEqual(said, "2 temperatures read, 2 of them new or changed.")
        self.assertEqual([one.tenths_celsius for one in self.temperatures()], [73, 81])

    def test_nothing_in_it(self) -> None:
        """A file with nothing but its header brings nothing."""
        self.assertEqual(self.imported("read_at;degrees_celcius"), "0 temperatures read, 0 of them new or changed.")

    def test_hours_of_changing_clocks(self) -> None:
        """A local time that comes twice, or never, is refused by its line; with an offset both are there."""
        for time in ("2024-10-27 02:30", "2024-03-31T02:30:00"):
            said = self.refused(f"read_at,degrees_celcius\n2024-04-02 12:00,7.3\n\n{time},8.1\n")
            self.assertIn(f", line 4: The clock in Europe/Amsterdam shows {time} twice, or never: write it with", said)
            self.assertTrue(said.endswith("Nothing was imported."), said)
        self.imported("read_at,degrees_celcius\n2024-10-27T02:30+02:00,8.1\n2024-10-27T02:30+01:00,7.9\n")
        self.assertEqual([one.tenths_celsius for one in self.temperatures()], [81, 79])

    def test_the_zone_is_the_meters(self) -> None:
        """A time without an offset is meant where the meter hangs."""
        self.store.database.writer().execute("UPDATE meter SET zone = 'Europe/Vilnius'")
        self.imported("read_at,degrees_celcius\n2024-04-02 12:00,7.3\n")
        self.assertEqual(self.temperatures(), [measured("2024-04-02T09:00:00Z", 73)])

    def test_lines_that_are_wrong(self) -> None:
        """The line is named, with what is wrong with it, and nothing of the file is imported."""
        for line, words in (
            ("2024-04-02 12:00,warm", "'warm' is no temperature; one looks like 7.3, between -99.9 and 99.9."),
            ('2024-04-02 12:00,"7,3"', "'7,3' is no temperature"),
            ("2024-04-02 12:00,", "'' is no temperature"),
            ("2024-04-02 12:00,451", "'451' is no temperature"),
            ("02-04-2024 12:00,7.3", "'02-04-2024 12:00' is no time; one looks like 2024-04-02 12:00 or"),
            (",7.3", "'' is no time"),
            ("0001-01-01T00:00+01:00,7.3", "'0001-01-01T00:00+01:00' is no time"),
            ("2024-04-02 12:00", "A time and a temperature are needed."),
        ):
            said = self.refused(f"read_at,degrees_celcius\n2024-04-02 11:00,7.3\n{line}\n2024-04-02 13:00,x\n")
            self.assertTrue(said.startswith(f", line 3: {words}"), said)

    def test_files_that_are_none(self) -> None:
        """What has no header, or is no text, is told so."""
        header = "must begin with a line that names its columns: read_at,degrees_celcius"
        for content in ("", "\n", "2024-04-02 12:00,7.3\n", "read_at\n", "time;degrees_celcius\n"):
            self.assertEqual(self.refused(content), header)
        self.assertEqual(self.refused(b"read_at,degrees_celcius\n\xff\n"), "is no text in UTF-8.")
        said = self.refused(f'read_at,degrees_celcius\n"{"9" * 200_000}",7\n')
        self.assertRegex(said, r"^, line \d: field larger than field limit")
        result = CliRunner().invoke(main, ["temperature", "import", str(self.path / "none.csv")])
        self.assertEqual(result.exit_code, 2)

    def test_the_example(self) -> None:
        """The example in the help can be typed as it stands."""
        shown = CliRunner().invoke(main, ["temperature", "import", "--help"]).output
        write, command = (line.strip() for line in shown.partition("Example:\n")[2].splitlines()[:2])
        subprocess.run(write, shell=True, check=True, cwd=self.path)
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.path)
        result = CliRunner().invoke(main, [*shlex.split(command)[1:], "--state-dir", str(self.path)])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.temperatures(), [measured("2024-04-02T10:00:00Z", 112)])

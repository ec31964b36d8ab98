"""Tests of dsmr_tw.cli.export."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.columns import DAY_HEADINGS, HOUR_HEADINGS, READING_HEADINGS
from dsmr_tw.domain.reading import HOUR
from tests.arrivals import METER, NOON, OTHER_METER, SECOND_CABLE, heard
from tests.past import compute, store_readings
from tests.prices import contract
from tests.serving import serve

ROOT = Path(__file__).resolve().parents[2]


class Terminal(StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Full(BytesIO):
    """A disk without room."""

    def write(self, data: object) -> int:
        """Take nothing."""
        raise OSError(28, "No space left on device")


@frozen
class Ran:
    """What a command did."""

    status: object
    written: bytes
    said: str

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the CSV that it wrote to standard output, the headings first."""
        return rows_of(self.written)


def rows_of(data: bytes) -> list[list[str]]:
    """The rows of a CSV file."""
    return list(csv.reader(StringIO(data.decode("utf-8"), newline="")))


class ExportTests(SynchronousTestCase):
    """Tables are exported beside a running server."""

    def setUp(self) -> None:
        """The store of a server that is still open: four days over the change to summer time, and a half."""
        self.state = Path(self.mktemp()).resolve()
        self.served = serve(str(self.state))
        self.addCleanup(self.served.close)
        store_readings(self.served, "2024-03-29T00:00", "2024-04-02T12:00")
        compute(self.served)
        self.file = self.state / "table.csv"

    def arguments(self, arguments: tuple[str | Path, ...]) -> list[str]:
        """The arguments of a command on that store."""
        return ["export", *map(str, arguments), "--state-dir", str(self.state)]

    def dsmr(self, *arguments: str | Path, stdout: BinaryIO | None = None, stderr: StringIO | None = None) -> Ran:
        """Run a command."""
        out, said, status = stdout or BytesIO(), stderr or StringIO(), None
        self.patch(sys, "stdout", TextIOWrapper(out))
        self.patch(sys, "stderr", said)
        try:
            main(self.arguments(arguments), prog_name="dsmr")
        except SystemExit as end:
            status = end.code
        written = out.getvalue() if isinstance(out, BytesIO) else b""
        return Ran(status, written, said.getvalue())

    def done(self, *arguments: str | Path) -> Ran:
        """Run a command that succeeds."""
        ran = self.dsmr(*arguments)
        self.assertEqual(ran.status, 0, ran.said)
        return ran

    def refused(self, *arguments: str | Path) -> str:
        """Run a command that is refused, and leaves no file behind that was not there; what it says."""
        before = sorted(os.listdir(self.state))
        ran = self.dsmr(*arguments)
        self.assertEqual((ran.status, ran.written), (1, b""), ran.said)
        self.assertEqual(sorted(os.listdir(self.state)), before)
        return ran.said

    def test_hours(self) -> None:
        """Hours of some days, both included, come on standard output, and nothing but they."""
        ran = self.done("hours", "--from", "2024-03-31", "--to", "2024-04-01")
        headings, *rows = ran.rows
        self.assertEqual(headings, HOUR_HEADINGS)
        self.assertEqual(len(rows), 23 + 24)
        self.assertEqual(rows[2], ["2024-03-31T03:00:00+02:00", "0.400", "0.100", "0.040", "0.000", "0.080"])
        self.assertEqual(ran.said, "47 rows written.\n")
        self.assertEqual(ran.written.count(b"\r\n"), 1 + 47)

    def test_days(self) -> None:
        """Days have their costs; without --from and --to all of them are there."""
        self.successResultOf(self.served.store.contracts.add(contract()))
        headings, *rows = self.done("days").rows
        self.assertEqual(headings, DAY_HEADINGS)
        self.assertEqual([row[0] for row in rows], ["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01"])
        self.assertEqual(rows[1][headings.index("Total Cost (EUR)")], "5.83")

    def test_readings(self) -> None:
        """Readings are there with all that the meter said, and with gas."""
        ran = self.done("readings", "--from", "2024-04-02")
        headings, *rows = ran.rows
        self.assertEqual(headings, READING_HEADINGS)
        self.assertEqual(len(rows), 12 * 4 + 1)
        last = dict(zip(headings, rows[-1], strict=True))
        self.assertEqual((last["Timestamp"], last["Voltage L1 (V)"]), ("2024-04-02T12:00:00+02:00", "230.100"))
        self.assertEqual(last["Gas (m3)"], "5177.520")

    def test_nothing_in_these_days(self) -> None:
        """Days without readings make a table of headings, and one row is one row."""
        ran = self.done("hours", "--to", "2024-03-28")
        self.assertEqual((ran.rows, ran.said), ([HOUR_HEADINGS], "0 rows written.\n"))
        self.assertEqual(self.done("days", "--from", "2024-04-01").said, "1 row written.\n")

    def test_a_file(self) -> None:
        """-o writes the same to a file, which is told, and nothing to standard output."""
        expected = self.done("readings").written
        ran = self.done("readings", "-o", self.file)
        self.assertEqual((ran.written, ran.said), (b"", f"429 rows written to {self.file}.\n"))
        self.assertEqual(self.file.read_bytes(), expected)
        self.assertEqual([name for name in os.listdir(self.state) if name.endswith(".part")], [])
        self.assertEqual(self.done("readings", "-o", "-").written, expected)

    def test_a_file_that_is_there(self) -> None:
        """It stays as it is, unless --force says otherwise."""
        self.file.write_bytes(b"mine")
        said = self.refused("days", "-o", self.file)
        self.assertIn(f"{self.file} is there already; choose another name, or overwrite it with --force.", said)
        self.assertEqual(self.file.read_bytes(), b"mine")
        self.done("days", "-o", self.file, "--force")
        self.assertEqual(rows_of(self.file.read_bytes())[0], DAY_HEADINGS)

    def test_what_is_no_file(self) -> None:
        """A directory or a device is never replaced by a file."""
        for path in (self.state, Path(os.devnull)):
            said = self.refused("days", "-o", path, "--force")
            self.assertIn(f"{path} is there, and is no file", said)

    def test_a_file_that_can_not_be(self) -> None:
        """What keeps it from being written is one sentence."""
        path = self.state / "nowhere" / "table.csv"
        said = self.refused("days", "-o", path)
        self.assertEqual(said, f"Error: {path} can't be written: No such file or directory.\n")

    def test_half_a_file(self) -> None:
        """When the export fails there is neither a file nor half of one, and the old one stays."""
        self.file.write_bytes(b"mine")
        writer = self.served.store.database.writer()
        writer.execute("ALTER TABLE day_statistics RENAME TO hidden")
        said = self.refused("days", "-o", self.file, "--force")
        self.assertIn("no such table", said)
        self.assertEqual(self.file.read_bytes(), b"mine")

    def test_a_full_disk(self) -> None:
        """Standard output may be a file on a disk that is full."""
        ran = self.dsmr("days", stdout=Full())
        self.assertEqual(ran.status, 1)
        self.assertEqual(ran.said, "Error: standard output can't be written: No space left on device.\n")

    def test_progress(self) -> None:
        """A person at a terminal sees how far a file is, and then how many rows it has."""
        terminal = Terminal()
        ran = self.dsmr("readings", "-o", self.file, stderr=terminal)
        self.assertIn("Exporting readings", ran.said)
        self.assertIn("100%", ran.said)
        self.assertTrue(ran.said.endswith(f"\n429 rows written to {self.file}.\n"), ran.said)
        ran = self.dsmr("readings", "-o", self.file, "--force", "--to", "2024-03-28", stderr=Terminal())
        self.assertEqual(ran.said, f"0 rows written to {self.file}.\n")

    def test_no_progress_without_a_file(self) -> None:
        """On standard output no bar stands between the rows."""
        ran = self.dsmr("readings", stderr=Terminal())
        self.assertEqual(ran.said, "429 rows written.\n")

    def test_days_in_the_wrong_order(self) -> None:
        """A typing error in a day is told, and so is one that is none."""
        said = self.refused("days", "--from", "2024-03-31", "--to", "2024-03-30")
        self.assertEqual(said, "Error: --to 2024-03-30: that is before the first day, 2024-03-31.\n")
        ran = self.dsmr("days", "--from", "31-03-2024")
        self.assertEqual(ran.status, 2)
        self.assertIn("31-03-2024", ran.said)

    def test_another_meter(self) -> None:
        """A second meter is exported by its id or name; one that there is not is told."""
        other = heard(NOON + HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER)
        ours = heard(NOON + HOUR, equipment_id=METER)
        self.successResultOf(self.served.store.readings.add([[ours, other]], NOON))
        for wanted in ("2", "Meter 2"):
            self.assertEqual(len(self.done("readings", "--meter", wanted).rows), 1 + 1)
        self.assertEqual(len(self.done("readings", "--meter", "1").rows), 1 + 430)
        self.assertIn("There is no meter '3'", self.refused("readings", "--meter", "3"))

    def test_examples(self) -> None:
        """The examples in the help can be typed as they stand."""
        shown = self.done("--help").written.decode()
        examples = [line.strip() for line in shown.splitlines() if line.strip().startswith("dsmr export")]
        self.assertEqual(len(examples), 2)
        for example in examples:
            words = shlex.split(example.partition("|")[0].removeprefix("dsmr export"))
            self.done(*(str(self.file) if word == "hours.csv" else word for word in words))
        self.assertTrue(self.file.exists())

    def test_a_pipe_that_is_closed(self) -> None:
        """``| head`` has what it wants, and nobody complains."""
        reading, writing = os.pipe()
        os.close(reading)
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "dsmr_tw.cli", *self.arguments(("readings",))],
                stdout=writing,
                stderr=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                check=False,
            )
        finally:
            os.close(writing)
        self.assertEqual(ended.stderr, b"")

"""Each benchmark runs and is documented. What it measures is not judged here: no test depends on the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.postgres import server
from tests.powercut.powered import needed

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120


def scripts() -> set[str]:
    """The modules of ``benchmarks/`` that can be run."""
    found = (path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8"))
    return {path.stem for path in found}


@tried_once
class BenchmarkTests(SynchronousTestCase):
    """The figures of ``docs/benchmarks.md`` can be measured by anybody."""

    if not sys.platform.startswith("linux"):
        skip = "the benchmarks read /proc"

    def told(self, name: str, *arguments: str) -> str:
        """What a benchmark prints."""
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def assert_tells(self, name: str, figure: str) -> None:
        """The benchmark prints its figure in these words, and leaves nothing behind."""
        place = Path(self.mktemp()).resolve()
        place.mkdir()
        self.assertIn(figure, self.told(name, "--quick", "--directory", str(place)))
        self.assertEqual(list(place.iterdir()), [])

    def test_each_is_documented_with_its_command(self) -> None:
        """Whoever reads a figure can print it again."""
        text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
        self.assertEqual([name for name in sorted(scripts()) if f"python -m benchmarks.{name}" not in text], [])

    def test_each_explains_itself(self) -> None:
        """``--help`` says what is measured, and how."""
        for name in scripts():
            self.assertIn("usage: ", self.told(name, "--help"))

    def test_parse(self) -> None:
        """Telegrams a second."""
        self.assert_tells("parse", "telegrams a second become readings")

    def test_flat(self) -> None:
        """The memory that many telegrams with a log of power failures take."""
        self.assert_tells("flat", "each with a log")

    def test_fuzz(self) -> None:
        """Bytes that break nothing."""
        self.assert_tells("fuzz", "Nothing broke")

    def test_post(self) -> None:
        """POSTs a second, each of them acknowledged and listed."""
        self.assert_tells("post", "as many readings are listed")

    def test_pages(self) -> None:
        """The time that lists take, whose counts are right."""
        self.assert_tells("pages", "latest reading:")

    def test_ledger(self) -> None:
        """The time that a rebuild takes, and a tick."""
        self.assert_tells("ledger", "ms for a tick after a late reading")

    def test_history(self) -> None:
        """The time that statistics take."""
        self.assert_tells("history", "the total between two instants:")

    def test_retention(self) -> None:
        """The time that thinning out takes, after which every hour is as it was."""
        self.assert_tells("retention", "Every hour is as it was")

    def test_memory(self) -> None:
        """The memory of the service."""
        self.assert_tells("memory", "MB while 8 clients post")

    def test_size(self) -> None:
        """Bytes for a reading."""
        self.assert_tells("size", "three phases, with sun")

    def test_postgres_size(self) -> None:
        """Bytes for a reading on a server."""
        server()
        self.assert_tells("postgres_size", "bytes a reading, and")

    def test_fleet(self) -> None:
        """Posts of many meters to PostgreSQL."""
        self.assert_tells("fleet", "durable posts a second")

    def test_spool(self) -> None:
        """The room that telegrams take while the database is away, and how fast they are stored afterwards."""
        self.assert_tells("spool", "readings a second are drained into SQLite")

    def test_powercut(self) -> None:
        """Power cuts, after each of which everything is looked for."""
        needed()
        self.assert_tells("powercut", "changes were not synced when the power went")

    def test_forward(self) -> None:
        """Telegrams wait for servers that are away, over a kill, and come to them in their order."""
        self.assert_tells("forward", "to one that takes one telegram a POST: all, in their order, each once")

    def test_kills(self) -> None:
        """What is lost when the service is killed."""
        self.assert_tells("kills", "0 things were wrong")

    def test_hostile(self) -> None:
        """How long a post takes while others do their worst."""
        self.assert_tells("hostile", "of the 50 that it may be")

    def test_wear(self) -> None:
        """Bytes a day that go to the disk."""
        self.assert_tells("wear", "when committed every 30 s")

    def test_soak(self) -> None:
        """What the whole service holds after some days."""
        self.assert_tells("soak", "quarters dirty;")

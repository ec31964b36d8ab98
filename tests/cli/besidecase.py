"""What tests of commands stand on that work beside a running server: its store, kept open while they run."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import Arrival
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import SpanFilter


class Impatient(io.StringIO):
    """A terminal whose person presses Ctrl-C as soon as a bar, with that label, has come this far."""

    def __init__(self, percent: int, label: str = "") -> None:
        super().__init__()
        self.percent: int | None = percent
        self.label = label

    def isatty(self) -> bool:
        """It is one."""
        return True

    def write(self, text: str) -> int:
        """Show a text."""
        written = super().write(text)
        shown = text.rpartition("%")[0].rpartition(" ")[2]
        if self.percent is not None and self.label in text and shown.isdigit() and int(shown) >= self.percent:
            self.percent = None
            raise KeyboardInterrupt
        return written


class BesideCase(SynchronousTestCase):
    """A test of a command on the store of a server that has started once, and is still open."""

    verb: str

    def setUp(self) -> None:
        """Open the store."""
        self.path = Path(self.mktemp()).resolve()
        self.store = sqlite_store(self.path / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        self.store.database.writer().execute("PRAGMA synchronous = OFF")

    def where(self) -> list[str]:
        """The options that say which store is meant."""
        return ["--state-dir", str(self.path)]

    def add(self, *arrivals: Arrival) -> None:
        """Store arrivals."""
        result_of(self.store.readings.add([arrivals], max(arrival.received_at for arrival in arrivals)))

    def hours(self, meter_id: int = 1) -> list[int]:
        """What the server lists of each hour: electricity delivered in tariff 1."""
        page = result_of(self.store.statistics.page(SpanFilter(SpanKind.HOUR, meter_id), False, 0, 10_000))
        return [row.amounts.delivered_1 for row in page.rows]

    def dsmr(self, *arguments: str, answer: str = "") -> Result:
        """Run the command on that store."""
        return CliRunner().invoke(main, [self.verb, *arguments, *self.where()], input=answer)

    def done(self, *arguments: str, answer: str = "") -> str:
        """Run it so that it succeeds; what it says."""
        result = self.dsmr(*arguments, answer=answer)
        self.assertEqual(result.exit_code, 0, f"{result.output}{result.exc_info}")
        return result.output

    def refused(self, *arguments: str) -> str:
        """Run it so that it is refused, with a sentence; which one."""
        result = self.dsmr(*arguments)
        self.assertEqual(result.exit_code, 1, f"{result.output}{result.exc_info}")
        self.assertTrue(result.output.startswith("Error: "), result.output)
        return result.output

    def interrupted(self, *arguments: str, percent: int, label: str = "") -> tuple[str, str]:
        """Run it on a terminal and press Ctrl-C; what it says, and what its bars showed."""
        said, terminal = io.StringIO(), Impatient(percent, label)
        with redirect_stdout(said), redirect_stderr(terminal), self.assertRaises(SystemExit) as caught:
            main([self.verb, *arguments, *self.where()])
        self.assertEqual(caught.exception.code, 130)
        return said.getvalue(), terminal.getvalue()

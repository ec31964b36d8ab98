"""Tests of clocks that are set while a real server runs."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.live.running import PATIENCE_S, RunningServer
from tests.live.terminal import Terminal
from tests.telegramtext import telegram

HOUR_S = 3600
READINGS = "/api/v2/datalogger/dsmrreading"


@tried_once
class TimeTests(SynchronousTestCase):
    """A server with a meter on a cable, and a clock that the test sets."""

    def setUp(self) -> None:
        """The cable is plugged in; the clock is right."""
        path = Path(self.mktemp()).resolve()
        path.mkdir()
        self.cable = Terminal(str(path / "ttyUSB0"))
        self.cable.plug()
        self.addCleanup(self.cable.unplug)
        self.clock = path / "clock"
        self.set_clock(0)
        self.server = RunningServer(path / "state", ("--device", self.cable.path), self.clock)
        self.addCleanup(self.end)

    def end(self) -> None:
        """Let nothing run on."""
        if self.server.process.poll() is None:
            self.server.kill()

    def set_clock(self, wrong_by: float) -> None:
        """Set the server's clock; it never sees half a number."""
        new = self.clock.with_name("new")
        new.write_text(str(wrong_by))
        os.replace(new, self.clock)

    def start(self) -> None:
        """Start the server and wait until it listens to the cable."""
        self.server.start()
        self.until(lambda: self.health()["sources"][0]["connected"])

    def health(self) -> Any:
        """What the server says of itself."""
        return self.server.client().get("/health")

    def until(self, holds: Any) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            self.assertLess(time.monotonic(), end, self.health())
            time.sleep(0.05)

    def timestamps(self) -> list[str]:
        """The instants of what is stored."""
        return [reading["timestamp"] for reading in self.server.client().get(READINGS)["results"]]

    def test_a_clock_that_is_set_back(self) -> None:
        """Just when a telegram waits to be committed, the clock is set back by an hour: it is stored all the same."""
        self.start()
        for number, wrong_by in enumerate((-HOUR_S, -3 * HOUR_S, HOUR_S), 1):
            self.cable.print(telegram(delivered=f"{number:06}.000").encode())
            self.until(lambda number=number: self.health()["sources"][0]["telegrams"] == number)
            self.set_clock(wrong_by)
            self.until(lambda number=number: len(self.timestamps()) == number)
        self.assertTrue(self.server.stop(), self.server.log.decode())

    def test_a_boot_in_1970(self) -> None:
        """A meter without a clock, a computer without one: nothing is lost, over a crash, and all is dated right."""
        self.set_clock(100 - time.time())
        self.start()
        began = time.time()
        for number in range(3):
            text = telegram(delivered=f"{number:06}.000", without="0-0:1.0.0")
            self.cable.print(text.encode())
        self.until(lambda: self.health()["undated"]["waiting"] == 3)
        ended = time.time()
        self.until(lambda: self.health()["undated"]["bytes"] > 0)
        self.assertEqual(self.timestamps(), [])
        self.assertIn("the clock of this server is not set", str(self.health()["problems"]))
        self.server.kill()
        self.start()
        self.set_clock(0)
        self.until(lambda: len(self.timestamps()) == 3)
        for timestamp in self.timestamps():
            at = datetime.fromisoformat(timestamp).timestamp()
            self.assertTrue(began - 1 <= at <= ended + 1, (began, at, ended))
        self.assertEqual(self.health()["undated"]["waiting"], 0)
        self.assertTrue(self.server.stop(), self.server.log.decode())

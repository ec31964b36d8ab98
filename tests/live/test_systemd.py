"""systemd is told what is true, and the unit keeps the service from everything that it does not need."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.live.running import ROOT, RunningServer
from tests.test_systemd import Systemd

PATIENCE_S = 30
UNITS = sorted((ROOT / "systemd").glob("*.service"))
MOST_EXPOSURE = 2.0


class ProcessTests(SynchronousTestCase):
    """``twistd -n dsmr``, started as systemd starts it."""

    def setUp(self) -> None:
        """A systemd that listens, and wants to hear something every two seconds."""
        self.systemd = Systemd(f"@dsmr-test-{os.getpid()}-{id(self)}")
        self.addCleanup(self.systemd.wire.close)
        self.heard: list[str] = []
        self.told = {"NOTIFY_SOCKET": self.systemd.address, "WATCHDOG_USEC": "2000000"}

    def listen(self, until: Callable[[list[str]], bool]) -> list[str]:
        """All that was told, as soon as it is so."""
        end = time.monotonic() + PATIENCE_S
        while not until(self.heard):
            self.assertLess(time.monotonic(), end, self.heard)
            time.sleep(0.01)
            self.heard += self.systemd.heard()
        return self.heard

    def test_from_start_to_stop(self) -> None:
        """It is ready when it answers, alive while it turns, and says when it goes."""
        server = RunningServer(Path(self.mktemp()).resolve(), ("--demo",), environment=self.told)
        server.start(ready=False)
        self.addCleanup(server.process.kill)
        before = self.listen(lambda heard: "READY=1" in heard)
        self.assertEqual(before[:2], ["EXTEND_TIMEOUT_USEC=3600000000", "STATUS=opens the database"])
        client = server.client()
        self.assertEqual(client.status("/api/v2/datalogger/dsmrreading"), 200)
        client.connection.close()
        self.listen(lambda heard: heard[heard.index("READY=1") :].count("WATCHDOG=1") >= 2)
        server.process.send_signal(signal.SIGTERM)
        server.finish()
        after = self.listen(lambda heard: "STOPPING=1" in heard)
        self.assertIn("EXTEND_TIMEOUT_USEC=30000000", after)

    def test_a_service_that_hangs(self) -> None:
        """It says nothing any more, so that systemd starts it anew."""
        server = RunningServer(Path(self.mktemp()).resolve(), ("--demo",), environment=self.told).start()
        self.addCleanup(server.process.kill)
        self.listen(lambda heard: "WATCHDOG=1" in heard)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        self.systemd.heard()
        time.sleep(1.5)
        self.assertEqual(self.systemd.heard(), [])
        server.process.send_signal(signal.SIGCONT)
        server.process.terminate()
        server.finish()


class UnitTests(SynchronousTestCase):
    """The unit files."""

    def test_exposure(self) -> None:
        """What an intruder could do from inside the service is little, by systemd's own measure."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("systemd-analyze is not there")
        self.assertEqual([unit.name for unit in UNITS], ["dsmr-forward.service", "dsmr.service", "dsmr_tw@.service"])
        for unit in UNITS:
            done = subprocess.run(
                ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
                capture_output=True,
                encoding="utf-8",
            )
            found = re.search(r"exposure level for \S+: (\d+\.\d)", done.stdout)
            if found is None:
                raise SkipTest(f"systemd-analyze is too old to look at a file: {done.stderr}")
            self.assertLessEqual(float(found[1]), MOST_EXPOSURE, done.stdout)

    def test_the_page_says_what_the_unit_does(self) -> None:
        """``docs/deployment.md`` has the paths, the times and the exposure of the files."""
        page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
        for unit in UNITS:
            self.assertIn(f"](../systemd/{unit.name})", page)
            lines = unit.read_text("utf-8").splitlines()
            self.assertIn("TimeoutStopSec=30", lines)
            self.assertIn("WatchdogSec=60", lines)
            [command] = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
            # Supervisor runs the same program with the same settings.
            if "dsmr-forward" not in command:
                self.assertIn(f"command={command.partition(' --http ')[0]} ", page)

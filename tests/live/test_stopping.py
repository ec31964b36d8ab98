"""A stop under load: what was acknowledged is stored, and whoever is turned away is told so."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.live.running import RunningServer
from tests.live.test_first_light import cable
from tests.live.traffic import Line, Poster, Traffic

STOPS_WITHIN_S = 10
"""systemd waits longer: TimeoutStopSec of its unit."""

UNDER_LOAD_S = 1.0
ARRIVED_S = 0.2
"""By then a telegram has come from one end of the cable to the other."""


@tried_once
class StoppingTests(SynchronousTestCase):
    """``systemctl stop``, while posts and a line go on."""

    def setUp(self) -> None:
        """A server that gathers what a line says for longer than the test lasts."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        arguments = ("--device", str(self.folder / "meter"), "--commit-interval", "5")
        self.server = RunningServer(self.folder / "state", arguments)

    def stop(self) -> None:
        """Stop it as systemd does; it does not take long, and fails at nothing."""
        self.server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        self.server.finish()
        self.assertLess(time.monotonic() - begun, STOPS_WITHIN_S)
        self.assertIn(b"Server Shut Down.", self.server.log)
        self.assertNotRegex(bytes(self.server.log), rb"Traceback|Unhandled|kept nowhere")

    def assert_nothing_is_missing(self, traffic: Traffic) -> None:
        """The next start finds all that was taken, once."""
        self.server.start()
        client = self.server.client()
        self.assertEqual(traffic.missing(client), {})
        client.connection.close()
        self.assertTrue(self.server.stop())

    def test_posts_and_a_line(self) -> None:
        """Each 201 is stored, so is each telegram of the line, and no other answer than 503 is given."""
        with cable(self.folder / "meter") as meter:
            self.server.start()
            self.addCleanup(lambda: self.server.process.kill())
            traffic = Traffic.on(self.server, meter)
            traffic.posters += [Poster(self.server, f"HASTY-{number}", 0.0) for number in range(4)]
            traffic.start()
            time.sleep(UNDER_LOAD_S)
            # A line that went on would print to nobody.
            traffic.line.stop()
            time.sleep(ARRIVED_S)
            self.stop()
            traffic.stop()
            self.assertLessEqual(set(traffic.answers()), {201, 503, 0}, traffic.answers())
            self.assertGreater(traffic.answers()[201], 100)
            self.assert_nothing_is_missing(traffic)

    def test_a_line_that_waits_for_company(self) -> None:
        """What is gathered in memory is written before the end."""
        with cable(self.folder / "meter") as meter:
            self.server.start()
            self.addCleanup(lambda: self.server.process.kill())
            traffic = Traffic([], Line(meter, "LINE-1", 0.05))
            traffic.start()
            time.sleep(UNDER_LOAD_S)
            traffic.stop()
            time.sleep(ARRIVED_S)
            self.stop()
            self.assertGreater(traffic.line.printed, 5)
            self.assert_nothing_is_missing(traffic)

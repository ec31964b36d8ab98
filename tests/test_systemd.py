"""Tests of dsmr_tw.systemd: what systemd is told, and when it is left to think that the service is dead."""

from __future__ import annotations

import socket
from pathlib import Path

from attrs import define, field
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dsmr_tw.interfaces import IHealth
from dsmr_tw.systemd import LONGEST_STOP_S, STUCK_S, UNHEARD, Notifying, Told


@implementer(IHealth)
@define
class SaidHealth:
    """Reports what a test says."""

    problems: list[str] = field(factory=list)

    def report(self) -> dict[str, object]:
        """See ``IHealth``."""
        return {"status": "degraded" if self.problems else "ok", "problems": self.problems}


class Systemd:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.wire.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.wire.setblocking(False)

    def heard(self) -> list[str]:
        """What was told since it was last asked, a line each."""
        lines: list[str] = []
        while True:
            try:
                lines += self.wire.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


class SystemdCase(SynchronousTestCase):
    """A systemd that listens."""

    def listen(self, address: str | None = None) -> Systemd:
        """At a path of the test's own, or this one."""
        if address is None:
            # The path of a socket has to be short.
            address = str(Path(self.mktemp()).resolve())[-100:]
            Path(address).parent.mkdir(parents=True, exist_ok=True)
        systemd = Systemd(address)
        self.addCleanup(systemd.wire.close)
        return systemd


class NotifyingTests(SystemdCase):
    """The messages."""

    def test_a_path_and_an_abstract_name(self) -> None:
        """A socket is named in either way."""
        for systemd in (self.listen(), self.listen(f"@dsmr-{id(self)}")):
            Notifying(systemd.address).tell(READY=1, STATUS="serves")
            self.assertEqual(systemd.heard(), ["READY=1", "STATUS=serves"])

    def test_what_systemd_says_in_the_environment(self) -> None:
        """Where its socket is, and how often it wants to hear of us."""
        environment = {"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}
        self.assertEqual(Notifying.of(environment, 7), Notifying("/run/systemd/notify", 60.0))
        self.assertEqual(Notifying.of(environment, 8), Notifying("/run/systemd/notify"))
        self.assertEqual(Notifying.of({**environment, "WATCHDOG_USEC": "0"}, 7), Notifying("/run/systemd/notify"))
        self.assertEqual(Notifying.of({**environment, "WATCHDOG_USEC": "soon"}, 7), Notifying("/run/systemd/notify"))

    def test_without_systemd_nothing_happens(self) -> None:
        """A service that somebody started in a terminal tells nobody."""
        self.assertEqual(Notifying.of({}, 7), UNHEARD)
        clock = Clock()
        told = Told(UNHEARD, clock, SaidHealth(), lambda: False)
        told.startService()
        told.ready()
        told.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_a_message_that_nobody_takes_is_left_at_that(self) -> None:
        """The service goes on when systemd's socket is gone."""
        with capturedLogs() as logs:
            Notifying(self.mktemp()).tell(READY=1)
        self.assertEqual([event["log_level"].name for event in logs], ["debug"])

    def test_a_word_of_several_lines_stays_one(self) -> None:
        """No error text can pretend to be another message."""
        systemd = self.listen()
        Notifying(systemd.address).tell(STATUS="store: bad\nSTOPPING=1")
        self.assertEqual(systemd.heard(), ["STATUS=store: bad STOPPING=1"])


class ToldTests(SystemdCase):
    """A service from its start to its end."""

    def setUp(self) -> None:
        """A service that has started, and whose systemd waits 60 s for a word."""
        self.systemd, self.clock, self.health = self.listen(), Clock(), SaidHealth()
        self.is_stuck = False
        self.told = Told(Notifying(self.systemd.address, 60.0), self.clock, self.health, lambda: self.is_stuck)
        self.told.startService()
        self.assertEqual(self.systemd.heard(), ["WATCHDOG=1", "STATUS=ok"])

    def pass_by(self, seconds: int) -> list[str]:
        """What systemd hears meanwhile."""
        self.clock.pump([1] * seconds)
        return self.systemd.heard()

    def test_ready_when_the_store_is_known(self) -> None:
        """Services that wait for this one are started then."""
        self.told.ready()
        self.assertEqual(self.systemd.heard(), ["READY=1", "STATUS=ok"])

    def test_ready_at_once_where_there_is_no_store(self) -> None:
        """A service that only sends telegrams on is ready when it has started."""
        told = Told(Notifying(self.systemd.address), Clock(), self.health, lambda: False, ready_at_start=True)
        told.startService()
        self.assertIn("READY=1", self.systemd.heard())
        told.stopService()
        told._loop.stop()

    def test_not_ready_any_more_while_it_stops(self) -> None:
        """A store that opens in the middle of a stop is no news."""
        self.told.stopService()
        self.systemd.heard()
        self.told.ready()
        self.assertEqual(self.systemd.heard(), [])

    def test_alive_as_long_as_the_reactor_turns(self) -> None:
        """Every ten seconds, and at least twice in the time that systemd waits."""
        self.assertEqual(self.pass_by(60), ["WATCHDOG=1"] * 6)
        hasty = Told(Notifying(self.systemd.address, 4.0), self.clock, self.health, lambda: False)
        self.told.stopService()
        hasty.startService()
        self.systemd.heard()
        self.assertEqual(self.pass_by(8).count("WATCHDOG=1"), 4)

    def test_without_a_watchdog_the_status_is_told(self) -> None:
        """An operator may leave WatchdogSec out of the unit."""
        told = Told(Notifying(self.systemd.address), self.clock, self.health, lambda: False)
        told.startService()
        self.assertEqual(self.systemd.heard(), ["STATUS=ok"])

    def test_what_is_wrong_is_told_once(self) -> None:
        """`systemctl status` shows what /health says."""
        self.health.problems = ["meter: no telegram for 70 s"]
        told = self.pass_by(30)
        self.assertEqual(
            [line for line in told if line != "WATCHDOG=1"], [f"STATUS=degraded; {self.health.problems[0]}"]
        )
        self.health.problems = []
        self.assertIn("STATUS=ok", self.pass_by(10))

    def test_neither_store_nor_spool_answers(self) -> None:
        """When nothing is kept any more, and nobody says why, systemd shall start the service anew."""
        self.is_stuck = True
        self.assertEqual(len(self.pass_by(int(STUCK_S))), STUCK_S / 10)
        self.assertEqual(self.pass_by(600), [])
        self.is_stuck = False
        self.assertEqual(self.pass_by(10), ["WATCHDOG=1"])

    def test_a_stop_may_take_its_time_but_not_for_ever(self) -> None:
        """What was taken is stored first; systemd grants half a minute more each time, for five minutes."""
        self.told.stopService()
        stopping = ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=stops: what was taken is stored first"]
        self.assertEqual(self.systemd.heard(), ["STOPPING=1", "WATCHDOG=1", *stopping])
        self.assertEqual(self.pass_by(10), ["WATCHDOG=1", *stopping])
        self.pass_by(LONGEST_STOP_S)
        self.assertEqual(self.pass_by(10), ["WATCHDOG=1"])

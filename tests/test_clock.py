"""Tests of dsmr_tw.clock."""

from __future__ import annotations

import time

from twisted.internet.interfaces import IReactorTime
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.clock import Boot, SteadyClock, make_steady

NOON = 1_712_052_000.0


class SteadyClockTests(SynchronousTestCase):
    """A reactor of its own that is not run: the test turns it."""

    def setUp(self) -> None:
        """It is noon, and the reactor counts seconds that the test lets pass."""
        self.now, self.passed = NOON, 100.0
        self.reactor = SelectReactor()
        self.addCleanup(self.reactor.disconnectAll)
        self.clock = SteadyClock(self.reactor, lambda: self.now)
        self.reactor.seconds = lambda: self.passed
        self.called: list[float] = []

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.passed += seconds
        self.reactor.runUntilCurrent()

    def test_interface(self) -> None:
        """It is a clock like any other."""
        self.assertTrue(verifyObject(IReactorTime, self.clock))
        self.assertEqual(self.clock.seconds(), NOON)

    def test_a_delay_is_as_long_as_it_is(self) -> None:
        """Whether the clock is set back by an hour or ahead by fifty years, ten seconds are ten seconds."""
        for step in (-3600.0, 50 * 365 * 86400.0):
            self.called.clear()
            self.clock.callLater(10, lambda: self.called.append(self.passed))
            began = self.passed
            self.now += step
            self.turn(9)
            self.assertEqual(self.called, [])
            self.turn(1)
            self.assertEqual(self.called, [began + 10])

    def test_ticks_go_on(self) -> None:
        """What happens every second still does when the clock is set back."""
        loop = LoopingCall(lambda: self.called.append(self.passed))
        loop.clock = self.clock
        loop.start(1)
        self.now -= 3600
        for _ in range(5):
            self.turn(1)
        self.assertEqual(len(self.called), 6)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        loop.stop()

    def test_a_reactor_is_made_steady(self) -> None:
        """From then on it counts by what the system counts, and the time of day is told beside it."""
        make_steady(self.reactor)
        self.assertTrue(abs(time.monotonic() - self.reactor.seconds()) < 60)
        self.assertTrue(abs(time.time() - SteadyClock(self.reactor).seconds()) < 60)


class BootTests(SynchronousTestCase):
    """Which run of the machine this is."""

    def test_two_processes_of_one_run_agree(self) -> None:
        """Whoever asks gets the same answer until the machine is started again."""
        self.assertEqual(Boot().id, Boot().id)
        self.assertGreater(len(Boot().id), 30)

    def test_a_system_that_does_not_tell(self) -> None:
        """There each process is a run of its own, so that nothing is compared that can't be."""
        from dsmr_tw import clock

        self.patch(clock, "BOOT_ID", clock.BOOT_ID / "none")
        self.assertNotEqual(Boot().id, Boot().id)

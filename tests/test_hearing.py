"""Tests of dsmr_tw.hearing: when another speed is tried, and when none is."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.speed import FAST, MOST_BYTES, SEVEN_BITS, SLOW, LineSetting, SpeedSearch
from dsmr_tw.hearing import PATIENCE_S, PAUSE_S, Hearing
from tests.printing import printed
from tests.uart import through


class HearingTests(SynchronousTestCase):
    """Listening to one port."""

    def setUp(self) -> None:
        """An open port, which notes how it is tuned."""
        self.clock = Clock()
        self.found: list[LineSetting] = []
        self.tuned: list[LineSetting] = []
        self.hearing = Hearing(self.clock, on_found=self.found.append)
        self.hearing.opened(self.tuned.append)

    def say(self, spoken: LineSetting = SEVEN_BITS) -> bytes:
        """Let the meter print: what is understood of it."""
        return self.hearing.heard(through(printed(1), spoken, self.hearing.search.setting))

    def wait(self, seconds: int) -> None:
        """Let seconds pass, each with its tick."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.hearing.tick()

    def test_a_slow_meter(self) -> None:
        """Its second telegram is understood, and whoever wants to know is told."""
        self.assertNotEqual(self.say(), printed(1))
        self.assertEqual(self.tuned, [])
        self.clock.advance(PAUSE_S)
        self.assertEqual((self.tuned, self.say()), ([SLOW], printed(1)))
        self.assertTrue(self.hearing.settle())
        self.assertEqual((self.found, self.hearing.settle()), ([SLOW], False))

    def test_never_amid_a_telegram(self) -> None:
        """As long as bytes come the port is left alone: the next telegram must not be cut."""
        for _ in range(20):
            self.hearing.heard(b"\xff\x00\xff\x00")
            self.clock.advance(PAUSE_S * 0.9)
        self.assertEqual(self.tuned, [])
        self.clock.advance(PAUSE_S * 0.2)
        self.assertEqual(self.tuned, [SLOW])

    def test_noise_without_end(self) -> None:
        """A line that never pauses is tuned all the same."""
        self.hearing.heard(b"\xff" * 10)
        self.hearing.heard(b"\xff" * MOST_BYTES)
        self.assertEqual((self.tuned, self.clock.getDelayedCalls()), ([SLOW], []))
        self.hearing.heard(b"\x00" * 2 * MOST_BYTES)
        self.assertEqual(self.tuned, [SLOW, FAST])

    def test_silence(self) -> None:
        """Where nothing comes each speed has its time; a meter that prints every ten seconds is waited for."""
        self.wait(PATIENCE_S - 1)
        self.assertEqual(self.tuned, [])
        self.wait(1)
        self.assertEqual(self.tuned, [SLOW])
        self.say()
        self.hearing.settle()
        self.wait(1000)
        self.assertEqual(self.tuned, [SLOW])

    def test_bytes_are_no_silence(self) -> None:
        """What comes now and then keeps a port at its speed."""
        for _ in range(10):
            self.wait(PATIENCE_S - 1)
            self.hearing.heard(b"\r\n")
        self.assertEqual(self.tuned, [])

    def test_found(self) -> None:
        """Once the speed is known, noise changes nothing, and nothing is waited for any more."""
        self.say(FAST)
        self.hearing.settle()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.hearing.heard(b"\xff" * 1000)
        self.clock.advance(60)
        self.assertEqual(self.tuned, [])

    def test_another_meter(self) -> None:
        """After a swap of the meter the search begins anew, when no telegram came for long."""
        self.say(FAST)
        self.hearing.settle()
        self.say()
        self.hearing.doubt()
        self.say()
        self.clock.advance(PAUSE_S)
        self.assertEqual(self.say(), printed(1))
        self.assertTrue(self.hearing.settle())
        self.assertEqual(self.found, [FAST, SLOW])

    def test_a_cable_pulled_out(self) -> None:
        """Nothing is tuned that is closed, and a port that is opened again is listened to like before."""
        self.say()
        self.hearing.closed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.say()
        self.clock.advance(PAUSE_S)
        self.assertEqual((self.tuned, self.hearing.search.setting), ([], SLOW))
        self.hearing.closed()

    def test_what_is_known(self) -> None:
        """A search that begins with the right speed understands the first telegram."""
        self.hearing = Hearing(self.clock, SpeedSearch(SLOW))
        self.assertEqual(self.say(), printed(1))
        self.assertTrue(self.hearing.settle())

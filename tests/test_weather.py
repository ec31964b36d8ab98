"""Tests of dsmr_tw.weather: temperatures come, again and again, until the service stops."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IReporting
from dsmr_tw.weather import EVERY_S, FIRST_S, JITTER_S, LONGEST_S, RETRY_S
from tests.arrivals import NOON
from tests.feeding import JITTER, Unreachable, WeatherCase, answer


class ScheduleTests(WeatherCase):
    """When the feed is asked."""

    def test_a_temperature(self) -> None:
        """Soon after the start the first one is stored, and shown in ``/health``."""
        self.assertTrue(verifyObject(IReporting, self.weather))
        self.assertEqual(self.weather.figures(), {"last_success_at": None, "last_error": None})
        self.clock.advance(FIRST_S)
        self.assertEqual(self.stored(), [Temperature(NOON, 112)])
        self.assertEqual((self.weather.last_success_at, self.weather.last_error), (NOON + FIRST_S * SECOND, None))
        self.assertEqual(self.weather.figures()["last_success_at"], to_utc_text(NOON + FIRST_S * SECOND))

    def test_no_temperature_is_no_problem(self) -> None:
        """Why none comes is told in ``/health``, but nothing is wrong with the service."""
        self.behave(503, b"")
        self.clock.advance(FIRST_S)
        self.assertEqual(self.weather.figures()["last_error"], "it answers with status 503")
        self.assertEqual(self.weather.problems(), [])

    def test_what_is_asked(self) -> None:
        """One request, that says who asks, and wants nothing compressed."""
        self.clock.advance(FIRST_S)
        [request] = self.host.requests
        self.assertEqual((request.method, request.uri), (b"GET", b"/2.0/feed/json"))
        self.assertEqual(request.requestHeaders.getRawHeaders("Accept-Encoding"), ["identity"])
        self.assertRegex(request.getHeader("User-Agent") or "", r"^dsmr_tw/\d")

    def test_every_quarter_of_an_hour(self) -> None:
        """And a little later, by chance, so that not all houses ask at the same moment."""
        self.clock.advance(FIRST_S)
        self.host.behave = lambda request: answer(12.5, "2024-04-02T12:10:00")
        self.clock.advance(EVERY_S + JITTER * JITTER_S - 1)
        self.assertEqual(len(self.host.requests), 1)
        self.clock.advance(1)
        self.assertEqual([one.tenths_celsius for one in self.stored()], [112, 125])

    def test_the_same_again(self) -> None:
        """A feed that has nothing new yet is no trouble."""
        self.clock.advance(FIRST_S)
        self.clock.advance(EVERY_S + JITTER_S)
        self.assertEqual(len(self.host.requests), 2)
        self.assertEqual((self.stored(), self.weather.last_error), ([Temperature(NOON, 112)], None))

    def test_less_and_less_often(self) -> None:
        """A host in trouble is asked after a minute, then two, four, up to an hour; then as before."""
        self.behave(503, b"")
        self.clock.advance(FIRST_S)
        for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
            asked = len(self.host.requests)
            self.clock.advance(minutes * 60 + JITTER * JITTER_S - 1)
            self.assertEqual(len(self.host.requests), asked, minutes)
            self.clock.advance(1)
            self.assertEqual(len(self.host.requests), asked + 1, minutes)
        self.host.behave = lambda request: answer(timestamp="2024-04-02T16:00:00")
        self.clock.advance(LONGEST_S + JITTER_S)
        self.assertIsNone(self.weather.last_error)
        self.behave(503, b"")
        self.clock.advance(EVERY_S + JITTER_S)
        asked = len(self.host.requests)
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.host.requests), asked + 1)

    def test_told_once(self) -> None:
        """An outage is a line in the log, and another one when its reason changes; its end is one, too."""
        host = self.host
        self.assertEqual(self.logged(self.clock.advance, FIRST_S), ["temperatures come from buienradar"])
        self.assertEqual(self.logged(self.clock.advance, EVERY_S + JITTER_S), [])
        self.behave(500, b"")
        lines = self.logged(self.clock.pump, [EVERY_S + JITTER_S, LONGEST_S, LONGEST_S, LONGEST_S])
        self.assertEqual(lines, ["no temperature from buienradar: it answers with status 500"])
        host.behave = lambda request: answer(None)
        lines = self.logged(self.clock.pump, [LONGEST_S + JITTER_S] * 3)
        self.assertEqual(lines, ["no temperature from buienradar: it gives no temperature now"])
        host.behave = lambda request: answer(timestamp="2024-04-02T19:00:00")
        lines = self.logged(self.clock.pump, [LONGEST_S + JITTER_S, EVERY_S + JITTER_S])
        self.assertEqual(lines, ["temperatures come from buienradar"])


class StoreTests(WeatherCase):
    """What our own side may do."""

    def test_a_store_that_is_away(self) -> None:
        """A temperature that can't be stored is told like one that did not come."""
        self.writing.error = StoreUnavailable("the disk is full")
        self.clock.advance(FIRST_S)
        self.assertEqual(self.weather.last_error, "the disk is full")
        self.writing.error = None
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.stored()), 1)

    def test_a_fault_of_ours(self) -> None:
        """What nobody expected is logged with its failure, and does not end the service."""
        self.writing.error = ZeroDivisionError("a fault")
        self.clock.advance(FIRST_S)
        self.assertEqual(self.weather.last_error, "ZeroDivisionError, see the log")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.writing.error = None
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.stored()), 1)

    def test_what_is_broken_off_elsewhere(self) -> None:
        """Work of ours that is cancelled by somebody else is tried again."""
        self.weather.agent = Unreachable(CancelledError())
        self.clock.advance(FIRST_S)
        self.assertEqual(self.weather.last_error, "the request was broken off")
        self.weather.agent = self.agent
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.stored()), 1)


class StopTests(WeatherCase):
    """How the service stops."""

    def test_between_requests(self) -> None:
        """Nothing is planned any more."""
        self.clock.advance(FIRST_S)
        self.successResultOf(self.weather.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_before_the_first(self) -> None:
        """Nor when it has not begun."""
        self.successResultOf(self.weather.stopService())
        self.clock.advance(LONGEST_S)
        self.assertEqual(self.host.requests, [])

    def test_amid_a_request(self) -> None:
        """A request under way is broken off, without a word, and its connection closed."""
        for beginning in (b"", b" "):
            self.host.begin(beginning)
            self.clock.advance(FIRST_S)
            lines = self.logged(lambda: self.successResultOf(self.weather.stopService()))
            self.agent.flush()
            self.assertEqual((lines, self.weather.last_error, self.host.lost), ([], None, len(self.host.requests)))
            self.weather.startService()
        self.assertEqual(self.host.lost, 2)

    def test_amid_storing(self) -> None:
        """A temperature that is being stored is stored to the end."""
        self.writing.held = True
        self.clock.advance(FIRST_S)
        stopped = self.weather.stopService()
        self.assertNoResult(stopped)
        self.writing.release()
        self.successResultOf(stopped)
        self.assertEqual(len(self.stored()), 1)

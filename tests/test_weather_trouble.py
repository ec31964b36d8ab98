"""Tests of dsmr_tw.weather: whatever the other host does, it costs nothing but a temperature."""

from __future__ import annotations

import gzip

from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed
from twisted.web.server import NOT_DONE_YET, Request

from dsmr_tw.weather import BODY_BYTES, DEADLINE_S, EVERY_S, FIRST_S, JITTER_S, RETRY_S
from tests.feeding import Unreachable, WeatherCase, answer


class TroubleTests(WeatherCase):
    """What a host may do."""

    def trouble(self) -> str | None:
        """Ask once; what went wrong. Nothing is stored, and the feed is asked again."""
        asked = len(self.host.requests)
        self.clock.advance(FIRST_S)
        trouble = self.weather.last_error
        self.assertEqual(self.stored(), [])
        self.behave(200, answer())
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.stored()), 1)
        self.assertGreater(len(self.host.requests), asked)
        return trouble

    def test_errors(self) -> None:
        """A status that is not 200 is told, and the page that comes with it not read."""
        self.behave(500, b"x" * 10_000)
        self.assertEqual(self.trouble(), "it answers with status 500")

    def test_an_error_without_a_page(self) -> None:
        """There may be none."""
        self.behave(404, b"")
        self.assertEqual(self.trouble(), "it answers with status 404")

    def test_redirections(self) -> None:
        """We go where the operator sent us, and nowhere else: in no circles, and to no other host."""
        self.behave(302, b"", Location="http://feed.example/2.0/feed/json")
        self.assertEqual(self.trouble(), "it answers with status 302")
        self.assertEqual(len(self.host.requests), 2)

    def test_a_page_for_people(self) -> None:
        """HTML is no temperature."""
        self.behave(200, b"<!DOCTYPE html><title>Maintenance</title>", Content_Type="text/html")
        self.assertEqual(self.trouble(), "its answer is no JSON")

    def test_another_form(self) -> None:
        """A feed that changed its form is told."""
        self.behave(200, b'{"actual":{"stations":[]}}')
        self.assertEqual(self.trouble(), "its answer is not of the form that is known: stationmeasurements")

    def test_a_station_that_went(self) -> None:
        """A station that is not listed any more is told."""
        self.behave(200, b'{"actual":{"stationmeasurements":[]}}')
        self.assertEqual(self.trouble(), "the station is not among those that it lists")

    def test_a_thermometer_that_is_away(self) -> None:
        """So is one that gives nothing now."""
        self.behave(200, answer(None))
        self.assertEqual(self.trouble(), "it gives no temperature now")

    def test_old_news(self) -> None:
        """What was measured hours ago is not stored as if it were new."""
        self.behave(200, answer(timestamp="2024-04-02T08:59:00"))
        self.assertEqual(self.trouble(), "its newest temperature is more than three hours old")

    def test_the_longest_answer(self) -> None:
        """An answer may be as long as it may, in pieces, and not a byte longer."""
        self.behave(200, answer().ljust(BODY_BYTES))
        self.clock.advance(FIRST_S)
        self.assertEqual(len(self.stored()), 1)

    def test_too_long_an_answer(self) -> None:
        """The rest of a longer one is not read."""
        self.behave(200, answer().ljust(BODY_BYTES + 1))
        self.assertEqual(self.trouble(), f"its answer is longer than {BODY_BYTES} bytes")

    def test_an_endless_answer(self) -> None:
        """An answer without an end is cut off, and its connection closed."""
        self.host.begin(b" " * BODY_BYTES)
        self.clock.advance(FIRST_S)
        self.assertEqual((self.weather.last_error, self.host.lost), (None, 0))
        self.host.requests[0].write(b" ")
        self.agent.flush()
        self.assertEqual(self.weather.last_error, f"its answer is longer than {BODY_BYTES} bytes")
        self.assertEqual(self.host.lost, 1)

    def test_a_slow_answer(self) -> None:
        """Ten seconds are all that there is, however steadily it drips; the connection is closed then."""
        self.host.begin(b" ")
        self.clock.advance(FIRST_S)
        for _ in range(DEADLINE_S - 1):
            self.host.requests[0].write(b" ")
            self.agent.flush()
            self.clock.advance(1)
        self.assertEqual((self.weather.last_error, self.host.lost), (None, 0))
        self.clock.advance(1)
        self.agent.flush()
        self.assertEqual((self.weather.last_error, self.host.lost), ("it did not answer within 10 seconds", 1))
        self.behave(200, answer())
        self.clock.advance(RETRY_S + JITTER_S)
        self.assertEqual(len(self.stored()), 1)

    def test_no_answer(self) -> None:
        """The same holds for a host that says nothing at all."""
        self.host.begin(b"")
        self.clock.advance(FIRST_S)
        self.clock.advance(DEADLINE_S)
        self.agent.flush()
        self.assertEqual((self.weather.last_error, self.host.lost), ("it did not answer within 10 seconds", 1))

    def test_an_endless_error(self) -> None:
        """Of an error's page nothing is waited for."""

        def render(request: Request) -> int:
            request.setResponseCode(502)
            request.write(b"<html>")
            return NOT_DONE_YET

        self.host.behave = render
        self.clock.advance(FIRST_S)
        self.agent.flush()
        self.assertEqual((self.weather.last_error, self.host.lost), ("it answers with status 502", 1))

    def test_what_is_compressed(self) -> None:
        """Nothing is decompressed: a gigabyte of nothing takes a megabyte on its way."""
        bomb = gzip.compress(b" " * 50_000_000)
        self.behave(200, bomb, Content_Encoding="gzip")
        self.assertEqual(self.trouble(), "its answer is no JSON")

    def test_what_is_no_gzip(self) -> None:
        """Nor does it matter whether it could be."""
        self.behave(200, answer(), Content_Encoding="gzip, gzip")
        self.clock.advance(FIRST_S)
        self.assertEqual(len(self.stored()), 1)

    def test_a_host_that_hangs_up(self) -> None:
        """An answer that breaks off is none."""
        self.host.begin(answer(), Content_Length="1000")
        self.clock.advance(FIRST_S)
        self.host.requests[0].channel.loseConnection()
        self.agent.flush()
        self.assertEqual(self.weather.last_error, "it hung up amid its answer")

    def test_cookies(self) -> None:
        """Nobody follows us from one request to the next."""
        self.behave(200, answer(), Set_Cookie="who=you; Path=/")
        self.clock.advance(FIRST_S)
        self.clock.advance(EVERY_S + JITTER_S)
        self.assertEqual([request.getHeader("Cookie") for request in self.host.requests], [None, None])

    def test_a_host_that_is_away(self) -> None:
        """What is in the way is told as the system tells it, another host's words not for ever."""
        for error, words in (
            (ConnectionRefusedError("nobody is there"), "it can't be reached: Connection was refused by other side"),
            (DNSLookupError("no such name"), "it can't be reached: DNS lookup failed: no such name"),
            (RequestTransmissionFailed([Failure(ValueError("x" * 5000))]), f"it gave no answer of HTTP: {'x' * 200}"),
        ):
            self.successResultOf(self.weather.stopService())
            self.weather = self.service(Unreachable(error))
            self.weather.startService()
            self.clock.advance(FIRST_S)
            self.assertIn(words, str(self.weather.last_error))
            self.assertLess(len(str(self.weather.last_error)), 300)

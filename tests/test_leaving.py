"""Tests of dsmr_tw.leaving: what clients see of a service that stops."""

from __future__ import annotations

from dsmr_tw.leaving import LONGEST_S, Leaving
from tests.serving import answer_of
from tests.test_httpserver import GET, HEAD_OF_POST, SiteCase

WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


class LeavingTests(SiteCase):
    """Nobody is left without an answer."""

    def setUp(self) -> None:
        """A site that serves."""
        super().setUp()
        self.leaving = Leaving(self.site.connections, self.clock)
        self.leaving.startService()

    def test_nobody_is_there(self) -> None:
        """A service that nobody asks stops at once."""
        self.successResultOf(self.leaving.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_connection_that_rests(self) -> None:
        """It is closed, so that the client knows before it asks again."""
        channel, transport = self.connect()
        channel.dataReceived(GET)
        self.assertFalse(transport.disconnecting)
        stopped = self.leaving.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        self.lose(channel)
        self.successResultOf(stopped)

    def test_a_request_that_has_come(self) -> None:
        """It is answered, and the answer says that the connection ends."""
        channel, transport = self.connect()
        channel.dataReceived(WAIT)
        stopped = self.leaving.stopService()
        self.assertFalse(transport.disconnecting)
        self.echo.waiting[0].write(b"done")
        self.echo.waiting[0].finish()
        answer = answer_of(transport.value())
        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertTrue(transport.disconnecting)
        self.lose(channel)
        self.successResultOf(stopped)

    def test_a_request_that_is_coming(self) -> None:
        """Its rest is waited for, and answered, and nothing behind it is."""
        channel, transport = self.connect()
        channel.dataReceived(HEAD_OF_POST % 4 + b"12")
        stopped = self.leaving.stopService()
        channel.dataReceived(b"34" + GET)
        answer = answer_of(transport.value())
        self.assertEqual((answer.status, answer.body, answer.headers["Connection"]), (200, b"4", "close"))
        self.assertEqual(transport.value().count(b"HTTP/1.1"), 1)
        self.lose(channel)
        self.successResultOf(stopped)

    def test_the_first_half_of_a_header(self) -> None:
        """What is about to become a request is answered, too."""
        channel, transport = self.connect()
        channel.dataReceived(GET[:10])
        self.leaving.stopService()
        channel.dataReceived(GET[10:])
        self.assertEqual(answer_of(transport.value()).headers["Connection"], "close")
        self.assertTrue(transport.disconnecting)

    def test_it_does_not_last_for_ever(self) -> None:
        """Who takes too long does not keep the service from stopping."""
        channel, _ = self.connect()
        channel.dataReceived(WAIT)
        stopped = self.leaving.stopService()
        self.clock.advance(LONGEST_S - 0.1)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        self.successResultOf(stopped)
        self.lose(channel)

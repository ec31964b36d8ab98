"""Tests of dsmr_tw.listening, on real ports."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from dsmr_tw.errors import SettingsError
from dsmr_tw.listening import listening


class ListeningTests(TestCase):
    """A port is served, or it is said why not."""

    async def test_the_address_is_logged(self) -> None:
        """Whoever starts the server sees where to look."""
        service = listening(reactor, "tcp:0:interface=127.0.0.1", Factory.forProtocol(Protocol))
        with capturedLogs() as events:
            service.startService()
        await service.stopService()
        told = [formatEvent(event) for event in events]
        self.assertTrue(any(text.startswith("serving HTTP on http://127.0.0.1:") for text in told), told)

    def test_a_port_that_is_taken(self) -> None:
        """The sentence names the option and says what to do."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        where = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        service = listening(reactor, where, Factory.forProtocol(Protocol))
        self.assertRaisesRegex(
            SettingsError, f"--http {where} can't be served: .*Choose another port", service.privilegedStartService
        )

    async def test_a_port_is_free_again_after_the_stop(self) -> None:
        """A restart finds the port that it had."""
        service = listening(reactor, "tcp:0:interface=127.0.0.1", Factory.forProtocol(Protocol))
        service.startService()
        assert service.port is not None
        address = service.port.getHost()
        assert isinstance(address, IPv4Address)
        number = address.port
        await service.stopService()
        again = listening(reactor, f"tcp:{number}:interface=127.0.0.1", Factory.forProtocol(Protocol))
        again.startService()
        await again.stopService()

    async def test_another_option(self) -> None:
        """What is served for another option than --http is told, and refused, under its name."""
        service = listening(reactor, "tcp:0:interface=127.0.0.1", Factory(), "--p1-server", "tcp:2001")
        with capturedLogs() as events:
            service.startService()
        await service.stopService()
        told = [formatEvent(event) for event in events]
        self.assertTrue(any(text.startswith("--p1-server serves on tcp:127.0.0.1:") for text in told if text), told)
        with self.assertRaisesRegex(SettingsError, "--p1-server bogus is no endpoint .*; one looks like tcp:2001 or "):
            listening(reactor, "bogus", Factory(), "--p1-server", "tcp:2001")

    def test_what_is_no_endpoint(self) -> None:
        """A typing error is told with an example."""
        for words in ("bogus:1", "tcp", "tcp:port", ""):
            with self.assertRaisesRegex(SettingsError, "one looks like tcp:8080"):
                listening(reactor, words, Factory())

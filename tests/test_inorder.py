"""Tests of dsmr_tw.inorder."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.inorder import InOrder


class Slow(Service):
    """A service that takes its time to stop."""

    def __init__(self, name: str, stopping: list[str]) -> None:
        self.called = name
        self.stopping = stopping
        self.stopped: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        """Note that it was asked."""
        self.stopping.append(self.called)
        return self.stopped


class InOrderTests(SynchronousTestCase):
    """Services stop one after the other."""

    def setUp(self) -> None:
        """A store, and a port that stands on it."""
        self.stopping: list[str] = []
        self.store, self.port = Slow("store", self.stopping), Slow("port", self.stopping)
        self.services = InOrder()
        for service in (self.store, self.port):
            service.setServiceParent(self.services)
        self.services.startService()

    def test_the_last_started_stops_first(self) -> None:
        """The store stays until the port is closed."""
        stopped = self.services.stopService()
        self.assertEqual(self.stopping, ["port"])
        self.port.stopped.callback(None)
        self.assertEqual(self.stopping, ["port", "store"])
        self.assertNoResult(stopped)
        self.store.stopped.callback(None)
        self.assertIsNone(self.successResultOf(stopped))

    def test_one_that_fails_keeps_none_from_stopping(self) -> None:
        """A port that can't be closed does not leave the store open."""
        stopped = self.services.stopService()
        self.port.stopped.errback(OSError("no"))
        self.store.stopped.callback(None)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

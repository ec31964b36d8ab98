"""Tests of dsmr_tw.sinks.pseudoterminal: real terminals, and a reactor that does what it is told."""

from __future__ import annotations

import os
import select

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.sinks.pseudoterminal import LOOK_S, PseudoTerminal


class Talker(Protocol):
    """Notes its ends."""

    ends = 0

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count it."""
        self.ends += 1


class Talkers(Factory):
    """Keeps what it makes."""

    def __init__(self) -> None:
        self.made: list[Talker] = []
        self.wanted = True

    def buildProtocol(self, addr: object) -> Protocol | None:
        """One more, if it is wanted."""
        if not self.wanted:
            return None
        self.made.append(Talker())
        return self.made[-1]


class PseudoTerminalTests(SynchronousTestCase):
    """A port that is opened and closed."""

    def setUp(self) -> None:
        """A port that nobody has open."""
        self.reactor = MemoryReactorClock()
        self.talkers = Talkers()
        self.terminal = PseudoTerminal(self.reactor, self.talkers)
        self.addCleanup(self.remove)

    def remove(self) -> None:
        """End it if the test did not."""
        if self.reactor.getDelayedCalls():
            self.terminal.close()
            self.look(10)

    def look(self, times: int = 2) -> None:
        """Let it look."""
        self.reactor.pump([LOOK_S] * times)

    def open(self) -> int:
        """Open it, as a program does."""
        opened = os.open(self.terminal.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.addCleanup(self.closed, opened)
        return opened

    def closed(self, descriptor: int) -> None:
        """Close a descriptor that may be closed already."""
        try:
            os.close(descriptor)
        except OSError:
            return

    def read(self, descriptor: int) -> bytes:
        """What there is to read, or will be in the next moment."""
        self.assertTrue(select.select([descriptor], [], [], 10)[0])
        return os.read(descriptor, 100_000)

    def flush(self) -> None:
        """Let the reactor write what is to be written."""
        for writer in list(self.reactor.writers):
            result = writer.doWrite()
            if result is not None:
                self.reactor.removeWriter(writer)
                writer.connectionLost(Failure(result))

    def test_reading(self) -> None:
        """Who opens it is a reader soon, and reads exactly what is written."""
        self.look(10)
        self.assertEqual(self.talkers.made, [])
        opened = self.open()
        self.look(1)
        self.assertEqual(self.talkers.made, [])
        self.look(1)
        [talker] = self.talkers.made
        assert talker.transport is not None
        data = bytes(range(256))
        talker.transport.write(data)
        self.flush()
        self.assertEqual(self.read(opened), data)

    def test_closing_and_opening(self) -> None:
        """Who closes it is gone, once; the next one is a reader of its own."""
        opened = self.open()
        self.look()
        os.close(opened)
        self.look()
        self.assertEqual([talker.ends for talker in self.talkers.made], [1])
        self.open()
        self.look()
        self.assertEqual([talker.ends for talker in self.talkers.made], [1, 0])

    def test_a_full_port(self) -> None:
        """What there is no room for waits."""
        opened = self.open()
        self.look()
        assert self.talkers.made[0].transport is not None
        self.talkers.made[0].transport.write(b"x" * 100_000)
        self.flush()
        self.assertTrue(self.reactor.writers)
        got = b""
        while len(got) < 100_000:
            got += self.read(opened)
            self.flush()
        self.assertEqual(got, b"x" * 100_000)

    def test_the_end(self) -> None:
        """It stays until what was written is read."""
        opened = self.open()
        self.look()
        transport = self.talkers.made[0].transport
        assert transport is not None
        transport.write(b"the last one")
        transport.loseConnection()
        self.flush()
        # The kernel hands it over when it has the time.
        self.assertTrue(select.select([opened], [], [], 10)[0])
        self.talkers.wanted = False
        closed = self.terminal.close()
        self.look(10)
        self.assertNoResult(closed)
        self.assertEqual((self.read(opened), self.talkers.made[0].ends), (b"the last one", 1))
        self.look()
        self.successResultOf(closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nobody_reads_the_end(self) -> None:
        """It does not wait for somebody who is gone."""
        opened = self.open()
        self.look()
        assert self.talkers.made[0].transport is not None
        self.talkers.made[0].transport.write(b"the last one")
        self.flush()
        os.close(opened)
        self.look()
        closed = self.terminal.close()
        self.look()
        self.successResultOf(closed)

    def test_gone_with_something_to_write(self) -> None:
        """Whoever closes it while much waits for it is gone once, whoever notices it first."""
        opened = self.open()
        self.look()
        [talker] = self.talkers.made
        assert talker.transport is not None
        talker.transport.write(b"x" * 100_000)
        self.flush()
        os.close(opened)
        (writer,) = self.reactor.writers
        writer.connectionLost(Failure(ConnectionLost()))
        writer.connectionLost(Failure(ConnectionDone()))
        self.look()
        self.assertEqual(talker.ends, 1)

    def test_nobody_is_wanted(self) -> None:
        """A factory that wants no reader gets none."""
        self.talkers.wanted = False
        self.open()
        self.look(10)
        self.assertEqual(self.talkers.made, [])

    def test_looking_fails(self) -> None:
        """A terminal that the system takes away ends it, and whoever waits for the end is told."""
        self.open()
        closed = self.terminal.close()
        self.terminal.path = os.path.join(self.mktemp(), "gone")
        self.look()
        self.failureResultOf(closed, OSError)

    def test_looking_fails_before_the_end(self) -> None:
        """Whoever asks for the end later is told, too."""

        def refuse(addr: object) -> Protocol:
            raise RuntimeError("no more")

        self.talkers.buildProtocol = refuse  # type: ignore[method-assign]  # as a factory may
        self.open()
        self.look()
        self.failureResultOf(self.terminal.close(), RuntimeError)

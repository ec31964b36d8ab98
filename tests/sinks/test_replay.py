"""Tests of dsmr_tw.sinks.replay: what is played when, and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import SettingsError
from dsmr_tw.sinks.replay import Player


class Connection(StringTransportWithDisconnection):
    """A reader's connection."""

    protocol: Protocol


class PlayerTests(SynchronousTestCase):
    """A recording of numbers."""

    def setUp(self) -> None:
        """Nothing was said yet."""
        self.clock = Clock()
        self.said: list[str] = []

    def player(self, *pauses: float, speed: float | None = 1.0) -> Player:
        """A player of a number after each pause."""
        return self.playing(((pause, b"%d" % number) for number, pause in enumerate(pauses)), speed)

    def playing(self, telegrams: Iterable[tuple[float, bytes]], speed: float | None = 1.0) -> Player:
        """A player of these."""
        return Player(iter(telegrams), self.clock, self.said.append, speed)

    def connect(self, player: Player) -> Connection:
        """A reader."""
        protocol = player.buildProtocol(IPv4Address("TCP", "192.0.2.7", 50000))
        assert protocol is not None
        connection = Connection()
        connection.protocol = protocol
        protocol.makeConnection(connection)
        return connection

    def test_rhythm(self) -> None:
        """Each is played after its pause, and with the last one the connection is closed."""
        player = self.player(0, 1, 10)
        reader = self.connect(player)
        heard = []
        for seconds in (0, 0.9, 0.1, 9.9):
            self.clock.advance(seconds)
            heard.append(reader.value())
        self.assertEqual((heard, reader.connected), ([b"0", b"0", b"01", b"01"], True))
        self.assertNoResult(player.done)
        self.clock.advance(0.1)
        self.assertEqual((reader.value(), reader.connected, player.played), (b"012", False, 3))
        self.successResultOf(player.done)
        self.assertIsNone(player.buildProtocol(None))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_faster(self) -> None:
        """Twice as fast takes half the time."""
        player = self.player(0, 1, 10, speed=2)
        reader = self.connect(player)
        self.clock.pump([0.5, 4.9])
        self.assertEqual(reader.value(), b"01")
        self.clock.advance(0.1)
        self.successResultOf(player.done)

    def test_as_fast_as_it_is_read(self) -> None:
        """Without a speed nothing but the reader is waited for."""
        player = self.player(*[5.0] * 6, speed=None)
        self.connect(player)
        self.assertEqual(player.played, 6)
        self.successResultOf(player.done)

    def test_a_reader_that_is_full(self) -> None:
        """The slowest reader sets the pace; when it leaves, the others go on."""
        player = self.player(0, 1, 1, 1, 1)
        quick, slow = self.connect(player), self.connect(player)
        assert slow.producer is not None
        slow.producer.pauseProducing()
        self.clock.advance(5)
        self.assertEqual(player.played, 1)
        slow.producer.resumeProducing()
        self.assertEqual((quick.value(), slow.value()), (b"01", b"1"))
        slow.producer.pauseProducing()
        self.clock.advance(5)
        slow.loseConnection()
        self.assertEqual(quick.value(), b"012")

    def test_nobody_reads(self) -> None:
        """Nothing is played while nobody reads, and the next reader hears what comes next."""
        player = self.player(0, 1, 1)
        self.clock.advance(100)
        self.assertEqual(player.played, 0)
        first = self.connect(player)
        first.loseConnection()
        self.clock.advance(100)
        self.assertEqual((first.value(), player.played), (b"0", 1))
        self.assertEqual(self.connect(player).value(), b"1")
        self.assertEqual(self.said, ["a reader came", "a reader left after 1, waiting for the next", "a reader came"])

    def test_a_reader_of_several_leaves(self) -> None:
        """That is told, and nobody waits."""
        player = self.player(0, 1)
        self.connect(player)
        self.connect(player).loseConnection()
        self.assertEqual(self.said[-1], "a reader left")

    def test_a_file_that_breaks(self) -> None:
        """What can't be read any more ends it, with the reason."""

        def broken() -> Iterator[tuple[float, bytes]]:
            yield 0.0, b"0"
            raise SettingsError("the stick was pulled out")

        player = self.playing(broken())
        reader = self.connect(player)
        self.assertEqual(reader.value(), b"0")
        self.failureResultOf(player.done, SettingsError)
        reader.loseConnection()

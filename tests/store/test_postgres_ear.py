"""Tests of dsmr_tw.store.postgres_ear: what is notified on a real server that stops, freezes and comes back."""

from __future__ import annotations

from typing import Any

from psycopg2 import errors
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from dsmr_tw.store.postgres import PATIENCE_S, dsn
from dsmr_tw.store.postgres_ear import ASK_S, Ear
from tests.postgres import restless_server

REACTOR: Any = reactor


class EarTests(TestCase):
    """An ear on two channels."""

    def setUp(self) -> None:
        """Begin with a server that may be stopped, and a clock that stands still."""
        self.clock = Clock()
        self.server = restless_server()
        self.addCleanup(restless_server)
        self.told: list[str] = []
        self.ear = self.make_ear("meters", "Readings")

    def make_ear(self, *channels: str) -> Ear:
        """An ear that is stopped after the test."""
        ear = Ear(dsn(self.server.url, "dsmr"), REACTOR, self.clock, channels, self.heard, lambda: self.hear("gap"))
        self.addCleanup(lambda: Deferred.fromCoroutine(ear.stop()))
        return ear

    def heard(self, channel: str, payload: str) -> None:
        """Keep what was notified; some of it can't be."""
        if payload == "bad":
            raise KeyError(payload)
        if payload == "enough":
            self.stopping = Deferred.fromCoroutine(self.ear.stop())
        self.hear(f"{channel}: {payload}")

    def hear(self, words: str) -> None:
        """Keep what was told."""
        self.told.append(words)

    async def until(self, *told: str) -> None:
        """Let the reactor run until this was told, and nothing else."""
        while len(self.told) < len(told):
            await deferLater(REACTOR, 0)
        self.assertEqual(self.told, list(told))
        self.told.clear()

    async def troubled(self) -> str:
        """Let the reactor run until the ear says that it hears nothing, and why."""
        while self.ear.trouble is None:
            await deferLater(REACTOR, 0)
        return self.ear.trouble

    async def test_what_is_notified_is_heard(self) -> None:
        """In order, from the moment on at which the gap was told; other channels are nobody's business."""
        self.ear.start()
        await self.until("gap")
        self.server.ask("NOTIFY meters, 'one'; NOTIFY others, 'two'; NOTIFY \"Readings\", 'three'; NOTIFY meters")
        await self.until("meters: one", "Readings: three", "meters: ")
        self.assertIsNone(self.ear.trouble)

    async def test_a_restart_is_a_gap(self) -> None:
        """It listens again when the server is back, and says that something was missed."""
        self.ear.start()
        await self.until("gap")
        self.server.stop()
        self.assertTrue(await self.troubled())
        self.clock.advance(1)
        await deferLater(REACTOR, 0)
        self.assertEqual(self.told, [])
        self.server.start()
        self.clock.advance(2)
        await self.until("gap")
        self.assertIsNone(self.ear.trouble)
        self.server.ask("NOTIFY meters, 'again'")
        await self.until("meters: again")
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_a_server_that_is_down_at_first(self) -> None:
        """It begins to listen when the server is up."""
        self.server.stop()
        self.ear.start()
        await self.troubled()
        self.server.start()
        self.clock.advance(1)
        await self.until("gap")
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_a_frozen_server_is_noticed(self) -> None:
        """It asks now and then whether the server is there; without an answer it connects anew."""
        self.ear.start()
        await self.until("gap")
        for _ in range(2):
            self.clock.advance(ASK_S)
            while self.ear._pause is None:
                await deferLater(REACTOR, 0)
        self.assertEqual(self.told, [])
        self.server.freeze()
        self.clock.advance(ASK_S)
        self.clock.advance(PATIENCE_S)
        self.assertIn("no answer for 10 s", await self.troubled())
        self.server.thaw()
        self.clock.advance(1)
        await self.until("gap")
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_who_fails_to_listen_is_told_the_next_all_the_same(self) -> None:
        """A failure of who listens is logged, and ends nothing."""
        self.ear.start()
        await self.until("gap")
        self.server.ask("NOTIFY meters, 'bad'; NOTIFY meters, 'good'")
        await self.until("meters: good")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    async def test_a_channel_that_cant_be_is_logged_and_tried_again(self) -> None:
        """A fault of ours does not end it for good."""
        ear = self.make_ear('a"b')
        ear.start()
        for _ in range(2):
            while ear._pause is None:
                await deferLater(REACTOR, 0)
            self.assertEqual(len(self.flushLoggedErrors(errors.SyntaxError)), 1)
            self.assertIn("syntax error", str(ear.trouble))
            self.clock.advance(2)

    async def test_who_has_heard_enough_hears_nothing_more(self) -> None:
        """It may be stopped by what it hears, and then the rest that came with it is not told."""
        self.ear.start()
        await self.until("gap")
        self.server.ask("NOTIFY meters, 'enough'; NOTIFY meters, 'more'")
        await self.until("meters: enough")
        await self.stopping
        self.assertEqual((self.told, self.flushLoggedErrors()), ([], []))

    async def test_stopping_hangs_up(self) -> None:
        """Whether it hears, connects, waits, or never began; nothing is told any more."""
        await self.ear.stop()
        self.ear.start()
        await self.ear.stop()
        self.ear.start()
        await self.until("gap")
        await self.ear.stop()
        self.server.ask("NOTIFY meters, 'one'")
        self.server.stop()
        self.ear.start()
        await self.troubled()
        await self.ear.stop()
        self.assertEqual((self.told, self.clock.getDelayedCalls(), self.flushLoggedErrors()), ([], [], []))

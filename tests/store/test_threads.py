"""Tests of dsmr_tw.store.threads: work in other threads, answers in the reactor's. These run the reactor."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.trial.unittest import TestCase

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import Threads
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import NOON, heard

REACTOR: Any = reactor


def names() -> set[str]:
    """The names of the threads that are there."""
    return {thread.name for thread in threading.enumerate()}


class ThreadsTests(TestCase):
    """A runner with threads of its own."""

    def threads(self, number: int) -> Threads:
        """A runner, stopped after the test."""
        threads = Threads(REACTOR, number, f"test-of-{self.id().rpartition('.')[2]}")
        self.addCleanup(threads.stop)
        return threads

    async def test_the_result_comes_back_to_the_reactor(self) -> None:
        """Work is done in another thread; whoever waits goes on in the one of the reactor."""
        here = threading.get_ident()
        there = await self.threads(1)(lambda *numbers: (threading.get_ident(), sum(numbers)), 1, 2)
        self.assertEqual((there[1], threading.get_ident()), (3, here))
        self.assertNotEqual(there[0], here)

    async def test_a_failure_comes_back_too(self) -> None:
        """What the work raises is what its Deferred fails with, and the thread goes on."""
        threads = self.threads(1)
        await self.assertFailure(threads(int, "seven"), ValueError)
        self.assertEqual(await threads(int, "7"), 7)

    async def test_one_thread_does_one_thing_after_the_other(self) -> None:
        """What was asked first is done first, and nothing in between."""
        threads = self.threads(1)
        told: list[str] = []

        def work(number: int) -> None:
            told.append(f"begin {number}")
            told.append(f"end {number}")

        await gatherResults([threads(work, number) for number in range(100)])
        self.assertEqual(told, [f"{what} {number}" for number in range(100) for what in ("begin", "end")])

    async def test_several_threads_work_side_by_side(self) -> None:
        """Two that wait for each other both get done."""
        threads = self.threads(2)
        meeting = threading.Barrier(2, timeout=5)
        await gatherResults([threads(meeting.wait), threads(meeting.wait)])

    async def test_there_is_no_thread_before_the_first_work(self) -> None:
        """A daemon forks after it was composed, and threads do not live through that."""
        threads = self.threads(1)
        self.assertFalse(any(threads.name in name for name in names()))
        await threads(int)
        self.assertTrue(any(threads.name in name for name in names()))

    async def test_stopping_ends_the_threads_when_their_work_is_done(self) -> None:
        """Nothing is cut off, no thread keeps the process alive, and the next work begins anew."""
        threads = self.threads(2)
        done: list[int] = []
        working = DeferredList([threads(done.append, number) for number in range(20)])
        threads.stop()
        self.assertEqual(sorted(done), list(range(20)))
        self.assertFalse(any(threads.name in name for name in names()))
        await working
        self.assertEqual(await threads(int, "7"), 7)

    async def test_a_store_on_threads_serves_while_it_writes(self) -> None:
        """Pages that are asked for while commits are under way show what is stored, never half a commit."""
        writer, readers = self.threads(1), self.threads(2)
        store = sqlite_store(Path(self.mktemp()) / "dsmr.sqlite3", "Europe/Amsterdam", writer, readers)
        await store.open()
        work: list[Deferred[Any]] = []
        for n in range(20):
            arrivals = [heard(NOON + (10 * n + i) * SECOND) for i in range(10)]
            work.append(store.readings.add([arrivals], NOON))
            work.append(store.readings.page(ReadingFilter(1), True, 0, 500))
        results = await gatherResults(work)
        self.assertEqual([[r.reading_id for r in group[0]][0] for group in results[::2]], list(range(1, 200, 10)))
        for page in results[1::2]:
            self.assertEqual((page.count % 10, len(page.readings)), (0, page.count))
        self.assertEqual((await store.readings.page(ReadingFilter(1), False, 0, 0)).count, 200)
        await store.close()

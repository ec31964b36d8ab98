"""Tests of dsmr_tw.unsent."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.limits import READINGS_WAITING, Limits
from dsmr_tw.spool import Spool
from dsmr_tw.unsent import AT_ONCE, Unsent
from tests.forwardcase import NAME, number_of, numbered
from tests.serving import Work


class UnsentTests(SynchronousTestCase):
    """Telegrams come, are told in order, and go."""

    def setUp(self) -> None:
        """Nothing waits."""
        self.work = Work()
        self.directory = Path(self.mktemp()).resolve()
        self.spool = Spool(self.directory, self.work, most_bytes=20_000)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.limits, self.now = Limits(), 0.0
        self.unsent = Unsent(NAME, self.spool, self.limits, lambda: self.now)

    def put(self, *numbers: int) -> None:
        """These come."""
        for number in numbers:
            self.unsent.put(numbered(number))

    def keep(self) -> None:
        """Put what is in memory into the spool."""
        self.successResultOf(Deferred.fromCoroutine(self.unsent.keep()))

    def next(self, most: int) -> list[int]:
        """Those that shall be sent next."""
        batch = self.successResultOf(Deferred.fromCoroutine(self.unsent.next(most)))
        return [number_of(record) for record in batch]

    def forget(self, number: int) -> None:
        """So many were sent."""
        self.successResultOf(Deferred.fromCoroutine(self.unsent.forget(number)))

    def test_in_memory(self) -> None:
        """As long as nothing is kept nothing is written."""
        self.put(1, 2, 3)
        self.assertEqual(
            (self.next(2), self.next(9), len(self.unsent), self.unsent.in_memory), ([1, 2], [1, 2, 3], 3, 3)
        )
        self.forget(2)
        self.assertEqual((self.next(9), self.spool.records), ([3], 0))
        self.assertEqual(self.unsent.oldest_at, numbered(3).received_at)
        self.forget(1)
        self.assertEqual((self.next(9), len(self.unsent), self.unsent.oldest_at), ([], 0, None))

    def test_behind_what_is_on_the_disk(self) -> None:
        """What comes later is not told before all that was kept is gone."""
        self.put(1, 2, 3)
        self.keep()
        self.put(4)
        self.assertEqual((self.next(2), len(self.unsent), self.unsent.in_memory), ([1, 2], 4, 1))
        self.forget(2)
        self.assertEqual(self.next(9), [3])
        self.forget(1)
        self.assertEqual(self.next(9), [4])

    def test_kept_while_under_way(self) -> None:
        """What moves to the disk while it is under way is forgotten there."""
        self.put(1, 2, 3)
        self.assertEqual(self.next(2), [1, 2])
        self.put(4)
        self.keep()
        self.forget(2)
        self.assertEqual((self.next(9), self.spool.records), ([3, 4], 2))

    def test_partly_kept_while_under_way(self) -> None:
        """Also when the disk had been given only the first of them before the others came."""
        self.put(1)
        self.work.held = True
        keeping = Deferred.fromCoroutine(self.unsent.keep())
        self.put(2, 3)
        self.assertEqual(self.next(9), [1, 2, 3])
        forgetting = Deferred.fromCoroutine(self.unsent.forget(2))
        self.assertNoResult(forgetting)
        self.work.held = False
        self.work.release()
        self.successResultOf(keeping)
        self.successResultOf(forgetting)
        self.assertEqual((self.next(9), len(self.unsent)), ([3], 1))

    def test_told_again(self) -> None:
        """What was not sent is told again, wherever it is now."""
        self.put(1, 2)
        self.next(9)
        self.keep()
        self.assertEqual(self.next(9), [1, 2])
        self.assertEqual(self.next(1), [1])

    def test_more_than_are_read_at_once(self) -> None:
        """Thousands come back in their order, read ahead or not."""
        wanted = list(range(3 * AT_ONCE + 5))
        self.put(*wanted)
        self.keep()
        found: list[int] = []
        while batch := self.next(70):
            self.successResultOf(self.unsent.read_ahead())
            found += batch
            self.forget(len(batch))
        self.assertEqual(found, wanted)

    def test_reading_ahead_may_fail(self) -> None:
        """A disk that fails then is met again when it matters."""
        self.put(*range(5))
        self.keep()
        self.work.error = StoreUnavailable("the disk is gone")
        self.successResultOf(self.unsent.read_ahead())
        self.failureResultOf(Deferred.fromCoroutine(self.unsent.next(1)), StoreUnavailable)
        self.work.error = None
        self.assertEqual(self.next(9), [0, 1, 2, 3, 4])

    def test_full(self) -> None:
        """What the spool has no room for stays in memory, is told once, and goes there when there is room."""
        self.put(*range(3000))
        with capturedLogs() as events:
            self.keep()
            self.keep()
        self.assertEqual(len(events), 1)
        self.assertIn("holds", self.unsent.trouble or "")
        self.assertEqual((len(self.unsent), self.unsent.in_memory > 0, self.unsent.lost), (3000, True, 0))
        found: list[int] = []
        while batch := self.next(AT_ONCE):
            found += batch
            self.forget(len(batch))
            self.keep()
        self.assertEqual((found, self.unsent.trouble), (list(range(3000)), None))

    def test_a_disk_that_takes_nothing(self) -> None:
        """Telegrams wait in memory meanwhile."""
        self.put(1)
        self.work.error = StoreUnavailable("the disk is gone")
        self.keep()
        self.work.error = None
        self.assertEqual((self.next(9), self.unsent.trouble is None), ([1], False))
        self.keep()
        self.assertEqual((self.unsent.in_memory, self.unsent.trouble), (0, None))

    def test_no_more_room_in_memory(self) -> None:
        """What comes then is lost, and counted."""
        self.put(*range(READINGS_WAITING + 2))
        self.assertEqual((len(self.unsent), self.unsent.lost), (READINGS_WAITING, 2))
        self.assertEqual(self.limits.hits["readings_waiting"], 2)

    def test_refused(self) -> None:
        """The oldest goes to a file for people, with the reason."""
        self.put(1, 2)
        [first, _] = self.successResultOf(Deferred.fromCoroutine(self.unsent.next(9)))
        self.next(1)
        self.successResultOf(Deferred.fromCoroutine(self.unsent.refuse(first, "it is none")))
        self.assertEqual((self.next(9), self.spool.refused), ([2], 1))
        self.assertIn("# refused: it is none", (self.directory / "refused").read_text())

    def test_since_when(self) -> None:
        """How long something has been on the disk, also since a start."""
        self.assertEqual((self.unsent.behind_s, self.unsent.is_behind), (0.0, False))
        self.put(1, 2)
        self.keep()
        self.now = 61.0
        self.assertEqual((self.unsent.behind_s, self.unsent.is_behind), (61.0, True))
        again = Unsent(NAME, self.spool, self.limits, lambda: self.now)
        self.assertEqual((again.behind_s, again.oldest_at), (0.0, None))
        self.now = 65.0
        self.assertEqual(again.behind_s, 4.0)
        self.next(9)
        self.forget(2)
        self.assertEqual((self.unsent.behind_s, self.unsent.is_behind), (0.0, False))

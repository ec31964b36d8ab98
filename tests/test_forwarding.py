"""Tests of dsmr_tw.forwarding: one server, with the answers that the test has it give."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import SinkError, StoreUnavailable
from dsmr_tw.forwarding import KEEP_S, LONGEST_WAIT_S, REFUSED_IN_A_ROW, STOP_S
from dsmr_tw.interfaces import ITarget
from tests.arrivals import NOON
from tests.forwardcase import NAME, ForwardCase, away
from tests.serving import Work


class TakingTests(ForwardCase):
    """A server that takes what it is sent."""

    def test_at_once(self) -> None:
        """A telegram is sent when it comes, alone, and nothing is written to the disk."""
        self.assertTrue(verifyObject(ITarget, self.target))
        for number in range(3):
            self.take(number)
            self.pass_time(1)
        self.assertEqual((self.target.posts, self.on_disk()), ([[0], [1], [2]], []))
        self.assertEqual(list(self.directory.iterdir()), [])
        self.assertEqual((self.forward.last_success_at, self.forward.last_error), (NOON + 2 * SECOND, None))

    def test_200_is_as_good_as_201(self) -> None:
        """Old servers answer so."""
        self.target.behave = lambda numbers: Answer(200)
        self.take(1, 2)
        self.assertEqual((self.target.taken, len(self.forward.unsent)), ([1, 2], 0))

    def test_told_once(self) -> None:
        """That it works is a line in the log, not one for each telegram."""
        self.assertEqual(self.logged(self.take, 1, 2, 3), [f"telegrams reach {NAME}"])

    def test_a_slow_server(self) -> None:
        """What it has not taken within a second is on the disk, and is not sent twice when it has."""
        slow: list[Deferred[Answer]] = []

        def behave(numbers: Sequence[int]) -> Deferred[Answer]:
            slow.append(Deferred())
            return slow[-1]

        self.target.behave = behave
        self.take(1, 2)
        self.pass_time(KEEP_S / 2)
        self.assertEqual(self.on_disk(), [])
        self.pass_time(KEEP_S / 2)
        self.assertEqual(self.on_disk(), [1, 2])
        self.take(3)
        self.assertEqual(self.on_disk(), [1, 2, 3])
        for place in range(3):
            slow[place].callback(Answer(201))
        self.assertEqual((self.target.posts, self.on_disk()), ([[1], [2], [3]], []))

    def test_together(self) -> None:
        """A server that says how many it takes gets as many, if so many wait; one that does not, one by one."""
        self.target.behave = away
        self.take(*range(10))
        self.target.behave = lambda numbers: Answer(201, together=4)
        self.pass_time(2)
        self.assertEqual(self.target.posts[1:], [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]])
        self.target.behave = lambda numbers: Answer(201)
        self.take(10, 11, 12)
        self.assertEqual(self.target.posts[-3:], [[10], [11], [12]])


class AwayTests(ForwardCase):
    """A server that does not take them."""

    def test_less_and_less_often(self) -> None:
        """It is tried after 1, 2, 4, … 30 seconds, and then all goes on where it stood, in order."""
        self.target.behave = away
        self.take(0)
        tries = []
        for second in range(1, 100):
            before = len(self.target.posts)
            self.pass_time(1)
            self.take(second)
            tries += [second] * (len(self.target.posts) - before)
        self.assertEqual(tries, [1, 3, 7, 15, 31, 61, 91])
        self.assertEqual((self.target.posts, self.on_disk()), ([[0]] * 8, list(range(100))))
        self.assertEqual(self.forward.last_error, "it refuses the connection")
        self.target.behave = lambda numbers: Answer(201)
        self.pass_time(LONGEST_WAIT_S)
        self.assertEqual((self.target.taken, self.on_disk(), self.forward.last_error), (list(range(100)), [], None))

    def test_told_once(self) -> None:
        """An outage is a line in the log, another when its reason changes, and one when it is over."""
        self.target.behave = away
        lines = self.logged(self.take, 1) + self.logged(self.pass_time, 200)
        self.assertEqual(lines, [f"telegrams wait for {NAME}: it refuses the connection"])
        self.target.behave = lambda numbers: Answer(403)
        [line] = self.logged(self.pass_time, 200)
        self.assertIn("is the key right", line)
        self.target.behave = lambda numbers: Answer(201)
        self.assertEqual(self.logged(self.pass_time, 30), [f"telegrams reach {NAME}"])

    def test_kept_for_a_wrong_key_or_address(self) -> None:
        """What a person can mend costs no telegram."""
        for status in (401, 403, 404, 405, 301, 500, 502, 204):
            self.target.behave = lambda numbers, status=status: Answer(status)  # type: ignore[misc]
            self.take(status)
            self.pass_time(60)
        self.target.behave = lambda numbers: Answer(201)
        self.pass_time(60)
        self.assertEqual(self.target.taken, [401, 403, 404, 405, 301, 500, 502, 204])

    def test_asked_for_patience(self) -> None:
        """A server that says how long it wants to be left alone is left alone so long."""
        self.target.behave = lambda numbers: Answer(503, pause_s=100.0)
        self.take(1)
        self.target.behave = lambda numbers: Answer(201)
        self.pass_time(99)
        self.assertEqual(self.target.taken, [])
        self.pass_time(1)
        self.assertEqual(self.target.taken, [1])

    def test_a_fault_of_ours(self) -> None:
        """What nobody expected is logged with its failure, and ends nothing."""
        self.target.behave = lambda numbers: ZeroDivisionError()
        self.take(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.target.behave = lambda numbers: Answer(201)
        self.pass_time(1)
        self.assertEqual(self.target.taken, [1])

    def test_a_disk_that_can_not_be_read(self) -> None:
        """That is said, and it is tried again."""
        self.target.behave = away
        self.take(1)
        self.successResultOf(self.forward.stopService())
        self.spool.close()
        self.target.behave = lambda numbers: Answer(201)
        work = Work()
        work.error = StoreUnavailable("the disk is gone")
        self.forwarding(work)
        self.assertEqual(self.forward.last_error, "what waits on the disk can't be used: the disk is gone")
        work.error = None
        self.pass_time(2)
        self.assertEqual(self.target.taken, [1])


class RefusedTests(ForwardCase):
    """A server that will never take some of them."""

    def refuse(self, *bad: int, together: int = 1) -> None:
        """From now on it refuses what has one of these in it."""
        self.target.behave = lambda numbers: (
            Answer(400, "Failed to parse telegram", together) if set(bad) & set(numbers) else Answer(201, "", together)
        )

    def test_the_others_go_on(self) -> None:
        """Only that one is put aside, with what the server said."""
        self.refuse(2)
        self.take(1, 2, 3)
        self.assertEqual((self.target.taken, self.forward.unsent.spool.refused), ([1, 3], 1))
        self.assertIn("says: Failed to parse telegram", (self.directory / "refused").read_text())
        self.pass_time(5)
        self.assertEqual((self.target.posts, self.on_disk(), self.forward.last_error), ([[1], [2], [3]], [], None))

    def test_one_of_many(self) -> None:
        """Of those that were sent together it is found by halves, and the others are stored, in order."""
        self.target.behave = away
        self.take(*range(1, 302))
        self.refuse(77, 78, 250, together=100)
        self.pass_time(60)
        self.assertEqual(self.target.taken, [n for n in range(1, 302) if n not in (77, 78, 250)])
        self.assertEqual(self.forward.unsent.spool.refused, 3)
        self.assertLess(len(self.target.posts), 60)
        self.take(*range(302, 400))
        self.assertEqual(self.target.taken[-98:], list(range(302, 400)))

    def test_told_once(self) -> None:
        """A row of them is one line in the log, however long it is."""
        self.refuse(*range(1, 9))
        self.assertEqual(len(self.logged(self.take, *range(1, 9))), 1)

    def test_told_once_of_one_in_two(self) -> None:
        """A server that takes the telegrams of one meter, and refuses those of another, does not fill the log."""
        self.take(0)
        self.refuse(*range(1, 100, 2))
        self.assertEqual(len(self.logged(self.take, *range(1, 100))), 1)

    def test_all_of_them(self) -> None:
        """A server that refuses everything is asked less and less often: it may be no such server at all."""
        self.refuse(*range(1000))
        self.take(*range(100))
        self.pass_time(120)
        refused = self.forward.unsent.spool.refused
        self.assertTrue(REFUSED_IN_A_ROW < refused < REFUSED_IN_A_ROW + 10, refused)
        self.assertIn("it refuses all telegrams", self.forward.last_error or "")
        self.refuse()
        self.pass_time(LONGEST_WAIT_S)
        self.assertEqual(self.target.taken, list(range(refused, 100)))

    def test_no_room_for_it(self) -> None:
        """One that can't be put aside now is kept, and tried again."""
        work = Work()
        self.successResultOf(self.forward.stopService())
        self.spool.close()
        self.forwarding(work)
        self.refuse(1)
        work.error = StoreUnavailable("the disk is full")
        self.take(1, 2)
        self.pass_time(5)
        self.assertEqual((self.target.taken, len(self.forward.unsent)), ([], 2))
        work.error = None
        self.pass_time(30)
        self.assertEqual((self.target.taken, self.forward.unsent.spool.refused), ([2], 1))


class StoppingTests(ForwardCase):
    """The end, and the next beginning."""

    def test_a_restart(self) -> None:
        """What waited goes on waiting, and is sent by the next one, before what comes then."""
        self.target.behave = away
        self.take(1, 2, 3)
        self.successResultOf(self.forward.stopService())
        self.assertEqual((self.on_disk(), self.clock.getDelayedCalls()), ([1, 2, 3], []))
        self.spool.close()
        self.target.behave = lambda numbers: Answer(201, together=100)
        self.assertIn(f"3 telegrams wait for {NAME}", self.logged(self.forwarding))
        self.take(4)
        self.assertEqual(self.target.taken, [1, 2, 3, 4])

    def test_amid_a_request(self) -> None:
        """It gets a moment to end, with all on the disk meanwhile; what the server took then is not sent again."""
        slow: Deferred[Answer] = Deferred()
        self.target.behave = lambda numbers: slow
        self.take(1)
        stopping = self.forward.stopService()
        self.assertEqual(self.on_disk(), [1])
        slow.callback(Answer(201))
        self.successResultOf(stopping)
        self.assertEqual((self.on_disk(), self.clock.getDelayedCalls()), ([], []))

    def test_amid_a_request_that_hangs(self) -> None:
        """It is broken off then, and nobody is blamed."""
        self.target.behave = lambda numbers: Deferred()
        self.take(1)
        with_nothing_said = self.logged(self.forward.stopService)
        self.pass_time(STOP_S)
        self.assertEqual((with_nothing_said, self.forward.running, self.on_disk()), ([], 0, [1]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_telegrams_that_come_while_it_stops(self) -> None:
        """They are kept, too."""
        slow: Deferred[Answer] = Deferred()
        self.target.behave = lambda numbers: slow
        self.take(1)
        stopping = self.forward.stopService()
        self.take(2)
        slow.errback(SinkError("it hung up"))
        self.successResultOf(stopping)
        self.assertEqual((self.on_disk(), self.clock.getDelayedCalls()), ([1, 2], []))

    def test_nowhere_to_keep_them(self) -> None:
        """That is said before the stop."""
        work = Work()
        self.successResultOf(self.forward.stopService())
        self.spool.close()
        self.forwarding(work)
        self.target.behave = away
        work.error = StoreUnavailable("the disk is gone")
        self.take(1)
        lines = self.logged(self.forward.stopService)
        self.assertEqual(lines, [f"1 telegrams for {NAME} could be kept nowhere"])

    def test_started_again(self) -> None:
        """A service that was stopped can be started."""
        self.successResultOf(self.forward.stopService())
        self.take(1)
        self.assertEqual(self.target.taken, [])
        self.forward.startService()
        self.assertEqual(self.target.taken, [1])

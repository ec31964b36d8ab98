"""Tests of dsmr_tw.groupcommit: who is stored with whom, when, how much may wait, and who is told what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import Receipt
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.groupcommit import ANSWERS_PER_TURN, PATIENCE
from dsmr_tw.interfaces import IReadings
from dsmr_tw.limits import READINGS_PER_COMMIT, READINGS_WAITING
from tests.arrivals import NOON
from tests.committing import AWAY, GroupCommitCase


class BatchTests(GroupCommitCase):
    """Who is stored with whom."""

    def test_the_fake_is_what_it_stands_for(self) -> None:
        """The stand-in of these tests has the methods of the port."""
        verifyObject(IReadings, self.readings)

    def test_a_post_commits_at_once(self) -> None:
        """Whoever waits for an answer waits for the disk and for nothing else."""
        answer = self.submit(1, 2)
        self.assertEqual(self.committed(), [[[1, 2]]])
        self.assertEqual(self.readings.commit.now, NOON)
        self.assertNoResult(answer)
        self.readings.commit.succeed()
        self.assertEqual([receipt.reading_id for receipt in self.successResultOf(answer)], [1, 2])

    def test_what_arrives_during_a_commit_goes_into_the_next(self) -> None:
        """While the disk is busy readings gather, and are then stored together, in order."""
        answers = [self.submit(1), self.submit(2, 3)]
        self.take(4)
        answers.append(self.submit(5))
        self.assertEqual(self.committed(), [[[1]]])
        self.readings.commit.succeed()
        self.assertEqual(self.committed(), [[[1]], [[2, 3], [4], [5]]])
        self.readings.commit.succeed()
        self.assertEqual([[r.reading_id for r in self.successResultOf(a)] for a in answers], [[1], [2, 3], [5]])
        self.assertEqual(self.followed.stored, [1, 2, 3, 4, 5])

    def test_a_commit_takes_at_most_two_hundred(self) -> None:
        """A long queue is stored in pieces, so that nobody waits for all of it."""
        self.submit(0)
        for number in range(1, 451):
            self.submit(number)
        sizes = []
        while self.queue.waiting:
            sizes.append(len(self.readings.commit.arrivals))
            self.readings.commit.succeed()
        self.assertEqual(sizes, [1, 200, 200, 50])
        self.assertEqual(self.followed.stored, list(range(451)))

    def test_a_group_is_never_split_over_commits(self) -> None:
        """The telegrams of one body go together, even if the commit is not filled for it."""
        self.submit(0)
        for start in (1, 151, 251):
            self.submit(*range(start, start + (150 if start == 1 else 100)))
        for _ in range(3):
            self.readings.commit.succeed()
        self.assertEqual([[len(group) for group in commit] for commit in self.committed()], [[1], [150], [100, 100]])

    def test_a_group_larger_than_a_commit_goes_alone(self) -> None:
        """It is stored all the same, between those before and after it."""
        self.submit(0)
        self.submit(1)
        self.submit(*range(2, 2 + READINGS_PER_COMMIT + 1))
        self.submit(500)
        for _ in range(4):
            self.readings.commit.succeed()
        self.assertEqual([len(commit.arrivals) for commit in self.readings.commits], [1, 1, 201, 1])

    def test_an_empty_group_gets_an_empty_answer(self) -> None:
        """Nothing to store is stored at once."""
        answer = self.submit()
        self.readings.commit.succeed()
        self.assertEqual(self.successResultOf(answer), [])


class LineTests(GroupCommitCase):
    """When the readings of a line are stored."""

    def test_a_line_waits_for_company(self) -> None:
        """The telegrams of one second share a commit, which spares the disk."""
        self.take(1)
        self.clock.advance(0.5)
        self.take(2)
        self.assertEqual(self.committed(), [])
        self.clock.advance(0.5)
        self.assertEqual(self.committed(), [[[1], [2]]])

    def test_a_line_waits_as_long_as_was_set(self) -> None:
        """--commit-interval spares a worn SD card."""
        self.queue.line_interval = 5.0
        self.take(1)
        self.clock.advance(4.99)
        self.assertEqual(self.committed(), [])
        self.clock.advance(0.01)
        self.assertEqual(self.committed(), [[[1]]])

    def test_a_line_need_not_wait(self) -> None:
        """An interval of 0 stores each telegram at once."""
        self.queue.line_interval = 0.0
        self.take(1)
        self.assertEqual(self.committed(), [[[1]]])

    def test_a_post_takes_the_waiting_line_with_it(self) -> None:
        """A commit that is made anyway costs the line nothing."""
        self.take(1)
        self.submit(2)
        self.assertEqual(self.committed(), [[[1], [2]]])
        self.readings.commit.succeed()
        self.clock.advance(10)
        self.assertEqual(len(self.readings.commits), 1)
        self.take(3)
        self.assertEqual(len(self.readings.commits), 1)
        self.clock.advance(1)
        self.assertEqual(self.committed()[1:], [[[3]]])

    def test_a_full_commit_does_not_wait(self) -> None:
        """When two hundred are there, more company is not worth waiting for."""
        self.take(*range(READINGS_PER_COMMIT - 1))
        self.assertEqual(self.committed(), [])
        self.take(READINGS_PER_COMMIT)
        self.assertEqual([len(commit.arrivals) for commit in self.readings.commits], [200])

    def test_each_wait_begins_with_its_own_telegram(self) -> None:
        """After a commit the next telegram has its full time again."""
        self.take(1)
        self.clock.advance(1)
        self.clock.advance(0.5)
        self.take(2)
        self.readings.commit.succeed()
        self.clock.advance(0.99)
        self.assertEqual(self.committed(), [[[1]]])
        self.clock.advance(0.01)
        self.assertEqual(self.committed(), [[[1]], [[2]]])

    def test_a_clock_that_is_set_back_keeps_nothing_waiting(self) -> None:
        """After the server's clock lost an hour, the next telegram takes those that wait with it."""
        self.take(1)
        self.clock.rightNow -= 3600
        self.take(2)
        self.assertEqual(self.committed(), [[[1], [2]]])
        self.readings.commit.succeed()
        self.take(3)
        self.clock.advance(1)
        self.assertEqual(self.committed()[1:], [[[3]]])


class BoundTests(GroupCommitCase):
    """How much may wait."""

    def fill(self) -> None:
        """Let as many wait as may, one commit of them under way."""
        self.submit(*range(100))
        for _ in range(READINGS_WAITING // 100 - 1):
            self.submit(*range(100))
        self.assertEqual(self.queue.waiting, READINGS_WAITING)

    def test_a_post_too_many_is_refused_at_once(self) -> None:
        """Ten thousand readings may wait for a commit; the next client is asked to come back later."""
        self.fill()
        self.failureResultOf(self.submit(1), IntakeFull)
        self.assertEqual(self.limits.hits["readings_waiting"], 1)
        self.readings.commit.succeed()
        self.assertNoResult(self.submit(1))

    def test_a_post_that_does_not_fit_whole_is_refused_whole(self) -> None:
        """Nothing of a body is stored when there is no room for all of it."""
        self.fill()
        self.readings.commit.succeed()
        room = READINGS_WAITING - self.queue.waiting
        self.failureResultOf(self.submit(*range(room + 1)), IntakeFull)
        self.assertNoResult(self.submit(*range(room)))
        self.assertEqual(self.queue.waiting, READINGS_WAITING)

    def test_a_telegram_too_many_is_refused_too(self) -> None:
        """Whoever hands on a line's telegrams keeps it."""
        self.fill()
        self.take(1, 2)
        self.assertEqual([failure.check(IntakeFull) for failure in self.refused], [IntakeFull] * 2)
        self.assertEqual((self.queue.waiting, self.limits.hits["readings_waiting"]), (READINGS_WAITING, 2))


class AnswerTests(GroupCommitCase):
    """What is told to whom after a commit."""

    def submit_many(self, many: int) -> list[Deferred[list[Receipt]]]:
        """Submit groups that will all be in one commit."""
        self.submit(-1)
        answers = [self.submit(number) for number in range(many)]
        self.readings.commit.succeed()
        return answers

    def test_answers_are_given_in_slices(self) -> None:
        """A big commit does not hold up the reactor: fifty answers a turn."""
        answers = self.submit_many(120)
        self.readings.commit.succeed()
        self.assert_told_in_slices(answers, 120)

    def test_refusals_are_given_in_slices_too(self) -> None:
        """A store that goes away with many waiting does not hold up the reactor either."""
        answers = [self.submit(number) for number in range(120)]
        told = [answer.addErrback(lambda failure: failure.trap(StoreUnavailable)) for answer in answers]
        self.readings.commit.fail(AWAY)
        self.assert_told_in_slices(told, 120)

    def assert_told_in_slices(self, answers: Sequence[Deferred[Any]], many: int) -> None:
        """Fifty of the answers in each turn, in order."""
        expected = ANSWERS_PER_TURN
        while expected < many:
            self.assertEqual([answer.called for answer in answers], [n < expected for n in range(many)])
            self.one_turn()
            expected += ANSWERS_PER_TURN
        self.assertTrue(all(answer.called for answer in answers))

    def one_turn(self) -> None:
        """Let the reactor do what is due now, and not yet what that asks for; a Clock would do both."""
        calls: Any = self.clock.getDelayedCalls()
        for call in calls:
            self.assertEqual(call.getTime(), self.clock.seconds())
            work = partial(call.func, *call.args, **call.kw)
            call.cancel()
            work()

    def test_followers_are_told_before_those_who_wait(self) -> None:
        """A client that reads at once what it has just posted finds it in the live values."""
        seen: list[list[int]] = []
        self.submit(1).addCallback(lambda receipts: seen.append(list(self.followed.stored)))
        self.readings.commit.succeed()
        self.assertEqual(seen, [[1]])

    def test_a_failing_follower_does_not_lose_an_answer(self) -> None:
        """What follows a commit can't undo it: the reading is stored, and its client is told so."""
        self.followed.trouble = RuntimeError("a bug")
        answers = [self.submit(1), self.submit(2)]
        self.readings.commit.succeed()
        self.readings.commit.succeed()
        for answer in answers:
            self.successResultOf(answer)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(self.queue.waiting, 0)

    def test_a_client_that_hangs_up_changes_nothing(self) -> None:
        """Its reading is stored as it was taken, and so are those of the others."""
        gone, here = self.submit(1), self.submit(2)
        gone.addErrback(lambda failure: None)
        gone.cancel()
        self.readings.commit.succeed()
        self.readings.commit.succeed()
        self.successResultOf(here)
        self.assertEqual(self.followed.stored, [1, 2])

    def test_whoever_is_answered_may_submit_at_once(self) -> None:
        """A client with much to send posts the next reading when the last one is stored."""
        self.submit(1).addCallback(lambda receipts: self.submit(2))
        self.readings.commit.succeed()
        self.assertEqual(self.committed(), [[[1]], [[2]]])


class StopTests(GroupCommitCase):
    """The end of the service."""

    def test_what_waits_is_stored_first(self) -> None:
        """Neither the line's interval nor the size of a commit leaves anything behind."""
        self.take(*range(READINGS_PER_COMMIT - 1))
        stopped = self.queue.stopService()
        self.assertNoResult(stopped)
        self.readings.commit.succeed()
        self.successResultOf(stopped)
        self.assertEqual(self.followed.stored, list(range(READINGS_PER_COMMIT - 1)))
        # All are told in this turn and the next ones; nothing else is to come.
        self.clock.pump([0, 0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_commit_under_way_is_waited_for(self) -> None:
        """So are the commits that what came during it needs."""
        answer = self.submit(0)
        self.take(*range(1, 302))
        stopped = self.queue.stopService()
        for _ in range(3):
            self.assertNoResult(stopped)
            self.readings.commit.succeed()
        self.successResultOf(stopped)
        self.successResultOf(answer)
        self.assertEqual(self.followed.stored, list(range(302)))

    def test_nothing_to_do_is_done_at_once(self) -> None:
        """An idle service stops at once."""
        self.successResultOf(self.queue.stopService())

    def test_a_store_that_is_away_is_tried_once(self) -> None:
        """A stop does not take for ever; all that wait are told."""
        self.take(1, 2)
        stopped = self.queue.stopService()
        self.readings.commit.fail(AWAY)
        self.successResultOf(stopped)
        self.assertEqual([failure.value for failure in self.refused], [AWAY, AWAY])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_commit_that_is_stuck_is_not_waited_for(self) -> None:
        """A frozen database does not keep the service from stopping for longer than it is given."""
        answer = self.submit(1)
        stopped = self.queue.stopService()
        self.clock.advance(PATIENCE)
        self.successResultOf(stopped)
        self.failureResultOf(answer, StoreUnavailable)

    def test_a_commit_that_was_stuck_before_is_not_waited_for_either(self) -> None:
        """Nothing more can be done then."""
        answer = self.submit(1)
        self.clock.advance(PATIENCE)
        self.failureResultOf(answer, StoreUnavailable)
        self.successResultOf(self.queue.stopService())

"""Tests of dsmr_tw.groupcommit: who is stored with whom, when, and what becomes of it when the store refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import SECOND, Arrival, Receipt
from dsmr_tw.errors import IntakeFull, StoreUnavailable
from dsmr_tw.groupcommit import ANSWERS_PER_TURN, GroupCommit
from dsmr_tw.interfaces import IReadings
from dsmr_tw.limits import READINGS_PER_COMMIT, READINGS_WAITING, Limits
from tests.arrivals import NOON, heard
from tests.fakes import HeldReadings

AWAY = StoreUnavailable("the disk is full")


class PoisonError(Exception):
    """What the store says about a value that it can't take."""


def arrivals(*numbers: int) -> list[Arrival]:
    """Arrivals that can be told apart by their number."""
    return [heard(NOON + number * SECOND, delivered_1=number) for number in numbers]


def numbers(values: Sequence[Arrival]) -> list[int]:
    """The numbers of arrivals."""
    return [value.reading.delivered_1 for value in values if value.reading is not None]


@define
class Followed:
    """What was told after commits."""

    stored: list[int] = field(factory=list)
    receipts: list[Receipt] = field(factory=list)
    trouble: Exception | None = None

    def __call__(self, taken: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """Take note."""
        if self.trouble:
            raise self.trouble
        self.stored += numbers(taken)
        self.receipts += receipts


class GroupCommitCase(SynchronousTestCase):
    """A queue before a store whose commits the test ends."""

    def setUp(self) -> None:
        """Begin at noon with an empty queue."""
        self.clock = Clock()
        self.clock.advance(NOON // SECOND)
        self.readings = HeldReadings()
        self.limits = Limits()
        self.followed = Followed()
        self.queue = GroupCommit(self.readings, self.clock, self.limits, self.followed)
        self.queue.startService()

    def submit(self, *values: int) -> Deferred[list[Receipt]]:
        """Submit one group."""
        return self.queue.submit(arrivals(*values))

    def take(self, *values: int) -> None:
        """Let telegrams come from a line."""
        for arrival in arrivals(*values):
            self.queue.take(arrival)

    def committed(self) -> list[list[list[int]]]:
        """The numbers in each commit that was begun, group by group."""
        return [[numbers(group) for group in commit.groups] for commit in self.readings.commits]


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


class AwayTests(GroupCommitCase):
    """A store that takes nothing now."""

    def refuse(self) -> None:
        """End the commit under way without storing anything."""
        self.readings.commit.fail(AWAY)

    def test_a_post_is_told_at_once(self) -> None:
        """The client tries again later, and nothing of it stays behind."""
        answer = self.submit(1)
        self.refuse()
        self.assertIs(self.failureResultOf(answer, StoreUnavailable).value, AWAY)
        self.clock.advance(3600)
        self.assertEqual((len(self.readings.commits), self.queue.waiting), (1, 0))

    def test_posts_behind_it_are_told_too(self) -> None:
        """Nobody waits for a second try of a store that has just said no."""
        answers = [self.submit(number) for number in range(3)]
        self.refuse()
        for answer in answers:
            self.failureResultOf(answer, StoreUnavailable)
        self.assertEqual((len(self.readings.commits), self.queue.waiting), (1, 0))

    def test_the_next_post_tries_again(self) -> None:
        """A store that is back takes the first post that comes, and the line's readings before it."""
        self.take(1)
        self.failureResultOf(self._refused_post(2), StoreUnavailable)
        answer = self.submit(3)
        self.assertEqual(self.committed()[1:], [[[1], [3]]])
        self.readings.commit.succeed()
        self.successResultOf(answer)
        self.assertEqual(self.followed.stored, [1, 3])

    def _refused_post(self, number: int) -> Deferred[list[Receipt]]:
        answer = self.submit(number)
        self.refuse()
        return answer

    def test_a_line_is_tried_again_less_and_less_often(self) -> None:
        """After 1, 2, 4, 8, 16 and then every 30 seconds, in order, with all that came meanwhile."""
        self.take(1)
        self.clock.advance(1)
        waits = []
        for number in range(2, 10):
            self.refuse()
            self.take(number)
            begun, waited = len(self.readings.commits), 0
            while len(self.readings.commits) == begun:
                self.clock.advance(1)
                waited += 1
            waits.append(waited)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 30, 30, 30])
        self.assertEqual(self.committed()[-1], [[number] for number in range(1, 10)])
        self.readings.commit.succeed()
        self.assertEqual(self.followed.stored, list(range(1, 10)))

    def test_after_an_outage_the_line_is_as_before(self) -> None:
        """The next telegram waits its second, and the next outage begins with one second again."""
        self.take(1)
        for advance in (1, 1, 2):
            self.clock.advance(advance)
            self.refuse()
        self.clock.advance(4)
        self.readings.commit.succeed()
        self.take(2)
        self.clock.advance(1)
        self.assertEqual(len(self.readings.commits), 5)
        self.refuse()
        self.clock.advance(1)
        self.assertEqual(len(self.readings.commits), 6)

    def test_a_long_backlog_is_stored_in_order(self) -> None:
        """What gathered while the store was away goes in pieces, the oldest first."""
        self.take(0)
        self.clock.advance(1)
        self.take(*range(1, 500))
        self.refuse()
        self.clock.advance(1)
        while self.queue.waiting:
            self.readings.commit.succeed()
        self.assertEqual([len(commit.arrivals) for commit in self.readings.commits], [1, 200, 200, 100])
        self.assertEqual(self.followed.stored, list(range(500)))

    def test_an_outage_is_told_once(self) -> None:
        """The log says when the store went and when it came back; /health says why in between."""
        with capturedLogs() as events:
            self.take(1)
            for advance in (1, 1, 2):
                self.clock.advance(advance)
                self.refuse()
            self.assertEqual(self.queue.away_because, "the disk is full")
            self.assertIsNone(self.queue.last_commit_at)
            self.clock.advance(4)
            self.readings.commit.succeed()
        self.assertIsNone(self.queue.away_because)
        self.assertEqual(self.queue.last_commit_at, NOON + 8 * SECOND)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error, LogLevel.info])

    def test_the_clock_set_back_during_an_outage(self) -> None:
        """The store is tried again with the next telegram, not an hour later."""
        self.take(1)
        self.clock.advance(1)
        self.refuse()
        self.clock.rightNow -= 3600
        self.take(2)
        self.assertEqual(self.committed()[1:], [[[1], [2]]])


class PoisonTests(GroupCommitCase):
    """A batch with a value that the store can't take."""

    def play(self, poisonous: set[int], away_after: int | None = None) -> None:
        """End all commits as a store would that can't take the poisonous numbers."""
        while self.readings.commit.answer.called is False:
            commit = self.readings.commit
            if away_after is not None and len(self.readings.commits) > away_after:
                commit.fail(AWAY)
            elif poisonous & set(numbers(commit.arrivals)):
                commit.fail(PoisonError("no such number"))
            else:
                commit.succeed()

    def test_only_the_culprit_fails(self) -> None:
        """Ninety-nine clients are not made to suffer for the hundredth; all are stored in order."""
        for poisonous in ({50}, {0}, {99}, {3, 4, 77}):
            self.setUp()
            first = self.submit(-1)
            answers = {number: self.submit(number) for number in range(100)}
            self.play(poisonous)
            self.successResultOf(first)
            self.clock.pump([0, 0])
            for number, answer in answers.items():
                if number in poisonous:
                    self.failureResultOf(answer, PoisonError)
                else:
                    self.successResultOf(answer)
            self.assertEqual(self.followed.stored, [-1, *(n for n in range(100) if n not in poisonous)])
            self.assertEqual(self.queue.waiting, 0)

    def test_halving_finds_the_culprit_quickly(self) -> None:
        """One bad value among two hundred costs some sixteen commits, not two hundred."""
        self.submit(-1)
        answers = [self.submit(number) for number in range(200)]
        self.play({117})
        self.assertLess(len(self.readings.commits), 20)
        self.failureResultOf(answers[117], PoisonError)

    def test_a_group_fails_as_a_whole(self) -> None:
        """A body with one bad telegram is stored not at all; those before and after it are."""
        self.submit(0)
        before, group, after = self.submit(1, 2), self.submit(3, 4, 5), self.submit(6)
        self.play({4})
        self.successResultOf(before)
        self.failureResultOf(group, PoisonError)
        self.successResultOf(after)
        self.assertEqual(self.followed.stored, [0, 1, 2, 6])

    def test_a_telegram_that_cannot_be_stored_is_lost_and_told(self) -> None:
        """Nobody waits for a line's telegram, so the log and the count say that it came to nothing."""
        self.take(1, 2, 3)
        self.clock.advance(1)
        self.play({2})
        self.assertEqual((self.followed.stored, self.queue.lost, self.queue.waiting), ([1, 3], 1, 0))
        self.assertEqual(len(self.flushLoggedErrors(PoisonError)), 1)

    def test_a_store_that_goes_away_in_the_midst_of_halving(self) -> None:
        """What was not tried yet goes back in order; what was stored by then is stored once."""
        self.take(*range(8))
        self.clock.advance(1)
        # 0..7 refused, 0..3 refused, 0 and 1 stored; then the store is away.
        self.play({2}, away_after=3)
        self.assertEqual((self.followed.stored, self.queue.waiting), ([0, 1], 6))
        self.clock.advance(1)
        self.play({2})
        self.assertEqual((self.followed.stored, self.queue.waiting), ([0, 1, 3, 4, 5, 6, 7], 0))
        self.flushLoggedErrors(PoisonError)

    def test_a_bad_value_is_no_outage(self) -> None:
        """A store that says why it does not take a value is there, so /health turns green over it."""
        self.take(1)
        self.clock.advance(1)
        self.readings.commit.fail(AWAY)
        self.clock.advance(1)
        self.play({1})
        self.assertIsNone(self.queue.away_because)
        self.flushLoggedErrors(PoisonError)

    def test_a_bad_value_after_an_outage_does_not_cut_the_stop_short(self) -> None:
        """What waits behind it is stored before the service ends."""
        self.take(1)
        self.clock.advance(1)
        self.take(2)
        self.readings.commit.fail(AWAY)
        answer = self.submit(*range(3, 203))
        self.take(203)
        stopped = self.queue.stopService()
        self.play({1, 2, 3})
        self.successResultOf(stopped)
        self.failureResultOf(answer, PoisonError)
        self.assertEqual(self.followed.stored, [203])
        self.flushLoggedErrors(PoisonError)


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

    def test_a_telegram_too_many_is_counted(self) -> None:
        """A line can't be asked to come back: the newest telegram is refused, and that is known."""
        self.fill()
        self.take(1, 2)
        self.assertEqual((self.queue.lost, self.limits.hits["readings_waiting"]), (2, 2))
        self.assertEqual(self.queue.waiting, READINGS_WAITING)

    def test_a_line_fills_the_queue_of_a_store_that_is_away(self) -> None:
        """The oldest ten thousand are kept, and all of them are stored when it is back."""
        self.take(0)
        self.clock.advance(1)
        self.readings.commit.fail(AWAY)
        self.take(*range(1, READINGS_WAITING + 5))
        self.assertEqual((self.queue.waiting, self.queue.lost), (READINGS_WAITING, 5))
        self.clock.advance(1)
        while self.queue.waiting:
            self.readings.commit.succeed()
        self.assertEqual(self.followed.stored, list(range(READINGS_WAITING)))


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

    def test_a_store_that_is_away_is_tried_once_more(self) -> None:
        """A stop does not take for ever; what could not be stored is told."""
        self.take(1)
        self.clock.advance(1)
        self.readings.commit.fail(AWAY)
        with capturedLogs() as events:
            stopped = self.queue.stopService()
            self.assertEqual(len(self.readings.commits), 2)
            self.readings.commit.fail(AWAY)
        self.successResultOf(stopped)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.critical])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_store_that_comes_back_for_the_stop_gets_everything(self) -> None:
        """The last try is worth it."""
        self.take(*range(1, 302))
        self.readings.commit.fail(AWAY)
        stopped = self.queue.stopService()
        while self.queue.waiting:
            self.readings.commit.succeed()
        self.successResultOf(stopped)
        self.assertEqual(self.followed.stored, list(range(1, 302)))


STEPS = st.lists(
    st.sampled_from(
        ["take", "post", "post of three", "poison on the line", "poison in a post", "second", "store", "away"]
    ),
    max_size=60,
)


class AnyOrderTests(SynchronousTestCase):
    """Nothing is lost, doubled or turned round, in whatever order things happen."""

    @settings(max_examples=200, deadline=None)
    @given(STEPS)
    def test_every_reading_has_one_fate(self, steps: list[str]) -> None:
        """Stored once and acknowledged, or refused and not stored; a line's good telegrams are stored, in order."""
        story = Story()
        for step in steps:
            story.play(step)
        story.end()
        self.flushLoggedErrors(PoisonError)
        self.assertEqual(len(story.stored), len(set(story.stored)))
        self.assertEqual([n for n in story.stored if n in set(story.line)], story.line)
        self.assertEqual([n for n in story.stored if n not in set(story.line)], story.acknowledged)
        self.assertEqual(story.answers, story.posts)
        self.assertEqual(story.queue.lost, story.poisoned)


@define
class Story:
    """A queue and a store, and what must be true of them at the end. Poisonous numbers are negative."""

    clock: Clock = field(factory=Clock)
    readings: HeldReadings = field(factory=HeldReadings)
    followed: Followed = field(factory=Followed)
    queue: GroupCommit = field(init=False)
    line: list[int] = field(factory=list)
    acknowledged: list[int] = field(factory=list)
    posts: int = 0
    answers: int = 0
    poisoned: int = 0
    _next: int = 0

    def __attrs_post_init__(self) -> None:
        self.queue = GroupCommit(self.readings, self.clock, Limits(), self.followed)

    @property
    def stored(self) -> list[int]:
        """What is on disk, in the order in which it came there."""
        return self.followed.stored

    def number(self) -> int:
        """The next number."""
        self._next += 1
        return self._next

    def play(self, step: str) -> None:
        """Let something happen."""
        happenings: dict[str, Callable[[], None]] = {
            "take": self.take,
            "post": lambda: self.post(self.number()),
            "post of three": lambda: self.post(self.number(), self.number(), self.number()),
            "poison on the line": self.take_poison,
            "poison in a post": lambda: self.post(self.number(), -self.number(), self.number()),
            "second": lambda: self.clock.advance(1),
            "store": lambda: self.finish(away=False),
            "away": lambda: self.finish(away=True),
        }
        happenings[step]()

    def take(self) -> None:
        """A telegram comes."""
        number = self.number()
        self.line.append(number)
        self.queue.take(*arrivals(number))

    def take_poison(self) -> None:
        """A telegram comes that can't be stored."""
        self.poisoned += 1
        self.queue.take(*arrivals(-self.number()))

    def post(self, *values: int) -> None:
        """A client posts."""
        self.posts += 1
        self.queue.submit(arrivals(*values)).addCallbacks(self.accepted, self.refused, (values,))

    def accepted(self, receipts: list[Receipt], values: tuple[int, ...]) -> None:
        """A client was told that its readings are stored."""
        assert len(receipts) == len(values)
        self.answers += 1
        self.acknowledged += values

    def refused(self, failure: object) -> None:
        """A client was told that they are not."""
        self.answers += 1

    def finish(self, *, away: bool) -> None:
        """End the commit under way, if there is one."""
        if not self.readings.commits or self.readings.commit.answer.called:
            return
        commit = self.readings.commit
        if away:
            commit.fail(AWAY)
        elif any(number < 0 for number in numbers(commit.arrivals)):
            commit.fail(PoisonError("no such number"))
        else:
            commit.succeed()

    def end(self) -> None:
        """Let the store be back, and the service stop."""
        stopped = self.queue.stopService()
        while not stopped.called:
            self.finish(away=False)
        self.clock.advance(60)

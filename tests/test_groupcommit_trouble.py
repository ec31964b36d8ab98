"""Tests of dsmr_tw.groupcommit: what becomes of readings when the store is away, or refuses one of them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import SECOND, Receipt
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE, GroupCommit
from dsmr_tw.limits import Limits
from tests.arrivals import NOON
from tests.committing import AWAY, Followed, GroupCommitCase, PoisonError, arrivals, numbers
from tests.fakes import HeldReadings


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

    def test_a_line_is_told_too(self) -> None:
        """Nothing waits here for the store to come back, and nobody is told before those who came sooner."""
        told: list[int] = []
        for number in range(1, 4):
            answer = self.queue.submit(arrivals(number), is_patient=True)
            answer.addErrback(lambda failure, number: told.append(number), number)
        self.clock.advance(1)
        self.take(4)
        self.refuse()
        self.assertEqual((told, len(self.refused), self.queue.waiting), ([1, 2, 3], 1, 0))
        self.clock.advance(3600)
        self.assertEqual(len(self.readings.commits), 1)

    def test_the_next_one_tries_again(self) -> None:
        """A store that is back takes the first reading that comes."""
        answer = self.submit(1)
        self.refuse()
        self.failureResultOf(answer, StoreUnavailable)
        answer = self.submit(2)
        self.readings.commit.succeed()
        self.successResultOf(answer)
        self.assertEqual(self.followed.stored, [2])

    def test_an_outage_is_told_once(self) -> None:
        """The log says when the store went and when it came back; /health says why in between."""
        with capturedLogs() as events:
            for number in range(3):
                self.take(number)
                self.clock.advance(1)
                self.refuse()
            self.assertEqual(self.queue.away_because, "the disk is full")
            self.assertIsNone(self.queue.last_commit_at)
            self.take(4)
            self.clock.advance(1)
            self.readings.commit.succeed()
        self.assertIsNone(self.queue.away_because)
        self.assertEqual(self.queue.last_commit_at, NOON + 4 * SECOND)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error, LogLevel.info])

    def test_whoever_is_told_may_submit_at_once(self) -> None:
        """It is tried anew, not counted to those that have just failed."""
        again: list[Deferred[list[Receipt]]] = []
        self.submit(1).addErrback(lambda failure: again.append(self.submit(2)))
        self.refuse()
        self.assertEqual((self.committed(), self.queue.waiting), ([[[1]], [[2]]], 1))
        self.readings.commit.succeed()
        self.successResultOf(again[0])


class StuckTests(GroupCommitCase):
    """A commit that does not end: a frozen database, a stuck disk."""

    def submit_and_wait(self) -> None:
        """Submit one reading, and another behind it, until patience ends."""
        answers = [self.submit(1), self.submit(2)]
        self.clock.advance(PATIENCE - 0.01)
        self.assertNoResult(answers[0])
        self.clock.advance(0.01)
        for answer in answers:
            self.assertIn("a commit takes longer than 3 s", str(self.failureResultOf(answer, StoreUnavailable).value))
        self.assertEqual(self.queue.waiting, 0)

    def test_all_who_wait_are_told(self) -> None:
        """A client is not kept waiting for ever, and /health says why."""
        self.submit_and_wait()
        self.assertEqual(self.queue.away_because, "a commit takes longer than 3 s")

    def test_no_other_commit_begins_meanwhile(self) -> None:
        """What comes then is told at once, and does not queue."""
        self.submit_and_wait()
        self.failureResultOf(self.submit(3), StoreUnavailable)
        self.clock.advance(3600)
        self.assertEqual((self.committed(), self.queue.waiting), ([[[1]]], 0))

    def test_it_may_yet_succeed(self) -> None:
        """Then the store is back; what it has made durable is told to those who follow, and the next is stored."""
        self.submit_and_wait()
        self.readings.commit.succeed()
        self.assertIsNone(self.queue.away_because)
        self.assertEqual(self.followed.stored, [1])
        answer = self.submit(3)
        self.readings.commit.succeed()
        self.successResultOf(answer)

    def test_it_may_fail_at_last(self) -> None:
        """Then the store is away for the reason that it gives, and the next reading tries it again."""
        self.submit_and_wait()
        self.readings.commit.fail(AWAY)
        self.assertEqual(self.queue.away_because, "the disk is full")
        answer = self.submit(3)
        self.readings.commit.succeed()
        self.successResultOf(answer)

    def test_it_may_refuse_a_value_at_last(self) -> None:
        """Nobody waits for that any more, so nothing is halved."""
        self.take(*range(1, 201))
        self.clock.advance(PATIENCE)
        self.assertEqual(len(self.refused), 200)
        self.readings.commit.fail(PoisonError("no such number"))
        self.assertIsNone(self.queue.away_because)
        self.assertEqual(len(self.readings.commits), 1)

    def test_a_single_value_that_is_refused_at_last(self) -> None:
        """Who posted it was told already, and is told nothing more."""
        self.submit_and_wait()
        self.readings.commit.fail(PoisonError("no such number"))
        self.assertIsNone(self.queue.away_because)

    def test_each_part_of_a_batch_has_its_time(self) -> None:
        """Looking for a bad value may take longer than one commit may."""
        answers = [self.submit(0), self.submit(1), self.submit(2)]
        self.readings.commit.succeed()
        for _ in range(3):
            self.clock.advance(PATIENCE - 0.01)
            commit = self.readings.commit
            commit.fail(PoisonError("2")) if 2 in numbers(commit.arrivals) else commit.succeed()
        self.successResultOf(answers[1])
        self.failureResultOf(answers[2], PoisonError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


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

    def test_a_telegram_that_cannot_be_stored_fails_alone(self) -> None:
        """So it is with those of a line, which were stored together for company."""
        self.take(1, 2, 3)
        self.clock.advance(1)
        self.play({2})
        self.assertEqual((self.followed.stored, self.queue.waiting), ([1, 3], 0))
        self.assertEqual([failure.check(PoisonError) for failure in self.refused], [PoisonError])

    def test_a_store_that_goes_away_in_the_midst_of_halving(self) -> None:
        """What was stored by then is stored, and all the others are told, in order."""
        self.take(*range(8))
        self.clock.advance(1)
        # 0..7 refused, 0..3 refused, 0 and 1 stored; then the store is away.
        self.play({2}, away_after=3)
        self.assertEqual((self.followed.stored, self.queue.waiting), ([0, 1], 0))
        self.assertEqual([failure.value for failure in self.refused], [AWAY] * 6)

    def test_a_bad_value_is_no_outage(self) -> None:
        """A store that says why it does not take a value is there, so /health turns green over it."""
        self.submit(0).addErrback(self.refused.append)
        self.readings.commit.fail(AWAY)
        self.submit(1).addErrback(self.refused.append)
        self.play({1})
        self.assertIsNone(self.queue.away_because)

    def test_a_bad_value_does_not_cut_the_stop_short(self) -> None:
        """What waits behind it is stored before the service ends."""
        self.take(1)
        answer = self.submit(*range(3, 203))
        self.take(203)
        stopped = self.queue.stopService()
        self.play({1, 3})
        self.successResultOf(stopped)
        self.failureResultOf(answer, PoisonError)
        self.assertEqual(self.followed.stored, [203])


STEPS = st.lists(
    st.sampled_from(
        ["line", "post", "post of three", "poison", "poison in a post", "second", "store", "away", "stuck"]
    ),
    max_size=60,
)


class AnyOrderTests(SynchronousTestCase):
    """Nothing is lost, doubled or turned round, in whatever order things happen."""

    @settings(max_examples=200, deadline=None)
    @given(STEPS)
    def test_every_reading_has_one_fate(self, steps: list[str]) -> None:
        """It is stored once, or not at all; whoever submitted it is told once, and "stored" only when it is."""
        story = Story()
        for step in steps:
            story.play(step)
        story.end()
        self.assertEqual(story.stored, sorted(set(story.stored)))
        self.assertEqual(story.answers, story.groups)
        self.assertLessEqual(set(story.acknowledged), set(story.stored))
        # Only what outlasted everybody's patience may be there unasked.
        if not story.was_stuck:
            self.assertEqual(story.acknowledged, story.stored)
        self.assertEqual(story.queue.waiting, 0)


@define
class Story:
    """A queue and a store, and what must be true of them at the end. Poisonous numbers are negative."""

    clock: Clock = field(factory=Clock)
    readings: HeldReadings = field(factory=HeldReadings)
    followed: Followed = field(factory=Followed)
    queue: GroupCommit = field(init=False)
    acknowledged: list[int] = field(factory=list)
    groups: int = 0
    answers: int = 0
    was_stuck: bool = False
    """Whether a commit has outlasted everybody's patience."""
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
            "line": lambda: self.submit(self.number(), is_patient=True),
            "post": lambda: self.submit(self.number()),
            "post of three": lambda: self.submit(self.number(), self.number(), self.number()),
            "poison": lambda: self.submit(-self.number(), is_patient=True),
            "poison in a post": lambda: self.submit(self.number(), -self.number(), self.number()),
            "second": lambda: self.clock.advance(1),
            "store": lambda: self.finish(away=False),
            "away": lambda: self.finish(away=True),
            "stuck": lambda: self.clock.advance(PATIENCE),
        }
        happenings[step]()
        self.was_stuck |= "longer" in str(self.queue.away_because)

    def submit(self, *values: int, is_patient: bool = False) -> None:
        """Somebody submits readings."""
        self.groups += 1
        self.queue.submit(arrivals(*values), is_patient).addCallbacks(self.accepted, self.refused, (values,))

    def accepted(self, receipts: list[Receipt], values: tuple[int, ...]) -> None:
        """Somebody was told that the readings are stored."""
        assert len(receipts) == len(values)
        self.answers += 1
        self.acknowledged += values

    def refused(self, failure: object) -> None:
        """Somebody was told that they are not."""
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

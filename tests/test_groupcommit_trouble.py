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
from dsmr_tw.groupcommit import GroupCommit
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

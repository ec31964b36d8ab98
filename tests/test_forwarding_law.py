"""A law of dsmr_tw.forwarding: whatever happens, the server has all telegrams in the end, in order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.errors import SinkError
from dsmr_tw.forwarding import KEEP_S
from tests.brief import BRIEF
from tests.forwardcase import ForwardCase, away

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(1, 5)),
        st.tuples(st.just("pass_time"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["go_away", "be_well", "be_slow", "lose_answers", "end", "restart"]), st.just(0)),
    ),
    max_size=25,
)


class LawTests(ForwardCase):
    """Any history of outages, slow and lost answers, crashes and restarts."""

    def setUp(self) -> None:
        """Nothing came yet, and nothing is stored."""
        super().setUp()
        self.together = 1
        self.come_so_far = 0
        self.stored: list[int] = []
        self.slow: list[Deferred[Answer]] = []
        self.be_well()

    @settings(max_examples=40 if BRIEF else 150, deadline=None)
    @given(EVENTS, st.sampled_from([1, 3, 100]))
    def test_all_in_order(self, events: list[tuple[str, int]], together: int) -> None:
        """Nothing is lost that is a second old, or acknowledged, and what is new to the server comes in order."""
        self.setUp()
        self.together = together
        for event, amount in events:
            getattr(self, event)(*([amount] if amount else []))
        self.be_well()
        self.pass_time(200)
        self.assertEqual(list(dict.fromkeys(self.stored)), list(range(self.come_so_far)))
        self.assertEqual((len(self.forward.unsent), self.forward.unsent.lost, self.on_disk()), (0, 0, []))
        self.successResultOf(self.forward.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.spool.close()

    def come(self, number: int) -> None:
        """Telegrams come."""
        self.take(*range(self.come_so_far, self.come_so_far + number))
        self.come_so_far += number

    def go_away(self) -> None:
        """The server is away from now on."""
        self.target.behave = away

    def be_well(self) -> None:
        """It takes everything, and answers what it has not yet."""
        self.target.behave = self._store
        slow, self.slow = self.slow, []
        for answer in slow:
            if not answer.called:
                answer.callback(Answer(201))

    def be_slow(self) -> None:
        """It does not answer for a while."""
        self.target.behave = self._wait

    def lose_answers(self) -> None:
        """It takes everything, but nobody hears of it."""
        self.target.behave = self._lose

    def end(self) -> None:
        """We end without a word; what came in the last second may be gone then, so nothing did."""
        self.pass_time(KEEP_S)
        self.crash()
        self.forwarding()

    def restart(self) -> None:
        """We end in an orderly way, and begin again."""
        stopping = self.forward.stopService()
        self.pass_time(3)
        self.successResultOf(stopping)
        self.spool.close()
        self.forwarding()

    def _store(self, numbers: Sequence[int]) -> Answer:
        self.stored += numbers
        return Answer(201, together=self.together)

    def _lose(self, numbers: Sequence[int]) -> Exception:
        self.stored += numbers
        return SinkError("it hung up without an answer")

    def _wait(self, numbers: Sequence[int]) -> Deferred[Answer]:
        answer: Deferred[Answer] = Deferred(lambda deferred: deferred.errback(SinkError("it was broken off")))
        self.slow.append(answer)
        return answer.addCallback(lambda _: self._store(numbers))

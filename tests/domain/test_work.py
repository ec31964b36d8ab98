"""Tests of dsmr_tw.domain.work: what is computed again around a mark, and in which pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.ledger import FIRST, NEVER, OTHER_EQUIPMENT, SPLIT, STAYS, Edits, Walk
from dsmr_tw.domain.work import NEAR, Piece, Stretch
from tests.arrivals import MINUTE, NOON
from tests.walking import TEN_A_MINUTE, ListedHistory, amounts, edits, finished, minute, readings, steady, told

NOTHING = Edits()

MESSY = " ".join(
    (
        steady(-300, -60, "A"),
        "-60=9999A -58=3A",
        steady(-57, 20, "A"),
        "21=7000B 22=7001B 23=7002B",
        steady(24, 37, "A"),
        "89=88A 90=5000A 92=5001A 93=92A",
        steady(94, 300, "A"),
        steady(300, 390, "A", at_zero=2_000),
        "401=0C 402=9999C 403=5C",
        steady(420, 440, "C", at_zero=-400),
        "441=9C 442=9C",
    )
)
"""Glitches, a meter that was read for three minutes, an outage, a jump, a swap, and readings that still wait."""


def minutes(start: int, end: int) -> tuple[int | None, int | None]:
    """A span in minutes after noon; ``None`` where it is endless."""
    return (
        None if start == -NEVER else (start - NOON) // MINUTE,
        None if end == NEVER else (end - NOON) // MINUTE,
    )


def clipped(walk: Walk, start: int, end: int) -> Piece:
    """What a walk through everything tells of a time."""
    return Piece(
        start,
        end,
        [quarter for quarter in walk.quarters if start <= quarter.start < end],
        [epoch for epoch in walk.epochs if start <= epoch.at < end],
        [outlier for outlier in walk.outliers if start <= outlier.at < end],
    )


def joined(pieces: Sequence[Piece]) -> Piece:
    """Successive pieces as one."""
    return Piece(
        pieces[0].start,
        pieces[-1].end,
        [quarter for piece in pieces for quarter in piece.quarters],
        [epoch for piece in pieces for epoch in piece.epochs],
        [outlier for piece in pieces for outlier in piece.outliers],
    )


class WorkCase(SynchronousTestCase):
    """A test that computes stretches of a listed history."""

    def around(self, text: str, *marks: int, edits: Edits = NOTHING) -> Stretch:
        """The stretch around marked minutes."""
        history = ListedHistory(readings(text))
        return Stretch.around([minute(mark) for mark in marks], TEN_A_MINUTE, edits, history)

    def over(self, text: str, start: int, end: int, cuts: Iterable[int] = (), edits: Edits = NOTHING) -> Stretch:
        """The stretch from one minute to another."""
        bounds = (start if start == -NEVER else minute(start), end if end == NEVER else minute(end))
        history = ListedHistory(readings(text))
        return Stretch.over(*bounds, TEN_A_MINUTE, edits, history, tuple(minute(cut) for cut in cuts))

    def pieces(self, stretch: Stretch, text: str, budget: int = 1_000_000) -> list[Piece]:
        """All of its pieces; each begins where the one before ended."""
        history = ListedHistory(readings(text))
        pieces = [stretch.advance(history, budget)]
        while not stretch.done:
            pieces.append(stretch.advance(history, budget))
            self.assertEqual(pieces[-1].start, pieces[-2].end)
        return pieces

    def one(self, stretch: Stretch, text: str) -> Piece:
        """Its only piece."""
        [piece] = self.pieces(stretch, text)
        return piece

    def assert_spans(self, text: str, mark: int, start: int | None, end: int | None) -> None:
        """Around a mark, so much is computed; and it is what a walk through everything tells."""
        piece = self.one(self.around(text, mark), text)
        self.assertEqual(minutes(piece.start, piece.end), (start, end))
        self.assertEqual(piece, clipped(finished(text), piece.start, piece.end))


class AroundTests(WorkCase):
    """The seventh rule."""

    def test_from_a_calm_run_before_to_one_after(self) -> None:
        """From the quarter that the run wholly before the mark ends in, through the one that the run after ends in."""
        self.assert_spans(steady(-60, 60), 0, -15, 30)
        self.assert_spans(steady(-60, 60, step=2), 0, -15, 45)
        self.assert_spans(steady(-60, 60), 15, 0, 45)

    def test_the_run_before_lies_wholly_before_the_mark(self) -> None:
        """Readings of the marked quarter do not help it."""
        self.assert_spans(f"{steady(-60, -30)} {steady(-10, 60)}", 0, -15, 30)
        self.assert_spans(f"{steady(-60, -30)} -11=9999 {steady(-10, 60)}", 0, -45, 30)
        self.assert_spans(f"{steady(-60, -30)} -12=9999 {steady(-11, 60)}", 0, -15, 30)

    def test_the_run_after_lies_wholly_after_the_mark(self) -> None:
        """A glitch behind the marked quarter sends it further; one in the marked quarter does not."""
        self.assert_spans(f"{steady(-60, 17)} 17=0 {steady(18, 60)}", 0, -15, 30)
        self.assert_spans(f"{steady(-60, 20)} 20=0 {steady(21, 60)}", 0, -15, 45)
        self.assert_spans(f"{steady(-60, 14)} 14=0 {steady(15, 60)}", 0, -15, 30)

    def test_from_the_beginning(self) -> None:
        """Where no calm run lies before the mark all that was told before is told anew."""
        self.assert_spans(steady(-10, 60), 0, None, 30)
        self.assert_spans(steady(0, 60), 0, None, 30)
        self.assert_spans(f"{steady(-20, -10)} -10=9999 {steady(-9, 60)}", 0, None, 30)

    def test_the_first_quarter_may_be_that_of_the_first_reading(self) -> None:
        """Then the walk begins with the first reading, and the span all the same with the quarter."""
        self.assert_spans(steady(-12, 60), 0, -15, 30)

    def test_to_the_end(self) -> None:
        """Where no calm run lies after the mark, or no reading after the quarter that it ends in, nothing stays."""
        self.assert_spans(steady(-60, 10), 0, -15, None)
        self.assert_spans(f"{steady(-60, 25)} 31=5000", 0, -15, None)
        self.assert_spans(steady(-60, 26), 0, -15, None)
        self.assert_spans(f"{steady(-60, 26)} 31=31", 0, -15, 30)

    def test_a_mark_where_no_reading_is(self) -> None:
        """What was there is gone: the quarters around it are told from what is left."""
        self.assert_spans(f"{steady(-60, -10)} {steady(100, 200)}", 0, -15, 120)
        self.assert_spans(steady(-60, -10), 0, -15, None)
        self.assert_spans("", 0, None, None)

    def test_an_empty_history_leaves_nothing(self) -> None:
        """The piece takes the place of all that was told, and tells nothing."""
        piece = self.one(self.around("", 0), "")
        self.assertEqual(piece, Piece(-NEVER, NEVER, [], [], []))

    def test_whatever_is_marked_the_whole_walk_tells_the_same(self) -> None:
        """Around any quarter of a messy history, in one piece or in many small ones."""
        whole = finished(MESSY)
        for mark in range(-315, 450, 15):
            for budget in (1_000_000, 100, 20, 1):
                found = joined(self.pieces(self.around(MESSY, mark), MESSY, budget))
                self.assertEqual(found, clipped(whole, found.start, found.end), (mark, budget))
                self.assertLessEqual(found.start, minute(mark))
                self.assertGreaterEqual(found.end, minute(mark + 15))

    def test_the_messy_history_is_one(self) -> None:
        """It has epochs of all kinds, outliers, and readings that still wait."""
        whole = finished(MESSY, edits=edits(splits=[200]))
        reasons = {reason for _, reason in told(whole.epochs)}
        self.assertEqual(reasons, {FIRST, SPLIT, STAYS, OTHER_EQUIPMENT})
        self.assertEqual((len(whole.epochs), len(whole.outliers), len(whole.waiting)), (6, 5, 2))

    def test_edits_hold_in_a_stretch_too(self) -> None:
        """Wherever it begins."""
        decided = edits(splits=[-100, 200], joins=[21, 401])
        whole = finished(MESSY, edits=decided)
        for mark in range(-315, 450, 15):
            found = self.one(self.around(MESSY, mark, edits=decided), MESSY)
            self.assertEqual(found, clipped(whole, found.start, found.end), mark)


class MarksTests(WorkCase):
    """Several marks in one stretch."""

    LONG = steady(-60, 1_000)

    def test_marks_that_are_near_are_one_stretch(self) -> None:
        """A second walk would read the same readings again."""
        stretch = self.around(self.LONG, 0, 15, 60, 300)
        piece = self.one(stretch, self.LONG)
        self.assertEqual((stretch.settled, minutes(piece.start, piece.end)), (3, (-15, 90)))

    def test_marks_that_are_far_wait_for_a_stretch_of_their_own(self) -> None:
        """Near is two hours from where the stretch would have ended."""
        near = 30 + NEAR // MINUTE
        for second, settled in ((near, 2), (near + 15, 1)):
            stretch = self.around(self.LONG, 0, second)
            piece = self.one(stretch, self.LONG)
            end = second + 30 if settled == 2 else 30
            self.assertEqual((stretch.settled, minutes(piece.start, piece.end)), (settled, (-15, end)))

    def test_each_mark_has_a_calm_run_after_it(self) -> None:
        """Also one that lies in the run after the mark before it."""
        text = f"{steady(-60, 32)} 32=0 {steady(33, 200)}"
        stretch = self.around(text, 0, 15)
        piece = self.one(stretch, text)
        self.assertEqual((stretch.settled, minutes(piece.start, piece.end)), (2, (-15, 45)))
        self.assertEqual(piece, clipped(finished(text), piece.start, piece.end))

    def test_a_piece_that_is_long_enough_takes_no_further_mark(self) -> None:
        """However near it is: what was computed is better written first."""
        stretch = self.around(self.LONG, 0, 15, 30)
        pieces = self.pieces(stretch, self.LONG, budget=10)
        self.assertEqual((stretch.settled, minutes(pieces[0].start, pieces[-1].end)), (1, (-15, 30)))

    def test_where_the_history_ends_all_marks_are_settled(self) -> None:
        """Everything behind the first of them was told anew; in a meter's last hour there are always some."""
        text = steady(-60, 20)
        for budget in (1_000_000, 10):
            stretch = self.around(text, 0, 15, 9_000)
            pieces = self.pieces(stretch, text, budget)
            self.assertEqual((stretch.settled, minutes(pieces[0].start, pieces[-1].end)), (3, (-15, None)))


class PiecesTests(WorkCase):
    """A stretch that goes on where it was left."""

    def test_many_small_pieces_are_one_big_one(self) -> None:
        """Epochs and outliers are told with their quarters, each once."""
        whole = finished(MESSY)
        for budget in (1, 10, 50, 200):
            pieces = self.pieces(self.over(MESSY, -NEVER, NEVER), MESSY, budget)
            self.assertEqual(joined(pieces), clipped(whole, -NEVER, NEVER))
            self.assertGreaterEqual(len(pieces), 3)
            for piece in pieces:
                self.assertEqual(piece, clipped(whole, piece.start, piece.end))

    def test_a_piece_tells_how_much_it_took(self) -> None:
        """About as much as it was allowed: it ends between two lists of readings."""
        history = ListedHistory(readings(steady(0, 60)), 10)
        stretch = Stretch.over(-NEVER, NEVER, TEN_A_MINUTE, NOTHING, history)
        taken = []
        while not stretch.done:
            stretch.advance(history, 25)
            taken.append(stretch.taken)
        self.assertEqual(taken, [30, 30, 0])

    def test_what_waits_is_not_told_yet(self) -> None:
        """A piece ends with the last quarter of which all is known, so an outlier never comes too late for its own."""
        text = f"{steady(0, 29)} 29=9999 31=9999 33=9999 {steady(46, 80)}"
        history = ListedHistory(readings(text), 8)
        stretch = Stretch.over(-NEVER, NEVER, TEN_A_MINUTE, NOTHING, history)
        first = stretch.advance(history, 32)
        self.assertEqual((minutes(first.start, first.end), first.outliers), ((None, 15), []))
        self.assertEqual(len(stretch.advance(history, 1_000).outliers), 3)

    def test_readings_that_come_while_it_is_computed(self) -> None:
        """Those behind where it is are taken, as if they had always been there."""
        stretch = self.over("", -NEVER, NEVER)
        early, late = ListedHistory(readings(steady(0, 60)), 20), ListedHistory(readings(steady(0, 90)), 20)
        pieces = [stretch.advance(early, 20), stretch.advance(late, 1_000)]
        self.assertEqual(joined(pieces), clipped(finished(steady(0, 90)), -NEVER, NEVER))


class OverTests(WorkCase):
    """A stretch between two instants."""

    def test_it_begins_and_ends_with_a_quarter(self) -> None:
        """The one that holds the start, and the one that the end lies in."""
        for start, end, expected in ((1, 46, (0, 60)), (0, 45, (0, 45)), (14, 16, (0, 30))):
            piece = self.one(self.over(steady(-60, 90), start, end), steady(-60, 90))
            self.assertEqual(minutes(piece.start, piece.end), expected)

    def test_whatever_is_asked_the_whole_walk_tells_the_same(self) -> None:
        """Between any two quarters of a messy history."""
        whole = finished(MESSY)
        for start in range(-315, 450, 45):
            for end in (start + 15, start + 120):
                found = joined(self.pieces(self.over(MESSY, start, end), MESSY, 30))
                self.assertEqual(found, clipped(whole, found.start, found.end), (start, end))
                self.assertEqual(found.start, minute(start))
                self.assertIn(found.end, (minute(end), NEVER))

    def test_it_reads_no_more_than_it_needs(self) -> None:
        """From a calm run before it to the first reading that tells its last quarter."""
        text = steady(-1_000, 1_000)
        stretch = self.over(text, 0, 15)
        self.one(stretch, text)
        self.assertLess(stretch.taken, 30)

    def test_behind_the_last_reading_is_the_end(self) -> None:
        """Nothing is there, and nothing stays there of what was told before."""
        piece = self.one(self.over(steady(0, 20), 0, 120), steady(0, 20))
        self.assertEqual((minutes(piece.start, piece.end), len(piece.quarters)), ((0, None), 2))
        piece = self.one(self.over(steady(0, 20), 60, 120), steady(0, 20))
        self.assertEqual((minutes(piece.start, piece.end), piece.quarters), ((60, None), []))

    def test_parts_of_quarters(self) -> None:
        """Who asks from one minute to another has both as cuts, and gets the parts between them."""
        for start, end in ((4, 7), (4, 50), (15, 50), (4, 30), (-8, 380)):
            piece = self.one(self.over(MESSY, start, end, cuts=(start, end)), MESSY)
            expected = clipped(finished(MESSY, cuts=(start, end)), piece.start, piece.end)
            self.assertEqual(piece, expected)
            self.assertEqual(piece.end, minute(end))

    def test_a_part_is_enough(self) -> None:
        """A cut in the quarter of the last reading is told by that reading: nobody waits for the quarter's end."""
        text = steady(-60, 13)
        piece = self.one(self.over(text, 0, 10, cuts=(0, 10)), text)
        self.assertEqual((minutes(piece.start, piece.end), amounts(piece.quarters)), ((0, 10), [10]))

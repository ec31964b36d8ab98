"""Tests of dsmr_tw.domain.ledger: which readings are accepted, where epochs begin, what is an outlier."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.ledger import FIRST, LOWER, OTHER_EQUIPMENT, SPLIT, STAYS, TOO_FAST, Finding, Walk
from dsmr_tw.domain.pace import Row, other_equipment
from tests.arrivals import NOON
from tests.walking import TEN_A_MINUTE, amounts, edits, finished, minute, readings, steady, told, walk_of


class WalkCase(SynchronousTestCase):
    """A test that looks at what a walk has told."""

    def assert_told(self, walk: Walk, *epochs: tuple[int, str], outliers: list[tuple[int, str]] | None = None) -> None:
        """These epochs and outliers, and no others."""
        self.assertEqual((told(walk.epochs), told(walk.outliers)), (list(epochs), outliers or []))

    def minutes(self, rows: list[Row]) -> list[int]:
        """The minutes of readings."""
        return [(row[0] - NOON) // (minute(1) - NOON) for row in rows]


class AnchorTests(WalkCase):
    """The third rule."""

    def test_nothing_comes_of_nothing(self) -> None:
        """Without a reading there is no quarter, and no epoch."""
        walk = finished("")
        self.assertEqual(walk.quarters, [])
        self.assert_told(walk)

    def test_the_first_reading_begins_the_first_epoch(self) -> None:
        """Whatever it shows; the epoch names the reading."""
        walk = walk_of("3=-7B")
        self.assertEqual(walk.epochs, [Finding(minute(3), 1, FIRST)])
        self.assertEqual(walk.anchor, readings("3=-7B")[0])

    def test_what_follows_is_accepted(self) -> None:
        """A steady house has one epoch, nothing waits, and the newest reading is the anchor."""
        walk = walk_of("0=100 5=110 10=120")
        self.assert_told(walk, (0, FIRST))
        assert walk.anchor is not None
        self.assertEqual((walk.anchor[0], walk.waiting), (minute(10), []))

    def test_it_is_the_pace_that_says_what_follows(self) -> None:
        """Of any register, and of any two ids: a walk accepts what the second rule lets follow, and nothing else."""
        before = (1, 20, 300, 4_000)
        for rises, first, second in product(product((-1, 0, 12, 13), repeat=4), (None, 1), (None, 1, 2)):
            one, two, three, four = (position + rise for position, rise in zip(before, rises, strict=True))
            rows: list[Row] = [(minute(0), 1, first, *before, 0), (minute(5), 2, second, one, two, three, four, 0)]
            walk = Walk(TEN_A_MINUTE)
            walk.take(rows)
            self.assertEqual((len(walk.epochs), walk.waiting == rows[1:]), self.judged(*rows), rows)

    def judged(self, before: Row, after: Row) -> tuple[int, bool]:
        """How many epochs the second of two readings leads to, and whether it waits."""
        if other_equipment(before, after):
            return 2, False
        return 1, not TEN_A_MINUTE.follows(before, after)

    def test_what_does_not_follow_waits(self) -> None:
        """It is neither an outlier nor in the ledger, and the anchor stays."""
        walk = finished("0=100 5=110 10=99999 14=99998")
        self.assert_told(walk, (0, FIRST))
        self.assertEqual(self.minutes(walk.waiting), [10, 14])
        self.assertEqual(amounts(walk.quarters), [10])

    def test_what_waited_is_an_outlier_when_one_follows_the_anchor(self) -> None:
        """A glitch up and a glitch down: each has its reason, and the amount is as if they had not been."""
        walk = finished("0=100 5=110 6=99999 7=3 10=120")
        self.assert_told(walk, (0, FIRST), outliers=[(6, TOO_FAST), (7, LOWER)])
        self.assertEqual(walk.outliers[0], Finding(minute(6), 3, TOO_FAST))
        self.assertEqual(amounts(walk.quarters), [20])

    def test_the_reason_is_told_against_the_anchor(self) -> None:
        """Of two readings that wait, the second is not held against the first."""
        walk = finished("0=100 1=99999 2=5000 3=101")
        self.assert_told(walk, (0, FIRST), outliers=[(1, TOO_FAST), (2, TOO_FAST)])

    def test_another_id_is_accepted_at_once(self) -> None:
        """A swapped meter begins a new epoch with its first reading, wherever that stands."""
        for position in (0, 111, 99999):
            walk = finished(f"0=100A 5=110A 10={position}B 12={position + 3}B")
            self.assert_told(walk, (0, FIRST), (10, OTHER_EQUIPMENT))
            self.assertEqual(amounts(walk.quarters), [13])

    def test_another_id_makes_outliers_of_those_that_waited(self) -> None:
        """The new meter tells nothing about them, and nobody else will."""
        walk = finished("0=100A 5=9A 10=0B")
        self.assert_told(walk, (0, FIRST), (10, OTHER_EQUIPMENT), outliers=[(5, LOWER)])

    def test_a_reading_without_id_stays_in_the_epoch(self) -> None:
        """A post between two telegrams of one meter changes nothing."""
        self.assert_told(finished("0=100A 5=110 10=120A"), (0, FIRST))

    def test_behind_a_reading_without_id_any_id_follows(self) -> None:
        """Nobody can tell that the meter was swapped; its position does, when it is lower."""
        self.assert_told(finished("0=100A 5=110 10=120B"), (0, FIRST))
        walk = finished("0=100A 5=110 10=0B")
        self.assertEqual(self.minutes(walk.waiting), [10])

    def test_in_pieces_as_in_one(self) -> None:
        """It does not matter in how many lists the readings are taken."""
        rows = readings("0=100A 5=110A 6=99999A 7=111A 16=120A 20=0B 40=5B 41=3B 45=6B")
        whole, pieces = Walk(TEN_A_MINUTE), Walk(TEN_A_MINUTE)
        whole.take(rows)
        for row in rows:
            pieces.take([row])
        self.assertEqual(pieces, whole)
        self.assertEqual((len(whole.quarters), len(whole.epochs), len(whole.outliers)), (3, 2, 2))


class StaysTests(WalkCase):
    """The fourth rule."""

    def test_ten_readings_wait(self) -> None:
        """For all that is known they may be ten glitches; the anchor is still the reading before them."""
        walk = finished(f"0=1000 {steady(5, 15)}")
        self.assert_told(walk, (0, FIRST))
        self.assertEqual(self.minutes(walk.waiting), list(range(5, 15)))
        self.assertEqual(amounts(walk.quarters), [0])

    def test_with_the_eleventh_they_stay(self) -> None:
        """The first of them begins an epoch, the others follow it, and what they add up to counts."""
        walk = finished(f"0=1000 {steady(4, 15)}")
        self.assert_told(walk, (0, FIRST), (4, STAYS))
        self.assertEqual((walk.waiting, amounts(walk.quarters)), ([], [10]))

    def test_the_other_ten_are_taken_again(self) -> None:
        """A glitch among them is an outlier of the new epoch, and so are those that the next reading jumps over."""
        walk = finished("0=1000 1=1 2=2 3=3 4=4 5=777 6=6 7=7 8=8 9=9 10=10 11=11")
        self.assert_told(walk, (0, FIRST), (1, STAYS), outliers=[(5, TOO_FAST)])
        self.assertEqual(amounts(walk.quarters), [10])

    def test_what_does_not_follow_the_new_anchor_waits_on(self) -> None:
        """Until one follows, or an eleventh waits: here the second of two levels is the true one."""
        scattered = "0=90000 1=80000 2=80001 3=80002"
        low = " ".join(f"{at}={at}" for at in range(4, 12))
        walk = walk_of(f"{scattered} {low}")
        self.assert_told(walk, (0, FIRST), (1, STAYS))
        self.assertEqual(self.minutes(walk.waiting), list(range(4, 12)))
        walk.take(readings("12=12 13=13 14=14"))
        self.assert_told(walk, (0, FIRST), (1, STAYS), (4, STAYS))
        self.assertEqual(walk.waiting, [])

    def test_a_second_meter_among_those_that_wait(self) -> None:
        """Against an anchor without an id they all waited; once one with an id is the anchor, the other id tells."""
        walk = finished("0=9999 1=1A 2=2A 3=3A 4=4A 5=5A 6=6B 7=7B 8=8B 9=9B 10=10B 11=11B")
        self.assert_told(walk, (0, FIRST), (1, STAYS), (6, OTHER_EQUIPMENT))
        self.assertEqual(amounts(walk.quarters), [9])

    def test_after_a_week_away_the_meter_goes_on(self) -> None:
        """A register that rose slowly meanwhile follows, however much that is."""
        week = 7 * 24 * 60
        self.assert_told(finished(f"0=100 {week}={100 + 9 * week}"), (0, FIRST))


class CalmRunTests(WalkCase):
    """The sixth rule."""

    def test_after_a_calm_run_it_does_not_matter_what_came_before(self) -> None:
        """Whatever the walk went through, the anchor is the last of eleven calm readings, and none waits."""
        calm = steady(30, 41, at_zero=500)
        for before in (
            "",
            "0=100",
            "0=99999",
            "0=99999 1=4 2=88888 3=5",
            "0=1A 29=2B",
            f"0=99999 {steady(1, 10)}",
            f"0=99999 {steady(1, 11)}",
            f"0=99999 {steady(1, 12)} 13=99999",
        ):
            walk = walk_of(f"{before} {calm}")
            assert walk.anchor is not None
            self.assertEqual((walk.anchor[0], walk.waiting), (minute(40), []), before)

    def test_a_walk_may_begin_there(self) -> None:
        """Begun with the end of a calm run, it tells the same from a boundary after it on."""
        before, after = f"0=99999 {steady(1, 30)}", "30=30 31=5000 33=33 47=40 50=1 51=41 75=60"
        whole = finished(f"{before} {after}")
        rows = readings(f"{before} {after}")
        begun = Walk(TEN_A_MINUTE)
        begun.begin(rows[29], minute(30))
        begun.take(rows[30:])
        begun.finish()
        self.assertEqual([quarter for quarter in begun.quarters if quarter.start >= minute(30)], whole.quarters[2:])
        self.assertEqual((begun.epochs, begun.outliers), ([], whole.outliers))

    def test_the_walk_counts_the_readings_of_a_run(self) -> None:
        """Those that follow the one before, whether they are accepted or not; a count may be begun anew."""
        walk = walk_of("0=9999 1=1 2=2 3=3")
        self.assertEqual(walk.run, 3)
        walk.take(readings("4=0"))
        self.assertEqual(walk.run, 1)
        walk.take(readings("5=9999 6=9999 7=9999"))
        self.assertEqual(walk.run, 3)
        walk.run = 0
        walk.take(readings("8=9999 9=9999"))
        self.assertEqual(walk.run, 2)

    def test_all_before_an_instant_is_told(self) -> None:
        """The quarter of the newest accepted reading is not: another may be accepted in it."""
        walk = walk_of("3=100 5=110 16=120 44=130 46=99999")
        self.assertEqual((walk.told_until, walk.quarters[-1].end), (minute(30), minute(30)))
        walk.finish()
        self.assertEqual((walk.told_until, walk.quarters[-1].end), (minute(45), minute(45)))


class EditsTests(WalkCase):
    """What a person decided counts before what positions seem to say."""

    def test_a_split_begins_an_epoch(self) -> None:
        """With the first reading at or after it, although that follows; nothing is counted up to it."""
        for split in (5, 4):
            walk = finished("0=100 3=103 5=110 10=112", edits=edits(splits=[split]))
            self.assert_told(walk, (0, FIRST), (5, SPLIT))
            self.assertEqual(amounts(walk.quarters), [5])

    def test_a_split_makes_outliers_of_those_that_waited(self) -> None:
        """The reading behind it is accepted, whatever it shows."""
        walk = finished("0=100 3=9 5=7777 10=7779", edits=edits(splits=[5]))
        self.assert_told(walk, (0, FIRST), (5, SPLIT), outliers=[(3, LOWER)])
        self.assertEqual(amounts(walk.quarters), [2])

    def test_several_splits_between_two_readings_are_one(self) -> None:
        """The next one is the first behind the reading that the epoch began with."""
        walk = finished("0=100 5=101 10=102 15=103", edits=edits(splits=[1, 2, 5, 11]))
        self.assert_told(walk, (0, FIRST), (5, SPLIT), (15, SPLIT))

    def test_a_split_before_the_first_reading_changes_nothing(self) -> None:
        """An epoch begins there anyhow."""
        for split in (-1, 0):
            self.assert_told(finished("0=100 5=101", edits=edits(splits=[split])), (0, FIRST))

    def test_a_walk_that_begins_later_knows_the_splits_behind_it(self) -> None:
        """Those before its anchor are behind it, one at the anchor too."""
        rows = readings("0=100 5=101 10=102")
        for splits, expected in (((-5, 0), []), ((0, 4), [(5, SPLIT)]), ((10,), [(10, SPLIT)])):
            walk = Walk(TEN_A_MINUTE, edits(splits=splits))
            walk.begin(rows[0], minute(15))
            walk.take(rows[1:])
            self.assert_told(walk, *expected)

    def test_a_join_counts_what_lies_between(self) -> None:
        """The owner says that both ids are one meter: no epoch begins, and the amount up to the reading counts."""
        text = "0=100A 5=110A 10=120B 12=121B"
        self.assertEqual(amounts(finished(text).quarters), [11])
        walk = finished(text, edits=edits(joins=[10]))
        self.assert_told(walk, (0, FIRST))
        self.assertEqual(amounts(walk.quarters), [21])

    def test_a_join_over_a_boundary_is_interpolated(self) -> None:
        """As between any two readings of one epoch."""
        walk = finished("10=100A 20=200B", edits=edits(joins=[20]))
        self.assertEqual(amounts(walk.quarters), [50, 50])

    def test_a_join_where_readings_stayed(self) -> None:
        """A register that jumped is one register all the same, when the owner says so."""
        text = f"0=0 {steady(4, 15, at_zero=500)}"
        self.assert_told(finished(text), (0, FIRST), (4, STAYS))
        walk = finished(text, edits=edits(joins=[4]))
        self.assert_told(walk, (0, FIRST))
        self.assertEqual(amounts(walk.quarters), [514])

    def test_no_join_makes_an_amount_negative(self) -> None:
        """Where a register is lower an epoch begins, whatever anyone says."""
        walk = finished("0=100A 5=110A 10=9B", edits=edits(joins=[10]))
        self.assert_told(walk, (0, FIRST), (10, OTHER_EQUIPMENT))
        self.assertEqual(amounts(walk.quarters), [10])

    def test_a_join_where_no_epoch_begins_says_nothing(self) -> None:
        """It holds for the very reading that it names, and only for epochs that were found by the rules."""
        walk = finished("0=100A 5=110A 10=120B", edits=edits(joins=[5, 9]))
        self.assert_told(walk, (0, FIRST), (10, OTHER_EQUIPMENT))
        walk = finished("0=100 5=110", edits=edits(joins=[5], splits=[5]))
        self.assert_told(walk, (0, FIRST), (5, SPLIT))

"""Tests of dsmr_tw.domain.edits: what a person may decide over epochs, and why not."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.edits import Change, EpochEditor
from dsmr_tw.domain.ledger import OTHER_EQUIPMENT, SPLIT, STAYS, Edits
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.errors import EditRefused
from tests.walking import TEN_A_MINUTE, ListedHistory, amounts, edits, finished, minute, readings, steady, told

SWAPPED = f"{steady(0, 30, 'A')} 45=400B {steady(46, 90, 'B', at_zero=355)}"
"""A meter that was replaced by one whose register stands higher, after a gap of a quarter."""


class EpochEditorCase(SynchronousTestCase):
    """A test that decides over a listed history; instants are minutes after noon."""

    def editor(self, text: str, edits: Edits | None = None) -> EpochEditor:
        """An editor of these readings."""
        return EpochEditor(
            TEN_A_MINUTE, edits or Edits(), ListedHistory(readings(text)), meter_zone("Europe/Amsterdam")
        )

    def split(self, text: str, at: int, edits: Edits | None = None) -> Change:
        """Split the epochs."""
        return self.editor(text, edits).split(minute(at))

    def join(self, text: str, at: int, edits: Edits | None = None, begun: tuple[int, ...] = ()) -> Change:
        """Join them."""
        return self.editor(text, edits).join(minute(at), [minute(known) for known in begun])

    def refusal(self, decide: Callable[..., Change], *arguments: object) -> str:
        """Why a decision is refused."""
        with self.assertRaises(EditRefused) as caught:
            decide(*arguments)
        return str(caught.exception)


class SplitTests(EpochEditorCase):
    """An epoch is made to begin."""

    def test_the_first_reading_at_or_after_it(self) -> None:
        """The instant that was named is kept; the reading that it means is told."""
        text = "0=0 5=5 10=10"
        self.assertEqual(self.split(text, 5), Change(minute(5), kept=(minute(5),)))
        self.assertEqual(self.split(text, 6), Change(minute(10), kept=(minute(6),)))
        self.assertEqual(told(finished(text, edits=edits(splits=[6])).epochs)[1:], [(10, SPLIT)])

    def test_no_reading(self) -> None:
        """Behind the last reading nothing can begin."""
        self.assertIn("There is no reading at 2024-04-02T12:11:00+02:00 or later.", self.refusal(self.split, "0=0", 11))

    def test_where_one_begins_anyway(self) -> None:
        """Neither with the first reading nor where the ledger sees an epoch itself; the reason is told."""
        self.assertIn("12:00:00+02:00 anyway: first reading.", self.refusal(self.split, SWAPPED, -5))
        said = self.refusal(self.split, SWAPPED, 31)
        self.assertIn("An epoch begins at 2024-04-02T12:45:00+02:00 anyway: another meter, by its printed id.", said)

    def test_twice(self) -> None:
        """A split between the same two readings would be the same one."""
        text = "0=0 5=5 10=10"
        for again in (6, 7, 10):
            self.assertIn("split at 2024-04-02T12:10", self.refusal(self.split, text, again, edits(splits=[7])))
        self.assertEqual(self.split(text, 5, edits(splits=[7])).kept, (minute(5),))

    def test_a_split_undoes_a_join(self) -> None:
        """Whichever instant before the reading is named, the join is no more, and nothing else is kept."""
        for at in (31, 45):
            self.assertEqual(self.split(SWAPPED, at, edits(joins=[45])), Change(minute(45), undone=(minute(45),)))


class JoinTests(EpochEditorCase):
    """An epoch is made not to begin."""

    def test_a_swap_that_was_none(self) -> None:
        """What went through the registers from one reading to the other counts."""
        self.assertEqual(self.join(SWAPPED, 45), Change(minute(45), kept=(minute(45),)))
        walk = finished(SWAPPED, edits=edits(joins=[45]))
        self.assertEqual(len(walk.epochs), 1)
        self.assertEqual(sum(amounts(walk.quarters)), 355 + 89)

    def test_a_jump(self) -> None:
        """Eleven readings that rose too fast may be right, if somebody says so."""
        text = f"{steady(0, 30)} {steady(30, 60, at_zero=5_000)}"
        self.assertEqual(told(finished(text).epochs)[1:], [(30, STAYS)])
        self.assertEqual(self.join(text, 30).kept, (minute(30),))

    def test_a_register_that_is_lower(self) -> None:
        """A joined epoch would count backwards: that is refused, and nothing else would come of it."""
        text = f"{steady(0, 30, 'A', at_zero=100)} 31=0B {steady(32, 60, 'B')}"
        self.assertEqual(told(finished(text, edits=edits(joins=[31])).epochs)[1:], [(31, OTHER_EQUIPMENT)])
        self.assertIn("A register is lower at 2024-04-02T12:31:00+02:00 than", self.refusal(self.join, text, 31))

    def test_lower_than_the_last_that_was_accepted(self) -> None:
        """A glitch that waited before the swap does not count: the register is higher than what was."""
        text = f"{steady(0, 30, 'A')} 40=900A {steady(45, 90, 'B')}"
        self.assertEqual(self.join(text, 45).kept, (minute(45),))

    def test_no_epoch(self) -> None:
        """Who names another instant is told the three nearest ones, in order."""
        said = self.refusal(self.join, SWAPPED, 50, None, (10, 45, 100, 300))
        self.assertIn("No epoch begins at 2024-04-02T12:50:00+02:00. The nearest ones begin at 2024-04-02T12:10", said)
        self.assertTrue(said.endswith("12:10:00+02:00, 2024-04-02T12:45:00+02:00, 2024-04-02T13:40:00+02:00."), said)
        self.assertIn("None does but the first one", self.refusal(self.join, SWAPPED, 46))

    def test_the_first_epoch(self) -> None:
        """It has none before it."""
        self.assertIn("The first epoch begins at 2024-04-02T12:00", self.refusal(self.join, SWAPPED, 0))

    def test_twice(self) -> None:
        """What is joined stays so."""
        self.assertIn("joined at 2024-04-02T12:45", self.refusal(self.join, SWAPPED, 45, edits(joins=[45])))

    def test_a_join_undoes_splits(self) -> None:
        """All those by which an epoch begins there, and no other."""
        text = "0=0 5=5 10=10 15=15"
        kept = edits(splits=[4, 6, 9, 13])
        self.assertEqual(self.join(text, 10, kept), Change(minute(10), undone=(minute(6), minute(9))))

    def test_a_split_where_an_epoch_would_begin_anyway(self) -> None:
        """Readings that came late may have made it so: then the split goes, and the join is kept."""
        self.assertEqual(self.join(SWAPPED, 45, edits(splits=[40])), Change(minute(45), (minute(45),), (minute(40),)))

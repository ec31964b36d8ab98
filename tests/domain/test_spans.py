"""Tests of dsmr_tw.domain.spans: what the values of the ledger are by themselves."""

from __future__ import annotations

from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.domain.spans import QUARTER, Amounts, SpanKind, SpanRow


class SpanTests(SynchronousTestCase):
    """Spans and their amounts."""

    def test_a_quarter_is_fifteen_minutes(self) -> None:
        """A day has 96 of them, but where the clocks change."""
        self.assertEqual((QUARTER, DAY // QUARTER), (15 * 60 * SECOND, 96))

    def test_a_kind_is_found_by_its_name(self) -> None:
        """The names are what settings and commands call the kinds."""
        names = ["quarter", "hour", "day", "month", "year"]
        self.assertEqual([SpanKind(name) for name in names], list(SpanKind))

    def test_a_short_span_has_no_first_readings(self) -> None:
        """A row says nothing of them unless somebody looked for them."""
        row = SpanRow(0, QUARTER, Amounts(1, 2, 3, 4, None), False, False)
        self.assertIsNone(row.first)

    def test_what_was_closed_is_not_changed_in_place(self) -> None:
        """Rows and amounts can be handed to anyone."""
        amounts = Amounts(1, 2, 3, 4, 5)
        with self.assertRaises(FrozenInstanceError):
            amounts.gas = 0  # type: ignore[misc]
        self.assertEqual(amounts, Amounts(1, 2, 3, 4, 5))

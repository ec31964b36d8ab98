"""The law of the ledger: whatever happened and however it became known, each watt-hour is counted once.

Of each history the truth is known (``tests.truth``), and the ledger must find it: the epochs and outliers, each quarter
with its amounts, all closed spans, and the amount of any time that is asked about; and what was computed bit by bit,
while readings arrived in any order, is what a rebuild computes from all of them.

``DSMR_CI=1`` tries 2 000 histories, ``DSMR_TEST_HISTORIES=100000`` as many as it says.
``python -m unittest tests.test_ledger_law`` also shows the shortest history that breaks the law.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, given, settings

from dsmr_tw.store import closing, history, ledger, marks, pieces
from tests.brief import BRIEF
from tests.histories import HISTORIES, History
from tests.lawcase import LawCase

EXAMPLES: Final = int(
    os.environ.get("DSMR_TEST_HISTORIES") or (2_000 if os.environ.get("DSMR_CI") and not BRIEF else 300)
)

HALF: Final = settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
"""Half of the histories."""


class LawTests(LawCase):
    """What holds of every history."""

    @HALF
    @given(HISTORIES)
    def test_each_watt_hour_is_counted_once(self, history: History) -> None:
        """In each quarter, hour, day and month, in any time that is asked about, and in all of it."""
        self.check(history)


class SmallPiecesTests(LawCase):
    """What holds when all work is done in small pieces, so that it is interrupted often."""

    def setUp(self) -> None:
        """Make pieces small."""
        super().setUp()
        for module, name, number in (
            (pieces, "READINGS_AT_ONCE", 12),
            (pieces, "QUARTERS_AT_ONCE", 50),
            (marks, "AT_ONCE", 3),
            (ledger, "AT_ONCE", 3),
            (history, "FIRST_LIST", 4),
            (history, "LONGEST_LIST", 9),
            (closing, "HOURS_AT_ONCE", 20),
            (closing, "DAYS_AT_ONCE", 2),
        ):
            self.patch(module, name, number)

    @HALF
    @given(HISTORIES)
    def test_each_watt_hour_is_counted_once(self, history: History) -> None:
        """The same, wherever the work was interrupted."""
        self.check(history)

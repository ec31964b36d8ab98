"""The laws of the ledger and of thinning, on a PostgreSQL server: the same histories, but fewer, for each takes longer.

``DSMR_CI=1`` tries 200 of each, ``DSMR_TEST_POSTGRES_HISTORIES=2000`` as many as it says.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import test_ledger_law, test_thinning_law
from tests.brief import BRIEF
from tests.histories import HISTORIES, History
from tests.onpostgres import OnPostgres

WANTED: Final = os.environ.get("DSMR_TEST_POSTGRES_HISTORIES")
EXAMPLES: Final = int(WANTED or (200 if os.environ.get("DSMR_CI") and not BRIEF else 20))

HALF: Final = settings(
    max_examples=max(1, EXAMPLES // 2),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
"""Half of the histories."""


class LawOnPostgresTests(OnPostgres, test_ledger_law.LawTests):
    """See ``tests.test_ledger_law``."""

    @HALF
    @given(HISTORIES)
    def test_each_watt_hour_is_counted_once(self, history: History) -> None:
        """In each quarter, hour, day and month, in any time that is asked about, and in all of it."""
        self.check(history)


class SmallPiecesOnPostgresTests(OnPostgres, test_ledger_law.SmallPiecesTests):
    """See ``tests.test_ledger_law``."""

    @HALF
    @given(HISTORIES)
    def test_each_watt_hour_is_counted_once(self, history: History) -> None:
        """The same, wherever the work was interrupted."""
        self.check(history)


class ThinningLawOnPostgresTests(OnPostgres, test_thinning_law.ThinningLawTests):
    """See ``tests.test_thinning_law``."""

    @HALF
    @given(HISTORIES, st.integers(0, 2))
    def test_no_row_changes(self, history: History, number: int) -> None:
        """Nor does one when all is computed from what is left."""
        self.check_thinned(history, number)

    @HALF
    @given(HISTORIES, st.integers(0, 2))
    def test_late_readings_in_a_time_that_was_thinned_out(self, history: History, number: int) -> None:
        """What the ticks make of them is what a rebuild makes of what is stored then."""
        self.check_late(history, number)

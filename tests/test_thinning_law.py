"""Thinning out old readings changes no row of the ledger, whatever happened and whenever it is done.

``DSMR_CI=1`` tries more histories, as in ``tests.test_ledger_law``.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.brief import BRIEF
from tests.contracts.storecase import FIRST
from tests.histories import HISTORIES, History
from tests.lawcase import LawCase

EXAMPLES: Final = settings(
    max_examples=300 if os.environ.get("DSMR_CI") and not BRIEF else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)


class ThinningLawTests(LawCase):
    """What holds of every history whose old readings are dropped."""

    def thin(self, before: int) -> int:
        """Drop what can go of the readings before an instant; how many that were."""
        dropped, more = 0, True
        while more:
            thinned = self.ask(self.store.retention.thin, FIRST, before)
            dropped, more = dropped + thinned.dropped, thinned.more
        return dropped

    def check_same(self, rows: dict[str, list[object]], found: dict[str, list[object]]) -> None:
        """No row of any table differs."""
        for table, before in rows.items():
            self.check_equal(table, found[table], before)

    @EXAMPLES
    @given(HISTORIES, st.integers(0, 2))
    def test_no_row_changes(self, history: History, number: int) -> None:
        """Nor does one when all is computed from what is left; and the counts are those of what is left."""
        self.check_thinned(history, number)

    def check_thinned(self, history: History, number: int) -> None:
        """No row changes when what is older than some instant goes."""
        self.begin_anew()
        self.forget("thinned")
        for commit in history.commits:
            self.add(*commit.arrivals)
        self.catch_up(history.now)
        rows = self.rows()
        for before in (history.asked[number], history.now):
            self.thin(before)
            self.check_same(rows, self.rows())
        self.check_same(rows, self.rebuilt(history.now))
        [(stored,)] = self.run_sql("SELECT count(*) FROM reading")
        counts = self.run_sql("SELECT hours, sum(readings) FROM reading_count GROUP BY hours ORDER BY hours")
        self.assertEqual(counts, [(1, stored), (24, stored)])

    @EXAMPLES
    @given(HISTORIES, st.integers(0, 2))
    def test_late_readings_in_a_time_that_was_thinned_out(self, history: History, number: int) -> None:
        """What the ticks make of them is what a rebuild makes of what is stored then."""
        self.check_late(history, number)

    def check_late(self, history: History, number: int) -> None:
        """The same, thinned out after each commit."""
        self.begin_anew()
        self.forget("thinned")
        for commit in history.commits:
            self.add(*commit.arrivals)
            self.tick(history.now)
            self.thin(history.asked[number])
        self.catch_up(history.now)
        self.check_rebuilt(history.now)

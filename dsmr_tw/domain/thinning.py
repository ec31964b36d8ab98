"""Responsible for telling which old readings the ledger can do without.

Without them every row of the ledger stays as it is, also when it is computed from scratch.  Kept are, of the accepted
readings:

- the first and the last of each quarter, so that the positions at its ends, and what is estimated, stay;
- one with the lowest and one with the highest power of each quarter;
- the first and the last of each epoch, and all eleven that waited when one began;
- the one that others waited behind, or what was an outlier might follow an earlier one;
- any between two that would not follow each other.

Readings that are not accepted are kept, all of them: they are few, and they are what a person looks at.

Tests: ``tests/domain/test_thinning.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from attrs import define, field

from dsmr_tw.domain.ledger import MOST_WAITING, NEVER, Edits, Walk
from dsmr_tw.domain.pace import Pace, Row, calm_end
from dsmr_tw.domain.power import net_power
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.work import History


def dispensable(start: int, end: int, pace: Pace, edits: Edits, history: History) -> list[int]:
    """The instants of the readings in a time that the ledger can do without; it begins and ends with a quarter."""
    witness = _Witness(Walk(pace, edits))
    seen = -NEVER
    anchor = calm_end(history.before(start), pace)
    if anchor is not None:
        witness.walk.begin(anchor, start)
        seen = anchor[0]
    for rows in history.after(seen):
        for row in rows:
            witness.take(row)
        # What waits now may yet begin an epoch, and is then kept.
        if witness.reached(end):
            break
    inside = (row for row in witness.accepted if start <= row[0] < end)
    return [
        instant
        for _, quarter in groupby(inside, key=_quarter_of)
        for instant in _spare(list(quarter), witness.essential, pace)
    ]


@define
class _Witness:
    """Watches a walk: what is accepted, and what must be kept because of what waits."""

    walk: Walk
    accepted: list[Row] = field(factory=list, init=False)
    essential: set[int] = field(factory=set, init=False)
    """Instants."""

    def take(self, row: Row) -> None:
        """Let the walk take a reading."""
        walk = self.walk
        anchor, before, outliers, epochs = walk.anchor, list(walk.waiting), len(walk.outliers), len(walk.epochs)
        walk.take((row,))
        refused = walk.outliers[outliers:]
        if len(before) == MOST_WAITING and len(refused) < MOST_WAITING:
            # The eleventh that waits: they are taken again.
            self._keep([anchor, *before, row])
            not_counted = {outlier.at for outlier in refused}.union(waits[0] for waits in walk.waiting)
            self.accepted += [one for one in (*before, row) if one[0] not in not_counted]
        elif walk.anchor is row:
            self.accepted.append(row)
        if len(walk.epochs) > epochs:
            self._keep([anchor, row])
        if walk.waiting:
            self._keep([walk.anchor])

    def reached(self, end: int) -> bool:
        """Whether all that is accepted before ``end`` is known."""
        return self.walk.anchor is not None and self.walk.anchor[0] >= end

    def _keep(self, rows: Iterable[Row | None]) -> None:
        self.essential.update(row[0] for row in rows if row is not None)


def _quarter_of(row: Row) -> int:
    return row[0] // QUARTER


def _power_of(row: Row) -> int:
    return net_power(row[7] or 0)


def _spare(quarter: Sequence[Row], essential: set[int], pace: Pace) -> Iterator[int]:
    """The instants of those of a quarter's accepted readings that can go."""
    lowest, highest = min(quarter, key=_power_of), max(quarter, key=_power_of)
    kept = quarter[0]
    # The last one stays: it only is what comes behind the one before.
    for row, following in pairwise(quarter[1:]):
        if row[0] in essential or row is lowest or row is highest or not pace.follows(kept, following):
            kept = row
        else:
            yield row[0]

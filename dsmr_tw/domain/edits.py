"""Responsible for what a person may decide over the epochs of a set of registers, and what that changes.

A *split* is kept with the instant that the person named: the first reading at or after it begins an epoch.
A *join* is kept with the instant of the reading that begins an epoch, which it then does not.
Each undoes the other.  What a decision would lead to is not guessed: the readings around it are walked, by the rules
of ``dsmr_tw.domain.ledger``, as if it had been taken.

Tests: ``tests/domain/test_edits.py``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import evolve, frozen

from dsmr_tw.domain.ledger import FIRST, NEVER, SPLIT, Edits
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.pace import Pace
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.work import History, Stretch
from dsmr_tw.errors import EditRefused

NEAREST: Final = 3
"""So many epochs are named to a person who named none."""


@frozen
class Change:
    """What a decision changes."""

    at: int
    """The reading at which an epoch begins from now on, or begins no more."""
    kept: tuple[int, ...] = ()
    """The instants of new edits of the kind that was asked for."""
    undone: tuple[int, ...] = ()
    """The instants of edits of the other kind that are no more."""


@frozen
class EpochEditor:
    """One set of registers before a decision."""

    pace: Pace
    edits: Edits
    """What was decided before."""
    history: History
    zone: MeterZone
    """In which a refusal tells the time."""

    def split(self, instant: int) -> Change:
        """Let an epoch begin with the first reading at or after an instant.

        Raises: ``EditRefused``
        """
        following = next(self.history.after(instant - 1), None)
        if following is None:
            raise EditRefused(f"There is no reading at {self._text(instant)} or later.")
        at = following[0][0]
        if at in self.edits.joins:
            return Change(at, undone=(at,))
        reason = self._reason(at, self.edits)
        if reason == SPLIT:
            raise EditRefused(f"The epochs are split at {self._text(at)} already.")
        if reason is not None:
            raise EditRefused(f"An epoch begins at {self._text(at)} anyway: {reason}.")
        return Change(at, kept=(instant,))

    def join(self, at: int, begun: Iterable[int]) -> Change:
        """Let no epoch begin with the reading at an instant; ``begun`` is where epochs are known to begin.

        Raises: ``EditRefused``
        """
        if at in self.edits.joins:
            raise EditRefused(f"The epochs are joined at {self._text(at)} already.")
        reason = self._reason(at, self.edits)
        if reason is None:
            raise EditRefused(f"No epoch begins at {self._text(at)}. {self._nearest(at, begun)}")
        if reason == FIRST:
            raise EditRefused(f"The first epoch begins at {self._text(at)}: there is none before it to join it to.")
        undone = self._splits_of(at)
        edits = evolve(self.edits, splits=tuple(split for split in self.edits.splits if split not in undone))
        if self._reason(at, edits) is None:
            return Change(at, undone=undone)
        if self._reason(at, evolve(edits, joins=edits.joins | {at})) is not None:
            raise EditRefused(f"A register is lower at {self._text(at)} than before; joined, it would count backwards.")
        return Change(at, (at,), undone)

    def _splits_of(self, at: int) -> tuple[int, ...]:
        """The splits by which an epoch begins with the reading at an instant, which is not the first."""
        before = next(iter(self.history.before(at)))[0]
        return tuple(split for split in self.edits.splits if before < split <= at)

    def _reason(self, at: int, edits: Edits) -> str | None:
        """Why an epoch begins with the reading at an instant; ``None`` when none does."""
        stretch = Stretch.around([at - at % QUARTER], self.pace, edits, self.history)
        piece = stretch.advance(self.history, NEVER)
        return next((epoch.reason for epoch in piece.epochs if epoch.at == at), None)

    def _nearest(self, at: int, begun: Iterable[int]) -> str:
        """Where epochs begin near an instant, as a sentence."""
        nearest = sorted(sorted(begun, key=lambda other: abs(other - at))[:NEAREST])
        if not nearest:
            return "None does but the first one, which can't be joined to anything."
        return f"The nearest ones begin at {', '.join(map(self._text, nearest))}."

    def _text(self, instant: int) -> str:
        return self.zone.local_text(instant)

"""Responsible for the names of meters: which ones can be, and which meter somebody means.

A meter is named by its id or by its name.
So no name looks like an id, and none is the one that a meter which is opened by itself will get.

Tests: ``tests/domain/test_meternames.py``
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

LONGEST: Final = 64
"""Characters that a name may have."""

_GIVEN: Final = re.compile("Meter ([1-9][0-9]*)")


class Named(Protocol):
    """What has an id and a name, as a meter."""

    @property
    def id(self) -> int:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


M = TypeVar("M", bound=Named)


def meter_named(meters: Sequence[M], wanted: str) -> M | None:
    """The meter with this id, else the one with this name; ``None`` when there is none."""
    by_id = (meter for meter in meters if str(meter.id) == wanted)
    by_name = (meter for meter in meters if meter.name == wanted)
    return next(by_id, None) or next(by_name, None)


def given_name(meter_id: int) -> str:
    """What a meter is called that nobody has named."""
    return f"Meter {meter_id}"


def refusal(name: str, meter_id: int) -> str | None:
    """Why a meter can't have a name, in a sentence; ``None`` when it can, unless another meter has it."""
    if not name.strip():
        return "A meter's name can't be empty."
    if len(name) > LONGEST:
        return f"A meter's name has at most {LONGEST} characters, not {len(name)}."
    if not name.isprintable():
        return f"A meter can't be called {name!r}: each character of its name must be one that can be shown."
    if name != name.strip():
        return f"A meter can't be called {name!r}: its name neither begins nor ends with a space."
    if name.isdecimal():
        return f"A meter can't be called {name!r}: that looks like an id."
    given = _GIVEN.fullmatch(name)
    if given is not None and name != given_name(meter_id):
        return f"A meter can't be called {name!r}: that is for the meter with the id {given[1]}."
    return None

"""Responsible for deciding which meter an arrival belongs to, once, when it is stored.

A printed equipment id belongs to one meter.
An id never seen before is either a second meter on the same cable or key, which gets an account of its own, or the
meter that replaced the old one, whose account it continues.
What tells them apart is whether the old one is still being heard: two cables, or two houses that post with one key,
thus need no setting, and neither does a meter that is swapped.

Tests: ``tests/domain/test_accounts.py``
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from dsmr_tw.domain.reading import SECOND

STILL_HEARD = 600 * SECOND
"""A meter that was heard within ten minutes has not been replaced."""


@frozen
class Continue:
    """The arrival belongs to this meter; an id that is new to it is its new equipment."""

    meter_id: int


@frozen
class Open:
    """The arrival is the first of a second meter."""


def account(
    *,
    equipment_id: str | None,
    known_meter_id: int | None,
    own_meter_id: int,
    other_heard_at: int | None,
    received_at: int,
) -> Continue | Open:
    """Which meter an arrival belongs to.

    ``known_meter_id`` is the meter that the equipment id belongs to already, ``own_meter_id`` the meter of the cable or
    key (else the first), and ``other_heard_at`` the last arrival for that meter under another id.
    """
    if equipment_id is None:
        return Continue(own_meter_id)
    if known_meter_id is not None:
        return Continue(known_meter_id)
    if other_heard_at is not None and other_heard_at >= received_at - STILL_HEARD:
        return Open()
    return Continue(own_meter_id)


def heard_together(one: Iterable[tuple[int, int]], other: Iterable[tuple[int, int]]) -> bool:
    """Whether equipment of two meters was heard in the same time; for each piece when it was heard first and last."""
    others = list(other)
    return any(first < until and since < last for first, last in one for since, until in others)

"""Responsible for counting answers: by method, route and status, however many different paths are asked for.

A route is a path as the API document writes it, ``/api/v2/devices/{device_id}/readings``; whatever is none is counted
as ``other``, and so is a method that no route has, so that strangers can't make the counts grow.

Tests: ``tests/test_counting.py``
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import define, field

OTHER: Final = "other"
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
VARIABLE: Final = re.compile(r"<(?:\w+:)?(\w+)>")
"""How Klein writes a part of a path that is not always the same."""


@define
class AnswerCounts:
    """How often each route was answered how, since the start."""

    counts: Counter[tuple[str, str, int]] = field(factory=Counter, init=False)
    """By method, route and status."""
    _fixed: set[str] = field(factory=set, init=False)
    _variable: dict[str, re.Pattern[str]] = field(factory=dict, init=False)
    """What paths of a route look like that has parts which are not always the same."""

    def know(self, rules: Iterable[str]) -> None:
        """These are routes, as Klein writes them."""
        for rule in rules:
            route = VARIABLE.sub(r"{\1}", rule)
            if route == rule:
                self._fixed.add(route)
            else:
                pieces = VARIABLE.split(rule)[::2]
                self._variable[route] = re.compile("[^/]+".join(map(re.escape, pieces)))

    def count(self, method: bytes, path: bytes, status: int) -> None:
        """A request was answered."""
        verb, where = method.decode("latin-1"), path.decode("latin-1")
        self.counts[verb if verb in METHODS else OTHER, self._route(where), status] += 1

    def _route(self, path: str) -> str:
        if path in self._fixed:
            return path
        return next((route for route, form in self._variable.items() if form.fullmatch(path)), OTHER)

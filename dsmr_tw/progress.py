"""Responsible for showing a person how far a long work is: a bar on a terminal, a log line at each tenth elsewhere.

Tests: ``tests/test_progress.py``
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click
from attrs import define, field
from twisted.logger import Logger


@define
class Progress:
    """One work of known size."""

    label: str
    stream: TextIO = field(factory=lambda: sys.stderr)
    _done: int = field(default=0, init=False)
    _bar: Any = field(default=None, init=False)
    _log = Logger()

    def advance(self, steps: int, length: int) -> None:
        """``steps`` more of ``length`` are done."""
        before, self._done = self._done, self._done + steps
        if self.stream.isatty():
            self._draw(steps, length)
        elif length and (tenths := 10 * self._done // length) > 10 * before // length:
            self._log.info("{label}: {percent} %", label=self.label, percent=10 * tenths)

    def reach(self, done: int, length: int) -> None:
        """``done`` of ``length`` are done in all; fewer than before, or more than all, are not shown."""
        steps = min(done, length) - self._done
        if steps > 0:
            self.advance(steps, length)

    def end(self) -> None:
        """Nothing more is done, whether all of it was or not: what is printed next has a line of its own."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def _draw(self, steps: int, length: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=length, label=self.label, file=self.stream)
            self._bar.__enter__()
        self._bar.update(steps)
        if self._done >= length:
            self.end()

"""Responsible for command lines of ``twistd`` that a table of options describes.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from twisted.python import usage

from dsmr_tw import __version__
from dsmr_tw.errors import SettingsError
from dsmr_tw.gathering import Option


class TableOptions(usage.Options):
    """A command line whose subclass names its table; what can't be is said in one sentence, with status 1."""

    table: ClassVar[Sequence[Option]] = ()

    optFlags: ClassVar[list[list[str | None]]]
    optParameters: ClassVar[list[list[str | None]]]

    program: ClassVar[str] = ""
    """What stands in front of that sentence."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Tell Twisted of the options in the way that it wants to be told."""
        super().__init_subclass__(**arguments)
        cls.optFlags = [[option.name, None, option.help] for option in cls.table if option.value is None]
        cls.optParameters = [
            [o.name, None, None, o.help] for o in cls.table if o.value is not None and not o.repeatable
        ]
        for option in cls.table:
            if option.repeatable:
                setattr(cls, f"opt_{option.field}", _repeatable(option))

    def __init__(self) -> None:
        """Make room for the options that may be repeated."""
        super().__init__()
        self.repeated: dict[str, list[str]] = {}

    def opt_version(self) -> None:
        """Show the version and exit."""
        sys.stdout.write(f"dsmr_tw {__version__}\n")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check the settings as a whole, before anything starts."""
        flags = {name.replace("-", "_"): value or None for name, value in self.items()}
        flags |= {name.replace("-", "_"): values for name, values in self.repeated.items()}
        try:
            self.check(flags)
        except SettingsError as error:
            # Not a UsageError: its sentence would stand below three screens of options.
            raise SystemExit(f"{self.program}: {error}") from error

    def check(self, flags: Mapping[str, object]) -> None:
        """Make settings of what was given.

        Raises: ``SettingsError`` with one sentence.
        """
        raise NotImplementedError


def _repeatable(option: Option) -> Callable[[TableOptions, str], None]:
    def take(options: TableOptions, value: str) -> None:
        options.repeated.setdefault(option.name, []).append(value)

    take.__doc__ = f"{option.help} May be repeated."
    return take

"""Responsible for gathering settings from flags, the environment and a TOML file, as a table of options names them.

A flag ``--commit-interval 5`` is ``DSMR_COMMIT_INTERVAL=5`` in the environment and ``commit-interval = 5`` in the file
that ``--config`` names; flags win over the environment, and that over the file.
The first thing that is wrong is what the operator is told, in one sentence that names the setting.

Tests: ``tests/test_config.py``
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from cattrs import Converter, transform_error

from dsmr_tw.errors import SettingsError

SettingsT = TypeVar("SettingsT")


@frozen
class Option:
    """One thing that an operator can set."""

    name: str
    """As the flag and the file spell it."""
    help: str
    value: str | None = None
    """What stands for the value in a help text; ``None`` for a switch."""
    repeatable: bool = False

    @property
    def field(self) -> str:
        """Its name in ``Settings``."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its name in the environment. Several values are separated by spaces."""
        return f"DSMR_{self.field.upper()}"


def gathered(
    table: Sequence[Option],
    kind: type[SettingsT],
    command: str,
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    defaults: Mapping[str, object],
) -> SettingsT:
    """Settings of a kind, an attrs class, from all that was given; ``command`` lists its options when asked for help.

    Raises: ``SettingsError`` with one sentence.
    """
    given = _from_environment(table, environment)
    given.update({name: value for name, value in flags.items() if value is not None})
    path = given.pop("config", None)
    in_file = _from_file(table, Path(str(path)), command) if path else {}
    return _structured(kind, {**defaults, **in_file, **given})


def _from_environment(table: Sequence[Option], environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for option in table:
        text = environment.get(option.variable, "").strip()
        if text:
            found[option.field] = text.split() if option.repeatable else text
    return found


def _from_file(table: Sequence[Option], path: Path, command: str) -> dict[str, object]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"--config {path} can't be read: {error}.") from error
    known = {option.name: option.field for option in table if option.name != "config"}
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise SettingsError(f"{path} sets {unknown[0]!r}, which is no option; `{command} --help` lists them.")
    return {known[name]: value for name, value in content.items()}


def _to_bool(value: object, _: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError("takes yes or no") from None


def _to_texts(value: object, _: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError("takes a text, or a list of texts")


def _to_number(kind: type[int] | type[float], words: str) -> Callable[[Any, object], Any]:
    def convert(value: Any, _: object) -> Any:
        try:
            if isinstance(value, bool) or (kind is int and isinstance(value, float)):
                raise ValueError
            return kind(value)
        except (TypeError, ValueError):
            raise ValueError(f"{words}, not {value}") from None

    return convert


_converter = Converter(forbid_extra_keys=True)
_converter.register_structure_hook(bool, _to_bool)
_converter.register_structure_hook(int, _to_number(int, "takes a whole number"))
_converter.register_structure_hook(float, _to_number(float, "takes a number"))
_converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _to_texts)


def _structured(kind: type[SettingsT], values: Mapping[str, object]) -> SettingsT:
    settings: dict[str, Any] = {}
    for name, value in values.items():
        # One at a time, or cattrs would tell of all that is wrong.
        try:
            settings[name] = getattr(_converter.structure({name: value}, kind), name)
        except Exception as error:
            raise SettingsError(f"--{name.replace('_', '-')} {_reason(error)}.") from error
    return kind(**settings)


def _reason(error: Exception) -> str:
    """The sentence in what cattrs collected."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, ValueError) else transform_error(error)[0]

"""The routes that there are, found in the program itself: one that is new can't be forgotten by a test."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from klein import Klein

import dsmr_tw.api

MODULES = ["dsmr_tw.web", *(f"dsmr_tw.api.{module.name}" for module in iter_modules(dsmr_tw.api.__path__))]


def parts() -> Iterator[type[Any]]:
    """The classes that have routes."""
    for name in MODULES:
        for value in vars(import_module(name)).values():
            if isinstance(value, type) and value.__module__ == name and isinstance(getattr(value, "app", None), Klein):
                yield value


def rules() -> list[str]:
    """The paths of all routes, as they are written: ``/api/v2/devices/<device_id>/readings``."""
    return [rule.rule for part in parts() for rule in part.app.url_map.iter_rules()]

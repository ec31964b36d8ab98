"""The API over PostgreSQL: the same tests, another store behind the same face."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests import test_web
from tests.api import (
    test_consumption,
    test_day_example,
    test_devices,
    test_export,
    test_facts,
    test_prices,
    test_prices_changes,
    test_prices_ids,
    test_statistics,
    test_streaming,
    test_v1,
    test_v2,
    test_weather,
)
from tests.brief import BRIEF
from tests.onpostgres import emptied
from tests.postgres import server
from tests.serving import ServedCase


class OnPostgres(ServedCase):
    """A test whose service stores on a server."""

    _begun = False

    @property
    def url(self) -> str:  # type: ignore[override]  # where it is chosen anew for each service
        """An empty database: the one that tests share, or for further services of a test one of their own."""
        if self._begun:
            return server().database()
        self._begun = True
        return emptied()


def on_postgres(namespace: dict[str, Any], *modules: ModuleType) -> None:
    """Put into this module what the test cases of others are on PostgreSQL."""
    for module in () if BRIEF else modules:
        for name, case in vars(module).items():
            if (
                isinstance(case, type)
                and issubclass(case, ServedCase)
                and case.__module__ == module.__name__
                and not getattr(case, "sqlite_only", False)
            ):
                body = {"__module__": namespace["__name__"], "__doc__": case.__doc__}
                namespace[f"{name}OnPostgres"] = type(f"{name}OnPostgres", (OnPostgres, case), body)


on_postgres(
    globals(),
    *(
        test_consumption,
        test_day_example,
        test_devices,
        test_export,
        test_facts,
        test_prices,
        test_prices_changes,
        test_prices_ids,
    ),
    *(test_statistics, test_streaming, test_v1, test_v2, test_weather, test_web),
)

"""Responsible for what is counted and summed of a database, so that a copy of it can be told from a bad one.

Tests: ``tests/domain/test_tally.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

Sums: TypeAlias = Mapping[str, int]
"""By name: ``quarter`` is how many rows the table has, ``quarter.delivered_1`` the sum of a column, and
``quarter.last`` the highest id or instant."""

LAST: Final = ".last"

FEWER: Final = ("reading", "device_reading")
"""What a database that goes on has at least as many of, up to the same id, unless old ones are thinned out."""

CLOSED: Final = "day_statistics"
"""What stays as it is when more comes, unless it comes late or somebody edits."""


@frozen
class Tally:
    """What one database holds at one instant."""

    schema: int
    """The number of its schema."""
    tables: Mapping[str, int]
    """The small tables, and how many rows each has."""
    meters: Mapping[int, Sums]
    """What each meter has, by the meter's number."""

    def differences(self, other: Tally) -> list[str]:
        """What another database has that this one has not, or the other way round, in words."""
        if self.schema != other.schema:
            return [f"the schema: number {self.schema} became {other.schema}"]
        return [
            *_differing("", self.tables, other.tables),
            *(
                difference
                for meter_id in sorted({*self.meters, *other.meters})
                for difference in _differing(
                    f" of meter {meter_id}", self.meters.get(meter_id, {}), other.meters.get(meter_id, {})
                )
            ),
        ]

    def changed_since(self, later: Mapping[int, Sums]) -> list[str]:
        """What a database that went on has otherwise than this one, in words.

        ``later`` is what it has up to each table's ``last`` of this one.
        """
        found: list[str] = []
        for meter_id, then in sorted(self.meters.items()):
            now = later.get(meter_id)
            if now is None:
                found.append(f"meter {meter_id} is not there any more")
                continue
            whose = f" of meter {meter_id}"
            found += [
                f"{name}{whose}: {then.get(name, 0):,} are {now.get(name, 0):,} now"
                for name in FEWER
                if now.get(name, 0) < then.get(name, 0)
            ]
            found += _differing(whose, *({n: v for n, v in sums.items() if _is_closed(n)} for sums in (then, now)))
        return found

    def as_json(self) -> dict[str, Any]:
        """The form in which a backup has it."""
        return {
            "schema": self.schema,
            "tables": dict(self.tables),
            "meters": {str(meter_id): dict(sums) for meter_id, sums in self.meters.items()},
        }

    @classmethod
    def from_json(cls, told: Any) -> Tally:
        """Read that form again; what is none raises the errors of whoever takes it apart."""
        return cls(
            int(told["schema"]),
            _numbers(told["tables"]),
            {int(meter_id): _numbers(sums) for meter_id, sums in told["meters"].items()},
        )


def _is_closed(name: str) -> bool:
    return name == CLOSED or name.startswith(f"{CLOSED}.")


def _differing(whose: str, here: Mapping[str, int], there: Mapping[str, int]) -> Iterator[str]:
    for name in sorted({*here, *there}):
        before, after = here.get(name), there.get(name)
        if before != after:
            yield f"{name}{whose}: {_text(before)} became {_text(after)}"


def _text(number: int | None) -> str:
    return "nothing" if number is None else f"{number:,}"


def _numbers(told: Any) -> dict[str, int]:
    return {str(name): int(number) for name, number in told.items()}

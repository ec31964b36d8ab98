"""Responsible for what a server has to know before its database answers: keys, meters, and the speed of each port.

A file in the state directory holds what was last read of them; of the keys their hashes only.
The speeds are there so that a restart loses no telegram to finding them again.

Tests: ``tests/test_known.py``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from dsmr_tw.statedir import replace_file
from dsmr_tw.stored import ApiKey, Meter

FILE = "known.json"

_log = Logger()


@define
class Known:
    """What was last read of keys and meters."""

    path: Path
    keys: list[ApiKey] = field(factory=list, init=False)
    meters: list[Meter] = field(factory=list, init=False)
    """Without what changes all the time: number, name and zone."""
    _is_written: bool = field(default=True, init=False)
    """Whether the file holds them; not, when the disk did not take it the last time."""

    speeds: dict[str, int] = field(factory=dict, init=False)
    """The speed of each serial port whose speed was found by listening, by its path."""

    def load(self) -> None:
        """Read the file; one that is damaged counts for nothing, as at a first start."""
        try:
            told = json.loads(self.path.read_text("utf-8"))
            keys = [_key(of) for of in told["keys"]]
            meters = [Meter(int(of["id"]), str(of["name"]), str(of["zone"])) for of in told["meters"]]
            speeds = {str(path): int(baud) for path, baud in told.get("speeds", {}).items()}
            self.keys, self.meters, self.speeds = keys, meters, speeds
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warn("{path} can't be read, it will be written anew: {error}", path=str(self.path), error=str(error))

    def keep_keys(self, keys: list[ApiKey]) -> None:
        """Keep these, if they are others than before."""
        if keys != self.keys or not self._is_written:
            self.keys = keys
            self._write()

    def keep_meters(self, meters: list[Meter]) -> None:
        """Keep these, if they are others than before."""
        plain = [Meter(meter.id, meter.name, meter.zone) for meter in meters]
        if plain != self.meters or not self._is_written:
            self.meters = plain
            self._write()

    def keep_speed(self, path: str, baud: int) -> None:
        """Keep the speed of a port, if it is another than before."""
        if self.speeds.get(path) != baud:
            self.speeds[path] = baud
            self._write()

    def _write(self) -> None:
        told = {
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "scope": key.scope,
                    "digest": key.digest.hex(),
                    "meter_id": key.meter_id,
                    "created_at": key.created_at,
                    "hint": key.hint,
                }
                for key in self.keys
            ],
            "meters": [{"id": meter.id, "name": meter.name, "zone": meter.zone} for meter in self.meters],
            "speeds": self.speeds,
        }
        try:
            replace_file(self.path, json.dumps(told, indent=1))
        except OSError as error:
            if self._is_written:
                _log.warn("{path} can't be written: {error}", path=str(self.path), error=str(error))
            self._is_written = False
        else:
            self._is_written = True


def _key(of: dict[str, Any]) -> ApiKey:
    return ApiKey(
        int(of["id"]),
        str(of["name"]),
        str(of["scope"]),
        bytes.fromhex(of["digest"]),
        None if of["meter_id"] is None else int(of["meter_id"]),
        int(of["created_at"]),
        str(of["hint"]),
    )

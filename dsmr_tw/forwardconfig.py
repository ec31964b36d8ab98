"""Responsible for the settings of ``twistd dsmr-forward``: the table of its options, and what each of them may be.

Tests: ``tests/test_forward_tap.py``; every option is explained in ``docs/forwarding.md``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from attrs import field, frozen

from dsmr_tw.config import default_state_dir, one_of
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError
from dsmr_tw.gathering import Option, gathered

OPTIONS: Final = (
    Option("device", "A P1 port to read: a path, tcp:HOST:PORT or http://HOST/api/v1/telegram.", "DEVICE", True),
    Option("to", "Send each telegram to this server: http://HOST:8080.", "URL", True),
    Option("key-file", "The file with the API key of that server; one for each --to.", "FILE", True),
    Option(
        "baud", "Speed of serial ports: 115200, 9600 (DSMR 2.2 and 3.0), or auto: found by listening. [auto]", "BAUD"
    ),
    Option("crc", "What to do about a telegram's checksum: strict, optional or off. [strict]", "POLICY"),
    Option("decryption-key-file", "Decrypt what is read, with the key in this file.", "FILE"),
    Option("ca-file", "A file with certificates that are believed, besides those that the system believes.", "FILE"),
    Option("state-dir", "Where telegrams wait. [$STATE_DIRECTORY, or the user's data folder]", "DIR"),
    Option("p1-server", "Serve the telegrams, as they come, to any number of programs: tcp:2001.", "ENDPOINT"),
    Option("http", "Serve /health here: tcp:8081:interface=127.0.0.1. [nowhere]", "ENDPOINT", True),
    Option("config", "Read settings from this TOML file; flags and environment win over it.", "FILE"),
)


FOLDER: Final = "dsmr-forward"
"""In a user's data: another one than that of ``twistd dsmr``, which may run beside it."""


@frozen
class ForwardSettings:
    """Everything an operator can set, checked."""

    device: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    key_file: tuple[str, ...] = ()
    baud: str = field(default="auto", validator=one_of("auto", "9600", "115200"))
    crc: str = field(default="strict", validator=one_of(*(policy.value for policy in CrcPolicy)))
    decryption_key_file: Path | None = None
    ca_file: Path | None = None
    state_dir: Path = field(factory=partial(default_state_dir, None, FOLDER))
    p1_server: str | None = None
    http: tuple[str, ...] = ()


def settings_from(flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> ForwardSettings:
    """The settings that hold, from the flags given, the environment and the file that ``config`` names.

    Raises: ``SettingsError`` with one sentence.
    """
    environment = os.environ if environment is None else environment
    defaults = {"state_dir": default_state_dir(environment, FOLDER)}
    settings = gathered(OPTIONS, ForwardSettings, "twistd dsmr-forward", flags, environment, defaults)
    if not settings.device:
        raise SettingsError("--device is missing: name the P1 port to read, like --device /dev/ttyUSB0.")
    if not settings.to:
        raise SettingsError("--to is missing: name the server to send telegrams to, like --to http://192.0.2.7:8080.")
    if settings.decryption_key_file is not None and settings.baud == "9600":
        raise SettingsError("--decryption-key-file needs --baud 115200: at 9600 a byte has seven bits, too few.")
    return settings

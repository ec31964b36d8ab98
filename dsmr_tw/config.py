"""Responsible for the settings of ``twistd dsmr``: the table of its options, and what each of them may be.

What can't be is refused before anything starts, in one sentence that names the setting.

Tests: ``tests/test_config.py``; every option is explained in ``docs/settings.md``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen
from platformdirs import user_data_path

from dsmr_tw import limits
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError
from dsmr_tw.gathering import Option, gathered
from dsmr_tw.weatherfeeds import feed_of

MOST_DEMO_DAYS: Final = 3660
LEAST_DAYS_KEPT: Final = 2
MOST_DAYS_KEPT: Final = 36_600
BACKUPS_KEPT: Final = 7
PROMISED_SECONDS: Final = 5.0
"""How long a reading of the line may stay in memory before the promise about the line is weaker than documented."""


OPTIONS: Final = (
    Option(
        "device",
        "A P1 port to read: a path, tcp:HOST:PORT or http://HOST/api/v1/telegram; ,meter=NAME after it says whose.",
        "DEVICE",
        True,
    ),
    Option(
        "baud", "Speed of serial ports: 115200, 9600 (DSMR 2.2 and 3.0), or auto: found by listening. [auto]", "BAUD"
    ),
    Option("crc", "What to do about a telegram's checksum: strict, optional or off. [strict]", "POLICY"),
    Option("trust-clock", "Whose clock dates telegrams: the meter's, or the server's. [meter]", "meter|server"),
    Option("decryption-key-file", "Decrypt what is read, with the key in this file.", "FILE"),
    Option("demo", "Read a simulated house instead of a device."),
    Option("demo-days", "First fill this many days of the past with the simulated house. [0]", "DAYS"),
    Option("demo-seed", "Which simulated house: the same number is always the same house. [1]", "NUMBER"),
    Option("database", "sqlite:PATH, or postgresql://USER@HOST/NAME. [sqlite:STATE-DIR/dsmr.sqlite3]", "DATABASE"),
    Option("state-dir", "Where the database and the API key lie. [$STATE_DIRECTORY, or the user's data folder]", "DIR"),
    Option("commit-interval", "Seconds that readings of a line are gathered before they are written. [1]", "SECONDS"),
    Option("keep-readings", "How long to keep all readings, like 31d; older ones are thinned out. [forever]", "ND"),
    Option("backup-daily", "Make a backup in this directory every night, and check it.", "DIR"),
    Option("keep", "How many backups of --backup-daily to keep; older ones are removed. [7]", "NUMBER"),
    Option("http", "Where to serve HTTP, as a Twisted endpoint. [tcp:8080:interface=127.0.0.1]", "ENDPOINT", True),
    Option("p1-server", "Serve the telegrams, as they come, to any number of programs: tcp:2001.", "ENDPOINT"),
    Option("forward", "Send each telegram to this server as well: http://HOST:8080.", "URL", True),
    Option("forward-key-file", "The file with the API key of that server; one for each --forward.", "FILE", True),
    Option("ca-file", "A file with certificates that --forward believes, besides those that the system does.", "FILE"),
    Option("enable-api", "Answer the API; without it only /health, /metrics and the front page are served."),
    Option("api-timestamps", "Show instants as utc or as local time. [utc]", "utc|local"),
    Option("cors-origin", "An origin whose web pages may use the API from a browser, or *.", "ORIGIN", True),
    Option("trusted-proxy", "Address of a reverse proxy whose X-Forwarded headers are believed.", "ADDRESS", True),
    Option("max-connections", f"HTTP connections at a time. [{limits.CONNECTIONS}]", "NUMBER"),
    Option("max-power", "The most power, in kW, that a connection carries; faster rises are not believed. [60]", "KW"),
    Option("weather", "Fetch temperatures: open-meteo:LAT,LON, or buienradar:STATION in the Netherlands.", "FEED"),
    Option("zone", "The time zone that the meters hang in. [Europe/Amsterdam]", "NAME"),
    Option("config", "Read settings from this TOML file; flags and environment win over it.", "FILE"),
)


def default_state_dir(environment: Mapping[str, str] | None = None, folder: str = "dsmr_tw") -> Path:
    """What systemd gave us, else the platform's place for a user's data."""
    given = (os.environ if environment is None else environment).get("STATE_DIRECTORY")
    # systemd separates several directories by colons; the first one is ours.
    return Path(given.split(":")[0]) if given else user_data_path(folder, appauthor=False)


def _at_least(least: float, words: str) -> Callable[[Any, Any, Any], None]:
    def check(instance: object, attribute: Any, value: float) -> None:
        if not least <= value < math.inf:
            raise ValueError(words)

    return check


def one_of(*allowed: object) -> Callable[[Any, Any, Any], None]:
    """Refuses what is none of these."""

    def check(instance: object, attribute: Any, value: object) -> None:
        if value not in allowed:
            raise ValueError(f"takes {', '.join(map(str, allowed[:-1]))} or {allowed[-1]}, not {value}")

    return check


def _zone_exists(instance: object, attribute: Any, value: str) -> None:
    try:
        MeterZone(value)
    except SettingsError as error:
        raise ValueError(f"takes the name of a time zone, like Europe/Amsterdam, not {value}") from error


def days_kept(text: str) -> int | None:
    """The days in ``31d``; ``None`` for ``forever``.

    Raises: ``ValueError`` when it is neither.
    """
    if text == "forever":
        return None
    days = text.removesuffix("d")
    if days == text or not (days.isascii() and days.isdigit()) or not LEAST_DAYS_KEPT <= int(days) <= MOST_DAYS_KEPT:
        raise ValueError(f"takes a number of days from {LEAST_DAYS_KEPT}d, like 31d, or forever, not {text}")
    return int(days)


def _is_retention(instance: object, attribute: Any, value: str) -> None:
    days_kept(value)


def is_url(database: str) -> bool:
    """Whether a database is on a PostgreSQL server."""
    return database.startswith(("postgresql://", "postgres://"))


def _feed_exists(instance: object, attribute: Any, value: str | None) -> None:
    if value is not None:
        feed_of(value)


def _demo_days_fit(instance: object, attribute: Any, value: int) -> None:
    if not 0 <= value <= MOST_DEMO_DAYS:
        raise ValueError(f"takes a number of days from 0 to {MOST_DEMO_DAYS}")


@frozen
class Settings:
    """Everything an operator can set, checked."""

    device: tuple[str, ...] = ()
    baud: str = field(default="auto", validator=one_of("auto", "9600", "115200"))
    crc: str = field(default="strict", validator=one_of(*(policy.value for policy in CrcPolicy)))
    trust_clock: str = field(default="meter", validator=one_of("meter", "server"))
    decryption_key_file: Path | None = None
    demo: bool = False
    demo_days: int = field(default=0, validator=_demo_days_fit)
    demo_seed: int = 1
    database: str | None = field(default=None, repr=False)
    state_dir: Path = field(factory=default_state_dir)
    commit_interval: float = field(default=1.0, validator=_at_least(0, "takes a number of seconds, 0 or more"))
    keep_readings: str = field(default="forever", validator=_is_retention)
    backup_daily: Path | None = None
    keep: int = field(default=BACKUPS_KEPT, validator=_at_least(1, "takes a number, 1 or more"))
    http: tuple[str, ...] = ("tcp:8080:interface=127.0.0.1",)
    p1_server: str | None = None
    forward: tuple[str, ...] = ()
    forward_key_file: tuple[str, ...] = ()
    ca_file: Path | None = None
    enable_api: bool = False
    api_timestamps: str = field(default="utc", validator=one_of("utc", "local"))
    cors_origin: tuple[str, ...] = ()
    trusted_proxy: tuple[str, ...] = ()
    max_connections: int = field(default=limits.CONNECTIONS, validator=_at_least(1, "takes a number, 1 or more"))
    max_power: float = field(default=60.0, validator=_at_least(1, "takes a number of kW, 1 or more"))
    weather: str | None = field(default=None, validator=_feed_exists)
    zone: str = field(default="Europe/Amsterdam", validator=_zone_exists)

    @property
    def serial_speed(self) -> int | None:
        """The speed of serial ports; ``None``: what is found by listening."""
        return None if self.baud == "auto" else int(self.baud)

    @property
    def dates_by_arrival(self) -> bool:
        """Whether our clock dates telegrams, and not the meter's."""
        return self.trust_clock == "server"

    @property
    def keep_days(self) -> int | None:
        """How many days all readings are kept; ``None``: for ever."""
        return days_kept(self.keep_readings)

    @property
    def max_power_w(self) -> int:
        """The most power of a connection, in W."""
        return int(self.max_power * 1000)

    @property
    def database_url(self) -> str | None:
        """The URL of the PostgreSQL database; ``None`` when it is an SQLite file."""
        return self.database if self.database is not None and is_url(self.database) else None

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database.removeprefix("sqlite:")) if self.database else self.state_dir / "dsmr.sqlite3"


def settings_from(flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that hold, from the flags given, the environment and the file that ``config`` names.

    Raises: ``SettingsError`` with one sentence.
    """
    environment = os.environ if environment is None else environment
    defaults = {"state_dir": default_state_dir(environment)}
    settings = gathered(OPTIONS, Settings, "twistd dsmr", flags, environment, defaults)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if settings.demo and settings.device:
        raise SettingsError("--demo and --device exclude each other: a demo's readings would stand among real ones.")
    if settings.demo_days and not settings.demo:
        raise SettingsError("--demo-days fills the past of the simulated house, so it needs --demo.")
    if settings.keep != BACKUPS_KEPT and settings.backup_daily is None:
        raise SettingsError("--keep says how many backups of --backup-daily are kept, and none are made.")
    if settings.p1_server is not None and not (settings.demo or settings.device):
        raise SettingsError("--p1-server serves what a device prints, so it needs --device, or --demo.")
    if settings.ca_file is not None and not settings.forward:
        raise SettingsError("--ca-file says which servers --forward believes, and there is no --forward.")
    if settings.decryption_key_file is not None:
        if not settings.device:
            raise SettingsError("--decryption-key-file is about what a --device reads, and there is none.")
        if settings.baud == "9600":
            raise SettingsError("--decryption-key-file needs --baud 115200: at 9600 a byte has seven bits, too few.")
    database = settings.database
    if database is None or is_url(database) or database.removeprefix("sqlite:") not in ("", database):
        return
    # What stands behind the scheme of another database may be a password.
    scheme, has_scheme, _ = database.partition("://")
    told = f"{scheme}://…" if has_scheme else database
    raise SettingsError(f"--database takes sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME, not {told}.")

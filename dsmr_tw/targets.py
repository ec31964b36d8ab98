"""Responsible for making what forwards telegrams to the servers that settings name: for each a key, a spool, a client.

The spools are in ``STATE/forward``, each in a directory named after its server, with nothing secret in it.

Tests: ``tests/test_targets.py``
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IPolicyForHTTPS

from dsmr_tw.errors import SettingsError
from dsmr_tw.forwarding import Forward
from dsmr_tw.forwards import Forwards
from dsmr_tw.inorder import InOrder
from dsmr_tw.limits import Limits
from dsmr_tw.sinks.forward import HttpTarget, forward_agent
from dsmr_tw.spool import Spool
from dsmr_tw.store.threads import Threads
from dsmr_tw.unsent import Unsent

DIRECTORY: Final = "forward"
"""The directory of the spools in a state directory."""

SEGMENT_BYTES: Final = 64 * 1024
"""How large the files of a spool grow, about a thousand telegrams.

A file goes when all of it is sent, so this much may be sent twice after a restart; and one is in memory at the start.
"""

PATH: Final = "/api/v1/datalogger/dsmrreading"
"""Where servers take telegrams; an address without a path means this one."""

_KEY_FILE_BYTES: Final = 1024
_KEY: Final = re.compile(r"[!-~]+")
_URL: Final = re.compile(r"https?://(?:\[(?P<ipv6>[^\[\]]+)\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?:/[!-~]*)?")


@frozen
class TargetSetting:
    """A server that telegrams are forwarded to, as an operator named it."""

    url: str
    """With its path."""

    key: str = field(repr=False)

    @property
    def name(self) -> str:
        """What logs and ``/health`` call it: scheme, host and port."""
        return self.url[: self.url.index("/", len("https://"))]

    @property
    def directory(self) -> str:
        """The name of its spool's directory: the host for people, and what tells two of its addresses apart."""
        host = re.sub(r"[^A-Za-z0-9.-]+", "-", self.name.partition("://")[2]).strip("-.")
        return f"{host[:60]}-{sha256(self.url.encode()).hexdigest()[:8]}"


def target_settings(option: str, urls: Sequence[str], key_option: str, key_files: Sequence[str]) -> list[TargetSetting]:
    """The servers that an option names, with the keys in the files that another names, in the same order.

    Raises: ``SettingsError``
    """
    if len(urls) != len(key_files):
        raise SettingsError(
            f"{option} is given {_times(urls)}, and {key_option} {_times(key_files)}: "
            f"each {option} URL needs one {key_option} FILE with its key, in the same order."
        )
    settings = [
        TargetSetting(_checked(option, url), _key_in(key_option, Path(file)))
        for url, file in zip(urls, key_files, strict=True)
    ]
    seen: set[str] = set()
    for setting in settings:
        if setting.url in seen:
            raise SettingsError(f"{option} names {setting.name} twice: each telegram is sent to a server once.")
        seen.add(setting.url)
    return settings


def _times(values: Sequence[str]) -> str:
    return "once" if len(values) == 1 else f"{len(values)} times"


def _checked(option: str, text: str) -> str:
    """The address with its path."""
    parts = _URL.fullmatch(text)
    if parts is None or "?" in text or "#" in text:
        # A user name, a password or a token in it must not stand in the log.
        told = text if re.fullmatch(r"[!-~]*", text) and not re.search("[@?#]", text) else "…"
        raise SettingsError(
            f"{option} {told} is no address like http://192.0.2.7:8080 or https://dsmr.example{PATH} "
            f"(without a user name, a password or anything behind a question mark)."
        )
    if parts["port"] is not None and not 0 < int(parts["port"]) < 65536:
        raise SettingsError(f"{option} {text} names port {int(parts['port'])}, but ports are 1 to 65535.")
    if parts["ipv6"] is not None and not isIPv6Address(parts["ipv6"]):
        raise SettingsError(f"{option} {text} has something else than an IPv6 address in its brackets.")
    return text.rstrip("/") + PATH if urlsplit(text).path in ("", "/") else text


def _key_in(option: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{option} {path} can't be read: {error.strerror}.") from error
    if stat.S_IMODE(mode) & stat.S_IRWXO:
        raise SettingsError(f"{option} {path} is open to every user of this machine; close it with: chmod o= {path}")
    key = content.decode("latin-1").strip()
    if len(content) > _KEY_FILE_BYTES or not _KEY.fullmatch(key):
        raise SettingsError(
            f"{option} {path} must hold the API key of the other server, alone on one line and without spaces."
        )
    return key


@frozen
class Targeting:
    """What forwards telegrams, and the service that runs it."""

    forwards: Forwards
    service: Service


def targeting(
    settings: Sequence[TargetSetting],
    ca_file: Path | None,
    state: Path,
    zone: str,
    reactor: Any,
    clock: IReactorTime,
    limits: Limits,
    monotonic: Callable[[], float],
) -> Targeting:
    """What forwards telegrams to these servers.

    Raises: ``SettingsError``, or ``StoreRefused`` when another program uses one of the spools.
    """
    policy = _policy(settings, ca_file)
    thread = Threads(reactor, 1, "forward-spool")
    spools, servers = _Spools(thread), []
    for setting in settings:
        spool = Spool(state / DIRECTORY / setting.directory, thread, segment_bytes=SEGMENT_BYTES)
        spool.open()
        spools.open.append(spool)
        agent = forward_agent(reactor, policy if setting.url.startswith("https:") else None)
        target = HttpTarget(setting.name, setting.url, setting.key, agent, clock)
        servers.append(Forward(target, Unsent(setting.name, spool, limits, monotonic), clock))
    service = InOrder()
    for part in (spools, *servers):
        part.setServiceParent(service)
    _tell_of_others(state / DIRECTORY, {setting.directory for setting in settings})
    return Targeting(Forwards(servers, zone), service)


def _policy(settings: Sequence[TargetSetting], ca_file: Path | None) -> IPolicyForHTTPS | None:
    """Whom HTTPS believes, where it is used."""
    if not any(setting.url.startswith("https:") for setting in settings):
        if ca_file is not None:
            raise SettingsError("--ca-file says whom HTTPS believes, but no address begins with https:.")
        return None
    try:
        # Imported here and not above: it takes 11 MB.
        from dsmr_tw.sinks.authority import policy
    except ImportError as error:
        raise SettingsError(
            f"Sending to an https: address needs more than is installed ({error}): pip install '.[forward]'"
        ) from error
    return policy(ca_file)


def _tell_of_others(directory: Path, ours: set[str]) -> None:
    """Say where telegrams wait for a server that is in the settings no more."""
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if path.name not in ours and any(path.glob("*.spool")):
            Logger().warn("telegrams wait in {path} for a server that the settings do not name", path=str(path))


@define(eq=False)
class _Spools(Service):
    """Closes the spools when all else has stopped."""

    thread: Threads
    open: list[Spool] = field(factory=list)

    def stopService(self) -> None:
        """Let others use them."""
        super().stopService()
        for spool in self.open:
            spool.close()
        self.thread.stop()

"""Responsible for ``dsmr doctor``: why no telegrams come, or not all of them, and what to do.

A device that a running server reads is left to it; the server is asked for its figures.

Tests: ``tests/live/test_doctor.py``
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click
from attrs import evolve
from click.core import ParameterSource

from dsmr_tw.cli.examining import Examination, of_a_port
from dsmr_tw.cli.parse import printable
from dsmr_tw.config import Settings, settings_from
from dsmr_tw.device import DeviceSetting, SerialDevice, parse_setting, serial_ports
from dsmr_tw.domain.diagnosis import Diagnosis
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram
from dsmr_tw.errors import SettingsError, TelegramError
from dsmr_tw.sourcing import Sourcing, decryption

ANSWER_S: Final = 5
"""So long a server may take to say how it is."""

HEADING: Final = 11
"""Columns of what stands before a figure."""


@click.command()
@click.option("--device", multiple=True, metavar="DEVICE", help="What to look at, as for the server. May be repeated.")
@click.option("--config", metavar="FILE", help="Take devices and how to read them from this TOML file.")
@click.option("--baud", metavar="BAUD", help="115200, 9600, or auto: found by listening. [auto]")
@click.option("--crc", metavar="POLICY", help="strict, optional or off. [strict]")
@click.option("--decryption-key-file", metavar="FILE", help="The key of a meter that encrypts.")
@click.option(
    "--seconds",
    type=click.IntRange(1, 86_400),
    default=35,
    show_default=True,
    help="How long to listen at most; many meters print every ten seconds only.",
)
@click.option(
    "--http",
    default="http://127.0.0.1:8080",
    show_default=True,
    metavar="URL",
    help="Where a server may run that reads the devices.",
)
def doctor(device: tuple[str, ...], seconds: int, http: str, **flags: str | None) -> None:
    """Say how devices are: whether they can be opened, what comes, how it is damaged, and what to do.

    Without --device these are the devices of --config or of the environment (DSMR_DEVICE), else all serial ports.
    A device that a running server reads is not touched: the server's own figures are shown.
    Looking ends early when enough is known; Ctrl-C shows what is known so far.
    The exit status is 0 when telegrams come well, of each device that was named, or of one that was found.

    \b
    Examples:
      dsmr doctor
      dsmr doctor --device /dev/ttyUSB0 --seconds 600
      dsmr doctor --device tcp:p1.example:2001
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    settings, are_named = looking(device, flags, serial_ports)
    wanted = [evolve(parse_setting(each), meter=None) for each in settings.device]
    known = known_to_a_server(http)
    found = {each.device.name: told for each in wanted if (told := served(each, known, http))}
    others = [each for each in wanted if each.device.name not in found]
    if others:
        found |= {f"device {one.name}": one for one in _examined(others, settings, seconds)}
    is_named = click.get_current_context().get_parameter_source("http") is not ParameterSource.DEFAULT
    if is_named and not known:
        click.echo(f"No server answers at --http {http}, so all devices were listened to.", err=True)
    diagnoses = [found[each.device.name] for each in wanted]
    for diagnosis in diagnoses:
        _show(diagnosis)
    if not (all if are_named else any)(diagnosis.is_well for diagnosis in diagnoses):
        raise SystemExit(1)


def looking(
    device: Sequence[str], flags: Mapping[str, str | None], ports: Callable[[], Sequence[SerialDevice]]
) -> tuple[Settings, bool]:
    """How to look, with the devices to look at: ``ports`` if nobody named one; whether somebody did.

    Raises: ``SettingsError`` when something of it can't be, or there is no device.
    """
    # Whatever the server is told to do with them does not matter here.
    flags = {**flags, "demo": "no", "demo_days": "0"}
    without_key = {name: value for name, value in flags.items() if name != "decryption_key_file"}
    named = list(device) or list(settings_from(without_key).device)
    devices = named or [port.path for port in ports()]
    if not devices:
        raise SettingsError(
            "No serial port is found: is the cable plugged in? `ls /dev/tty*` shows what the system knows, "
            "--device names one, or tcp:HOST:PORT."
        )
    return settings_from({**flags, "device": devices}), bool(named)


def _examined(wanted: Sequence[DeviceSetting], settings: Settings, seconds: int) -> list[Diagnosis]:
    """How devices are, by listening to them."""
    from twisted.internet import reactor

    sourcing = Sourcing(
        reactor=reactor,
        clock=reactor,
        on_telegram=_understood,
        on_error=_counted,
        crc=CrcPolicy(settings.crc),
        baud=settings.serial_speed,
        decryption=decryption(settings.decryption_key_file),
    )
    remarks = [_remarks(each) for each in wanted]
    sources = [sourcing.device(each) for each in wanted]
    names = ", ".join(each.device.name.removeprefix("device ") for each in wanted)
    click.echo(f"Listening to {names} for {seconds} s at most; Ctrl-C shows what is known so far.", err=True)
    found = Examination(sources, seconds).run(reactor)
    return [evolve(one, remarks=seen) for one, seen in zip(found, remarks, strict=True)]


def _understood(telegram: RawTelegram, received_at: int, origin: Origin) -> Telegram:
    return TelegramParser().parse(telegram)


def _counted(origin: Origin, error: TelegramError) -> None:
    """What becomes of a telegram that is refused: the source has counted it."""


def _remarks(wanted: DeviceSetting) -> tuple[tuple[str, str], ...]:
    device = wanted.device
    return tuple(of_a_port(device.path)) if isinstance(device, SerialDevice) else ()


def known_to_a_server(http: str) -> Mapping[str, Any]:
    """What a server on this machine says about itself; nothing when there is none."""
    try:
        # Not through a proxy: it is this machine, or one beside it.
        with build_opener(ProxyHandler({})).open(f"{http.rstrip('/')}/health", timeout=ANSWER_S) as answer:
            told = json.load(answer)
    except HTTPError as error:
        # With its problems in it the report comes with another status.
        told = _loaded(error.read())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _loaded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return {}


def served(wanted: DeviceSetting, known: Mapping[str, Any], http: str) -> Diagnosis | None:
    """How a device is, by the figures of a server that reads it; ``None`` when none does."""
    for figures in known.get("sources", ()):
        name = figures["name"]
        if _place(name) == _place(wanted.device.name) and figures["connected"] and "line" in figures:
            told = next((each for each in known.get("problems", ()) if each.startswith(f"{name}: ")), None)
            trouble = told and told.removeprefix(f"{name}: ")
            remark = ("read by", f"the server at {http}, whose figures these are")
            return Diagnosis(wanted.device.name.removeprefix("device "), figures, trouble, (remark,))
    return None


def _place(name: str) -> str:
    """What a source reads, whatever link leads to it."""
    where = name.removeprefix("device ")
    return os.path.realpath(where) if where.startswith("/") else where


def _show(diagnosis: Diagnosis) -> None:
    click.echo(diagnosis.name)
    for heading, words in diagnosis.lines():
        click.echo(f"  {heading:{HEADING}}{printable(words)}")
    click.echo(f"  {'=>':{HEADING}}{printable(diagnosis.verdict())}\n")

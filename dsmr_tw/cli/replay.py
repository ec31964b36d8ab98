"""Responsible for ``dsmr replay``: recorded telegrams, played as a meter would print them.

Tests: ``tests/live/test_replay.py``
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reprint import on_a_line, with_its_line_ends
from dsmr_tw.domain.rhythm import Rhythm
from dsmr_tw.domain.telegram import CrcPolicy, Outcome, RawTelegram, TelegramAssembler
from dsmr_tw.errors import SettingsError
from dsmr_tw.limits import TELEGRAM_BYTES
from dsmr_tw.listening import listening
from dsmr_tw.sinks.pseudoterminal import PseudoTerminal
from dsmr_tw.sinks.replay import Player

FASTEST: Final = 1000.0
PTY: Final = "pty"


@define
class Recording:
    """The telegrams of a file, read as they are needed."""

    file: BinaryIO
    name: str
    """Of the file, for people."""
    left_out: int = field(default=0, init=False)
    """How many are not complete."""

    def telegrams(self) -> Iterator[tuple[float, bytes]]:
        """Each with the seconds from the one before it."""
        rhythm = Rhythm(MeterZone("Europe/Amsterdam"))
        for outcome in self._outcomes():
            if isinstance(outcome, RawTelegram):
                raw = with_its_line_ends(outcome)
                yield rhythm.pause(raw), on_a_line(raw)
            else:
                self.left_out += 1

    def _outcomes(self) -> Iterator[Outcome]:
        assembler = TelegramAssembler(CrcPolicy.OFF)
        for line in iter(self._line, b""):
            yield from assembler.line(line[:-1]) if line.endswith(b"\n") else assembler.too_long(line)
        yield from assembler.flush()

    def _line(self) -> bytes:
        try:
            return self.file.readline(TELEGRAM_BYTES)
        except OSError as error:
            raise SettingsError(f"{self.name} can't be read: {error.strerror}.") from error


def _speed(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    """A number; ``None`` for ``max``."""
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 1 / FASTEST <= speed <= FASTEST:
        raise SettingsError(f"--speed takes a number from 0.001 to 1000, or max, not {value}.")
    return speed


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--speed", callback=_speed, default="1", show_default=True, metavar="N|max", help="How many times faster."
)
@click.option(
    "--to",
    "where",
    default="tcp:2001",
    show_default=True,
    metavar="tcp:PORT|pty",
    help="A port of this machine, or a serial port that is made up.",
)
def replay(file: BinaryIO, speed: float | None, where: str) -> None:
    """Play the telegrams in FILE as a meter would print them; - is standard input.

    They come in the rhythm of their clocks, or one a second where they have none; gaps are cut to 30 seconds.
    Playing begins when somebody reads, and waits while nobody does. --speed max plays as fast as it is read.
    CRCs stay as they are; telegrams without an end are left out. Ctrl-C ends it, with exit status 1.

    \b
    Examples:
      dsmr replay day.txt --speed 60
      twistd -n dsmr --device tcp:127.0.0.1:2001
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    # What is no file may have no end yet: it is read before Ctrl-C is the reactor's.
    is_file = file.seekable() and file is not sys.stdin.buffer
    recording = Recording(file if is_file else io.BytesIO(file.read()), file.name if is_file else "Standard input")
    telegrams = recording.telegrams()
    first = next(telegrams, None)
    if first is None:
        raise SettingsError(
            f"{recording.name} holds no telegram: none of its lines begins with /, or none is complete."
        )
    from twisted.internet import reactor

    player = Player(_chained(first, telegrams), reactor, lambda words: click.echo(words, err=True), speed)
    if _run(reactor, player, where):
        raise SystemExit(_told(player, recording, "stopped"))
    _told(player, recording, "all there are")


def _chained(first: tuple[float, bytes], others: Iterator[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    yield first
    yield from others


def _run(reactor: Any, player: Player, where: str) -> bool:
    """Play, until all is played; whether it was broken off."""
    failures: list[Failure] = []
    if where == PTY:
        terminal = PseudoTerminal(reactor, player)
        ended: Deferred[None] = player.done.addCallback(lambda _: terminal.close())
        device = terminal.path
    else:
        description = where if "interface=" in where else f"{where}:interface=127.0.0.1"
        port = listening(reactor, description, player, "--to", "tcp:2001")
        port.startService()
        ended = player.done.addCallback(lambda _: port.stopService())
        device = _device(port.port)
    ended.addErrback(failures.append).addCallback(lambda _: stop())
    finished: list[bool] = []

    def stop() -> None:
        finished.append(True)
        reactor.stop()

    # Not before Ctrl-C is the reactor's.
    reactor.callWhenRunning(click.echo, f"Playing on {device}: --device {device}", err=True)
    reactor.run()
    if failures:
        failures[0].raiseException()
    return not finished


def _device(port: Any) -> str:
    """What to read."""
    address = port.getHost()
    return f"tcp:{address.host}:{address.port}"


def _told(player: Player, recording: Recording, how: str) -> int:
    """Say how much was played; the exit status of a replay that was broken off."""
    left_out = f", {recording.left_out} not complete and left out" if recording.left_out else ""
    click.echo(f"{player.played} telegram{'' if player.played == 1 else 's'} played, {how}{left_out}.", err=True)
    return 1

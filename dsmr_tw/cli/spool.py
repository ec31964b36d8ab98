"""Responsible for ``dsmr spool``: telegrams on disk that wait for the store.

Tests: ``tests/cli/test_spool.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from dsmr_tw.cli.beside import Beside, beside, where_options
from dsmr_tw.cli.rebuild import INTERRUPTED
from dsmr_tw.config import Settings, settings_from
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Arrival
from dsmr_tw.domain.spooled import arrival_in, record_in, text_in
from dsmr_tw.errors import DsmrError, SettingsError, StoreUnavailable
from dsmr_tw.limits import READINGS_PER_COMMIT
from dsmr_tw.progress import Progress
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.spoolfiles import is_in_use
from dsmr_tw.store.threads import result_of

DIRECTORY: Final = click.Path(path_type=Path)


@click.group()
def spool() -> None:
    """Look at telegrams that wait on disk, or store those of another server.

    While the database is away a server keeps what it takes in the directory `spool` of its state directory, and stores
    it by itself when the database is back.
    """


@spool.command()
@click.argument("directory", type=DIRECTORY, required=False)
@where_options
def show(directory: Path | None, **where: str | None) -> None:
    """Say how many telegrams wait in DIRECTORY, and since when; the server's own when none is named.

    \b
    Examples:
      dsmr spool show
      dsmr spool show /var/lib/dsmr_before/spool
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    settings = settings_from(where)
    with _readable():
        _show(directory, settings)


def _show(directory: Path | None, settings: Settings) -> None:
    path = settings.state_dir / SPOOL if directory is None else _spool_in(directory)
    if directory is None and not path.is_dir():
        click.echo(f"No telegrams wait: there is no spool {path} yet.")
        return
    waiting = Spool(path, maybeDeferred)
    waiting.survey()
    oldest = result_of(waiting.read(1, record_in))
    since = f", the oldest since {MeterZone(settings.zone).local_text(oldest[0].received_at)}" if oldest else ""
    click.echo(f"{waiting.records:,} telegrams wait in {path}{since}; {waiting.held_bytes:,} bytes.")
    if is_in_use(path):
        click.echo("A running server uses it, and stores them when its database takes them.")
    if waiting.refused:
        click.echo(f"{waiting.refused:,} telegrams that the store refused are kept in {path / 'refused'}.")
    if waiting.damaged:
        click.echo(f"{waiting.damaged:,} files can't be read to their end; they are kept, and end in .damaged.")


@spool.command()
@click.argument("directory", type=DIRECTORY)
@where_options
def drain(directory: Path, **where: str | None) -> None:
    """Store the telegrams that wait in DIRECTORY, which another server was left with.

    They go into the database of the server that --state-dir or --database names, which may run meanwhile.
    Ctrl-C ends it at any time, and it can be run again: what is stored already changes nothing.

    \b
    Examples:
      dsmr spool drain /var/lib/dsmr_before/spool
    """  # noqa: D301  # click wants the control character itself, where it shall not fill paragraphs
    with beside(**where) as here:
        with _readable():
            waiting = Spool(_spool_in(directory), maybeDeferred)
        waiting.open()
        draining = Draining(here, waiting)
        try:
            draining.run()
        except KeyboardInterrupt:
            click.echo("Stopped. What is not stored yet still waits; run it again at any time.")
            raise SystemExit(INTERRUPTED) from None
        finally:
            draining.progress.end()
            waiting.close()
    click.echo(f"Stored {draining.stored:,} telegrams, {draining.new:,} of them new.")
    if waiting.refused:
        click.echo(f"{waiting.refused:,} telegrams that the store refused are kept in {waiting.path / 'refused'}.")
    if waiting.damaged:
        click.echo(f"{waiting.damaged:,} files could not be read to their end; they are kept, and end in .damaged.")


@contextmanager
def _readable() -> Iterator[None]:
    """Say it in a sentence when a directory is not for us to look into."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{error.filename} can't be read: {error.strerror}.") from error


def _spool_in(directory: Path) -> Path:
    """The spool that is meant: the directory itself, or that in a state directory.

    Raises: ``SettingsError`` when there is none.
    """
    path = directory / SPOOL if (directory / SPOOL).is_dir() else directory
    if not path.is_dir():
        raise SettingsError(f"There is no directory {path}.")
    return path


@define
class Draining:
    """Stores one spool in one store."""

    here: Beside
    waiting: Spool
    stored: int = 0
    new: int = 0
    """Readings that were not in the store before."""
    progress: Progress = field(factory=lambda: Progress("Storing"))
    _parser: TelegramParser = field(factory=TelegramParser)

    def run(self) -> None:
        """Store everything, batch by batch.

        Raises: ``StoreUnavailable`` when the store takes nothing now; what was stored until then need not be again.
        """
        length = self.waiting.records
        while batch := result_of(self.waiting.read(READINGS_PER_COMMIT, self._understood)):
            whole = [arrival for _, arrival in batch if isinstance(arrival, Arrival)]
            if len(whole) < len(batch) or self._refused(whole) is not None:
                for record, meant in batch:
                    self._store_one(record, meant)
            result_of(self.waiting.forget(len(batch)))
            self.progress.advance(len(batch), length)

    def _understood(self, record: bytes) -> tuple[bytes, Arrival | DsmrError | Failure]:
        try:
            return record, arrival_in(record, self._parser)
        except Exception:
            # As the server does, see ``dsmr_tw.draining``.
            return record, Failure()

    def _refused(self, arrivals: Sequence[Arrival]) -> Failure | None:
        """Store arrivals; why none of them is stored, when one is at fault.

        Raises: ``StoreUnavailable``
        """
        try:
            receipts = result_of(self.here.store.readings.add([(arrival,) for arrival in arrivals], self.here.now()))
        except StoreUnavailable:
            raise
        except Exception:
            return Failure()
        self.stored += len(receipts)
        self.new += sum(receipt.created for [receipt] in receipts)
        return None

    def _store_one(self, record: bytes, meant: Arrival | DsmrError | Failure) -> None:
        """Store one telegram, or put it aside."""
        if isinstance(meant, Arrival):
            why = self._refused([meant])
        else:
            why = Failure(meant) if isinstance(meant, DsmrError) else meant
        if why is not None:
            result_of(self.waiting.refuse(text_in(record), f"{type(why.value).__name__}: {why.value}"))

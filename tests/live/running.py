"""Responsible for a real server: ``twistd -n dsmr`` as a process of its own, on a port that the system chooses."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from attrs import define, field

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30
SERVING = re.compile(rb"serving HTTP on http://127\.0\.0\.1:(\d+)/")
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
READY = re.compile(rb"readings in the \w+ store")


def unmeasured() -> dict[str, str]:
    """The environment of a process that coverage does not count."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@define
class RunningServer:
    """A server that reads ``arguments``' devices and keeps its state in ``state``."""

    state: Path
    arguments: tuple[str, ...] = ()
    clock: Path | None = None
    """A file with the seconds by which its clock is wrong; ``None``: it is right."""
    first: str = ""
    """What Python shall do in the process before it starts the server."""
    environment: Mapping[str, str] = field(factory=dict, kw_only=True)
    is_measured: bool = field(default=True, kw_only=True)
    """Whether coverage counts what it runs: that takes half of its time, and who is killed never tells."""
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = field(init=False, default=0)
    log: bytearray = field(factory=bytearray, init=False)

    program: ClassVar[str] = "dsmr"

    def start(self, ready: bool = True) -> RunningServer:
        """Start it, and wait until it answers, and has opened its store if it shall be ``ready``."""
        self.spawn()
        self.port = int(self.wait_for(SERVING)[1])
        if ready:
            self.wait_for(READY)
        return self

    def spawn(self) -> None:
        """Start it, and wait for nothing."""
        self.log.clear()
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # A shell's background job is born deaf to Ctrl-C, and so would be its children.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._program(), "-n", "--pidfile=", self.program, *self._options()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**(os.environ if self.is_measured else unmeasured()), "PYTHONPATH": str(ROOT), **self.environment},
        )

    def _program(self) -> str:
        """What runs: with a clock of its own, which a test may set, if it shall have one."""
        if self.clock is None:
            return self.first + TWISTD
        wrong = f"float(open({str(self.clock)!r}).read() or 0)"
        return f"import time; right = time.time; time.time = lambda: right() + {wrong}; {self.first}{TWISTD}"

    def _options(self) -> tuple[str, ...]:
        http = "tcp:0:interface=127.0.0.1"
        return ("--state-dir", str(self.state), "--enable-api", "--http", http, *self.arguments)

    def wait_for(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """The first place in the log that matches, as soon as it is written."""
        assert self.process.stdout is not None
        end = time.monotonic() + PATIENCE_S
        while (found := pattern.search(self.log)) is None:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not data:
                raise AssertionError(f"{pattern.pattern!r} was not logged, but:\n{self.log.decode(errors='replace')}")
            self.log += data
        return found

    def kill(self) -> None:
        """End it as a power cut does the process: without a word."""
        self.process.kill()
        self.finish()

    def stop(self) -> bool:
        """Ask it to stop, as Ctrl-C does; whether it did so cleanly, and said nothing of a failure."""
        self.process.send_signal(signal.SIGINT)
        self.finish()
        return b"Server Shut Down." in self.log and not re.search(rb"Traceback|Unhandled", self.log)

    def finish(self) -> None:
        """Wait for its end and keep the rest of its log."""
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        self.log += rest

    @property
    def key(self) -> str:
        """The owner's key."""
        return (self.state / "api.key").read_text().strip()

    def client(self) -> Client:
        """A connection of its own, with the owner's key."""
        return Client(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S), self.key)


@define
class Client:
    """One keep-alive connection."""

    connection: HTTPConnection
    key: str

    def get(self, path: str, **parameters: object) -> Any:
        """The JSON that a GET of ``path`` answers."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        self.connection.request("GET", path + query, headers={"X-AUTHKEY": self.key})
        return json.loads(self.connection.getresponse().read())

    def status(self, path: str) -> int:
        """The status that a GET of ``path`` is answered with."""
        self.connection.request("GET", path, headers={"X-AUTHKEY": self.key})
        response = self.connection.getresponse()
        response.read()
        return response.status

    def post(self, path: str, **form: object) -> int:
        """The status that a POST of a form is answered with."""
        headers = {"X-AUTHKEY": self.key, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, urlencode(form), headers)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def pages(self, path: str, **parameters: object) -> list[Any]:
        """All results of a list, page by page."""
        results: list[Any] = []
        answer = self.get(path, limit=10_000, **parameters)
        while True:
            results += answer["results"]
            if answer["next"] is None:
                return results
            answer = self.get(answer["next"].partition(f":{self.connection.port}")[2])

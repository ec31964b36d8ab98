"""Keys and passwords: whatever happens, none of them is in what the program writes.

Each secret is a word that stands nowhere else; it is looked for in the log, which holds all levels, in all answers, in
all files of the state directory with their names, and in what other users of the machine see of the process.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api.failedkeys import FREE
from tests.api.test_ways_in import ROUTES
from tests.brief import tried_once
from tests.encrypting import LUXEMBOURG
from tests.live.running import ROOT, TWISTD, RunningServer
from tests.live.traffic import V1, telegram
from tests.telegramtext import signed

CHOSEN = "kanarie-of-the-owner-0123456789-abcdef"
WRONG = "kanarie-that-is-wrong-0123456789-abcde"
PASSWORD = "kanarie%2Fof-the-database"
WORDS = ("kanarie", "a2FuYXJpZ", "6b616e61726965")
"""All of them hold the first; the others are it in base 64 and in hexadecimal."""

REFUSAL = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "dsmr"\0\0'


@tried_once
class CanaryTests(SynchronousTestCase):
    """A server that is told secrets, and asked everything."""

    def setUp(self) -> None:
        """A directory for it."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.answers: list[bytes] = []

    def start(self, *arguments: str, ready: bool = True) -> RunningServer:
        """Start a server."""
        server = RunningServer(self.folder / "state", arguments).start(ready)
        self.addCleanup(server.process.kill)
        return server

    def ask(self, server: RunningServer, method: str, path: str, body: str | None, **headers: str) -> int:
        """Ask one thing, and keep all of the answer."""
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded", **named})
        response = connection.getresponse()
        self.answers.append(repr(response.getheaders()).encode() + response.read())
        connection.close()
        return response.status

    def drive(self, server: RunningServer, key: str) -> set[int]:
        """Ask all there is, well and badly; the statuses of the answers."""
        statuses = set()
        for method, path in ROUTES:
            body = urlencode({"telegram": telegram("POSTED", 1)}) if method != "GET" else None
            path = path.replace("{id}", "1")
            for headers in ({"X_AUTHKEY": key}, {"Authorization": f"Token {key}"}):
                statuses.add(self.ask(server, method, path, body, **headers))
        bad = urlencode({"telegram": signed(f"/X\r\n\r\n1-0:1.8.1({'x' * 20}*kWh)\r\n!")})
        for path, more in ((V1, bad), (V1, "telegram=/x"), (V1, "x" * 300_000), ("/health", None), ("/", None)):
            statuses.add(self.ask(server, "POST" if more else "GET", path, more, X_AUTHKEY=key))
        statuses.add(self.ask(server, "GET", "/api/v2/meters?meter=%FF", None, X_AUTHKEY=key, Accept="text/csv"))
        return statuses

    def assert_secret(self, server: RunningServer, *more: str) -> None:
        """None of the words is anywhere; ``more`` are further secrets."""
        places = dict(self.written(server))
        # What holds nothing would prove nothing.
        self.assertGreater(len(places["log"]), 500)
        self.assertGreater(len(places["answers"]), 500)
        for place, data in places.items():
            for word in (*WORDS, *more):
                self.assertNotIn(word.lower().encode(), data.lower(), f"{word} is in {place}")

    def written(self, server: RunningServer) -> Iterator[tuple[str, bytes]]:
        """All that the server wrote, by the name of its place."""
        yield "log", bytes(server.log)
        yield "answers", b"\n".join(self.answers)
        for path in (self.folder / "state").rglob("*"):
            yield f"the name of {path.name}", path.name.encode()
            if path.is_file() and path.name != "api.key":
                yield str(path), path.read_bytes()

    def command_line(self, server: RunningServer) -> bytes:
        """What everybody on the machine sees of the process."""
        return Path(f"/proc/{server.process.pid}/cmdline").read_bytes()

    def test_keys(self) -> None:
        """The owner's keys, wrong keys, and the key of a meter."""
        key_file = self.folder / "meter.key"
        key_file.write_text(LUXEMBOURG.key.hex())
        key_file.chmod(0o600)
        line = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(line.close)
        device = f"tcp:127.0.0.1:{line.getsockname()[1]}"
        server = self.start("--device", device, "--decryption-key-file", str(key_file))
        printing, _ = line.accept()
        self.addCleanup(printing.close)
        printing.sendall(b"\xdb\x08SAGgp\x00\x00\x00\x82\x00\x20\x30" * 9)
        chosen = (
            sys.executable,
            "-m",
            "dsmr_tw.cli",
            "apikey",
            "set",
            "--state-dir",
            str(self.folder / "state"),
            "mine",
        )
        subprocess.run(
            chosen, cwd=ROOT, input=f"{CHOSEN}\n", check=True, encoding="utf-8", capture_output=True, timeout=60
        )
        owner = server.key
        self.assertIn(200, self.drive(server, owner))
        self.assertIn(200, self.drive(server, CHOSEN))
        for method, path, body in (
            *[("GET", f"/api/v2/meters?key={WRONG}", None)] * FREE,
            ("GET", f"/{WRONG}", None),
            ("POST", V1, urlencode({"telegram": f"/{WRONG}"})),
        ):
            self.ask(server, method, path, body, X_AUTHKEY=WRONG[:-1], Cookie=WRONG, Authorization=f"Bearer {WRONG}")
        self.assertTrue(server.stop(), server.log.decode(errors="replace"))
        self.assertIn(b"telegram rejected from", server.log, "the log should hold all levels")
        self.assertIn(b"wrong API keys come from 127.0.0.1", server.log)
        self.assert_secret(server, owner, LUXEMBOURG.key.hex())

    def test_the_password_of_a_database(self) -> None:
        """A database that does not take the password; it is in a file, and so not on the command line."""
        database = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(database.close)
        threading.Thread(target=_refuse, args=(database,), daemon=True).start()
        config = self.folder / "dsmr.toml"
        port = database.getsockname()[1]
        config.write_text(f'database = "postgresql://dsmr:{PASSWORD}@127.0.0.1:{port}/dsmr?sslmode=disable"\n')
        server = self.start("--config", str(config), ready=False)
        server.wait_for(re.compile(rb"password authentication failed"))
        self.assertLessEqual(self.drive(server, WRONG), {200, 403, 404, 413, 503})
        self.assertNotIn(b"kanarie", self.command_line(server))
        server.stop()
        self.assert_secret(server)

    def test_settings_that_can_not_be(self) -> None:
        """What is refused before anything starts is not shown either."""
        key_file = self.folder / "meter.key"
        key_file.write_text("kanarie of the meter")
        key_file.chmod(0o600)
        for arguments in (
            ("--forward", "http://me:kanarie@away.example", "--forward-key-file", str(key_file)),
            ("--device", "/dev/null", "--decryption-key-file", str(key_file)),
            ("--database", "postgresql://dsmr:kanarie@@db.example:port/x"),
            ("--database", "postgresql://dsmr:kanarie@db.example/x?kanarie=1"),
            ("--database", "mysql://dsmr:kanarie@db.example/x"),
            ("--device", "http://me:kanarie@dongle.example/api/v1/telegram"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "dsmr", "--state-dir", str(self.folder), *arguments],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
            )
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertNotIn(b"kanarie", done.stdout, arguments)


def _refuse(database: socket.socket) -> None:
    """Speak as a PostgreSQL server that takes no password."""
    while True:
        try:
            connected, _ = database.accept()
        except OSError:
            return
        with connected:
            if connected.recv(4096):
                connected.sendall(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)

"""Telegrams and contracts that hold scripts, escape sequences and formulas: inert wherever they are shown."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import unicodedata
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.live.running import ROOT, RunningServer
from tests.live.traffic import V1, wait_until
from tests.telegramtext import signed

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\x7f<script>alert(1)</script>'\"&=cmd|' /C calc'!A0"
"""What a terminal obeys, what a browser runs, and what a spreadsheet computes."""

RIGHT_TO_LEFT = "\u202e\u2066"

LINES = (
    f"/{EVIL}",
    "",
    "0-0:1.0.0(240402115950S)",
    f"0-0:96.1.1({EVIL})",
    f"0-0:96.1.0({EVIL})",
    f"0-0:96.13.0({EVIL})",
    f"0-0:96.13.0({EVIL.encode('latin-1').hex()})",
    f"0-0:42.0.0({EVIL})",
    f"{EVIL}({EVIL})",
    "1-0:1.8.1(001000.000*kWh)",
    f"0-1:96.1.0({EVIL})",
    "!",
)
STORABLE = signed("\r\n".join(LINES))
UNREADABLE = signed("\r\n".join(LINES).replace("001000.000*kWh", EVIL))

CONTRACT = {
    "start": "2024-01-01",
    "description": EVIL.replace("\0", "") + RIGHT_TO_LEFT,
    "electricity_delivered_1_price": "0.1",
    "electricity_delivered_2_price": "0.1",
    "gas_price": "0.1",
    "electricity_returned_1_price": "0.1",
    "electricity_returned_2_price": "0.1",
    "fixed_daily_cost": "0.1",
}

PATHS = (
    "/api/v2/datalogger/meter-statistics",
    "/api/v2/meters",
    "/api/v2/devices",
    "/api/v2/consumption/energy-supplier-prices",
    "/api/v2/application/monitoring",
    "/health",
)


class Tags(HTMLParser):
    """The elements of a page."""

    def __init__(self, page: str) -> None:
        """Read it."""
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Note one."""
        self.found.add(tag)


@tried_once
class HostileContentTests(SynchronousTestCase):
    """A server that is told such things over a line and over HTTP."""

    def setUp(self) -> None:
        """A line that prints bad telegrams and good ones, and a server that reads it."""
        line = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(line.close)
        thread = threading.Thread(target=self.play, args=(line,), daemon=True)
        thread.start()
        self.state = Path(self.mktemp()).resolve()
        device = f"tcp:127.0.0.1:{line.getsockname()[1]}"
        self.server = RunningServer(self.state, ("--device", device)).start()
        self.addCleanup(self.server.process.kill)

    def play(self, line: socket.socket) -> None:
        """Print both, once, and stay there."""
        self.printing, _ = line.accept()
        self.addCleanup(self.printing.close)
        self.printing.sendall((UNREADABLE + STORABLE).encode("latin-1"))

    def assert_inert(self, shown: str, what: object) -> None:
        """No character of it does anything to a terminal."""
        found = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t\r"}
        self.assertEqual(found, set(), what)

    def cli(self, *arguments: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "dsmr_tw.cli", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
        )
        self.assertNotIn("Traceback", done.stdout)
        return done.stdout

    def test_everywhere(self) -> None:
        """In the log, on the terminal, in JSON and in HTML nothing of it does anything."""
        client = self.server.client()
        wait_until(client, lambda health: health["sources"][0]["telegrams"] == 1)  # type: ignore[index]
        for text, status, words in ((STORABLE, 201, ""), (UNREADABLE, 400, "cannot be read")):
            self.assertEqual(client.post(V1, telegram=text), status)
            self.assertIn(words, self.post_v1(text))
        path = "/api/v2/consumption/energy-supplier-prices"
        self.assertEqual(client.post(path, **CONTRACT), 201)
        for path in PATHS:
            answer = self.body(path)
            self.assertIsNotNone(json.loads(answer))
            self.assertEqual([c for c in answer if c < " "], [], path)
        page = self.body("/")
        self.assertLessEqual(
            Tags(page).found,
            set("html head meta title style body h1 h2 small p b span ul li a code table tr th td".split()),
        )
        self.assert_inert(page, "the front page")
        self.assertTrue(self.server.stop(), self.server.log.decode(errors="replace"))
        self.assert_inert(self.server.log.decode(), "the log")

    def test_on_a_terminal(self) -> None:
        """The admin commands show it with escapes."""
        client = self.server.client()
        wait_until(client, lambda health: health["sources"][0]["telegrams"] == 1)  # type: ignore[index]
        self.assertEqual(client.post("/api/v2/consumption/energy-supplier-prices", **CONTRACT), 201)
        file = self.state / "telegrams"
        file.write_bytes((STORABLE + UNREADABLE).encode("latin-1"))
        where = ("--state-dir", str(self.state))
        for command in (
            ("parse", str(file)),
            ("meters", *where),
            ("prices", "list", *where),
            ("prices", "end", "1", "2024-12-31", *where),
            ("prices", "remove", "1", *where),
        ):
            shown = self.cli(*command)
            self.assert_inert(shown, command)
            self.assertRegex(shown, "script|Meter 1", command)

    def body(self, path: str) -> str:
        """The answer to a GET with the owner's key."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", path, headers={"X-AUTHKEY": self.server.key})
        return connection.getresponse().read().decode("utf-8")

    def post_v1(self, telegram: str) -> str:
        """The answer to a telegram as the raw form has it, which must do nothing on a terminal."""
        client = self.server.client()
        body = "telegram=" + "".join(f"%{byte:02X}" for byte in telegram.encode("latin-1"))
        headers = {"X-AUTHKEY": client.key, "Content-Type": "application/x-www-form-urlencoded"}
        client.connection.request("POST", V1, body, headers)
        answer = client.connection.getresponse().read().decode("utf-8")
        self.assert_inert(answer, "the answer to a telegram")
        return re.sub(r"\s+", " ", answer)

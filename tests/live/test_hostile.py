"""Clients that do their worst, against a real server on real sockets; how fast it is meanwhile, benchmarks tell.

One address holds all the connections that it may, in each of the ways that ``benchmarks/attacks.py`` lists.
"""

from __future__ import annotations

import re
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.attacks import ATTACKS, Attack, under
from tests.brief import tried_once
from tests.live.running import Client, RunningServer
from tests.live.traffic import V1, telegram, wait_until

LOGGER = "127.0.0.2"
"""The address that telegrams are posted from."""

POSTS = 5
PATIENCE_S = 60
MEMORY_MB = 128
"""More than the service ever takes: without bounds these clients would make it take gigabytes, or nothing would end."""

COUNTED = {
    "endless headers": "header_bytes",
    "a line without end": "header_bytes",
    "wrong keys": "failed_keys_held",
    "half requests from 100 addresses": "connections",
}
"""What ``/health`` counts of an attack."""


@tried_once
class HostileTests(SynchronousTestCase):
    """A server under attack."""

    if not sys.platform.startswith("linux"):
        skip = "all of 127.0.0.0/8 is this machine on Linux only, and memory is read from /proc"

    def setUp(self) -> None:
        """A server in a process of its own."""
        self.server = RunningServer(Path(self.mktemp()).resolve(), is_measured=False).start()
        self.addCleanup(self.server.process.kill)
        self.posted = 0

    def test_ingest_goes_on(self) -> None:
        """Whatever one address does, telegrams of another are stored, memory stays bounded, and nothing fails."""
        for attack in ATTACKS:
            with under(attack, self.server.port):
                for _ in range(POSTS):
                    self.assertEqual(self.post(), b"HTTP/1.1 201 Created", attack.name)
                self.wait_until_counted(attack)
            self.assertLess(self.most_memory_mb(), MEMORY_MB, attack.name)
        self.assertEqual(self.client().get("/api/v2/meters")[0]["readings"], self.posted)
        self.assertTrue(self.server.stop(), self.server.log.decode(errors="replace"))

    def client(self) -> Client:
        """A client at the address that is not hostile."""
        connection = HTTPConnection("127.0.0.1", self.server.port, PATIENCE_S, source_address=(LOGGER, 0))
        return Client(connection, self.server.key)

    def post(self) -> bytes:
        """Post a telegram over a connection of its own; the first line of the answer."""
        body = urlencode({"telegram": telegram("HOSTILE", self.posted)}).encode()
        self.posted += 1
        head = (
            f"POST {V1} HTTP/1.1\r\nHost: a\r\nX-AUTHKEY: {self.server.key}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        address = ("127.0.0.1", self.server.port)
        with socket.create_connection(address, PATIENCE_S, source_address=(LOGGER, 0)) as connected:
            connected.sendall(head.encode() + body)
            return connected.makefile("rb").readline().strip()

    def most_memory_mb(self) -> float:
        """The most memory that the server ever held."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def wait_until_counted(self, attack: Attack) -> None:
        """``/health`` tells which limit held."""
        if attack.name in COUNTED:
            wait_until(self.client(), lambda health: bool(health["limits"][COUNTED[attack.name]]))

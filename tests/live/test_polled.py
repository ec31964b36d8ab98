"""A whole server that asks a dongle over HTTP: real sockets, and telegrams whose CRC the dongle strips."""

from __future__ import annotations

import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.telegram import outcomes_in
from tests.golden_telegrams import bodies
from tests.live.running import PATIENCE_S, RunningServer
from tests.printing import printed

SERVING = re.compile(rb"--p1-server serves on tcp:127\.0\.0\.1:(\d+)")


class Dongle(BaseHTTPRequestHandler):
    """Answers each request with another telegram, without a CRC."""

    numbers = count(1)

    def do_GET(self) -> None:
        """Answer."""
        is_right = self.path == "/api/v1/telegram"
        data = printed(next(self.numbers))[:-6] if is_right else b"<html>"
        self.send_response(200 if is_right else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class PolledServerTests(SynchronousTestCase):
    """``--device http://…``."""

    def setUp(self) -> None:
        """A dongle on this machine."""
        self.dongle = ThreadingHTTPServer(("127.0.0.1", 0), Dongle)
        serving = Thread(target=self.dongle.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(self.dongle.server_close)
        self.addCleanup(self.dongle.shutdown)
        self.host = f"http://127.0.0.1:{self.dongle.server_port}"
        self.folder = Path(self.mktemp()).resolve()

    def started(self, *arguments: str) -> RunningServer:
        """A server with these arguments."""
        server = RunningServer(self.folder, arguments).start()
        self.addCleanup(server.process.kill)
        return server

    def test_telegrams(self) -> None:
        """They are stored, and served with a CRC; Ctrl-C ends it all, and nothing is said of each request."""
        device = f"{self.host}/api/v1/telegram,crc=optional"
        server = self.started("--device", device, "--p1-server", "tcp:0:interface=127.0.0.1")
        with socket.create_connection(("127.0.0.1", int(server.wait_for(SERVING)[1]))) as client:
            client.settimeout(PATIENCE_S)
            data = b""
            while data.count(b"!") < 3:
                data += client.recv(65536)
        self.assertEqual(len(bodies(outcomes_in(data))), 3)
        http = server.client()
        self.addCleanup(http.connection.close)
        [source] = http.get("/health")["sources"]
        self.assertEqual((source["name"], source["rejected"], source["crc_errors"]), (f"device {device[:-13]}", 0, 0))
        self.assertGreaterEqual(source["telegrams"], 3)
        self.assertTrue(server.stop(), bytes(server.log))
        self.assertEqual(server.log.count(b"it answers"), 1)
        self.assertNotIn(b"HTTP11", server.log)

    def test_another_address(self) -> None:
        """What is no dongle is told by its status, and the server stops cleanly while it waits."""
        server = self.started("--device", f"{self.host}/")
        server.wait_for(re.compile(rb"it answers with status 404; does it offer telegrams at this address\?"))
        self.assertTrue(server.stop(), bytes(server.log))

"""Two server processes on one database, and clients that hang up: all that was acknowledged is there, and adds up."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.brief import tried_once
from tests.ledgercase import DERIVED
from tests.live.running import ROOT, RunningServer
from tests.live.traffic import V1, Line, Poster, Traffic, telegram, wait_until
from tests.postgres import Server, own_server

WHOLE = os.environ.get("DSMR_CI") == "1"

MINUTE_S = 60
HANGING_UP = 1_000 if WHOLE else 200


class ServersCase(SynchronousTestCase):
    """A test with a PostgreSQL server of its own."""

    def setUp(self) -> None:
        """Begin with an empty database."""
        self.server: Server = own_server()
        self.addCleanup(self.server.dispose)
        self.url = self.server.database()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    def started(self, name: str, key: str | None = None) -> RunningServer:
        """A server process with a state directory of its own."""
        state = self.folder / name
        if key is not None:
            state.mkdir()
            (state / "api.key").write_text(key)
        running = RunningServer(state, ("--database", self.url)).start()
        self.addCleanup(running.process.kill)
        return running

    def derived(self) -> dict[str, list[Any]]:
        """All that the ledger holds."""
        return {name: self.server.ask(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4", self.url) for name in DERIVED}


@tried_once
class TwoServersTests(ServersCase):
    """Both serve, both compute, and each may die at any time."""

    def test_killed_in_turn_under_load(self) -> None:
        """The other one goes on, what was acknowledged is there once, and the ledger is that of a rebuild."""
        first = self.started("first")
        second = self.started("second", first.key)
        posters = [
            Poster(running, f"{name}-{number}", 0.04, MINUTE_S)
            for name, running in (("FIRST", first), ("SECOND", second))
            for number in range(2)
        ]
        for poster in posters:
            poster.start()
        for running in (first, second, first, second):
            time.sleep(1.5)
            running.kill()
            running.start()
            self.addCleanup(running.process.kill)
        time.sleep(1)
        for poster in posters:
            poster.stop()
        first.kill()
        client = second.client()
        wait_until(client, lambda health: health["ledger"]["dirty_quarters"] == 0 and not health["spool"]["records"])
        self.assertEqual(Traffic(posters, Line(-1, "", 1)).missing(client), {})
        self.assertGreater(min(len(poster.stored) for poster in posters), 60)
        client.connection.close()
        self.assertTrue(second.stop(), second.log.decode(errors="replace")[-5000:])
        found = self.derived()
        self.assertTrue(found["hour_statistics"])
        command = [sys.executable, "-m", "dsmr_tw.cli", "rebuild", "--database", self.url]
        subprocess.run([*command, "--state-dir", str(self.folder / "first")], check=True, cwd=ROOT, capture_output=True)
        self.assertEqual(self.derived(), found)


@tried_once
class HangingUpTests(ServersCase):
    """Clients that do not wait for the answer."""

    def test_nothing_is_broken_by_it(self) -> None:
        """Wherever in a post they hang up: a reading is stored or it is not, and the service goes on."""
        running = self.started("state")
        chance = random.Random(5)
        for number in range(HANGING_UP):
            body = urlencode({"telegram": telegram("HANGS-UP", number)})
            request = (
                f"POST {V1} HTTP/1.1\r\nHost: here\r\nX-AUTHKEY: {running.key}\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
            # Half of them send all of it.
            sent = request[: chance.randrange(len(request))] if chance.random() < 0.5 else request
            with socket.create_connection(("127.0.0.1", running.port)) as connection:
                connection.sendall(sent)
                if chance.random() < 0.5:
                    time.sleep(chance.random() / 200)
        client = running.client()
        self.assertEqual(client.post(V1, telegram=telegram("HANGS-UP", HANGING_UP)), 201)
        rows = self.server.ask("SELECT instant, delivered_1 FROM reading", self.url)
        self.assertEqual(len(set(rows)), len(rows))
        self.assertGreater(len(rows), HANGING_UP // 10)
        [[counted]] = self.server.ask("SELECT sum(readings) FROM reading_count WHERE hours = 1", self.url)
        self.assertEqual(counted, len(rows))
        client.connection.close()
        self.assertTrue(running.stop(), running.log.decode(errors="replace")[-5000:])
        self.assertNotIn(b"takes no readings", running.log)

"""The store goes away and comes back, under traffic: nothing that was acknowledged is lost, nothing of the line."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.brief import tried_once
from tests.live.running import RunningServer
from tests.live.test_first_light import cable
from tests.live.traffic import Traffic, wait_until
from tests.postgres import Server, own_server

IN_CI = os.environ.get("DSMR_CI") == "1"

FROZEN_S = 20 if IN_CI else 6
FULL_S = 60 if os.environ.get("DSMR_TEST_LONG") == "1" else 8
AWAY_S = 2
"""How long each trouble lasts."""


class OutageCase(SynchronousTestCase):
    """A server under traffic, whose store is troubled."""

    def under_traffic(self, database: str, trouble: Callable[[RunningServer, Traffic], None]) -> RunningServer:
        """Let there be trouble in the middle of traffic; in the end all must be there once."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        with cable(folder / "meter") as meter:
            arguments = ("--device", str(folder / "meter"), "--database", database)
            server = RunningServer(folder / "state", arguments).start()
            self.addCleanup(server.process.kill)
            traffic = Traffic.on(server, meter)
            traffic.start()
            try:
                time.sleep(1)
                trouble(server, traffic)
                time.sleep(1)
            finally:
                traffic.stop()
            client = server.client()
            wait_until(client, at_rest)
            self.assertEqual(traffic.missing(client), {})
            self.assertGreater(traffic.answers().get(201, 0), 50)
            # Whoever posts is not told to try again: the spool takes it.
            self.assertEqual(set(traffic.answers()), {201}, traffic.answers())
            client.connection.close()
            self.assertTrue(server.stop(), server.log.decode(errors="replace")[-5000:])
        return server


def at_rest(health: dict[str, dict[str, object]]) -> bool:
    """Whether nothing waits anywhere, and the store takes readings."""
    return bool(health["store"]["available"]) and not health["store"]["waiting"] and not health["spool"]["records"]


@tried_once
class PostgresOutageTests(OutageCase):
    """A PostgreSQL server that is stopped, crashes, and freezes."""

    def setUp(self) -> None:
        """Begin with a server of the test's own, which waits for the disk."""
        self.server: Server = own_server(fsync=True)
        self.addCleanup(self.server.dispose)
        self.url = self.server.database()

    def test_stopped_and_started(self) -> None:
        """Its operator restarts it."""
        self.under_traffic(self.url, lambda server, traffic: self.restart("fast"))

    def test_crashed_and_started(self) -> None:
        """It recovers what it had promised."""
        self.under_traffic(self.url, lambda server, traffic: self.restart("immediate"))

    def test_frozen(self) -> None:
        """It answers nothing any more, and no connection ends."""

        def freeze(server: RunningServer, traffic: Traffic) -> None:
            self.server.freeze()
            time.sleep(FROZEN_S)
            self.server.thaw()

        self.under_traffic(self.url, freeze)

    def test_a_server_that_starts_while_its_database_is_away(self) -> None:
        """It knows its keys and meters from the last time, and takes telegrams."""
        folder = Path(self.mktemp()).resolve()
        server = RunningServer(folder, ("--database", self.url)).start()
        self.addCleanup(lambda: server.process.kill())
        server.client().connection.close()
        self.assertTrue(server.stop())
        self.server.stop("fast")
        server.start(ready=False)
        traffic = Traffic.on(server, -1)
        for poster in traffic.posters:
            poster.start()
        time.sleep(1)
        for poster in traffic.posters:
            poster.stop()
        self.assertEqual(set(traffic.answers()), {201})
        client = server.client()
        self.assertEqual(client.status("/api/v2/datalogger/dsmrreading"), 503)
        self.server.start()
        wait_until(client, at_rest)
        self.assertEqual(traffic.missing(client), {})
        client.connection.close()
        self.assertTrue(server.stop(), server.log.decode(errors="replace")[-5000:])

    def restart(self, mode: str) -> None:
        """End the server, and start it after a while."""
        self.server.stop(mode)
        time.sleep(AWAY_S)
        self.server.start()


@tried_once
class FullDiskTests(OutageCase):
    """The disk with the SQLite file is full; that with the spool is another one."""

    def test_full_for_a_while(self) -> None:
        """What can't be stored is kept, and stored when there is room again."""
        with small_disk(self, Path(self.mktemp()).resolve()) as disk:

            def fill(server: RunningServer, traffic: Traffic) -> None:
                filler = fill_up(disk)
                time.sleep(FULL_S)
                filler.unlink()

            self.under_traffic(f"sqlite:{disk}/dsmr.sqlite3", fill)


def fill_up(disk: Path) -> Path:
    """A file that takes all the room that is left on a disk."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


@contextmanager
def small_disk(case: SynchronousTestCase, folder: Path, megabytes: int = 12) -> Iterator[Path]:
    """A file system of a few MB in memory; only root may make one."""
    folder.mkdir(parents=True)
    size = f"size={megabytes}m"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "dsmr-test", str(folder)], capture_output=True)
    if made.returncode:
        if IN_CI:
            case.fail(f"no small disk can be made: {made.stderr.decode()}")
        raise SkipTest("only root can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)

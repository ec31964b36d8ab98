"""Tests of ``twistd dsmr --p1-server`` with clients of others, and with many: the server is a process of its own."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.demo import DemoMeter
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.telegram import outcomes_in
from tests.brief import tried_once
from tests.golden_telegrams import bodies, signed
from tests.live.running import PATIENCE_S, ROOT, RunningServer

SERVING = re.compile(rb"--p1-server serves on tcp:127\.0\.0\.1:(\d+)")
START = 1_712_052_000
TEN_MINUTES = 600
AHEAD = 10
"""So many telegrams the meter may be ahead of the slowest reader: ten seconds' worth."""

READERS, IDLERS = 45, 5
BURST = 4
BURSTS = 200
MORE_MB = 6
"""What the server may grow by while five clients leave unread several times as much."""

FIRST_REGISTER = re.compile(rb"1-0:1\.8\.1\(0*(\d+\.\d+)\*kWh\)")


def big(number: int) -> bytes:
    """A telegram of eight kilobytes."""
    return signed(b"/TST5\\big\r\n\r\n1-0:1.8.1(%06d.000*kWh)\r\n0-0:96.13.0(%s)\r\n!" % (number, b"41" * 4000))


@define
class SharedMeter:
    """A meter behind a TCP port, and a server that reads it and serves it to others."""

    folder: Path
    listening: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)), init=False)
    meter: socket.socket = field(init=False)
    server: RunningServer = field(init=False)
    port: int = field(init=False)

    def start(self) -> SharedMeter:
        """Start the server, which connects to the meter."""
        device = f"tcp:127.0.0.1:{self.listening.getsockname()[1]}"
        arguments = ("--device", device, "--p1-server", "tcp:0:interface=127.0.0.1")
        self.server = RunningServer(self.folder, arguments).start()
        self.port = int(self.server.wait_for(SERVING)[1])
        self.listening.settimeout(PATIENCE_S)
        self.meter, _ = self.listening.accept()
        return self

    def close(self) -> None:
        """End both."""
        self.server.process.kill()
        self.server.finish()
        self.listening.close()
        self.meter.close()

    def served(self) -> Any:
        """What ``/health`` says about those who read."""
        return self.server.client().get("/health")["p1_server"]

    def wait_for_clients(self, number: int) -> None:
        """Wait until so many are connected."""
        end = time.monotonic() + PATIENCE_S
        while (served := self.served())["clients"] != number:
            assert time.monotonic() < end, served
            time.sleep(0.05)

    def memory_mb(self) -> float:
        """The memory that the server has (RSS)."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


class SharedMeterCase(SynchronousTestCase):
    """A meter that is shared."""

    def setUp(self) -> None:
        """Nobody reads yet."""
        folder = Path(self.mktemp()).resolve()
        self.at = SharedMeter(folder).start()
        self.addCleanup(self.at.close)


@tried_once
class DsmrParserTests(SharedMeterCase):
    """The package that most programs read P1 with."""

    if find_spec("dsmr_parser") is None and not os.environ.get("DSMR_CI"):
        skip = "dsmr-parser is not installed: pip install dsmr-parser"

    def reader(self, address: str) -> subprocess.Popen[bytes]:
        """A client, started."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.dsmr_parser_client", address],
            stdout=subprocess.PIPE,
            bufsize=0,  # select() must see every line that is not read yet
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def lines(self, pipe: IO[bytes], number: int) -> list[bytes]:
        """So many lines more, of telegrams that were read."""
        found: list[bytes] = []
        for _ in range(number):
            ready, _, _ = select.select([pipe], [], [], PATIENCE_S)
            self.assertTrue(ready, "nothing was read")
            found.append(pipe.readline().strip())
        return found

    def test_ten_minutes(self) -> None:
        """Both its clients read ten minutes of telegrams, each of them once, and are never disconnected."""
        readers = [self.reader(f"socket://127.0.0.1:{self.at.port}"), self.reader(str(self.at.port))]
        self.at.wait_for_clients(2)
        demo = DemoMeter(1, MeterZone("Europe/Amsterdam"))
        read: list[list[bytes]] = [[], []]
        expected: list[bytes] = []
        for second in range(START, START + TEN_MINUTES, AHEAD):
            for at in range(second, second + AHEAD):
                telegram = demo.telegram(at * SECOND)
                self.at.meter.sendall(telegram)
                found = FIRST_REGISTER.search(telegram)
                assert found is not None
                expected.append(b"%d %s" % (at, found[1]))
            for reader, told in zip(readers, read, strict=True):
                assert reader.stdout is not None
                told += self.lines(reader.stdout, AHEAD)
        self.assertEqual(read, [expected, expected])
        self.assertEqual([reader.poll() for reader in readers], [None, None])
        served = self.at.served()
        self.assertEqual((served["clients"], served["telegrams"]), (2, TEN_MINUTES))


@tried_once
class CrowdTests(SharedMeterCase):
    """Fifty clients at once."""

    if not sys.platform.startswith("linux"):
        skip = "memory is read from /proc"

    def connect(self, receive_bytes: int | None = None) -> socket.socket:
        """A client that lets so much wait unread."""
        client = socket.socket()
        self.addCleanup(client.close)
        if receive_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(("127.0.0.1", self.at.port))
        return client

    def read(self, clients: Sequence[socket.socket], size: int) -> list[bytes]:
        """So many bytes of each client, in whichever order they come; what of them is checked is their hash."""
        hashes = {client: sha256() for client in clients}
        wanted = dict.fromkeys(clients, size)
        while waiting := [client for client, rest in wanted.items() if rest]:
            ready, _, _ = select.select(waiting, [], [], PATIENCE_S)
            self.assertTrue(ready, f"{len(waiting)} wait in vain")
            for client in ready:
                data = client.recv(wanted[client])
                self.assertTrue(data, "a client that reads was dropped")
                hashes[client].update(data)
                wanted[client] -= len(data)
        return [found.digest() for found in hashes.values()]

    def test_five_of_fifty_never_read(self) -> None:
        """The others get every byte, the server does not grow by what is not read, and the five are dropped."""
        readers = [self.connect() for _ in range(READERS)]
        idlers = [self.connect(receive_bytes=4096) for _ in range(IDLERS)]
        self.at.wait_for_clients(READERS + IDLERS)
        before = 0.0
        for burst in range(BURSTS):
            data = b"".join(big(burst * BURST + number) for number in range(BURST))
            self.assertEqual(len(bodies(outcomes_in(data))), BURST)
            self.at.meter.sendall(data)
            self.assertEqual(set(self.read(readers, len(data))), {sha256(data).digest()})
            # By then the five may hold what they may; what they had later is what must not count.
            before = before or (self.at.memory_mb() if burst == BURSTS // 20 else 0.0)
        self.assertLess(self.at.memory_mb() - before, MORE_MB)
        self.assertEqual(self.at.served()["clients"], READERS)
        self.assertEqual(self.at.server.client().get("/health")["limits"]["p1_unread_bytes"], IDLERS)
        self.assertTrue(all(idler.fileno() > 0 for idler in idlers))

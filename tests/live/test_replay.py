"""Tests of ``dsmr replay`` as a process of its own, and of a server that reads it."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import tty
from io import BytesIO
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.cli.replay import Recording
from dsmr_tw.domain.telegram import outcomes_in
from dsmr_tw.errors import SettingsError
from tests.golden_telegrams import bodies, telegram, valid_dutch
from tests.live.running import PATIENCE_S, ROOT, RunningServer
from tests.printing import printed

PORT = re.compile(rb"Playing on tcp:127\.0\.0\.1:(\d+): --device tcp:")
PATH = re.compile(rb"Playing on (/\S+): --device /")


class ReplayTests(SynchronousTestCase):
    """Recorded telegrams, played."""

    def setUp(self) -> None:
        """A recording of all Dutch telegrams with a right CRC."""
        self.recorded = b"".join(telegram(name).strip() + b"\r\n" for name in valid_dutch())
        self.file = Path(self.mktemp()).resolve()
        self.file.write_bytes(self.recorded)

    def replay(self, *options: str, data: bytes | None = None) -> subprocess.Popen[bytes]:
        """The command, running."""
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # A shell's background job is born deaf to Ctrl-C, and so would be its children.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "dsmr_tw.cli", "replay", str(self.file) if data is None else "-", *options],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        if data is not None:
            assert process.stdin is not None
            process.stdin.write(data)
            process.stdin.close()
            process.stdin = None
        return process

    def said(self, process: subprocess.Popen[bytes], pattern: re.Pattern[bytes]) -> bytes:
        """What the command says first, as far as the pattern asks for it."""
        assert process.stderr is not None
        line = process.stderr.readline()
        found = pattern.match(line)
        assert found is not None, line
        return found[1]

    def end(self, process: subprocess.Popen[bytes]) -> list[str]:
        """What it says from now on until its end."""
        _, rest = process.communicate(timeout=PATIENCE_S)
        return rest.decode().splitlines()

    def read(self, descriptor: int, size: int) -> bytes:
        """So many bytes; fewer if the other side hangs up."""
        data, end = b"", time.monotonic() + PATIENCE_S
        while len(data) < size and select.select([descriptor], [], [], max(0, end - time.monotonic()))[0]:
            more = os.read(descriptor, 65536)
            if not more:
                break
            data += more
        return data

    def test_over_tcp(self) -> None:
        """All of a file comes over a port of this machine, byte for byte, and then the end."""
        process = self.replay("--to", "tcp:0", "--speed", "max")
        with socket.create_connection(("127.0.0.1", int(self.said(process, PORT)))) as client:
            self.assertEqual(self.read(client.fileno(), len(self.recorded) + 1), self.recorded)
        self.assertEqual(self.end(process), ["a reader came", f"{len(valid_dutch())} telegrams played, all there are."])
        self.assertEqual(process.returncode, 0)

    def test_over_a_made_up_serial_port(self) -> None:
        """The same over a terminal, which is raw, and stays until all is read."""
        process = self.replay("--to", "pty", "--speed", "max")
        opened = os.open(self.said(process, PATH), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(opened)
        self.assertEqual(self.read(opened, len(self.recorded)), self.recorded)
        os.close(opened)
        self.assertIn(f"{len(valid_dutch())} telegrams played, all there are.", self.end(process))
        self.assertEqual(process.returncode, 0)

    def test_from_standard_input(self) -> None:
        """Line ends that became LF are put back; what is cut off is left out, and counted."""
        data = self.recorded.replace(b"\r\n", b"\n") + b"/TST5\n\n1-0:1.8.1("
        process = self.replay("--to", "tcp:0:interface=127.0.0.1", "--speed", "max", data=data)
        with socket.create_connection(("127.0.0.1", int(self.said(process, PORT)))) as client:
            self.assertEqual(self.read(client.fileno(), len(self.recorded) + 1), self.recorded)
        played = f"{len(valid_dutch())} telegrams played, all there are, 1 not complete and left out."
        self.assertEqual(self.end(process)[-1], played)

    def test_a_server_reads_it(self) -> None:
        """A server with --device tcp: takes what is played, in the rhythm of a recording without clocks, faster."""
        self.file.write_bytes(b"".join(map(printed, range(1, 31))))
        process = self.replay("--to", "tcp:0", "--speed", "100")
        port = int(self.said(process, PORT))
        folder = Path(self.mktemp()).resolve()
        server = RunningServer(folder, ("--device", f"tcp:127.0.0.1:{port}")).start()
        self.addCleanup(server.process.kill)
        self.assertEqual(self.end(process)[-1], "30 telegrams played, all there are.")
        server.wait_for(re.compile(rb"the connection was lost"))
        client = server.client()
        self.addCleanup(client.connection.close)
        [source] = client.get("/health")["sources"]
        self.assertEqual((source["telegrams"], source["crc_errors"], source["rejected"]), (30, 0, 0))
        self.assertTrue(server.stop(), bytes(server.log))

    def test_ctrl_c(self) -> None:
        """It ends at once, says how far it came, and its exit status that it was not all."""
        process = self.replay("--to", "tcp:0")
        with socket.create_connection(("127.0.0.1", int(self.said(process, PORT)))) as client:
            first = bodies(outcomes_in(self.recorded))[0]
            self.assertTrue(self.read(client.fileno(), len(first)).startswith(first))
            process.send_signal(signal.SIGINT)
            told = self.end(process)
        self.assertRegex(told[-1], r"^[12] telegrams? played, stopped\.$")
        self.assertNotIn("Traceback", "".join(told))
        self.assertEqual(process.returncode, 1)

    def test_ctrl_c_while_nobody_reads(self) -> None:
        """It ends as well."""
        for where in ("tcp:0", "pty"):
            process = self.replay("--to", where)
            assert process.stderr is not None
            self.assertIn(b"Playing on", process.stderr.readline())
            process.send_signal(signal.SIGINT)
            self.assertEqual((self.end(process), process.returncode), (["0 telegrams played, stopped."], 1))


class RefusedTests(SynchronousTestCase):
    """What can't be played is one sentence."""

    def sentence(self, data: bytes, *options: str) -> str:
        """What is said."""
        result = CliRunner().invoke(main, ["replay", "-", *options], input=data)
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(result.output.count("\n"), 1)
        return result.output

    def test_no_telegram(self) -> None:
        """A file without a telegram, or with the beginning of one."""
        for data in (b"", b"blablabla\r\n", printed(1)[:100], b"x" * 100_000):
            self.assertIn("Standard input holds no telegram: none of its lines begins with /", self.sentence(data))

    def test_speed(self) -> None:
        """A speed that can't be."""
        for speed in ("0", "-1", "fast", "nan", "inf", "1e9"):
            self.assertIn(
                "--speed takes a number from 0.001 to 1000, or max, not", self.sentence(b"", "--speed", speed)
            )

    def test_port(self) -> None:
        """A port that is none, or is taken."""
        self.assertIn("--to bogus:interface=127.0.0.1 is no endpoint", self.sentence(printed(1), "--to", "bogus"))
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        where = f"tcp:{taken.getsockname()[1]}"
        self.assertIn("can't be served", self.sentence(printed(1), "--to", where))

    def test_a_file_that_can_not_be_read(self) -> None:
        """A directory, and a file that is not there."""
        for path, words in ((self.mktemp(), "No such file"), (str(ROOT), "Is a directory")):
            result = CliRunner().invoke(main, ["replay", path])
            self.assertEqual(result.exit_code, 2)
            self.assertIn(words, result.output)

    def test_an_empty_file(self) -> None:
        """It is named."""
        path = Path(self.mktemp())
        path.touch()
        result = CliRunner().invoke(main, ["replay", str(path)])
        self.assertEqual((result.exit_code, result.output.split(":")[0]), (1, "Error"))
        self.assertIn(f"{path} holds no telegram", result.output)

    def test_a_file_that_breaks_off(self) -> None:
        """A disk that fails amid a file is a reason, too."""

        class Broken(BytesIO):
            def readline(self, size: int | None = -1, /) -> bytes:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        recording = Recording(Broken(), "day.txt")
        with self.assertRaisesRegex(SettingsError, r"^day\.txt can't be read: Input/output error\.$"):
            next(recording.telegrams())

"""Tests of ``dsmr doctor`` as a process of its own, on terminals and sockets that play meters."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import serial
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.cli.doctor import known_to_a_server, looking, served
from dsmr_tw.cli.examining import diagnosed, of_a_port
from dsmr_tw.device import SerialDevice, parse_setting
from dsmr_tw.domain.speed import FAST, SEVEN_BITS
from dsmr_tw.errors import SettingsError, TelegramError
from dsmr_tw.sourcehealth import SourceHealth
from tests.brief import tried_once
from tests.cable import Meter
from tests.domain.test_resemblance import AUSTRIAN
from tests.live.running import PATIENCE_S, ROOT, RunningServer
from tests.live.wires import Wire
from tests.printing import printed

NOWHERE = "http://127.0.0.1:9"
"""Where no server is."""


@tried_once
class DoctorTests(SynchronousTestCase):
    """The command."""

    def setUp(self) -> None:
        """A cable that is plugged in."""
        self.wire = self.plugged()

    def plugged(self) -> Wire:
        """Another cable."""
        wire = Wire(str(Path(self.mktemp()).resolve()))
        wire.plug()
        self.addCleanup(wire.unplug)
        return wire

    def doctor(self, *options: str) -> subprocess.Popen[str]:
        """The command, about to listen."""
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # A shell's background job is born deaf to Ctrl-C, and so would be its children.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "dsmr_tw.cli", "doctor", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stderr is not None
        self.assertIn("Ctrl-C shows what is known so far", process.stderr.readline())
        return process

    def meanwhile(self, process: subprocess.Popen[str], say: Callable[[int], object]) -> str:
        """What it prints while a meter prints, with pauses between its telegrams."""
        end, number = time.monotonic() + PATIENCE_S, 0
        while process.poll() is None and time.monotonic() < end:
            number += 1
            say(number)
            time.sleep(0.3)
        return process.communicate(timeout=PATIENCE_S)[0]

    def test_a_bad_cable(self) -> None:
        """An old meter whose every fifth telegram loses bytes: its speed, its rhythm, and where it breaks are told."""

        def say(number: int) -> None:
            broken = printed(number).replace(b"1-0:2.8.1(0000", b"1-0:2.8.1(")
            self.wire.say(printed(number) * 4 + broken, SEVEN_BITS)

        process = self.doctor("--device", self.wire.path, "--http", NOWHERE)
        told = self.meanwhile(process, say)
        self.assertEqual(process.returncode, 1, told)
        self.assertIn("  serial     9600 7E1\n", told)
        self.assertRegex(told, r"  telegrams  \d+, one every 0\.\d s, DSMR 5\.0\n  wrong CRC  \d+ of \d+[05]\n")
        self.assertIn("had a wrong CRC; most break at line 7 (1-0:2.8.1), with 4 bytes missing; bytes get lost", told)

    def test_good_lines(self) -> None:
        """A cable and a host whose telegrams come well: it ends as soon as that is clear, with status 0."""
        host = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(host.close)
        host.setblocking(False)
        clients: list[socket.socket] = []

        def say(number: int) -> None:
            with contextlib.suppress(BlockingIOError):
                clients.append(host.accept()[0])
                self.addCleanup(clients[-1].close)
            self.wire.say(printed(number) * 5, FAST)
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(printed(number) * 5)

        device = f"tcp:127.0.0.1:{host.getsockname()[1]}"
        process = self.doctor("--device", self.wire.path, "--device", device, "--http", NOWHERE, "--seconds", "600")
        told = self.meanwhile(process, say)
        self.assertEqual(process.returncode, 0, told)
        self.assertEqual(told.count("  =>         All is well.\n"), 2, told)
        self.assertIn("  serial     115200 8N1\n", told)
        self.assertTrue(told.startswith(f"{self.wire.path}\n  port       c"), told)
        self.assertIn(f"\n{device}\n", told)

    def test_interrupted(self) -> None:
        """Ctrl-C shows what is known so far; a port that another program reads is left to it, and that one is named."""
        held = self.plugged()
        other = serial.Serial(held.path, exclusive=True)
        self.addCleanup(other.close)
        process = self.doctor("--device", held.path, "--device", self.wire.path, "--http", NOWHERE)
        # Once it listens: what would interrupt its start is no question.
        told = self.meanwhile(process, lambda number: process.send_signal(signal.SIGINT) if number == 6 else None)
        self.assertEqual(process.returncode, 1, told)
        self.assertIn("=>         Nothing comes. Is the plug", told)
        self.assertIn("=>         No telegram: another program reads it, and a port can have one reader only.", told)
        self.assertRegex(told, rf"  open in    .*\(process {os.getpid()}\)")

    def test_a_server(self) -> None:
        """A device that a running server reads is not touched: what the server knows of it is shown."""
        server = RunningServer(Path(self.mktemp()).resolve(), ("--device", self.wire.path, "--trust-clock", "server"))
        server.start()
        self.addCleanup(server.stop)
        link = f"{self.wire.path}-by-id"
        os.symlink(self.wire.path, link)
        self.addCleanup(os.unlink, link)
        end = time.monotonic() + PATIENCE_S
        while not server.client().get("/health")["sources"][0]["telegrams"] and time.monotonic() < end:
            self.wire.say(printed(1), FAST)
            time.sleep(0.1)
        url = f"http://127.0.0.1:{server.port}"
        result = CliRunner().invoke(main, ["doctor", "--device", link, "--http", url])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn(f"{link}\n  read by    the server at {url}, whose figures these are\n", result.output)
        self.assertIn("All is well.", result.output)

    def test_a_server_that_is_not_there(self) -> None:
        """When nobody answers where a server was said to be, that is told."""
        _, told = self.doctor("--device", "/nowhere/tty", "--http", NOWHERE).communicate(timeout=PATIENCE_S)
        self.assertIn(f"No server answers at --http {NOWHERE}, so all devices were listened to.\n", told)


class SettingsTests(SynchronousTestCase):
    """What is looked at."""

    def doctor(self, *options: str) -> tuple[int, str]:
        """The exit status of the command, and all it says."""
        result = CliRunner().invoke(main, ["doctor", "--http", NOWHERE, *options])
        return result.exit_code, result.output

    def test_what_can_not_be(self) -> None:
        """A setting that can't be is one sentence."""
        status, told = self.doctor("--device", "tcp:nowhere")
        self.assertEqual((status, told[:35]), (1, "Error: --device tcp:nowhere is neit"))
        self.assertIn("--baud takes auto, 9600 or 115200", self.doctor("--device", "/dev/x", "--baud", "300")[1])
        self.assertIn("can't be read", self.doctor("--config", "/nowhere/dsmr.toml")[1])
        self.assertIn("can't be read", self.doctor("--device", "/dev/x", "--decryption-key-file", "/nowhere/key")[1])

    def test_ports(self) -> None:
        """Where nobody names a device all serial ports are looked at; where there is none, that is said."""
        settings, are_named = looking((), {"crc": "off"}, lambda: [SerialDevice("/dev/ttyUSB0")])
        self.assertEqual((settings.device, settings.crc, are_named), (("/dev/ttyUSB0",), "off", False))
        self.assertEqual(looking(("/dev/x",), {}, list)[0].device, ("/dev/x",))
        error = self.assertRaises(SettingsError, looking, (), {}, list)
        self.assertIn("No serial port is found: is the cable plugged in?", str(error))

    def test_help(self) -> None:
        """The help teaches by examples."""
        self.assertIn("dsmr doctor --device /dev/ttyUSB0 --seconds 600", self.doctor("--help")[1])


class AnswerTests(SynchronousTestCase):
    """What may listen where a server was expected."""

    def answered(self, status: str, body: str) -> object:
        """What is made of an answer."""
        host = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(host.close)

        def answer() -> None:
            client = host.accept()[0]
            client.recv(4096)
            client.sendall(f"HTTP/1.0 {status}\r\n\r\n{body}".encode())
            client.close()

        thread = Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)
        return known_to_a_server(f"http://127.0.0.1:{host.getsockname()[1]}/")

    def test_trouble(self) -> None:
        """A server that has problems tells them with another status, and is heard."""
        self.assertEqual(self.answered("503 Trouble", '{"problems": ["p"]}'), {"problems": ["p"]})

    def test_something_else(self) -> None:
        """Anything else that answers is no server of ours, and no hindrance."""
        for status in ("200 OK", "404 Not Found"):
            for body in ("<html>", "[1]"):
                self.assertEqual(self.answered(status, body), {})
        self.assertEqual(known_to_a_server(NOWHERE), {})

    def test_its_problems(self) -> None:
        """What the server says about the device is told as its trouble; a device that it has lost is looked at anew."""
        figures = SourceHealth("device /dev/x", connected=True, telegrams=5).figures()
        known = {"sources": [figures], "problems": ["the disk is full", "device /dev/x: no telegram for 61 s"]}
        wanted = parse_setting("/dev/x")
        diagnosis = served(wanted, known, NOWHERE)
        assert diagnosis is not None
        self.assertEqual(diagnosis.verdict(), "Telegrams came, but no telegram for 61 s.")
        self.assertFalse(diagnosis.is_well)
        self.assertIsNone(served(wanted, {"sources": [{**figures, "connected": False}]}, NOWHERE))
        self.assertIsNone(served(parse_setting("tcp:host:1"), known, NOWHERE))


class DiagnosedTests(SynchronousTestCase):
    """How a source is when the look at it ends."""

    def test_one_that_was_refused(self) -> None:
        """What is wrong with the last telegram is no harm, unless no other follows for long."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(printed(1))
        meter.refusal = TelegramError("nothing measurable in it")
        meter.cable.send(printed(2))
        self.assertTrue(diagnosed(source).is_well)
        meter.wait(30)
        self.assertEqual(
            diagnosed(source).verdict(),
            "Telegrams came, but the last one was refused: nothing measurable in it.",
        )

    def test_what_comes_is_no_telegram(self) -> None:
        """What bytes look like is told before a minute is over."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(AUSTRIAN)
        self.assertIn("no telegram: it looks like frames of M-Bus", diagnosed(source).verdict())


class PortTests(SynchronousTestCase):
    """What is seen of a port from outside."""

    skip = "only root can give files to others" if os.geteuid() else None

    def test_whose_it_is(self) -> None:
        """Who may open it, and how somebody who may not comes to may; the group of root is no remedy."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        os.chmod(directory.name, 0o711)
        path = Path(directory.name) / "ttyUSB0"
        path.touch()
        os.chown(path, 0, 20)
        path.chmod(0o060)
        os.seteuid(65534)
        self.addCleanup(os.seteuid, 0)
        seen = dict(of_a_port(str(path)))
        self.assertTrue(seen["port"].startswith("----rw----, of root and the group "), seen)
        self.assertRegex(seen["remedy"], "^sudo usermod --append --groups (dialout|20) nobody, then log in again$")
        os.seteuid(0)
        path.chmod(0o600)
        os.seteuid(65534)
        self.assertNotIn("remedy", dict(of_a_port(str(path))))

    def test_absent(self) -> None:
        """Of a port that is not there nothing is seen."""
        self.assertEqual(list(of_a_port("/dev/nowhere")), [])

    def test_nobody_known(self) -> None:
        """A user and a group without a name are told by their numbers."""
        path = Path(self.mktemp()).resolve()
        path.touch()
        os.chown(path, 54321, 54321)
        self.assertIn("of 54321 and the group 54321", dict(of_a_port(str(path)))["port"])

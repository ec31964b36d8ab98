"""Encrypted telegrams of real meters, through ``twistd dsmr`` on a terminal, to the API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.encrypting import AUSTRIA, LUXEMBOURG, encrypted
from tests.golden_telegrams import telegram
from tests.live import test_first_light as first_light
from tests.live.running import ROOT, TWISTD, RunningServer

HEARD = (
    ("lu-smarty-04", LUXEMBOURG, "17.901", "0.000"),
    ("at-steiermark-00", AUSTRIA, "5017.120", "1528.646"),
)
"""File, keys, registers 1 and 2, as a person reads them there."""


class EncryptedTests(SynchronousTestCase):
    """A server with a key, and a meter that encrypts."""

    def test_to_the_reading(self) -> None:
        """Frames of any bytes come through the terminal; each telegram is stored once, and what is bad is counted."""
        for name, keys, *registers in HEARD:
            folder = Path(self.mktemp()).resolve()
            folder.mkdir()
            with first_light.cable(folder / "meter") as meter:
                key_file = folder / "key"
                key_file.write_text(f"{keys.key.hex()}\n{keys.authentication_key.hex()}\n")
                key_file.chmod(0o600)
                server = RunningServer(
                    folder / "state", ("--device", str(folder / "meter"), "--decryption-key-file", str(key_file))
                ).start()
                self.addCleanup(server.process.kill)
                server.wait_for(re.compile(rb"device .*: connected"))
                # Each byte stands in one of these frames, also those that a port which is not told may swallow.
                first, *others = (encrypted(telegram(name), number, keys) for number in range(1, 9))
                self.assertEqual(len(set(b"".join(others))), 256)
                for frame in (b"\x11\x13\xff\x00", first, first, first[:-1] + b"\x00", *others):
                    os.write(meter, frame)
                client = server.client()
                source = first_light.FirstLightTests.all_stored(client, 8)
                self.assertEqual(source["frames_refused"], {"tag": 1, "counter": 1, "length": 0})
                self.assertEqual((source["telegrams"], source["crc_errors"]), (8, 0))
                [reading] = client.pages(first_light.READINGS)
                self.assertEqual([reading["electricity_delivered_1"], reading["electricity_delivered_2"]], registers)
                client.connection.close()
                self.assertTrue(server.stop(), bytes(server.log))
                self.assertNotIn(keys.key.hex().encode(), bytes(server.log).lower())

    def test_a_key_that_is_none(self) -> None:
        """Nothing starts then; one sentence says why, and the exit status is 1."""
        key_file = Path(self.mktemp()).resolve()
        key_file.write_text("secret")
        key_file.chmod(0o600)
        state = Path(self.mktemp()).resolve()
        options = ("--device", "/dev/null", "--decryption-key-file", str(key_file), "--state-dir", str(state))
        ended = subprocess.run(
            [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "dsmr", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"must hold a key of 32 hexadecimal digits", ended.stdout)
        self.assertNotIn(b"secret", ended.stdout)
        self.assertFalse(state.exists())

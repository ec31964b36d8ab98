"""Tests of dsmr_tw.sinks.authority: the file of the operator's; what comes of it on a socket is in tests/live."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from dsmr_tw.errors import SettingsError
from dsmr_tw.sinks.authority import policy


class FileTests(SynchronousTestCase):
    """What can't be is one sentence."""

    def refusal(self, content: bytes | None) -> str:
        """What is said of a file."""
        path = Path(self.mktemp())
        if content is not None:
            path.write_bytes(content)
        return str(self.assertRaises(SettingsError, policy, path))

    def test_without_one(self) -> None:
        """Then those are believed whom the system believes."""
        self.assertTrue(verifyObject(IPolicyForHTTPS, policy(None)))

    def test_no_file(self) -> None:
        """That it can't be read is said with the reason."""
        self.assertIn("can't be read: No such file", self.refusal(None))

    def test_no_certificates(self) -> None:
        """A file of another kind is not passed over."""
        self.assertIn("must hold certificates in PEM form", self.refusal(b"\x30\x82\x01\x0a"))

    def test_a_damaged_certificate(self) -> None:
        """Nor is one that is no certificate inside."""
        pem = b"-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n"
        self.assertIn("holds a certificate that can't be read", self.refusal(pem))

"""Responsible for whom we believe when another server says by HTTPS who it is.

Those whom the system believes, and those whose certificates are in a file of the operator's.

The only module of ``sinks`` that needs what Twisted's TLS stands on, and so imported only where an address begins with
``https:``.

Tests: ``tests/sinks/test_authority.py``, ``tests/live/test_forward.py``
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from OpenSSL.crypto import Error as BadCertificate
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.ssl import Certificate, platformTrust, trustRootFromCertificates
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from dsmr_tw.errors import SettingsError

_FILE_BYTES: Final = 4 * 1024 * 1024
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def policy(ca_file: Path | None) -> IPolicyForHTTPS:
    """Whom connections believe.

    Raises: ``SettingsError`` when the file holds no certificates.
    """
    system = platformTrust()
    trust = system if ca_file is None else _Several((system, trustRootFromCertificates(_certificates(ca_file))))
    return BrowserLikePolicyForHTTPS(trustRoot=trust)


def _certificates(path: Path) -> list[Certificate]:
    try:
        with path.open("rb") as file:
            found = _PEM.findall(file.read(_FILE_BYTES))
    except OSError as error:
        raise SettingsError(f"--ca-file {path} can't be read: {error.strerror}.") from error
    try:
        certificates = [Certificate.loadPEM(one) for one in found]
    except BadCertificate as error:
        raise SettingsError(f"--ca-file {path} holds a certificate that can't be read; is it damaged?") from error
    if not certificates:
        raise SettingsError(
            f"--ca-file {path} must hold certificates in PEM form: -----BEGIN CERTIFICATE----- and what follows."
        )
    return certificates


@implementer(IOpenSSLTrustRoot)
@frozen
class _Several:
    """Whoever one of these believes; Twisted knows one at a time, or the system's."""

    roots: tuple[Any, ...]

    def _addCACertsToContext(self, context: object) -> None:
        for root in self.roots:
            root._addCACertsToContext(context)

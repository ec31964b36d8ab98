"""Responsible for serving on the endpoints that the operator named, and for saying so when one can't be had.

Tests: ``tests/live/test_listening.py``
"""

from __future__ import annotations

from typing import Any, Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw.errors import SettingsError

BACKLOG: Final = 512
"""How many connections the system keeps for us until we take them: Twisted's 50 are few when somebody opens many at a
time, and a client whose connection is not kept tries again after a second, then three."""


@define(eq=False)
class Listening(Service):
    """One endpoint that is served."""

    description: str
    """As the operator wrote it: ``tcp:8080:interface=127.0.0.1``."""

    endpoint: IStreamServerEndpoint
    factory: IProtocolFactory
    option: str = "--http"
    """Where the operator wrote it."""
    port: IListeningPort | None = field(default=None, init=False)
    """What was listened on last."""
    _listening: Deferred[Any] | None = field(default=None, init=False)
    _log = Logger()

    def privilegedStartService(self) -> None:
        """Take the port, while the process may still take a low one.

        Raises: ``SettingsError`` when it can't be had.
        """
        failures: list[Failure] = []
        self._listening = listening = self.endpoint.listen(self.factory)
        listening.addCallbacks(self._listens, failures.append)
        if failures:
            failures[0].trap(CannotListenError, OSError)
            self._listening = None
            raise SettingsError(
                f"{self.option} {self.description} can't be served: {failures[0].getErrorMessage()} "
                f"Choose another port, or stop the program that has it."
            )

    def startService(self) -> None:
        """Serve."""
        super().startService()
        if self._listening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """Take no more connections."""
        super().stopService()
        if self._listening is None:
            return succeed(None)
        listening, self._listening = self._listening, None
        return listening.addCallback(lambda port: port and port.stopListening()).addCallback(lambda _: None)

    def _listens(self, port: IListeningPort) -> IListeningPort:
        self.port = port
        if self.option == "--http":
            form = "https://{}:{}/" if self.description.startswith("ssl:") else "http://{}:{}/"
            self._log.info("serving HTTP on {address}", address=_words(port, form))
        else:
            self._log.info("{option} serves on {address}", option=self.option, address=_words(port, "tcp:{}:{}"))
        return port


def listening(
    reactor: object, description: str, factory: IProtocolFactory, option: str = "--http", example: str = "tcp:8080"
) -> Listening:
    """The service for a value of ``--http``, or of another option.

    Raises: ``SettingsError`` when it describes no endpoint.
    """
    try:
        endpoint = _endpoint(reactor, description)
    except ImportError as error:
        raise SettingsError(
            f"{option} {description} needs more than is installed ({error}): pip install '.[tls]'"
        ) from error
    except Exception as error:
        if description.startswith("ssl:"):
            # Whatever pyOpenSSL says about key and certificate is a class of its own.
            raise SettingsError(
                f"{option} {description} can't be served ({error}): it should be like "
                f"ssl:8443:privateKey=KEY.pem:certKey=CERTIFICATE.pem, with the names of two files in PEM."
            ) from error
        raise SettingsError(
            f"{option} {description} is no endpoint ({error}); "
            f"one looks like {example} or {example}:interface=127.0.0.1."
        ) from error
    return Listening(description, endpoint, factory, option)


def _endpoint(reactor: object, description: str) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, f"{description}:backlog={BACKLOG}")
    except TypeError:
        # It says how many itself, or is of a kind that takes no such number.
        endpoint = serverFromString(reactor, description)
    return endpoint


def _words(port: IListeningPort, form: str) -> str:
    """A URL, or what else says it in this form, where there can be one."""
    address = port.getHost()
    host, number = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or number is None:
        return str(address)
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return form.format(shown, number)

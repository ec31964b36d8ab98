"""Responsible for the addresses of a PostgreSQL server, found without stopping the reactor.

libpq looks a name up in one call that returns when it is done, be it in a minute. Told the addresses as well, it looks
nothing up, and still checks a certificate against the name.

Source: PostgreSQL documentation, "Database Connection Control Functions", on ``hostaddr`` and on several hosts

Tests: ``tests/store/test_postgres_hosts.py``
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from dsmr_tw.errors import StoreUnavailable


async def located(parameters: Mapping[str, str], resolver: IHostnameResolver) -> dict[str, str]:
    """The parameters with an address for each host. Raises ``StoreUnavailable`` when none has one."""
    if not parameters.get("host") or "hostaddr" in parameters:
        return dict(parameters)
    hosts = parameters["host"].split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) == 1:
        # One port is meant for all hosts; of anything else libpq says what is wrong with it.
        ports *= len(hosts)
    elif len(ports) != len(hosts):
        return dict(parameters)
    rows: list[tuple[str, str, str]] = []
    for host, port in zip(hosts, ports, strict=True):
        rows += [(host, address, port) for address in await addresses(host, resolver)]
    if not rows:
        raise StoreUnavailable(f"the host of --database is not known now: {parameters['host']}")
    host, hostaddr, port = (",".join(column) for column in zip(*rows, strict=True))
    return {**parameters, "host": host, "hostaddr": hostaddr, "port": port}


async def addresses(host: str, resolver: IHostnameResolver) -> list[str]:
    """The addresses of a host: an empty one for a directory with a socket, none for a name that is not known."""
    if not host or host.startswith(("/", "@")):
        return [""]
    if isIPAddress(host) or isIPv6Address(host):
        return [host]
    told = _Told()
    resolver.resolveHostName(told, host, 0)
    return await told.complete


@implementer(IResolutionReceiver)
@define(eq=False)
class _Told:
    """Takes what the reactor's resolver finds."""

    found: list[str] = field(factory=list)
    complete: Deferred[list[str]] = field(factory=Deferred)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It will end by itself."""

    def addressResolved(self, address: IAddress) -> None:
        """Keep it."""
        host: str = address.host  # type: ignore[attr-defined]  # what a name leads to is an address with a host
        self.found.append(host)

    def resolutionComplete(self) -> None:
        """That is all."""
        self.complete.callback(self.found)

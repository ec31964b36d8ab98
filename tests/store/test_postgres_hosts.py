"""Tests of dsmr_tw.store.postgres_hosts: what libpq is told, so that it need not look anything up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.postgres_hosts import located

REACTOR: Any = reactor
KNOWN: dict[str, list[IPv4Address | IPv6Address]] = {
    "one.example": [IPv4Address("TCP", "192.0.2.1", 0)],
    "both.example": [IPv6Address("TCP", "2001:db8::2", 0), IPv4Address("TCP", "192.0.2.2", 0)],
}


@implementer(IHostResolution)
@define
class Resolution:
    """A look-up under way."""

    name: str

    def cancel(self) -> None:
        """It is over already."""


@implementer(IHostnameResolver)
class FewNames:
    """A resolver that knows two names."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Tell at once."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in KNOWN.get(hostName, []):
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


class HostTests(SynchronousTestCase):
    """Parameters with hosts, ports and addresses."""

    def located(self, **parameters: str) -> dict[str, str]:
        """What libpq is told."""
        return self.successResultOf(Deferred.fromCoroutine(located(parameters, FewNames())))

    def test_a_name_gets_its_address(self) -> None:
        """The name stays, since a certificate is checked against it, and so does all else."""
        self.assertEqual(
            self.located(host="one.example", port="5433", user="me"),
            {"host": "one.example", "hostaddr": "192.0.2.1", "port": "5433", "user": "me"},
        )

    def test_each_address_of_a_name_is_tried(self) -> None:
        """A name with two addresses is told twice."""
        self.assertEqual(
            self.located(host="both.example"),
            {"host": "both.example,both.example", "hostaddr": "2001:db8::2,192.0.2.2", "port": ","},
        )

    def test_several_hosts_keep_their_ports(self) -> None:
        """Addresses, directories of sockets and names may stand side by side; who is not known is left out."""
        hosts = "one.example,/run/pg,2001:db8::9,nobody.example,"
        self.assertEqual(
            self.located(host=hosts, port="1,2,3,4,5"),
            {"host": "one.example,/run/pg,2001:db8::9,", "hostaddr": "192.0.2.1,,2001:db8::9,", "port": "1,2,3,5"},
        )

    def test_one_port_is_meant_for_all_hosts(self) -> None:
        """A single port counts for each of several hosts."""
        self.assertEqual(self.located(host="one.example,192.0.2.7", port="6000")["port"], "6000,6000")

    def test_what_needs_no_looking_up_stays_as_it_is(self) -> None:
        """No host, addresses that the owner gave, or ports that don't match the hosts: libpq deals with these."""
        for parameters in (
            {"dbname": "dsmr"},
            {"host": "", "dbname": "dsmr"},
            {"host": "nobody.example", "hostaddr": "192.0.2.9"},
            {"host": "one.example,both.example,one.example", "port": "1,2"},
        ):
            self.assertEqual(self.located(**parameters), parameters)

    def test_a_name_that_nobody_knows_is_unavailable(self) -> None:
        """A name server that is away for a while is not a reason to give up for good."""
        refused = self.failureResultOf(
            Deferred.fromCoroutine(located({"host": "nobody.example"}, FewNames())), StoreUnavailable
        )
        self.assertIn("nobody.example", str(refused.value))


class RealResolverTests(TestCase):
    """The reactor's own resolver."""

    async def test_localhost_is_known(self) -> None:
        """A real look-up, in the reactor's threads, finds the loopback address."""
        found = await located({"host": "localhost"}, REACTOR.nameResolver)
        self.assertIn(found["hostaddr"].split(",")[0], ("127.0.0.1", "::1"))

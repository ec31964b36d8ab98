"""Responsible for what the operator chose about the API.

Tests: ``tests/api/test_settings.py``
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from attrs import field, frozen
from twisted.web.server import Request

from dsmr_tw.domain.localtime import MeterZone, meter_zone
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class Proxies:
    """The reverse proxies whose word about the client is taken."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, *texts: str) -> Proxies:
        """Proxies from addresses (``"192.0.2.1"``) and networks (``"2001:db8::/64"``).

        Raises: ``SettingsError`` naming the one that is neither.
        """
        try:
            return cls(tuple(ip_network(text.strip()) for text in texts))
        except ValueError as error:
            raise SettingsError(f"trusted-proxy: {error}; it should look like 127.0.0.1 or 10.0.0.0/8") from error

    def __contains__(self, address: str) -> bool:
        """Whether a request from this address comes through one of the proxies."""
        if not self.networks:
            return False
        try:
            # A link-local IPv6 address names its interface: fe80::1%eth0.
            here = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(here, "ipv4_mapped", None)
        return any((mapped or here) in network for network in self.networks)

    def client_of(self, request: Request) -> str | None:
        """The address that a request comes from, as far as that can be believed; ``None`` when it has none.

        What proxies add to ``X-Forwarded-For`` is read from its end, up to the first address that is no proxy of ours:
        whatever stands before that, the client may have written itself.
        """
        address: str | None = getattr(request.getClientAddress(), "host", None)
        if address is None or address not in self:
            return address
        said = ",".join(request.requestHeaders.getRawHeaders("X-Forwarded-For", ())).split(",")
        for text in reversed(said):
            try:
                address = str(ip_address(text.strip()))
            except ValueError:
                return address
            if address not in self:
                return address
        return address


@frozen
class ApiSettings:
    """How the API behaves."""

    enabled: bool = False
    """Whether it answers anything but "API is disabled"."""

    local_timestamps: bool = False
    """Whether instants are shown in the meter's zone with its offset; else in UTC with ``Z``."""

    cors_origin: tuple[str, ...] = ()
    """Whose web pages may use the API in a browser: ``"https://dash.example"``, or ``"*"`` for anybody's."""

    proxies: Proxies = field(factory=Proxies)
    """Who may say where the client is, and how it reached us: ``X-Forwarded-For``, ``-Proto`` and ``-Host``."""

    crc: CrcPolicy = CrcPolicy.STRICT
    """How far posted telegrams are trusted."""

    by_arrival: bool = False
    """Whether a posted telegram is dated by when it was heard, if its sender tells, and not by the meter's clock."""

    zone: MeterZone = field(factory=lambda: meter_zone("Europe/Amsterdam"))
    """The zone of telegrams whose meter is not known before they are stored."""

"""What the operator chose about the API."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api.settings import Proxies
from dsmr_tw.errors import SettingsError


class ProxiesTests(SynchronousTestCase):
    """Which addresses are trusted."""

    def test_addresses_and_networks(self) -> None:
        """An address is trusted alone, a network with all its addresses, IPv4 also where it is written as IPv6."""
        proxies = Proxies.parse("192.0.2.1", "2001:db8::/32")
        for address in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::7", "2001:db8::7%eth0"):
            self.assertIn(address, proxies)
        for address in ("192.0.2.2", "2001:db9::7"):
            self.assertNotIn(address, proxies)

    def test_none(self) -> None:
        """Without the option nobody is trusted, whatever its address looks like."""
        for address in ("127.0.0.1", "", "/run/dsmr.sock"):
            self.assertNotIn(address, Proxies())

    def test_an_address_that_is_none(self) -> None:
        """Whoever has no IP address is not trusted."""
        self.assertNotIn("", Proxies.parse("127.0.0.1"))

    def test_a_setting_that_is_no_network(self) -> None:
        """A setting that is neither address nor network is refused by its name."""
        for text in ("proxy.example", "192.0.2.1/8", ""):
            error = self.assertRaises(SettingsError, Proxies.parse, text)
            self.assertIn("trusted-proxy", str(error))

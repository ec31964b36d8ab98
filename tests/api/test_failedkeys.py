"""Wrong keys are answered later and later, right ones never."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from dsmr_tw.api.failedkeys import ADDRESSES, FIRST_SECONDS, FORGET_SECONDS, FREE, HELD, LONGEST_SECONDS, FailedKeys
from dsmr_tw.api.settings import Proxies
from dsmr_tw.httpserver import BoundedChannel
from tests.serving import KEY, READINGS, V1, ServedCase, answer_of, request_bytes

ROUTES = (("GET", READINGS), ("POST", V1))


class FailedKeysCase(ServedCase):
    """Requests whose answers may wait."""

    def begin(
        self, key: str, address: str = "192.0.2.7", route: tuple[str, str] = ROUTES[0], **headers: str
    ) -> tuple[BoundedChannel, StringTransport]:
        """Send a request with this key."""
        channel, transport = self.served.channel(address)
        channel.dataReceived(request_bytes(*route, {"X-AUTHKEY": key, "Host": "a", **headers}))
        return channel, transport

    def status(self, key: str, address: str = "192.0.2.7", **more: Any) -> int | None:
        """The status of the answer, if it is given at once."""
        channel, transport = self.begin(key, address, **more)
        status = answer_of(transport.value()).status if transport.value() else None
        channel.connectionLost(Failure(ConnectionError()))
        return status

    def fail_freely(self, address: str = "192.0.2.7", **headers: str) -> None:
        """Send as many wrong keys as are answered at once."""
        for _ in range(FREE):
            self.assertEqual(self.status("wrong", address, **headers), 403)


class DelayTests(FailedKeysCase):
    """How late the answers are."""

    def test_a_few(self) -> None:
        """Whoever mistypes a key is told at once; missing ones are no guesses."""
        self.fail_freely()
        for _ in range(20):
            self.assertEqual(self.served.get(READINGS, key=None).status, 403)
        self.assertEqual(self.served.limits.hits["failed_keys"], FREE)
        self.assertEqual(self.served.limits.hits["failed_keys_held"], 0)

    def test_later_and_later(self) -> None:
        """Each wrong key after these is answered twice as late as the one before, on every route, until it is 5 s."""
        self.fail_freely()
        seconds = FIRST_SECONDS
        for number in range(8):
            channel, transport = self.begin("wrong", route=ROUTES[number % 2])
            self.served.clock.advance(seconds * 0.99)
            self.assertEqual(transport.value(), b"", seconds)
            self.served.clock.advance(seconds * 0.02)
            self.assertEqual(answer_of(transport.value()).status, 403)
            channel.connectionLost(Failure(ConnectionError()))
            seconds = min(seconds * 2, LONGEST_SECONDS)
        self.assertEqual(self.served.limits.hits["failed_keys_held"], 8)

    def test_a_right_key(self) -> None:
        """A right key from the same address is answered at once, before and while others wait."""
        self.fail_freely()
        _, waiting = self.begin("wrong")
        self.assertEqual(self.status(KEY), 200)
        self.assertEqual(self.status(KEY, route=ROUTES[1]), 400)
        self.assertEqual(waiting.value(), b"")

    def test_other_addresses(self) -> None:
        """Nobody waits for what others did; of IPv6, the 2^64 addresses of one network are one."""
        self.fail_freely()
        self.fail_freely("192.0.2.8")
        self.fail_freely("2001:db8::1")
        self.assertIsNone(self.status("wrong", "2001:db8::2"))
        self.fail_freely("2001:db8:0:1::1")

    def test_forgotten(self) -> None:
        """An address that has been quiet for five minutes begins anew."""
        self.fail_freely()
        self.assertIsNone(self.status("wrong"))
        self.served.clock.advance(FORGET_SECONDS)
        self.fail_freely()

    def test_who_hangs_up(self) -> None:
        """Whoever does not wait for the answer leaves nothing behind, and nothing is logged about it."""
        before = self.served.clock.getDelayedCalls()
        self.fail_freely()
        for route in ROUTES:
            self.assertIsNone(self.status("wrong", route=route))
        self.assertEqual(self.served.clock.getDelayedCalls(), before)

    def test_very_many(self) -> None:
        """So many answers wait, and no more: then wrong keys are answered at once again."""
        waiting = []
        for number in range(1 + HELD // 40):
            self.fail_freely(f"198.51.100.{number}")
            waiting += [self.begin("wrong", f"198.51.100.{number}")[1] for _ in range(40)]
        self.assertEqual([transport.value() for transport in waiting[:HELD]], [b""] * HELD)
        self.assertTrue(all(transport.value() for transport in waiting[HELD:]))


class ProxyTests(FailedKeysCase):
    """Whose address counts."""

    def test_behind_a_proxy(self) -> None:
        """The word of a trusted proxy counts, as far as it is the proxy's own."""
        self.served = self.serve(proxies=Proxies.parse("192.0.2.7"))
        self.fail_freely(**{"X-Forwarded-For": "198.51.100.1"})
        self.assertIsNone(self.status("wrong", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}))
        self.assertEqual(self.status("wrong", **{"X-Forwarded-For": "198.51.100.1, 198.51.100.2"}), 403)
        self.assertIsNone(self.status("wrong", **{"X-Forwarded-For": "198.51.100.1, 192.0.2.7"}))
        # Of these three nothing is known but that they come from the proxy.
        self.assertEqual(self.status("wrong"), 403)
        for said in ("nonsense", "192.0.2.7"):
            self.assertEqual(self.status("wrong", **{"X-Forwarded-For": said}), 403, said)

    def test_who_is_no_proxy(self) -> None:
        """Nobody else is believed: a header does not make another address of one's own."""
        for number in range(FREE):
            self.assertEqual(self.status("wrong", **{"X-Forwarded-For": f"198.51.100.{number}"}), 403)
        self.assertIsNone(self.status("wrong", **{"X-Forwarded-For": "198.51.100.99"}))


class LogTests(FailedKeysCase):
    """What is told."""

    def test_once(self) -> None:
        """An address is named when its answers begin to be late and when it is forgotten; no key is ever told."""
        with capturedLogs() as events:
            self.fail_freely()
            for _ in range(5):
                self.status("wrong-and-secret")
            self.served.clock.advance(FORGET_SECONDS)
            self.status("wrong", "192.0.2.8")
        told = [text for event in events if (text := formatEvent(event)) and "wrong" in text]
        self.assertEqual(
            told,
            [
                "wrong API keys come from 192.0.2.7: they are answered late now",
                "no wrong API keys come from 192.0.2.7 any more",
            ],
        )

    def test_very_many_addresses(self) -> None:
        """What is remembered is bounded, and the address that was quiet longest is forgotten first."""
        failed = FailedKeys(self.served.clock, self.served.limits)
        for number in range(ADDRESSES + 5):
            for _ in range(FREE + 1):
                seconds = failed.failed(f"10.0.{number >> 8}.{number & 255}")
            self.assertEqual(seconds, FIRST_SECONDS)
        self.assertEqual(len(failed._failing), ADDRESSES)
        self.assertEqual(failed.failed("10.0.0.0"), 0)

    def test_no_address(self) -> None:
        """Who comes through a UNIX socket is counted, too; an endless row of guesses does not grow a number."""
        failed = FailedKeys(self.served.clock, self.served.limits)
        waits = [failed.failed(None) for _ in range(2000)]
        self.assertEqual(waits[-1], LONGEST_SECONDS)

"""How a key is shown, and keys that come and go; who may come in where is tested in ``test_ways_in.py``."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent

from dsmr_tw.api.auth import ASK_AGAIN_SECONDS
from dsmr_tw.errors import StoreUnavailable
from tests.serving import KEY, READINGS, ServedCase, answer_of, request_bytes


class HeaderTests(ServedCase):
    """How a key is shown."""

    def status(self, **headers: Any) -> int:
        """The status of a list of readings, asked for with these headers."""
        return self.served.ask("GET", READINGS, key=None, **headers).status

    def test_either_header(self) -> None:
        """``X-AUTHKEY`` and ``Authorization: Token`` are as good, in any case of their names, and either suffices."""
        for headers in (
            {"x-authkey": KEY},
            {"X-AUTHKEY": KEY},
            {"Authorization": f"Token {KEY}"},
            {"authorization": f"token  {KEY}"},
            {"X-AUTHKEY": "wrong", "Authorization": f"TOKEN {KEY}"},
            {"X-AUTHKEY": KEY, "Authorization": "Basic eA=="},
        ):
            self.assertEqual(self.status(**headers), 200, headers)

    def test_other_places(self) -> None:
        """A key is taken from nowhere else."""
        for headers in ({"Authorization": KEY}, {"Authorization": f"Bearer {KEY}"}, {"X-AUTHKEY": ""}, {"Cookie": KEY}):
            self.assertEqual(self.status(**headers), 403, headers)
        self.assertEqual(self.served.get(f"{READINGS}?X-AUTHKEY={KEY}", key=None).status, 403)


class RingTests(ServedCase):
    """Keys that come and go beside the running server."""

    def ask(self, key: str) -> int:
        """The status of a list of readings."""
        return self.served.get(READINGS, key=key).status

    def test_a_new_key(self) -> None:
        """A key made beside the server works at once."""
        self.served.add_key("made-just-now", "read")
        self.assertEqual(self.ask("made-just-now"), 200)

    def test_guessing(self) -> None:
        """Who guesses keys makes the server ask the store once a second, not more."""
        self.assertEqual(self.ask("guess"), 403)
        self.served.add_key("made-just-now", "read")
        self.assertEqual(self.ask("made-just-now"), 403)
        self.served.clock.advance(ASK_AGAIN_SECONDS)
        self.assertEqual(self.ask("made-just-now"), 200)

    def test_a_removed_key(self) -> None:
        """A removed key is refused from the next reading of the keys on."""
        record = self.served.add_key("for-a-while", "read")
        self.assertEqual(self.ask("for-a-while"), 200)
        self.successResultOf(self.served.store.keys.remove(record.id))
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(self.ask("for-a-while"), 403)

    def test_while_the_keys_are_read(self) -> None:
        """Requests that come while the store is being asked wait for its answer."""
        self.served.add_key("made-just-now", "read")
        self.served.reading.held = True
        transports = []
        for _ in range(2):
            channel, transport = self.served.channel()
            channel.dataReceived(request_bytes("GET", "/api/v2/application/version", {"X-AUTHKEY": "made-just-now"}))
            transports.append(transport)
        self.served.reading.release()
        self.assertEqual([answer_of(transport.value()).status for transport in transports], [200, 200])

    def test_the_store_is_away(self) -> None:
        """The known keys stay valid; of an unknown one nobody can say that it was not just made elsewhere."""
        self.served.reading.error = StoreUnavailable("gone")
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(self.served.get("/api/v2/application/version").status, 200)
        self.assertEqual(self.ask("guess"), 503)
        self.served.reading.error = None
        with capturedLogs() as logs:
            self.successResultOf(self.served.keys.refresh())
            self.successResultOf(self.served.keys.refresh())
        self.assertEqual([formatEvent(event) for event in logs], ["the API keys can be read again"])
        self.assertEqual(self.ask("guess"), 403)

    def test_a_fault_of_ours(self) -> None:
        """A fault of ours is logged once, and the known keys stay valid."""
        self.served.reading.error = RuntimeError("a fault")
        self.successResultOf(self.served.keys.refresh())
        self.successResultOf(self.served.keys.refresh())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.served.get("/api/v2/application/version").status, 200)

    def test_the_store_was_never_there(self) -> None:
        """Before the keys could be read at all nobody is told that a key is wrong."""
        served = self.serve(keys_are_read=False)
        served.reading.error = StoreUnavailable("gone")
        for _ in range(2):
            self.assertEqual(served.get(READINGS).status, 503)
            self.assertEqual(served.get(READINGS, key=None).status, 403)
        served.reading.error = None
        served.clock.advance(ASK_AGAIN_SECONDS)
        self.assertEqual(served.get(READINGS).status, 200)

"""The route that remote dataloggers post their telegrams to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from twisted.python.failure import Failure

from dsmr_tw.domain.reading import HOUR, SECOND, YEAR_2000
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE
from dsmr_tw.limits import BODY_BYTES, READINGS_WAITING, TELEGRAMS_PER_BODY
from tests.arrivals import MINUTE, NOON, heard
from tests.serving import KEY, READINGS, V1, Answer, ServedCase, answer_of, request_bytes
from tests.telegramtext import signed, telegram


class PostTests(ServedCase):
    """What becomes of a telegram."""

    def post(self, text: str, **arguments: str) -> Answer:
        """Post telegrams."""
        return self.served.post(V1, {"telegram": text}, **arguments)

    def readings(self) -> Any:
        """All that is stored."""
        return self.served.get(READINGS).json["results"]

    def test_a_telegram_is_stored(self) -> None:
        """A good telegram is answered with 201 and an empty body, and can be read back."""
        answer = self.post(telegram())
        self.assertEqual((answer.status, answer.body), (201, b""))
        [reading] = self.readings()
        self.assertEqual(reading["timestamp"], "2024-04-02T09:59:50Z")
        self.assertEqual(reading["electricity_delivered_1"], "1000.000")
        self.assertEqual(reading["extra_device_delivered"], "500.000")

    def test_the_same_telegram_again(self) -> None:
        """Who did not hear the answer may send the telegram again: it is stored once."""
        self.assertEqual([self.post(telegram()).status, self.post(telegram()).status], [201, 201])
        self.assertEqual(len(self.readings()), 1)

    def test_several_telegrams(self) -> None:
        """Several telegrams in one body are all stored."""
        self.assertEqual(self.post(telegram() + telegram(clock="240402120000S")).status, 201)
        self.assertEqual(len(self.readings()), 2)

    def test_one_bad_telegram_among_several(self) -> None:
        """Several telegrams are stored all or none, and the answer names the first bad one."""
        bad = telegram(clock="240402120000S").replace("00.321*kW", "00.322*kW")
        answer = self.post(telegram() + bad)
        self.assertEqual(answer.status, 400)
        self.assertIn("Telegram 2 of 2: CRC given", answer.text)
        self.assertEqual(self.readings(), [])

    def test_one_that_is_too_early(self) -> None:
        """The same holds for one that is right, but can't be stored."""
        answer = self.post(telegram() + telegram(clock="240404120000S"))
        self.assertEqual(answer.status, 400)
        self.assertIn("Telegram 2 of 2: Its time is more than a day ahead", answer.text)
        self.assertEqual(self.readings(), [])

    def test_gas_alone(self) -> None:
        """A telegram of a heat or gas meter alone is stored, though it makes no reading."""
        self.assertEqual(self.post(telegram(without="1-0:")).status, 201)
        self.assertEqual(self.readings(), [])

    def test_too_many_telegrams(self) -> None:
        """The answer says how many telegrams a body may hold; more are refused."""
        answer = self.post(telegram())
        self.assertEqual(answer.headers["X-Dsmr-Batch"], "100")
        short = signed("/TST5\\short\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n!")
        answer = self.post(short * (TELEGRAMS_PER_BODY + 1))
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.text, "101 telegrams in one body; at most 100 are taken.")

    def test_why_a_telegram_was_refused(self) -> None:
        """The answer to a bad telegram says what is wrong in words, and the meter's count of rejected ones rises."""
        answer = self.post(telegram().replace("00.321*kW", "00.322*kW"))
        self.assertEqual(answer.status, 400)
        self.assertRegex(answer.text, "^Failed to parse telegram: CRC given [0-9A-F]{4}, computed [0-9A-F]{4}$")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        statistics = self.served.get("/api/v2/datalogger/meter-statistics").json
        self.assertEqual(statistics["rejected_telegrams"], 1)

    def test_nothing_measurable(self) -> None:
        """A telegram in which nothing is measured is refused."""
        answer = self.post(signed("/TST5\\empty\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(240402115950S)\r\n!"))
        self.assertEqual(answer.status, 400)
        self.assertIn("Nothing measurable", answer.text)

    def test_no_telegram(self) -> None:
        """A form without a telegram, or with a blank one, is invalid, and so is JSON."""
        for form in ({}, {"telegram": ""}, {"telegram": " \r\n"}, {"x": "y"}):
            answer = self.served.post(V1, form)
            self.assertEqual((answer.status, answer.text), (400, "Invalid data"))
        answer = self.served.post(V1, b'{"telegram": "/"}', content_type="application/json")
        self.assertEqual((answer.status, answer.text), (400, "Invalid data"))
        answer = self.served.post(V1, b"--X\r\n", content_type="multipart/form-data; boundary=X")
        self.assertEqual((answer.status, answer.text), (400, "Invalid data"))

    def test_multipart(self) -> None:
        """A telegram may come as multipart, with a byte that is no UTF-8 in it, too."""
        text = telegram().replace("0-1:24.1.0(003)", "0-1:24.1.0(003)\r\n0-0:96.13.0(\xb3)")
        text = signed(text[: text.index("!") + 1])
        body = (
            b'--X\r\nContent-Disposition: form-data; name="telegram"\r\n\r\n'
            + text.encode("latin-1")
            + b"\r\n--X--\r\n"
        )
        answer = self.served.post(V1, body, content_type="multipart/form-data; boundary=X")
        self.assertEqual(answer.status, 201, answer.text)

    def test_bytes_that_are_no_utf_8(self) -> None:
        """A byte of a telegram may be sent as it is, without being made UTF-8."""
        text = signed("/TST5\\m\xb3\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n!")
        self.assertEqual(self.served.post(V1, urlencode({"telegram": text.encode("latin-1")}).encode()).status, 201)
        self.assertEqual(self.served.post(V1, urlencode({"telegram": text}).encode()).status, 201)

    def test_crc_policy(self) -> None:
        """With ``--crc off`` a telegram with any CRC is stored."""
        self.served = self.serve(crc=CrcPolicy.OFF)
        self.assertEqual(self.post(telegram().replace("00.321*kW", "00.322*kW")).status, 201)

    def test_where_a_key_for_a_meter_writes(self) -> None:
        """A key that is tied to a meter writes to that meter, whatever id the telegram bears."""
        self.post(telegram())
        self.served.add_key("for-the-first", "write", meter_id=1)
        self.assertEqual(
            self.post(telegram(clock="240402115000S", without="0-0:96.1.1"), key="for-the-first").status, 201
        )
        self.assertIn("2024-04-02T09:50:00Z", [reading["timestamp"] for reading in self.readings()])


class TimeTests(ServedCase):
    """Telegrams of another time."""

    def post(self, text: str, **headers: str) -> Answer:
        """Post telegrams."""
        return self.served.post(V1, {"telegram": text}, **headers)

    def timestamps(self) -> list[str]:
        """The times of all that is stored."""
        return [reading["timestamp"] for reading in self.served.get(READINGS).json["results"]]

    def test_a_day_ahead(self) -> None:
        """A telegram exactly a day ahead of us is stored, one beyond that refused; its gas value counts as much."""
        self.assertEqual(self.post(telegram(clock="240403120000S")).status, 201)
        for ahead in (telegram(clock="240403120001S"), telegram(gas_clock="240403120001S")):
            answer = self.post(ahead)
            self.assertEqual(answer.status, 400)
            self.assertIn("more than a day ahead: 2024-04-03T12:00:01+02:00", answer.text)

    def test_a_server_without_a_clock(self) -> None:
        """While our own clock was never set, a telegram of today is not refused but asked for again later."""
        self.served.clock.rightNow = float(YEAR_2000 // SECOND)
        clockless = telegram(without="0-0:1.0.0")
        for answer in (
            self.post(telegram()),
            self.post(clockless),
            self.post(clockless, X_Received_At="2024-04-02T11:59:50+02:00"),
        ):
            self.assertEqual(answer.status, 503)
            self.assertIn("Retry-After", answer.headers)
        self.assertEqual(self.timestamps(), [])

    def test_a_telegram_without_a_clock(self) -> None:
        """It is dated by its arrival here, or by when its sender says that it received it."""
        clockless = telegram(without="0-0:1.0.0")
        self.assertEqual(self.post(clockless).status, 201)
        self.assertEqual(self.post(clockless, X_Received_At="2024-03-31T01:30:00+01:00").status, 201)
        self.assertEqual(self.timestamps(), ["2024-03-31T00:30:00Z", "2024-04-02T10:00:00Z"])

    def test_the_zone_of_the_meter(self) -> None:
        """A key that is tied to a meter posts in that meter's time zone, the others in that of the settings."""
        self.served.do("UPDATE meter SET zone = 'Europe/Helsinki'")
        self.served.add_key("in-helsinki", "write", meter_id=1)
        self.post(telegram())
        self.assertEqual(self.served.post(V1, {"telegram": telegram()}, key="in-helsinki").status, 201)
        self.assertEqual(self.timestamps(), ["2024-04-02T08:59:50Z", "2024-04-02T09:59:50Z"])

    def test_when_each_of_several_was_received(self) -> None:
        """``X-Received-At`` names a time for each telegram of the body, and means nothing to those with a clock."""
        two = telegram(without="0-0:1.0.0") + telegram()
        self.assertEqual(self.post(two, X_Received_At="2024-04-01T12:00:00Z, 2024-04-01T12:00:10Z").status, 201)
        self.assertEqual(self.timestamps(), ["2024-04-01T12:00:00Z", "2024-04-02T09:59:50Z"])

    def test_a_meter_whose_clock_is_not_trusted(self) -> None:
        """Then the sender's word on when a telegram was heard counts; without it, the meter's clock does."""
        self.served = self.serve(by_arrival=True)
        self.assertEqual(self.post(telegram(), X_Received_At="2024-04-02T08:00:00Z").status, 201)
        self.assertEqual(self.post(telegram()).status, 201)
        self.assertEqual(self.timestamps(), ["2024-04-02T08:00:00Z", "2024-04-02T09:59:50Z"])

    def test_impossible_times_of_receipt(self) -> None:
        """Another number of times than telegrams, what is no time, and the future are refused."""
        for header in ("", "yesterday", "2024-04-01T12:00:00Z,2024-04-01T12:00:10Z", "2024-04-03T10:00:01Z"):
            answer = self.post(telegram(), X_Received_At=header)
            self.assertEqual(answer.status, 400, header)
            self.assertTrue(answer.text.startswith("Invalid X-Received-At: "), answer.text)


class OrderTests(ServedCase):
    """What is looked at first: method, enabled, key, size, body."""

    def test_methods(self) -> None:
        """Anything but POST is answered without a key, with what is allowed."""
        for served in (self.served, self.serve(enabled=False)):
            for method, status in (("GET", 405), ("HEAD", 405), ("PUT", 405), ("FOO", 405), ("OPTIONS", 200)):
                answer = served.ask(method, V1, key=None)
                self.assertEqual((answer.status, answer.headers["Allow"], answer.body), (status, "POST, OPTIONS", b""))

    def test_disabled_before_the_key(self) -> None:
        """Without ``--enable-api`` even a wrong key hears nothing but that."""
        answer = self.serve(enabled=False).post(V1, {"telegram": telegram()}, key="wrong")
        self.assertEqual((answer.status, answer.text, answer.headers["Allow"]), (405, "API is disabled", "POST"))

    def test_the_key_before_the_body(self) -> None:
        """Who has no key learns nothing about the body, however large."""
        for key in (None, "wrong"):
            for body in (b"", b"x" * (BODY_BYTES + 1)):
                answer = self.served.post(V1, body, key=key)
                self.assertEqual((answer.status, answer.text), (403, "Invalid auth key"))

    def test_the_size_before_the_content(self) -> None:
        """A body of 256 KiB is looked at, one byte more is not."""
        self.assertEqual(self.served.post(V1, b"x" * BODY_BYTES).status, 400)
        answer = self.served.post(V1, b"x" * (BODY_BYTES + 1))
        self.assertEqual((answer.status, answer.text), (413, "The body is larger than 256 KiB."))

    def test_reading_is_not_enough(self) -> None:
        """A key that may only read is told which scope it lacks."""
        self.served.add_key("reads-only", "read")
        answer = self.served.post(V1, {"telegram": telegram()}, key="reads-only")
        self.assertEqual(answer.status, 403)
        self.assertIn("scope write", answer.text)

    def test_other_paths(self) -> None:
        """There is nothing else under version 1."""
        for path in (f"{V1}/", "/api/v1/", "/api/v1/datalogger"):
            self.assertEqual((self.served.get(path).status, self.served.get(path).text), (404, "Not found."))


class StoreAwayTests(ServedCase):
    """When nothing can be stored."""

    def test_too_much_waits(self) -> None:
        """While too many readings wait already, the sender is told to come again."""
        self.served.writing.held = True
        self.served.datalogger.submit([heard()] * READINGS_WAITING)
        self.assert_retry(self.served.post(V1, {"telegram": telegram()}), "10000 readings wait")

    def test_the_store_is_away(self) -> None:
        """What is posted meanwhile is taken all the same, and listed when the store is back."""
        self.served.writing.error = StoreUnavailable("/secret/dsmr.sqlite3: disk full")
        answer = self.served.post(V1, {"telegram": telegram()}, X_Received_At="2024-04-02T09:00:00Z")
        self.assertEqual((answer.status, answer.text), (201, ""))
        self.assertEqual(self.served.get(READINGS).json["count"], 0)
        self.served.writing.error = None
        self.served.clock.advance(1)
        self.assertEqual(self.served.get(READINGS).json["count"], 1)
        [meter] = self.successResultOf(self.served.store.meters.all())
        self.assertEqual(meter.last_seen_at, NOON - HOUR)

    def test_a_key_for_one_meter(self) -> None:
        """It goes on, too, once it was used."""
        self.served.add_key("for-the-first", "write", meter_id=1)
        self.assertEqual(self.served.post(V1, {"telegram": telegram()}, key="for-the-first").status, 201)
        self.served.writing.error = self.served.reading.error = StoreUnavailable("away")
        self.served.clock.advance(MINUTE // SECOND)
        later = telegram(clock="240402120000S")
        self.assertEqual(self.served.post(V1, {"telegram": later}, key="for-the-first").status, 201)
        self.served.writing.error = self.served.reading.error = None
        self.served.clock.advance(1)
        self.assertEqual(self.served.get(READINGS).json["count"], 2)

    def test_the_spool_takes_nothing_either(self) -> None:
        """The sender is told so, without names of files."""
        self.served.writing.error = StoreUnavailable("/secret/dsmr.sqlite3: disk full")
        self.served.spool.path.rmdir()
        answer = self.served.post(V1, {"telegram": telegram()})
        self.assert_retry(answer, "The store is not available now.")
        self.assertNotIn("secret", answer.text)

    def test_the_spool_is_full(self) -> None:
        """The sender is told to come again."""
        self.served.writing.error = StoreUnavailable("disk full")
        self.served.spool.most_bytes = 0
        self.assert_retry(self.served.post(V1, {"telegram": telegram()}), "Too many readings: the spool holds")

    def test_a_bad_telegram_while_the_store_does_not_answer(self) -> None:
        """Its sender is told what is wrong with it after some seconds, and later ones at once; they are counted."""
        body = urlencode({"telegram": "/TST5\r\n"}).encode()
        statistics = "/api/v2/datalogger/meter-statistics"
        self.served.writing.held = True
        channel, transport = self.served.channel()
        channel.dataReceived(request_bytes("POST", V1, {"X-AUTHKEY": KEY}, body))
        self.assertEqual(transport.value(), b"")
        self.served.clock.advance(PATIENCE)
        self.assertEqual(answer_of(transport.value(), "POST").status, 400)
        self.assertEqual(self.served.post(V1, body).status, 400)
        self.served.writing.release()
        self.assertEqual(self.served.get(statistics).json["rejected_telegrams"], 2)

    def test_a_client_that_hangs_up(self) -> None:
        """A telegram that is being stored when its sender hangs up is stored all the same."""
        body = urlencode({"telegram": telegram()}).encode()
        self.served.hang_up(request_bytes("POST", V1, {"X-AUTHKEY": KEY}, body))
        self.assertEqual(self.served.get(READINGS).json["count"], 1)
        self.assertEqual(self.served.intake.cancelled, 0)

    def test_a_client_that_hangs_up_before_its_key_is_known(self) -> None:
        """Nothing of it is stored, and nothing is wrong."""
        self.served.add_key("made-just-now", "write")
        self.served.reading.held = True
        channel, _ = self.served.channel()
        body = urlencode({"telegram": telegram()}).encode()
        channel.dataReceived(request_bytes("POST", V1, {"X-AUTHKEY": "made-just-now"}, body))
        channel.connectionLost(Failure(ConnectionError()))
        self.served.reading.release()
        self.assertEqual(self.served.get(READINGS).json["count"], 0)

    def assert_retry(self, answer: Answer, text: str) -> None:
        """The client is told why, and when to come again."""
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertIn(text, answer.text)

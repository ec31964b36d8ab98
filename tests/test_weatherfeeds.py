"""Tests of dsmr_tw.weatherfeeds: what feeds are asked, and what their answers are worth."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reading import HOUR, SECOND
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.errors import FeedError
from dsmr_tw.weatherfeeds import Buienradar, Feed, OpenMeteo, feed_of
from tests.arrivals import MINUTE, NOON
from tests.past import local

DE_BILT = Buienradar(6260)
HOME = OpenMeteo("52.10", "5.18")


def stations(*measurements: Any) -> bytes:
    """What Buienradar answers."""
    return json.dumps({"$id": "1", "actual": {"stationmeasurements": measurements}}).encode()


def measurement(**values: Any) -> dict[str, Any]:
    """What one of its stations measured."""
    usual = {"stationid": 6260, "stationname": "De Bilt", "timestamp": "2024-04-02T12:00:00", "temperature": 11.2}
    return {**usual, **values}


def current(**values: Any) -> bytes:
    """What Open-Meteo answers."""
    usual = {"time": NOON // SECOND, "interval": 900, "temperature_2m": 7.3}
    return json.dumps({"latitude": 52.1, "current": {**usual, **values}}).encode()


class FeedCase(SynchronousTestCase):
    """A test of answers."""

    def refused(self, feed: Feed, answer: bytes, now: int = NOON) -> str:
        """Why there is no temperature in this answer."""
        return str(self.assertRaises(FeedError, feed.temperature, answer, now))


class OpenMeteoTests(FeedCase):
    """Open-Meteo."""

    def test_what_it_is_asked(self) -> None:
        """The place, as the operator wrote it, and an instant that needs no zone."""
        self.assertEqual(
            HOME.url,
            "https://api.open-meteo.com/v1/forecast?latitude=52.10&longitude=5.18&current=temperature_2m"
            "&timeformat=unixtime",
        )

    def test_its_answer(self) -> None:
        """A temperature in tenths, never a float in between; a whole number is as good."""
        for text, tenths in (("7.3", 73), ("-0.05", -1), ("7.25", 73), ("-12", -120), ("1.12e1", 112)):
            answer = current().replace(b"7.3", text.encode())
            self.assertEqual(HOME.temperature(answer, NOON + 5 * MINUTE), Temperature(NOON, tenths), text)

    def test_no_temperature(self) -> None:
        """One that is absent is none, and not 0."""
        self.assertEqual(self.refused(HOME, current(temperature_2m=None)), "it gives no temperature now")
        self.assertEqual(self.refused(HOME, b'{"current":{"time":1712052000}}'), "it gives no temperature now")

    def test_impossible_temperatures(self) -> None:
        """A thermometer that is broken is not believed."""
        for text in ("99.95", "-273.15", "1e99", "1e99999", "9" * 5000):
            answer = current().replace(b"7.3", text.encode())
            self.assertIn(
                self.refused(HOME, answer), ("its temperature is none that there can be", "its answer is no JSON"), text
            )

    def test_other_forms(self) -> None:
        """What is not of the form that is known says so, and which part of it."""
        for answer, part in (
            (b"[]", "the whole of it"),
            (b"null", "the whole of it"),
            (b"{}", "current"),
            (b'{"current":[]}', "current"),
            (b'{"current":{}}', "time"),
            (current(time="2024-04-02T10:00"), "time"),
            (current(time=1712052000.5), "time"),
            (current(time=True), "time"),
            (current(temperature_2m="7.3"), "temperature_2m"),
            (current(temperature_2m=True), "temperature_2m"),
            (current(temperature_2m=[7.3]), "temperature_2m"),
            (current().replace(b"7.3", b"NaN"), "temperature_2m"),
        ):
            self.assertEqual(self.refused(HOME, answer), f"its answer is not of the form that is known: {part}", answer)

    def test_no_json(self) -> None:
        """A page for people, nothing, or something deep is no JSON."""
        for answer in (b"<!DOCTYPE html><html>", b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"current":'):
            self.assertEqual(self.refused(HOME, answer), "its answer is no JSON")

    def test_old_and_future_times(self) -> None:
        """A measurement is of about now, or it is none: the bounds are an hour ahead and three hours back."""
        for now in (NOON - HOUR, NOON, NOON + 3 * HOUR):
            self.assertEqual(HOME.temperature(current(), now), Temperature(NOON, 73))
        ahead = "its newest temperature is dated more than an hour ahead of our clock"
        self.assertEqual(self.refused(HOME, current(), NOON - HOUR - 1), ahead)
        self.assertEqual(self.refused(HOME, current(time=10**300)), ahead)
        old = "its newest temperature is more than three hours old"
        self.assertEqual(self.refused(HOME, current(), NOON + 3 * HOUR + 1), old)
        self.assertEqual(self.refused(HOME, current(time=-(10**300))), old)


class BuienradarTests(FeedCase):
    """Buienradar."""

    def test_its_answer(self) -> None:
        """The station's own temperature, at its own time, which is Dutch."""
        self.assertEqual(DE_BILT.url, "https://data.buienradar.nl/2.0/feed/json")
        others = [measurement(stationid=6240, temperature=1.0), "x", None, measurement(stationid="6260")]
        answer = stations(*others, measurement(), measurement(stationid=6370))
        self.assertEqual(DE_BILT.temperature(answer, NOON + 5 * MINUTE), Temperature(NOON, 112))
        winter = stations(measurement(timestamp="2024-01-15T08:20:00.5", temperature=-7))
        at = local("2024-01-15T08:20")
        self.assertEqual(DE_BILT.temperature(winter, at), Temperature(at, -70))

    def test_a_time_with_an_offset(self) -> None:
        """Should it ever tell its offset, that is believed."""
        answer = stations(measurement(timestamp="2024-04-02T10:00:00+00:00"))
        self.assertEqual(DE_BILT.temperature(answer, NOON).at, NOON)

    def test_the_hour_that_comes_twice(self) -> None:
        """On the night of 25 hours each time is taken for the newest that it can be."""
        first = local("2024-10-27T01:50") + HOUR
        answer = stations(measurement(timestamp="2024-10-27T02:50:00"))
        for now, at in (
            (first - MINUTE, first),
            (first + 5 * MINUTE, first),
            (first + 59 * MINUTE, first),
            (first + HOUR, first + HOUR),
            (first + 2 * HOUR, first + HOUR),
        ):
            self.assertEqual(DE_BILT.temperature(answer, now).at, at)

    def test_stations_that_are_not_there(self) -> None:
        """Stations go; that is told, without saying where the house is."""
        absent = "the station is not among those that it lists"
        self.assertEqual(self.refused(DE_BILT, stations()), absent)
        self.assertEqual(self.refused(DE_BILT, stations(measurement(stationid=6240), [])), absent)

    def test_stations_that_are_silent(self) -> None:
        """A station without a thermometer, or whose thermometer is away, gives none."""
        silent = measurement()
        del silent["temperature"]
        for one in (silent, measurement(temperature=None)):
            self.assertEqual(self.refused(DE_BILT, stations(one)), "it gives no temperature now")

    def test_other_forms(self) -> None:
        """What is not of the form that is known says so, and which part of it."""
        for answer, part in (
            (b'{"actual":null}', "actual"),
            (b'{"actual":{"stationmeasurements":{}}}', "stationmeasurements"),
            (stations(measurement(timestamp=None)), "timestamp"),
            (stations(measurement(timestamp="noon")), "timestamp"),
            (stations(measurement(timestamp="2024-03-31T02:30:00")), "timestamp"),
            (stations(measurement(timestamp="1924-04-02T12:00:00")), "timestamp"),
            (stations(measurement(timestamp="0001-01-01T00:00:00")), "timestamp"),
            (stations(measurement(temperature="11.2")), "temperature"),
        ):
            self.assertEqual(
                self.refused(DE_BILT, answer), f"its answer is not of the form that is known: {part}", answer
            )


class SettingTests(SynchronousTestCase):
    """How an operator names a feed."""

    def test_feeds(self) -> None:
        """A place, or a station."""
        self.assertEqual(feed_of("open-meteo:52.10,5.18"), HOME)
        self.assertEqual(feed_of("open-meteo:-90,-180"), OpenMeteo("-90", "-180"))
        self.assertEqual(feed_of("buienradar:6260"), DE_BILT)

    def test_no_feeds(self) -> None:
        """Anything else is told what would be right."""
        for text in (
            *("", "open-meteo", "open-meteo:", "open-meteo:52.1", "open-meteo:52,1,5,2", "open-meteo:52.1, 5.2"),
            *("open-meteo:90.1,5", "open-meteo:52,180.5", "open-meteo:52.1,5&x=y", "open-meteo:\u0665,5"),
            *("buienradar:", "buienradar:De Bilt", "buienradar:-1", "knmi:6260", "6260"),
        ):
            error = self.assertRaises(ValueError, feed_of, text)
            self.assertEqual(
                str(error),
                "takes open-meteo:LAT,LON, like open-meteo:52.10,5.18, or buienradar:STATION, like buienradar:6260; "
                f"not {text}",
            )

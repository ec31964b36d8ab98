"""Tests of dsmr_tw.domain.facts: what telegrams tell of the past."""

from __future__ import annotations

from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.facts import Failure, Peak, failures, peaks
from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from tests.golden_telegrams import telegram

BRUSSELS = meter_zone("Europe/Brussels")


def at(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def said(name: str) -> Telegram:
    """What a telegram from the field says."""
    (outcome,) = outcomes_in(telegram(name), CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return TelegramParser().parse(outcome)


class PeakTests(SynchronousTestCase):
    """Peaks of power."""

    def test_belgium(self) -> None:
        """Months that are over have an end, the one under way has none, one without a quarter is left out."""
        self.assertEqual(
            peaks(said("be-emucs-50217-02"), BRUSSELS),
            (
                Peak(at("2023-09-01T00:00+02:00"), at("2023-08-31T18:15+02:00"), 1862),
                Peak(at("2023-10-01T00:00+02:00"), at("2023-09-10T18:30+02:00"), 4229),
                Peak(at("2023-11-01T00:00+01:00"), at("2023-10-16T13:00+02:00"), 4927),
                Peak(None, at("2023-11-02T11:45+01:00"), 3064),
            ),
        )

    def test_thirteen_months(self) -> None:
        """The longest list is there to its end."""
        self.assertEqual(len(peaks(said("be-emucs-50217-06"), BRUSSELS)), 14)

    def test_ireland(self) -> None:
        """A peak without a flag is dated by the zone's own rules."""
        found = peaks(said("ie-iskra-00"), meter_zone("Europe/Dublin"))
        self.assertEqual(found, (Peak(None, at("2026-01-02T01:00Z"), 8796),))

    def test_none(self) -> None:
        """Other meters have none; what a Hungarian one prints under that code is none."""
        for name in ("dsmr-5-0-46", "hu-eon-mvm-00"):
            self.assertEqual(peaks(said(name), BRUSSELS), ())


class FailureTests(SynchronousTestCase):
    """Long power failures."""

    def test_failures(self) -> None:
        """Each has its end and length; that of a meter just out of its box has no date, so is none."""
        self.assertEqual(
            failures(said("dsmr-4-2-00"), BRUSSELS),
            (Failure(at("2021-12-09T19:06:18+01:00"), 3557), Failure(at("2021-04-16T08:19:47+02:00"), 4676)),
        )

    def test_without_a_unit(self) -> None:
        """A meter for large connections prints seconds alone."""
        self.assertEqual([each.seconds for each in failures(said("metcom-00"), BRUSSELS)], [34, 75_500_971, 9, 13, 59])

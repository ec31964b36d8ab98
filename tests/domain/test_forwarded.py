"""Tests of dsmr_tw.domain.forwarded."""

from __future__ import annotations

from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.forwarded import (
    LONGEST_PAUSE_S,
    MOST_TOGETHER,
    Answer,
    Verdict,
    bounded_pause,
    fitting,
    form_body,
    received_header,
    taken_together,
)
from dsmr_tw.domain.reading import SECOND, YEAR_2020, Origin
from dsmr_tw.domain.spooled import Record
from dsmr_tw.limits import BODY_BYTES
from tests.arrivals import NOON

TELEGRAMS = st.text(st.characters(max_codepoint=255), max_size=60)


def record(telegram: str = "/TST5\\a\r\n\r\n!", received_at: int = NOON) -> Record:
    """A telegram that waits."""
    return Record(received_at, Origin("device /dev/ttyUSB0"), "Europe/Amsterdam", False, telegram)


class BodyTests(SynchronousTestCase):
    """What is posted."""

    @given(st.lists(TELEGRAMS, min_size=1, max_size=5))
    def test_any_server_reads_it(self, telegrams: list[str]) -> None:
        """The form has one field, with the bytes that the meter printed, each telegram with its line end."""
        body = form_body(map(record, telegrams))
        fields = parse_qs(body.decode("ascii"), encoding="latin-1", strict_parsing=True)
        self.assertEqual(fields, {"telegram": ["".join(f"{telegram}\r\n" for telegram in telegrams)]})

    def test_it_is_not_much_longer_than_the_telegrams(self) -> None:
        """What a telegram is full of is sent as it is, as far as a form allows."""
        self.assertEqual(form_body([record("1-0:1.8.1(000001.000*kWh)")]), b"telegram=1-0:1.8.1(000001.000*kWh)%0D%0A")

    def test_when_they_arrived(self) -> None:
        """One instant for each, in their order; none at all when our clock was not set."""
        self.assertEqual(
            received_header([record(), record(received_at=NOON + SECOND // 2)]),
            "2024-04-02T10:00:00Z,2024-04-02T10:00:00.500000Z",
        )
        self.assertIsNone(received_header([record(), record(received_at=7 * SECOND)]))


class FittingTests(SynchronousTestCase):
    """How many go together."""

    @given(st.lists(st.integers(0, BODY_BYTES // 3), min_size=1, max_size=10), st.integers(1, 8))
    def test_as_many_as_fit(self, sizes: list[int], most: int) -> None:
        """One goes in any case, and then as many as the body of our own servers may hold."""
        records = [record("x" * size) for size in sizes]
        number = fitting(records, most)
        self.assertTrue(1 <= number <= most)
        if number > 1:
            self.assertLessEqual(len(form_body(records[:number])), BODY_BYTES)
        if number < min(most, len(records)):
            self.assertGreater(len(form_body(records[: number + 1])), BODY_BYTES)

    def test_too_long_a_telegram_goes_alone(self) -> None:
        """Whether the other server takes it is not ours to say."""
        self.assertEqual(fitting([record("x" * BODY_BYTES), record()], 9), 1)

    def test_with_and_without_a_time(self) -> None:
        """Those of the time before our clock was set do not take it away from others."""
        early, late = record(received_at=YEAR_2020 - 1), record(received_at=YEAR_2020)
        self.assertEqual(fitting([early, early, late, late], 9), 2)
        self.assertEqual(fitting([late, early], 9), 1)
        self.assertEqual(fitting([], 9), 0)

    def test_what_a_server_takes(self) -> None:
        """It says so in a number; what is none, or a huge one, does no harm."""
        said = {None: 1, "100": 100, "7": 7, "0": 1, "-5": 1, "many": 1, "9" * 50: 1, "100000": MOST_TOGETHER, "²": 1}
        self.assertEqual({text: taken_together(text) for text in said}, said)


class AnswerTests(SynchronousTestCase):
    """What another server's answer means."""

    def test_verdicts(self) -> None:
        """200 and 201 mean stored, four others never; with any other the telegrams are kept."""
        verdicts = {status: Answer(status).verdict for status in range(100, 600)}
        self.assertEqual([status for status in verdicts if verdicts[status] is Verdict.STORED], [200, 201])
        refusals = [status for status in verdicts if verdicts[status] is Verdict.REFUSED]
        self.assertEqual(refusals, [400, 413, 415, 422])

    def test_words(self) -> None:
        """A person is told what to look at, and what a refusal says."""
        for status, words in (
            (401, "is the key right"),
            (403, "is the key right"),
            (404, "is the address right"),
            (405, "is its API switched on"),
            (301, "not followed"),
            (308, "give the right address"),
            (429, "asks for patience"),
            (503, "asks for patience"),
            (204, "it answers with status 204"),
            (500, "it answers with status 500"),
        ):
            self.assertIn(words, Answer(status).words)
        self.assertEqual(Answer(400, "Invalid data").words, "it answers with status 400 and says: Invalid data")

    def test_patience_has_bounds(self) -> None:
        """A server that wants to be left alone for a year is asked again in some minutes."""
        pauses = [bounded_pause(seconds) for seconds in (-5.0, 7.0, 1e9)]
        self.assertEqual(pauses, [0.0, 7.0, LONGEST_PAUSE_S])

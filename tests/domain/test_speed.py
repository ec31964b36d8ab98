"""Tests of dsmr_tw.domain.speed: the speed of a line, found by listening to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.speed import (
    FAST,
    FOREIGN,
    LEAST_BYTES,
    MOST_BYTES,
    SEVEN_BITS,
    SLOW,
    LineSetting,
    SpeedSearch,
)
from tests.domain.test_resemblance import AUSTRIAN
from tests.encrypting import encrypted
from tests.golden_telegrams import every, telegram
from tests.printing import printed
from tests.uart import through

DUTCH = telegram("dsmr-5-0-02")
OLD = telegram("dsmr-2-2-3-0-06")


def searched(data: bytes, spoken: LineSetting, search: SpeedSearch, rounds: int = 8, inverted: bool = False) -> bytes:
    """What a search brings that hears some bytes again and again, with a pause behind each time: the last of them."""
    sent = b""
    for _ in range(rounds):
        sent = search.take(through(data, spoken, search.setting, inverted))
        search.conclude()
    return sent


class SpeedTests(SynchronousTestCase):
    """The search."""

    def test_each_way_to_speak(self) -> None:
        """Every meter is understood, byte for byte, in each way to speak and from each place to begin."""
        for name in every()[::15]:
            data = telegram(name)
            for spoken in (FAST, SLOW, SEVEN_BITS):
                if spoken is SEVEN_BITS and not data.isascii():
                    continue
                for begin in (FAST, SLOW):
                    search = SpeedSearch(begin)
                    self.assertEqual(searched(data, spoken, search, 3), data, f"{name}, {spoken} from {begin}")
                    self.assertEqual(str(search.spoken), str(spoken), name)

    def test_the_first_pause(self) -> None:
        """A wrong speed is left at the first pause of the line, so that the next telegram comes whole."""
        search = SpeedSearch()
        search.take(through(OLD, SEVEN_BITS, FAST))
        self.assertTrue(search.conclude())
        self.assertEqual(search.take(through(OLD, SEVEN_BITS, SLOW)), OLD)

    def test_no_pause(self) -> None:
        """A line that never pauses is judged all the same."""
        search = SpeedSearch()
        search.take(b"\xff\x00" * (MOST_BYTES // 2 - 1))
        self.assertFalse(search.is_full)
        search.take(b"\xff\x00")
        self.assertTrue(search.is_full)

    def test_too_little(self) -> None:
        """A few bytes of noise, as when a cable is plugged in, mean nothing; together with others they do."""
        search = SpeedSearch()
        search.take(b"\xff" * (LEAST_BYTES - 1))
        self.assertFalse(search.conclude())
        search.take(b"\xff")
        self.assertTrue(search.conclude())

    def test_silence(self) -> None:
        """A line on which nothing comes is tried at either speed of a P1 port, and at no other."""
        search = SpeedSearch()
        tried = []
        for _ in range(4):
            search.give_up()
            tried.append(search.setting)
        self.assertEqual(tried, [SLOW, FAST, SLOW, FAST])

    def test_found(self) -> None:
        """Once a telegram came nothing leads astray, until no telegram came for a while; then noise does."""
        search = SpeedSearch()
        search.take(b"\xff" * 100)
        search.settle()
        search.take(b"\xff" * MOST_BYTES)
        self.assertEqual((search.conclude(), search.is_full, search.recent), (False, False, b""))
        search.doubt()
        self.assertFalse(search.conclude())
        search.take(through(OLD, SEVEN_BITS, FAST))
        self.assertTrue(search.conclude())
        self.assertEqual(search.setting, SLOW)

    def test_damaged(self) -> None:
        """A line that is read rightly and has a bad cable stays as it is."""
        search = SpeedSearch()
        searched(DUTCH.replace(b"0", b"\xb3", 60), FAST, search)
        self.assertEqual(search.setting, FAST)

    def test_frames(self) -> None:
        """A meter that encrypts is listened to where its frames are recognised, and so is an inverted line."""
        for begin in (FAST, SLOW):
            search = SpeedSearch(begin)
            searched(encrypted(printed(1), 1), FAST, search)
            self.assertEqual(search.setting, FAST)
            search = SpeedSearch(begin)
            searched(DUTCH, FAST, search, inverted=True)
            self.assertEqual(search.setting, FAST)

    def test_other_protocols(self) -> None:
        """A meter that speaks M-Bus is heard at its own speed after both of P1 were tried twice."""
        for spoken in FOREIGN:
            search = SpeedSearch()
            searched(AUSTRIAN, spoken, search, 20)
            self.assertIn(AUSTRIAN, search.recent)
            self.assertEqual(search.setting.baud, 2400)

    def test_back_from_there(self) -> None:
        """Where nothing at all is recognised the search goes on for ever, and comes by each setting."""
        search, seen = SpeedSearch(), []
        for _ in range(12):
            seen.append(search.setting)
            search.take(b"\x00\xff\x81\x9d" * 8)
            search.conclude()
        self.assertEqual(seen, [FAST, SLOW, FAST, SLOW, *FOREIGN] * 2)

    @settings(max_examples=10)
    @given(integers(0, len(DUTCH)), sampled_from((FAST, SLOW, SEVEN_BITS)), sampled_from((FAST, SLOW)))
    def test_in_the_midst(self, start: int, spoken: LineSetting, begin: LineSetting) -> None:
        """A server that is started in the midst of a telegram has the one after the next at the latest."""
        search = SpeedSearch(begin)
        search.take(through(DUTCH[start:], spoken, search.setting))
        search.conclude()
        self.assertEqual(searched(DUTCH, spoken, search, 2), DUTCH)

    def test_memory(self) -> None:
        """However much noise comes, only the last of it is kept."""
        search = SpeedSearch()
        for _ in range(20):
            search.take(b"\xff" * 1000)
        self.assertEqual(len(search.recent), MOST_BYTES)

"""Tests of dsmr_tw.source: a line that comes and goes, what is counted of it, and what is said about it."""

from __future__ import annotations

import errno

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.device import SerialDevice, TcpDevice
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.quality import LineFigures
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.speed import FAST, FOREIGN, SEVEN_BITS, SLOW
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import CrcError, TelegramError
from dsmr_tw.hearing import Hearing
from dsmr_tw.interfaces import ISource
from dsmr_tw.source import Source, device_source, retry_delay
from dsmr_tw.sourcehealth import SourceHealth
from tests.cable import START, Cable, Meter
from tests.domain.test_resemblance import AUSTRIAN
from tests.golden_telegrams import telegram
from tests.printing import printed
from tests.telegramtext import telegram as made_up
from tests.uart import through

ABSENT = FileNotFoundError(errno.ENOENT, "No such file or directory")


class TakingTests(SynchronousTestCase):
    """What becomes of telegrams."""

    def test_telegram(self) -> None:
        """A telegram goes onward with its arrival and origin, and is counted."""
        meter = Meter()
        source = meter.source()
        meter.clock.advance(0.5)
        meter.cable.send(printed(1))
        self.assertEqual([telegram.data for telegram in meter.taken], [printed(1)[:-6]])
        self.assertEqual(meter.instants, [START * SECOND + SECOND // 2])
        self.assertEqual(meter.origins, {Origin("device /dev/ttyUSB0", 7)})
        self.assertEqual(
            source.health,
            SourceHealth(
                "device /dev/ttyUSB0",
                True,
                START * SECOND + SECOND // 2,
                telegrams=1,
                dialect="DSMR 5.0",
                bytes_received=len(printed(1)),
                line=LineFigures(1, 0, 1, 0),
            ),
        )

    def test_dialect(self) -> None:
        """The dialect is that of the last telegram taken, with its unknown lines; no setting names it."""
        meter = Meter()
        source = meter.source()
        self.assertIsNone(source.health.dialect)
        meter.cable.send(telegram("be-emucs-50217-00"))
        self.assertEqual((source.health.dialect, source.health.unknown_lines), ("eMUCS 50217", 0))
        meter.cable.send(telegram("ace4000"))
        self.assertEqual((source.health.dialect, source.health.unknown_lines), ("ACE4000", 25))
        meter.cable.send(telegram("be-emucs-50213-00"))
        self.assertEqual((source.health.dialect, source.health.crc_errors), ("ACE4000", 1))

    def test_refused(self) -> None:
        """Telegrams refused for their CRC are counted apart from others; both are told onward with the origin."""
        meter = Meter()
        source = meter.source()
        bad, cut = printed(1).replace(b"000001", b"000003", 1), printed(2)[:40] + b"\r\n"
        meter.cable.send(b"noise\r\n" + bad + cut + printed(3))
        health = source.health
        self.assertEqual((health.telegrams, health.crc_errors, health.rejected, health.bytes_skipped), (1, 1, 1, 7))
        self.assertEqual([type(error) for error in meter.errors], [CrcError, TelegramError])
        self.assertEqual(meter.origins, {Origin("device /dev/ttyUSB0", 7)})

    def test_refused_behind_the_line(self) -> None:
        """A telegram that the program behind can't use counts as refused, and no telegram for /health."""
        meter = Meter(refusal=TelegramError("nothing measurable in it"))
        source = meter.source()
        for _ in range(60):
            meter.cable.send(printed(1))
            meter.wait(1)
        health = source.health
        self.assertEqual((health.telegrams, health.rejected, len(meter.errors)), (0, 60, 60))
        self.assertEqual(
            health.problem(),
            "device /dev/ttyUSB0: no telegram for 60 s; the last one was refused: nothing measurable in it",
        )

    def test_the_meters_clock(self) -> None:
        """How far it is from ours is known after a telegram, if both are set and somebody wants to compare them."""
        meter = Meter()
        source = meter.source(zone=meter_zone("Europe/Amsterdam"))
        self.assertIsNone(source.health.clock_offset_s)
        meter.cable.send(made_up(clock="240402140003S").encode())
        self.assertEqual(source.health.clock_offset_s, 2 * 3600 + 3)
        meter.cable.send(made_up(clock="240402115900S").encode())
        self.assertEqual((source.health.clock_offset_s, source.health.problem()), (-60, None))
        meter.cable.send(made_up(without="0-0:1.0.0").encode())
        self.assertIsNone(source.health.clock_offset_s)
        meter.clock.rightNow = 100.0
        meter.cable.send(made_up().encode())
        self.assertIsNone(source.health.clock_offset_s)
        stranger = Meter()
        source = stranger.source()
        stranger.cable.send(made_up().encode())
        self.assertIsNone(source.health.clock_offset_s)

    def test_policy(self) -> None:
        """A source whose CRC is not checked takes telegrams with any."""
        meter = Meter()
        meter.source(crc=CrcPolicy.OFF)
        meter.cable.send(printed(1)[:-6] + b"0000\r\n")
        self.assertEqual(len(meter.taken), 1)

    def test_port(self) -> None:
        """Whoever asks sources for their health can ask this one."""
        verifyObject(ISource, Meter().source())

    def test_health_is_a_copy(self) -> None:
        """Who asked for the health keeps what it was then."""
        meter = Meter()
        before = meter.source().health
        meter.cable.send(printed(1))
        self.assertEqual(before.telegrams, 0)


class ConnectingTests(SynchronousTestCase):
    """Lines that come and go."""

    def test_absent_then_plugged(self) -> None:
        """A device that appears after the start is found, however long it took, and at least every 30 s."""
        meter = Meter(Cable(ABSENT))
        source = meter.source()
        self.assertFalse(source.health.connected)
        meter.cable.trouble = None
        meter.clock.advance(0.5)
        self.assertTrue(source.health.connected)
        meter.cable.send(printed(1))
        self.assertEqual((len(meter.taken), source.health.reconnects), (1, 0))

    def test_unplugged_and_plugged_again(self) -> None:
        """A device that comes back is read again, and a telegram cut in two does not spoil the next."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(printed(1) + printed(2)[:50])
        meter.cable.cut()
        self.assertFalse(source.health.connected)
        meter.clock.advance(0.5)
        meter.cable.send(printed(3))
        health = source.health
        self.assertEqual((health.connected, health.reconnects, health.telegrams, health.rejected), (True, 1, 2, 1))

    def test_backoff(self) -> None:
        """The first attempt comes after half a second, each later one after twice as long, up to 30 s."""
        waits = [retry_delay(attempt) for attempt in (1, 2, 3, 4, 7, 2000)]
        for wait, expected in zip(waits, (0.5, 1, 2, 4, 30, 30), strict=True):
            self.assertTrue(expected <= wait <= expected + 0.1, waits)

    def test_closed_at_once(self) -> None:
        """A host that accepts and hangs up is asked less and less often, until it sends a telegram."""
        meter = Meter()
        meter.source()
        for attempt in (1, 2, 3):
            meter.cable.cut()
            meter.clock.advance(0.5 * attempt - 0.01)
            self.assertEqual(meter.cable.attempts, attempt)
            meter.clock.advance(0.01)
            self.assertEqual(meter.cable.attempts, attempt + 1)
        meter.cable.send(printed(1))
        meter.cable.cut()
        meter.clock.advance(0.5)
        self.assertEqual(meter.cable.attempts, 5)

    def test_stopping(self) -> None:
        """A stopped source has closed its line, tries nothing more, and blames no one for the telegram it cut off."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(printed(1)[:50])
        with capturedLogs() as events:
            self.successResultOf(source.stopService())
        self.assertEqual(meter.clock.getDelayedCalls(), [])
        self.assertEqual((source.health.connected, source.health.rejected, meter.errors), (False, 0, []))
        self.assertEqual(events, [])

    def test_stopping_while_away(self) -> None:
        """A source that waits for its device stops at once, and can be started again."""
        meter = Meter(Cable(ABSENT))
        source = meter.source()
        self.successResultOf(source.stopService())
        self.assertEqual(meter.clock.getDelayedCalls(), [])
        meter.cable.trouble = None
        source.startService()
        meter.cable.send(printed(1))
        self.assertEqual(len(meter.taken), 1)

    def test_stopping_while_connecting(self) -> None:
        """A source that waits for a host's answer stops at once, and says nothing about the attempt given up."""
        meter = Meter(Cable(slow=True))
        source = meter.source()
        with capturedLogs() as events:
            self.successResultOf(source.stopService())
        self.assertEqual((events, source.health.trouble), ([], None))


class SilenceTests(SynchronousTestCase):
    """A line on which no telegram comes."""

    def test_half_open(self) -> None:
        """A TCP connection without a telegram for a minute is made again, and what comes then is taken."""
        meter = Meter()
        source = meter.source(reconnect_when_silent=True)
        meter.cable.send(printed(1))
        meter.wait(59)
        self.assertEqual(meter.cable.attempts, 1)
        meter.wait(2)
        self.assertEqual((meter.cable.attempts, source.health.connected), (2, True))
        meter.cable.send(printed(2))
        self.assertEqual((len(meter.taken), source.health.reconnects, source.health.problem()), (2, 1, None))

    def test_each_connection_has_its_minute(self) -> None:
        """A new connection is not given up for the silence of the one before it."""
        meter = Meter()
        meter.source(reconnect_when_silent=True)
        meter.wait(40)
        meter.cable.cut()
        meter.wait(40)
        self.assertEqual(meter.cable.attempts, 2)

    def test_silent_port(self) -> None:
        """A serial port that is silent stays open, and /health says what to look at."""
        meter = Meter()
        source = meter.source()
        meter.wait(59)
        self.assertIsNone(source.health.problem())
        meter.wait(1)
        self.assertEqual(meter.cable.attempts, 1)
        self.assertIn("/dev/ttyUSB0: no telegram for 60 s; connected, but nothing comes", source.health.problem() or "")
        meter.cable.send(printed(1))
        self.assertIsNone(source.health.problem())

    def test_wrong_baud_rate(self) -> None:
        """A line full of bytes that are no telegrams is told from a dead one."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(b"\xff\x00\xb3" * 100)
        meter.wait(60)
        self.assertIn("bytes came, but no telegram", source.health.problem() or "")

    def test_wrong_crc(self) -> None:
        """A line whose telegrams are all refused is a problem that names the reason, and nothing else is blamed."""
        meter = Meter()
        source = meter.source()
        with capturedLogs() as events:
            for _ in range(60):
                meter.cable.send(printed(1).replace(b"000001", b"000003", 1))
                meter.wait(1)
        self.assertIn("the last one was refused: CRC given", source.health.problem() or "")
        self.assertEqual(len([event for event in events if event["log_level"] > LogLevel.debug]), 1)

    def test_absent(self) -> None:
        """A device that is away for a minute is a problem that names its cause."""
        meter = Meter(Cable(ABSENT))
        source = meter.source()
        meter.wait(60)
        self.assertIn("is the cable plugged in?", source.health.problem() or "")

    def test_clock_that_is_set(self) -> None:
        """A clock that jumps by fifty years, as after a boot in 1970, is no silence and costs no connection."""
        meter = Meter()
        source = meter.source(reconnect_when_silent=True)
        meter.cable.send(printed(1))
        meter.clock.advance(50 * 365 * 86400)
        self.assertEqual((meter.cable.attempts, source.health.problem()), (1, None))

    def test_silence_without_a_cause(self) -> None:
        """A problem is told even when its cause is not known."""
        self.assertEqual(SourceHealth("demo", quiet_s=75).problem(), "demo: no telegram for 75 s")


class HearingTests(SynchronousTestCase):
    """A port whose speed is found by listening."""

    def setUp(self) -> None:
        """A source that listens."""
        self.meter = Meter()
        self.hearing = Hearing(self.meter.clock)
        self.source = self.meter.source(hearing=self.hearing)

    def send(self, heard: bytes) -> None:
        """Let the port hear something."""
        self.meter.cable.send(self.hearing.heard(heard))

    def test_found(self) -> None:
        """How the meter speaks is shown from the first telegram on, and told once."""
        self.assertIsNone(self.source.health.serial)
        with capturedLogs() as events:
            self.send(printed(1) + printed(2))
        self.assertEqual(self.source.health.serial, "115200 8N1")
        self.assertEqual(len([event for event in events if "serial" in event]), 1)

    def test_found_by_one_of_no_use(self) -> None:
        """A telegram in which nothing can be used tells the speed all the same, if its CRC is right."""
        self.meter.refusal = TelegramError("nothing measurable in it")
        self.send(printed(1))
        self.assertEqual(self.source.health.serial, "115200 8N1")

    def test_not_found_by_one_that_may_be_noise(self) -> None:
        """A telegram without a CRC in which nothing can be used tells nothing."""
        self.meter.refusal = TelegramError("nothing measurable in it")
        self.send(telegram("dsmr-2-2-3-0-06"))
        self.assertIsNone(self.source.health.serial)
        self.meter.refusal = None
        self.send(telegram("dsmr-2-2-3-0-06"))
        self.assertEqual(self.source.health.serial, "115200 8N1")

    def test_another_meter(self) -> None:
        """After a minute without a telegram the search begins anew; till then nothing leads it astray."""
        self.send(printed(1))
        for second in range(59):
            self.send(through(printed(second), SEVEN_BITS, FAST))
            self.meter.wait(1)
        self.assertEqual(self.hearing.search.setting, FAST)
        self.meter.wait(1)
        self.assertIsNone(self.source.health.serial)
        self.send(through(printed(2), SEVEN_BITS, FAST))
        self.meter.wait(1)
        self.send(through(printed(3), SEVEN_BITS, SLOW))
        self.assertEqual((self.source.health.serial, len(self.meter.taken)), ("9600 7E1", 2))

    def test_noise(self) -> None:
        """Bytes that make sense at no speed are told as such."""
        for _ in range(60):
            self.send(b"\xff\x00\x81\x9d" * 8)
            self.meter.wait(1)
        self.assertIn("bytes came, but no telegram; they make sense at no speed", self.source.health.problem() or "")

    def test_another_protocol(self) -> None:
        """A meter that speaks M-Bus more slowly than any P1 port is called by its name, however late it is heard."""
        for _ in range(12):
            self.send(through(AUSTRIAN, FOREIGN[0], self.hearing.search.setting))
            self.meter.wait(20)
        self.assertIn("it looks like frames of M-Bus", self.source.health.problem() or "")

    def test_inverted(self) -> None:
        """A cable without an inverter is called by its name, with what helps."""
        for number in range(60):
            self.send(through(printed(number), FAST, FAST, inverted=True))
            self.meter.wait(1)
        self.assertIn("it looks like a P1 signal that is inverted; the cable lacks", self.source.health.problem() or "")

    def test_silence(self) -> None:
        """A port at which nothing comes is listened to at each speed, while it is open."""
        self.meter.wait(30)
        self.assertEqual(self.hearing.search.setting, SLOW)
        self.meter.cable.trouble = ABSENT
        self.meter.cable.cut()
        self.meter.wait(300)
        self.assertEqual(self.hearing.search.setting, SLOW)


class QualityTests(SynchronousTestCase):
    """How good the line is."""

    def test_where_it_breaks(self) -> None:
        """Each refused telegram is compared with the last good one, and the rest is counted."""
        meter = Meter()
        source = meter.source()
        bad = printed(2).replace(b"1-0:2.8.1(0000", b"1-0:2.8.1(")
        for _ in range(10):
            meter.cable.send(printed(1) + printed(2) + bad)
            meter.wait(1)
        line = source.health.line
        self.assertEqual((line.telegrams, line.crc_errors), (30, 10))
        self.assertEqual((line.breaks_at_line, line.breaks_at, line.bytes_lost), (7, "1-0:2.8.1", 4))
        self.assertIn(
            "10 of the last 30 telegrams had a wrong CRC; most break at line 7", source.health.problem() or ""
        )

    def test_bytes(self) -> None:
        """All that came is counted, also over connections that came and went."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(b"12345")
        meter.cable.cut()
        meter.clock.advance(0.5)
        meter.cable.send(b"123")
        self.assertEqual(source.health.bytes_received, 8)


class TellingTests(SynchronousTestCase):
    """What stands in the log."""

    def said(self, meter: Meter, source: Source, *events: object) -> list[str]:
        """What is said above debug level while things happen: an error befalls the cable, seconds pass, bytes come."""
        with capturedLogs() as captured:
            for event in events:
                if isinstance(event, bytes):
                    meter.cable.send(event)
                elif isinstance(event, int):
                    meter.wait(event)
                else:
                    meter.cable.trouble = event if isinstance(event, Exception) else None
                    if meter.cable.line and meter.cable.line.connected:
                        meter.cable.cut()
        told = [event for event in captured if event["log_level"] > LogLevel.debug]
        for event in told:
            self.assertEqual(event["source"], "device /dev/ttyUSB0")
        return [formatEvent(event).removeprefix("device /dev/ttyUSB0: ") for event in told]

    def test_once(self) -> None:
        """A device that is unplugged for an hour and plugged in again is worth four lines."""
        meter = Meter()
        source = meter.source()
        meter.cable.send(printed(1))
        self.assertEqual(
            self.said(meter, source, ABSENT, 3600, None, 600, printed(2), printed(3)),
            [
                "the connection was lost; trying again",
                "there is no such device now; is the cable plugged in?",
                "connected",
                "connected, but nothing comes; is the cable in the meter's P1 port, and is the port enabled?",
                "telegrams come",
            ],
        )

    def test_each_cause(self) -> None:
        """Another cause is told when it is new, not when it comes and goes."""
        busy, denied = OSError(errno.EBUSY, "busy"), PermissionError(errno.EACCES, "denied")
        meter = Meter(Cable(ABSENT))
        source = meter.source()
        told = self.said(meter, source, busy, 60, denied, 60, busy, 60, denied, 60)
        self.assertEqual(len(told), 2)
        self.assertIn("another program", told[0])
        self.assertIn("dialout", told[1])

    def test_again_after_a_telegram(self) -> None:
        """What happens again after a telegram came is told again."""
        meter = Meter()
        source = meter.source()
        once = self.said(meter, source, printed(1), None, 2, printed(2))
        again = self.said(meter, source, None, 2, printed(3))
        self.assertEqual(again, ["the connection was lost; trying again", "connected", "telegrams come"])
        self.assertEqual(once, ["telegrams come", *again])

    def test_silent_host(self) -> None:
        """A host that accepts and stays silent for a day is worth as many lines as one that does for five minutes."""
        meter = Meter()
        source = meter.source(reconnect_when_silent=True)
        self.assertEqual(len(self.said(meter, source, 300)), 2)
        self.assertEqual(self.said(meter, source, 86_400), [])

    def test_refusals(self) -> None:
        """Of a row of refused telegrams the first is told, with its reason."""
        meter = Meter()
        source = meter.source()
        bad = printed(1).replace(b"000001", b"000003", 1)
        told = self.said(meter, source, printed(1), bad, bad, bad, printed(2), bad)
        self.assertEqual(len(told), 3)
        self.assertTrue(told[1].startswith("telegram refused: CRC given "), told)
        self.assertEqual(told[1], told[2])


class DeviceSourceTests(SynchronousTestCase):
    """Sources for what ``--device`` names."""

    def source(self, device: SerialDevice | TcpDevice) -> Source:
        """A source with settings of its own."""
        meter = Meter()
        return device_source(device, MemoryReactorClock(), meter.take, meter.refuse, crc=CrcPolicy.OFF, meter_id=3)

    def test_settings(self) -> None:
        """Telegrams carry the device's name and the meter that it is tied to."""
        source = self.source(SerialDevice("/dev/ttyUSB0"))
        self.assertEqual((source.origin, source.crc), (Origin("device /dev/ttyUSB0", 3), CrcPolicy.OFF))
        self.assertEqual(source.health.serial, "115200 8N1")
        self.assertIsNone(self.source(TcpDevice("192.0.2.7", 2001)).health.serial)

    def test_silence(self) -> None:
        """Only what can die unnoticed is connected again when it is silent."""
        self.assertTrue(self.source(TcpDevice("192.0.2.7", 2001)).reconnect_when_silent)
        self.assertFalse(self.source(SerialDevice("/dev/ttyUSB0")).reconnect_when_silent)

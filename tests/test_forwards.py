"""Tests of dsmr_tw.forwards: which telegrams are offered to the servers, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.reading import SECOND, Arrival, Origin, Receipt
from dsmr_tw.domain.spooled import Record
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import StoreUnavailable, TelegramError
from dsmr_tw.forwarding import Forward
from dsmr_tw.forwards import BEHIND_S, Forwards
from dsmr_tw.interfaces import IReporting, ITarget
from dsmr_tw.spool import Spool
from dsmr_tw.undated import Undated
from dsmr_tw.unsent import Unsent
from tests.arrivals import NOON, heard
from tests.forwardcase import ForwardCase, Target, away, numbered
from tests.serving import Work
from tests.telegramtext import telegram

CABLE = Origin("device /dev/ttyUSB0")


def raw(text: str, crc: CrcPolicy = CrcPolicy.STRICT) -> RawTelegram:
    """A telegram from a line."""
    [outcome] = outcomes_in(text.encode("latin-1"), crc)
    assert isinstance(outcome, RawTelegram)
    return outcome


class OfferedCase(ForwardCase):
    """Two servers, of which the test looks at what they are given."""

    def setUp(self) -> None:
        """Both take everything."""
        super().setUp()
        self.given: list[Record] = []
        self.other = Target()
        spool = Spool(self.directory.with_name("other"), maybeDeferred)
        spool.open()
        second = Forward(self.other, Unsent("http://other.example", spool, self.limits, self.ticks.seconds), self.clock)
        self.forwards = Forwards([self.forward, second], "Europe/Amsterdam")
        for server in self.forwards.servers:
            server.take = self.given.append  # type: ignore[assignment, method-assign]
        self.addCleanup(self.close, second, spool)


class OfferedTests(OfferedCase):
    """Which telegrams."""

    def hear(self, text: str, crc: CrcPolicy = CrcPolicy.STRICT) -> Telegram:
        """A telegram comes from the line."""
        parser = TelegramParser()
        return self.forwards.hearing(lambda raw, at, origin: parser.parse(raw))(raw(text, crc), NOON, CABLE)

    def test_of_a_line(self) -> None:
        """Each server is given what the meter printed, with its arrival, and the source what it says."""
        self.assertEqual(self.hear(telegram()).dialect, "DSMR 5.0")
        self.assertEqual(self.given, [Record(NOON, CABLE, "Europe/Amsterdam", False, telegram().rstrip("\r\n"))] * 2)

    def test_a_stripped_crc(self) -> None:
        """It is made again, since servers insist on it."""
        self.hear(f"{telegram()[:-6]}\r\n", CrcPolicy.OPTIONAL)
        self.assertEqual(self.given[0].telegram, telegram().rstrip("\r\n"))

    def test_a_refused_one(self) -> None:
        """What is not taken here is not sent elsewhere."""

        def refuse(raw: RawTelegram, at: int, origin: Origin) -> Telegram:
            raise TelegramError("nothing measurable in it")

        self.assertRaises(TelegramError, self.forwards.hearing(refuse), raw(telegram()), NOON, CABLE)
        self.assertEqual(self.given, [])

    def test_over_http(self) -> None:
        """What was stored for the first time is sent on; neither what was there, nor what came from a line."""
        posted = evolve(heard(1), origin=Origin("key 1"))
        own = heard(2)
        without = evolve(heard(3), origin=Origin("key 1"), telegram=None)
        new, old = Receipt(1, 1, True), Receipt(1, 1, False)
        self.forwards.stored({own.origin.name}, [posted, posted, own, without], [new, old, new, new])
        self.assertEqual([record.telegram for record in self.given], [posted.telegram] * 2)
        self.assertEqual(self.given[0].received_at, posted.received_at)


@implementer(ITarget)
class Deaf:
    """A server that is away."""

    name = "http://deaf.example"

    def post(self, records: Sequence[Record]) -> Deferred[Answer]:
        """See ``ITarget``."""
        return fail(away(()))


class DatedTests(ForwardCase):
    """Telegrams without a clock, on a computer that begins in 1970."""

    def setUp(self) -> None:
        """It is on for 25 seconds; the server takes everything."""
        super().setUp()
        self.clock.rightNow = self.ticks.rightNow = 25.0
        self.waiting = Spool(self.directory.with_name("undated"), maybeDeferred)
        self.waiting.open()
        self.addCleanup(self.waiting.close)
        self.dated: list[Arrival] = []
        self.undated = Undated(self.waiting, self.clock, self.ticks.seconds, self.store, self.limits)
        self.forwards = Forwards([self.forward], "Europe/Amsterdam")
        self.forwards.wait_for(self.undated)
        self.undated.startService()
        self.addCleanup(lambda: self.successResultOf(self.undated.stopService()))

    def store(self, arrivals: Sequence[Arrival]) -> Deferred[None]:
        """What a server of ours does with them itself."""
        self.dated += arrivals
        return succeed(None)

    def hear(self, text: str, by_arrival: bool = False) -> None:
        """A telegram comes from the line."""

        def take(raw: RawTelegram, received_at: int, origin: Origin) -> Telegram:
            said = TelegramParser().parse(raw)
            arrived = arrival(said, origin, received_at, meter_zone("Europe/Amsterdam"), by_arrival)
            if self.undated.wants(arrived):
                self.undated.hear(arrived)
            return said

        self.forwards.hearing(take)(raw(text), round(self.clock.seconds() * SECOND), CABLE)

    def sent(self, record: Record) -> tuple[str, int]:
        """A telegram as the server gets it: what it is, and how many seconds after noon it arrived."""
        return record.telegram, (record.received_at - NOON) // SECOND

    def test_they_wait_for_their_date(self) -> None:
        """A server that gets them after a long time gets each with the time at which it came, and gets it once."""
        silent = telegram(without="0-0:1.0.0").strip()
        given: list[Record] = []
        self.forward.take = given.append  # type: ignore[assignment, method-assign]
        self.hear(f"{silent}\r\n")
        self.pass_time(600)
        self.assertEqual((given, self.dated), ([], []))
        self.hear(f"{silent}\r\n")
        self.clock.rightNow = NOON / SECOND + 1000
        self.pass_time(30)
        # The second one came when the clock was set to noon and 1000 seconds, the first 600 s before that.
        self.assertEqual([self.sent(record) for record in given], [(silent, 400), (silent, 1000)])
        self.assertEqual(len(self.dated), 2)
        self.hear(f"{silent}\r\n")
        self.assertEqual(self.sent(given[2]), (silent, 1030))

    def test_one_with_a_clock(self) -> None:
        """It counts by that, and does not wait."""
        given: list[Record] = []
        self.forward.take = given.append  # type: ignore[assignment, method-assign]
        self.hear(telegram())
        self.assertEqual([record.telegram for record in given], [telegram().strip()])

    def test_one_with_a_clock_that_is_not_trusted(self) -> None:
        """It waits for its date here, and not on its way elsewhere; it is sent once."""
        given: list[Record] = []
        self.forward.take = given.append  # type: ignore[assignment, method-assign]
        self.hear(telegram(), by_arrival=True)
        self.assertEqual((len(given), len(self.dated)), (1, 0))
        self.clock.rightNow = NOON / SECOND
        self.pass_time(30)
        self.assertEqual((len(given), len(self.dated)), (1, 1))

    def test_the_server_is_away(self) -> None:
        """What was on the disk until it was dated is on the disk at once, and not in memory alone."""
        self.forward.target = Deaf()
        self.hear(telegram(without="0-0:1.0.0"))
        self.pass_time(5)
        self.clock.rightNow = NOON / SECOND
        self.pass_time(30)
        self.assertEqual(len(self.dated), 1)
        self.assertEqual((self.forward.unsent.in_memory, self.spool.records), (0, 1))


class ToldTests(ForwardCase):
    """What ``/health`` says."""

    def setUp(self) -> None:
        """One server."""
        super().setUp()
        self.forwards = Forwards([self.forward], "Europe/Amsterdam")

    def told(self) -> dict[str, object]:
        """What is told of it."""
        servers = self.forwards.figures()["servers"]
        assert isinstance(servers, list)
        [figures] = servers
        return dict(figures)

    def test_all_is_well(self) -> None:
        """Nothing waits."""
        self.assertTrue(verifyObject(IReporting, self.forwards))
        self.take(1)
        self.assertEqual(
            self.told(),
            {
                "name": "http://server.example:8080",
                "records": 0,
                "in_memory": 0,
                "bytes": 0,
                "oldest_at": None,
                "last_success_at": "2024-04-02T10:00:00Z",
                "last_error": None,
                "refused": 0,
                "damaged": 0,
                "lost": 0,
            },
        )
        self.assertEqual(self.forwards.problems(), [])

    def test_behind(self) -> None:
        """A server that lacks telegrams for more than a minute is a problem, said with its reason."""
        self.target.behave = away
        self.take(1, 2)
        self.pass_time(BEHIND_S)
        self.assertEqual(self.forwards.problems(), [])
        self.pass_time(1)
        self.assertEqual(
            self.forwards.problems(),
            [
                "http://server.example:8080: 2 telegrams wait, the oldest since 2024-04-02T10:00:01Z; "
                "it refuses the connection"
            ],
        )
        self.assertEqual((self.told()["records"], self.told()["oldest_at"]), (2, "2024-04-02T10:00:01Z"))
        self.target.behave = lambda numbers: Answer(201)
        self.pass_time(30)
        self.assertEqual(self.forwards.problems(), [])

    def test_refused(self) -> None:
        """A person is told where to look."""
        self.target.behave = lambda numbers: Answer(400, "no")
        self.take(1)
        [problem] = self.forwards.problems()
        self.assertIn("it refused 1 telegrams: they are in the file 'refused'", problem)

    def test_a_bad_disk(self) -> None:
        """Telegrams that are in memory alone, or lost, or can't be read, are problems."""
        work = Work()
        self.successResultOf(self.forward.stopService())
        self.spool.close()
        self.forwards = Forwards([self.forwarding(work)], "Europe/Amsterdam")
        self.target.behave = away
        work.error = StoreUnavailable("/var/lib/dsmr/forward/x: No space left on device")
        self.forward.take(numbered(1))
        self.forward.unsent.lost = 7
        self.forward.unsent.spool.damaged = 1
        problems = "\n".join(self.forwards.problems())
        self.assertIn("their spool takes none: x: No space left on device", problems)
        self.assertNotIn("/var", problems)
        self.assertIn("7 telegrams were lost", problems)
        self.assertIn("1 files of its spool can't be read", problems)

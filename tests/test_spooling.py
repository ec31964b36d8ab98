"""Tests of dsmr_tw.spooling: while the store is away nothing that was taken is lost, doubled or turned round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import IntakeFull, SpoolFull, StoreUnavailable
from dsmr_tw.groupcommit import PATIENCE
from dsmr_tw.limits import READINGS_WAITING
from tests.arrivals import NOON, SECOND_CABLE, posted
from tests.spoolingcase import AWAY, House, taken


class SpoolingCase(SynchronousTestCase):
    """A test with a house of its own."""

    def setUp(self) -> None:
        """Begin at noon, all being well."""
        self.house = self.new_house()

    def new_house(self, most_bytes: int | None = None) -> House:
        """A house with nothing in its spool or store."""
        path = Path(self.mktemp())
        house = House(path) if most_bytes is None else House(path, most_bytes=most_bytes)
        self.addCleanup(house.close)
        return house

    @contextmanager
    def no_spool(self) -> Iterator[None]:
        """No new file can be made in the spool."""
        path = self.house.spool.path
        path.rename(path.with_name("elsewhere"))
        yield
        path.with_name("elsewhere").rename(path)

    def assert_stored(self, *numbers: int) -> None:
        """These are in the store, each once, and came there in this order."""
        self.assertEqual(self.house.stored, list(numbers))

    def assert_nothing_is_left(self) -> None:
        """Nothing waits anywhere."""
        spooling = self.house.datalogger.spooling
        self.assertEqual((spooling.waiting, self.house.spool.records, spooling.draining.oldest_at), (0, 0, None))
        self.assertEqual(list(self.house.spool.path.iterdir()), [])


class OutageTests(SpoolingCase):
    """The store is away for a while."""

    def test_as_long_as_all_is_well_nothing_is_spooled(self) -> None:
        """A post is answered when it is stored, a line's telegram is stored within its second."""
        self.successResultOf(self.house.post(1))
        self.house.hear(2)
        self.house.go_on(1)
        self.assert_stored(1, 2)
        self.assert_nothing_is_left()

    def test_a_post_is_taken_all_the_same(self) -> None:
        """Its sender need not keep it; it is stored later, with the time at which it came."""
        self.house.go_away()
        self.successResultOf(self.house.post(1, 2))
        self.assertEqual(
            (self.house.spool.records, self.house.datalogger.spooling.draining.oldest_at), (2, NOON + 1_000_000)
        )
        self.house.come_back()
        self.assert_stored(1, 2)
        [meter] = self.successResultOf(self.house.store.meters.all())
        self.assertEqual((meter.first_seen_at, meter.last_seen_at), (NOON + 1_000_000, NOON + 2_000_000))
        self.assert_nothing_is_left()

    def test_a_line_goes_on(self) -> None:
        """Its telegrams are on disk within their second, and in the store when that is back."""
        self.house.go_away()
        self.house.hear(1, 2)
        self.house.go_on(1)
        self.house.hear(3)
        self.assertEqual(self.house.spool.records, 3)
        self.house.come_back()
        self.assert_stored(1, 2, 3)
        self.assert_nothing_is_left()

    def test_nothing_overtakes_what_waits(self) -> None:
        """While the spool is drained, what comes goes behind it; then everything is as before."""
        self.house.go_away()
        self.successResultOf(self.house.post(*range(1, 90)))
        self.house.writing.error, self.house.writing.held = None, True
        self.house.go_on(1)
        self.successResultOf(self.house.post(90))
        self.house.hear(91)
        self.assertEqual(self.house.spool.records, 91)
        self.house.writing.release()
        self.house.go_on(0)
        self.assert_stored(*range(1, 92))
        self.assert_nothing_is_left()
        self.house.writing.held = True
        self.assertNoResult(self.house.post(92))
        self.house.writing.release()

    def test_a_long_backlog(self) -> None:
        """It is stored batch by batch, in order."""
        self.house.go_away()
        for start in range(0, 1000, 100):
            self.successResultOf(self.house.post(*range(start, start + 100)))
        self.house.come_back()
        self.assert_stored(*range(1000))
        self.assert_nothing_is_left()

    def test_the_store_is_tried_less_and_less_often(self) -> None:
        """After 1, 2, 4, 8 and then every 10 seconds; and after the next outage again after 1."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        waits = []
        for _ in range(6):
            with capturedLogs():
                [call] = self.house.clock.getDelayedCalls()
                waits.append(round(call.getTime() - self.house.clock.seconds(), 3))
                self.house.go_on(waits[-1])
        self.assertEqual(waits, [1, 2, 4, 8, 10, 10])
        self.house.come_back()
        self.house.go_away()
        self.successResultOf(self.house.post(2))
        [call] = self.house.clock.getDelayedCalls()
        self.assertEqual(round(call.getTime() - self.house.clock.seconds(), 3), 1)

    def test_those_who_follow_are_told_when_it_is_stored(self) -> None:
        """Live values never show what is not in the store."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.assertEqual(self.house.told, [])
        self.house.come_back()
        self.assertEqual(self.house.told, [1])
        self.assertEqual(self.house.datalogger.readings, 1)

    def test_a_frozen_store(self) -> None:
        """A commit that does not end is an outage after three seconds; when it ends, all is stored once, in order."""
        self.house.writing.held = True
        answer = self.house.post(1)
        self.house.hear(2)
        self.assertNoResult(answer)
        self.house.go_on(PATIENCE)
        self.successResultOf(answer)
        self.successResultOf(self.house.post(3))
        self.assertEqual(self.house.spool.records, 3)
        self.house.writing.release()
        self.house.go_on(10)
        self.assert_stored(1, 2, 3)
        self.assert_nothing_is_left()

    def test_a_restart(self) -> None:
        """What waits is stored after it, before anything else of whichever origin."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.hear(2)
        self.house.stop()
        self.house.start()
        self.successResultOf(self.house.post(3))
        self.failureResultOf(self.house.datalogger.submit([posted(NOON)]), StoreUnavailable)
        self.house.come_back()
        self.assert_stored(1, 2, 3)
        self.successResultOf(self.house.datalogger.submit([posted(NOON)]))
        self.assert_nothing_is_left()

    def test_many_in_one_turn(self) -> None:
        """When answers come in slices, what arrives between them still goes behind."""
        self.house.writing.held = True
        answers = [self.house.post(number) for number in range(1, 121)]
        self.house.writing.error = AWAY
        self.house.clock.advance(PATIENCE)
        answers.append(self.house.post(121))
        self.house.go_on(0)
        for answer in answers:
            self.successResultOf(answer)
        self.house.come_back()
        self.house.writing.release()
        self.house.go_on(10)
        self.assert_stored(*range(1, 122))


class PostedReadingTests(SpoolingCase):
    """Readings of API version 2, which are answered with what the store says."""

    def test_they_are_not_spooled(self) -> None:
        """Their sender is told, and tries again."""
        self.house.go_away()
        self.failureResultOf(self.house.datalogger.submit([posted(NOON)]), StoreUnavailable)
        self.assert_nothing_is_left()

    def test_they_do_not_overtake_telegrams_of_the_same_key(self) -> None:
        """They are refused until those are stored; those of others are not."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.writing.error = None
        self.failureResultOf(self.house.datalogger.submit([posted(NOON)]), StoreUnavailable)
        other = evolve(posted(NOON), origin=SECOND_CABLE)
        self.successResultOf(self.house.datalogger.submit([other]))
        self.house.go_on(1)
        self.successResultOf(self.house.datalogger.submit([posted(NOON)]))


class RefusedTests(SpoolingCase):
    """Telegrams whose values the store does not take."""

    def poison(self, number: int) -> None:
        """Let the store refuse one reading."""
        self.house.store.database.writer().execute(
            f"CREATE TRIGGER poison BEFORE INSERT ON reading WHEN NEW.instant = {NOON + number * 1_000_000} "
            "BEGIN SELECT RAISE(ABORT, 'no such number'); END"
        )

    def test_one_in_the_spool(self) -> None:
        """It is kept for a person, and passed over."""
        self.poison(2)
        self.house.go_away()
        self.successResultOf(self.house.post(1, 2, 3))
        self.house.come_back()
        self.assert_stored(1, 3)
        kept = (self.house.spool.path / "refused").read_text("latin-1")
        self.assertIn("# refused: IntegrityError: no such number\n2024-04-02T10:00:02Z key 1\n/TST5", kept)
        self.assertIn("1-0:1.8.1(000002.000*kWh)", kept)
        self.assertEqual((self.house.spool.refused, self.house.spool.records), (1, 0))
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_the_disk_does_not_take_it(self) -> None:
        """Then it stays in the spool, and is tried again; what stands before and behind it is stored meanwhile."""
        self.poison(2)
        self.house.go_away()
        self.successResultOf(self.house.post(1, 2, 3))
        self.house.writing.error = None
        with self.no_spool():
            self.house.go_on(1)
            self.assert_stored(1, 3)
            self.assertEqual(self.house.spool.records, 3)
        self.house.go_on(10)
        self.assertEqual((self.house.spool.records, self.house.spool.refused), (0, 1))
        self.flushLoggedErrors()

    def test_a_record_that_is_no_telegram_any_more(self) -> None:
        """It is kept for a person, too."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        bad = taken(2)
        assert bad.telegram is not None
        bad = evolve(bad, telegram=bad.telegram.replace("(000002.000*kWh)", "(0000x2.000*kWh)"))
        self.successResultOf(self.house.datalogger.take([bad]))
        self.house.come_back()
        self.assert_stored(1)
        self.assertEqual((self.house.spool.refused, self.house.spool.records), (1, 0))
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_a_record_that_trips_us(self) -> None:
        """Whatever goes wrong while it is read, and what a newer program wrote: the rest does not wait for it."""
        self.house.go_away()
        odd = taken(1)
        assert odd.telegram is not None
        odd = evolve(odd, telegram=odd.telegram.rpartition("!")[0] + "!none")
        self.successResultOf(self.house.datalogger.take([odd]))
        self.successResultOf(self.house.spool.append([b"of a newer program"]))
        self.successResultOf(self.house.post(2))
        self.house.come_back()
        self.assert_stored(2)
        self.assertEqual((self.house.spool.refused, self.house.spool.records), (2, 0))
        kept = (self.house.spool.path / "refused").read_text("latin-1")
        self.assertIn("\nof a newer program\n", kept)
        self.assertIn("# refused: ValueError: ", kept)
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_one_of_a_post(self) -> None:
        """Its sender is told, as ever."""
        self.poison(2)
        self.failureResultOf(self.house.post(1, 2))
        self.assert_nothing_is_left()

    def test_one_of_a_line(self) -> None:
        """It is lost, counted and logged, as nobody waits for it."""
        self.poison(2)
        self.house.hear(1, 2, 3)
        self.house.go_on(1)
        self.assert_stored(1, 3)
        self.assertEqual(self.house.datalogger.spooling.lost, 1)
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class FullTests(SpoolingCase):
    """Neither store nor spool takes anything."""

    def test_the_spool_is_full(self) -> None:
        """A post is refused, a line's newest telegram is lost and counted, and what is there stays."""
        self.house = self.new_house(most_bytes=1500)
        self.house.go_away()
        with capturedLogs() as events:
            self.successResultOf(self.house.post(1))
            self.successResultOf(self.house.post(2))
            while self.house.datalogger.spooling.trouble is None:
                self.house.hear(3)
            lost = self.house.datalogger.spooling.lost
            self.failureResultOf(self.house.post(4, 5, 6), SpoolFull)
        self.assertEqual((lost, self.house.limits.hits["spool_bytes"]), (1, 4))
        self.assertEqual([e["log_level"] for e in events].count(LogLevel.error), 2)
        self.house.come_back()
        self.assertEqual(self.house.stored, [1, 2, 3])
        self.assertIsNone(self.house.datalogger.spooling.trouble)

    def test_the_spools_disk_refuses_a_post(self) -> None:
        """It is told at once; the store is tried with the next one, since nothing else is left to try."""
        self.house.go_away()
        with self.no_spool():
            self.failureResultOf(self.house.post(1), StoreUnavailable)
            self.failureResultOf(self.house.post(2), StoreUnavailable)
            self.house.writing.error = None
            self.successResultOf(self.house.post(3))
        self.assert_stored(3)

    def test_many_posts_that_the_spools_disk_refuses(self) -> None:
        """All are told at once, however many wait: not two hundred by two hundred, ten seconds apart."""
        self.house.go_away()
        self.house.spooling.held = True
        answers = [self.house.post(number) for number in range(1, 500)]
        self.house.hear(500)
        self.house.go_on(0)
        with self.no_spool():
            self.house.spooling.release()
            self.house.go_on(0)
            for answer in answers:
                self.failureResultOf(answer, StoreUnavailable)
            self.assertEqual(self.house.datalogger.spooling.waiting, 1)

    def test_the_spools_disk_is_forgotten_when_the_store_is_back(self) -> None:
        """When everything that came is stored, nothing is amiss any more."""
        self.house.go_away()
        with self.no_spool():
            self.failureResultOf(self.house.post(1), StoreUnavailable)
        self.assertIsNotNone(self.house.datalogger.spooling.trouble)
        self.house.writing.error = None
        self.successResultOf(self.house.post(2))
        self.assertIsNone(self.house.datalogger.spooling.trouble)

    def test_the_spool_has_room_for_some(self) -> None:
        """Of those that come to it together the oldest are kept, and only the newest are lost."""
        self.house = self.new_house(most_bytes=1200)
        self.house.go_away()
        self.house.spooling.held = True
        self.house.hear(0)
        self.house.go_on(1)
        self.house.hear(*range(1, 60))
        self.house.spooling.release()
        self.house.go_on(0)
        kept, lost = self.house.spool.records, self.house.datalogger.spooling.lost
        self.assertGreater(kept, 1)
        self.assertEqual((kept + lost, self.house.limits.hits["spool_bytes"]), (60, lost))
        self.house.come_back()
        self.assert_stored(*range(kept))

    def test_the_spools_disk_refuses_a_line(self) -> None:
        """Its telegrams wait in memory; posts are refused meanwhile; all is on disk when the disk is back."""
        self.house.go_away()
        with self.no_spool():
            self.house.hear(1, 2)
            self.house.go_on(1)
            self.failureResultOf(self.house.post(3), StoreUnavailable)
            self.house.hear(4)
            self.house.go_on(30)
            self.assertEqual((self.house.datalogger.spooling.waiting, self.house.spool.records), (3, 0))
            self.assertIn("No such file", str(self.house.datalogger.spooling.trouble))
        self.house.go_on(12)
        self.assertEqual((self.house.datalogger.spooling.waiting, self.house.spool.records), (0, 3))
        self.assertIsNone(self.house.datalogger.spooling.trouble)
        self.house.come_back()
        self.assert_stored(1, 2, 4)
        self.assert_nothing_is_left()

    def test_the_spools_disk_refuses_only_what_is_new(self) -> None:
        """What waits in memory goes behind what is in the spool, as long as there is anything."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.stop()
        self.house.start()
        with self.no_spool():
            self.house.hear(2)
            self.house.go_on(2)
            self.assertEqual((self.house.datalogger.spooling.waiting, self.house.spool.records), (1, 1))
        self.house.go_on(10)
        self.assertEqual((self.house.datalogger.spooling.waiting, self.house.spool.records), (0, 2))
        self.house.come_back()
        self.assert_stored(1, 2)

    def test_the_store_is_back_before_the_spools_disk(self) -> None:
        """What waits in memory goes to the store, in order."""
        self.house.go_away()
        with self.no_spool():
            self.house.hear(1, 2)
            self.house.go_on(1)
            self.house.hear(3)
            self.house.come_back()
            self.house.go_on(1)
            self.assert_stored(1, 2, 3)
            self.successResultOf(self.house.post(4))

    def test_both_are_away_when_it_is_tried_again(self) -> None:
        """What waits in memory keeps its order: none of it goes to the store before the first does."""
        self.house.go_away()
        with self.no_spool():
            self.house.hear(1)
            self.house.post(2).addErrback(lambda failure: None)
            self.house.hear(3)
            self.house.go_on(1)
            self.assertEqual(self.house.datalogger.commits.waiting, 0)
            self.house.come_back()
            self.house.go_on(2)
        self.assert_stored(1, 3)

    def test_memory_has_a_bound(self) -> None:
        """The oldest ten thousand are kept; what comes later is lost and counted, or refused."""
        self.house.writing.held = True
        self.house.post(*range(100))
        for _ in range(READINGS_WAITING // 100 - 1):
            self.house.datalogger.take([taken(1)] * 100)
        self.house.hear(1, 2)
        self.assertEqual(self.house.datalogger.spooling.lost, 2)
        self.failureResultOf(self.house.post(1), IntakeFull)
        self.assertEqual(self.house.limits.hits["readings_waiting"], 3)

    def test_a_group_commit_that_is_full_of_others(self) -> None:
        """A line's telegram goes to the spool then; a post is refused."""
        self.house.writing.held = True
        self.house.datalogger.commits.submit([posted(NOON)] * READINGS_WAITING)
        self.failureResultOf(self.house.post(1), IntakeFull)
        self.house.hear(2)
        self.assertEqual((self.house.spool.records, self.house.datalogger.spooling.lost), (1, 0))
        self.house.writing.release()
        self.house.go_on(2)
        self.assert_nothing_is_left()


class StopTests(SpoolingCase):
    """The end of the service."""

    def test_what_waits_is_stored(self) -> None:
        """As long as the store takes it."""
        self.house.hear(1, 2)
        self.house.stop()
        self.assert_stored(1, 2)
        self.house.start()

    def test_who_goes_on_posting_does_not_hold_it_up(self) -> None:
        """Whoever posts while the service stops is told to come again, and what came before is stored."""
        self.house.writing.held = True
        before = self.house.post(1)
        stopped = self.house.datalogger.stopService()
        self.failureResultOf(self.house.post(2), StoreUnavailable)
        self.failureResultOf(self.house.datalogger.submit([posted(NOON)]), StoreUnavailable)
        self.house.writing.release()
        self.house.go_on(0)
        self.successResultOf(stopped)
        self.successResultOf(before)
        self.assert_stored(1)
        self.house.spool.close()
        self.house.start()
        self.successResultOf(self.house.post(3))

    def test_what_waits_is_spooled_while_the_store_is_away(self) -> None:
        """The next start has it."""
        self.house.hear(*range(1, 80))
        self.house.go_away()
        stopped = self.house.datalogger.stopService()
        # They are told in two turns of the reactor.
        self.assertNoResult(stopped)
        self.house.go_on(0)
        self.successResultOf(stopped)
        self.house.spool.close()
        self.house.start()
        self.assertEqual(self.house.spool.records, 79)
        self.house.come_back()
        self.assert_stored(*range(1, 80))

    def test_a_frozen_store_is_not_waited_for(self) -> None:
        """What it did not take in three seconds is spooled."""
        self.house.writing.held = True
        self.house.hear(1)
        stopped = self.house.datalogger.stopService()
        self.house.go_on(PATIENCE)
        self.successResultOf(stopped)
        self.assertEqual(self.house.spool.records, 1)

    def test_neither_store_nor_spool_answers(self) -> None:
        """That is something else than being away, or full, which they say themselves."""
        spooling = self.house.datalogger.spooling
        self.house.writing.held = self.house.spooling.held = True
        self.house.hear(1)
        self.house.go_on(1)
        self.assertFalse(spooling.is_stuck)
        self.house.go_on(PATIENCE)
        self.assertTrue(spooling.is_stuck)
        self.house.spooling.release()
        self.assertFalse(spooling.is_stuck)
        self.house.writing.release()
        self.house.go_away()
        self.house.spooling.held = True
        self.house.hear(2)
        self.house.go_on(1)
        self.assertFalse(spooling.is_stuck)

    def test_a_frozen_store_does_not_hold_up_the_stop_of_draining(self) -> None:
        """It takes no longer than one commit is given, and what was not stored stays."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.writing.error, self.house.writing.held = None, True
        self.house.go_on(1)
        stopped = self.house.datalogger.stopService()
        self.assertNoResult(stopped)
        self.house.go_on(PATIENCE)
        self.successResultOf(stopped)
        self.assertEqual(self.house.spool.records, 1)

    def test_a_store_that_is_back_for_the_stop(self) -> None:
        """What the spool did not take goes to the store at last."""
        self.house.go_away()
        with self.no_spool():
            self.house.hear(1, 2)
            self.house.go_on(1)
            self.house.writing.error = None
            self.successResultOf(self.house.datalogger.stopService())
        self.assert_stored(1, 2)

    def test_nowhere_to_go(self) -> None:
        """What can be kept nowhere is told in the log."""
        self.house.go_away()
        with self.no_spool(), capturedLogs() as events:
            self.house.hear(1, 2)
            self.house.go_on(1)
            self.successResultOf(self.house.datalogger.stopService())
        self.assertEqual(events[-1]["log_level"], LogLevel.critical)
        self.assertEqual(events[-1]["waiting"], 2)

    def test_in_the_midst_of_writing(self) -> None:
        """What is on its way to the spool gets there."""
        self.house.go_away()
        self.house.spooling.held = True
        answer = self.house.post(1)
        stopped = self.house.datalogger.stopService()
        self.assertNoResult(stopped)
        self.house.spooling.release()
        self.successResultOf(stopped)
        self.successResultOf(answer)
        self.assertEqual(self.house.spool.records, 1)

    def test_what_is_spooled_for_the_stop_is_waited_for(self) -> None:
        """The service does not end before its last telegram is on disk."""
        self.house.go_away()
        self.house.hear(1)
        self.house.spooling.held = True
        stopped = self.house.datalogger.stopService()
        self.assertNoResult(stopped)
        self.house.spooling.release()
        self.successResultOf(stopped)
        self.assertEqual(self.house.spool.records, 1)

    def test_in_the_midst_of_reading(self) -> None:
        """What was not stored yet stays in the spool."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.stop()
        self.house.spooling.held = True
        self.house.writing.error = None
        self.house.start()
        stopped = self.house.datalogger.stopService()
        self.house.spooling.release()
        self.successResultOf(stopped)
        self.assertEqual((self.house.spool.records, self.house.stored), (1, []))


class TroubleTests(SpoolingCase):
    """Faults of our own."""

    def test_draining_survives_itself(self) -> None:
        """Whatever happens is logged, and tried again."""
        self.house.go_away()
        self.successResultOf(self.house.post(1))
        self.house.writing.error = None
        self.house.spooling.error = RuntimeError("a bug")
        self.house.go_on(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.house.spooling.error = None
        self.house.go_on(10)
        self.assert_stored(1)

    def test_what_cannot_be_written_for_a_fault_of_ours(self) -> None:
        """It is told and counted, and what comes next is not held up."""
        self.house.go_away()
        self.house.spooling.error = RuntimeError("a bug")
        self.failureResultOf(self.house.post(1), RuntimeError)
        self.house.hear(2)
        self.house.go_on(1)
        self.assertEqual(self.house.datalogger.spooling.lost, 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.house.spooling.error = None
        self.successResultOf(self.house.post(3))

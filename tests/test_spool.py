"""Tests of dsmr_tw.spool: what was acknowledged is there, in order, whatever happened to the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shutil import rmtree
from struct import pack
from tempfile import mkdtemp
from zlib import crc32

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.errors import IntakeFull, SpoolFull, StoreRefused, StoreUnavailable
from dsmr_tw.interfaces import ISpool
from dsmr_tw.segment import HEADER
from dsmr_tw.spoolfiles import is_in_use, left
from tests.spoolcase import SpoolCase, no_files, small_disk

ONE, TWO, THREE, FOUR = (f"record {number} of a telegram".encode() for number in range(1, 5))


class QueueTests(SpoolCase):
    """Records in, and out again in the same order."""

    def test_interface(self) -> None:
        """It is what the service asks for."""
        verifyObject(ISpool, self.spool)

    def test_first_in_first_out(self) -> None:
        """Each record is read once, as many at a time as are asked for."""
        self.append(ONE, TWO)
        self.append(THREE)
        self.assertEqual([self.read(2), self.read(2), self.read(2)], [[ONE, TWO], [THREE], []])
        self.append(FOUR)
        self.assertEqual(self.read(), [FOUR])

    def test_what_is_read_is_understood_at_once(self) -> None:
        """Its reader's work is done where reading is."""
        self.append(ONE, TWO)
        self.assertEqual(self.successResultOf(self.spool.read(9, len)), [len(ONE), len(TWO)])

    def test_nothing_goes_before_it_is_stored(self) -> None:
        """What was only read comes again after a restart."""
        self.append(ONE, TWO)
        self.read()
        self.reopen()
        self.assertEqual((self.spool.records, self.read()), (2, [ONE, TWO]))

    def test_when_everything_is_stored_nothing_is_left(self) -> None:
        """The disk is as empty as before."""
        self.append(ONE, TWO)
        self.read()
        self.successResultOf(self.spool.forget(1))
        self.assertEqual((self.spool.records, len(self.names())), (1, 1))
        self.assertEqual(self.spool.held_bytes, self.file().stat().st_size)
        self.successResultOf(self.spool.forget(1))
        self.assertEqual((self.spool.records, self.spool.held_bytes, self.names()), (0, 0, []))
        self.append(THREE)
        self.assertEqual((self.names(), self.read()), (["0000000002.spool"], [THREE]))

    def test_a_long_queue_is_many_files(self) -> None:
        """Each is as large as it may be, and goes when all that is in it is stored."""
        self.reopen(segment_bytes=200)
        records = [os.urandom(90) for _ in range(10)]
        for record in records:
            self.append(record)
        self.assertEqual(len(self.names()), 5)
        self.reopen(segment_bytes=200)
        self.assertEqual(self.read(5), records[:5])
        self.successResultOf(self.spool.forget(5))
        self.assertEqual(self.names()[0], "0000000003.spool")
        self.assertEqual(self.read(), records[5:])
        self.successResultOf(self.spool.forget(5))
        self.assertEqual((self.names(), self.spool.held_bytes), ([], 0))

    def test_a_file_larger_than_one_read(self) -> None:
        """A file is read piece by piece, not as a whole."""
        records = [os.urandom(1000) for _ in range(600)]
        self.append(*records)
        self.assertEqual(self.read(), records)

    def test_only_its_owner_may_look(self) -> None:
        """Telegrams are personal."""
        self.append(ONE)
        self.successResultOf(self.spool.refuse("text", "why"))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in self.directory.iterdir()}
        self.assertEqual((stat.S_IMODE(self.directory.stat().st_mode), modes), (0o700, {0o600}))


class PowerCutTests(SpoolCase):
    """A file that ends anywhere."""

    def test_cut_off_anywhere(self) -> None:
        """Whole records are read, what comes next stands in a new file, and nothing is ever read out of order."""
        ends = []
        for record in (ONE, TWO, THREE):
            self.append(record)
            ends.append(self.spool.held_bytes)
        data = self.file().read_bytes()
        for end in range(len(data) + 1):
            path = Path(self.mktemp())
            path.mkdir()
            (path / self.file().name).write_bytes(data[:end])
            whole = [record for record, at in zip((ONE, TWO, THREE), ends, strict=True) if at <= end]
            spool = self.opened(path)
            self.assertEqual((spool.records, spool.damaged), (len(whole), 0), end)
            self.successResultOf(spool.append([FOUR]))
            spool.close()
            spool = self.opened(path)
            self.assertEqual(self.successResultOf(spool.read(9, bytes)), [*whole, FOUR], end)
            self.successResultOf(spool.forget(len(whole) + 1))
            self.assertEqual(list(path.iterdir()), [], end)
            spool.close()

    def test_a_length_without_bytes(self) -> None:
        """After a power cut there may be zeros where a write was under way; nobody need look at them."""
        self.append(ONE)
        data = self.file().read_bytes()
        for content, whole in (
            (bytes(20), []),
            (HEADER[:5] + bytes(90), []),
            (HEADER + bytes(9), []),
            (data + bytes(9), [ONE]),
        ):
            path = Path(self.mktemp())
            path.mkdir()
            (path / self.file().name).write_bytes(content)
            spool = self.opened(path)
            self.assertEqual((spool.records, spool.damaged), (len(whole), 0), content)
            self.assertEqual(self.successResultOf(spool.read(9, bytes)), whole)
            self.successResultOf(spool.forget(len(whole)))
            self.assertEqual(list(path.iterdir()), [], content)

    def test_nothing_is_written_behind_what_was_there(self) -> None:
        """Each start begins a file of its own."""
        self.append(ONE)
        before = self.file().read_bytes()
        self.reopen()
        self.append(TWO)
        self.assertEqual((self.file().read_bytes(), len(self.names())), (before, 2))
        self.assertEqual(self.read(), [ONE, TWO])


class DamageTests(SpoolCase):
    """A file that is not what it was."""

    def test_any_byte_changed(self) -> None:
        """What stands before it is read, then the next file; the bad one is kept, and it is known."""
        self.append(ONE, TWO)
        data = self.file().read_bytes()
        self.reopen()
        self.append(THREE)
        behind = self.file(2).read_bytes()
        for at in range(len(data)):
            path = Path(self.mktemp())
            path.mkdir()
            bad = bytearray(data)
            bad[at] ^= 4
            (path / "0000000001.spool").write_bytes(bad)
            (path / "0000000002.spool").write_bytes(behind)
            spool = self.opened(path)
            self.assertEqual(spool.damaged, 1, at)
            read = self.successResultOf(spool.read(9, bytes))
            self.assertIn(read, ([THREE], [ONE, THREE]), at)
            self.assertEqual(spool.records, len(read))
            self.successResultOf(spool.forget(len(read)))
            self.assertEqual([one.name for one in path.iterdir()], ["0000000001.damaged"], at)
            self.assertEqual((path / "0000000001.damaged").read_bytes(), bad)
            spool.close()
            spool = self.opened(path)
            self.assertEqual((spool.damaged, spool.records, spool.held_bytes), (1, 0, 0))
            spool.close()

    def test_a_file_that_goes_bad_while_the_service_runs(self) -> None:
        """What can be read is; the file is kept, and what comes later goes on."""
        self.append(ONE, TWO)
        self.spoil(at=self.file().stat().st_size - 1)
        self.assertEqual(self.read(1), [ONE])
        self.assertEqual(self.read(), [])
        self.assertEqual((self.spool.records, self.spool.damaged), (1, 1))
        self.append(THREE)
        self.assertEqual((self.read(), self.spool.records), ([THREE], 2))
        self.successResultOf(self.spool.forget(2))
        self.assertEqual(self.names(), ["0000000001.damaged"])

    def test_a_file_that_goes_bad_from_its_beginning(self) -> None:
        """It is put aside at once, and the next one is read."""
        self.append(ONE, TWO)
        self.reopen()
        self.append(THREE)
        self.spoil()
        self.assertEqual((self.read(), self.spool.records, self.spool.damaged), ([THREE], 1, 1))
        self.assertEqual(self.names(), ["0000000001.damaged", "0000000002.spool"])
        self.successResultOf(self.spool.forget(1))
        self.assertEqual(self.names(), ["0000000001.damaged"])

    def test_a_file_that_is_gone(self) -> None:
        """Nothing stops for it."""
        self.append(ONE)
        self.reopen()
        self.append(TWO)
        self.file().unlink()
        self.assertEqual((self.read(), self.spool.damaged), ([TWO], 1))

    def test_a_record_that_was_written_wrong(self) -> None:
        """What can't be unpacked though no bit of it has changed is damaged, too, and what comes later goes on."""
        payload = b"\xff" * 9
        head = pack(">HHI", len(payload), len(payload) ^ 0xFFFF, crc32(payload, len(payload)))
        self.file().write_bytes(HEADER + head + payload)
        self.reopen()
        self.append(ONE)
        self.assertEqual((self.spool.records, self.read()), (2, [ONE]))
        self.assertEqual((self.spool.records, self.spool.damaged), (1, 1))
        self.assertEqual(self.names(), ["0000000001.damaged", "0000000002.spool"])

    def test_a_file_that_cannot_be_read_now(self) -> None:
        """As when too many files are open: that is told, and nothing is put aside or passed over for it."""
        self.append(ONE)
        self.reopen()
        self.append(TWO)
        with no_files():
            failure = self.failureResultOf(self.spool.read(9, bytes), StoreUnavailable)
        self.assertIn("Too many open files", str(failure.value))
        self.assertEqual((self.spool.records, self.spool.damaged, self.read()), (2, 0, [ONE, TWO]))

    def test_what_its_reader_did_not_understand(self) -> None:
        """It is read again, so that what is forgotten later is never what was only read."""
        self.append(ONE, TWO, THREE)
        self.failureResultOf(self.spool.read(2, int), ValueError)
        self.assertEqual([self.read(2), self.read(2), self.read(2)], [[ONE, TWO], [THREE], []])

    def test_what_is_no_file(self) -> None:
        """Whatever lies there with such a name is left alone, and told."""
        self.file().mkdir()
        self.reopen()
        self.assertEqual((self.spool.damaged, self.names()), (1, ["0000000001.damaged"]))

    def test_a_file_that_was_only_begun(self) -> None:
        """Nobody was told of anything in it, so it goes."""
        self.file().write_bytes(HEADER[:5])
        self.reopen()
        self.assertEqual((self.spool.damaged, self.names()), (0, []))

    def test_numbers_are_not_used_again(self) -> None:
        """What is put aside never stands in the way of what is put aside later."""
        self.append(ONE)
        self.spool.close()
        self.spoil()
        self.reopen()
        self.append(ONE)
        self.spool.close()
        self.spoil(2)
        self.reopen()
        self.assertEqual((self.names(), self.spool.damaged), (["0000000001.damaged", "0000000002.damaged"], 2))


class FullTests(SpoolCase):
    """A spool, or a disk, without room."""

    def test_the_bound(self) -> None:
        """What does not fit is refused as a whole, and what is there is not touched."""
        self.reopen(most_bytes=200)
        self.append(ONE)
        failure = self.failureResultOf(self.spool.append([os.urandom(90), os.urandom(90)]), SpoolFull)
        self.assertEqual(str(failure.value), "the spool holds 1 telegrams already")
        self.assertIsInstance(failure.value, IntakeFull)
        self.append(TWO)
        self.assertEqual(self.read(), [ONE, TWO])

    def test_what_is_refused_is_not_written_in_part(self) -> None:
        """What comes after a record that is too long, or one too many, can be read as if those had never been."""
        self.reopen(most_bytes=90_000)
        self.append(ONE)
        self.failureResultOf(self.spool.append([TWO, os.urandom(40_000)]), ValueError)
        self.failureResultOf(self.spool.append([os.urandom(30_000) for _ in range(4)]), SpoolFull)
        self.append(TWO, THREE)
        self.assertEqual(self.read(), [ONE, TWO, THREE])

    def test_there_is_room_again(self) -> None:
        """When something was stored."""
        self.reopen(most_bytes=200)
        self.append(os.urandom(150))
        self.failureResultOf(self.spool.append([os.urandom(90)]), SpoolFull)
        self.read()
        self.successResultOf(self.spool.forget(1))
        self.append(os.urandom(150))

    def test_what_is_kept_counts(self) -> None:
        """The bound is one for the whole directory."""
        self.append(ONE)
        self.spoil()
        self.reopen(most_bytes=600)
        self.failureResultOf(self.spool.append([os.urandom(550)]), SpoolFull)
        self.successResultOf(self.spool.refuse("x" * 100, "why"))
        self.failureResultOf(self.spool.append([os.urandom(450)]), SpoolFull)

    def test_a_full_disk(self) -> None:
        """What could not be written whole was not written; what comes later stands in a new file."""
        self.append(ONE)
        size = self.file().stat().st_size
        with small_disk(size + 9):
            failure = self.failureResultOf(self.spool.append([TWO]), StoreUnavailable)
        self.assertIn(f"{self.directory}: File too large", str(failure.value))
        self.assertEqual((self.file().stat().st_size, self.spool.held_bytes, self.spool.records), (size, size, 1))
        self.append(THREE)
        self.assertEqual((len(self.names()), self.read()), (2, [ONE, THREE]))
        self.reopen()
        self.assertEqual((self.read(), self.spool.damaged), ([ONE, THREE], 0))

    def test_a_disk_that_is_full_from_the_beginning(self) -> None:
        """Nothing is left of a file that could not be begun."""
        with small_disk(20):
            self.failureResultOf(self.spool.append([ONE]), StoreUnavailable)
            self.failureResultOf(self.spool.refuse("a telegram", "why"), StoreUnavailable)
        self.assertEqual((self.spool.records, self.spool.held_bytes, self.spool.refused), (0, 0, 0))
        self.assertNotIn("0000000001.spool", self.names())
        self.append(ONE)
        self.assertEqual(self.read(), [ONE])

    def test_a_directory_that_is_gone(self) -> None:
        """It is told, as often as it is tried."""
        self.directory.rename(self.directory.with_name("elsewhere"))
        for _ in range(2):
            self.failureResultOf(self.spool.append([ONE]), StoreUnavailable)


class RefusedTests(SpoolCase):
    """What the store did not want."""

    def test_it_is_kept_as_text(self) -> None:
        """With the reason, in one line, and counted over restarts."""
        self.successResultOf(self.spool.refuse("2024-04-02T10:00:00Z key 1\n/TST5\n!\n", "OverflowError:\ntoo large"))
        self.successResultOf(self.spool.refuse("another\n", "why"))
        self.assertEqual(
            (self.directory / "refused").read_text(),
            "\n# refused: OverflowError: too large\n2024-04-02T10:00:00Z key 1\n/TST5\n!\n\n# refused: why\nanother\n",
        )
        self.assertEqual(self.spool.refused, 2)
        self.reopen()
        self.assertEqual((self.spool.refused, self.spool.records, self.spool.damaged), (2, 0, 0))

    def test_it_leaves_room_for_what_waits(self) -> None:
        """However many are refused they never take all room; what is not kept is counted, and told of once."""
        self.reopen(most_bytes=4000)
        with capturedLogs() as events:
            for _ in range(20):
                self.successResultOf(self.spool.refuse("x" * 100, "why"))
        size = (self.directory / "refused").stat().st_size
        self.assertTrue(800 < size <= 1000, size)
        self.assertEqual(self.spool.refused, 20)
        [said] = [formatEvent(event) or "" for event in events]
        self.assertIn("refused is full, what else is refused is not kept: move it away", said)
        self.append(ONE)
        (self.directory / "refused").unlink()
        self.successResultOf(self.spool.refuse("another\n", "why"))
        self.assertIn("another", (self.directory / "refused").read_text())


class LockTests(SpoolCase):
    """One program at a time."""

    def test_one_at_a_time(self) -> None:
        """Another one is told so in a sentence, until the first one is done."""
        self.assertTrue(is_in_use(self.directory))
        with self.assertRaises(StoreRefused) as caught:
            self.opened()
        self.assertEqual(str(caught.exception), f"A running server uses the spool {self.directory}.")
        self.spool.close()
        self.assertFalse(is_in_use(self.directory))
        self.opened()

    def test_looking_at_it_is_always_possible(self) -> None:
        """Beside a running server, and without changing anything: neither locks, nor what is put aside."""
        self.append(ONE, TWO)
        self.reopen()
        self.append(THREE)
        self.spoil()
        before = self.names()
        beside = type(self.spool)(self.directory, self.spool.runner)
        beside.survey()
        self.assertEqual((beside.records, beside.damaged), (1, 1))
        self.assertEqual(self.successResultOf(beside.read(9, bytes)), [THREE])
        self.assertEqual(self.names(), before)

    def test_a_directory_that_cannot_be(self) -> None:
        """It is told in a sentence what is the matter."""
        in_the_way = Path(self.mktemp())
        in_the_way.write_text("a file")
        with self.assertRaises(StoreRefused) as caught:
            self.opened(in_the_way / "spool")
        self.assertEqual(str(caught.exception), f"The spool {in_the_way / 'spool'} can't be used: Not a directory.")

    def test_a_directory_of_somebody_else(self) -> None:
        """It is told at the start, not when the store is away and telegrams have nowhere to go."""
        path = self.other_directory()
        path.chmod(0o555)
        self.be_nobody()
        with self.assertRaises(StoreRefused) as caught:
            self.opened(path)
        self.assertEqual(str(caught.exception), f"The spool {path} can't be written to.")

    def test_a_file_of_somebody_else(self) -> None:
        """It may well be whole, so it is told, and not put aside."""
        path = self.other_directory()
        path.chmod(0o777)
        file = path / "0000000001.spool"
        file.write_bytes(HEADER)
        file.chmod(0)
        self.be_nobody()
        for _ in range(2):
            with self.assertRaises(StoreRefused) as caught:
                self.opened(path)
            self.assertEqual(str(caught.exception), f"The spool {path} can't be used: Permission denied.")

    def test_a_file_that_its_server_has_just_removed(self) -> None:
        """Who looks at the spool beside the server does not take it for a damaged one."""
        gone = left(self.file())
        self.assertEqual((gone.records, gone.is_damaged), (0, False))

    def other_directory(self) -> Path:
        """A directory that any user may be let into."""
        path = Path(mkdtemp())
        self.addCleanup(rmtree, path)
        return path

    def be_nobody(self) -> None:
        """Root may read and write everything, so for a moment we are somebody else."""
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)


class NoneTests(SynchronousTestCase):
    """Where there is no spool."""

    def test_it_is_not_in_use(self) -> None:
        """Whoever asks is told that there is none."""
        with self.assertRaises(FileNotFoundError):
            is_in_use(Path(self.mktemp()))

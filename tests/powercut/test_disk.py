"""Tests of tests.powercut.disk: a cut leaves what was synced, and of the rest whatever is worst."""

from __future__ import annotations

import stat
from random import Random

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from tests.powercut.disk import SECTOR, Directory, File, Resize, Write

SEEDS = range(300)

writes = some.builds(Write, some.integers(0, 40), some.binary(min_size=1, max_size=20))
changes = some.lists(writes | some.builds(Resize, some.integers(0, 40)), max_size=8)


def directory() -> Directory:
    """An empty one."""
    return Directory(stat.S_IFDIR | 0o755)


def file(*synced: Write) -> File:
    """One with what is synced in it."""
    made = File(stat.S_IFREG | 0o600)
    for write in synced:
        made.change(write)
    made.sync()
    return made


class FileTests(SynchronousTestCase):
    """The bytes of a file."""

    def left(self, made: File) -> set[bytes]:
        """All that a cut is seen to leave."""
        return {bytes(made.left(Random(seed)).content) for seed in SEEDS}

    @given(changes, changes, some.integers())
    def test_what_was_synced_and_not_touched_since_stays(self, before, since, seed) -> None:
        """Each byte is what it was when the file was synced, or what was written there later."""
        made = File(stat.S_IFREG | 0o600)
        for change in before:
            made.change(change)
        made.sync()
        synced = bytes(made.content)
        for change in since:
            made.change(change)
        content = made.left(Random(seed)).content
        smallest = min([len(synced), *(change.size for change in since if isinstance(change, Resize))])
        self.assertGreaterEqual(len(content), smallest)
        for at, byte in enumerate(content):
            may_be = {synced[at] if at < len(synced) else 0}
            may_be |= {
                change.data[at - change.offset]
                for change in since
                if isinstance(change, Write) and change.offset <= at < change.offset + len(change.data)
            }
            if any(isinstance(change, Resize) for change in since):
                may_be.add(0)
            self.assertIn(byte, may_be)

    @given(changes, some.integers())
    def test_a_synced_file_is_what_programs_saw(self, before, seed) -> None:
        """Nothing of it is lost."""
        made = File(stat.S_IFREG | 0o600)
        for change in before:
            made.change(change)
        made.sync()
        self.assertEqual(made.left(Random(seed)).content, made.content)

    def test_what_was_not_synced_may_go(self) -> None:
        """It may be there, it may not, and so each write by itself."""
        made = file(Write(0, b"...."))
        made.change(Write(0, b"A"))
        made.change(Write(3, b"B"))
        self.assertEqual(self.left(made), {b"....", b"A...", b"...B", b"A..B"})

    def test_the_last_of_two_at_one_place_need_not_win(self) -> None:
        """Nothing is promised about their order."""
        made = file()
        made.change(Write(0, b"older"))
        made.change(Write(0, b"newer"))
        self.assertLess({b"older", b"newer"}, self.left(made))

    def test_a_write_may_be_torn(self) -> None:
        """At a sector, and at any byte; its first or its last part is there."""
        made = file(Write(0, bytes(2000)))
        made.change(Write(100, b"x" * 1800))
        ends = {content.rstrip(b"\0").rfind(b"x") + 1 for content in self.left(made)}
        begins = {content.find(b"x") for content in self.left(made)}
        for at in range(SECTOR, 1900, SECTOR):
            self.assertIn(at, ends)
            self.assertIn(at, begins)
        self.assertTrue(any(at % 2 for at in ends))

    def test_what_was_cut_off_may_be_back(self) -> None:
        """A file's length is no safer than its bytes, and may come without them; then zeros are there."""
        made = file(Write(0, b"abcd"))
        made.change(Resize(2))
        self.assertEqual(self.left(made), {b"ab", b"abcd"})
        made = file()
        made.change(Write(2, b"c"))
        self.assertEqual(self.left(made), {b"", b"\0\0", b"\0\0\0", b"\0\0c"})


class DirectoryTests(SynchronousTestCase):
    """The names in a directory."""

    def left(self, made: Directory) -> list[dict[bytes, bytes]]:
        """All that a cut is seen to leave: names, and what is in the files."""
        found: list[dict[bytes, bytes]] = []
        for seed in SEEDS:
            names = {}
            for name, node in made.left(Random(seed)).entries.items():
                assert isinstance(node, File)
                names[name] = bytes(node.content)
            if names not in found:
                found.append(names)
        return found

    def test_a_synced_file_may_lose_its_name(self) -> None:
        """The directory must be synced, too."""
        made = directory()
        made.change({b"a": file(Write(0, b"A"))})
        self.assertCountEqual(self.left(made), [{}, {b"a": b"A"}])
        made.sync()
        self.assertEqual(self.left(made), [{b"a": b"A"}])

    def test_a_synced_name_may_lead_to_nothing(self) -> None:
        """A name says nothing of the bytes."""
        made, written = directory(), file()
        made.change({b"a": written})
        made.sync()
        written.change(Write(0, b"A"))
        self.assertIn({b"a": b""}, self.left(made))

    def test_a_rename_is_whole(self) -> None:
        """The new name leads to the old file or to the new one."""
        made, new = directory(), file(Write(0, b"new"))
        made.change({b"key": file(Write(0, b"old")), b"key.unfinished": new})
        made.sync()
        made.change({b"key.unfinished": None, b"key": new})
        whole = [{b"key": b"old", b"key.unfinished": b"new"}, {b"key": b"new"}]
        self.assertCountEqual(self.left(made), whole)

    def test_changes_of_one_name_keep_their_order(self) -> None:
        """A file that was removed before another got its name is not what the name leads to in the end."""
        made = directory()
        made.change({b"log": file(Write(0, b"old"))})
        made.sync()
        made.change({b"log": None})
        made.change({b"log": file(Write(0, b"new"))})
        self.assertCountEqual(self.left(made), [{b"log": b"old"}, {}, {b"log": b"new"}])

    def test_changes_of_different_names_do_not(self) -> None:
        """What came later may be there without what came before."""
        made = directory()
        made.change({b"first": file()})
        made.change({b"second": file()})
        self.assertIn({b"second": b""}, self.left(made))

    def test_what_lies_in_a_lost_directory_is_lost(self) -> None:
        """Syncing a directory does not keep its own name."""
        made, inner = directory(), directory()
        made.change({b"inner": inner})
        inner.change({b"a": file()})
        inner.sync()
        found = {tuple(made.left(Random(seed)).entries) for seed in SEEDS}
        self.assertEqual(found, {(), (b"inner",)})

    def test_what_is_made_safe_altogether_is_safe(self) -> None:
        """Nothing in it can be lost then."""
        made, inner, written = directory(), directory(), file()
        made.change({b"inner": inner})
        inner.change({b"a": written})
        written.change(Write(0, b"A"))
        self.assertEqual(sum(1 for _ in made.unsafe()), 3)
        made.sync_all()
        self.assertEqual(list(made.unsafe()), [])

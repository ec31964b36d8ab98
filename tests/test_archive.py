"""Tests of dsmr_tw.archive: the file that a backup is."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.archive import NOTE, PIECE, Note, is_copy_of, note_of, pack, unpack
from dsmr_tw.domain.tally import Tally
from dsmr_tw.errors import BackupError

NOTHING = Note("sqlite", "2024-04-02T10:00:00Z", "0", Tally(6, {"price": 24}, {1: {"reading": 9}}))


def unseen(done: int, length: int) -> None:
    """Nobody watches."""


class ArchiveTests(SynchronousTestCase):
    """A backup of a copy that compresses badly, as that of readings does."""

    def setUp(self) -> None:
        """Make both."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.copy, self.path, self.out = (self.directory / name for name in ("copy", "backup", "out"))
        self.copy.write_bytes(os.urandom(2 * PIECE + 7))
        pack(NOTHING, "dsmr.sqlite3", self.copy, self.path, unseen)

    def test_there_and_back(self) -> None:
        """The copy comes out as it went in, with what was noted of it; both files are their owner's alone."""
        self.assertEqual(unpack(self.path, self.out, unseen), NOTHING)
        self.assertEqual(self.out.read_bytes(), self.copy.read_bytes())
        self.assertEqual({path.stat().st_mode & 0o777 for path in (self.path, self.out)}, {0o600})

    def test_everyday_tools(self) -> None:
        """Whoever has no dsmr takes tar."""
        with tarfile.open(self.path, "r:gz") as tar:
            self.assertEqual(tar.getnames(), [NOTE, "dsmr.sqlite3"])

    def test_how_far_it_is(self) -> None:
        """Packing, unpacking and reading again tell how far they are, up to the end."""
        for work in (
            lambda told: pack(NOTHING, "dsmr.sqlite3", self.copy, self.path, told),
            lambda told: unpack(self.path, self.out, told),
            lambda told: is_copy_of(self.path, self.copy, told),
        ):
            seen: list[tuple[int, int]] = []
            work(lambda done, length, seen=seen: seen.append((done, length)))
            self.assertEqual(seen, sorted(seen))
            self.assertEqual(seen[-1][0], seen[-1][1])

    def test_reading_it_again(self) -> None:
        """A disk that gives back something else, or less, is found out."""
        self.assertTrue(is_copy_of(self.path, self.copy, unseen))
        whole = self.copy.read_bytes()
        for other in (whole[:-1], whole + b"x", whole[:9] + b"x" + whole[10:]):
            self.copy.write_bytes(other)
            self.assertFalse(is_copy_of(self.path, self.copy, unseen))

    def refused(self) -> str:
        """Unpack it so that it is refused; why."""
        error = str(self.assertRaises(BackupError, unpack, self.path, self.out, unseen))
        self.assertIn("backup is no backup that can be used, it was cut short or damaged", error)
        return error

    def test_cut_short(self) -> None:
        """A file that lacks its end, however much or little, is refused in a sentence."""
        whole = self.path.read_bytes()
        for length in (0, 1, 9, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            self.path.write_bytes(whole[:length])
            self.refused()

    @settings(max_examples=30)
    @given(st.data())
    def test_a_byte_that_changed(self, data: st.DataObject) -> None:
        """One byte that is another is found out, wherever it is; but in the header, which says nothing of the copy."""
        whole = self.path.read_bytes()
        at = data.draw(st.integers(10, len(whole) - 1))
        self.path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
        try:
            self.refused()
        finally:
            self.path.write_bytes(whole)

    def put(self, *members: tuple[str, bytes]) -> None:
        """Make it of something else."""
        with tarfile.open(self.path, "w:gz") as tar:
            for name, content in members:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))

    def test_what_is_no_backup(self) -> None:
        """A picture, somebody's tar, a note without a copy or one that is none: each is refused in a sentence."""
        self.path.write_bytes(b"\x89PNG" * 99)
        self.refused()
        self.path.write_bytes(gzip.compress(b"text"))
        self.refused()
        for members in (
            [("holiday.txt", b"sun")],
            [(NOTE, NOTHING.as_json())],
            [(NOTE, b"[]")],
            [(NOTE, b'{"format": 1, "kind": "sqlite"}')],
            [(NOTE, json.dumps({**json.loads(NOTHING.as_json()), "tables": 1}).encode())],
        ):
            self.put(*members)
            self.refused()

    def test_a_later_form(self) -> None:
        """One that a later program wrote in another form says so."""
        self.put((NOTE, NOTHING.as_json().replace(b'"format": 1', b'"format": 2')), ("dsmr.sqlite3", b""))
        self.assertIn("its format is number 2, this program knows 1", self.refused())

    def test_the_note_alone(self) -> None:
        """What a backup says of itself is read without the rest of it."""
        other = evolve(NOTHING, kind="postgresql")
        pack(other, "dsmr.pgdump", self.copy, self.path, unseen)
        self.path.write_bytes(self.path.read_bytes()[:-99])
        self.assertEqual(note_of(self.path), other)

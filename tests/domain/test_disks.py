"""Tests of dsmr_tw.domain.disks: trouble with a disk comes with what to do about it."""

from __future__ import annotations

from errno import EINTR, EIO, ENOSPC, EROFS

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.disks import with_advice


class AdviceTests(SynchronousTestCase):
    """What a person reads."""

    def test_what_can_be_done_is_said(self) -> None:
        """A full disk, one that can only be read, and one that fails: each with its remedy."""
        self.assertEqual(
            with_advice("No space left on device", ENOSPC),
            "No space left on device (make room on that disk, and it goes on by itself)",
        )
        self.assertIn("mount it for writing", with_advice("Read-only file system", EROFS))
        self.assertIn("replace it", with_advice("Input/output error", EIO))

    def test_nothing_is_made_up(self) -> None:
        """Of anything else it is said what it is, and no more."""
        self.assertEqual(with_advice("Interrupted system call", EINTR), "Interrupted system call")
        self.assertEqual(with_advice("database is locked", None), "database is locked")

"""What tests on a disk whose power is cut stand on."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.powercut.powered import Powered


class PoweredCase(SynchronousTestCase):
    """A test with a disk of its own; skipped with its reason where there can be none."""

    def setUp(self) -> None:
        """Begin with an empty one."""
        self.disk = Powered(Path(self.mktemp()).resolve()).start()
        self.addCleanup(self.disk.end)
        self.path = self.disk.mountpoint

    def cut(self, seed: int = 0) -> None:
        """Cut the power now, and let it return."""
        self.disk.cut_after(0)
        self.disk.wait_for("dark")
        self.disk.power_on(str(seed))
